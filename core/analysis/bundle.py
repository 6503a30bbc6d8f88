"""What a reader takes away of an analysis: the rows, a report, and a notebook that counts all of it from the rows."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from core.analysis.browsing import sum_up
from core.analysis.calibration import measure_reliability
from core.analysis.clues import find_clues
from core.analysis.doubts import LISTED
from core.analysis.label_errors import find_label_errors
from core.analysis.parts import WORD, cut_into_parts, list_ways
from core.analysis.report import Findings, write_csv, write_report
from core.analysis.selection import Filter, Order, select_rows, sort_rows
from core.analysis.sources import list_columns
from core.analysis.storage import Opened
from core.analysis.table import ErrorTable, Integers
from core.analysis.tags import Tags
from core.errors import InvalidInput
from core.i18n import Locale
from core.jobs import Progress, Work

ROWS, REPORT, NOTEBOOK = "errors.csv", "report.md", "analysis.ipynb"
MARK = "\ufeff"  # tells a spreadsheet that what follows is UTF-8
EXAMPLES = 30  # rows quoted in a report
TERMS = 10  # of each side of a contrast


def write_rows(opened: Opened, tags: Tags, chosen: Filter, *, order: Order, descending: bool) -> str:
    """The rows that pass a filter, in order, as CSV with the tags of each.

    Raises:
        InvalidInput: as `core.analysis.selection.select_rows`.
    """
    places = sort_rows(opened.table, select_rows(opened.table, chosen), by=order, descending=descending)
    return MARK + write_csv(opened.table, places=places, tags=tags)


def write_bundle(opened: Opened, tags: Tags, words: Mapping[Locale, Mapping[str, str]], folder: Path) -> Work:
    """All rows, and for each language a report and a notebook that reads the rows, as files in `folder`. A job.

    Args:
        opened: the table and where it is from.
        tags: what was given to its rows.
        words: by locale, the sentences of the page.
        folder: is made anew; `list_parts` says what lies in it.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    yield Progress(0, 3)
    rows = MARK + write_csv(opened.table, tags=tags)
    (folder / ROWS).write_text(rows, encoding="utf-8", errors="surrogatepass", newline="")
    yield Progress(1, 3)
    findings = gather(opened, tags)
    yield Progress(2, 3)
    for locale, sentences in words.items():
        parts = {
            REPORT: write_report(
                opened.table,
                dataclasses.replace(findings, source=_tell_source(opened, sentences)),
                {**sentences, **_name_slices(opened.table, sentences)},
            ),
            NOTEBOOK: json.dumps(write_notebook(opened.table, sentences), ensure_ascii=False, indent=1),
        }
        for name, text in parts.items():
            (folder / f"{locale}.{name}").write_text(text, encoding="utf-8", errors="replace")
    yield Progress(3, 3)
    return {"rows": len(opened.table)}


def list_parts(folder: Path, locale: Locale) -> dict[str, Path]:
    """The files of a bundle in one language, by the names that they are taken away under; {} before it is whole."""
    parts = {ROWS: folder / ROWS} | {name: folder / f"{locale}.{name}" for name in (REPORT, NOTEBOOK)}
    return parts if all(path.is_file() for path in parts.values()) else {}


def gather(opened: Opened, tags: Tags) -> Findings:
    """Everything that is said in a report of a table; what cannot be said of its kind of answers is left out."""
    table = opened.table
    summed, clues = sum_up(table), find_clues(opened)
    label_errors = calibration = None
    try:
        calibration = measure_reliability(table)
        if table.kind == "label":
            found = find_label_errors(table, origin=opened.origin)
            label_errors = dataclasses.replace(found, suspects=found.suspects[:LISTED])
    except InvalidInput as error:
        if error.key != "error.analysis.no_probabilities":
            raise
    ways = [way for way in list_ways(table.kind, list_columns(table.columns)) if way != WORD]
    return Findings(
        confusion=summed.confusion,
        classes=summed.classes,
        residuals=summed.residuals,
        tags=tags,
        slices=[score for way in ways for score in cut_into_parts(opened, by=way).scores],
        probes=clues.probes,
        shortcuts=clues.skewed.terms if clues.skewed else (),
        contrast=(*clues.errors[:TERMS], *clues.others[:TERMS]),
        label_errors=label_errors,
        calibration=calibration,
        examples=_choose_examples(table, tags),
    )


