"""What a reader of an error table sees at once: the overall tendency, and a page of rows (book 5.3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from core.analysis.confusion import ClassReport, ConfusionMatrix, count_confusion, score_classes
from core.analysis.entities import (
    EntityError,
    Fault,
    compare_entities,
    count_entity_confusion,
    count_faults,
)
from core.analysis.intervals import wilson_interval
from core.analysis.residuals import Residuals, measure_residuals
from core.analysis.selection import Filter, Order, TableRow, page_rows, read_rows, select_rows, sort_rows
from core.analysis.slices import slice_by_length
from core.analysis.storage import Opened
from core.analysis.table import ErrorTable, Integers
from core.data.examples import EntitySpan
from core.data.rows import BrokenRow

BROKEN_TOLD = 20  # broken rows that are named; the others are counted
LENGTH_PARTS = 4
SURE = 0.8  # a probability from which on a model may be called sure


@dataclass(frozen=True, slots=True)
class PlaceCount:
    """How often the choice at one place is right, is chosen, and is chosen where it is right."""

    place: int
    gold: int
    predicted: int
    right: int


@dataclass(frozen=True, slots=True)
class EntityScore:
    """Entities that agree in borders and type, micro-averaged as by seqeval's strict mode; shares in [0, 1]."""

    gold: int
    predicted: int
    right: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, eq=False)
class Overview:
    """The tendency of `rows` rows, of which `right` are right; `accuracy` with its 95 % interval (Wilson).

    `sure_errors` were wrong with a confidence of at least `SURE`. `base` is the accuracy of always giving the most
    frequent answer of these rows, NaN where answers are neither labels nor choices. By kind of answer: labels have
    `confusion` and `classes`; numbers `residuals`; choices `places`; entities `entities`, `faults` and the `confusion`
    of their types. What does not belong is None or empty, as is everything when there is no row.
    """

    rows: int
    right: int
    accuracy: float
    lower: float
    upper: float
    mean_loss: float
    sure_errors: int = 0
    base: float = float("nan")
    confusion: ConfusionMatrix | None = None
    classes: ClassReport | None = None
    residuals: Residuals | None = None
    places: tuple[PlaceCount, ...] = ()
    entities: EntityScore | None = None
    faults: Mapping[Fault, int] | None = None


