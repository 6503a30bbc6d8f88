"""Two models on the same rows, and the rows of one of the four groups they fall into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from core.analysis.browsing import Provenance, describe
from core.analysis.comparison import compare_tables
from core.analysis.intervals import wilson_interval
from core.analysis.selection import TableRow, read_rows
from core.analysis.storage import Opened

Group = Literal["both_right", "fixed", "broken", "both_wrong"]
GROUPS: tuple[Group, ...] = get_args(Group)
LISTED = 20


@dataclass(frozen=True, slots=True)
class SharedRow:
    """The same row in both tables."""

    first: TableRow
    second: TableRow


@dataclass(frozen=True, eq=False)
class Rivals:
    """What the second model fixed and broke; `counts` are the sizes of `GROUPS`, `rows` a page of one of them.

    `shared` rows are in both tables, `changed` of them with another answer; `alone` are in one of them only. `p_value`
    is that of McNemar's exact test.

    `intervals` are the 95 % intervals of both accuracies (Wilson). Rows that changed most come first: by the difference
    of their losses, where both are known.
    """

    sources: tuple[Provenance, Provenance]
    shared: int
    counts: tuple[int, int, int, int]
    changed: int
    p_value: float
    alone: tuple[int, int]
    accuracies: tuple[float, float]
    intervals: tuple[tuple[float, float], tuple[float, float]]
    group: Group
    rows: tuple[SharedRow, ...]
    page: int
    pages: int


def set_against(first: Opened, second: Opened, *, group: Group = "fixed", page: int = 1) -> Rivals:
    """Compare the predictions of two models.

    Raises:
        InvalidInput: ``error.analysis.other_task``, ``error.analysis.no_shared_rows``.
    """
    found = compare_tables(first.table, second.table)
    members = getattr(found, group)
    change = np.abs(first.table.loss[found.first[members]] - second.table.loss[found.second[members]])
    members = members[np.argsort(-np.nan_to_num(change), kind="stable")]
    pages = max(-(-len(members) // LISTED), 1)
    page = min(max(page, 1), pages)
    shown = members[(page - 1) * LISTED : page * LISTED]
    one, other = read_rows(first.table, found.first[shown]), read_rows(second.table, found.second[shown])
    shared = len(found.first)
    right = [round(accuracy * shared) for accuracy in found.accuracies]
    lower, upper = wilson_interval(right, [shared, shared])
    return Rivals(
        sources=(describe(first), describe(second)),
        shared=shared,
        counts=(len(found.both_right), len(found.fixed), len(found.broken), len(found.both_wrong)),
        changed=len(found.changed),
        p_value=found.p_value,
        alone=(found.only_first, found.only_second),
        accuracies=found.accuracies,
        intervals=((float(lower[0]), float(upper[0])), (float(lower[1]), float(upper[1]))),
        group=group,
        rows=tuple(SharedRow(a, b) for a, b in zip(one, other, strict=True)),
        page=page,
        pages=pages,
    )
