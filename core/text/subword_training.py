"""How subword vocabularies are learned, one step at a time: BPE, WordPiece and Unigram (book 3.6.1, 3.6.2).

The algorithms are written to be read and watched, not to be fast: enough for a page of text.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Literal

from core.errors import InvalidInput
from core.text.lattice import find_best
from core.text.segmentation import segment

Algorithm = Literal["bpe", "wordpiece", "unigram"]
Words = tuple[tuple[str, int], ...]
"""Words and how often each occurs, in the order of their first occurrence."""

TOY_CORPUS: Words = (("たのしい", 6), ("たのしさ", 2), ("うつくしい", 4), ("うつくしさ", 1))
"""The corpus of book 3.6.1."""

MOST_CHARACTERS = 5_000
_SHOWN = 12  # rows of a step's table
_LONGEST_PIECE = 6  # characters of a Unigram piece
_KEPT_SHARE = 0.8  # of the removable pieces, per Unigram round
_EM_ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row of a step's table: pieces that might be joined (one piece that might go, for Unigram), and why.

    ``count`` is how often they stand side by side (Unigram: the expected uses of the piece); ``score`` what the
    algorithm ranks by (BPE: the count; WordPiece: count / (count of left x count of right); Unigram: how much the loss
    grows without the piece).
    """

    pieces: tuple[str, ...]
    count: float
    score: float


