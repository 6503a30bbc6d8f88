"""Predictions that a visitor brings as a file: columns found or mapped, rows read, broken ones told (book 5.3.1)."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from core.analysis.table import KINDS, TOLERANCE, ErrorTable, Kind, answer_of, build_table
from core.data.cells import read_label, read_list, read_number
from core.data.loading import nothing_left
from core.data.rows import BrokenRow, Table
from core.data.shapes import ALIASES as TEXT_ALIASES
from core.errors import InvalidInput
from core.tasks.registry import find_task
from core.tasks.task import Prediction

OPTIONAL = ("confidence", "loss", "scores", "index")
DERIVED = frozenset({"margin", "correct", "residual", "characters", "tokens"})
"""Columns of an exported table that are computed anew."""

_GOLD_COLUMN: Mapping[Kind, str] = MappingProxyType(
    {"label": "label", "number": "score", "choice": "label", "entities": "entities"}
)
_ALIASES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        **TEXT_ALIASES,
        "text": (*TEXT_ALIASES["text"], "review", "本文", "テキスト", "文"),
        "gold": ("true_label", "label", "labels", "gold_label", "y_true", "target", "answer", "entities", "正解",
                 "正解ラベル", "ラベル"),
        "predicted": ("pred_label", "prediction", "predictions", "pred", "predicted_label", "y_pred", "output", "予測",
                      "予測ラベル"),
        "confidence": ("pred_prob", "probability", "prob", "score", "確信度", "確率"),
        "scores": ("probabilities", "probs"),
        "index": ("example_id", "id"),
    }
)  # fmt: skip
_PROBABILITY = re.compile(r"(?:p|prob|proba|probability|確率)[._:](.+)", re.IGNORECASE)
_NUMBERED_CHOICE = re.compile(r"choice_?(\d+)")
MOST_ANSWERS = 50  # different values of a column that may be taken for labels
_SLACK = 0.02  # by how much rounded probabilities may miss 1, for each label


@dataclass(frozen=True, eq=False)
class Upload:
    """What came of a file: the table, and every row that is not in it with its line and its reason.

    `columns` says which column of the file was read as what.
    """

    table: ErrorTable
    broken: tuple[BrokenRow, ...]
    columns: Mapping[str, str]


def list_fields(task: str) -> tuple[tuple[str, bool], ...]:
    """The columns that a file of predictions can have, as (name, required): the texts, the answers, the numbers.

    Raises:
        InvalidInput: ``error.analysis.task``.
    """
    kind = _kind_of(task)
    texts = [column.name for column in find_task(task).columns if column.name != _GOLD_COLUMN[kind]]
    return (*((name, True) for name in (*texts, "gold", "predicted")), *((name, False) for name in OPTIONAL))


def guess_task(source: Table) -> str:
    """The task that the columns of a file look like; what is left is text classification."""
    first = _map_names(source.columns, ("sentence1", "sentence2", "choices", "gold"))
    if "choices" in first or any(_NUMBERED_CHOICE.fullmatch(name) for name in source.columns):
        return "multiple-choice"
    values = [row.values.get(first.get("gold", "")) for row in source.rows[:100]]
    told = [value for value in values if value not in (None, "")]
    if told and all(isinstance(value, list) or str(value).lstrip().startswith("[") for value in told):
        return "tagging"
    if {"sentence1", "sentence2"} <= first.keys():
        return "similarity" if told and all(map(_is_fraction, told)) else "pair-classification"
    return "classification"


def match_columns(source: Table, task: str) -> dict[str, str]:
    """Which column of a file is probably what, by its name; each at most once.

    Raises:
        InvalidInput: ``error.analysis.task``.
    """
    return _map_names(source.columns, [name for name, _ in list_fields(task)])


def propose_columns(source: Table, task: str) -> dict[str, str]:
    """As `match_columns`; for what no name tells, a proposal by what stands in the first rows.

    Texts are the longest columns, gold and predicted answers two that hold the same few values, in that order. Whoever
    brought the file has to confirm it.

    Raises:
        InvalidInput: ``error.analysis.task``.
    """
    found = match_columns(source, task)
    rows = [row.values for row in source.rows[:200]]
    cells = {name: [str(values.get(name, "")) for values in rows] for name in source.columns}
    free = [name for name in source.columns if name not in found.values()]
    if missing := [name for name in ("gold", "predicted") if name not in found]:
        pair = _find_alike(cells, [found[name] for name in ("gold", "predicted") if name in found], free)
        for name, column in zip(missing, pair, strict=False):
            found[name] = column
            free.remove(column)
    texts = [name for name, needed in list_fields(task) if needed and name not in (*found, "gold", "predicted")]
    longest = sorted(free, key=lambda name: -sum(map(len, cells[name])))[: len(texts)]
    found |= dict(zip(texts, sorted(longest, key=source.columns.index), strict=False))
    return found


def _find_alike(cells: Mapping[str, Sequence[str]], known: Sequence[str], free: Sequence[str]) -> Sequence[str]:
    """The column that shares the most values with the known one, or the two that share the most; [] when none do."""
    best, most = [], 0.0
    for place, one in enumerate(known or free):
        for other in free if known else free[place + 1 :]:
            first, second = set(cells[one]), set(cells[other])
            shared = len(first & second) / max(len(first | second), 1)
            if max(len(first), len(second)) <= MOST_ANSWERS and shared > most:
                best, most = ([other] if known else [one, other]), shared
    return best


def read_upload(
    source: Table,
    *,
    task: str,
    columns: Mapping[str, str] | None = None,
    labels: Sequence[str] = (),
    tolerance: float = TOLERANCE,
) -> Upload:
    """Read the rows of a file (see `core.data.files`) as a table of predictions.

    Answers are read as the task reads its data. Probabilities may stand in one column ``scores`` (an object, or JSON in
    a text), or in a column ``probability.<label>`` for each label; of two labels the predicted one's is enough. A loss
    that is missing is computed from them. Every other column is kept.

    Args:
        source: the rows.
        task: a key of `core.analysis.table.KINDS`.
        columns: canonical names (see `list_fields`) to those of the file; what is not mapped is found by its name.
        labels: the order of the labels.
        tolerance: see `core.analysis.table.build_table`.

    Raises:
        InvalidInput: ``error.analysis.task``; ``error.data.missing_column``; ``error.data.all_broken``, with the first
            reason as its cause. Rows may be broken by the task's own reasons, or by ``error.analysis.probability``
            (with ``column`` and ``value``) and ``error.analysis.probability_sum`` (with ``sum``).
    """
    given = {name: found for name, found in (columns or {}).items() if found}
    names = {name: found for name, found in match_columns(source, task).items() if found not in given.values()} | given
    reader = _RowReader(source, task, names)
    examples: list[Any] = []
    predictions: list[Prediction] = []
    kept: list[Mapping[str, Any]] = []
    broken = list(source.broken)
    for row in source.rows:
        try:
            example, prediction = reader.read(row.values, len(predictions))
        except InvalidInput as error:
            broken.append(BrokenRow("", row.line, error.key, error.params))
        else:
            examples.append(example)
            predictions.append(prediction)
            kept.append(row.values)
    broken.sort(key=lambda one: one.line)
    if not predictions:
        raise nothing_left(source.source, broken)
    if KINDS[task] == "label":
        predictions = list(_complete_scores(predictions, labels))
    further = {
        name: [_plain_cell(values.get(name)) for values in kept] for name in source.columns if name in reader.further
    }
    table = build_table(predictions, examples, task=task, labels=labels, tolerance=tolerance, columns=further)
    numbers = _read_indices(kept, names.get("index"))
    if numbers is not None:
        table = dataclasses.replace(table, index=numbers)
    return Upload(table, tuple(broken), MappingProxyType(names))


class _RowReader:
    """Reads the rows of one file, whose columns go by `names`."""

    def __init__(self, source: Table, task: str, names: Mapping[str, str]) -> None:
        self.kind = _kind_of(task)
        self.task = find_task(task)
        self.names = names
        self.answer = _GOLD_COLUMN[self.kind]
        self.texts = [column.name for column in self.task.columns if column.name != self.answer]
        self.choices = sorted((int(match[1]), name) for name in source.columns
                              if (match := _NUMBERED_CHOICE.fullmatch(name)))  # fmt: skip
        for name in (*self.texts, "gold", "predicted"):
            if name in names and names[name] not in source.columns:
                raise _missing(names[name], source)
            if name not in names and not (name == "choices" and self.choices):
                raise _missing(name, source)
        self.optional = {name: names[name] for name in OPTIONAL if names.get(name) in source.columns}
        used = {*names.values(), *DERIVED}
        if self.kind == "choice" and "choices" not in names:
            used.update(name for _, name in self.choices)
        self.probabilities = {
            match[1]: name
            for name in source.columns
            if name not in used and self.kind != "number" and (match := _PROBABILITY.fullmatch(name))
        }
        self.further = frozenset(source.columns) - used - set(self.probabilities.values())

    def read(self, values: Mapping[str, Any], place: int) -> tuple[Any, Prediction]:
        """The example and the prediction in a row.

        Raises:
            InvalidInput: the row cannot be used.
        """
        texts = {name: values.get(self.names.get(name, "")) for name in self.texts}
        if "choices" in texts and "choices" not in self.names:
            texts["choices"] = [values[name] for _, name in self.choices if values.get(name) not in (None, "")]
        example = self._read_answer(texts, values, "gold")
        gold = answer_of(example)
        if self.kind == "label":  # the same texts need not be read twice
            predicted: Any = read_label(values, self.names["predicted"])
        else:
            predicted = answer_of(self._read_answer(texts, values, "predicted"))
        scores = self._read_scores(values)
        details: dict[str, Any] = {}
        if (column := self.optional.get("confidence")) and values.get(column) not in (None, ""):
            details["confidence"] = _read_probability(values, column)
        loss = math.nan
        if (column := self.optional.get("loss")) and values.get(column) not in (None, ""):
            loss = read_number(values, column)
        elif self.kind == "number":
            loss = (predicted - gold) ** 2
        elif str(gold) in scores:
            loss = _loss_of(scores[str(gold)])
        return example, Prediction(place, gold, predicted, loss, scores, details)

    def _read_answer(self, texts: Mapping[str, Any], values: Mapping[str, Any], name: str) -> Any:
        """An example of the task that has the gold or the predicted answer as its own."""
        cell = values.get(self.names[name])
        try:
            if self.kind == "entities":
                cell = [_as_entity(item) for item in read_list({name: cell}, name, required=False)]
            return self.task.read({**texts, self.answer: cell})
        except InvalidInput as error:
            column = str(error.params.get("column", ""))
            if not column:
                raise
            called = self.names[name] if column in (self.answer, name) else self.names.get(column, column)
            raise InvalidInput(error.key, **error.params | {"column": called}) from None

    def _read_scores(self, values: Mapping[str, Any]) -> dict[str, float]:
        scores: dict[str, float] = {}
        if column := self.optional.get("scores"):
            cell = values.get(column)
            if isinstance(cell, str) and cell.strip():
                try:
                    cell = json.loads(cell)
                except ValueError:
                    raise InvalidInput("error.analysis.probability", column=column, value=cell[:40]) from None
            if isinstance(cell, Mapping):
                named = {str(label): value for label, value in cell.items() if value is not None}
                scores = {label: _read_probability(named, label) for label in named}
        for label, column in self.probabilities.items():
            if values.get(column) not in (None, ""):
                scores[label] = _read_probability(values, column)
        total = sum(scores.values())
        if scores and abs(total - 1.0) > _SLACK * len(scores):
            raise InvalidInput("error.analysis.probability_sum", sum=round(total, 4))
        return scores


def _complete_scores(predictions: Sequence[Prediction], labels: Sequence[str]) -> Iterator[Prediction]:
    """Of two labels, the one that was not predicted has what is left."""
    known = {*labels, *(str(answer) for one in predictions for answer in (one.gold, one.predicted))}
    known |= {label for one in predictions for label in one.scores}
    order = sorted(known)
    for one in predictions:
        confidence = one.details.get("confidence")
        if len(order) != 2 or one.scores or confidence is None:
            yield one
            continue
        scores = {label: confidence if label == one.predicted else 1.0 - confidence for label in order}
        loss = _loss_of(scores[one.gold]) if math.isnan(one.loss) else one.loss
        yield Prediction(one.index, one.gold, one.predicted, loss, scores, one.details)


def _kind_of(task: str) -> Kind:
    if task not in KINDS:
        raise InvalidInput("error.analysis.task", name=task[:40], names=", ".join(KINDS))
    return KINDS[task]


def _map_names(columns: Sequence[str], wanted: Sequence[str]) -> dict[str, str]:
    """Wanted names to those of a file, each at most once: exact names first, then likely ones in their order."""
    free = {name.strip().casefold(): name for name in reversed(columns)}
    found: dict[str, str] = {}
    for alternatives in (lambda name: (name,), lambda name: _ALIASES.get(name, ())):
        for name in wanted:
            match = next((one for one in alternatives(name) if one.casefold() in free), None)
            if name not in found and match is not None:
                found[name] = free.pop(match.casefold())
    return {name: found[name] for name in wanted if name in found}


def _as_entity(item: Any) -> Any:
    """An entity as data sets write it, from ``[start, end, type]`` or an object with start, end and label."""
    if isinstance(item, list | tuple) and len(item) == 3:
        return {"span": list(item[:2]), "type": item[2]}
    if isinstance(item, Mapping) and {"start", "end"} <= item.keys():
        kind = item.get("type", item.get("label", item.get("entity_group")))
        return {"span": [item["start"], item["end"]], "type": kind}
    return item


def _read_probability(values: Mapping[str, Any], column: str) -> float:
    number = read_number(values, column)
    if not -1e-9 <= number <= 1 + 1e-9:
        raise InvalidInput("error.analysis.probability", column=column, value=str(values[column])[:40])
    return min(max(number, 0.0), 1.0)


def _loss_of(probability: float) -> float:
    """Cross entropy in nats; a probability that was rounded to 0 counts as the smallest that float64 tells from 1."""
    return -math.log(max(probability, float(np.finfo(np.float64).eps)))


def _read_indices(rows: Sequence[Mapping[str, Any]], column: str | None) -> Any:
    """The rows' own numbers (N,), None unless they are whole, not negative, and all different."""
    if column is None:
        return None
    try:
        numbers = [int(read_label(values, column)) for values in rows]
    except (InvalidInput, ValueError):
        return None
    fitting = len(set(numbers)) == len(numbers) and min(numbers) >= 0 and max(numbers) < 2**53
    return np.asarray(numbers, dtype=np.int64) if fitting else None


def _plain_cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _is_fraction(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def _missing(column: str, source: Table) -> InvalidInput:
    columns = ", ".join(source.columns)[:200]
    return InvalidInput("error.data.missing_column", column=column, columns=columns, source=source.source)
