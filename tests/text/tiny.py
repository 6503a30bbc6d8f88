"""Tokenizers of a few hundred pieces, one per family, trained on our own sentences: they need no bundled file."""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from string import ascii_lowercase
from typing import Any

from core.text.segmentation import segment
from core.text.tokenizers import SubwordTokenizer, load_tokenizer

SENTENCES = (
    "私は日本で自然言語処理を勉強しています。",
    "量子コンピュータの研究には時間がかかる。",
    "吾輩は猫である。名前はまだ無い。",
    "駅前の喫茶店でコーヒーを飲みながら本を読んだ。",
    "Hello world, this is a pen. 株式会社の電話番号は(1)です。",
    "明日は雨が降るそうなので、かさを持って行きます。",
)
TRICKY = (
    "",
    " ",
    "私は 本を　読んだ。\n次\t行\r\nです",
    "👩‍👩‍👧と𠮷野家へ",
    "か\u3099っこう",
    "ﾊﾟﾝ㍿⑴ＡＢＣ",
    "葛\U000e0100城 ❤\ufe0f",
    "[MASK]は猫",
    "東京\x00タワー",
    "ばびぶ ガギグ がぎぐ",
    "ㄱㅏ 각",
    "İstanbul ΑΣ",
    "\u3099\u309a",
    "㋿ ½ ´ ﬁ",
    "<script>alert(1)</script>",
    "▁猫 ## ##猫 ⟨E3⟩",
    "a" * 150,
)
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


@functools.cache
def tiny(family: str) -> SubwordTokenizer:
    """A loaded tokenizer, by a name that `folder` knows."""
    return load_tokenizer(str(folder(family)))


@functools.cache
def folder(family: str) -> Path:
    """The folder it lies in, removed by the operating system's own clean-up of temporary files."""
    place = Path(tempfile.mkdtemp(prefix=f"tiny-{family}-"))
    builders: dict[str, Callable[[Path], None]] = {
        "mecab": _build_mecab,
        "mecab-lower": functools.partial(_build_mecab, do_lower_case=True),
        "mecab-character": functools.partial(_build_mecab, subword_tokenizer_type="character"),
        "wordpiece": _build_wordpiece,
        "byte-bpe": _build_byte_bpe,
        "unigram": _build_unigram,
        "fallback": functools.partial(_build_unigram, fallback=True),
        "t5": functools.partial(_build_sentencepiece, kind="unigram"),
        "llama": functools.partial(_build_sentencepiece, kind="bpe"),
    }
    builders[family](place)
    return place


def _wordpieces() -> list[str]:
    words = [word.surface for sentence in SENTENCES for word in segment(sentence)]
    characters = sorted({character for word in words for character in word})
    return [*SPECIAL, *characters, *(f"##{c}" for c in characters), *dict.fromkeys(w for w in words if 1 < len(w) < 5)]


def _build_mecab(place: Path, **options: Any) -> None:
    from transformers import BertJapaneseTokenizer

    (place / "vocab.txt").write_text("\n".join(_wordpieces()) + "\n", encoding="utf-8")
    settings = {"word_tokenizer_type": "mecab", "subword_tokenizer_type": "wordpiece", **options}
    BertJapaneseTokenizer(str(place / "vocab.txt"), **settings).save_pretrained(place)


def _build_wordpiece(place: Path) -> None:
    from transformers import BertTokenizer

    pieces = dict.fromkeys([*_wordpieces(), *ascii_lowercase, *(f"##{letter}" for letter in ascii_lowercase)])
    BertTokenizer({piece: number for number, piece in enumerate(pieces)}, do_lower_case=True).save_pretrained(place)


def _build_byte_bpe(place: Path) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|endoftext|>"],
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES * 3, trainer)
    template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|endoftext|>", unk_token="<|endoftext|>", chat_template=template
    ).save_pretrained(place)


def _build_unigram(place: Path, *, fallback: bool = False) -> None:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    special = ["<unk>", "</s>", "<mask>", *(f"<0x{byte:02X}>" for byte in range(256) if fallback)]
    trainer = trainers.UnigramTrainer(
        vocab_size=150 + len(special), special_tokens=special[:3], unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(SENTENCES * 3, trainer)
    if fallback:
        state = json.loads(tokenizer.to_str())
        state["model"]["byte_fallback"] = True
        state["model"]["vocab"] += [[piece, -20.0] for piece in special[3:]]
        tokenizer = Tokenizer.from_str(json.dumps(state))
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", eos_token="</s>", mask_token="<mask>"
    ).save_pretrained(place)


def _build_sentencepiece(place: Path, *, kind: str) -> None:
    import io

    import sentencepiece

    model = io.BytesIO()
    numbers: dict[str, Any] = {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1} if kind == "unigram" else {}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 3),
        model_writer=model,
        vocab_size=400,
        model_type=kind,
        byte_fallback=kind == "bpe",
        hard_vocab_limit=False,
        minloglevel=2,
        **numbers,
    )
    name, family = ("spiece.model", "t5") if kind == "unigram" else ("tokenizer.model", "llama")
    (place / name).write_bytes(model.getvalue())
    tokenizer_class = "T5Tokenizer" if family == "t5" else "LlamaTokenizer"
    (place / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": tokenizer_class}), encoding="utf-8")
    (place / "config.json").write_text(json.dumps({"model_type": family}), encoding="utf-8")
