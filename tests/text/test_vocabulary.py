from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.text.pieces import byte_letters, piece_bytes, readable_bytes
from core.text.vocabulary import Match, classify, count_scripts, find_exact, list_entries, search
from tests.text.tiny import tiny


@pytest.mark.parametrize(
    ("match", "expected"),
    [("prefix", ["コ", "コ", "コーヒー"]), ("exact", ["コ", "コ"]), ("substring", ["コ", "コ", "コーヒー"])],
)
def test_search_by_what_a_piece_stands_for(match: Match, expected: list[str]) -> None:
    assert sorted(entry.text for entry in search(tiny("mecab"), "コ", match=match).entries) == expected


def test_search_narrows_by_script_and_continuation() -> None:
    found = search(tiny("mecab"), script="kanji", continues=True, limit=3)
    assert found.total > 3 and len(found.entries) == 3
    assert all(entry.piece.startswith("##") and entry.surface == entry.text for entry in found.entries)


def test_one_token_or_not() -> None:
    assert find_exact(tiny("mecab"), "量子").id is not None
    several = find_exact(tiny("mecab"), "量子と猫")
    assert several.id is None and len(several.pieces) > 1
    hidden = find_exact(tiny("mecab"), "鰻")
    assert hidden.id is None and hidden.unknown


def test_the_mark_before_a_word_does_not_count_as_a_token() -> None:
    assert find_exact(tiny("unigram"), "猫").pieces == ("猫",)


def test_byte_pieces_are_readable_and_sorted_out() -> None:
    entries = {entry.piece: entry for entry in list_entries(tiny("byte-bpe"))}
    assert entries["ã"].script == "bytes" and entries["ã"].surface == "⟨E3⟩"
    assert entries["Ġ"].surface == "␣"
    assert search(tiny("byte-bpe"), "は", match="exact").total == 1


@pytest.mark.parametrize("family", ["mecab", "wordpiece", "byte-bpe", "unigram", "fallback", "llama"])
def test_scripts_account_for_the_whole_vocabulary(family: str) -> None:
    tokenizer = tiny(family)
    assert sum(count for _, count in count_scripts(tokenizer)) == len(tokenizer.pieces)
    assert not any("\ufffd" in entry.surface for entry in list_entries(tokenizer))


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("量子", "kanji"),
        ("人々", "kanji"),
        ("する", "hiragana"),
        ("コーヒー", "katakana"),
        ("ｱ", "katakana"),
        ("食べる", "mixed"),
        ("Tokyo", "latin"),
        ("2024", "digits"),
        ("。!", "symbols"),
        ("", "symbols"),
        ("한", "other"),
        ("Tシャツ", "other"),
    ],
)
def test_scripts(text: str, script: str) -> None:
    assert classify(text) == script


def test_byte_letters_are_those_of_the_library() -> None:
    from tokenizers.pre_tokenizers import ByteLevel

    assert set(byte_letters()) == set(ByteLevel.alphabet()) and sorted(byte_letters().values()) == list(range(256))
    coded = ByteLevel(add_prefix_space=False).pre_tokenize_str("猫 é\x00")
    assert bytes(byte for piece, _ in coded for byte in piece_bytes(piece, "byte-bpe")).decode() == "猫 é\x00"


@given(st.binary(max_size=12))
def test_bytes_never_read_as_a_replacement_character(data: bytes) -> None:
    seen = readable_bytes(data)
    assert "\ufffd" not in seen or "\ufffd".encode() in data
    assert bool(seen) == bool(data)
