"""The web application: FastAPI with Gradio mounted on it, and beside it what must outlive a broken connection."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import logging
import os
import re
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any

import gradio as gr
from fastapi import APIRouter, Body, Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core import query as queries
from core.errors import Busy, InvalidInput
from core.i18n import ASSETS, DEFAULT_LOCALE, Locale, as_locale, preferred_locale, translate
from core.jobs import UNFINISHED
from core.workspaces import WORKSPACE_COOKIE, is_identity, new_identity
from tabs._kit import export, failures, fetching
from tabs._kit.context import Context
from tabs._kit.doors import Page, open_at
from tabs._kit.events import Explore, admit_visitor, sentence
from tabs._kit.exhibit import Exhibit
from tabs._kit.page import build_page
from tabs._kit.shipped import read_results
from tabs._kit.theme import theme
from tabs._kit.words import LANGUAGE_COOKIE, catalogue

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 3_600.0  # from one look for abandoned folders to the next
COOKIE_SECONDS = 400 * 86_400  # the longest that browsers keep one
MEDIA: Mapping[str, str] = {"py": "text/x-python", "ipynb": "application/x-ipynb+json"}


def create_app(exhibits: Sequence[Exhibit], context: Context, *, sweep_seconds: float = SWEEP_SECONDS) -> FastAPI:
    """The whole application, ready to be served; every `sweep_seconds` it removes what visitors left behind."""

    page, explorers = build_page(exhibits, context)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        threading.Thread(target=_warm_up, args=(exhibits, explorers), name="warm-up", daemon=True).start()
        sweeping = asyncio.create_task(_sweep_regularly(context, sweep_seconds))
        try:
            yield
        finally:
            sweeping.cancel()
            with suppress(asyncio.CancelledError):
                await sweeping
            context.jobs.close()

    app = FastAPI(title="LLM入門ラボ", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    _add_routes(app, exhibits, context)
    page.queue(max_size=200, api_open=context.settings.mode != "public")
    password = context.settings.password
    gr.mount_gradio_app(
        app,
        page,
        path="/",
        auth=("lab", password) if password else None,
        show_error=False,
        run_history=False,
        enable_monitoring=False,
        ssr_mode=False,
        footer_links=[],
        max_file_size=context.limits.upload_bytes,
        i18n=catalogue(page),
        theme=theme(),
    )
    app.add_middleware(FrontDoor, page=page, context=context)
    return app


def _warm_up(exhibits: Sequence[Exhibit], explorers: Sequence[Explore]) -> None:
    """Draw every default once: libraries load and results are remembered while visitors read the contents.

    Results that come with the app are there at once; the models that gave them are loaded for what is typed next.
    """
    defaults = (partial(explore, {}) for explore in explorers)
    models = (partial(exhibit.explore, exhibit.query()) for exhibit in exhibits if read_results(exhibit))
    for work in (*defaults, *models):
        try:
            work()
        except Exception as error:  # noqa: BLE001 - the visitor who opens this exhibit is told; the log knows already
            sentence(error, DEFAULT_LOCALE)


async def _sweep_regularly(context: Context, seconds: float) -> None:
    """Remove abandoned folders for as long as the app runs; a disk that fails once is asked again the next time."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await asyncio.to_thread(context.sweep)
        except OSError:
            logger.exception("abandoned folders cannot be removed")


