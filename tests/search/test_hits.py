"""Ranking, fusing and judging lists of hits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.search.evaluation import recall_at, reciprocal_ranks
from core.search.fusion import fuse, fuse_scores, standardize
from core.search.hits import Hit, scale_to_unit, top_hits


def ranking(*ids: int) -> tuple[Hit, ...]:
    return tuple(Hit(number, 1.0 / rank, rank) for rank, number in enumerate(ids, start=1))


@given(st.lists(st.integers(0, 5), max_size=30), st.integers(0, 35))
def test_the_best_come_first_and_equals_keep_their_order(numbers: list[int], k: int) -> None:
    hits = top_hits(np.array(numbers, dtype=np.float32), k)
    expected = sorted(range(len(numbers)), key=lambda place: (-numbers[place], place))[:k]
    assert [hit.id for hit in hits] == expected
    assert [hit.rank for hit in hits] == list(range(1, len(expected) + 1))
    assert [hit.score for hit in hits] == [numbers[place] for place in expected]


def test_hits_carry_the_ids_they_were_given() -> None:
    assert [hit.id for hit in top_hits(np.array([0.1, 0.9]), 2, ids=[70, 80])] == [80, 70]


def test_rows_get_length_one_and_zeros_stay() -> None:
    assert scale_to_unit(np.array([[3, 4], [0, 0]], dtype=np.float32)).tolist() == [
        [pytest.approx(0.6), pytest.approx(0.8)],
        [0, 0],
    ]


def test_reciprocal_rank_fusion_by_hand() -> None:
    fused = fuse([ranking(1, 2, 3), ranking(3, 1)], k=60)
    assert [hit.id for hit in fused] == [1, 3, 2]
    assert [hit.score for hit in fused] == pytest.approx([1 / 61 + 1 / 62, 1 / 63 + 1 / 61, 1 / 62])
    assert [hit.rank for hit in fused] == [1, 2, 3]
    assert fuse([ranking(1), ranking(2)], limit=1)[0].id == 1  # a tie: the earlier ranking wins
    assert fuse([]) == ()
    with pytest.raises(ValueError, match="negative"):
        fuse([ranking(1)], k=-1)


def test_scores_are_added_after_each_search_is_standardized() -> None:
    words = np.array([[0, 0, 30], [7, 7, 7]], dtype=np.float32)  # BM25 knows the third; it knows nothing of the second
    vectors = np.array([[0.1, 0.2, 0.3], [0.3, 0.1, 0.2]], dtype=np.float32)
    sums = fuse_scores([words, vectors])
    # By hand: the mean of (0, 0, 30) is 10 and its spread 10 √2; that of (1, 2, 3) is 2 and √(2/3).
    assert sums[0].tolist() == pytest.approx(
        [(-1 / 2**0.5 - 1.5**0.5) / 2, (-1 / 2**0.5) / 2, (2 / 2**0.5 + 1.5**0.5) / 2], abs=1e-6
    )
    assert sums[1].tolist() == pytest.approx([1.5**0.5 / 2, -(1.5**0.5) / 2, 0], abs=1e-6)
    assert sums.shape == (2, 3) and sums.dtype == np.float32
    assert fuse_scores([words[0], vectors[0]]).tolist() == pytest.approx(sums[0].tolist())
    # Scale and offset of a search say nothing, and neither does the sum of the weights.
    assert fuse_scores([words * 5 + 1, vectors]) == pytest.approx(sums, abs=1e-5)
    assert fuse_scores([words, vectors], weights=[3, 3]) == pytest.approx(sums)
    assert fuse_scores([words, vectors], weights=[0, 2]) == pytest.approx(standardize(vectors))
    for searches, weights in (([], None), ([words, vectors[0]], None), ([words], [-1.0]), ([words, vectors], [1.0])):
        with pytest.raises(ValueError, match=r"searches|weights"):
            fuse_scores(searches, weights=weights)


def test_scores_that_are_all_alike_tell_nothing() -> None:
    same = np.full((1, 100_000), 0.1, dtype=np.float32)  # whose mean is rounded
    assert not standardize(same).any()


def test_recall_and_reciprocal_rank_by_hand() -> None:
    rankings = [ranking(5, 6, 7), ranking(8, 9), ()]
    relevant = [{6}, {9, 1}, {2}]
    assert recall_at(rankings, relevant, k=1).tolist() == [0, 0, 0]
    assert recall_at(rankings, relevant, k=2).tolist() == [1, 0.5, 0]
    assert reciprocal_ranks(rankings, relevant).tolist() == [0.5, 0.5, 0]
    with pytest.raises(ValueError, match="relevant"):
        recall_at([ranking(1)], [set()], k=1)
    with pytest.raises(ValueError, match="zip"):
        recall_at([ranking(1)], [], k=1)
