from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.errors import ModelUnavailable
from core.text.tokenizers import load_tokenizer
from tests.text.tiny import folder, tiny


def refusal(source: str) -> str:
    with pytest.raises(ModelUnavailable) as caught:
        load_tokenizer(source)
    assert caught.value.params == {"source": source}
    return caught.value.key


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("mecab", "mecab-wordpiece"),
        ("mecab-character", "mecab-character"),
        ("wordpiece", "wordpiece"),
        ("byte-bpe", "byte-bpe"),
        ("unigram", "unigram"),
        ("t5", "unigram"),
        ("llama", "bpe"),
    ],
)
def test_each_family_is_recognised(name: str, family: str) -> None:
    assert tiny(name).family == family


def test_a_folder_is_loaded_once_until_its_files_change(tmp_path: Path) -> None:
    for file in folder("mecab").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    first = load_tokenizer(str(tmp_path))
    assert load_tokenizer(str(tmp_path)) is first
    with (tmp_path / "vocab.txt").open("a", encoding="utf-8") as vocabulary:
        vocabulary.write("量子力学\n")
    assert "量子力学" in load_tokenizer(str(tmp_path)).pieces


@pytest.mark.parametrize("source", ["", "  ", "../etc", "a/b/c", "こんにちは", "a b", "https://example.org/x"])
def test_what_is_no_name_is_unknown(source: str) -> None:
    assert refusal(source) == "error.model.unknown"


def test_a_hub_id_that_is_not_cached_is_offline() -> None:
    assert refusal("nobody-here/no-such-tokenizer") == "error.model.offline"


def test_a_folder_without_tokenizer_says_so(tmp_path: Path) -> None:
    assert refusal(str(tmp_path)) == "error.model.no_tokenizer"
    (tmp_path / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04pickle")
    (tmp_path / "tokenizer.pkl").write_bytes(b"\x80\x04pickle")
    assert refusal(str(tmp_path)) == "error.model.no_tokenizer"


@pytest.mark.parametrize("name", ["tokenizer_config.json", "config.json"])
def test_remote_code_is_never_run(tmp_path: Path, name: str) -> None:
    (tmp_path / "vocab.txt").write_text("[UNK]\n", encoding="utf-8")
    (tmp_path / "evil.py").write_text("raise SystemExit('ran')", encoding="utf-8")
    (tmp_path / name).write_text(json.dumps({"auto_map": {"AutoTokenizer": ["evil.Evil", None]}}), encoding="utf-8")
    assert refusal(str(tmp_path)) == "error.model.remote_code"


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
def test_broken_files_are_unreadable(tmp_path: Path, name: str) -> None:
    for file in folder("unigram").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / name).write_text("{", encoding="utf-8")
    assert refusal(str(tmp_path)) == "error.model.unreadable"


def test_a_tokenizer_without_known_places_is_refused(tmp_path: Path) -> None:
    for file in folder("mecab").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    configuration = json.loads((tmp_path / "tokenizer_config.json").read_text(encoding="utf-8"))
    configuration["word_tokenizer_type"] = "basic"
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(configuration), encoding="utf-8")
    assert refusal(str(tmp_path)) == "error.model.unsupported_tokenizer"


def test_saved_truncation_and_padding_do_not_bite(tmp_path: Path) -> None:
    for file in folder("unigram").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    state = json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))
    state["truncation"] = {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0}
    (tmp_path / "tokenizer.json").write_text(json.dumps(state), encoding="utf-8")
    assert len(load_tokenizer(str(tmp_path)).fast.encode("自然言語処理を勉強").ids) > 3
