"""Many heads are seen through a window that says so."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.i18n import LOCALES, Locale, translate
from tabs.attention import crossing, overview
from tabs.attention.grids import MOST, window
from tests.attention.conftest import HEADS, LAYERS
from tests.attention.test_pictures import read_values

TEXT = "猫は魚を食べた。"


@pytest.mark.parametrize("total", range(1, 65))
def test_windows_deal_out_everything_evenly(total: int) -> None:
    parts = dict.fromkeys(window(place, total) for place in range(total))
    assert [place for part in parts for place in part] == list(range(total))
    assert max(map(len, parts)) <= MOST
    assert len(parts) == -(-total // MOST)
    assert max(map(len, parts)) - min(map(len, parts)) <= len(parts)
    assert all(place in window(place, total) for place in range(total))


def told(locale: Locale, layers: str, heads: str) -> str:
    return translate(
        "attention.common.part", locale, layers=LAYERS, heads=HEADS, most=MOST, shown_layers=layers, shown_heads=heads
    )


def picks(drawn: str) -> list[str]:
    return [html.unescape(pick) for pick in re.findall(r'data-pick="([^"]*)"', drawn)]


def test_many_heads_are_seen_through_a_window(large: Path) -> None:
    result = overview.explore(overview.Query(text=TEXT, model=str(large), layer=20, head=14))
    assert result.thumbnails.shape[:2] == (LAYERS, HEADS)
    for locale in LOCALES:
        drawn = overview.show(result, locale)[0]
        data, values = read_values(drawn, "lab-headgrid")
        assert values.shape[:2] == (12, 8)
        assert (data["first"], data["selected"]) == ([12, 8], [19, 13])
        np.testing.assert_allclose(values, result.thumbnails[12:24, 8:16])
        assert html.escape(told(locale, "13–24", "9–16")) in drawn
        assert [pick for pick in picks(drawn) if "focus" not in pick] == [
            '{"layer":1}', '{"layer":13}', '{"head":1}', '{"head":9}',
        ]  # fmt: skip
        habit = translate(f"models.head.{result.habits[12][8]}", locale)
        assert f"<tr><td>13</td><td>9</td><td>{html.escape(habit)}</td></tr>" in drawn
        assert drawn.count("<tr><td>") == 12 * 8


def test_a_click_on_a_part_shows_its_heads(large: Path) -> None:
    query = overview.Query(text=TEXT, model=str(large), layer=13, head=1)
    data, _ = read_values(overview.show(overview.explore(query), "ja")[0], "lab-headgrid")
    assert (data["first"], data["selected"]) == ([12, 0], [12, 0])


def test_few_heads_need_no_window(folder: Path, writer: Path) -> None:
    for show, result in (
        (overview.show, overview.explore(overview.Query(text=TEXT, model=str(folder)))),
        (crossing.show, crossing.explore(crossing.Query(text=TEXT, target="猫", model=str(writer)))),
    ):
        drawing: Callable[[Any, Locale], tuple[str, ...]] = show
        drawn = "".join(drawing(result, "en"))
        assert "side by side" not in drawn
        assert '{"layer":1}' not in picks(drawn)
