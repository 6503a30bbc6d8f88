"""Rows that stand twice in a data set, put there on purpose: what a leak detector has to find (book 5.1.1)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

_FIRST_TEXTS = ("text", "first", "question", "body", "anchor")
_MARKS = "。．.！!？?"


def plant_copies(examples: Sequence[Any], *, share: float, seed: int) -> tuple[tuple[Any, ...], tuple[int, ...]]:
    """The examples, and after them copies of some: every other one word for word, the rest with another last mark.

    So look the posts that people share, and the articles that several papers print. A changed end leaves spans of
    entities where they are.

    Args:
        examples: of any kind with a text.
        share: copies per example, in [0, 1].
        seed: of the draw.

    Returns:
        All of them, and for each copy the index of the example that it is one of.
    """
    count = min(round(share * len(examples)), len(examples))
    chosen = sorted(random.Random(seed).sample(range(len(examples)), count))
    copies = (_vary(examples[index]) if number % 2 else replace(examples[index]) for number, index in enumerate(chosen))
    return (*examples, *copies), tuple(chosen)


def _vary(example: Any) -> Any:
    """The same example, but its first text ends with another mark."""
    name = next(name for name in _FIRST_TEXTS if hasattr(example, name))
    text = getattr(example, name)
    end = "！" if text.rstrip(_MARKS) + "！" != text else "。"
    return replace(example, **{name: text.rstrip(_MARKS) + end})
