"""Words by MeCab with the dictionary unidic-lite, each with its place in the text (book 3.6.3)."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import ModelUnavailable
from core.text.input import refuse_surrogates
from core.text.types import Word

# Fields of UniDic 2.1 and later: part of speech (four levels), dictionary form as written, reading.
_UNIDIC_POS, _UNIDIC_BASE, _UNIDIC_READING = slice(0, 4), 10, 17
# Fields of IPAdic.
_IPADIC_POS, _IPADIC_BASE, _IPADIC_READING = slice(0, 4), 6, 7


@dataclass(frozen=True)
class Mecab:
    """A MeCab tagger and the lock that every use of it takes: its nodes live only until the next sentence."""

    tagger: Any
    lock: Any

    def words(self, text: str) -> tuple[Word, ...]:
        """Words of one text, as far as MeCab reads (it stops at a NUL character)."""
        with self.lock:
            return tuple(_words(self.tagger(text)))


@functools.cache
def load_mecab() -> Mecab:
    """The shared tagger.

    Raises:
        ModelUnavailable: ``error.text.no_dictionary`` when fugashi or unidic-lite is not installed or not usable.
    """
    try:
        import fugashi
        import unidic_lite

        tagger = fugashi.GenericTagger(f'-d "{unidic_lite.DICDIR}" -r "{unidic_lite.DICDIR}/mecabrc"')
    except (ImportError, RuntimeError) as error:
        raise ModelUnavailable("error.text.no_dictionary") from error
    return Mecab(tagger, threading.Lock())


def segment(text: str) -> tuple[Word, ...]:
    """Cut a text into words; white space between them belongs to none.

    Args:
        text: any text; a NUL character, at which MeCab stops reading, is stepped over.

    Raises:
        InvalidInput: ``error.text.surrogate``.
        ModelUnavailable: ``error.text.no_dictionary``.
    """
    refuse_surrogates(text)
    mecab = load_mecab()
    words: list[Word] = []
    start = 0
    for part in text.split("\0"):
        words.extend(move(word, start) for word in mecab.words(part))
        start += len(part) + 1
    return tuple(words)


def move(word: Word, distance: int) -> Word:
    """The same word, further along in a text."""
    return Word(word.surface, word.start + distance, word.end + distance, word.pos, word.reading, word.base, word.known)


def _words(nodes: Sequence[Any]) -> Iterator[Word]:
    place = 0
    for node in nodes:
        surface = node.surface
        start = place + len(node.white_space)
        place = start + len(surface)
        feature = node.feature
        if len(feature) > _UNIDIC_READING:
            pos, base, reading = feature[_UNIDIC_POS], feature[_UNIDIC_BASE], feature[_UNIDIC_READING]
        elif len(feature) > _IPADIC_READING:
            pos, base, reading = feature[_IPADIC_POS], feature[_IPADIC_BASE], feature[_IPADIC_READING]
        else:
            pos, base, reading = feature[:4], "", ""
        yield Word(
            surface,
            start,
            place,
            tuple(level for level in pos if level not in ("*", "")),
            _told(reading),
            _told(base),
            not node.is_unk,
        )


def _told(field: str | None) -> str:
    return "" if field in (None, "*") else str(field)
