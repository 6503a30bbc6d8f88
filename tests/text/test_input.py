from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.text.input import clean_text, grapheme_spans, visible

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def test_text_comes_back_as_it_is_with_its_control_characters() -> None:
    text = "a\x00b\x1b　\r\n<script>"
    assert clean_text(text, limit=100) == text


@pytest.mark.parametrize(
    ("text", "key", "params"),
    [
        ("あ" * 11, "error.text.too_long", {"length": 11, "limit": 10}),
        ("あ\ud800い\udfff", "error.text.surrogate", {"count": 2, "position": 2}),
        (" 　\n", "error.text.empty", {}),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_numbers(text: str, key: str, params: dict[str, int]) -> None:
    with pytest.raises(InvalidInput) as caught:
        clean_text(text, limit=10, required=True)
    assert (caught.value.key, caught.value.params) == (key, params)


def test_empty_text_passes_where_none_is_required() -> None:
    assert clean_text("", limit=0) == ""


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a b", "a␣b"),
        ("　", "□"),
        ("\t\n", "→⏎"),
        ("\r\n", "␍⏎"),
        ("\x00\x1b\x7f", "␀␛␡"),
        ("👩‍👩‍👧", "👩‍👩‍👧"),
        ("\u200d", "⟨ZWJ⟩"),
        ("👩\u200d", "👩⟨ZWJ⟩"),
        ("\ufe0f", "⟨VS16⟩"),
        ("❤\ufe0f", "❤\ufe0f"),
        ("葛\U000e0100", "葛\U000e0100"),
        ("か\u3099", "か\u3099"),
        ("\u3099", "◌\u3099"),
        ("\ue000", "⟨U+E000⟩"),
        ("𠮷", "𠮷"),
    ],
)
def test_invisible_characters_get_a_sign(text: str, seen: str) -> None:
    assert visible(text) == seen


@given(TEXT)
def test_nothing_stays_invisible(text: str) -> None:
    seen = visible(text)
    assert not any(unicodedata.category(c) == "Cc" or c in " 　\u00a0" for c in seen)
    assert all(visible(text[a:b]).strip() for a, b in grapheme_spans(text))


@given(TEXT)
def test_graphemes_tile_the_text(text: str) -> None:
    assert "".join(text[start:end] for start, end in grapheme_spans(text)) == text


def test_a_family_emoji_is_one_grapheme() -> None:
    assert grapheme_spans("👩‍👩‍👧𠮷か\u3099\r\n") == ((0, 5), (5, 6), (6, 8), (8, 10))
