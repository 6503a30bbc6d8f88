"""A visitor's own file: it is looked at, its columns are matched, and a job reads it into the workspace."""

from __future__ import annotations

import json
import secrets
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from core.data.files import read_file
from core.data.rows import Table
from core.errors import AppError, InvalidInput
from core.i18n import Locale, translate
from core.jobs import Progress, Work
from core.values import as_json
from tabs._kit import fetching, pictures
from tabs._kit.context import Context
from tabs._kit.events import admit_visitor, connect, sentence, workspace_of
from tabs._kit.room import Room
from tabs._kit.words import locale_of, t

ENDINGS = (".csv", ".tsv", ".jsonl", ".json")
PEEKED = 200_000  # bytes of a file that its columns are found in
SLOTS = 4  # columns that a task needs at most
PREVIEWED, QUOTED = 3, 40  # rows, and characters of a cell


@dataclass(frozen=True)
class Intake:
    """What files of one kind become.

    `read` is the work of the job: it is given the file, the name that the visitor knows it by, a task, the columns
    (canonical names to those of the file), and where to keep what comes of it: the workspace, and a name made by
    `name`. `match` gives a column for each that the task requires, '' where none looks like it, and whether the names
    alone say so. What comes of a file takes `growth` times its bytes.

    Words: `words`, ``<words>.file``, ``.task``, ``.start`` and ``.incomplete``; ``<tasks>.<task>``,
    ``<fields>.<column>``.
    """

    job: str
    words: str
    tasks: str
    fields: str
    offered: tuple[str, ...]
    guess: Callable[[Table], str]
    match: Callable[[Table, str], tuple[dict[str, str], bool]]
    name: Callable[[str], str]
    read: Callable[[Path, str, str, Mapping[str, str], tuple[Path, str]], Work]
    growth: int


def peek(path: Path) -> Table:
    """The first rows of a file, whole lines of them; all of a JSON file, which has no lines.

    Raises:
        InvalidInput: as `core.data.files.read_file`.
    """
    if path.suffix.lower() == ".json" or path.stat().st_size <= PEEKED:
        return read_file(str(path))
    with path.open("rb") as file:
        start = file.read(PEEKED)
    if start.count(b"\n") < 2:  # no whole row: a cell alone is longer than that
        return read_file(str(path))
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder) / path.name
        part.write_bytes(start[: start.rfind(b"\n") + 1] or start)
        return read_file(str(part))


