"""Which predictions are analysed: choosing them, and saying where they are from."""

from __future__ import annotations

import html
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import gradio as gr

from core import query as queries
from core.analysis.browsing import Provenance
from core.analysis.sources import OFFERED, predict_source
from core.analysis.table import Kind
from core.data.rows import BrokenRow
from core.i18n import Locale, translate, words
from core.presets import HEADS, is_own
from tabs._kit import foot, pictures
from tabs._kit.exhibit import JobKind
from tabs._kit.room import Room
from tabs._kit.words import both

PREDICTING = JobKind(
    "predict-sample",
    lambda result, locale: "",
    work=lambda query: predict_source(query.source),
    cures="error.analysis.not_predicted",
)
_ANY: tuple[Kind, ...] = ("label", "number", "choice", "entities")
_EXHIBITS: Mapping[str, tuple[Kind, ...]] = MappingProxyType(
    {
        "errors": _ANY,
        "calibration": ("label", "choice"),
        "slices": _ANY,
        "label-errors": ("label",),
        "rivals": _ANY,
        "shortcuts": _ANY,
    }
)
"""The exhibits of error analysis by the kinds of answers that they can show."""
SAMPLE = "sample:"  # before the name of data of our own
BUNDLED = tuple(preset.id for preset in HEADS if preset.bundled and preset.id in OFFERED)


def source(default: str = "sentiment") -> str:
    """The query field that names the predictions: see `core.analysis.sources`."""
    return queries.one_of(default, *OFFERED, free=True)


def chips(room: Room, *names: str, reset: Mapping[str, Any]) -> None:
    """Buttons for bundled models; `reset` are fields that mean nothing on another table."""
    settings = {name: {"source": name, **reset} for name in names}
    buttons = "".join(foot.pick_button(both(f"analysis.source.{name}"), params) for name, params in settings.items())
    room.offered += settings.values()
    gr.HTML(f'<div class="lab-chips" role="group">{buttons}</div>', js_on_load=None, apply_default_css=False)


def label(name: str, locale: Locale, data: str) -> str:
    """A label as the page calls it: in words where the data are a bundled sample, as it is written in a visitor's file.

    Args:
        name: the label as the data have it; a type of named entities too.
        locale: language of the words.
        data: where the rows are from, as in `core.analysis.browsing.Provenance`.
    """
    if not data.startswith(SAMPLE):
        return name
    keys = (f"tour.{part}.{name}" for part in ("label", "type"))
    return next((translate(key, locale) for key in keys if key in words(locale)), name)


def name_model(model: str, locale: Locale) -> str:
    """What the page calls a model."""
    key = f"model.{model}"
    return translate(key, locale) if key in words(locale) else model


def name_data(data: str, locale: Locale) -> str:
    """What the page calls a sample or a file."""
    key = f"analysis.data.{data.removeprefix(SAMPLE)}"
    return translate(key, locale) if data.startswith(SAMPLE) and key in words(locale) else data


def tell_source(source: Provenance, locale: Locale) -> str:
    """One line on what is analysed; of a file also what was read as what, and the rows that could not be used."""
    data = name_data(source.data, locale)
    key = "analysis.source.model" if source.model else "analysis.source.file"
    told = translate(key, locale, data=data, model=name_model(source.model, locale), rows=f"{source.rows:,}")
    parts = [f'<p class="lab-note">{html.escape(told)}</p>']
    if source.columns:
        listed = ", ".join(f"{name} ← {column}" for name, column in source.columns.items())
        parts.append(pictures.note(translate("analysis.source.columns", locale, columns=listed)))
    if source.broken:
        parts.append(_tell_broken(source, locale))
    return "".join(parts)


def _tell_broken(source: Provenance, locale: Locale) -> str:
    lines = [[f"{row.line:,}", _reason(row, locale)] for row in source.told]
    names = [translate(f"analysis.broken.{name}", locale) for name in ("line", "reason")]
    told = translate("analysis.broken", locale, count=f"{source.broken:,}", shown=len(lines))
    table = pictures.table(names, lines, caption=told, numeric=(0,))
    return f'<details class="lab-fold"><summary>{html.escape(told)}</summary>{table}</details>'


def _reason(row: BrokenRow, locale: Locale) -> str:
    return translate(row.key, locale, **row.params) if row.key in words(locale) else row.key


def go_on(here: str, source: Provenance, locale: Locale) -> str:
    """Buttons to the other exhibits that have something to say of these predictions.

    Args:
        here: the exhibit they stand in.
        source: whose predictions; what a visitor brought goes along like any other.
        locale: language of the words.
    """
    fitting = [slug for slug, kinds in _EXHIBITS.items() if slug != here and source.kind in kinds]
    fields = {slug: {"source": source.source} for slug in fitting}
    if "rivals" in fields:
        fields["rivals"]["other"] = _find_other(source)
    buttons = "".join(foot.goto_button(both(f"{slug}.open"), slug, params) for slug, params in fields.items())
    title = html.escape(translate("analysis.go_on", locale))
    return f'<div class="lab-chips" role="group" aria-label="{title}"><span>{title}</span>{buttons}</div>'


def _find_other(source: Provenance) -> str:
    """A bundled model that answers the same examples; where there is none, the same again."""
    if is_own(source.source):
        return source.source
    alike = (preset.id for preset in HEADS if preset.id in BUNDLED and _family(preset.task) == _family(source.task))
    return next((name for name in alike if name != source.source), source.source)


def _family(task: str) -> str:
    """Tasks with the same examples: a tagger with a CRF reads what one without reads."""
    return task.removesuffix("-crf")
