"""The examples that tasks learn from: one frozen type for each shape of data.

Spans are in code points of the text they belong to, end-exclusive.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LabelledText:
    """A text and its class (book 5.2)."""

    text: str
    label: str


@dataclass(frozen=True, slots=True)
class LabelledPair:
    """Two sentences and how they relate (book 5.4.1)."""

    first: str
    second: str
    label: str


@dataclass(frozen=True, slots=True)
class ScoredPair:
    """Two sentences and how alike they are, 0 to 5 on the scale of JSTS (book 5.4.2)."""

    first: str
    second: str
    score: float


@dataclass(frozen=True, slots=True)
class ChoiceQuestion:
    """A question, its choices (any number from two on) and the index of the right one (book 5.4.3)."""

    question: str
    choices: tuple[str, ...]
    answer: int


@dataclass(frozen=True, slots=True, order=True)
class EntitySpan:
    """A named entity: text[start:end] is a `label`."""

    start: int
    end: int
    label: str


@dataclass(frozen=True, slots=True)
class TaggedText:
    """A text and its named entities, sorted and free of overlaps (book 6.2)."""

    text: str
    entities: tuple[EntitySpan, ...]


@dataclass(frozen=True, slots=True)
class Article:
    """A news article and its headline (book 7.2)."""

    body: str
    headline: str


@dataclass(frozen=True, slots=True)
class PlainText:
    """Running text, for language modelling (book 3.2.2, 3.3.2, 3.4.2) and for SimCSE without labels (8.3.1)."""

    text: str


@dataclass(frozen=True, slots=True)
class Triple:
    """A sentence, one that follows from it, and one that contradicts it ('' when there is none) (book 8.3.2)."""

    anchor: str
    positive: str
    negative: str = ""


@dataclass(frozen=True, slots=True)
class Passage:
    """A paragraph of an encyclopedia under the title of its article (book 9.4)."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class RetrievalQuestion:
    """A question, a passage that answers it, and passages that look right but do not (book 9.4.3)."""

    question: str
    positive: Passage
    negatives: tuple[Passage, ...] = ()
    answers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """An accepted answer and where it starts in the context, -1 when it does not stand there."""

    text: str
    start: int = -1


@dataclass(frozen=True, slots=True)
class ReadingQuestion:
    """A question and the passage to read it from; several answers may be accepted (book 9.1, 9.5)."""

    question: str
    context: str
    answers: tuple[Answer, ...]
