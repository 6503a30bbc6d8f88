"""Where examples come from, as plain values that a configuration file can hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class DataSource:
    """The parts of a data set and how its columns are called.

    Each part is ``sample:<name>`` (bundled: assets/samples), a path of this machine (CSV, TSV, JSONL, JSON, parquet,
    plain text; each also as .gz), or ``hub:<owner>/<name>[:<configuration>[:<split>]]``; '' when there is none. Without
    a validation part `validation_share` of the training part becomes one. `columns` maps a task's canonical column
    names to the names in the files; what is not mapped keeps its name. `labels` fixes the order of the labels ('()': as
    the task orders them). `limit` over 0 takes at most so many training examples, drawn by the run's seed, and
    `validation_limit` so many of the validation part, on which every evaluation of a run spends its time.
    `label_names` gives labels (or types of entities) other names, so that several become one; a row whose label becomes
    '' is left out.
    """

    train: str
    validation: str = ""
    test: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    validation_share: float = 0.1
    limit: int = 0
    label_names: Mapping[str, str] = field(default_factory=dict)
    validation_limit: int = 0