@dataclass(frozen=True, slots=True)
class ShownRow:
    """A row to be read; of texts with entities also the entities, and what is wrong with them."""

    row: TableRow
    gold: tuple[EntitySpan, ...] = ()
    predicted: tuple[EntitySpan, ...] = ()
    faults: tuple[EntityError, ...] = ()


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a table is from, see `core.analysis.storage.Opened`; of `broken` rows the first are `told`."""

    source: str
    data: str
    model: str
    origin: str
    task: str
    kind: str
    labels: tuple[str, ...]
    rows: int
    broken: int
    told: tuple[BrokenRow, ...]
    columns: Mapping[str, str]
    tolerance: float


@dataclass(frozen=True, eq=False)
class Browsed:
    """A page of the rows that pass a filter, and the overview of those that pass its text and length alone.

    So the matrix keeps all of its cells when one of them is chosen. `lengths` are (shortest, longest) of parts with
    about equally many rows of the whole table, `opened` is the place of the row that is read, None when it is not among
    the rows shown.
    """

    source: Provenance
    chosen: Filter
    overview: Overview
    lengths: tuple[tuple[int, int], ...]
    order: Order
    descending: bool
    rows: tuple[ShownRow, ...]
    page: int
    pages: int
    total: int
    opened: int | None


def browse(
    opened: Opened,
    chosen: Filter,
    *,
    order: Order = "loss",
    descending: bool = True,
    page: int = 1,
    size: int = 20,
    row: int | None = None,
) -> Browsed:
    """Filter, sort, turn to a page, and sum up.

    Labels of the filter that the table does not have are dropped, so that a link opens on another table too.

    Args:
        opened: the table and where it is from.
        chosen: the filter.
        order: what rows are sorted by.
        descending: whether the largest come first.
        page: from 1; out of range the nearest; 0 for the one that `row` stands on.
        size: rows on a page.
        row: the place of the row to be read.

    Raises:
        InvalidInput: as `core.analysis.selection.select_rows`.
    """
    table = opened.table
    chosen = replace(
        chosen,
        gold=tuple(label for label in chosen.gold if label in table.labels),
        predicted=tuple(label for label in chosen.predicted if label in table.labels),
    )
    text_and_length = replace(chosen, outcome="all", gold=(), predicted=())
    among = None if text_and_length == Filter(literal=chosen.literal) else select_rows(table, text_and_length)
    passing = select_rows(table, replace(chosen, pattern="", shortest=0, longest=0), among=among)
    ordered = sort_rows(table, passing, by=order, descending=descending)
    if page == 0:
        found = np.flatnonzero(ordered == row)
        page = int(found[0]) // size + 1 if len(found) else 1
    turned = page_rows(ordered, number=page, size=size)
    return Browsed(
        source=describe(opened),
        chosen=chosen,
        overview=sum_up(table, places=among),
        lengths=_length_parts(table),
        order=order,
        descending=descending,
        rows=tuple(_show(table, one) for one in read_rows(table, turned.places)),
        page=turned.number,
        pages=turned.pages,
        total=turned.total,
        opened=row if row in turned.places else None,
    )


def describe(opened: Opened) -> Provenance:
    """Where a table is from, without its rows."""
    table = opened.table
    return Provenance(
        source=opened.source,
        data=opened.data,
        model=opened.model,
        origin=opened.origin,
        task=table.task,
        kind=table.kind,
        labels=table.labels,
        rows=len(table),
        broken=len(opened.broken),
        told=opened.broken[:BROKEN_TOLD],
        columns=dict(opened.columns),
        tolerance=table.tolerance,
    )


def sum_up(table: ErrorTable, *, places: Integers | None = None) -> Overview:
    """The tendency of a table or some of its rows."""
    every = np.arange(len(table)) if places is None else places
    right = int(table.correct[every].sum())
    lower, upper = wilson_interval(right, len(every))
    if not len(every):
        return Overview(0, 0, float("nan"), 0.0, 1.0, float("nan"))
    losses = table.loss[every]
    known = losses[~np.isnan(losses)]
    summed = Overview(
        rows=len(every),
        right=right,
        accuracy=right / len(every),
        lower=float(lower),
        upper=float(upper),
        mean_loss=float(known.mean()) if len(known) else float("nan"),
        sure_errors=int((~table.correct[every] & (table.confidence[every] >= SURE)).sum()),
        base=_measure_base(table, every),
    )
    match table.kind:
        case "label":
            matrix = count_confusion(table, places=places)
            return replace(summed, confusion=matrix, classes=score_classes(table, places=places))
        case "number":
            return replace(summed, residuals=measure_residuals(table, places=every))
        case "choice":
            return replace(summed, places=_count_places(table, every))
        case "entities":
            return replace(
                summed,
                confusion=count_entity_confusion(table, places=places),
                entities=_score_entities(table, every),
                faults=count_faults(table, places=places),
            )


def _measure_base(table: ErrorTable, places: Integers) -> float:
    if table.kind not in ("label", "choice"):
        return float("nan")
    return float(np.bincount(table.gold_codes[places]).max()) / len(places)


def _count_places(table: ErrorTable, places: Integers) -> tuple[PlaceCount, ...]:
    gold, predicted = table.gold_codes[places], table.predicted_codes[places]
    size = len(table.labels)
    counts = zip(
        np.bincount(gold, minlength=size),
        np.bincount(predicted, minlength=size),
        np.bincount(gold[gold == predicted], minlength=size),
        strict=True,
    )
    return tuple(PlaceCount(place, int(g), int(p), int(both)) for place, (g, p, both) in enumerate(counts))


def _score_entities(table: ErrorTable, places: Integers) -> EntityScore:
    gold = predicted = right = 0
    for place in places:
        gold += len(table.gold[place])
        predicted += len(table.predicted[place])
        right += len(set(table.gold[place]) & set(table.predicted[place]))
    precision = right / predicted if predicted else 0.0
    recall = right / gold if gold else 0.0
    f1 = 2 * right / (gold + predicted) if gold + predicted else 0.0
    return EntityScore(gold, predicted, right, precision, recall, f1)


def _length_parts(table: ErrorTable) -> tuple[tuple[int, int], ...]:
    parts = slice_by_length(table, parts=LENGTH_PARTS)
    lengths = table.characters
    return tuple((int(lengths[one.places].min()), int(lengths[one.places].max())) for one in parts)


def _show(table: ErrorTable, row: TableRow) -> ShownRow:
    if table.kind != "entities":
        return ShownRow(row)
    gold, predicted = table.gold[row.place], table.predicted[row.place]
    return ShownRow(row, gold, predicted, compare_entities(gold, predicted))
