"""Confident learning in a few lines of numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tabs.analysis.errors_script import lines_to_open

if TYPE_CHECKING:
    from tabs.analysis.label_errors import Query

SEED = 0


def snippet(query: Query) -> str:
    """Thresholds, suspects, and how many of the exchanged labels are among them."""
    share = query.planted / 100
    judge = (
        """# probabilities of a small classifier that never saw the row which it judges
probabilities = finish(predict_texts_across(table.joined_texts, table.gold_codes, labels=len(table.labels)))"""
        if query.crossed
        else "probabilities = table.probabilities  # of the model"
    )
    imports = (
        "\nfrom core.analysis.cross_validation import predict_texts_across\nfrom core.jobs import finish"
        if query.crossed
        else ""
    )
    score = "margin" if query.ranking == "normalized_margin" else "own"
    return f"""{lines_to_open(query.source)}
from core.analysis.doubts import plant_errors{imports}

table, exchanged = plant_errors(table, share={share}, seed={SEED})  # labels exchanged on purpose
{judge}

# Confident learning (Northcutt et al. 2021): a label's threshold is its mean probability where it is given
known = np.flatnonzero(~np.isnan(probabilities).any(axis=1))
shares, gold = probabilities[known], table.gold_codes[known]
own = shares[np.arange(len(gold)), gold]
thresholds = np.array([own[gold == code].mean() if code in gold else np.nan for code in range(len(table.labels))])
reached = shares >= np.nan_to_num(thresholds, nan=np.inf) - 1e-9
really = np.where(reached, shares, -1).argmax(axis=1)
suspect = np.flatnonzero(reached.any(axis=1) & (really != gold))
others = shares.copy()
others[np.arange(len(gold)), gold] = -1
margin = own - others.max(axis=1)
suspect = suspect[np.argsort({score}[suspect], kind="stable")]
start = {(query.page - 1) * 20}
result = {{
    "suspects": len(suspect),
    "thresholds": [round(float(one), 4) for one in thresholds],
    "planted": len(exchanged),
    "found": len(set(exchanged.tolist()) & set(known[suspect].tolist())),
    "first": [
        [int(table.index[known[n]]), table.labels[gold[n]], table.labels[really[n]], round(float(margin[n]), 3)]
        for n in suspect[start : start + 10]
    ],
}}
print(result)
"""
