"""What the analysis leaves behind: a CSV of the table, and a report in Markdown, in words that are handed in."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.analysis.calibration import Reliability
from core.analysis.comparison import Comparison
from core.analysis.confusion import ClassReport, ConfusionMatrix
from core.analysis.contrast import TermContrast
from core.analysis.label_errors import LabelErrors
from core.analysis.probes import Probe
from core.analysis.residuals import Residuals
from core.analysis.selection import read_rows
from core.analysis.shortcuts import SkewedTerm
from core.analysis.slices import SliceScore
from core.analysis.table import ErrorTable, Integers, write_answer
from core.analysis.tags import Tags

_TEXT_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "pair-classification": ("sentence1", "sentence2"),
    "similarity": ("sentence1", "sentence2"),
}
LONGEST_QUOTE = 200  # characters of a text in the report
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~&])")

WORDS = (
    "analysis.report.title",
    "analysis.report.rows",
    "analysis.report.right",
    "analysis.report.wrong",
    "analysis.report.accuracy",
    "analysis.report.confusion",
    "analysis.report.gold",
    "analysis.report.predicted",
    "analysis.report.classes",
    "analysis.report.label",
    "analysis.report.precision",
    "analysis.report.recall",
    "analysis.report.f1",
    "analysis.report.support",
    "analysis.report.macro_f1",
    "analysis.report.residuals",
    "analysis.report.bias",
    "analysis.report.mae",
    "analysis.report.rmse",
    "analysis.report.pearson",
    "analysis.report.spearman",
    "analysis.report.tags",
    "analysis.report.tag",
    "analysis.report.untagged",
    "analysis.report.slices",
    "analysis.report.slice",
    "analysis.report.value",
    "analysis.report.metric",
    "analysis.report.interval",
    "analysis.report.probes",
    "analysis.report.probe",
    "analysis.report.base",
    "analysis.report.model",
    "analysis.report.shortcuts",
    "analysis.report.term",
    "analysis.report.share",
    "analysis.report.contrast",
    "analysis.report.first",
    "analysis.report.second",
    "analysis.report.log_odds",
    "analysis.report.label_errors",
    "analysis.report.in_sample",
    "analysis.report.suggested",
    "analysis.report.margin",
    "analysis.report.calibration",
    "analysis.report.ece",
    "analysis.report.brier",
    "analysis.report.bin",
    "analysis.report.confidence",
    "analysis.report.comparison",
    "analysis.report.both_right",
    "analysis.report.fixed",
    "analysis.report.broken",
    "analysis.report.both_wrong",
    "analysis.report.p_value",
    "analysis.report.examples",
    "analysis.report.index",
    "analysis.report.text",
    "analysis.report.loss",
)
"""The words that a report is written in; `write_report` takes the sentences behind them."""


@dataclass(frozen=True)
class Findings:
    """What goes into a report; parts that are None or empty are left out.

    `source` says in a sentence what was analysed. `examples` are places of rows to be quoted. Names of slices and
    probes are written as they are, or by the words ``analysis.slice.<by>`` and ``analysis.probe.<name>`` where there
    are some.
    """

    source: str = ""
    confusion: ConfusionMatrix | None = None
    classes: ClassReport | None = None
    residuals: Residuals | None = None
    tags: Tags | None = None
    slices: Sequence[SliceScore] = ()
    probes: Sequence[Probe] = ()
    shortcuts: Sequence[SkewedTerm] = ()
    contrast: Sequence[TermContrast] = ()
    label_errors: LabelErrors | None = None
    calibration: Reliability | None = None
    comparison: Comparison | None = None
    examples: Integers | None = None


def write_csv(table: ErrorTable, *, places: Integers | None = None, tags: Tags | None = None) -> str:
    """Rows of the table as CSV (RFC 4180), by default all of them in their order.

    Columns: ``index``, the texts by the names of the task's data, ``gold``, ``predicted``, ``loss``, ``confidence``,
    ``margin``, ``correct`` (true or false), ``residual`` (numbers), ``characters``, ``tokens`` (where known),
    ``probability.<label>``, the file's further columns, and ``tags`` (JSON). Numbers keep all their digits and what is
    not known is empty; `core.analysis.uploads` reads the file back as the same table. Texts are left as they are: a
    spreadsheet may take one that begins with ``=`` for a formula.
    """
    chosen = np.arange(len(table)) if places is None else places
    told = [code for code in range(table.probabilities.shape[1]) if not np.isnan(table.probabilities[:, code]).all()]
    header = ["index", *_text_columns(table), "gold", "predicted", "loss", "confidence", "margin", "correct"]
    header += ["residual"] if table.kind == "number" else []
    header += ["characters"] + ([] if table.tokens is None else ["tokens"])
    header += [f"probability.{table.labels[code]}" for code in told]
    header += [*table.columns] + ([] if tags is None else ["tags"])
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(header)
    columns = [values for _, values in table.columns.items()]
    for place in chosen:
        row: list[Any] = [table.index[place], *_text_cells(table, int(place))]
        row += [write_answer(table.gold[place]), write_answer(table.predicted[place])]
        row += [_digits(values[place]) for values in (table.loss, table.confidence, table.margin)]
        row.append("true" if table.correct[place] else "false")
        row += [_digits(table.residual[place])] if table.kind == "number" else []
        row.append(table.characters[place])
        row += [] if table.tokens is None else [table.tokens[place]]
        row += [_digits(table.probabilities[place, code]) for code in told]
        row += [values[place] for values in columns]
        if tags is not None:
            own = tags.marks.get(int(table.index[place]), ())
            row.append(json.dumps(own, ensure_ascii=False) if own else "")
        writer.writerow(row)
    return file.getvalue()


def write_report(table: ErrorTable, findings: Findings, words: Mapping[str, str]) -> str:
    """A report in Markdown, with tables as GitHub reads them; what visitors wrote is escaped.

    Args:
        table: what was analysed.
        findings: what came out.
        words: every one of `WORDS` and its sentence in the visitor's language.

    Raises:
        KeyError: a word is missing.
    """
    writer = _Writer(table, {key.removeprefix("analysis.report."): words[key] for key in WORDS}, words)
    parts = [part for part in writer.write(findings) if part]
    return "\n\n".join(parts) + "\n"


class _Writer:
    """Writes the parts of one report."""

    def __init__(self, table: ErrorTable, own: Mapping[str, str], words: Mapping[str, str]) -> None:
        self.table = table
        self.own = own
        self.words = words

    def write(self, findings: Findings) -> Iterator[str]:
        """The parts in order."""
        right = int(self.table.correct.sum())
        total = len(self.table)
        yield f"# {self.own['title']}"
        yield _escape(findings.source)
        yield self._table(
            ("rows", "right", "wrong", "accuracy"), [(total, right, total - right, _round(right / total))]
        )
        if findings.confusion is not None:
            yield from self._confusion(findings.confusion)
        if findings.classes is not None:
            yield from self._classes(findings.classes)
        if findings.residuals is not None:
            sums = ("bias", "mae", "rmse", "pearson", "spearman")
            yield self._heading("residuals")
            yield self._table(sums, [[_round(getattr(findings.residuals, name)) for name in sums]])
        if findings.tags is not None and findings.tags.marks:
            counts = findings.tags.counts()
            untagged = sum(int(index) not in findings.tags.marks for index in self.table.index)
            yield self._heading("tags")
            yield self._table(("tag", "rows"), [*counts.items(), (self.own["untagged"], untagged)])
        if findings.slices:
            yield self._heading("slices")
            yield self._table(
                ("slice", "value", "rows", "metric", "interval"),
                [(self._name("slice", one.by), one.value, one.rows, _round(one.metric), _span(one.lower, one.upper))
                 for one in findings.slices],
            )  # fmt: skip
        if findings.probes:
            yield self._heading("probes")
            yield self._table(
                ("probe", "rows", "accuracy", "interval", "base", "model"),
                [(self._name("probe", one.name), one.rows, _round(one.accuracy), _span(one.lower, one.upper),
                  _round(one.base), _round(one.model)) for one in findings.probes],
            )  # fmt: skip
        yield from self._terms(findings)
        if findings.label_errors is not None:
            yield from self._label_errors(findings.label_errors)
        if findings.calibration is not None:
            yield from self._calibration(findings.calibration)
        if findings.comparison is not None:
            one = findings.comparison
            groups = ("both_right", "fixed", "broken", "both_wrong")
            sizes = [len(getattr(one, name)) for name in groups]
            yield self._heading("comparison")
            yield self._table((*groups, "p_value"), [[*sizes, _round(one.p_value)]])
        if findings.examples is not None and len(findings.examples):
            yield from self._examples(findings.examples, findings.tags)

    def _confusion(self, matrix: ConfusionMatrix) -> Iterator[str]:
        yield self._heading("confusion")
        corner = f"{self.own['gold']} \\ {self.own['predicted']}"
        rows = [
            (label, *(f"{count} ({share:.1%})" for count, share in zip(counts, shares, strict=True)))
            for label, counts, shares in zip(matrix.labels, matrix.counts, matrix.shares, strict=True)
        ]
        yield _lay_out((corner, *matrix.labels), rows)

    def _classes(self, report: ClassReport) -> Iterator[str]:
        yield self._heading("classes")
        columns = zip(report.labels, report.precision, report.recall, report.f1, report.support, strict=True)
        yield self._table(
            ("label", "precision", "recall", "f1", "support"),
            [(label, *map(_round, numbers), support) for label, *numbers, support in columns],
        )
        yield self._table(
            ("accuracy", "interval", "macro_f1"),
            [(_round(report.accuracy), _span(report.lower, report.upper), _round(report.macro_f1))],
        )

    def _terms(self, findings: Findings) -> Iterator[str]:
        if findings.shortcuts:
            yield self._heading("shortcuts")
            yield self._table(
                ("term", "label", "rows", "gold", "predicted", "share", "interval", "base"),
                [(one.term, one.label, one.rows, one.gold, one.predicted, _round(one.share),
                  _span(one.lower, one.upper), _round(one.base)) for one in findings.shortcuts],
            )  # fmt: skip
        if findings.contrast:
            yield self._heading("contrast")
            yield self._table(
                ("term", "first", "second", "log_odds"),
                [
                    (one.term, one.first, one.second, f"{_round(one.log_odds)} (z = {_round(one.z)})")
                    for one in findings.contrast
                ],
            )

    def _label_errors(self, found: LabelErrors) -> Iterator[str]:
        yield self._heading("label_errors")
        if not found.out_of_sample:
            yield f"> {self.own['in_sample']}"
        yield self._table(
            ("index", "gold", "suggested", "margin", "text"),
            [
                (
                    self.table.index[one.place],
                    one.gold,
                    one.suggested,
                    _round(one.normalized_margin),
                    self._quote(one.place),
                )
                for one in found.suspects
            ],
        )

    def _calibration(self, one: Reliability) -> Iterator[str]:
        yield self._heading("calibration")
        yield self._table(("rows", "ece", "brier"), [(one.rows, _round(one.ece), _round(one.brier))])
        yield self._table(
            ("bin", "rows", "confidence", "accuracy", "interval"),
            [
                (
                    f"{_round(one.edges[place])}–{_round(one.edges[place + 1])}",
                    one.counts[place],
                    _round(one.confidence[place]),
                    _round(one.accuracy[place]),
                    _span(one.lower[place], one.upper[place]),
                )
                for place in np.flatnonzero(one.counts)
            ],
        )

    def _examples(self, places: Integers, tags: Tags | None) -> Iterator[str]:
        yield self._heading("examples")
        yield self._table(
            ("index", "gold", "predicted", "loss", "confidence", "text", "tags"),
            [
                (
                    row.index,
                    row.gold,
                    row.predicted,
                    _round(row.loss),
                    _round(row.confidence),
                    self._quote(row.place),
                    ", ".join(tags.marks.get(row.index, ()) if tags is not None else ()),
                )
                for row in read_rows(self.table, places)
            ],
        )

    def _heading(self, name: str) -> str:
        return f"## {self.own[name]}"

    def _table(self, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
        return _lay_out([self.own[name] for name in names], rows) if rows else ""

    def _name(self, of: str, name: str) -> str:
        return self.words.get(f"analysis.{of}.{name}", name)

    def _quote(self, place: int) -> str:
        text = " / ".join(self.table.texts[place])
        return text if len(text) <= LONGEST_QUOTE else text[: LONGEST_QUOTE - 1] + "…"


def _text_columns(table: ErrorTable) -> tuple[str, ...]:
    if table.kind == "choice":
        return "question", "choices"
    return _TEXT_COLUMNS.get(table.task, ("text",))


def _text_cells(table: ErrorTable, place: int) -> tuple[str, ...]:
    texts = table.texts[place]
    if table.kind == "choice":
        return texts[0], json.dumps(texts[1:], ensure_ascii=False)
    return texts


def _digits(number: Any) -> str:
    return "" if math.isnan(number) else repr(float(number))


def _round(number: Any) -> str:
    return "–" if math.isnan(number) else f"{float(number):.4f}"


def _span(lower: float, upper: float) -> str:
    return "–" if math.isnan(lower) else f"{lower:.4f}–{upper:.4f}"


def _lay_out(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(
        "| " + " | ".join(str(cell) if number == 1 else _escape(str(cell)) for cell in line) + " |"
        for number, line in enumerate(lines)
    )


def _escape(text: str) -> str:
    """A text that Markdown leaves as it is, on one line."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))
