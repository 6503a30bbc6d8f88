"""The page: a bar, the contents, and a tab for each of the book's nine chapters."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import gradio as gr

from core.sections import Section, chapters, sections
from tabs._kit.context import Context
from tabs._kit.doors import Page, door
from tabs._kit.events import Explore
from tabs._kit.exhibit import Exhibit
from tabs._kit.room import furnish
from tabs._kit.words import both, t

CONTENTS = "contents"
SHORTCUTS: Mapping[str, str] = MappingProxyType(
    {
        "?": "list",
        "n": "next",
        "p": "previous",
        "c": "code",
        "l": "link",
        "d": "dark",
        "m": "lecture",
        "Tab": "tab",
        "← ↑ ↓ →": "arrows",
        "Enter": "enter",
        "j k": "rows",
        "1 … 9": "tags",
        "u": "undo",
        "Esc": "leave",
    }
)


def build_page(exhibits: Sequence[Exhibit], context: Context) -> tuple[Page, tuple[Explore, ...]]:
    """All of the page, and what answers each exhibit; nothing is computed yet, so no heavy library is imported."""
    after = {a.slug: b for a, b in pairwise(exhibits)}
    before = {b.slug: a for a, b in pairwise(exhibits)}
    with Page(title="LLM入門ラボ", analytics_enabled=False, delete_cache=(600, 3600)) as page:
        gr.HTML(_bar(), elem_classes="lab-bar", js_on_load=None, apply_default_css=False)
        navigator = gr.HTML(js_on_load="window.lab.navigator(trigger)", elem_classes="lab-relay", elem_id="navigator")
        shelves: dict[int, gr.Tabs] = {}
        explorers: list[Explore] = []
        with gr.Tabs(elem_id="chapters", elem_classes="lab-chapters") as shelf:
            with gr.Tab(t("kit.contents"), id=CONTENTS, elem_id="tab-contents"):
                gr.HTML(_contents(exhibits), js_on_load=None, apply_default_css=False)
            for chapter in chapters():
                own = [exhibit for exhibit in exhibits if exhibit.chapter == chapter.chapter]
                with gr.Tab(
                    t(f"chapter.{chapter.number}"), id=f"chapter-{chapter.number}", elem_id=f"tab-{chapter.number}"
                ):
                    gr.HTML(_chapter_head(chapter, exhibits), js_on_load=None, apply_default_css=False)
                    if own:
                        with gr.Tabs(elem_classes="lab-exhibits") as shelves[chapter.chapter]:
                            for exhibit in own:
                                with gr.Tab(t(f"{exhibit.slug}.tab"), id=exhibit.slug, elem_id=f"tab-{exhibit.slug}"):
                                    with door(exhibit.slug):
                                        explore = furnish(
                                            exhibit,
                                            context,
                                            before=before.get(exhibit.slug),
                                            after=after.get(exhibit.slug),
                                        )
                                    explorers.append(explore)

        def go(event: gr.EventData) -> list[Any]:
            """Open the tab a link or a button names; an unknown name opens the contents."""
            target = next((exhibit for exhibit in exhibits if exhibit.slug == event._data.get("tab")), None)
            chapter = f"chapter-{target.chapter}" if target else _known_tab(event._data.get("tab"))
            inner = [
                gr.Tabs(selected=target.slug) if target and target.chapter == number else gr.skip()
                for number in shelves
            ]
            return [gr.Tabs(selected=chapter), *inner]

        navigator.select(
            go, outputs=[shelf, *shelves.values()], api_visibility="private", queue=False, show_progress="hidden"
        )
    return page, tuple(explorers)


def _known_tab(name: Any) -> str:
    return next((f"chapter-{c.number}" for c in chapters() if f"chapter-{c.number}" == name), CONTENTS)


def _bar() -> str:
    return (
        '<header class="lab-brand"><button type="button" class="lab-name" data-goto="contents">'
        f"<strong>LLM入門ラボ</strong><small>{both('kit.subtitle')}</small></button>"
        '<span class="lab-tools">'
        '<button type="button" data-language="en" lang="ja">English</button>'
        '<button type="button" data-language="ja" lang="en">日本語</button>'
        f'<button type="button" data-toggle="dark">{both("kit.dark")}</button>'
        f'<button type="button" data-toggle="lecture">{both("kit.lecture")}</button>'
        f'<button type="button" data-act="erase">{both("kit.erase")}</button>'
        f'<button type="button" data-act="shortcuts" aria-haspopup="dialog">{both("kit.shortcuts")}</button>'
        f"</span></header>{_shortcuts()}"
    )


def _shortcuts() -> str:
    """The list that ``?`` opens; the page's script knows what the keys do."""
    keys = "".join(
        f"<div><dt><kbd>{html.escape(key)}</kbd></dt><dd>{both(f'kit.shortcut.{name}')}</dd></div>"
        for key, name in SHORTCUTS.items()
    )
    return (
        '<dialog class="lab-dialog" id="lab-shortcuts" aria-labelledby="lab-shortcuts-title">'
        f'<h2 id="lab-shortcuts-title">{both("kit.shortcuts")}</h2><dl>{keys}</dl>'
        f'<form method="dialog"><button class="lab-chip">{both("kit.close")}</button></form></dialog>'
    )


