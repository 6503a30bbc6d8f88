"""How well the encoder fills blanks in text it never saw, beside guessing the most frequent tokens."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.bundled.corpus import SOURCES, read_documents, segment_lines
from core.bundled.vocabulary import SPECIAL_TOKENS, encode_lines

if TYPE_CHECKING:
    from numpy.typing import NDArray

COUNTS = "token_counts.npy"  # (V,) how often each token stands in the training sample
METRICS = "metrics.json"
ROW = 128  # tokens, special tokens included
MOST_ROWS = 300  # of each corpus
MASKED = 0.15
BATCH = 32
TOP = 5


@dataclass(frozen=True, slots=True)
class Score:
    """Mean cross-entropy in nats, and how often the hidden token is the first or among the first five guesses."""

    loss: float
    top1: float
    top5: float


def evaluate(folder: Path, data: Path, *, seed: int) -> dict[str, Any]:
    """Score the model in `folder` and a unigram baseline on each corpus of ``pretrain_heldout`` and on their mix.

    15 % of the tokens are hidden, all behind [MASK], and the model reads rows of 128 tokens. The unigram baseline gives
    every blank the frequencies of the training sample (plus one for each token). The mix weighs by `SOURCES` shares.
    """
    counts = np.load(folder / COUNTS).astype(np.float64) + 1
    counts[: len(SPECIAL_TOKENS)] = 0
    with np.errstate(divide="ignore"):
        unigram = np.log(counts / counts.sum())  # (V,)
    sources: dict[str, Any] = {}
    shares: list[float] = []
    for source in SOURCES:
        path = data / "pretrain_heldout" / f"{source.name}.jsonl.gz"
        if not path.exists():
            continue
        rows, unknown = read_rows(path, folder / "vocab.txt", seed=seed)
        hidden = hide_tokens(rows, seed=seed)
        targets = rows[hidden]  # (N,)
        sources[source.name] = {
            "rows": len(rows),
            "hidden_tokens": len(targets),
            "unknown": round(unknown, 5),
            "model": asdict(score_model(folder, rows, hidden)),
            "unigram": asdict(score_guesses(np.broadcast_to(unigram, (len(targets), len(unigram))), targets)),
        }
        shares.append(source.share)
    overall = {
        who: {
            measure: round(float(np.average([row[who][measure] for row in sources.values()], weights=shares)), 4)
            for measure in ("loss", "top1", "top5")
        }
        for who in ("model", "unigram")
    }
    return {"seed": seed, "hidden_share": MASKED, "row_tokens": ROW, "overall": overall, "sources": sources}


def read_rows(path: Path, vocabulary: Path, *, seed: int) -> tuple[NDArray[np.int64], float]:
    """Cut one corpus into rows [CLS] … [SEP] of `ROW` tokens, and say which share of its tokens is unknown.

    Returns at most `MOST_ROWS` rows (R, T), drawn with the seed.
    """
    lines = [line for document in read_documents(path) for line in (*document, "")]
    stream = encode_lines(segment_lines(lines), vocabulary=vocabulary).astype(np.int64)
    unk, cls, sep = (SPECIAL_TOKENS.index(token) for token in ("[UNK]", "[CLS]", "[SEP]"))
    width = ROW - 2
    count = len(stream) // width
    rows = np.full((count, ROW), sep)
    rows[:, 0] = cls
    rows[:, 1:-1] = stream[: count * width].reshape(count, width)
    chosen = np.sort(np.random.default_rng(seed).permutation(count)[:MOST_ROWS])
    return rows[chosen], float((stream == unk).mean())


def hide_tokens(rows: NDArray[np.int64], *, seed: int) -> NDArray[np.bool_]:
    """Choose the tokens to hide: each with probability `MASKED`, never a special one (an unknown word included)."""
    drawn = np.random.default_rng((seed, 1)).random(rows.shape) < MASKED
    return drawn & (rows >= len(SPECIAL_TOKENS))  # (R, T)


def score_model(folder: Path, rows: NDArray[np.int64], hidden: NDArray[np.bool_]) -> Score:
    """Score the model's guesses at the hidden tokens, each hidden behind [MASK]."""
    import torch

    from core.bundled.masked import IGNORED, BertForMaskedPositions

    model = BertForMaskedPositions.from_pretrained(folder, dtype=torch.float32).eval()
    inputs = torch.from_numpy(np.where(hidden, SPECIAL_TOKENS.index("[MASK]"), rows))
    labels = torch.from_numpy(np.where(hidden, rows, IGNORED))
    logits = []
    with torch.inference_mode():
        for start in range(0, len(rows), BATCH):
            batch = slice(start, start + BATCH)
            logits.append(model(inputs[batch], labels[batch]).logits.log_softmax(-1))
    return score_guesses(torch.cat(logits).numpy(), rows[hidden])


def score_guesses(log_probabilities: NDArray[np.floating[Any]], targets: NDArray[np.int64]) -> Score:
    """Score log-probabilities (N, V) against the tokens that were hidden (N,)."""
    here = np.arange(len(targets))
    right = log_probabilities[here, targets][:, None]  # (N, 1)
    rank = (log_probabilities > right).sum(axis=1)  # (N,)
    return Score(
        round(float(-right.mean()), 4), round(float((rank == 0).mean()), 4), round(float((rank < TOP).mean()), 4)
    )
