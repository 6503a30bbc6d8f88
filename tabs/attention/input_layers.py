"""3.3.1 What goes into BERT: tokens with [CLS] and [SEP], segment ids and positions, each a row under the sentence."""

from __future__ import annotations

from dataclasses import dataclass

from core import query as queries
from core.i18n import Locale, translate
from core.models.inputs import Unit, encode
from core.models.loading import load_model
from tabs._kit import pictures
from tabs._kit.exhibit import Exhibit, Prediction, Step
from tabs._kit.room import Room
from tabs.attention import choices, models


@dataclass(frozen=True)
class Query:
    """One sentence or two, and the model they are prepared for."""

    text: str = queries.text("弟は図書館へ行った。")
    pair: str = queries.text("弟は本を借りた。")
    model: str = queries.one_of(models.DEFAULT, *models.OFFERED, free=True)


@dataclass(frozen=True)
class Layers:
    """The rows of the input, T tokens long.

    `by_default` names what the tokenizer hands out when nothing is asked for; `segments` is how many segment
    embeddings the model has.
    """

    units: tuple[Unit, ...]
    ids: tuple[int, ...]
    segment_ids: tuple[int, ...]
    by_default: tuple[str, ...]
    segments: int


def explore(query: Query) -> Layers:
    """Tokens, ``ids``, ``segment_ids`` and positions (0 … T - 1) of a sentence or a pair."""
    loaded = load_model(query.model, head=None)
    inputs = encode(query.text, loaded, pair=query.pair if query.pair.strip() else None)
    return Layers(
        inputs.units,
        inputs.ids,
        inputs.segment_ids,
        tuple(loaded.tokenizer.model.model_input_names),
        getattr(loaded.model.config, "type_vocab_size", 0),
    )


def show(result: Layers, locale: Locale) -> tuple[str, ...]:
    """The tokens coloured by segment, and all rows under each other."""
    boxes = [
        pictures.Box(
            unit.label,
            below=str(segment),
            group=segment,
            state="unknown" if unit.unknown else "",  # special tokens too have the colour of their segment
            hint=translate("input-layers.hint", locale, position=place, segment=segment, id=number),
            word_start=choices.starts_word(result.units, place),
        )
        for place, (unit, segment, number) in enumerate(zip(result.units, result.segment_ids, result.ids, strict=True))
    ]
    figures = [
        (translate("input-layers.length", locale), str(len(result.ids))),
        (translate("input-layers.second", locale), str(sum(result.segment_ids))),
    ]
    labels = [unit.label for unit in result.units]
    rows = [
        [translate("input-layers.row.id", locale), *result.ids],
        [translate("input-layers.row.segment", locale), *result.segment_ids],
        [translate("input-layers.row.position", locale), *range(len(labels))],
    ]
    layout = pictures.table(
        [translate("input-layers.row.token", locale), *labels],
        rows,
        caption=translate("input-layers.rows", locale),
        numeric=range(1, len(labels) + 1),
        headed=True,
    )
    return (
        pictures.numbers(figures) + pictures.token_boxes(boxes, title=translate("input-layers.boxes", locale)),
        layout + _trap(result, locale),
    )


def _trap(result: Layers, locale: Locale) -> str:
    """What happens to segment ids when nobody asks for them."""
    if result.segments < 2:
        return pictures.note(translate("input-layers.no_segments", locale))
    key = "given" if "token_type_ids" in result.by_default else "missing"
    told = translate(f"input-layers.{key}", locale, names=", ".join(result.by_default))
    return pictures.note(told, kind="caution")


def snippet(query: Query) -> str:
    """The tokenizer, asked for segment ids."""
    texts = f"{query.text!r}, {query.pair!r}" if query.pair.strip() else repr(query.text)
    return f"""from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained({models.path_in_script(query.model)!r})
# Ask for segment ids: not every tokenizer hands them out, and without them BERT takes everything for segment 0.
inputs = tokenizer({texts}, return_token_type_ids=True)
result = {{
    "input_ids": inputs["input_ids"],
    "token_type_ids": inputs["token_type_ids"],
    "position_ids": list(range(len(inputs["input_ids"]))),
}}
print(result)
"""


def evidence(result: Layers) -> dict[str, list[object]]:
    """The rows of the layout."""
    return {
        "input_ids": list(result.ids),
        "token_type_ids": list(result.segment_ids),
        "position_ids": list(range(len(result.ids))),
    }


def build(room: Room) -> None:
    """Two sentences and a model."""
    with room.inputs():
        room.presets(
            {"text": "弟は図書館へ行った。", "pair": "弟は本を借りた。"}, {"text": "弟は図書館へ行った。", "pair": ""}
        )
        room.widget("text")
        room.widget("pair")
        room.widget("model")
    with room.results():
        room.view()
        room.view()


def _answer(result: Layers) -> int:
    """The segment id of the last token."""
    return min(result.segment_ids[-1], 1)


EXHIBIT = Exhibit(
    slug="input-layers",
    sections=("3.3.1",),
    query=Query,
    explore=explore,
    show=show,
    snippet=snippet,
    evidence=evidence,
    build=build,
    prediction=Prediction(Query(text="犬が走る。", pair="猫は寝ている。"), 2, _answer),
    lane="model",
    steps=(Step({"pair": ""}),),
)
