from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.text.normalization import RULES, blocks, normalize_steps
from core.text.types import Change

TEXT = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"]),
        st.sampled_from("かハ\u3099\u309aﾊﾟﾞ㍿⑴ＡΣΑ \r\nㄱㅏ각e\u0301\u0323İ"),
    )
)


def test_every_change_names_its_rule_and_kind() -> None:
    result = normalize_steps("か\u3099ﾊﾟ㍿⑴ＡＢＣ\r\n", ["nfkc", "lower"])
    assert result.text == "がパ株式会社(1)abc\r\n"
    assert result.changes == (
        Change(0, 2, "か\u3099", "が", "nfkc", "compose"),
        Change(2, 4, "ﾊﾟ", "パ", "nfkc", "narrow"),
        Change(4, 5, "㍿", "株式会社", "nfkc", "square"),
        Change(5, 6, "⑴", "(1)", "nfkc", "compat"),
        Change(6, 9, "ＡＢＣ", "ABC", "nfkc", "wide"),
        Change(6, 9, "ABC", "abc", "lower", "lower"),
    )


def test_every_normalised_character_knows_where_it_came_from() -> None:
    result = normalize_steps("か\u3099㍿ａ", ["nfkc"])
    assert [(c, result.original[a:b]) for c, (a, b) in zip(result.text, result.spans, strict=True)] == [
        ("が", "か\u3099"), ("株", "㍿"), ("式", "㍿"), ("会", "㍿"), ("社", "㍿"), ("a", "ａ"),
    ]  # fmt: skip


@pytest.mark.parametrize("voiced", ["が", "か\u3099"])
def test_dropped_dakuten_is_shown_composed_or_not(voiced: str) -> None:
    result = normalize_steps(f"あ{voiced}い", ["strip_accents"])
    assert result.text == "あかい"
    assert result.changes == (Change(1, 1 + len(voiced), voiced, "か", "strip_accents", "accent"),)


def test_letters_that_join_across_graphemes_map_to_both() -> None:
    assert normalize_steps("ㄱㅏ", ["nfkc"]).spans == ((0, 2),)


def test_removed_characters_are_a_change() -> None:
    (change,) = normalize_steps("a\x00b", ["strip_controls"]).changes
    assert change == Change(1, 2, "\x00", "", "strip_controls", "remove")


def test_surrogates_are_refused() -> None:
    with pytest.raises(InvalidInput):
        normalize_steps("\ud800", ["nfkc"])


@settings(max_examples=2_000, deadline=None)
@given(TEXT, st.lists(st.sampled_from(sorted(RULES)), max_size=3))
def test_maps_are_valid_and_changes_explain_the_whole_difference(text: str, rules: list[str]) -> None:
    result = normalize_steps(text, rules)
    expected = text
    for rule in rules:
        expected = RULES[rule](expected)
    assert result.text == expected
    assert len(result.spans) == len(result.text)
    assert all(0 <= start < end <= len(text) for start, end in result.spans)
    assert list(result.spans) == sorted(result.spans)
    if len(rules) == 1:
        rebuilt, place = "", 0
        for change in result.changes:
            assert text[change.start : change.end] == change.before
            rebuilt += text[place : change.start] + change.after
            place = change.end
        assert rebuilt + text[place:] == result.text


@given(TEXT)
def test_blocks_tile_both_texts(text: str) -> None:
    result = normalize_steps(text, ["nfkc"])
    found = list(blocks(len(text), result.spans))
    assert "".join(text[start:end] for start, end, _, _ in found) == text
    assert "".join(result.text[first:last] for _, _, first, last in found) == unicodedata.normalize("NFKC", text)
