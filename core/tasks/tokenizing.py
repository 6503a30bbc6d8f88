"""Texts and pairs of texts as the features that models train on, with the segment ids that BERT was taught to expect.

The tokenizer of Tohoku's BERT is written in Python and encodes a text at a time. Cutting every *different* word once
per call gives the same ids four times as fast.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import ModelUnavailable
from core.libraries import import_transformers

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

    from core.tasks.task import Features

# A tokenizer may be shared: MeCab's words live only until its next text, and a Rust tokenizer must not be told how to
# truncate by two threads at once. Whoever calls one takes this lock.
ENCODING = threading.Lock()
_SEGMENTED_INPUTS = ("input_ids", "token_type_ids", "attention_mask")


def load_task_tokenizer(folder: str) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a model's folder as transformers' own object, private to the caller and fit for training.

    Three things are set that saved tokenizers often lack: `BertJapaneseTokenizer` hands out segment ids (without them a
    pair reaches BERT as one long sentence, book.md P1), the longest input is what the model has positions for, and a
    tokenizer without a padding token pads with its end of text.

    Raises:
        ModelUnavailable: ``error.model.unreadable``.
    """
    import_transformers()
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        config = _read_config(folder)
    except Exception as error:  # broken files raise anything
        raise ModelUnavailable("error.model.unreadable", source=Path(folder).name) from error
    if is_japanese_bert(tokenizer):
        segmented = config is None or getattr(config, "type_vocab_size", 0) > 1
        names = [name for name in _SEGMENTED_INPUTS if segmented or name != "token_type_ids"]
        tokenizer.model_input_names = names
        tokenizer.init_kwargs["model_input_names"] = names  # what is saved beside a trained model
    if config is not None and (positions := count_positions(config)):
        tokenizer.model_max_length = min(tokenizer.model_max_length, positions)
    if tokenizer.pad_token is None and tokenizer.eos_token is not None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def encode_texts(
    tokenizer: PreTrainedTokenizerBase,
    firsts: Sequence[str],
    seconds: Sequence[str] | None = None,
    *,
    max_length: int,
) -> list[Features]:
    """Encode texts, or pairs of texts, with special tokens and without padding.

    Args:
        tokenizer: transformers' own, from `load_task_tokenizer`.
        firsts: texts.
        seconds: as many second texts; their tokens have segment id 1 where the tokenizer knows segments.
        max_length: tokens kept, special tokens included, never more than the model has positions for. Of a pair, the
            longer text is cut first, until both are equally long.

    Returns:
        For each text ``input_ids`` (T,), ``attention_mask`` (T,) and, where the tokenizer knows segments,
        ``token_type_ids`` (T,).
    """
    if not firsts:
        return []
    max_length = min(max_length, tokenizer.model_max_length)
    if is_japanese_bert(tokenizer) and not _has_greedy_tokens(tokenizer):
        return _encode_japanese(tokenizer, firsts, seconds, max_length=max_length)
    with ENCODING:
        encoded = tokenizer(
            list(firsts),
            None if seconds is None else list(seconds),
            truncation="longest_first",
            max_length=max_length,
            return_attention_mask=True,
        )
    names = [name for name in _SEGMENTED_INPUTS if name in encoded]
    return [{name: list(encoded[name][index]) for name in names} for index in range(len(firsts))]


def encode_pieces(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    """Ids of whole texts without special tokens and without truncation: for counting, and for own ways to cut."""
    if is_japanese_bert(tokenizer) and not _has_greedy_tokens(tokenizer):
        encode = _japanese_encoder(tokenizer)
        return [encode(text) for text in texts]
    if not texts:
        return []
    with ENCODING:
        encoded = tokenizer(list(texts), add_special_tokens=False, truncation=False, verbose=False)
    return [list(ids) for ids in encoded["input_ids"]]


def encode_ended(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], *, max_length: int, target: bool = False
) -> list[list[int]]:
    """Ids of texts as T5 reads them and, as a `target`, writes them: at most `max_length` tokens, the end mark last.

    A tokenizer that adds no end mark by itself gets it added; one that frames its texts otherwise stays as it is.
    """
    if not texts:
        return []
    max_length = min(max_length, tokenizer.model_max_length)
    given: dict[str, Any] = {"text_target" if target else "text": list(texts)}
    with ENCODING:
        rows: list[list[int]] = tokenizer(**given, truncation=True, max_length=max_length)["input_ids"]
    end = tokenizer.eos_token_id
    # Multilingual BART puts a language code after the end mark, so the last two places are looked at.
    return [row if end is None or end in row[-2:] else [*row[: max_length - 1], end] for row in rows]


