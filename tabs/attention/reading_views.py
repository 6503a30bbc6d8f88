"""The overview in pictures: the grid of heads, and one head as token boxes, as a map and as a list of links."""

from __future__ import annotations

import html

import numpy as np

from core.i18n import Locale, translate
from tabs._kit import pictures
from tabs.attention import choices
from tabs.attention.reading import THUMBNAIL, Reading


def show(result: Reading, locale: Locale) -> tuple[str, ...]:
    """The grid of heads, then the chosen head."""
    return _overview(result, locale), _one_head(result, locale)


def _overview(result: Reading, locale: Locale) -> str:
    strongest = result.links[result.focus][0]
    names = [result.units[place].label for place in (strongest.query, strongest.key)]
    figures = [
        (translate("attention.strongest", locale), f"{names[0]} → {names[1]}  {strongest.weight:.0%}"),
        (translate("attention.special_share", locale), f"{result.special_share:.0%}"),
    ]
    captions = [[translate(f"models.head.{habit}", locale) for habit in row] for row in result.habits]
    grid = pictures.head_grid(
        result.thumbnails,
        locale=locale,
        title=translate("attention.grid", locale),
        captions=captions,
        selected=(result.layer - 1, result.head - 1),
        high=float(result.thumbnails.max()),
        thumbnail=THUMBNAIL,
    )
    hidden = pictures.note(translate("attention.hidden" if result.kept is not None else "attention.unhidden", locale))
    return (
        pictures.numbers(figures)
        + choices.window_note(result.window, locale)
        + pictures.heading(translate("attention.grid", locale))
        + grid
        + hidden
    )


def _one_head(result: Reading, locale: Locale) -> str:
    habit = translate(f"models.head.{result.habits[result.layer - 1][result.head - 1]}", locale)
    title = translate("attention.one_head", locale, layer=result.layer, head=result.head, habit=habit)
    told = ""
    if result.kept is not None:
        share = float(result.kept[result.focus])
        told = translate("attention.kept", locale, label=result.units[result.focus].label, share=f"{share:.0%}")
    return (
        pictures.heading(title)
        + _boxes(result, locale)
        + (pictures.note(told) if told else "")
        + _map(result, title, locale)
        + pictures.note(translate("attention.common.caveat", locale), kind="caution")
        + '<div class="lab-chips"><button type="button" class="lab-chip" data-goto="attribution">'
        + f"{html.escape(translate('attention.contrast', locale))}</button></div>"
    )


def _boxes(result: Reading, locale: Locale) -> str:
    row = result.weights[result.focus]  # (T,)
    most = max(float(row.max()), 1e-9)
    boxes = [
        pictures.Box(
            unit.label,
            below=f"{row[place]:.0%}",
            state=choices.state(unit, chosen=place == result.focus),
            hint=translate("attention.pick", locale, label=unit.label),
            pick={"focus": place},
            weight=float(row[place]) / most,
            word_start=choices.starts_word(result.units, place),
        )
        for place, unit in enumerate(result.units)
    ]
    title = translate("attention.focus_title", locale, label=result.units[result.focus].label)
    return pictures.token_boxes(boxes, title=title)


def _map(result: Reading, title: str, locale: Locale) -> str:
    part = result.weights[np.ix_(result.rows, result.columns)]  # (rows, columns)
    names = [translate(f"attention.common.{name}", locale) for name in ("query", "goal", "weight")]
    links = pictures.table(
        names,
        [
            (result.units[link.query].label, result.units[link.key].label, f"{link.weight:.3f}")
            for place in result.rows
            for link in result.links[place]
        ],
        caption=translate("attention.links", locale),
        numeric=(2,),
    )
    in_place = result.rows == tuple(range(len(result.rows)))  # else a clicked row would not be the unit's number
    return pictures.heat_map(
        part,
        _axis(names[0], result, result.rows),
        _axis(names[1], result, result.columns),
        locale=locale,
        title=title,
        scale="attention",
        low=0.0,
        high=max(float(part.max()), 1e-9),
        pick={"row": "focus"} if in_place else None,
        selected=(result.rows.index(result.focus) if result.focus in result.rows else None, None),
        alternative=links,
    )


def _axis(name: str, result: Reading, places: tuple[int, ...]) -> pictures.Axis:
    dimmed = frozenset(n for n, place in enumerate(places) if result.units[place].special)
    return pictures.Axis(name, tuple(result.units[place].label for place in places), dimmed)
