"""A model that does nothing but learn its examples by heart: why a test needs texts it has not seen (book 5.1.1)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.data.examples import LabelledText

_AT_ONCE = 256  # texts compared with all others at a time


@dataclass(frozen=True, slots=True)
class Memorized:
    """Shares of right answers in [0, 1] on what was learned by heart and on what was held out.

    `repeated` is the share on the `repeats` held-out examples that also stand in training, `fresh` the one on the
    others; None where there is none of them.
    """

    train: float
    held_out: float
    repeats: int
    repeated: float | None
    fresh: float | None


def score_memorizer(
    train: Sequence[LabelledText], held_out: Sequence[LabelledText], *, repeats: Collection[int] = ()
) -> Memorized:
    """How often the label of the most similar training example is right.

    Similar is who shares the most character trigrams (tf-idf, cosine); of several, the first.

    Args:
        train: at least one example.
        held_out: at least one example.
        repeats: indices of held-out examples that also stand in `train`.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(analyzer="char", ngram_range=(3, 3))
    try:
        learned = vectorizer.fit_transform([example.text for example in train])
    except ValueError:  # not one text of three characters
        vectorizer = TfidfVectorizer(analyzer="char", ngram_range=(1, 1))
        learned = vectorizer.fit_transform([example.text for example in train])
    known = np.asarray([example.label for example in train])

    def right(examples: Sequence[LabelledText]) -> npt.NDArray[np.bool_]:
        nearest: list[int] = []
        for start in range(0, len(examples), _AT_ONCE):
            part = vectorizer.transform([one.text for one in examples[start : start + _AT_ONCE]])
            nearest += (part @ learned.T).toarray().argmax(axis=1).tolist()  # (examples, train)
        return np.asarray(known[nearest] == np.asarray([one.label for one in examples]), dtype=np.bool_)

    found = right(held_out)
    again = np.isin(np.arange(len(held_out)), sorted(repeats))
    return Memorized(
        train=float(right(train).mean()),
        held_out=float(found.mean()),
        repeats=int(again.sum()),
        repeated=float(found[again].mean()) if again.any() else None,
        fresh=float(found[~again].mean()) if not again.all() else None,
    )
