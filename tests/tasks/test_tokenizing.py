"""Features have the ids that transformers itself gives, and the segments that BERT needs."""

from __future__ import annotations

import itertools
import json
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from core.errors import ModelUnavailable
from core.tasks.offsets import locate_tokens
from core.tasks.tokenizing import encode_pieces, encode_texts, is_japanese_bert, load_task_tokenizer
from tests.tasks.encoder import BUNDLED, save_encoder

TRICKY = (
    "吾輩は猫である。名前はまだ無い。",
    "",
    " ",
    "　\n\t",
    "これは[MASK]です[SEP]か[CLS]",
    "[MASK][MASK]",
    "［ＭＡＳＫ］ ﾊﾝｶｸ ①㌔ ﬁ",  # NFKC makes brackets of it that are not the special token
    "が か゛ 👨‍👩‍👧‍👦 𠮷野家 \U0001f600",
    "a\x00b\x1fc\u200b\u2028d\ufeff",
    "前\x00後",  # MeCab stops here
    "Hello, World! e.g. 3.14 % don't",
    "あ" * 150,
    "x" * 150,  # longer than WordPiece reads a word
    "\u3000全角　空白\u3000",
    "改行\nのある\r\n文\rです",
    "##ing ##",
    "カタカナ・中黒ー長音〜波",
    "ÀÉÎõü ß Ω",
)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return load_task_tokenizer(str(BUNDLED))


def slow(tokenizer: Any, *texts: str, max_length: int) -> dict[str, list[int]]:
    return dict(tokenizer(*texts, truncation="longest_first", max_length=max_length, return_token_type_ids=True))


@pytest.mark.parametrize("max_length", [512, 9])
def test_a_text_is_encoded_as_transformers_does(tokenizer: Any, max_length: int) -> None:
    for text, feature in zip(TRICKY, encode_texts(tokenizer, TRICKY, max_length=max_length), strict=True):
        assert feature == slow(tokenizer, text, max_length=max_length), text


@pytest.mark.parametrize("max_length", [512, 13, 12, 6])
def test_a_pair_is_encoded_as_transformers_does(tokenizer: Any, max_length: int) -> None:
    pairs = list(itertools.product(TRICKY, TRICKY[:7] + TRICKY[11:13]))
    firsts, seconds = [first for first, _ in pairs], [second for _, second in pairs]
    features = encode_texts(tokenizer, firsts, seconds, max_length=max_length)
    for (first, second), feature in zip(pairs, features, strict=True):
        assert feature == slow(tokenizer, first, second, max_length=max_length), (first, second)


def test_the_second_text_of_a_pair_is_another_segment(tokenizer: Any) -> None:
    (feature,) = encode_texts(tokenizer, ["猫"], ["犬"], max_length=16)
    ids, segments = feature["input_ids"], feature["token_type_ids"]
    border = ids.index(tokenizer.sep_token_id) + 1
    assert segments == [0] * border + [1] * (len(ids) - border)
    assert segments[-1] == 1


def test_only_the_longer_text_is_cut(tokenizer: Any) -> None:
    long, short = "猫は魚を食べた。" * 20, "犬が走る"
    (whole,) = encode_texts(tokenizer, [short], max_length=64)
    (feature,) = encode_texts(tokenizer, [short], [long], max_length=32)
    assert len(feature["input_ids"]) == 32
    assert feature["input_ids"][: len(whole["input_ids"])] == whole["input_ids"]


def test_pieces_are_the_ids_without_the_frame(tokenizer: Any) -> None:
    for text, ids in zip(TRICKY, encode_pieces(tokenizer, TRICKY), strict=True):
        assert ids == tokenizer(text, add_special_tokens=False)["input_ids"], text
    assert encode_texts(tokenizer, [], max_length=8) == []
    assert encode_pieces(tokenizer, []) == []


def test_a_tokenizer_with_other_settings_keeps_them(tmp_path: Path) -> None:
    from transformers import AddedToken, BertJapaneseTokenizer

    texts = ["Apple の ABC を食べた", "猫 <x> 犬<x>"]
    for kind in ("wordpiece", "character"):
        settings: dict[str, Any] = {"word_tokenizer_type": "mecab", "subword_tokenizer_type": kind}
        made = BertJapaneseTokenizer(str(BUNDLED / "vocab.txt"), do_lower_case=True, never_split=["ABC"], **settings)
        made.add_tokens([AddedToken("<x>", lstrip=True, rstrip=True)])
        assert is_japanese_bert(made)
        made.model_max_length = 64
        for text, feature in zip(texts, encode_texts(made, texts, max_length=64), strict=True):
            assert feature["input_ids"] == made(text)["input_ids"], (kind, text)
            assert "token_type_ids" not in feature  # as it was made: nobody asked for them


