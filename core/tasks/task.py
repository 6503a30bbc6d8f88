"""What every task has in common: the protocol, its settings, and the prediction that all of them hand out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from core.models.loading import Architecture

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    Features = dict[str, Any]  # one encoded example: token ids and whatever else the collator needs
    Collator = Callable[[list[Features]], dict[str, Tensor]]

ColumnKind = Literal["text", "label", "number", "choices", "entities", "passage", "passages", "answers"]

Example = TypeVar("Example")


@dataclass(frozen=True, slots=True)
class Column:
    """A column that a task reads, by its canonical name; a file's own names are mapped to these."""

    name: str
    kind: ColumnKind
    required: bool = True


@dataclass(frozen=True, slots=True)
class Option:
    """A setting that only this task has; its words are under ``task.<task>.<name>``."""

    name: str
    default: bool | int | float | str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """How to train; the defaults are those of chapter 5 (book.md 0.5). Lengths in tokens.

    `steps` over 0 replaces `epochs`; `evaluate_every` 0 means once an epoch, else every so many steps; `patience` is
    the number of evaluations without gain after which training stops, 0 for never.
    """

    epochs: float = 3.0
    steps: int = 0
    batch_size: int = 32
    accumulation: int = 1
    learning_rate: float = 2e-5
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup: float = 0.1  # share of all steps
    weight_decay: float = 0.0
    max_gradient_norm: float = 1.0
    max_length: int = 512
    max_target_length: int = 128
    evaluate_every: int = 0
    patience: int = 0
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    gradient_checkpointing: bool = False
    length_grouping: bool = False
    seed: int = 42


@dataclass(frozen=True)
class Setup:
    """What a task needs to know beside its examples: fixed before training, stored beside the model as task.json."""

    labels: tuple[str, ...] = ()  # in the order of the model's outputs; empty for tasks without labels
    max_length: int = 512
    max_target_length: int = 128
    options: Mapping[str, Any] = field(default_factory=dict)  # every `Option` of the task by name


@dataclass(frozen=True)
class Prediction:
    """What a model said of one example, as plain JSON values.

    `gold` and `predicted` have the same form: a label, a number, an index, a list of [start, end, label], a text.
    `loss` is the example's own training loss (nats, or squared error), NaN where the task has none for one example.
    `scores` is what the answer was chosen by: label to probability, choice index to probability.
    `details` is anything else the task has to tell: every decoding of a tagger, the ranks of a retriever.
    """

    index: int
    gold: Any
    predicted: Any
    loss: float
    scores: Mapping[str, float] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)


class Task(Protocol[Example]):
    """A kind of task: from rows to examples, features, a model, predictions and metrics. Stateless."""

    @property
    def name(self) -> str:
        """The key by which configurations, words and the command line name it."""

    @property
    def sections(self) -> tuple[str, ...]:
        """The sections of the book that train it."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """What its rows hold."""

    @property
    def options(self) -> tuple[Option, ...]:
        """Its own settings."""

    @property
    def architecture(self) -> Architecture:
        """What kind of model it starts from."""

    @property
    def metric(self) -> str:
        """The metric that chooses the best checkpoint; one of the keys of `score`, or ``loss``."""

    @property
    def greater_is_better(self) -> bool:
        """Whether more of `metric` is better."""

    @property
    def defaults(self) -> Hyperparameters:
        """The book's own settings."""

    def read(self, row: Mapping[str, Any]) -> Example:
        """Turn a row with canonical columns into an example.

        Raises:
            InvalidInput: a value cannot be used; the key and its parameters say which and why.
        """

    def write(self, example: Example) -> dict[str, Any]:
        """Turn an example back into a row: ``read(write(e)) == e``."""

    def label_of(self, example: Example) -> str | None:
        """The label that balance and splits look at; None for a task without labels."""

    def labels(self, examples: Sequence[Example]) -> tuple[str, ...]:
        """The labels of these examples in the order the model's outputs will have; empty for a task without labels."""

    def load(self, folder: str, setup: Setup) -> PreTrainedModel:
        """Load what lies in `folder` as a model of this task: a new head, or the trained one."""

    def prepare(
        self, examples: Sequence[Example], tokenizer: PreTrainedTokenizerBase, setup: Setup
    ) -> Sequence[Features]:
        """Encode examples to train on; ``input_ids`` (T,) in each, whose length is what grouping looks at."""

    def collator(self, tokenizer: PreTrainedTokenizerBase, setup: Setup) -> Collator:
        """What makes a padded batch of features; the model's forward takes its entries and returns ``loss``."""

    def predict(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        examples: Sequence[Example],
        setup: Setup,
        *,
        batch_size: int = 32,
    ) -> list[Prediction]:
        """Predict, in the order of the examples, without gradients, in evaluation mode, on the model's device."""

    def score(self, predictions: Sequence[Prediction]) -> dict[str, float]:
        """Metrics of predictions, computed from nothing but them."""


def device_of(model: PreTrainedModel) -> torch.device:
    """The device that the model's parameters lie on."""
    return next(model.parameters()).device
