"""Pieces of vocabularies made readable: ``##`` and ``▁``, byte-level letters, bytes in angle brackets."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from types import MappingProxyType

from core.text.input import visible
from core.text.types import Family

_KEPT = 1 << 16  # pieces read before; a visitor types the same ones again and again
_FALLBACK = re.compile(r"<0x([0-9A-F]{2})>")


@functools.cache
def byte_letters() -> Mapping[str, int]:
    """The letter that byte-level BPE writes for each byte, and that byte.

    Printable Latin-1 letters stand for themselves, the other bytes for the letters from U+0100 on, in order.
    Source: GPT-2's tokenizer.
    """
    printable = (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))
    others = [byte for byte in range(256) if byte not in printable]
    letters = {chr(byte): byte for byte in printable} | {chr(0x100 + rank): byte for rank, byte in enumerate(others)}
    return MappingProxyType(letters)


@functools.lru_cache(maxsize=_KEPT)
def piece_bytes(piece: str, family: Family) -> tuple[int, ...]:
    """The UTF-8 bytes a piece stands for, where it is written in bytes; empty where it is written in characters."""
    if family == "byte-bpe":
        letters = byte_letters()
        return tuple(letters[letter] for letter in piece) if all(letter in letters for letter in piece) else ()
    fallback = _FALLBACK.fullmatch(piece)
    return (int(fallback[1], 16),) if fallback else ()


def plain_piece(piece: str, family: Family, *, continues: bool) -> str:
    """A piece written in characters as it stands in the normalised text: without ``##``, with spaces for ``▁``."""
    if family in ("wordpiece", "mecab-wordpiece"):
        return piece.removeprefix("##") if continues else piece
    return piece.replace("▁", " ") if family in ("unigram", "bpe") else piece


@functools.lru_cache(maxsize=_KEPT)
def readable_piece(piece: str, family: Family, *, continues: bool) -> str:
    """A piece for the eye: ``##`` dropped, ``▁`` kept, bytes decoded where they make characters, never a new U+FFFD."""
    data = piece_bytes(piece, family)
    if data:
        return readable_bytes(bytes(data))
    return visible(piece.removeprefix("##") if continues and family in ("wordpiece", "mecab-wordpiece") else piece)


def readable_bytes(data: bytes) -> str:
    """Bytes as text; a byte that is only a part of a character reads ``⟨E9⟩``."""
    text = data.decode(errors="surrogateescape")  # a stray byte 0xE9 becomes U+DCE9, which no valid text holds
    return "".join(
        f"⟨{ord(run[0]) - 0xDC00:02X}⟩" if "\udc80" <= run[0] <= "\udcff" else visible(run)
        for run in re.findall("[\udc80-\udcff]|[^\udc80-\udcff]+", text)
    )
