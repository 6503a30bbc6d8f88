"""3.6.3 Unigram: begin with many pieces, drop those that are missed least, and weigh all ways to cut a word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core import query as queries
from core.i18n import Locale, translate
from core.text.input import refuse_surrogates, visible
from core.text.lattice import find_best, lattice_best
from core.text.subword_training import Candidate, Words, segmentation, train_unigram, vocabulary
from core.text.types import Segmentation
from tabs._kit import pictures
from tabs._kit.exhibit import Exhibit, Prediction, Step
from tabs._kit.room import Room
from tabs.tokens import pieces, sources, training

SEEDS = 1_000
SMALLEST = 0.001  # a probability that is printed; below it only that it is below


@dataclass(frozen=True)
class Query:
    """The words, the vocabulary aimed at, the round looked at, and a text to cut in its `ways` best ways."""

    corpus: str = training.text()
    form: str = training.form()
    step: int = queries.within(2, 0, 40)
    word: str = queries.text("うつくしさ", limit=60)
    size: int = queries.within(12, 8, 400)
    ways: int = queries.within(5, 2, 10)


@dataclass(frozen=True)
class Pruning:
    """A Unigram training after `step` of `last` rounds.

    `losses` is -ln P per character in each round; `removed` went in this round; `candidates` are the pieces missed
    least before it; `own` and `bundled` are the best ways to cut `word` by the vocabulary learned here and by the
    bundled one.
    """

    words: Words
    step: int
    last: int
    losses: tuple[float, ...]
    removed: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    cut: tuple[tuple[str, ...], ...]
    vocabulary: tuple[str, ...]
    word: str
    own: tuple[Segmentation, ...]
    bundled: tuple[Segmentation, ...]


def explore(query: Query) -> Pruning:
    """Unigram language model: rounds of pruning, and the best segmentations of ``word`` with their probabilities."""
    refuse_surrogates(query.word)
    trace = train_unigram(training.read_words(query.corpus, query.form), size=query.size, seeds=SEEDS)
    step = min(query.step, len(trace.steps))
    now = trace.steps[step - 1] if step else None
    bundled = sources.open_tokenizer("unigram")
    return Pruning(
        words=trace.words,
        step=step,
        last=len(trace.steps),
        losses=tuple(one.loss or 0.0 for one in trace.steps),
        removed=now.removed if now else (),
        candidates=now.candidates if now else (),
        cut=segmentation(trace, step),
        vocabulary=vocabulary(trace, step),
        word=query.word,
        own=find_best(query.word, dict(now.scores), n=query.ways) if now and query.word else (),
        bundled=lattice_best(query.word, bundled, n=query.ways) if query.word else (),
    )


def show(result: Pruning, locale: Locale) -> tuple[str, ...]:
    """The round, what went and why, and the words as cut; then the ways to cut the word."""
    figures = [
        (translate("unigram.round", locale), f"{result.step} / {result.last}"),
        (translate("tokens.training.size", locale), f"{len(result.vocabulary)}"),
    ]
    if result.step:
        figures.append((translate("unigram.loss", locale), f"{result.losses[result.step - 1]:.3f}"))
    told = pictures.note(translate("unigram.start" if result.last else "unigram.nothing", locale))
    if result.removed:
        told = pictures.heading(translate("unigram.removed", locale)) + _gone(result)
    return (
        pictures.numbers(figures)
        + pieces.stepper(result.step, result.last, locale)
        + told
        + _ways(result.own, translate("unigram.own", locale, word=visible(result.word)), locale)
        + _ways(result.bundled, translate("unigram.bundled", locale, word=visible(result.word)), locale)
        + (pictures.note(translate("unigram.log", locale)) if result.bundled else ""),
        _missed(result, locale)
        + training.words_cut(result.words, result.cut, locale)
        + training.vocabulary_row(result.vocabulary, locale),
    )


def _gone(result: Pruning) -> str:
    inner = "".join(pieces.piece(visible(piece), style="lab-gone") for piece in result.removed)
    return f'<div class="lab-pieces">{inner}</div>'


def _ways(ways: tuple[Segmentation, ...], title: str, locale: Locale) -> str:
    """Segmentations by probability."""
    if not ways:
        return ""
    entries = [
        pictures.Bar(
            " | ".join(visible(piece) for piece in way.pieces),
            way.probability,
            translate("unigram.score", locale, share=_share(way.probability), score=f"{way.score:.2f}"),
        )
        for way in ways
    ]
    return pictures.heading(title) + pictures.bars(entries, title=translate("unigram.share", locale), high=1.0)


def _share(probability: float) -> str:
    return f"{probability:.1%}" if probability >= SMALLEST else f"< {SMALLEST:.1%}"


def _missed(result: Pruning, locale: Locale) -> str:
    """The pieces that would be missed least, and whether they went."""
    if not result.candidates:
        return ""
    names = [translate(f"unigram.column.{name}", locale) for name in ("piece", "uses", "missed", "gone")]
    rows = [
        (visible(one.pieces[0]), f"{one.count:.2f}", f"{one.score:.3f}", "✕" if one.pieces[0] in result.removed else "")
        for one in result.candidates
    ]
    told = translate("unigram.candidates", locale)
    return pictures.table(names, rows, caption=told, numeric=(1, 2), headed=True)


def snippet(query: Query) -> str:
    """The rounds and the ways, with the project's own trainer."""
    return f"""from core.text.lattice import find_best
from core.text.subword_training import train_unigram

{training.lines_to_read(query.corpus, query.form)}
trace = train_unigram(tuple(words.items()), size={query.size}, seeds={SEEDS})
steps = trace.steps[:{query.step}]
removed = [list(step.removed) for step in steps]
ways = find_best({query.word!r}, dict(steps[-1].scores), n={query.ways}) if steps and {query.word!r} else ()
result = {{
    "removed": removed[-1] if removed else [],
    "ways": [[list(way.pieces), round(way.score, 4), round(way.probability, 4)] for way in ways],
}}
print(result)
"""


def evidence(result: Pruning) -> dict[str, Any]:
    """The pieces that went in this round, and the ways to cut the word."""
    ways = [[list(way.pieces), round(way.score, 4), round(way.probability, 4)] for way in result.own]
    return {"removed": list(result.removed), "ways": ways}


def build(room: Room) -> None:
    """The words, the scrubber, and the text to cut."""
    with room.inputs():
        training.place_widgets(room)
        room.widget("step")
        room.widget("word", lines=1)
        with room.more():
            room.widget("size")
            room.widget("ways")
    with room.results():
        room.view()
        room.view()


def _answer(result: Pruning) -> int:
    """Whether the loss per character grows (0), falls (1) or stays (2) from the first round to the last."""
    change = result.losses[-1] - result.losses[0]
    return 0 if change > 0.001 else 1 if change < -0.001 else 2


EXHIBIT = Exhibit(
    slug="unigram",
    sections=("3.6.3",),
    query=Query,
    explore=explore,
    show=show,
    snippet=snippet,
    evidence=evidence,
    build=build,
    prediction=Prediction(Query(step=4), 3, _answer),
    steps=(Step({"step": 4}), Step({"corpus": training.STORY, "form": "mecab"})),
)
