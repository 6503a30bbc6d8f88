"""What is taken away says what the page says: its numbers, counted again from the exported rows alone."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest

from core.analysis.browsing import SURE, browse, sum_up
from core.analysis.bundle import MARK, ROWS, gather, list_parts, write_bundle, write_notebook, write_rows
from core.analysis.calibration import measure_reliability
from core.analysis.confusion import count_confusion
from core.analysis.selection import Filter, Order
from core.analysis.sources import open_source
from core.analysis.storage import Opened
from core.analysis.tags import Tags
from core.analysis.uploads import read_upload
from core.data.files import read_file
from core.i18n import LOCALES, words
from core.jobs import finish
from tests.analysis.tables import label_table, tagged_table

SOURCES = ("sentiment", "inference", "similarity", "choice", "tagging")
TAGS = Tags().give("皮肉", [0, 3, 5]).give('"=1+1', [3])
WORDS = {locale: words(locale) for locale in LOCALES}


def count_again(folder: Path, opened: Opened) -> dict[str, object]:
    """What the notebook's cells find, run one after the other beside the CSV file."""
    document = nbformat.from_dict(write_notebook(opened.table, words("ja")))
    nbformat.validate(document)
    cells = [cell.source for cell in document.cells if cell.cell_type == "code"]
    script = "\n".join([*cells, "print(json.dumps(result))"])
    run = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


@pytest.mark.parametrize("source", SOURCES)
def test_the_notebook_counts_what_the_page_shows(source: str, tmp_path: Path) -> None:
    opened = open_source(source)
    finish(write_bundle(opened, TAGS, WORDS, tmp_path / "taken"))
    told, shown = count_again(tmp_path / "taken", opened), browse(opened, Filter()).overview
    assert (told["rows"], told["right"]) == (shown.rows, shown.right)
    assert told["accuracy"] == pytest.approx(shown.accuracy, abs=1e-4)
    assert told["tags"] == {"皮肉": 3, '"=1+1': 1}
    match opened.table.kind:
        case "label":
            assert shown.confusion is not None
            assert told["matrix"] == shown.confusion.counts.tolist()
        case "number":
            assert shown.residuals is not None
            for name in ("mae", "pearson", "spearman"):
                assert told[name] == pytest.approx(getattr(shown.residuals, name), abs=1e-4)
        case "choice":
            assert told["gold_places"] == [one.gold for one in shown.places]
            assert told["predicted_places"] == [one.predicted for one in shown.places]
        case _:
            assert shown.entities is not None
            assert told["f1"] == pytest.approx(shown.entities.f1, abs=1e-4)
    if opened.table.kind in ("label", "choice"):
        assert told["sure_errors"] == shown.sure_errors
        assert told["ece"] == pytest.approx(measure_reliability(opened.table).ece, abs=1e-4)
    order: Order = "residual" if opened.table.kind == "number" else "loss"
    first = [one.row for one in browse(opened, Filter(), order=order).rows[:10]]
    worst = told["worst"]
    assert isinstance(worst, list)
    assert [row[0] for row in worst] == [one.index for one in first]
    assert [row[1] for row in worst] == [one.gold for one in first]
    assert [row[3] for row in worst] == pytest.approx([getattr(one, order) for one in first], abs=1e-3)


@pytest.mark.parametrize("source", SOURCES)
def test_the_rows_read_back_are_the_same_table(source: str, tmp_path: Path) -> None:
    opened = open_source(source)
    path = tmp_path / ROWS
    path.write_text(write_rows(opened, TAGS, Filter(), order="index", descending=False), encoding="utf-8", newline="")
    again = read_upload(read_file(str(path)), task=opened.table.task, labels=opened.table.labels).table
    before, after = sum_up(opened.table), sum_up(again)
    assert (after.rows, after.right, after.sure_errors) == (before.rows, before.right, before.sure_errors)
    assert after.mean_loss == pytest.approx(before.mean_loss)
    np.testing.assert_array_equal(again.index, opened.table.index)
    if opened.table.kind == "label":
        assert (count_confusion(again).counts == count_confusion(opened.table).counts).all()
        assert measure_reliability(again).ece == pytest.approx(measure_reliability(opened.table).ece)


def test_the_rows_of_a_filter_come_in_the_order_of_the_page() -> None:
    opened = open_source("sentiment")
    chosen = Filter(outcome="wrong", gold=("negative",))
    text = write_rows(opened, TAGS, chosen, order="confidence", descending=True)
    assert text.startswith(MARK)
    rows = list(csv.DictReader(io.StringIO(text.removeprefix(MARK))))
    shown = browse(opened, chosen, order="confidence", size=1_000)
    assert [int(row["index"]) for row in rows] == [one.row.index for one in shown.rows]
    assert len(rows) == shown.total
    sure = sum(float(row["confidence"]) >= SURE for row in rows)
    assert 0 < sure == sum(one.row.confidence >= SURE for one in shown.rows)


def test_a_bundle_is_there_only_when_it_is_whole(tmp_path: Path) -> None:
    opened = open_source("sentiment")
    folder = tmp_path / "taken"
    finish(write_bundle(opened, Tags(), WORDS, folder))
    before = list_parts(folder, "ja")["report.md"].read_text(encoding="utf-8")
    assert "皮肉" not in before
    work = write_bundle(opened, TAGS, WORDS, folder)
    next(work)
    assert list_parts(folder, "ja") == {}
    finish(work)
    for locale in LOCALES:
        report = list_parts(folder, locale)["report.md"].read_text(encoding="utf-8")
        assert report.startswith(f"# {words(locale)['analysis.report.title']}")
        assert "皮肉" in report
        assert "0.6300" in report  # the accuracy
        assert words(locale)["model.sentiment"] in report
        assert words(locale)["slices.column.tone"] in report


def test_a_report_of_entities_and_of_rows_without_probabilities_leaves_out_what_nobody_knows() -> None:
    for table in (tagged_table([("東京", [], [])]), label_table([("良い", "a", "a"), ("悪い", "b", "a")])):
        findings = gather(Opened(table, "t"), Tags())
        assert findings.calibration is None
        assert findings.label_errors is None
        assert findings.confusion is not None
