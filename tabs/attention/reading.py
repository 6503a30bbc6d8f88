"""What the pictures of all heads are drawn from: the heads small, one of them in full, and how it is shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.models.attention import AttentionMap, Link, by_word, head_summary, hide_special, top_links
from core.models.inputs import Unit, Window
from tabs._kit import pictures

THUMBNAIL = 32


@dataclass(frozen=True)
class Reading:
    """What is drawn of an attention: all heads small, one head in full.

    `weights` is (T, K) of the chosen head, `thumbnails` (layers, H, t, k) with t and k ≤ 32, `kept` (T,) the share of
    each row of that head that was left when special tokens were hidden. `special_share` and `first_share` are means
    over all heads: what special tokens get, and what the first token gets of those after it. `rows` and `columns` are
    the places in `units` and `keys` that are looked at; `specials` the special tokens there are. `causal`: no unit
    sees a later one.
    """

    units: tuple[Unit, ...]
    keys: tuple[Unit, ...]
    window: Window
    weights: npt.NDArray[np.float32]
    kept: npt.NDArray[np.float32] | None
    thumbnails: npt.NDArray[np.float32]
    habits: tuple[tuple[str, ...], ...]
    links: tuple[tuple[Link, ...], ...]
    special_share: float
    first_share: float
    layer: int
    head: int
    focus: int
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    specials: tuple[str, ...]
    causal: bool


def read(
    whole: AttentionMap,
    *,
    layer: int,
    head: int,
    focus: int,
    words: bool,
    special: bool,
    ways: tuple[int | None, int | None] = (None, None),
) -> Reading:
    """One head of an attention, counted from 1, and all of them small; what the model lacks becomes its last.

    `ways` are the text that looks and the text that is looked at, None for both.
    """
    summaries = head_summary(whole)
    content = [not unit.special for unit in whole.units]
    specials = [unit.special for unit in whole.keys]
    shown = whole if special or not any(content) or all(specials) else hide_special(whole)
    shown = by_word(shown) if words else shown
    layer, head = min(layer, whole.layers), min(head, whole.heads)
    rows, columns = (
        tuple(n for n, unit in enumerate(units) if way in (None, unit.sequence))
        for way, units in zip(ways, (shown.units, shown.keys), strict=True)
    )
    return Reading(
        units=shown.units,
        keys=shown.keys,
        window=shown.window,
        weights=shown.weights[layer - 1, head - 1].copy(),
        kept=None if shown.kept is None else shown.kept[layer - 1, head - 1].copy(),
        thumbnails=pictures.shrink(shown.weights, THUMBNAIL).copy(),
        habits=tuple(
            tuple(summary.label for summary in summaries if summary.layer == number) for number in range(whole.layers)
        ),
        links=top_links(shown, layer=layer - 1, head=head - 1),
        special_share=float(whole.weights[:, :, content][..., specials].sum(axis=-1).mean()),
        first_share=float(np.mean([summary.first for summary in summaries])),
        layer=layer,
        head=head,
        focus=min(focus, len(shown.units) - 1),
        rows=rows or tuple(range(len(shown.units))),
        columns=columns or tuple(range(len(shown.keys))),
        specials=tuple(dict.fromkeys(unit.label for unit in (*whole.units, *whole.keys) if unit.special)),
        causal=whole.causal,
    )


def list_weights(reading: Reading) -> list[list[float]]:
    """The weights of the map that is drawn, row by row."""
    rounded: list[list[float]] = reading.weights[np.ix_(reading.rows, reading.columns)].round(4).tolist()
    return rounded


def judge_special_share(reading: Reading) -> int:
    """Less than a fifth (0), up to a half (1) or more (2) of the attention of all heads goes to special tokens."""
    return int(np.searchsorted([0.2, 0.5], reading.special_share))
