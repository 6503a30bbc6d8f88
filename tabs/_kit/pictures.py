"""Pictures as HTML: typed values in, markup out; the page's own script draws what needs a canvas.

Every picture has its table twin: the visitor switches, a screen reader finds it.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from core.i18n import Locale, translate, words
from tabs._kit.foot import attribute

Scale = Literal["attention", "probability", "similarity", "signed", "loss"]
LONG = 9  # characters of a label or number that take so much of a phone's width that its bar needs a line of its own
CATEGORIES = 8  # the Okabe–Ito palette of the style sheet


@dataclass(frozen=True)
class Axis:
    """One axis of a heat map: its name with unit, its labels, and which of them stand back (special tokens)."""

    name: str
    labels: tuple[str, ...]
    dimmed: frozenset[int] = frozenset()


def heat_map(
    values: npt.NDArray[Any],
    rows: Axis,
    columns: Axis,
    *,
    locale: Locale,
    title: str,
    scale: Scale,
    low: float,
    high: float,
    pick: Mapping[str, str] | None = None,
    selected: tuple[int | None, int | None] = (None, None),
    alternative: str | None = None,
) -> str:
    """A heat map on a canvas with hover and focus, and its table.

    Args:
        values: (rows, columns), any real numbers; NaN is drawn as a gap.
        rows: named and labelled from top to bottom.
        columns: named and labelled from left to right.
        locale: language of the words around it.
        title: what is shown, as one plain phrase; also its text alternative.
        scale: the quantity decides the colours; ``signed`` is centred at 0.
        low: value of the first colour.
        high: value of the last colour.
        pick: query fields that a click sets: ``{"row": "query_token", "column": "key_token"}``.
        selected: row and column to mark.
        alternative: HTML of the table, where a better one than all the numbers exists.
    """
    data = {
        "rows": rows.labels, "columns": columns.labels, "row_name": rows.name, "column_name": columns.name,
        "dim_rows": sorted(rows.dimmed), "dim_columns": sorted(columns.dimmed),
        "shape": values.shape, "values": _packed(values), "low": low, "high": high, "scale": scale,
        "pick": pick or {}, "selected": selected, "title": title,
    }  # fmt: skip
    corner = f"{rows.name} \\ {columns.name}"
    numbers = alternative or table(
        [corner, *columns.labels],
        [[label, *(f"{v:.3f}" for v in line)] for label, line in zip(rows.labels, values.tolist(), strict=True)],
        caption=title,
    )
    return twin(f'<lab-heatmap tabindex="0" data-json="{attribute(data)}"></lab-heatmap>', numbers, locale)


def head_grid(
    weights: npt.NDArray[Any],
    *,
    locale: Locale,
    title: str,
    captions: Sequence[Sequence[str]],
    first: tuple[int, int] = (0, 0),
    selected: tuple[int, int],
    scale: Scale = "attention",
    low: float = 0.0,
    high: float = 1.0,
    thumbnail: int = 32,
) -> str:
    """Small multiples of heads; a click sets the query fields ``layer`` and ``head``.

    Args:
        weights: (layers, heads, T, K), NaN is drawn as a gap; more than `thumbnail` positions are averaged into that
            many.
        locale: language of the words around it.
        title: what is shown.
        captions: one short phrase for each head, by layer.
        first: the layer and head that come first here, where a model has more of them; from 0.
        selected: layer and head to mark, from 0.
        scale: colours, as in `heat_map`.
        low: value of the first colour.
        high: value of the last colour.
        thumbnail: most cells along one side of a small picture.
    """
    layers, heads = weights.shape[:2]
    small = shrink(weights, thumbnail)  # (layers, heads, t, t)
    data = {
        "shape": small.shape, "values": _packed(small), "captions": captions, "first": first, "selected": selected,
        "low": low, "high": high, "scale": scale, "title": title,
        "layer": translate("kit.layer", locale), "head": translate("kit.head", locale),
    }  # fmt: skip
    rows = [
        [str(first[0] + layer + 1), str(first[1] + head + 1), captions[layer][head]]
        for layer in range(layers)
        for head in range(heads)
    ]
    names = [translate(f"kit.{name}", locale) for name in ("layer", "head", "pattern")]
    return twin(
        f'<lab-headgrid data-json="{attribute(data)}"></lab-headgrid>', table(names, rows, caption=title), locale
    )


@dataclass(frozen=True)
class Bar:
    """One bar: label, value, the text printed beside it, and what a click sets."""

    label: str
    value: float
    text: str
    pick: Mapping[str, Any] | None = None
    note: str = ""


def bars(
    entries: Sequence[Bar],
    *,
    title: str,
    low: float = 0.0,
    high: float | None = None,
    signed: bool = False,
    scale: Scale | None = None,
) -> str:
    """Horizontal bars with their values printed; a list to a screen reader.

    Args:
        entries: from top to bottom.
        title: what is shown, with its unit.
        low: value of a bar without length.
        high: value of the longest bar there can be, where there is one.
        signed: bars grow from the middle: left below 0, right above.
        scale: the quantity decides the colour, as in `heat_map`; by default ``signed`` for signed bars, otherwise
            ``probability``.
    """
    most = max(high or 0.0, *(abs(bar.value) for bar in entries), 1e-12) if entries else 1.0
    lines = []
    for bar in entries:
        share = 100 * (abs(bar.value) if signed else bar.value - low) / (most - (0 if signed else low))
        side = " lab-negative" if signed and bar.value < 0 else ""
        label = html.escape(bar.label)
        name = (
            f'<button type="button" class="lab-bar-name" data-pick="{attribute(bar.pick)}">{label}</button>'
            if bar.pick
            else f'<span class="lab-bar-name">{label}</span>'
        )
        note = f"<small>{html.escape(bar.note)}</small>" if bar.note else ""
        lines.append(
            f'<li>{name}<span class="lab-bar-track{" lab-signed" if signed else ""}">'
            f'<span class="lab-bar-fill{side}" style="width:{share / (2 if signed else 1):.2f}%"></span></span>'
            f"<output>{html.escape(bar.text)}</output>{note}</li>"
        )
    wide = any(max(len(bar.label), len(bar.text)) > LONG for bar in entries)
    style = "lab-bars lab-long" if wide else "lab-bars"
    quantity = scale or ("signed" if signed else "probability")
    return (
        f'<figure class="{style}" data-scale="{quantity}"><figcaption>{html.escape(title)}</figcaption>'
        f"<ol>{''.join(lines)}</ol></figure>"
    )


@dataclass(frozen=True)
class Box:
    """One token box: the readable surface, a small line below it (an id), and how it is marked.

    `group` numbers the colour (same number, same colour and letter); `state` is a word of the style sheet:
    ``special``, ``unknown``, ``part`` (one of several tokens of one character), ``masked``. Boxes with the same `link`
    light up together. `hint` is shown on hover, focus and tap.
    """

    surface: str
    below: str = ""
    group: int | None = None
    state: str = ""
    hint: str = ""
    link: str = ""
    pick: Mapping[str, Any] | None = None
    weight: float | None = None  # in [0, 1]: background by the attention scale
    word_start: bool = True


def token_boxes(boxes: Iterable[Box], *, title: str, scale: Scale = "attention") -> str:
    """Tokens in reading order, wrapping between words, each reachable by keyboard."""
    items = []
    for box in boxes:
        classes = ["lab-token", *(f"lab-{state}" for state in box.state.split())]
        if box.group is not None:
            classes.append(f"lab-category-{box.group % CATEGORIES}")
        if box.word_start:
            classes.append("lab-word-start")
        style = ""
        if box.weight is not None:
            style = f' style="--weight:{min(max(box.weight, 0.0), 1.0):.4f}" data-scale="{scale}"'
        link = f' data-link="{html.escape(box.link)}"' if box.link else ""
        pick = f' data-pick="{attribute(box.pick)}"' if box.pick is not None else ""
        hint = html.escape(box.hint)
        below = f"<small>{html.escape(box.below)}</small>" if box.below else ""
        items.append(
            f'<li><button type="button" class="{" ".join(classes)}"{style}{link}{pick} title="{hint}"'
            f' aria-label="{html.escape(box.surface)} {html.escape(box.below)} {hint}">'
            f"<span>{html.escape(box.surface)}</span>{below}</button></li>"
        )
    return (
        f'<figure class="lab-tokens"><figcaption>{html.escape(title)}</figcaption>'
        f'<ol class="lab-linked">{"".join(items)}</ol></figure>'
    )


def table(
    names: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    caption: str,
    numeric: Sequence[int] = (),
    headed: bool = False,
) -> str:
    """A plain table inside its own scrolling box; cells are text, never markup.

    With `headed`, the caption is seen as a heading above and only heard inside the table.
    """
    head = "".join(
        f'<th scope="col"{" class=lab-number" if index in numeric else ""}>{html.escape(name)}</th>'
        if name
        else "<td></td>"  # a heading that says nothing is none
        for index, name in enumerate(names)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f"<td{' class=lab-number' if index in numeric else ''}>{html.escape(str(cell))}</td>"
            for index, cell in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    title, style = (heading(caption), "lab-table lab-headed") if headed else ("", "lab-table")
    return (
        f'{title}<div class="{style}" tabindex="0" role="region" aria-label="{html.escape(caption)}"><table>'
        f"<caption>{html.escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def twin(picture: str, numbers: str, locale: Locale) -> str:
    """A picture and its table: one shown, the other a click away.

    The picture can be taken away as PNG and SVG, and together with the table as a page of its own; the page's script
    makes them of what is on the screen. `numbers` holds one table, whose caption names the picture.
    """
    names = "".join(
        f'<button type="button" role="tab" data-twin="{n}" aria-selected="{"true" if n == 0 else "false"}">'
        f"{html.escape(translate(key, locale))}</button>"
        for n, key in enumerate(("kit.picture", "kit.table"))
    )
    exports = "".join(
        f'<button type="button" data-save="{kind.lower()}"'
        f' title="{html.escape(translate("kit.save_picture", locale, kind=kind))}">{kind}</button>'
        for kind in ("PNG", "SVG", "HTML")
    )
    return (
        f'<lab-twin><div class="lab-twin-tabs" role="tablist">{names}</div>'
        f'<div role="tabpanel">{picture}<div class="lab-exports">{exports}</div></div>'
        f'<div role="tabpanel" hidden>{numbers}</div></lab-twin>'
    )


def numbers(entries: Sequence[tuple[str, str]]) -> str:
    """The few numbers that matter, large: (what, value with unit)."""
    items = "".join(f"<div><dt>{html.escape(what)}</dt><dd>{html.escape(value)}</dd></div>" for what, value in entries)
    return f'<dl class="lab-numbers">{items}</dl>'


def note(told: str, *, kind: Literal["note", "caution"] = "note") -> str:
    """A sentence beside a picture."""
    return f'<p class="lab-{kind}">{html.escape(told)}</p>'


def heading(told: str) -> str:
    """A small heading between views."""
    return f'<h3 class="lab-heading">{html.escape(told)}</h3>'


def formula(lines: Sequence[str]) -> str:
    """Lines of plain mathematics with this example's numbers, in the monospaced face."""
    return f'<pre class="lab-formula" tabindex="0">{html.escape(chr(10).join(lines))}</pre>'


