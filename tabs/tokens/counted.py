"""Token statistics as a picture, from plain JSON values: fresh ones and those of a finished job look the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.i18n import Locale, translate
from tabs._kit import pictures
from tabs.tokens import sources

BINS = 12
FREQUENT = 10


def draw(result: Mapping[str, Any], locale: Locale) -> str:
    """Large numbers, one row for each tokenizer, how long the lines are, and the most frequent tokens.

    Args:
        result: a `core.text.statistics.TextStatistics` as JSON values.
        locale: language of the words.
    """
    rows = result["tokenizers"]
    counted = ("characters", "lines", "words")
    figures = [(translate(f"statistics.{name}", locale), f"{result[name]:,}") for name in counted]
    columns = ("tokenizer", "tokens", "rate", "distinct", "unknown")
    table = pictures.table(
        [translate(f"statistics.column.{name}", locale) for name in columns],
        [
            (
                sources.label(row["source"], locale),
                f"{row['tokens']:,}",
                f"{row['characters_per_token']:.3f}",
                f"{row['distinct']:,}",
                f"{row['unknown_share']:.2%}",
            )
            for row in rows
        ],
        caption=translate("statistics.table", locale),
        numeric=(1, 2, 3, 4),
    )
    counts = [pictures.Bar(sources.label(row["source"], locale), row["tokens"], f"{row['tokens']:,}") for row in rows]
    bars = pictures.bars(counts, title=translate("statistics.tokens", locale))
    details = "".join(f"<div>{_one(row, locale)}</div>" for row in rows)
    return pictures.numbers(figures) + bars + table + f'<div class="lab-abreast">{details}</div>'


def _one(row: Mapping[str, Any], locale: Locale) -> str:
    frequent = [pictures.Bar(piece, count, f"{count:,}") for piece, count in row["frequent"][:FREQUENT]]
    lines = [pictures.Bar(label, count, f"{count:,}") for label, count in _bin(row["line_lengths"])]
    return (
        pictures.heading(sources.label(row["source"], locale))
        + pictures.bars(frequent, title=translate("statistics.frequent", locale))
        + pictures.bars(lines, title=translate("statistics.line_lengths", locale))
    )


def _bin(lengths: Sequence[Sequence[int]]) -> list[tuple[str, int]]:
    """(tokens in a line, lines) gathered into at most `BINS` ranges of equal width."""
    if not lengths:
        return []
    low, high = min(length for length, _ in lengths), max(length for length, _ in lengths)
    width = -(-(high - low + 1) // BINS)
    counts = [0] * -(-(high - low + 1) // width)
    for length, count in lengths:
        counts[(length - low) // width] += count
    starts = range(low, high + 1, width)
    return [
        (f"{start}" if width == 1 else f"{start}–{start + width - 1}", count)
        for start, count in zip(starts, counts, strict=True)
    ]
