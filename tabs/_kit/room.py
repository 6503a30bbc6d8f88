"""The frame of one exhibit: head, inputs, views, foot, and the relay that carries what is no Gradio widget."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import gradio as gr
from gradio.components import Component

from core import query as queries
from core.i18n import words
from core.values import as_json
from tabs._kit import failures, fetching, foot, links, pictures, predictions
from tabs._kit.context import Context
from tabs._kit.events import (
    Exploration,
    Explore,
    admit,
    admit_visitor,
    as_params,
    connect,
    explorer,
    publish,
    workspace_of,
)
from tabs._kit.exhibit import Exhibit
from tabs._kit.predictions import judge, read_guess
from tabs._kit.words import both, locale_of, t

# The relay tells the page's script how to reach the server for this exhibit. Its first message asks for the drawing
# of whatever the link or the browser remembers, so an exhibit is computed when it is first opened, never before.
RELAY = "window.lab.register(element, trigger)"
FEW_CHOICES = 7  # up to here radio buttons: a drop-down cannot be used with a screen reader


class Room:
    """What an exhibit's `build` works with. It lays widgets out; the wiring follows by itself."""

    def __init__(self, exhibit: Exhibit, context: Context) -> None:
        self.exhibit = exhibit
        self.context = context
        self.widgets: dict[str, Component] = {}
        self.views: list[gr.HTML] = []
        self.job: gr.HTML | None = None
        self.offered: list[Mapping[str, Any]] = []  # what its chips set

    @contextmanager
    def inputs(self) -> Iterator[None]:
        """The narrow column with what the visitor controls: at most five visible widgets, the rest in `more`."""
        with gr.Column(scale=1, min_width=260, elem_classes="lab-inputs"):
            yield

    @contextmanager
    def results(self) -> Iterator[None]:
        """The wide column with the views."""
        with gr.Column(scale=2, min_width=300, elem_classes="lab-results"):
            yield

    @contextmanager
    def more(self) -> Iterator[None]:
        """Settings most visitors never need, closed at first."""
        with gr.Accordion(t("kit.more"), open=False):
            yield

    def widget(self, name: str, *, lines: int = 2, typed: bool = False, **options: Any) -> Component:
        """The widget of one query field; its kind, bounds and default come from the query, its label from the words.

        With `typed` a number is typed into a box: what no slider can be set to (0.00002).
        """
        slug, bounds = self.exhibit.slug, queries.bounds(self.exhibit.query, name)
        value = queries.default(self.exhibit.query, name)
        info = f"{slug}.{name}.info"
        common: dict[str, Any] = {
            "label": t(f"{slug}.{name}"),
            "elem_id": f"field-{slug}-{name}",
            "elem_classes": "lab-field",
            "info": t(info) if info in words("ja") else None,
        } | options
        match bounds.kind:
            case "text":
                # Length is checked by the handler, which explains; a silent cut here would lose what was typed.
                component: Component = gr.Textbox(value, lines=lines, max_lines=max(lines, 8), **common)
            case "whole" | "real" if typed:
                component = gr.Number(value, precision=0 if bounds.kind == "whole" else None, **common)
            case "whole" | "real":
                component = gr.Slider(bounds.low, bounds.high, value, step=bounds.step, buttons=[], **common)
            case "flag":
                component = gr.Checkbox(value, **common)
            case "choices":
                choices = self._choices(name, bounds)
                component = (
                    gr.Dropdown(choices, value=list(value), multiselect=True, allow_custom_value=True, **common)
                    if bounds.free
                    else gr.CheckboxGroup(choices, value=list(value), **common)
                )
            case "choice":
                choices = self._choices(name, bounds)
                component = (
                    gr.Radio(choices, value=value, **common)
                    if len(choices) <= FEW_CHOICES and not bounds.free
                    else gr.Dropdown(choices, value=value, allow_custom_value=bounds.free, **common)
                )
        self.widgets[name] = component
        return component

    def picked(self, name: str) -> None:
        """A query field without a widget of its own: the visitor sets it by clicking in a view."""
        value = queries.default(self.exhibit.query, name)
        self.widgets[name] = (
            gr.Textbox(value, visible=False) if isinstance(value, str) else gr.Number(value, visible=False, precision=0)
        )

    def view(self) -> None:
        """A place for the next element of what `show` returns."""
        first = f'<p class="lab-waiting">{both("kit.drawing")}</p>' if not self.views else None
        self.views.append(gr.HTML(first, elem_classes="lab-view", js_on_load=None, apply_default_css=False))

    def job_place(self) -> None:
        """Where the jobs show that a button of a view starts; with a result of theirs, beside the views."""
        self.job = gr.HTML(
            pictures.job_slot(self.exhibit.slug), elem_classes="lab-job-place", js_on_load=None, apply_default_css=False
        )

    def examples(self, field: str, *values: Any) -> None:
        """Chips that set one field; the text itself is the label, or the words ``<slug>.<field>.<value>``."""
        chips = "".join(self._chip({field: value}, value) for value in values)
        self.offered += [{field: value} for value in values]
        gr.HTML(f'<div class="lab-chips" role="group">{chips}</div>', js_on_load=None, apply_default_css=False)

    def presets(self, *settings: Mapping[str, Any]) -> None:
        """Chips that set several fields at once; labelled ``<slug>.preset.<n>``."""
        chips = "".join(
            foot.pick_button(both(f"{self.exhibit.slug}.preset.{n}"), params) for n, params in enumerate(settings)
        )
        self.offered += settings
        gr.HTML(f'<div class="lab-chips" role="group">{chips}</div>', js_on_load=None, apply_default_css=False)

    def _chip(self, params: Mapping[str, Any], value: Any) -> str:
        key = f"{self.exhibit.slug}.{next(iter(params))}.{value}"
        label = both(key) if key in words("ja") else html.escape(_short(str(value)))
        return foot.pick_button(label, params)

    def _choices(self, name: str, bounds: queries.Bounds) -> list[tuple[Any, str]]:
        def label(option: str) -> Any:
            """The exhibit's own word for an option, the catalogue's name of a model, or the option itself."""
            keys = (f"{self.exhibit.slug}.{name}.{option}", f"model.{option}")
            return next((t(key) for key in keys if key in words("ja")), option)

        return [(label(option), option) for option in bounds.options]


