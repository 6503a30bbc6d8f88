"""Multiple choice: which of several answers fits the question (book 5.4.3)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.data.cells import read_label, read_list, read_text
from core.data.examples import ChoiceQuestion
from core.errors import InvalidInput
from core.tasks.batching import evaluating, iterate_batches
from core.tasks.task import Architecture, Column, Hyperparameters, Option, Prediction, Setup
from core.tasks.tokenizing import encode_texts

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from core.tasks.task import Collator, Features

_DEFAULTS = Hyperparameters(max_length=64)
_LETTERS = "ABCDEFGHIJ"


@dataclass(frozen=True)
class MultipleChoice:
    """Each choice is read together with the question and gets one number; softmax over the choices, cross entropy."""

    name: str = "multiple-choice"
    sections: tuple[str, ...] = ("5.4.3",)
    columns: tuple[Column, ...] = (Column("question", "text"), Column("choices", "choices"), Column("label", "label"))
    options: tuple[Option, ...] = ()
    architecture: Architecture = "encoder"
    metric: str = "accuracy"
    greater_is_better: bool = True
    defaults: Hyperparameters = _DEFAULTS

    def read(self, row: Mapping[str, Any]) -> ChoiceQuestion:
        """A question, two or more choices, and the right one: its index from 0, its letter from A, or its text.

        Raises:
            InvalidInput: ``error.data.few_choices``, ``error.data.no_such_choice`` with ``label`` and ``choices``, and
                those of `core.data.cells`.
        """
        choices = tuple(read_text({"choices": choice}, "choices") for choice in read_list(row, "choices"))
        if len(choices) < 2:
            raise InvalidInput("error.data.few_choices", choices=len(choices))
        return ChoiceQuestion(read_text(row, "question"), choices, _find_choice(read_label(row), choices))

    def write(self, example: ChoiceQuestion) -> dict[str, Any]:
        """The row of an example."""
        return {"question": example.question, "choices": list(example.choices), "label": example.answer}

    def label_of(self, example: ChoiceQuestion) -> str | None:
        """None: where the right choice stands means nothing."""
        return None

    def labels(self, examples: Sequence[ChoiceQuestion]) -> tuple[str, ...]:
        """None at all."""
        return ()

    def load(self, folder: str, setup: Setup) -> PreTrainedModel:
        """A multiple-choice model that can leave out choices; see `core.tasks.choosing`."""
        from core.tasks.heads import load_chooser

        return load_chooser(folder)

    def prepare(
        self, examples: Sequence[ChoiceQuestion], tokenizer: PreTrainedTokenizerBase, setup: Setup
    ) -> Sequence[Features]:
        """Token ids of the question with each choice, one after the other.

        ``input_ids``, ``attention_mask`` and ``token_type_ids`` (T of all choices together), ``choice_lengths`` (C,),
        and ``labels``, the index of the right choice.
        """
        features = _encode(examples, tokenizer, setup)
        for feature, example in zip(features, examples, strict=True):
            feature["labels"] = example.answer
        return features

    def collator(self, tokenizer: PreTrainedTokenizerBase, setup: Setup) -> Collator:
        """Batches of ids, mask and segments (B, C, T), ``choice_mask`` (B, C), ``labels`` (B,)."""
        return _choice_collator(tokenizer)

    def predict(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        examples: Sequence[ChoiceQuestion],
        setup: Setup,
        *,
        batch_size: int = 32,
    ) -> list[Prediction]:
        """The most probable choice of each question, by its index."""
        found: list[Prediction | None] = [None] * len(examples)
        features = _encode(examples, tokenizer, setup)
        with evaluating(model):
            for indices, batch in iterate_batches(model, features, _choice_collator(tokenizer), batch_size=batch_size):
                log_probabilities = model(**batch).logits.double().log_softmax(-1).cpu()  # (B, C)
                for index, row in zip(indices, log_probabilities, strict=True):
                    example = examples[index]
                    numbers = row[: len(example.choices)].tolist()
                    scores = {str(choice): math.exp(number) for choice, number in enumerate(numbers)}
                    best = max(range(len(numbers)), key=numbers.__getitem__)
                    found[index] = Prediction(index, example.answer, best, -numbers[example.answer], scores)
        return [prediction for prediction in found if prediction is not None]

    def score(self, predictions: Sequence[Prediction]) -> dict[str, float]:
        """Accuracy."""
        if not predictions:
            return {}
        right = sum(prediction.gold == prediction.predicted for prediction in predictions)
        return {"accuracy": right / len(predictions)}


def _find_choice(label: str, choices: Sequence[str]) -> int:
    if label.isascii() and label.isdecimal() and int(label) < len(choices):
        return int(label)
    if label.removeprefix("choice").isdecimal() and int(label.removeprefix("choice")) < len(choices):
        return int(label.removeprefix("choice"))
    if label in choices:
        return choices.index(label)
    if len(label) == 1 and label.upper() in _LETTERS[: len(choices)]:
        return _LETTERS.index(label.upper())
    raise InvalidInput("error.data.no_such_choice", label=label[:40], choices=len(choices))


def _encode(examples: Sequence[ChoiceQuestion], tokenizer: PreTrainedTokenizerBase, setup: Setup) -> list[Features]:
    questions = [example.question for example in examples for _ in example.choices]
    choices = [choice for example in examples for choice in example.choices]
    encoded = iter(encode_texts(tokenizer, questions, choices, max_length=setup.max_length))
    features: list[Features] = []
    for example in examples:
        parts = [next(encoded) for _ in example.choices]
        feature: Features = {name: [number for part in parts for number in part[name]] for name in parts[0]}
        # One flat list, so that whoever groups by length sees the work that a question makes.
        feature["choice_lengths"] = [len(part["input_ids"]) for part in parts]
        features.append(feature)
    return features


def _choice_collator(tokenizer: PreTrainedTokenizerBase) -> Collator:
    import torch

    def collate(features: list[Features]) -> dict[str, Tensor]:
        most = max(len(feature["choice_lengths"]) for feature in features)
        names = [name for name in features[0] if name not in ("choice_lengths", "labels")]
        rows: list[Features] = []  # B × C of them
        for feature in features:
            start = 0
            parts: list[Features] = []
            for length in feature["choice_lengths"]:
                parts.append({name: feature[name][start : start + length] for name in names})
                start += length
            # A missing choice is a copy of the first: a row of nothing but padding would have nothing to attend to.
            rows += parts + [parts[0]] * (most - len(parts))
        padded = tokenizer.pad(rows, return_tensors="pt")
        batch = {name: padded[name].view(len(features), most, -1) for name in names}  # (B, C, T)
        counts = torch.tensor([len(feature["choice_lengths"]) for feature in features])
        if int(counts.min()) < most:
            batch["choice_mask"] = (torch.arange(most) < counts[:, None]).long()  # (B, C)
        if "labels" in features[0]:
            batch["labels"] = torch.tensor([feature["labels"] for feature in features])
        return batch

    return collate


TASK = MultipleChoice()
