"""Files of predictions: odd names, broken rows, every kind of answer; what is exported comes back the same."""

from __future__ import annotations

import csv
import io
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.analysis.browsing import browse
from core.analysis.confusion import score_classes
from core.analysis.report import WORDS, Findings, write_csv, write_report
from core.analysis.selection import Filter, select_rows
from core.analysis.sources import keep, new_name, open_source, warm_up
from core.analysis.storage import Opened
from core.analysis.table import ErrorTable, write_answer
from core.analysis.tags import Tags
from core.analysis.uploads import guess_task, list_fields, match_columns, propose_columns, read_upload
from core.data.examples import EntitySpan
from core.data.files import read_file
from core.data.rows import Row, Table, make_table
from core.errors import InvalidInput
from core.i18n import LOCALES, words
from tests.analysis.tables import (
    binary_table,
    choice_table,
    drawn_table,
    label_table,
    number_table,
    pair_table,
    tagged_table,
)


def made(*rows: dict[str, Any]) -> Table:
    return make_table("file.csv", [Row(line, values) for line, values in enumerate(rows, start=2)])


def written(tmp_path: Path, text: str, name: str = "file.csv") -> Table:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8", newline="")
    return read_file(str(path))


def test_the_books_columns_are_found_by_their_names(tmp_path: Path) -> None:
    # What the book's notebook collects (5.3.1), with the text beside it.
    source = written(
        tmp_path,
        "example_id,pred_prob,pred_label,true_label,sentence\n7,0.9,positive,negative,星四つ\n9,0.8,negative,negative,だめ\n",
    )
    assert guess_task(source) == "classification"
    assert match_columns(source, "classification") == {
        "text": "sentence",
        "gold": "true_label",
        "predicted": "pred_label",
        "confidence": "pred_prob",
        "index": "example_id",
    }
    upload = read_upload(source, task="classification")
    assert upload.table.index.tolist() == [7, 9]
    assert upload.table.correct.tolist() == [False, True]
    # Of two labels, one probability tells the other.
    assert upload.table.probabilities == pytest.approx(np.array([[0.9, 0.1], [0.2, 0.8]]))
    assert upload.table.loss == pytest.approx([-math.log(0.1), -math.log(0.8)])
    assert upload.broken == ()


def test_odd_names_are_mapped_and_other_columns_kept(tmp_path: Path) -> None:
    source = written(tmp_path, "ID番号;レビュー内容;せいかい;こたえ;店\nA1;よい;1;1.0;東\nA2;わるい;0;1;西\n")
    with pytest.raises(InvalidInput, match=r"error\.data\.missing_column"):
        read_upload(source, task="classification")
    mapping = {"text": "レビュー内容", "gold": "せいかい", "predicted": "こたえ", "loss": ""}
    upload = read_upload(source, task="classification", columns=mapping)
    assert upload.table.labels == ("0", "1")
    assert upload.table.correct.tolist() == [True, False]
    assert {name: values.tolist() for name, values in upload.table.columns.items()} == {
        "ID番号": ["A1", "A2"],
        "店": ["東", "西"],
    }
    assert np.isnan(upload.table.loss).all()
    with pytest.raises(InvalidInput, match=r"error\.data\.missing_column"):
        read_upload(source, task="classification", columns=mapping | {"gold": "ない"})


def test_broken_rows_are_told_with_line_and_reason_and_none_is_lost(tmp_path: Path) -> None:
    lines = ["text,gold,predicted,confidence,probability.a,probability.b"]
    lines += [f"文{n},a,b,0.6,0.4,0.6" for n in range(95)]
    lines[10] = ",a,b,0.6,0.4,0.6"
    lines[20] = "文,,b,0.6,0.4,0.6"
    lines[30] = "文,a,b,1.6,0.4,0.6"
    lines[40] = "文,a,b,0.6,4.2,-3.1"
    lines[50] = "文,a,b,0.6,0.9,0.9"
    upload = read_upload(written(tmp_path, "\n".join(lines) + "\n"), task="classification")
    told = [(row.line, row.key, row.params.get("column")) for row in upload.broken]
    assert told == [
        (11, "error.data.empty_cell", "text"),
        (21, "error.data.empty_cell", "gold"),
        (31, "error.analysis.probability", "confidence"),
        (41, "error.analysis.probability", "probability.a"),
        (51, "error.analysis.probability_sum", None),
    ]
    assert len(upload.table) + len(upload.broken) == 95


