"""The end of a sentence, taken apart so that it can be denied or said politely, and put together again."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Token:
    """A word as MeCab tells it, with what it needs to be conjugated."""

    surface: str
    pos: tuple[str, str, str]
    conjugation: str
    form: str
    base: str


@dataclass(frozen=True, slots=True)
class Predicate:
    """The end of a sentence, taken apart so that it can be denied, or said politely."""

    stem: str
    base: str
    kind: str
    past: bool
    polite: bool
    negative: bool

    def render(self) -> str:
        """Put it together again."""
        return self.stem + _ENDINGS[self.kind](self)


_COPULAS: Mapping[str, tuple[str, bool, bool, bool]] = {
    "ではありませんでした": ("だ", True, True, True),
    "ではありません": ("だ", False, True, True),
    "ではなかった": ("だ", True, False, True),
    "ではない": ("だ", False, False, True),
    "であった": ("である", True, False, False),
    "である": ("である", False, False, False),
    "だった": ("だ", True, False, False),
    "でした": ("だ", True, True, False),
    "です": ("だ", False, True, False),
    "だ": ("だ", False, False, False),
}
"""Endings of nouns: base, past, polite, negative."""
_VERB_TAILS: Mapping[str, tuple[bool, bool, bool]] = {
    "": (False, False, False),
    "た": (True, False, False),
    "だ": (True, False, False),
    "ます": (False, True, False),
    "ました": (True, True, False),
    "ません": (False, True, True),
    "ませんでした": (True, True, True),
    "ない": (False, False, True),
    "なかった": (True, False, True),
    "ないです": (False, True, True),
    "なかったです": (True, True, True),
}
"""What follows a verb: past, polite, negative."""
_ADJECTIVE_TAILS: Mapping[str, tuple[bool, bool]] = {
    "": (False, False),
    "た": (True, False),
    "です": (False, True),
    "たです": (True, True),
}


def read_predicate(tokens: Sequence[Token]) -> Predicate | None:
    """Take the last words of a statement apart; None where they are no predicate that is known here."""
    text = "".join(token.surface for token in tokens)
    for ending, (base, past, polite, negative) in _COPULAS.items():
        stem = text.removesuffix(ending)
        if stem == text or not stem:
            continue
        words = _before(tokens, len(stem))
        if words and words[-1].pos[0] in ("名詞", "形状詞", "接尾辞", "代名詞"):
            return Predicate(stem, base, "copula", past, polite, negative)
    place = max(
        (
            number
            for number, token in enumerate(tokens)
            if token.pos[0] in ("動詞", "形容詞") or re.search("助動詞-(?:ラ?レル)|下一段-サ行", token.conjugation)
        ),
        default=-1,
    )
    if place < 0:
        return None
    head = tokens[place]
    stem = "".join(token.surface for token in tokens[:place])
    tail = "".join(token.surface for token in tokens[place + 1 :])
    if head.form.startswith(("命令形", "意志推量形")) or any(token.pos[0] == "助詞" for token in tokens[place + 1 :]):
        return None
    if head.pos[0] == "形容詞":
        if tail not in _ADJECTIVE_TAILS or not head.base.endswith("い"):
            return None
        past, polite = _ADJECTIVE_TAILS[tail]
        if head.base == "ない":
            before = tokens[place - 1] if place else None
            if before is None:
                return Predicate(stem, "ある", "aru", past, polite, negative=True)
            if before.pos[0] != "形容詞" or not before.form.startswith("連用形"):
                return None
            stem = "".join(token.surface for token in tokens[: place - 1])
            return Predicate(stem, before.base, "adjective", past, polite, negative=True)
        return Predicate(stem, head.base, "adjective", past, polite, negative=False)
    kind = _verb_kind(head)
    if kind == "aru" and stem.endswith(("で", "では")):
        return None
    if kind is None or tail not in _VERB_TAILS:
        return None
    past, polite, negative = _VERB_TAILS[tail]
    return Predicate(stem, head.base, kind, past, polite, negative)


def _before(tokens: Sequence[Token], length: int) -> list[Token]:
    """The words that make up just so many characters; none if one reaches over the border."""
    found: list[Token] = []
    for token in tokens:
        if length <= 0:
            break
        found.append(token)
        length -= len(token.surface)
    return found if length == 0 else []


def _verb_kind(token: Token) -> str | None:
    if token.base == "ある":
        return "aru"
    if token.conjugation.startswith("五段") and token.base[-1] in _ROWS and not token.base.endswith(("問う", "請う")):
        return "五段"
    if token.conjugation.startswith(("上一段", "下一段", "助動詞-レル", "助動詞-ラレル")) and token.base.endswith("る"):
        return "一段"
    if token.conjugation == "サ行変格" and token.base.endswith("する"):
        return "サ変"
    if token.conjugation == "カ行変格" and token.base in ("来る", "くる"):
        return "カ変"
    return None


_ROWS: Mapping[str, tuple[str, str, str]] = {
    "う": ("わ", "い", "った"),
    "く": ("か", "き", "いた"),
    "ぐ": ("が", "ぎ", "いだ"),
    "す": ("さ", "し", "した"),
    "つ": ("た", "ち", "った"),
    "ぬ": ("な", "に", "んだ"),
    "ぶ": ("ば", "び", "んだ"),
    "む": ("ま", "み", "んだ"),
    "る": ("ら", "り", "った"),
}
"""Last character of a 五段 verb: before ない, before ます, and its past."""


def conjugate(base: str, kind: str) -> tuple[str, str, str]:
    """What a verb looks like before ない, before ます, and in the past."""
    if kind == "五段":
        negative, polite, past = _ROWS[base[-1]]
        if base.endswith(("行く", "いく")):
            past = "った"
        return base[:-1] + negative, base[:-1] + polite, base[:-1] + past
    if kind == "サ変":
        return base[:-2] + "し", base[:-2] + "し", base[:-2] + "した"
    if kind == "カ変":
        short = "来" if base == "来る" else ""
        return short or "こ", short or "き", (short or "き") + "た"
    return base[:-1], base[:-1], base[:-1] + "た"


def connect(base: str, kind: str) -> str:
    """What a verb looks like before いる."""
    past = conjugate(base, kind)[2]
    return past[:-1] + {"た": "て", "だ": "で"}[past[-1]]


def _verb_ending(predicate: Predicate) -> str:
    negative, polite, past = conjugate(predicate.base, predicate.kind)
    if predicate.polite:
        tails = ("ません", "ませんでした") if predicate.negative else ("ます", "ました")
        return polite + tails[predicate.past]
    if predicate.negative:
        return negative + ("なかった" if predicate.past else "ない")
    return past if predicate.past else predicate.base


def _aru_ending(predicate: Predicate) -> str:
    if predicate.negative and not predicate.polite:
        return "なかった" if predicate.past else "ない"
    return _verb_ending(replace(predicate, kind="五段"))


def _adjective_ending(predicate: Predicate) -> str:
    root = "よ" if predicate.base == "いい" else predicate.base[:-1]
    if predicate.negative:
        text = root + ("くなかった" if predicate.past else "くない")
    else:
        text = root + "かった" if predicate.past else predicate.base
    return text + "です" * predicate.polite


def _copula_ending(predicate: Predicate) -> str:
    if predicate.negative:
        if predicate.polite:
            return "ではありませんでした" if predicate.past else "ではありません"
        return "ではなかった" if predicate.past else "ではない"
    if predicate.polite:
        return "でした" if predicate.past else "です"
    if predicate.base == "である":
        return "であった" if predicate.past else "である"
    return "だった" if predicate.past else "だ"


_ENDINGS: Mapping[str, Any] = {
    "五段": _verb_ending,
    "一段": _verb_ending,
    "サ変": _verb_ending,
    "カ変": _verb_ending,
    "aru": _aru_ending,
    "adjective": _adjective_ending,
    "copula": _copula_ending,
}
