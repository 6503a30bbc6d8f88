"""Tokenizations say exactly what the tokenizers do, and which characters every token covers."""

from __future__ import annotations

import functools
import re
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.settings import ROOT
from core.text.pieces import plain_piece
from core.text.tokenization import stages, tokenize
from core.text.tokenizers import SubwordTokenizer, load_tokenizer
from core.text.types import Tokenization
from tests.text.tiny import SENTENCES, TRICKY, tiny

FAMILIES = ("mecab", "mecab-lower", "mecab-character", "wordpiece", "byte-bpe", "unigram", "fallback", "t5", "llama")
BUNDLED = ("assets/models/encoder", "assets/tokenizers/bpe", "assets/tokenizers/unigram")

# Any character, and more often those that are known to be difficult.
CHARACTERS = st.one_of(
    st.characters(exclude_categories=["Cs"]),
    st.sampled_from("かハ\u3099\u309aﾊﾟ㍿⑴ＡａΣİß　 \t\n\r\x00\u200d\ufe0f\U000e0100👩👧𠮷▁#<>[]ー々日本語のは。、"),
)
TEXT = st.one_of(
    st.text(CHARACTERS, max_size=20),
    st.lists(st.sampled_from([*TRICKY, *SENTENCES, "[MASK]", "[UNK]", "</s>", "##"]), max_size=3).map("".join),
)
SHORT = st.text(CHARACTERS, max_size=12)  # for very many
MANY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def check(result: Tokenization, text: str, tokenizer: SubwordTokenizer) -> None:
    """What holds for every tokenizer and text."""
    assert list(result.ids) == tokenizer.model(text)["input_ids"]
    assert result.text == text
    start = end = 0
    for token in result.tokens:
        assert 0 <= token.start <= token.end <= len(text)
        if token.sequence is not None:
            assert token.start >= start and token.end >= end
            start, end = token.start, token.end
        assert "\ufffd" not in token.surface or "\ufffd" in text
        assert tokenizer.pieces[token.id] == token.piece
    for group in result.groups:
        members = result.tokens[group.first : group.last]
        assert len(members) == 1 or all(token.end > token.start for token in members)
    spans = [(g.start, g.end) for g in result.groups if g.end > g.start and result.tokens[g.first].sequence == 0]
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    check_joined(result, tokenizer)
    for stage in stages(result):
        assert all(0 <= part.start <= part.end <= len(text) for part in stage.parts)


def check_joined(result: Tokenization, tokenizer: SubwordTokenizer) -> None:
    """The pieces, joined, are the normalised text.

    Byte-level: its bytes, exactly. Others: its characters without white space, an unknown token standing for those that
    it hides (``.*``: white space alone, at times). WordPiece drops white space; ▁ stands for
    it elsewhere, and a text may hold that as well.
    """
    tokens = result.content()
    if result.family == "byte-bpe":
        data = b"".join(bytes(t.bytes) if t.bytes else t.piece.encode() for t in tokens)
        assert data == result.normalized.encode()
        return
    pattern, waiting = "", b""
    for token in tokens:
        if token.bytes:
            waiting += bytes(token.bytes)
            continue
        pattern, waiting = pattern + re.escape(squeeze(waiting.decode())), b""
        if token.unknown:
            pattern = pattern.removesuffix(".*") + ".*"
            assert result.original(token)
        elif token.special:
            pattern += re.escape(squeeze(token.piece))
        else:
            pattern += re.escape(squeeze(plain_piece(token.piece, result.family, continues=token.continues)))
    pattern += re.escape(squeeze(waiting.decode()))
    normalized = result.normalized
    if result.family.startswith("mecab"):
        # MeCab stops at NUL: the rest of a stretch, up to the next token that is matched verbatim, is lost.
        normalized = re.sub(r"\x00.*?(?=\[(?:PAD|UNK|CLS|SEP|MASK)\]|$)", "", normalized, flags=re.DOTALL)
    assert re.fullmatch(pattern, squeeze(normalized), re.DOTALL), (pattern, squeeze(normalized))


def squeeze(text: str) -> str:
    return "".join(text.replace("▁", " ").split())


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("text", [*TRICKY, *SENTENCES])
def test_difficult_texts(family: str, text: str) -> None:
    tokenizer = tiny(family)
    check(tokenize(text, tokenizer), text, tokenizer)


@settings(MANY, max_examples=1_000)
@given(TEXT)
def test_random_texts_through_mecab_and_wordpiece(text: str) -> None:
    tokenizer = tiny("mecab")
    check(tokenize(text, tokenizer), text, tokenizer)


@pytest.mark.parametrize("family", FAMILIES[1:])
def test_random_texts(family: str) -> None:
    tokenizer = tiny(family)

    @settings(MANY, max_examples=300)
    @given(TEXT)
    def holds(text: str) -> None:
        check(tokenize(text, tokenizer), text, tokenizer)

    holds()


@settings(MANY, max_examples=10_000)
@given(SHORT)
def test_random_texts_through_the_bundled_wordpiece(text: str) -> None:
    tokenizer = load_tokenizer(str(ROOT / BUNDLED[0]))
    check(tokenize(text, tokenizer), text, tokenizer)


