"""Models that are not here yet: what a query needs of the Hub, the offer to fetch it, and the job that does."""

from __future__ import annotations

import html
from collections.abc import Mapping
from functools import partial
from typing import Any

from core import query as queries
from core.downloads.plans import Wanted, find_wanted, is_here
from core.downloads.work import JOB, fetch
from core.errors import AppError, NotAllowedHere
from core.i18n import Locale, translate
from tabs._kit import failures, foot, pictures
from tabs._kit.context import Context
from tabs._kit.events import NOT_DOWNLOADED, as_params, as_told_here
from tabs._kit.exhibit import Exhibit, JobKind
from tabs._kit.failures import notice


def _render(result: Mapping[str, Any], locale: Locale) -> str:
    return pictures.note(translate("kit.fetch.sources", locale, sources=", ".join(result["sources"])))


KIND = JobKind(JOB, _render, amount=lambda count: f"{count / 1e6:,.1f} MB")


def place(exhibit: Exhibit) -> str:
    """The name of the slot in which an exhibit's downloads show."""
    return f"{exhibit.slug}-fetch"


def find_missing(query: queries.Query) -> list[Wanted]:
    """What of it has to be fetched; all of it where the cache holds parts that only the Hub can judge."""
    wanted = [one for named in find_wanted(query).values() for one in named]
    return [one for one in wanted if not is_here(one)] or wanted


def find_choice(query: queries.Query) -> dict[str, Any]:
    """The fields that name models of the Hub: what is drawn with when they are here; the rest is the visitor's."""
    params = as_params(query)
    return {name: params[name] for name in find_wanted(query)}


def submit(query: queries.Query, context: Context, identity: str) -> str:
    """Start the job that fetches what a query names and this machine lacks; returns its id.

    Raises:
        NotAllowedHere: this mode fetches nothing.
        Busy: this visitor has an unfinished job, or the line is full.
    """
    if not context.limits.downloads:
        raise NotAllowedHere("error.model.no_downloads_here")
    return context.jobs.submit(identity, kind=KIND.name, work=partial(fetch, find_missing(query)))


def explain(error: Exception, exhibit: Exhibit, values: Mapping[str, Any], context: Context, locale: Locale) -> str:
    """Why there is no picture; for a model that can be fetched its size and a button, and for a job that helps one."""
    cure = next((kind for kind in exhibit.jobs if isinstance(error, AppError) and error.key == kind.cures), None)
    if cure and cure.offered(context):
        label = html.escape(translate(f"{cure.name}.start", locale))
        params = as_params(queries.make(exhibit.query, values))
        return failures.tell(error, context, locale, foot.start_button(label, cure.name, params))
    query = queries.make(exhibit.query, values)
    told = as_told_here(error, context.limits)
    missing = find_missing(query) if isinstance(told, AppError) and told.key == NOT_DOWNLOADED else []
    if not missing:
        return failures.tell(error, context, locale)
    sources = ", ".join(one.source for one in missing)
    sizes = [one.preset.megabytes if one.preset else 0 for one in missing]
    offer = (
        translate("kit.fetch.offer", locale, sources=sources, megabytes=f"{sum(sizes):,.1f}".removesuffix(".0"))
        if all(sizes)
        else translate("kit.fetch.offer_unknown", locale, sources=sources)
    )
    label = html.escape(translate("kit.fetch.start", locale))
    return notice(offer, foot.start_button(label, KIND.name, as_params(query)))
