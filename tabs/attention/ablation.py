"""2.2.4 Interventions: hide a word or switch heads off, and watch a prediction move."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from core import query as queries
from core.i18n import Locale, translate
from core.jobs import Progress, Work
from core.models.ablation import (
    Ablation,
    HeadImportance,
    ablate,
    estimate_seconds,
    head_importance,
    measure_heads,
)
from core.models.inputs import encode
from core.models.loading import load_model
from tabs._kit import foot, pictures
from tabs._kit.exhibit import Exhibit, JobKind, Prediction, Step
from tabs._kit.room import Room
from tabs.attention import blanks, choices, models

PRESETS = (
    {"text": "電車は東京駅を出発した。", "position": 4, "hidden": "1", "heads": ""},
    {"text": "先生は生徒に数学を教える。", "position": 5, "hidden": "1 3", "heads": ""},
)
AT_ONCE = 2.0  # seconds: heads that take longer are measured by a job, when the visitor asks
JOB = "importance"


@dataclass(frozen=True)
class Query:
    """A sentence and its blank; hidden tokens (``3 5``) and heads switched off (``1-2 4-3``, layer-head from 1)."""

    text: str = queries.text("電車は東京駅を出発した。")
    model: str = queries.one_of(models.DEFAULT, *models.OFFERED, free=True)
    position: int = queries.within(4, -1, 511)
    hidden: str = queries.text("1", limit=2_000)
    heads: str = queries.text("", limit=2_000)


@dataclass(frozen=True)
class Intervention:
    """The prediction before and after, and what each head alone does to it (None: not measured, it would take long).

    `seconds` is about how long it takes to measure all heads.
    """

    ablation: Ablation
    importance: HeadImportance | None
    seconds: float
    layers: int
    heads: int
    parameters: int


def explore(query: Query) -> Intervention:
    """A prediction before and after hiding tokens and switching heads off; ``importance.grid`` (layers, H) in nats."""
    loaded = load_model(query.model)
    place = blanks.find_blank(query.text, loaded, query.position)
    units = encode(query.text, loaded).units
    hidden = [n for n in _numbers(query.hidden) if n < len(units) and not units[n].special and n != place]
    heads = [(layer, head) for layer, head in _heads(query.heads) if layer < loaded.layers and head < loaded.heads]
    ablation = ablate(query.text, loaded, position=place, heads=heads, hidden=hidden)
    seconds = estimate_seconds(len(units), loaded)
    importance = head_importance(query.text, loaded, position=place) if seconds <= AT_ONCE else None
    return Intervention(ablation, importance, seconds, loaded.layers, loaded.heads, loaded.parameters)


def measure(query: Query) -> Work:
    """The job: what each head alone does to the prediction, however many there are."""
    yield Progress(0, 0)
    loaded = load_model(query.model)
    place = blanks.find_blank(query.text, loaded, query.position)
    return (yield from measure_heads(query.text, loaded, position=place))


def _numbers(written: str) -> list[int]:
    return [int(n) for n in re.findall(r"\d{1,4}", written, re.ASCII)]


def _heads(written: str) -> list[tuple[int, int]]:
    """Heads counted from 0."""
    return [(int(layer) - 1, int(head) - 1) for layer, head in re.findall(r"([1-9]\d?)-([1-9]\d?)", written, re.ASCII)]


def show(result: Intervention, locale: Locale) -> tuple[str, ...]:
    """What to click; the prediction before and after; what each head does."""
    return _inputs(result, locale), _before_after(result, locale), _importance(result, locale)


def _inputs(result: Intervention, locale: Locale) -> str:
    found = result.ablation
    before, after = found.target_before.probability, found.target_after.probability
    told = translate("ablation.change", locale, token=found.target_before.token)
    boxes = [
        pictures.Box(
            blanks.MASK if place in (*found.hidden, found.position) else unit.label,
            below=unit.label if place in (*found.hidden, found.position) else "",
            state=choices.state(unit, chosen=place == found.position, masked=place in found.hidden),
            pick=None if unit.special or place == found.position else {"hidden": _toggled(found.hidden, place)},
            word_start=choices.starts_word(found.units, place),
        )
        for place, unit in enumerate(found.units)
    ]
    return (
        pictures.numbers([(told, f"{100 * before:.3g}% → {100 * after:.3g}%")])
        + blanks.blank_boxes(found.units, found.position, locale)
        + pictures.token_boxes(boxes, title=translate("ablation.hide", locale))
    )


def _toggled(chosen: Iterable[int], place: int) -> str:
    return " ".join(str(n) for n in sorted(set(chosen) ^ {place}))


def _before_after(result: Intervention, locale: Locale) -> str:
    found = result.ablation
    bars = "".join(
        blanks.candidate_bars(candidates, title=translate(f"ablation.{when}", locale))
        for when, candidates in (("before", found.before), ("after", found.after))
    )
    untouched = "" if found.hidden or found.heads else pictures.note(translate("ablation.untouched", locale))
    return bars + untouched + models.honesty(result.parameters, locale)


def draw_measured(result: Mapping[str, Any], locale: Locale) -> str:
    """The result of the job: a `HeadImportance` as JSON values."""
    return _draw_grid(np.array(result["grid"], dtype=np.float32), result["target"]["token"], locale)


def _importance(result: Intervention, locale: Locale) -> str:
    switches = pictures.heading(translate("ablation.switches", locale)) + "".join(
        _switches(result, layer, locale) for layer in range(result.layers)
    )
    if result.importance is None:
        told = translate(
            "ablation.measure", locale, count=result.layers * result.heads, seconds=max(round(result.seconds), 1)
        )
        ask = foot.start_button(html.escape(told), JOB, {})
        title = pictures.heading(translate("ablation.importance", locale))
        return title + f'<div class="lab-chips">{ask}</div>' + switches
    return _draw_grid(result.importance.grid, result.importance.target.token, locale) + switches


def _draw_grid(grid: npt.NDArray[np.float32], token: str, locale: Locale) -> str:
    """What switching off each head alone does to the prediction of `token`; `grid` is (layers, H) in nats."""
    title = translate("ablation.importance", locale)
    limit = max(float(abs(grid).max()), 1e-6)
    layers, heads = grid.shape
    picture = pictures.heat_map(
        grid,
        pictures.Axis(translate("kit.layer", locale), tuple(str(n + 1) for n in range(layers))),
        pictures.Axis(translate("kit.head", locale), tuple(str(n + 1) for n in range(heads))),
        locale=locale,
        title=title,
        scale="signed",
        low=-limit,
        high=limit,
    )
    return pictures.heading(title) + pictures.note(translate("ablation.unit", locale, token=token)) + picture


def _switches(result: Intervention, layer: int, locale: Locale) -> str:
    """The heads of one layer as switches, each with what switching it off alone does."""
    off = {f"{number + 1}-{head + 1}" for number, head in result.ablation.heads}
    boxes = []
    for head in range(result.heads):
        name = f"{layer + 1}-{head + 1}"
        change = "" if result.importance is None else f"{result.importance.grid[layer, head]:+.2f}"
        state = "masked" if name in off else ""
        boxes.append(pictures.Box(name, below=change, state=state, pick={"heads": " ".join(sorted(off ^ {name}))}))
    return pictures.token_boxes(boxes, title=f"{translate('kit.layer', locale)} {layer + 1}")


def snippet(query: Query) -> str:
    """Zeros where a head ends, by a hook; transformers itself no longer takes a head mask."""
    return f"""{models.lines_to_load(query.model, kind="AutoModelForMaskedLM")}
