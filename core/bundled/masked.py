"""Masked-language modelling (Devlin et al. 2019): the stream of tokens, the batches cut from it, and the model's loss.

A corpus is one flat array of token ids, with [SEP] after each document. A step of training is one batch cut from it,
the same batch for the same number, so a run that stopped goes on exactly where it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset
from transformers import BertForMaskedLM, DataCollatorForLanguageModeling, PreTrainedTokenizerBase
from transformers.modeling_outputs import MaskedLMOutput

if TYPE_CHECKING:
    from numpy.typing import NDArray

    TokenIds = NDArray[np.uint16]

IGNORED = -100  # the label of a token that is not to be predicted


class BertForMaskedPositions(BertForMaskedLM):
    """BertForMaskedLM, weight for weight, whose vocabulary layer runs only at the positions that carry a label.

    That layer is V wide and six positions in seven are not masked: skipping those saves a third of the work.
    """

    def forward(
        self,
        input_ids: Tensor,  # (B, T)
        labels: Tensor,  # (B, T), IGNORED where nothing is to be predicted
        token_type_ids: Tensor | None = None,  # (B, T)
        position_ids: Tensor | None = None,  # (B, T)
        num_items_in_batch: Tensor | int | None = None,
        **_: Any,
    ) -> MaskedLMOutput:
        """Return the mean cross-entropy over the labelled positions N, and their logits (N, V)."""
        states = self.bert(
            input_ids, token_type_ids=token_type_ids, position_ids=position_ids
        ).last_hidden_state  # (B, T, D)
        chosen = labels != IGNORED  # (B, T)
        logits = self.cls(states[chosen])  # (N, V)
        total = nn.functional.cross_entropy(logits.float(), labels[chosen], reduction="sum")
        count = labels[chosen].numel() if num_items_in_batch is None else num_items_in_batch
        return MaskedLMOutput(loss=total / count, logits=logits)


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of training in which every batch has the same shape."""

    steps: int
    rows: int
    length: int  # tokens per row, special tokens included


def plan_phases(steps: int, *, tokens: int, short: int, long: int, share_long: float) -> tuple[Phase, Phase]:
    """Plan short rows first and long rows for the last share of steps, `tokens` per step in both.

    Source: Devlin et al. 2019, A.2, who train 90 % of the steps on length 128 and the rest on 512, because attention
    costs the square of the length, and only long rows teach the later positions.
    """
    last = round(steps * share_long)
    return Phase(steps - last, tokens // short, short), Phase(last, tokens // long, long)


class MaskedBatches(Dataset[dict[str, Tensor]]):
    """One item is the whole batch of one training step: rows of text in shuffled order, masked 80/10/10.

    Every second row is split after a full stop near its middle into two segments, so that the embedding of segment 1
    is trained; nothing predicts whether they belong together. Every second pair of rows starts at a random position, so
    that short rows, which are cheap, train the later positions as well.
    """

    def __init__(
        self,
        stream: TokenIds,  # (N,)
        phases: tuple[Phase, ...],
        tokenizer: PreTrainedTokenizerBase,
        *,
        masked: float,
        positions: int,
        repeated: float,
        seed: int,
    ) -> None:
        self.stream = stream
        self.repeated = repeated
        self.phases = phases
        self.positions = positions
        self.seed = seed
        self.collator = DataCollatorForLanguageModeling(tokenizer, mlm_probability=masked, seed=seed)
        self.collator.create_rng()
        self.cls, self.sep = tokenizer.cls_token_id, tokenizer.sep_token_id
        self.full_stop = tokenizer.convert_tokens_to_ids("。")
        self.special = torch.tensor(sorted(set(tokenizer.all_special_ids)))
        self.orders = tuple(
            np.random.default_rng((seed, phase.length)).permutation(len(stream) // (phase.length - 2))
            for phase in phases
        )

    def __len__(self) -> int:
        return sum(phase.steps for phase in self.phases)

    def __getitem__(self, step: int) -> dict[str, Tensor]:
        within, phase, order = step, self.phases[0], self.orders[0]
        for following, rows in zip(self.phases[1:], self.orders[1:], strict=True):
            if within < phase.steps:
                break
            within, phase, order = within - phase.steps, following, rows
        ids = np.empty((phase.rows, phase.length), dtype=np.int64)  # (B, T)
        segments = np.zeros_like(ids)
        width = phase.length - 2
        for row in range(phase.rows):
            start = int(order[(within * phase.rows + row) % len(order)]) * width
            content = self.stream[start : start + width]
            rng = np.random.default_rng((self.seed, step, row))
            if row % 2 == 1 and rng.random() < self.repeated:
                content = self.repeat(content, rng)
                ids[row], segments[row] = self.join(content, cut=len(content) // 2)
            else:
                ids[row], segments[row] = self.arrange(content, paired=row % 2 == 1)
        assert self.collator.generator is not None  # made by create_rng above
        self.collator.generator.manual_seed(self.seed * 1_000_003 + step)
        inputs = torch.from_numpy(ids)
        inputs, labels = self.collator.torch_mask_tokens(inputs, torch.isin(inputs, self.special))
        return {
            "input_ids": inputs,
            "token_type_ids": torch.from_numpy(segments),
            "position_ids": torch.from_numpy(self.place(step, phase)),
            "labels": labels,
        }

    def place(self, step: int, phase: Phase) -> NDArray[np.int64]:
        """Number the positions (B, T) of a step's rows: from 0 in half of them, from a random start in the others."""
        starts = np.random.default_rng((self.seed, step)).integers(self.positions - phase.length + 1, size=phase.rows)
        starts[np.arange(phase.rows) % 4 < 2] = 0
        return starts[:, None] + np.arange(phase.length)

    def arrange(self, content: TokenIds, *, paired: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Lay out T - 2 tokens as [CLS] A [SEP], or as [CLS] A [SEP] B [SEP] without the last; with segment ids."""
        if not paired:
            return np.array([self.cls, *content, self.sep]), np.zeros(len(content) + 2, dtype=np.int64)
        middle = len(content) // 2
        stops = np.flatnonzero(content[:-2] == self.full_stop) + 1
        return self.join(content, cut=int(stops[np.abs(stops - middle).argmin()]) if len(stops) else middle)

    def join(self, content: TokenIds, *, cut: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Lay out T - 2 tokens as [CLS] A [SEP] B [SEP], B without its last; with segment ids."""
        ids = np.array([self.cls, *content[:cut], self.sep, *content[cut:-1], self.sep])
        return ids, (np.arange(len(ids)) > cut + 1).astype(np.int64)

    def repeat(self, content: TokenIds, rng: np.random.Generator) -> TokenIds:
        """Put the first half again in place of the second, cut into phrases of three to nine tokens and shuffled."""
        half = content[: len(content) // 2]
        borders = np.cumsum(rng.integers(3, 10, size=len(half)))
        phrases = np.split(half, borders[borders < len(half)])
        again = np.concatenate([phrases[index] for index in rng.permutation(len(phrases))])
        return np.concatenate([half, again, content[2 * len(half) :]])
