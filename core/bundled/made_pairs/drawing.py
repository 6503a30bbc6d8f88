"""Pairs drawn from documents: as many of each label, and the rules in their shares."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from core.bundled.gathering import RUNNING_TEXT, Gathered, Row, draw, read_lines
from core.bundled.made_pairs.exchanging import find_object
from core.bundled.made_pairs.pairs import LABELS, Label, MadePair
from core.bundled.made_pairs.rules import vary
from core.bundled.made_pairs.sentences import LONGEST, SHORTEST, read_sentence, split_sentences

SOURCES: Mapping[str, float] = {
    "tanaka": 0.2,
    "wikinews_train": 0.1,
    "jaquad_train_contexts": 0.15,
    "kyoto_wiki": 0.2,
    "real_persona_chat": 0.15,
    "economy_watchers_comments": 0.12,
    "jawiki_country": 0.08,
}
"""The texts to draw from, and which share of the documents comes from each."""
SHARES: Mapping[Label, Mapping[str, float]] = {
    "entailment": {
        "drop adjunct": 22,
        "drop clause": 9,
        "drop relative": 6,
        "drop modifier": 9,
        "drop conjunct": 3,
        "reorder": 5,
        "style": 16,
        "add under negation": 8,
        "drop clause before negation": 4,
        "same": 4,
    },
    "contradiction": {
        "negate": 24,
        "negate and drop": 22,
        "negate and add": 15,
        "antonym": 14,
        "antonym and drop": 4,
        "number": 14,
        "number and drop": 5,
    },
    "neutral": {
        "add adjunct": 16,
        "add clause": 8,
        "add relative": 6,
        "add modifier": 8,
        "add conjunct": 2,
        "drop under negation": 9,
        "add and negate": 7,
        "noun": 12,
        "noun and drop": 1,
        "noun and negate": 6,
        "elsewhere": 18,
    },
}
"""How the pairs of each label are to be shared among the rules, as far as the text yields them."""
# So much of what is wanted has to keep to the shares; the rest is filled up by the commoner rules.
_ENOUGH = 0.85


def gather_made_pairs(data: Path, *, pairs: int, seed: int) -> Gathered:
    """Pairs made from articles, conversations, comments and plain examples; nothing to validate by."""
    rows = make_pairs(read_documents(data, seed=seed), count=pairs, seed=seed)
    return Gathered(rows, [], ((RUNNING_TEXT, len(rows)),))


def read_documents(data: Path, *, seed: int, documents: int = 40_000) -> list[str]:
    """Documents of the running text, drawn and mixed by a seed."""
    drawn: list[str] = []
    for name, share in SOURCES.items():
        texts = [row["text"] for row in read_lines(data / RUNNING_TEXT.folder / f"{name}.jsonl.gz")]
        drawn += draw(texts, round(share * documents), seed=seed)
    return draw(drawn, len(drawn), seed=seed)


def make_pairs(texts: Iterable[str], *, count: int, seed: int) -> list[Row]:
    """Make pairs of the three labels, a third each; fewer where the texts do not yield so many.

    Args:
        texts: documents, their paragraphs parted by line ends; no more of them are read than needed.
        count: how many pairs.
        seed: which of the possible pairs.

    Returns:
        Rows with ``sentence1``, ``sentence2`` and ``label``, shuffled.
    """
    return [
        {"sentence1": pair.sentence1, "sentence2": pair.sentence2, "label": pair.label}
        for pair in draw_pairs(texts, count=count, seed=seed)
    ]


def draw_pairs(texts: Iterable[str], *, count: int, seed: int) -> list[MadePair]:
    """The pairs of `make_pairs`, each with its rule.

    A sentence gives at most one pair of each label, so that no sentence tells a label by itself; of the rules that
    could make it, the one furthest behind its share does.
    """
    rng = random.Random(seed)
    wanted = {label: count // 3 + (number < count % 3) for number, label in enumerate(LABELS)}
    caps = {
        (label, rule): share / sum(SHARES[label].values()) * wanted[label]
        for label in LABELS
        for rule, share in SHARES[label].items()
    }
    made: dict[Label, list[MadePair]] = {label: [] for label in LABELS}
    spare: dict[Label, list[MadePair]] = {label: [] for label in LABELS}
    rules: Counter[tuple[Label, str]] = Counter()
    for options in read_options(texts, rng):
        for label in LABELS:
            found = [pair for pair in options if pair.label == label]
            if not found or len(made[label]) >= wanted[label]:
                continue
            rng.shuffle(found)
            pair = min(found, key=lambda one: rules[label, one.rule] / caps[label, one.rule])
            if rules[label, pair.rule] < caps[label, pair.rule]:
                rules[label, pair.rule] += 1
                made[label].append(pair)
            elif len(spare[label]) < wanted[label] and pair.rule != "same":
                spare[label].append(pair)
        if all(
            len(made[label]) >= _ENOUGH * wanted[label] and len(made[label]) + len(spare[label]) >= wanted[label]
            for label in LABELS
        ):
            break
    full = {label: [*made[label], *spare[label]][: wanted[label]] for label in LABELS}
    fewest = min(map(len, full.values()))
    pairs = [pair for label in LABELS for pair in full[label][: fewest + (len(full[label]) > fewest == count // 3)]]
    rng.shuffle(pairs)
    return pairs


def read_options(texts: Iterable[str], rng: random.Random) -> Iterator[list[MadePair]]:
    """For each sentence that can be varied, the pairs that can be made from it."""
    companions: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    seen: set[str] = set()
    for text in texts:
        parts = [part for part in dict.fromkeys(split_sentences(text)) if part not in seen]
        seen.update(parts)
        sentences = [sentence for part in parts if (sentence := read_sentence(part))]
        for sentence in sentences:
            if found := find_object(sentence):
                companions[found[0]][found[2]] += 1
        for sentence in sentences:
            options = [pair for pair in vary(sentence, sentences, companions, rng) if _is_fit(pair)]
            if options:
                yield [_finish(pair, rng) for pair in options]


def _is_fit(pair: MadePair) -> bool:
    return all(SHORTEST <= len(text) <= LONGEST for text in (pair.sentence1, pair.sentence2)) and (
        (pair.sentence1 == pair.sentence2) == (pair.rule == "same")
    )


def _finish(pair: MadePair, rng: random.Random) -> MadePair:
    """Full stops on both sides, on none, or seldom on one: never a sign of the label."""
    first = "。" if rng.random() < 0.6 else ""
    second = first if rng.random() < 0.9 else "。"
    return replace(pair, sentence1=pair.sentence1 + first, sentence2=pair.sentence2 + second)
