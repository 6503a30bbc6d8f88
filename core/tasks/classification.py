"""Text classification: sentiment and its like (book 5.2)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.data.cells import read_label, read_text
from core.data.examples import LabelledText
from core.errors import InvalidInput
from core.tasks.batching import evaluating, iterate_batches
from core.tasks.task import Architecture, Column, Hyperparameters, Option, Prediction, Setup
from core.tasks.tokenizing import encode_texts

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from core.tasks.task import Collator, Features

# The order of the book's data sets (wrime-sentiment, JNLI), so that published models keep their heads.
_BOOK_ORDER = ("positive", "negative", "entailment", "contradiction", "neutral")
_DEFAULTS = Hyperparameters()


@dataclass(frozen=True)
class TextClassification:
    """A text and the class it belongs to, by a linear layer on [CLS] and cross entropy."""

    name: str = "classification"
    sections: tuple[str, ...] = ("5.2",)
    columns: tuple[Column, ...] = (Column("text", "text"), Column("label", "label"))
    options: tuple[Option, ...] = ()
    architecture: Architecture = "encoder"
    metric: str = "accuracy"
    greater_is_better: bool = True
    defaults: Hyperparameters = _DEFAULTS

    def read(self, row: Mapping[str, Any]) -> LabelledText:
        """A text and its label, any text or whole number."""
        return LabelledText(read_text(row, "text"), read_label(row))

    def write(self, example: LabelledText) -> dict[str, Any]:
        """The row of an example."""
        return {"text": example.text, "label": example.label}

    def label_of(self, example: LabelledText) -> str | None:
        """The class."""
        return example.label

    def labels(self, examples: Sequence[LabelledText]) -> tuple[str, ...]:
        """The classes in the book's order where it has one, else numbers by size and words by code point."""
        return order_labels(example.label for example in examples)

    def load(self, folder: str, setup: Setup) -> PreTrainedModel:
        """A sequence classifier; see `core.tasks.heads`."""
        from core.tasks.heads import load_classifier

        return load_classifier(folder, setup.labels)

    def prepare(
        self, examples: Sequence[LabelledText], tokenizer: PreTrainedTokenizerBase, setup: Setup
    ) -> Sequence[Features]:
        """Token ids, and ``labels`` as the index of the class.

        Raises:
            InvalidInput: ``error.data.unknown_label``.
        """
        features = encode_texts(tokenizer, [example.text for example in examples], max_length=setup.max_length)
        return add_labels(features, [example.label for example in examples], setup.labels)

    def collator(self, tokenizer: PreTrainedTokenizerBase, setup: Setup) -> Collator:
        """Padding to the longest of the batch."""
        return label_collator(tokenizer)

    def predict(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        examples: Sequence[LabelledText],
        setup: Setup,
        *,
        batch_size: int = 32,
    ) -> list[Prediction]:
        """The most probable class of each text."""
        features = encode_texts(tokenizer, [example.text for example in examples], max_length=setup.max_length)
        golds = [example.label for example in examples]
        return predict_labels(model, tokenizer, features, golds, setup.labels, batch_size=batch_size)

    def score(self, predictions: Sequence[Prediction]) -> dict[str, float]:
        """Accuracy, and for every class precision, recall and F1."""
        return score_labels(predictions)


def order_labels(labels: Any) -> tuple[str, ...]:
    """Different labels in a fixed order, whatever order they come in."""

    def rank(label: str) -> tuple[int, float, str]:
        if label in _BOOK_ORDER:
            return 0, _BOOK_ORDER.index(label), label
        return (1, int(label), label) if label.isascii() and label.lstrip("-").isdecimal() else (2, 0, label)

    return tuple(sorted(set(labels), key=rank))


def add_labels(features: list[Features], labels: Sequence[str], known: Sequence[str]) -> list[Features]:
    """Give features their ``labels``, the index of each label among the known ones.

    Raises:
        InvalidInput: ``error.data.unknown_label`` with ``label`` and ``known``.
    """
    numbers = {label: index for index, label in enumerate(known)}
    for feature, label in zip(features, labels, strict=True):
        if label not in numbers:
            raise InvalidInput("error.data.unknown_label", label=label[:40], known=", ".join(known)[:200])
        feature["labels"] = numbers[label]
    return features


def label_collator(tokenizer: PreTrainedTokenizerBase) -> Collator:
    """Batches padded to their longest member: ids, mask and segments (B, T), ``labels`` (B,) where there are any."""
    import torch

    def collate(features: list[Features]) -> dict[str, Tensor]:
        inputs = [{name: value for name, value in feature.items() if name != "labels"} for feature in features]
        batch = dict(tokenizer.pad(inputs, return_tensors="pt"))
        if "labels" in features[0]:
            batch["labels"] = torch.tensor([feature["labels"] for feature in features])  # whole numbers or floats
        return batch

    return collate


def predict_labels(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    features: Sequence[Features],
    golds: Sequence[str],
    labels: Sequence[str],
    *,
    batch_size: int,
) -> list[Prediction]:
    """The most probable label of each input; its loss is NaN where the gold label is not one of the labels."""
    numbers = {label: index for index, label in enumerate(labels)}
    found: list[Prediction | None] = [None] * len(features)
    with evaluating(model):
        for indices, batch in iterate_batches(model, features, label_collator(tokenizer), batch_size=batch_size):
            log_probabilities = model(**batch).logits.float().log_softmax(-1).cpu()  # (B, L)
            best = log_probabilities.argmax(-1).tolist()
            for index, choice, row in zip(indices, best, log_probabilities.double(), strict=True):
                gold = golds[index]
                scores = dict(zip(labels, row.exp().tolist(), strict=True))
                loss = -float(row[numbers[gold]]) if gold in numbers else math.nan
                found[index] = Prediction(index, gold, labels[choice], loss, scores)
    return [prediction for prediction in found if prediction is not None]


def score_labels(predictions: Sequence[Prediction]) -> dict[str, float]:
    """Accuracy, ``precision.<label>``, ``recall.<label>``, ``f1.<label>`` and ``macro_f1``.

    Over the labels that occur, as gold or as predicted; 0 where a share has nothing to be a share of. Like
    scikit-learn's `accuracy_score` and `precision_recall_fscore_support`.
    """
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support

    if not predictions:
        return {}
    golds = [str(prediction.gold) for prediction in predictions]
    predicted = [str(prediction.predicted) for prediction in predictions]
    labels = order_labels([*golds, *predicted])
    precisions, recalls, f1s, _ = precision_recall_fscore_support(golds, predicted, labels=labels, zero_division=0)
    scores = {"accuracy": float(accuracy_score(golds, predicted)), "macro_f1": float(f1s.mean())}
    for label, precision, recall, f1 in zip(labels, precisions, recalls, f1s, strict=True):
        scores |= {f"precision.{label}": float(precision), f"recall.{label}": float(recall), f"f1.{label}": float(f1)}
    return scores


TASK = TextClassification()
