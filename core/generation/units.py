"""Cutting a text into the units that metrics count: words, sub-words or characters (book 7.3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from core.text.input import grapheme_spans
from core.text.segmentation import segment

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Unit = Literal["word", "subword", "character"]


def cut_text(text: str, *, unit: Unit = "word", tokenizer: PreTrainedTokenizerBase | None = None) -> tuple[str, ...]:
    """Cut a text into units, white space left out.

    Words are MeCab's with unidic-lite (the book's numbers are made with IPAdic: book.md P5), characters are what a
    reader calls so, and sub-words are the pieces of `tokenizer`, which that unit needs.

    Raises:
        InvalidInput: ``error.text.surrogate``.
        ModelUnavailable: ``error.text.no_dictionary``.
    """
    if unit == "word":
        units = [word.surface for word in segment(text)]
    elif unit == "character":
        units = [text[start:end] for start, end in grapheme_spans(text)]
    else:
        if tokenizer is None:
            raise ValueError("sub-words need a tokenizer")
        units = tokenizer.tokenize(text)
    return tuple(stripped for unit in units if (stripped := "".join(unit.split())))
