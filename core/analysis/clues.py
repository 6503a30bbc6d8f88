"""What gives answers away without reading (book 5.3.3): all signs of a table together, and one looked at closely.

A sign that lies in the data is one thing, a model that goes by it another: shares of gold labels stand beside those of
predicted ones, and what a rule or a probe scores beside what the model does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, get_args

import numpy as np

from core.analysis.browsing import Provenance, describe
from core.analysis.contrast import TermContrast, contrast_terms
from core.analysis.probes import Probe, probe_choice_lengths, probe_length, probe_prior, probe_second_text
from core.analysis.selection import TableRow, read_rows
from core.analysis.shortcuts import Rule, SkewedTerms, find_skewed_terms, judge_rule
from core.analysis.slices import SliceScore, score_slices, slice_by_presence
from core.analysis.storage import Opened
from core.analysis.table import ErrorTable, thin_rows
from core.analysis.terms import SplitTexts, Unit, count_terms, split_texts
from core.errors import InvalidInput
from core.jobs import finish

Part = Literal["all", "first", "second"]
Side = Literal["gold", "predicted"]
PARTS: tuple[Part, ...] = get_args(Part)
SIDES: tuple[Side, ...] = get_args(Side)
MOST_ROWS = 5_000  # whose words are counted
MOST_PROBED = 1_000  # rows on which a classifier of second sentences is trained
LISTED = 20  # terms of each list
READ = 5  # rows with a term that are shown


@dataclass(frozen=True, slots=True)
class TermReport:
    """One sign and one label: the rule made of it, the model with and without it, and some rows that have it."""

    term: str
    label: str
    rule: Rule
    slices: tuple[SliceScore, SliceScore]
    rows: tuple[TableRow, ...]


@dataclass(frozen=True, eq=False)
class Clues:
    """Signs in `counted` of the source's rows.

    `skewed` is None where answers are no labels. `errors` are the words that stand in wrong rows more than in right
    ones, `others` the reverse, the strongest first; both empty where all rows are right, or all wrong.
    """

    source: Provenance
    counted: int
    side: Side
    label: str
    skewed: SkewedTerms | None
    probes: tuple[Probe, ...]
    errors: tuple[TermContrast, ...]
    others: tuple[TermContrast, ...]
    chosen: TermReport | None


def find_clues(
    opened: Opened,
    *,
    part: Part = "all",
    unit: Unit = "words",
    longest: int = 3,
    least_rows: int = 5,
    side: Side = "gold",
    label: str = "",
    term: str = "",
) -> Clues:
    """Look for signs in a table, or, when it is long, in `MOST_ROWS` evenly spaced rows of it.

    Args:
        opened: the table and where it is from.
        part: which texts of a row are looked at.
        unit: words of MeCab, or characters.
        longest: units of the longest n-gram.
        least_rows: terms in fewer rows are left out.
        side: whose labels terms may be skewed to: the right ones, or those that the model said.
        label: only this one; '' for all. One that the table does not have counts as ''.
        term: the sign to look at closely; '' or one that was not counted: none.

    Raises:
        ModelUnavailable: ``error.text.no_dictionary``.
    """
    table = _thinned(opened.table)
    split = _split(table, part, unit)
    counts = count_terms(split, longest=longest, least_rows=max(least_rows, 1))
    label = label if label in table.labels else ""
    skewed = None
    if table.kind == "label":
        looked = _said_as_gold(table) if side == "predicted" else table
        skewed = find_skewed_terms(looked, counts, label=label or None, least_rows=least_rows, limit=LISTED)
    errors, others = _contrast(table, split)
    chosen = None
    if term and table.kind == "label" and (has := counts.has(term)).any():
        own = next((one.label for one in skewed.terms if one.term == term), "") if skewed else ""
        leaning = int(np.bincount(table.gold_codes[has], minlength=len(table.labels)).argmax())
        own = label or own or table.labels[leaning]
        with_it, without = score_slices(table, slice_by_presence(has, term), metric="accuracy")
        rows = read_rows(table, np.flatnonzero(has)[:READ])
        chosen = TermReport(term, own, judge_rule(table, has, own), (with_it, without), rows)
    return Clues(
        source=describe(opened),
        counted=len(table),
        side=side,
        label=label,
        skewed=skewed,
        probes=_probe(table),
        errors=errors,
        others=others,
        chosen=chosen,
    )


def texts_of_part(table: ErrorTable, part: Part) -> Sequence[str]:
    """The texts of each row that are looked at; of a row that has no such text, ''."""
    if part == "all":
        return table.joined_texts
    number = 0 if part == "first" else 1
    return [texts[number] if number < len(texts) else "" for texts in table.texts]


@lru_cache(maxsize=4)
def _thinned(table: ErrorTable) -> ErrorTable:
    return thin_rows(table, most=MOST_ROWS)


@lru_cache(maxsize=8)
def _split(table: ErrorTable, part: Part, unit: Unit) -> SplitTexts:
    return finish(split_texts(texts_of_part(table, part), unit=unit))


@lru_cache(maxsize=8)
def _probe(table: ErrorTable) -> tuple[Probe, ...]:
    """Every probe that suits the kind of answers and has rows enough."""
    if table.kind not in ("label", "choice"):
        return ()
    probes = [probe_prior(table)]
    try:
        if table.kind == "choice":
            return (*probes, *probe_choice_lengths(table))
        probes.append(probe_length(table))
        if all(len(texts) > 1 for texts in table.texts):
            probes.append(finish(probe_second_text(thin_rows(table, most=MOST_PROBED))))
    except InvalidInput as error:
        if error.key != "error.analysis.few_rows":
            raise
    return tuple(probes)


def _said_as_gold(table: ErrorTable) -> ErrorTable:
    """The table as if what the model said were right: what leads the model to a label."""
    return replace(table, gold=table.predicted, gold_codes=table.predicted_codes)


def _contrast(table: ErrorTable, split: SplitTexts) -> tuple[tuple[TermContrast, ...], tuple[TermContrast, ...]]:
    wrong, right = np.flatnonzero(~table.correct), np.flatnonzero(table.correct)
    try:
        found = contrast_terms(count_terms(split), wrong, right, least_count=5)
    except InvalidInput as error:
        if error.key != "error.analysis.one_group":
            raise
        return (), ()
    leaning = [one for one in found if one.z > 0][:LISTED], [one for one in reversed(found) if one.z < 0][:LISTED]
    return tuple(leaning[0]), tuple(leaning[1])
