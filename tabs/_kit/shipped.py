"""Results that come with the app: an exhibit's first picture, and those of its examples, wait for no model to load.

They are what `Exhibit.explore` gave, written by ``python -m tests.examples``. They are used only where the models that
gave them are the models that are there.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np

from core import query as queries
from core.downloads.plans import SHELVES, find_shelf
from core.i18n import ASSETS
from core.presets import Preset, locate
from tabs._kit.exhibit import Exhibit

logger = logging.getLogger(__name__)

FOLDER = ASSETS / "examples"
TOLD = ("README.md", "metrics.json")  # of a model's files, those that say something about it


def read_results(exhibit: Exhibit) -> Mapping[Any, Any]:
    """The results of an exhibit that come with the app, by query, as far as the models that gave them are there."""
    path = FOLDER / f"{exhibit.slug}.json"
    if not path.exists():
        return {}
    from pydantic import ConfigDict, TypeAdapter

    result: Any = get_type_hints(exhibit.explore)["return"]
    # In a tuple, because a dataclass by itself brings its own settings; it takes those of what it stands in.
    adapter: Any = TypeAdapter(tuple[result], config=ConfigDict(arbitrary_types_allowed=True))
    try:
        kept = json.loads(path.read_text(encoding="utf-8"), object_hook=_unpack)
        found = {queries.make(exhibit.query, entry["query"]): entry for entry in kept}
        return {
            query: adapter.validate_python([entry["result"]])[0]
            for query, entry in found.items()
            if entry["models"] == _fingerprints(query)
        }
    except (OSError, ValueError, KeyError, TypeError):  # of another version: then everything is computed
        logger.warning("%s cannot be used; python -m tests.examples writes it anew", path.name, exc_info=True)
        return {}


def write_results(exhibit: Exhibit, asked: Iterable[Any]) -> str:
    """Compute and write down what `read_results` reads: JSON, a query to a line, arrays as the bytes they are."""
    kept = []
    for query in dict.fromkeys(asked):
        values = {name: getattr(query, name) for name in queries.names(exhibit.query)}
        changed = {name: value for name, value in values.items() if value != queries.default(exhibit.query, name)}
        kept.append({"query": changed, "models": _fingerprints(query), "result": _pack(exhibit.explore(query))})
    lines = (json.dumps(entry, ensure_ascii=False, separators=(",", ":")) for entry in kept)
    return "[\n" + ",\n".join(lines) + "\n]\n"


def find_models(query: queries.Query) -> tuple[Preset, ...]:
    """The models and tokenizers of the catalogue that a query names."""
    chosen: list[Preset] = []
    for name in queries.names(type(query)):
        purpose, value = find_shelf(queries.bounds(type(query), name).options), getattr(query, name)
        if purpose:
            named = value if isinstance(value, tuple) else (value,)
            chosen += [preset for preset in SHELVES[purpose] if preset.id in named]
    return tuple(chosen)


def _fingerprints(query: queries.Query) -> dict[str, str]:
    return {preset.id: _fingerprint(Path(locate(preset.id, (preset,)))) for preset in find_models(query)}


@lru_cache(maxsize=32)
def _fingerprint(folder: Path) -> str:
    """Changes with anything that the model in `folder` computes with, also what it shares with another."""
    used = {path for path in folder.glob("*") if path.name not in TOLD}
    for index in folder.glob("*.index.json"):
        used |= {(folder / name).resolve() for name in json.loads(index.read_bytes())["weight_map"].values()}
    digest = hashlib.sha256()
    for path in sorted(used, key=lambda path: (path.parent.name, path.name)):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _pack(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode("ascii")
        return {"dtype": value.dtype.str, "shape": value.shape, "data": data}
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _pack(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {key: _pack(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_pack(item) for item in value]
    return value


def _unpack(value: dict[str, Any]) -> Any:
    if value.keys() != {"dtype", "shape", "data"}:
        return value
    return np.frombuffer(base64.b64decode(value["data"]), dtype=value["dtype"]).reshape(value["shape"])
