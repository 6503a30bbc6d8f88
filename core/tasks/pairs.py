"""Pairs of sentences: how the second follows from the first (book 5.4.1), and how alike they are (5.4.2)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.data.cells import read_label, read_number, read_text
from core.data.examples import LabelledPair, ScoredPair
from core.tasks.batching import evaluating, iterate_batches
from core.tasks.classification import add_labels, label_collator, order_labels, predict_labels, score_labels
from core.tasks.task import Architecture, Column, Hyperparameters, Option, Prediction, Setup
from core.tasks.tokenizing import encode_texts

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from core.tasks.task import Collator, Features

_DEFAULTS = Hyperparameters(max_length=128)
_SENTENCES = (Column("sentence1", "text"), Column("sentence2", "text"))


@dataclass(frozen=True)
class PairClassification:
    """Natural language inference: entailment, contradiction or neutral, or any other labels of a pair."""

    name: str = "pair-classification"
    sections: tuple[str, ...] = ("5.4.1",)
    columns: tuple[Column, ...] = (*_SENTENCES, Column("label", "label"))
    options: tuple[Option, ...] = ()
    architecture: Architecture = "encoder"
    metric: str = "accuracy"
    greater_is_better: bool = True
    defaults: Hyperparameters = _DEFAULTS

    def read(self, row: Mapping[str, Any]) -> LabelledPair:
        """Two sentences and their label."""
        return LabelledPair(read_text(row, "sentence1"), read_text(row, "sentence2"), read_label(row))

    def write(self, example: LabelledPair) -> dict[str, Any]:
        """The row of an example."""
        return {"sentence1": example.first, "sentence2": example.second, "label": example.label}

    def label_of(self, example: LabelledPair) -> str | None:
        """The relation."""
        return example.label

    def labels(self, examples: Sequence[LabelledPair]) -> tuple[str, ...]:
        """Entailment, contradiction, neutral, as in JGLUE; other labels after them."""
        return order_labels(example.label for example in examples)

    def load(self, folder: str, setup: Setup) -> PreTrainedModel:
        """A sequence classifier; see `core.tasks.heads`."""
        from core.tasks.heads import load_classifier

        return load_classifier(folder, setup.labels)

    def prepare(
        self, examples: Sequence[LabelledPair], tokenizer: PreTrainedTokenizerBase, setup: Setup
    ) -> Sequence[Features]:
        """Token ids of both sentences in one input, segment ids 0…0 1…1, and ``labels`` as the index of the label.

        Raises:
            InvalidInput: ``error.data.unknown_label``.
        """
        features = _encode(examples, tokenizer, setup)
        return add_labels(features, [example.label for example in examples], setup.labels)

    def collator(self, tokenizer: PreTrainedTokenizerBase, setup: Setup) -> Collator:
        """Padding to the longest of the batch."""
        return label_collator(tokenizer)

    def predict(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        examples: Sequence[LabelledPair],
        setup: Setup,
        *,
        batch_size: int = 32,
    ) -> list[Prediction]:
        """The most probable label of each pair."""
        features = _encode(examples, tokenizer, setup)
        golds = [example.label for example in examples]
        return predict_labels(model, tokenizer, features, golds, setup.labels, batch_size=batch_size)

    def score(self, predictions: Sequence[Prediction]) -> dict[str, float]:
        """Accuracy, and for every label precision, recall and F1."""
        return score_labels(predictions)


@dataclass(frozen=True)
class PairSimilarity:
    """Semantic textual similarity by a cross-encoder: one output, trained by squared error."""

    name: str = "similarity"
    sections: tuple[str, ...] = ("5.4.2",)
    columns: tuple[Column, ...] = (*_SENTENCES, Column("score", "number"))
    options: tuple[Option, ...] = ()
    architecture: Architecture = "encoder"
    metric: str = "spearman"
    greater_is_better: bool = True
    defaults: Hyperparameters = _DEFAULTS

    def read(self, row: Mapping[str, Any]) -> ScoredPair:
        """Two sentences and their score."""
        return ScoredPair(read_text(row, "sentence1"), read_text(row, "sentence2"), read_number(row, "score"))

    def write(self, example: ScoredPair) -> dict[str, Any]:
        """The row of an example."""
        return {"sentence1": example.first, "sentence2": example.second, "score": example.score}

    def label_of(self, example: ScoredPair) -> str | None:
        """None: scores are no classes."""
        return None

    def labels(self, examples: Sequence[ScoredPair]) -> tuple[str, ...]:
        """None at all."""
        return ()

    def load(self, folder: str, setup: Setup) -> PreTrainedModel:
        """A model with one output; the head of a classifier makes room for a new one."""
        from core.tasks.heads import load_regressor

        return load_regressor(folder)

    def prepare(
        self, examples: Sequence[ScoredPair], tokenizer: PreTrainedTokenizerBase, setup: Setup
    ) -> Sequence[Features]:
        """Token ids of both sentences in one input, segment ids 0…0 1…1, and ``labels`` as the score."""
        features = _encode(examples, tokenizer, setup)
        for feature, example in zip(features, examples, strict=True):
            feature["labels"] = float(example.score)
        return features

    def collator(self, tokenizer: PreTrainedTokenizerBase, setup: Setup) -> Collator:
        """Padding to the longest of the batch."""
        return label_collator(tokenizer)

    def predict(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        examples: Sequence[ScoredPair],
        setup: Setup,
        *,
        batch_size: int = 32,
    ) -> list[Prediction]:
        """The model's number for each pair, as it is: it may lie a little outside the scale it learned."""
        found = [math.nan] * len(examples)
        features = _encode(examples, tokenizer, setup)
        with evaluating(model):
            for indices, batch in iterate_batches(model, features, label_collator(tokenizer), batch_size=batch_size):
                numbers = model(**batch).logits.float().squeeze(-1).tolist()  # (B,)
                for index, number in zip(indices, numbers, strict=True):
                    found[index] = number
        return [
            Prediction(index, example.score, number, (number - example.score) ** 2)
            for index, (example, number) in enumerate(zip(examples, found, strict=True))
        ]

    def score(self, predictions: Sequence[Prediction]) -> dict[str, float]:
        """Pearson's and Spearman's correlation; NaN where they are not defined (all gold or all predicted alike)."""
        from scipy.stats import pearsonr, spearmanr

        golds = [float(prediction.gold) for prediction in predictions]
        numbers = [float(prediction.predicted) for prediction in predictions]
        if not all(map(math.isfinite, [*golds, *numbers])) or len(set(golds)) < 2 or len(set(numbers)) < 2:
            return {"pearson": math.nan, "spearman": math.nan}
        return {
            "pearson": float(pearsonr(numbers, golds).statistic),
            "spearman": float(spearmanr(numbers, golds).statistic),
        }


def _encode(
    examples: Sequence[LabelledPair] | Sequence[ScoredPair], tokenizer: PreTrainedTokenizerBase, setup: Setup
) -> list[Features]:
    firsts, seconds = [example.first for example in examples], [example.second for example in examples]
    return encode_texts(tokenizer, firsts, seconds, max_length=setup.max_length)


TASKS = (PairClassification(), PairSimilarity())
