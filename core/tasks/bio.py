"""Named entities as BIO labels of tokens and of characters, and back (book 6.2.2, 6.2.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from core.data.examples import EntitySpan
from core.text.types import Span

OUTSIDE = "O"


def token_labels(types: Iterable[str]) -> tuple[str, ...]:
    """Labels by id: O is 0, then for each type in sorted order B (odd) and I (even).

    Source: book 6.3.1.
    """
    return (OUTSIDE, *(f"{mark}-{name}" for name in sorted(set(types)) for mark in "BI"))


def tag_tokens(entities: Iterable[EntitySpan], spans: Sequence[Span]) -> list[str]:
    """Labels of tokens: every token that an entity touches is labelled whole, the first of them B.

    A token that two entities touch belongs to the first; an entity that no token touches gets no label.
    """
    labels = [OUTSIDE] * len(spans)
    place = 0
    for entity in sorted(entities):
        mark = "B"
        while place < len(spans) and spans[place][1] <= entity.start:
            place += 1
        while place < len(spans) and spans[place][0] < entity.end:
            # An empty span (a word mark of SentencePiece) is inside only if something of the entity stands before it.
            if spans[place][1] > entity.start:
                labels[place] = f"{mark}-{entity.label}"
                mark = "I"
            place += 1
    return labels


def find_spans(labels: Sequence[str], spans: Sequence[Span]) -> tuple[EntitySpan, ...]:
    """Entities in the labels of tokens, as characters, sorted and free of overlaps.

    An I without a B before it opens an entity, and so does an I of another type (the convention of seqeval).
    """
    from seqeval.metrics.sequence_labeling import get_entities

    found: list[EntitySpan] = []
    for name, first, last in get_entities(list(labels)):
        # Tokens can share a character (㍿ is 株式 and 会社): the entity that comes first has it.
        start = max(spans[first][0], found[-1].end if found else 0)
        if start < spans[last][1]:
            found.append(EntitySpan(start, spans[last][1], name))
    return tuple(found)


def tag_characters(entities: Iterable[EntitySpan], length: int) -> list[str]:
    """Labels of the characters of a text `length` long: what is scored, so that no tokenizer has a say."""
    labels = [OUTSIDE] * length
    for entity in entities:
        labels[entity.start : entity.end] = [f"I-{entity.label}"] * (entity.end - entity.start)
        labels[entity.start] = f"B-{entity.label}"
    return labels


def score_entities(
    gold: Sequence[Sequence[EntitySpan]], predicted: Sequence[Sequence[EntitySpan]]
) -> Mapping[str, Mapping[str, float]]:
    """Seqeval's report on characters: ``precision``, ``recall``, ``f1-score``, ``support`` of types and averages.

    The averages are ``micro avg``, ``macro avg`` and ``weighted avg``; everything undefined counts as 0.

    Source: Nakayama 2018 (seqeval); book 6.2.3.
    """
    from seqeval.metrics import classification_report

    averages = ("micro avg", "macro avg", "weighted avg")
    if not any(gold) and not any(predicted):  # seqeval cannot average over no types
        return {name: dict.fromkeys(("precision", "recall", "f1-score", "support"), 0.0) for name in averages}
    # Nothing but O would follow the last entity of either side.
    lengths = [max((span.end for span in (*a, *b)), default=0) for a, b in zip(gold, predicted, strict=True)]
    report = classification_report(
        [tag_characters(spans, length) for spans, length in zip(gold, lengths, strict=True)],
        [tag_characters(spans, length) for spans, length in zip(predicted, lengths, strict=True)],
        output_dict=True,
        zero_division=0,
    )
    return {name: {key: float(value) for key, value in row.items()} for name, row in report.items()}
