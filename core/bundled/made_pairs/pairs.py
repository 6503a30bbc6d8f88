"""A pair of sentences and what holds between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Label = Literal["entailment", "contradiction", "neutral"]
LABELS: tuple[Label, ...] = ("entailment", "contradiction", "neutral")


@dataclass(frozen=True, slots=True)
class MadePair:
    """Two sentences, their label, and the rule that made them."""

    rule: str
    label: Label
    sentence1: str
    sentence2: str
