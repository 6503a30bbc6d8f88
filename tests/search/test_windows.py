"""Texts cut into windows, and searched by the best of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.search.windows import cut_windows, split_sentences, take_best

TEXTS = st.text(alphabet="あい。\n", max_size=60)


@given(TEXTS)
def test_sentences_join_to_the_text(text: str) -> None:
    assert "".join(split_sentences(text)) == text


@given(TEXTS, st.integers(1, 30))
def test_windows_cover_the_text_in_order_and_are_short(text: str, characters: int) -> None:
    windows, sentences = cut_windows(text, characters=characters), split_sentences(text)
    assert all(len(window) <= characters or window in sentences for window in windows) or not sentences
    place = 0  # up to where the text is covered
    for window in windows:
        found = text.rfind(window, 0, place + len(window))
        assert 0 <= found <= place  # no gap
        assert found + len(window) > place or not text  # something new
        place = found + len(window)
    assert place == len(text)


def test_windows_share_a_sentence() -> None:
    assert cut_windows("一。二二。三三三。四。", characters=6) == ["一。二二。", "三三三。四。"]
    assert cut_windows("一。二。三。四。", characters=6) == ["一。二。三。", "三。四。"]
    assert cut_windows("とても長い文。", characters=3) == ["とても長い文。"]
    assert cut_windows("", characters=3) == [""]


def test_a_text_is_as_good_as_its_best_window() -> None:
    scores = np.array([[1, 5, 2], [7, 0, 3]], dtype=np.float32)
    np.testing.assert_array_equal(take_best(scores, [0, 0, 1], count=2), [[5, 2], [7, 3]])
    with pytest.raises(ValueError, match="window"):
        take_best(scores, [0, 0, 0], count=2)
