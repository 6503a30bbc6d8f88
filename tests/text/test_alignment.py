from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.text.alignment import align
from core.text.tokenization import tokenize
from tests.text.tiny import SENTENCES, TRICKY, tiny

FAMILIES = ("mecab", "byte-bpe", "unigram", "t5")


def rows(text: str) -> dict[str, list[tuple[str, tuple[str, ...]]]]:
    """For each family its cells as (characters, pieces)."""
    results = [tokenize(text, tiny(family)) for family in FAMILIES]
    found = align(results)
    return {
        family: [
            (
                text[found.columns[cell.first][0] : found.columns[cell.last - 1][1]],
                tuple(result.tokens[index].surface for index in cell.tokens),
            )
            for cell in row
        ]
        for family, row, result in zip(FAMILIES, found.rows, results, strict=True)
    }


def test_rows_line_up_on_characters() -> None:
    found = rows("量子 鰻")
    assert found["mecab"] == [("量子", ("量子",)), (" ", ()), ("鰻", ("[UNK]",))]
    assert found["byte-bpe"][-1] == ("鰻", ("⟨E9⟩", "⟨B0⟩", "⟨BB⟩"))
    assert found["unigram"][0][1][0] == "▁"


def test_columns_are_the_smallest_spans_that_no_token_border_cuts() -> None:
    results = [tokenize("電話番号は", tiny(family)) for family in ("mecab", "mecab-character")]
    assert align(results).columns == ((0, 1), (1, 2), (2, 3), (3, 4), (4, 5))
    assert align(results[:1]).columns == ((0, 2), (2, 4), (4, 5))


def test_text_without_characters_has_no_columns() -> None:
    found = align([tokenize("", tiny("mecab"))])
    assert found.columns == () and found.rows == ((),)


def test_only_tokenizations_of_one_text_are_aligned() -> None:
    with pytest.raises(ValueError, match="one text"):
        align([tokenize("猫", tiny("mecab")), tokenize("犬", tiny("mecab"))])
    with pytest.raises(ValueError, match="one text"):
        align([])


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from([*TRICKY, *SENTENCES])))
def test_every_row_tiles_the_columns_and_holds_every_token(text: str) -> None:
    results = [tokenize(text, tiny(family)) for family in FAMILIES]
    found = align(results)
    assert "".join(text[start:end] for start, end in found.columns) == text
    for row, result in zip(found.rows, results, strict=True):
        place = 0
        for cell in row:
            assert cell.first == place < cell.last
            place = cell.last
        assert place == len(found.columns)
        content = [index for index, token in enumerate(result.tokens) if token.sequence == 0]
        if any(token.end > token.start for token in result.content()):
            assert [index for cell in row for index in cell.tokens] == content