def is_japanese_bert(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether this is MeCab with WordPiece or characters after it, in Python."""
    return (
        type(tokenizer).__name__ == "BertJapaneseTokenizer"
        and getattr(tokenizer, "word_tokenizer_type", "") == "mecab"
        and getattr(tokenizer, "subword_tokenizer_type", "") in ("wordpiece", "character")
        and bool(getattr(tokenizer, "do_word_tokenize", False) and getattr(tokenizer, "do_subword_tokenize", False))
    )


def _read_config(folder: str) -> PretrainedConfig | None:
    """The model's configuration; None in a folder that holds a tokenizer only."""
    from transformers import AutoConfig

    if Path(folder).is_dir() and not (Path(folder) / "config.json").is_file():
        return None
    return AutoConfig.from_pretrained(folder, trust_remote_code=False)


def count_positions(config: PretrainedConfig) -> int:
    """How many tokens a model has positions for; 0 where it counts distances only (T5)."""
    positions = getattr(config, "max_position_embeddings", None)
    if not isinstance(positions, int) or positions <= 0:
        return 0
    # RoBERTa and its kin start counting after the padding id: the first two positions are never used.
    return positions - (2 if "roberta" in config.model_type else 0)


def _has_greedy_tokens(tokenizer: Any) -> bool:
    """Whether an added token also takes the white space around it, or stands alone only: left to transformers."""
    return any(token.lstrip or token.rstrip or token.single_word for token in tokenizer.added_tokens_decoder.values())


def _japanese_encoder(tokenizer: Any) -> Callable[[str], list[int]]:
    """What `BertJapaneseTokenizer` does to a text, with a memory of the words it has cut that lives as long as this."""
    special = list(tokenizer.all_special_tokens)
    verbatim = {token.content: number for number, token in tokenizer.added_tokens_decoder.items()}
    for token in special:
        verbatim.setdefault(token, tokenizer.convert_tokens_to_ids(token))
    cut_words, cut_word = tokenizer.word_tokenizer.tokenize, tokenizer.subword_tokenizer.tokenize
    known: dict[str, list[int]] = {}

    def encode(text: str) -> list[int]:
        ids: list[int] = []
        for part in tokenizer.tokens_trie.split(text):  # [MASK] and its like are matched before anything else
            if not part:
                continue
            if part in verbatim:
                ids.append(verbatim[part])
                continue
            with ENCODING:
                words = cut_words(part, never_split=special)
            for word in words:
                pieces = known.get(word)
                if pieces is None:
                    pieces = known[word] = tokenizer.convert_tokens_to_ids(cut_word(word))
                ids += pieces
        return ids

    return encode


def _encode_japanese(
    tokenizer: Any, firsts: Sequence[str], seconds: Sequence[str] | None, *, max_length: int
) -> list[Features]:
    encode = _japanese_encoder(tokenizer)
    start, end = tokenizer.cls_token_id, tokenizer.sep_token_id
    segmented = "token_type_ids" in tokenizer.model_input_names
    features: list[Features] = []
    for first, second in zip(firsts, seconds if seconds is not None else [None] * len(firsts), strict=True):
        one, other = encode(first), [] if second is None else encode(second)
        one, other = _cut_longer(one, other, room=max(max_length - (2 if second is None else 3), 0))
        ids = [start, *one, end]
        borders = len(ids)
        if second is not None:
            ids += [*other, end]
        feature: Features = {"input_ids": ids, "attention_mask": [1] * len(ids)}
        if segmented:
            feature["token_type_ids"] = [0] * borders + [1] * (len(ids) - borders)
        features.append(feature)
    return features


def _cut_longer(one: list[int], other: list[int], *, room: int) -> tuple[list[int], list[int]]:
    """Cut the longer of two until both fit together; what is still too much goes from both in equal parts."""
    excess = len(one) + len(other) - room
    if excess <= 0:
        return one, other
    from_longer = min(abs(len(one) - len(other)), excess)
    half = (excess - from_longer) // 2  # an odd token goes from the second, as in transformers
    from_one = half + (from_longer if len(one) > len(other) else 0)
    return one[: max(len(one) - from_one, 0)], other[: max(len(other) - (excess - from_one), 0)]
