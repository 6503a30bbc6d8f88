"""How likely a model finds what was really written (book 3.2.2): summed cross-entropy, perplexity, accuracy."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.generation.batches import IGNORED

if TYPE_CHECKING:
    from torch import Tensor

_LARGEST = 700.0  # exp() of more does not fit a float


@dataclass(frozen=True, slots=True)
class Likelihood:
    """What a model made of some tokens: their summed negative log-likelihood in nats, and how many it had right."""

    loss: float = 0.0
    tokens: int = 0
    correct: int = 0

    @property
    def mean(self) -> float:
        """Cross-entropy per token in nats; NaN without tokens."""
        return self.loss / self.tokens if self.tokens else math.nan

    @property
    def perplexity(self) -> float:
        """The exponential of the mean: among how many tokens the model wavers."""
        return math.exp(self.mean) if self.mean < _LARGEST or math.isnan(self.mean) else math.inf

    @property
    def accuracy(self) -> float:
        """Share of the tokens that were the model's first choice; NaN without tokens."""
        return self.correct / self.tokens if self.tokens else math.nan

    def as_details(self) -> dict[str, float]:
        """Plain values for the details of a prediction."""
        return {"loss": self.loss, "tokens": self.tokens, "correct": self.correct}


def add_likelihoods(parts: Iterable[Likelihood]) -> Likelihood:
    """The likelihood of all parts together."""
    loss, tokens, correct = 0.0, 0, 0
    for part in parts:
        loss, tokens, correct = loss + part.loss, tokens + part.tokens, correct + part.correct
    return Likelihood(loss, tokens, correct)


def score_labels(logits: Tensor, labels: Tensor) -> tuple[list[Likelihood], Tensor]:
    """Score each row's labels by its logits; labels that are `IGNORED` count for nothing.

    Args:
        logits: (B, T, V), each predicting the label at its own position.
        labels: (B, T).

    Returns:
        One likelihood for each row, and the likeliest tokens (B, T), `IGNORED` where the labels are.
    """
    import torch

    counted = labels != IGNORED  # (B, T)
    chosen = logits[counted].float()  # (N, V)
    gold = labels[counted]  # (N,)
    best = chosen.argmax(dim=-1)  # (N,)
    losses = torch.nn.functional.cross_entropy(chosen, gold, reduction="none").cpu().double()  # (N,)
    rows = counted.nonzero()[:, 0].cpu()  # (N,)
    totals = torch.zeros(len(labels), dtype=torch.double).index_add_(0, rows, losses)
    right = torch.zeros_like(totals).index_add_(0, rows, (best == gold).cpu().double())
    predicted = torch.full_like(labels, IGNORED)
    predicted[counted] = best
    parts = zip(totals.tolist(), counted.sum(dim=1).tolist(), right.tolist(), strict=True)
    return [Likelihood(loss, tokens, int(correct)) for loss, tokens, correct in parts], predicted
