"""3.6.1 Byte-pair encoding by hand: one merge after the other, on the book's four words or on any text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core import query as queries
from core.i18n import Locale, translate
from core.text.input import visible
from core.text.subword_training import (
    AppliedPiece,
    Candidate,
    Words,
    apply,
    segmentation,
    train_bpe,
    vocabulary,
)
from tabs._kit import pictures
from tabs._kit.exhibit import Exhibit, Prediction, Step
from tabs._kit.room import Room
from tabs.tokens import pieces, training


@dataclass(frozen=True)
class Query:
    """The words, how they are read, how many merges are done, and a new word to cut."""

    corpus: str = training.text()
    form: str = training.form()
    step: int = queries.within(3, 0, training.MERGES)
    word: str = queries.text("たのしかった", limit=100)


@dataclass(frozen=True)
class Merge:
    """One merge: what was joined and how often it stood side by side."""

    pair: tuple[str, str]
    piece: str
    count: int


@dataclass(frozen=True)
class Merging:
    """A BPE training stopped after `step` of its `merges`; `candidates` are the pairs the next step chooses from."""

    words: Words
    merges: tuple[Merge, ...]
    step: int
    cut: tuple[tuple[str, ...], ...]
    vocabulary: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    applied: tuple[AppliedPiece, ...]
    word: str


def explore(query: Query) -> Merging:
    """Byte-pair encoding: all ``merges`` in order with their counts, and the words as cut after ``step`` of them."""
    trace = train_bpe(training.read_words(query.corpus, query.form), merges=training.MERGES)
    step = min(query.step, len(trace.steps))
    merges = tuple(Merge(one.pair or ("", ""), one.piece, int(one.count)) for one in trace.steps)
    return Merging(
        words=trace.words,
        merges=merges,
        step=step,
        cut=segmentation(trace, step),
        vocabulary=vocabulary(trace, step),
        candidates=trace.steps[step].candidates if step < len(trace.steps) else (),
        applied=apply(trace, step, query.word),
        word=query.word,
    )


def show(result: Merging, locale: Locale) -> tuple[str, ...]:
    """The merge just done with the words as they are cut now; then what comes next and what was learned."""
    done = result.merges[result.step - 1] if result.step else None
    new = done.piece if done else ""
    tokens = sum(len(parts) * count for parts, (_, count) in zip(result.cut, result.words, strict=True))
    figures = [
        (translate("tokens.training.step", locale), f"{result.step} / {len(result.merges)}"),
        (translate("tokens.training.size", locale), f"{len(result.vocabulary)}"),
        (translate("tokens.training.tokens", locale), f"{tokens:,}"),
    ]
    told = translate("merges.start", locale)
    if done:
        told = translate(
            "merges.done", locale, left=visible(done.pair[0]), right=visible(done.pair[1]), piece=visible(done.piece),
            count=done.count,
        )  # fmt: skip
    applied = [(one.text, one.known) for one in result.applied]
    return (
        pictures.numbers(figures)
        + pieces.stepper(result.step, len(result.merges), locale)
        + pictures.note(told, kind="caution")
        + training.words_cut(result.words, result.cut, locale, new=new)
        + training.word_row(result.word, applied, locale),
        _next(result, locale) + training.vocabulary_row(result.vocabulary, locale, new=new) + _history(result, locale),
    )


def _next(result: Merging, locale: Locale) -> str:
    """The pairs the next merge is chosen from."""
    if not result.candidates:
        return pictures.note(translate("merges.finished", locale))
    entries = [
        pictures.Bar(
            " + ".join(map(visible, one.pieces)),
            one.count,
            f"{one.count:,.0f}",
            pick={"step": result.step + 1} if place == 0 else None,
        )
        for place, one in enumerate(result.candidates)
    ]
    return pictures.heading(translate("merges.next", locale)) + pictures.bars(
        entries, title=translate("merges.pairs", locale)
    )


def _history(result: Merging, locale: Locale) -> str:
    """All merges as chips; a click goes there."""
    chips = (
        (f"{n}. {visible(one.pair[0])}+{visible(one.pair[1])} ({one.count})", {"step": n}, n == result.step)
        for n, one in enumerate(result.merges, start=1)
    )
    told = translate("merges.history", locale)
    return pictures.heading(told) + pieces.chips(chips, title=told)


def snippet(query: Query) -> str:
    """Byte-pair encoding in plain Python."""
    return f"""from collections import Counter

{training.lines_to_read(query.corpus, query.form)}
cut = {{word: list(word) for word in words}}
merges = []
while len(merges) < {query.step}:
    pairs = Counter()
    for word, count in words.items():
        for pair in zip(cut[word], cut[word][1:]):
            pairs[pair] += count
    if not pairs:
        break
    left, right = max(pairs, key=pairs.get)  # of equals, the one that occurs first
    merges.append([left, right, pairs[left, right]])
    for pieces in cut.values():
        place = 0
        while place < len(pieces) - 1:
            if (pieces[place], pieces[place + 1]) == (left, right):
                pieces[place : place + 2] = [left + right]
            place += 1
result = {{"merges": merges, "cut": list(cut.values())}}
print(result)
"""


def evidence(result: Merging) -> dict[str, Any]:
    """The merges so far with their counts, and the words as cut."""
    merges = [[*one.pair, one.count] for one in result.merges[: result.step]]
    return {"merges": merges, "cut": [list(parts) for parts in result.cut]}


def build(room: Room) -> None:
    """The words, the scrubber, and the new word."""
    with room.inputs():
        training.place_widgets(room)
        room.widget("step")
        room.widget("word", lines=1)
    with room.results():
        room.view()
        room.view()


def _answer(result: Merging) -> int:
    """Which of three pairs is joined first."""
    options = (("し", "い"), ("た", "の"), ("う", "つ"))
    return options.index(result.merges[0].pair)


EXHIBIT = Exhibit(
    slug="merges",
    sections=("3.6.1",),
    query=Query,
    explore=explore,
    show=show,
    snippet=snippet,
    evidence=evidence,
    build=build,
    prediction=Prediction(Query(step=1), 3, _answer),
    steps=(Step({"step": 1}), Step({"step": 9}), Step({"corpus": training.STORY, "form": "mecab"})),
)
