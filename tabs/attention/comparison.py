"""2.2.4 Two sentences that differ in a word or two: where does the attention change?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core import query as queries
from core.i18n import Locale, translate
from core.models.attention import AttentionDifference, attend, by_word, difference, hide_special
from core.models.loading import load_model
from tabs._kit import pictures
from tabs._kit.exhibit import Exhibit, Prediction, Step
from tabs._kit.room import Room
from tabs.attention import choices, models

NOTICEABLE = 0.01
PRESETS = (
    {"text": "彼は母に花を贈った。", "other": "彼女は母に花を贈った。"},
    {"text": "この店の料理はおいしい。", "other": "この店の料理はおいしくない。"},
    {"text": "犬が猫を追いかけた。", "other": "猫が犬を追いかけた。"},
)


@dataclass(frozen=True)
class Query:
    """Two sentences, the head looked at (counted from 1), and what is shown."""

    text: str = queries.text(PRESETS[0]["text"])
    other: str = queries.text(PRESETS[0]["other"])
    model: str = queries.one_of(models.DEFAULT, *models.OFFERED, free=True)
    words: bool = queries.flag(True)
    special: bool = queries.flag()
    layer: int = queries.within(2, 1, 64)
    head: int = queries.within(3, 1, 64)


@dataclass(frozen=True)
class Comparison:
    """Second minus first attention on the places both sentences have; `elsewhere` is the mean absolute change between
    words that read the same in both, `touched` where at least one of the two differs (None when there are none)."""

    difference: AttentionDifference
    layer: int
    head: int
    elsewhere: float | None
    touched: float | None


def explore(query: Query) -> Comparison:
    """Difference of two sentences' attention: ``difference.weights`` (layers, H, N, N) in [-1, 1]."""
    loaded = load_model(query.model, head=None)
    maps = [attend(text, loaded) for text in (query.text, query.other)]
    if not query.special:
        maps = [hide_special(attention) for attention in maps]
    if query.words:
        maps = [by_word(attention) for attention in maps]
    found = difference(*maps)
    same = np.array([pair.same for pair in found.pairs], dtype=bool)
    both = np.outer(same, same)
    change = np.abs(found.weights)
    return Comparison(
        found,
        min(query.layer, maps[0].layers),
        min(query.head, maps[0].heads),
        elsewhere=float(change[..., both].mean()) if both.any() else None,
        touched=float(change[..., ~both].mean()) if (~both).any() else None,
    )


def show(result: Comparison, locale: Locale) -> tuple[str, ...]:
    """The grid of differences, then one head."""
    found = result.difference
    if not found.pairs:
        return pictures.note(translate("attention-compare.nothing", locale), kind="caution"), ""
    labels = tuple(_label(result, n) for n in range(len(found.pairs)))
    limit = max(float(np.abs(found.weights).max()), 1e-6)
    sizes = np.abs(found.weights).max(axis=(2, 3))
    grid = pictures.head_grid(
        found.weights,
        locale=locale,
        title=translate("attention-compare.grid", locale),
        captions=[[f"±{size:.2f}" for size in row] for row in sizes],
        selected=(result.layer - 1, result.head - 1),
        scale="signed",
        low=-limit,
        high=limit,
    )
    return (
        _figures(result, labels, locale) + pictures.heading(translate("attention-compare.grid", locale)) + grid,
        _one_head(result, labels, limit, locale),
    )


def _figures(result: Comparison, labels: tuple[str, ...], locale: Locale) -> str:
    weights = result.difference.weights
    layer, head, row, column = np.unravel_index(np.abs(weights).argmax(), weights.shape)
    place = translate("attention-compare.largest", locale, layer=int(layer) + 1, head=int(head) + 1)
    entries = [(place, f"{labels[row]} → {labels[column]}  {weights[layer, head, row, column]:+.2f}")]
    shares = (("touched", result.touched), ("elsewhere", result.elsewhere))
    entries += [
        (translate(f"attention-compare.{name}", locale), f"{share:.3f}") for name, share in shares if share is not None
    ]
    return pictures.numbers(entries)


