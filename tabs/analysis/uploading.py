"""A visitor's own predictions: a file is looked at, its columns are matched, and a job reads it into a table."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from core.analysis.sources import keep, new_name, warm_up
from core.analysis.storage import Opened
from core.analysis.table import KINDS
from core.analysis.uploads import guess_task, list_fields, match_columns, propose_columns, read_upload
from core.data.files import read_file
from core.data.rows import Table
from core.errors import AppError, InvalidInput
from core.i18n import Locale, translate
from core.jobs import Progress, Work
from tabs._kit import fetching, pictures
from tabs._kit.context import Context
from tabs._kit.events import admit_visitor, connect, sentence, workspace_of
from tabs._kit.exhibit import JobKind
from tabs._kit.room import Room
from tabs._kit.words import locale_of, t

JOB = "read-predictions"
ENDINGS = (".csv", ".tsv", ".jsonl", ".json")
PEEKED = 200_000  # bytes of a file that its columns are found in
SLOTS = 4  # columns that a task needs at most
GROWTH = 4  # a table takes so many times the bytes of its file


def _render(result: Mapping[str, Any], locale: Locale) -> str:
    return pictures.note(translate("analysis.upload.read", locale, rows=f"{result['rows']:,}"))


KIND = JobKind(JOB, _render)


def peek(path: Path) -> Table:
    """The first rows of a file, whole lines of them; all of a JSON file, which has no lines.

    Raises:
        InvalidInput: as `core.data.files.read_file`.
    """
    if path.suffix.lower() == ".json" or path.stat().st_size <= PEEKED:
        return read_file(str(path))
    with path.open("rb") as file:
        start = file.read(PEEKED)
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder) / path.name
        part.write_bytes(start[: start.rfind(b"\n") + 1] or start)
        return read_file(str(part))


def required(task: str) -> tuple[str, ...]:
    """The columns that a file of predictions of this task has to have."""
    return tuple(name for name, needed in list_fields(task) if needed)


def match(table: Table, task: str) -> tuple[dict[str, str], bool]:
    """A column for each that is required, '' where none looks like it, and whether the names alone say so.

    Choices may stand in numbered columns.
    """
    named, proposed = match_columns(table, task), propose_columns(table, task)
    numbered = any(name.startswith("choice") for name in table.columns)
    sure = all(name in named or (name == "choices" and numbered) for name in required(task))
    return {name: proposed.get(name, "") for name in required(task)}, sure


def read_predictions(path: Path, called: str, task: str, columns: Mapping[str, str], keeping: tuple[Path, str]) -> Work:
    """The job: a file becomes a table in the visitor's workspace; the file is deleted however the job ends.

    It is started up to its first event, so that closing it in the line already runs its clean-up.

    Args:
        path: the file.
        called: its name as the visitor knows it.
        task: a key of `core.analysis.table.KINDS`.
        columns: canonical names to those of the file.
        keeping: the workspace, and the name under which the table is kept.
    """

    def work() -> Work:
        try:
            yield Progress(0, 3)
            source = read_file(str(path))
            yield Progress(1, 3)
            read = read_upload(source, task=task, columns=columns)
            yield Progress(2, 3)
            warm_up(read.table)
            keep(*keeping, Opened(read.table, called, broken=read.broken, columns=read.columns))
            return {"rows": len(read.table), "broken": len(read.broken)}
        finally:
            path.unlink(missing_ok=True)

    begun = work()
    next(begun)
    return begun


def submit(uploaded: Path, task: str, columns: Mapping[str, str], context: Context, identity: str) -> tuple[str, str]:
    """Start the job on a file; returns its id and the name of the source that the table will have.

    Raises:
        AppError: the file is too large for this mode or the workspace, or there is no room in the line.
    """
    size = uploaded.stat().st_size
    if size > (limit := context.limits.upload_bytes):
        raise InvalidInput("error.statistics.too_large", megabytes=limit // 1_000_000)
    context.workspaces.require_room(identity, GROWTH * size)
    workspace = context.workspaces.open(identity)
    folder = workspace / "uploads"
    folder.mkdir(exist_ok=True)
    kept = folder / f"{secrets.token_hex(8)}{uploaded.suffix.lower()}"
    kept.write_bytes(uploaded.read_bytes())
    source = new_name(uploaded.name)
    work = partial(read_predictions, kept, uploaded.name, task, dict(columns), (workspace, source))
    try:
        return context.jobs.submit(identity, kind=JOB, work=work), source
    except AppError:
        kept.unlink(missing_ok=True)
        raise


def build(room: Room, *, reset: Mapping[str, Any]) -> None:
    """The file, and below it, once there is one, what it holds and which column is what.

    Args:
        room: where it stands; its slug is that of the exhibit which draws the table.
        reset: fields of the exhibit that mean nothing on another table.
    """
    slug = room.exhibit.slug
    with gr.Accordion(t("analysis.upload"), open=False):
        file = gr.File(label=t("analysis.upload.file"), file_types=list(ENDINGS), type="filepath", height=120)
        with gr.Column(visible=False) as form:
            tasks = [(t(f"analysis.task.{name}"), name) for name in KINDS]
            task = gr.Dropdown(tasks, label=t("analysis.upload.task"), elem_id=f"{slug}-task")
            slots = [gr.Dropdown([], label="…", elem_id=f"{slug}-column-{number}") for number in range(SLOTS)]
            button = gr.Button(t("analysis.upload.start"), variant="primary", elem_id=f"{slug}-read")
        refusal = gr.HTML(elem_classes="lab-relay", js_on_load=None, apply_default_css=False)
        card = gr.HTML(elem_classes="lab-job-place", js_on_load=None, apply_default_css=False)
    asked = [form, task, *slots, refusal, card]

    def ask(table: Table, named: str, columns: Mapping[str, str], locale: Locale) -> list[Any]:
        """The form with what was found; slots that the task has no use for are hidden."""
        names = required(named)
        drawn = []
        for number in range(SLOTS):
            if number >= len(names):
                drawn.append(gr.Dropdown(visible=False, value=None))
                continue
            label = translate(f"analysis.field.{names[number]}", locale)
            choices = list(table.columns)
            drawn.append(gr.Dropdown(choices, value=columns[names[number]] or None, label=label, visible=True))
        return [gr.Column(visible=True), named, *drawn]

    def begin(path: Path, named: str, columns: Mapping[str, str], request: gr.Request, locale: Locale) -> str:
        job, source = submit(path, named, columns, room.context, workspace_of(request))
        then = {**reset, "source": source}
        return pictures.job_card(job, slug=slug, locale=locale, place=f"{slug}-fetch", then=then)

    def refuse(error: Exception, locale: Locale) -> str:
        return fetching.notice(sentence(error, locale))

    def on_file(values: Mapping[str, Any], _: gr.EventData, request: gr.Request) -> list[Any]:
        """What the file seems to hold; when nothing is missing it is read at once."""
        locale = locale_of(request)
        untouched = [gr.skip() for _ in asked[:-2]]
        try:
            admit_visitor(request, room.context)
            path = Path(values["file"])
            table = peek(path)
            named = guess_task(table)
            columns, sure = match(table, named)
            drawn = ask(table, named, columns, locale)
            if not sure:
                told = translate("analysis.upload.incomplete", locale)
                return [*drawn, fetching.notice(told), gr.skip()]
            return [*drawn, "", begin(path, named, columns, request, locale)]
        except Exception as error:  # noqa: BLE001 - a boundary like the frame's: told in words, logged when a defect
            return [*untouched, refuse(error, locale), gr.skip()]

    def on_task(values: Mapping[str, Any], _: gr.EventData, request: gr.Request) -> list[Any]:
        """The columns that another task needs."""
        locale = locale_of(request)
        try:
            table = peek(Path(values["file"]))
            named = values["task"] if values["task"] in KINDS else guess_task(table)
            return [*ask(table, named, match(table, named)[0], locale), "", gr.skip()]
        except Exception as error:  # noqa: BLE001 - as above
            return [*(gr.skip() for _ in asked[:-2]), refuse(error, locale), gr.skip()]

    def on_press(values: Mapping[str, Any], _: gr.EventData, request: gr.Request) -> list[Any]:
        """Read the file with the columns that were chosen."""
        locale = locale_of(request)
        try:
            admit_visitor(request, room.context)
            if not values["file"]:
                raise InvalidInput("error.analysis.no_file")
            named = values["task"] if values["task"] in KINDS else next(iter(KINDS))
            given: Sequence[Any] = [values[f"slot{number}"] for number in range(SLOTS)]
            columns = {name: str(column) for name, column in zip(required(named), given, strict=False) if column}
            return ["", begin(Path(values["file"]), named, columns, request, locale)]
        except Exception as error:  # noqa: BLE001 - as above
            return [refuse(error, locale), gr.skip()]

    connect(file.upload, on_file, inputs={"file": file}, outputs=asked, lane="light")
    connect(task.input, on_task, inputs={"file": file, "task": task}, outputs=asked, lane="light")
    values = {"file": file, "task": task} | {f"slot{number}": slot for number, slot in enumerate(slots)}
    connect(button.click, on_press, inputs=values, outputs=[refusal, card], lane="light")
