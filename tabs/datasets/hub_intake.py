"""A data set of the Hub by its name: on a press a job fetches it, and it is looked at like a file that was brought."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import gradio as gr

from core.data import fetching as copies
from core.data.own import new_name
from core.errors import InvalidInput
from tabs._kit import fetching, pictures
from tabs._kit.context import Context
from tabs._kit.events import admit_visitor, connect, sentence, workspace_of
from tabs._kit.room import Room
from tabs._kit.words import locale_of, t

GROWTH = 2  # of the file, at most as large as an upload


def is_offered(context: Context) -> bool:
    """Whether any name of the Hub may be asked for here."""
    return context.limits.hub_models and context.limits.downloads


def submit(place: str, context: Context, identity: str) -> tuple[str, str]:
    """Start the job; its id, and the name of what it will become.

    Raises:
        AppError: nothing was named, or there is no room in the line or the workspace.
    """
    named = place.strip().removeprefix("hub:")
    if not named:
        raise InvalidInput("error.data.hub_unknown", source="")
    limit = context.limits.upload_bytes
    context.workspaces.require_room(identity, GROWTH * limit)
    source = new_name(named.replace("/", "-").replace(":", "-"))
    keeping = (context.workspaces.open(identity), source)
    work = partial(copies.fetch, named, keeping, most_bytes=limit)
    return context.jobs.submit(identity, kind=copies.JOB, work=work), source


def build(room: Room, *, reset: Mapping[str, Any]) -> None:
    """A name and a button, where names of the Hub may be asked for; `reset` are fields that mean nothing elsewhere."""
    if not is_offered(room.context):
        return
    slug = room.exhibit.slug
    with gr.Accordion(t("dataset.hub"), open=False):
        name = gr.Textbox(
            label=t("dataset.hub.name"), info=t("dataset.hub.info"), elem_id=f"{slug}-hub", max_lines=1, max_length=200
        )
        button = gr.Button(t("dataset.hub.start"), variant="primary", elem_id=f"{slug}-hub-fetch")
        refusal = gr.HTML(elem_classes="lab-relay", js_on_load=None, apply_default_css=False)
        card = gr.HTML(elem_classes="lab-job-place", js_on_load=None, apply_default_css=False)

    def on_press(values: Mapping[str, Any], _: gr.EventData, request: gr.Request) -> list[Any]:
        locale = locale_of(request)
        try:
            admit_visitor(request, room.context)
            job, source = submit(str(values["name"] or ""), room.context, workspace_of(request))
            then = {**reset, "source": source}
            return ["", pictures.job_card(job, slug=slug, locale=locale, place=f"{slug}-fetch", then=then)]
        except Exception as error:  # noqa: BLE001 - a boundary like the frame's: told in words, logged when a defect
            return [fetching.notice(sentence(error, locale)), gr.skip()]

    connect(button.click, on_press, inputs={"name": name}, outputs=[refusal, card], lane="light")
