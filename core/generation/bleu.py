"""BLEU (Papineni et al. 2002; book 7.3.2), by sacrebleu on texts cut into units and joined by spaces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from core.generation.rouge import Pair, match_ngrams

_ORDERS = (1, 2, 3, 4)


@dataclass(frozen=True, slots=True)
class Bleu:
    """BLEU of a corpus: one hundred is perfect.

    `counts` of `totals` n-grams of one to four units were found in the reference, `precisions` are their shares in
    percent (zero counts smoothed exponentially); `penalty` punishes a corpus of `candidate_length` units that is
    shorter than its references of `reference_length`.
    """

    score: float
    counts: tuple[int, ...]
    totals: tuple[int, ...]
    precisions: tuple[float, ...]
    penalty: float
    candidate_length: int
    reference_length: int


@dataclass(frozen=True, slots=True)
class BleuMatches:
    """What of one candidate BLEU found in its reference: for n from one to four, the first units of both n-grams.

    `candidate` and `reference` are the units as sacrebleu counts them: its tokenizer cuts ASCII punctuation off.
    """

    candidate: tuple[str, ...]
    reference: tuple[str, ...]
    matches: tuple[tuple[Pair, ...], ...]


def score_bleu(
    candidates: Sequence[Sequence[str]],
    references: Sequence[Sequence[str]],
    *,
    tokenize: Literal["13a", "none"] = "13a",
) -> Bleu:
    """BLEU of texts cut into units, one reference each.

    `tokenize` is sacrebleu's: its default, which the book leaves as it is, changes nothing in Japanese words but cuts
    ASCII punctuation off; ``none`` counts the units as they are.

    Raises:
        ValueError: there is no text at all, or not one reference for each.
    """
    import sacrebleu

    if len(candidates) != len(references):
        raise ValueError(f"{len(candidates)} candidates and {len(references)} references")
    if not candidates:
        raise ValueError("no text")
    written, wanted = [" ".join(units) for units in candidates], [" ".join(units) for units in references]
    # `force` only silences the warning that the texts look tokenized, which they are.
    result = sacrebleu.corpus_bleu(written, [wanted], tokenize=tokenize, force=True)
    return Bleu(
        float(result.score),
        tuple(result.counts),
        tuple(result.totals),
        tuple(float(precision) for precision in result.precisions),
        float(result.bp),
        int(result.sys_len),
        int(result.ref_len),
    )


def match_bleu(
    candidate: Sequence[str], reference: Sequence[str], *, tokenize: Literal["13a", "none"] = "13a"
) -> BleuMatches:
    """What of one text BLEU finds in its reference, place by place; the numbers of matches are BLEU's `counts`."""
    from sacrebleu.metrics import BLEU

    metric = BLEU(tokenize=tokenize)
    written, wanted = (tuple(metric.tokenizer(" ".join(units)).split()) for units in (candidate, reference))
    return BleuMatches(written, wanted, tuple(match_ngrams(written, wanted, n=n) for n in _ORDERS))
