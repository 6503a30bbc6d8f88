"""Batches for prediction: alike in length, in evaluation mode, without gradients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from core.tasks.task import device_of

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

    from core.tasks.task import Collator, Features


@contextmanager
def evaluating(model: PreTrainedModel) -> Iterator[None]:
    """Evaluation mode (no dropout) and no gradients; the mode it was in comes back afterwards."""
    import torch

    training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(training)


def group_by_length(features: Sequence[Features], *, batch_size: int) -> Iterator[list[int]]:
    """Indices of features in batches of like length, the longest first: running out of memory shows at once."""
    order = sorted(range(len(features)), key=lambda index: -len(features[index]["input_ids"]))
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


def iterate_batches(
    model: PreTrainedModel, features: Sequence[Features], collate: Collator, *, batch_size: int
) -> Iterator[tuple[list[int], dict[str, Tensor]]]:
    """Padded batches on the model's device, each with the indices of its features. Use inside `evaluating`."""
    device = device_of(model)
    for indices in group_by_length(features, batch_size=batch_size):
        batch = collate([features[index] for index in indices])
        yield indices, {name: tensor.to(device) for name, tensor in batch.items()}