def job_slot(place: str) -> str:
    """Where the page's script shows a job, also after a reload; `place` is the exhibit's slug, or one of its own."""
    return f'<div data-job-slot="{place}"></div>'


def job_card(
    job_id: str,
    *,
    slug: str,
    locale: Locale,
    place: str = "",
    then: Mapping[str, Any] = MappingProxyType({}),
    cancel: str = "job.cancel",
) -> str:
    """A job that the page's script follows by polling its status.

    Args:
        job_id: which job.
        slug: the exhibit that started it.
        locale: language of the words.
        place: the slot it stands in, by default that of the exhibit.
        then: fields that the exhibit is drawn with when the job is done; the card goes away.
        cancel: the word on the button that ends it.
    """
    # As they are: the page's script fills in seconds and position.
    told = {name: words(locale)[f"job.{name}"] for name in ("offline", "left", "minutes", "position", "wait", "lost")}
    told["cancel"] = words(locale)[cancel]
    after = f' data-then="{attribute(then)}"' if then else ""
    return (
        f'<lab-job data-job="{job_id}" data-slug="{slug}" data-place="{place or slug}"{after}'
        f' data-words="{attribute(told)}"></lab-job>'
    )


def _packed(values: npt.NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype="<f4").tobytes()).decode("ascii")


def shrink(weights: npt.NDArray[Any], most: int) -> npt.NDArray[Any]:
    """Average the last two axes of `weights` into at most `most` cells each."""
    for axis in (-1, -2):
        length = weights.shape[axis]
        if length <= most:
            continue
        edges = np.linspace(0, length, most + 1).round().astype(int)
        sums = np.add.reduceat(weights, edges[:-1], axis=axis)
        shape = [1] * weights.ndim
        shape[axis] = most
        weights = sums / np.diff(edges).reshape(shape)
    return weights