def furnish(exhibit: Exhibit, context: Context, *, before: Exhibit | None, after: Exhibit | None) -> Explore:
    """Draw one exhibit inside the open Blocks: its frame, its widgets, its wiring and its endpoint.

    Returns what answers its queries, so that the default can be computed before the first visitor asks.
    """
    room = Room(exhibit, context)
    gr.HTML(_head(exhibit), js_on_load=None, apply_default_css=False)
    relay = gr.HTML(
        js_on_load=RELAY, elem_classes="lab-relay", elem_id=f"relay-{exhibit.slug}", apply_default_css=False
    )
    fetched = gr.HTML(
        pictures.job_slot(fetching.place(exhibit)),
        elem_classes="lab-job-place",
        js_on_load=None,
        apply_default_css=False,
    )
    with gr.Row(equal_height=False, elem_classes="lab-room"):
        exhibit.build(room)
    tail = gr.HTML(elem_classes="lab-tail", js_on_load=None, apply_default_css=False)
    gr.HTML(foot.closing(exhibit, before=before, after=after), js_on_load=None, apply_default_css=False)

    explore = explorer(exhibit, context.limits)
    names = queries.names(exhibit.query)
    if set(room.widgets) != set(names):
        raise ValueError(f"{exhibit.slug}: widgets {sorted(room.widgets)} for the fields {sorted(names)}")
    widgets = {name: room.widgets[name] for name in names}
    shown = [relay, *room.views, tail]
    cards = [fetched] if room.job is None else [fetched, room.job]
    jobs = {kind.name: kind for kind in exhibit.jobs if (kind.work or kind.submit) and kind.offered(context)}
    cures = {kind.name for kind in exhibit.jobs if kind.cures}
    startable = {*jobs, *([fetching.KIND.name] if context.limits.downloads else [])}

    def draw(values: Mapping[str, Any], request: gr.Request, verdict: Callable[[Exploration], str]) -> list[Any]:
        """The relay's status line, the views and the tail; on an error the views stay as they are."""
        locale = locale_of(request)
        try:
            admit_visitor(request, context)
            found = explore(values)
            views = exhibit.show(found.result, locale)
            return [verdict(found), *views, foot.tail(exhibit, found, locale)]
        except Exception as error:  # noqa: BLE001 - the boundary: told in words, logged when it is a defect
            told = fetching.explain(error, exhibit, values, context, locale)
            return [told, *(gr.skip() for _ in range(len(room.views) + 1))]

    def start(name: Any, query: queries.Query, request: gr.Request) -> tuple[list[Any], Mapping[str, Any]]:
        """The relay's status line and the cards of the jobs, one of them new; and fields to draw with, where there are.

        Without any the views stay as they are.
        """
        locale = locale_of(request)
        untouched = [gr.skip() for _ in cards]
        kind = jobs.get(name)
        try:
            admit_visitor(request, context)
            admit(query, context.limits)
            identity = workspace_of(request)
            if name == fetching.KIND.name:
                job = fetching.submit(query, context, identity)
                place, then = fetching.place(exhibit), fetching.find_choice(query)
                card = pictures.job_card(job, slug=exhibit.slug, locale=locale, place=place, then=then)
                return ["", card, *untouched[1:]], {}
            if kind and kind.submit:
                submitted = kind.submit(query, context, identity)
                card = pictures.job_card(submitted.job, slug=exhibit.slug, locale=locale)
                return ["", untouched[0], *([card] if not submitted.draw else untouched[1:])], submitted.draw
            work = jobs[name].work
            if work is None:
                raise TypeError(f"{name} starts nothing")
            job = context.jobs.submit(identity, kind=name, work=partial(work, query))
            if name in cures:
                place, then = fetching.place(exhibit), as_params(query)
                card = pictures.job_card(job, slug=exhibit.slug, locale=locale, place=place, then=then)
                return ["", card, *untouched[1:]], {}
            return ["", untouched[0], pictures.job_card(job, slug=exhibit.slug, locale=locale)], {}
        except Exception as error:  # noqa: BLE001 - the boundary: told in words, logged when it is a defect
            if kind and kind.submit:
                return [fetching.explain(error, exhibit, as_params(query), context, locale), *untouched], {}
            return [failures.tell(error, context, locale), *untouched], {}

    def on_widget(values: Mapping[str, Any], _: gr.EventData, request: gr.Request) -> list[Any]:
        return draw(values, request, lambda found: "")

    def on_relay(values: Mapping[str, Any], event: gr.EventData, request: gr.Request) -> list[Any]:
        """What is no widget's doing: a link, an example, a click in a view, a prediction, a job. Widgets follow."""
        locale, sent = locale_of(request), _mapping(event._data)
        params, guess = _mapping(sent.get("params")), read_guess(exhibit, sent.get("question"), sent.get("predicted"))
        notice = ""
        if guess is not None:
            query = exhibit.predictions[guess.question].query
        elif sent.get("link"):
            opened = queries.read_link(exhibit.query, {name: str(value) for name, value in params.items()})
            typed = _mapping(sent.get("typed"))  # in this browser, and not in its address
            query = queries.make(exhibit.query, {**vars_of(opened.query), **typed})
            notice = links.explain_opened(exhibit, opened, locale, known=typed)
        else:
            query = queries.make(exhibit.query, {**values, **params})
        if (name := sent.get("start")) in startable:
            (status, *drawn), further = start(name, query, request)
            if not further:
                return [*(gr.skip() for _ in widgets), *drawn, status, *(gr.skip() for _ in shown[1:])]
            query = queries.make(exhibit.query, {**vars_of(query), **further})
        answer = draw(vars_of(query), request, lambda found: notice + judge(exhibit, found.result, guess, locale))
        return [*as_params(query).values(), *(gr.skip() for _ in cards), *answer]

    connect(relay.select, on_relay, inputs=widgets, outputs=[*widgets.values(), *cards, *shown], lane=exhibit.lane)
    spoken = [w.input for w in widgets.values() if isinstance(w, SELF_SPEAKING) and w.visible]
    if spoken:
        # One listener for all widgets: while the page starts, Gradio looks through all listeners for each component.
        connect(partial(gr.on, spoken), on_widget, inputs=widgets, outputs=shown, lane=exhibit.lane)
    publish(exhibit, explore, context)
    return explore


