"""One token opened down to its bytes, what normalisation changed, and the chat template."""

from __future__ import annotations

from core.i18n import Locale, translate
from core.text.input import visible
from core.text.types import ChatPreview, Token, Tokenization
from tabs._kit import pictures
from tabs._kit.pictures import Box
from tabs.tokens import pieces

MOST = 12  # characters of one token that are opened; rules rarely make longer ones


def describe(found: Tokenization, token: Token, locale: Locale) -> str:
    """The hint of a token: its piece in the vocabulary, its id, the characters it covers."""
    if token.sequence is None:
        return translate("tokens.hint.added", locale, piece=token.piece, id=token.id)
    characters = visible(found.original(token))
    return translate(
        "tokens.hint.token", locale, piece=token.piece, id=token.id, start=token.start, end=token.end,
        characters=characters,
    )  # fmt: skip


def card(found: Tokenization, focus: int, locale: Locale) -> str:
    """The characters of the chosen token, their UTF-8 bytes, and which token takes which byte."""
    if focus < 0:
        return ""
    token = found.tokens[focus]
    if token.sequence is None:
        told = translate("tokens.card.added", locale, piece=token.piece, id=token.id)
        return f'<div class="lab-card-open">{pictures.note(told)}</div>'
    group = next(group for group in found.groups if group.first <= focus < group.last)
    normalization = found.normalizations[token.sequence]
    characters = normalization.original[group.start : group.end]
    told = translate(
        "tokens.card.split" if group.last - group.first > 1 else "tokens.card.whole", locale,
        characters=visible(characters), tokens=group.last - group.first,
    )  # fmt: skip
    places = range(group.first, group.last)
    link = " ".join(f"t{place}" for place in places)
    letters = [Box(visible(letter), f"U+{ord(letter):04X}", link=link) for letter in characters[:MOST]]
    rows = pictures.token_boxes(letters, title=translate("tokens.card.letters", locale))
    if data := _bytes(found, group.first, group.last):
        boxes = [Box(f"{byte:02X}", str(found.tokens[place].id), place, link=f"t{place}") for byte, place in data]
        rows += pictures.token_boxes(boxes, title=translate("tokens.card.bytes", locale))
    elif not token.unknown:
        boxes = [Box(f"{byte:02X}", link=link) for byte in characters[:MOST].encode()]
        rows += pictures.token_boxes(boxes, title=translate("tokens.card.utf8", locale))
    if token.unknown:
        rows += pictures.note(translate("tokens.card.unknown", locale, piece=token.piece), kind="caution")
    return f'<div class="lab-card-open">{pictures.note(told)}{rows}</div>'


def _bytes(found: Tokenization, first: int, last: int) -> list[tuple[int, int]]:
    """(byte, token) in order, where the vocabulary is written in bytes."""
    return [(byte, place) for place in range(first, last) for byte in found.tokens[place].bytes]


def changes(found: Tokenization, locale: Locale) -> str:
    """Every difference between the text as typed and as normalised, with the rule that made it."""
    rows = [
        (
            visible(change.before),
            visible(change.after) or "∅",
            pieces.word_or("tokens.rule", change.rule, locale),
            pieces.word_or("tokens.kind", change.kind, locale),
        )
        for normalization in found.normalizations
        for change in normalization.changes
    ]
    gaps = [
        visible(normalization.original[start:end])
        for number, normalization in enumerate(found.normalizations)
        for start, end in found.uncovered(number)
    ]
    title = translate("tokens.changes", locale)
    if rows:
        names = [translate(f"tokens.change.{name}", locale) for name in ("before", "after", "rule", "kind")]
        told = pictures.table(names, rows, caption=title, headed=True)
    else:
        told = pictures.heading(title) + pictures.note(translate("tokens.no_changes", locale))
    if gaps:
        listed = " ".join(gaps[:20]) + (" …" if len(gaps) > 20 else "")
        told += pictures.note(translate("tokens.uncovered", locale, characters=listed))
    return told


def template(chat: ChatPreview | None, locale: Locale) -> str:
    """What a conversation becomes; for a tokenizer made for none, by a format that is said to be an example."""
    if chat is None:
        return ""
    inner = "".join(
        pictures.heading(translate(f"tokens.chat.{name}", locale)) + pictures.formula([text])
        for name, text in (("prompt", _by_lines(chat.text)), ("source", chat.template))
    )
    if chat.own:
        return pieces.folded(translate("tokens.chat", locale), inner)
    cut = translate(
        "tokens.chat.cut", locale, mark=chat.mark, count=len(chat.pieces), pieces=" ".join(map(visible, chat.pieces))
    )
    told = pictures.note(translate("tokens.chat.example", locale), kind="caution")
    return pieces.folded(translate("tokens.chat.other", locale), told + inner + pictures.note(cut))


def _by_lines(text: str) -> str:
    """A text with its lines and spaces as they are, and signs for what cannot be seen."""
    return "\n".join(visible(line).replace(visible(" "), " ") for line in text.split("\n"))
