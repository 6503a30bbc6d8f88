"""Tokens counted over a long text, step by step; and what the same meaning costs in Japanese and in English."""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import InvalidInput
from core.jobs import Progress
from core.text.input import refuse_surrogates
from core.text.pieces import readable_piece
from core.text.segmentation import segment
from core.text.tokenizers import SubwordTokenizer

_SAMPLE = Path(__file__).parents[2] / "assets" / "samples" / "parallel.json"
_LONGEST_CHUNK = 2_000  # characters tokenized at once: bounds the time between two steps
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class TokenStatistics:
    """Counts for one tokenizer (special tokens left out).

    ``unknown_share`` is the share of unknown tokens in [0, 1]; ``line_lengths`` are (tokens in a line, number of lines)
    and ``piece_lengths`` (characters of a readable piece, number of tokens), both by length; ``frequent`` are the most
    frequent tokens as (readable piece, count).
    """

    source: str
    tokens: int
    characters_per_token: float
    unknown: int
    unknown_share: float
    distinct: int
    line_lengths: tuple[tuple[int, int], ...]
    piece_lengths: tuple[tuple[int, int], ...]
    frequent: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class TextStatistics:
    """Counts over a text: characters without line ends, lines that are not blank, MeCab words, a row per tokenizer."""

    characters: int
    lines: int
    words: int
    tokenizers: tuple[TokenStatistics, ...]


@dataclass(frozen=True, slots=True)
class Efficiency:
    """Characters and tokens of the same sentences in two languages.

    ``token_ratio`` is Japanese tokens per English token for the same meaning: above 1, Japanese costs more.
    """

    source: str
    sentences: int
    japanese_characters: int
    japanese_tokens: int
    english_characters: int
    english_tokens: int

    @property
    def japanese_characters_per_token(self) -> float:
        """Characters per token in Japanese."""
        return self.japanese_characters / max(self.japanese_tokens, 1)

    @property
    def english_characters_per_token(self) -> float:
        """Characters per token in English."""
        return self.english_characters / max(self.english_tokens, 1)

    @property
    def token_ratio(self) -> float:
        """Japanese tokens for one English token."""
        return self.japanese_tokens / max(self.english_tokens, 1)


def measure_text(text: str, tokenizers: Sequence[SubwordTokenizer]) -> Generator[Progress, None, TextStatistics]:
    """Count the tokens of a long text, one `Progress` (characters done, in all) per chunk; returns the statistics.

    The text is taken line by line, lines above 2,000 characters in parts (at whose borders a token
    may be cut in two). Close the generator to stop.

    Raises:
        InvalidInput: ``error.text.empty``, ``error.text.surrogate``.
        ModelUnavailable: ``error.text.no_dictionary``.
    """
    refuse_surrogates(text)
    if not text.strip():
        raise InvalidInput("error.text.empty")
    lines = [line for line in text.splitlines() if line.strip()]
    total = sum(map(len, lines))
    counts = [Counter[int]() for _ in tokenizers]
    line_lengths = [Counter[int]() for _ in tokenizers]
    words = done = 0
    for line in lines:
        in_line = [0] * len(tokenizers)
        for chunk in _cut_chunks(line):
            words += sum(bool(word.surface.strip()) for word in segment(chunk))
            for place, tokenizer in enumerate(tokenizers):
                numbers = encode(chunk, tokenizer)
                counts[place].update(numbers)
                in_line[place] += len(numbers)
            done += len(chunk)
            yield Progress(done, total)
        for place, length in enumerate(in_line):
            line_lengths[place][length] += 1
    rows = tuple(
        _summarise(tokenizer, counts[place], line_lengths[place], total) for place, tokenizer in enumerate(tokenizers)
    )
    return TextStatistics(total, len(lines), words, rows)


def encode(text: str, tokenizer: SubwordTokenizer) -> list[int]:
    """Ids of a text without special tokens, nothing more: for counting."""
    if tokenizer.fast is not None:
        return list(tokenizer.fast.encode(text, add_special_tokens=False).ids)
    with tokenizer.lock:
        return list(tokenizer.model.convert_tokens_to_ids(tokenizer.model.tokenize(text)))


def compare_languages(tokenizer: SubwordTokenizer, *, pairs: Sequence[tuple[str, str]] | None = None) -> Efficiency:
    """Count characters and tokens of (Japanese, English) sentence pairs, by default the bundled ones."""
    pairs = load_parallel_sample() if pairs is None else pairs
    japanese, english = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    return Efficiency(
        tokenizer.source,
        len(pairs),
        sum(map(len, japanese)),
        sum(len(encode(sentence, tokenizer)) for sentence in japanese),
        sum(map(len, english)),
        sum(len(encode(sentence, tokenizer)) for sentence in english),
    )


@functools.cache
def load_parallel_sample() -> tuple[tuple[str, str], ...]:
    """The bundled sentences in Japanese and English, written for this project (CC0)."""
    rows = json.loads(_SAMPLE.read_text(encoding="utf-8"))["pairs"]
    return tuple((row["ja"], row["en"]) for row in rows)


def _cut_chunks(line: str) -> Iterator[str]:
    """Parts of a line, cut after a full stop where there is one within reach."""
    while len(line) > _LONGEST_CHUNK:
        end = line.rfind("。", 0, _LONGEST_CHUNK) + 1 or _LONGEST_CHUNK
        yield line[:end]
        line = line[end:]
    yield line


def _summarise(
    tokenizer: SubwordTokenizer, counts: Counter[int], line_lengths: Counter[int], characters: int
) -> TokenStatistics:
    tokens = counts.total()
    unknown = counts[tokenizer.unknown_id] if tokenizer.unknown_id is not None else 0
    piece_lengths: Counter[int] = Counter()
    for number, count in counts.items():
        piece_lengths[len(_read(number, tokenizer).removeprefix("▁"))] += count
    return TokenStatistics(
        tokenizer.source,
        tokens,
        characters / tokens if tokens else 0.0,
        unknown,
        unknown / tokens if tokens else 0.0,
        len(counts),
        tuple(sorted(line_lengths.items())),
        tuple(sorted(piece_lengths.items())),
        tuple((_read(number, tokenizer), count) for number, count in counts.most_common(_SHOWN)),
    )


def _read(number: int, tokenizer: SubwordTokenizer) -> str:
    piece = tokenizer.pieces[number]
    if number in tokenizer.special_ids or number == tokenizer.unknown_id:
        return piece
    return readable_piece(piece, tokenizer.family, continues=piece.startswith("##"))
