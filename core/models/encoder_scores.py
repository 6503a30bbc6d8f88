"""What the encoders of book 5.6 reach on the tasks of chapter 5, as published, beside our own measurements."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from core.i18n import ASSETS
from core.models.parameters import BUNDLED

TASKS = ("marc", "jsts_pearson", "jsts_spearman", "jnli", "jcommonsenseqa")
HUMAN = "human"

Source = Literal["cards", "book", "measured"]


@dataclass(frozen=True, slots=True)
class Scores:
    """The scores of one encoder, in the order of `TASKS`, each in [0, 1]; None where nobody measured it.

    MARC-ja, JNLI and JCommonsenseQA tell accuracy, JSTS the correlation with the gold scores. `source` says who
    measured: ``cards`` the model cards, as gathered at zenn.dev/hellorusk (development sets of JGLUE); ``book`` the
    book's own notebooks (5.2.8, 5.4.1–5.4.3); ``measured`` what lies beside our models.
    """

    encoder: str
    source: Source
    scores: tuple[float | None, ...]


PUBLISHED = (
    Scores("bert", "book", (0.9652, 0.9151, 0.8777, 0.9088, 0.8400)),
    Scores("bert-v2", "cards", (0.958, 0.909, 0.868, 0.899, 0.808)),
    Scores("roberta", "cards", (0.962, 0.913, 0.873, 0.895, 0.840)),
    Scores("luke", "cards", (0.965, 0.916, 0.877, 0.912, 0.842)),
    Scores("deberta", "cards", (0.970, 0.922, 0.886, 0.922, 0.873)),
    Scores(HUMAN, "cards", (0.989, 0.899, 0.861, 0.925, 0.986)),
)


@dataclass(frozen=True, slots=True)
class Measured:
    """Our own scores, and on how many examples of JNLI's validation set they were measured."""

    scores: Scores
    pairs: int


def read_measured() -> Measured:
    """The scores of the heads on the bundled encoder, from the ``metrics.json`` beside each.

    MARC-ja is not there: its data are no longer distributed, and our sentiment model learned from other texts.
    """
    jsts, jnli = _read("similarity", "jsts"), _read("inference", "jnli")
    choice = _read("choice", "jcommonsenseqa")
    ours = (None, jsts["pearson"], jsts["spearman"], jnli["accuracy"], choice["accuracy"])
    return Measured(Scores(BUNDLED, "measured", ours), jnli["examples"])


def rank(rows: tuple[Scores, ...], task: str) -> tuple[Scores, ...]:
    """The rows by their score on one task, the best first; those without one come last, in the order given.

    Raises:
        ValueError: `task` is none of `TASKS`.
    """
    place = TASKS.index(task)
    known = [row for row in rows if row.scores[place] is not None]
    unknown = [row for row in rows if row.scores[place] is None]
    return (*sorted(known, key=lambda row: -(row.scores[place] or 0.0)), *unknown)


def _read(folder: str, task: str) -> Any:
    path = ASSETS / "models" / folder / "metrics.json"
    return json.loads(path.read_text(encoding="utf-8"))["measured"][task]
