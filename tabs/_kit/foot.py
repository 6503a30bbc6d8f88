"""Below the views: the code that gives what is shown, the link, the model's badge, what to look for, where to go on."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from typing import Any

from core import query as queries
from core.downloads.pins import SHORT
from core.downloads.plans import Wanted, find_wanted
from core.i18n import Locale, translate
from core.presets import HEADS
from core.sections import find_notebooks
from core.values import as_json
from tabs._kit import export, links
from tabs._kit.events import Exploration, as_params
from tabs._kit.exhibit import Exhibit
from tabs._kit.shipped import find_models
from tabs._kit.words import both


def tail(exhibit: Exhibit, found: Exploration, locale: Locale) -> str:
    """Link, code drawer and badge of one drawn query; the page's script reads the query off its attributes."""
    actions = "".join(
        f'<button type="button" data-act="{act}">{html.escape(translate(f"kit.{act}", locale))}</button>'
        for act in ("copy_code", "download_py", "download_ipynb")
    )
    code = html.escape(export.code(exhibit, found.query, locale))
    names = ("copy_link", "qr", "code", "qr_alt", "qr_local")
    told = {name: html.escape(translate(f"kit.{name}", locale)) for name in names}
    return (
        f'<lab-tail class="lab-actions" data-slug="{exhibit.slug}"'
        f' data-link="{attribute(queries.to_link(found.query))}"'
        f' data-params="{attribute(as_params(found.query))}"'
        f' data-left="{attribute(queries.find_left_out(found.query))}">'
        f'<button type="button" data-act="copy_link">{told["copy_link"]}</button>'
        f'<button type="button" data-act="qr" aria-expanded="false">{told["qr"]}</button>'
        f"<details><summary>{told['code']}</summary>"
        f'<div class="lab-code"><div>{actions}</div><pre tabindex="0"><code>{code}</code></pre>'
        f"{_book_code(exhibit, locale)}</div></details>"
        f'{_badges(found, locale)}<figure class="lab-qr" hidden data-alt="{told["qr_alt"]}">'
        f'<figcaption role="status" data-local="{told["qr_local"]}"></figcaption></figure>'
        f"{links.explain_left_out(exhibit, found.query, locale)}</lab-tail>"
    )


def closing(exhibit: Exhibit, *, before: Exhibit | None, after: Exhibit | None) -> str:
    """What to look for, and the exhibits before and after this one."""
    doors = "".join(_onward(way, other) for way, other in (("next", after), ("previous", before)) if other)
    return (
        f'<aside class="lab-look"><strong>{both("kit.look")}</strong> {both(f"{exhibit.slug}.look")}</aside>'
        f'<div class="lab-onward">{doors}</div>'
    )


def _onward(way: str, other: Exhibit) -> str:
    return (
        f'<button type="button" data-way="{way}" data-goto="{other.slug}">{both(f"kit.{way}")}'
        f" <strong>{other.sections[0]} {both(f'{other.slug}.title')}</strong></button>"
    )


def pick_button(label: str, params: Mapping[str, Any], *, style: str = "lab-chip") -> str:
    """A button that sets fields of the exhibit it stands in; `label` is HTML."""
    return f'<button type="button" class="{style}" data-pick="{attribute(params)}">{label}</button>'


def pager(stem: str, page: int, pages: int, locale: Locale, *, also: Mapping[str, Any] | None = None) -> str:
    """Buttons to the pages before and after, which set the field ``page`` and those of `also`; none for one page.

    The words are ``<stem>.page``, ``.back`` and ``.on``.
    """
    if pages < 2:
        return ""
    told = html.escape(translate(f"{stem}.page", locale, page=f"{page:,}", pages=f"{pages:,}"))
    ways = (("back", page - 1, page > 1), ("on", page + 1, page < pages))
    back, on = (
        pick_button(html.escape(translate(f"{stem}.{way}", locale)), {"page": to} | dict(also or {})) if there else ""
        for way, to, there in ways
    )
    return f'<div class="lab-chips lab-pager">{back}<span>{told}</span>{on}</div>'


def goto_button(label: str, slug: str, params: Mapping[str, Any]) -> str:
    """A button that opens another exhibit with these fields; `label` is HTML."""
    return f'<button type="button" class="lab-chip" data-goto="{slug}" data-with="{attribute(params)}">{label}</button>'


def start_button(label: str, job: str, params: Mapping[str, Any]) -> str:
    """A button that starts a job of the exhibit it stands in, on these fields; `label` is HTML."""
    return (
        f'<button type="button" class="lab-chip" data-start="{html.escape(job)}"'
        f' data-params="{attribute(params)}">{label}</button>'
    )


def attribute(value: Any) -> str:
    """`value` as JSON inside an HTML attribute."""
    return html.escape(json.dumps(as_json(value), ensure_ascii=False, separators=(",", ":")))


def _book_code(exhibit: Exhibit, locale: Locale) -> str:
    """Where the book's own code for these sections is, for the sections that have some."""
    links = ", ".join(
        f'<a href="{address}" target="_blank" rel="noreferrer">{html.escape(name)}</a>'
        for name, address in find_notebooks(exhibit.sections).items()
    )
    return f"<p>{html.escape(translate('kit.book_code', locale))} {links}</p>" if links else ""


def _badges(found: Exploration, locale: Locale) -> str:
    badges = [
        translate(
            "kit.model_badge",
            locale,
            name=translate(f"model.{preset.id}", locale),
            where=translate("kit.bundled", locale),
            megabytes=preset.megabytes,
        )
        for preset in find_models(found.query)
        if preset.bundled and preset not in HEADS  # of learned tasks the views tell by themselves
    ]
    badges += [_describe(one, locale) for named in find_wanted(found.query).values() for one in named if one.pin]
    if found.seconds is None:
        badges.append(translate("kit.remembered", locale))
    elif found.seconds < 1:
        badges.append(translate("kit.milliseconds", locale, milliseconds=f"{found.seconds * 1000:.1f}"))
    else:
        badges.append(translate("kit.seconds", locale, seconds=f"{found.seconds:.1f}"))
    return "".join(f'<span class="lab-tag">{html.escape(badge)}</span>' for badge in badges)


def _describe(one: Wanted, locale: Locale) -> str:
    """A model of the Hub with its size, where the catalogue knows it, and the commit that was used."""
    commit = (one.pin or "–")[:SHORT]
    if one.preset is None:
        return translate("kit.commit_badge", locale, name=one.source, commit=commit)
    megabytes = one.preset.megabytes
    return translate("kit.hub_badge", locale, name=one.source, megabytes=megabytes, commit=commit)
