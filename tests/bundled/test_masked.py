"""Batches, segments, masking and the sparse vocabulary layer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, BertForMaskedLM

from core.bundled.encoder import configure
from core.bundled.masked import IGNORED, BertForMaskedPositions, MaskedBatches, Phase, plan_phases
from core.bundled.vocabulary import SPECIAL_TOKENS, save_bert_tokenizer
from tests.bundled.tiny import SHAPE

TOKENS = [*SPECIAL_TOKENS, "。", *(f"語{number}" for number in range(SHAPE.vocabulary - 6))]
STOP = 5


@pytest.fixture(scope="module")
def batches(tmp_path_factory: pytest.TempPathFactory) -> MaskedBatches:
    folder = tmp_path_factory.mktemp("tokenizer")
    (folder / "vocab.txt").write_text("\n".join(TOKENS) + "\n", encoding="utf-8")
    save_bert_tokenizer(folder / "vocab.txt", Path(folder))
    stream = np.random.default_rng(0).integers(6, len(TOKENS), 5_000).astype(np.uint16)
    stream[::9] = STOP
    return MaskedBatches(
        stream,
        (Phase(30, 16, 32), Phase(10, 8, 64)),
        AutoTokenizer.from_pretrained(folder),
        masked=0.15,
        positions=64,
        repeated=0.5,
        seed=3,
    )


def test_phases_keep_the_tokens_of_a_step() -> None:
    short, long = plan_phases(100, tokens=2_048, short=128, long=512, share_long=0.06)
    assert (short.steps, long.steps) == (94, 6)
    assert short.rows * short.length == long.rows * long.length == 2_048


def test_phases_follow_each_other(batches: MaskedBatches) -> None:
    assert len(batches) == 40
    assert [tuple(batches[step]["input_ids"].shape) for step in (0, 29, 30, 39)] == [
        (16, 32),
        (16, 32),
        (8, 64),
        (8, 64),
    ]


def test_a_step_is_the_same_whenever_it_is_asked_for(batches: MaskedBatches) -> None:
    first, other, again = batches[7], batches[8], batches[7]
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["input_ids"], other["input_ids"])


def test_every_second_row_is_a_pair_cut_after_a_full_stop(batches: MaskedBatches) -> None:
    content = np.array([9, 9, 9, 9, STOP, 9, 9, 9, 9, 9], dtype=np.uint16)
    ids, segments = batches.arrange(content, paired=True)
    assert ids.tolist() == [2, 9, 9, 9, 9, STOP, 3, 9, 9, 9, 9, 3]
    assert segments.tolist() == [0] * 7 + [1] * 5
    alone, zeros = batches.arrange(content, paired=False)
    assert alone.tolist() == [2, *content.tolist(), 3]
    assert not zeros.any()
    assert batches[0]["token_type_ids"].amax(dim=1).tolist() == [0, 1] * 8


def test_a_repeated_segment_has_the_same_tokens_in_other_phrases(batches: MaskedBatches) -> None:
    content = np.arange(10, 51, dtype=np.uint16)
    repeated = batches.repeat(content, np.random.default_rng(0))
    assert len(repeated) == len(content)
    assert repeated[:20].tolist() == content[:20].tolist()
    assert sorted(repeated[20:40].tolist()) == content[:20].tolist() != repeated[20:40].tolist()
    assert (np.diff(repeated[20:40].astype(int)) == 1).sum() >= 10  # most neighbours stay neighbours


def test_half_of_the_rows_start_anywhere_so_that_every_position_is_trained(batches: MaskedBatches) -> None:
    starts = torch.stack([batches[step]["position_ids"][:, 0] for step in range(30)])
    assert not starts[:, [0, 1, 4, 5]].any()
    elsewhere = starts[:, 2::4]
    assert set(elsewhere.flatten().tolist()) <= set(range(64 - 32 + 1))
    assert len(elsewhere.unique()) > 20
    positions = batches[3]["position_ids"]
    assert (positions.diff(dim=1) == 1).all()
    assert not batches[35]["position_ids"][:, 0].any()  # rows as long as the model start at 0, there is no other place


def test_masking_follows_80_10_10_and_spares_special_tokens(batches: MaskedBatches) -> None:
    rows = [batches[step] for step in range(30)]
    inputs, labels = (torch.cat([row[name] for row in rows]) for name in ("input_ids", "labels"))
    chosen = labels != IGNORED
    ordinary = (inputs > 4) | chosen
    assert (labels[chosen] > 4).all()
    assert float(chosen.sum() / ordinary.sum()) == pytest.approx(0.15, abs=0.01)
    masked, unchanged = inputs[chosen] == 4, inputs[chosen] == labels[chosen]
    assert float(masked.float().mean()) == pytest.approx(0.8, abs=0.03)
    assert float(unchanged.float().mean()) == pytest.approx(0.1, abs=0.03)


def test_sparse_head_gives_the_loss_and_the_logits_of_bert(batches: MaskedBatches) -> None:
    torch.manual_seed(0)
    sparse = BertForMaskedPositions(configure(SHAPE)).eval()
    dense = BertForMaskedLM(configure(SHAPE)).eval()
    dense.load_state_dict(sparse.state_dict())
    batch = batches[0]
    with torch.no_grad():
        ours, theirs = sparse(**batch), dense(**batch)
    torch.testing.assert_close(ours.loss, theirs.loss)
    torch.testing.assert_close(ours.logits, theirs.logits[batch["labels"] != IGNORED])
