"""5.3.2 Parts of the data: where the mean hides that a model fails."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from typing import Any

from core import query as queries
from core.analysis.parts import COLUMN, GOLD, LENGTH, WORD, Parts, cut_into_parts
from core.analysis.slices import SliceScore
from core.analysis.sources import open_source
from core.i18n import Locale, translate, words
from tabs._kit import foot, pictures
from tabs._kit.exhibit import Exhibit, Prediction, Step
from tabs._kit.room import Room
from tabs.analysis import choosing
from tabs.analysis.choosing import label
from tabs.analysis.shares import Share, draw_shares, tabulate
from tabs.analysis.slices_script import snippet

SLUG = "slices"
FEW = 30  # rows below which an interval says next to nothing


@dataclass(frozen=True)
class Query:
    """Whose predictions, how the rows are cut, and what is measured."""

    source: str = choosing.source()
    word: str = queries.text("", limit=200)
    regex: bool = queries.flag()
    by: str = queries.text("column:tone", limit=200)
    metric: str = queries.one_of("accuracy", "accuracy", "macro_f1", "mae", "rmse")
    parts: int = queries.within(4, 2, 10)


def explore(query: Query) -> Parts:
    """The metric of each part with its size and its 95 % interval, beside that of the ``whole``."""
    return cut_into_parts(
        open_source(query.source),
        by=query.by,
        metric=query.metric,
        parts=query.parts,
        word=query.word,
        regex=query.regex,
    )


def show(result: Parts, locale: Locale) -> tuple[str, ...]:
    """How it is cut, and the parts; where to go on."""
    return _choices(result, locale) + _scores(result, locale), choosing.go_on(SLUG, result.source, locale)


def _choices(result: Parts, locale: Locale) -> str:
    ways = _group(
        translate("slices.by", locale),
        [(name_way(way, locale), {"by": way}, way == result.by) for way in result.ways],
    )
    metrics = _group(
        translate("slices.metric", locale),
        [(translate(f"slices.metric.{one}", locale), {"metric": one}, one == result.metric) for one in result.metrics],
    )
    return choosing.tell_source(result.source, locale) + ways + (metrics if len(result.metrics) > 1 else "")


def _group(title: str, options: list[tuple[str, dict[str, str], bool]]) -> str:
    chips = "".join(
        foot.pick_button(html.escape(name), fields, style=f"lab-chip{' lab-chosen' if chosen else ''}")
        for name, fields, chosen in options
    )
    title = html.escape(title)
    return f'<div class="lab-chips" role="group" aria-label="{title}"><span>{title}</span>{chips}</div>'


def name_way(way: str, locale: Locale) -> str:
    """What the page calls a way to cut: a column by its name, where it is one of ours in the visitor's language."""
    if way in (LENGTH, GOLD, WORD):
        return translate(f"slices.way.{way.removeprefix(':')}", locale)
    key = f"slices.column.{way.removeprefix(COLUMN)}"
    return translate(key, locale) if key in words(locale) else way.removeprefix(COLUMN)


def _scores(result: Parts, locale: Locale) -> str:
    whole = result.whole
    metric = translate(f"slices.metric.{result.metric}", locale)
    if result.metric in ("mae", "rmse"):
        drawn, table = _distances(result, metric, locale)
    else:
        entries = [_share(one, result, locale) for one in result.scores]
        title = translate("slices.heading", locale, metric=metric)
        legend = translate("slices.legend", locale, metric=metric, whole=f"{whole.metric:.1%}")
        drawn = draw_shares(entries, title=title, legend=legend)
        table = tabulate(entries, title=title, first=translate("analysis.report.value", locale), locale=locale)
    few = [
        one for one in result.scores if one.rows < FEW and not one.upper < whole.metric and not one.lower > whole.metric
    ]
    note = pictures.note(translate("slices.few", locale, count=len(few), few=FEW), kind="caution") if few else ""
    if result.by == WORD:
        note = pictures.note(translate("slices.word.note", locale)) + note
    return pictures.twin(drawn, table, locale) + note


def _share(one: SliceScore, result: Parts, locale: Locale) -> Share:
    return Share(_name(one, result, locale), one.metric, one.lower, one.upper, one.rows, base=result.whole.metric)


def _name(one: SliceScore, result: Parts, locale: Locale) -> str:
    if result.by == LENGTH:
        return translate("slices.characters", locale, span=one.value)
    if result.by == GOLD:
        return label(one.value, locale, result.source.data)
    if result.by == WORD:
        return translate(f"slices.{one.value}", locale)
    key = f"slices.value.{one.value}"
    return translate(key, locale) if key in words(locale) else one.value or translate("slices.empty", locale)


def _distances(result: Parts, metric: str, locale: Locale) -> tuple[str, str]:
    """Errors of numbers, which are no shares: bars on the data's scale."""
    scores = (result.whole, *result.scores)
    names = [translate("slices.whole", locale), *(_name(one, result, locale) for one in result.scores)]
    known = [(name, one) for name, one in zip(names, scores, strict=True) if not math.isnan(one.metric)]
    bars = [
        pictures.Bar(name, one.metric, f"{one.metric:.2f} ({one.lower:.2f}–{one.upper:.2f})", note=f"n = {one.rows:,}")
        for name, one in known
    ]
    title = translate("slices.heading", locale, metric=metric)
    columns = [translate("analysis.report.value", locale)]
    columns += [translate(f"analysis.share.{name}", locale) for name in ("rows", "lower", "upper")]
    columns.insert(2, metric)
    rows = [(name, one.rows, f"{one.metric:.3f}", f"{one.lower:.3f}", f"{one.upper:.3f}") for name, one in known]
    return pictures.bars(bars, title=title, scale="loss"), pictures.table(
        columns, rows, caption=title, numeric=(1, 2, 3, 4)
    )


def evidence(result: Parts) -> dict[str, Any]:
    """Every part with its size, metric and interval."""
    return {
        "whole": _plain(result.whole.metric),
        "parts": [
            [one.value, one.rows, _plain(one.metric), _plain(one.lower), _plain(one.upper)] for one in result.scores
        ],
    }


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 3)


def build(room: Room) -> None:
    """Whose predictions and a word; how the rows are cut is chosen above the picture."""
    with room.inputs():
        choosing.chips(room, *choosing.BUNDLED, reset={})
        room.widget("word", lines=1)
        with room.more():
            room.widget("regex")
            room.widget("parts")
            room.widget("source")
        room.picked("by")
        room.picked("metric")
    with room.results():
        room.view()
        room.view()


def _answer(result: Parts) -> int:
    """Whether the model is right about ironic reviews as often as about all (0), less often (1), or hardly ever (2)."""
    ironic = next(one for one in result.scores if one.value == "ironic")
    share = ironic.metric / result.whole.metric
    return 0 if share > 0.75 else 1 if share > 0.1 else 2


EXHIBIT = Exhibit(
    slug=SLUG,
    sections=("5.3.2",),
    query=Query,
    explore=explore,
    show=show,
    snippet=snippet,
    evidence=evidence,
    build=build,
    prediction=Prediction(Query(parts=5), 3, _answer),
    steps=(Step({"by": LENGTH}), Step({"by": "column:domain"}), Step({"source": "similarity"})),
    jobs=(choosing.PREDICTING,),
)
