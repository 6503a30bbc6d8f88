"""The error table: what a model said of every example, as columns of arrays (book 5.3.1).

Rows are never dropped. A place is the number of a row in the table, from 0; selections and sortings are arrays of
places, so that every module speaks of the same rows.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from core.data.examples import ChoiceQuestion, EntitySpan, LabelledPair, LabelledText, ScoredPair, TaggedText
from core.data.splits import texts_of
from core.errors import InvalidInput
from core.tasks.classification import order_labels
from core.tasks.task import Prediction

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]
Objects = npt.NDArray[np.object_]

Kind = Literal["label", "number", "choice", "entities"]
KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "classification": "label",
        "pair-classification": "label",
        "similarity": "number",
        "multiple-choice": "choice",
        "tagging": "entities",
        "tagging-crf": "entities",
    }
)
"""The tasks whose predictions can be laid out as a table, and what their answers are."""

_BY_ROW = (
    "index", "gold", "predicted", "gold_codes", "predicted_codes", "probabilities", "loss", "confidence", "margin",
    "correct",
)  # fmt: skip
TOLERANCE = 0.5  # on the scale of JSTS, 0 to 5: half a step between two neighbouring scores


@dataclass(frozen=True, eq=False)
class ErrorTable:
    """N predictions beside what was read and what would have been right; made by `build_table`.

    Columns are arrays (N,). `gold` and `predicted` hold a label (str), a number (float), the index of a choice (int) or
    a tuple of `EntitySpan`, by `kind`. `labels` is the order of the labels, the same in every picture: classes, indices
    of choices as texts, or types of entities; () for numbers. Codes are places in `labels`, -1 where the answer is no
    single label. `probabilities` (N, L) belong to the labels and are NaN where nobody told, L is 0 for numbers.
    `loss` is in nats (squared error for numbers), `confidence` the probability of the prediction, `margin` the distance
    between the two largest probabilities (Scheffer et al. 2001): small where the model wavered; all NaN where unknown.
    `correct` compares whole answers: all entities of a text; a number that is off by at most `tolerance`.
    `tokens` is the length of the model's input, where known. `columns` are further columns of a file.
    """

    task: str
    kind: Kind
    labels: tuple[str, ...]
    index: Integers
    texts: tuple[tuple[str, ...], ...]
    gold: Objects
    predicted: Objects
    gold_codes: Integers
    predicted_codes: Integers
    probabilities: Floats
    loss: Floats
    confidence: Floats
    margin: Floats
    correct: Booleans
    tolerance: float = TOLERANCE
    tokens: Integers | None = None
    columns: Mapping[str, Objects] = field(default_factory=dict)

    def __len__(self) -> int:
        """The number of rows N."""
        return len(self.texts)

    @cached_property
    def characters(self) -> Integers:
        """Characters (code points) of all texts of a row together, (N,)."""
        return np.fromiter((sum(map(len, texts)) for texts in self.texts), dtype=np.int64, count=len(self))

    @cached_property
    def residual(self) -> Floats:
        """Predicted minus gold number, (N,); NaN where answers are no numbers."""
        if self.kind != "number":
            return np.full(len(self), math.nan)
        return self.predicted.astype(np.float64) - self.gold.astype(np.float64)

    @cached_property
    def searchable(self) -> tuple[Any, ...]:
        """The first, second, … texts of all rows as Arrow arrays (N,), '' where a row has no such text."""
        import pyarrow

        most = max(map(len, self.texts), default=0)
        parts = ([texts[part] if part < len(texts) else "" for texts in self.texts] for part in range(most))
        return tuple(pyarrow.array(_encodable(part), type=pyarrow.large_string()) for part in parts)

    @cached_property
    def gold_types(self) -> tuple[frozenset[str], ...]:
        """The types of the gold entities of each row; empty sets for other kinds."""
        return _types_of(self.gold) if self.kind == "entities" else (frozenset(),) * len(self)

    @cached_property
    def predicted_types(self) -> tuple[frozenset[str], ...]:
        """The types of the predicted entities of each row; empty sets for other kinds."""
        return _types_of(self.predicted) if self.kind == "entities" else (frozenset(),) * len(self)

    @property
    def joined_texts(self) -> list[str]:
        """The texts of each row with a line end between them."""
        return ["\n".join(texts) for texts in self.texts]


def build_table(
    predictions: Sequence[Prediction],
    examples: Sequence[Any],
    *,
    task: str,
    labels: Sequence[str] = (),
    tolerance: float = TOLERANCE,
    tokens: Sequence[int] | None = None,
    columns: Mapping[str, Sequence[Any]] | None = None,
) -> ErrorTable:
    """Lay out predictions and the examples that they are about as a table, one row for each prediction.

    Args:
        predictions: as a task gives them; their ``index`` is the place of an example.
        examples: what was predicted on, in the order of that time.
        task: a key of `KINDS`.
        labels: the order of the labels; those that occur but are not named come after them. By default the task's own.
        tolerance: how far off a number may be and still count as right.
        tokens: the length of each example in tokens, by place.
        columns: further columns of the examples, by place.

    Raises:
        InvalidInput: ``error.analysis.task`` (with ``names``), ``.empty``, ``.other_examples`` (with ``index``: the
            examples are not those that were predicted on).
    """
    if task not in KINDS:
        raise InvalidInput("error.analysis.task", name=task[:40], names=", ".join(KINDS))
    if not predictions:
        raise InvalidInput("error.analysis.empty")
    kind = KINDS[task]
    index = np.fromiter((one.index for one in predictions), dtype=np.int64, count=len(predictions))
    rows = []
    for one in predictions:
        known = 0 <= one.index < len(examples)
        if not known or _plain_answer(one.gold, kind) != answer_of(examples[one.index]):
            raise InvalidInput("error.analysis.other_examples", index=one.index)
        rows.append(examples[one.index])
    gold = _as_objects(_plain_answer(one.gold, kind) for one in predictions)
    predicted = _as_objects(_plain_answer(one.predicted, kind) for one in predictions)
    order = _order(kind, predictions, gold, predicted, labels)
    codes = {label: code for code, label in enumerate(order)}
    probabilities = _lay_out(predictions, order, kind)
    confidence, margin = _confidence(predictions, probabilities)
    if kind == "number":
        correct = np.abs(predicted.astype(np.float64) - gold.astype(np.float64)) <= tolerance
    else:
        correct = np.fromiter((a == b for a, b in zip(gold, predicted, strict=True)), dtype=np.bool_, count=len(gold))
    return ErrorTable(
        task=task,
        kind=kind,
        labels=order,
        index=index,
        texts=tuple(texts_of(example) for example in rows),
        gold=gold,
        predicted=predicted,
        gold_codes=_encode(gold, codes, kind),
        predicted_codes=_encode(predicted, codes, kind),
        probabilities=probabilities,
        loss=np.fromiter((one.loss for one in predictions), dtype=np.float64, count=len(predictions)),
        confidence=confidence,
        margin=margin,
        correct=correct,
        tolerance=tolerance,
        tokens=None if tokens is None else np.asarray(tokens, dtype=np.int64)[index],
        columns=MappingProxyType({name: _as_objects(values)[index] for name, values in (columns or {}).items()}),
    )


def take_rows(table: ErrorTable, places: Integers) -> ErrorTable:
    """Some rows as a table of their own; a row keeps its ``index``, not its place."""
    return replace(
        table,
        texts=tuple(table.texts[place] for place in places),
        tokens=None if table.tokens is None else table.tokens[places],
        columns=MappingProxyType({name: values[places] for name, values in table.columns.items()}),
        **{name: getattr(table, name)[places] for name in _BY_ROW},
    )


def thin_rows(table: ErrorTable, *, most: int) -> ErrorTable:
    """At most so many rows, evenly spaced; the table itself when it has no more."""
    if len(table) <= most:
        return table
    return take_rows(table, np.linspace(0, len(table) - 1, most).round().astype(np.int64))


def write_answer(answer: Any) -> str:
    """An answer of any kind as text: a label as it is, a number as it is written, entities as JSON ``[[0, 2, "A"]]``.

    What is written can be read again: numbers keep all their digits.
    """
    if isinstance(answer, tuple):
        return json.dumps([[one.start, one.end, one.label] for one in answer], ensure_ascii=False)
    return str(answer)


def require_labels(table: ErrorTable) -> None:
    """Refuse a table whose answers are no single labels.

    Raises:
        InvalidInput: ``error.analysis.no_labels`` with ``task``.
    """
    if table.kind not in ("label", "choice"):
        raise InvalidInput("error.analysis.no_labels", task=table.task)


def answer_of(example: Any) -> Any:
    """The right answer of an example, as the table holds it."""
    match example:
        case LabelledText() | LabelledPair():
            return example.label
        case ScoredPair():
            return example.score
        case ChoiceQuestion():
            return example.answer
        case TaggedText():
            return tuple(sorted(example.entities))
        case _:
            raise TypeError(f"no answer in {type(example).__name__}")


def _plain_answer(answer: Any, kind: Kind) -> Any:
    if kind == "entities":
        spans = (one if isinstance(one, EntitySpan) else EntitySpan(*one) for one in answer)
        return tuple(sorted(spans))
    return {"label": str, "number": float, "choice": int}[kind](answer)


def _order(
    kind: Kind, predictions: Sequence[Prediction], gold: Objects, predicted: Objects, labels: Sequence[str]
) -> tuple[str, ...]:
    if kind == "number":
        return ()
    if kind == "entities":
        found = {span.label for answers in (gold, predicted) for spans in answers for span in spans}
    else:
        found = {str(answer) for answers in (gold, predicted) for answer in answers}
        found |= {label for one in predictions for label in one.scores}
    named = tuple(dict.fromkeys(labels))
    return (*named, *order_labels(found - set(named)))


def _lay_out(predictions: Sequence[Prediction], labels: Sequence[str], kind: Kind) -> Floats:
    """Probabilities (N, L); a class that a model does not know has none, a choice that is not there has NaN."""
    absent = math.nan if kind == "choice" else 0.0
    unknown = [math.nan] * len(labels)
    rows = [[one.scores.get(label, absent) for label in labels] if one.scores else unknown for one in predictions]
    return np.asarray(rows, dtype=np.float64).reshape(len(predictions), len(labels))


def _confidence(predictions: Sequence[Prediction], probabilities: Floats) -> tuple[Floats, Floats]:
    told = (one.scores.get(str(one.predicted), one.details.get("confidence", math.nan)) for one in predictions)
    confidence = np.fromiter(told, dtype=np.float64, count=len(predictions))
    if probabilities.shape[1] < 2:
        return confidence, np.full(len(predictions), math.nan)
    known = ~np.isnan(probabilities).all(axis=1)
    two = np.partition(np.nan_to_num(probabilities, nan=0.0), -2, axis=1)[:, -2:]  # (N, 2) the largest last
    return confidence, np.where(known, two[:, 1] - two[:, 0], math.nan)


def _encode(answers: Objects, codes: Mapping[str, int], kind: Kind) -> Integers:
    if kind not in ("label", "choice"):
        return np.full(len(answers), -1, dtype=np.int64)
    return np.fromiter((codes[str(answer)] for answer in answers), dtype=np.int64, count=len(answers))


def _types_of(answers: Objects) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(span.label for span in spans) for spans in answers)


def _as_objects(values: Iterable[Any]) -> Objects:
    """An array (N,) of Python objects; numpy itself would make tuples of equal length a matrix."""
    found = list(values)
    array = np.empty(len(found), dtype=object)
    for place, value in enumerate(found):
        array[place] = value
    return array


def _encodable(texts: Iterable[str]) -> list[str]:
    """Texts without lone surrogates, which Arrow cannot hold."""
    return [text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8") for text in texts]
