"""Sentence embeddings by contrast: SimCSE without labels, and from entailment and contradiction (book 8.2, 8.3)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from core.data.cells import read_number, read_text
from core.data.examples import PlainText, ScoredPair, Triple
from core.search.embedding import embed
from core.tasks.batching import evaluating
from core.tasks.likeness import find_nearest, weigh_characters
from core.tasks.task import Architecture, Column, Hyperparameters, Option, Prediction, Setup, device_of
from core.tasks.tokenizing import encode_texts

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from core.search.hits import Floats
    from core.tasks.task import Collator, Features

_PAIR_COLUMNS = (
    Column("sentence1", "text", required=False),
    Column("sentence2", "text", required=False),
    Column("score", "number", required=False),
)
_PAIR_LENGTH = 512  # tokens of a sentence in evaluation, whatever the length in training (as in the book)
_DEFAULTS = Hyperparameters(epochs=1, batch_size=64, learning_rate=3e-5, warmup=0.0, max_length=32, evaluate_every=250)
_SUPERVISED_DEFAULTS = replace(_DEFAULTS, epochs=3, batch_size=128, learning_rate=5e-5)
_RANKED = ("weights", "near")  # of a feature: what the ranking needs beside the tokens
_MODEL_OPTIONS = (Option("temperature", 0.05), Option("pooling", "cls", ("cls", "mean")))


@dataclass(frozen=True)
class _Contrast:
    """What both kinds share: rows may also be pairs with a score (JSTS), by which a model is judged."""

    architecture: Architecture = "encoder"
    metric: str = "spearman"
    greater_is_better: bool = True

    def label_of(self, example: PlainText | Triple | ScoredPair) -> str | None:
        """None: nothing is labelled."""
        return None

    def labels(self, examples: Sequence[PlainText | Triple | ScoredPair]) -> tuple[str, ...]:
        """Empty."""
        return ()

    def score(self, predictions: Sequence[Prediction]) -> dict[str, float]:
        """Spearman and Pearson correlation of cosines with scores; NaN when fewer than two pairs have a score."""
        from scipy.stats import pearsonr, spearmanr

        scored = [prediction for prediction in predictions if prediction.gold is not None]
        golds = [float(prediction.gold) for prediction in scored]
        cosines = [float(prediction.predicted) for prediction in scored]
        if len(scored) < 2:  # a metric that chooses checkpoints must be there: NaN is never the best, so the last stays
            return {"spearman": math.nan, "pearson": math.nan}
        if len(set(golds)) == 1 or len(set(cosines)) == 1:  # a constant correlates with nothing
            return {"spearman": 0.0, "pearson": 0.0}
        return {
            "spearman": float(spearmanr(golds, cosines).statistic),
            "pearson": float(pearsonr(golds, cosines).statistic),
        }


@dataclass(frozen=True)
class SimCSE(_Contrast):
    """Sentences alone: each goes through the model twice, and dropout makes the two views.

    The dense layer on top serves in training only. ``deletion`` over 0 leaves that share of the tokens out of each
    view: a small model tells whole sentences apart at once, by any word, and then learns nothing (see `delete_tokens`).

    ``ranking`` over 0 adds, with this weight, a loss that asks the vectors to rank the sentences of a batch as the
    characters they share do (see `core.tasks.likeness`). With ``neighbours`` so many of the most alike sentences, drawn
    from twice as many, come into the batch with each one, or there would be little to rank; processes do not share it.
    """

    name: str = "simcse"
    sections: tuple[str, ...] = ("8.2.2", "8.3.1")
    columns: tuple[Column, ...] = (Column("text", "text", required=False), *_PAIR_COLUMNS)
    options: tuple[Option, ...] = (
        *_MODEL_OPTIONS,
        Option("deletion", 0.0),
        Option("ranking", 0.0),
        Option("neighbours", 0),
    )
    defaults: Hyperparameters = _DEFAULTS

    def read(self, row: Mapping[str, Any]) -> PlainText | ScoredPair:
        """A sentence, or a pair with its score."""
        return PlainText(read_text(row, "text")) if _has(row, "text") or not _has_pair(row) else _read_pair(row)

    def write(self, example: PlainText | ScoredPair) -> dict[str, Any]:
        """The row of an example."""
        return {"text": example.text} if isinstance(example, PlainText) else _write_pair(example)

    def load(self, folder: str, setup: Setup) -> PreTrainedModel:
        """See `core.tasks.simcse_model`."""
        return _load(folder, setup, self.options, projection="training")

    def prepare(
        self, examples: Sequence[PlainText | ScoredPair], tokenizer: PreTrainedTokenizerBase, setup: Setup
    ) -> Sequence[Features]:
        """Token ids of every sentence; both sentences of a pair are taken as sentences, its score is not looked at.

        Where they are to be ranked, also the ``weights`` of its characters (V,), and the features ``near`` it.
        """
        texts = [
            text
            for example in examples
            for text in ((example.text,) if isinstance(example, PlainText) else (example.first, example.second))
        ]
        features = encode_texts(tokenizer, texts, max_length=setup.max_length)
        chosen = _choose(setup, self.options)
        if not chosen["ranking"]:
            return features
        weights = weigh_characters(texts)
        nearest = find_nearest(weights, 2 * int(chosen["neighbours"]))
        for feature, row in zip(features, weights, strict=True):
            feature["weights"] = row
        for feature, places in zip(features, nearest, strict=True):
            feature["near"] = [features[place] for place in places]
        return features

    def collator(self, tokenizer: PreTrainedTokenizerBase, setup: Setup) -> Collator:
        """Each sentence twice, (B, 2, T), its neighbours after it; ``likeness`` (B, B) where they are to be ranked."""
        chosen = _choose(setup, self.options)
        return _view_collator(
            tokenizer,
            deletion=float(chosen["deletion"]),
            neighbours=int(chosen["neighbours"]) if chosen["ranking"] else 0,
        )

    def predict(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        examples: Sequence[PlainText | ScoredPair],
        setup: Setup,
        *,
        batch_size: int = 32,
    ) -> list[Prediction]:
        """The cosine of each pair; for a sentence alone only the loss among the sentences of its batch.

        Without dropout both views of a sentence are equal: such a loss tells how far apart the sentences lie.
        """
        plain = {place: example.text for place, example in enumerate(examples) if isinstance(example, PlainText)}
        vectors = embed(
            model,
            tokenizer,
            list(plain.values()),
            batch_size=batch_size,
            max_length=setup.max_length,
        )
        losses = _contrast(model, np.stack([vectors, vectors], axis=1), batch_size=batch_size)
        alone = {place: Prediction(place, None, None, loss) for place, loss in zip(plain, losses, strict=True)}
        return _merge(alone, _predict_pairs(model, tokenizer, examples, batch_size=batch_size))


@dataclass(frozen=True)
class SupervisedSimCSE(_Contrast):
    """A premise, what follows from it, and what contradicts it, as a hard negative beside all others of the batch.

    The dense layer on top stays in use after training. A triple may come without a contradiction.
    """

    name: str = "simcse-supervised"
    sections: tuple[str, ...] = ("8.2.3", "8.3.2")
    columns: tuple[Column, ...] = (
        Column("anchor", "text", required=False),
        Column("positive", "text", required=False),
        Column("negative", "text", required=False),
        *_PAIR_COLUMNS,
    )
    options: tuple[Option, ...] = _MODEL_OPTIONS
    defaults: Hyperparameters = _SUPERVISED_DEFAULTS

    def read(self, row: Mapping[str, Any]) -> Triple | ScoredPair:
        """A triple, or a pair with its score."""
        if not _has(row, "anchor") and _has_pair(row):
            return _read_pair(row)
        return Triple(read_text(row, "anchor"), read_text(row, "positive"), read_text(row, "negative", required=False))

    def write(self, example: Triple | ScoredPair) -> dict[str, Any]:
        """The row of an example."""
        if isinstance(example, ScoredPair):
            return _write_pair(example)
        return {"anchor": example.anchor, "positive": example.positive, "negative": example.negative}

    def load(self, folder: str, setup: Setup) -> PreTrainedModel:
        """See `core.tasks.simcse_model`."""
        return _load(folder, setup, self.options, projection="always")

    def prepare(
        self, examples: Sequence[Triple | ScoredPair], tokenizer: PreTrainedTokenizerBase, setup: Setup
    ) -> Sequence[Features]:
        """Token ids of the premise, and those of ``positive`` and ``negative``; a scored pair has no negative."""
        triples = [
            example if isinstance(example, Triple) else Triple(example.first, example.second) for example in examples
        ]
        anchors, positives, negatives = (
            encode_texts(tokenizer, texts, max_length=setup.max_length)
            for texts in (
                [triple.anchor for triple in triples],
                [triple.positive for triple in triples],
                [triple.negative for triple in triples],
            )
        )
        return [
            {**anchor, "positive": positive, "negative": negative, "has_negative": bool(triple.negative)}
            for triple, anchor, positive, negative in zip(triples, anchors, positives, negatives, strict=True)
        ]

    def collator(self, tokenizer: PreTrainedTokenizerBase, setup: Setup) -> Collator:
        """Three views of each example, (B, 3, T), and ``has_negative`` (B,)."""
        import torch

        def collate(features: list[Features]) -> dict[str, Tensor]:
            from core.tasks.encoders import pad_views

            # All three even where no example has a negative: processes that share candidates need equal shapes.
            views = [[feature, feature["positive"], feature["negative"]] for feature in features]
            known = torch.tensor([feature["has_negative"] for feature in features])
            return {**pad_views(views, tokenizer), "has_negative": known}

        return collate

    def predict(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        examples: Sequence[Triple | ScoredPair],
        setup: Setup,
        *,
        batch_size: int = 32,
    ) -> list[Prediction]:
        """The cosine of each pair; for a triple its loss in its batch and, as details, its two cosines."""
        places = [place for place, example in enumerate(examples) if isinstance(example, Triple)]
        triples = [example for example in examples if isinstance(example, Triple)]
        texts = [text for triple in triples for text in (triple.anchor, triple.positive, triple.negative)]
        flat = embed(model, tokenizer, texts, batch_size=batch_size, max_length=setup.max_length)
        vectors = flat.reshape(len(triples), 3, flat.shape[1])
        known = np.array([bool(triple.negative) for triple in triples])
        losses = _contrast(model, vectors, known, batch_size=batch_size)
        alone = {}
        for place, loss, row, has_negative in zip(places, losses, vectors, known, strict=True):
            cosines = {"positive_cosine": _cosine(row[0], row[1])}
            if has_negative:
                cosines["negative_cosine"] = _cosine(row[0], row[2])
            alone[place] = Prediction(place, None, None, loss, details=cosines)
        return _merge(alone, _predict_pairs(model, tokenizer, examples, batch_size=batch_size))


def _has(row: Mapping[str, Any], column: str) -> bool:
    return bool(read_text(row, column, required=False))


def _has_pair(row: Mapping[str, Any]) -> bool:
    return any(_has(row, column) for column in ("sentence1", "sentence2"))


def _read_pair(row: Mapping[str, Any]) -> ScoredPair:
    return ScoredPair(read_text(row, "sentence1"), read_text(row, "sentence2"), read_number(row, "score"))


def _write_pair(pair: ScoredPair) -> dict[str, Any]:
    return {"sentence1": pair.first, "sentence2": pair.second, "score": pair.score}


def _choose(setup: Setup, options: Sequence[Option]) -> dict[str, Any]:
    return {option.name: setup.options.get(option.name, option.default) for option in options}


def _load(folder: str, setup: Setup, options: Sequence[Option], *, projection: str) -> PreTrainedModel:
    from core.libraries import import_transformers

    import_transformers()
    from core.tasks.simcse_model import load_sentence_encoder

    chosen = _choose(setup, options)
    return load_sentence_encoder(
        folder,
        pooling=str(chosen["pooling"]),
        temperature=float(chosen["temperature"]),
        projection=projection,
        ranking=float(chosen.get("ranking", 0.0)),
    )


def _view_collator(tokenizer: PreTrainedTokenizerBase, *, deletion: float, neighbours: int) -> Collator:
    def collate(features: list[Features]) -> dict[str, Tensor]:
        import torch
        from scipy.sparse import vstack

        from core.tasks.encoders import pad_views

        batch = [one for feature in features for one in (feature, *_draw(feature.get("near", []), neighbours))]
        tokens = [{name: value for name, value in one.items() if name not in _RANKED} for one in batch]
        views = [[delete_tokens(one, share=deletion) if deletion else one for _ in range(2)] for one in tokens]
        padded = pad_views(views, tokenizer)
        if "weights" not in batch[0]:
            return padded
        weights = vstack([one["weights"] for one in batch])
        return {**padded, "likeness": torch.from_numpy((weights @ weights.T).toarray())}

    return collate


def _draw(near: Sequence[Features], count: int) -> list[Features]:
    import torch

    return [near[place] for place in torch.randperm(len(near))[:count].tolist()]


def delete_tokens(feature: Features, *, share: float) -> Features:
    """The same text without some of its tokens, each left out with the probability `share`; at least one stays.

    The first and last token, which stand around the text, always stay. Draws from torch's own random state.

    Source: Yan et al. 2021, "ConSERT", 3.2 (token cutoff).
    """
    import torch

    kept = torch.rand(len(feature["input_ids"])) >= share
    kept[0] = kept[-1] = True
    if kept[1:-1].sum() == 0:
        kept[1:2] = True
    return {name: torch.as_tensor(values)[kept].tolist() for name, values in feature.items()}


def _contrast(
    model: PreTrainedModel, vectors: Floats, known: npt.NDArray[np.bool_] | None = None, *, batch_size: int
) -> list[float]:
    """The loss of each example of (N, V, D) among the `batch_size` examples that stand beside it."""
    import torch

    losses: list[float] = []
    encoder: Any = model
    with evaluating(model):
        for start in range(0, len(vectors), batch_size):
            part = slice(start, start + batch_size)
            negatives = None if known is None else torch.from_numpy(known[part]).to(device_of(model))
            losses += encoder.contrast(torch.from_numpy(vectors[part]).to(device_of(model)), negatives).tolist()
    return losses


def _predict_pairs(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, examples: Sequence[Any], *, batch_size: int
) -> dict[int, Prediction]:
    pairs = {place: example for place, example in enumerate(examples) if isinstance(example, ScoredPair)}
    # A caption stands in several pairs of JSTS: every different sentence is embedded once.
    texts = list(dict.fromkeys(text for pair in pairs.values() for text in (pair.first, pair.second)))
    rows = dict(
        zip(
            texts,
            embed(model, tokenizer, texts, batch_size=batch_size, max_length=_PAIR_LENGTH),
            strict=True,
        )
    )
    return {
        place: Prediction(place, pair.score, _cosine(rows[pair.first], rows[pair.second]), math.nan)
        for place, pair in pairs.items()
    }


def _cosine(one: Floats, other: Floats) -> float:
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / lengths if lengths else 0.0


def _merge(*parts: Mapping[int, Prediction]) -> list[Prediction]:
    found = {place: prediction for part in parts for place, prediction in part.items()}
    return [found[place] for place in sorted(found)]


TASKS = (SimCSE(), SupervisedSimCSE())