SELF_SPEAKING = (gr.Textbox, gr.Number, gr.Slider, gr.Checkbox, gr.CheckboxGroup, gr.Radio, gr.Dropdown)


def vars_of(query: queries.Query) -> dict[str, Any]:
    """The fields of a query by name."""
    return {name: getattr(query, name) for name in queries.names(type(query))}


def _mapping(sent: Any) -> Mapping[str, Any]:
    """What the page's script sends; a program may send anything."""
    return sent if isinstance(sent, Mapping) else {}


def _head(exhibit: Exhibit) -> str:
    """Section badge, title, the question, and the predictions asked before anything is touched."""
    slug = exhibit.slug
    badges = "".join(f'<span class="lab-badge">{number}</span>' for number in exhibit.sections)
    steps = "".join(
        f'<li data-done="{html.escape(json.dumps(as_json(step.done)))}">{both(f"{slug}.step.{n}")}</li>'
        for n, step in enumerate(exhibit.steps)
    )
    tour = f'<details class="lab-tour"><summary>{both("kit.tour")}</summary><ol>{steps}</ol></details>' if steps else ""
    return (
        f'<section class="lab-head" data-exhibit="{slug}">{badges}<h2>{both(f"{slug}.title")}</h2>'
        f'<p class="lab-question">{both(f"{slug}.question")}</p>{predictions.ask(exhibit)}{tour}</section>'
    )


def _short(label: str, most: int = 18) -> str:
    return label if len(label) <= most else label[: most - 1] + "…"
