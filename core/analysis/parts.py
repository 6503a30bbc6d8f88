"""How a model does on parts of the data: by length, by label, by a column, by a word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.analysis.browsing import Provenance, describe
from core.analysis.selection import match_pattern
from core.analysis.slices import (
    Metric,
    Slice,
    SliceScore,
    score_slices,
    slice_by_column,
    slice_by_gold,
    slice_by_length,
    slice_by_presence,
)
from core.analysis.sources import list_columns
from core.analysis.storage import Opened
from core.analysis.table import ErrorTable, Kind

LENGTH, GOLD, WORD = ":length", ":gold", ":word"  # no column begins with a colon here: those of files are named below
COLUMN = "column:"


@dataclass(frozen=True, eq=False)
class Parts:
    """The metric of every part beside that of `whole`; `ways` are the ways in which these rows can be cut."""

    source: Provenance
    by: str
    ways: tuple[str, ...]
    metric: Metric
    metrics: tuple[Metric, ...]
    whole: SliceScore
    scores: tuple[SliceScore, ...]


def cut_into_parts(
    opened: Opened, *, by: str = "", metric: str = "", parts: int = 4, word: str = "", regex: bool = False
) -> Parts:
    """Score the parts of a table.

    Args:
        opened: the table and where it is from.
        by: one of `list_ways`; any other: see `choose_way`.
        metric: one of `list_metrics`; any other: the first.
        parts: of which number, when cut by length.
        word: what rows have or have not, when cut by a word; '' counts as a word that is nowhere.
        regex: whether the word is a regular expression.

    Raises:
        InvalidInput: ``error.analysis.pattern``, ``error.analysis.long_pattern``.
    """
    table = opened.table
    ways, metrics = list_ways(table.kind, list_columns(table.columns)), list_metrics(table.kind)
    by, chosen = choose_way(by, ways), next((one for one in metrics if one == metric), metrics[0])
    slices = _cut(table, by, parts=parts, word=word, regex=regex)
    everything = Slice(by, "", np.arange(len(table)))
    whole, *scores = score_slices(table, [everything, *slices], metric=chosen)
    return Parts(describe(opened), by, ways, chosen, metrics, whole, tuple(scores))


def list_ways(kind: Kind, columns: Sequence[str]) -> tuple[str, ...]:
    """The ways in which rows can be cut: `LENGTH`, `GOLD` for labels, `WORD`, and ``column:<name>``."""
    return (LENGTH, *([GOLD] if kind == "label" else []), WORD, *(f"{COLUMN}{name}" for name in columns))


def choose_way(by: str, ways: Sequence[str]) -> str:
    """`by`, or, where these rows cannot be cut so, the last column there is, else length."""
    return by if by in ways else next((way for way in reversed(ways) if way.startswith(COLUMN)), LENGTH)


def list_metrics(kind: Kind) -> tuple[Metric, ...]:
    """The metrics that suit answers of a kind, the usual one first."""
    if kind == "number":
        return "mae", "rmse"
    return ("accuracy", "macro_f1") if kind == "label" else ("accuracy",)


def _cut(table: ErrorTable, by: str, *, parts: int, word: str, regex: bool) -> tuple[Slice, ...]:
    if by == LENGTH:
        return slice_by_length(table, parts=parts)
    if by == GOLD:
        return slice_by_gold(table)
    if by == WORD:
        has = match_pattern(table, word, literal=not regex) if word else np.zeros(len(table), dtype=np.bool_)
        return slice_by_presence(has, WORD)
    return slice_by_column(table, by.removeprefix(COLUMN))
