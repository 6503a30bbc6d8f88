"""A data source becomes the examples of a task, split into training, validation and test.

A row that cannot be used is set aside with its line and its reason; only when nothing is left does loading fail.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TypeVar

from core.data.cells import LONGEST_CELL
from core.data.files import read_file
from core.data.hub import read_hub
from core.data.rows import BrokenRow, Row, Table
from core.data.samples import has_test, read_sample
from core.data.shapes import fit_table, rename_labels
from core.data.source import DataSource
from core.data.splits import Splits, draw_examples, draw_validation
from core.errors import InvalidInput
from core.tasks.task import Task

Example = TypeVar("Example")

PARTS = ("train", "validation", "test")


def load_examples(task: Task[Example], source: DataSource, *, seed: int) -> Splits[Example]:
    """Read the parts of a source as examples of a task.

    Without a validation part, a share of the training part becomes one: drawn by the seed, the same share of every
    label, and never the same content on both sides. A sample that keeps rows apart for testing gives them as test part.

    Raises:
        InvalidInput: a part cannot be read (see `core.data.files`, `core.data.hub`, `core.data.samples`), a column is
            missing (`core.data.shapes`), no row of it can be used (``error.data.all_broken``, with the first reason as
            its cause), or it is empty (``error.data.empty``).
        ServiceError: the Hub cannot be reached.
    """
    places = {"train": source.train, "validation": source.validation, "test": source.test}
    if not source.train:
        raise InvalidInput("error.data.no_training_part")
    kind, _, name = source.train.partition(":")
    if not source.test and kind == "sample" and has_test(name):
        places["test"] = source.train
    broken: list[BrokenRow] = []
    parts: dict[str, tuple[Example, ...]] = {}
    classified = any(column.kind == "label" for column in task.columns)
    known = source.labels if classified else ()
    for part in PARTS:
        parts[part] = ()
        if places[part]:
            table = read_source(places[part], part=part, limit=source.limit if part == "train" else 0, seed=seed)
            pool = read_sample("passages", part="train") if places[part].startswith("sample:quiz") else None
            examples, unusable = read_examples(task, table, source, part=part, labels=known, pool=pool)
            parts[part] = tuple(examples)
            broken.extend(unusable)
        if part == "train" and classified:
            known = known or task.labels(parts["train"])
    train, validation = parts["train"], parts["validation"]
    if not places["validation"]:
        train, validation = draw_validation(train, share=source.validation_share, seed=seed, label_of=task.label_of)
    train = draw_examples(train, limit=source.limit, seed=seed)
    validation = draw_examples(validation, limit=source.validation_limit, seed=seed)
    return Splits(train, validation, parts["test"], tuple(broken))


def read_source(place: str, *, part: str, limit: int = 0, seed: int = 0) -> Table:
    """The rows of one part, from a sample, the Hub or a file.

    Raises:
        InvalidInput, ServiceError: as `load_examples`.
    """
    kind, _, rest = place.partition(":")
    if kind == "sample":
        return read_sample(rest, part=part)
    if kind == "hub":
        name, configuration, split = (*rest.split(":", 2), "", "")[:3]
        return read_hub(name, configuration=configuration, split=split, part=part, limit=limit, seed=seed)
    return read_file(place)


def read_examples(
    task: Task[Example],
    table: Table,
    source: DataSource,
    *,
    part: str,
    labels: Sequence[str] = (),
    pool: Table | None = None,
) -> tuple[list[Example], list[BrokenRow]]:
    """The examples in a table and the rows that are none.

    Args:
        task: says which columns it wants and reads them.
        table: rows as they stand in the file.
        source: how the columns and labels are called.
        part: ``train``, ``validation`` or ``test``: only told with a broken row.
        labels: the labels there may be; () for any.
        pool: passages for hard negatives, see `core.data.shapes.fit_table`.

    Raises:
        InvalidInput: as `load_examples`.
    """
    broken = [dataclasses.replace(row, part=part) for row in table.broken]
    examples: list[Example] = []
    usable: list[Row] = []
    for row in table.rows:
        fault = _find_fault(row)
        if fault is None:
            usable.append(row)
        else:
            broken.append(BrokenRow(part, row.line, fault.key, fault.params))
    found = 0
    if usable:
        fitted = fit_table(dataclasses.replace(table, rows=usable), task.columns, source.columns, pool=pool)
        for row in rename_labels(fitted.rows, task.columns, source.label_names):
            found += 1
            try:
                example = task.read(row.values)
                label = task.label_of(example)
                if labels and label is not None and label not in labels:
                    raise InvalidInput("error.data.unknown_label", label=label[:40], known=", ".join(labels)[:200])
            except InvalidInput as error:
                broken.append(BrokenRow(part, row.line, error.key, error.params))
            else:
                examples.append(example)
    broken.sort(key=lambda row: row.line)
    if not examples:
        raise nothing_left(table.source, broken)
    return examples, broken


def nothing_left(source: str, broken: Sequence[BrokenRow]) -> InvalidInput:
    """What to say of a file without a usable row; `broken` in the order of its lines."""
    if not broken:
        return InvalidInput("error.data.empty", source=source)
    first = broken[0]
    error = InvalidInput("error.data.all_broken", source=source, rows=len(broken), line=first.line)
    error.__cause__ = InvalidInput(first.key, **first.params)
    return error


def _find_fault(row: Row) -> InvalidInput | None:
    """What is wrong with any of the texts in a row, whatever column they stand in."""
    for column, value in row.values.items():
        if isinstance(value, str):
            if len(value) > LONGEST_CELL:
                return InvalidInput(
                    "error.data.long_cell", column=str(column)[:40], length=len(value), limit=LONGEST_CELL
                )
            try:
                value.encode()
            except UnicodeEncodeError:
                return InvalidInput("error.data.surrogate", column=str(column)[:40])
    return None
