"""5.5.1 Numbers in 16 bits: a number bit by bit in three formats, and gradients that need a larger loss to survive."""

from __future__ import annotations

from dataclasses import dataclass

from core import query as queries
from core.i18n import Locale
from core.tasks.loaded import load_task_model
from core.training.loss_scaling import MOST_SCALE, TAUGHT, ScaledGradients, find_gradients, scale_gradients
from core.training.number_formats import FORMATS, LONGEST_NUMBER, WrittenNumber, read_number, write_number
from tabs._kit.exhibit import Exhibit, Prediction, Step
from tabs._kit.room import Room
from tabs.training.formats_script import snippet
from tabs.training.formats_views import draw_bits, draw_gradients, draw_ranges

LONGEST = 200  # characters of the sentence
SENTENCE = "客が増えて、店は朝から晩まで好調だ。"
NUMBERS = ("0.1", "1e-8", "65520", "16777217")


@dataclass(frozen=True)
class Query:
    """A number; a sentence, what is said to be its answer, and the scale of the loss as a power of two."""

    number: str = queries.text("0.1", limit=LONGEST_NUMBER)
    text: str = queries.text(SENTENCE, limit=LONGEST)
    gold: str = queries.one_of("predicted", *TAUGHT)
    scale: int = queries.within(0, 0, MOST_SCALE)
    source: str = queries.one_of("sentiment", "sentiment")


@dataclass(frozen=True)
class Formats:
    """A number in all formats, and the gradients of one step."""

    number: float
    written: tuple[WrittenNumber, ...]
    gradients: ScaledGradients


def explore(query: Query) -> Formats:
    """``written`` has the bits and errors of fp32, bf16 and fp16; ``gradients`` what 16 bits keep of a real step."""
    number = read_number(query.number)
    taught = next(one for one in TAUGHT if one == query.gold)
    found = find_gradients(query.text, load_task_model(query.source), taught=taught, limit=LONGEST)
    written = tuple(write_number(number, form) for form in FORMATS)
    return Formats(number, written, scale_gradients(found, query.scale))


def show(result: Formats, locale: Locale) -> tuple[str, ...]:
    """The bits, the ranges, the gradients."""
    return (
        draw_bits(result.number, result.written, locale),
        draw_ranges(result.number, locale),
        draw_gradients(result.gradients, locale),
    )


def evidence(result: Formats) -> dict[str, object]:
    """The value of the number in each format, and the shares of the gradients."""
    return {
        "values": {one.name: one.value for one in result.written},
        "label": result.gradients.label,
        "loss": result.gradients.loss,
        **{
            one.name: {"zero": one.zero, "subnormal": one.subnormal, "inf": one.infinite, "error": one.error}
            for one in result.gradients.kept
        },
    }


def build(room: Room) -> None:
    """A number with a few that tell something, and a sentence with a slider."""
    with room.inputs():
        room.widget("number", lines=1)
        room.examples("number", *NUMBERS)
        room.widget("scale")
        room.presets(
            {"scale": 0, "gold": "predicted"}, {"scale": 16, "gold": "predicted"}, {"scale": 16, "gold": "opposite"}
        )
        room.widget("gold")
        with room.more():
            room.widget("text")
        room.picked("source")
    with room.results():
        for _ in range(3):
            room.view()


def _farthest(result: Formats) -> int:
    """Which of fp32 (0), bf16 (1) and fp16 (2) is farthest from the number."""
    errors = [one.error for one in result.written]
    return errors.index(max(errors))


def _lost(result: Formats) -> int:
    """How much of the gradients fp16 keeps no full digits of: below a tenth (0), below a half (1), or more (2)."""
    kept = result.gradients.kept[0]
    lost = kept.zero + kept.subnormal
    return 0 if lost < 0.1 else 1 if lost < 0.5 else 2


def _usable(result: Formats) -> int:
    """Whether the step can be made (0) or something became infinite (1)."""
    return int(result.gradients.overflowed > 0)


EXHIBIT = Exhibit(
    slug="number-formats",
    sections=("5.5.1",),
    query=Query,
    explore=explore,
    show=show,
    snippet=snippet,
    evidence=evidence,
    build=build,
    prediction=Prediction(Query(number="0.3"), 3, _farthest),
    further=(
        Prediction(Query(), 3, _lost, "lost"),
        Prediction(Query(scale=16, gold="opposite"), 2, _usable, "usable"),
    ),
    lane="model",
    steps=(Step({"number": "65520"}), Step({"scale": 16}), Step({"gold": "opposite"})),
)
