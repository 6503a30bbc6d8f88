"""Training, validation and test examples, and how one part is drawn from another without a leak (book 5.1.1)."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from core.data.examples import (
    Article,
    ChoiceQuestion,
    LabelledPair,
    LabelledText,
    PlainText,
    ReadingQuestion,
    RetrievalQuestion,
    ScoredPair,
    TaggedText,
    Triple,
)
from core.data.rows import BrokenRow

Example = TypeVar("Example")


@dataclass(frozen=True)
class Splits(Generic[Example]):
    """The examples of a run, and the rows that could not be read."""

    train: tuple[Example, ...]
    validation: tuple[Example, ...] = ()
    test: tuple[Example, ...] = ()
    broken: tuple[BrokenRow, ...] = ()


def normalize_content(text: str) -> str:
    """A text without the differences that do not make it another one: NFKC, no white space."""
    return "".join(unicodedata.normalize("NFKC", text).split())


def texts_of(example: Any) -> tuple[str, ...]:
    """The texts that a model sees of an example (not its answer), in order."""
    match example:
        case LabelledText() | TaggedText() | PlainText():
            return (example.text,)
        case LabelledPair() | ScoredPair():
            return example.first, example.second
        case ChoiceQuestion():
            return example.question, *example.choices
        case Article():
            return (example.body,)
        case Triple():
            return example.anchor, example.positive
        case RetrievalQuestion():
            return example.question, example.positive.text
        case ReadingQuestion():
            return example.question, example.context
        case _:
            return (repr(example),)


def subject_of(example: Any) -> Hashable:
    """What an example is about: examples about the same stay on one side of a split.

    The text; the pair in either order; the question of a choice; the passage of a reading or retrieval question.
    """
    texts = tuple(map(normalize_content, texts_of(example)))
    match example:
        case LabelledPair() | ScoredPair():
            return frozenset(texts)
        case RetrievalQuestion() | ReadingQuestion():
            return texts[1]
        case _:
            return texts[0]


def group_by_subject(examples: Sequence[Any]) -> list[list[int]]:
    """Indices of examples that stay on one side of a split, groups and members in the order they came in.

    Examples about the same stay together, and so do pairs that have a sentence in common, directly or through others:
    whoever has learned by heart what one of a sentence's pairs is called answers the next one wrong. Where that would
    bind most of the pairs to each other, only the same pair counts.
    """
    groups = _gather([(subject_of(example),) for example in examples])
    pairs = all(isinstance(example, LabelledPair | ScoredPair) for example in examples)
    if not pairs:
        return groups
    bound = _gather([tuple(map(normalize_content, texts_of(example))) for example in examples])
    return groups if max(map(len, bound), default=0) > len(examples) / 2 else bound


def _gather(keys: Sequence[Sequence[Hashable]]) -> list[list[int]]:
    """Groups of the places that a key binds to each other."""
    leader = list(range(len(keys)))

    def find(place: int) -> int:
        while leader[place] != place:
            leader[place] = leader[leader[place]]
            place = leader[place]
        return place

    first: dict[Hashable, int] = {}
    for place, told in enumerate(keys):
        for key in told:
            a, b = find(first.setdefault(key, place)), find(place)
            leader[max(a, b)] = min(a, b)
    groups: dict[int, list[int]] = {}
    for place in range(len(keys)):
        groups.setdefault(find(place), []).append(place)
    return list(groups.values())


def draw_validation(
    examples: Sequence[Example],
    *,
    share: float,
    seed: int,
    label_of: Callable[[Example], str | None],
    grouped: bool = True,
) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """Cut examples into a training and a validation part, each in the order they came in; see `choose_validation`."""
    chosen = choose_validation(examples, share=share, seed=seed, label_of=label_of, grouped=grouped)
    train = tuple(example for index, example in enumerate(examples) if index not in chosen)
    return train, tuple(example for index, example in enumerate(examples) if index in chosen)


def choose_validation(
    examples: Sequence[Example],
    *,
    share: float,
    seed: int,
    label_of: Callable[[Example], str | None],
    grouped: bool = True,
) -> frozenset[int]:
    """The indices of the examples that become the validation part.

    Every label gives the same share of its examples. Examples about the same (see `group_by_subject`) stay together, so
    that the share is met as nearly as they allow; unless they are not `grouped`: then each is drawn for itself, and
    what stands twice in the data may stand on both sides.
    """
    groups = group_by_subject(examples) if grouped else [[index] for index in range(len(examples))]
    wanted = min(max(round(share * len(examples)), 1), len(examples) - 1) if share > 0 else 0
    if wanted <= 0 or len(groups) < 2:
        return frozenset()
    strata: dict[str | None, list[list[int]]] = {}
    for members in groups:
        strata.setdefault(label_of(examples[members[0]]), []).append(members)
    sizes = {label: sum(map(len, members)) for label, members in strata.items()}
    quotas = _share_out(sizes, wanted)
    chosen: set[int] = set()
    generator = random.Random(seed)
    for label in sorted(strata, key=str):
        taken = 0
        generator.shuffle(strata[label])
        for members in strata[label]:
            if taken + len(members) <= quotas[label]:
                taken += len(members)
                chosen.update(members)
    left = [members for label in sorted(strata, key=str) for members in strata[label] if members[0] not in chosen]
    generator.shuffle(left)
    for members in left:  # what groups did not fit into the share of their label
        if len(chosen) + len(members) <= wanted:
            chosen.update(members)
    if not chosen:  # all of a kind in large groups
        smallest = min(groups, key=len)
        chosen.update(smallest)
    return frozenset(chosen)


def _share_out(sizes: dict[str | None, int], wanted: int) -> dict[str | None, int]:
    """So many seats for each label, by the largest remainder."""
    total = sum(sizes.values())
    exact = {label: wanted * size / total for label, size in sizes.items()}
    quotas = {label: int(quota) for label, quota in exact.items()}
    by_remainder = sorted(sizes, key=lambda label: (quotas[label] - exact[label], str(label)))
    for label in by_remainder[: wanted - sum(quotas.values())]:
        quotas[label] += 1
    return quotas


def draw_examples(examples: Sequence[Example], *, limit: int, seed: int) -> tuple[Example, ...]:
    """At most `limit` of the examples (0 for all), in the order they came in."""
    if not 0 < limit < len(examples):
        return tuple(examples)
    chosen = sorted(random.Random(seed).sample(range(len(examples)), limit))
    return tuple(examples[index] for index in chosen)
