"""The recipe of the tokenizers, and what it promises: nothing is unknown, AutoTokenizer loads it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import sentencepiece
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from core.bundled import tokenizers, vocabulary
from core.bundled.recipe import Request
from core.bundled.vocabulary import (
    convert_sentencepiece,
    list_common_characters,
    spell_in_wordpiece,
    train_bpe,
    train_sentencepiece,
    train_unigram,
    train_wordpiece,
)
from tests.bundled.tiny import write_corpus

RARE = "𠮷野家で😀を二杯、鱻"
SENTENCES = ["母は公園で本を読んだ。", "弟は駅前で猫を見た。", "先生は海辺で歌を歌った。"] * 20


def test_recipe_writes_two_tokenizers_with_cards(tmp_path: Path) -> None:
    write_corpus(tmp_path / "data")
    request = Request(tmp_path / "data", tmp_path / "work", tmp_path / "assets", megabytes=1, seed=1)
    tokenizers.train(request, size=400)
    for kind in tokenizers.KINDS:
        folder = tmp_path / "assets/tokenizers" / kind.name
        tokenizer = AutoTokenizer.from_pretrained(folder)
        ids = tokenizer(RARE, add_special_tokens=False)["input_ids"]
        assert tokenizer.decode(ids) == RARE
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        assert metrics["size"] == len(tokenizer)
        assert f"{metrics['characters_per_token']:.2f} characters" in (folder / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("train", [train_bpe, train_unigram])
def test_rare_characters_become_bytes(train: Callable[..., Tokenizer]) -> None:
    tokenizer = train(SENTENCES, size=400)
    encoding = tokenizer.encode(RARE, add_special_tokens=False)
    assert "<unk>" not in encoding.tokens
    assert tokenizer.decode(encoding.ids) == RARE


def test_unigram_cuts_as_sentencepiece_does() -> None:
    proto = train_sentencepiece(SENTENCES, size=400)
    reference, tokenizer = sentencepiece.SentencePieceProcessor(model_proto=proto), convert_sentencepiece(proto)
    for text in (*SENTENCES[:3], RARE, " 二つ  の 空白 ", "ﾃｽﾄ ABC"):
        assert tokenizer.encode(text, add_special_tokens=False).ids == reference.encode(text)


def test_wordpiece_spells_common_characters_in_both_forms(tmp_path: Path) -> None:
    words, target = tmp_path / "words.txt", tmp_path / "vocab.txt"
    words.write_text("母 は 公園 で 本 を 読ん だ 。\n" * 30, encoding="utf-8")
    train_wordpiece(words, target, size=800)
    tokens = target.read_text(encoding="utf-8").splitlines()
    assert len(tokens) == len(set(tokens)) == 800 or len(tokens) < 800
    assert tuple(tokens[:5]) == vocabulary.SPECIAL_TOKENS
    assert {form for character in list_common_characters() for form in (character, f"##{character}")} <= set(tokens)
    assert spell_in_wordpiece(target).encode("公園").tokens != ["[UNK]"]
