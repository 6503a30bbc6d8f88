"""Whether an answer is right: exact match and F1 for Japanese, as for JSQuAD (book 9.1, 9.2.2)."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence


def normalize_answer(text: str) -> str:
    """NFKC, lower case, without white space and punctuation; a text of punctuation alone keeps it.

    A mark is punctuation by Unicode (。、「」…・ and their like; ー and 々 are letters).
    """
    plain = unicodedata.normalize("NFKC", text).lower()
    kept = "".join(character for character in plain if unicodedata.category(character)[0] not in "PZC")
    return kept or "".join(plain.split())


def exact_match(predicted: str, golds: Sequence[str]) -> float:
    """1.0 when the answer equals one of the accepted ones after normalisation, else 0.0."""
    normal = normalize_answer(predicted)
    return float(any(normal == normalize_answer(gold) for gold in golds))


def answer_f1(predicted: str, golds: Sequence[str]) -> float:
    """The harmonic mean of precision and recall over characters, in [0, 1], by the accepted answer that fits best."""
    return max((_overlap(normalize_answer(predicted), normalize_answer(gold)) for gold in golds), default=0.0)


def _overlap(predicted: str, gold: str) -> float:
    if not predicted or not gold:
        return float(predicted == gold)
    shared = (Counter(predicted) & Counter(gold)).total()
    return 2 * shared / (len(predicted) + len(gold))
