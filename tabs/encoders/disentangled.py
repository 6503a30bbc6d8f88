"""5.6.2 Disentangled attention: content and relative positions, multiplied apart and added up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core import query as queries
from core.i18n import Locale, translate
from core.models.disentangled import SPAN, WIDTH, WORDS, Disentangled, Floats, Toy, disentangle, draw_toy
from tabs._kit import pictures
from tabs._kit.exhibit import Exhibit, Prediction, Step
from tabs._kit.room import Room

TERMS = ("content_content", "content_position", "position_content")


@dataclass(frozen=True)
class Query:
    """Words with spaces between them, the two terms with positions, how far positions reach, and a pair to look at."""

    text: str = queries.text("猫 が 猫 を 追う", limit=200)
    content_position: bool = queries.flag(True)
    position_content: bool = queries.flag(True)
    span: int = queries.within(6, *SPAN)
    seed: int = queries.within(0, 0, 99)
    row: int = queries.within(4, 0, WORDS - 1)
    column: int = queries.within(0, 0, WORDS - 1)


@dataclass(frozen=True)
class Attended:
    """The toy and its attention; `repeated` are the first two places of a word that stands there twice."""

    toy: Toy
    attention: Disentangled
    used: tuple[bool, bool, bool]
    row: int
    column: int
    repeated: tuple[int, int] | None


def explore(query: Query) -> Attended:
    """``attention``: the three products of every pair (T, T), ``scores`` and ``weights`` (T, T)."""
    toy = draw_toy(query.text, span=query.span, seed=query.seed)
    attention = disentangle(toy, content_position=query.content_position, position_content=query.position_content)
    last = len(toy.words) - 1
    used = (True, query.content_position, query.position_content)
    return Attended(toy, attention, used, min(query.row, last), min(query.column, last), _find_repeated(toy.words))


def _find_repeated(words: tuple[str, ...]) -> tuple[int, int] | None:
    for first, word in enumerate(words):
        if word in words[first + 1 :]:
            return first, words.index(word, first + 1)
    return None


def show(result: Attended, locale: Locale) -> tuple[str, ...]:
    """One pair with its numbers, the weights, and the three products of all pairs."""
    attention = result.attention
    weights = translate("disentangled.weights", locale)
    maps = f"<div>{_map(attention.weights, weights, 'attention', 0.0, 1.0, result, locale)}</div>"
    limit = max(float(np.abs(getattr(attention, term)).max()) for term in TERMS)
    for term, used in zip(TERMS, result.used, strict=True):
        title = translate(f"disentangled.term.{term}", locale)
        if not used:
            title = translate("disentangled.unused", locale, term=title)
        drawn = _map(getattr(attention, term), title, "signed", -limit, limit, result, locale)
        maps += f"<div>{drawn}</div>"
    return _figures(result, locale) + _pair(result, locale), f'<div class="lab-columns">{maps}</div>'


def _figures(result: Attended, locale: Locale) -> str:
    """What tells the same word in two places apart, seen from the chosen row."""
    if result.repeated is None:
        return ""
    entries = [
        (
            translate("disentangled.place", locale, word=result.toy.words[place], place=place + 1),
            f"{result.attention.weights[result.row, place]:.3f}",
        )
        for place in result.repeated
    ]
    said = translate("disentangled.seen_from", locale, word=result.toy.words[result.row], place=result.row + 1)
    return pictures.heading(said) + pictures.numbers(entries)


def _pair(result: Attended, locale: Locale) -> str:
    attention, words = result.attention, result.toy.words
    i, j = result.row, result.column
    lines = [
        translate(
            "disentangled.pair", locale, word=words[i], other=words[j], i=i + 1, j=j + 1, distance=f"{i - j:+d}",
            place=int(attention.places[i, j]),
        )
    ]  # fmt: skip
    products = ("Qc·Kc", "Qc·Kr", "Qr·Kc")  # c: content, r: relative position
    total = 0.0
    for term, product, used in zip(TERMS, products, result.used, strict=True):
        value = float(getattr(attention, term)[i, j])
        total += value if used else 0.0
        name = translate(f"disentangled.term.{term}", locale)
        off = "" if used else translate("disentangled.off", locale)
        lines.append(f"{product} = {value:+.3f}   {name}{off}")
    terms = sum(result.used)
    lines.append(f"score = {total:+.3f} / √({WIDTH} × {terms}) = {attention.scores[i, j]:+.3f}")
    lines.append(f"softmax = {attention.weights[i, j]:.3f}")
    return pictures.formula(lines)


def _map(
    values: Floats, title: str, scale: pictures.Scale, low: float, high: float, result: Attended, locale: Locale
) -> str:
    query, key = (translate(f"attention.common.{name}", locale) for name in ("query", "goal"))
    labels = tuple(f"{place + 1} {word}" for place, word in enumerate(result.toy.words))
    drawn = pictures.heat_map(
        values,
        pictures.Axis(query, labels),
        pictures.Axis(key, labels),
        locale=locale,
        title=title,
        scale=scale,
        low=low,
        high=high,
        pick={"row": "row", "column": "column"},
        selected=(result.row, result.column),
    )
    return pictures.heading(title) + drawn


def snippet(query: Query) -> str:
    """The same with numpy alone."""
    terms = ["content_content"]
    terms += ["content_position"] * query.content_position + ["position_content"] * query.position_content
    return f"""import numpy as np

