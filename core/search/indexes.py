"""Search by vectors with Faiss: exact inner products, and bits first, vectors second (book 8.4.2, 9.5.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.search.hashing import Bits, pack_bits, unpack_signs
from core.search.hits import Floats, Hit

Ids = npt.NDArray[np.int64]

_BLOCK = 65_536  # vectors handed to Faiss at once


@dataclass(frozen=True, slots=True)
class TwoStageHit(Hit):
    """A hit of the two-stage search: `distance` is Hamming's, in bits, and `candidate_rank` the rank by it alone."""

    distance: int
    candidate_rank: int


class FlatIndex:
    """Exact search by inner product (cosine, when vectors have length 1): faiss.IndexFlatIP under ids of your own."""

    def __init__(self, width: int) -> None:
        import faiss

        self.width = width
        self._index: Any = faiss.IndexIDMap2(faiss.IndexFlatIP(width))

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def bytes(self) -> int:
        """What the vectors take: four bytes a number."""
        return len(self) * self.width * 4

    def add(self, vectors: Floats, *, ids: Sequence[int] | Ids | None = None) -> None:
        """Add vectors (N, D) under ids (N,); under consecutive numbers from the present size on when None."""
        _check_width(vectors, self.width)
        self._index.add_with_ids(np.ascontiguousarray(vectors, dtype=np.float32), _number(ids, len(self), len(vectors)))

    def search(self, queries: Floats, *, k: int = 10) -> list[tuple[Hit, ...]]:
        """The k nearest of everything for each query of (Q, D); fewer when the index holds fewer."""
        _check_width(queries, self.width)
        if not len(self) or not len(queries):
            return [() for _ in queries]
        scores, ids = self._index.search(np.ascontiguousarray(queries, dtype=np.float32), min(k, len(self)))
        return [
            tuple(
                Hit(int(number), float(score), rank)
                for rank, (number, score) in enumerate(zip(row_ids, row, strict=True), start=1)
            )
            for row_ids, row in zip(ids, scores, strict=True)
        ]

    def save(self, path: Path) -> None:
        """Write the index in Faiss's own format."""
        import faiss

        faiss.write_index(self._index, str(path))

    @classmethod
    def load(cls, path: Path) -> FlatIndex:
        """Read what `save` wrote."""
        import faiss

        index = cls.__new__(cls)
        index._index = faiss.read_index(str(path))
        index.width = int(index._index.d)
        return index


class BinaryIndex:
    """Search in two stages: candidates by Hamming distance between bits, the best of them by the real question vector.

    A passage is kept as one bit for each number of its vector, 32 times less than float32. The second stage scores a
    candidate by ``(2 · bits − 1) · q``. Bits lie in faiss.IndexBinaryIDMap2 over IndexBinaryFlat, as in book 9.5.1.

    Source: Yamada, Asai and Hajishirzi 2021, "Efficient passage retrieval with hashing for open-domain QA" (BPR).
    """

    def __init__(self, width: int) -> None:
        import faiss

        if width % 8:
            raise ValueError("the width must be a multiple of 8")
        self.width = width
        self._index: Any = faiss.IndexBinaryIDMap2(faiss.IndexBinaryFlat(width))

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def bytes(self) -> int:
        """What the bits take."""
        return len(self) * self.width // 8

    def add(self, bits: Bits, *, ids: Sequence[int] | Ids | None = None) -> None:
        """Add packed bits (N, D / 8) under ids (N,); under consecutive numbers from the present size on when None."""
        _check_width(bits, self.width // 8)
        numbers = _number(ids, len(self), len(bits))
        for start in range(0, len(bits), _BLOCK):
            block = np.ascontiguousarray(bits[start : start + _BLOCK], dtype=np.uint8)
            self._index.add_with_ids(block, numbers[start : start + _BLOCK])

    def reconstruct(self, number: int) -> Bits:
        """The bytes stored under an id, (D / 8,).

        Raises:
            KeyError: nothing is stored under it.
        """
        try:
            return np.asarray(self._index.reconstruct(number), dtype=np.uint8)
        except RuntimeError:
            raise KeyError(number) from None

    def candidates(self, query: Floats, *, k: int = 10) -> tuple[TwoStageHit, ...]:
        """The first stage alone: the k nearest by Hamming distance to the signs of a query (D,); score is −distance."""
        distances, places = self._nearest(query, k)
        ids = self._ids()[places]
        return tuple(
            TwoStageHit(int(number), -float(distance), rank, int(distance), rank)
            for rank, (number, distance) in enumerate(zip(ids, distances, strict=True), start=1)
        )

    def search(self, query: Floats, *, k: int = 3, candidates: int = 2048) -> tuple[TwoStageHit, ...]:
        """The k best for one real-valued query (D,) among so many candidates (the defaults are the book's)."""
        distances, places = self._nearest(query, candidates)
        if not len(places):
            return ()
        scores = unpack_signs(self._stored()[places]) @ np.asarray(query, dtype=np.float32)  # (C,)
        order = np.argsort(-scores, kind="stable")[:k]  # equals stay in the order of their distances
        ids = self._ids()[places]
        return tuple(
            TwoStageHit(int(ids[row]), float(scores[row]), rank, int(distances[row]), int(row) + 1)
            for rank, row in enumerate(order, start=1)
        )

    def save(self, path: Path) -> None:
        """Write the index in Faiss's own format."""
        import faiss

        faiss.write_index_binary(self._index, str(path))

    @classmethod
    def load(cls, path: Path) -> BinaryIndex:
        """Read what `save` wrote, or any IndexBinaryIDMap2 over IndexBinaryFlat."""
        import faiss

        index = cls.__new__(cls)
        index._index = faiss.read_index_binary(str(path))
        index.width = int(index._index.d)
        return index

    def _nearest(self, query: Floats, k: int) -> tuple[npt.NDArray[np.int32], Ids]:
        """Hamming distances and places (not ids) of the k nearest, (k,) each."""
        if np.shape(query) != (self.width,):
            raise ValueError(f"one query of {self.width} numbers is needed")
        if not len(self):
            return np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int64)
        distances, places = self._flat().search(pack_bits(np.asarray(query)[None]), min(k, len(self)))
        return distances[0], places[0]

    def _flat(self) -> Any:
        import faiss

        return faiss.downcast_IndexBinary(self._index.index)

    def _stored(self) -> Bits:
        """All bits in the order of their places, (N, D / 8): Faiss's own memory, not a copy; only for reading."""
        import faiss

        size = len(self) * self.width // 8
        return faiss.rev_swig_ptr(self._flat().xb.data(), size).reshape(len(self), self.width // 8)

    def _ids(self) -> Ids:
        """The id at each place, (N,): Faiss's own memory, not a copy; only for reading."""
        import faiss

        return faiss.rev_swig_ptr(self._index.id_map.data(), len(self))


def _check_width(rows: npt.NDArray[Any], width: int) -> None:
    # Faiss itself says no more than "AssertionError".
    if rows.ndim != 2 or rows.shape[1] != width:
        raise ValueError(f"rows of {width} numbers are needed, not {rows.shape}")


def _number(ids: Sequence[int] | Ids | None, size: int, count: int) -> Ids:
    numbers = np.arange(size, size + count) if ids is None else np.asarray(ids)
    if numbers.shape != (count,):
        raise ValueError("one id for each row is needed")
    return np.ascontiguousarray(numbers, dtype=np.int64)
