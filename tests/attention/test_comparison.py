"""Attention minus attention: of two sentences, and of two heads on one."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.i18n import LOCALES, translate
from tabs.attention import comparison, overview
from tests.attention.test_grids import TEXT, picks, told
from tests.attention.test_pictures import read_values


def test_differences_of_many_heads_are_seen_through_the_same_window(large: Path) -> None:
    query = comparison.Query(text=TEXT, other="犬は魚を食べた。", model=str(large), layer=13, head=9)
    result = comparison.explore(query)
    for locale in LOCALES:
        drawn = comparison.show(result, locale)[0]
        _, values = read_values(drawn, "lab-headgrid")
        np.testing.assert_allclose(values, result.difference.weights[12:, 8:])
        assert html.escape(told(locale, "13–24", "9–16")) in drawn


def head_query(folder: Path, **fields: Any) -> comparison.Query:
    return comparison.Query(text=TEXT, other=" ", model=str(folder), **fields)


def test_two_heads_on_one_sentence_are_subtracted(folder: Path) -> None:
    whole = overview.explore(overview.Query(text=TEXT, model=str(folder), words=True, layer=2, head=3)).weights
    other = overview.explore(overview.Query(text=TEXT, model=str(folder), words=True, layer=3, head=1)).weights
    result = comparison.explore(head_query(folder, layer=2, head=3, from_layer=3, from_head=1))
    np.testing.assert_allclose(result.difference.weights[1, 2], whole - other, atol=1e-6)
    assert not result.difference.weights[2, 0].any()
    assert result.reference == (3, 1)
    assert result.apart is not None
    assert result.apart[2, 0] == 0
    assert ((result.apart >= 0) & (result.apart <= 1 + 1e-6)).all()
    # What one row has elsewhere than another, by its definition: what is left when the common part is taken away.
    assert result.apart[1, 2] == pytest.approx(float((1 - np.minimum(whole, other).sum(axis=1)).mean()), abs=1e-5)
    for locale in LOCALES:
        grid, one = comparison.show(result, locale)
        assert f"{result.apart[1, 2]:.0%}" in grid
        assert '{"from_layer":2,"from_head":3}' in picks(one)
        assert html.escape(translate("attention-compare.heads.reference", locale)) in grid
        data, values = read_values(one, "lab-heatmap")
        assert data["scale"] == "signed"
        np.testing.assert_allclose(values, whole - other, atol=1e-6)


def test_turning_two_heads_round_turns_the_colours_round(folder: Path) -> None:
    here = comparison.explore(head_query(folder, layer=1, head=1, from_layer=2, from_head=2))
    there = comparison.explore(head_query(folder, layer=2, head=2, from_layer=1, from_head=1))
    np.testing.assert_allclose(here.difference.weights[0, 0], -there.difference.weights[1, 1])


def test_a_head_minus_itself_is_explained(folder: Path) -> None:
    result = comparison.explore(head_query(folder, layer=60, head=60, from_layer=50, from_head=50))
    assert result.reference == (result.layer, result.head) == (3, 4)
    for locale in LOCALES:
        one = comparison.show(result, locale)[1]
        assert html.escape(translate("attention-compare.heads.same", locale)) in one
        assert not any("from_layer" in pick for pick in picks(one))


@pytest.mark.parametrize("other", ["", "犬は魚を食べた。"])
@pytest.mark.parametrize("special", [False, True])
def test_the_script_gives_what_is_shown(
    folder: Path, other: str, special: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    query = comparison.Query(
        text=TEXT * 20, other=other and other * 20, model=str(folder), special=special, layer=2, from_layer=3, first=9
    )
    names: dict[str, Any] = {}
    exec(comparison.snippet(query), names)
    assert capsys.readouterr().out
    np.testing.assert_allclose(names["result"], comparison.evidence(comparison.explore(query)), atol=2e-4)


@pytest.mark.parametrize("other", ["", "犬は魚を食べた。" * 30])
def test_a_long_text_is_compared_through_a_window(folder: Path, other: str) -> None:
    result = comparison.explore(comparison.Query(text=TEXT * 30, other=other, model=str(folder)))
    part = result.windows[0]
    assert part.truncated
    drawn = comparison.show(result, "en")[0]
    assert f"of {part.total}" in drawn
    assert f'{{"first":{part.last}}}' in picks(drawn)
    later = comparison.explore(comparison.Query(text=TEXT * 30, other=other, model=str(folder), first=part.last))
    assert later.windows[0].first == part.last
