"""How far one gets without reading (book 5.3.3): by the label alone, by length, by the second sentence."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from core.analysis.cross_validation import FOLDS, deal_folds, predict_across, predict_texts_across
from core.analysis.intervals import wilson_interval
from core.analysis.table import ErrorTable, Integers, require_labels
from core.errors import InvalidInput
from core.jobs import Progress, finish

ProbeName = Literal["prior", "length", "second_text", "longest_choice", "shortest_choice"]


@dataclass(frozen=True, slots=True)
class Probe:
    """The accuracy of predicting by one thing alone, out of sample, with its 95 % interval (Wilson).

    `base` is what always saying the most frequent answer scores, `model` what the model scores on the same `rows`. A
    probe that is well above the base shows a shortcut that lies in the data; whether the model takes it is another
    question.
    """

    name: ProbeName
    rows: int
    accuracy: float
    lower: float
    upper: float
    base: float
    model: float


def probe_prior(table: ErrorTable, *, folds: int = FOLDS, seed: int = 0) -> Probe:
    """Always say the most frequent label of the other folds; of a choice, the most frequent place.

    Raises:
        InvalidInput: ``error.analysis.no_labels``.
    """
    require_labels(table)
    dealt = deal_folds(table.gold_codes, folds=max(min(folds, len(table)), 2), seed=seed)
    said = np.zeros(len(table), dtype=np.int64)
    for fold in range(int(dealt.max()) + 1):
        said[dealt == fold] = np.bincount(table.gold_codes[dealt != fold], minlength=1).argmax()
    return _judge("prior", table, said)


def probe_length(table: ErrorTable, *, folds: int = FOLDS, seed: int = 0) -> Probe:
    """Logistic regression on the lengths of the texts alone, cross-validated.

    The features of each text are the logarithm of one plus its characters, and its square, standardised: long against
    short, and extreme against middling.

    Raises:
        InvalidInput: ``error.analysis.no_labels``, ``error.analysis.few_rows``.
    """
    _require_classes(table)
    most = max(map(len, table.texts))
    lengths = np.array(
        [[len(texts[part]) if part < len(texts) else 0 for part in range(most)] for texts in table.texts]
    )
    logs = np.log1p(lengths)  # (N, texts)
    logs = np.column_stack([logs, logs[:, 0] - logs[:, 1]]) if most > 1 else logs

    def make() -> Any:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import PolynomialFeatures, StandardScaler

        return make_pipeline(
            StandardScaler(), PolynomialFeatures(2, include_bias=False), StandardScaler(), LogisticRegression()
        )

    work = predict_across(logs, table.gold_codes, make, labels=len(table.labels), folds=folds, seed=seed)
    return _judge("length", table, finish(work).argmax(axis=1))


def probe_second_text(table: ErrorTable, *, folds: int = FOLDS, seed: int = 0) -> Generator[Progress, None, Probe]:
    """Logistic regression on the second sentence of pairs alone; of inference, the hypothesis. A job.

    Raises:
        InvalidInput: ``error.analysis.no_pairs`` (rows of one text), ``error.analysis.no_labels``, ``.few_rows``.

    Source: Poliak et al. 2018; Gururangan et al. 2018.
    """
    _require_classes(table)
    if any(len(texts) < 2 for texts in table.texts):
        raise InvalidInput("error.analysis.no_pairs")
    seconds = [texts[1] for texts in table.texts]
    found = yield from predict_texts_across(seconds, table.gold_codes, labels=len(table.labels), folds=folds, seed=seed)
    return _judge("second_text", table, found.argmax(axis=1))


def probe_choice_lengths(table: ErrorTable) -> tuple[Probe, Probe]:
    """Always take the longest choice, and always the shortest; of equals the first.

    Raises:
        InvalidInput: ``error.analysis.no_choices`` with ``task``.
    """
    if table.kind != "choice":
        raise InvalidInput("error.analysis.no_choices", task=table.task)
    lengths = [[len(choice) for choice in choices] for _, *choices in table.texts]
    codes = {label: code for code, label in enumerate(table.labels)}
    longest = np.array([codes.get(str(row.index(max(row))), -1) for row in lengths])
    shortest = np.array([codes.get(str(row.index(min(row))), -1) for row in lengths])
    return _judge("longest_choice", table, longest), _judge("shortest_choice", table, shortest)


def _require_classes(table: ErrorTable) -> None:
    """Where the right choice stands is no class that a text could have."""
    require_labels(table)
    if table.kind != "label":
        raise InvalidInput("error.analysis.no_labels", task=table.task)


def _judge(name: ProbeName, table: ErrorTable, said: Integers) -> Probe:
    right = int((said == table.gold_codes).sum())
    lower, upper = wilson_interval(right, len(table))
    return Probe(
        name=name,
        rows=len(table),
        accuracy=right / len(table),
        lower=float(lower),
        upper=float(upper),
        base=int(np.bincount(table.gold_codes).max()) / len(table),
        model=float(table.correct.mean()),
    )
