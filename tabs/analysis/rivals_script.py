"""Pair the rows, group them, test the difference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tabs.analysis.errors_script import lines_to_open

if TYPE_CHECKING:
    from tabs.analysis.rivals import Query


def snippet(query: Query) -> str:
    """The four groups, and McNemar's exact test by scipy."""
    return f"""{lines_to_open(query.source)}
first = table
{_again(lines_to_open(query.other))}
second = table

# Rows are paired by what they hold, wherever they stand ------------------------
from scipy.stats import binomtest

from core.analysis.comparison import compare_tables

found = compare_tables(first, second)
before, after = first.correct[found.first], second.correct[found.second]
counts = {{
    "both_right": int((before & after).sum()),
    "fixed": int((~before & after).sum()),
    "broken": int((before & ~after).sum()),
    "both_wrong": int((~before & ~after).sum()),
}}
differing = counts["fixed"] + counts["broken"]
p = binomtest(counts["fixed"], differing, 0.5).pvalue if differing else 1.0
members = found.{query.group}
change = np.nan_to_num(np.abs(first.loss[found.first[members]] - second.loss[found.second[members]]))
members = members[np.argsort(-change, kind="stable")]
start = {(query.page - 1) * 20}
result = {{
    "counts": counts,
    "accuracies": [round(float(before.mean()), 4), round(float(after.mean()), 4)],
    "p": round(float(p), 4),
    "first": [int(first.index[found.first[n]]) for n in members[start : start + 10]],
}}
print(result)
"""


def _again(lines: str) -> str:
    """Without the imports that the first source had already."""
    return "\n".join(line for line in lines.splitlines() if not line.startswith("import numpy"))
