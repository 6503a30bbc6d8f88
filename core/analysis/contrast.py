"""Which words stand in one group of texts more than in another: in errors, say, against what was right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.analysis.table import Integers
from core.analysis.terms import TermCounts
from core.errors import InvalidInput

PRIOR = 500.0  # words of the prior: so many are added to each group, shared out as the words of all texts are


@dataclass(frozen=True, slots=True)
class TermContrast:
    """A term, how often it stands in each group, and in how many texts of each.

    `log_odds` is above 0 where it belongs to the first group (natural logarithm of a ratio of odds), `z` the same in
    standard deviations: beyond ±1.96 chance alone would seldom bring it, for one word; among thousands it often does.
    """

    term: str
    first: int
    second: int
    first_rows: int
    second_rows: int
    log_odds: float
    z: float


def contrast_terms(
    counts: TermCounts, first: Integers, second: Integers, *, prior: float = PRIOR, least_count: int = 5
) -> tuple[TermContrast, ...]:
    """Compare the words of two groups of texts by log-odds ratios with an informative Dirichlet prior.

    For a word counted y₁ and y₂ times among n₁ and n₂ words, with α of the prior's α₀ words:
    ``δ = ln((y₁+α) / (n₁+α₀−y₁−α)) − ln((y₂+α) / (n₂+α₀−y₂−α))``, ``z = δ / √(1/(y₁+α) + 1/(y₂+α))``. The prior
    keeps rare words from standing out by chance, which plain ratios do not.

    Args:
        counts: terms of all texts; they make the prior.
        first: places of the texts of one group.
        second: places of the other.
        prior: α₀, the weight of the prior in words, above 0.
        least_count: terms that stand less often in both groups together are left out.

    Returns:
        Terms by z, those of the first group first, equals in alphabetical order.

    Raises:
        InvalidInput: ``error.analysis.one_group``: a group without any word.
        ValueError: a prior of 0 or less.

    Source: Monroe, Colaresi and Quinn 2008, equations 15 to 22.
    """
    if prior <= 0:
        raise ValueError("a prior above 0 is needed")
    y1, y2 = (np.asarray(counts.counts[places].sum(axis=0), dtype=np.float64).ravel() for places in (first, second))
    n1, n2 = y1.sum(), y2.sum()
    if not n1 or not n2:
        raise InvalidInput("error.analysis.one_group")
    background = np.asarray(counts.counts.sum(axis=0), dtype=np.float64).ravel()
    alpha = prior * background / background.sum()  # (V,)
    seen = np.flatnonzero(y1 + y2 >= max(least_count, 1))
    a1, a2 = y1[seen] + alpha[seen], y2[seen] + alpha[seen]
    b1, b2 = n1 + prior - a1, n2 + prior - a2
    # The only word that there is stands in both groups alike.
    log_odds = np.log(a1 / b1) - np.log(a2 / b2) if len(background) > 1 else np.zeros(len(seen))
    z = log_odds / np.sqrt(1 / a1 + 1 / a2)
    rows1, rows2 = (np.asarray(counts.presence[places].sum(axis=0)).ravel() for places in (first, second))
    found = [
        TermContrast(
            counts.terms[place],
            int(y1[place]),
            int(y2[place]),
            int(rows1[place]),
            int(rows2[place]),
            float(d),
            float(s),
        )
        for place, d, s in zip(seen, log_odds, z, strict=True)
    ]
    return tuple(sorted(found, key=lambda one: (-one.z, one.term)))
