"""What the text room hands out: frozen values with offsets in code points of the visitor's own text, end-exclusive."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

Span = tuple[int, int]

Family = Literal["mecab-wordpiece", "mecab-character", "wordpiece", "byte-bpe", "bpe", "unigram", "word-level"]
"""How a tokenizer cuts: MeCab words first or not, and by which subword method."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference that one normalisation rule makes, at ``[start, end)`` of the original text.

    ``before`` and ``after`` are the text on either side of this rule (several rules may act on the same place one after
    the other); ``kind`` says why: ``wide``, ``narrow``, ``square``, ``compose``, ``lower``, ``accent``, ``remove``, …
    """

    start: int
    end: int
    before: str
    after: str
    rule: str
    kind: str


@dataclass(frozen=True, slots=True)
class Normalization:
    """A text, its normalised form, and for every normalised character the original characters it came from."""

    original: str
    text: str
    spans: tuple[Span, ...]
    changes: tuple[Change, ...] = ()

    def span(self, start: int, end: int) -> Span:
        """Original span of the normalised span ``[start, end)``; an empty span stays empty."""
        if start >= end:
            place = self.spans[start][0] if start < len(self.spans) else len(self.original)
            return place, place
        return self.spans[start][0], self.spans[end - 1][1]


@dataclass(frozen=True, slots=True)
class Word:
    """A MeCab word: ``surface`` as MeCab saw it, its span in the original text, and what the dictionary says of it.

    ``pos`` holds the levels of the part of speech that are filled (``名詞``, ``普通名詞``); ``reading`` (katakana)
    and ``base`` (dictionary form) are empty for words that the dictionary does not know.
    """

    surface: str
    start: int
    end: int
    pos: tuple[str, ...]
    reading: str
    base: str
    known: bool


@dataclass(frozen=True, slots=True)
class Token:
    """One token of a text.

    ``piece`` is the string in the vocabulary, ``surface`` the same made readable (no U+FFFD: bytes that are only a part
    of a character read ``⟨E9⟩``). ``[start, end)`` are the characters it touches in text number ``sequence`` (0 or 1;
    None for a special token that the tokenizer added, whose span is empty). ``segment`` is the segment id the model
    gets. ``word`` counts words within its text. Tokens that share a character have the same ``group``.
    """

    id: int
    piece: str
    surface: str
    start: int
    end: int
    special: bool
    unknown: bool
    continues: bool
    word: int | None
    sequence: int | None
    segment: int
    group: int
    bytes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Tokens ``[first, last)`` that share characters, and the span ``[start, end)`` they cover together."""

    start: int
    end: int
    first: int
    last: int


@dataclass(frozen=True)
class Tokenization:
    """A text (or a pair of texts) as one tokenizer sees it."""

    source: str
    family: Family
    normalizations: tuple[Normalization, ...]
    words: tuple[tuple[Word, ...], ...]
    tokens: tuple[Token, ...]

    @property
    def text(self) -> str:
        """The original first text."""
        return self.normalizations[0].original

    @property
    def normalized(self) -> str:
        """The normalised first text."""
        return self.normalizations[0].text

    @property
    def ids(self) -> tuple[int, ...]:
        """Input ids, special tokens included."""
        return tuple(token.id for token in self.tokens)

    @property
    def segment_ids(self) -> tuple[int, ...]:
        """Segment (token type) ids: the second text of a pair is 1 where the model knows segments."""
        return tuple(token.segment for token in self.tokens)

    def content(self, sequence: int = 0) -> tuple[Token, ...]:
        """The tokens of one text, without the special tokens that the tokenizer added."""
        return tuple(token for token in self.tokens if token.sequence == sequence)

    def original(self, token: Token) -> str:
        """The original characters that a token covers (what an unknown token hides)."""
        return "" if token.sequence is None else self.normalizations[token.sequence].original[token.start : token.end]

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """Runs of tokens that share characters; most hold one token."""
        found: list[Group] = []
        for place, token in enumerate(self.tokens):
            if found and self.tokens[place - 1].group == token.group:
                last = found[-1]
                found[-1] = Group(last.start, max(last.end, token.end), last.first, place + 1)
            else:
                found.append(Group(token.start, token.end, place, place + 1))
        return tuple(found)

    @property
    def unknown_count(self) -> int:
        """How many tokens are unknown."""
        return sum(token.unknown for token in self.tokens)

    @property
    def characters_per_token(self) -> float:
        """Characters of the first text per token, added special tokens not counted (0.0 for a text without tokens)."""
        count = len(self.content())
        return len(self.text) / count if count else 0.0

    def uncovered(self, sequence: int = 0) -> tuple[Span, ...]:
        """Original spans that no token covers: white space, and what the tokenizer throws away."""
        gaps: list[Span] = []
        place = 0
        for token in self.content(sequence):
            if token.start > place:
                gaps.append((place, token.start))
            place = max(place, token.end)
        length = len(self.normalizations[sequence].original)
        return (*gaps, (place, length)) if place < length else tuple(gaps)


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of a stage: what stands there, where it comes from, and whether this stage changed it."""

    text: str
    start: int
    end: int
    changed: bool


@dataclass(frozen=True, slots=True)
class Stage:
    """One row of the pipeline: ``original``, ``normalized``, ``words``, ``subwords`` or ``ids``."""

    name: Literal["original", "normalized", "words", "subwords", "ids"]
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """The tokens (indices into the tokenization) that fill columns ``[first, last)`` of an alignment; none in a gap."""

    first: int
    last: int
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Alignment:
    """Several tokenizations of one text over common columns: the smallest spans at which all their borders line up."""

    text: str
    columns: tuple[Span, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Segmentation:
    """One way to cut a text by a Unigram vocabulary: natural log probability, and its share of all ways, in [0, 1]."""

    pieces: tuple[str, ...]
    score: float
    probability: float


@dataclass(frozen=True, slots=True)
class ChatPreview:
    """A chat template (Jinja source), the prompt it makes of some messages, and whether it is the tokenizer's own.

    `mark` begins a message in the example; `pieces` are what the tokenizer cuts it into. Both are empty for an own one.
    """

    template: str
    text: str
    own: bool = True
    mark: str = ""
    pieces: tuple[str, ...] = ()
