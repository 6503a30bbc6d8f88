"""The parts again, by the project's own functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.analysis.parts import COLUMN, GOLD, LENGTH, WORD, choose_way, list_metrics, list_ways
from core.analysis.sources import outline
from tabs.analysis.errors_script import lines_to_open

if TYPE_CHECKING:
    from tabs.analysis.slices import Query


def snippet(query: Query) -> str:
    """Cut the rows, and score every part."""
    known = outline(query.source)
    by = choose_way(query.by, list_ways(known.kind, known.columns))
    metrics = list_metrics(known.kind)
    metric = query.metric if query.metric in metrics else metrics[0]
    imports, cut = {
        LENGTH: ("slice_by_length", f"slice_by_length(table, parts={query.parts})"),
        GOLD: ("slice_by_gold", "slice_by_gold(table)"),
        WORD: ("slice_by_presence", 'slice_by_presence(has, "word")'),
    }.get(by, ("slice_by_column", f"slice_by_column(table, {by.removeprefix(COLUMN)!r})"))
    has = ""
    if by == WORD:
        has = (
            "from core.analysis.selection import match_pattern\n\n"
            f"has = match_pattern(table, {query.word!r}, literal={not query.regex})\n"
            if query.word
            else "has = np.zeros(len(table), dtype=bool)  # no word was given\n"
        )
    return f"""{lines_to_open(query.source)}
from core.analysis.slices import Slice, score_slices, {imports}
{has}
def plain(number):
    return None if np.isnan(number) else round(float(number), 3)


# The metric of every part with its 95 % interval (Wilson, or the bootstrap) ----
slices = [Slice("all", "", np.arange(len(table))), *{cut}]
whole, *scores = score_slices(table, slices, metric={metric!r})
parts = [[one.value, one.rows, plain(one.metric), plain(one.lower), plain(one.upper)] for one in scores]
result = {{"whole": plain(whole.metric), "parts": parts}}
print(result)
"""
