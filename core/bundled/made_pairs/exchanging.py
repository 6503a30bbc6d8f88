"""Words of a sentence exchanged: for their opposites, for other numbers, for other objects of the same verb."""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from core.bundled.made_pairs.pairs import Label
from core.bundled.made_pairs.predicates import Predicate, connect
from core.bundled.made_pairs.sentences import Form, Sentence
from core.bundled.made_pairs.words import RELATIONAL, word_set

T = TypeVar("T")
_NUMBER = re.compile(
    r"(?<!\d)(\d{1,4})(年(?!代)|月|日|時|人|名|歳|回|個|冊|匹|頭|台|本|枚|軒|件|社|校|か国|キロ|メートル|円|位)"
)
_LIGHT_VERBS = word_set(
    "する なる 成る 行う ない 持つ かかる かける つく つける 付く 取る とる 上げる あげる 受ける",
)
_ANTONYM_WORDS: Sequence[tuple[str, str]] = (
    *(("増加", "減少"), ("上昇", "下降"), ("上昇", "下落"), ("開始", "終了"), ("賛成", "反対"), ("勝利", "敗北")),
    *(("成功", "失敗"), ("拡大", "縮小"), ("改善", "悪化"), ("入場", "退場"), ("点灯", "消灯"), ("前進", "後退")),
    *(("増税", "減税"), ("出席", "欠席"), ("合格", "落第"), ("肯定", "否定"), ("許可", "禁止"), ("好転", "悪化")),
    *(("好き", "嫌い"), ("大好き", "大嫌い"), ("得意", "苦手"), ("上手", "下手"), ("安全", "危険"), ("便利", "不便")),
    *(("有利", "不利"), ("可能", "不可能"), ("好調", "不調"), ("黒字", "赤字"), ("簡単", "困難"), ("幸福", "不幸")),
    *(("有名", "無名"), ("清潔", "不潔"), ("満足", "不満"), ("金持ち", "貧乏")),
    *(("独身", "既婚"), ("北部", "南部"), ("東部", "西部"), ("男性", "女性"), ("長男", "次男")),
    *(("兄", "弟"), ("姉", "妹")),
)
_ANTONYM_ADJECTIVES: Sequence[tuple[str, str]] = (
    *(("高い", "低い"), ("高い", "安い"), ("大きい", "小さい"), ("長い", "短い"), ("広い", "狭い"), ("重い", "軽い")),
    *(("多い", "少ない"), ("強い", "弱い"), ("早い", "遅い"), ("速い", "遅い"), ("暑い", "寒い"), ("熱い", "冷たい")),
    *(("明るい", "暗い"), ("新しい", "古い"), ("良い", "悪い"), ("いい", "悪い"), ("近い", "遠い"), ("深い", "浅い")),
    *(("厚い", "薄い"), ("太い", "細い"), ("難しい", "易しい"), ("うまい", "まずい")),
    *(("楽しい", "つまらない"), ("美しい", "醜い"), ("おいしい", "まずい"), ("嬉しい", "悲しい")),
)
_ANTONYM_VERBS: Sequence[tuple[tuple[str, str], tuple[str, str]]] = (
    (("増える", "一段"), ("減る", "五段")),
    (("上がる", "五段"), ("下がる", "五段")),
    (("上げる", "一段"), ("下げる", "一段")),
    (("勝つ", "五段"), ("負ける", "一段")),
    (("開く", "五段"), ("閉まる", "五段")),
    (("開ける", "一段"), ("閉める", "一段")),
    (("始まる", "五段"), ("終わる", "五段")),
    (("始める", "一段"), ("終える", "一段")),
    (("広がる", "五段"), ("狭まる", "五段")),
    (("伸びる", "一段"), ("縮む", "五段")),
    (("高まる", "五段"), ("低下する", "サ変")),
    (("生きる", "一段"), ("死ぬ", "五段")),
    (("好む", "五段"), ("嫌う", "五段")),
    (("覚える", "一段"), ("忘れる", "一段")),
    (("売る", "五段"), ("買う", "五段")),
    (("登る", "五段"), ("下りる", "一段")),
    (("乗る", "五段"), ("降りる", "一段")),
    (("笑う", "五段"), ("泣く", "五段")),
    (("褒める", "一段"), ("叱る", "五段")),
    (("押す", "五段"), ("引く", "五段")),
    (("進む", "五段"), ("遅れる", "一段")),
    (("起きる", "一段"), ("寝る", "一段")),
    (("早まる", "五段"), ("遅れる", "一段")),
    (("強まる", "五段"), ("弱まる", "五段")),
    (("得る", "一段"), ("失う", "五段")),
    (("着く", "五段"), ("発つ", "五段")),
    (("太る", "五段"), ("痩せる", "一段")),
)


