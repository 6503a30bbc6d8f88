"""The best sequence of labels under scores for starting, passing from label to label, and ending (book 6.3.6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

FORBIDDEN = -100.0  # the book's score of a transition that BIO does not allow
IGNORED = -100  # the label of positions that are not decoded, as in the labels of training


@dataclass(frozen=True, slots=True, eq=False)
class TransitionScores:
    """Scores of a chain of L labels: of the first label, from each (row) to each (column), and of the last."""

    start: Tensor  # (L,)
    matrix: Tensor  # (L, L)
    end: Tensor  # (L,)


@dataclass(frozen=True, slots=True, eq=False)
class Decoding:
    """The best labels, (B, T) with `IGNORED` where the mask is off, and their scores, (B,)."""

    labels: Tensor
    scores: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Chains:
    """Emissions with everything that the mask hides cut out; N is the length of the longest chain.

    Time stands first for the loops over it, and the batch last, so that sums and maxima over labels run along whole
    vectors: three times as fast. `order` says which position of the input each step was.
    """

    emissions: Tensor  # (N, L, B)
    valid: Tensor  # (N, B)
    order: Tensor  # (B, N)


def constrain_transitions(labels: Sequence[str], *, penalty: float = FORBIDDEN) -> TransitionScores:
    """0 for what BIO allows and `penalty` for what it forbids: ``I-X`` only after ``B-X`` and ``I-X``.

    Source: book 6.3.6.
    """
    inside = torch.tensor([label.startswith("I-") for label in labels])  # (L,)
    follows = torch.tensor(
        [[new.startswith("I-") and old[:2] in ("B-", "I-") and old[2:] == new[2:] for new in labels] for old in labels]
    )  # (L, L)
    start = torch.where(inside, penalty, 0.0)
    return TransitionScores(start, torch.where(inside & ~follows, penalty, 0.0), torch.zeros(len(labels)))


def compact(emissions: Tensor, mask: Tensor) -> Chains:
    """Cut out what the mask hides, wherever it stands: padding on either side, special tokens, holes.

    Args:
        emissions: (B, T, L).
        mask: (B, T), true where a label is wanted.
    """
    mask = mask.bool()
    lengths = mask.sum(1)  # (B,)
    longest = int(lengths.max()) if mask.numel() else 0
    steps = torch.arange(mask.shape[1], device=mask.device)
    begins = steps < lengths[:, None]  # (B, T)
    if torch.equal(mask, begins):  # padding at the end alone, the usual case: nothing has to move
        order = steps.expand_as(mask)[:, :longest]
        chosen = emissions[:, :longest]
    else:
        order = (~mask).to(torch.uint8).argsort(dim=1, stable=True)[:, :longest]  # (B, N)
        chosen = emissions.gather(1, order[..., None].expand(-1, -1, emissions.shape[-1]))  # (B, N, L)
    return Chains(chosen.permute(1, 2, 0).contiguous(), begins[:, :longest].T.contiguous(), order)


@torch.no_grad()
def viterbi_decode(emissions: Tensor, mask: Tensor, scores: TransitionScores) -> Decoding:
    """Find the best labels of every sequence; padding never changes them.

    All sequences of the batch take each step together. Instead of a table of back-pointers the scores of every step
    are kept, and the way back asks once per step where the best label came from; a step that is padding hands its
    label on unchanged (the book's own decoder follows back-pointers there). A sequence without any position scores 0.

    Args:
        emissions: (B, T, L), any floating type; computed in float32 at least.
        mask: (B, T), true where a label is wanted; special tokens and padding are off.
        scores: of transitions, on the same device.

    Source: Viterbi 1967; book 6.3.6.
    """
    kind = torch.promote_types(emissions.dtype, torch.float32)
    chains = compact(emissions.to(kind), mask)
    labels = torch.full(mask.shape, IGNORED, device=emissions.device)
    length = len(chains.valid)
    if not length:
        return Decoding(labels, emissions.new_zeros(len(mask), dtype=kind))
    start, matrix, end = (part.to(kind) for part in (scores.start, scores.matrix, scores.end))
    emitted, valid = chains.emissions.unbind(), chains.valid.unbind()  # N times (L, B) and (B,)
    # Once a sequence is padding, so are all later steps: only those that some sequence lacks need a look at the mask.
    full = int(chains.valid.all(1).sum())
    best = torch.where(valid[0], start[:, None] + emitted[0], 0.0)  # (L, B)
    history = [best]
    for step in range(1, length):
        arriving = (best[:, None] + matrix[:, :, None]).amax(0) + emitted[step]  # (L, L, B) -> (L, B)
        best = arriving if step < full else torch.where(valid[step], arriving, best)
        history.append(best)
    total, last = (best + end[:, None]).max(0)  # (B,)
    path = [last]
    for step in range(length - 1, 0, -1):
        previous = (history[step - 1] + matrix.index_select(1, last)).max(0).indices  # (B,)
        last = previous if step < full else torch.where(valid[step], previous, last)
        path.append(last)
    found = torch.stack(path[::-1], dim=1)  # (B, N)
    labels.scatter_(1, chains.order, found.masked_fill(~chains.valid.T, IGNORED))
    return Decoding(labels, torch.where(chains.valid[0], total, 0.0))
