"""One batch as a model is given it, what of it is padding, and what a model says before it has learned anything
(book 5.2.3, 5.2.5–5.2.7).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from core.errors import InvalidInput
from core.tasks.registry import find_task
from core.tasks.task import Setup
from core.training.config import RunConfig

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from core.models.loading import ModelFolder
    from core.tasks.loaded import TaskModel
    from core.tasks.task import Features

TASKS = ("classification", "pair-classification")  # whose answer is one label
TENSORS = ("input_ids", "attention_mask", "token_type_ids", "labels")


@dataclass(frozen=True)
class BatchToken:
    """A token of an example; `segment` 1 in the second text of a pair, `special` for [CLS] and [SEP]."""

    text: str
    id: int
    segment: int
    special: bool


@dataclass(frozen=True)
class BatchRow:
    """An example of a batch with its tokens before padding, and what the model says of it before it was trained.

    `lost` tokens were cut off by the longest length. `scores` are probabilities by label, `loss` is in nats.
    """

    text: str
    label: str
    tokens: tuple[BatchToken, ...]
    lost: int
    predicted: str
    scores: dict[str, float]
    loss: float


@dataclass(frozen=True)
class MiniBatch:
    """Batch `number` (from 1) of the first epoch, and all batches of that epoch.

    `shapes` are those of the tensors by name, B examples by T tokens. `sizes` are (tokens, positions) of each batch;
    positions that hold no token are padding. `wasted` is the share of padding in an epoch of examples in random order,
    `wasted_grouped` with those of like length together. `loss` is the mean over the batch, in nats.
    """

    task: str
    examples: int
    labels: tuple[str, ...]
    grouped: bool
    number: int
    shapes: dict[str, tuple[int, ...]]
    rows: tuple[BatchRow, ...]
    sizes: tuple[tuple[int, int], ...]
    wasted: float
    wasted_grouped: float
    loss: float

    @property
    def width(self) -> int:
        """Positions of a row, T."""
        return self.shapes["input_ids"][1]

    @property
    def padding(self) -> float:
        """The share of this batch that is padding."""
        tokens, positions = self.sizes[self.number - 1]
        return 1 - tokens / positions


def look_at_batch(config: RunConfig, *, number: int) -> MiniBatch:
    """The batch that a run with this configuration would see as its `number`-th, at most the last one.

    Raises:
        InvalidInput: ``error.training.no_labels`` for a task without labels, or as `core.data.loading.load_examples`.
        ModelUnavailable: the model is not here or cannot be used.
    """
    from core.models.loading import find_folder
    from core.presets import ENCODERS
    from core.training.batches import lengths_of, own_randomness
    from core.training.engine import load_parts, make_setup

    if config.task not in TASKS:
        raise InvalidInput("error.training.no_labels", task=config.task)
    task, settings = find_task(config.task), config.hyperparameters
    parts = load_parts(task, config.data, seed=settings.seed)
    found = find_folder(config.model, ENCODERS)
    found.check_size(config.model)
    setup = make_setup(task, config, parts, folder=found.path)
    untrained = _load_untrained(found, config.task, setup, settings.seed)
    tokenizer = untrained.tokenizer
    with own_randomness(settings.seed):
        features = task.prepare(parts.train, tokenizer, setup)
    lengths = lengths_of(features)
    size, seed = settings.batch_size, settings.seed
    orders = {grouped: cut_batches(lengths, size, seed=seed, grouped=grouped) for grouped in (False, True)}
    batches = orders[settings.length_grouping]
    number = min(number, len(batches))
    chosen = batches[number - 1]
    batch = task.collator(tokenizer, setup)([features[index] for index in chosen])
    examples = [parts.train[index] for index in chosen]
    predictions = task.predict(untrained.model, tokenizer, examples, setup)
    whole = task.prepare(examples, tokenizer, replace(setup, max_length=tokenizer.model_max_length))
    rows = tuple(
        BatchRow(
            text=" ／ ".join(_texts_of(example)),
            label=str(task.label_of(example)),
            tokens=_tokens_of(features[index], tokenizer),
            lost=len(uncut["input_ids"]) - lengths[index],
            predicted=str(prediction.predicted),
            scores=dict(prediction.scores or {}),
            loss=float(prediction.loss),
        )
        for index, example, uncut, prediction in zip(chosen, examples, whole, predictions, strict=True)
    )
    return MiniBatch(
        task=config.task,
        examples=len(parts.train),
        labels=setup.labels,
        grouped=settings.length_grouping,
        number=number,
        shapes={name: tuple(batch[name].shape) for name in TENSORS if name in batch},
        rows=rows,
        sizes=tuple(measure_batch(lengths, members) for members in batches),
        wasted=share_wasted(lengths, orders[False]),
        wasted_grouped=share_wasted(lengths, orders[True]),
        loss=math.fsum(row.loss for row in rows) / len(rows),
    )


def cut_batches(lengths: Sequence[int], size: int, *, seed: int, grouped: bool) -> list[list[int]]:
    """The indices of the examples of each batch of the first epoch, in the order in which a run sees them."""
    from core.training.batches import order_examples

    order = order_examples(lengths, seed=seed, epoch=0, group=size if grouped else 0)
    return [order[start : start + size] for start in range(0, len(order), size)]


def measure_batch(lengths: Sequence[int], members: Sequence[int]) -> tuple[int, int]:
    """How many tokens there are, and how many positions when all are padded to the longest."""
    own = [lengths[index] for index in members]
    return sum(own), len(own) * max(own)


def share_wasted(lengths: Sequence[int], batches: Sequence[Sequence[int]]) -> float:
    """The share of positions in these batches that hold no token."""
    sizes = [measure_batch(lengths, members) for members in batches]
    return 1 - sum(tokens for tokens, _ in sizes) / sum(positions for _, positions in sizes)


def _load_untrained(found: ModelFolder, name: str, setup: Setup, seed: int) -> TaskModel:
    """A base model under a new head, whose weights are drawn by the seed; shared: never change it."""
    from core.models.loading import SHARED, prepare_torch
    from core.tasks.loaded import TaskModel, load_tokenizer_of
    from core.training.batches import own_randomness

    def load() -> TaskModel:
        prepare_torch()
        task = find_task(name)
        with own_randomness(seed):
            model = task.load(str(found.path), setup)
        model.float().eval().requires_grad_(False)
        megabytes = sum(parameter.numel() for parameter in model.parameters()) * 4 / 1e6
        return TaskModel(task, model, load_tokenizer_of(found.path), setup, megabytes)

    untrained: TaskModel = SHARED.get((found.path, found.written, "untrained", name, setup.labels, seed), load)
    return untrained


def _texts_of(example: Any) -> tuple[str, ...]:
    from core.data.splits import texts_of

    return texts_of(example)


def _tokens_of(feature: Features, tokenizer: PreTrainedTokenizerBase) -> tuple[BatchToken, ...]:
    ids = feature["input_ids"]
    segments = feature.get("token_type_ids") or [0] * len(ids)
    special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    pieces = tokenizer.convert_ids_to_tokens(ids)
    return tuple(
        BatchToken(str(piece), int(number), int(segment), number in special)
        for piece, number, segment in zip(pieces, ids, segments, strict=True)
    )