def _add_routes(app: FastAPI, exhibits: Sequence[Exhibit], context: Context) -> None:
    kinds = {kind.name: kind for kind in (fetching.KIND, *(kind for exhibit in exhibits for kind in exhibit.jobs))}
    known = {exhibit.slug: exhibit for exhibit in exhibits}

    def signed_in(request: Request) -> None:
        """Where the page asks for a password, its routes do too."""
        if context.settings.password and not _is_signed_in(app, request):
            raise HTTPException(401, translate("error.signed_out", _locale(request)))

    def counted(request: Request) -> None:
        """What is made for a visitor counts like a drawing of the page; the status of a job, often asked, does not."""
        try:
            admit_visitor(request, context)
        except Busy as error:
            told = sentence(error, _locale(request))
            raise HTTPException(429, told, headers={"Retry-After": f"{context.rates.seconds:.0f}"}) from None

    @app.exception_handler(RequestValidationError)
    def malformed(request: Request, _: RequestValidationError) -> JSONResponse:
        """In words, like every other refusal: the page shows them."""
        return JSONResponse({"detail": translate("error.request", _locale(request))}, 422)

    private = APIRouter(prefix="/lab", dependencies=[Depends(signed_in)])

    @private.get("/jobs/{job_id}")
    def job_status(job_id: str, request: Request) -> JSONResponse:
        """Where a job stands, for anyone who holds its id; the id cannot be guessed."""
        job = context.jobs.view(job_id)
        if job is None:
            raise HTTPException(404)
        locale = _locale(request)
        word = "job.stopping" if job.stopping and job.state in UNFINISHED else f"job.{job.state}"
        own = context.jobs.is_owned(job_id, workspace=request.cookies.get(WORKSPACE_COOKIE, ""))
        status = asdict(job) | {"seconds_left": job.seconds_left, "words": translate(word, locale), "own": own}
        del status["result"]
        status["details"] = failures.fold(status.pop("trace"), locale)
        amount = kinds[job.kind].amount if job.kind in kinds else str
        status["steps"] = f"{amount(job.done)} / {amount(job.total)}" if job.total else ""
        if job.error:
            status["words"] = translate(job.error, locale, **job.error_params)
        if job.result is not None and (kind := kinds.get(job.kind)):
            status["html"] = kind.render(job.result, locale)
        return JSONResponse(status, headers={"Cache-Control": "no-store"})

    @private.post("/jobs/{job_id}/cancel")
    def cancel_job(job_id: str, request: Request) -> dict[str, bool]:
        """Stop a job of the visitor's own."""
        return {"cancelled": context.jobs.cancel(job_id, workspace=request.cookies.get(WORKSPACE_COOKIE, ""))}

    @private.post("/erase")
    def erase(request: Request) -> dict[str, bool]:
        """Remove the visitor's folder; an unfinished job is stopped first."""
        identity = request.cookies.get(WORKSPACE_COOKIE, "")
        if not is_identity(identity):
            return {"erased": False}
        context.jobs.erase(identity)
        return {"erased": True}

    @private.post("/export/{slug}.{suffix}", dependencies=[Depends(counted)])
    def export_code(slug: str, suffix: str, request: Request, params: Annotated[dict[str, Any], Body()]) -> Response:
        """The drawn query as a script or a notebook."""
        exhibit = known.get(slug)
        if exhibit is None or suffix not in MEDIA:
            raise HTTPException(404)
        query = queries.make(exhibit.query, params)
        try:
            text = export.as_file(exhibit, query, _locale(request), suffix=suffix)
        except Exception as error:  # noqa: BLE001 - a boundary like the page's: words outside, the log inside
            raise HTTPException(422, sentence(error, _locale(request))) from None
        name = f'attachment; filename="{slug}.{suffix}"'
        return Response(text, media_type=MEDIA[suffix], headers={"Content-Disposition": name})

    @private.get("/qr.svg", dependencies=[Depends(counted)])
    def qr_code(link: str, request: Request) -> Response:
        """A link as a QR code, to be shown to a class."""
        import segno

        try:
            code = segno.make_qr(link, error="l")
        except segno.DataOverflowError:
            raise HTTPException(422, sentence(InvalidInput("error.link.too_long"), _locale(request))) from None
        svg = code.svg_inline(scale=4, border=4, light="#ffffff")  # as SVG, dark on light in both themes
        return Response(svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1), media_type="image/svg+xml")

    for exhibit in exhibits:
        if exhibit.routes:
            private.include_router(exhibit.routes(context), prefix=f"/{exhibit.slug}", dependencies=[Depends(counted)])
    app.include_router(private)

    @app.get("/lab/lab.{suffix}")
    def asset(suffix: str) -> FileResponse:
        """The page's own script and style sheet; their addresses carry a fingerprint."""
        if suffix not in ("js", "css"):
            raise HTTPException(404)
        return FileResponse(ASSETS / suffix / f"lab.{suffix}", headers={"Cache-Control": "max-age=31536000, immutable"})


