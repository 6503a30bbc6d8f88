"""Tokens that know their characters, many texts at a time: what reading needs to turn spans into answers and back.

`core.text.tokenization` tells far more about a single text; this gives the same ids and spans seven times as fast.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.tasks.tokenizing import ENCODING, is_japanese_bert
from core.text.normalization import Rule, follow_rules
from core.text.types import Span

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_nfkc = functools.partial(unicodedata.normalize, "NFKC")
_NFKC = Rule("nfkc", _nfkc)


@dataclass(frozen=True, slots=True)
class LocatedTokens:
    """Token ids of a text without special tokens, and the characters [start, end) of the text that each one covers."""

    ids: tuple[int, ...]
    spans: tuple[Span, ...]


def locate_tokens(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[LocatedTokens]:
    """Tokenize texts whole, without special tokens; an unknown token covers the word it stands for.

    Args:
        tokenizer: transformers' own: MeCab-based BERT, or any that runs in Rust.
        texts: any texts.
    """
    if is_japanese_bert(tokenizer):
        locate = _japanese_locator(tokenizer)
        return [locate(text) for text in texts]
    if not texts:
        return []
    with ENCODING:
        encoded = tokenizer(
            list(texts), add_special_tokens=False, truncation=False, return_offsets_mapping=True, verbose=False
        )
    return [
        LocatedTokens(tuple(ids), tuple((int(start), int(end)) for start, end in spans))
        for ids, spans in zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)
    ]


def _japanese_locator(tokenizer: Any) -> Callable[[str], LocatedTokens]:
    """What `BertJapaneseTokenizer` does to a text, step by step, with a memory of the words it has cut."""
    special = frozenset(tokenizer.all_special_tokens)
    verbatim = {token: tokenizer.convert_tokens_to_ids(token) for token in special}
    verbatim |= {token.content: number for number, token in tokenizer.added_tokens_decoder.items()}
    cutter = tokenizer.word_tokenizer
    untouched = special | set(cutter.never_split)
    known: dict[str, tuple[tuple[int, Span], ...]] = {}

    def locate(text: str) -> LocatedTokens:
        ids: list[int] = []
        spans: list[Span] = []
        shift = 0
        for part in tokenizer.tokens_trie.split(text):  # [MASK] and its like are matched before anything else
            if part in verbatim:
                ids.append(verbatim[part])
                spans.append((shift, shift + len(part)))
            elif part:
                normal = _nfkc(part) if cutter.normalize_text else part
                origins = None if normal == part else _trace_nfkc(part, normal)
                place = 0
                with ENCODING:
                    words = [(node.surface, len(node.white_space)) for node in cutter.mecab(normal)]
                for surface, space in words:
                    place += space
                    word = surface.lower() if cutter.do_lower_case and surface not in untouched else surface
                    pieces = known.get(word)
                    if pieces is None:
                        pieces = known[word] = _cut_word(word, tokenizer)
                    for number, (start, end) in pieces:
                        if len(word) != len(surface):
                            start, end = _trace_lower(surface, word, start, end)
                        start, end = start + place, end + place
                        if origins is not None:
                            start, end = origins[start][0], origins[end - 1][1]
                        ids.append(number)
                        spans.append((start + shift, end + shift))
                    place += len(surface)
            shift += len(part)
        return LocatedTokens(tuple(ids), tuple(spans))

    return locate


def _trace_nfkc(text: str, normal: str) -> Sequence[Span]:
    """The original span of every character of the normalised text."""
    single = [_nfkc(character) for character in text]
    if "".join(single) == normal:  # no character meets its neighbour: most texts, and far quicker
        return [(place, place + 1) for place, piece in enumerate(single) for _ in piece]
    return follow_rules(text, [_NFKC]).spans


def _trace_lower(surface: str, word: str, start: int, end: int) -> Span:
    """The characters of a word behind [start, end) of its lower case, which is of another length (İ becomes two)."""
    origins = [place for place, character in enumerate(surface) for _ in character.lower()]
    return (origins[start], origins[end - 1] + 1) if len(origins) == len(word) else (0, len(surface))


def _cut_word(word: str, tokenizer: Any) -> tuple[tuple[int, Span], ...]:
    """Ids of the pieces of one word with their places in it."""
    cutter = tokenizer.subword_tokenizer
    found: list[tuple[int, Span]] = []
    if tokenizer.subword_tokenizer_type == "character":
        pieces = cutter.tokenize(word)
        exact = len(pieces) == len(word)  # this tokenizer normalises once more
        for place, piece in enumerate(pieces):
            span = (place, place + 1) if exact else (0, len(word))
            found.append((tokenizer.convert_tokens_to_ids(piece), span))
        return tuple(found)
    start = 0
    for chunk in word.split():  # MeCab may leave white space of other scripts inside a word
        start = word.index(chunk, start)
        for rank, piece in enumerate(cutter.tokenize(chunk)):
            # An unknown token stands for the whole chunk, whatever it is called.
            length = len(chunk) if piece == cutter.unk_token else len(piece.removeprefix("##") if rank else piece)
            found.append((tokenizer.convert_tokens_to_ids(piece), (start, start + length)))
            start += length
    return tuple(found)
