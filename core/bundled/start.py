"""A better start than random numbers: word vectors counted from the sample, and token frequencies.

Few steps on a CPU teach a rare token almost nothing. Counting which tokens stand near each other takes a minute for the
whole sample, and gives all of them a place among their like before the first step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.bundled.vocabulary import SPECIAL_TOKENS

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import BertForMaskedLM

WINDOW = 3  # tokens to either side
SMOOTHING = 0.75  # of the neighbours' frequencies, so that rare neighbours weigh less


def count_neighbours(stream: NDArray[np.uint16], size: int) -> NDArray[np.float32]:
    """Count how often two tokens stand within `WINDOW` of each other: symmetric (V, V), special tokens left out."""
    counts = np.zeros((size, size), dtype=np.float32)
    tokens = stream.astype(np.int64)
    for distance in range(1, WINDOW + 1):
        pairs = tokens[:-distance] * size + tokens[distance:]
        counts += np.bincount(pairs, minlength=size * size).reshape(size, size)
    counts += counts.T.copy()
    counts[: len(SPECIAL_TOKENS)] = counts[:, : len(SPECIAL_TOKENS)] = 0
    return counts


def embed_tokens(counts: NDArray[np.float32], *, width: int, seed: int) -> NDArray[np.float32]:
    """Turn neighbour counts (V, V) into token vectors (V, D) of length 1; a token without neighbours gets zeros.

    Positive pointwise mutual information, then a truncated SVD. Source: Levy, Goldberg and Dagan 2015.
    """
    import torch

    totals = counts.sum(axis=1)
    context = totals**SMOOTHING
    context /= max(float(context.sum()), 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        information = np.log(counts / totals[:, None] / context[None, :])
    information = np.maximum(np.nan_to_num(information, nan=0.0, neginf=0.0, posinf=0.0), 0.0).astype(np.float32)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        left, values, _ = torch.svd_lowrank(torch.from_numpy(information), q=width, niter=2)
    vectors = (left * values.sqrt()).numpy()
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)


def start_from_counts(model: BertForMaskedLM, stream: NDArray[np.uint16], *, seed: int) -> None:
    """Give the model its first embeddings, and output biases that already predict each token's frequency.

    Positions start as sinusoids of length 1 (the book's 2.2.2): how far two tokens stand apart is then the same product
    everywhere, so a head that looks at its neighbour is found once and not anew for each position.
    """
    import torch

    from core.models.positions import encode_positions

    size, width = model.config.vocab_size, model.config.hidden_size
    vectors = torch.from_numpy(embed_tokens(count_neighbours(stream, size), width=width, seed=seed))
    known = vectors.norm(dim=1) > 0.5
    frequency = torch.from_numpy(np.bincount(stream, minlength=size)).float() + 1
    frequency[: len(SPECIAL_TOKENS)] = 1
    # The slowest hand turns once in 628 positions; with the usual base half of the hands would hardly move in a row.
    positions = encode_positions(model.config.max_position_embeddings, width, base=100.0).matrix  # (T, D)
    with torch.no_grad():
        model.bert.embeddings.position_embeddings.weight.copy_(torch.from_numpy(positions) * (2 / width) ** 0.5)
        model.bert.embeddings.word_embeddings.weight[known] = vectors[known]
        model.cls.predictions.bias.copy_((frequency / frequency.sum()).log())
