"""What visitors type: checked before use, and shown so that nothing in it stays invisible."""

from __future__ import annotations

import unicodedata
from types import MappingProxyType

import regex  # type: ignore[import-untyped]

from core.errors import InvalidInput
from core.text.types import Span

ZERO_WIDTH_JOINER = "\u200d"
_GRAPHEME = regex.compile(r"\X")

# Signs for characters that would otherwise be seen as nothing, or as something else.
_SIGNS = MappingProxyType(
    {
        " ": "␣",
        "\u3000": "□",
        "\u00a0": "⍽",
        "\t": "→",
        "\n": "⏎",
        "\x7f": "␡",
        "\x85": "␤",
        "\u00ad": "⟨SHY⟩",
        "\u200b": "⟨ZWSP⟩",
        "\u200c": "⟨ZWNJ⟩",
        "\u200d": "⟨ZWJ⟩",
        "\u200e": "⟨LRM⟩",
        "\u200f": "⟨RLM⟩",
        "\u2028": "⟨LS⟩",
        "\u2029": "⟨PS⟩",
        "\u2060": "⟨WJ⟩",
        "\ufeff": "⟨BOM⟩",
        "\u3164": "⟨HF⟩",
    }
)


def clean_text(text: str, *, limit: int, required: bool = False) -> str:
    """Return a text as it is, or say why it cannot be used; control characters stay, `visible` shows them.

    Args:
        text: what the visitor typed.
        limit: most characters (code points) allowed.
        required: whether a text without any visible character is refused too.

    Raises:
        InvalidInput: ``error.text.too_long`` (length, limit), ``error.text.surrogate`` (count, position from 1;
            half of a character, which no encoding can store), ``error.text.empty``.
    """
    if len(text) > limit:
        raise InvalidInput("error.text.too_long", length=len(text), limit=limit)
    refuse_surrogates(text)
    if required and not text.strip():
        raise InvalidInput("error.text.empty")
    return text


def refuse_surrogates(text: str) -> None:
    """Refuse a text that holds half characters (lone surrogates), which tokenizers cannot encode.

    Raises:
        InvalidInput: ``error.text.surrogate`` (count, position from 1).
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        count = sum("\ud800" <= character <= "\udfff" for character in text)
        raise InvalidInput("error.text.surrogate", count=count, position=error.start + 1) from None


def grapheme_spans(text: str) -> tuple[Span, ...]:
    """Spans of what a reader calls one character (👩‍👩‍👧, か with a combining ゛, CRLF), in order and without gaps.

    Source: Unicode Standard Annex 29, extended grapheme clusters.
    """
    return tuple(match.span() for match in _GRAPHEME.finditer(text))


def visible(text: str) -> str:
    """Replace white space, control and format characters by signs; a joiner inside an emoji stays as it is.

    Space ``␣``, full-width space ``□``, tab ``→``, newline ``⏎``, other controls their control picture (``␀``),
    zero-width and unassigned characters their name or number (``⟨ZWJ⟩``, ``⟨U+E000⟩``), a lone combining mark on ``◌``.
    """
    return "".join(_visible_grapheme(text[start:end]) for start, end in grapheme_spans(text))


def _visible_grapheme(grapheme: str) -> str:
    base = _sign(grapheme[0])
    if len(grapheme) == 1 or grapheme == "\r\n" or base != grapheme[0]:
        return base + "".join(_sign(character) for character in grapheme[1:])
    # Joiners, selectors and marks belong to the visible base before them; a trailing joiner joins nothing.
    ends = grapheme.endswith(ZERO_WIDTH_JOINER)
    inner = grapheme.removesuffix(ZERO_WIDTH_JOINER)
    return inner + (_sign(ZERO_WIDTH_JOINER) if ends else "")


def _sign(character: str) -> str:
    if character in _SIGNS:
        return _SIGNS[character]
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if 0xFE00 <= code <= 0xFE0F:
        return f"⟨VS{code - 0xFE00 + 1}⟩"
    if 0xE0100 <= code <= 0xE01EF:
        return f"⟨VS{code - 0xE0100 + 17}⟩"
    category = unicodedata.category(character)
    if category[0] == "M":
        return "◌" + character
    if category[0] in "CZ":
        return f"⟨U+{code:04X}⟩"
    return character