d = model.config.hidden_size // model.config.num_attention_heads

{blanks.lines_to_blank(query.text, query.position)}


def predict():
    with torch.inference_mode():
        best = model(**inputs).logits[0, position].softmax(dim=-1).topk(5)
    pieces = tokenizer.convert_ids_to_tokens(best.indices.tolist())
    return [[piece, round(p, 4)] for piece, p in zip(pieces, best.values.tolist())]


def switch_off(layer, head):
    def zero(module, arguments):
        context = arguments[0].clone()  # (1, T, D): the heads side by side
        context[..., head * d : (head + 1) * d] = 0
        return (context, *arguments[1:])

    model.base_model.encoder.layer[layer].attention.output.dense.register_forward_pre_hook(zero)


before = predict()
for place in {_numbers(query.hidden)}:
    if 0 < place < len(ids) - 1:
        ids[place] = tokenizer.mask_token_id
for layer, head in {_heads(query.heads)}:
    if layer < model.config.num_hidden_layers and head < model.config.num_attention_heads:
        switch_off(layer, head)
result = {{"before": before, "after": predict()}}
print(result)
"""


def evidence(result: Intervention) -> dict[str, list[list[object]]]:
    """Pieces and probabilities before and after."""
    return {
        when: [[candidate.piece, round(candidate.probability, 4)] for candidate in candidates]
        for when, candidates in (("before", result.ablation.before), ("after", result.ablation.after))
    }


def build(room: Room) -> None:
    """A sentence and a model; the rest is clicked in the pictures."""
    with room.inputs():
        room.presets(*PRESETS)
        room.widget("text")
        room.widget("model")
        for name in ("position", "hidden", "heads"):
            room.picked(name)
    with room.results():
        for _ in range(3):
            room.view()
        room.job_place()


def _answer(result: Intervention) -> int:
    """Whether more than half of the heads help (0) or not (1): a head helps if the probability falls without it."""
    if result.importance is None:
        return 1
    return 0 if float((result.importance.grid < 0).mean()) > 0.5 else 1


EXHIBIT = Exhibit(
    slug="ablation",
    sections=("2.2.4",),
    query=Query,
    explore=explore,
    show=show,
    snippet=snippet,
    evidence=evidence,
    build=build,
    prediction=Prediction(Query(hidden="", heads="2-1"), 2, _answer),
    lane="model",
    jobs=(JobKind(JOB, draw_measured, measure),),
    steps=(Step({"hidden": ""}), Step({"hidden": "3"}), Step({"heads": "1-1"}), Step({"position": 6})),
)
