"""Pairs of sentences made from running text by rule: one follows from the other, denies it, or does neither.

A sentence is cut into phrases with MeCab. A phrase that only narrows it can go (what is left follows from the whole,
and not the other way round), its predicate can be denied, and a word of it can be exchanged. Sentences where that would
not hold (questions, suppositions, hearsay) and those that MeCab does not know whole are left out.
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, TypeVar

from core.bundled.gathering import RUNNING_TEXT, Gathered, Row, draw, read_lines
from core.text.segmentation import load_mecab

T = TypeVar("T")
Label = Literal["entailment", "contradiction", "neutral"]

LABELS: tuple[Label, ...] = ("entailment", "contradiction", "neutral")
SHORTEST, LONGEST = 10, 60

SOURCES: Mapping[str, float] = {
    "tanaka": 0.2,
    "wikinews_train": 0.1,
    "jaquad_train_contexts": 0.15,
    "kyoto_wiki": 0.2,
    "real_persona_chat": 0.15,
    "economy_watchers_comments": 0.12,
    "jawiki_country": 0.08,
}
"""The texts to draw from, and which share of the documents comes from each."""

SHARES: Mapping[Label, Mapping[str, float]] = {
    "entailment": {
        "drop adjunct": 22,
        "drop clause": 9,
        "drop relative": 6,
        "drop modifier": 9,
        "drop conjunct": 3,
        "reorder": 5,
        "style": 16,
        "add under negation": 8,
        "drop clause before negation": 4,
        "same": 4,
    },
    "contradiction": {
        "negate": 24,
        "negate and drop": 22,
        "negate and add": 15,
        "antonym": 14,
        "antonym and drop": 4,
        "number": 14,
        "number and drop": 5,
    },
    "neutral": {
        "add adjunct": 16,
        "add clause": 8,
        "add relative": 6,
        "add modifier": 8,
        "add conjunct": 2,
        "drop under negation": 9,
        "add and negate": 7,
        "noun": 12,
        "noun and drop": 1,
        "noun and negate": 6,
        "elsewhere": 18,
    },
}
"""How the pairs of each label are to be shared among the rules, as far as the text yields them."""

# So much of what is wanted has to keep to the shares; the rest is filled up by the commoner rules.
_ENOUGH = 0.85


def _words(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


_TIME_WORDS = _words(
    "昨日 今日 明日 今朝 今夜 今晩 昨夜 昨晩 先週 今週 来週 先月 今月 来月 昨年 今年 去年 来年 一昨年 翌年",
    "翌日 翌月 同年 同日 当時 現在 最近 今 夏 冬 春 秋 朝 夜 夕方 午前 午後 週末 その後",
)
_TIME = re.compile(rf"(?:{'|'.join(sorted(_TIME_WORDS))}|\d(?:年|月|日|時|分)|時代|世紀|頃|ごろ)$")
_DATE = re.compile(r"\d+(?:年|月|日|時|分|世紀)")
_NUMBER = re.compile(
    r"(?<!\d)(\d{1,4})(年(?!代)|月|日|時|人|名|歳|回|個|冊|匹|頭|台|本|枚|軒|件|社|校|か国|キロ|メートル|円|位)"
)

# Not a plain statement: supposed, wished, asked, heard, or said of another.
_UNSURE = re.compile(
    r"よう|そう[だでなにす、]|(?<!晴)らし[いくか]|だろ|でしょ|かも|べき|はず|つもり|たい|たく|たが[るっ]|"
    r"ください|下さい|なさ|なら|れば|れど|けど|たら|(?<!と)ても|(?<!中)でも|[るた]のに|かどうか|という|といった|といわ|と言|"
    r"とか(?!ら)|とす|とみ|と見|と考|と期待|と予|とな[るっりれ]|思[うっいわえ]|恐れ|おそれ|可能性|しか|まい|"
    r"もし|たとえ|例え|仮に|場合|限り|うち|わけ|訳|ところ|ため|せい|のだ|んだ[。が]|のです|んです|ので|しれ|"
    r"見込|予想|予定|ほし|欲し|ちゃ|じゃ|っけ|それ|そこ|前者|後者|同様|以上|以下|以外|ほか|他の|別の|ずつ|とも|"
    r"次の|次に|上記|下記|一方|過ぎ|すぎ|って[^いくきかしみおもたるれ]|ついて|対し|関し|よると|よれば|により|"
    r"によって|に従|につれ|ことは"
)
# What is left would say more than the whole did.
_NARROWED = re.compile(
    r"だけ|のみ|ばかり|ほど|くらい|ぐらい|より|まで|最|一番|すべて|全|みな|皆|みんな|毎|各|いつ|常に|必ず|誰|"
    r"何|どこ|どの|どち|どれ|ほとんど|初めて|はじめて|唯一|一つ|ひとつ|禁|無|非|不|減|否|拒|異|疑|嘘|失|避|"
    r"やめ|辞|防|忘|以来|ごと|率|割合|平均|合計|同じ|少な|多|珍|除|当たる|あたる|相当|代表"
)
# Denying the predicate would deny something else, or sound odd.
_VAGUE = re.compile(
    r"多|一部|いくつ|いくら|様々|さまざま|いろいろ|色々|少し|ちょっと|など|だけ|のみ|ばかり|ほど|くらい|ぐらい|"
    r"も|すべて|全|みな|皆|みんな|毎|各|いつ|常に|必ず|誰|何|どこ|ほとんど|よく|まだ|もう|すでに|既に|やっと|"
    r"ついに|なかなか|あまり|決して|むし|とて|非常|かなり|大変|まず|ある[^。]|者|人が|たちが|物が|数|半|割|最|"
    r"一番|より|次々|たび|しば|時々|たま|ながら|つつ"
)
_STRANGE = re.compile(r"^、|、、|、$|[^ぁ-ゖァ-ヺー一-龠々0-9、]")
_ANAPHORIC = re.compile(r"^(?:そ[のうれこ]|こ[のうれこ]|また|しかし|さらに|なお|だが|ただ|例えば|他|同|両)")

_RELATIONAL = _words(
    "上 下 中 前 後 間 内 外 横 隣 側 部 方 点 時 頃 際 為 事 物 者 人 日 年 所 場 訳 他 一つ 一部 全体 以上",
    "以下 一方 多数 大半 うち もの こと とき ところ 人物 部分 種類 一種 名 子 元 先 末 周り 周辺 近く 状況",
    "状態 傾向 感 気 形 意味 存在 対象 原因 理由 結果 影響 方法 必要 様子 印象 声 率 割合 動き 問題 関係 話",
    "場所 側面 面 分 度 数 量 目 手 力 役 例 型 代 的 性 化 感じ 度合い 歳 月 半 一人 二人 誰 何 人々 彼 彼女",
    "自分 私 僕 方々 皆 上記 両方 双方 可能 能力 機会 余地 権利 義務 目的 予定 計画 意向 考え 旨 向き 程度",
    "過程 効果 姿 姿勢 立場 部類 時期 時間 時点 時代 扱い 別枠 世代 内容 一環 由来 格好 割 ほう 向こう 真ん中 奥",
    "手前",
)
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
    _words(
        "人 方 中 上 点 的 歳 年 位 円 形 一つ 横ばい ペース 状態 感じ 形式 意味 手 気 勢い 目的 性 身 系 型 製",
        "別枠 在宅 方法 順 単位 名義",
    )
)
_TIME_VERBS = _words(
    "なる 成る する かける 掛ける いたる 至る わたる 渡る 入る はいる 向ける 続く 及ぶ 遡る さかのぼる 迫る",
    "限る 当る 当たる 属する",
)
_LIGHT_VERBS = _words(
    "する なる 成る 行う ない 持つ かかる かける つく つける 付く 取る とる 上げる あげる 受ける",
)
_PEOPLE = re.compile(r"[子者人父母兄弟姉妹夫妻友達員生長親君王帝]$|さん|たち|友だち")
_COMPARED = re.compile(r"増|減|伸|落|上|下|高|低|多|少|強|弱|好|悪|良|必要|続|目立|変|大|小|進")
_EMPTY_ADJECTIVES = _words(
    "無い 多い 少ない 同じい 近い 遠い 良い 低い 薄い 弱い 小さい 可愛い 等しい",
)

_ANTONYM_WORDS: Sequence[tuple[str, str]] = (
    *(("増加", "減少"), ("上昇", "下降"), ("上昇", "下落"), ("開始", "終了"), ("賛成", "反対"), ("勝利", "敗北")),
    *(("成功", "失敗"), ("拡大", "縮小"), ("改善", "悪化"), ("入場", "退場"), ("点灯", "消灯"), ("前進", "後退")),
    *(("増税", "減税"), ("出席", "欠席"), ("合格", "落第"), ("肯定", "否定"), ("許可", "禁止"), ("好転", "悪化")),
    *(("好き", "嫌い"), ("大好き", "大嫌い"), ("得意", "苦手"), ("上手", "下手"), ("安全", "危険"), ("便利", "不便")),
    *(("有利", "不利"), ("可能", "不可能"), ("好調", "不調"), ("黒字", "赤字"), ("簡単", "困難"), ("幸福", "不幸")),
    *(("有名", "無名"), ("清潔", "不潔"), ("満足", "不満"), ("金持ち", "貧乏")),
    *(
        ("独身", "既婚"),
        ("北部", "南部"),
        ("東部", "西部"),
        ("男性", "女性"),
        ("長男", "次男"),
        ("兄", "弟"),
        ("姉", "妹"),
    ),
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


@dataclass(frozen=True, slots=True)
class Token:
    """A word as MeCab tells it, with what it needs to be conjugated."""

    surface: str
    pos: tuple[str, str, str]
    conjugation: str
    form: str
    base: str


@dataclass(frozen=True, slots=True)
class Phrase:
    """A bunsetsu: its words, and what ties it to the rest (a particle, or ``rel``, ``te``, ``clause``, ``adv``, …)."""

    tokens: tuple[Token, ...]
    tie: str
    comma: bool

    @property
    def text(self) -> str:
        """As written."""
        return "".join(token.surface for token in self.tokens)

    @property
    def noun(self) -> str:
        """What stands before the closing particles."""
        words = [token.surface for token in self.tokens if token.pos[0] not in ("助詞", "補助記号")]
        return "".join(words)

    @property
    def is_nominal(self) -> bool:
        """Whether all but the closing particles are nouns."""
        inner = [token for token in self.tokens if token.pos[0] not in ("助詞", "補助記号")]
        return bool(inner) and all(token.pos[0] in ("名詞", "代名詞", "接頭辞", "接尾辞") for token in inner)


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


@dataclass(frozen=True, slots=True)
class Form:
    """A sentence that can be varied: phrases and a predicate."""

    lead: tuple[str, ...]
    predicate: Predicate

    @property
    def text(self) -> str:
        """As written, without its full stop."""
        return re.sub(r"^、|、(?=、)", "", "".join(self.lead)) + self.predicate.render()

    def deny(self) -> Form:
        """The opposite."""
        return Form(self.lead, replace(self.predicate, negative=not self.predicate.negative))

    def restyle(self) -> Form:
        """Politely if it was plain, plainly if it was polite."""
        return Form(self.lead, replace(self.predicate, polite=not self.predicate.polite))

    def swap(self, old: str, new: str) -> Form | None:
        """With one phrase exchanged; None where it is not there exactly once."""
        if self.lead.count(old) != 1:
            return None
        return Form(tuple(new if phrase == old else phrase for phrase in self.lead), self.predicate)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence taken apart."""

    phrases: tuple[Phrase, ...]
    form: Form

    @property
    def lead(self) -> tuple[Phrase, ...]:
        """All phrases but the last."""
        return self.phrases[:-1]

    @property
    def nouns(self) -> frozenset[str]:
        """The nouns that say what it is about."""
        return frozenset(
            token.surface
            for phrase in self.phrases
            for token in phrase.tokens
            if token.pos[0] == "名詞" and token.pos[1] != "数詞" and token.surface not in _RELATIONAL
        )


