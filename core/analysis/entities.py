"""What is wrong with found names: type, borders, missed, made up (book 6.2.3, for the table of 5.3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.analysis.confusion import ConfusionMatrix
from core.analysis.table import ErrorTable, Integers
from core.data.examples import EntitySpan
from core.errors import InvalidInput
from core.tasks.bio import OUTSIDE

Fault = Literal["type", "borders", "type_and_borders", "missed", "spurious"]
FAULTS: tuple[Fault, ...] = ("type", "borders", "type_and_borders", "missed", "spurious")


@dataclass(frozen=True, slots=True)
class EntityError:
    """A gold entity that was not found as it is, or a predicted one that is none; None on the side that has nothing."""

    fault: Fault
    gold: EntitySpan | None
    predicted: EntitySpan | None


def compare_entities(gold: Sequence[EntitySpan], predicted: Sequence[EntitySpan]) -> tuple[EntityError, ...]:
    """The faults of one text, in the order of the text.

    Entities that agree are left out; of the others, those that overlap are paired, the largest overlap first and each
    at most once; what then stays alone was missed or made up.

    Source: the classes of MUC-5 (Chinchor and Sundheim 1993), with wrong type and wrong borders told apart.
    """
    agreed = set(gold) & set(predicted)
    left, right = ([one for one in spans if one not in agreed] for spans in (gold, predicted))
    overlaps = sorted(
        (
            (min(a.end, b.end) - max(a.start, b.start), a, b)
            for a in left
            for b in right
            if min(a.end, b.end) > max(a.start, b.start)
        ),
        key=lambda found: (-found[0], found[1], found[2]),
    )
    errors: list[EntityError] = []
    taken_left: set[EntitySpan] = set()
    taken_right: set[EntitySpan] = set()
    for _, a, b in overlaps:
        if a not in taken_left and b not in taken_right:
            taken_left.add(a)
            taken_right.add(b)
            errors.append(EntityError(_name_fault(a, b), a, b))
    errors += [EntityError("missed", a, None) for a in left if a not in taken_left]
    errors += [EntityError("spurious", None, b) for b in right if b not in taken_right]
    return tuple(sorted(errors, key=lambda error: error.gold or error.predicted or EntitySpan(0, 0, "")))


def count_faults(table: ErrorTable, *, places: Integers | None = None) -> dict[Fault, int]:
    """How often each fault occurs in the table or in some of its rows.

    Raises:
        InvalidInput: ``error.analysis.no_entities`` with ``task``.
    """
    counts = Counter(error.fault for gold, predicted in _answers(table, places)
                     for error in compare_entities(gold, predicted))  # fmt: skip
    return {fault: counts[fault] for fault in FAULTS}


def count_entity_confusion(table: ErrorTable, *, places: Integers | None = None) -> ConfusionMatrix:
    """Gold types against predicted types of entities with the same borders; O where the other side has none there.

    Raises:
        InvalidInput: ``error.analysis.no_entities`` with ``task``.
    """
    labels = (*table.labels, OUTSIDE)
    codes = {label: code for code, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)), dtype=np.int64)
    for gold, predicted in _answers(table, places):
        one, other = ({(span.start, span.end): span.label for span in spans} for spans in (gold, predicted))
        for borders in one.keys() | other.keys():
            counts[codes[one.get(borders, OUTSIDE)], codes[other.get(borders, OUTSIDE)]] += 1
    return ConfusionMatrix(labels, counts)


def _answers(
    table: ErrorTable, places: Integers | None
) -> Iterator[tuple[tuple[EntitySpan, ...], tuple[EntitySpan, ...]]]:
    if table.kind != "entities":
        raise InvalidInput("error.analysis.no_entities", task=table.task)
    chosen = slice(None) if places is None else places
    return zip(table.gold[chosen], table.predicted[chosen], strict=True)


def _name_fault(gold: EntitySpan, predicted: EntitySpan) -> Fault:
    if (gold.start, gold.end) == (predicted.start, predicted.end):
        return "type"
    return "borders" if gold.label == predicted.label else "type_and_borders"