def test_nothing_left_is_an_error_with_its_first_cause() -> None:
    with pytest.raises(InvalidInput, match=r"error\.data\.all_broken") as caught:
        read_upload(made({"text": "", "gold": "a", "predicted": "a"}), task="classification")
    assert isinstance(caught.value.__cause__, InvalidInput)
    assert caught.value.__cause__.key == "error.data.empty_cell"
    with pytest.raises(InvalidInput, match=r"error\.analysis\.task"):
        read_upload(made({"text": "a"}), task="headline")


def test_scores_in_one_column() -> None:
    source = made(
        {"text": "零", "gold": "a", "predicted": "b", "scores": {"a": 0.3, "b": 0.7}},
        {"text": "一", "gold": "a", "predicted": "a", "scores": '{"a": 0.8, "b": 0.2}'},
        {"text": "二", "gold": "a", "predicted": "a", "scores": "{"},
    )
    upload = read_upload(source, task="classification")
    assert upload.table.probabilities == pytest.approx(np.array([[0.3, 0.7], [0.8, 0.2]]))
    assert [row.key for row in upload.broken] == ["error.analysis.probability"]


def test_every_kind_is_guessed_and_read() -> None:
    pairs = made({"sentence1": "犬", "sentence2": "猫", "label": "neutral", "prediction": "entailment"})
    assert guess_task(pairs) == "pair-classification"
    assert read_upload(pairs, task="pair-classification").table.texts == (("犬", "猫"),)
    scored = made({"sentence1": "犬", "sentence2": "猫", "label": 3.5, "predicted": "2.0"})
    assert guess_task(scored) == "similarity"
    assert read_upload(scored, task="similarity").table.loss.tolist() == [2.25]
    choices = made({"question": "空?", "choice0": "青", "choice1": "赤", "label": "0", "predicted": "赤"})
    assert guess_task(choices) == "multiple-choice"
    read = read_upload(choices, task="multiple-choice").table
    assert (read.texts, read.gold.tolist(), read.predicted.tolist()) == ((("空?", "青", "赤"),), [0], [1])
    assert not read.columns
    tagged = made(
        {
            "text": "太郎が来た",
            "gold": [[0, 2, "人名"]],
            "predicted": '[{"start": 0, "end": 3, "label": "人名"}]',
        },
        {"text": "太郎", "gold": [[0, 9, "人名"]], "predicted": ""},
        {"text": "花子", "gold": [], "predicted": [{"span": [0, 2], "type": "人名", "name": "花子"}]},
    )
    assert guess_task(tagged) == "tagging"
    upload = read_upload(tagged, task="tagging")
    assert upload.table.predicted.tolist() == [(EntitySpan(0, 3, "人名"),), (EntitySpan(0, 2, "人名"),)]
    assert [(row.line, row.key) for row in upload.broken] == [(3, "error.tagging.span")]


def test_fields_name_what_is_needed() -> None:
    assert list_fields("multiple-choice")[:4] == (
        ("question", True),
        ("choices", True),
        ("gold", True),
        ("predicted", True),
    )
    assert ("confidence", False) in list_fields("tagging-crf")


