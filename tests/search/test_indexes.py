"""Faiss behind our own types: exact search against numpy, bits against the book's recipe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.search.hashing import hash_sharpness, pack_bits, unpack_signs
from core.search.hits import Floats
from core.search.indexes import BinaryIndex, FlatIndex

WIDTH = 768


@pytest.fixture(scope="module")
def vectors() -> Floats:
    return np.random.default_rng(0).normal(size=(500, WIDTH)).astype(np.float32)


def test_the_hash_sharpens_as_in_the_book() -> None:
    assert hash_sharpness(0) == 1
    assert hash_sharpness(100) == pytest.approx(3.317, abs=5e-4)
    assert hash_sharpness(12_260) == pytest.approx(35.03, abs=5e-3)


def test_768_numbers_are_96_bytes_and_zero_counts_as_plus(vectors: Floats) -> None:
    bits = pack_bits(vectors)
    assert bits.shape == (500, 96)
    assert bits.dtype == np.uint8
    assert np.array_equal(unpack_signs(bits), np.where(vectors >= 0, 1, -1))
    assert pack_bits(np.array([[0.0, -0.0, -1, 1, -1, -1, -1, -1]], dtype=np.float32)).tolist() == [[0b11010000]]
    with pytest.raises(ValueError, match="multiple of 8"):
        pack_bits(vectors[:, :10])


def test_flat_search_is_the_sorted_inner_product(vectors: Floats) -> None:
    index = FlatIndex(WIDTH)
    index.add(vectors[:300], ids=range(1000, 1300))
    index.add(vectors[300:], ids=range(1300, 1500))
    queries = vectors[:3] + np.float32(0.1)
    for hits, scores in zip(index.search(queries, k=5), queries @ vectors.T, strict=True):
        order = np.argsort(-scores)[:5]
        assert [hit.id for hit in hits] == (order + 1000).tolist()
        assert [hit.score for hit in hits] == pytest.approx(scores[order].tolist(), rel=1e-4)
        assert [hit.rank for hit in hits] == [1, 2, 3, 4, 5]
    assert index.bytes == 500 * WIDTH * 4


def test_two_stages_are_hamming_first_and_inner_product_second(vectors: Floats) -> None:
    index = BinaryIndex(WIDTH)
    ids = np.arange(500) * 7 + 1
    index.add(pack_bits(vectors), ids=ids)
    query = vectors[3] + np.random.default_rng(1).normal(size=WIDTH).astype(np.float32)
    signs = np.where(vectors >= 0, 1, -1)
    distances = (np.where(query >= 0, 1, -1) != signs).sum(axis=1)
    scores = signs @ query

    first = index.candidates(query, k=20)
    assert [hit.distance for hit in first] == np.sort(distances)[:20].tolist()
    assert [hit.candidate_rank for hit in first] == list(range(1, 21))

    everything = index.search(query, k=5)
    best = np.argsort(-scores)[:5]
    assert [hit.id for hit in everything] == ids[best].tolist()
    assert [hit.score for hit in everything] == pytest.approx(scores[best].tolist(), rel=1e-4)
    assert [hit.distance for hit in everything] == distances[best].tolist()

    few = index.search(query, k=3, candidates=20)
    among = [hit.id for hit in first]
    expected = sorted(among, key=lambda number: -scores[(number - 1) // 7])[:3]
    assert [hit.id for hit in few] == expected
    assert [hit.candidate_rank for hit in few] == [among.index(number) + 1 for number in expected]
    assert index.bytes == 500 * 96


def test_bits_come_back_by_their_id(vectors: Floats) -> None:
    index = BinaryIndex(WIDTH)
    bits = pack_bits(vectors)
    index.add(bits, ids=np.arange(500) * 7 + 1)
    assert np.array_equal(index.reconstruct(71), bits[10])
    with pytest.raises(KeyError):
        index.reconstruct(70)


def test_an_index_survives_its_file(vectors: Floats, tmp_path: Path) -> None:
    flat, binary = FlatIndex(WIDTH), BinaryIndex(WIDTH)
    flat.add(vectors)
    binary.add(pack_bits(vectors), ids=range(100, 600))
    flat.save(tmp_path / "flat.faiss")
    binary.save(tmp_path / "binary.faiss")
    assert FlatIndex.load(tmp_path / "flat.faiss").search(vectors[:2]) == flat.search(vectors[:2])
    assert BinaryIndex.load(tmp_path / "binary.faiss").search(vectors[0]) == binary.search(vectors[0])


def test_empty_and_small_indexes_hand_out_what_they_have(vectors: Floats) -> None:
    flat, binary = FlatIndex(WIDTH), BinaryIndex(WIDTH)
    assert flat.search(vectors[:2]) == [(), ()]
    assert binary.search(vectors[0]) == ()
    assert binary.candidates(vectors[0]) == ()
    flat.add(vectors[:2])
    binary.add(pack_bits(vectors[:2]))
    assert len(flat.search(vectors[:1], k=10)[0]) == 2
    assert [hit.id for hit in binary.search(vectors[1], k=10)] == [1, 0]
    assert (len(flat), len(binary)) == (2, 2)


def test_wrong_shapes_are_named(vectors: Floats) -> None:
    flat, binary = FlatIndex(WIDTH), BinaryIndex(WIDTH)
    for wrong in (
        lambda: flat.add(vectors[:, :8]),
        lambda: flat.search(vectors[0]),
        lambda: binary.add(pack_bits(vectors[:, :8])),
    ):
        with pytest.raises(ValueError, match="needed"):
            wrong()
    with pytest.raises(ValueError, match="one query of 768"):
        binary.search(vectors[:2])
    with pytest.raises(ValueError, match="one id"):
        flat.add(vectors[:3], ids=[1])
    with pytest.raises(ValueError, match="multiple of 8"):
        BinaryIndex(100)