def _contents(exhibits: Sequence[Exhibit]) -> str:
    """Cards of what can be touched, then the whole book with what is done and what is planned."""
    cards = "".join(
        f'<button type="button" class="lab-card" data-goto="{e.slug}"><span class="lab-badge">{e.sections[0]}</span>'
        f"<strong>{both(f'{e.slug}.title')}</strong><span>{both(f'{e.slug}.question')}</span></button>"
        for e in exhibits
    )
    books = "".join(
        f'<details open><summary>{chapter.number} {_title(chapter)} <span class="lab-tag">'
        f"{_count(chapter, exhibits)}</span></summary>{_section_list(chapter, exhibits)}</details>"
        for chapter in chapters()
    )
    return (
        f'<div class="lab-contents"><h1 class="lab-chapter">{both("kit.contents")}</h1>'
        f'<p class="lab-lead">{both("kit.lead")}</p>'
        f'<h2>{both("kit.touch")}</h2><div class="lab-cards">{cards}</div>'
        f'<h2>{both("kit.map")}</h2><div class="lab-map">{books}</div></div>'
    )


def _chapter_head(chapter: Section, exhibits: Sequence[Exhibit]) -> str:
    """The title; for a chapter without exhibits also its sections and what will be there."""
    title = f'<h1 class="lab-chapter">{chapter.number} {_title(chapter)}</h1>'
    if any(exhibit.chapter == chapter.chapter for exhibit in exhibits):
        return title
    plan = f'<p class="lab-plan">{both(f"plan.{chapter.number}")}</p>'
    return title + plan + _section_list(chapter, exhibits)


def _section_list(chapter: Section, exhibits: Sequence[Exhibit]) -> str:
    parents = {section.number.rpartition(".")[0] for section in sections()}
    rows = []
    for section in sections():
        if section.chapter != chapter.chapter or section.depth == 1:
            continue
        doing = [exhibit for exhibit in exhibits if section.number in exhibit.sections]
        links = "".join(
            f' <button type="button" class="lab-chip" data-goto="{e.slug}">{both(f"{e.slug}.tab")}</button>'
            for e in doing
        )
        state = "done" if doing else "planned"
        mark = (
            ""
            if section.number in parents and not doing
            else f'<span class="lab-{state}">{both(f"kit.{state}")}</span>'
        )
        rows.append(f'<li class="lab-depth-{section.depth}">{section.number} {_title(section)} {mark}{links}</li>')
    return f'<ul class="lab-sections">{"".join(rows)}</ul>'


def _count(chapter: Section, exhibits: Sequence[Exhibit]) -> str:
    parents = {section.number.rpartition(".")[0] for section in sections()}
    own = [s.number for s in sections() if s.chapter == chapter.chapter and s.number not in parents]
    done = sum(any(number in exhibit.sections for exhibit in exhibits) for number in own)
    return f"{done} / {len(own)}"


def _title(section: Section) -> str:
    return "".join(f'<span lang="{locale}">{html.escape(title)}</span>' for locale, title in section.titles.items())
