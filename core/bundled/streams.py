"""Batches cut from a stream of token ids, for the two models that write; a step's batch depends on its number alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from core.generation.batches import IGNORED
from core.generation.noise import Piece, corrupt_spans

if TYPE_CHECKING:
    from numpy.typing import NDArray

    TokenIds = NDArray[np.uint16]

LONGER = 4  # times as long are the rows of the last steps


class CausalBatches(Dataset[dict[str, Tensor]]):
    """Rows (B, T) of running text; the last share of steps has fewer rows, each `LONGER` times as long."""

    def __init__(self, stream: TokenIds, *, steps: int, rows: int, length: int, share_long: float, seed: int) -> None:
        self.stream, self.steps, self.rows, self.length = stream, steps, rows, length
        self.first_long = steps - round(steps * share_long)
        self.order = np.random.default_rng(seed).permutation(len(stream) // length)
        self.long_order = np.random.default_rng((seed, 1)).permutation(len(stream) // (length * LONGER))

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> dict[str, Tensor]:
        if step < self.first_long:
            rows, length, order = self.rows, self.length, self.order
        else:
            rows, length, order = max(1, self.rows // LONGER), self.length * LONGER, self.long_order
        ids = torch.from_numpy(cut_rows(self.stream, order, step, rows=rows, length=length))
        return {"input_ids": ids, "labels": ids}


class Seq2SeqBatches(Dataset[dict[str, Tensor]]):
    """Steps restore hidden spans of running text, but one in every `lead_every` writes the leads of paragraphs."""

    def __init__(
        self,
        stream: TokenIds,
        paragraphs: TokenIds,  # (N, T)
        leads: TokenIds,  # (N, U)
        *,
        steps: int,
        rows: int,
        length: int,
        density: float,
        mean_span: float,
        lead_every: int,
        sentinels: Sequence[int],
        end: int,
        seed: int,
    ) -> None:
        self.lead_every = lead_every
        self.stream, self.paragraphs, self.leads = stream, paragraphs, leads
        self.steps, self.rows, self.length = steps, rows, length
        self.density, self.mean_span, self.sentinels, self.end, self.seed = density, mean_span, sentinels, end, seed
        self.order = np.random.default_rng(seed).permutation(len(stream) // length)
        self.lead_order = np.random.default_rng((seed, 1)).permutation(len(paragraphs))

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> dict[str, Tensor]:
        leads = step // self.lead_every  # so many steps before this one wrote leads
        if step % self.lead_every == self.lead_every - 1:
            return self.write_leads(leads)
        return self.restore_spans(step - leads)

    def restore_spans(self, step: int) -> dict[str, Tensor]:
        """One batch of span corruption (Raffel et al. 2020); the lengths are alike, so nothing is padded."""
        rows = cut_rows(self.stream, self.order, step, rows=self.rows, length=self.length)
        noisy = [
            corrupt_spans(
                Piece(row, np.arange(len(row))),
                np.random.default_rng((self.seed, step, number)),
                density=self.density,
                mean_length=self.mean_span,
                sentinels=self.sentinels,
                end=self.end,
            )
            for number, row in enumerate(rows)
        ]
        return {name: torch.tensor([row[name] for row in noisy]) for name in ("input_ids", "labels")}

    def write_leads(self, step: int) -> dict[str, Tensor]:
        """One batch of paragraphs (B, T) and their leads (B, U)."""
        chosen = take(self.lead_order, step, self.rows)
        ids = torch.from_numpy(self.paragraphs[chosen].astype(np.int64))
        labels = torch.from_numpy(self.leads[chosen].astype(np.int64))
        return {
            "input_ids": ids,
            "attention_mask": (ids != 0).long(),
            "labels": labels.masked_fill(labels == 0, IGNORED),
        }


def cut_rows(stream: TokenIds, order: NDArray[np.int64], step: int, *, rows: int, length: int) -> NDArray[np.int64]:
    """Cut the rows (B, T) of a step from the stream, in the given order and from its start again at its end."""
    starts = take(order, step, rows) * length
    return np.stack([stream[start : start + length] for start in starts]).astype(np.int64)


def take(order: NDArray[np.int64], step: int, count: int) -> NDArray[np.int64]:
    """Take the numbers of one step, going round."""
    return order[(step * count + np.arange(count)) % len(order)]
