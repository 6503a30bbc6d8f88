"""Normalisation step by step: what each rule changes, and from which original characters every result comes."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from core.text.input import grapheme_spans, refuse_surrogates
from core.text.types import Change, Normalization, Span


@dataclass(frozen=True, slots=True)
class Rule:
    """A named function from text to text.

    ``locate``, where there is one, tells the spans of the input for every character of the output when the function is
    more than the sum of its parts (it strips the ends of a text, say).
    """

    name: str
    apply: Callable[[str], str]
    locate: Callable[[str], tuple[Span, ...]] | None = None


# A unit of text that a rule changes as a whole is rarely longer; looking further back would cost square time.
_CONTEXT = 32


def _strip_accents(text: str) -> str:
    """Decompose, drop the combining marks (the dakuten too: が becomes か), as uncased BERT does."""
    return "".join(
        character for character in unicodedata.normalize("NFD", text) if unicodedata.category(character) != "Mn"
    )


def _strip_controls(text: str) -> str:
    """Drop control and format characters, keep tab and line ends."""
    return "".join(
        character for character in text if character in "\t\n\r" or unicodedata.category(character) not in ("Cc", "Cf")
    )


RULES: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {
        "nfkc": functools.partial(unicodedata.normalize, "NFKC"),
        "nfc": functools.partial(unicodedata.normalize, "NFC"),
        "nfkd": functools.partial(unicodedata.normalize, "NFKD"),
        "nfd": functools.partial(unicodedata.normalize, "NFD"),
        "lower": str.lower,
        "strip_accents": _strip_accents,
        "strip_controls": _strip_controls,
    }
)
"""The rules that `normalize_steps` knows by name."""


def normalize_steps(text: str, rules: Sequence[str]) -> Normalization:
    """Apply named rules one after the other and list every difference with the rule that made it.

    Args:
        text: any text without lone surrogates.
        rules: names from `RULES`, in the order of their application.

    Raises:
        InvalidInput: ``error.text.surrogate``.
        KeyError: a name that is not in `RULES`.

    Source: book 3.6.3; Unicode Standard Annex 15.
    """
    refuse_surrogates(text)
    return follow_rules(text, [Rule(name, RULES[name]) for name in rules])


def follow_rules(text: str, rules: Sequence[Rule]) -> Normalization:
    """Apply rules in turn, composing their character maps.

    Where a rule's result can be told neither locally nor by the rule itself, every character maps to the whole text.
    """
    current = keep(text)
    for rule in rules:
        before, after = current.text, rule.apply(current.text)
        if after == before:
            continue
        spans = track(before, after, rule.apply)
        if spans is None:
            spans = rule.locate(before) if rule.locate else ((0, len(before)),) * len(after)
        step = Normalization(before, after, spans, tuple(_find_changes(before, after, spans, rule.name)))
        current = compose(current, step)
    return current


def keep(text: str) -> Normalization:
    """The normalisation that changes nothing."""
    return Normalization(text, text, tuple((place, place + 1) for place in range(len(text))))


def compose(first: Normalization, second: Normalization) -> Normalization:
    """The normalisation that does one after the other (``second.original`` is ``first.text``)."""
    spans = tuple(first.span(start, end) for start, end in second.spans)
    changes = tuple(
        Change(*first.span(change.start, change.end), change.before, change.after, change.rule, change.kind)
        for change in second.changes
    )
    return Normalization(first.original, second.text, spans, first.changes + changes)


def join(parts: Sequence[Normalization]) -> Normalization:
    """The normalisation of texts that follow one another."""
    spans: list[Span] = []
    changes: list[Change] = []
    shift = 0
    for part in parts:
        spans.extend((start + shift, end + shift) for start, end in part.spans)
        changes.extend(Change(c.start + shift, c.end + shift, c.before, c.after, c.rule, c.kind) for c in part.changes)
        shift += len(part.original)
    return Normalization(
        "".join(part.original for part in parts), "".join(part.text for part in parts), tuple(spans), tuple(changes)
    )


def track(before: str, after: str, function: Callable[[str], str]) -> tuple[Span, ...] | None:
    """Spans of ``before`` for every character of ``after = function(before)``; None if it cannot be told locally.

    The text is cut into units that the function treats independently of their neighbours: graphemes, joined where the
    function does something else to two of them side by side (Hangul ``ㄱㅏ`` becomes ``가``). Characters of a unit map
    to the whole unit, unless each of its characters turns into exactly one.
    """
    call = functools.cache(function)
    units: list[Span] = []
    for start, end in grapheme_spans(before):
        if units:
            context = before[max(units[-1][0], start - _CONTEXT) : start]
            if call(context + before[start:end]) != call(context) + call(before[start:end]):
                units[-1] = (units[-1][0], end)
                continue
        units.append((start, end))
    spans: list[Span] = []
    built: list[str] = []
    for start, end in units:
        result = call(before[start:end])
        built.append(result)
        if end - start == len(result) and [call(character) for character in before[start:end]] == list(result):
            spans.extend((place, place + 1) for place in range(start, end))
        else:
            spans.extend([(start, end)] * len(result))
    return tuple(spans) if "".join(built) == after else None


def _find_changes(before: str, after: str, spans: Sequence[Span], rule: str) -> Iterator[Change]:
    """Differences between two texts; neighbours of one kind are told as one."""
    pending: Change | None = None
    for start, end, after_start, after_end in blocks(len(before), spans):
        old, new = before[start:end], after[after_start:after_end]
        if old == new:
            continue
        kind = _kind(old, new, rule)
        if pending and pending.end == start and pending.kind == kind:
            pending = Change(pending.start, end, pending.before + old, pending.after + new, rule, kind)
        else:
            if pending:
                yield pending
            pending = Change(start, end, old, new, rule, kind)
    if pending:
        yield pending


def blocks(length: int, spans: Sequence[Span]) -> Iterator[tuple[int, int, int, int]]:
    """Cut a text of some length and its normalised form into the smallest blocks that match.

    Yields (start, end, start in the normalised form, end there); what was removed is a block with an empty second half.
    """
    place = index = 0
    while index < len(spans):
        start, end = spans[index]
        if start > place:
            yield place, start, index, index
        first = index
        while index < len(spans) and (spans[index][0] < end or spans[index] == (start, end)):
            end = max(end, spans[index][1])
            index += 1
        yield max(start, place), end, first, index
        place = max(place, end)
    if place < length:
        yield place, length, len(spans), len(spans)


def _kind(old: str, new: str, rule: str) -> str:
    """Why a rule changed this: the tag of the Unicode decomposition where there is one, else what the rule is for."""
    tags = [unicodedata.decomposition(character) for character in old]
    tag = next((tag.split(">")[0][1:] for tag in tags if tag.startswith("<")), "")
    if "nfk" in rule and tag:
        return tag  # wide, narrow, square, circle, compat, font, super, …
    if not new or (len(new) < len(old) and rule in ("clean", "strip_controls")):
        return "remove"
    if new.strip() == old.strip() or not new.strip():
        return "space"
    if rule.startswith("nf"):
        return "compose" if len(new) < len(old) else "decompose" if len(new) > len(old) else "equivalent"
    return {"lower": "lower", "strip_accents": "accent"}.get(rule, "replace")
