"""Switching heads off and hiding tokens, to see what a prediction rests on.

transformers 5 ignores ``head_mask`` without a word, so heads are switched off where they end: their part of the vector
that enters the output projection is set to 0.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from core.errors import InvalidInput
from core.jobs import Progress, finish
from core.models.attention import attention_modules, check_head, own_hooks
from core.models.fill import Blank, Candidate, best_candidates, candidate, make_blank
from core.models.inputs import Unit, input_tensors
from core.models.loading import LoadedModel

if TYPE_CHECKING:
    import torch

CHUNK = 12  # variants in one forward pass: enough to be quick, few enough for the memory of a small machine
OPERATIONS = 1e10  # floating-point operations in a second: measured on one core of two that were both busy


@dataclass(frozen=True, slots=True)
class Ablation:
    """A prediction before and after some heads were switched off and some tokens hidden.

    `target` is followed through both: the token that stood there, or the first guess at a typed blank.
    """

    units: tuple[Unit, ...]
    position: int
    heads: tuple[tuple[int, int], ...]
    hidden: tuple[int, ...]
    before: tuple[Candidate, ...]
    after: tuple[Candidate, ...]
    target_before: Candidate
    target_after: Candidate
    log_change: float  # of the target's probability, in nats

    @property
    def change(self) -> float:
        """Probability of the target after minus before."""
        return self.target_after.probability - self.target_before.probability


@dataclass(frozen=True, slots=True)
class HeadImportance:
    """What switching off each head alone does to the target's log probability.

    `grid` is (layers, H) in nats, after minus before: negative where the head helped. Heads can stand in for one
    another, so a small number does not mean that a head does nothing.
    """

    units: tuple[Unit, ...]
    position: int
    target: Candidate
    log_probability: float
    grid: npt.NDArray[np.float32]


def ablate(
    text: str,
    loaded: LoadedModel,
    *,
    position: int | None = None,
    heads: Collection[tuple[int, int]] = (),
    hidden: Collection[int] = (),
    target: int | None = None,
    k: int = 5,
) -> Ablation:
    """Predict a blank as it is, and again with some heads switched off and some tokens hidden.

    `heads` are pairs (layer, head); `hidden` are indices of tokens that are masked as well. `position` is the token to
    blank out, None for the first mask of the text; `target` is the id of the token to follow.

    Raises:
        InvalidInput: no such token, layer or head; or as `fill_mask`.
        ModelUnavailable: the model's heads cannot be told apart.

    Source: Michel et al. 2019, "Are Sixteen Heads Really Better than One?", section 2.
    """
    blank = make_blank(text, loaded, position=position)
    chosen = tuple(sorted(set(heads)))
    for layer, head in chosen:
        check_head(layer, head, layers=loaded.layers, heads=loaded.heads)
    covered = tuple(sorted(set(hidden) - {blank.position}))
    before = predict(blank, loaded)
    with_hidden = blank
    for place in covered:
        with_hidden = replace(blank, inputs=make_blank(with_hidden.inputs, loaded, position=place).inputs)
    after = predict(with_hidden, loaded, off=[chosen])[0] if chosen else predict(with_hidden, loaded)[0]
    followed = choose_target(blank, before[0], target)
    probabilities_before, probabilities_after = before[0].exp(), after.exp()
    return Ablation(
        units=blank.inputs.units,
        position=blank.position,
        heads=chosen,
        hidden=covered,
        before=best_candidates(probabilities_before, blank, loaded, k=k),
        after=best_candidates(probabilities_after, blank, loaded, k=k),
        target_before=candidate(followed, probabilities_before, blank, loaded),
        target_after=candidate(followed, probabilities_after, blank, loaded),
        log_change=float(after[followed] - before[0, followed]),
    )


def head_importance(
    text: str, loaded: LoadedModel, *, position: int | None = None, target: int | None = None
) -> HeadImportance:
    """Switch off every head in turn and measure the target's log probability at the blank.

    As many forward passes as the model has heads: `estimate_seconds` says how long that takes.

    Raises:
        InvalidInput, ModelUnavailable: as `ablate`.
    """
    return finish(measure_heads(text, loaded, position=position, target=target))


def measure_heads(
    text: str, loaded: LoadedModel, *, position: int | None = None, target: int | None = None
) -> Generator[Progress, None, HeadImportance]:
    """`head_importance` with a `Progress` (heads done, in all) after every few; close the generator to stop.

    Raises:
        InvalidInput, ModelUnavailable: as `ablate`.
    """
    blank = make_blank(text, loaded, position=position)
    before = predict(blank, loaded)[0]
    followed = choose_target(blank, before, target)
    chosen = candidate(followed, before.exp(), blank, loaded)
    variants = [((layer, head),) for layer in range(loaded.layers) for head in range(loaded.heads)]
    after: list[float] = []
    for start in range(0, len(variants), CHUNK):
        rows = predict(blank, loaded, off=variants[start : start + CHUNK])[:, followed]
        after.extend(rows.tolist())
        yield Progress(len(after), len(variants))
    base = float(before[followed])
    grid = (np.array(after, dtype=np.float32) - np.float32(base)).reshape(loaded.layers, loaded.heads)
    return HeadImportance(blank.inputs.units, blank.position, chosen, base, grid)


def estimate_seconds(tokens: int, loaded: LoadedModel) -> float:
    """About how long `head_importance` takes on a text of so many tokens, on a core that has other work too."""
    operations = 2 * loaded.parameters * tokens * loaded.layers * loaded.heads
    return operations / OPERATIONS


def choose_target(blank: Blank, log_probabilities: torch.Tensor, target: int | None) -> int:
    """The id to follow: `target`, else the hidden token, else the first guess.

    Raises:
        InvalidInput: the vocabulary has no such id.
    """
    if target is None:
        target = blank.original if blank.original is not None else int(log_probabilities.argmax())
    if not 0 <= target < len(log_probabilities):
        raise InvalidInput("error.model.target_index", id=target)
    return target


def predict(blank: Blank, loaded: LoadedModel, *, off: Sequence[Sequence[tuple[int, int]]] = ()) -> torch.Tensor:
    """Log probabilities (B, V) at the blank, one row for each set of heads in `off`; B = 1 and all heads on without."""
    import torch

    tensors = {
        name: tensor.expand(max(len(off), 1), -1) for name, tensor in input_tensors(blank.inputs, loaded).items()
    }
    with own_hooks(*_switches(off, loaded)), torch.inference_mode():
        logits = loaded.model(**tensors).logits[:, blank.position]  # (B, V)
        return logits.log_softmax(dim=-1)


def _switches(off: Sequence[Sequence[tuple[int, int]]], loaded: LoadedModel) -> list[tuple[Any, Any]]:
    """Hooks before the output projections that set the chosen heads of each row of the batch to 0."""
    by_layer: dict[int, list[tuple[int, int]]] = {}
    for row, heads in enumerate(off):
        for layer, head in heads:
            by_layer.setdefault(layer, []).append((row, head))
    if not by_layer:
        return []
    modules = attention_modules(loaded)

    def switch(places: Sequence[tuple[int, int]]) -> Any:
        def hook(_module: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
            context = arguments[0].clone()  # (B, T, D), the heads side by side
            width = context.shape[-1] // loaded.heads
            for row, head in places:
                context[row, :, head * width : (head + 1) * width] = 0
            return (context, *arguments[1:])

        return hook

    return [
        (modules[layer].output.dense.register_forward_pre_hook, switch(places)) for layer, places in by_layer.items()
    ]
