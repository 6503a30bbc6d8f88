"""In which order examples are seen, and how batches are made: a pure function of the seed and of where a run stands.

A run that is interrupted inside an epoch must go on as if nothing had happened. So nothing here draws from the random
states that are global to the process: the order depends on the seed and the epoch, and what a collator draws (which
tokens are masked) on the seed and the places of the batch in that order. How far ahead a loader reads changes nothing.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

    from core.tasks.task import Collator, Features

PLACE = "place_in_order"  # the key that carries an example's place from the loader to the collator
SPARE = -1  # the place of an example that only fills a batch up
SPARE_BATCH = (
    "spare_batch"  # the key of a batch of one example that must not count, for its process has none of its own
)


class EpochOrder:
    """A sampler: the order of one epoch after the other, each drawn anew. Yields (place, index).

    Several processes take a batch each in turn, and all must take as many: what does not fill the last round of batches
    is dealt out among them, and `SPARE` places fill each batch up, which `repeatable` leaves out again. So no example
    is seen twice in an epoch, and the last step is that of one process with the batches of all.
    """

    def __init__(
        self, lengths: Sequence[int], *, seed: int, group: int = 0, batch_size: int = 1, processes: int = 1
    ) -> None:
        """`lengths` in tokens; `group` over 0 puts so many examples of like length next to each other.

        `batch_size` is that of each of the `processes`.
        """
        self._lengths = lengths
        self._seed = seed
        self._group = group
        self._batch_size = batch_size
        self._processes = processes
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration gives the order of."""
        self._epoch = epoch

    def __len__(self) -> int:
        if self._processes == 1:
            return len(self._lengths)
        together = self._batch_size * self._processes
        return math.ceil(len(self._lengths) / together) * together

    def __iter__(self) -> Iterator[tuple[int, int]]:
        start = self._epoch * len(self._lengths)
        order = order_examples(self._lengths, seed=self._seed, epoch=self._epoch, group=self._group)
        keys = [(start + place, index) for place, index in enumerate(order)]
        return iter(deal_out(keys, batch_size=self._batch_size, processes=self._processes))


def deal_out(keys: list[tuple[int, int]], *, batch_size: int, processes: int) -> list[tuple[int, int]]:
    """Keys whose last round gives every process a batch: shares that differ by one at most, filled up with spares."""
    rest = len(keys) % (batch_size * processes)
    if processes == 1 or not rest:
        return keys
    whole, last = keys[:-rest], keys[-rest:]
    spare = (SPARE, keys[0][1])
    for process in range(processes):
        share = last[process * rest // processes : (process + 1) * rest // processes]
        whole += [*share, *[spare] * (batch_size - len(share))]
    return whole


def order_examples(lengths: Sequence[int], *, seed: int, epoch: int, group: int = 0) -> list[int]:
    """The order in which an epoch sees the examples.

    With `group`, slices of so many examples are of like length: transformers sorts within shuffled stretches of up to
    fifty slices, and the slices are shuffled here once more, since long texts first is a curriculum nobody asked for.
    The slice with the longest text stays first, so that memory runs out at once or never.
    """
    draw = np.random.default_rng([seed, epoch])
    if not group:
        return draw.permutation(len(lengths)).tolist()
    import torch
    from transformers.trainer_pt_utils import get_length_grouped_indices

    generator = torch.Generator().manual_seed(int(draw.integers(2**62)))
    # The library's own stretches are a quarter of the data at most, which sorts nothing where the data are few.
    stretch = max(1, min(len(lengths) // (2 * group), 50))
    indices = get_length_grouped_indices(lengths, group, mega_batch_mult=stretch, generator=generator)
    slices = [indices[start : start + group] for start in range(0, len(indices), group)]
    first, last = slices[:1], slices[-1:] if len(slices) > 1 else []  # the last one may be shorter: it stays last
    between = slices[1:-1]
    shuffled = [between[i] for i in draw.permutation(len(between))]
    return [index for part in (*first, *shuffled, *last) for index in part]


class Places:
    """A data set that hands an example's place on beside its features."""

    def __init__(self, features: Sequence[Features]) -> None:
        self._features = features

    def __len__(self) -> int:
        return len(self._features)

    def __getitem__(self, key: tuple[int, int]) -> Features:
        place, index = key
        return {**self._features[index], PLACE: place}


def repeatable(collator: Collator, *, seed: int) -> Callable[[list[Features]], dict[str, Tensor]]:
    """`collator`, but what it draws depends on the seed and the places of the batch; global states stay untouched.

    Spares are left out; a batch of nothing else becomes one of a single example, with the entry `SPARE_BATCH`.
    """

    def collate(features: list[Features]) -> dict[str, Tensor]:
        import torch

        own = [feature for feature in features if feature[PLACE] != SPARE]
        taken = own or features[:1]
        bare = [{name: value for name, value in feature.items() if name != PLACE} for feature in taken]
        with own_randomness(seed, max(taken[0][PLACE], 0), len(taken)):
            batch = collator(bare)
        return batch if own else {**batch, SPARE_BATCH: torch.ones(1)}

    return collate


@contextmanager
def own_randomness(*entropy: int) -> Iterator[None]:
    """Random states (Python, NumPy, torch on the CPU) seeded by `entropy` inside, those of before afterwards."""
    import torch

    states = random.getstate(), np.random.get_state(), torch.random.get_rng_state()
    words = np.random.SeedSequence(entropy).generate_state(3, np.uint32)
    random.seed(int(words[0]))
    np.random.seed(int(words[1]))
    torch.random.default_generator.manual_seed(int(words[2]))
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.random.set_rng_state(states[2])


@contextmanager
def kept_randomness() -> Iterator[None]:
    """Leave the random states, those of GPUs too, as they were: what is done inside changes nothing after it."""
    import torch

    states = random.getstate(), np.random.get_state()
    devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])


def lengths_of(features: Sequence[Features]) -> list[int]:
    """Tokens of each example; of all its choices together where it has several."""
    return [len(feature["input_ids"]) for feature in features]