def submit(
    intake: Intake, uploaded: Path, task: str, columns: Mapping[str, str], context: Context, identity: str
) -> tuple[str, str]:
    """Start the job on a file; returns its id and the name of what it will become.

    Raises:
        AppError: the file is too large for this mode or the workspace, or there is no room in the line.
    """
    size = uploaded.stat().st_size
    if size > (limit := context.limits.upload_bytes):
        raise InvalidInput("error.statistics.too_large", megabytes=limit // 1_000_000)
    context.workspaces.require_room(identity, intake.growth * size)
    workspace = context.workspaces.open(identity)
    folder = workspace / "uploads"
    folder.mkdir(exist_ok=True)
    kept = folder / f"{secrets.token_hex(8)}{uploaded.suffix.lower()}"
    kept.write_bytes(uploaded.read_bytes())
    source = intake.name(uploaded.name)
    work = partial(_begin, kept, partial(intake.read, kept, uploaded.name, task, dict(columns), (workspace, source)))
    try:
        return context.jobs.submit(identity, kind=intake.job, work=work), source
    except AppError:
        kept.unlink(missing_ok=True)
        raise


def _begin(path: Path, read: Callable[[], Work]) -> Work:
    """The work, started up to its first event, so that closing it in the line already runs its clean-up.

    The file is gone however it ends, unless the work has moved it.
    """

    def work() -> Work:
        try:
            yield Progress(0, 0)
            return (yield from read())
        finally:
            path.unlink(missing_ok=True)

    begun = work()
    next(begun)
    return begun


def build(room: Room, intake: Intake, *, reset: Mapping[str, Any], field: str = "source", title: str = "") -> None:
    """The file, and below it, once there is one, what it holds and which column is what.

    Args:
        room: where it stands.
        intake: what becomes of the file.
        reset: fields of the exhibit that mean nothing on other data.
        field: the field of the exhibit that names what is drawn.
        title: the word above the file; by default that of the intake.
    """
    slug = room.exhibit.slug
    with gr.Accordion(t(title or intake.words), open=False):
        file = gr.File(label=t(f"{intake.words}.file"), file_types=list(ENDINGS), type="filepath", height=120)
        with gr.Column(visible=False) as form:
            tasks = [(t(f"{intake.tasks}.{name}"), name) for name in intake.offered]
            task = gr.Dropdown(tasks, label=t(f"{intake.words}.task"), elem_id=f"{slug}-task")
            slots = [gr.Dropdown([], label="…", elem_id=f"{slug}-column-{number}") for number in range(SLOTS)]
            preview = gr.HTML(elem_classes="lab-view", js_on_load=None, apply_default_css=False)
            button = gr.Button(t(f"{intake.words}.start"), variant="primary", elem_id=f"{slug}-read")
        refusal = gr.HTML(elem_classes="lab-relay", js_on_load=None, apply_default_css=False)
        card = gr.HTML(elem_classes="lab-job-place", js_on_load=None, apply_default_css=False)
    asked = [form, task, *slots, preview, refusal, card]

    def ask(table: Table, named: str, columns: Mapping[str, str], locale: Locale) -> list[Any]:
        """The form with what was found; slots that the task has no use for are hidden."""
        drawn = []
        for number in range(SLOTS):
            if number >= len(columns):
                drawn.append(gr.Dropdown(visible=False, value=None))
                continue
            name, found = list(columns.items())[number]
            label = translate(f"{intake.fields}.{name}", locale)
            drawn.append(gr.Dropdown(list(table.columns), value=found or None, label=label, visible=True))
        return [gr.Column(visible=True), named, *drawn, _draw_preview(table, locale)]

    def begin(path: Path, named: str, columns: Mapping[str, str], request: gr.Request, locale: Locale) -> str:
        job, source = submit(intake, path, named, columns, room.context, workspace_of(request))
        then = {**reset, field: source}
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
            named = intake.guess(table)
            columns, sure = intake.match(table, named)
            drawn = ask(table, named, columns, locale)
            if not sure:
                told = translate(f"{intake.words}.incomplete", locale)
                return [*drawn, fetching.notice(told), gr.skip()]
            return [*drawn, "", begin(path, named, columns, request, locale)]
        except Exception as error:  # noqa: BLE001 - a boundary like the frame's: told in words, logged when a defect
            return [*untouched, refuse(error, locale), gr.skip()]

    def on_task(values: Mapping[str, Any], _: gr.EventData, request: gr.Request) -> list[Any]:
        """The columns that another task needs."""
        locale = locale_of(request)
        try:
            table = peek(Path(values["file"]))
            named = values["task"] if values["task"] in intake.offered else intake.guess(table)
            return [*ask(table, named, intake.match(table, named)[0], locale), "", gr.skip()]
        except Exception as error:  # noqa: BLE001 - as above
            return [*(gr.skip() for _ in asked[:-2]), refuse(error, locale), gr.skip()]

    def on_press(values: Mapping[str, Any], _: gr.EventData, request: gr.Request) -> list[Any]:
        """Read the file with the columns that were chosen."""
        locale = locale_of(request)
        try:
            admit_visitor(request, room.context)
            if not values["file"]:
                raise InvalidInput("error.analysis.no_file")
            path = Path(values["file"])
            table = peek(path)
            named = values["task"] if values["task"] in intake.offered else intake.guess(table)
            given: Sequence[Any] = [values[f"slot{number}"] for number in range(SLOTS)]
            names = intake.match(table, named)[0]
            columns = {name: str(column) for name, column in zip(names, given, strict=False) if column}
            return ["", begin(path, named, columns, request, locale)]
        except Exception as error:  # noqa: BLE001 - as above
            return [refuse(error, locale), gr.skip()]

    connect(file.upload, on_file, inputs={"file": file}, outputs=asked, lane="light")
    connect(task.input, on_task, inputs={"file": file, "task": task}, outputs=asked, lane="light")
    values = {"file": file, "task": task} | {f"slot{number}": slot for number, slot in enumerate(slots)}
    connect(button.click, on_press, inputs=values, outputs=[refusal, card], lane="light")


def _draw_preview(table: Table, locale: Locale) -> str:
    """The first rows as they stand in the file."""
    shown = table.rows[:PREVIEWED]
    rows = [[str(row.line), *(_quote(row.values.get(name)) for name in table.columns)] for row in shown]
    caption = translate("upload.preview", locale, rows=len(shown), columns=len(table.columns))
    return pictures.table([translate("upload.line", locale), *table.columns], rows, caption=caption, numeric=(0,))


def _quote(value: object) -> str:
    told = "" if value is None else value if isinstance(value, str) else json.dumps(as_json(value), ensure_ascii=False)
    flat = " ".join(told.split())
    return flat if len(flat) <= QUOTED else flat[: QUOTED - 1] + "…"
