"""Loss scaling, with the real gradients of a classifier: what fp16 makes of them, before and after (book 5.5.1).

The loss is multiplied by a power of two before the backward pass, so all gradients are; the optimizer divides them
again in fp32. Here the gradients are computed in fp32 and then written in 16 bits, which is the least that is lost:
in training the steps on the way are rounded too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from core.errors import InvalidInput
from core.tasks.task import device_of
from core.text.input import clean_text
from core.training.number_formats import BF16, FP16, NumberFormat, round_values

if TYPE_CHECKING:
    from torch import Tensor

    from core.tasks.loaded import TaskModel

Taught = Literal["predicted", "opposite"]
TAUGHT: tuple[Taught, ...] = ("predicted", "opposite")
MOST_SCALE = 32  # as a power of two
LOWEST, HIGHEST = -40, 20  # powers of two in the histogram; what lies beyond stands in its first and last column
_AT_ONCE = 1 << 20  # values converted in one go


@dataclass(frozen=True, slots=True)
class GradientSizes:
    """The sizes |g| of all gradients of one step that are not 0, (N,), and what the step was asked to learn.

    `zeros` counts those that are 0 in fp32 already: word vectors of words that do not occur.
    """

    label: str
    loss: float
    zeros: int
    sizes: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Kept:
    """What a format keeps of N numbers, as shares of them.

    `zero` became 0, `subnormal` lost digits, `infinite` became too large. `error` is the mean relative error of what
    is finite (what became 0 counts as 1).
    """

    name: str
    zero: float
    subnormal: float
    infinite: float
    error: float


@dataclass(frozen=True, slots=True)
class ScaledGradients:
    """Gradients times ``2 ** scale``.

    `columns` are shares by power of two, from `LOWEST` to `HIGHEST`: column n holds the sizes in
    ``[2 ** (LOWEST + n), 2 ** (LOWEST + n + 1))``. `curve` has a `Kept` of fp16 for each scale from 0 to `MOST_SCALE`,
    without errors (NaN). `largest` is the largest size before scaling.
    """

    label: str
    loss: float
    count: int
    zeros: int
    largest: float
    scale: int
    columns: tuple[float, ...]
    kept: tuple[Kept, ...]  # by fp16 and bf16
    curve: tuple[Kept, ...]

    @property
    def overflowed(self) -> int:
        """How many became infinite in fp16."""
        return round(self.kept[0].infinite * self.count)


def find_gradients(text: str, model: TaskModel, *, taught: Taught, limit: int) -> GradientSizes:
    """The gradients of the cross-entropy of one text with regard to all parameters, in fp32, without dropout.

    The shared model is not touched: the gradients are those of aliases of its parameters.

    Args:
        text: what is read.
        model: a classifier of texts.
        taught: whether the right answer is said to be the one the model gives, or the one it believes least.
        limit: most characters of the text.

    Raises:
        InvalidInput: the text is empty or too long; ``error.formats.no_classifier`` with ``task``.
    """
    import torch
    from torch.func import functional_call

    from core.tasks.classification import label_collator
    from core.tasks.tokenizing import encode_texts

    clean_text(text, limit=limit, required=True)
    if model.task.name != "classification":
        raise InvalidInput("error.formats.no_classifier", task=model.task.name)
    features = encode_texts(model.tokenizer, [text], max_length=model.setup.max_length)
    device = device_of(model.model)
    batch = {name: tensor.to(device) for name, tensor in label_collator(model.tokenizer)(features).items()}
    aliases = {name: one.detach().requires_grad_() for name, one in model.model.named_parameters()}
    with torch.enable_grad():
        output: Any = functional_call(model.model, aliases, args=(), kwargs=batch)
        logits: Tensor = output.logits  # (1, L)
        place = int(logits.argmax() if taught == "predicted" else logits.argmin())
        loss = torch.nn.functional.cross_entropy(logits, torch.tensor([place], device=device))
        found = torch.autograd.grad(loss, list(aliases.values()), allow_unused=True)
    sizes = torch.cat([one.flatten().abs() for one in found if one is not None]).cpu().numpy()
    there = sizes[sizes > 0]
    return GradientSizes(model.setup.labels[place], float(loss.detach()), len(sizes) - len(there), there)


def scale_gradients(gradients: GradientSizes, scale: int) -> ScaledGradients:
    """What becomes of gradients in 16 bits when the loss is multiplied by ``2 ** scale``.

    Raises:
        InvalidInput: ``error.formats.scale`` with ``high``: `scale` is not in [0, `MOST_SCALE`];
            ``error.formats.no_gradients``: all are 0, or one is not finite.

    Source: Micikevicius et al. 2018, "Mixed Precision Training", section 3.2.
    """
    if not 0 <= scale <= MOST_SCALE:
        raise InvalidInput("error.formats.scale", high=MOST_SCALE)
    sizes = gradients.sizes
    if not len(sizes) or not np.isfinite(sizes).all():
        raise InvalidInput("error.formats.no_gradients")
    powers = np.frexp(sizes)[1] - 1 + scale  # a size is in [2^power, 2^(power + 1))
    columns = np.bincount(np.clip(powers, LOWEST, HIGHEST) - LOWEST, minlength=HIGHEST - LOWEST + 1) / len(sizes)
    return ScaledGradients(
        label=gradients.label,
        loss=gradients.loss,
        count=len(sizes),
        zeros=gradients.zeros,
        largest=float(sizes.max()),
        scale=scale,
        columns=tuple(columns.tolist()),
        kept=tuple(_keep(sizes, scale, form) for form in (FP16, BF16)),
        curve=tuple(_foresee(sizes, power) for power in range(MOST_SCALE + 1)),
    )


def _keep(sizes: npt.NDArray[np.float32], scale: int, form: NumberFormat) -> Kept:
    """By converting every one of them."""
    zero = subnormal = infinite = 0
    error = 0.0
    for start in range(0, len(sizes), _AT_ONCE):
        scaled = sizes[start : start + _AT_ONCE] * np.float32(2.0**scale)
        written = round_values(scaled, form)
        finite = np.isfinite(written)
        zero += int((written == 0).sum())
        subnormal += int(((written > 0) & (written < form.smallest_normal)).sum())
        infinite += int((~finite).sum())
        apart = np.abs(written[finite] - scaled[finite]) / scaled[finite]
        error += float(apart.sum(dtype=np.float64))
    rest = len(sizes) - infinite
    mean = error / rest if rest else float("nan")
    return Kept(form.name, zero / len(sizes), subnormal / len(sizes), infinite / len(sizes), mean)


def _foresee(sizes: npt.NDArray[np.float32], scale: int) -> Kept:
    """By where fp16's limits lie: half of its smallest number, its smallest normal one, half a step past its largest.

    A size half a step below the smallest normal number is rounded up to it.
    """
    factor = 2.0**-scale
    step = FP16.smallest
    zero = int((sizes <= np.float32(step / 2 * factor)).sum())
    normal = int((sizes >= np.float32((FP16.smallest_normal - step / 2) * factor)).sum())
    infinite = int((sizes >= np.float32((FP16.largest + FP16.epsilon * 2.0**FP16.bias / 2) * factor)).sum())
    count = len(sizes)
    return Kept(FP16.name, zero / count, (count - zero - normal) / count, infinite / count, float("nan"))
