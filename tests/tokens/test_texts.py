"""Every text is shown as it is: nothing invisible, nothing broken, nothing run."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
import unidic_lite

from core.errors import AppError, InvalidInput
from core.i18n import LOCALES, Locale, translate, words
from tabs._kit import foot
from tabs._kit.events import Exploration
from tabs.tokens import comparison, counting, pipeline, vocabulary

NASTY = (
    "👩\u200d👩\u200d👧👍🏽🇯🇵",
    "𠮷野家",
    "か\u3099っこう",
    "ﾊﾟﾝ㍿ＡＢＣ⑴",
    "\u3000",
    " \t \u200b\ufeff\u00a0",
    "一行目\r\n二行目\n",
    "\x00\x07\x1b[31m\x7f\x85",
    "<script>alert(1)</script>\"'&amp;",
    "[MASK][CLS]</s><unk>",
    "오늘 วันนี้ مرحبا",
    "葛\U000e0100城",
)
each_tokenizer = pytest.mark.parametrize("tokenizer", ["wordpiece", "bpe", "unigram"])


def seen(markup: str) -> str:
    """What a reader sees of it."""
    return html.unescape(re.sub(r"<[^>]*>", "", markup))


@each_tokenizer
@pytest.mark.parametrize("text", NASTY, ids=ascii)
def test_nasty_texts_are_shown_as_text(text: str, tokenizer: str) -> None:
    found = pipeline.explore(pipeline.Query(text=text, tokenizer=tokenizer, pair="犬"))
    compared = comparison.explore(comparison.Query(text=text, tokenizers=(tokenizer, "bpe")))
    searched = vocabulary.explore(vocabulary.Query(text=text[:60], tokenizer=tokenizer))
    for locale in LOCALES:
        drawn = "".join((*pipeline.show(found, locale), *comparison.show(compared, locale)))
        drawn += "".join(vocabulary.show(searched, locale))
        assert "\ufffd" not in drawn
        assert "<script" not in drawn
        assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200b\ufeff]", drawn)


@pytest.mark.parametrize("locale", LOCALES)
def test_a_script_is_text(locale: str) -> None:
    found = pipeline.explore(pipeline.Query(text="<script>alert(1)</script>"))
    drawn = pipeline.show(found, locale)[0]  # type: ignore[arg-type]
    assert "&lt;" in drawn
    assert "<script>alert(1)</script>" in seen(drawn)


@each_tokenizer
@pytest.mark.parametrize("text", ["", "犬\ud842"], ids=ascii)
def test_nothing_and_half_characters_are_refused(text: str, tokenizer: str) -> None:
    for run in (
        lambda: pipeline.explore(pipeline.Query(text=text, tokenizer=tokenizer)),
        lambda: comparison.explore(comparison.Query(text=text, tokenizers=(tokenizer,))),
        lambda: counting.explore(counting.Query(text=text, tokenizers=(tokenizer,))),
    ):
        with pytest.raises(InvalidInput):
            run()


def test_a_split_character_is_opened_into_its_bytes() -> None:
    found = pipeline.explore(pipeline.Query(text="𠮷", tokenizer="bpe"))
    group = {token.group for token in found.tokenization.content()}
    assert len(group) == 1
    assert len(found.tokenization.content()) > 1
    drawn = seen(pipeline.show(found, "ja")[0])
    assert re.search(r"F0\d+A0\d+AE\d+B7", drawn), "the four bytes, each over the id of its token"
    assert "U+20BB7" in drawn


def test_a_pair_carries_segment_ids() -> None:
    found = pipeline.explore(pipeline.Query(text="雨だ。", pair="傘を買う。"))
    assert set(found.tokenization.segment_ids) == {0, 1}
    assert "セグメント 1" in seen(pipeline.show(found, "ja")[0])


def test_rules_are_named() -> None:
    found = pipeline.explore(pipeline.Query(text="ｾﾐﾅｰ㍿Ａ"))
    drawn = seen(pipeline.show(found, "ja")[1])
    for word in ("NFKC", "半角カナ", "組文字", "全角の英数字・記号", "株式会社"):
        assert word in drawn


def test_special_tokens_can_be_hidden() -> None:
    shown, hidden = (
        seen(pipeline.show(pipeline.explore(pipeline.Query(special=special)), "ja")[0]) for special in (True, False)
    )
    assert "[CLS]" in shown
    assert "[CLS]" not in hidden


@pytest.mark.parametrize("text", ["今日は図書館で新しい本を読みました。", "Hello  world 𠮷", "が" * 200])
def test_rows_are_aligned_on_characters(text: str) -> None:
    found = comparison.explore(comparison.Query(text=text))
    for row, cells in zip(found.rows, found.alignment.rows, strict=True):
        assert [cell.first for cell in cells[1:]] == [cell.last for cell in cells[:-1]]
        assert sorted(place for cell in cells for place in cell.tokens) == sorted(
            place for place, token in enumerate(row.tokens) if token.sequence == 0
        )
    lines = list(comparison._lines(found.alignment))
    assert [first for first, _ in lines] == [0, *(last for _, last in lines[:-1])]
    assert lines[-1][1] == len(found.alignment.columns)
    for first, last in lines:  # every row of a line is filled to its end
        for line in re.findall(r"<tr>.*?</tr>", comparison._table(found, first, last, "ja"))[1:]:
            assert sum(map(int, re.findall(r'colspan="(\d+)"', line))) == last - first


def test_unknown_names_are_told() -> None:
    for name in ("no such tokenizer!", "/nowhere", "nobody/nothing"):
        with pytest.raises(AppError):
            pipeline.explore(pipeline.Query(tokenizer=name))


def test_one_token_or_several() -> None:
    one = vocabulary.explore(vocabulary.Query(text="日本"))
    assert one.membership is not None
    assert one.membership.id is not None
    several = vocabulary.explore(vocabulary.Query(text="量子力学入門"))
    assert several.membership is not None
    assert several.membership.id is None
    katakana = vocabulary.explore(vocabulary.Query(text="コ", script="katakana"))
    assert katakana.found.total > 0
    assert {entry.script for entry in katakana.found.entries} == {"katakana"}


def test_every_part_of_speech_has_an_english_name() -> None:
    listed = Path(unidic_lite.DICDIR, "left-id.def").read_text("utf-8").splitlines()
    classes = {line.split(" ", 1)[1].split(",")[0] for line in listed} - {"BOS/EOS"}
    assert len(classes) == 16
    for name in classes:
        assert words("ja")[f"tokens.pos.{name}"] == name
        assert words("en")[f"tokens.pos.{name}"].isascii()
    drawn = pipeline.show(pipeline.explore(pipeline.Query(text="猫が鳴く。")), "en")[0]
    assert re.findall("<small>([a-z. ]+)</small>", drawn) == ["noun", "particle", "verb", "suppl. symbol"]


@pytest.mark.parametrize("locale", LOCALES)
def test_the_foot_names_every_tokenizer_with_its_size(locale: Locale) -> None:
    query = comparison.Query(tokenizers=("wordpiece", "unigram", "somebody/tokenizer"))
    tail = foot.tail(comparison.EXHIBIT, Exploration(query, None, 0.1), locale)
    badges = re.findall(r'<span class="lab-tag">(.*?)</span>', tail)[:-1]
    where = translate("kit.bundled", locale)
    assert badges == [
        translate("kit.model_badge", locale, name=translate(f"model.{name}", locale), where=where, megabytes=megabytes)
        for name, megabytes in (("wordpiece", 0.2), ("unigram", 0.4))
    ]


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("tokenizer", ["wordpiece", "bpe", "unigram"])
def test_the_format_of_conversations_is_said_to_be_an_example(tokenizer: str, locale: Locale) -> None:
    found = pipeline.explore(pipeline.Query(text="猫は\n好き？", tokenizer=tokenizer))
    assert found.chat is not None
    drawn = seen("".join(pipeline.show(found, locale)))
    assert translate("tokens.chat.example", locale) in drawn
    assert "<|im_start|>user\n猫は\n好き？<|im_end|>" in drawn
    assert len(found.chat.pieces) > 1
