"""Data sets to look at: bundled samples, and files that visitors brought into their workspaces (book 5.2.2).

A data set is named by one text: that of a sample, or a name that begins with `core.presets.OWN` and ends with an id
that nobody can guess. A file stays as it came, beside what was said about it: the task and the columns.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from core.data.benchmarks import TASKS
from core.data.loading import read_examples, read_source
from core.data.rows import BrokenRow, Table
from core.data.samples import has_test
from core.data.shapes import locate_columns
from core.data.source import DataSource
from core.data.statistics import measure_lengths
from core.errors import InvalidInput
from core.jobs import Progress
from core.presets import ENCODERS, OWN, is_own, locate
from core.tasks.registry import find_task
from core.workspaces import workspaces_folder

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

DATA = "data"  # the folder inside a workspace
MEASURING = "encoder"  # lengths are counted by the tokenizer of this bundled model
_NAME = re.compile(rf"{OWN}(.{{0,60}}):([0-9a-f]{{32}})", re.DOTALL)
_AT_ONCE = 512  # examples between two signs of life
_KEPT = 6  # data sets in memory


@dataclass(frozen=True)
class OwnData:
    """A file in a workspace and what it holds; `columns` maps a task's names to those of the file.

    `lengths` in tokens, of the rows that could be used when it came.
    """

    path: Path
    called: str
    task: str
    columns: Mapping[str, str]
    lengths: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class DataSet:
    """The examples of a source before they are split, with the line (or number) of their rows and their lengths.

    `test` are those that the source itself keeps apart. Lengths in tokens of the model `MEASURING`, special tokens
    included. `read_as` says which column of the rows was read as what, `unread` which were not read; `first` is the
    first row as it stands there.
    """

    source: str
    called: str
    task: str
    examples: tuple[Any, ...]
    lines: tuple[int, ...]
    lengths: tuple[int, ...]
    test: tuple[Any, ...] = ()
    test_lines: tuple[int, ...] = ()
    test_lengths: tuple[int, ...] = ()
    broken: tuple[BrokenRow, ...] = ()
    labels: tuple[str, ...] = ()
    read_as: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    unread: tuple[str, ...] = ()
    first: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


def new_name(called: str) -> str:
    """A name for what a visitor brings; the end of it cannot be guessed."""
    return _write_name(called, secrets.token_hex(16))


def find_own(source: str) -> OwnData:
    """The file behind the name of what a visitor brought, for anyone who holds the name.

    Raises:
        InvalidInput: ``error.dataset.gone`` with ``name``.
    """
    found = _NAME.fullmatch(source)
    notes = next(workspaces_folder().glob(f"*/{DATA}/{found[2]}.json"), None) if found else None
    if notes is None:
        raise InvalidInput("error.dataset.gone", name=(found[1] if found else source)[:60])
    told = json.loads(notes.read_text(encoding="utf-8"))
    lengths = tuple(map(int, told["lengths"]))
    return OwnData(notes.with_name(told["file"]), told["called"], told["task"], told["columns"], lengths)


def name_own(path: Path) -> str:
    """The name of what a visitor brought, from where it was kept; '' for a file that is none of those."""
    try:
        told = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return _write_name(str(told["called"]), path.stem)


def take_in(
    file: Path, called: str, task: str, columns: Mapping[str, str], keeping: tuple[Path, str]
) -> Generator[Progress, None, dict[str, int]]:
    """Check a file's rows, count their tokens, and keep it in a workspace: a job.

    Args:
        file: with the ending that it came with; it is moved.
        called: its name as the visitor knows it.
        task: a key of `core.tasks.registry.TASKS`.
        columns: canonical names to those of the file.
        keeping: the workspace, and a name made by `new_name`.

    Returns:
        How many ``rows`` can be used, and how many are ``broken``.

    Raises:
        InvalidInput: as `core.data.loading.load_examples`.
        ValueError: `keeping` has not such a name.
    """
    workspace, name = keeping
    found = _NAME.fullmatch(name)
    if found is None:
        raise ValueError("a name made by new_name is needed")
    read = _read(task, str(file), dict(columns))
    lengths: list[int] = []
    while len(lengths) < len(read.examples):
        yield Progress(len(lengths), len(read.examples))
        lengths += measure_lengths(read.examples[len(lengths) : len(lengths) + _AT_ONCE], measuring_tokenizer())
    folder = workspace / DATA
    folder.mkdir(exist_ok=True)
    kept = folder / f"{found[2]}{file.suffix}"
    file.replace(kept)
    notes = {"file": kept.name, "called": called, "task": task, "columns": dict(columns), "lengths": lengths}
    partial = folder / f"{found[2]}.partial"
    partial.write_text(json.dumps(notes, ensure_ascii=False), encoding="utf-8", errors="surrogatepass")
    partial.replace(folder / f"{found[2]}.json")
    return {"rows": len(read.examples), "broken": len(read.broken)}


def open_data(source: str) -> DataSet:
    """The data set of that name; remembered, so that a filter need not wait for it.

    Raises:
        InvalidInput: ``error.dataset.unknown`` with ``name``, ``error.dataset.gone``, or it cannot be read any more.
    """
    if is_own(source):
        own = find_own(source)
        return _open_own(source, own.path.stat().st_mtime_ns)
    if source not in TASKS:
        raise InvalidInput("error.dataset.unknown", name=source[:40], known=", ".join(TASKS))
    return _open_sample(source)


@lru_cache(maxsize=_KEPT)
def _open_own(source: str, written: int) -> DataSet:
    """`written` tells versions of a file apart."""
    own = find_own(source)
    read = _read(own.task, str(own.path), own.columns)
    lengths = own.lengths
    if len(lengths) != len(read.examples):  # kept by a version that read the file otherwise
        lengths = measure_lengths(read.examples, measuring_tokenizer())
    return replace(read, source=source, called=own.called, lengths=lengths)


@lru_cache(maxsize=len(TASKS))
def _open_sample(name: str) -> DataSet:
    read, tokenizer = _read(TASKS[name], f"sample:{name}", {}), measuring_tokenizer()
    lengths, test_lengths = (measure_lengths(part, tokenizer) for part in (read.examples, read.test))
    return replace(read, source=name, called=name, lengths=lengths, test_lengths=test_lengths)


def _read(name: str, place: str, columns: Mapping[str, str]) -> DataSet:
    """All but the names and the lengths."""
    task = find_task(name)
    source = DataSource(train=place, columns=dict(columns))
    table = read_source(place, part="train")
    examples, broken = read_examples(task, table, source, part="train")
    lines = _lines(table, broken)
    test_lines: tuple[int, ...] = ()
    test: list[Any] = []
    kind, _, sample = place.partition(":")
    if kind == "sample" and has_test(sample):
        apart = read_source(place, part="test")
        test, unusable = read_examples(task, apart, source, part="test")
        test_lines = _lines(apart, unusable)
        broken = [*broken, *unusable]
    read_as = locate_columns(table, task.columns, columns)
    return DataSet(
        source="",
        called="",
        task=name,
        examples=tuple(examples),
        lines=lines,
        lengths=(),
        test=tuple(test),
        test_lines=test_lines,
        broken=tuple(broken),
        labels=task.labels([*examples, *test]),
        read_as=MappingProxyType(read_as),
        unread=tuple(name for name in table.columns if name not in read_as.values()),
        first=MappingProxyType(dict(table.rows[0].values) if table.rows else {}),
    )


def _lines(table: Table, broken: Sequence[BrokenRow]) -> tuple[int, ...]:
    """Where the rows that became examples stand, in their order."""
    unusable = {row.line for row in broken}
    return tuple(row.line for row in table.rows if row.line not in unusable)


def _write_name(called: str, key: str) -> str:
    plain = re.sub(r"[:/\s]+", " ", called).strip()[-60:]
    return f"{OWN}{plain}:{key}"


def measuring_tokenizer() -> PreTrainedTokenizerBase:
    """The tokenizer that lengths are counted by; shared: its calls go through `core.tasks.tokenizing`."""
    return _load_tokenizer(locate(MEASURING, ENCODERS))


@lru_cache(maxsize=1)
def _load_tokenizer(folder: str) -> PreTrainedTokenizerBase:
    from core.tasks.tokenizing import load_task_tokenizer

    return load_task_tokenizer(folder)
