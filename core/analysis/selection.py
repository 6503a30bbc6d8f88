"""Rows of an error table: filtered, sorted, and taken page by page (book 5.3.2, 5.3.3).

Patterns are matched by RE2 (through Arrow): its time grows linearly with the text, so that no pattern a visitor types
can hold up the server. It knows no look-around and no back-references; ``\\w`` and its like mean ASCII, scripts are
written ``\\p{Hiragana}``, ``\\p{Katakana}``, ``\\p{Han}``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from core.analysis.table import Booleans, ErrorTable, Floats, Integers, write_answer
from core.errors import InvalidInput

LONGEST_PATTERN = 200  # characters

Outcome = Literal["all", "wrong", "right"]
Unit = Literal["characters", "tokens"]
Order = Literal["place", "index", "loss", "confidence", "margin", "residual", "characters", "tokens"]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows to show; every part that is set has to hold.

    `gold` and `predicted` name labels any of which will do (of texts with entities: a type that occurs among them).
    `pattern` is a regular expression that has to be found in one of the texts of a row; with `literal`, it is what it
    is and means nothing else. Lengths include both ends and count in `unit`; `longest` 0 means no limit.
    """

    outcome: Outcome = "all"
    gold: tuple[str, ...] = ()
    predicted: tuple[str, ...] = ()
    pattern: str = ""
    literal: bool = False
    shortest: int = 0
    longest: int = 0
    unit: Unit = "characters"


@dataclass(frozen=True, eq=False)
class Page:
    """Some of the selected rows: their `places` in the table, the page's `number` from 1, of `pages`, `total` rows."""

    places: Integers
    number: int
    pages: int
    total: int


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row to be read; answers as `write_answer` writes them, `probabilities` by label, NaN where nothing is known.

    `tokens` is -1 where nobody counted.
    """

    place: int
    index: int
    texts: tuple[str, ...]
    gold: str
    predicted: str
    loss: float
    confidence: float
    margin: float
    residual: float
    correct: bool
    characters: int
    tokens: int
    probabilities: tuple[tuple[str, float], ...]


def select_rows(table: ErrorTable, chosen: Filter, *, among: Integers | None = None) -> Integers:
    """The places of the rows that pass a filter, in the order of the table.

    Args:
        table: N rows.
        chosen: what has to hold; labels that do not occur are passed by no row.
        among: only these places are looked at; all when None.

    Raises:
        InvalidInput: ``error.analysis.pattern`` (with ``reason``, as RE2 tells it), ``.long_pattern`` (with ``length``
            and ``limit``), ``.no_tokens`` (a length in tokens, and nobody counted them).
    """
    passing = np.ones(len(table), dtype=np.bool_)
    if chosen.outcome != "all":
        passing &= table.correct == (chosen.outcome == "right")
    if chosen.gold:
        passing &= _has_label(table, chosen.gold, table.gold_codes, table.gold_types)
    if chosen.predicted:
        passing &= _has_label(table, chosen.predicted, table.predicted_codes, table.predicted_types)
    if chosen.shortest > 0 or chosen.longest > 0:
        lengths = _lengths(table, chosen.unit)
        passing &= lengths >= chosen.shortest
        if chosen.longest > 0:
            passing &= lengths <= chosen.longest
    if chosen.pattern:
        passing &= match_pattern(table, chosen.pattern, literal=chosen.literal)
    if among is not None:
        inside = np.zeros(len(table), dtype=np.bool_)
        inside[among] = True
        passing &= inside
    return np.flatnonzero(passing)


def match_pattern(table: ErrorTable, pattern: str, *, literal: bool = False) -> Booleans:
    """Whether a regular expression, or a `literal` text, is found in any text of each row, (N,).

    Raises:
        InvalidInput: ``error.analysis.pattern``, ``error.analysis.long_pattern``.
    """
    import pyarrow
    import pyarrow.compute

    if len(pattern) > LONGEST_PATTERN:
        raise InvalidInput("error.analysis.long_pattern", length=len(pattern), limit=LONGEST_PATTERN)
    found = np.zeros(len(table), dtype=np.bool_)
    compute: Any = pyarrow.compute
    try:
        for texts in table.searchable:
            match = compute.match_substring if literal else compute.match_substring_regex
            found |= match(texts, pattern).to_numpy(zero_copy_only=False)
    except (pyarrow.ArrowInvalid, UnicodeEncodeError) as error:
        reason = str(error).removeprefix("Invalid regular expression: ")
        raise InvalidInput("error.analysis.pattern", reason=reason[:120]) from None
    return found


def sort_rows(table: ErrorTable, places: Integers, *, by: Order = "loss", descending: bool = True) -> Integers:
    """Places sorted by a column; equals in the order in which they come, and what is not known last either way.

    Residuals are sorted by their size, whatever their sign.

    Raises:
        InvalidInput: ``error.analysis.no_tokens``.
    """
    values = _column(table, by)[places]
    known = ~np.isnan(values)
    order = np.argsort(-values[known] if descending else values[known], kind="stable")
    return np.concatenate([places[known][order], places[~known]])


def page_rows(places: Integers, *, number: int = 1, size: int = 50) -> Page:
    """One page of some rows; a number out of range becomes the nearest page there is, also when there are no rows."""
    size = max(size, 1)
    pages = max(-(-len(places) // size), 1)
    number = min(max(number, 1), pages)
    return Page(places[(number - 1) * size : number * size], number, pages, len(places))


def read_rows(table: ErrorTable, places: Sequence[int] | Integers) -> tuple[TableRow, ...]:
    """Rows as values to be read one by one."""
    return tuple(
        TableRow(
            place=int(place),
            index=int(table.index[place]),
            texts=table.texts[place],
            gold=write_answer(table.gold[place]),
            predicted=write_answer(table.predicted[place]),
            loss=float(table.loss[place]),
            confidence=float(table.confidence[place]),
            margin=float(table.margin[place]),
            residual=float(table.residual[place]),
            correct=bool(table.correct[place]),
            characters=int(table.characters[place]),
            tokens=-1 if table.tokens is None else int(table.tokens[place]),
            probabilities=tuple(zip(table.labels, table.probabilities[place].tolist(), strict=True)),
        )
        for place in places
    )


def _has_label(
    table: ErrorTable, wanted: tuple[str, ...], codes: Integers, types: tuple[frozenset[str], ...]
) -> Booleans:
    if table.kind == "entities":
        names = frozenset(wanted)
        return np.fromiter((not names.isdisjoint(own) for own in types), dtype=np.bool_, count=len(table))
    return np.isin(codes, [code for code, label in enumerate(table.labels) if label in wanted])


def _lengths(table: ErrorTable, unit: Unit) -> Integers:
    if unit == "characters":
        return table.characters
    if table.tokens is None:
        raise InvalidInput("error.analysis.no_tokens")
    return table.tokens


def _column(table: ErrorTable, by: Order) -> Floats:
    match by:
        case "place":
            return np.arange(len(table), dtype=np.float64)
        case "index":
            return table.index.astype(np.float64)
        case "loss":
            return table.loss
        case "confidence":
            return table.confidence
        case "margin":
            return table.margin
        case "residual":
            return np.abs(table.residual)
        case "characters" | "tokens":
            return _lengths(table, by).astype(np.float64)
