"""Batches of token sequences: which go together, and how they are padded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

IGNORED = -100  # the label of a position that is not to be predicted


def pad_features(features: Sequence[dict[str, Any]], *, pad: int) -> dict[str, Tensor]:
    """Pad ``input_ids`` (T,) on the right with `pad` and ``labels`` (U,), where given, with `IGNORED`.

    Returns:
        ``input_ids`` (B, T), ``attention_mask`` (B, T), and ``labels`` (B, U) if the features have them.
    """
    import torch

    ids = [torch.as_tensor(feature["input_ids"], dtype=torch.long) for feature in features]
    stack = torch.nn.utils.rnn.pad_sequence
    batch = {
        "input_ids": stack(ids, batch_first=True, padding_value=pad),
        "attention_mask": stack([torch.ones_like(row) for row in ids], batch_first=True),
    }
    if "labels" in features[0]:
        labels = [torch.as_tensor(feature["labels"], dtype=torch.long) for feature in features]
        batch["labels"] = stack(labels, batch_first=True, padding_value=IGNORED)
    return batch


def padding_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """The id to pad with; a tokenizer without one (GPT-2's) pads with its end of text, which the mask hides anyway."""
    for candidate in (tokenizer.pad_token_id, tokenizer.eos_token_id):
        if candidate is not None:
            return int(candidate)
    return 0


def plan_batches(lengths: Sequence[int], *, batch_size: int, cells: int | None = None) -> list[list[int]]:
    """Group sequences of similar length, so that little is padded; `cells` bounds rows times longest length.

    Returns:
        Indices into `lengths`, batch by batch, the longest first; a sequence longer than `cells` is alone.
    """
    batches: list[list[int]] = []
    room = 0
    for index in sorted(range(len(lengths)), key=lambda place: (-lengths[place], place)):
        if room == 0:
            batches.append([])
            room = batch_size if cells is None else max(1, min(batch_size, cells // max(1, lengths[index])))
        batches[-1].append(index)
        room -= 1
    return batches
