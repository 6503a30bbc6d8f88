"""Columns of files that people bring: by name, else by what they hold, and never silently."""

from __future__ import annotations

from typing import Any

import pytest

from core.data.mapping import guess_task, list_columns, match_columns
from core.data.rows import Row, Table, make_table


def table(*rows: dict[str, Any]) -> Table:
    return make_table("file", [Row(number, row) for number, row in enumerate(rows, start=1)])


@pytest.mark.parametrize(
    ("row", "task"),
    [
        ({"text": "よい", "label": "a"}, "classification"),
        ({"感想": "よい", "評価": "a"}, "classification"),
        ({"sentence1": "a", "sentence2": "b", "label": "neutral"}, "pair-classification"),
        ({"premise": "a", "hypothesis": "b", "label": "2"}, "similarity"),
        ({"sentence1": "a", "sentence2": "b", "score": 3.5}, "similarity"),
        ({"question": "何？", "choice0": "a", "choice1": "b", "label": 0}, "multiple-choice"),
        ({"question": "何？", "choices": '["a", "b"]', "label": 0}, "multiple-choice"),
        ({"text": "奈良", "entities": "[]"}, "tagging"),
        ({"question": "どこ？", "context": "奈良", "answers": '["奈良"]'}, "reading"),
        ({"headline": "晴れ", "body": "よく晴れた。"}, "headline"),
    ],
)
def test_a_task_is_guessed_and_its_names_are_found(row: dict[str, Any], task: str) -> None:
    read = table(row)
    assert guess_task(read) == task
    found, sure = match_columns(read, task)
    assert tuple(found) == list_columns(task)
    assert sure == ("感想" not in row)


def test_odd_names_are_told_apart_by_what_they_hold() -> None:
    rows = [
        {"番号": n, "評価": "良悪"[n % 2], "感想": f"{n}番目の店はとても良かった。", "星": n % 5} for n in range(30)
    ]
    assert match_columns(table(*rows), "classification") == ({"text": "感想", "label": "評価"}, False)
    pairs = [{"甲": f"犬が{n}匹", "乙": f"猫が{n}匹", "近さ": n / 7} for n in range(30)]
    assert match_columns(table(*pairs), "similarity") == (
        {"sentence1": "甲", "sentence2": "乙", "score": "近さ"},
        False,
    )


def test_what_is_nowhere_is_left_open() -> None:
    rows = [{"本文": f"{n}番目の文です。", "番号": n} for n in range(30)]  # no column has few values
    assert match_columns(table(*rows), "classification") == ({"text": "本文", "label": ""}, False)
    assert match_columns(table({"a": "x"}), "pair-classification")[0] == {
        "sentence1": "a",
        "sentence2": "",
        "label": "",
    }
