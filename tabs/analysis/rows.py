"""The rows of an error table: chips that filter and sort them, a page of them, and one that is read."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import Any

from core.analysis.browsing import Browsed, ShownRow
from core.analysis.selection import Order
from core.data.examples import EntitySpan
from core.i18n import Locale, translate
from tabs._kit import foot, pictures
from tabs.analysis.choosing import label

ORDERS: tuple[Order, ...] = ("loss", "confidence", "margin", "residual", "characters", "index")
QUOTED = 120  # characters of a text in a row that is not opened
KEPT_PROBABILITIES = 12  # bars of one row


def draw_rows(result: Browsed, locale: Locale, *, bar: str = "") -> str:
    """Chips, the page, and buttons to the pages beside it.

    Args:
        result: what is shown.
        locale: language of the words.
        bar: HTML above the table.
    """
    kind = result.source.kind
    filters = [_outcomes(result, locale), _lengths(result, locale), _orders(result, locale)]
    chosen = _chosen(result, locale)
    told = translate("analysis.rows.count", locale, total=f"{result.total:,}", rows=f"{result.source.rows:,}")
    if not result.rows:
        nothing = pictures.note(translate("analysis.rows.none", locale), kind="caution")
        return f'<div class="lab-filters">{"".join(filters)}</div>{chosen}{nothing}'
    names = ["index", "answer", *_number_names(kind), "text"]
    head = "".join(
        f'<th scope="col" class="lab-row-{name}">{html.escape(translate(f"analysis.column.{name}", locale))}</th>'
        for name in names
    )
    body = "".join(_row(one, result, len(names), locale) for one in result.rows)
    return (
        f'<div class="lab-filters">{"".join(filters)}</div>{chosen}'
        f'<p class="lab-note" role="status">{html.escape(told)}</p>{bar}'
        f'<table class="lab-rows"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
        + foot.pager("analysis.rows", result.page, result.pages, locale, also={"row": -1})
    )


def _outcomes(result: Browsed, locale: Locale) -> str:
    options = [(one, translate(f"analysis.outcome.{one}", locale)) for one in ("all", "wrong", "right")]
    return _group("analysis.outcome", [
        _chip({"outcome": value, "page": 1, "row": -1}, name, result.chosen.outcome == value) for value, name in options
    ], locale)  # fmt: skip


def _lengths(result: Browsed, locale: Locale) -> str:
    if len(result.lengths) < 2:
        return ""
    chips = []
    for shortest, longest in result.lengths:
        chosen = (result.chosen.shortest, result.chosen.longest) == (shortest, longest)
        fields = {"shortest": 0 if chosen else shortest, "longest": 0 if chosen else longest, "page": 1, "row": -1}
        chips.append(_chip(fields, f"{shortest:,}–{longest:,}", chosen))
    return _group("analysis.length", chips, locale)


def _orders(result: Browsed, locale: Locale) -> str:
    """A second click on the chosen one turns the order around."""
    wanted: Sequence[Order] = {
        "number": ("residual", "characters", "index"),
        "entities": ("loss", "characters", "index"),
    }.get(result.source.kind, ("loss", "confidence", "margin", "characters", "index"))  # type: ignore[assignment]
    chips = []
    for one in wanted:
        chosen = one == result.order
        down = not result.descending if chosen else True
        arrow = ("↓" if result.descending else "↑") if chosen else ""
        name = f"{translate(f'analysis.order.{one}', locale)}{arrow}"
        chips.append(_chip({"order": one, "direction": "down" if down else "up", "page": 1}, name, chosen))
    return _group("analysis.order", chips, locale)


def _chosen(result: Browsed, locale: Locale) -> str:
    """The filters that were set in the matrix or by typing, each with a cross that takes it away."""
    chosen, chips = result.chosen, []
    if chosen.gold:
        chips.append(("gold", {"gold": ""}, label(chosen.gold[0], locale, result.source.data)))
    if chosen.predicted:
        chips.append(("predicted", {"predicted": ""}, label(chosen.predicted[0], locale, result.source.data)))
    if chosen.pattern:
        chips.append(("pattern", {"pattern": ""}, chosen.pattern))
    if not chips:
        return ""
    buttons = "".join(
        _chip(
            fields | {"page": 1, "row": -1},
            translate(f"analysis.chosen.{name}", locale, value=value) + " ✕",
            True,
        )
        for name, fields, value in chips
    )
    title = html.escape(translate("analysis.chosen", locale))
    return f'<div class="lab-chips" role="group" aria-label="{title}"><span>{title}</span>{buttons}</div>'


def _group(key: str, chips: Sequence[str], locale: Locale) -> str:
    title = html.escape(translate(key, locale))
    return f'<div class="lab-chips" role="group" aria-label="{title}"><span>{title}</span>{"".join(chips)}</div>'


def _chip(fields: dict[str, Any], name: str, chosen: bool) -> str:
    style = "lab-chip lab-chosen" if chosen else "lab-chip"
    return (
        f'<button type="button" class="{style}" data-pick="{foot.attribute(fields)}"'
        f' aria-pressed="{str(chosen).lower()}">{html.escape(name)}</button>'
    )


def _number_names(kind: str) -> tuple[str, ...]:
    if kind == "entities":  # how sure a tagger is differs from name to name
        return ("loss",)
    return ("residual",) if kind == "number" else ("confidence", "loss")


def _row(one: ShownRow, result: Browsed, columns: int, locale: Locale) -> str:
    row, kind, data = one.row, result.source.kind, result.source.data
    opened = row.place == result.opened
    numbers = {
        "residual": f"{row.residual:+.2f}" if not math.isnan(row.residual) else "–",
        "confidence": share(row.confidence),
        "loss": number(row.loss),
    }
    called = {name: html.escape(translate(f"analysis.column.{name}", locale)) for name in _number_names(kind)}
    cells = "".join(
        f'<td class="lab-number lab-row-{name}" data-name="{told}">{numbers[name]}</td>'
        for name, told in called.items()
    )
    text = " ／ ".join(row.texts)
    quoted = text if len(text) <= QUOTED else text[: QUOTED - 1] + "…"
    pick = foot.attribute({"row": -1 if opened else row.place})
    drawn = (
        f'<tr class="lab-row{" lab-opened" if opened else ""}" data-index="{row.index}">'
        f'<td class="lab-row-index">{row.index}</td>'
        f'<td class="lab-row-answer">{mark(row.correct, locale)} {_answer(one, kind, locale, data)}</td>{cells}'
        f'<td class="lab-row-text"><button type="button" data-pick="{pick}" aria-expanded="{str(opened).lower()}">'
        f'{html.escape(quoted)}</button><span class="lab-row-tags"></span></td></tr>'
    )
    if opened:
        drawn += f'<tr class="lab-detail"><td colspan="{columns}">{draw_row(one, kind, locale, data)}</td></tr>'
    return drawn


def mark(correct: bool, locale: Locale) -> str:
    """A circle for a right answer, a cross for a wrong one, and the word for whoever does not see them."""
    outcome = "right" if correct else "wrong"
    told = html.escape(translate(f"analysis.outcome.{outcome}", locale))
    return f'<span class="lab-{outcome}" role="img" aria-label="{told}">{"○" if correct else "✕"}</span>'


def _answer(one: ShownRow, kind: str, locale: Locale, data: str) -> str:
    """Gold and predicted, where they differ with an arrow between them."""
    row = one.row
    match kind:
        case "number":
            return html.escape(f"{float(row.gold):.1f} → {float(row.predicted):.2f}")
        case "choice":
            names = [_choice(row.texts, answer) for answer in (row.gold, row.predicted)]
        case "entities":
            if not one.faults:
                return html.escape(translate("analysis.faults.none", locale))
            counts: dict[str, int] = {}
            for fault in one.faults:
                counts[fault.fault] = counts.get(fault.fault, 0) + 1
            return html.escape(
                " ".join(f"{translate(f'analysis.fault.{name}', locale)} {count}" for name, count in counts.items())
            )
        case _:
            names = [label(answer, locale, data) for answer in (row.gold, row.predicted)]
    return html.escape(names[0] if row.correct else f"{names[0]} → {names[1]}")


def _choice(texts: Sequence[str], answer: str) -> str:
    number = int(answer) + 1
    return texts[number] if number < len(texts) else answer


def draw_row(one: ShownRow, kind: str, locale: Locale, data: str) -> str:
    """The whole texts, what the model thought of each answer, and where its loss comes from.

    Args:
        one: the row.
        kind: of its answers.
        locale: language of the words.
        data: where it is from, see `choosing.label`.
    """
    row = one.row
    match kind:
        case "entities":
            return _spans(one, locale, data) + _formula(one, kind, locale, data)
        case "choice":
            texts = _quote(row.texts[:1])
        case _:
            texts = _quote(row.texts)
    return texts + _bars(one, kind, locale, data) + _formula(one, kind, locale, data)


def _quote(texts: Sequence[str]) -> str:
    return f'<figure class="lab-text">{"".join(f"<p>{html.escape(text)}</p>" for text in texts)}</figure>'


def _bars(one: ShownRow, kind: str, locale: Locale, data: str) -> str:
    row = one.row
    if kind == "number":
        entries = [
            pictures.Bar(translate(f"analysis.column.{name}", locale), max(float(value), 0.0), f"{float(value):.2f}")
            for name, value in (("gold", row.gold), ("predicted", row.predicted))
        ]
        return pictures.bars(entries, title=translate("analysis.bars.number", locale), high=5.0, scale="similarity")
    told = [(name, p) for name, p in row.probabilities if not math.isnan(p)]
    if not told:
        return ""
    if len(told) > KEPT_PROBABILITIES:
        kept = sorted(told, key=lambda entry: -entry[1])[:KEPT_PROBABILITIES]
        told = [*kept, *(entry for entry in told if entry[0] == row.gold and entry not in kept)]
    entries = []
    for name, p in told:
        shown = _choice(row.texts, name) if kind == "choice" else label(name, locale, data)
        marks = [
            translate(f"analysis.column.{side}", locale)
            for side, answer in (("gold", row.gold), ("predicted", row.predicted))
            if answer == name
        ]
        entries.append(pictures.Bar(shown + (f"（{'・'.join(marks)}）" if marks else ""), p, share(p)))
    return pictures.bars(entries, title=translate("analysis.bars.label", locale), high=1.0)


def _formula(one: ShownRow, kind: str, locale: Locale, data: str) -> str:
    """How the loss of this very row comes about."""
    row = one.row
    lines = []
    if kind == "number":
        lines.append(
            f"{translate('analysis.column.residual', locale)} = {float(row.predicted):.3f} − {float(row.gold):.3f}"
            f" = {row.residual:+.3f}"
        )
        lines.append(f"{translate('analysis.column.loss', locale)} = ({row.residual:+.3f})² = {row.residual**2:.3f}")
    elif not math.isnan(row.loss):
        gold = dict(row.probabilities).get(row.gold, math.nan)
        name = _choice(row.texts, row.gold) if kind == "choice" else label(row.gold, locale, data)
        if kind in ("label", "choice") and not math.isnan(gold) and math.isclose(
            -math.log(max(gold, 1e-300)), row.loss, rel_tol=1e-2, abs_tol=1e-3
        ):  # fmt: skip
            lines.append(
                f"{translate('analysis.column.loss', locale)} = −ln p({name}) = −ln {gold:.4f} = {row.loss:.3f}"
            )
        else:
            lines.append(f"{translate('analysis.column.loss', locale)} = {row.loss:.3f}")
    if not math.isnan(row.margin):
        lines.append(f"{translate('analysis.column.margin', locale)} = {row.margin:.3f}")
    lines.append(f"{translate('analysis.order.characters', locale)} = {row.characters}")
    return pictures.formula(lines)


def _spans(one: ShownRow, locale: Locale, data: str) -> str:
    """The sentence twice: with the entities that are right, and with those that were found."""
    text = one.row.texts[0]
    wrong = {span for fault in one.faults for span in (fault.gold, fault.predicted) if span is not None}
    drawn = "".join(
        f"<figcaption>{html.escape(translate(f'analysis.column.{side}', locale))}</figcaption>"
        f"<p>{_mark(text, spans, wrong, locale, data)}</p>"
        for side, spans in (("gold", one.gold), ("predicted", one.predicted))
    )
    listed = [
        (
            translate(f"analysis.fault.{fault.fault}", locale),
            _span(text, fault.gold, locale, data),
            _span(text, fault.predicted, locale, data),
        )
        for fault in one.faults
    ]
    names = [translate(f"analysis.column.{name}", locale) for name in ("fault", "gold", "predicted")]
    table = pictures.table(names, listed, caption=translate("analysis.faults", locale)) if listed else ""
    return f'<figure class="lab-text">{drawn}</figure>{table}'


def _mark(text: str, spans: Sequence[EntitySpan], wrong: set[EntitySpan], locale: Locale, data: str) -> str:
    parts, place = [], 0
    for span in sorted(spans):
        if span.start < place:
            continue
        parts.append(html.escape(text[place : span.start]))
        style = "lab-piece lab-fault" if span in wrong else "lab-piece"
        parts.append(
            f'<span class="{style}">{html.escape(text[span.start : span.end])} '
            f"<small>{html.escape(label(span.label, locale, data))}</small></span>"
        )
        place = span.end
    return "".join([*parts, html.escape(text[place:])])


def _span(text: str, span: EntitySpan | None, locale: Locale, data: str) -> str:
    return "–" if span is None else f"{text[span.start : span.end]}（{label(span.label, locale, data)}）"


def share(probability: float) -> str:
    """A probability as a percentage; never 100 % for what is not certain."""
    if math.isnan(probability):
        return "–"
    return "100%" if probability >= 1.0 else f"{min(100 * probability, 99.9):.1f}%"


def number(value: float) -> str:
    """A number with three digits after the point, a dash for one that nobody knows."""
    return "–" if math.isnan(value) else f"{value:.3f}"