@dataclass(frozen=True, slots=True)
class MadePair:
    """Two sentences, their label, and the rule that made them."""

    rule: str
    label: Label
    sentence1: str
    sentence2: str


def gather_made_pairs(data: Path, *, pairs: int, seed: int) -> Gathered:
    """Pairs made from articles, conversations, comments and plain examples; nothing to validate by."""
    rows = make_pairs(read_documents(data, seed=seed), count=pairs, seed=seed)
    return Gathered(rows, [], ((RUNNING_TEXT, len(rows)),))


def read_documents(data: Path, *, seed: int, documents: int = 40_000) -> list[str]:
    """Documents of the running text, drawn and mixed by a seed."""
    drawn: list[str] = []
    for name, share in SOURCES.items():
        texts = [row["text"] for row in read_lines(data / RUNNING_TEXT.folder / f"{name}.jsonl.gz")]
        drawn += draw(texts, round(share * documents), seed=seed)
    return draw(drawn, len(drawn), seed=seed)


def make_pairs(texts: Iterable[str], *, count: int, seed: int) -> list[Row]:
    """Make pairs of the three labels, a third each; fewer where the texts do not yield so many.

    Args:
        texts: documents, their paragraphs parted by line ends; no more of them are read than needed.
        count: how many pairs.
        seed: which of the possible pairs.

    Returns:
        Rows with ``sentence1``, ``sentence2`` and ``label``, shuffled.
    """
    return [
        {"sentence1": pair.sentence1, "sentence2": pair.sentence2, "label": pair.label}
        for pair in draw_pairs(texts, count=count, seed=seed)
    ]


