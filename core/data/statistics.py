"""What a data set looks like before training on it: labels, lengths in tokens, and what a longest length cuts off
(book 5.2.4, 5.4).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from core.data.splits import Splits, texts_of
from core.tasks.task import Task
from core.tasks.tokenizing import encode_pieces

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Example = TypeVar("Example")


@dataclass(frozen=True, slots=True)
class LabelBalance:
    """How many examples of each part have a label; the order of the labels is the task's, the same for every part."""

    labels: tuple[str, ...]
    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]

    @property
    def majority(self) -> float:
        """The share of the most frequent training label in [0, 1]: what always saying it would score."""
        return max(self.train, default=0) / max(sum(self.train), 1)


@dataclass(frozen=True, slots=True)
class LengthHistogram:
    """Examples counted by their length in tokens: bin ``i`` holds lengths from ``i * width`` to below the next."""

    width: int
    counts: tuple[int, ...]
    longest: int
    mean: float


def balance_labels(task: Task[Example], splits: Splits[Example], *, labels: Sequence[str] = ()) -> LabelBalance:
    """Count labels in every part.

    Args:
        task: says what the label of an example is.
        splits: the examples.
        labels: their order; by default the task's own over all parts.
    """
    parts = (splits.train, splits.validation, splits.test)
    order = tuple(labels) or task.labels([example for part in parts for example in part])
    counts = [Counter(task.label_of(example) for example in part) for part in parts]
    train, validation, test = (tuple(count[label] for label in order) for count in counts)
    return LabelBalance(order, train, validation, test)


def measure_lengths(examples: Sequence[Any], tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """Tokens of each example, special tokens included, nothing cut off; of a choice question, its longest choice."""
    ids: dict[str, int] = {}
    texts = [texts_of(example) for example in examples]
    unique = list(dict.fromkeys(text for group in texts for text in group))
    for text, pieces in zip(unique, encode_pieces(tokenizer, unique), strict=True):
        ids[text] = len(pieces)
    alone, paired = tokenizer.num_special_tokens_to_add(pair=False), tokenizer.num_special_tokens_to_add(pair=True)
    return tuple(
        ids[first] + alone if not others else ids[first] + max(ids[other] for other in others) + paired
        for first, *others in texts
    )


def count_lengths(lengths: Iterable[int], *, width: int = 1) -> LengthHistogram:
    """A histogram of lengths without gaps, from 0 to the longest."""
    values = list(lengths)
    counts = Counter(length // width for length in values)
    bins = tuple(counts[place] for place in range(max(counts, default=-1) + 1))
    return LengthHistogram(width, bins, max(values, default=0), sum(values) / len(values) if values else 0.0)


def truncated_share(lengths: Sequence[int], *, max_length: int) -> float:
    """The share of examples in [0, 1] that are longer than the longest length and lose tokens."""
    return sum(length > max_length for length in lengths) / len(lengths) if lengths else 0.0
