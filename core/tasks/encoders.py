"""The bare encoders under the models of this room that are no plain transformers classes, and what processes share."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import AutoModel, PretrainedConfig, PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_MAPPING

from core.errors import ModelUnavailable

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from core.tasks.task import Features


def load_encoder(folder: str, config: PretrainedConfig) -> PreTrainedModel:
    """Load the encoder in `folder`, whatever head lies on it, in float32 and without a pooling layer.

    Raises:
        ModelUnavailable: ``error.model.unreadable``.
    """
    try:
        return AutoModel.from_pretrained(folder, config=config, dtype=torch.float32, **_without_pooler(config))
    except Exception as error:  # broken files raise anything
        raise ModelUnavailable("error.model.unreadable", source=Path(folder).name) from error


def build_encoder(config: PretrainedConfig) -> PreTrainedModel:
    """An encoder with random weights, in float32 and without a pooling layer."""
    return AutoModel.from_config(config, dtype=torch.float32, **_without_pooler(config))


def _without_pooler(config: PretrainedConfig) -> Mapping[str, bool]:
    # Weights that take no part in the loss break training on several processes.
    model: Any = MODEL_MAPPING[type(config)]
    known = inspect.signature(model).parameters
    return {"add_pooling_layer": False} if "add_pooling_layer" in known else {}


def pad_views(views: Sequence[Sequence[Features]], tokenizer: PreTrainedTokenizerBase) -> dict[str, Tensor]:
    """Pad several texts for each of B examples to one length: ids, mask and segments, each (B, V, T)."""
    flat = [view for example in views for view in example]
    names = ("input_ids", "attention_mask", "token_type_ids")
    batch: dict[str, Tensor] = dict(
        tokenizer.pad([{name: view[name] for name in names if name in view} for view in flat], return_tensors="pt")
    )
    return {name: tensor.view(len(views), -1, tensor.shape[-1]) for name, tensor in batch.items()}


def flatten_views(inputs: Mapping[str, Tensor | None]) -> dict[str, Tensor]:
    """From (B, V, T) to what an encoder takes, (B · V, T); what is None is left out."""
    return {name: tensor.flatten(0, 1) for name, tensor in inputs.items() if tensor is not None}


_SPARE = ContextVar("_SPARE", default=False)


@contextmanager
def spare_rows() -> Iterator[None]:
    """What a model is given inside is no candidate to other processes: a process without examples goes along so."""
    token = _SPARE.set(True)
    try:
        yield
    finally:
        _SPARE.reset(token)


def gather_rows(rows: Tensor) -> tuple[Tensor, int]:
    """The rows (N, …) of every process in one tensor (ΣN, …), and where this process's own begin.

    Gradients flow back to the process that a row came from, so that a contrastive loss over two processes equals that
    of one process with the batch of both. Processes may hand in different numbers of rows; all must call. Inside
    `spare_rows` a process finds its own rows behind those of the others, who do not see them.
    """
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return rows, 0
    spare = _SPARE.get()
    own = torch.tensor([0 if spare else len(rows)], device=rows.device)
    found = [torch.empty_like(own) for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather(found, own)
    counts = torch.cat(found).tolist()
    gathered: Tensor = _Gather.apply(rows.contiguous(), counts, spare)
    return gathered, sum(counts) if spare else sum(counts[: torch.distributed.get_rank()])


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, rows: Tensor, counts: list[int], spare: bool) -> Tensor:
        context.counts, context.spare = counts, spare
        own = 0 if spare else len(rows)
        filled = rows.new_zeros((max(counts), *rows.shape[1:]))  # processes exchange tensors of one shape
        filled[:own] = rows[:own]
        parts = [torch.empty_like(filled) for _ in counts]
        torch.distributed.all_gather(parts, filled)
        seen = [part[:count] for part, count in zip(parts, counts, strict=True)]
        return torch.cat([*seen, rows] if spare else seen)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        # A row acts on the loss of every process: the sum of what they all say of it.
        shared = sum(context.counts)
        total = gradients[0][:shared].contiguous()
        torch.distributed.all_reduce(total)
        if context.spare:
            return gradients[0][shared:], None, None
        rank = torch.distributed.get_rank()
        start = sum(context.counts[:rank])
        return total[start : start + context.counts[rank]], None, None
