"""5.3.3 Beware of shortcuts: words that give a label away, and how far one gets without reading."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core import query as queries
from core.analysis.clues import PARTS, SIDES, Clues, TermReport, find_clues
from core.analysis.contrast import TermContrast
from core.analysis.shortcuts import SkewedTerm
from core.analysis.sources import open_source
from core.i18n import Locale, translate
from core.presets import is_own
from tabs._kit import foot, pictures
from tabs._kit.exhibit import Exhibit, Prediction, Step
from tabs._kit.room import Room
from tabs._kit.words import both
from tabs.analysis import choosing
from tabs.analysis.choosing import label
from tabs.analysis.shares import Share, draw_shares, tabulate
from tabs.analysis.shortcuts_script import snippet

SLUG = "shortcuts"
RESET: Mapping[str, str] = {"label": "", "term": ""}
BARS = 8  # words of each side of the contrast
DRAWN = 12  # skewed terms in the picture; the table has all


@dataclass(frozen=True)
class Query:
    """Whose predictions, which texts of a row, what counts as a sign, and the sign that is looked at closely."""

    source: str = choosing.source()
    side: str = queries.one_of("gold", *SIDES)
    part: str = queries.one_of("all", *PARTS)
    unit: str = queries.one_of("words", "words", "characters")
    longest: int = queries.within(3, 1, 4)
    least: int = queries.within(5, 2, 200)
    label: str = queries.text("", limit=200)
    term: str = queries.text("", limit=200)


def explore(query: Query) -> Clues:
    """Terms ``skewed`` to a label with counts and intervals, ``probes`` of length and prior, words of the errors."""
    return find_clues(
        open_source(query.source),
        part=next(part for part in PARTS if part == query.part),
        unit="characters" if query.unit == "characters" else "words",
        longest=query.longest,
        least_rows=query.least,
        side=next(side for side in SIDES if side == query.side),
        label=query.label,
        term=query.term,
    )


def show(result: Clues, locale: Locale) -> tuple[str, ...]:
    """The probes; the terms and the one that was chosen; the words of the errors."""
    onward = choosing.go_on(SLUG, result.source, locale)
    return _probes(result, locale), _terms(result, locale) + _chosen(result, locale), _contrast(result, locale) + onward


def _probes(result: Clues, locale: Locale) -> str:
    told = choosing.tell_source(result.source, locale)
    if result.counted < result.source.rows:
        told += pictures.note(translate("shortcuts.thinned", locale, rows=f"{result.counted:,}"))
    if not result.probes:
        return told + pictures.note(translate("shortcuts.no_labels", locale), kind="caution")
    title = translate("shortcuts.probes", locale)
    entries = [
        Share(
            translate(f"analysis.probe.{one.name}", locale),
            one.accuracy,
            one.lower,
            one.upper,
            one.rows,
            base=one.base,
            beside=one.model,
        )
        for one in result.probes
    ]
    drawn = draw_shares(entries, title=title, legend=translate("shortcuts.probes.legend", locale))
    first = translate("analysis.report.probe", locale)
    further = {
        translate("analysis.report.base", locale): [f"{one.base:.3f}" for one in result.probes],
        translate("analysis.report.model", locale): [f"{one.model:.3f}" for one in result.probes],
    }
    return told + pictures.twin(
        drawn, tabulate(entries, title=title, first=first, locale=locale, further=further), locale
    )


def _terms(result: Clues, locale: Locale) -> str:
    if result.skewed is None:
        return ""
    chips = "".join(
        foot.pick_button(
            html.escape(label(one, locale, result.source.data) if one else translate("shortcuts.all_labels", locale)),
            {"label": one, "term": ""},
            style=f"lab-chip{' lab-chosen' if one == result.label else ''}",
        )
        for one in ("", *result.source.labels)
    )
    title = html.escape(translate("shortcuts.label", locale))
    group = f'<div class="lab-chips" role="group" aria-label="{title}"><span>{title}</span>{chips}</div>'
    heading = pictures.heading(translate(f"shortcuts.terms.{result.side}", locale))
    if not result.skewed.terms:
        return heading + group + pictures.note(translate("shortcuts.no_terms", locale))
    strong = sum(one.z > result.skewed.critical for one in result.skewed.terms)
    verdict = translate(
        "shortcuts.verdict", locale, strong=strong, tested=f"{result.skewed.tested:,}",
        critical=f"{result.skewed.critical:.1f}",
    )  # fmt: skip
    term = result.chosen.term if result.chosen else ""
    entries = [_share(one, result, term, locale) for one in result.skewed.terms]
    drawn = draw_shares(
        entries[:DRAWN],
        title=translate("shortcuts.terms.axis", locale),
        legend=translate(f"shortcuts.terms.legend.{result.side}", locale),
    )
    terms = result.skewed.terms
    further = {
        translate("analysis.report.label", locale): [label(one.label, locale, result.source.data) for one in terms],
        translate("analysis.column.gold", locale): [str(one.gold) for one in terms],
        translate("analysis.column.predicted", locale): [str(one.predicted) for one in terms],
        translate("analysis.outcome.wrong", locale): [str(one.wrong) for one in terms],
        "z": [f"{one.z:.2f}" for one in terms],
    }
    table = tabulate(
        entries,
        title=translate("analysis.report.shortcuts", locale),
        first=translate("analysis.report.term", locale),
        locale=locale,
        further=further,
    )
    return heading + group + pictures.twin(drawn, table, locale) + pictures.note(verdict, kind="caution")


def _share(one: SkewedTerm, result: Clues, chosen: str, locale: Locale) -> Share:
    other = one.predicted if result.side == "gold" else one.gold
    mine = one.term == chosen
    return Share(
        f"{one.term}（{label(one.label, locale, result.source.data)}）",
        one.share,
        one.lower,
        one.upper,
        one.rows,
        base=one.base,
        beside=other / one.rows,
        pick={"term": "" if mine else one.term, "label": result.label},
        chosen=mine,
    )


def _chosen(result: Clues, locale: Locale) -> str:
    one = result.chosen
    if one is None:
        return ""
    rule, data = one.rule, result.source.data
    told = translate(
        "shortcuts.rule", locale, term=one.term, label=label(rule.label, locale, data),
        otherwise=label(rule.otherwise, locale, data), accuracy=f"{rule.accuracy:.1%}", base=f"{rule.base:.1%}",
    )  # fmt: skip
    entries = [
        Share(
            translate(f"shortcuts.slice.{score.value}", locale, term=one.term),
            score.metric,
            score.lower,
            score.upper,
            score.rows,
        )
        for score in one.slices
    ]
    rows = _rows(one, data, locale)
    title = translate("shortcuts.slices", locale)
    return (
        f'<section class="lab-card-open">{pictures.heading(translate("shortcuts.closer", locale, term=one.term))}'
        f"{pictures.note(told)}{draw_shares(entries, title=title)}{rows}{_onward(one, result)}</section>"
    )


def _rows(one: TermReport, data: str, locale: Locale) -> str:
    """A few texts that have the sign."""
    title = html.escape(translate("shortcuts.rows", locale, term=one.term))
    names = [translate(f"analysis.{name}", locale) for name in ("column.index", "column.answer", "report.text")]
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in names)
    answers = [" → ".join(label(answer, locale, data) for answer in (row.gold, row.predicted)) for row in one.rows]
    body = "".join(
        f'<tr><td class="lab-row-index">{row.index}</td><td>{html.escape(answer)}</td>'
        f'<td class="lab-row-text">{html.escape(" ／ ".join(row.texts))}</td></tr>'
        for row, answer in zip(one.rows, answers, strict=True)
    )
    return (
        f'<table class="lab-rows"><caption class="lab-note">{title}'
        f"</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _onward(one: TermReport, result: Clues) -> str:
    """To the rows that have the sign, and to a text of one's own with it."""
    source = result.source.source
    buttons = foot.goto_button(both("shortcuts.rows.open"), "errors", {"source": source, "pattern": one.term})
    if result.source.task == "classification" and result.source.model and not is_own(source):
        text = one.rows[0].texts[0]
        buttons += foot.goto_button(
            both("shortcuts.rewrite"), "rewriting", {"source": source, "text": text, "edited": text}
        )
    return f'<div class="lab-chips">{buttons}</div>'


