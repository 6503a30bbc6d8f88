"""What lies in the assets: it loads offline, is small, and does what its card says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from transformers import AutoModelForMaskedLM, AutoTokenizer

from core.bundled.foundation_cards import write_encoder_card
from core.bundled.vocabulary import list_common_characters, spell_in_wordpiece

ASSETS = Path(__file__).parents[2] / "assets"
MODELS = ASSETS / "models"
ENCODER = MODELS / "encoder"
FOLDERS = tuple(sorted(folder for folder in MODELS.iterdir() if (folder / "config.json").exists()))
OWN = (
    "母は毎朝パンを焼いています。",
    "来週の会議は火曜日に変わりました。",
    "U.S.と書いて...と続ける",
    "東京タワー(333m)",
)


def test_no_file_is_larger_than_ten_megabytes_and_all_fit_the_budget() -> None:
    files = [path for path in (*MODELS.rglob("*.*"), *(ASSETS / "tokenizers").rglob("*.*")) if path.is_file()]
    assert [path for path in files if path.stat().st_size > 10_000_000] == []
    assert sum(path.stat().st_size for path in files) <= 120_000_000


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_weights_are_stored_in_half_precision(folder: Path) -> None:
    shards = sorted(folder.glob("*.safetensors"))
    assert shards
    for shard in shards:
        with safe_open(shard, "pt") as file:
            kinds = {file.get_tensor(name).dtype for name in file.keys()}  # noqa: SIM118 - it only looks like a mapping
        assert kinds <= {torch.float16, torch.int64}  # whole numbers: how often a layer was called


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_no_file_names_a_path_of_a_machine(folder: Path) -> None:
    for path in (*folder.glob("*.json"), *folder.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        assert '"_name_or_path"' not in text
        assert str(ASSETS.parent.resolve()) not in text


def test_a_pair_reaches_the_model_as_two_segments() -> None:
    tokenizer = AutoTokenizer.from_pretrained(ENCODER)
    pair = tokenizer("猫が好きです。", "犬も好きです。")
    first = pair["input_ids"].index(tokenizer.sep_token_id) + 1
    assert pair["token_type_ids"] == [0] * first + [1] * (len(pair["input_ids"]) - first)
    assert tokenizer.model_max_length == 512
    assert type(tokenizer).__name__ == "BertJapaneseTokenizer"


def test_common_characters_are_known() -> None:
    tokenizer = AutoTokenizer.from_pretrained(ENCODER)
    vocabulary = tokenizer.get_vocab()
    assert [character for character in list_common_characters() if character not in vocabulary] == []
    assert [character for character in list_common_characters() if f"##{character}" not in vocabulary] == []


@pytest.mark.parametrize("text", OWN)
def test_training_read_text_as_the_tokenizer_does(text: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(ENCODER)
    words = tokenizer.word_tokenizer.tokenize(text)
    ids = spell_in_wordpiece(ENCODER / "vocab.txt").encode(words, is_pretokenized=True).ids
    assert ids == tokenizer(text, add_special_tokens=False)["input_ids"]


def test_card_holds_the_measured_numbers_and_they_beat_the_baseline() -> None:
    metrics = json.loads((ENCODER / "metrics.json").read_text(encoding="utf-8"))
    config = json.loads((ENCODER / "config.json").read_text(encoding="utf-8"))
    assert (ENCODER / "README.md").read_text(encoding="utf-8") == write_encoder_card(metrics, config)
    model, unigram = (metrics["held_out"]["overall"][who] for who in ("model", "unigram"))
    assert model["loss"] < unigram["loss"] - 1
    assert model["top1"] > 2 * unigram["top1"]
    assert model["top5"] > 1.5 * unigram["top5"]
    parameters = AutoModelForMaskedLM.from_pretrained(ENCODER).num_parameters()
    assert parameters == metrics["training"]["parameters"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("母は毎朝パンを焼い[MASK]います。", "て"),
        ("来週の会議は火曜日に変わりまし[MASK]。", "た"),
        ("私は本[MASK]読みました。", "を"),
    ],
)
def test_it_fills_blanks_of_grammar(text: str, expected: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(ENCODER)
    model = AutoModelForMaskedLM.from_pretrained(ENCODER).eval()
    inputs = tokenizer(text, return_tensors="pt")
    with torch.inference_mode():
        logits = model(**inputs).logits[inputs["input_ids"] == tokenizer.mask_token_id]  # (1, V)
    assert expected in tokenizer.convert_ids_to_tokens(logits[0].topk(5).indices.tolist())
