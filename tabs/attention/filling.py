"""3.3.4 Fill the blank: what a masked language model expects at a place, and how it ranks what stood there."""

from __future__ import annotations

from dataclasses import dataclass, replace

from core import query as queries
from core.i18n import Locale, translate
from core.models.fill import FilledMask, Filling, fill_mask
from core.models.loading import load_model
from tabs._kit import pictures
from tabs._kit.exhibit import Exhibit, Prediction, Step
from tabs._kit.room import Room
from tabs.attention import blanks, models

BLANKS = 4  # more at once would be a wall of bars


@dataclass(frozen=True)
class Query:
    """A sentence, the token to blank out (-1: where [MASK] is written), and how many candidates are shown."""

    text: str = queries.text("春には桜の[MASK]が咲く。")
    model: str = queries.one_of(models.DEFAULT, *models.OFFERED, free=True)
    count: int = queries.within(5, 1, 20)
    position: int = queries.within(-1, -1, 511)


@dataclass(frozen=True)
class Answer:
    """The candidates for each blank, and the size of the model that names them."""

    filling: Filling
    parameters: int


def explore(query: Query) -> Answer:
    """The likeliest tokens for each blank: ``filling.masks[n].candidates`` with probabilities in [0, 1]."""
    loaded = load_model(query.model)
    place = blanks.find_blank(query.text, loaded, query.position)
    filling = fill_mask(query.text, loaded, position=place, k=query.count)
    return Answer(replace(filling, masks=filling.masks[:BLANKS]), loaded.parameters)


def show(result: Answer, locale: Locale) -> tuple[str, ...]:
    """The sentence to click in, then the candidates."""
    masks = result.filling.masks
    places = [mask.position for mask in masks]
    boxes = blanks.blank_boxes(result.filling.units, places[0], locale, also=places[1:])
    several = pictures.note(translate("fill.several", locale), kind="caution") if result.filling.independent else ""
    bars = "".join(_bars(mask, number, len(masks), locale) for number, mask in enumerate(masks, 1))
    return (
        _figures(masks[0], locale) + boxes,
        bars + several + models.honesty(result.parameters, locale),
    )


def _figures(mask: FilledMask, locale: Locale) -> str:
    best, original = mask.candidates[0], mask.original
    entries = [(translate("fill.best", locale), f"{best.token}  {blanks.share(best.probability)}")]
    if original:
        told = translate("fill.original", locale, token=original.token)
        entries.append(
            (told, translate("fill.rank", locale, rank=original.rank, share=blanks.share(original.probability)))
        )
    return pictures.numbers(entries)


def _bars(mask: FilledMask, number: int, count: int, locale: Locale) -> str:
    """Bars of one blank; a click writes the candidate into the sentence."""
    shown = list(mask.candidates)
    if mask.original and all(candidate.id != mask.original.id for candidate in shown):
        shown.append(mask.original)
    entries = [
        pictures.Bar(
            candidate.token,
            candidate.probability,
            blanks.share(candidate.probability),
            pick={"text": candidate.sentence, "position": mask.position if count == 1 else -1},
            note=translate("fill.was_here", locale, rank=candidate.rank)
            if mask.original and candidate.id == mask.original.id
            else "",
        )
        for candidate in shown
    ]
    title = translate("fill.bars" if count == 1 else "fill.bars_of", locale, number=number)
    rows = [(c.rank, c.token, c.piece, c.id, f"{c.probability:.4f}", c.sentence) for c in shown]
    names = [translate(f"fill.column.{name}", locale) for name in ("rank", "token", "piece", "id", "share", "sentence")]
    numbers = pictures.table(names, rows, caption=title, numeric=(0, 3, 4))
    return pictures.twin(pictures.bars(entries, title=title, high=1.0), numbers, locale)


def snippet(query: Query) -> str:
    """The book's use of a masked language model, one step below the pipeline."""
    if query.position < 0 and blanks.MASK in query.text:
        places = f"(ids == tokenizer.mask_token_id).nonzero().flatten().tolist()[:{BLANKS}]"
    else:
        places = "[position]"
    return f"""{models.lines_to_load(query.model, kind="AutoModelForMaskedLM")}

{blanks.lines_to_blank(query.text, query.position)}
with torch.inference_mode():
    probabilities = model(**inputs).logits[0].softmax(dim=-1)  # (T, V)
result = []
for place in {places}:
    best = probabilities[place].topk({query.count})
    pieces = tokenizer.convert_ids_to_tokens(best.indices.tolist())
    result.append([[piece, round(p, 4)] for piece, p in zip(pieces, best.values.tolist())])
print(result)
"""


def evidence(result: Answer) -> list[list[list[object]]]:
    """Pieces and probabilities of the candidates, for each blank."""
    return [[[c.piece, round(c.probability, 4)] for c in mask.candidates] for mask in result.filling.masks]


def build(room: Room) -> None:
    """A sentence, a model, and how many candidates."""
    with room.inputs():
        room.examples(
            "text",
            "日本の首都は[MASK]である。",
            "夏は暑く、冬は[MASK]。",
            "電車は東京[MASK]を出発した。",
            "彼は小説家で、多くの[MASK]を書いた。",
        )
        room.widget("text")
        room.widget("model")
        room.widget("count")
        room.picked("position")
    with room.results():
        room.view()
        room.view()


def _answer(result: Answer) -> int:
    """Whether the first guess has more than half of the probability (0), a tenth to a half (1), or less (2)."""
    share = result.filling.masks[0].candidates[0].probability
    return 0 if share > 0.5 else 1 if share > 0.1 else 2


EXHIBIT = Exhibit(
    slug="fill",
    sections=("3.3.4",),
    query=Query,
    explore=explore,
    show=show,
    snippet=snippet,
    evidence=evidence,
    build=build,
    prediction=Prediction(Query(text="日本の首都は[MASK]である。"), 3, _answer),
    lane="model",
    steps=(Step({"position": 2}), Step({"text": "日本の首都は[MASK]である。"}), Step({"count": 10})),
)
