"""Plain statements, cut into phrases with MeCab."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from core.bundled.made_pairs.predicates import Predicate, Token, read_predicate
from core.bundled.made_pairs.words import ANAPHORIC, RELATIONAL, TIME_WORDS
from core.text.segmentation import load_mecab

SHORTEST, LONGEST = 10, 60
_STRANGE = re.compile(r"^、|、、|、$|[^ぁ-ゖァ-ヺー一-龠々0-9、]")
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
            if token.pos[0] == "名詞" and token.pos[1] != "数詞" and token.surface not in RELATIONAL
        )


def split_sentences(text: str) -> Iterator[str]:
    """The sentences of a document without full stops and speakers, as far as they are written in plain characters."""
    for line in text.split("\n"):
        for part in (line.partition(":")[2] if line[1:2] == ":" else line).split("。")[:-1]:
            sentence = part.strip()
            if SHORTEST <= len(sentence) <= LONGEST and not _STRANGE.search(sentence):
                yield sentence


def read_sentence(text: str) -> Sentence | None:
    """Take a sentence apart; None where it is not a plain statement or MeCab is in doubt."""
    if _UNSURE.search(text) or ANAPHORIC.search(text):
        return None
    tokens = _tokens(text)
    if not tokens or tokens[0].pos[0] in ("助詞", "助動詞", "接尾辞"):
        return None
    phrases = _phrases(tokens)
    if not 2 <= len(phrases) <= 16:
        return None
    predicate = read_predicate(phrases[-1].tokens)
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
        return last.pos[0] in ("名詞", "接尾辞") and last.surface not in TIME_WORDS
    if kind == "形状詞":
        return last.pos[0] == "名詞" and last.surface not in TIME_WORDS
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
