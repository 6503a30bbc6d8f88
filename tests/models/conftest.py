"""A Japanese BERT, a decoder and a T5 with random weights, small enough to build in every run."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.models.loading import LoadedModel, load_model
from core.settings import ROOT

VOCABULARY = """
[PAD] [UNK] [CLS] [SEP] [MASK] 猫 は 魚 を 食べ た 彼 彼女 が 好き です 。 吾輩 で ある 名前 まだ 無い
私 の 犬 走 ##る ##っ A ##B
"""


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny BertForMaskedLM in half precision and its BertJapaneseTokenizer."""
    import torch
    from transformers import BertConfig, BertForMaskedLM, BertJapaneseTokenizer

    place = tmp_path_factory.mktemp("tiny")
    (place / "vocab.txt").write_text("\n".join(VOCABULARY.split()), encoding="utf-8")
    BertJapaneseTokenizer(
        str(place / "vocab.txt"), word_tokenizer_type="mecab", subword_tokenizer_type="wordpiece", model_max_length=64
    ).save_pretrained(place)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(VOCABULARY.split()),
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
        pad_token_id=0,
        initializer_range=0.5,  # weights wide enough for uneven attention
    )
    BertForMaskedLM(config).half().save_pretrained(place)
    return place


@pytest.fixture(scope="session")
def tiny(folder: Path) -> LoadedModel:
    return load_model(str(folder))


@pytest.fixture(scope="session")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny Llama and the bundled Unigram."""
    import torch
    from transformers import LlamaForCausalLM

    from core.bundled.generators import DecoderShape, configure_decoder, load_unigram

    place, tokenizer = tmp_path_factory.mktemp("decoder"), load_unigram(ROOT / "assets")
    torch.manual_seed(0)
    shape = DecoderShape(width=16, layers=2, heads=2, inner=16)
    LlamaForCausalLM(configure_decoder(shape, len(tokenizer))).save_pretrained(place)
    tokenizer.save_pretrained(place)
    return place


@pytest.fixture(scope="session")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny T5 and the bundled Unigram with T5's sentinels."""
    import torch
    from transformers import T5ForConditionalGeneration

    from core.bundled.generators import Seq2SeqShape, configure_seq2seq, load_unigram

    place, tokenizer = tmp_path_factory.mktemp("writer"), load_unigram(ROOT / "assets", sentinels=100)
    torch.manual_seed(0)
    shape = Seq2SeqShape(width=16, layers=2, heads=2, inner=16)
    T5ForConditionalGeneration(configure_seq2seq(shape, len(tokenizer))).save_pretrained(place)
    tokenizer.save_pretrained(place)
    return place
