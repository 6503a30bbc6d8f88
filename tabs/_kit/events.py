"""The one place where handlers meet Gradio: values become a query, errors become words, endpoints get names."""

from __future__ import annotations

import inspect
import logging
import math
import os
import secrets
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from typing import Any

import gradio as gr
from gradio.components import Component
from starlette.requests import Request

from core import presets
from core import query as queries
from core.downloads.plans import SHELVES, find_shelf
from core.errors import AppError, Busy, InvalidInput, NotAllowedHere
from core.i18n import Locale, translate, words
from core.settings import Limits
from core.values import as_json
from core.workspaces import WORKSPACE_COOKIE, is_identity
from tabs._kit.context import Context
from tabs._kit.exhibit import Exhibit, Lane
from tabs._kit.shipped import read_results
from tabs._kit.words import locale_of

logger = logging.getLogger(__name__)

# Light work shares the cores; forward passes get one core each, because two on one core slow each other down.
LANES: Mapping[Lane, int] = {"light": 8, "model": max(1, (os.cpu_count() or 2) // 2)}
CACHED_RESULTS = 64
NOT_DOWNLOADED = "error.model.not_downloaded"  # on the Hub, perhaps, and not in the cache of this machine


@dataclass(frozen=True)
class Exploration:
    """One answered query and the seconds its computation took; None for a result that was remembered."""

    query: queries.Query
    result: Any
    seconds: float | None


Explore = Callable[[Mapping[str, Any]], Exploration]


def explorer(exhibit: Exhibit, limits: Limits) -> Explore:
    """`exhibit.explore` on raw widget values, admitted by the mode's limits and remembered by query.

    A class of thirty that opens the same example costs one computation; some results come with the app.
    """
    shipped = lru_cache(maxsize=1)(partial(read_results, exhibit))

    @lru_cache(maxsize=CACHED_RESULTS)
    def compute(query: Any, version: Hashable) -> tuple[Any, float, float]:
        """The result, when its computation began, and how long it took."""
        if query in shipped():
            return shipped()[query], -math.inf, 0.0
        began = time.perf_counter()
        result = exhibit.explore(query)
        return result, began, time.perf_counter() - began

    def explore(values: Mapping[str, Any]) -> Exploration:
        query: Any = queries.make(exhibit.query, values)
        admit(query, limits)
        asked = time.perf_counter()
        result, began, seconds = compute(query, exhibit.version(query))
        return Exploration(query, result, seconds if began >= asked else None)

    return explore


def admit(query: queries.Query, limits: Limits) -> None:
    """Check a query against what the running mode allows.

    Raises:
        InvalidInput: a text is too long.
        NotAllowedHere: a model outside the catalogue where only the catalogue is offered, or a pickle.
    """
    for name in queries.names(type(query)):
        bounds, value = queries.bounds(type(query), name), getattr(query, name)
        if bounds.kind == "text" and len(value) > (limit := min(bounds.limit, limits.text_characters)):
            raise InvalidInput("error.text.too_long", length=len(value), limit=limit)
        purpose = find_shelf(bounds.options)
        if not (bounds.free or purpose):
            continue
        shelf = SHELVES[purpose] if purpose else ()
        for model in value if isinstance(value, tuple) else (value,):
            if model not in bounds.options or model in presets.ids(shelf):  # data sets stand on no shelf of models
                presets.permit(model, shelf, limits)


def admit_visitor(received: gr.Request | Request | None, context: Context) -> None:
    """Count a request where the running mode bounds how many there may be in a minute.

    Raises:
        Busy: this visitor, or everybody behind this address, asked too often.
    """
    limits = context.limits
    request = received.request if isinstance(received, gr.Request) else received
    if not limits.requests_per_minute or request is None:
        return
    address = request.client.host if request.client else ""
    if "SPACE_ID" in os.environ:  # a proxy stands before a Space; what it adds comes last
        address = request.headers.get("x-forwarded-for", address).rpartition(",")[2].strip()
    workspace = request.cookies.get(WORKSPACE_COOKIE)
    visitor = workspace if is_identity(workspace) else address  # a program that keeps no cookie
    if not context.rates.admit(f"visitor {visitor}", limit=limits.requests_per_minute):
        raise Busy("error.rate.visitor", limit=limits.requests_per_minute)
    # An id is free for the asking, so those who keep asking for new ones are told apart by their address.
    if not context.rates.admit(f"address {address}", limit=limits.requests_per_address):
        raise Busy("error.rate.address", limit=limits.requests_per_address)


def workspace_of(request: gr.Request) -> str:
    """The visitor's workspace id.

    Raises:
        InvalidInput: the browser keeps no cookies, or a program called: the id is handed out with the page.
    """
    identity = request.cookies.get(WORKSPACE_COOKIE)
    if not is_identity(identity):
        raise InvalidInput("error.workspace.none")
    return str(identity)


def as_told_here(error: Exception, limits: Limits) -> Exception:
    """The error that this mode tells of: where nothing is fetched, nobody is told to press the button that fetches."""
    if isinstance(error, AppError) and error.key == NOT_DOWNLOADED and not limits.downloads:
        return NotAllowedHere("error.model.no_downloads_here")
    return error


def sentence(error: Exception, locale: Locale) -> str:
    """What the visitor reads: an expected failure in words, a defect as an incident number that the log explains."""
    if isinstance(error, AppError) and error.key in words(locale):
        return translate(error.key, locale, **error.params)
    incident = secrets.token_hex(4)
    logger.error("incident %s", incident, exc_info=error)
    return translate("error.incident", locale, incident=incident)


Respond = Callable[[Mapping[str, Any], gr.EventData, gr.Request], Any]


def connect(
    event: Callable[..., Any],
    respond: Respond,
    *,
    inputs: Mapping[str, Component],
    outputs: Sequence[Component],
    lane: Lane,
) -> None:
    """Bind `respond` to a listener of the page, with its inputs by name.

    Private, because programs have an endpoint of their own; silent; of events that pile up only the last one counts.
    """
    names = tuple(inputs)

    def handler(*values: Any) -> Any:
        *fields, data, request = values
        return respond(dict(zip(names, fields, strict=True)), data, request)

    injected = {"event": gr.EventData, "request": gr.Request}
    _sign(handler, [inspect.Parameter(name, _BY_POSITION) for name in names], injected)
    event(
        handler,
        inputs=list(inputs.values()),
        outputs=list(outputs),
        api_visibility="private",
        concurrency_id=lane,
        concurrency_limit=LANES[lane],
        trigger_mode="always_last",
        show_progress="hidden",
    )


def publish(exhibit: Exhibit, explore: Explore, context: Context) -> None:
    """Register ``/<slug>``: keyword names equal to the query's fields, each with its default; JSON values out.

    On a public page only the light lane is open to programs.
    """
    if context.settings.mode == "public" and exhibit.lane != "light":
        return

    def endpoint(*values: Any) -> Any:
        *fields, request = values
        try:
            admit_visitor(request, context)
            return as_json(explore(dict(zip(queries.names(exhibit.query), fields, strict=True))).result)
        except Exception as error:  # noqa: BLE001 - the boundary: told in words, logged when it is a defect
            told = sentence(as_told_here(error, context.limits), locale_of(request))
            raise gr.Error(told, print_exception=False) from None

    endpoint.__name__ = exhibit.slug.replace("-", "_")
    endpoint.__doc__ = exhibit.explore.__doc__
    defaults = {name: as_json(queries.default(exhibit.query, name)) for name in queries.names(exhibit.query)}
    parameters = [
        inspect.Parameter(
            name, _BY_POSITION, default=value, annotation=list[str] if isinstance(value, list) else type(value)
        )
        for name, value in defaults.items()
    ]
    _sign(endpoint, parameters, {"request": gr.Request}, returns=dict)
    gr.api(
        endpoint, api_name=exhibit.slug, concurrency_id=exhibit.lane, concurrency_limit=LANES[exhibit.lane], queue=True
    )


_BY_POSITION = inspect.Parameter.POSITIONAL_OR_KEYWORD


def _sign(
    handler: Any, parameters: Sequence[inspect.Parameter], injected: Mapping[str, Any], *, returns: Any = Any
) -> None:
    """Give a handler of any number of values the signature that Gradio reads names, defaults and injections from."""
    extra = [inspect.Parameter(name, _BY_POSITION, default=None, annotation=kind) for name, kind in injected.items()]
    plain = [p if p.default is not p.empty else p.replace(default=None) for p in parameters]
    handler.__signature__ = inspect.Signature([*plain, *extra], return_annotation=returns)
    typed = {p.name: p.annotation for p in plain if p.annotation is not p.empty}
    handler.__annotations__ = typed | dict(injected) | {"return": returns}


def as_params(query: queries.Query) -> dict[str, Any]:
    """All fields of a query as JSON values."""
    return as_json(asdict(query))
