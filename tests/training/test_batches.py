"""The order of examples and what a collator draws depend on the seed and the place, and on nothing else."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from core.training.batches import (
    SPARE_BATCH,
    EpochOrder,
    Places,
    kept_randomness,
    lengths_of,
    order_examples,
    own_randomness,
    repeatable,
)


def test_every_epoch_sees_every_example_once_in_an_order_of_its_own() -> None:
    order = EpochOrder([0] * 50, seed=3)
    epochs = []
    for epoch in range(3):
        order.set_epoch(epoch)
        epochs.append([index for _, index in order])
        assert [place for place, _ in order] == list(range(50 * epoch, 50 * (epoch + 1)))
    assert all(sorted(epoch) == list(range(50)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    torch.manual_seed(99)  # nothing global decides
    order.set_epoch(1)
    assert [index for _, index in order] == epochs[1]
    assert order_examples([0] * 50, seed=4, epoch=1) != epochs[1]


@pytest.mark.parametrize(("examples", "last"), [(24, [4, 4, 4]), (22, [3, 3, 4]), (14, [0, 1, 1]), (2, [0, 1, 1])])
def test_processes_share_the_last_step(examples: int, last: list[int]) -> None:
    """Three processes of batches of 4, as accelerate deals them out: each example once, as many batches for each."""
    from accelerate.data_loader import BatchSamplerShard  # type: ignore[import-untyped]  # it ships no types
    from torch.utils.data import BatchSampler

    def collate(features: list[dict[str, Any]]) -> dict[str, Tensor]:
        return {"ids": torch.tensor([feature["input_ids"][0] for feature in features])}

    arguments: dict[str, Any] = {"seed": 3, "batch_size": 4, "processes": 3}
    order: Any = EpochOrder([0] * examples, **arguments)
    order.set_epoch(2)
    alone = EpochOrder([0] * examples, seed=3)
    alone.set_epoch(2)
    data, repeat = Places([{"input_ids": [i]} for i in range(examples)]), repeatable(collate, seed=1)
    dealt = []
    for process in range(3):
        shard = BatchSamplerShard(BatchSampler(order, 4, drop_last=False), 3, process)
        dealt.append([repeat([data[key] for key in batch]) for batch in shard])
    counted = [[[] if SPARE_BATCH in batch else batch["ids"].tolist() for batch in own] for own in dealt]
    assert len(order) == 12 * len(dealt[0])
    assert {len(own) for own in counted} == {-(-examples // 12)}
    assert [len(own[-1]) for own in counted] == last
    steps = [[index for batch in step for index in batch] for step in zip(*counted, strict=True)]
    expected = [index for _, index in alone]
    assert steps == [expected[start : start + 12] for start in range(0, examples, 12)]
    assert all(len(batch["ids"]) for own in dealt for batch in own)  # a process without examples still has a batch


def test_length_grouping_saves_padding_and_stays_shuffled() -> None:
    draw = np.random.default_rng(0)
    lengths = draw.integers(4, 120, 640).tolist()

    def padding(order: list[int]) -> int:
        batches = [order[start : start + 16] for start in range(0, len(order), 16)]
        return sum(max(lengths[i] for i in batch) * len(batch) for batch in batches) - sum(lengths)

    grouped = order_examples(lengths, seed=1, epoch=0, group=16)
    assert sorted(grouped) == list(range(640))
    assert padding(grouped) < padding(order_examples(lengths, seed=1, epoch=0)) / 3
    assert lengths[grouped[0]] == max(lengths)  # memory runs out at once or never
    means = [float(np.mean([lengths[i] for i in grouped[start : start + 16]])) for start in range(16, 640, 16)]
    falling = sum(a > b for a, b in pairwise(means)) / (len(means) - 1)
    assert 0.3 < falling < 0.7  # no curriculum from long to short
    assert grouped == order_examples(lengths, seed=1, epoch=0, group=16)
    assert sorted(order_examples([5, 3, 4], seed=1, epoch=0, group=16)) == [0, 1, 2]


def test_lengths_are_those_of_the_inputs() -> None:
    assert lengths_of([{"input_ids": [1, 2, 3], "labels": [0]}, {"input_ids": np.arange(2)}]) == [3, 2]


def test_what_a_collator_draws_depends_on_the_place_alone() -> None:
    def mask(features: list[dict[str, Any]]) -> dict[str, Tensor]:
        assert all(set(feature) == {"input_ids"} for feature in features)
        return {"drawn": torch.rand(len(features)) + random.random() + float(np.random.rand())}

    data: Any = Places([{"input_ids": [i]} for i in range(12)])
    order = EpochOrder([0] * 12, seed=1)
    arguments: dict[str, Any] = {"sampler": order, "collate_fn": repeatable(mask, seed=5)}
    loader: DataLoader[Any] = DataLoader(data, batch_size=4, **arguments)  # typing knows torch's own classes only
    torch.manual_seed(0)
    first = [batch["drawn"] for batch in loader]
    torch.manual_seed(1)
    random.seed(1)
    assert all(torch.equal(a, b["drawn"]) for a, b in zip(first, loader, strict=True))
    assert not torch.equal(first[0], first[1])
    collate = repeatable(mask, seed=5)
    places = [key for key, _ in zip(order, range(4), strict=False)]

    def numbers() -> Any:
        state: Any = np.random.get_state()
        return state[1].tolist()

    before = torch.random.get_rng_state(), random.getstate(), numbers()
    assert torch.equal(collate([data[key] for key in places])["drawn"], first[0])
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert (random.getstate(), numbers()) == before[1:]
    order.set_epoch(1)
    assert not torch.equal(next(iter(loader))["drawn"], first[0])


def test_randomness_is_put_back() -> None:
    torch.manual_seed(3)
    random.seed(3)
    expected = torch.rand(2), random.random()
    torch.manual_seed(3)
    random.seed(3)
    with kept_randomness():
        torch.rand(5), random.random(), np.random.rand()
    with own_randomness(1, 2):
        torch.rand(5), random.random(), np.random.rand()
    assert torch.equal(torch.rand(2), expected[0]) and random.random() == expected[1]
