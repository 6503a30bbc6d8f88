"""What can be left out of a sentence, or said elsewhere in it, so that it follows from the whole."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise

from core.bundled.made_pairs.predicates import read_predicate
from core.bundled.made_pairs.sentences import Form, Phrase, Sentence
from core.bundled.made_pairs.words import ANAPHORIC, RELATIONAL, TIME_WORDS, word_set

# What is left would say more than the whole did.
_NARROWED = re.compile(
    r"だけ|のみ|ばかり|ほど|くらい|ぐらい|より|まで|最|一番|すべて|全|みな|皆|みんな|毎|各|いつ|常に|必ず|誰|"
    r"何|どこ|どの|どち|どれ|ほとんど|初めて|はじめて|唯一|一つ|ひとつ|禁|無|非|不|減|否|拒|異|疑|嘘|失|避|"
    r"やめ|辞|防|忘|以来|ごと|率|割合|平均|合計|同じ|少な|多|珍|除|当たる|あたる|相当|代表"
)
_TIME = re.compile(rf"(?:{'|'.join(sorted(TIME_WORDS))}|\d(?:年|月|日|時|分)|時代|世紀|頃|ごろ)$")
_DE_COMPLEMENTS = re.compile(
    r"知ら|有名|構成|過ご|暮ら|推移|済|でき|終|呼|言|な[るりっ]|十分|良|よ[いくか]|足り|満|一致|異|埋|溢|あふ|"
    r"覆|占|飾|統一|合格|始|囲|引退|辞|表|共通|いい|同|最|あ[るりっ]|分か|区|話|通|活躍|働|育|勤|進|動|"
    r"作[らっり]|造[らっり]"
)
_TOGETHER = re.compile(
    r"結婚|離婚|会|話|戦|争|違|比|同|似|結|分|間|一緒|協力|合|対|離|別|異|両|共|関係|仲|交|含|加|並|つな|繋|"
    r"い[うっ]"
)
_NO_PLACES = tuple(
    word_set(
        "人 方 中 上 点 的 歳 年 位 円 形 一つ 横ばい ペース 状態 感じ 形式 意味 手 気 勢い 目的 性 身 系 型 製",
        "別枠 在宅 方法 順 単位 名義",
    )
)
_TIME_VERBS = word_set(
    "なる 成る する かける 掛ける いたる 至る わたる 渡る 入る はいる 向ける 続く 及ぶ 遡る さかのぼる 迫る",
    "限る 当る 当たる 属する",
)
_PEOPLE = re.compile(r"[子者人父母兄弟姉妹夫妻友達員生長親君王帝]$|さん|たち|友だち")
_COMPARED = re.compile(r"増|減|伸|落|上|下|高|低|多|少|強|弱|好|悪|良|必要|続|目立|変|大|小|進")
_EMPTY_ADJECTIVES = word_set(
    "無い 多い 少ない 同じい 近い 遠い 良い 低い 薄い 弱い 小さい 可愛い 等しい",
)
Drop = tuple[str, frozenset[int], Mapping[str, str]]


def is_narrowed(sentence: Sentence) -> bool:
    """Whether something in it narrows or denies, so that what is left of it would not follow."""
    text = "".join(sentence.form.lead)
    return bool(
        _NARROWED.search(text + sentence.form.predicate.render())
        or re.search(r"な[いくけか]|[^まっ]ず(?:に|、|$)", text)
    )


def shorten(sentence: Sentence) -> Iterator[tuple[str, Form]]:
    """What follows from a sentence by leaving something out, with the kind of what was left out."""
    yield from _drop_clause(sentence)
    for rule, dropped, exchanged in (
        *_adjuncts(sentence),
        *_relatives(sentence),
        *_modifiers(sentence),
        *_conjuncts(sentence),
    ):
        kept = [phrase for number, phrase in enumerate(sentence.lead) if number not in dropped]
        if not any(phrase.tie in ("は", "が", "を", "に") for phrase in kept):
            continue
        lead = tuple(exchanged.get(phrase.text, phrase.text) for phrase in kept)
        yield rule, Form(lead, sentence.form.predicate)


def _adjuncts(sentence: Sentence) -> Iterator[Drop]:
    """Phrases that say when, where or by what means, with all that belongs to them."""
    for number, phrase in enumerate(sentence.lead):
        if phrase.is_nominal and _is_adjunct(sentence, number):
            start = _start(sentence, number)
            if start is None or _describes_topic(sentence, number):
                continue
            inner = any(_is_clause(later) for later in sentence.lead[number + 1 :])
            yield "inner adjunct" if inner else "adjunct", frozenset(range(start, number + 1)), {}


def _is_clause(phrase: Phrase) -> bool:
    """Whether it has a predicate of its own that could take what stands before it."""
    return phrase.tie in ("te", "clause", "renyo") or (
        phrase.tie == "rel" and any(token.pos[0] == "動詞" for token in phrase.tokens)
    )


def _describes_topic(sentence: Sentence, number: int) -> bool:
    """Whether a phrase may belong to a clause about a later topic: without it more would be spoken of."""
    ties = [phrase.tie for phrase in sentence.lead[number + 1 :]]
    return any(
        tie in ("は", "case は", "other") and {"rel", "の"} & set(ties[:place]) for place, tie in enumerate(ties)
    )


def _is_adjunct(sentence: Sentence, number: int) -> bool:
    phrase = sentence.phrases[number]
    following = sentence.phrases[number + 1]
    if phrase.tie in ("bare", "に") and _TIME.search(phrase.noun):
        if any(_TIME.search(later.noun) for later in sentence.lead[number + 1 :]):
            return False
        if phrase.tie == "に" and following.tokens[0].pos[1] == "数詞":
            return False
        if phrase.tie == "bare":
            return phrase.comma or len(phrase.noun) > 1 or following.tokens[0].pos[0] in ("代名詞", "動詞")
        return following.tokens[0].pos[0] != "動詞" or following.tokens[0].base not in _TIME_VERBS
    return (
        phrase.tie == "で"
        and not phrase.comma
        and phrase.noun not in RELATIONAL
        and phrase.tokens[0].pos[0] == "名詞"
        and not phrase.noun[-1].isdigit()
        and not phrase.noun.endswith(_NO_PLACES)
        and not any(token.pos[1] == "数詞" for token in phrase.tokens)
        and not _DE_COMPLEMENTS.search("".join(later.text for later in sentence.phrases[number + 1 :]))
    )


def _start(sentence: Sentence, number: int) -> int | None:
    """Where the words that belong to a phrase begin; None where that is open."""
    start = number
    while start and sentence.phrases[start - 1].tie in ("の", "rel") and not sentence.phrases[start - 1].comma:
        start -= 1
        if sentence.phrases[start].tie == "rel" and sentence.phrases[start].tokens[0].pos[0] not in (
            "連体詞",
            "形容詞",
        ):
            while (
                start
                and sentence.phrases[start - 1].tie not in ("は", "case は")
                and not (sentence.phrases[start - 1].comma)
            ):
                start -= 1
            return start
    if start == 0:
        return start
    before = sentence.phrases[start - 1]
    if before.tie == "bare" or (before.comma and before.tie in ("や", "の")):
        return start if _TIME.search(before.noun) else None
    return start if before.comma or before.tie in ("は", "case は", "が", "を", "に") else None


def _relatives(sentence: Sentence) -> Iterator[Drop]:
    """All between a topic and a noun that a verb describes."""
    phrases = sentence.phrases
    for number, (before, phrase) in enumerate(pairwise(phrases[:-1]), 1):
        if before.tie != "rel" or before.comma or phrase.tie not in ("を", "が") or not _is_plain_noun(phrase):
            continue
        if not any(token.pos[0] == "動詞" for token in before.tokens) or phrases[number + 1].tokens[0].base == "する":
            continue
        start = 1 + max((place for place in range(number) if phrases[place].tie == "は"), default=-1)
        between = phrases[start:number]
        if any(one.comma or one.tie in ("te", "clause", "renyo", "case は", "other") for one in between):
            continue
        if not _describes_topic(sentence, number) and not _is_compared(sentence, phrase):
            yield "relative", frozenset(range(start, number)), {}


def _is_compared(sentence: Sentence, phrase: Phrase) -> bool:
    """Whether a measure or a change is told of a subject: it holds of the ones described, perhaps not of all."""
    return phrase.tie == "が" and bool(_COMPARED.search(sentence.form.predicate.render()))


def _is_plain_noun(phrase: Phrase) -> bool:
    return phrase.is_nominal and phrase.noun not in RELATIONAL and phrase.tokens[0].pos[:2] == ("名詞", "普通名詞")


def _modifiers(sentence: Sentence) -> Iterator[Drop]:
    """An adjective before a noun, and another noun that describes it."""
    phrases = sentence.phrases
    for number, (before, phrase) in enumerate(pairwise(phrases[:-1])):
        follower = phrases[number + 2]
        if not _is_plain_noun(phrase) or before.comma or follower.tokens[0].base == "する":
            continue
        if _describes_topic(sentence, number + 1) or _is_compared(sentence, phrase):
            continue
        first = before.tokens[0]
        clear = number == 0 or phrases[number - 1].comma or phrases[number - 1].tie in ("は", "case は", "を")
        clear = clear or (phrases[number - 1].tie == "で" and first.pos[0] == "形容詞")
        adjective = before.tie == "rel" and first.pos[0] in ("形容詞", "形状詞") and first.base not in _EMPTY_ADJECTIVES
        if adjective and clear and phrase.tie in ("が", "を", "に", "で"):
            yield "modifier", frozenset({number}), {}
        noun = before.tie == "の" and before.is_nominal and before.noun not in RELATIONAL
        own = first.pos[0] == "代名詞" or first.pos[1] == "固有名詞" or _PEOPLE.search(before.noun)
        numbered = any(one.pos[1] == "数詞" for one in (*phrase.tokens, *before.tokens))
        if noun and clear and phrase.tie == "を" and not own and not numbered:
            yield "modifier", frozenset({number}), {}


def _conjuncts(sentence: Sentence) -> Iterator[Drop]:
    """One of two nouns joined by と at the start of a sentence, or by や anywhere."""
    if _TOGETHER.search("".join(sentence.form.lead) + sentence.form.predicate.render()):
        return
    phrases = sentence.phrases
    for number, (first, second) in enumerate(pairwise(phrases[:-1])):
        if not (first.is_nominal and second.is_nominal) or first.comma or second.tie not in ("は", "が", "を"):
            continue
        text = sentence.form.text
        if text.count(first.noun) > 1 or text.count(second.noun) > 1 or phrases[number + 2].tie == "rel":
            continue
        if number and phrases[number - 1].tie == "bare" and not phrases[number - 1].comma:
            continue
        if first.tie == "や" or (first.tie == "と" and number == 0 and second.tie != "を"):
            if number and phrases[number - 1].tie in ("や", "と"):
                continue
            yield "conjunct", frozenset({number}), {}
            if number == 0 or phrases[number - 1].tie not in ("の", "rel", "bare"):
                particle = second.text[len(second.noun) :]
                yield "conjunct", frozenset({number + 1}), {first.text: first.noun + particle}


def _drop_clause(sentence: Sentence) -> Iterator[tuple[str, Form]]:
    """The last clause with the topic of both, or one of two clauses that have each their own."""
    lead = sentence.lead
    ends = [number for number, phrase in enumerate(lead) if phrase.comma and phrase.tie in ("te", "clause", "renyo")]
    if len(ends) != 1 or ends[0] >= len(lead) - 1:
        return
    end = ends[0]
    first, second = lead[: end + 1], lead[end + 1 :]
    if ANAPHORIC.search(second[0].text):
        return
    topics = [phrase.tie in ("は", "case は") for phrase in first]
    own = any(phrase.tie in ("は", "が") for phrase in second)
    subjects = any(phrase.tie in ("が", "other") for phrase in first)
    if not own and not subjects and first[0].tie == "は" and sum(topics) == 1:
        kept = (first[0].text, *(phrase.text for phrase in second))
        yield "clause", Form(kept, sentence.form.predicate)
    if lead[end].tie == "clause" and lead[end].text.endswith(("が、", "し、")) and sum(topics):
        if second[0].tie == "は":
            yield "clause", Form(tuple(phrase.text for phrase in second), sentence.form.predicate)
        if any(phrase.tie in ("は", "が", "を", "に") for phrase in first[:-1]):
            predicate = read_predicate(lead[end].tokens[:-2])
            if predicate is not None:
                yield "clause", Form(tuple(phrase.text for phrase in first[:-1]), predicate)


def reorder(sentence: Sentence) -> Form | None:
    """Say when or where before the topic instead of after it, or the other way round."""
    phrases = sentence.phrases
    if len(phrases) < 4 or any(phrase.tie in ("rel", "te", "clause", "renyo") for phrase in phrases[:-1]):
        return None
    texts = [phrase.text.removesuffix("、") for phrase in phrases[:-1]]
    if phrases[0].tie == "は" and _is_adjunct(sentence, 1):
        return Form((texts[1] + "、", texts[0], *sentence.form.lead[2:]), sentence.form.predicate)
    if phrases[1].tie == "は" and _is_adjunct(sentence, 0):
        return Form((texts[1], texts[0], *sentence.form.lead[2:]), sentence.form.predicate)
    return None
