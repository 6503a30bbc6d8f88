"""Error tables on the disk, as JSON: quick to read again, and nothing in it that could run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from core.analysis.label_errors import Origin
from core.analysis.table import ErrorTable, Kind, Objects
from core.data.examples import EntitySpan
from core.data.rows import BrokenRow

VERSION = 1


@dataclass(frozen=True, eq=False)
class Opened:
    """A table and where it is from.

    `data` is the name of a sample (``sample:reviews``) or of a file, `model` that of a model, '' where a file does not
    say. `broken` are the rows of the data that are not in the table, `columns` says which column of a file was read as
    what.
    `origin` says whether the model saw these rows in training. `source` is the name that it was opened by.
    """

    table: ErrorTable
    data: str
    model: str = ""
    origin: Origin = "unknown"
    broken: tuple[BrokenRow, ...] = ()
    columns: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    source: str = ""


def write_opened(path: Path, opened: Opened) -> None:
    """Write a table; a reader finds all of it or nothing."""
    table = opened.table
    content = {
        "version": VERSION,
        "data": opened.data,
        "model": opened.model,
        "origin": opened.origin,
        "broken": [asdict(row) for row in opened.broken],
        "named": dict(opened.columns),
        "task": table.task,
        "kind": table.kind,
        "labels": table.labels,
        "index": table.index.tolist(),
        "texts": table.texts,
        "gold": [_plain(answer) for answer in table.gold],
        "predicted": [_plain(answer) for answer in table.predicted],
        "gold_codes": table.gold_codes.tolist(),
        "predicted_codes": table.predicted_codes.tolist(),
        "probabilities": table.probabilities.tolist(),
        "loss": table.loss.tolist(),
        "confidence": table.confidence.tolist(),
        "margin": table.margin.tolist(),
        "correct": table.correct.tolist(),
        "tolerance": table.tolerance,
        "tokens": None if table.tokens is None else table.tokens.tolist(),
        "columns": {name: list(values) for name, values in table.columns.items()},
    }
    partial = path.with_name(f"{path.name}.partial")
    written = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    partial.write_text(written, encoding="utf-8", errors="surrogatepass")
    partial.replace(path)


def read_opened(path: Path) -> Opened:
    """What `write_opened` wrote."""
    content = json.loads(path.read_text(encoding="utf-8", errors="surrogatepass"))
    kind: Kind = content["kind"]
    size, labels = len(content["texts"]), tuple(content["labels"])
    table = ErrorTable(
        task=content["task"],
        kind=kind,
        labels=labels,
        index=np.asarray(content["index"], dtype=np.int64),
        texts=tuple(map(tuple, content["texts"])),
        gold=_objects(content["gold"], kind),
        predicted=_objects(content["predicted"], kind),
        gold_codes=np.asarray(content["gold_codes"], dtype=np.int64),
        predicted_codes=np.asarray(content["predicted_codes"], dtype=np.int64),
        probabilities=np.asarray(content["probabilities"], dtype=np.float64).reshape(size, len(labels)),
        loss=np.asarray(content["loss"], dtype=np.float64),
        confidence=np.asarray(content["confidence"], dtype=np.float64),
        margin=np.asarray(content["margin"], dtype=np.float64),
        correct=np.asarray(content["correct"], dtype=np.bool_),
        tolerance=content["tolerance"],
        tokens=None if content["tokens"] is None else np.asarray(content["tokens"], dtype=np.int64),
        columns=MappingProxyType({name: _objects(values, None) for name, values in content["columns"].items()}),
    )
    return Opened(
        table,
        data=content["data"],
        model=content["model"],
        origin=content["origin"],
        broken=tuple(BrokenRow(**row) for row in content["broken"]),
        columns=MappingProxyType(content["named"]),
    )


def _plain(answer: Any) -> Any:
    return [[span.start, span.end, span.label] for span in answer] if isinstance(answer, tuple) else answer


def _objects(values: list[Any], kind: Kind | None) -> Objects:
    array = np.empty(len(values), dtype=object)
    for place, value in enumerate(values):
        array[place] = tuple(EntitySpan(*span) for span in value) if kind == "entities" else value
    return array