def assert_same(one: ErrorTable, other: ErrorTable) -> None:
    assert (one.task, one.labels, one.texts) == (other.task, other.labels, other.texts)
    for name in ("index", "gold", "predicted", "gold_codes", "predicted_codes", "correct", "characters"):
        assert getattr(one, name).tolist() == getattr(other, name).tolist(), name
    for name in ("loss", "confidence", "margin", "residual", "probabilities"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert {k: v.tolist() for k, v in one.columns.items()} == {k: v.tolist() for k, v in other.columns.items()}


TEXTS = ["=1+1", 'カンマ,と"引用符"', "改行\nの文", "-|*_#", "🍣", " 前後 "]
TABLES = [
    drawn_table(60),
    binary_table(["positive", "negative"] * 3, [0.9, 0.8, 0.7, 0.5, 1e-17, 1 / 3], texts=TEXTS),
    label_table([("零", "a", "b"), ("一", "a", "a"), ("二", "b", "c")], columns={"店": ["東", "", "西"]}),
    pair_table([("犬", "猫", "neutral", "entailment"), ("鳥", "魚", "neutral", "neutral")]),
    number_table([1.0, 0.1 + 0.2], [1 / 3, 4.0]),
    choice_table([(("a", "b"), 1, (0.3, 0.7)), (('x"', "y,", "[z]"), 0, (0.2, 0.3, 0.5))]),
    tagged_table([("太郎が東京へ", [(0, 2, "PERSON")], []), ("東京", [], [(0, 2, "PLACE")])]),
]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.task)
def test_an_exported_table_comes_back_the_same(table: ErrorTable, tmp_path: Path) -> None:
    source = written(tmp_path, write_csv(table))
    assert guess_task(source) == table.task
    upload = read_upload(source, task=table.task)
    assert upload.broken == ()
    assert_same(table, upload.table)


@given(
    st.lists(
        st.tuples(st.text(min_size=1, max_size=8).filter(str.strip), st.sampled_from("ab")), min_size=1, max_size=6
    )
)
@settings(deadline=None, max_examples=40)
def test_whatever_stands_in_a_text_is_exported(rows: list[tuple[str, str]]) -> None:
    table = label_table([(text, gold, "a") for text, gold in rows])
    read = list(csv.DictReader(io.StringIO(write_csv(table), newline="")))
    assert [row["text"] for row in read] == [text for text, _ in rows]
    assert [row["gold"] for row in read] == [gold for _, gold in rows]


def test_numbers_recomputed_from_the_export_are_those_of_the_page() -> None:
    table = drawn_table(200)
    rows = list(csv.DictReader(io.StringIO(write_csv(table))))
    assert len(rows) == 200
    right = sum(row["correct"] == "true" for row in rows)
    assert right == sum(row["gold"] == row["predicted"] for row in rows)
    assert right / 200 == score_classes(table).accuracy
    assert np.mean([float(row["loss"]) for row in rows]) == table.loss.mean()
    for row in rows:
        assert float(row["confidence"]) == max(float(row[f"probability.{label}"]) for label in table.labels)


def test_some_rows_and_their_tags() -> None:
    table = label_table([("零", "a", "b"), ("一", "a", "a")])
    wrong = select_rows(table, Filter(outcome="wrong"))
    (row,) = csv.DictReader(
        io.StringIO(write_csv(table, places=wrong, tags=Tags().give("皮肉", [0]).give("否定", [0])))
    )
    assert json.loads(row["tags"]) == ["否定", "皮肉"]
    assert (row["loss"], row["confidence"]) == ("", "")


def full_findings(table: ErrorTable) -> Findings:
    from core.analysis.calibration import measure_reliability
    from core.analysis.comparison import compare_tables
    from core.analysis.confusion import count_confusion
    from core.analysis.contrast import contrast_terms
    from core.analysis.label_errors import find_label_errors
    from core.analysis.probes import probe_prior
    from core.analysis.shortcuts import find_skewed_terms
    from core.analysis.slices import score_slices, slice_by_gold
    from core.analysis.terms import count_terms, split_texts
    from core.jobs import finish

    counts = count_terms(finish(split_texts([texts[0] for texts in table.texts], unit="characters")))
    wrong, right = np.flatnonzero(~table.correct), np.flatnonzero(table.correct)
    return Findings(
        confusion=count_confusion(table),
        classes=score_classes(table),
        tags=Tags().give("皮肉|x", [int(table.index[wrong[0]])]),
        slices=score_slices(table, slice_by_gold(table), metric="accuracy"),
        probes=[probe_prior(table)],
        shortcuts=find_skewed_terms(table, counts, least_rows=1).terms[:3],
        contrast=contrast_terms(counts, wrong, right)[:3],
        label_errors=find_label_errors(table, origin="training"),
        calibration=measure_reliability(table),
        comparison=compare_tables(table, table),
        examples=wrong[:3],
    )


