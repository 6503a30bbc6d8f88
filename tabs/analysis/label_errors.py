"""5.3.2 Suspected label errors: rows whose right answer may be wrong, found by confident learning."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core import query as queries
from core.analysis.doubts import DoubtedRow, Doubts, doubt_labels, find_crossed, keep_crossed
from core.analysis.label_errors import Ranking
from core.analysis.sources import open_source
from core.i18n import Locale, translate
from core.jobs import Work
from tabs._kit import foot, pictures
from tabs._kit.context import Context
from tabs._kit.exhibit import Exhibit, JobKind, Prediction, Step
from tabs._kit.room import Room
from tabs.analysis import choosing
from tabs.analysis.choosing import label
from tabs.analysis.label_errors_script import snippet

SLUG = "label-errors"
RANKINGS: tuple[Ranking, ...] = ("normalized_margin", "self_confidence")
SEED = 0


@dataclass(frozen=True)
class Query:
    """Whose predictions, how many labels are exchanged on purpose (in per cent), and whose probabilities judge."""

    source: str = choosing.source()
    planted: int = queries.within(5, 0, 30)
    crossed: bool = queries.flag()
    ranking: str = queries.one_of("normalized_margin", *RANKINGS)
    page: int = queries.within(1, 1, 100_000)


def explore(query: Query) -> Doubts:
    """Rows whose label is suspect, the most suspect ``rows`` first, by the model's or by cross-validated probabilities.

    Of the ``planted`` labels, which were exchanged on purpose, so many were ``found``.
    """
    opened = open_source(query.source)
    share = query.planted / 100
    probabilities = find_crossed(opened, planted=share, seed=SEED) if query.crossed else None
    return doubt_labels(
        opened,
        planted=share,
        seed=SEED,
        ranking=next(ranking for ranking in RANKINGS if ranking == query.ranking),
        probabilities=probabilities,
        page=query.page,
    )


def show(result: Doubts, locale: Locale) -> tuple[str, ...]:
    """What was found, and by what; the suspects."""
    return _summary(result, locale), _suspects(result, locale) + choosing.go_on(SLUG, result.source, locale)


def _summary(result: Doubts, locale: Locale) -> str:
    errors, data = result.errors, result.source.data
    figures = [
        (translate("label-errors.suspects", locale), f"{len(errors.suspects):,} / {errors.rows:,}"),
        (translate("label-errors.estimated", locale), f"{errors.estimated_share:.0%}"),
    ]
    if result.planted:
        figures.append((translate("label-errors.found", locale), f"{result.found} / {result.planted}"))
        figures.append((
            translate("label-errors.found_first", locale, count=result.planted),
            f"{result.found_first} / {result.planted}",
        ))  # fmt: skip
    key = "crossed" if errors.origin == "cross_validation" else "model" if errors.out_of_sample else "unknown"
    rows = [
        (label(one, locale, data), f"{threshold:.3f}", *(int(count) for count in counts))
        for one, threshold, counts in zip(errors.labels, errors.thresholds, errors.confident, strict=True)
    ]
    columns = [
        translate("label-errors.given", locale),
        translate("label-errors.threshold", locale),
        *(translate("label-errors.really", locale, label=label(one, locale, data)) for one in errors.labels),
    ]
    table = pictures.table(
        columns,
        rows,
        caption=translate("label-errors.joint", locale),
        numeric=tuple(range(1, len(columns))),
        headed=True,
    )
    return (
        pictures.numbers(figures)
        + choosing.tell_source(result.source, locale)
        + pictures.note(translate(f"label-errors.origin.{key}", locale), kind="caution")
        + table
        + pictures.note(translate("label-errors.joint.note", locale))
    )


def _suspects(result: Doubts, locale: Locale) -> str:
    heading = pictures.heading(translate("label-errors.list", locale))
    if not result.rows:
        return heading + pictures.note(translate("label-errors.none", locale))
    names = ("index", "given", "suggested", "margin", "text")
    head = "".join(
        f'<th scope="col">{html.escape(translate(f"label-errors.column.{name}", locale))}</th>' for name in names
    )
    body = "".join(_row(one, result.source.data, locale) for one in result.rows)
    return f'{heading}<table class="lab-rows"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>' + foot.pager(
        "analysis.rows", result.page, result.pages, locale
    )


def _row(one: DoubtedRow, data: str, locale: Locale) -> str:
    text = html.escape(" ／ ".join(one.row.texts))
    planted = (
        f'<span class="lab-tag">{html.escape(translate("label-errors.mark", locale))}</span> ' if one.planted else ""
    )
    given, suggested, margin = (
        html.escape(translate(f"label-errors.column.{name}", locale)) for name in ("given", "suggested", "margin")
    )
    return (
        f'<tr class="lab-row"><td class="lab-row-index">{one.row.index}</td>'
        f'<td data-name="{given}">{html.escape(label(one.row.gold, locale, data))}</td>'
        f'<td data-name="{suggested}">{html.escape(label(one.suggested, locale, data))}</td>'
        f'<td class="lab-number" data-name="{margin}">{one.margin:+.2f}</td>'
        f'<td class="lab-row-text">{planted}{text}</td></tr>'
    )


def evidence(result: Doubts) -> dict[str, Any]:
    """The thresholds, how many were found, the first suspects."""
    return {
        "suspects": len(result.errors.suspects),
        "thresholds": [round(float(one), 4) for one in result.errors.thresholds],
        "planted": result.planted,
        "found": result.found,
        "first": [[one.row.index, one.row.gold, one.suggested, round(one.margin, 3)] for one in result.rows[:10]],
    }


def build(room: Room) -> None:
    """Whose predictions, how many labels are exchanged, and who judges."""
    with room.inputs():
        choosing.chips(room, "sentiment", "inference", reset={"page": 1})
        room.widget("planted")
        room.widget("crossed")
        with room.more():
            room.widget("ranking")
            room.widget("source")
        room.picked("page")
    with room.results():
        room.view()
        room.view()


def _cross(query: Query) -> Work:
    return keep_crossed(open_source(query.source), planted=query.planted / 100, seed=SEED)


def _render(result: Mapping[str, Any], locale: Locale) -> str:
    return ""


def _answer(result: Doubts) -> int:
    """How many of the exchanged labels are among the first suspects: most (0), some (1), few (2)."""
    share = result.found_first / max(result.planted, 1)
    return 0 if share > 2 / 3 else 1 if share > 1 / 3 else 2


def _trains_here(context: Context) -> bool:
    return context.limits.training


EXHIBIT = Exhibit(
    slug=SLUG,
    sections=("5.3.2",),
    query=Query,
    explore=explore,
    show=show,
    snippet=snippet,
    evidence=evidence,
    build=build,
    prediction=Prediction(Query(planted=10), 3, _answer),
    steps=(Step({"planted": 0}), Step({"crossed": True}), Step({"source": "inference"})),
    jobs=(
        choosing.PREDICTING,
        JobKind("cross-validate", _render, work=_cross, cures="error.analysis.not_crossed", offered=_trains_here),
    ),
)
