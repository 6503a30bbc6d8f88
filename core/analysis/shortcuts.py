"""Words that give a label away (book 5.3.3): what a model may learn instead of the task."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.analysis.intervals import wilson_interval
from core.analysis.table import Booleans, ErrorTable, require_labels
from core.analysis.terms import TermCounts
from core.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class SkewedTerm:
    """A term whose texts have one label more often than all texts do.

    It stands in `rows` texts; `gold` of them have the label and for `predicted` the model says so; `wrong` of them the
    model gets wrong. `share` is gold / rows with its 95 % interval (Wilson), `base` the label's share of all texts,
    `z` their distance in standard deviations if the term said nothing (Gardner et al. 2021).
    """

    term: str
    label: str
    rows: int
    gold: int
    predicted: int
    wrong: int
    share: float
    lower: float
    upper: float
    base: float
    z: float


@dataclass(frozen=True, slots=True)
class SkewedTerms:
    """Candidates, the strongest first, out of `tested` pairs of term and label.

    A z beyond `critical` would be brought by chance in one of a hundred such searches (Bonferroni).
    """

    terms: tuple[SkewedTerm, ...]
    tested: int
    critical: float


@dataclass(frozen=True, slots=True)
class Rule:
    """“If the term is there, say this label, else the most frequent label of the rest”, judged on all rows.

    `covered` rows have the term, `precision` of them the label, with its 95 % interval (Wilson); `accuracy` is that of
    the whole rule, `base` that of always saying the most frequent label. It was made and judged on the same rows.
    """

    label: str
    otherwise: str
    covered: int
    precision: float
    lower: float
    upper: float
    accuracy: float
    base: float


def find_skewed_terms(
    table: ErrorTable, counts: TermCounts, *, label: str | None = None, least_rows: int = 10, limit: int = 50
) -> SkewedTerms:
    """The terms that are most skewed to a label, by how far the lower end of their share lies above the label's own.

    Ranking by the lower end needs many texts or a strong skew. A term that another one contains, with the same label
    and in as many texts, is left out.

    Args:
        table: N rows with labels.
        counts: terms of their texts, n-grams of words, say.
        label: only this one; all when None.
        least_rows: terms in fewer texts are left out.
        limit: at most so many.

    Raises:
        InvalidInput: ``error.analysis.no_labels``; ``error.analysis.unknown_label`` with ``label``.
        ValueError: the terms are those of other texts.

    Source: competency problems (Gardner et al. 2021); annotation artifacts (Gururangan et al. 2018).
    """
    from scipy.sparse import csr_matrix
    from scipy.special import ndtri

    require_labels(table)
    if counts.counts.shape[0] != len(table):
        raise ValueError("the terms of these rows are needed")
    if label is not None and label not in table.labels:
        raise InvalidInput("error.analysis.unknown_label", label=label[:40])
    size, number = len(table), len(table.labels)
    columns = np.concatenate([table.gold_codes, table.predicted_codes + number])
    marks = csr_matrix((np.ones(2 * size, dtype=np.int64), (np.tile(np.arange(size), 2), columns)),
                       shape=(size, 2 * number))  # fmt: skip
    kept = np.flatnonzero(counts.rows >= max(least_rows, 1))
    presence = counts.presence.tocsc()[:, kept]
    both = (presence.T @ marks).toarray()  # (V, 2L)
    wrong = presence.T @ (~table.correct).astype(np.int64)  # (V,)
    gold, predicted = both[:, :number], both[:, number:]
    rows = counts.rows[kept]
    base = np.bincount(table.gold_codes, minlength=number) / size  # (L,)
    lower, upper = wilson_interval(gold, rows[:, None])
    tested = [code for code in range(number) if 0 < base[code] < 1 and label in (None, table.labels[code])]
    found: list[SkewedTerm] = []
    for code in tested:
        spread = np.sqrt(base[code] * (1 - base[code]) / rows)
        for place in np.flatnonzero(lower[:, code] > base[code]):
            share = gold[place, code] / rows[place]
            found.append(
                SkewedTerm(
                    term=counts.terms[kept[place]],
                    label=table.labels[code],
                    rows=int(rows[place]),
                    gold=int(gold[place, code]),
                    predicted=int(predicted[place, code]),
                    wrong=int(wrong[place]),
                    share=float(share),
                    lower=float(lower[place, code]),
                    upper=float(upper[place, code]),
                    base=float(base[code]),
                    z=float((share - base[code]) / spread[place]),
                )
            )
    found.sort(key=lambda one: (one.base - one.lower, -one.rows, -len(one.term), one.term))
    pairs = max(len(kept) * len(tested), 1)
    return SkewedTerms(_leave_out_parts(found, limit), pairs, float(-ndtri(0.01 / pairs)))


def judge_rule(table: ErrorTable, has: Booleans, label: str) -> Rule:
    """How well one sign alone predicts the labels.

    Args:
        table: N rows with labels.
        has: whether each row has the sign, (N,); see `TermCounts.has`, `core.analysis.selection.match_pattern`.
        label: what the sign is taken for.

    Raises:
        InvalidInput: ``error.analysis.no_labels``; ``error.analysis.unknown_label`` with ``label``.
    """
    require_labels(table)
    if label not in table.labels:
        raise InvalidInput("error.analysis.unknown_label", label=label[:40])
    code, number = table.labels.index(label), len(table.labels)
    covered = int(has.sum())
    right = int((table.gold_codes[has] == code).sum())
    rest = np.bincount(table.gold_codes[~has], minlength=number)
    lower, upper = wilson_interval(right, covered)
    return Rule(
        label=label,
        otherwise=table.labels[int(rest.argmax())],
        covered=covered,
        precision=right / covered if covered else 0.0,
        lower=float(lower),
        upper=float(upper),
        accuracy=(right + int(rest.max())) / len(table),
        base=int(np.bincount(table.gold_codes).max()) / len(table),
    )


def _leave_out_parts(ranked: list[SkewedTerm], limit: int) -> tuple[SkewedTerm, ...]:
    kept: list[SkewedTerm] = []
    for one in ranked:
        if len(kept) == limit:
            break
        same = (other for other in kept if (other.label, other.rows, other.gold) == (one.label, one.rows, one.gold))
        if not any(one.term in other.term for other in same):
            kept.append(one)
    return tuple(kept)
