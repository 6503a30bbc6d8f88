"""Long texts searched in pieces: a vector tells a paragraph better than a page (book 9.4).

Source of ranking a text by its best piece: Dai and Callan 2019, "Deeper text understanding for IR" (MaxP).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from core.search.hits import Floats

_SENTENCE = re.compile(r"[^。\n]*(?:[。\n]+|$)")


def split_sentences(text: str) -> list[str]:
    """Cut a text after full stops and line ends; joined again it is the text."""
    return [sentence for sentence in _SENTENCE.findall(text) if sentence]


def cut_windows(text: str, *, characters: int) -> list[str]:
    """Cut a text into windows of whole sentences, each beginning with the last sentence of the one before.

    Args:
        text: any text.
        characters: the longest window; only a sentence that is longer than that stands alone in a longer one.

    Returns:
        At least one window; the text itself where it is short enough.
    """
    sentences = split_sentences(text)
    windows: list[str] = []
    start = 0
    while start < len(sentences):
        end, length = start + 1, len(sentences[start])
        while end < len(sentences) and length + len(sentences[end]) <= characters:
            length += len(sentences[end])
            end += 1
        windows.append("".join(sentences[start:end]))
        beside = end < len(sentences) and len(sentences[end - 1]) + len(sentences[end]) <= characters
        start = end - 1 if beside and end - 1 > start else end
    return windows or [text]


def take_best(scores: Floats, owners: Sequence[int] | npt.NDArray[np.int64], *, count: int) -> Floats:
    """Score each text by its best window.

    Args:
        scores: (Q, W), of every query and window; more is better.
        owners: (W,), the text that each window was cut from, from 0 on.
        count: how many texts there are; each must own a window.

    Returns:
        (Q, count).

    Raises:
        ValueError: a text without a window.
    """
    places = np.asarray(owners, dtype=np.int64)
    if len(np.unique(places)) != count or (count and places.max() >= count):
        raise ValueError("every text must have a window, and every window a text")
    best = np.full((count, len(scores)), -np.inf, dtype=scores.dtype)
    np.maximum.at(best, places, scores.T)
    return best.T
