"""Predictions of small classifiers on rows that they were not trained on, by scikit-learn."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any

import numpy as np

from core.analysis.table import Floats, Integers
from core.errors import InvalidInput
from core.jobs import Progress

FOLDS = 5


def deal_folds(codes: Integers, *, folds: int = FOLDS, seed: int = 0) -> Integers:
    """The fold (N,), from 0, in which each row is predicted: drawn by the seed, every label shared out evenly.

    Labels with fewer rows than folds are shared out too, unlike by scikit-learn's StratifiedKFold.
    """
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(codes))
    order = order[np.argsort(codes[order], kind="stable")]
    # Dealt out in one go, label after label, so that small labels do not all begin with the first fold.
    dealt = np.empty(len(codes), dtype=np.int64)
    dealt[order] = np.arange(len(codes)) % folds
    return dealt


def predict_across(
    features: Any, codes: Integers, classifier: Callable[[], Any], *, labels: int, folds: int = FOLDS, seed: int = 0
) -> Generator[Progress, None, Floats]:
    """Probabilities (N, L) of each row by a classifier that was trained on the other folds; a step for each fold.

    Args:
        features: (N, F), dense or sparse; or a list of N texts, for a classifier that takes texts.
        codes: the label of each row, (N,), from 0.
        classifier: makes a new one, with ``fit`` and ``predict_proba``.
        labels: L; a label that is missing from a training part gets probability 0 there.
        folds: into how many parts the rows are dealt; fewer where there are fewer rows.
        seed: draws the parts.

    Raises:
        InvalidInput: ``error.analysis.few_rows``: fewer than two labels with two rows each.
    """
    if int((np.bincount(codes, minlength=2) >= 2).sum()) < 2:
        raise InvalidInput("error.analysis.few_rows")
    folds = min(folds, len(codes))
    dealt = deal_folds(codes, folds=folds, seed=seed)
    probabilities = np.zeros((len(codes), labels))
    for fold in range(folds):
        yield Progress(fold, folds)
        inside, outside = np.flatnonzero(dealt != fold), np.flatnonzero(dealt == fold)
        model = classifier()
        model.fit(_take(features, inside), codes[inside])
        probabilities[np.ix_(outside, model.classes_)] = model.predict_proba(_take(features, outside))
    return probabilities


def predict_texts_across(
    texts: Sequence[str], codes: Integers, *, labels: int, folds: int = FOLDS, seed: int = 0
) -> Generator[Progress, None, Floats]:
    """Probabilities (N, L) by logistic regression on tf-idf of one to three characters, for each row out of sample.

    The vocabulary, too, is that of the training part alone.

    Raises:
        InvalidInput: ``error.analysis.few_rows``: as `predict_across`, or no text holds anything.
    """

    def make() -> Any:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        return make_pipeline(
            TfidfVectorizer(analyzer="char", ngram_range=(1, 3), max_features=100_000, sublinear_tf=True),
            LogisticRegression(C=10.0, max_iter=1000, tol=1e-3),
        )

    try:
        return (yield from predict_across(list(texts), codes, make, labels=labels, folds=folds, seed=seed))
    except ValueError as error:
        if "empty vocabulary" in str(error):
            raise InvalidInput("error.analysis.few_rows") from error
        raise


def _take(features: Any, places: Integers) -> Any:
    return [features[place] for place in places] if isinstance(features, list) else features[places]
