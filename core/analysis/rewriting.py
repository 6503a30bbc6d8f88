"""A text and another version of it: what a model says of both, what each addition does, and which words carry it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

from core.data.examples import LabelledPair, LabelledText
from core.errors import InvalidInput
from core.tasks.attribution import Method, WordAttribution, attribute_words
from core.tasks.loaded import TaskModel, load_task_model, predict
from core.text.input import clean_text
from core.text.segmentation import segment

LONGEST = 500  # characters
MOST_ADDITIONS = 12
TASKS = ("classification", "pair-classification")

Change = Literal["same", "removed", "added"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A text and the probability of each label, in the order of the labels."""

    text: str
    probabilities: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Rewriting:
    """What becomes of a model's answer.

    `changes` are the words of both versions: those that stayed, were taken away, and came in. `additions` are the
    first text with one more phrase at its end each. `label` is what the model says of the first text; `words` are
    those of both versions, scored by what they do for that label.
    """

    source: str
    task: str
    labels: tuple[str, ...]
    premise: str
    before: Verdict
    after: Verdict
    changes: tuple[tuple[Change, str], ...]
    phrases: tuple[str, ...]
    additions: tuple[Verdict, ...]
    label: str
    words: tuple[WordAttribution, WordAttribution]


def rewrite(
    text: str, edited: str, source: str, *, premise: str = "", phrases: Sequence[str] = (), method: Method = "occlusion"
) -> Rewriting:
    """Ask a model about two versions of a text.

    Args:
        text: the first version; of a pair the second sentence.
        edited: the other version.
        source: a classifier of texts or pairs: a bundled name, a folder, or an id of the Hub.
        premise: the first sentence of a pair; nothing else reads it.
        phrases: what is put at the end of `text`, one at a time.
        method: how words are scored.

    Raises:
        InvalidInput: a text is empty or too long; ``error.analysis.no_classifier`` with ``source``;
            ``error.analysis.many_phrases`` with ``count`` and ``limit``; or as `core.tasks.attribution`.
        ModelUnavailable: as `core.tasks.loaded.load_task_model`.
    """
    for one in (text, edited):
        clean_text(one, limit=LONGEST, required=True)
    if len(phrases) > MOST_ADDITIONS:
        raise InvalidInput("error.analysis.many_phrases", count=len(phrases), limit=MOST_ADDITIONS)
    model = load_task_model(source)
    if model.task.name not in TASKS:
        raise InvalidInput("error.analysis.no_classifier", source=source)
    paired = model.task.name == "pair-classification"
    if paired:
        clean_text(premise, limit=LONGEST, required=True)
    before, after, *additions = _judge(model, premise, [text, edited, *(text + phrase for phrase in phrases)])
    labels = model.setup.labels
    label = labels[before.probabilities.index(max(before.probabilities))]
    read = [(premise, one) if paired else (one,) for one in (text, edited)]
    first, second = (attribute_words(texts, model, label=label, method=method) for texts in read)
    return Rewriting(
        source=source,
        task=model.task.name,
        labels=labels,
        premise=premise if paired else "",
        before=before,
        after=after,
        changes=compare_words(text, edited),
        phrases=tuple(phrases),
        additions=tuple(additions),
        label=label,
        words=(first, second),
    )


def compare_words(text: str, edited: str) -> tuple[tuple[Change, str], ...]:
    """Both versions in one row of words: what stayed, what was removed, what was added, in reading order."""
    first, second = _cut(text), _cut(edited)
    changes: list[tuple[Change, str]] = []
    for kind, a, b, c, d in SequenceMatcher(None, first, second, autojunk=False).get_opcodes():
        if kind == "equal":
            changes.append(("same", "".join(first[a:b])))
            continue
        if b > a:
            changes.append(("removed", "".join(first[a:b])))
        if d > c:
            changes.append(("added", "".join(second[c:d])))
    return tuple(changes)


def _cut(text: str) -> list[str]:
    """The words of a text; white space between two belongs to the one before."""
    starts = [word.start for word in segment(text)]
    starts = [0, *starts[1:]] if starts else [0]
    return [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]


def _judge(model: TaskModel, premise: str, texts: Sequence[str]) -> list[Verdict]:
    paired, any_label = model.task.name == "pair-classification", model.setup.labels[0]
    examples: list[Any] = [
        LabelledPair(premise, text, any_label) if paired else LabelledText(text, any_label) for text in texts
    ]
    return [
        Verdict(text, tuple(one.scores[label] for label in model.setup.labels))
        for text, one in zip(texts, predict(model, examples), strict=True)
    ]