def _one_head(result: Comparison, labels: tuple[str, ...], limit: float, locale: Locale) -> str:
    found = result.difference
    weights = found.weights[result.layer - 1, result.head - 1]
    title = translate("attention-compare.one_head", locale, layer=result.layer, head=result.head)
    names = [translate(f"attention.common.{name}", locale) for name in ("query", "goal")]
    order = np.abs(weights).ravel().argsort()[::-1][:30]
    rows = [(labels[n // len(labels)], labels[n % len(labels)], f"{weights.ravel()[n]:+.3f}") for n in order]
    changes = pictures.table([*names, translate("attention-compare.change", locale)], rows, caption=title, numeric=(2,))
    picture = pictures.heat_map(
        weights,
        pictures.Axis(names[0], labels),
        pictures.Axis(names[1], labels),
        locale=locale,
        title=title,
        scale="signed",
        low=-limit,
        high=limit,
        alternative=changes,
    )
    alone = [found.units_first[n].label for n in found.only_first] + [
        found.units_second[n].label for n in found.only_second
    ]
    left_out = pictures.note(translate("attention-compare.alone", locale, labels="、".join(alone))) if alone else ""
    return (
        pictures.heading(title)
        + choices.head_chips(*found.weights.shape[:2], layer=result.layer, head=result.head, locale=locale)
        + picture
        + pictures.note(translate("attention-compare.scale", locale))
        + left_out
        + pictures.note(translate("attention.common.caveat", locale), kind="caution")
    )


def _label(result: Comparison, number: int) -> str:
    found, pair = result.difference, result.difference.pairs[number]
    first, second = found.units_first[pair.first].label, found.units_second[pair.second].label
    return first if pair.same else f"{first}/{second}"


def snippet(query: Query) -> str:
    """The same with this project's functions, which align the two sentences."""
    steps = [] if query.special else ["    attention = hide_special(attention)"]
    steps += ["    attention = by_word(attention)"] if query.words else []
    newline = "\n"
    return f"""from core.models.attention import attend, by_word, difference, hide_special
from core.models.loading import load_model

loaded = load_model({query.model!r}, head=None)
maps = []
for text in ({query.text!r}, {query.other!r}):
    attention = attend(text, loaded)
{newline.join([*steps, "    maps.append(attention)"])}
change = difference(*maps)  # second minus first, where both have a word
layer, head = min({query.layer - 1}, loaded.layers - 1), min({query.head - 1}, loaded.heads - 1)
result = change.weights[layer, head].round(4).tolist()
print(result)
"""


def evidence(result: Comparison) -> list[list[float]]:
    """The map of the chosen head."""
    rounded: list[list[float]] = result.difference.weights[result.layer - 1, result.head - 1].round(4).tolist()
    return rounded


def build(room: Room) -> None:
    """Two sentences, a model and two switches."""
    with room.inputs():
        room.presets(*PRESETS)
        room.widget("text", lines=1)
        room.widget("other", lines=1)
        room.widget("model")
        room.widget("words")
        room.widget("special")
        room.picked("layer")
        room.picked("head")
    with room.results():
        room.view()
        room.view()


def _answer(result: Comparison) -> int:
    """Whether attention between unchanged words stays (0) or changes noticeably (1)."""
    found = result.difference
    same = np.array([pair.same for pair in found.pairs], dtype=bool)
    untouched = np.abs(found.weights[..., np.outer(same, same)])
    return int(untouched.size > 0 and float(untouched.max()) >= NOTICEABLE)


EXHIBIT = Exhibit(
    slug="attention-compare",
    sections=("2.2.4",),
    query=Query,
    explore=explore,
    show=show,
    snippet=snippet,
    evidence=evidence,
    build=build,
    prediction=Prediction(Query(text=PRESETS[1]["text"], other=PRESETS[1]["other"]), 2, _answer),
    lane="model",
    steps=(Step({"layer": 1}), Step({"layer": 4}), Step({"special": True}), Step(PRESETS[1]), Step({"words": False})),
)
