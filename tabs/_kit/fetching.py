"""Models that are not here yet: what a query needs of the Hub, the offer to fetch it, and the job that does."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from core import query as queries
from core.downloads.plans import SHELVES, Wanted, is_here
from core.downloads.work import fetch
from core.errors import ModelUnavailable, NotAllowedHere
from core.i18n import Locale, translate
from core.presets import ids
from tabs._kit import foot, pictures
from tabs._kit.context import Context
from tabs._kit.events import NOT_DOWNLOADED, as_params, sentence
from tabs._kit.exhibit import Exhibit, JobKind


def _render(result: Mapping[str, Any], locale: Locale) -> str:
    return pictures.note(translate("kit.fetch.sources", locale, sources=", ".join(result["sources"])))


KIND = JobKind("fetch", _render, amount=lambda count: f"{count / 1e6:,.1f} MB")


def place(exhibit: Exhibit) -> str:
    """The name of the slot in which an exhibit's downloads show."""
    return f"{exhibit.slug}-fetch"


def find_wanted(query: queries.Query) -> Iterator[Wanted]:
    """The models of the Hub that a query names; what each is for says the shelf that its field offers."""
    for name in queries.names(type(query)):
        bounds, value = queries.bounds(type(query), name), getattr(query, name)
        for purpose, presets in SHELVES.items():
            if bounds.options and set(bounds.options) <= set(ids(presets)):
                bundled = {preset.id for preset in presets if preset.bundled}
                for source in dict.fromkeys(value if isinstance(value, tuple) else (value,)):
                    if source not in bundled and not (Path(source).is_absolute() or source.startswith((".", "~"))):
                        yield Wanted(source, purpose)


def find_missing(query: queries.Query) -> list[Wanted]:
    """What of it has to be fetched; all of it where the cache holds parts that only the Hub can judge."""
    wanted = list(find_wanted(query))
    return [one for one in wanted if not is_here(one)] or wanted


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
    """Why there is no picture; for a model that can be fetched its size and a button."""
    if not (isinstance(error, ModelUnavailable) and error.key == NOT_DOWNLOADED and context.limits.downloads):
        return notice(sentence(error, locale))
    query = queries.make(exhibit.query, values)
    missing = find_missing(query)
    if not missing:
        return notice(sentence(error, locale))
    sources = ", ".join(one.source for one in missing)
    sizes = [one.preset.megabytes if one.preset else 0 for one in missing]
    told = (
        translate("kit.fetch.offer", locale, sources=sources, megabytes=f"{sum(sizes):,.1f}".removesuffix(".0"))
        if all(sizes)
        else translate("kit.fetch.offer_unknown", locale, sources=sources)
    )
    label = html.escape(translate("kit.fetch.start", locale))
    return notice(told, foot.start_button(label, KIND.name, as_params(query)))


def notice(told: str, button: str = "") -> str:
    """A sentence above the views, which stay as they were; `button` is HTML."""
    return f'<div class="lab-error" role="alert">{html.escape(told)} {button}</div>'
