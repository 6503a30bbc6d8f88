"""Links as they are written today, kept for the years to come: ``python -m tests.links`` adds those of new exhibits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core import query as queries
from core.values import as_json
from tabs import EXHIBITS
from tabs._kit.exhibit import Exhibit

KEPT = Path(__file__).parent / "exhibits" / "links.json"
SENTENCE = "猫 & 犬=100%|#？+\n👩‍👩‍👧\t「か゛」"


def read_kept() -> dict[str, dict[str, Any]]:
    """By exhibit: a ``link`` and the fields that it ``shows``."""
    return json.loads(KEPT.read_text(encoding="utf-8"))


def changed(exhibit: Exhibit) -> queries.Query:
    """A query of which no field is as it was: the last option, the other end, texts with everything in them."""
    values: dict[str, Any] = {}
    for name in queries.names(exhibit.query):
        limits, default = queries.bounds(exhibit.query, name), queries.default(exhibit.query, name)
        match limits.kind:
            case "text":
                values[name] = (SENTENCE if name == "text" else 8 * SENTENCE)[: limits.limit]
            case "flag":
                values[name] = not default
            case "choice":
                values[name] = next((one for one in reversed(limits.options) if one != default), default)
            case "choices":
                values[name] = tuple(reversed(limits.options))[: int(limits.high)]
            case _:
                values[name] = limits.low if default == limits.high else limits.high
    return queries.make(exhibit.query, values)


def keep(exhibit: Exhibit) -> Mapping[str, Any]:
    """The link of `changed`, and what it shows."""
    query = changed(exhibit)
    shown = {name: getattr(query, name) for name in queries.names(exhibit.query)}
    differing = {name: value for name, value in shown.items() if value != queries.default(exhibit.query, name)}
    return {"link": queries.to_link(query), "shows": as_json(differing)}


if __name__ == "__main__":
    kept = {exhibit.slug: keep(exhibit) for exhibit in EXHIBITS} | read_kept()  # what is there is never made anew
    KEPT.write_text(json.dumps(kept, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
