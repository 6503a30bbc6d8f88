"""2.2.3 Self-attention: one row of one head with its real numbers, from q · k to the weighted sum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core import query as queries
from core.i18n import Locale, translate
from core.models.attention import HeadDetail, head_detail
from core.models.inputs import encode
from core.models.loading import load_model
from core.models.masks import softmax_rows
from tabs._kit import pictures
from tabs._kit.exhibit import Exhibit, Prediction, Step
from tabs._kit.room import Room
from tabs.attention import choices, models

TOKENS = 32  # a row that is read number by number must stay short
BARS = 12
SHOWN = 4  # dimensions of a vector that are written out


@dataclass(frozen=True)
class Query:
    """A sentence, the head (counted from 1), the querying token, one key, and two switches of the formula."""

    text: str = queries.text("猫は魚が好きです。")
    model: str = queries.one_of(models.DEFAULT, *models.OFFERED, free=True)
    divide: bool = queries.flag(True)
    causal: bool = queries.flag()
    layer: int = queries.within(1, 1, 64)
    head: int = queries.within(1, 1, 64)
    focus: int = queries.within(1, 0, TOKENS - 1)
    against: int = queries.within(-1, -1, TOKENS - 1)


@dataclass(frozen=True)
class Row:
    """One row of attention.

    `detail` holds the model's own numbers; `scores` (T,) go into the softmax (-inf where masked), `weights` (T,) come
    out, `output` (d,) is their sum of values. With division and without causal mask they are the model's own too.
    """

    detail: HeadDetail
    layers: int
    heads: int
    scores: npt.NDArray[np.float64]
    weights: npt.NDArray[np.float64]
    output: npt.NDArray[np.float64]
    undivided: npt.NDArray[np.float64]
    against: int
    divide: bool
    truncated: bool


def explore(query: Query) -> Row:
    """One row of one head, number by number: ``detail.raw`` = q · k, ``scores``, ``weights`` (T,), ``output`` (d,)."""
    loaded = load_model(query.model, head=None)
    inputs = encode(query.text, loaded, limit=TOKENS)
    layer, head = min(query.layer, loaded.layers), min(query.head, loaded.heads)
    focus = min(query.focus, len(inputs.ids) - 1)
    detail = head_detail(query.text, loaded, layer=layer - 1, head=head - 1, query=focus, limit=TOKENS)
    allowed = np.arange(len(detail.units)) <= (focus if query.causal else len(detail.units))
    scores = np.where(allowed, detail.scaled if query.divide else detail.raw, -np.inf).astype(np.float64)
    weights = softmax_rows(scores[None])[0]
    return Row(
        detail=detail,
        layers=loaded.layers,
        heads=loaded.heads,
        scores=scores,
        weights=weights,
        output=weights @ detail.values,
        undivided=softmax_rows(np.where(allowed, detail.raw, -np.inf)[None])[0],
        against=min(query.against, len(weights) - 1) if query.against >= 0 else int(weights.argmax()),
        divide=query.divide,
        truncated=inputs.window.truncated,
    )


def show(result: Row, locale: Locale) -> tuple[str, ...]:
    """Who asks and in which head; then the four steps."""
    return _question(result, locale), _formula(result, locale), _bars(result, locale)


def _question(result: Row, locale: Locale) -> str:
    detail, goal = result.detail, result.detail.units[result.against]
    boxes = [
        pictures.Box(
            unit.label,
            below=f"{result.weights[place]:.0%}",
            state=choices.state(unit, chosen=place == detail.position),
            pick={"focus": place, "against": -1},
            weight=float(result.weights[place]),
            word_start=choices.starts_word(detail.units, place),
        )
        for place, unit in enumerate(detail.units)
    ]
    told = translate("self-attention.weight", locale, query=detail.units[detail.position].label, goal=goal.label)
    cut = pictures.note(translate("self-attention.cut", locale, limit=TOKENS)) if result.truncated else ""
    return (
        pictures.numbers([(told, f"{result.weights[result.against]:.3f}")])
        + pictures.token_boxes(boxes, title=translate("self-attention.boxes", locale))
        + cut
        + choices.head_chips(result.layers, result.heads, layer=detail.layer + 1, head=detail.head + 1, locale=locale)
    )


def _formula(result: Row, locale: Locale) -> str:
    detail, place = result.detail, result.against
    asking, goal = detail.units[detail.position].label, detail.units[place].label
    width = len(detail.query)
    products = " + ".join(f"({q:.2f})({k:.2f})" for q, k in zip(detail.query[:SHOWN], detail.keys[place], strict=False))
    lines = [
        translate("self-attention.line.vectors", locale, width=width),
        f"q[{asking}] = {_vector(detail.query)}",
        f"k[{goal}] = {_vector(detail.keys[place])}",
        "",
        translate("self-attention.line.product", locale),
        f"q · k = {products} + … = {detail.raw[place]:.3f}",
    ]
    score = detail.raw[place]
    if result.divide:
        score = detail.scaled[place]
        root = width**0.5
        lines += [f"q · k / √{width} = {detail.raw[place]:.3f} / {root:.3f} = {score:.3f}"]
    if np.isneginf(result.scores[place]):
        lines += ["", translate("self-attention.line.masked", locale), f"{score:.3f} + (−∞) = −∞"]
    highest = result.scores.max()
    powers = np.exp(result.scores - highest)
    lines += [
        "",
        translate("self-attention.line.softmax", locale, highest=f"{highest:.3f}"),
        f"exp({_score(result.scores[place])} − {highest:.3f}) / Σ = {powers[place]:.4f} / {powers.sum():.4f}"
        f" = {result.weights[place]:.4f}",
        "",
        translate("self-attention.line.sum", locale, count=len(result.weights)),
        f"{result.weights[place]:.4f} · v[{goal}] = {result.weights[place]:.4f} · {_vector(detail.values[place])}",
        f"Σ = {_vector(result.output)}",
    ]
    return pictures.heading(translate("self-attention.formula", locale)) + pictures.formula(lines)


def _bars(result: Row, locale: Locale) -> str:
    units = result.detail.units
    order = sorted(range(len(units)), key=lambda place: -result.weights[place])[:BARS]
    scores = [
        pictures.Bar(units[n].label, _finite(result.scores[n]), _score(result.scores[n]), pick={"against": n})
        for n in order
    ]
    weights = [
        pictures.Bar(units[n].label, float(result.weights[n]), f"{result.weights[n]:.3f}", pick={"against": n})
        for n in order
    ]
    names = [translate(f"self-attention.column.{name}", locale) for name in ("token", "raw", "score", "weight")]
    rows = [
        (unit.label, f"{result.detail.raw[n]:.3f}", _score(result.scores[n]), f"{result.weights[n]:.4f}")
        for n, unit in enumerate(units)
    ]
    pair = pictures.bars(scores, title=translate("self-attention.scores", locale), signed=True) + pictures.bars(
        weights, title=translate("self-attention.weights", locale), high=1.0, scale="attention"
    )
    numbers = pictures.table(names, rows, caption=translate("self-attention.weights", locale), numeric=(1, 2, 3))
    note = pictures.note(translate("self-attention.own" if result.divide else "self-attention.not_own", locale))
    return pictures.twin(pair, numbers, locale) + note


def _vector(values: npt.NDArray[np.floating]) -> str:
    return f"[{', '.join(f'{value:.2f}' for value in values[:SHOWN])}, …]"


def _finite(value: float) -> float:
    return float(value) if np.isfinite(value) else 0.0


def _score(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else "−∞"


def snippet(query: Query) -> str:
    """The formula of the book on the layer's own projections."""
    scale = "scores / d**0.5" if query.divide else "scores  # not divided by √d"
    mask = "scores[torch.arange(len(scores)) > focus] = -torch.inf\n" if query.causal else ""
    return f"""{models.lines_to_load(query.model, kind="AutoModel")}

inputs = tokenizer({query.text!r}, truncation=True, max_length={TOKENS}, return_tensors="pt")
layer = min({query.layer - 1}, model.config.num_hidden_layers - 1)
head = min({query.head - 1}, model.config.num_attention_heads - 1)
focus = min({query.focus}, inputs["input_ids"].shape[1] - 1)
with torch.inference_mode():
    states = model(**inputs, output_hidden_states=True).hidden_states[layer][0]  # (T, D): what the layer is given
    own = model.encoder.layer[layer].attention.self
    d = model.config.hidden_size // model.config.num_attention_heads
    part = slice(head * d, (head + 1) * d)
    query, keys, values = own.query(states)[focus, part], own.key(states)[:, part], own.value(states)[:, part]
scores = keys @ query  # (T,)
scores = {scale}
{mask}weights = scores.softmax(dim=0)
output = weights @ values  # (d,)
result = {{"weights": weights.numpy().round(4).tolist(), "output": output.numpy().round(4).tolist()}}
print(result)
"""


