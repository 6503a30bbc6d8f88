"""The recipe of the two tokenizers that come without a model: a byte-level BPE and a SentencePiece Unigram."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from core.bundled.corpus import SOURCES, draw_sample, read_documents
from core.bundled.files import write_json
from core.bundled.foundation_cards import write_tokenizer_card
from core.bundled.recipe import Recipe, Request
from core.bundled.vocabulary import save_fast_tokenizer, train_bpe, train_unigram

if TYPE_CHECKING:
    from tokenizers import Tokenizer

log = logging.getLogger(__name__)

FOLDER = Path("tokenizers")  # under the assets
SIZE = 8_000
EVERY = 3  # every third document: more text changes few pieces and costs minutes
LONGEST_LINE = 1_000  # characters: SentencePiece drops longer lines (over 4,192 bytes)
HELD_OUT_LINES = 200  # of each corpus


@dataclass(frozen=True, slots=True)
class Kind:
    """One tokenizer: how it is trained, its special tokens, and its card's words."""

    name: str
    train: Callable[..., Tokenizer]
    special_tokens: MappingProxyType[str, str]
    title: str
    japanese: str
    english: str


KINDS = (
    Kind(
        "bpe",
        train_bpe,
        MappingProxyType({"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}),
        "バイト単位の BPE / Byte-level BPE",
        "GPT-2 と同じ方式のトークナイザです。UTF-8 のバイトから始めて、頻度の高い隣り合う対を順に結合します。"
        "未知語はなく、珍しい文字は複数のバイトのトークンになります。",
        "A tokenizer of GPT-2's kind: it starts from UTF-8 bytes and merges the most frequent neighbours. "
        "Nothing is unknown: a rare character takes several tokens, each a byte or a few.",
    ),
    Kind(
        "unigram",
        train_unigram,
        MappingProxyType({"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}),
        "SentencePiece Unigram",
        "T5 と同じ方式のトークナイザです。語彙の各片に確率を与え、文を最も確からしい列に分けます。"
        "語彙にない文字は UTF-8 のバイトに分けるので、未知語はありません。",
        "A tokenizer of T5's kind: every piece has a probability, and a text is cut into the likeliest sequence. "
        "A character outside the vocabulary falls back to its UTF-8 bytes, so nothing is unknown.",
    ),
)  # fmt: skip


def read_lines(sample: Path, *, every: int) -> Iterator[str]:
    """Yield the lines of every n-th document of the sample, long ones in pieces."""
    with sample.open(encoding="utf-8") as file:
        document = 0
        for line in map(str.strip, file):
            document += not line
            if line and document % every == 0:
                yield from (line[start : start + LONGEST_LINE] for start in range(0, len(line), LONGEST_LINE))


def count_characters_per_token(tokenizer: Tokenizer, data: Path) -> float:
    """Return characters per token over the first lines of each held-out corpus, special tokens left out."""
    lines = [
        line
        for source in SOURCES
        if (path := data / "pretrain_heldout" / f"{source.name}.jsonl.gz").exists()
        for line in list(chain.from_iterable(read_documents(path)))[:HELD_OUT_LINES]
    ]
    tokens = sum(len(encoding.ids) for encoding in tokenizer.encode_batch(lines, add_special_tokens=False))
    return sum(map(len, lines)) / tokens


def run_training(request: Request) -> None:
    """Train the shipped tokenizers."""
    train(request, size=SIZE)


def train(request: Request, *, size: int) -> None:
    """Train both tokenizers on a sample drawn as the encoder's is, and write their cards."""
    sample, mix = request.work / "sample.txt", request.work / "mix.json"
    if not sample.exists():
        drawn = draw_sample(request.data, sample, megabytes=request.megabytes, seed=request.seed)
        mix.write_text(json.dumps(drawn), encoding="utf-8")
    sources = json.loads(mix.read_text(encoding="utf-8"))
    for kind in KINDS:
        log.info("training %s", kind.name)
        tokenizer = kind.train(read_lines(sample, every=EVERY), size=size)
        folder = request.assets / FOLDER / kind.name
        folder.mkdir(parents=True, exist_ok=True)
        metrics = {
            "name": kind.name,
            "size": tokenizer.get_vocab_size(),
            "every": EVERY,
            "megabytes": round(sum(len(line.encode()) for line in read_lines(sample, every=EVERY)) / 1e6, 1),
            "characters_per_token": round(count_characters_per_token(tokenizer, request.data), 3),
            "sources": list(sources),
            "seed": request.seed,
        }
        write_json(folder / "metrics.json", metrics)
        card = write_tokenizer_card(metrics, title=kind.title, japanese=kind.japanese, english=kind.english)
        (folder / "README.md").write_text(card, encoding="utf-8")
        save_fast_tokenizer(tokenizer, folder, **kind.special_tokens)


RECIPE = Recipe("tokenizers", megabytes=72, train=run_training)