def _tell_source(opened: Opened, words: Mapping[str, str]) -> str:
    """What was analysed, as the page says it."""
    data = words.get(f"analysis.data.{opened.data.removeprefix('sample:')}", opened.data)
    model = words.get(f"model.{opened.model}", opened.model)
    told = words["analysis.source.model" if opened.model else "analysis.source.file"]
    return told.format(model=model, data=data, rows=f"{len(opened.table):,}")


def _name_slices(table: ErrorTable, words: Mapping[str, str]) -> dict[str, str]:
    """The page's own words for the ways in which a report cuts the rows."""
    ways = {"characters": "slices.way.length", "gold": "slices.way.gold"}
    ways |= {name: f"slices.column.{name}" for name in table.columns}
    return {f"analysis.slice.{name}": words[key] for name, key in ways.items() if key in words}


def _choose_examples(table: ErrorTable, tags: Tags) -> Integers:
    """The rows that were tagged, else the worst; at most so many."""
    tagged = np.flatnonzero(np.isin(table.index, list(tags.marks)))
    if len(tagged):
        return tagged[:EXAMPLES]
    by: Order = "residual" if table.kind == "number" else "loss"
    return sort_rows(table, np.flatnonzero(~table.correct), by=by)[:EXAMPLES]


def write_notebook(table: ErrorTable, words: Mapping[str, str]) -> dict[str, Any]:
    """A notebook (nbformat 4.5) that needs the CSV file beside it, and no network; it sets ``result``."""
    told = f"# 5.3 {words['analysis.report.title']}\n\n{words['analysis.bundle.told']}"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [
        {"cell_type": "markdown", "id": "heading", "metadata": {}, "source": told},
        *(_code(name, source) for name, source in _write_counts(table).items()),
    ]
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": cells}


def _write_counts(table: ErrorTable) -> dict[str, str]:
    """The code of the notebook's cells by their names."""
    count = {"label": _LABELS, "number": _NUMBERS, "choice": _CHOICES, "entities": _ENTITIES}[table.kind]
    cells = {"read": _READ, "count": count.replace("LABELS", repr(list(table.labels)))}
    if table.kind in ("label", "choice"):
        cells["trust"] = _TRUST
    value = "residual" if table.kind == "number" else "loss"
    return cells | {"tags": _TAGS, "worst": _WORST.replace("VALUE", value), "result": "result"}


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
result["matrix"] = confusion_matrix(golds, predicted, labels=labels).tolist()  # rows gold, columns predicted
"""
_NUMBERS = """
from scipy.stats import pearsonr, spearmanr

golds, predicted = [float(row["gold"]) for row in rows], [float(row["predicted"]) for row in rows]
result["mae"] = round(sum(abs(said - gold) for said, gold in zip(predicted, golds)) / len(rows), 4)
if len(set(golds)) > 1 and len(set(predicted)) > 1:
    result["pearson"] = round(float(pearsonr(predicted, golds).statistic), 4)
    result["spearman"] = round(float(spearmanr(predicted, golds).statistic), 4)
"""
_CHOICES = """
places = range(max(len(json.loads(row["choices"])) for row in rows))
result["gold_places"] = [sum(int(row["gold"]) == place for row in rows) for place in places]
result["predicted_places"] = [sum(int(row["predicted"]) == place for row in rows) for place in places]
"""
_ENTITIES = """
spans = [[{tuple(span) for span in json.loads(row[side])} for side in ("gold", "predicted")] for row in rows]
agreed, total = sum(len(gold & said) for gold, said in spans), sum(len(gold) + len(said) for gold, said in spans)
result["f1"] = round(2 * agreed / max(total, 1), 4)  # micro-averaged over entities
"""
_TRUST = """
import numpy as np

known = [row for row in rows if row["confidence"]]
if known:
    confidence = np.array([float(row["confidence"]) for row in known])
    correct = np.array([row["correct"] == "true" for row in known])
    result["sure_errors"] = int((~correct & (confidence >= 0.8)).sum())
    bins = np.clip(np.searchsorted(np.linspace(0, 1, 11), confidence) - 1, 0, 9)
    gaps = [abs(correct[bins == n].sum() - confidence[bins == n].sum()) for n in range(10)]
    result["ece"] = round(float(sum(gaps)) / len(known), 4)
"""
_TAGS = """
result["tags"] = dict(Counter(tag for row in rows for tag in json.loads(row["tags"] or "[]")).most_common())
"""
_WORST = """
told = [row for row in rows if row["VALUE"]]
worst = sorted(told, key=lambda row: -abs(float(row["VALUE"])))[:10]
result["worst"] = [[int(row["index"]), row["gold"], row["predicted"], round(float(row["VALUE"]), 3)] for row in worst]
"""
