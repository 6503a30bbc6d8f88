"""The bins and the threshold with numpy and scikit-learn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.analysis.sources import outline
from core.analysis.trust import STEPS
from tabs.analysis.errors_script import lines_to_open

if TYPE_CHECKING:
    from tabs.analysis.calibration import Query


def snippet(query: Query) -> str:
    """ECE and Brier score; precision, recall and F1 of one label at the threshold."""
    known = outline(query.source)
    edges = (
        f"np.linspace(0, 1, {query.bins} + 1)"
        if query.binning == "width"
        else f'np.unique(np.quantile(confidence, np.linspace(0, 1, {query.bins} + 1), method="inverted_cdf"))'
    )
    brier = "None"
    if known.kind in ("label", "choice") and len(known.labels) > 1:
        brier = "round(float(((shares - truth) ** 2).sum(axis=1).mean()), 4)"
    label = query.label if query.label in known.labels else (known.labels[0] if known.labels else "")
    threshold = round(query.threshold * STEPS) / STEPS
    at = (
        f"""
# One label, said from a threshold on -------------------------------------------
from sklearn.metrics import precision_recall_fscore_support

code = table.labels.index({label!r})
told = ~np.isnan(table.probabilities[:, code])
said, gold = table.probabilities[told, code] >= {threshold}, table.gold_codes[told] == code
precision, recall, f1, _ = precision_recall_fscore_support(gold, said, average="binary", zero_division=0)
result["at"] = {{
    "precision": round(precision, 4) if said.any() else None,  # of nobody there is no share
    "recall": round(recall, 4) if gold.any() else None,
    "f1": round(f1, 4) if said.any() or gold.any() else None,
}}
"""
        if known.kind == "label"
        else ""
    )
    return f"""{lines_to_open(query.source)}
# Is 90 % sure right nine times in ten? ------------------------------------------
known = ~np.isnan(table.confidence)
confidence, correct = table.confidence[known], table.correct[known]
edges = {edges}
bin_of = np.clip(np.searchsorted(edges, confidence) - 1, 0, len(edges) - 2)
bins = []
for number in np.unique(bin_of):
    inside = bin_of == number
    bins.append([int(inside.sum()), float(confidence[inside].mean()), float(correct[inside].mean())])
error = sum(count * abs(mean - accuracy) for count, mean, accuracy in bins) / len(confidence)
shares = np.nan_to_num(table.probabilities)
truth = np.eye(max(shares.shape[1], 1))[np.maximum(table.gold_codes, 0)]
result = {{
    "ece": round(error, 4),
    "brier": {brier},
    "bins": [[count, round(mean, 3), round(accuracy, 3)] for count, mean, accuracy in bins],
}}
{at}print(result)
"""
