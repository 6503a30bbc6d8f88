"""Shares with their intervals, one below the other on one scale from 0 to 1."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.i18n import Locale, translate
from tabs._kit import foot, pictures


@dataclass(frozen=True)
class Share:
    """A share in [0, 1] of `rows` rows, with its 95 % interval; a click sets `pick`.

    `base` is what it is compared with, drawn as a stroke; `beside` another share, drawn as a ring (what the model says,
    beside what is right).
    """

    label: str
    value: float
    lower: float
    upper: float
    rows: int
    base: float | None = None
    beside: float | None = None
    pick: Mapping[str, Any] | None = None
    chosen: bool = False


def draw_shares(entries: Sequence[Share], *, title: str, legend: str = "") -> str:
    """A list of tracks from 0 to 100 %: the share as a bar, its interval as a line with ends."""
    lines = []
    for one in entries:
        label = html.escape(one.label)
        style = f"lab-bar-name{' lab-chosen' if one.chosen else ''}"
        name = (
            f'<button type="button" class="{style}" data-pick="{foot.attribute(one.pick)}"'
            f' aria-pressed="{str(one.chosen).lower()}">{label}</button>'
            if one.pick is not None
            else f'<span class="{style}">{label}</span>'
        )
        known = not math.isnan(one.value)
        told = f"{one.value:.0%} ({one.lower:.0%}–{one.upper:.0%})" if known else "–"
        marks = ""
        if known:
            place = f"left:{100 * one.lower:.2f}%;width:{100 * (one.upper - one.lower):.2f}%"
            marks += f'<span class="lab-bar-fill" style="width:{100 * one.value:.2f}%"></span>'
            marks += f'<i class="lab-whisker" style="{place}"></i>'
        if one.base is not None:
            marks += f'<i class="lab-base" style="left:{100 * one.base:.2f}%"></i>'
        if one.beside is not None and not math.isnan(one.beside):
            marks += f'<i class="lab-ring" style="left:{100 * one.beside:.2f}%"></i>'
        lines.append(
            f'<li>{name}<span class="lab-bar-track lab-share">{marks}</span>'
            f"<output>{told}</output><span class=lab-rows-of>n = {one.rows:,}</span></li>"
        )
    note = f'<p class="lab-note">{html.escape(legend)}</p>' if legend else ""
    return (
        f'<figure class="lab-bars lab-shares" data-scale="probability"><figcaption>{html.escape(title)}</figcaption>'
        f"<ol>{''.join(lines)}</ol></figure>{note}"
    )


def tabulate(
    entries: Sequence[Share],
    *,
    title: str,
    first: str,
    locale: Locale,
    further: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """The same numbers as a table; `further` columns come after."""
    names = [first, *(translate(f"analysis.share.{name}", locale) for name in ("rows", "share", "lower", "upper"))]
    extra = further or {}
    rows = [
        [one.label, f"{one.rows:,}", f"{one.value:.3f}", f"{one.lower:.3f}", f"{one.upper:.3f}",
         *(values[number] for values in extra.values())]
        for number, one in enumerate(entries)
    ]  # fmt: skip
    numeric = tuple(range(1, len(names) + len(extra)))
    return pictures.table([*names, *extra], rows, caption=title, numeric=numeric)
