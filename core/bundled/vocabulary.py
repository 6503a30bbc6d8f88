"""The three vocabularies that come with the app, trained on one sample: WordPiece, byte-level BPE, Unigram.

WordPiece learns from MeCab words, as Tohoku BERT does; the other two learn from plain lines, as GPT-2 and T5 do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.bundled.files import whole

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")  # ids 0 to 4, the order of Tohoku BERT
MODEL_MAX_LENGTH = 512
ALPHABET_SIZE = 3_000  # all kanji of everyday use and the commoner ones of names and older texts
LINES_PER_TASK = 5_000
LONGEST_WORD = 100  # the limit of BertJapaneseTokenizer: a longer word is unknown as a whole
PUNCTUATION = "ー・、。「」『』【】〈〉《》〔〕〜々〆〇ゝゞ―—–‐※→←↑↓○●◎△▲▽▼□■◇◆☆★×÷±°℃♪〒¥"


def list_common_characters() -> tuple[str, ...]:
    """List the characters that every WordPiece vocabulary must spell: kana, ASCII, Japanese punctuation, symbols.

    All are in NFKC form, because the tokenizer normalises first.
    """
    ascii_printable = map(chr, range(0x21, 0x7F))
    hiragana = map(chr, range(0x3041, 0x3097))
    katakana = map(chr, range(0x30A1, 0x30FB))
    return (*ascii_printable, *hiragana, *katakana, *PUNCTUATION)


def spell_in_wordpiece(vocabulary: Path) -> Tokenizer:
    """Return the fast WordPiece that cuts space-separated words into the ids BertJapaneseTokenizer gives them."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    # A plain read: WordPiece.from_file would be this, with a deprecated signature.
    tokens = vocabulary.read_text(encoding="utf-8").splitlines()
    ids = {token: index for index, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=LONGEST_WORD))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return tokenizer


def train_wordpiece(words: Path, target: Path, *, size: int) -> None:
    """Train a WordPiece vocabulary on space-separated words and write it as ``vocab.txt``, one token per line."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    common = list_common_characters()
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.WordPieceTrainer(
        vocab_size=size,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=list(common),
        limit_alphabet=ALPHABET_SIZE,
        show_progress=False,
    )
    tokenizer.train([str(words)], trainer)
    ids = tokenizer.get_vocab()
    tokens = sorted(ids, key=ids.__getitem__)[:size]
    # A character needs both its forms, at the start of a word and inside; the rarest merges make room for them.
    missing = [form for character in common for form in (character, f"##{character}") if form not in ids]
    tokens = [*tokens[: size - len(missing)], *missing]
    with whole(target) as part:
        part.write_text("\n".join(tokens) + "\n", encoding="utf-8")


def encode_lines(lines: Sequence[str], *, vocabulary: Path) -> NDArray[np.uint16]:
    """Turn lines of space-separated words into token ids, with [SEP] for each empty line (a document's end)."""
    tokenizer = spell_in_wordpiece(vocabulary)
    separator = tokenizer.token_to_id("[SEP]")
    encoded = tokenizer.encode_batch(list(lines), add_special_tokens=False)
    ids = [encoding.ids if line else [separator] for line, encoding in zip(lines, encoded, strict=True)]
    return np.fromiter((index for line in ids for index in line), dtype=np.uint16)


def encode_words(words: Path, vocabulary: Path, target: Path) -> None:
    """Write the token ids of all lines as one flat array of 16-bit numbers."""
    lines = words.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    # The tokenizer's own threads do the work: its calls release the interpreter.
    parts = [
        encode_lines(lines[start : start + LINES_PER_TASK], vocabulary=vocabulary)
        for start in range(0, len(lines), LINES_PER_TASK)
    ]
    with whole(target) as part, part.open("wb") as file:
        np.save(file, np.concatenate(parts))


def save_bert_tokenizer(vocabulary: Path, folder: Path) -> None:
    """Save the vocabulary as a BertJapaneseTokenizer that ``AutoTokenizer`` finds offline."""
    from transformers import BertJapaneseTokenizer

    tokenizer = BertJapaneseTokenizer(
        str(vocabulary),
        word_tokenizer_type="mecab",
        subword_tokenizer_type="wordpiece",
        mecab_kwargs={"mecab_dic": "unidic_lite"},
        model_max_length=MODEL_MAX_LENGTH,
        # Without token_type_ids a pair would reach the model as one segment, silently.
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )
    tokenizer.save_pretrained(folder)


def train_bpe(lines: Iterable[str], *, size: int) -> Tokenizer:
    """Train a byte-level BPE: any text is spelt, at worst byte by byte, and no token is unknown."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        max_token_length=48,  # bytes (sixteen kana): a set phrase of one corpus is no token
        show_progress=False,
    )
    tokenizer.train_from_iterator(lines, trainer)
    return tokenizer


def train_unigram(lines: Iterable[str], *, size: int) -> Tokenizer:
    """Train a SentencePiece Unigram model with byte fallback; returns a fast tokenizer with the same pieces."""
    return convert_sentencepiece(train_sentencepiece(lines, size=size))


def train_sentencepiece(lines: Iterable[str], *, size: int) -> bytes:
    """Train a SentencePiece Unigram model of at most `size` pieces and return it as SentencePiece writes it."""
    import io

    import sentencepiece

    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=written,
        model_type="unigram",
        vocab_size=size,
        hard_vocab_limit=False,  # a short text has fewer pieces
        character_coverage=0.9995,
        byte_fallback=True,
        normalization_rule_name="nfkc",
        pad_id=0,
        eos_id=1,
        unk_id=2,  # T5's order
        bos_id=-1,
        pad_piece="<pad>",
        max_sentencepiece_length=12,
        num_threads=2,
        minloglevel=2,
    )
    return written.getvalue()


def convert_sentencepiece(proto: bytes) -> Tokenizer:
    """Turn a trained SentencePiece Unigram model into a fast tokenizer that cuts text the same way."""
    import sentencepiece
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

    model = sentencepiece.SentencePieceProcessor(model_proto=proto)
    pieces = [(model.id_to_piece(index), model.get_score(index)) for index in range(model.get_piece_size())]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=model.unk_id(), byte_fallback=True))
    # SentencePiece folds runs of spaces and drops those at the ends.
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Strip(), normalizers.Replace(Regex(r"\s+"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=False)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return tokenizer


def save_fast_tokenizer(tokenizer: Tokenizer, folder: Path, **special_tokens: str) -> None:
    """Save a fast tokenizer so that ``AutoTokenizer`` finds it offline, without a model beside it."""
    from transformers import PreTrainedTokenizerFast

    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=MODEL_MAX_LENGTH, **special_tokens
    ).save_pretrained(folder)
    for path in folder.iterdir():
        path.chmod(0o644)
