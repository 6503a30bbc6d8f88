"""The heads of a model as small pictures side by side; of a large model a window of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from core.i18n import Locale, translate
from tabs._kit import pictures
from tabs.attention import choices

MOST = 12  # layers, and heads of a layer, that stay readable side by side


def draw_heads(
    weights: npt.NDArray[Any],
    *,
    locale: Locale,
    title: str,
    captions: Sequence[Sequence[str]],
    layer: int,
    head: int,
    scale: pictures.Scale = "attention",
    low: float = 0.0,
    high: float,
) -> str:
    """All heads small, or those around the chosen one and buttons to the others.

    Args:
        weights: (layers, heads, T, K), NaN is drawn as a gap.
        locale: language of the words around it.
        title: what is shown.
        captions: one short phrase for each head, by layer.
        layer: the chosen layer, from 1.
        head: the chosen head, from 1.
        scale: colours, as in `pictures.heat_map`.
        low: value of the first colour.
        high: value of the last colour.
    """
    layers, heads = weights.shape[:2]
    rows, columns = window(layer - 1, layers), window(head - 1, heads)
    grid = pictures.head_grid(
        weights[rows.start : rows.stop, columns.start : columns.stop],
        locale=locale,
        title=title,
        captions=[captions[row][columns.start : columns.stop] for row in rows],
        first=(rows.start, columns.start),
        selected=(layer - 1, head - 1),
        scale=scale,
        low=low,
        high=high,
    )
    return _told_of_window(rows, layers, columns, heads, locale) + grid


def window(place: int, total: int) -> range:
    """The part around `place` when `total` things are dealt out evenly to parts of at most `MOST`; both from 0."""
    parts = -(-total // MOST)
    size = -(-total // parts)
    start = place // size * size
    return range(start, min(start + size, total))


def _told_of_window(rows: range, layers: int, columns: range, heads: int, locale: Locale) -> str:
    """What is shown of how many, and buttons that choose the first of another part."""
    if len(rows) == layers and len(columns) == heads:
        return ""
    told = translate(
        "attention.common.part",
        locale,
        layers=layers,
        heads=heads,
        most=MOST,
        shown_layers=_span(rows),
        shown_heads=_span(columns),
    )
    chips = "".join(
        choices.chips(name, _parts(total), chosen=shown.start + 1, title=translate(f"kit.{name}", locale))
        for name, shown, total in (("layer", rows, layers), ("head", columns, heads))
        if len(shown) < total
    )
    return pictures.note(told) + chips


def _parts(total: int) -> list[tuple[int, str]]:
    """The first number of each part, and its name."""
    parts = dict.fromkeys(window(place, total) for place in range(total))
    return [(part.start + 1, _span(part)) for part in parts]


def _span(part: range) -> str:
    return f"{part.start + 1}–{part.stop}"
