"""Which column of a file is probably what: by its name, and where no name tells, by what stands in it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from core.data.benchmarks import TASKS
from core.data.rows import Table
from core.data.shapes import ALIASES
from core.tasks.registry import find_task

OFFERED = tuple(TASKS.values())  # the tasks that a file may hold data for
MOST_LABELS = 50  # different values of a column that may be taken for labels
_PEEKED = 200  # rows that are looked at
_NUMBERED_CHOICE = re.compile(r"choice_?(\d+)")
# What people call columns besides the names of well-known data sets.
_FURTHER: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "text": ("text", "review", "本文", "テキスト", "文"),
        "label": ("target", "y", "ラベル", "正解", "分類"),
        "sentence1": ("text1", "文1", "前提"),
        "sentence2": ("text2", "文2", "仮説"),
        "score": ("類似度", "点数"),
        "question": ("問題", "質問"),
        "choices": ("選択肢",),
        "entities": ("spans", "固有表現"),
        "headline": ("見出し",),
        "body": ("記事", "本文"),
        "context": ("文章",),
        "answers": ("答え", "解答"),
    }
)


def list_columns(task: str) -> tuple[str, ...]:
    """The columns that a file for this task has to have."""
    return tuple(column.name for column in find_task(task).columns if column.required)


def guess_task(table: Table) -> str:
    """The task that the columns of a file look like; what is left is text classification."""
    names = _map_names(table.columns, ("choices", "entities", "sentence1", "sentence2", "score", "label"))
    if "choices" in names or any(_NUMBERED_CHOICE.fullmatch(name) for name in table.columns):
        return "multiple-choice"
    if "entities" in names:
        return "tagging"
    if {"sentence1", "sentence2"} <= names.keys():
        told = _cells(table, names.get("score") or names.get("label", ""))
        return "similarity" if told and all(map(_is_number, told)) else "pair-classification"
    if {"question", "context"} <= _map_names(table.columns, ("question", "context")).keys():
        return "reading"
    if {"headline", "body"} <= set(table.columns):
        return "headline"
    return "classification"


def match_columns(table: Table, task: str) -> tuple[dict[str, str], bool]:
    """A column for each that is required, '' where none looks like it, and whether the names alone say so.

    Of what no name tells, texts are the longest columns, labels the column with the fewest different values, numbers
    the first column of numbers. Whoever brought the file has to confirm it. Choices may stand in numbered columns.
    """
    columns = find_task(task).columns
    wanted = list_columns(task)
    named = _map_names(table.columns, wanted)
    numbered = any(_NUMBERED_CHOICE.fullmatch(name) for name in table.columns)
    sure = all(name in named or (name == "choices" and numbered) for name in wanted)
    found = dict(named)
    free = [name for name in table.columns if name not in found.values()]

    def take(name: str, column: str | None) -> None:
        if column is not None:
            found[name] = column
            free.remove(column)

    cells = {name: _cells(table, name) for name in table.columns}
    for column in columns:
        if column.name in found or not column.required:
            continue
        if column.kind == "number":
            take(column.name, next((name for name in free if cells[name] and all(map(_is_number, cells[name]))), None))
        elif column.kind == "label":
            few = [
                name for name in free if 1 < len(set(cells[name])) <= min(MOST_LABELS, max(len(cells[name]) // 2, 2))
            ]
            take(column.name, min(few, key=lambda name: len(set(cells[name])), default=None))
    texts = [
        column.name for column in columns if column.required and column.kind == "text" and column.name not in found
    ]
    longest = sorted(free, key=lambda name: -sum(map(len, set(cells[name]))))[: len(texts)]  # what repeats is no text
    for name, given in zip(texts, sorted(longest, key=table.columns.index), strict=False):
        take(name, given)
    return {name: found.get(name, "") for name in wanted}, sure


def _cells(table: Table, column: str) -> list[str]:
    values: list[Any] = [row.values.get(column) for row in table.rows[:_PEEKED]]
    return [str(value) for value in values if value not in (None, "")]


def _map_names(columns: Sequence[str], wanted: Sequence[str]) -> dict[str, str]:
    """Wanted names to those of a file, each at most once: exact names first, then likely ones in their order."""
    free = {name.strip().casefold(): name for name in reversed(columns)}
    found: dict[str, str] = {}
    for alternatives in (lambda name: (name,), lambda name: (*ALIASES.get(name, ()), *_FURTHER.get(name, ()))):
        for name in wanted:
            match = next((one for one in alternatives(name) if one.casefold() in free), None)
            if name not in found and match is not None:
                found[name] = free.pop(match.casefold())
    return {name: found[name] for name in wanted if name in found}


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True
