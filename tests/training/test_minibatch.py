"""The batch that is shown: the one a run would see, its padding counted, and an answer that was never trained."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from core.errors import InvalidInput
from core.tasks.registry import find_task
from core.tasks.task import Hyperparameters
from core.training.batches import EpochOrder
from core.training.config import RunConfig
from core.training.minibatch import cut_batches, look_at_batch, measure_batch, share_wasted
from core.training.recorded import sample_source

REVIEWS = RunConfig(
    "classification", sample_source("classification", sentiment=True), hyperparameters=Hyperparameters(batch_size=8)
)
PAIRS = replace(REVIEWS, task="pair-classification", data=sample_source("pair-classification"))


def test_padding_is_what_is_left_of_the_longest() -> None:
    lengths = [1, 3, 2, 2]
    assert measure_batch(lengths, [0, 1]) == (4, 6)
    assert share_wasted(lengths, [[0, 1], [2, 3]]) == pytest.approx(1 - 8 / 10)
    assert share_wasted(lengths, [[0], [1], [2], [3]]) == 0


@pytest.mark.parametrize("grouped", [False, True])
def test_batches_are_those_of_a_run(grouped: bool) -> None:
    lengths = [5 + n * 7 % 40 for n in range(83)]
    batches = cut_batches(lengths, 8, seed=3, grouped=grouped)
    order = EpochOrder(lengths, seed=3, group=8 if grouped else 0, batch_size=8)
    assert [index for members in batches for index in members] == [index for _, index in order]
    assert sorted(index for members in batches for index in members) == list(range(83))
    assert [len(members) for members in batches] == [8] * 10 + [3]


@pytest.mark.parametrize("config", [REVIEWS, PAIRS], ids=lambda config: config.task)
def test_tensors_and_padding_agree_with_the_rows(config: RunConfig) -> None:
    seen = look_at_batch(config, number=2)
    lengths = [len(row.tokens) for row in seen.rows]
    assert seen.number == 2
    assert seen.shapes["input_ids"] == seen.shapes["attention_mask"] == (8, max(lengths))
    assert seen.shapes["labels"] == (8,)
    assert seen.sizes[1] == (sum(lengths), 8 * max(lengths))
    assert seen.padding == pytest.approx(1 - sum(lengths) / (8 * max(lengths)))
    assert seen.wasted_grouped < seen.wasted / 1.5
    assert sum(tokens for tokens, _ in seen.sizes) < sum(positions for _, positions in seen.sizes)
    for row in seen.rows:
        assert row.tokens[0].text == "[CLS]"
        assert row.tokens[-1].text == "[SEP]"
        assert {token.segment for token in row.tokens} == ({0} if config is REVIEWS else {0, 1})
        assert row.lost == 0


def test_an_untrained_model_is_near_knowing_nothing_and_the_same_each_time() -> None:
    seen, again = (look_at_batch(REVIEWS, number=1) for _ in range(2))
    assert seen == again
    for row in seen.rows:
        assert sum(row.scores.values()) == pytest.approx(1, abs=1e-6)
        assert row.predicted == max(row.scores, key=lambda label: row.scores[label])
        assert row.loss == pytest.approx(-math.log(row.scores[row.label]), rel=1e-5)
    assert seen.loss == pytest.approx(math.fsum(row.loss for row in seen.rows) / 8)
    assert abs(seen.loss - math.log(2)) < 0.5
    other = look_at_batch(replace(REVIEWS, hyperparameters=replace(REVIEWS.hyperparameters, seed=7)), number=1)
    assert other.rows[0].scores != seen.rows[0].scores


def test_what_is_too_long_is_cut_and_counted() -> None:
    settings = replace(REVIEWS.hyperparameters, max_length=16)
    short = look_at_batch(replace(REVIEWS, hyperparameters=settings), number=1)
    whole = look_at_batch(REVIEWS, number=1)
    assert short.width == 16
    assert [row.lost for row in short.rows] == [max(len(row.tokens) - 16, 0) for row in whole.rows]
    assert any(row.lost for row in short.rows)


def test_a_number_past_the_last_batch_is_the_last_and_other_tasks_are_refused() -> None:
    seen = look_at_batch(REVIEWS, number=10**6)
    assert seen.number == len(seen.sizes) == 40
    with pytest.raises(InvalidInput, match="no_labels"):
        look_at_batch(
            RunConfig("tagging", sample_source("tagging"), hyperparameters=find_task("tagging").defaults), number=1
        )
