"""A visitor's own predictions: a file whose columns are matched, and which a job reads into a table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.analysis.sources import keep, new_name, warm_up
from core.analysis.storage import Opened
from core.analysis.table import KINDS
from core.analysis.uploads import guess_task, list_fields, match_columns, propose_columns, read_upload
from core.data.files import read_file
from core.data.rows import Table
from core.i18n import Locale, translate
from core.jobs import Progress, Work
from tabs._kit import pictures, uploading
from tabs._kit.exhibit import JobKind
from tabs._kit.room import Room

JOB = "read-predictions"


def _render(result: Mapping[str, Any], locale: Locale) -> str:
    return pictures.note(translate("analysis.upload.read", locale, rows=f"{result['rows']:,}"))


KIND = JobKind(JOB, _render)


def match(table: Table, task: str) -> tuple[dict[str, str], bool]:
    """A column for each that is required, '' where none looks like it, and whether the names alone say so.

    Choices may stand in numbered columns.
    """
    named, proposed = match_columns(table, task), propose_columns(table, task)
    required = tuple(name for name, needed in list_fields(task) if needed)
    numbered = any(name.startswith("choice") for name in table.columns)
    sure = all(name in named or (name == "choices" and numbered) for name in required)
    return {name: proposed.get(name, "") for name in required}, sure


def read_predictions(path: Path, called: str, task: str, columns: Mapping[str, str], keeping: tuple[Path, str]) -> Work:
    """A file becomes a table in the visitor's workspace: see `tabs._kit.uploading.Intake`."""
    source = read_file(str(path))
    yield Progress(1, 3)
    read = read_upload(source, task=task, columns=columns)
    yield Progress(2, 3)
    warm_up(read.table)
    keep(*keeping, Opened(read.table, called, broken=read.broken, columns=read.columns))
    return {"rows": len(read.table), "broken": len(read.broken)}


INTAKE = uploading.Intake(
    job=JOB,
    words="analysis.upload",
    tasks="analysis.task",
    fields="analysis.field",
    offered=tuple(KINDS),
    guess=guess_task,
    match=match,
    name=new_name,
    read=read_predictions,
    growth=4,
)


def build(room: Room, *, reset: Mapping[str, Any], field: str = "source", title: str = "analysis.upload") -> None:
    """The file and its form; see `tabs._kit.uploading.build`."""
    uploading.build(room, INTAKE, reset=reset, field=field, title=title)