def _contrast(result: Clues, locale: Locale) -> str:
    if not (result.errors or result.others):
        return ""
    heading = pictures.heading(translate("shortcuts.contrast", locale))
    drawn = "".join(
        pictures.bars(
            [pictures.Bar(one.term, abs(one.z), _told(one, locale)) for one in side[:BARS]],
            title=translate(f"shortcuts.contrast.{name}", locale),
        )
        for name, side in (("errors", result.errors), ("others", result.others))
        if side
    )
    names = [translate(f"shortcuts.column.{name}", locale) for name in ("term", "errors", "others", "log_odds", "z")]
    table = pictures.table(
        names, _lines((*result.errors, *reversed(result.others))), caption=names[0], numeric=(1, 2, 3, 4)
    )
    note = pictures.note(translate("shortcuts.contrast.legend", locale))
    return heading + pictures.twin(f'<div class="lab-columns">{drawn}</div>', table, locale) + note


def _lines(terms: Sequence[TermContrast]) -> list[tuple[str, ...]]:
    return [(one.term, str(one.first), str(one.second), f"{one.log_odds:+.3f}", f"{one.z:+.2f}") for one in terms]


def _told(one: TermContrast, locale: Locale) -> str:
    return translate("shortcuts.contrast.counts", locale, errors=one.first, others=one.second)


def evidence(result: Clues) -> dict[str, Any]:
    """The probes, the first terms with their counts, the first words of each side."""
    terms = result.skewed.terms if result.skewed else ()
    return {
        "probes": {one.name: round(one.accuracy, 4) for one in result.probes},
        "terms": [[one.term, one.label, one.rows, one.gold, round(one.lower, 4)] for one in terms[:10]],
        "errors": [[one.term, one.first, one.second, round(one.z, 3)] for one in result.errors[:5]],
        "others": [[one.term, one.first, one.second, round(one.z, 3)] for one in result.others[:5]],
    }


def build(room: Room) -> None:
    """Whose predictions, whose labels, and what counts as a sign."""
    with room.inputs():
        choosing.chips(room, "sentiment", "inference", "choice", reset=RESET)
        room.widget("side")
        room.widget("part")
        with room.more():
            room.widget("unit")
            room.widget("longest")
            room.widget("least")
            room.widget("source")
        room.picked("label")
        room.picked("term")
    with room.results():
        for _ in range(3):
            room.view()


def _answer(result: Clues) -> int:
    """How far the second sentence alone goes: no further than chance (0), about half (1), most of the way (2)."""
    found = next(one for one in result.probes if one.name == "second_text")
    if found.lower <= found.base:
        return 0
    return 1 if found.accuracy < 0.65 else 2


EXHIBIT = Exhibit(
    slug=SLUG,
    sections=("5.3.3",),
    query=Query,
    explore=explore,
    show=show,
    snippet=snippet,
    evidence=evidence,
    build=build,
    prediction=Prediction(Query(source="inference"), 3, _answer),
    steps=(Step({"side": "predicted"}), Step({"label": "positive"}), Step({"source": "inference", "part": "second"})),
    jobs=(choosing.PREDICTING,),
)