def _both_ways(pairs: Iterable[tuple[T, T]]) -> dict[T, list[T]]:
    """The opposites of each word."""
    found: dict[T, list[T]] = defaultdict(list)
    for one, other in pairs:
        found[one].append(other)
        found[other].append(one)
    return dict(found)


_WORDS = _both_ways(_ANTONYM_WORDS)
_ADJECTIVES = _both_ways(_ANTONYM_ADJECTIVES)
_VERBS: Mapping[str, Sequence[tuple[str, str]]] = {
    verb[0]: others for verb, others in _both_ways(_ANTONYM_VERBS).items()
}
_CONNECTED = _both_ways((connect(*one), connect(*other)) for one, other in _ANTONYM_VERBS)


def exchange(
    sentence: Sentence, companions: Mapping[tuple[str, str], Counter[str]], rng: random.Random
) -> Iterator[tuple[str, Label, Any]]:
    """Rules that exchange one word, their label, and the function from a form to the changed one."""
    for opposite in _opposites(sentence.form.predicate):
        yield (
            "antonym",
            "contradiction",
            lambda form, opposite=opposite: (
                Form(form.lead, opposite) if form.predicate == sentence.form.predicate else None
            ),
        )
    for phrase in sentence.lead:
        if (other := _other_number(phrase.text, rng)) is not None:
            yield "number", "contradiction", lambda form, old=phrase.text, new=other: form.swap(old, new)
    if found := find_object(sentence):
        key, text, noun = found
        seen = companions.get(key, Counter[str]())
        others = [one for one, times in seen.items() if times > 1 and not set(one) & set(noun)]
        if others:
            new = rng.choice(others) + text[len(noun) :]
            yield "noun", "neutral", lambda form: form.swap(text, new)


def _opposites(predicate: Predicate) -> Iterator[Predicate]:
    """Predicates of which the opposite word makes sense."""
    if predicate.negative:
        return
    if predicate.kind == "adjective":
        for other in _ADJECTIVES.get(predicate.base, ()):
            yield replace(predicate, base=other)
    for other in _WORDS.get(predicate.stem.removesuffix("して"), ()):
        if predicate.kind == "copula" or predicate.stem.endswith("して"):
            if not (predicate.kind == "copula" and predicate.stem.endswith("して")):
                yield replace(predicate, stem=other + "して" * predicate.stem.endswith("して"))
        elif predicate.base == "する":
            yield replace(predicate, stem=other)
    if not predicate.stem:
        for base, kind in _VERBS.get(predicate.base, ()):
            yield replace(predicate, base=base, kind=kind)
    elif predicate.base == "いる":
        for stem in _CONNECTED.get(predicate.stem, ()):
            yield replace(predicate, stem=stem)


def _other_number(text: str, rng: random.Random) -> str | None:
    """The phrase with another number that could stand there."""
    found = _NUMBER.search(text)
    if found is None or re.search(r"約|ほど|以|数", text):
        return None
    value, unit = int(found[1]), found[2]
    highest = {"月": 12, "日": 28, "時": 24, "年": max(value, 2025)}.get(unit, 10**6)
    spread = 30 if value > 1000 else max(3, value // 2)
    choices = [one for one in range(max(1, value - spread), min(highest, value + spread) + 1) if one != value]
    if not choices:
        return None
    return text[: found.start()] + str(rng.choice(choices)) + text[found.end(1) :]


def find_object(sentence: Sentence) -> tuple[tuple[str, str], str, str] | None:
    """What an action is done to, or what a predicate is said of: (particle and predicate, phrase, noun)."""
    phrase, last = sentence.phrases[-2], sentence.phrases[-1]
    before = sentence.phrases[-3] if len(sentence.phrases) > 2 else None
    head = last.tokens[0]
    if (
        phrase.tie not in ("を", "が")
        or len(phrase.tokens) != 2
        or phrase.tokens[0].pos[:2] != ("名詞", "普通名詞")
        or phrase.noun in RELATIONAL
        or sentence.form.predicate.kind == "copula"
        or (before is not None and before.tie in ("の", "rel", "bare", "と", "や", "other") and not before.comma)
        or head.pos[0] not in ("動詞", "形容詞", "名詞")
        or head.base in _LIGHT_VERBS
    ):
        return None
    return (phrase.tie, head.base), phrase.text, phrase.noun
