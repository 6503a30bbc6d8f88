"""The plan of what the form says: in one line under the buttons, and in full as data, JSON and a command."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from typing import Any

import gradio as gr

from core import query as queries
from core.i18n import Locale, translate, words
from core.training.recorded import SAMPLE, Change, vary
from core.training.records import as_config
from tabs._kit import foot, pictures
from tabs.training import report, starting
from tabs.training.samples import name_label, quote
from tabs.training.settings import OTHER_TASK, Query, params_of

TYPED = frozenset({"epochs", "limit", "evaluate_every", "accumulation", "max_target_length", "seed"})
COMMAND = "python -m core.training runs/mine --config mine.json"


def buttons(offered: bool) -> None:
    """What starts, as plain buttons."""
    gr.HTML(starting.start_panel(offered), js_on_load=None, apply_default_css=False)


def draw_line(plan: Mapping[str, Any], locale: Locale) -> str:
    """How many examples, rounds and steps; and what stands in the way."""
    told = ""
    if plan["steps"]:
        told = pictures.note(
            translate(
                "training.plan",
                locale,
                examples=f"{plan['examples']:,}",
                validation=f"{plan['validation']:,}",
                steps=f"{plan['steps']:,}",
                epochs=f"{plan['epochs']:.1f}",
                evaluations=plan["evaluations"],
            )
        )
    problems = "".join(
        report.tell_problem(
            one["key"],
            one["params"],
            locale,
            button=_cure(one, locale),
            kind="lab-error" if one["fatal"] else "lab-caution",
        )
        for one in plan["problems"]
    )
    return told + problems


def draw_details(plan: Mapping[str, Any], locale: Locale) -> str:
    """The data with their labels and first rows; the configuration as JSON, and the command."""
    if not plan["config"]:
        return ""
    written = json.dumps(plan["config"], ensure_ascii=False, indent=2)
    command = translate("training.command", locale)
    config = f"{pictures.formula([COMMAND])}{pictures.formula(written.splitlines())}"
    return _fold(translate("training.data", locale), _draw_data(plan, locale)) + _fold(
        translate("training.config", locale), pictures.note(command) + config
    )


def change_fields(change: Change, config: Mapping[str, Any], *, examples: int) -> dict[str, Any]:
    """The fields in which a run with one thing changed differs."""
    before, after = params_of(config), params_of(vary(as_config(config), change, examples=examples).as_json())
    return {name: value for name, value in after.items() if before.get(name) != value}


def _draw_data(plan: Mapping[str, Any], locale: Locale) -> str:
    bars = [pictures.Bar(name_label(label, locale), count, f"{count:,}") for label, count in plan["labels"].items()]
    drawn = pictures.bars(bars, title=translate("training.labels", locale)) if bars else ""
    rows = [[quote(row), _answer(row, locale)] for row in plan["shown"]]
    names = [translate(f"training.sample.{name}", locale) for name in ("text", "gold")]
    first = pictures.table(names, rows, caption=translate("training.first_rows", locale)) if rows else ""
    broken = ""
    if plan["broken"]:
        lines = [
            [
                f"{row['line']:,}",
                translate(row["key"], locale, **row["params"]) if row["key"] in words(locale) else row["key"],
            ]
            for row in plan["rows"]
        ]
        told = translate("training.broken", locale, count=f"{plan['broken']:,}")
        heads = [translate(f"training.broken.{name}", locale) for name in ("line", "reason")]
        broken = pictures.table(heads, lines, caption=told, numeric=(0,))
    return drawn + first + broken


def _answer(row: Mapping[str, Any], locale: Locale) -> str:
    for name in ("label", "score", "headline", "positive", "answers", "entities"):
        if name in row:
            value = row[name]
            if name == "label" and isinstance(row.get("choices"), list) and isinstance(value, int):
                return str(row["choices"][value])
            if isinstance(value, list | dict):
                return json.dumps(value, ensure_ascii=False)[:80]
            return name_label(str(value), locale)
    return "–"


def _cure(problem: Mapping[str, Any], locale: Locale) -> str:
    """A button: what the problem itself says would help, or the setting that is out of its range as it was at first."""
    if problem["key"] == "error.training.field_range":
        name = str(problem["params"]["field"]).rpartition(".")[2]
        if name in queries.names(Query):
            value = queries.default(Query, name)
            label = f"{report.name_field(name, locale)} → {value:g}"
            return foot.pick_button(html.escape(label), {name: value})
        return ""
    if problem["key"] == OTHER_TASK:  # what the data are for; or other data
        task = translate(f"training.task.{problem['params']['task']}", locale)
        return foot.pick_button(html.escape(task), {"task": problem["params"]["task"]})
    if problem["key"].startswith("error.dataset."):
        return foot.pick_button(html.escape(translate("training.set.sample", locale)), {"source": SAMPLE})
    return report.change_button(problem["changes"], locale)


def _fold(title: str, inside: str) -> str:
    return f'<details class="lab-fold"><summary>{html.escape(title)}</summary>{inside}</details>'
