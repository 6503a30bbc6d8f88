"""2.2.4, 2.4, 3.3.1 Multi-head attention: all heads of a model at a glance, then one of them, token by token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core import query as queries
from core.i18n import Locale
from core.models.attention import attend
from core.models.loading import load_model
from core.presets import MODELS, ids
from tabs._kit.exhibit import Exhibit, Prediction, Step
from tabs._kit.room import Room
from tabs.attention import models
from tabs.attention.overview_script import snippet
from tabs.attention.reading import Reading, judge_special_share, list_weights, read
from tabs.attention.reading_views import draw_grid, draw_head

DIRECTIONS = ("all", "1-1", "1-2", "2-1", "2-2")
PAIR: Mapping[str, str] = {"text": "雨が強くなってきた。", "pair": "だから彼は傘を買った。"}
DECODER: Mapping[str, str] = {"model": "decoder", "pair": ""}


@dataclass(frozen=True)
class Query:
    """A sentence or two, the head looked at (counted from 1), the token in focus, and what is shown of it."""

    text: str = queries.text("兄は駅前の銀行でお金を下ろして、すぐに帰った。")
    pair: str = queries.text("")
    model: str = queries.one_of(models.DEFAULT, *ids(MODELS), free=True)
    words: bool = queries.flag()
    special: bool = queries.flag()
    direction: str = queries.one_of("all", *DIRECTIONS)
    layer: int = queries.within(4, 1, 64)
    head: int = queries.within(4, 1, 64)
    focus: int = queries.within(5, 0, 511)
    first: int = queries.within(0, 0, 8_000)

    @property
    def second(self) -> str | None:
        """The second sentence, None when nothing is written there."""
        return self.pair if self.pair.strip() else None

    @property
    def ways(self) -> tuple[int | None, int | None]:
        """The sentence that looks and the one that is looked at, None for both."""
        if "-" not in self.direction or self.second is None:
            return None, None
        looking, goal = (int(side) - 1 for side in self.direction.split("-"))
        return looking, goal


def explore(query: Query) -> Reading:
    """Self-attention of a model: ``weights`` (T, T) of one head, rows sum to 1; ``thumbnails`` of all heads."""
    loaded = load_model(query.model, head=None)
    whole = attend(query.text, loaded, pair=query.second, first=query.first)
    return read(
        whole,
        layer=query.layer,
        head=query.head,
        focus=query.focus,
        words=query.words,
        special=query.special,
        ways=query.ways,
    )


def show(result: Reading, locale: Locale) -> tuple[str, ...]:
    """The grid of heads, then the chosen head."""
    return draw_grid(result, locale), draw_head(result, locale)


def build(room: Room) -> None:
    """Sentences, model and two switches; everything else is clicked in the pictures."""
    with room.inputs():
        room.examples("text", "猫は魚が好きだが、犬は肉が好きだ。", "先生は生徒に本を渡した。彼は喜んだ。")
        room.presets(PAIR, DECODER)
        room.widget("text")
        room.widget("pair", lines=1)
        room.widget("model")
        room.widget("words")
        room.widget("special")
        with room.more():
            room.widget("direction")
        for name in ("layer", "head", "focus", "first"):
            room.picked(name)
    with room.results():
        room.view()
        room.view()


STEPS: tuple[Mapping[str, Any], ...] = (
    {"layer": 2},
    {"layer": 4, "head": 2},
    {"focus": 3},
    {"special": True},
    {"words": True},
    PAIR,
    {"direction": "1-2"},
    DECODER,
)

EXHIBIT = Exhibit(
    slug="attention",
    sections=("2.2.4", "2.4", "3.3.1"),
    query=Query,
    explore=explore,
    show=show,
    snippet=snippet,
    evidence=list_weights,
    build=build,
    prediction=Prediction(Query(special=True, layer=2), 3, judge_special_share),
    lane="model",
    steps=tuple(Step(done) for done in STEPS),
)