def draw_pairs(texts: Iterable[str], *, count: int, seed: int) -> list[MadePair]:
    """The pairs of `make_pairs`, each with its rule.

    A sentence gives at most one pair of each label, so that no sentence tells a label by itself; of the rules that
    could make it, the one furthest behind its share does.
    """
    rng = random.Random(seed)
    wanted = {label: count // 3 + (number < count % 3) for number, label in enumerate(LABELS)}
    caps = {
        (label, rule): share / sum(SHARES[label].values()) * wanted[label]
        for label in LABELS
        for rule, share in SHARES[label].items()
    }
    made: dict[Label, list[MadePair]] = {label: [] for label in LABELS}
    spare: dict[Label, list[MadePair]] = {label: [] for label in LABELS}
    rules: Counter[tuple[Label, str]] = Counter()
    for options in _read_options(texts, rng):
        for label in LABELS:
            found = [pair for pair in options if pair.label == label]
            if not found or len(made[label]) >= wanted[label]:
                continue
            rng.shuffle(found)
            pair = min(found, key=lambda one: rules[label, one.rule] / caps[label, one.rule])
            if rules[label, pair.rule] < caps[label, pair.rule]:
                rules[label, pair.rule] += 1
                made[label].append(pair)
            elif len(spare[label]) < wanted[label] and pair.rule != "same":
                spare[label].append(pair)
        if all(
            len(made[label]) >= _ENOUGH * wanted[label] and len(made[label]) + len(spare[label]) >= wanted[label]
            for label in LABELS
        ):
            break
    full = {label: [*made[label], *spare[label]][: wanted[label]] for label in LABELS}
    fewest = min(map(len, full.values()))
    pairs = [pair for label in LABELS for pair in full[label][: fewest + (len(full[label]) > fewest == count // 3)]]
    rng.shuffle(pairs)
    return pairs


def _read_options(texts: Iterable[str], rng: random.Random) -> Iterator[list[MadePair]]:
    """For each sentence that can be varied, the pairs that can be made from it."""
    companions: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    seen: set[str] = set()
    for text in texts:
        parts = [part for part in dict.fromkeys(split_sentences(text)) if part not in seen]
        seen.update(parts)
        sentences = [sentence for part in parts if (sentence := read_sentence(part))]
        for sentence in sentences:
            if found := _object(sentence):
                companions[found[0]][found[2]] += 1
        for sentence in sentences:
            options = [pair for pair in _vary(sentence, sentences, companions, rng) if _is_fit(pair)]
            if options:
                yield [_finish(pair, rng) for pair in options]


def _is_fit(pair: MadePair) -> bool:
    return all(SHORTEST <= len(text) <= LONGEST for text in (pair.sentence1, pair.sentence2)) and (
        (pair.sentence1 == pair.sentence2) == (pair.rule == "same")
    )


def _finish(pair: MadePair, rng: random.Random) -> MadePair:
    """Full stops on both sides, on none, or seldom on one: never a sign of the label."""
    first = "。" if rng.random() < 0.6 else ""
    second = first if rng.random() < 0.9 else "。"
    return replace(pair, sentence1=pair.sentence1 + first, sentence2=pair.sentence2 + second)


def split_sentences(text: str) -> Iterator[str]:
    """The sentences of a document without full stops and speakers, as far as they are written in plain characters."""
    for line in text.split("\n"):
        for part in (line.partition(":")[2] if line[1:2] == ":" else line).split("。")[:-1]:
            sentence = part.strip()
            if SHORTEST <= len(sentence) <= LONGEST and not _STRANGE.search(sentence):
                yield sentence


# ---- taking a sentence apart


def read_sentence(text: str) -> Sentence | None:
    """Take a sentence apart; None where it is not a plain statement or MeCab is in doubt."""
    if _UNSURE.search(text) or _ANAPHORIC.search(text):
        return None
    tokens = _tokens(text)
    if not tokens or tokens[0].pos[0] in ("助詞", "助動詞", "接尾辞"):
        return None
    phrases = _phrases(tokens)
    if not 2 <= len(phrases) <= 16:
        return None
    predicate = _predicate(phrases[-1].tokens)
    if predicate is None or not any(phrase.tie in ("は", "が", "を", "に") for phrase in phrases[:-1]):
        return None
    if predicate.base == "無い" or (predicate.base == "する" and not predicate.stem and phrases[-2].tie == "と"):
        return None
    if predicate.kind == "aru" and not predicate.stem and phrases[-2].tie not in ("が", "は", "case は"):
        return None
    form = Form(tuple(phrase.text for phrase in phrases[:-1]), predicate)
    return Sentence(phrases, form) if form.text == text else None


def _tokens(text: str) -> list[Token] | None:
    mecab = load_mecab()
    tokens = []
    with mecab.lock:
        for node in mecab.tagger(text):
            feature = node.feature
            if node.surface.isdigit():
                tokens.append(Token(node.surface, ("名詞", "数詞", "*"), "*", "*", node.surface))
                continue
            if node.is_unk or len(feature) < 11 or feature[4].startswith("文語") or feature[0] in ("感動詞", "接続詞"):
                return None
            tokens.append(Token(node.surface, tuple(feature[:3]), feature[4], feature[5], feature[10]))
    return tokens


def _phrases(tokens: Sequence[Token]) -> tuple[Phrase, ...]:
    groups: list[list[Token]] = []
    for token in tokens:
        if groups and _continues(groups[-1], token):
            groups[-1].append(token)
        else:
            groups.append([token])
    followers: list[Token | None] = [group[0] for group in groups[1:]]
    return tuple(
        Phrase(tuple(group), _tie(group, follower), group[-1].surface == "、")
        for group, follower in zip(groups, [*followers, None], strict=True)
    )


def _continues(group: Sequence[Token], token: Token) -> bool:
    last = group[-1]
    kind = token.pos[0]
    if last.surface == "、":
        return False
    if kind in ("助詞", "助動詞", "接尾辞", "補助記号") or last.pos[0] == "接頭辞":
        return True
    if kind == "名詞":
        return last.pos[0] in ("名詞", "接尾辞") and last.surface not in _TIME_WORDS
    if kind == "形状詞":
        return last.pos[0] == "名詞" and last.surface not in _TIME_WORDS
    if kind == "動詞":
        if token.base in ("する", "できる") and last.pos[0] in ("名詞", "接尾辞"):
            return True
        if token.pos[1] == "非自立可能":
            return last.pos[1] == "接続助詞" or (last.pos[0] in ("動詞", "助動詞") and last.form.startswith("連用形"))
        return False
    if kind == "形容詞" and token.base == "ない":
        if last.surface == "で":
            return True
        return last.form.startswith("連用形") or "".join(one.surface for one in group[-2:]) == "では"
    return False


def _tie(group: Sequence[Token], follower: Token | None) -> str:
    words = [token for token in group if token.surface != "、"]
    last = words[-1]
    before = words[-2] if len(words) > 1 else last
    if last.pos[0] == "助詞":
        if last.surface == "は":
            return "case は" if before.pos[0] == "助詞" else "は"
        if last.pos[1] == "格助詞":
            if before.pos[0] in ("助詞", "助動詞"):
                return "other"
            return last.surface if before.pos[0] not in ("形状詞", "動詞", "形容詞") else "adv"
        if last.pos[1] == "接続助詞":
            return "te" if last.surface in ("て", "で") else "clause"
        if last.surface == "や":
            return "や"
        return "other"
    if last.pos[0] in ("動詞", "形容詞", "助動詞"):
        if last.form.startswith("連体形") or (last.form.startswith("終止形") and follower is not None):
            return "rel"
        if last.form.startswith("連用形"):
            return "adv" if last.pos[0] == "形容詞" or last.base == "だ" else "renyo"
        return "other"
    if last.pos[0] == "連体詞":
        return "rel"
    if last.pos[0] == "副詞":
        return "adv"
    return "bare"


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


def _predicate(tokens: Sequence[Token]) -> Predicate | None:
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


# ---- putting it together again

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


# ---- varying it


def _vary(
    sentence: Sentence,
    neighbours: Sequence[Sentence],
    companions: Mapping[tuple[str, str], Counter[str]],
    rng: random.Random,
) -> Iterator[MadePair]:
    """All pairs that the rules make from one sentence."""
    whole = sentence.form
    parts = [] if _is_narrowed(sentence) else list(_shorten(sentence))
    deniable = _is_deniable(sentence)
    yield MadePair("same", "entailment", whole.text, whole.text)
    yield MadePair("style", "entailment", *_either(whole, whole.restyle(), rng))
    if (other := _reorder(sentence)) is not None:
        yield MadePair("reorder", "entailment", *_either(whole, other, rng))
    if deniable:
        yield MadePair("style", "entailment", *_either(whole.deny(), whole.deny().restyle(), rng))
        yield MadePair("negate", "contradiction", *_either(whole, _maybe_restyle(whole.deny(), rng), rng))
    for rule, part in parts:
        yield from _shortened(rule, whole, part, rng, deniable=deniable)
    for rule, label, change in _exchange(sentence, companions, rng):
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


def _is_narrowed(sentence: Sentence) -> bool:
    text = "".join(sentence.form.lead)
    return bool(
        _NARROWED.search(text + sentence.form.predicate.render())
        or re.search(r"な[いくけか]|[^まっ]ず(?:に|、|$)", text)
    )


def _is_deniable(sentence: Sentence) -> bool:
    text = "".join(sentence.form.lead)
    return (
        not _VAGUE.search(text)
        and not re.search(r"\d|[一二三四五六七八九十百千](?:人|つ|個|本|回)", _DATE.sub("", text))
        and all(token.pos[0] != "副詞" for phrase in sentence.phrases for token in phrase.tokens)
        and sentence.form.predicate.base not in ("しまう", "いく", "過ぎる", "始める", "続ける", "みる")
    )


def _shorten(sentence: Sentence) -> Iterator[tuple[str, Form]]:
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


Drop = tuple[str, frozenset[int], Mapping[str, str]]


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
        and phrase.noun not in _RELATIONAL
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
    return phrase.is_nominal and phrase.noun not in _RELATIONAL and phrase.tokens[0].pos[:2] == ("名詞", "普通名詞")


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
        noun = before.tie == "の" and before.is_nominal and before.noun not in _RELATIONAL
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
    if _ANAPHORIC.search(second[0].text):
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
            predicate = _predicate(lead[end].tokens[:-2])
            if predicate is not None:
                yield "clause", Form(tuple(phrase.text for phrase in first[:-1]), predicate)


def _reorder(sentence: Sentence) -> Form | None:
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


# ---- exchanging a word


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


def _exchange(
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
    if found := _object(sentence):
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


def _object(sentence: Sentence) -> tuple[tuple[str, str], str, str] | None:
    """What an action is done to, or what a predicate is said of: (particle and predicate, phrase, noun)."""
    phrase, last = sentence.phrases[-2], sentence.phrases[-1]
    before = sentence.phrases[-3] if len(sentence.phrases) > 2 else None
    head = last.tokens[0]
    if (
        phrase.tie not in ("を", "が")
        or len(phrase.tokens) != 2
        or phrase.tokens[0].pos[:2] != ("名詞", "普通名詞")
        or phrase.noun in _RELATIONAL
        or sentence.form.predicate.kind == "copula"
        or (before is not None and before.tie in ("の", "rel", "bare", "と", "や", "other") and not before.comma)
        or head.pos[0] not in ("動詞", "形容詞", "名詞")
        or head.base in _LIGHT_VERBS
    ):
        return None
    return (phrase.tie, head.base), phrase.text, phrase.noun


def _elsewhere(sentence: Sentence, neighbours: Sequence[Sentence], rng: random.Random) -> Iterator[MadePair]:
    """Another sentence of the same document about some of the same things."""
    near = [other for other in neighbours if other is not sentence and other.nouns & sentence.nouns]
    if near:
        other = rng.choice(near).form
        if rng.random() < 0.25:
            other = other.restyle()
        yield MadePair("elsewhere", "neutral", sentence.form.text, other.text)
