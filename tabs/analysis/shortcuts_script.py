"""The signs again, by the project's own functions: they are the lesson."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from core.analysis.clues import LISTED, MOST_PROBED, MOST_ROWS
from core.analysis.sources import Outline, outline
from tabs.analysis.errors_script import lines_to_open

if TYPE_CHECKING:
    from tabs.analysis.shortcuts import Query

_TEXTS: Mapping[str, str] = MappingProxyType(
    {
        "all": '["\\n".join(texts) for texts in table.texts]',
        "first": "[texts[0] for texts in table.texts]",
        "second": '[texts[1] if len(texts) > 1 else "" for texts in table.texts]',
    }
)


def snippet(query: Query) -> str:
    """Probes, skewed terms and the contrast of errors and right rows."""
    known = outline(query.source)
    parts = [lines_to_open(query.source), _IMPORTS, _thin(known), _probes(known), _split(query)]
    if known.kind == "label":
        parts.append(_skewed(query, known))
    return "".join([*parts, _CONTRAST])


_IMPORTS = """
from core.analysis.contrast import contrast_terms
from core.analysis.probes import probe_choice_lengths, probe_length, probe_prior, probe_second_text
from core.analysis.shortcuts import find_skewed_terms
from core.analysis.table import thin_rows
from core.analysis.terms import count_terms, split_texts
from core.errors import InvalidInput
from core.jobs import finish
"""
_CONTRAST = """
# Words of the errors against those of the right rows ---------------------------
wrong, right = np.flatnonzero(~table.correct), np.flatnonzero(table.correct)
try:
    found = contrast_terms(count_terms(split), wrong, right, least_count=5)
except InvalidInput:  # all right, or all wrong
    found = ()
sides = {"errors": [one for one in found if one.z > 0], "others": [one for one in found[::-1] if one.z < 0]}
for name, side in sides.items():
    result[name] = [[one.term, one.first, one.second, round(one.z, 3)] for one in side[:5]]
print(result)
"""


def _thin(known: Outline) -> str:
    return f"table = thin_rows(table, most={MOST_ROWS})\n" if known.rows > MOST_ROWS else ""


def _probes(known: Outline) -> str:
    return {
        "label": f"""
# How far one gets without reading ----------------------------------------------
probes = []
try:
    probes.append(probe_prior(table))
    probes.append(probe_length(table))
    if all(len(texts) > 1 for texts in table.texts):
        probes.append(finish(probe_second_text(thin_rows(table, most={MOST_PROBED}))))
except InvalidInput:  # too few rows to train a probe on
    pass
result = {{"probes": {{one.name: round(one.accuracy, 4) for one in probes}}, "terms": []}}
""",
        "choice": """
# How far one gets without reading ----------------------------------------------
probes = [probe_prior(table), *probe_choice_lengths(table)]
result = {"probes": {one.name: round(one.accuracy, 4) for one in probes}, "terms": []}
""",
    }.get(known.kind, '\nresult = {"probes": {}, "terms": []}\n')


def _split(query: Query) -> str:
    return f"""
# Words, as MeCab cuts them, and n-grams of them --------------------------------
split = finish(split_texts({_TEXTS[query.part]}, unit={query.unit!r}))
"""


def _skewed(query: Query, known: Outline) -> str:
    label = query.label if query.label in known.labels else None
    said = ""
    looked = "table"
    if query.side == "predicted":
        said = "from dataclasses import replace\n\nsaid = replace(table, gold_codes=table.predicted_codes)\n"
        looked = "said"
    return f"""{said}counts = count_terms(split, longest={query.longest}, least_rows={query.least})
skewed = find_skewed_terms({looked}, counts, label={label!r}, least_rows={query.least}, limit={LISTED})
result["terms"] = [[one.term, one.label, one.rows, one.gold, round(one.lower, 4)] for one in skewed.terms[:10]]
"""
