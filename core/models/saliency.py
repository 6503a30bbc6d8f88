"""Which tokens a prediction rests on: integrated gradients, and gradient × input as the quick first look.

An attribution follows the whole way from the input to one prediction; an attention weight is one step inside. That is
why the two may disagree, and why they are worth setting side by side.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from core.errors import InvalidInput
from core.models.ablation import choose_target
from core.models.attention import own_hooks
from core.models.fill import Candidate, candidate, make_blank
from core.models.inputs import Inputs, Unit, input_tensors, merge_words
from core.models.loading import LoadedModel

Method = Literal["integrated-gradients", "gradient-x-input"]

CHUNK = 8  # steps in one pass
STEPS = (1, 256)


@dataclass(frozen=True, slots=True)
class Attribution:
    """How much each unit adds to the target's log probability, in nats; negative: it speaks against the target.

    `scores` is (T,). The baseline is the same input with every token of the text masked; `baseline_log_probability` is
    what the model says then. Integrated gradients add up to the difference of the two log probabilities, up to
    `completeness_error` (None for gradient × input, which promises no sum): more steps make it smaller.
    """

    text: str
    units: tuple[Unit, ...]
    position: int
    target: Candidate
    method: Method
    steps: int
    scores: npt.NDArray[np.float32]
    log_probability: float
    baseline_log_probability: float
    completeness_error: float | None


def attribute(
    text: str | Inputs,
    loaded: LoadedModel,
    *,
    position: int | None = None,
    target: int | None = None,
    method: Method = "integrated-gradients",
    steps: int = 32,
) -> Attribution:
    """Share a prediction out among the tokens of the text, or of the part of it that goes into the model.

    The gradient of the target's log probability is taken at the word embeddings only: the shared model is not
    touched. Integrated gradients average it along the straight line from the baseline to the input (midpoint rule,
    `steps` points); gradient × input takes it at the input alone. Both multiply by input minus baseline.

    Raises:
        InvalidInput: no such token, or `steps` outside `STEPS`; or as `fill_mask`.

    Source: Sundararajan et al. 2017, "Axiomatic Attribution for Deep Networks", section 3.
    """
    import torch

    low, high = STEPS
    if not low <= steps <= high:
        raise InvalidInput("error.model.steps", low=low, high=high)
    blank = make_blank(text, loaded, position=position)
    mask_id = int(loaded.tokenizer.model.mask_token_id)
    masked = tuple(n if unit.special else mask_id for n, unit in zip(blank.inputs.ids, blank.inputs.units, strict=True))
    embedding: Any = loaded.model.get_input_embeddings()
    start, end = (embedding(torch.tensor(ids)) for ids in (masked, blank.inputs.ids))  # (T, D) each
    ends = _log_probabilities(torch.stack((start, end)), blank.inputs, loaded, blank.position).detach()  # (2, V)
    followed = choose_target(blank, ends[1], target)
    integrate = method == "integrated-gradients"
    shares = (torch.arange(steps) + 0.5) / steps if integrate else torch.ones(1)  # places on the line from 0 to 1
    gradient = torch.zeros_like(end)
    for chunk in shares.split(CHUNK):
        points = (start + chunk[:, None, None] * (end - start)).requires_grad_()  # (B, T, D)
        total = _log_probabilities(points, blank.inputs, loaded, blank.position)[:, followed].sum()
        gradient += torch.autograd.grad(total, points)[0].sum(dim=0) / len(shares)
    scores = ((end - start) * gradient).sum(dim=-1)  # (T,)
    rise = float(ends[1, followed] - ends[0, followed])
    return Attribution(
        text=blank.inputs.text,
        units=blank.inputs.units,
        position=blank.position,
        target=candidate(followed, ends[1].exp(), blank, loaded),
        method=method,
        steps=len(shares),
        scores=scores.numpy(),
        log_probability=float(ends[1, followed]),
        baseline_log_probability=float(ends[0, followed]),
        completeness_error=abs(float(scores.sum()) - rise) if integrate else None,
    )


def attribution_by_word(attribution: Attribution) -> Attribution:
    """The same with the scores of each MeCab word's tokens added up."""
    units, members = merge_words(attribution.units, (attribution.text, None))
    scores = np.add.reduceat(attribution.scores, [group[0] for group in members])
    position = next(place for place, group in enumerate(members) if attribution.position in group)
    return replace(attribution, units=units, scores=scores, position=position)


def _log_probabilities(embeddings: Any, inputs: Inputs, loaded: LoadedModel, position: int) -> Any:
    """Log probabilities (B, V) at a position, for word embeddings (B, T, D) in place of ids."""
    tensors = {name: tensor.expand(len(embeddings), -1) for name, tensor in input_tensors(inputs, loaded).items()}
    del tensors["input_ids"]

    def only_the_blank(_module: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        return (arguments[0][:, position : position + 1], *arguments[1:])

    # Scores over the vocabulary at the other positions would cost more than all layers, and nobody reads them.
    output: Any = loaded.model.get_output_embeddings()
    with own_hooks((output.register_forward_pre_hook, only_the_blank)):
        logits = loaded.model(inputs_embeds=embeddings, **tensors).logits  # (B, 1, V)
    return logits[:, 0].log_softmax(dim=-1)
