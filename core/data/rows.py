"""Rows as they stand in a file, before any task has read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """The values of one row by column, and where it stands: the line of a text file, else its number, from 1."""

    line: int
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BrokenRow:
    """A row that cannot be used, and why: a key of the word catalogue and its parameters."""

    part: str
    line: int
    key: str
    params: Mapping[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """The rows of a source that can be read, the broken ones, and the names of all columns in order."""

    source: str
    columns: tuple[str, ...]
    rows: Sequence[Row]
    broken: tuple[BrokenRow, ...] = ()


def make_table(source: str, rows: Sequence[Row], broken: Sequence[BrokenRow] = ()) -> Table:
    """A table whose columns are those of all its rows, in the order of their first appearance."""
    columns: dict[str, None] = {}
    for row in rows:
        columns.update(dict.fromkeys(map(str, row.values)))
    return Table(source, tuple(columns), rows, tuple(broken))
