"""Attention in pictures: the grid of heads, and one head as token boxes, as a map and as a list of links."""

from __future__ import annotations

import html

import numpy as np
import numpy.typing as npt

from core.i18n import Locale, translate
from core.models.inputs import Unit
from tabs._kit import pictures
from tabs.attention import choices
from tabs.attention.grids import draw_heads
from tabs.attention.reading import Reading


def draw_grid(result: Reading, locale: Locale) -> str:
    """The numbers of the text, and all heads small."""
    strongest = result.links[result.focus][0]
    names = [result.units[strongest.query].label, result.keys[strongest.key].label]
    share = "first" if result.causal and not result.specials else "special"
    figures = [
        (translate("attention.strongest", locale), f"{names[0]} → {names[1]}  {strongest.weight:.0%}"),
        (
            translate(f"attention.{share}_share", locale),
            f"{result.first_share if share == 'first' else result.special_share:.0%}",
        ),
    ]
    title = translate("attention.grid", locale)
    grid = draw_heads(
        _with_gaps(result, result.thumbnails),
        locale=locale,
        title=title,
        captions=[[translate(f"models.head.{habit}", locale) for habit in row] for row in result.habits],
        layer=result.layer,
        head=result.head,
        high=float(result.thumbnails.max()),
    )
    return (
        pictures.numbers(figures)
        + choices.window_note(result.window, locale)
        + pictures.heading(title)
        + grid
        + _told_of_gaps(result, locale)
        + _told_of_special(result, locale)
    )


def draw_head(result: Reading, locale: Locale) -> str:
    """The chosen head: from one token, from all tokens, and what it does not mean."""
    habit = translate(f"models.head.{result.habits[result.layer - 1][result.head - 1]}", locale)
    title = translate("attention.one_head", locale, layer=result.layer, head=result.head, habit=habit)
    told = ""
    if result.kept is not None and result.specials:
        share = float(result.kept[result.focus])
        told = translate("attention.kept", locale, label=result.units[result.focus].label, share=f"{share:.0%}")
    return (
        pictures.heading(title)
        + _draw_boxes(result, locale)
        + (pictures.note(told) if told else "")
        + _draw_map(result, title, locale)
        + pictures.note(translate("attention.common.caveat", locale), kind="caution")
        + '<div class="lab-chips"><button type="button" class="lab-chip" data-goto="attribution">'
        + f"{html.escape(translate('attention.contrast', locale))}</button></div>"
    )


def _told_of_special(result: Reading, locale: Locale) -> str:
    if not result.specials:
        return pictures.note(translate("attention.no_special", locale))
    key = "attention.hidden" if result.kept is not None else "attention.unhidden"
    return pictures.note(translate(key, locale, tokens="・".join(result.specials)))


def _told_of_gaps(result: Reading, locale: Locale) -> str:
    return pictures.note(translate("attention.causal", locale), kind="caution") if result.causal else ""


def _with_gaps(result: Reading, weights: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """`weights` (…, T, T) with NaN where a decoder may not look: above the diagonal."""
    return np.where(np.triu(np.ones(weights.shape[-2:], dtype=bool), k=1) & result.causal, np.nan, weights)


def _draw_boxes(result: Reading, locale: Locale) -> str:
    """Of self-attention one row of tokens; between two texts the one that looks, and the one that is looked at."""
    asking = translate("attention.focus_title", locale, label=result.units[result.focus].label)
    if result.keys == result.units:
        return _goals(result, asking, locale, chosen=result.focus)
    boxes = [
        pictures.Box(
            unit.label,
            state=choices.state(unit, chosen=place == result.focus),
            hint=translate("attention.pick", locale, label=unit.label),
            pick={"focus": place},
            word_start=choices.starts_word(result.units, place),
        )
        for place, unit in enumerate(result.units)
    ]
    looking = pictures.token_boxes(boxes, title=translate("attention.common.query", locale))
    return looking + _goals(result, asking, locale, chosen=None)


def _goals(result: Reading, title: str, locale: Locale, *, chosen: int | None) -> str:
    """The tokens that are looked at, as strong in colour as the one in focus looks at them."""
    row = result.weights[result.focus]  # (K,)
    most = max(float(row.max()), 1e-9)
    boxes = [
        pictures.Box(
            unit.label,
            below="–" if result.causal and place > result.focus else f"{row[place]:.0%}",
            state=choices.state(unit, chosen=place == chosen),
            hint=translate("attention.pick", locale, label=unit.label) if chosen is not None else "",
            pick={"focus": place} if chosen is not None else None,
            weight=float(row[place]) / most,
            word_start=choices.starts_word(result.keys, place),
        )
        for place, unit in enumerate(result.keys)
    ]
    return pictures.token_boxes(boxes, title=title)


def _draw_map(result: Reading, title: str, locale: Locale) -> str:
    places = np.ix_(result.rows, result.columns)
    names = [translate(f"attention.common.{name}", locale) for name in ("query", "goal", "weight")]
    links = pictures.table(
        names,
        [
            (result.units[link.query].label, result.keys[link.key].label, f"{link.weight:.3f}")
            for place in result.rows
            for link in result.links[place]
            if link.weight > 0
        ],
        caption=translate("attention.links", locale),
        numeric=(2,),
    )
    in_place = result.rows == tuple(range(len(result.rows)))  # else a clicked row would not be the unit's number
    return pictures.heat_map(
        _with_gaps(result, result.weights)[places],
        _axis(names[0], result.units, result.rows),
        _axis(names[1], result.keys, result.columns),
        locale=locale,
        title=title,
        scale="attention",
        low=0.0,
        high=max(float(result.weights[places].max()), 1e-9),
        pick={"row": "focus"} if in_place else None,
        selected=(result.rows.index(result.focus) if result.focus in result.rows else None, None),
        alternative=links,
    )


def _axis(name: str, units: tuple[Unit, ...], places: tuple[int, ...]) -> pictures.Axis:
    dimmed = frozenset(n for n, place in enumerate(places) if units[place].special)
    return pictures.Axis(name, tuple(units[place].label for place in places), dimmed)
