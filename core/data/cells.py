"""Cells of a row as the values that tasks read, or a reason why they cannot be used.

Files disagree about types: a label may come as ``1``, ``1.0`` or ``"1"``, a list as JSON inside a string.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from core.errors import InvalidInput

LONGEST_CELL = 1_000_000  # characters; a cell beyond this is a broken file, not a text


def read_text(row: Mapping[str, Any], column: str, *, required: bool = True) -> str:
    """The text in a cell, as it stands; a number becomes its digits.

    Raises:
        InvalidInput: ``error.data.empty_cell``, ``error.data.not_text``, ``error.data.long_cell``,
            ``error.data.surrogate`` (bytes that are no text), each with ``column``.
    """
    value = row.get(column)
    return _check_text(value if isinstance(value, str) else _plain(value), column, required=required)


def _check_text(value: Any, column: str, *, required: bool = True) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = _digits(value)
    if value is None or (isinstance(value, str) and not value.strip()):
        if not required:
            return ""
        raise InvalidInput("error.data.empty_cell", column=column)
    if not isinstance(value, str):
        raise InvalidInput("error.data.not_text", column=column)
    if len(value) > LONGEST_CELL:
        raise InvalidInput("error.data.long_cell", column=column, length=len(value), limit=LONGEST_CELL)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidInput("error.data.surrogate", column=column) from None
    return value


def read_label(row: Mapping[str, Any], column: str = "label") -> str:
    """The label in a cell, without the white space around it; ``1.0`` is the label ``1``.

    Raises:
        InvalidInput: as `read_text`.
    """
    value = row.get(column)
    if not isinstance(value, str):
        value = _plain(value)
        return _check_text(str(value).lower() if isinstance(value, bool) else value, column).strip()
    label = value.strip()
    if label.endswith(".0") and label[:-2].lstrip("-").isdecimal():
        return label[:-2]
    return _check_text(value, column).strip()


def read_number(row: Mapping[str, Any], column: str) -> float:
    """The finite number in a cell.

    Raises:
        InvalidInput: ``error.data.empty_cell``, ``error.data.not_number`` with ``column`` and ``value``.
    """
    value = _plain(row.get(column))
    if value is None or value == "":
        raise InvalidInput("error.data.empty_cell", column=column)
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):  # a whole number of hundreds of digits is no float
        number = math.nan
    if not math.isfinite(number):
        raise InvalidInput("error.data.not_number", column=column, value=str(value)[:40])
    return number


def read_list(row: Mapping[str, Any], column: str, *, required: bool = True) -> list[Any]:
    """The list in a cell, also when it is written as JSON inside a string (a CSV file has no other way).

    Raises:
        InvalidInput: ``error.data.empty_cell``, ``error.data.not_list``, ``error.data.long_cell`` with ``column``.
    """
    value = _plain(row.get(column))
    if value is None or value == "":
        if not required:
            return []
        raise InvalidInput("error.data.empty_cell", column=column)
    if isinstance(value, str):
        if len(value) > LONGEST_CELL:
            raise InvalidInput("error.data.long_cell", column=column, length=len(value), limit=LONGEST_CELL)
        try:
            value = json.loads(value)
        except ValueError:
            raise InvalidInput("error.data.not_list", column=column) from None
    if not isinstance(value, list | tuple):
        raise InvalidInput("error.data.not_list", column=column)
    return list(value)


def _plain(value: Any) -> Any:
    """A value without the coats that table libraries put on it; a missing number is None."""
    if hasattr(value, "tolist"):  # numpy
        value = value.tolist()
    return None if isinstance(value, float) and math.isnan(value) else value


def _digits(value: float) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
