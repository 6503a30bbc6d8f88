"""2.3.3 Masks: a small matrix of scores, and what padding and the causal mask leave of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core import query as queries
from core.i18n import Locale, translate
from core.models.masks import MaskedAttention, apply_mask, score_matrix, softmax_rows
from tabs._kit import pictures
from tabs._kit.exhibit import Exhibit, Prediction, Step
from tabs._kit.room import Room


@dataclass(frozen=True)
class Query:
    """The side of the matrix, how many of its tokens are no padding, the causal mask, and which scores are drawn."""

    length: int = queries.within(6, 2, 12)
    valid: int = queries.within(4, 0, 12)
    causal: bool = queries.flag()
    seed: int = queries.within(0, 0, 99)


@dataclass(frozen=True)
class Masking:
    """`plain` (T, T) is the softmax without a mask; the rest as `core.models.masks.MaskedAttention`."""

    masked: MaskedAttention
    plain: npt.NDArray[np.float64]
    valid: int
    causal: bool


def explore(query: Query) -> Masking:
    """Scores (T, T), the places that may be seen, and the softmax of every row after masking."""
    scores = score_matrix(query.length, seed=query.seed)
    valid = min(query.valid, query.length)
    return Masking(apply_mask(scores, valid=valid, causal=query.causal), softmax_rows(scores), valid, query.causal)


def show(result: Masking, locale: Locale) -> tuple[str, ...]:
    """The scores with the mask on them, and the softmax before and after."""
    masked = result.masked
    limit = float(np.abs(masked.scores).max())
    hidden = int((~masked.allowed).sum())
    figures = pictures.numbers([(translate("masks.hidden", locale), f"{hidden} / {masked.allowed.size}")])
    scores = _map(
        np.where(masked.allowed, masked.scores, np.nan), "masks.masked", "signed", -limit, limit, result, locale
    )
    before = _map(result.plain, "masks.before", "attention", 0.0, 1.0, result, locale)
    after = _map(np.where(masked.allowed, masked.weights, np.nan), "masks.after", "attention", 0.0, 1.0, result, locale)
    return (
        figures + _explained(result, locale) + pictures.heading(translate("masks.masked", locale)) + scores,
        pictures.heading(translate("masks.before", locale)) + before,
        pictures.heading(translate("masks.after", locale)) + after,
    )


def _map(
    values: npt.NDArray[np.float64],
    title: str,
    scale: pictures.Scale,
    low: float,
    high: float,
    result: Masking,
    locale: Locale,
) -> str:
    labels = tuple(
        str(n + 1) if n < result.valid else translate("masks.padding", locale, number=n + 1) for n in range(len(values))
    )
    names = [translate(f"attention.common.{name}", locale) for name in ("query", "goal")]
    padding = frozenset(range(result.valid, len(values)))
    hole = "−∞" if scale == "signed" else "0"
    numbers = pictures.table(
        [f"{names[0]} \\ {names[1]}", *labels],
        [[label, *(hole if v != v else f"{v:.3f}" for v in row)] for label, row in zip(labels, values, strict=True)],
        caption=translate(title, locale),
    )
    return pictures.heat_map(
        values,
        pictures.Axis(names[0], labels, padding),
        pictures.Axis(names[1], labels, padding),
        locale=locale,
        title=translate(title, locale),
        scale=scale,
        low=low,
        high=high,
        alternative=numbers,
    )


def _explained(result: Masking, locale: Locale) -> str:
    """What the empty rows mean; else the arithmetic of one row that lost something."""
    masked = result.masked
    if masked.empty_rows:
        rows = ", ".join(str(row + 1) for row in masked.empty_rows)
        return pictures.note(translate("masks.empty", locale, rows=rows), kind="caution")
    some = [n for n, row in enumerate(masked.allowed) if 1 < row.sum() < len(row)]
    row = some[0] if some else 0
    seen = np.flatnonzero(masked.allowed[row])
    powers = np.exp(masked.scores[row][seen])
    terms = " + ".join(f"exp({masked.scores[row, n]:.1f})" for n in seen)
    shares = ", ".join(f"{weight:.3f}" for weight in masked.weights[row])
    lines = [
        translate("masks.line", locale, row=row + 1),
        f"{terms} = {powers.sum():.3f}",
        f"exp({masked.scores[row, seen[0]]:.1f}) / {powers.sum():.3f} = {masked.weights[row, seen[0]]:.3f}",
        f"softmax = [{shares}]   Σ = {masked.weights[row].sum():.3f}",
    ]
    return pictures.formula(lines)


def snippet(query: Query) -> str:
    """The same in PyTorch."""
    causal = "allowed &= torch.ones(length, length).tril().bool()  # nothing after the query\n" if query.causal else ""
    return f"""import numpy as np
import torch

length, valid = {query.length}, {min(query.valid, query.length)}
scores = torch.tensor(np.random.default_rng({query.seed}).normal(scale=1.5, size=(length, length)).round(1))
allowed = (torch.arange(length) < valid).expand(length, length).clone()  # no padding among the keys
{causal}weights = scores.masked_fill(~allowed, -torch.inf).softmax(dim=1)
weights = weights.nan_to_num()  # a row without anything to see is 0 / 0
result = weights.numpy().round(4).tolist()
print(result)
"""


def evidence(result: Masking) -> list[list[float]]:
    """The weights after masking."""
    rounded: list[list[float]] = result.masked.weights.round(4).tolist()
    return rounded


def build(room: Room) -> None:
    """Two sliders and a switch."""
    with room.inputs():
        room.presets(*({"length": 6, "valid": valid, "causal": causal} for causal in (False, True) for valid in (6, 4)))
        room.widget("length")
        room.widget("valid")
        room.widget("causal")
        with room.more():
            room.widget("seed")
    with room.results():
        for _ in range(3):
            room.view()


def _answer(result: Masking) -> int:
    """What the first token sees under the causal mask: itself alone (0), all alike (1), or something else (2)."""
    first = result.masked.weights[0]
    return 0 if first[0] > 0.999 else 1 if np.ptp(first) < 1e-6 else 2


EXHIBIT = Exhibit(
    slug="masks",
    sections=("2.3.3",),
    query=Query,
    explore=explore,
    show=show,
    snippet=snippet,
    evidence=evidence,
    build=build,
    prediction=Prediction(Query(valid=6, causal=True), 3, _answer),
    steps=(Step({"valid": 2}), Step({"causal": True}), Step({"valid": 0})),
)
