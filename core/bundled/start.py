"""Better starts than random numbers: word vectors counted from the sample, and an encoder-decoder that copies.

Few steps on a CPU teach a rare token almost nothing. Counting which tokens stand near each other takes a minute for the
whole sample, and gives all of them a place among their like before the first step. And looking up what to write next in
the text that is read is found late by chance, but easily written down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from core.bundled.vocabulary import SPECIAL_TOKENS

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor
    from transformers import BertForMaskedLM, T5ForConditionalGeneration

WINDOW = 3  # tokens to either side
SMOOTHING = 0.75  # of the neighbours' frequencies, so that rare neighbours weigh less
# How loud each part of copying is beside what is random; found by trying which copies most tokens before any training.
NEIGHBOUR_BIAS, NEIGHBOUR_WEIGHT, QUERY_WEIGHT, COPY_WEIGHT = 10.0, 3.0, 0.5, 6.0


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


def start_with_copying(model: T5ForConditionalGeneration, *, seed: int) -> None:
    """Let the untrained model continue what it has written with what follows it in the text that it reads.

    It takes two steps, an induction head across the two halves. In the encoder one head looks at the token before,
    by its distance alone, and adds that token's identity to a place of its own in the state. In a decoder layer every
    head asks that place for the token written last, and adds the token found there to what is written next; identities
    are read by random orthonormal projections, whose products are close to zero for different tokens.

    Source: Olsson et al. 2022, "In-context learning and induction heads".
    """
    import torch
    from transformers.models.t5.modeling_t5 import T5Attention

    config, stacks = model.config, cast("Any", model)
    width, size, heads = config.d_model, config.d_kv, config.num_heads
    generator = torch.Generator().manual_seed(seed)
    basis: Tensor = torch.linalg.qr(torch.randn(width, width, generator=generator))[0]  # (D, D), orthonormal rows
    identity, before = basis[:size], basis[size : 2 * size]  # what is read of a token, and where it is put
    reading = stacks.encoder.block[0].layer[0].SelfAttention
    writing = stacks.decoder.block[len(stacks.decoder.block) // 2].layer[1].EncDecAttention
    bucket = T5Attention._relative_position_bucket(
        torch.tensor([-1]),
        bidirectional=True,
        num_buckets=config.relative_attention_num_buckets,
        max_distance=config.relative_attention_max_distance,
    )
    with torch.no_grad():
        reading.relative_attention_bias.weight[bucket, 0] = NEIGHBOUR_BIAS
        reading.q.weight[:size] = 0
        reading.v.weight[:size] = identity
        reading.o.weight[:, :size] = NEIGHBOUR_WEIGHT * before.T
        for head in range(heads):
            part = slice(head * size, (head + 1) * size)
            writing.q.weight[part] = QUERY_WEIGHT * identity
            writing.k.weight[part] = before
            writing.v.weight[part] = basis[part]
            writing.o.weight[:, part] = COPY_WEIGHT * basis[part].T
