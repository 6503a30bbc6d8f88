"""Labels that may be wrong, to be read and judged one by one; and labels exchanged on purpose, to see what is found."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from core.analysis.browsing import Provenance, describe
from core.analysis.cross_validation import predict_texts_across
from core.analysis.label_errors import LabelErrors, Ranking, find_label_errors
from core.analysis.selection import TableRow, read_rows
from core.analysis.sources import place_beside
from core.analysis.storage import Opened
from core.analysis.table import ErrorTable, Floats, Integers, require_labels
from core.errors import InvalidInput
from core.jobs import Progress, finish

MOST_CROSSED = 1_000  # rows that are cross-validated while somebody waits
LISTED = 20


@dataclass(frozen=True, slots=True)
class DoubtedRow:
    """A row, the label that it may have instead, and whether its label was exchanged on purpose.

    `margin` is the probability of its label minus the largest of the others, in [-1, 1].
    """

    row: TableRow
    suggested: str
    margin: float
    planted: bool


@dataclass(frozen=True, eq=False)
class Doubts:
    """Suspects, the most suspect first, page by page.

    `planted` labels were exchanged on purpose; of those `found` are among all suspects, and `found_first` among as many
    suspects as were planted, counted from the top.
    """

    source: Provenance
    errors: LabelErrors
    planted: int
    found: int
    found_first: int
    rows: tuple[DoubtedRow, ...]
    page: int
    pages: int


def doubt_labels(
    opened: Opened,
    *,
    planted: float = 0.0,
    seed: int = 0,
    ranking: Ranking = "normalized_margin",
    probabilities: Floats | None = None,
    page: int = 1,
) -> Doubts:
    """Look for wrong labels by confident learning, after exchanging some on purpose.

    Args:
        opened: the table and where it is from.
        planted: the share of labels to exchange, in [0, 1].
        seed: draws which ones, and by what.
        ranking: what to sort by.
        probabilities: (N, L) of a classifier that was cross-validated on these very labels; the model's own when None.
        page: of the list, from 1; out of range the nearest.

    Raises:
        InvalidInput: ``error.analysis.no_labels``, ``error.analysis.cross_instead`` (nobody told any probabilities).
    """
    require_label_kind(opened.table)
    if probabilities is None and np.isnan(opened.table.probabilities).all():
        raise InvalidInput("error.analysis.cross_instead")
    table, exchanged = plant_errors(opened.table, share=planted, seed=seed)
    origin = opened.origin if probabilities is None else "cross_validation"
    errors = find_label_errors(table, origin=origin, probabilities=probabilities, ranking=ranking)
    places = [one.place for one in errors.suspects]
    wanted = set(exchanged.tolist())
    pages = max(-(-len(places) // LISTED), 1)
    page = min(max(page, 1), pages)
    shown = errors.suspects[(page - 1) * LISTED : page * LISTED]
    rows = read_rows(table, [one.place for one in shown])
    return Doubts(
        source=describe(opened),
        errors=errors,
        planted=len(wanted),
        found=len(wanted.intersection(places)),
        found_first=len(wanted.intersection(places[: len(wanted)])),
        rows=tuple(
            DoubtedRow(row, one.suggested, one.normalized_margin, one.place in wanted)
            for row, one in zip(rows, shown, strict=True)
        ),
        page=page,
        pages=pages,
    )


def plant_errors(table: ErrorTable, *, share: float, seed: int) -> tuple[ErrorTable, Integers]:
    """Exchange the gold labels of some rows for others; the table, and the places of those rows in order.

    Which rows are right and their losses are those of the exchanged labels.
    """
    count = round(share * len(table))
    if not count or len(table.labels) < 2:
        return table, np.zeros(0, dtype=np.int64)
    generator = np.random.default_rng(seed)
    places = np.sort(generator.choice(len(table), size=min(count, len(table)), replace=False))
    codes = table.gold_codes.copy()
    codes[places] = (codes[places] + generator.integers(1, len(table.labels), size=len(places))) % len(table.labels)
    gold = table.gold.copy()
    gold[places] = [table.labels[code] for code in codes[places]]
    loss = table.loss.copy()
    with np.errstate(divide="ignore"):
        loss[places] = -np.log(np.maximum(table.probabilities[places, codes[places]], np.finfo(np.float64).eps))
    correct = table.correct.copy()
    correct[places] = codes[places] == table.predicted_codes[places]
    return replace(table, gold=gold, gold_codes=codes, loss=loss, correct=correct), places


def find_crossed(opened: Opened, *, planted: float, seed: int) -> Floats:
    """Probabilities (N, L) for `doubt_labels` by a small classifier that is trained on the other rows' labels.

    Raises:
        InvalidInput: ``error.analysis.no_labels``, ``error.analysis.few_rows``, ``error.analysis.not_crossed`` with
            ``rows`` (so many that `keep_crossed` has to be done first).
    """
    require_label_kind(opened.table)
    path = _place_crossed(opened.source, planted, seed)
    if path.is_file():
        kept: Floats = np.load(path, allow_pickle=False)
        return kept
    if len(opened.table) > MOST_CROSSED:
        raise InvalidInput("error.analysis.not_crossed", rows=len(opened.table))
    return finish(_cross(opened.table, planted, seed))


def keep_crossed(opened: Opened, *, planted: float, seed: int) -> Generator[Progress, None, int]:
    """Cross-validate and keep what comes out beside the source, for `find_crossed`; the number of rows. A job.

    Raises:
        InvalidInput: ``error.analysis.no_labels``, ``error.analysis.few_rows``.
    """
    require_label_kind(opened.table)
    found = yield from _cross(opened.table, planted, seed)
    path = _place_crossed(opened.source, planted, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".partial").open("wb") as file:
        np.save(file, found)
    path.with_suffix(".partial").replace(path)
    return len(found)


def _place_crossed(source: str, planted: float, seed: int) -> Path:
    return place_beside(source, f"crossed-{round(1000 * planted)}-{seed}.npy")


def _cross(table: ErrorTable, share: float, seed: int) -> Generator[Progress, None, Floats]:
    planted, _ = plant_errors(table, share=share, seed=seed)
    return (yield from predict_texts_across(planted.joined_texts, planted.gold_codes, labels=len(planted.labels)))


def require_label_kind(table: ErrorTable) -> None:
    """Refuse a table whose answers are no labels of texts.

    Raises:
        InvalidInput: ``error.analysis.no_labels`` with ``task``.
    """
    require_labels(table)
    if table.kind != "label":
        raise InvalidInput("error.analysis.no_labels", task=table.task)
