"""What the overview reads off a model: the attention of all heads, one of them in full, and how it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core import query as queries
from core.models.attention import AttentionMap, Link, attend, by_word, head_summary, hide_special, top_links
from core.models.inputs import Unit, Window
from tabs._kit import pictures
from tabs.attention import encoders

THUMBNAIL = 32
DIRECTIONS = ("all", "1-1", "1-2", "2-1", "2-2")
PAIR: Mapping[str, str] = {"text": "雨が強くなってきた。", "pair": "だから彼は傘を買った。"}


@dataclass(frozen=True)
class Query:
    """A sentence or two, the head looked at (counted from 1), the token in focus, and what is shown of it."""

    text: str = queries.text("兄は駅前の銀行でお金を下ろして、すぐに帰った。")
    pair: str = queries.text("")
    model: str = queries.one_of(encoders.DEFAULT, *encoders.OFFERED, free=True)
    words: bool = queries.flag()
    special: bool = queries.flag()
    direction: str = queries.one_of("all", *DIRECTIONS)
    layer: int = queries.within(4, 1, 64)
    head: int = queries.within(4, 1, 64)
    focus: int = queries.within(5, 0, 511)
    first: int = queries.within(0, 0, 8_000)


@dataclass(frozen=True)
class Reading:
    """What is drawn of the attention of one text: all heads small, one head in full.

    `weights` is (T, T) of the chosen head, `thumbnails` (layers, H, t, t) with t ≤ 32, `kept` (T,) the share of each
    row of that head that was left when special tokens were hidden, `special_share` the mean share on special tokens
    over all heads, `rows` and `columns` the units that the chosen direction leaves.
    """

    units: tuple[Unit, ...]
    window: Window
    weights: npt.NDArray[np.float32]
    kept: npt.NDArray[np.float32] | None
    thumbnails: npt.NDArray[np.float32]
    habits: tuple[tuple[str, ...], ...]
    links: tuple[tuple[Link, ...], ...]
    special_share: float
    layer: int
    head: int
    focus: int
    rows: tuple[int, ...]
    columns: tuple[int, ...]


def explore(query: Query) -> Reading:
    """Self-attention of an encoder: ``weights`` (T, T) of one head, rows sum to 1; ``thumbnails`` of all heads."""
    loaded = encoders.open_encoder(query.model, with_head=False)
    whole = attend(query.text, loaded, pair=second_text(query), first=query.first)
    summaries = head_summary(whole)
    shown = _shown(whole, query)
    layer, head = min(query.layer, whole.layers), min(query.head, whole.heads)
    ways = [int(n) - 1 for n in query.direction.split("-")] if "-" in query.direction and second_text(query) else []
    places = range(len(shown.units))
    rows, columns = (tuple(n for n in places if not ways or shown.units[n].sequence == ways[side]) for side in (0, 1))
    content = [not unit.special for unit in whole.units]
    special = [unit.special for unit in whole.units]
    return Reading(
        units=shown.units,
        window=shown.window,
        weights=shown.weights[layer - 1, head - 1].copy(),
        kept=None if shown.kept is None else shown.kept[layer - 1, head - 1].copy(),
        thumbnails=pictures.shrink(shown.weights, THUMBNAIL).copy(),
        habits=tuple(
            tuple(summary.label for summary in summaries if summary.layer == number) for number in range(whole.layers)
        ),
        links=top_links(shown, layer=layer - 1, head=head - 1),
        special_share=float(whole.weights[:, :, content][..., special].sum(axis=-1).mean()),
        layer=layer,
        head=head,
        focus=min(query.focus, len(shown.units) - 1),
        rows=rows or tuple(places),
        columns=columns or tuple(places),
    )


def second_text(query: Query) -> str | None:
    """The second sentence, None when nothing is written there."""
    return query.pair if query.pair.strip() else None


def _shown(attention: AttentionMap, query: Query) -> AttentionMap:
    attention = attention if query.special else hide_special(attention)
    return by_word(attention) if query.words else attention
