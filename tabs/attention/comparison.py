"""2.2.4 Attention minus attention: of two sentences that differ in a word or two, or of two heads on one sentence."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from core import query as queries
from core.i18n import Locale, translate
from core.models.attention import (
    AttentionDifference,
    AttentionMap,
    attend,
    by_word,
    difference,
    hide_special,
    subtract_head,
)
from core.models.inputs import Window
from core.models.loading import LoadedModel, load_model
from tabs._kit import foot, pictures
from tabs._kit.exhibit import Exhibit, Prediction, Step
from tabs._kit.room import Room
from tabs.attention import choices, models
from tabs.attention.grids import draw_heads

NOTICEABLE = 0.01
PRESETS = (
    {"text": "彼は母に花を贈った。", "other": "彼女は母に花を贈った。"},
    {"text": "この店の料理はおいしい。", "other": "この店の料理はおいしくない。"},
    {"text": "犬が猫を追いかけた。", "other": "猫が犬を追いかけた。"},
)
HEADS: Mapping[str, Any] = {
    "text": "兄は駅前の銀行でお金を下ろして、すぐに帰った。",
    "other": "",
    "layer": 1,
    "head": 3,
    "from_layer": 1,
    "from_head": 2,
}


@dataclass(frozen=True)
class Query:
    """Two sentences, the head looked at (counted from 1), and what is shown.

    Without a second sentence, all heads are compared with the one that `from_layer` and `from_head` name.
    """

    text: str = queries.text(PRESETS[0]["text"])
    other: str = queries.text(PRESETS[0]["other"])
    model: str = queries.one_of(models.DEFAULT, *models.OFFERED, free=True)
    words: bool = queries.flag(True)
    special: bool = queries.flag()
    layer: int = queries.within(2, 1, 64)
    head: int = queries.within(3, 1, 64)
    from_layer: int = queries.within(1, 1, 64)
    from_head: int = queries.within(1, 1, 64)
    first: int = queries.within(0, 0, 8_000)

    @property
    def texts(self) -> tuple[str, ...]:
        """The sentences that are compared, or the one whose heads are."""
        return (self.text, self.other) if self.other.strip() else (self.text,)


@dataclass(frozen=True)
class Comparison:
    """Second minus first attention on the places both sentences have, or every head minus the head `reference`.

    Of sentences, `elsewhere` is the mean absolute change between words that read the same in both, `touched` where at
    least one of the two differs (None when there are none). `apart` (layers, H) in [0, 1] is how much of a row's weight
    lies elsewhere than in the reference's, as the mean of the rows (None for sentences). `windows` tells what part of
    each text is compared.
    """

    difference: AttentionDifference
    layer: int
    head: int
    elsewhere: float | None
    touched: float | None
    reference: tuple[int, int] | None
    apart: npt.NDArray[np.float32] | None
    windows: tuple[Window, ...]


def explore(query: Query) -> Comparison:
    """Difference of two sentences' or heads' attention: ``difference.weights`` (layers, H, N, N) in [-1, 1]."""
    loaded = load_model(query.model, head=None)
    maps = [_attend(text, loaded, query) for text in query.texts]
    whole = maps[0]
    layer, head = min(query.layer, whole.layers), min(query.head, whole.heads)
    windows = tuple(attention.window for attention in maps)
    if len(maps) == 1:
        reference = (min(query.from_layer, whole.layers), min(query.from_head, whole.heads))
        found = subtract_head(whole, layer=reference[0] - 1, head=reference[1] - 1)
        # Two rows that sum to 1 differ by twice what one of them has elsewhere.
        apart = np.abs(found.weights).sum(axis=-1).mean(axis=-1) / 2
        return Comparison(found, layer, head, None, None, reference, apart, windows)
    found = difference(*maps)
    same = np.array([pair.same for pair in found.pairs], dtype=bool)
    both = np.outer(same, same)
    change = np.abs(found.weights)
    elsewhere = float(change[..., both].mean()) if both.any() else None
    touched = float(change[..., ~both].mean()) if (~both).any() else None
    return Comparison(found, layer, head, elsewhere, touched, None, None, windows)


def _attend(text: str, loaded: LoadedModel, query: Query) -> AttentionMap:
    attention = attend(text, loaded, first=query.first)
    shown = attention if query.special else hide_special(attention)
    return by_word(shown) if query.words else shown


def show(result: Comparison, locale: Locale) -> tuple[str, ...]:
    """The grid of differences, then one head."""
    found = result.difference
    if not found.pairs:
        return pictures.note(translate("attention-compare.nothing", locale), kind="caution"), ""
    labels = tuple(_label(result, n) for n in range(len(found.pairs)))
    limit = max(float(np.abs(found.weights).max()), 1e-6)
    title = _word("grid", result, locale)
    grid = draw_heads(
        found.weights,
        locale=locale,
        title=title,
        captions=_captions(result, locale),
        layer=result.layer,
        head=result.head,
        scale="signed",
        low=-limit,
        high=limit,
    )
    cut = next((window for window in result.windows if window.truncated), result.windows[0])
    return (
        _figures(result, labels, locale) + choices.window_note(cut, locale) + pictures.heading(title) + grid,
        _one_head(result, labels, limit, locale),
    )


def _word(name: str, result: Comparison, locale: Locale) -> str:
    """A sentence about two sentences, or the one about two heads in its place."""
    if result.reference is None:
        return translate(f"attention-compare.{name}", locale, layer=result.layer, head=result.head)
    layer, head = result.reference
    return translate(
        f"attention-compare.heads.{name}",
        locale,
        layer=result.layer,
        head=result.head,
        from_layer=layer,
        from_head=head,
    )


def _captions(result: Comparison, locale: Locale) -> list[list[str]]:
    """Of sentences the largest change in each head, of heads how much of the weight lies elsewhere."""
    if result.apart is None or result.reference is None:
        sizes = np.abs(result.difference.weights).max(axis=(2, 3))
        return [[f"±{size:.2f}" for size in row] for row in sizes]
    told = [[f"{share:.0%}" for share in row] for row in result.apart]
    layer, head = result.reference
    told[layer - 1][head - 1] = translate("attention-compare.heads.reference", locale)
    return told


def _figures(result: Comparison, labels: tuple[str, ...], locale: Locale) -> str:
    weights = result.difference.weights
    if result.apart is not None:
        chosen = weights[result.layer - 1, result.head - 1]
        row, column = np.unravel_index(np.abs(chosen).argmax(), chosen.shape)
        return pictures.numbers(
            [
                (_word("apart", result, locale), f"{result.apart[result.layer - 1, result.head - 1]:.0%}"),
                (_word("largest", result, locale), f"{labels[row]} → {labels[column]}  {chosen[row, column]:+.2f}"),
            ]
        )
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
    title = _word("one_head", result, locale)
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
        + _turn(result, locale)
        + picture
        + pictures.note(_word("scale", result, locale))
        + left_out
        + pictures.note(translate("attention.common.caveat", locale), kind="caution")
    )


def _turn(result: Comparison, locale: Locale) -> str:
    """Of heads: the chosen one can become what the others are compared with."""
    if result.reference is None:
        return ""
    if result.reference == (result.layer, result.head):
        return pictures.note(_word("same", result, locale), kind="caution")
    picks = {"from_layer": result.layer, "from_head": result.head}
    button = foot.pick_button(html.escape(_word("turn", result, locale)), picks)
    return f'<div class="lab-chips">{button}</div>'


def _label(result: Comparison, number: int) -> str:
    found, pair = result.difference, result.difference.pairs[number]
    first, second = found.units_first[pair.first].label, found.units_second[pair.second].label
    return first if pair.same else f"{first}/{second}"


def snippet(query: Query) -> str:
    """The same with this project's functions, which align the two sentences."""
    steps = [] if query.special else ["attention = hide_special(attention)"]
    steps += ["attention = by_word(attention)"] if query.words else []
    newline = "\n"
    if len(query.texts) == 1:
        return f"""from core.models.attention import attend, by_word, hide_special, subtract_head
from core.models.loading import load_model

loaded = load_model({query.model!r}, head=None)
attention = attend({query.text!r}, loaded, first={query.first})
{newline.join(steps)}
layer, head = min({query.from_layer - 1}, loaded.layers - 1), min({query.from_head - 1}, loaded.heads - 1)
change = subtract_head(attention, layer=layer, head=head)  # every head minus this one
layer, head = min({query.layer - 1}, loaded.layers - 1), min({query.head - 1}, loaded.heads - 1)
result = change.weights[layer, head].round(4).tolist()
print(result)
"""
    return f"""from core.models.attention import attend, by_word, difference, hide_special
from core.models.loading import load_model

loaded = load_model({query.model!r}, head=None)
maps = []
for text in ({query.text!r}, {query.other!r}):
    attention = attend(text, loaded, first={query.first})
{newline.join(f"    {step}" for step in [*steps, "maps.append(attention)"])}
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
    """Two sentences, a model and two switches; heads are clicked in the pictures."""
    with room.inputs():
        room.presets(*PRESETS, HEADS)
        room.widget("text", lines=1)
        room.widget("other", lines=1)
        room.widget("model")
        room.widget("words")
        room.widget("special")
        for name in ("layer", "head", "from_layer", "from_head", "first"):
            room.picked(name)
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
    steps=(
        Step({"layer": 1}),
        Step({"layer": 4}),
        Step({"special": True}),
        Step(PRESETS[1]),
        Step({"words": False}),
        Step({"other": "", "layer": 1, "head": 3}),
        Step({"other": "", "from_layer": 1, "from_head": 3}),
    ),
)