words = {query.text!r}.split()
span, width = {query.span}, {WIDTH}
known = list(dict.fromkeys(words))
random = np.random.default_rng({query.seed})
vectors = random.normal(size=(len(known), width)).round(1)
content = vectors[[known.index(word) for word in words]]  # equal words, equal vectors
positions = random.normal(size=(2 * span, width)).round(1)  # one for each relative position
W_query, W_key = (random.normal(scale=width**-0.5, size=(width, width)).round(1) for _ in range(2))

i, j = np.indices((len(words), len(words)))
place = (i - j + span).clip(0, 2 * span - 1)
Qc, Kc, Qr, Kr = content @ W_query, content @ W_key, positions @ W_query, positions @ W_key
content_content = Qc @ Kc.T
content_position = (Qc[i] * Kr[place]).sum(axis=-1)
position_content = (Qr[place] * Kc[j]).sum(axis=-1)

terms = [{", ".join(terms)}]
scores = sum(terms) / np.sqrt(width * len(terms))
weights = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
result = weights.round(4).tolist()
print(result)
"""


def evidence(result: Attended) -> list[list[float]]:
    """The weights."""
    rounded: list[list[float]] = result.attention.weights.round(4).tolist()
    return rounded


def build(room: Room) -> None:
    """The words, two switches; the pair is picked in the maps."""
    with room.inputs():
        room.widget("text")
        room.presets(
            *(
                {"content_position": one, "position_content": other}
                for one, other in ((False, False), (True, False), (False, True), (True, True))
            )
        )
        room.widget("content_position")
        room.widget("position_content")
        with room.more():
            room.widget("span")
            room.widget("seed")
        room.picked("row")
        room.picked("column")
    with room.results():
        for _ in range(2):
            room.view()


def _told_apart(result: Attended) -> int:
    """How the last word weighs the repeated one: alike in both places (0), the first more (1), the second more (2)."""
    assert result.repeated is not None
    first, second = (result.attention.weights[-1, place] for place in result.repeated)
    return 0 if np.isclose(first, second) else 1 if first > second else 2


EXHIBIT = Exhibit(
    slug="disentangled",
    sections=("5.6.2",),
    query=Query,
    explore=explore,
    show=show,
    snippet=snippet,
    evidence=evidence,
    build=build,
    prediction=Prediction(Query(content_position=False, position_content=False), 3, _told_apart),
    steps=(
        Step({"content_position": False, "position_content": False}),
        Step({"content_position": True, "position_content": False}),
        Step({"span": 1}),
    ),
)
