"""Doors: what is behind one travels to the browser when its tab is first opened, so that many exhibits start as one.

Gradio's `gr.render` sends components that a function makes for one visitor. A door sends, by the same message,
components that were made once, with the page: nothing is built for each visitor, and every listener is known to the
server from the start.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import gradio as gr
from gradio.blocks import BlocksConfig
from gradio.context import Context as Building
from gradio.data_classes import APIInfo, BlocksConfigDict
from gradio.renderable import Renderable
from gradio.routes import toorjson

BELL = "window.lab.door(element, trigger)"  # the page's script rings when the tab is opened for the first time
BEHIND = "behind-"
CONFIG = "window.gradio_config = "


@contextmanager
def door(slug: str) -> Iterator[None]:
    """What is made inside stands behind the door of `slug`."""
    config = _config()
    bell = gr.HTML(js_on_load=BELL, elem_classes="lab-relay", elem_id=f"door-{slug}", apply_default_css=False)
    behind = _Behind(bell, elem_id=f"{BEHIND}{slug}")
    outside, known = set(config.blocks), set(config.fns)
    with behind.container:
        yield
    for number in config.blocks.keys() - outside:
        block: Any = config.blocks[number]
        block.rendered_in = behind
        # The browser sees the listeners behind a door too late to conclude from them what can be typed into.
        if not isinstance(block, gr.HTML) and getattr(block, "interactive", True) is None:
            block.interactive = True
    for number in config.fns.keys() - known:
        if config.fns[number].targets:  # an endpoint for programs has none
            config.fns[number].rendered_in = behind
    # The parameters of endpoints are blocks too; nobody looks at them.
    behind.container.children = [block for block in behind.container.children if block.get_block_name() != "api"]


def _config() -> BlocksConfig:
    """The blocks and listeners of the page that is being built."""
    if Building.root_block is None:
        raise RuntimeError("a door is part of a page")
    return Building.root_block.default_config


class _Behind(Renderable):
    """What a ring is answered with: the container as it stands, and the listeners of what is in it."""

    def __init__(self, bell: Any, *, elem_id: str) -> None:
        bell.select.callback(bell)
        super().__init__(
            _nothing,
            inputs=[],
            triggers=[(bell, "select")],
            concurrency_limit=None,
            concurrency_id=None,
            trigger_mode="once",
            queue=False,
            show_progress="hidden",
        )
        self.container.elem_id = elem_id
        answer = next(listener for listener in _config().fns.values() if listener.renderable is self)
        answer.api_visibility = "private"

    def apply(self, *_: Any) -> None:
        """Make nothing: what Gradio sends next is there already."""


def _nothing() -> None:
    """Gradio reads the signature of a rendering's function."""


class Page(gr.Blocks):
    """Blocks whose page arrives in the browser with every door closed; programs see all of it."""

    def get_config_file(self) -> BlocksConfigDict:
        """Gradio's own description of the page, in which the part for browsers stops at the doors."""
        config = super().get_config_file()
        first: Any = _ids(_part(config, None))
        config["page"] = {"": first}
        return config

    def get_api_info(self, all_endpoints: bool = False, page: str | None = None) -> APIInfo:
        """The endpoints for programs, which ask for no page; browsers do, and use none of them."""
        if page is not None:
            return {"named_endpoints": {}, "unnamed_endpoints": {}}
        return super().get_api_info(all_endpoints)


@lru_cache(maxsize=32)  # Gradio writes the same for everybody
def open_at(html: bytes, page: Page, tab: str) -> bytes:
    """The HTML of `page` with `tab` selected and its door open, if one has that name."""
    text = html.decode("utf-8")
    start = text.find(CONFIG) + len(CONFIG)
    if tab not in {component["props"].get("id") for component in page.config["components"]} or start < len(CONFIG):
        return html
    told, end = json.JSONDecoder().raw_decode(text, start)
    if not told["components"]:  # the visitor has to sign in first
        return html
    part = _part(page.config, tab)
    script = toorjson(told | part | {"page": {"": _ids(part)}})
    return (text[:start] + str(script) + text[end:]).encode("utf-8")


def _part(config: Mapping[str, Any], tab: str | None) -> dict[str, Any]:
    """What of `config` a browser needs that opens `tab`."""
    known = {component["id"]: component for component in config["components"]}
    selected: dict[int, str] = {}
    layout, kept = _walk(config["layout"], known, tab, selected, ())
    components = [
        component | {"props": component["props"] | {"selected": selected[component["id"]]}}
        if component["id"] in selected
        else component
        for component in config["components"]
        if component["id"] in kept
    ]
    listeners = [listener for listener in config["dependencies"] if listener["targets"] and kept >= _touched(listener)]
    return {"layout": layout, "components": components, "dependencies": listeners}


def _ids(part: Mapping[str, Any]) -> dict[str, Any]:
    """`part` as Gradio lists what belongs to a page."""
    listed: dict[str, Any] = {name: [one["id"] for one in part[name]] for name in ("components", "dependencies")}
    return listed | {"layout": part["layout"]}


def _touched(listener: Mapping[str, Any]) -> set[int]:
    return {*(target for target, _ in listener["targets"]), *listener["inputs"], *listener["outputs"]}


def _walk(
    node: dict[str, Any],
    known: Mapping[int, Mapping[str, Any]],
    tab: str | None,
    selected: dict[int, str],
    way: tuple[int, ...],
) -> tuple[dict[str, Any], set[int]]:
    """The layout from `node` down without what closed doors hide, and the ids in it.

    `selected` takes the tab of each row of tabs on the `way` to `tab`.
    """
    props = known[node["id"]]["props"] if node["id"] in known else {}
    if tab is not None and props.get("id") == tab:
        way = (*way, node["id"])
        tabs = [step for step in way if known[step]["type"] == "tabs"]
        items = [known[step]["props"]["id"] for step in way if known[step]["type"] == "tabitem"]
        selected.update(zip(tabs, items, strict=True))
    if "children" not in node:
        return node, {node["id"]}
    name = str(props.get("elem_id", ""))
    below = [] if name.startswith(BEHIND) and name != f"{BEHIND}{tab}" else node["children"]
    step = (node["id"],) if node["id"] in known else ()
    walked = [_walk(child, known, tab, selected, (*way, *step)) for child in below]
    return node | {"children": [child for child, _ in walked]}, {node["id"]}.union(*(ids for _, ids in walked))
