"""Batches of the two models that write."""

from __future__ import annotations

import numpy as np
import torch

from core.bundled.streams import LONGER, CausalBatches, Seq2SeqBatches
from core.generation.batches import IGNORED

STREAM = np.arange(2_000, dtype=np.uint16) % 90 + 10
SENTINELS = list(range(100, 120))
END = 1


def build_seq2seq() -> Seq2SeqBatches:
    paragraphs = np.tile(np.array([11, 12, 13, 14, END, 0], dtype=np.uint16), (7, 1))
    leads = np.tile(np.array([11, END, 0], dtype=np.uint16), (7, 1))
    return Seq2SeqBatches(
        STREAM, paragraphs, leads, steps=6, rows=4, length=24, density=0.15, mean_span=3.0, lead_every=2,
        sentinels=SENTINELS, end=END, seed=2,
    )  # fmt: skip


def test_rows_are_cut_from_the_stream_and_the_last_steps_are_longer() -> None:
    batches = CausalBatches(STREAM, steps=10, rows=8, length=16, share_long=0.2, seed=1)
    assert len(batches) == 10
    assert tuple(batches[0]["input_ids"].shape) == (8, 16)
    assert tuple(batches[9]["input_ids"].shape) == (8 // LONGER, 16 * LONGER)
    for row in (*batches[0]["input_ids"], *batches[9]["input_ids"]):
        start = int(row[0])
        assert ((row - start) % 90 == torch.arange(len(row)) % 90).all()


def test_no_row_comes_twice_before_all_have_come() -> None:
    batches = CausalBatches(STREAM, steps=15, rows=8, length=16, share_long=0.0, seed=1)
    rows = {tuple(row.tolist()) for step in range(15) for row in batches[step]["input_ids"]}
    assert len(rows) == len({tuple(STREAM[start : start + 16].tolist()) for start in range(0, 1_920, 16)})


def test_restoring_spans_and_writing_leads_take_turns() -> None:
    batches = build_seq2seq()
    spans, leads = batches[0], batches[1]
    assert (spans["labels"][:, 0] == SENTINELS[0]).all()
    assert (spans["labels"][:, -1] == END).all()
    assert leads["labels"].tolist() == [[11, END, IGNORED]] * 4
    assert leads["attention_mask"].tolist() == [[1, 1, 1, 1, 1, 0]] * 4


def test_input_and_target_together_are_the_row() -> None:
    batch = build_seq2seq().restore_spans(2)
    for inputs, labels in zip(batch["input_ids"].tolist(), batch["labels"].tolist(), strict=True):
        hidden: dict[int, list[int]] = {}
        for token in labels[:-1]:
            if token in SENTINELS:
                current = hidden.setdefault(token, [])
            else:
                current.append(token)
        row = [token for index in inputs[:-1] for token in hidden.get(index, [index])]
        assert len(row) == 24
        assert [(token - row[0]) % 90 for token in row] == list(range(24))


def test_a_step_is_the_same_whenever_it_is_asked_for() -> None:
    batches = build_seq2seq()
    for step in (0, 1):
        again = build_seq2seq()[step]
        assert all(torch.equal(batches[step][name], again[name]) for name in again)