@pytest.mark.parametrize("path", BUNDLED[1:])
def test_random_texts_through_the_other_bundled_tokenizers(path: str) -> None:
    tokenizer = load_tokenizer(str(ROOT / path))

    @settings(MANY, max_examples=2_000)
    @given(TEXT)
    def holds(text: str) -> None:
        check(tokenize(text, tokenizer), text, tokenizer)

    holds()


@pytest.mark.parametrize("family", ["mecab", "wordpiece"])
def test_a_pair_has_segment_ids_zero_and_one(family: str) -> None:
    tokenizer = tiny(family)
    result = tokenize("猫は本", tokenizer, pair="本を読んだ")
    reference = tokenizer.model("猫は本", "本を読んだ", return_token_type_ids=True)
    assert list(result.ids) == reference["input_ids"]
    assert list(result.segment_ids) == reference["token_type_ids"]
    assert result.segment_ids[0] == 0 and result.segment_ids[-1] == 1
    assert result.original(result.content(1)[0]) == "本"
    assert {token.segment for token in result.content(1)} == {1}


def test_offsets_of_a_pair_count_within_each_text() -> None:
    result = tokenize("猫", tiny("unigram"), pair="本")
    assert [(t.start, t.end) for t in result.content(1) if t.end] == [(0, 1)]


def test_an_unknown_token_covers_what_it_hides() -> None:
    result = tokenize("私は鰻を", tiny("mecab"))
    unknown = [token for token in result.tokens if token.unknown]
    assert [result.original(token) for token in unknown] == ["鰻"]
    assert result.unknown_count == 1


def test_a_character_of_several_tokens_is_one_group_with_its_bytes() -> None:
    result = tokenize("鰻", tiny("byte-bpe"))
    (group,) = result.groups
    assert (group.start, group.end) == (0, 1)
    assert bytes(byte for token in result.tokens for byte in token.bytes) == "鰻".encode()
    assert result.tokens[0].surface == "⟨E9⟩"
    assert {(t.start, t.end) for t in result.tokens} == {(0, 1)}


def test_byte_fallback_shares_a_run_out_to_its_characters() -> None:
    result = tokenize("鰻鮭", tiny("fallback"))
    assert [(g.start, g.end) for g in result.groups if g.end > g.start] == [(0, 1), (1, 2)]


@pytest.mark.parametrize("family", ["mecab", "wordpiece", "unigram"])
def test_a_composed_mark_belongs_to_its_letter(family: str) -> None:
    result = tokenize("か\u3099い", tiny(family))
    assert not result.uncovered()


def test_one_ligature_gives_several_tokens_with_the_same_span() -> None:
    result = tokenize("㍿", tiny("mecab"))
    assert [(t.surface, t.start, t.end, t.group) for t in result.content()] == [("株式", 0, 1, 1), ("会社", 0, 1, 1)]


def test_the_mark_before_a_word_covers_nothing() -> None:
    first, second = tokenize("猫", tiny("unigram")).content()
    assert (first.piece, first.start, first.end) == ("▁", 0, 0)
    assert (second.start, second.end) == (0, 1) and first.group != second.group


def test_typed_special_tokens_are_kept_verbatim() -> None:
    result = tokenize("[MASK]は猫", tiny("wordpiece"))
    mask = result.content()[0]
    assert (mask.piece, mask.special, result.original(mask)) == ("[MASK]", True, "[MASK]")
    assert result.normalized.startswith("[MASK]")


def test_uncased_bert_shows_the_dakuten_it_drops() -> None:
    changes = tokenize("がぎ", tiny("wordpiece")).normalizations[0].changes
    assert [(c.before, c.after, c.rule, c.kind) for c in changes] == [("がぎ", "かき", "strip_accents", "accent")]


def test_what_follows_a_nul_is_told_as_uncovered() -> None:
    assert tokenize("私\x00は", tiny("mecab")).uncovered() == ((1, 3),)


def test_stages_show_what_each_changed() -> None:
    names = {stage.name: stage.parts for stage in stages(tokenize("㍿の量子", tiny("mecab-character")))}
    assert list(names) == ["original", "normalized", "words", "subwords", "ids"]
    assert [(p.text, p.changed) for p in names["normalized"]] == [("株式会社", True), ("の量子", False)]
    assert [p.text for p in names["words"]] == ["株式", "会社", "の", "量子"]
    assert [(p.text, p.changed) for p in names["subwords"]][-3:] == [("の", False), ("量", True), ("子", True)]
    assert "words" not in {stage.name for stage in stages(tokenize("猫", tiny("byte-bpe")))}


def test_surrogates_are_refused() -> None:
    for family in ("mecab", "byte-bpe"):
        with pytest.raises(InvalidInput):
            tokenize("\ud800", tiny(family))


def test_threads_share_a_tokenizer() -> None:
    for family in ("mecab", "unigram"):
        texts = [sentence * 3 for sentence in SENTENCES] * 5
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(functools.partial(tokenize, tokenizer=tiny(family)), texts))
        assert found == [tokenize(text, tiny(family)) for text in texts]
