"""What a reader takes away of an analysis: the rows, a report, and a notebook that counts all of it from the rows."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from core.analysis.browsing import sum_up
from core.analysis.calibration import measure_reliability
from core.analysis.clues import find_clues
from core.analysis.doubts import LISTED
from core.analysis.label_errors import find_label_errors
from core.analysis.parts import cut_into_parts, list_ways
from core.analysis.report import Findings, write_csv, write_report
from core.analysis.selection import Filter, Order, select_rows, sort_rows
from core.analysis.sources import list_columns
from core.analysis.storage import Opened
from core.analysis.table import ErrorTable, Integers
from core.analysis.tags import Tags
from core.errors import InvalidInput

ROWS, REPORT, NOTEBOOK = "errors.csv", "report.md", "analysis.ipynb"
MARK = "\ufeff"  # tells a spreadsheet that what follows is UTF-8
EXAMPLES = 30  # rows quoted in a report


def write_rows(opened: Opened, tags: Tags, chosen: Filter, *, order: Order, descending: bool) -> str:
    """The rows that pass a filter, in order, as CSV with the tags of each.

    Raises:
        InvalidInput: as `core.analysis.selection.select_rows`.
    """
    places = sort_rows(opened.table, select_rows(opened.table, chosen), by=order, descending=descending)
    return MARK + write_csv(opened.table, places=places, tags=tags)


def summarize(opened: Opened, tags: Tags, words: Mapping[str, str]) -> str:
    """The report of a table in Markdown; what cannot be said of its kind of answers is left out.

    Args:
        opened: the table and where it is from.
        tags: what was given to its rows.
        words: the sentences of the visitor's language.
    """
    return write_report(opened.table, gather(opened, tags), words)


def bundle(opened: Opened, tags: Tags, words: Mapping[str, str]) -> bytes:
    """A ZIP file with all rows, the report, and the notebook that reads the rows."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(ROWS, MARK + write_csv(opened.table, tags=tags))
        archive.writestr(REPORT, summarize(opened, tags, words))
        archive.writestr(NOTEBOOK, json.dumps(write_notebook(opened, words), ensure_ascii=False, indent=1))
    return file.getvalue()


def gather(opened: Opened, tags: Tags) -> Findings:
    """Everything that is said in a report of a table."""
    table = opened.table
    summed, clues = sum_up(table), find_clues(opened)
    label_errors = calibration = None
    try:
        calibration = measure_reliability(table)
        if table.kind == "label":
            found = find_label_errors(table, origin=opened.origin)
            label_errors = type(found)(**{**vars(found), "suspects": found.suspects[:LISTED]})
    except InvalidInput as error:
        if error.key != "error.analysis.no_probabilities":
            raise
    ways = [way for way in list_ways(table.kind, list_columns(table.columns)) if way != ":word"]
    scores = [score for way in ways for score in cut_into_parts(opened, by=way).scores]
    return Findings(
        confusion=summed.confusion,
        classes=summed.classes,
        residuals=summed.residuals,
        tags=tags,
        slices=scores,
        probes=clues.probes,
        shortcuts=clues.skewed.terms if clues.skewed else (),
        contrast=(*clues.errors[:10], *clues.others[:10]),
        label_errors=label_errors,
        calibration=calibration,
        examples=_choose_examples(table, tags),
    )


def _choose_examples(table: ErrorTable, tags: Tags) -> Integers:
    """The rows that were tagged, else the worst; at most so many."""
    tagged = np.flatnonzero(np.isin(table.index, list(tags.marks)))
    if len(tagged):
        return tagged[:EXAMPLES]
    by: Order = "residual" if table.kind == "number" else "loss"
    return sort_rows(table, np.flatnonzero(~table.correct), by=by)[:EXAMPLES]


def write_notebook(opened: Opened, words: Mapping[str, str]) -> dict[str, Any]:
    """A notebook (nbformat 4.5) that needs the CSV file beside it and no network."""
    table = opened.table
    told = f"# 5.3 {words['analysis.report.title']}\n\n{words['analysis.bundle.told']}"
    count = {"label": _LABELS, "number": _NUMBERS, "choice": _CHOICES, "entities": _ENTITIES}[table.kind]
    cells = [
        {"cell_type": "markdown", "id": "heading", "metadata": {}, "source": told},
        _code("read", _READ),
        _code("count", count.replace("LABELS", repr(list(table.labels)))),
        _code("tags", _TAGS),
        _code("worst", _WORST.replace("VALUE", "residual" if table.kind == "number" else "loss")),
        _code("result", "result"),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": cells}


def _code(identity: str, source: str) -> dict[str, Any]:
    return {
        "cell_type": "code", "id": identity, "metadata": {}, "source": source.strip(), "outputs": [],
        "execution_count": None,
    }  # fmt: skip


_READ = f"""
import csv
import json
from collections import Counter

with open({ROWS!r}, encoding="utf-8-sig", newline="") as file:
    rows = list(csv.DictReader(file))
result = {{"rows": len(rows), "right": sum(row["correct"] == "true" for row in rows)}}
result["accuracy"] = round(result["right"] / len(rows), 4)
"""
_LABELS = """
from sklearn.metrics import confusion_matrix

golds, predicted = [row["gold"] for row in rows], [row["predicted"] for row in rows]
labels = LABELS
result["labels"] = labels
result["matrix"] = confusion_matrix(golds, predicted, labels=labels).tolist()  # rows gold, columns predicted
sure = [row for row in rows if row["confidence"] and float(row["confidence"]) >= 0.8]
result["sure_errors"] = sum(row["correct"] == "false" for row in sure)
"""
_NUMBERS = """
from scipy.stats import pearsonr, spearmanr

golds, predicted = [float(row["gold"]) for row in rows], [float(row["predicted"]) for row in rows]
result["mae"] = round(sum(abs(float(row["residual"])) for row in rows) / len(rows), 4)
if len(set(golds)) > 1 and len(set(predicted)) > 1:
    result["pearson"] = round(float(pearsonr(predicted, golds).statistic), 4)
    result["spearman"] = round(float(spearmanr(predicted, golds).statistic), 4)
"""
_CHOICES = """
result["gold_places"] = dict(sorted(Counter(row["gold"] for row in rows).items()))
result["predicted_places"] = dict(sorted(Counter(row["predicted"] for row in rows).items()))
"""
_ENTITIES = """
def spans(cell):
    return {tuple(span) for span in json.loads(cell)}


agreed = sum(len(spans(row["gold"]) & spans(row["predicted"])) for row in rows)
total = sum(len(spans(row["gold"])) + len(spans(row["predicted"])) for row in rows)
result["f1"] = round(2 * agreed / max(total, 1), 4)
"""
_TAGS = """
result["tags"] = dict(Counter(tag for row in rows for tag in json.loads(row["tags"] or "[]")).most_common())
"""
_WORST = """
known = [row for row in rows if row["VALUE"]]
worst = sorted(known, key=lambda row: -abs(float(row["VALUE"])))[:10]
result["worst"] = [[int(row["index"]), row["gold"], row["predicted"], round(float(row["VALUE"]), 3)] for row in worst]
"""
