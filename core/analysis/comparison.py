"""Two models on the same rows: what the second one fixed, and what it broke."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.analysis.table import ErrorTable, Integers, write_answer
from core.errors import InvalidInput


@dataclass(frozen=True, eq=False)
class Comparison:
    """M rows that both tables have, as places in each, and the four groups they fall into.

    `first` and `second` are (M,): row ``first[i]`` of the one table is row ``second[i]`` of the other. `both_right`,
    `fixed` (wrong, then right), `broken` (right, then wrong) and `both_wrong` hold numbers i from 0 to M - 1;
    `changed` those whose prediction is another one, right or not. `p_value` is that of McNemar's exact test: how
    likely fixed and broken would be this uneven if both models erred alike. `only_first` and `only_second` count rows
    without a partner.
    """

    first: Integers
    second: Integers
    both_right: Integers
    fixed: Integers
    broken: Integers
    both_wrong: Integers
    changed: Integers
    p_value: float
    only_first: int
    only_second: int

    @property
    def accuracies(self) -> tuple[float, float]:
        """The share of right rows of each model, in [0, 1]."""
        shared = len(self.first)
        both = len(self.both_right)
        return (both + len(self.broken)) / shared, (both + len(self.fixed)) / shared


def compare_tables(first: ErrorTable, second: ErrorTable) -> Comparison:
    """Pair the rows of two tables by their texts and gold answer, wherever they stand, and group them.

    Rows that occur several times are paired in their order.

    Raises:
        InvalidInput: ``error.analysis.other_task`` (with both), ``error.analysis.no_shared_rows``.

    Source: McNemar 1947; the exact test on the rows where the models differ, two-sided.
    """
    from scipy.stats import binomtest

    if first.kind != second.kind:
        raise InvalidInput("error.analysis.other_task", first=first.task, second=second.task)
    places: dict[tuple[object, ...], list[int]] = {}
    for place in range(len(second) - 1, -1, -1):
        places.setdefault(_content(second, place), []).append(place)  # the first one last, to be taken first
    pairs = []
    for place in range(len(first)):
        partners = places.get(_content(first, place))
        if partners:
            pairs.append((place, partners.pop()))
    if not pairs:
        raise InvalidInput("error.analysis.no_shared_rows")
    one, other = np.array(pairs, dtype=np.int64).T
    before, after = first.correct[one], second.correct[other]
    fixed, broken = np.flatnonzero(~before & after), np.flatnonzero(before & ~after)
    differing = len(fixed) + len(broken)
    different = first.predicted[one] != second.predicted[other]
    return Comparison(
        first=one,
        second=other,
        both_right=np.flatnonzero(before & after),
        fixed=fixed,
        broken=broken,
        both_wrong=np.flatnonzero(~before & ~after),
        changed=np.flatnonzero(different),
        p_value=float(binomtest(len(fixed), differing, 0.5).pvalue) if differing else 1.0,
        only_first=len(first) - len(pairs),
        only_second=len(second) - len(pairs),
    )


def _content(table: ErrorTable, place: int) -> tuple[object, ...]:
    return table.texts[place], write_answer(table.gold[place])