@dataclass(frozen=True, slots=True)
class TrainingStep:
    """What one step did.

    ``pair`` and ``piece``: what was joined and the new piece (None and "" for Unigram, which removes ``removed``).
    ``candidates``: the best rows of the table before the step, the chosen one first. ``changed``: index and new
    segmentation of every word that this step cut differently. ``loss``: mean of -ln P per character (Unigram only).
    ``scores``: log probability of each piece after the step (Unigram only).
    """

    pair: tuple[str, str] | None
    piece: str
    count: float
    score: float
    candidates: tuple[Candidate, ...]
    vocabulary_size: int
    changed: tuple[tuple[int, tuple[str, ...]], ...]
    loss: float | None = None
    removed: tuple[str, ...] = ()
    scores: tuple[tuple[str, float], ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class TrainingTrace:
    """A whole training, to be scrubbed through: step 0 is the state before ``steps[0]``.

    ``start`` is the first vocabulary (sorted characters; Unigram: frequent substrings too) and ``initial`` the first
    segmentation of each word. ``finished`` says that no further step was possible, not that the limit was reached.
    """

    algorithm: Algorithm
    words: Words
    start: tuple[str, ...]
    initial: tuple[tuple[str, ...], ...]
    steps: tuple[TrainingStep, ...]
    finished: bool

    @cached_property
    def _history(self) -> tuple[tuple[tuple[int, tuple[str, ...]], ...], ...]:
        """For each word its segmentations with the number of the step from which each holds."""
        history: list[list[tuple[int, tuple[str, ...]]]] = [[(0, pieces)] for pieces in self.initial]
        for number, step in enumerate(self.steps, start=1):
            for index, pieces in step.changed:
                history[index].append((number, pieces))
        return tuple(map(tuple, history))


@dataclass(frozen=True, slots=True)
class AppliedPiece:
    """A piece of a new word; ``known`` says whether the vocabulary holds it."""

    text: str
    known: bool


def count_words(text: str, *, by: Literal["mecab", "spaces", "lines"] = "mecab") -> Words:
    """Count the words of a text, cut by MeCab, at white space, or (without any words) at line ends.

    Raises:
        InvalidInput: ``error.text.too_long`` above 5,000 characters, ``error.text.empty``, ``error.text.surrogate``.
        ModelUnavailable: ``error.text.no_dictionary``.
    """
    if len(text) > MOST_CHARACTERS:
        raise InvalidInput("error.text.too_long", length=len(text), limit=MOST_CHARACTERS)
    if by == "mecab":
        words: Iterable[str] = (word.surface for word in segment(text) if word.surface.strip())
    elif by == "spaces":
        words = text.split()
    else:
        words = (line.strip() for line in text.splitlines() if line.strip())
    counts = tuple(Counter(words).items())
    if not counts:
        raise InvalidInput("error.text.empty")
    return counts


def parse_words(table: str) -> Words:
    """Read a table of one word and one count per line (``たのしい 6``); a missing count is 1, repeated words add up.

    Raises:
        InvalidInput: ``error.text.count`` (line, text) for a count that is no whole number from 1 to a million,
            ``error.text.empty``, ``error.text.too_long``.
    """
    if len(table) > MOST_CHARACTERS:
        raise InvalidInput("error.text.too_long", length=len(table), limit=MOST_CHARACTERS)
    counts: Counter[str] = Counter()
    for number, line in enumerate(table.splitlines(), start=1):
        match line.replace(",", " ").replace("、", " ").split():
            case []:
                continue
            case [word]:
                counts[word] += 1
            case [word, count] if count.isdecimal() and 1 <= int(count) <= 1_000_000:
                counts[word] += int(count)
            case _:
                raise InvalidInput("error.text.count", line=number, text=line.strip())
    if not counts:
        raise InvalidInput("error.text.empty")
    return tuple(counts.items())


def segmentation(trace: TrainingTrace, step: int) -> tuple[tuple[str, ...], ...]:
    """How every word is cut after the first ``step`` steps (step is clamped to what there is)."""
    return tuple(
        next(pieces for number, pieces in reversed(versions) if number <= max(step, 0)) for versions in trace._history
    )


def vocabulary(trace: TrainingTrace, step: int) -> tuple[str, ...]:
    """The vocabulary after the first ``step`` steps, in the order of learning."""
    steps = trace.steps[: max(step, 0)]
    removed = {piece for done in steps for piece in done.removed}
    known = (*trace.start, *(done.piece for done in steps if done.piece))
    return tuple(piece for piece in dict.fromkeys(known) if piece not in removed)


def apply(trace: TrainingTrace, step: int, word: str) -> tuple[AppliedPiece, ...]:
    """Cut a new word with what the first ``step`` steps learned.

    BPE replays its merges in their order; WordPiece takes the longest match from the left, and one unknown piece makes
    the whole word unknown; Unigram takes the most probable way.
    """
    known = frozenset(vocabulary(trace, step))
    if not word:
        return ()
    if trace.algorithm == "bpe":
        pieces: Sequence[str] = tuple(word)
        for done in trace.steps[: max(step, 0)]:
            if done.pair is not None:
                pieces = _join_pair(pieces, done.pair, done.piece)
    elif trace.algorithm == "wordpiece":
        pieces = _match_longest(word, known)
    else:
        pieces = find_best(word, _unigram_scores(trace, step))[0].pieces
    return tuple(AppliedPiece(piece, piece in known) for piece in pieces)


# --- BPE and WordPiece: join the best pair, again and again


def train_bpe(words: Words, *, merges: int = 200) -> TrainingTrace:
    """Byte-pair encoding: join the most frequent pair of neighbours; of equals, the one that occurs first.

    Args:
        words: words and counts, from `count_words` or `parse_words`.
        merges: most steps.

    Source: book 3.6.1; Sennrich et al. 2016.
    """
    return _train_merges("bpe", words, merges, tuple, lambda count, left, right: count)


def train_wordpiece(words: Words, *, merges: int = 200) -> TrainingTrace:
    """WordPiece: join the pair whose pieces stand together most often for how often they occur at all.

    The score is count(ab) / (count(a) x count(b)); pieces inside a word begin with ``##``.

    Source: book 3.6.2; Schuster and Nakajima 2012.
    """
    return _train_merges(
        "wordpiece", words, merges, _start_wordpiece, lambda count, left, right: count / (left * right)
    )


def _train_merges(
    algorithm: Algorithm,
    words: Words,
    merges: int,
    start: Callable[[str], Sequence[str]],
    rank: Callable[[int, int, int], float],
) -> TrainingTrace:
    _check(words)
    current = [tuple(start(word)) for word, _ in words]
    initial = tuple(current)
    first = tuple(sorted({piece for pieces in current for piece in pieces}))
    known = set(first)
    steps: list[TrainingStep] = []
    finished = False
    while len(steps) < merges and not finished:
        pairs: defaultdict[tuple[str, str], int] = defaultdict(int)  # in the order of first occurrence
        singles: Counter[str] = Counter()
        for pieces, (_, count) in zip(current, words, strict=True):
            for piece in pieces:
                singles[piece] += count
            for pair in pairwise(pieces):
                pairs[pair] += count
        rows = (
            Candidate(pair, count, rank(count, *(singles[piece] for piece in pair))) for pair, count in pairs.items()
        )
        # nlargest keeps the order of equals, so the pair that occurs first wins.
        table = tuple(heapq.nlargest(_SHOWN, rows, key=lambda row: row.score))
        if not table:
            finished = True
            break
        left, right = table[0].pieces
        piece = left + (right.removeprefix("##") if algorithm == "wordpiece" else right)
        changed: list[tuple[int, tuple[str, ...]]] = []
        for index, pieces in enumerate(current):
            joined = _join_pair(pieces, (left, right), piece)
            if joined != pieces:
                current[index] = joined
                changed.append((index, joined))
        known.add(piece)
        steps.append(
            TrainingStep((left, right), piece, table[0].count, table[0].score, table, len(known), tuple(changed))
        )
    return TrainingTrace(
        algorithm, words, first, initial, tuple(steps), finished or all(len(pieces) < 2 for pieces in current)
    )


def _join_pair(pieces: Sequence[str], pair: tuple[str, str], piece: str) -> tuple[str, ...]:
    joined: list[str] = []
    place = 0
    while place < len(pieces):
        if place + 1 < len(pieces) and (pieces[place], pieces[place + 1]) == pair:
            joined.append(piece)
            place += 2
        else:
            joined.append(pieces[place])
            place += 1
    return tuple(joined)


def _start_wordpiece(word: str) -> tuple[str, ...]:
    return (word[0], *(f"##{character}" for character in word[1:]))


def _match_longest(word: str, known: frozenset[str]) -> tuple[str, ...]:
    pieces: list[str] = []
    start = 0
    while start < len(word):
        prefix = "##" if start else ""
        end = next((end for end in range(len(word), start, -1) if prefix + word[start:end] in known), start)
        if end == start:
            return ("[UNK]",)
        pieces.append(prefix + word[start:end])
        start = end
    return tuple(pieces)


# --- Unigram: begin with many pieces, drop those that are missed least


def train_unigram(words: Words, *, size: int = 100, seeds: int = 1_000) -> TrainingTrace:
    """Unigram language model: estimate piece probabilities by EM, drop the pieces that are missed least, repeat.

    Each step is one round: two rounds of expectation and maximisation over all segmentations of all words, then the
    pieces are ranked by how much the loss would grow without them and the last fifth goes. Single characters stay.

    Args:
        words: words and counts.
        size: pieces to end with (never fewer than there are characters).
        seeds: most pieces of two and more characters to begin with.

    Source: Kudo 2018, "Subword Regularization", section 3.2; plain maximum likelihood in place of its Bayesian variant.
    """
    _check(words)
    characters = tuple(sorted({character for word, _ in words for character in word}))
    start = _seed_pieces(words, characters, seeds)
    total = sum(start.values())
    scores = {piece: math.log(count / total) for piece, count in start.items()}
    length = sum(len(word) * count for word, count in words)
    initial = current = _cut_all(words, scores)
    steps: list[TrainingStep] = []
    target = max(size, len(characters))
    while True:
        expected: dict[str, float] = {}
        loss = 0.0
        for _ in range(_EM_ROUNDS):
            expected, loss = _expect(words, scores)
            scores = _maximise(expected, scores)
        rows = _rank_by_loss(words, scores, expected)
        goal = max(target, math.ceil(len(characters) + _KEPT_SHARE * len(rows)))
        surplus = max(len(scores) - goal, 1) if len(scores) > target else 0
        removed = {row.pieces[0] for row in rows[:surplus]}
        if not removed:
            break
        scores = _normalise({piece: score for piece, score in scores.items() if piece not in removed})
        after = _cut_all(words, scores)
        changed = tuple((index, new) for index, (old, new) in enumerate(zip(current, after, strict=True)) if old != new)
        current = after
        steps.append(
            TrainingStep(
                None,
                "",
                len(removed),
                rows[0].score,
                rows[:_SHOWN],
                len(scores),
                changed,
                loss / length,
                tuple(row.pieces[0] for row in rows[:surplus]),
                tuple(scores.items()),
            )
        )
    return TrainingTrace("unigram", words, tuple(start), initial, tuple(steps), True)


def _unigram_scores(trace: TrainingTrace, step: int) -> Mapping[str, float]:
    if step > 0 and trace.steps:
        return dict(trace.steps[min(step, len(trace.steps)) - 1].scores)
    start = _seed_pieces(trace.words, trace.start, len(trace.start), frozenset(trace.start))
    total = sum(start.values())
    return {piece: math.log(count / total) for piece, count in start.items()}


def _seed_pieces(
    words: Words, characters: Sequence[str], most: int, only: frozenset[str] | None = None
) -> dict[str, int]:
    """Characters and the substrings that save most (length x count), with counts; or exactly those of ``only``."""
    counts: Counter[str] = Counter()
    for word, count in words:
        for start in range(len(word)):
            for end in range(start + 1, min(len(word), start + _LONGEST_PIECE) + 1):
                counts[word[start:end]] += count
    if only is not None:
        return {piece: counts[piece] for piece in characters if piece in only}
    longer = ((piece, count) for piece, count in counts.items() if len(piece) > 1 and count > 1)
    best = heapq.nlargest(most, longer, key=lambda row: len(row[0]) * row[1])
    return {character: counts[character] for character in characters} | dict(best)


def _expect(words: Words, scores: Mapping[str, float]) -> tuple[dict[str, float], float]:
    """E step: expected uses of each piece over all segmentations (forward-backward), and -ln P of the corpus."""
    expected: defaultdict[str, float] = defaultdict(float)
    loss = 0.0
    for word, count in words:
        size = len(word)
        edges = [
            (start, end, piece, scores[piece])
            for start in range(size)
            for end in range(start + 1, min(size, start + _LONGEST_PIECE) + 1)
            if (piece := word[start:end]) in scores
        ]  # in the order of their starts, so every place is complete before anything leaves it
        # Natural logs throughout: a long line's probability is smaller than any float.
        before = [0.0] + [-math.inf] * size
        for start, end, _, score in edges:
            before[end] = _log_add(before[end], before[start] + score)
        after = [-math.inf] * size + [0.0]
        for start, end, _, score in reversed(edges):
            after[start] = _log_add(after[start], score + after[end])
        for start, end, piece, score in edges:
            expected[piece] += count * math.exp(before[start] + score + after[end] - before[size])
        loss -= count * before[size]
    return dict(expected), loss


def _log_add(first: float, second: float) -> float:
    """ln(e^first + e^second)."""
    if first < second:
        first, second = second, first
    return first + math.log1p(math.exp(second - first)) if second > -math.inf else first


def _maximise(expected: Mapping[str, float], scores: Mapping[str, float]) -> dict[str, float]:
    """M step: probabilities in proportion to expected uses; a floor keeps rare characters writable."""
    total = sum(expected.values())
    return {piece: math.log(max(expected.get(piece, 0.0), 1e-9) / total) for piece in scores}


def _normalise(scores: Mapping[str, float]) -> dict[str, float]:
    total = math.fsum(math.exp(score) for score in scores.values())
    return {piece: score - math.log(total) for piece, score in scores.items()}


def _rank_by_loss(words: Words, scores: Mapping[str, float], expected: Mapping[str, float]) -> tuple[Candidate, ...]:
    """Removable pieces, least missed first: expected uses x what the best other way to write the piece costs more."""
    rows: list[Candidate] = []
    for piece, score in scores.items():
        if len(piece) > 1:
            ways = find_best(piece, scores, n=2)
            other = next(way.score for way in ways if way.pieces != (piece,))
            uses = expected.get(piece, 0.0)
            rows.append(Candidate((piece,), uses, uses * (score - other)))
    return tuple(sorted(rows, key=lambda row: row.score))


def _cut_all(words: Words, scores: Mapping[str, float]) -> tuple[tuple[str, ...], ...]:
    return tuple(find_best(word, scores)[0].pieces for word, _ in words)


def _check(words: Words) -> None:
    length = sum(len(word) for word, _ in words)
    if not length:
        raise InvalidInput("error.text.empty")
    if length > MOST_CHARACTERS:
        raise InvalidInput("error.text.too_long", length=length, limit=MOST_CHARACTERS)
