"""Texts as vectors, by any encoder (book 8.1.4, 8.4.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from core.search.hits import Floats, scale_to_unit

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from core.tasks.task import Features

Pooling = Literal["cls", "mean", "max"]


def pool(hidden: Tensor, attention_mask: Tensor, pooling: Pooling) -> Tensor:
    """Make one vector of the vectors of a text: the first token's, or the mean or maximum of all that are not padding.

    Args:
        hidden: the last layer's output, (B, T, D).
        attention_mask: 1 for tokens and 0 for padding, (B, T).
        pooling: ``cls``, ``mean`` or ``max``.

    Returns:
        (B, D).
    """
    if pooling == "cls":
        return hidden[:, 0]
    mask = attention_mask.unsqueeze(-1).to(hidden.dtype)  # (B, T, 1)
    if pooling == "mean":
        return (hidden * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
    return hidden.masked_fill(mask == 0, float("-inf")).amax(dim=1)


def embed(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    *,
    titles: Sequence[str] | None = None,
    pooling: Pooling | None = None,
    batch_size: int = 64,
    max_length: int = 512,
    normalize: bool = False,
) -> Floats:
    """Embed texts, in their order, without gradients, in evaluation mode, on the model's device.

    Texts of like length go through the model together, so that hardly anything is padded.

    Args:
        model: an encoder with a ``last_hidden_state``, or one with ``sentence_vectors`` of its own (SimCSE).
        tokenizer: its tokenizer.
        texts: what to embed, cut to `max_length` tokens.
        titles: a first segment for each text (book 9.4.3); the longer of the two is cut, most often the text.
        pooling: None for the model's own, or [CLS] where it has none.
        batch_size: texts for each forward pass.
        max_length: tokens, special ones included.
        normalize: whether to scale every vector to length 1, so that inner products are cosines.

    Returns:
        (N, D) float32.
    """
    from core.tasks.tokenizing import encode_texts

    features = (
        encode_texts(tokenizer, texts, max_length=max_length)
        if titles is None
        else encode_texts(tokenizer, titles, texts, max_length=max_length)
    )

    def vectors_of(**batch: Tensor) -> Tensor:
        return _vectors(model, batch, pooling)

    vectors = embed_with(vectors_of, model, features, tokenizer, batch_size=batch_size)
    return scale_to_unit(vectors) if normalize else vectors


def embed_with(
    vectors_of: Callable[..., Tensor],
    model: PreTrainedModel,
    features: Sequence[Features],
    tokenizer: PreTrainedTokenizerBase,
    *,
    batch_size: int = 64,
) -> Floats:
    """The same for texts that are encoded already, by any function from a batch (ids, mask, segments) to (B, D)."""
    import torch

    from core.tasks.batching import evaluating, iterate_batches

    def collate(batch: list[Features]) -> dict[str, Tensor]:
        return dict(tokenizer.pad(batch, return_tensors="pt"))

    order: list[int] = []
    parts: list[Tensor] = []
    with evaluating(model):
        for indices, batch in iterate_batches(model, features, collate, batch_size=batch_size):
            order += indices
            parts.append(vectors_of(**batch).float().cpu())  # (B, D)
    if not parts:
        return np.zeros((0, int(model.config.hidden_size)), dtype=np.float32)
    vectors = np.empty((len(order), parts[0].shape[1]), dtype=np.float32)
    vectors[order] = torch.cat(parts).numpy()
    return vectors


def _vectors(model: PreTrainedModel, batch: dict[str, Tensor], pooling: Pooling | None) -> Tensor:
    own: Any = getattr(model, "sentence_vectors", None)
    if own is not None and pooling is None:
        return own(**batch)
    base = model.base_model  # without a head
    return pool(base(**batch).last_hidden_state, batch["attention_mask"], pooling or "cls")
