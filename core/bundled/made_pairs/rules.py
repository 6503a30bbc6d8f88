"""The rules: all the pairs that can be made from one sentence."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from core.bundled.made_pairs.exchanging import exchange
from core.bundled.made_pairs.pairs import MadePair
from core.bundled.made_pairs.sentences import Form, Sentence
from core.bundled.made_pairs.shortening import is_narrowed, reorder, shorten

_DATE = re.compile(r"\d+(?:年|月|日|時|分|世紀)")
# Denying the predicate would deny something else, or sound odd.
_VAGUE = re.compile(
    r"多|一部|いくつ|いくら|様々|さまざま|いろいろ|色々|少し|ちょっと|など|だけ|のみ|ばかり|ほど|くらい|ぐらい|"
    r"も|すべて|全|みな|皆|みんな|毎|各|いつ|常に|必ず|誰|何|どこ|ほとんど|よく|まだ|もう|すでに|既に|やっと|"
    r"ついに|なかなか|あまり|決して|むし|とて|非常|かなり|大変|まず|ある[^。]|者|人が|たちが|物が|数|半|割|最|"
    r"一番|より|次々|たび|しば|時々|たま|ながら|つつ"
)


def vary(
    sentence: Sentence,
    neighbours: Sequence[Sentence],
    companions: Mapping[tuple[str, str], Counter[str]],
    rng: random.Random,
) -> Iterator[MadePair]:
    """All pairs that the rules make from one sentence."""
    whole = sentence.form
    parts = [] if is_narrowed(sentence) else list(shorten(sentence))
    deniable = _is_deniable(sentence)
    yield MadePair("same", "entailment", whole.text, whole.text)
    yield MadePair("style", "entailment", *_either(whole, whole.restyle(), rng))
    if (other := reorder(sentence)) is not None:
        yield MadePair("reorder", "entailment", *_either(whole, other, rng))
    if deniable:
        yield MadePair("style", "entailment", *_either(whole.deny(), whole.deny().restyle(), rng))
        yield MadePair("negate", "contradiction", *_either(whole, _maybe_restyle(whole.deny(), rng), rng))
    for rule, part in parts:
        yield from _shortened(rule, whole, part, rng, deniable=deniable)
    for rule, label, change in exchange(sentence, companions, rng):
        if (changed := change(whole)) is None:
            continue
        yield MadePair(rule, label, *_either(whole, _maybe_restyle(changed, rng), rng))
        if rule == "noun" and deniable:
            yield MadePair("noun and negate", label, *_either(whole, changed.deny(), rng))
        for _, part in parts:
            if (short := change(part)) is not None and short != part:
                yield MadePair(f"{rule} and drop", label, whole.text, short.text)
    yield from _elsewhere(sentence, neighbours, rng)


def _shortened(rule: str, whole: Form, part: Form, rng: random.Random, *, deniable: bool) -> Iterator[MadePair]:
    """Pairs of a whole and a part that follows from it; of their opposites the whole follows from the part."""
    rule, inner = rule.removeprefix("inner "), rule.startswith("inner ")
    if not whole.predicate.negative or rule == "clause":
        yield MadePair(f"drop {rule}", "entailment", whole.text, _maybe_restyle(part, rng).text)
        yield MadePair(f"add {rule}", "neutral", part.text, _maybe_restyle(whole, rng).text)
    if not deniable or rule == "conjunct":
        return
    yield MadePair("negate and drop", "contradiction", whole.text, _maybe_restyle(part.deny(), rng).text)
    positive, negative = (part, whole.deny()) if not whole.predicate.negative else (part.deny(), whole)
    if rule == "clause":
        if part.predicate == whole.predicate:
            yield MadePair("drop clause before negation", "entailment", whole.deny().text, part.deny().text)
        yield MadePair("negate and add", "contradiction", part.deny().text, whole.text)
    elif rule == "adjunct" and not inner:
        short, long = (part, whole) if not whole.predicate.negative else (part.deny(), whole.deny())
        yield MadePair("negate and add", "contradiction", short.deny().text, long.text)
        yield MadePair("add under negation", "entailment", short.deny().text, long.deny().text)
        yield MadePair("drop under negation", "neutral", long.deny().text, short.deny().text)
        yield MadePair("add and negate", "neutral", *_either(positive, negative, rng))
    elif not whole.predicate.negative:
        yield MadePair("negate and add", "contradiction", part.deny().text, whole.text)


def _either(first: Form, second: Form, rng: random.Random) -> tuple[str, str]:
    """In one direction or the other, for what holds in both."""
    return (first.text, second.text) if rng.random() < 0.5 else (second.text, first.text)


def _maybe_restyle(form: Form, rng: random.Random) -> Form:
    return form.restyle() if rng.random() < 0.25 else form


def _is_deniable(sentence: Sentence) -> bool:
    text = "".join(sentence.form.lead)
    return (
        not _VAGUE.search(text)
        and not re.search(r"\d|[一二三四五六七八九十百千](?:人|つ|個|本|回)", _DATE.sub("", text))
        and all(token.pos[0] != "副詞" for phrase in sentence.phrases for token in phrase.tokens)
        and sentence.form.predicate.base not in ("しまう", "いく", "過ぎる", "始める", "続ける", "みる")
    )


def _elsewhere(sentence: Sentence, neighbours: Sequence[Sentence], rng: random.Random) -> Iterator[MadePair]:
    """Another sentence of the same document about some of the same things."""
    near = [other for other in neighbours if other is not sentence and other.nouns & sentence.nouns]
    if near:
        other = rng.choice(near).form
        if rng.random() < 0.25:
            other = other.restyle()
        yield MadePair("elsewhere", "neutral", sentence.form.text, other.text)
