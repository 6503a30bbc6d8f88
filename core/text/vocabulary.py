"""What is in a tokenizer's vocabulary: search, scripts, and whether a word is a single token."""

from __future__ import annotations

import functools
import unicodedata
from collections import Counter
from dataclasses import dataclass
from typing import Literal, get_args

from core.text.pieces import piece_bytes, readable_piece
from core.text.tokenization import tokenize
from core.text.tokenizers import SubwordTokenizer

Script = Literal["kanji", "hiragana", "katakana", "mixed", "latin", "digits", "symbols", "bytes", "special", "other"]
"""Writing of a piece: ``mixed`` is Japanese in more than one script, ``bytes`` a part of a character."""

Match = Literal["prefix", "substring", "exact"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A piece of a vocabulary; ``text`` is what it stands for (without ``##`` and ``▁``), ``surface`` made readable."""

    id: int
    piece: str
    text: str
    surface: str
    script: Script
    continues: bool


@dataclass(frozen=True, slots=True)
class Found:
    """The first entries of a search, by id, and how many there are in all."""

    total: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Membership:
    """Whether a text is one token: its id if so, else None; and the (readable) pieces it becomes."""

    text: str
    id: int | None
    pieces: tuple[str, ...]
    unknown: bool


@functools.lru_cache(maxsize=8)
def list_entries(tokenizer: SubwordTokenizer) -> tuple[Entry, ...]:
    """The whole vocabulary, by id."""
    special = tokenizer.special_ids | tokenizer.added
    return tuple(
        _describe(number, piece, tokenizer, special=number in special)
        for number, piece in enumerate(tokenizer.pieces)
        if piece
    )


def search(
    tokenizer: SubwordTokenizer,
    query: str = "",
    *,
    match: Match = "prefix",
    script: Script | None = None,
    continues: bool | None = None,
    limit: int = 100,
) -> Found:
    """Find pieces by what they stand for: beginning with, containing or being the query.

    Args:
        tokenizer: whose vocabulary.
        query: text without ``##`` or ``▁``; empty finds everything.
        match: how it must match.
        script: only pieces of this script.
        continues: only pieces that continue a word (True), or only pieces that begin one (False).
        limit: most entries returned; the total counts all.
    """
    hits = [
        entry
        for entry in list_entries(tokenizer)
        if (script is None or entry.script == script)
        and (continues is None or entry.continues == continues)
        and _matches(entry.text, query, match)
    ]
    return Found(len(hits), tuple(hits[:limit]))


def find_exact(tokenizer: SubwordTokenizer, text: str) -> Membership:
    """Say whether a text is a single token, cut as the tokenizer cuts it (``量子`` may be, ``量子力学`` may not).

    Raises:
        InvalidInput: ``error.text.surrogate``.
    """
    # A ▁ of its own is only the sign for the border before a word.
    tokens = [token for token in tokenize(text, tokenizer).content() if token.end > token.start]
    single = tokens[0].id if len(tokens) == 1 and not tokens[0].unknown else None
    return Membership(text, single, tuple(token.surface for token in tokens), any(token.unknown for token in tokens))


def count_scripts(tokenizer: SubwordTokenizer) -> tuple[tuple[Script, int], ...]:
    """How many pieces each script has, in the order of `Script`."""
    counts = Counter(entry.script for entry in list_entries(tokenizer))
    return tuple((script, counts[script]) for script in get_args(Script))


def classify(text: str) -> Script:
    """The script of a text; marks that lengthen or repeat (ー 々) count with kana and kanji."""
    scripts = {_classify_character(character) for character in text}
    letters = scripts - {"symbols"}
    if not letters:
        return "symbols"
    if len(letters) == 1:
        return letters.pop()
    return "mixed" if letters <= {"kanji", "hiragana", "katakana"} else "other"


def _classify_character(character: str) -> Script:
    name = unicodedata.name(character, "")
    category = unicodedata.category(character)
    if name.startswith("HIRAGANA"):
        return "hiragana"
    if name.startswith(("KATAKANA", "HALFWIDTH KATAKANA")) and category[0] != "P":
        return "katakana"
    if (name.startswith("CJK") and category == "Lo") or character in "々〆〇":
        return "kanji"
    if category == "Nd":
        return "digits"
    if "LATIN" in name and category[0] == "L":
        return "latin"
    return "other" if category[0] == "L" else "symbols"


def _describe(number: int, piece: str, tokenizer: SubwordTokenizer, *, special: bool) -> Entry:
    family = tokenizer.family
    data = bytes(piece_bytes(piece, family))
    if special:
        return Entry(number, piece, piece, piece, "special", False)
    if data:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            return Entry(number, piece, "", readable_piece(piece, family, continues=False), "bytes", False)
    elif family in ("wordpiece", "mecab-wordpiece"):
        text = piece.removeprefix("##") if len(piece) > 2 else piece
    else:
        text = piece.removeprefix("▁") or piece
    marked = family in ("wordpiece", "mecab-wordpiece")
    continues = text != piece if marked else not piece.startswith(("▁", "Ġ"))
    surface = readable_piece(piece, family, continues=continues)
    return Entry(number, piece, text.strip() or text, surface, classify(text.strip()), continues)


def _matches(text: str, query: str, match: Match) -> bool:
    if match == "prefix":
        return text.startswith(query)
    return query in text if match == "substring" else text == query
