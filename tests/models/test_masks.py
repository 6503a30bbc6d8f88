from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.models.masks import apply_mask, score_matrix


def test_a_hand_worked_causal_mask() -> None:
    scores = np.log(np.array([[1.0, 5.0, 5.0], [1.0, 3.0, 5.0], [2.0, 2.0, 4.0]]))
    result = apply_mask(scores, causal=True)
    np.testing.assert_allclose(result.weights, np.array([[1, 0, 0], [0.25, 0.75, 0], [0.25, 0.25, 0.5]]))
    assert np.isneginf(result.masked[0, 1:]).all()


def test_padding_hides_keys_from_every_row() -> None:
    result = apply_mask(score_matrix(5), valid=2)
    assert not result.weights[:, 2:].any()
    np.testing.assert_allclose(result.weights.sum(axis=1), 1)
    assert result.empty_rows == ()


def test_a_row_that_may_look_nowhere_stays_zero_and_is_named() -> None:
    result = apply_mask(score_matrix(3), valid=0)
    assert result.empty_rows == (0, 1, 2)
    assert not result.weights.any()


@given(st.integers(1, 32), st.data(), st.booleans(), st.integers(0, 2**32))
def test_rows_sum_to_one_and_masked_places_get_nothing(
    length: int, data: st.DataObject, causal: bool, seed: int
) -> None:
    valid = data.draw(st.integers(1, length))
    result = apply_mask(score_matrix(length, seed=seed) * 200, valid=valid, causal=causal)
    np.testing.assert_allclose(result.weights.sum(axis=1), 1)
    assert not result.weights[~result.allowed].any()


def test_the_same_seed_draws_the_same_scores() -> None:
    np.testing.assert_array_equal(score_matrix(6, seed=3), score_matrix(6, seed=3))
    assert (score_matrix(6, seed=3) != score_matrix(6, seed=4)).any()


@pytest.mark.parametrize(
    ("scores", "valid", "key"),
    [
        (np.zeros((2, 3)), None, "error.masks.range"),
        (np.zeros((0, 0)), None, "error.masks.range"),
        (np.zeros((2, 2)), 3, "error.masks.valid"),
        (np.array([[np.nan]]), None, "error.masks.number"),
    ],
)
def test_what_it_refuses(scores: npt.NDArray[np.float64], valid: int | None, key: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        apply_mask(scores, valid=valid)
    assert refusal.value.key == key


def test_no_matrix_beyond_the_limit() -> None:
    with pytest.raises(InvalidInput):
        score_matrix(33)