def test_segments_are_given_where_a_saved_tokenizer_lacks_them(tmp_path: Path) -> None:
    from transformers import AutoTokenizer, BertJapaneseTokenizer

    BertJapaneseTokenizer(
        str(BUNDLED / "vocab.txt"), word_tokenizer_type="mecab", subword_tokenizer_type="wordpiece"
    ).save_pretrained(tmp_path)
    assert "token_type_ids" not in AutoTokenizer.from_pretrained(tmp_path)("猫", "犬")  # book.md P1
    tokenizer: Any = load_task_tokenizer(str(tmp_path))
    assert tokenizer("猫", "犬")["token_type_ids"][-1] == 1
    assert tokenizer.pad(encode_texts(tokenizer, ["猫", "猫の犬"], ["犬", "犬"], max_length=9))["token_type_ids"]
    tokenizer.save_pretrained(tmp_path / "trained")
    again: Any = AutoTokenizer.from_pretrained(tmp_path / "trained")
    assert type(again) is BertJapaneseTokenizer
    assert again("猫は魚", "犬") == tokenizer("猫は魚", "犬")
    assert again("猫は魚", "犬")["token_type_ids"][-1] == 1


def test_a_model_without_segments_gets_none(tmp_path: Path) -> None:
    folder = save_encoder(tmp_path, type_vocab_size=1)
    tokenizer: Any = load_task_tokenizer(folder)
    (feature,) = encode_texts(tokenizer, ["猫"], ["犬"], max_length=9)
    assert "token_type_ids" not in feature


def test_no_input_is_longer_than_the_model_has_positions_for(tmp_path: Path) -> None:
    tokenizer: Any = load_task_tokenizer(save_encoder(tmp_path, positions=16))
    assert tokenizer.model_max_length == 16
    assert len(encode_texts(tokenizer, ["猫" * 100], max_length=512)[0]["input_ids"]) == 16
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    roberta = config | {"model_type": "roberta", "architectures": ["RobertaModel"]}
    (tmp_path / "config.json").write_text(json.dumps(roberta), encoding="utf-8")
    assert load_task_tokenizer(str(tmp_path)).model_max_length == 14  # RoBERTa counts from 2


def test_another_kind_of_tokenizer_is_encoded_by_itself() -> None:
    tokenizer: Any = load_task_tokenizer(str(BUNDLED.parents[1] / "tokenizers" / "unigram"))
    features = encode_texts(tokenizer, ["吾輩は猫である", "猫"], ["犬", "猫である" * 30], max_length=16)
    for feature, texts in zip(features, [("吾輩は猫である", "犬"), ("猫", "猫である" * 30)], strict=True):
        assert feature["input_ids"] == tokenizer(*texts, truncation=True, max_length=16)["input_ids"]
        assert feature["attention_mask"] == [1] * len(feature["input_ids"])
    assert tokenizer.pad_token is not None
    assert encode_pieces(tokenizer, ["猫"]) == [tokenizer("猫", add_special_tokens=False)["input_ids"]]


def test_a_broken_folder_is_told(tmp_path: Path) -> None:
    shutil.copy(BUNDLED / "tokenizer_config.json", tmp_path)
    with pytest.raises(ModelUnavailable) as caught:
        load_task_tokenizer(str(tmp_path))
    assert caught.value.key == "error.model.unreadable"


def test_threads_may_share_a_tokenizer(tokenizer: Any) -> None:
    texts = [f"{number}匹の猫は{number}匹の魚を食べた。" for number in range(40)]

    def read() -> tuple[Any, ...]:
        return encode_texts(tokenizer, texts, max_length=64), locate_tokens(tokenizer, texts)

    expected = read()
    wrong: list[int] = []

    def encode(number: int) -> None:
        if read() != expected:
            wrong.append(number)

    threads = [threading.Thread(target=encode, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
