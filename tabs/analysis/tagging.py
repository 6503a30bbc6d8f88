"""Tags that a visitor gives to rows, and what is taken away: the bar above the rows, and its addresses."""

from __future__ import annotations

import html
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import IO, Annotated, Any

from fastapi import APIRouter, Body, HTTPException, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from core import query as queries
from core.analysis.browsing import Browsed
from core.analysis.bundle import list_parts, write_bundle, write_rows
from core.analysis.selection import Filter, Order, select_rows
from core.analysis.sources import open_source
from core.analysis.table import Kind
from core.analysis.tagging import Kept, change_kept, read_kept
from core.analysis.tags import LONGEST_TAG, Tags
from core.errors import InvalidInput
from core.i18n import DEFAULT_LOCALE, LOCALES, Locale, as_locale, translate, words
from core.jobs import Work
from core.workspaces import WORKSPACE_COOKIE, is_identity, new_identity
from tabs._kit.context import Context
from tabs._kit.events import admit, sentence
from tabs._kit.exhibit import JobKind, Submitted
from tabs._kit.foot import attribute

JOB = "take-away"
TAKEN = "taken"  # the folder inside a workspace
_COMMON = ("knowledge", "gold")
_ENTITIES = ("short", "rare", "borders", "kind", "gold")
STARTERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "classification": ("irony", "negation", "mixed", *_COMMON),
        "pair-classification": ("negation", "overlap", "wording", *_COMMON),
        "similarity": ("overlap", "wording", "number", *_COMMON),
        "multiple-choice": ("negation", "close", "overlap", *_COMMON),
        "tagging": _ENTITIES,
        "tagging-crf": _ENTITIES,
    }
)
"""Tags that are offered before there are any, by task."""
ROOM = 6  # bytes of a bundle for each character of the texts, and a megabyte
CHUNK = 1_000_000  # bytes of a file at a time
TOLD = (
    "title", "keys", "armed", "new", "undo", "redo", "all", "csv", "bundle", "given", "taken", "undone", "everything",
    "offline",
)  # fmt: skip

Choose = Callable[[Any, Kind], tuple[Filter, Order, bool]]


def draw_bar(result: Browsed, locale: Locale) -> str:
    """Where the page's script puts the tags with their counts, the box for a new one, and what can be taken away."""
    told = {name: words(locale)[f"analysis.tags.{name}"] for name in TOLD}  # as they are: the script fills them in
    starters = [translate(f"analysis.tag.{name}", locale) for name in STARTERS[result.source.task]]
    return (
        f'<lab-tags data-words="{attribute(told)}" data-starters="{attribute(starters)}" data-job="{JOB}"'
        f' data-longest="{LONGEST_TAG}" data-source="{html.escape(result.source.source)}"'
        f' data-page="{result.page}" data-total="{result.total}"></lab-tags>'
    )


def submit(query: Any, context: Context, identity: str) -> Submitted:
    """Start packing all rows with their tags, a report and a notebook.

    Raises:
        AppError: the source cannot be opened, there is no room for it, or none in the line.
    """
    opened = open_source(query.source)
    size = sum(map(len, opened.table.joined_texts))
    context.workspaces.require_room(identity, ROOM * size + 1_000_000)
    workspace = context.workspaces.open(identity)
    key = new_identity()
    tags = read_kept(workspace, query.source).tags
    told = {locale: words(locale) for locale in LOCALES}
    folder = workspace / TAKEN  # of the newest bundle alone

    def work() -> Work:
        counted = yield from write_bundle(opened, tags, told, folder)
        (folder / "key").write_text(key, encoding="ascii")
        return {**counted, "key": key}

    return Submitted(context.jobs.submit(identity, kind=JOB, work=work))


def _render(result: Mapping[str, Any], locale: Locale) -> str:
    name = html.escape(translate("analysis.tags.take", locale, rows=f"{result['rows']:,}"))
    address = f"lab/errors/{result['key']}.zip?lang={locale}"
    return f'<div class="lab-chips"><a class="lab-chip lab-primary" href="{address}" download>{name}</a></div>'


KIND = JobKind(JOB, _render, submit=submit)


