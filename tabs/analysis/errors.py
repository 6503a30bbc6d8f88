"""5.3.1, 5.3.2 The errors of a model: how many, of which kind, and which ones, from the confusion matrix to the row."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core import query as queries
from core.analysis.browsing import SURE, Browsed, Overview, browse
from core.analysis.selection import Filter, Order
from core.analysis.sources import open_source
from core.analysis.table import Kind
from core.i18n import Locale, translate
from tabs._kit import pictures
from tabs._kit.exhibit import Exhibit, Prediction, Step
from tabs._kit.room import Room
from tabs.analysis import choosing, matrix, scatter, tagging, uploading
from tabs.analysis.errors_script import snippet
from tabs.analysis.rows import ORDERS, draw_row, draw_rows

SLUG = "errors"
NOTHING_CHOSEN: Mapping[str, Any] = {
    "outcome": "all", "gold": "", "predicted": "", "pattern": "", "shortest": 0, "longest": 0, "page": 1, "row": -1,
    "order": "loss", "direction": "down",
}  # fmt: skip


@dataclass(frozen=True)
class Query:
    """Whose predictions, which rows of them, in what order, which page, and the row that is read."""

    source: str = choosing.source()
    pattern: str = queries.text("", limit=200)
    regex: bool = queries.flag()
    outcome: str = queries.one_of("all", "all", "wrong", "right")
    gold: str = queries.text("", limit=200)
    predicted: str = queries.text("", limit=200)
    shortest: int = queries.within(0, 0, 10_000_000)
    longest: int = queries.within(0, 0, 10_000_000)
    order: str = queries.one_of("loss", *ORDERS)
    direction: str = queries.one_of("down", "down", "up")
    page: int = queries.within(1, 0, 1_000_000)
    row: int = queries.within(-1, -1, 100_000_000)

    @property
    def chosen(self) -> Filter:
        """Which rows."""
        return Filter(
            outcome=self.outcome,  # type: ignore[arg-type]
            gold=(self.gold,) if self.gold else (),
            predicted=(self.predicted,) if self.predicted else (),
            pattern=self.pattern,
            literal=not self.regex,
            shortest=self.shortest,
            longest=self.longest,
        )


def explore(query: Query) -> Browsed:
    """The overview of a model's predictions, and a page of ``rows`` that pass the filter.

    Losses in nats (squared error for numbers), confidence and margin in [0, 1].
    """
    opened = open_source(query.source)
    chosen, order, descending = choose(query, opened.table.kind)
    row = query.row if query.row >= 0 else None
    return browse(opened, chosen, order=order, descending=descending, page=query.page, row=row)


def choose(query: Query, kind: Kind) -> tuple[Filter, Order, bool]:
    """Which rows, by what they are sorted, and whether the largest come first.

    Of numbers there are no losses and no probabilities: what is off by most comes first.
    """
    order = next(one for one in ORDERS if one == query.order)
    if order in ("loss", "confidence", "margin") and kind == "number":
        order = "residual"
    return query.chosen, order, query.direction == "down"


def show(result: Browsed, locale: Locale) -> tuple[str, ...]:
    """The tendency; and the rows."""
    rows = draw_rows(result, locale, bar=tagging.draw_bar(result, locale))
    return _overview(result, locale), rows + choosing.go_on(SLUG, result.source, locale)


def _overview(result: Browsed, locale: Locale) -> str:
    found = result.overview
    told = choosing.tell_source(result.source, locale)
    if not found.rows:
        return told
    read = pictures.note(translate(f"errors.read.{result.source.kind}", locale))
    return pictures.numbers(_figures(result, locale)) + told + read + _picture(result, found, locale)


def _figures(result: Browsed, locale: Locale) -> list[tuple[str, str]]:
    found = result.overview
    wrong = found.rows - found.right
    unit = "analysis.figure.wrong" if found.entities is None else "analysis.figure.wrong.texts"
    figures = [(translate(unit, locale), f"{wrong:,} / {found.rows:,}")]
    if found.residuals is not None:
        for name in ("mae", "spearman"):
            figures.append((translate(f"analysis.report.{name}", locale), f"{getattr(found.residuals, name):.2f}"))
        return figures
    key = "analysis.figure.accuracy" if found.entities is None else "analysis.figure.whole"
    figures.append((
        translate(key, locale),
        f"{found.accuracy:.1%} ({found.lower:.0%}–{found.upper:.0%})",
    ))  # fmt: skip
    if not math.isnan(found.base):
        figures.append((translate(f"analysis.figure.base.{result.source.kind}", locale), f"{found.base:.1%}"))
    if found.entities is not None:
        figures.append((translate("analysis.report.f1", locale), f"{found.entities.f1:.3f}"))
    elif not math.isnan(found.mean_loss):
        figures.append((translate("analysis.figure.sure", locale, sure=f"{SURE:.0%}"), f"{found.sure_errors:,}"))
    return figures


def _picture(result: Browsed, found: Overview, locale: Locale) -> str:
    gold = result.chosen.gold[0] if result.chosen.gold else ""
    predicted = result.chosen.predicted[0] if result.chosen.predicted else ""
    if found.residuals is not None:
        drawn = scatter.draw_scatter(
            found.residuals, tolerance=result.source.tolerance, opened=result.opened, locale=locale
        )
        picture = pictures.twin(drawn, scatter.draw_sums(found.residuals, locale), locale)
        read = "".join(
            draw_row(one, "number", locale, result.source.data) for one in result.rows if one.row.place == result.opened
        )
        return f'<div class="lab-columns"><div>{picture}</div><div>{read}</div></div>' if read else picture
    if found.places:
        return _places(found, locale)
    if found.faults is not None and found.confusion is not None:
        caption = translate("analysis.matrix.entities", locale)
        table = matrix.draw_matrix(
            found.confusion,
            gold=gold,
            predicted=predicted,
            caption=caption,
            locale=locale,
            data=result.source.data,
            filters=False,
        )
        title = translate("analysis.faults.counted", locale, count=f"{sum(found.faults.values()):,}")
        entries = [
            pictures.Bar(translate(f"analysis.fault.{name}", locale), count, f"{count:,}")
            for name, count in found.faults.items()
        ]
        return pictures.twin(pictures.bars(entries, title=title), table, locale)
    if found.confusion is None or found.classes is None:
        return ""
    caption = translate("analysis.matrix", locale)
    data = result.source.data
    drawn = matrix.draw_matrix(
        found.confusion, gold=gold, predicted=predicted, caption=caption, locale=locale, data=data
    )
    return pictures.twin(drawn, matrix.draw_classes(found.classes, locale, data), locale)


def _places(found: Overview, locale: Locale) -> str:
    """Where the right choice stands, and where the model looks for it: a model may prefer a place."""
    title = translate("analysis.places", locale)
    most = max(max(one.gold, one.predicted) for one in found.places)
    drawn = "".join(
        pictures.bars(
            [pictures.Bar(str(one.place + 1), getattr(one, side), f"{getattr(one, side):,}") for one in found.places],
            title=translate(f"analysis.places.{side}", locale),
            high=most,
        )
        for side in ("gold", "predicted")
    )
    names = [translate(f"analysis.places.{name}", locale) for name in ("place", "gold", "predicted", "right")]
    rows = [(one.place + 1, one.gold, one.predicted, one.right) for one in found.places]
    numbers = pictures.table(names, rows, caption=title, numeric=(0, 1, 2, 3))
    return pictures.twin(
        f'<div class="lab-columns">{"".join(f"<div>{part}</div>" for part in [drawn])}</div>', numbers, locale
    )


def evidence(result: Browsed) -> dict[str, Any]:
    """Counts, the matrix or what stands for it, and the first rows with their loss (of numbers the residual)."""
    found = result.overview
    told: dict[str, Any] = {"rows": found.rows, "right": found.right, "passing": result.total}
    if result.source.kind == "label" and found.confusion is not None:
        told["matrix"] = found.confusion.counts.tolist()
    if found.residuals is not None:
        told["mae"] = round(found.residuals.mae, 3)
    if found.entities is not None:
        told["f1"] = round(found.entities.f1, 4)
    value = "residual" if result.source.kind == "number" else "loss"
    told["first"] = [[one.row.index, one.row.correct, round(getattr(one.row, value), 3)] for one in result.rows[:10]]
    return told


def build(room: Room) -> None:
    """Whose predictions, words to look for, a file of one's own; the rest is chosen in the pictures."""
    with room.inputs():
        choosing.chips(room, *choosing.BUNDLED, reset=NOTHING_CHOSEN)
        room.widget("pattern", lines=1)
        room.widget("regex")
        uploading.build(room, reset=NOTHING_CHOSEN)
        with room.more():
            room.widget("source")
        for name in ("outcome", "gold", "predicted", "shortest", "longest", "order", "direction", "page", "row"):
            room.picked(name)
    with room.results():
        room.view()
        room.view()
        room.job_place()


def _answer(result: Browsed) -> int:
    """How many of the wrong answers were given with confidence: a few (0), about half (1), most (2)."""
    found = result.overview
    sure = found.sure_errors / max(found.rows - found.right, 1)
    return 0 if sure < 1 / 3 else 1 if sure < 2 / 3 else 2


EXHIBIT = Exhibit(
    slug=SLUG,
    sections=("5.3.1", "5.3.2"),
    query=Query,
    explore=explore,
    show=show,
    snippet=snippet,
    evidence=evidence,
    build=build,
    prediction=Prediction(Query(outcome="wrong", order="confidence"), 3, _answer),
    steps=(
        Step({"gold": "negative", "predicted": "positive"}),
        Step({"order": "confidence", "outcome": "wrong"}),
        Step({"source": "similarity", **NOTHING_CHOSEN}),
    ),
    jobs=(uploading.KIND, choosing.PREDICTING, tagging.KIND),
    routes=lambda context: tagging.routes(Query, choose, context),
)