@pytest.mark.parametrize("locale", LOCALES)
def test_a_report_in_both_languages(locale: Any) -> None:
    texts = ["<b>|`星`|\n# 見出し", *(f"文{n}" for n in range(1, 120))]
    table = drawn_table(120, texts=texts)
    findings = full_findings(table)
    report = write_report(table, findings, words(locale))
    headings = [line[3:] for line in report.splitlines() if line.startswith("## ")]
    named = ("confusion", "classes", "tags", "slices", "probes", "shortcuts", "contrast", "label_errors", "calibration")
    wanted = [words(locale)[f"analysis.report.{name}"] for name in (*named, "comparison", "examples")]
    assert headings == [heading for heading in wanted if heading in headings]
    assert set(wanted) - set(headings) <= {words(locale)["analysis.report.shortcuts"]}
    assert words(locale)["analysis.report.in_sample"] in report
    assert f"| 120 | {table.correct.sum()} | {(~table.correct).sum()} | {table.correct.mean():.4f} |" in report
    blocks = [block.splitlines() for block in report.split("\n\n") if block.startswith("|")]
    for block in blocks:  # every line of a table has as many cells as its header
        assert len({line.replace("\\|", "").count("|") for line in block}) == 1
    assert "皮肉\\|x" in report
    assert "<b>" not in report.replace("\\<b\\>", "")


def test_a_report_of_numbers_leaves_out_what_is_not_there() -> None:
    from core.analysis.residuals import measure_residuals

    table = number_table([1.0, 2.0], [1.5, 4.0])
    report = write_report(table, Findings(residuals=measure_residuals(table)), words("en"))
    assert report.count("## ") == 1
    assert "| 1.2500 | 1.2500 |" in report
    with pytest.raises(KeyError):
        write_report(table, Findings(), {})


def test_names_of_slices_may_be_translated() -> None:
    from core.analysis.slices import SliceScore

    table = label_table([("零", "a", "b")])
    catalogue = {key: key for key in WORDS} | {"analysis.slice.gold": "by gold"}
    report = write_report(table, Findings(slices=[SliceScore("gold", "a", 1, 0.0, 0.0, 0.8)]), catalogue)
    assert "| by gold | a | 1 | 0.0000 | 0.0000–0.8000 |" in report
    assert write_answer(table.gold[0]) == "a"


def test_odd_names_are_told_by_what_stands_below_them() -> None:
    rows = [
        {
            "番": str(n),
            "感想": f"とても良い店だった {n}",
            "答": "good",
            "機械": "bad" if n % 3 else "good",
            "都市": "東京",
        }
        for n in range(30)
    ]
    rows[0]["答"] = "bad"
    source = make_table("odd.csv", [Row(n + 2, row) for n, row in enumerate(rows)])
    assert match_columns(source, "classification") == {}
    assert propose_columns(source, "classification") == {"text": "感想", "gold": "答", "predicted": "機械"}
    named = make_table(
        "half.csv", [Row(row.line, dict(row.values) | {"label": row.values["答"]}) for row in source.rows]
    )
    assert propose_columns(named, "classification")["gold"] == "label"


def test_fifty_thousand_rows_take_two_seconds_at_most_of_a_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the file to the first page of the table; what others do on this machine does not count."""
    monkeypatch.setenv("LAB_WORKSPACE", str(tmp_path))
    path = tmp_path / "many.csv"
    lines = (f"{n}番目の店は良かった。,{'ab'[n % 2]},{'ab'[n % 3 % 2]},0.7" for n in range(50_000))
    path.write_text("\n".join(["text,label,predicted,confidence", *lines]), encoding="utf-8")
    workspace, name = tmp_path / ("a" * 32), new_name("many.csv")
    workspace.mkdir()
    warm_up()
    started = time.process_time()
    read = read_upload(read_file(str(path)), task="classification")
    keep(workspace, name, Opened(read.table, "many.csv"))
    assert browse(open_source(name), Filter()).total == 50_000
    assert time.process_time() - started < 2
    started = time.process_time()
    assert 0 < browse(open_source(name), Filter(outcome="wrong", pattern="9番")).total < 50_000
    assert time.process_time() - started < 0.3


def test_columns_that_hold_nothing_alike_are_not_taken_for_answers() -> None:
    source = make_table("t.csv", [Row(n, {"a": f"文{n}", "b": str(n)}) for n in range(100)])
    assert propose_columns(source, "classification") == {"text": "a"}
