"""Pairs made by rule from a few sentences of our own: what each rule does, and that labels share the sentences."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from core.bundled.made_pairs import SOURCES, gather_made_pairs
from core.bundled.made_pairs.drawing import draw_pairs, make_pairs, read_options
from core.bundled.made_pairs.pairs import LABELS
from core.bundled.made_pairs.predicates import Predicate, conjugate, connect
from core.bundled.made_pairs.sentences import LONGEST, SHORTEST, read_sentence
from tests.bundled.family import write_rows

PEOPLE = ("兄", "姉", "祖母", "友人", "先生", "母")
PLACES = ("公園", "図書館", "学校", "教室", "駅前", "食堂")
ACTIONS = ("新しい本を読んだ", "古い写真を見た", "長い手紙を書いた", "赤い花を買った", "白い猫を描いた")
TEXTS = [
    "".join(f"{person}は{place}で友達の{action}。" for action in ACTIONS)
    + f"{person}は2015年に{place}で働いた。{person}は昨日、{place}で荷物を開けた。"
    for person in PEOPLE
    for place in PLACES
]


def found(text: str, *others: str) -> set[tuple[str, str, str]]:
    """All pairs that come of one sentence: rule, and the two sentences without full stops."""
    options = read_options(["。".join((text, *others, ""))], random.Random(0))
    return {
        (pair.rule, pair.sentence1.rstrip("。"), pair.sentence2.rstrip("。")) for pairs in options for pair in pairs
    }


def hypotheses(rule: str, text: str, *others: str) -> set[str]:
    """What a rule sets beside a sentence, on either side."""
    return {second if first == text else first for name, first, second in found(text, *others) if name == rule}


@pytest.mark.parametrize(
    ("base", "kind", "forms"),
    [
        ("書く", "五段", ("書か", "書き", "書いた")),
        ("行く", "五段", ("行か", "行き", "行った")),
        ("泳ぐ", "五段", ("泳が", "泳ぎ", "泳いだ")),
        ("買う", "五段", ("買わ", "買い", "買った")),
        ("読む", "五段", ("読ま", "読み", "読んだ")),
        ("食べる", "一段", ("食べ", "食べ", "食べた")),
        ("勉強する", "サ変", ("勉強し", "勉強し", "勉強した")),
        ("くる", "カ変", ("こ", "き", "きた")),
        ("来る", "カ変", ("来", "来", "来た")),
    ],
)
def test_verbs_are_conjugated(base: str, kind: str, forms: tuple[str, str, str]) -> None:
    assert conjugate(base, kind) == forms


def test_a_verb_is_connected_as_its_past_is() -> None:
    assert [connect("増える", "一段"), connect("減る", "五段"), connect("読む", "五段")] == [
        "増えて",
        "減って",
        "読んで",
    ]


@pytest.mark.parametrize(
    ("plain", "denied", "polite", "politely_denied"),
    [
        ("兄は図書館で本を読む", "読まない", "読みます", "読みません"),
        ("兄は図書館で本を読んだ", "読まなかった", "読みました", "読みませんでした"),
        ("兄は図書館で本を読んでいる", "読んでいない", "読んでいます", "読んでいません"),
        ("私の部屋の窓はとても大きい", "大きくない", "大きいです", "大きくないです"),
        ("駅前の店の料理は値段が高かった", "高くなかった", "高かったです", "高くなかったです"),
        ("私の父は高校の教師だ", "教師ではない", "教師です", "教師ではありません"),
        ("私の父は高校の教師だった", "教師ではなかった", "教師でした", "教師ではありませんでした"),
        ("私の父は高校の教師である", "教師ではない", "教師です", "教師ではありません"),
        ("私の部屋には机がある", "机がない", "机があります", "机がありません"),
        ("彼は昨日学校に来なかった", "来た", "来ませんでした", "来ました"),
    ],
)
def test_a_predicate_is_denied_and_said_politely(plain: str, denied: str, polite: str, politely_denied: str) -> None:
    sentence = read_sentence(plain)
    assert sentence is not None
    form = sentence.form
    assert form.deny().text.endswith(denied)
    assert form.restyle().text.endswith(polite)
    assert form.deny().restyle().text.endswith(politely_denied)
    assert form.deny().deny() == form.restyle().restyle() == form


@pytest.mark.parametrize(
    "text",
    [
        "兄は図書館で本を読むだろう",
        "兄は図書館で本を読みたい",
        "雨が降れば試合は中止だ",
        "しかし兄は図書館で本を読んだ",
        "兄は図書館で本を読みなさい",
        "とても静かな夜",
    ],
)
def test_what_is_no_plain_statement_is_left_out(text: str) -> None:
    assert read_sentence(text) is None


def test_a_place_and_a_time_can_go() -> None:
    text = "兄は昨日公園で新しい本を読んだ"
    assert {"兄は公園で新しい本を読んだ", "兄は昨日新しい本を読んだ"} <= hypotheses("drop adjunct", text)
    assert "兄は昨日公園で本を読んだ" in hypotheses("drop modifier", text)


def test_a_place_goes_with_what_describes_it() -> None:
    assert hypotheses("drop adjunct", "私の兄は大きな駅の待合室で新しい本を読んだ") == {"私の兄は新しい本を読んだ"}


def test_a_clause_and_a_conjunct_can_go() -> None:
    assert "母は新しい靴を買った" in hypotheses("drop clause", "母は朝早く家を出て、新しい靴を買った")
    assert "母は市場で果物を買った" in hypotheses("drop conjunct", "母は市場で野菜や果物を買った")
    assert "母は市場で野菜を買った" in hypotheses("drop conjunct", "母は市場で野菜や果物を買った")


def test_a_narrowed_sentence_is_not_shortened() -> None:
    rules = {rule for rule, _, _ in found("兄は昨日公園で新しい本だけを読んだ")}
    assert rules == {"same", "style"}


def test_what_is_true_of_the_whole_turns_under_negation() -> None:
    pairs = found("兄は昨日公園で新しい本を読んだ")
    long, short = "兄は昨日公園で新しい本を読まなかった", "兄は公園で新しい本を読まなかった"
    assert ("add under negation", short, long) in pairs
    assert ("drop under negation", long, short) in pairs
    assert ("negate and drop", "兄は昨日公園で新しい本を読んだ", short) in pairs


def test_opposites_and_numbers_contradict() -> None:
    assert hypotheses("antonym", "今月は店に来る客が増えている") == {"今月は店に来る客が減っている"}
    others = hypotheses("number", "私の兄は2015年に東京で生まれた")
    assert len(others) == 1
    assert not others & {"私の兄は2015年に東京で生まれた"}


def test_an_object_gives_way_to_one_met_with_the_same_verb() -> None:
    others = ("姉は図書館で手紙を読んだ", "母は図書館で手紙を読んだ")
    pairs = found("兄は図書館で新聞を読んだ", *others)
    assert any(
        rule == "noun" and "手紙" in first + second and "新聞" in first + second for rule, first, second in pairs
    )


def test_labels_are_balanced_and_the_seed_decides() -> None:
    rows = make_pairs(TEXTS, count=60, seed=3)
    assert Counter(row["label"] for row in rows) == dict.fromkeys(LABELS, 20)
    assert rows == make_pairs(TEXTS, count=60, seed=3)
    assert rows != make_pairs(TEXTS, count=60, seed=4)
    assert {frozenset(row) for row in rows} == {frozenset(("sentence1", "sentence2", "label"))}


def test_pairs_keep_to_the_lengths_and_differ_unless_they_should_not() -> None:
    for pair in draw_pairs(TEXTS, count=90, seed=5):
        first, second = (text.rstrip("。") for text in (pair.sentence1, pair.sentence2))
        assert all(SHORTEST <= len(text) <= LONGEST for text in (first, second))
        assert (first == second) == (pair.rule == "same")


def test_too_little_text_gives_fewer_pairs_of_each_label() -> None:
    counts = Counter(row["label"] for row in make_pairs(TEXTS[:1], count=3000, seed=1))
    assert max(counts.values()) - min(counts.values()) <= 1
    assert sum(counts.values()) < 3000
    assert make_pairs([], count=30, seed=1) == []


def test_pairs_are_gathered_from_a_folder(tmp_path: Path) -> None:
    for name in SOURCES:
        write_rows(tmp_path / f"pretrain/{name}.jsonl.gz", [{"text": f"A:{text}"} for text in TEXTS])
    gathered = gather_made_pairs(tmp_path, pairs=30, seed=1)
    assert len(gathered.train) == 30
    assert [(one.folder, count) for one, count in gathered.counts] == [("pretrain", 30)]
    assert not gathered.validation


def test_a_predicate_renders_what_it_was_read_from() -> None:
    predicate = Predicate("", "読む", "五段", past=True, polite=False, negative=True)
    assert predicate.render() == "読まなかった"
