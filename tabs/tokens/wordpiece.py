"""3.6.2 WordPiece: the score that divides by how frequent the parts are, beside BPE's plain count."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from core import query as queries
from core.i18n import Locale, translate
from core.text.input import visible
from core.text.subword_training import (
    AppliedPiece,
    Candidate,
    TrainingTrace,
    Words,
    apply,
    segmentation,
    train_bpe,
    train_wordpiece,
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
    step: int = queries.within(0, 0, training.MERGES)
    word: str = queries.text("たのしさ", limit=100)


@dataclass(frozen=True)
class Side:
    """One algorithm after its first `step` merges, and the pairs its next step chooses from."""

    step: int
    last: int
    piece: str
    cut: tuple[tuple[str, ...], ...]
    vocabulary: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    applied: tuple[AppliedPiece, ...]


@dataclass(frozen=True)
class Duel:
    """WordPiece and BPE on the same words; `left` and `right`: how often the parts of WordPiece's next pair occur."""

    words: Words
    wordpiece: Side
    bpe: Side
    left: int
    right: int
    word: str


def explore(query: Query) -> Duel:
    """WordPiece and BPE after ``step`` merges of the same words; candidates carry count and score."""
    words = training.read_words(query.corpus, query.form)
    sides = [_side(train(words, merges=training.MERGES), query) for train in (train_wordpiece, train_bpe)]
    singles: Counter[str] = Counter()
    for parts, (_, count) in zip(sides[0].cut, words, strict=True):
        for part in parts:
            singles[part] += count
    pair = sides[0].candidates[0].pieces if sides[0].candidates else ("", "")
    return Duel(words, sides[0], sides[1], singles[pair[0]], singles[pair[1]], query.word)


def _side(trace: TrainingTrace, query: Query) -> Side:
    step = min(query.step, len(trace.steps))
    return Side(
        step=step,
        last=len(trace.steps),
        piece=trace.steps[step - 1].piece if step else "",
        cut=segmentation(trace, step),
        vocabulary=vocabulary(trace, step),
        candidates=trace.steps[step].candidates if step < len(trace.steps) else (),
        applied=apply(trace, step, query.word),
    )


def show(result: Duel, locale: Locale) -> tuple[str, ...]:
    """Both rankings side by side with the winner's formula; the words as cut; the new word."""
    ours = result.wordpiece
    figures = [
        (translate("tokens.training.step", locale), f"{ours.step} / {ours.last}"),
        (translate("tokens.training.size", locale), f"{len(ours.vocabulary)}"),
    ]
    applied = [(one.text, one.known) for one in ours.applied]
    return (
        pictures.numbers(figures)
        + pieces.stepper(ours.step, ours.last, locale)
        + f'<div class="lab-columns">{_ranking(result, "wordpiece", locale)}{_ranking(result, "bpe", locale)}</div>'
        + _formula(result, locale),
        training.words_cut(result.words, ours.cut, locale, new=ours.piece)
        + training.vocabulary_row(ours.vocabulary, locale, new=ours.piece)
        + training.word_row(result.word, applied, locale)
        + pictures.note(translate("wordpiece.greedy", locale)),
    )


def _ranking(result: Duel, name: str, locale: Locale) -> str:
    side: Side = getattr(result, name)
    if not side.candidates:
        return f"<div>{pictures.note(translate('merges.finished', locale))}</div>"
    entries = [
        pictures.Bar(
            " + ".join(map(visible, one.pieces)),
            one.score,
            translate(f"wordpiece.bar.{name}", locale, score=f"{one.score:.4f}", count=f"{one.count:,.0f}"),
            pick={"step": side.step + 1} if place == 0 else None,
        )
        for place, one in enumerate(side.candidates[:8])
    ]
    return f"<div>{pictures.bars(entries, title=translate(f'wordpiece.ranking.{name}', locale))}</div>"


def _formula(result: Duel, locale: Locale) -> str:
    if not result.wordpiece.candidates:
        return ""
    best = result.wordpiece.candidates[0]
    a, b = map(visible, best.pieces)
    return pictures.heading(translate("wordpiece.formula", locale)) + pictures.formula(
        [
            "score(a, b) = freq(ab) / (freq(a) × freq(b))",
            f"score({a}, {b}) = {best.count:.0f} / ({result.left} × {result.right}) = {best.score:.4f}",
        ]
    )


def snippet(query: Query) -> str:
    """WordPiece training in plain Python."""
    return f"""from collections import Counter

{training.lines_to_read(query.corpus, query.form)}
cut = {{word: [word[0]] + ["##" + letter for letter in word[1:]] for word in words}}
merges = []
while len(merges) < {query.step}:
    singles, pairs = Counter(), Counter()
    for word, count in words.items():
        for piece in cut[word]:
            singles[piece] += count
        for pair in zip(cut[word], cut[word][1:]):
            pairs[pair] += count
    if not pairs:
        break
    # BPE would take the largest pairs[pair].
    scores = {{(a, b): count / (singles[a] * singles[b]) for (a, b), count in pairs.items()}}
    left, right = max(scores, key=scores.get)
    merges.append([left, right, round(scores[left, right], 6)])
    for pieces in cut.values():
        place = 0
        while place < len(pieces) - 1:
            if (pieces[place], pieces[place + 1]) == (left, right):
                pieces[place : place + 2] = [left + right.removeprefix("##")]
            place += 1
result = {{"cut": list(cut.values()), "done": len(merges)}}
print(result)
"""


def evidence(result: Duel) -> dict[str, Any]:
    """The words as WordPiece cuts them, and the merges done."""
    return {"cut": [list(parts) for parts in result.wordpiece.cut], "done": result.wordpiece.step}


def build(room: Room) -> None:
    """The words, the scrubber, and the new word."""
    with room.inputs():
        training.place_widgets(room)
        room.widget("step")
        room.widget("word", lines=1)
    with room.results():
        room.view()
        room.view()


def _answer(result: Duel) -> int:
    """Whether WordPiece (0) joins the same characters first as BPE does, or others (1)."""
    ours, other = result.wordpiece.candidates[0].pieces, result.bpe.candidates[0].pieces
    return 0 if tuple(piece.removeprefix("##") for piece in ours) == other else 1


EXHIBIT = Exhibit(
    slug="wordpiece",
    sections=("3.6.2",),
    query=Query,
    explore=explore,
    show=show,
    snippet=snippet,
    evidence=evidence,
    build=build,
    prediction=Prediction(Query(), 2, _answer),
    steps=(Step({"step": 1}), Step({"step": 6}), Step({"corpus": training.STORY, "form": "mecab"})),
)
