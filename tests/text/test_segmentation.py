from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ModelUnavailable
from core.text.segmentation import load_mecab, segment


def test_words_carry_part_of_speech_reading_and_dictionary_form() -> None:
    words = segment("寿司を食べました。")
    assert [(w.surface, w.pos[0], w.reading, w.base) for w in words] == [
        ("寿司", "名詞", "スシ", "寿司"),
        ("を", "助詞", "ヲ", "を"),
        ("食べ", "動詞", "タベ", "食べる"),
        ("まし", "助動詞", "マシ", "ます"),
        ("た", "助動詞", "タ", "た"),
        ("。", "補助記号", "", "。"),
    ]


def test_white_space_moves_offsets_but_is_no_word() -> None:
    text = " 私は\t本を\n\n読む  。"
    words = segment(text)
    assert [w.surface for w in words] == ["私", "は", "本", "を", "読む", "。"]
    assert all(text[w.start : w.end] == w.surface for w in words)


def test_reading_goes_on_after_a_nul_character() -> None:
    assert [w.surface for w in segment("東京\x00大阪")] == ["東京", "大阪"]


def test_unknown_words_say_so() -> None:
    word = segment("ㇷ゚ㇰ")[0]
    assert not word.known and word.reading == ""


def test_no_text_has_no_words() -> None:
    assert segment("") == () and segment(" \n ") == ()


def test_a_missing_dictionary_is_said_honestly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "unidic_lite", None)
    load_mecab.cache_clear()
    with pytest.raises(ModelUnavailable) as caught:
        segment("猫")
    assert caught.value.key == "error.text.no_dictionary"


def test_threads_do_not_disturb_each_other() -> None:
    texts = [f"{number}匹の猫が{number}回鳴いた。" * 5 for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(segment, texts)) == [segment(text) for text in texts]


@settings(max_examples=1_000, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_offsets_always_point_at_the_surface(text: str) -> None:
    place = 0
    for word in segment(text):
        assert word.start >= place and text[word.start : word.end] == word.surface
        assert not text[place : word.start].strip(" \t\n\x00\r\x0b\x0c")
        place = word.end