def _is_signed_in(app: FastAPI, request: Request) -> bool:
    """Whether this browser holds a cookie that Gradio's own sign-in gave it."""
    page = next(route.app for route in app.routes if isinstance(route, Mount) and isinstance(route.app, gr.routes.App))
    names = (f"access-token-{page.cookie_id}", f"access-token-unsecure-{page.cookie_id}")
    return any(request.cookies.get(name) in page.tokens for name in names)


class FrontDoor:
    """ASGI middleware for the page's own HTML: its language, its script and style, and the visitor's workspace cookie.

    Files that are sent count as requests of their visitor, used or not: they lie on the disk for an hour.

    The script has to run before Gradio's, which reads the browser's language only once; `head=` would come too late.
    """

    def __init__(self, app: ASGIApp, page: Page, context: Context) -> None:
        self.app = app
        self.page = page
        self.context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on; rewrite only ``GET /``, and refuse files above the count."""
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"].endswith("/upload"):
            try:
                admit_visitor(Request(scope), self.context)
            except Busy as error:
                await JSONResponse({"detail": sentence(error, _locale(Request(scope)))}, 429)(scope, receive, send)
                return
        if scope["type"] != "http" or scope["path"] != "/" or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        request, start, body = Request(scope), dict[str, Any](), bytearray()

        async def rewrite(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
                return
            body.extend(message.get("body", b""))
            if message.get("more_body"):
                return
            page = bytes(body)
            headers = [(k, v) for k, v in start["headers"] if k != b"content-length"]
            if start["status"] == 200 and b"<head>" in page:
                if tab := request.query_params.get("tab"):
                    page = open_at(page, self.page, tab)
                page = _dress(page, _locale(request))
                if "gzip" in request.headers.get("accept-encoding", ""):  # an eighth of the way for a class on Wi-Fi
                    page = gzip.compress(page, compresslevel=5, mtime=0)
                    headers += [(b"content-encoding", b"gzip"), (b"vary", b"accept-encoding")]
                if not is_identity(request.cookies.get(WORKSPACE_COOKIE)):
                    headers.append((b"set-cookie", _workspace_cookie().encode()))
            headers.append((b"content-length", str(len(page)).encode()))
            await send({**start, "headers": headers})
            await send({"type": "http.response.body", "body": page})

        await self.app(scope, receive, rewrite)


def _dress(page: bytes, locale: Locale) -> bytes:
    text = page.decode("utf-8")
    text = re.sub(r'<html\s+lang="en"', f'<html lang="{locale}"', text, count=1)
    text = re.sub(r'<meta\s+(property="og:(image|url)"|name="twitter:(image|creator)")[^>]*>', "", text)
    mark = _fingerprint()
    own = f'<script src="lab/lab.js?{mark}"></script><link rel="stylesheet" href="lab/lab.css?{mark}">'
    # After <base>, before Gradio's module scripts, which are deferred.
    return re.sub(r"(<base [^>]*>)", lambda found: found.group(1) + own, text, count=1).encode("utf-8")


def _fingerprint() -> str:
    """Changes with the files, so that browsers may keep them for ever."""
    content = b"".join((ASSETS / kind / f"lab.{kind}").read_bytes() for kind in ("js", "css"))
    return hashlib.sha256(content).hexdigest()[:12]


def _workspace_cookie() -> str:
    cookie = f"{WORKSPACE_COOKIE}={new_identity()}; Path=/; Max-Age={COOKIE_SECONDS}; HttpOnly"
    # A Space is shown in a frame of another site, which gets cookies only when they are partitioned.
    return cookie + ("; SameSite=None; Secure; Partitioned" if "SPACE_ID" in os.environ else "; SameSite=Lax")


def _locale(request: Request) -> Locale:
    asked = as_locale(request.query_params.get("lang")) or as_locale(request.cookies.get(LANGUAGE_COOKIE))
    return asked or preferred_locale(request.headers.get("accept-language", ""))
