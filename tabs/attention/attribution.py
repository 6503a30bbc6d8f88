"""2.2.4 Attention is not explanation: one prediction, its integrated gradients, and the attention of the same token."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core import query as queries
from core.i18n import Locale, translate
from core.models.attention import LIMIT, attend
from core.models.fill import see_blank
from core.models.inputs import Window
from core.models.loading import load_model
from core.models.saliency import Attribution, Method, attribute
from tabs._kit import pictures
from tabs._kit.exhibit import Exhibit, Prediction, Step
from tabs._kit.room import Room
from tabs.attention import blanks, choices, models

METHODS: tuple[Method, ...] = ("integrated-gradients", "gradient-x-input")
BARS = 12
STATION = "新幹線で東京駅から京都駅まで行く。"  # either 駅 is guessed with confidence


@dataclass(frozen=True)
class Query:
    """A sentence, its blank, the layer whose attention is set beside (0: mean of all), and the method."""

    text: str = queries.text(STATION)
    model: str = queries.one_of(models.DEFAULT, *models.OFFERED, free=True)
    method: str = queries.one_of("integrated-gradients", *METHODS)
    steps: int = queries.within(32, 1, 256)
    layer: int = queries.within(0, 0, 64)
    position: int = queries.within(8, -1, 511)
    first: int = queries.within(0, 0, 8_000)


@dataclass(frozen=True)
class Contrast:
    """Attribution and attention of one blank, side by side.

    `attention` (T,) is the blank's row, mean over heads; `others` are the tokens compared: those of the text but the
    blank. `agreement` is Spearman's rank correlation of |attribution| and attention over them, None where undefined.
    `window` is the part of the text that the model saw.
    """

    attribution: Attribution
    attention: npt.NDArray[np.float32]
    others: tuple[int, ...]
    agreement: float | None
    layer: int
    layers: int
    window: Window


def explore(query: Query) -> Contrast:
    """What a prediction rests on: ``attribution.scores`` (T,) in nats, beside the blank's ``attention`` (T,)."""
    loaded = load_model(query.model)
    inputs, place = see_blank(query.text, loaded, position=query.position, first=query.first, limit=LIMIT)
    found = attribute(inputs, loaded, position=place, method=METHODS[METHODS.index(query.method)], steps=query.steps)
    weights = attend(inputs.text, loaded, first=inputs.window.first, masked=place).weights  # (layers, H, T, T)
    layer = min(query.layer, loaded.layers)
    rows = weights[:, :, found.position].mean(axis=1)  # (layers, T)
    row = rows[layer - 1] if layer else rows.mean(axis=0)
    others = tuple(n for n, unit in enumerate(found.units) if not unit.special and n != found.position)
    agreement = rank_correlation(np.abs(found.scores[list(others)]), row[list(others)])
    return Contrast(found, row.copy(), others, agreement, layer, loaded.layers, inputs.window)