def routes(query: type[queries.Query], choose: Choose, context: Context) -> APIRouter:
    """The addresses below ``/lab/errors``; each works on the workspace of whoever asks.

    Args:
        query: the exhibit's query.
        choose: the filter and the order that a query stands for.
        context: of the running app.
    """
    router = APIRouter()

    def workspace_of(request: Request) -> str:
        identity = request.cookies.get(WORKSPACE_COOKIE)
        if not is_identity(identity):
            raise HTTPException(422, translate("error.workspace.none", _locale(request)))
        return str(identity)

    def read(body: Mapping[str, Any]) -> Any:
        params = body.get("params")
        asked: Any = queries.make(query, params if isinstance(params, Mapping) else {})
        admit(asked, context.limits)
        return asked

    def passing(asked: Any) -> list[int]:
        table = open_source(asked.source).table
        return [int(row) for row in table.index[select_rows(table, choose(asked, table.kind)[0])]]

    @router.post("/tags")
    def tags(request: Request, body: Annotated[dict[str, Any], Body()]) -> JSONResponse:
        """Do one thing to the tags, and tell all of them, and those of some rows."""
        identity, locale = workspace_of(request), _locale(request)
        try:
            asked, workspace = read(body), context.workspaces.open(identity)
            change = _read_change(body, partial(passing, asked))
            if change is None:
                kept = read_kept(workspace, asked.source)
            else:
                context.workspaces.require_room(identity, 0)
                kept = change_kept(workspace, asked.source, change)
        except Exception as error:  # noqa: BLE001 - a boundary like the page's: words outside, the log inside
            raise HTTPException(422, sentence(error, locale)) from None
        return JSONResponse(_tell(kept, _whole_numbers(body.get("rows"))), headers={"Cache-Control": "no-store"})

    @router.post("/rows.csv")
    def rows(request: Request, body: Annotated[dict[str, Any], Body()]) -> Response:
        """The rows that pass the filter, in their order, with their tags."""
        identity, locale = workspace_of(request), _locale(request)
        try:
            asked, workspace = read(body), context.workspaces.open(identity)
            opened, kept = open_source(asked.source), read_kept(workspace, asked.source)
            chosen, order, descending = choose(asked, opened.table.kind)
            text = write_rows(opened, kept.tags, chosen, order=order, descending=descending)
        except Exception as error:  # noqa: BLE001 - as above
            raise HTTPException(422, sentence(error, locale)) from None
        return Response(text.encode("utf-8", "replace"), media_type="text/csv; charset=utf-8")

    @router.get("/{key}.zip")
    def take(key: str, request: Request) -> Response:
        """The newest bundle of this visitor; another's is not there."""
        folder = context.workspaces.open(workspace_of(request)) / TAKEN
        mark = folder / "key"
        parts = list_parts(folder, _locale(request))
        if not parts or not mark.is_file() or mark.read_text(encoding="ascii") != key:
            raise HTTPException(404, translate("analysis.tags.gone", _locale(request)))
        packed: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed when it has been sent
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, path in parts.items():
                archive.write(path, name)
        packed.seek(0)
        name = 'attachment; filename="error-analysis.zip"'
        return StreamingResponse(_chunks(packed), media_type="application/zip", headers={"Content-Disposition": name})

    return router


def _read_change(body: Mapping[str, Any], passing: Callable[[], list[int]]) -> Callable[[Tags], Tags] | None:
    """What is to be done to the tags; None when they are only looked at.

    Raises:
        InvalidInput: that is no row, or the filter cannot be used.
    """
    tag, row = str(body.get("tag", "")), body.get("row")
    match body.get("do"):
        case "undo":
            return Tags.undo
        case "redo":
            return Tags.redo
        case "toggle":
            if isinstance(row, bool) or not isinstance(row, int) or not 0 <= row < 2**53:
                raise InvalidInput("error.analysis.no_row")
            return partial(_toggle, tag, row)
        case "everything":
            return partial(_toggle_all, tag, passing())
        case _:
            return None


def _toggle(tag: str, row: int, tags: Tags) -> Tags:
    return tags.toggle(tag, row)


def _toggle_all(tag: str, rows: list[int], tags: Tags) -> Tags:
    """Given to all; when all have it, taken from all."""
    lacking = any(tag.strip() not in tags.marks.get(row, ()) for row in rows)
    return tags.give(tag, rows) if lacking else tags.take(tag, rows)


def _tell(kept: Kept, rows: list[int]) -> dict[str, Any]:
    counts = kept.tags.counts()
    return {
        "tags": [[name, counts.get(name, 0)] for name in kept.names],
        "marks": {str(row): list(kept.tags.marks[row]) for row in rows if row in kept.tags.marks},
        "tagged": len(kept.tags.marks),
        "undo": bool(kept.tags.done),
        "redo": bool(kept.tags.undone),
    }


def _whole_numbers(sent: Any) -> list[int]:
    return [one for one in sent[:200] if isinstance(one, int)] if isinstance(sent, list) else []


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while part := file.read(CHUNK):
            yield part


def _locale(request: Request) -> Locale:
    return as_locale(request.query_params.get("lang")) or DEFAULT_LOCALE
