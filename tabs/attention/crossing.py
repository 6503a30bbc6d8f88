"""2.3.1 Cross-attention: where an encoder-decoder looks in what it has read, while it writes."""

from __future__ import annotations

from dataclasses import dataclass

from core import query as queries
from core.i18n import Locale, translate
from core.models.crossing import attend_across
from core.models.loading import load_model
from core.presets import SEQ2SEQ, ids
from tabs._kit import pictures
from tabs._kit.exhibit import Exhibit, Prediction, Step
from tabs._kit.room import Room
from tabs.attention import models
from tabs.attention.crossing_script import snippet
from tabs.attention.reading import Reading, judge_special_share, list_weights, read
from tabs.attention.reading_views import draw_grid, draw_head

PARTS = ("cross", "encoder", "decoder")
PRESETS = (
    {"text": "台風が近づき、新幹線は午後から運転を見合わせた。駅には多くの人が残された。", "target": ""},
    {
        "text": "昨日の夜、駅前の通りで火事があり、店が三軒焼けた。けが人はいなかった。",
        "target": "駅前で火事、店三軒焼ける",
    },
)


@dataclass(frozen=True)
class Query:
    """What is read, what is written (empty: what the model writes), which attention, and the head, counted from 1."""

    text: str = queries.text("市の図書館が来月から夜九時まで開くことになった。仕事帰りの人にも使ってほしいという。")
    target: str = queries.text("")
    model: str = queries.one_of("seq2seq", *ids(SEQ2SEQ), free=True)
    part: str = queries.one_of("cross", *PARTS)
    words: bool = queries.flag()
    special: bool = queries.flag()
    layer: int = queries.within(3, 1, 64)
    head: int = queries.within(3, 1, 64)
    focus: int = queries.within(3, 0, 511)
    first: int = queries.within(0, 0, 8_000)

    @property
    def given(self) -> str | None:
        """The target that was typed, None when the model shall write."""
        return self.target if self.target.strip() else None


@dataclass(frozen=True)
class Written:
    """One of the three attentions, what was written, and whether the model wrote it, which has so many parameters."""

    reading: Reading
    part: str
    target: str
    generated: bool
    parameters: int


def explore(query: Query) -> Written:
    """Attention while writing: ``reading.weights`` (U, T) of one head, U tokens written, T read; rows sum to 1."""
    loaded = load_model(query.model, head="seq2seq-lm")
    found = attend_across(query.text, loaded, target=query.given, first=query.first)
    reading = read(
        {"cross": found.cross, "encoder": found.encoder, "decoder": found.decoder}[query.part],
        layer=query.layer,
        head=query.head,
        focus=query.focus,
        words=query.words,
        special=query.special,
    )
    return Written(reading, query.part, found.target, found.generated, loaded.parameters)


def show(result: Written, locale: Locale) -> tuple[str, ...]:
    """What was written and all heads; then the chosen head."""
    by = "generated" if result.generated else "typed"
    written = translate(f"cross-attention.{by}", locale, text=result.target.strip() or "–")
    named = pictures.note(translate(f"cross-attention.note.{result.part}", locale))
    honesty = models.honesty(result.parameters, locale) if result.generated else ""
    return (
        pictures.note(written) + draw_grid(result.reading, locale) + named,
        draw_head(result.reading, locale) + honesty,
    )


def evidence(result: Written) -> list[list[float]]:
    """The weights of the map that is drawn."""
    return list_weights(result.reading)


def build(room: Room) -> None:
    """A text, a target, a model and which of its attentions; heads and tokens are clicked in the pictures."""
    with room.inputs():
        room.presets(*PRESETS)
        room.widget("text")
        room.widget("target", lines=1)
        room.widget("part")
        room.widget("words")
        room.widget("special")
        with room.more():
            room.widget("model")
        for name in ("layer", "head", "focus", "first"):
            room.picked(name)
    with room.results():
        room.view()
        room.view()


def _answer(result: Written) -> int:
    """How much of the cross-attention goes to the end mark."""
    return judge_special_share(result.reading)


EXHIBIT = Exhibit(
    slug="cross-attention",
    sections=("2.3.1",),
    query=Query,
    explore=explore,
    show=show,
    snippet=snippet,
    evidence=evidence,
    build=build,
    prediction=Prediction(Query(special=True), 3, _answer),
    lane="model",
    steps=(
        Step({"layer": 2}),
        Step({"focus": 2}),
        Step({"special": True}),
        Step({"part": "encoder"}),
        Step({"part": "decoder"}),
        Step(PRESETS[1]),
    ),
)
