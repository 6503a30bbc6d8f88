"""Several tokenizers over the same characters: columns at which all their borders line up."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from itertools import pairwise

from core.text.types import Alignment, Cell, Group, Tokenization


def align(tokenizations: Sequence[Tokenization]) -> Alignment:
    """Lay tokenizations of one text under each other.

    Columns are the smallest spans of the text that no border of any tokenizer cuts; a cell takes all tokens that share
    characters, with the columns they span; a cell without tokens is a gap (white space, characters thrown away). Added
    special tokens are left out; a token that covers nothing (a ``▁`` put before a word) stands with the next one.

    Raises:
        ValueError: no tokenization, or not all of the same text.
    """
    if not tokenizations or any(row.text != tokenizations[0].text for row in tokenizations):
        raise ValueError("tokenizations of one text are needed")
    text = tokenizations[0].text
    rows = [_collect_groups(row) for row in tokenizations]
    borders = sorted({0, len(text), *(place for row in rows for group, _ in row for place in (group.start, group.end))})
    return Alignment(text, tuple(pairwise(borders)), tuple(_fill_row(row, borders) for row in rows))


def _collect_groups(row: Tokenization) -> list[tuple[Group, tuple[int, ...]]]:
    """Groups of the first text that cover something, with the indices of their tokens."""
    found: list[tuple[Group, tuple[int, ...]]] = []
    waiting: tuple[int, ...] = ()
    for group in row.groups:
        if row.tokens[group.first].sequence != 0:
            continue
        members = (*waiting, *range(group.first, group.last))
        if group.start == group.end:
            waiting = members
        else:
            found.append((group, members))
            waiting = ()
    if waiting and found:
        found[-1] = (found[-1][0], found[-1][1] + waiting)
    return found


def _fill_row(row: Sequence[tuple[Group, tuple[int, ...]]], borders: Sequence[int]) -> tuple[Cell, ...]:
    cells: list[Cell] = []
    column = 0
    for group, members in row:
        first, last = bisect.bisect_left(borders, group.start), bisect.bisect_left(borders, group.end)
        if first > column:
            cells.append(Cell(column, first, ()))
        cells.append(Cell(first, last, members))
        column = last
    if column < len(borders) - 1:
        cells.append(Cell(column, len(borders) - 1, ()))
    return tuple(cells)