def evidence(result: Row) -> dict[str, list[float]]:
    """The weights and what the head passes on."""
    return {
        "weights": result.weights.astype(np.float32).round(4).tolist(),
        "output": result.output.astype(np.float32).round(4).tolist(),
    }


def build(room: Room) -> None:
    """A sentence, a model, and the two switches of the formula."""
    with room.inputs():
        room.examples("text", "子どもが公園で遊ぶ。", "駅まで歩いて行った。")
        room.widget("text")
        room.widget("model")
        room.widget("divide")
        room.widget("causal")
        for name in ("layer", "head", "focus", "against"):
            room.picked(name)
    with room.results():
        for _ in range(3):
            room.view()


def _answer(result: Row) -> int:
    """Whether the largest weight is larger (0), smaller (1) or as large (2) without the division by √d."""
    change = result.undivided.max() - softmax_rows(result.detail.masked[None].astype(np.float64))[0].max()
    return 2 if abs(change) < 1e-6 else 0 if change > 0 else 1


EXHIBIT = Exhibit(
    slug="self-attention",
    sections=("2.2.3",),
    query=Query,
    explore=explore,
    show=show,
    snippet=snippet,
    evidence=evidence,
    build=build,
    prediction=Prediction(Query(divide=False), 3, _answer),
    lane="model",
    steps=(Step({"focus": 3}), Step({"against": 3}), Step({"divide": False}), Step({"causal": True})),
)
