"""The results that come with the app: ``python -m tests.examples [SLUG …]`` writes them, a test compares."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from core import query as queries
from core.presets import HEADS
from core.settings import read_settings
from tabs import EXHIBITS
from tabs._kit.context import open_context
from tabs._kit.exhibit import Exhibit
from tabs._kit.room import Room
from tabs._kit.shipped import FOLDER, find_models, write_results


def find_asked(exhibit: Exhibit) -> tuple[Any, ...]:
    """What everybody asks first: the default, the predictions, and every chip pressed on the default."""
    with tempfile.TemporaryDirectory() as folder:
        context = open_context(read_settings(["--workspace", folder], {}))
        with gr.Blocks(analytics_enabled=False):
            room = Room(exhibit, context)
            exhibit.build(room)
        context.jobs.close()
    chips = (queries.make(exhibit.query, params) for params in room.offered)
    return tuple(dict.fromkeys((exhibit.query(), *(one.query for one in exhibit.predictions), *chips)))


def runs_a_model(exhibit: Exhibit) -> bool:
    """Whether the exhibit's first picture is computed by models, those of the catalogue that its query names or others.

    Where models of tasks are named, their predictions are made once, and looked at in the light lane ever after.
    """
    return exhibit.lane == "model" or any(preset in HEADS for preset in find_models(exhibit.query()))


def main(slugs: Sequence[str]) -> None:
    """Write a file for each exhibit that runs a model."""
    FOLDER.mkdir(exist_ok=True)
    for exhibit in EXHIBITS:
        if runs_a_model(exhibit) and (not slugs or exhibit.slug in slugs):
            path = Path(FOLDER / f"{exhibit.slug}.json")
            path.write_text(write_results(exhibit, find_asked(exhibit)), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