def rank_correlation(first: npt.NDArray[np.floating], second: npt.NDArray[np.floating]) -> float | None:
    """Spearman's rank correlation in [-1, 1]; None for fewer than three values or when all are alike."""
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    ranks = [values.argsort(kind="stable").argsort() for values in (first, second)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def show(result: Contrast, locale: Locale) -> tuple[str, ...]:
    """The blank and the verdict; the two bars."""
    return _verdict(result, locale), _bars(result, locale)


def _verdict(result: Contrast, locale: Locale) -> str:
    found = result.attribution
    figures = [
        (translate("attribution.target", locale), f"{found.target.token}  {blanks.share(found.target.probability)}")
    ]
    if result.agreement is not None:
        figures.append((translate("attribution.agreement", locale), f"{result.agreement:+.2f}"))
    told = pictures.note(translate(f"attribution.agree.{_degree(result.agreement)}", locale), kind="caution")
    return (
        pictures.numbers(figures)
        + told
        + choices.window_note(result.window, locale)
        + blanks.blank_boxes(found.units, found.position, locale)
    )


def _degree(agreement: float | None) -> str:
    if agreement is None:
        return "undefined"
    return ("opposite", "none", "some", "strong")[int(np.searchsorted([-0.3, 0.3, 0.7], agreement, side="right"))]


def _bars(result: Contrast, locale: Locale) -> str:
    found, units = result.attribution, result.attribution.units
    strongest = sorted(
        result.others,
        key=lambda n: (
            -max(
                abs(float(found.scores[n])) / _most(found.scores), float(result.attention[n]) / _most(result.attention)
            )
        ),
    )
    order = sorted(strongest[:BARS])
    scores = [pictures.Bar(units[n].label, float(found.scores[n]), f"{found.scores[n]:+.3f}") for n in order]
    weights = [pictures.Bar(units[n].label, float(result.attention[n]), f"{result.attention[n]:.3f}") for n in order]
    layer = result.layer or translate("attribution.layer.0", locale)
    titles = [
        translate(f"attribution.scores.{found.method}", locale),
        translate("attribution.attention", locale, layer=layer),
    ]
    names = [translate("attribution.column.token", locale), *titles]
    rows = [(unit.label, f"{found.scores[n]:+.4f}", f"{result.attention[n]:.4f}") for n, unit in enumerate(units)]
    numbers = pictures.table(names, rows, caption=translate("attribution.title", locale), numeric=(1, 2))
    pair = pictures.bars(scores, title=titles[0], signed=True) + pictures.bars(
        weights, title=titles[1], scale="attention"
    )
    layers = [(n, str(n) if n else translate("attribution.layer.0", locale)) for n in range(result.layers + 1)]
    return (
        choices.chips("layer", layers, chosen=result.layer, title=translate("attribution.layer", locale))
        + pictures.twin(pair, numbers, locale)
        + pictures.note(_completeness(found, locale))
        + pictures.note(translate("attention.common.caveat", locale), kind="caution")
    )


def _most(values: npt.NDArray[np.floating]) -> float:
    return max(float(np.abs(values).max()), 1e-9)


def _completeness(found: Attribution, locale: Locale) -> str:
    """The sum of the contributions beside what it should be; gradient × input promises no sum."""
    rise = found.log_probability - found.baseline_log_probability
    total = float(found.scores.sum())
    key = "attribution.sum" if found.completeness_error is not None else "attribution.no_sum"
    return translate(key, locale, total=f"{total:+.3f}", rise=f"{rise:+.3f}", steps=found.steps)


def snippet(query: Query) -> str:
    """Integrated gradients in a dozen lines of PyTorch; this project's own functions for a part of a long text."""
    if query.first or (query.position < 0 and blanks.MASK in query.text and len(query.text) > LIMIT - 2):
        return _own_snippet(query)
    points = f"(torch.arange({query.steps}) + 0.5) / {query.steps}" if query.method == METHODS[0] else "torch.ones(1)"
    row = "attention.mean(dim=0)" if not query.layer else f"attention[min({query.layer}, len(attention)) - 1]"
    target = "logits.argmax().item()" if query.position < 0 and blanks.MASK in query.text else "original"
    return f"""{models.lines_to_load(query.model, kind="AutoModelForMaskedLM")}
model.requires_grad_(False)

{blanks.lines_to_blank(query.text, query.position, options=f"truncation=True, max_length={LIMIT}, ")}
with torch.inference_mode():
    output = model(**inputs, output_attentions=True)
logits = output.logits[0, position]
target = {target}
attention = torch.stack([layer[0, :, position].mean(dim=0) for layer in output.attentions])  # (layers, T)

embed = model.get_input_embeddings()
masked = ids.clone()
masked[1:-1] = tokenizer.mask_token_id  # the baseline: every token of the text hidden
start, end = embed(masked), embed(ids)  # (T, D)
gradient = torch.zeros_like(end)
places = {points}
for place in places:
    point = (start + place * (end - start)).requires_grad_()
    log_probability = model(inputs_embeds=point[None]).logits[0, position].log_softmax(dim=-1)[target]
    gradient += torch.autograd.grad(log_probability, point)[0] / len(places)
scores = ((end - start) * gradient).sum(dim=-1)  # (T,) in nats
result = {{"attribution": scores.numpy().round(4).tolist(), "attention": {row}.numpy().round(4).tolist()}}
print(result)
"""


def _own_snippet(query: Query) -> str:
    row = "rows.mean(axis=0)" if not query.layer else f"rows[min({query.layer}, len(rows)) - 1]"
    return f"""from core.models.attention import LIMIT, attend
from core.models.fill import see_blank
from core.models.loading import load_model
from core.models.saliency import attribute

loaded = load_model({query.model!r})
window = {{"first": {query.first}, "limit": LIMIT}}  # the part of the text that the model sees
inputs, position = see_blank({query.text!r}, loaded, position={query.position}, **window)
found = attribute(inputs, loaded, position=position, method={query.method!r}, steps={query.steps})
rows = attend(inputs.text, loaded, first=inputs.window.first, masked=position).weights[:, :, position].mean(axis=1)
result = {{"attribution": found.scores.round(4).tolist(), "attention": {row}.round(4).tolist()}}
print(result)
"""


def evidence(result: Contrast) -> dict[str, list[float]]:
    """Both rows of bars, special tokens included; + 0.0 turns a rounded -0.0 into 0.0."""
    return {
        "attribution": (result.attribution.scores.round(4) + 0.0).tolist(),
        "attention": (result.attention.round(4) + 0.0).tolist(),
    }


def build(room: Room) -> None:
    """A sentence, a model, a method."""
    with room.inputs():
        room.presets(
            {"text": STATION, "position": 8},
            {"text": "のどが渇いたので、冷たい水を飲んだ。", "position": 13},
        )
        room.widget("text")
        room.widget("model")
        room.widget("method")
        with room.more():
            room.widget("steps")
        for name in ("layer", "position", "first"):
            room.picked(name)
    with room.results():
        room.view()
        room.view()


def _answer(result: Contrast) -> int:
    """Whether the token with the strongest attention is also the one with the largest attribution (0), or not (1)."""
    if not result.others:
        return 1
    others = list(result.others)
    return int(np.abs(result.attribution.scores[others]).argmax() != result.attention[others].argmax())


EXHIBIT = Exhibit(
    slug="attribution",
    sections=("2.2.4",),
    query=Query,
    explore=explore,
    show=show,
    snippet=snippet,
    evidence=evidence,
    build=build,
    prediction=Prediction(Query(layer=4, steps=16), 2, _answer),
    lane="model",
    steps=(Step({"layer": 1}), Step({"layer": 4}), Step({"position": 5}), Step({"method": "gradient-x-input"})),
)
