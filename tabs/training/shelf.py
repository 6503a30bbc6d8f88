"""A visitor's own runs: their list, taking a model away, deleting one. Addresses of the exhibit's own, by cookie."""

from __future__ import annotations

import html
import json
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse

from core.errors import AppError, Busy
from core.i18n import DEFAULT_LOCALE, Locale, as_locale, translate
from core.settings import ROOT
from core.training.own import find_run, is_key, key_of, name_model, open_store
from core.training.records import is_followed, read_record
from core.training.runs import RunStore
from core.values import as_json
from core.workspaces import WORKSPACE_COOKIE, is_identity
from tabs._kit import foot
from tabs._kit.charts import MOST_LINES
from tabs._kit.context import Context
from tabs._kit.events import sentence
from tabs.training import report, starting
from tabs.training.curves import name_metric, write_metric
from tabs.training.script import write_script

MOST_LISTED = 20
CHUNK = 1_000_000  # bytes of a file at a time
TOLD = ("learning_rate", "steps", "batch_size", "lora_rank", "limit")


def routes(context: Context) -> APIRouter:
    """The addresses below ``/lab/training``; none where nobody trains."""
    router = APIRouter()
    if not starting.is_offered(context):
        return router

    def store_of(request: Request) -> RunStore:
        identity = request.cookies.get(WORKSPACE_COOKIE, "")
        if not is_identity(identity):
            raise HTTPException(404)
        return open_store(context.workspaces.open(identity))

    def own_run(key: str, request: Request) -> tuple[RunStore, str]:
        """The visitor's own run; another's is not there."""
        store = store_of(request)
        try:
            identity = find_run(key).path.name
            store.view(identity)
        except AppError:
            raise HTTPException(404) from None
        return store, identity

    @router.get("/runs")
    def list_runs(request: Request, run: str = "", beside: str = "") -> HTMLResponse:
        """All runs of this visitor, the newest first, with what can be done with each."""
        locale, store = _locale(request), store_of(request)
        folders = context.limits.local_folders
        drawn = [
            _draw_row(store, one.id, locale, run=run, beside=beside, folders=folders)
            for one in store.list()[:MOST_LISTED]
        ]
        told = html.escape(translate("training.own", locale))
        rows = "".join(drawn)
        inside = (
            f'<ul class="lab-runs">{rows}</ul>'
            if rows
            else f"<p>{html.escape(translate('training.own.none', locale))}</p>"
        )
        return HTMLResponse(f'<h3 class="lab-heading">{told}</h3>{inside}', headers={"Cache-Control": "no-store"})

    @router.get("/{key}.zip")
    def take_away(key: str, request: Request) -> Response:
        """The model with its configuration, metrics and predictions, and the script that trains it again."""
        _, identity = own_run(key, request)
        packed = _pack(identity, key)
        name = f'attachment; filename="{identity[:15]}.zip"'
        return StreamingResponse(_chunks(packed), media_type="application/zip", headers={"Content-Disposition": name})

    @router.post("/{key}/delete")
    def delete(key: str, request: Request) -> dict[str, bool]:
        """Remove a run with everything it made."""
        store, identity = own_run(key, request)
        try:
            if is_followed(store.view(identity).folder):  # it has a place in the line
                raise Busy("error.training.running")
            store.delete(identity)
        except AppError as error:  # it is running
            raise HTTPException(409, sentence(error, _locale(request))) from None
        return {"deleted": True}

    return router


def draw_place(record_key: str, beside: tuple[str, ...], stamp: str) -> str:
    """Where the list stands in a drawing that others may see too; `stamp` changes when it has to be asked for anew."""
    address = f"lab/training/runs?run={record_key}&beside={'+'.join(beside)}"
    return f'<lab-own data-src="{html.escape(address)}" data-stamp="{html.escape(stamp)}"></lab-own>'


def draw_further(key: str, locale: Locale, *, analysed: bool) -> str:
    """What a model that was trained can be used for, in this exhibit and in others."""
    name = name_model(find_run(key))
    zipped = html.escape(translate("training.download", locale))
    buttons = [f'<a class="lab-chip" href="lab/training/{key}.zip" download>{zipped}</a>']
    if analysed:
        label = html.escape(translate("training.errors", locale))
        buttons.insert(0, foot.goto_button(label, "errors", {"source": name}))
    return "".join(buttons)


def _draw_row(store: RunStore, identity: str, locale: Locale, *, run: str, beside: str, folders: bool) -> str:
    """One run; with `folders` its model can be opened where a folder of the machine can be named as one."""
    key = key_of(identity)
    try:
        read = read_record(store.view(identity).folder, key=key)
    except AppError:
        return ""
    record, unfinished = as_json(read), read.unfinished
    shown = [name for name in beside.split() if is_key(name) or name.isascii()]
    added = [name for name in shown if name != key] if key in shown else [*shown, key][: MOST_LINES - 1]
    look = foot.pick_button(html.escape(translate("training.own.look", locale)), {"run": key, "beside": ""})
    compare = foot.pick_button(
        html.escape(translate("training.own.compare", locale)),
        {"beside": " ".join(added)},
        style="lab-chip lab-chosen" if key in shown else "lab-chip",
    )
    word, sure = (html.escape(translate(f"training.own.{name}", locale)) for name in ("delete", "sure"))
    address = f"lab/training/{key}/delete"
    remove = f'<button type="button" class="lab-chip" data-post="{address}" data-confirm="{sure}">{word}</button>'
    buttons = look + (compare if key != run else "") + ("" if unfinished else remove)
    if folders and record["model"] and record["config"]["model"] == "encoder":
        label = html.escape(translate("training.own.attention", locale))
        buttons += foot.goto_button(label, "attention", {"model": str(find_run(key).model)})
    style = ' class="lab-opened"' if key == run else ""
    return f"<li{style}><span>{_describe(record, locale)}</span><span>{buttons}</span></li>"


def _describe(record: Mapping[str, Any], locale: Locale) -> str:
    best = next((one for one in reversed(record["evaluations"]) if one["best"]), None)
    metric = record["metric"]
    value = f" · {name_metric(metric, locale)} {write_metric(metric, best['metrics'].get(metric))}" if best else ""
    when = time.strftime("%m-%d %H:%M", time.localtime(record["created"]))
    settings = report.describe_changes(record["config"], TOLD, locale)
    return (
        f'<span class="lab-tag">{html.escape(report.tell_state(record, locale))}</span> '
        f"{html.escape(f'{when} {report.name_run(record, locale)}{value}')}<br><small>{html.escape(settings)}</small>"
    )


def _pack(identity: str, key: str) -> IO[bytes]:
    """A zip file without a name of its own, at its beginning."""
    folder = find_run(key)
    record = as_json(read_record(folder, key=key))
    texts = {
        "config.json": json.dumps(record["config"], ensure_ascii=False, indent=2) + "\n",
        "train_again.py": write_script(record),
        "requirements.txt": (ROOT / "requirements.txt").read_text(encoding="utf-8"),
    }
    files = [*sorted(folder.model.glob("*")), folder.metrics, folder.predictions, folder.test_predictions]
    packed: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed when it has been sent
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:  # weights do not shrink
        for path in files:
            if path.is_file():
                archive.write(path, f"{identity[:15]}/{_inside(path, folder.path)}")
        for name, text in texts.items():
            archive.writestr(f"{identity[:15]}/{name}", text)
    packed.seek(0)
    return packed


def _inside(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while part := file.read(CHUNK):
            yield part


def _locale(request: Request) -> Locale:
    return as_locale(request.query_params.get("lang")) or DEFAULT_LOCALE
