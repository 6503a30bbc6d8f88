"""Links in words: what of a link could not be used where it was opened, and what a link will not carry."""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Iterable

from core import query as queries
from core.i18n import Locale, translate, words
from core.text.input import visible
from tabs._kit import pictures
from tabs._kit.exhibit import Exhibit

LISTED = 5  # names that are told; a link is made by anybody
LONGEST_NAME = 20  # characters


def explain_opened(
    exhibit: Exhibit, opened: queries.Opened[queries.Query], locale: Locale, *, known: Collection[str] = ()
) -> str:
    """A notice of what the link said and could not be done; empty when all was.

    The fields `known` were filled in from what this browser remembers, so nothing of them is missing.
    """
    models = [name for name in opened.unfit if queries.bounds(exhibit.query, name).free]
    others = [name for name in opened.unfit if name not in models]
    missing = {
        "unfit_model": [_label(exhibit, name, locale) for name in models if name not in known],
        "unfit": [_label(exhibit, name, locale) for name in others if name not in known],
        "without": [_label(exhibit, name, locale) for name in opened.without if name not in known],
        "unknown": [visible(name[:LONGEST_NAME]) for name in opened.unknown],
    }
    told = [translate("kit.link.newer", locale)] if opened.newer else []
    told += [translate(f"kit.link.{kind}", locale, names=_list(names)) for kind, names in missing.items() if names]
    return f'<div class="lab-notice" role="status">{html.escape(" ".join(told))}</div>' if told else ""


def explain_left_out(exhibit: Exhibit, query: queries.Query, locale: Locale) -> str:
    """What a link of this query will not carry, for whoever is about to share it; empty when it carries all."""
    left_out = queries.find_left_out(query)
    if not left_out:
        return ""
    names = _list(_label(exhibit, name, locale) for name in left_out)
    return pictures.note(translate("kit.link.left_out", locale, names=names), kind="caution")


def _label(exhibit: Exhibit, name: str, locale: Locale) -> str:
    """The word above a field's widget, without its remark in brackets; a field that is set in a picture has none."""
    label = words(locale).get(f"{exhibit.slug}.{name}", name)
    return re.split(r"\s*[（(]", label)[0] or label


def _list(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:LISTED]) + (" …" if len(listed) > LISTED else "")
