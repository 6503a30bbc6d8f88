"""Which data are looked at: bundled samples, or a visitor's own file; and what the page calls them."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from typing import Any

import gradio as gr

from core import query as queries
from core.data.rows import BrokenRow
from core.i18n import Locale, translate, words
from core.presets import is_own
from tabs._kit import foot, pictures
from tabs._kit.room import Room
from tabs._kit.words import both


def source(*samples: str) -> str:
    """The query field that names the data: one of these samples, the first by default, or a visitor's own."""
    return queries.one_of(samples[0], *samples, free=True)


def chips(room: Room, *samples: str, reset: Mapping[str, Any]) -> None:
    """Buttons for samples; `reset` are fields that mean nothing on other data."""
    settings = {name: {"source": name, **reset} for name in samples}
    buttons = "".join(foot.pick_button(both(f"data.sample.{name}"), params) for name, params in settings.items())
    room.offered += settings.values()
    gr.HTML(f'<div class="lab-chips" role="group">{buttons}</div>', js_on_load=None, apply_default_css=False)


def name_data(source: str, called: str, locale: Locale) -> str:
    """What the page calls a sample or a file."""
    return called if is_own(source) else translate(f"data.sample.{source}", locale)


def name_label(label: str, task: str, locale: Locale) -> str:
    """What the page calls a label, or what stands in its place."""
    if task == "multiple-choice":
        return translate("data.label.place", locale, place=label)
    key = f"data.label.{label}"
    return translate(key, locale) if key in words(locale) else label


def name_part(part: str, locale: Locale) -> str:
    """What the page calls a part."""
    return translate(f"data.part.{part}", locale)


def tell_broken(count: int, told: Iterable[BrokenRow], locale: Locale) -> str:
    """The rows that could not be read: how many, and of the first ones where and why; '' where there are none."""
    if not count:
        return ""
    lines = [
        (f"{row.line:,}", translate(row.key, locale, **row.params) if row.key in words(locale) else row.key)
        for row in told
    ]
    names = [translate(f"data.broken.{name}", locale) for name in ("line", "reason")]
    caption = translate("data.broken", locale, count=f"{count:,}", shown=len(lines))
    table = pictures.table(names, lines, caption=caption, numeric=(0,))
    return f'<details class="lab-fold"><summary>{html.escape(caption)}</summary>{table}</details>'
