"""The overview and the page are what the parts say, whatever is filtered; a table outlives the disk."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from core.analysis.browsing import SURE, browse, sum_up
from core.analysis.selection import Filter, match_pattern, select_rows
from core.analysis.storage import Opened, read_opened, write_opened
from core.analysis.table import ErrorTable
from core.data.rows import BrokenRow
from core.errors import InvalidInput
from core.values import as_json
from tests.analysis.tables import binary_table, choice_table, drawn_table, label_table, number_table, tagged_table

LABELS = label_table(
    [
        ("電車が遅れた", "negative", {"positive": 0.9, "negative": 0.1}),
        ("電車は快適", "positive", {"positive": 0.7, "negative": 0.3}),
        ("バスが快適(楽)", "positive", {"positive": 0.2, "negative": 0.8}),
        ("歩いた", "negative", {"positive": 0.4, "negative": 0.6}),
    ],
    labels=("positive", "negative"),
)
NUMBERS = number_table([1.0, 2.0, 3.0, 4.0], [1.2, 2.0, 4.5, 1.0])
CHOICES = choice_table([(("a", "b"), 1, (0.1, 0.9)), (("c", "d"), 0, (0.4, 0.6))])
TAGGED = tagged_table(
    [
        ("東京の田中", [(0, 2, "地名"), (3, 5, "人名")], [(0, 2, "地名"), (3, 5, "地名")]),
        ("何もない", [], []),
        ("京都へ", [(0, 2, "地名")], []),
    ]
)


def test_the_overview_is_of_what_the_text_and_length_leave_and_the_rows_of_everything() -> None:
    found = browse(Opened(LABELS, "t"), Filter(pattern="電車|快適", gold=("positive",)))
    assert found.overview.confusion is not None
    assert found.overview.confusion.counts.tolist() == [[1, 1], [1, 0]]
    assert [one.row.place for one in found.rows] == [2, 1]
    assert (found.total, found.source.rows, found.overview.rows) == (2, 4, 3)


def test_errors_of_a_sure_model_are_counted() -> None:
    summed = sum_up(LABELS)
    wrong = [(0, 0.9), (2, 0.8)]
    assert summed.sure_errors == sum(confidence >= SURE for _, confidence in wrong)
    assert (summed.rows, summed.right, summed.accuracy) == (4, 2, 0.5)
    assert summed.mean_loss == pytest.approx(-np.log([0.1, 0.7, 0.2, 0.6]).mean())
    assert sum_up(LABELS, places=np.array([1, 3])).sure_errors == 0


def test_every_kind_has_its_own_overview() -> None:
    assert sum_up(NUMBERS).residuals is not None
    places = sum_up(CHOICES).places
    assert [(one.gold, one.predicted, one.right) for one in places] == [(1, 0, 0), (1, 2, 1)]
    tagged = sum_up(TAGGED)
    assert tagged.entities is not None
    assert tagged.faults is not None
    assert (tagged.entities.gold, tagged.entities.predicted, tagged.entities.right) == (3, 2, 1)
    assert tagged.entities.f1 == pytest.approx(2 / 5)
    assert (tagged.faults["type"], tagged.faults["missed"]) == (1, 1)


def test_the_f1_of_entities_is_that_of_seqeval() -> None:
    from seqeval.metrics import f1_score

    gold = [["B-L", "I-L", "O", "B-P", "I-P"], ["O"] * 4, ["B-L", "I-L", "O"]]
    said = [["B-L", "I-L", "O", "B-L", "I-L"], ["O"] * 4, ["O"] * 3]
    found = sum_up(TAGGED).entities
    assert found is not None
    assert found.f1 == pytest.approx(f1_score(gold, said))


@pytest.mark.parametrize("table", [LABELS, NUMBERS, CHOICES, TAGGED])
def test_no_row_at_all_is_an_answer_too(table: ErrorTable) -> None:
    found = browse(Opened(table, "t"), Filter(pattern="そんな言葉はない"))
    assert (found.total, found.rows, found.overview.rows, found.overview.confusion) == (0, (), 0, None)
    json.dumps(as_json(found))


def test_a_row_is_found_on_its_page() -> None:
    opened = Opened(drawn_table(95), "t")
    every = browse(opened, Filter(), size=95)
    last = every.rows[-1].row.place
    found = browse(opened, Filter(), size=20, page=0, row=last)
    assert (found.page, found.pages, found.opened) == (5, 5, last)
    assert browse(opened, Filter(), size=20, page=1, row=last).opened is None
    assert browse(opened, Filter(), size=20, page=0, row=1_000).page == 1


def test_labels_of_another_table_are_no_filter() -> None:
    assert browse(Opened(LABELS, "t"), Filter(gold=("entailment",), predicted=("nobody",))).total == 4


def test_a_literal_text_means_nothing_else() -> None:
    assert match_pattern(LABELS, "(楽)", literal=True).tolist() == [False, False, True, False]
    assert match_pattern(LABELS, "(", literal=True).sum() == 1
    assert select_rows(LABELS, Filter(pattern=".", literal=True)).tolist() == []
    with pytest.raises(InvalidInput):
        match_pattern(LABELS, "(")


@pytest.mark.parametrize("table", [LABELS, NUMBERS, CHOICES, TAGGED, binary_table(["positive"], [0.5])])
def test_what_is_stored_comes_back_whole(table: ErrorTable, tmp_path: Path) -> None:
    opened = Opened(
        table, "file.csv", "model", "held_out", (BrokenRow("", 3, "error.data.cells", {"cells": 1}),), {"text": "本文"}
    )
    write_opened(tmp_path / "t.json", opened)
    back = read_opened(tmp_path / "t.json")
    assert (back.data, back.model, back.origin, back.broken, dict(back.columns)) == (
        opened.data, opened.model, opened.origin, opened.broken, dict(opened.columns)
    )  # fmt: skip
    for name in ("task", "kind", "labels", "texts", "tolerance"):
        assert getattr(back.table, name) == getattr(table, name)
    for name in ("index", "gold_codes", "predicted_codes", "probabilities", "loss", "confidence", "margin", "correct"):
        np.testing.assert_array_equal(getattr(back.table, name), getattr(table, name))
    assert list(back.table.gold) == list(table.gold)
    assert list(back.table.predicted) == list(table.predicted)
    one, other = (browse(held, Filter()) for held in (opened, back))
    assert json.dumps(as_json(one)) == json.dumps(as_json(other))


def test_lone_surrogates_and_unknown_losses_survive_the_disk(tmp_path: Path) -> None:
    table = label_table([("文", "a", "b")], columns={"note": ["\ud800"]})
    write_opened(tmp_path / "t.json", Opened(table, "t"))
    back = read_opened(tmp_path / "t.json").table
    assert back.columns["note"][0] == "\ud800"
    assert math.isnan(back.loss[0])
