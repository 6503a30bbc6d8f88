"""5.2.8–5.2.10, 5.4 Fine-tuning: choose, start, watch, stop and keep, go on, compare; one run is recorded."""

from __future__ import annotations

import html
import json
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.analysis.table import KINDS
from core.errors import AppError
from core.i18n import Locale, translate
from core.presets import OWN, is_own
from core.training.config import PRESETS, RunConfig, describe_differences
from core.training.own import find_run, is_key
from core.training.planning import Problem, RunPlan, plan_run
from core.training.recorded import CHANGES, SAMPLE, SENTIMENT
from core.training.records import Record, as_config, list_recorded, read_record, read_recorded, version_of
from core.values import as_json
from tabs._kit import foot, pictures
from tabs._kit.charts import MOST_LINES
from tabs._kit.exhibit import Exhibit, Prediction, Step
from tabs._kit.room import Room
from tabs.training import planned, report, shelf, starting
from tabs.training.curves import draw_runs, name_letter, name_metric, write_metric
from tabs.training.script import write_script
from tabs.training.settings import FURTHER, MAIN, Query, chosen_preset, make_config, preset_params

SLUG = "training"
CLEARLY = 0.1  # better by so much is better


@dataclass(frozen=True)
class Launch:
    """What would be trained; the run that is looked at, where there is one, and those beside it.

    `task`, `source` and `preset` are those of the form; `preset` '' for settings of none.
    """

    task: str
    source: str
    preset: str
    plan: RunPlan
    record: Record | None
    beside: tuple[Record, ...] = ()
    differences: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)


def explore(query: Query) -> Launch:
    """The plan of what the form says, and a recorded ``record`` or the one whose key is ``run``, with those beside it.

    Losses in nats (squared error for numbers), shares in [0, 1], seconds as the machine that trained measured them.
    """
    record = _open(_shown(query))
    beside = tuple(one for name in _beside(query) if (one := _open(name)) is not None)
    configs: list[RunConfig] = [as_config(one.config) for one in (record, *beside) if one is not None]
    return Launch(
        task=query.task,
        source=query.source,
        preset=chosen_preset(query),
        plan=_plan(query),
        record=record,
        beside=beside,
        differences=describe_differences(configs) if beside else {},
    )


def version(query: Query) -> Hashable:
    """Changes while one of the runs goes on."""
    return tuple(version_of(find_run(name)) for name in (query.run, *_beside(query)) if is_key(name))


def show(result: Launch, locale: Locale) -> tuple[str, ...]:
    """The presets of the task; the plan in one line; the run; what stands behind the plan."""
    return (
        _draw_presets(result, locale),
        planned.draw_line(as_json(result.plan), locale),
        _draw_shown(result, locale),
        planned.draw_details(as_json(result.plan), locale) + _draw_own(result),
    )


def _plan(query: Query) -> RunPlan:
    """The plan, of which what keeps it from being made at all is a part too."""
    try:
        return plan_run(make_config(query))
    except AppError as error:
        return RunPlan({}, problems=(Problem(error.key, dict(error.params)),))


def _shown(query: Query) -> str:
    if query.run:
        return query.run
    return SENTIMENT if query.task == "classification" and query.source == SENTIMENT else query.task


def _beside(query: Query) -> list[str]:
    """At most four, each once, and not the one that is shown."""
    return [name for name in dict.fromkeys(query.beside.split()) if name != _shown(query)][: MOST_LINES - 1]


def _open(name: str) -> Record | None:
    """A run by its key or by the name it was recorded under; None for one that was not recorded."""
    if is_key(name):
        return read_record(find_run(name), key=name)
    return read_recorded(name) if name in list_recorded() else None


def _draw_presets(result: Launch, locale: Locale) -> str:
    chips = "".join(
        foot.pick_button(
            html.escape(translate(f"training.set.{name}", locale)),
            preset_params(name, result.task),
            style="lab-chip lab-chosen" if name == result.preset else "lab-chip",
        )
        for name in PRESETS
    )
    domain = "domain" if result.task == "classification" else SAMPLE
    offered = {SAMPLE: translate(f"training.set.{domain}", locale)}
    if result.task == "classification":
        offered[SENTIMENT] = translate(f"training.set.{SENTIMENT}", locale)
    if is_own(result.source):
        offered[result.source] = result.source.removeprefix(OWN).rpartition(":")[0]
    samples = "".join(
        foot.pick_button(
            html.escape(label),
            {"source": source},
            style="lab-chip lab-chosen" if source == result.source else "lab-chip",
        )
        for source, label in offered.items()
    ) + foot.goto_button(html.escape(translate("training.set.own", locale)), "dataset", {})
    rows = {"data": samples, "length": chips}
    return "".join(
        f'<div class="lab-chips" role="group"><span>{html.escape(translate(f"training.set.{name}", locale))}</span>'
        f"{row}</div>"
        for name, row in rows.items()
        if row
    )


def _draw_shown(result: Launch, locale: Locale) -> str:
    if result.record is None:
        return pictures.note(translate("training.nothing", locale))
    record = as_json(result.record)
    title = f'<h3 class="lab-heading">{html.escape(report.name_run(record, locale))}</h3>'
    if result.record.unfinished and result.record.job:
        return title + pictures.job_card(
            result.record.job,
            slug=SLUG,
            locale=locale,
            place=f"{SLUG}-run",
            then={"run": result.record.key},
            cancel="training.stop",
        )
    told = pictures.note(translate("training.recorded", locale)) if result.record.recorded else ""
    drawn = _draw_compared(result, locale) if result.beside else report.draw_record(record, locale)
    return title + told + _draw_actions(result, locale) + drawn


def _draw_compared(result: Launch, locale: Locale) -> str:
    """The runs by letter, what differs between them, and their curves on common axes."""
    records = [as_json(one) for one in (result.record, *result.beside)]
    letters = [name_letter(place) for place in range(len(records))]
    rows = []
    for letter, record in zip(letters, records, strict=True):
        best = next((one for one in reversed(record["evaluations"]) if one["best"]), None)
        metric = record["metric"]
        value = write_metric(metric, best["metrics"].get(metric)) if best else "–"
        trivial = write_metric(metric, record["trivial"])
        trained = report.write_trainable(record, locale)
        told = f"{name_metric(metric, locale)} {value}"
        rows.append((letter, report.name_run(record, locale), told, trivial, trained))
    names = [translate(f"training.compared.{name}", locale) for name in ("run", "what", "best", "trivial")]
    names.append(translate("training.estimate.trainable", locale))
    table = pictures.table(names, rows, caption=translate("training.compared", locale), numeric=(2, 3, 4))
    differing = [
        (report.name_setting(name, locale), *(report.write_setting(name, value, locale) for value in values))
        for name, values in result.differences.items()
    ]
    differing = [row for row in differing if len(set(row[1:])) > 1]  # what reads alike tells nothing
    title = translate("training.differences", locale)
    setting = translate("training.compared.setting", locale)
    differences = pictures.table([setting, *letters], differing, caption=title) if differing else ""
    return table + differences + draw_runs(records, locale)


def _draw_actions(result: Launch, locale: Locale) -> str:
    """The same again with one thing changed; and what can be done with the run itself."""
    record = result.record
    if record is None:
        return ""
    public, ifs, further = as_json(record.config), [], []
    for change in CHANGES:
        label = html.escape(translate(f"training.change.{change}", locale))
        name = f"{record.key}-{change}"
        if record.recorded and name in list_recorded():
            chosen = any(one.key == name for one in result.beside)
            names = [one.key for one in result.beside if one.key != name] + ([] if chosen else [name])
            style = "lab-chip lab-chosen" if chosen else "lab-chip"
            ifs.append(foot.pick_button(label, {"beside": " ".join(names)}, style=style))
        elif not record.recorded and record.facts:
            changes = planned.change_fields(change, public, examples=int(record.facts["examples"]))
            ifs.append(report.train_button(label, as_json(record), changes | {"beside": record.key}))
    if record.resumable:
        label = html.escape(translate("training.resume.start", locale))
        further.append(foot.start_button(label, report.RESUME, {"run": record.key, "beside": ""}))
    if result.beside:
        further.append(foot.pick_button(html.escape(translate("training.alone", locale)), {"beside": ""}))
    if record.model and not record.recorded:
        judged = bool(record.scores.get("validation"))  # a run may be stopped before it was ever evaluated
        further.append(shelf.draw_further(record.key, locale, analysed=judged and record.config["task"] in KINDS))
    groups = {"what_if": ifs, "this_run": further}
    return "".join(
        f'<div class="lab-chips" role="group"><span>{html.escape(translate(f"training.{name}", locale))}</span>'
        f"{''.join(buttons)}</div>"
        for name, buttons in groups.items()
        if buttons
    )


def _draw_own(result: Launch) -> str:
    """Where the visitor's own runs are listed."""
    shown, record = tuple(one.key for one in result.beside), result.record
    stamp = f"{record.state} {record.step}" if record else ""
    return shelf.draw_place(record.key if record else "", shown, stamp)


def snippet(query: Query) -> str:
    """The run that is shown, from its configuration to its metric."""
    record = _open(_shown(query))
    if record is None:
        config = json.dumps(_plan(query).config, ensure_ascii=False, indent=2)
        return f"config = {config}\nresult = None\n"
    return write_script(as_json(record))


def evidence(result: Launch) -> dict[str, Any] | None:
    """The metric of the best checkpoint on so many validation examples."""
    record = result.record
    if record is None or not record.scores:
        return None
    value = record.scores["validation"].get(record.metric)
    return {
        "metric": record.metric,
        "value": None if value is None else round(value, 4),
        "examples": record.scores["examples"]["validation"],
    }


def build(room: Room) -> None:
    """The task, a preset or the four settings that matter most, the buttons; the rest is folded away."""
    offered = starting.is_offered(room.context)
    with room.inputs():
        room.widget("task")
        room.view()
        for name in MAIN:
            room.widget(name, typed=True)
        planned.buttons(offered)
        room.view()
        with room.more():
            room.widget("model")
            for name in FURTHER:
                room.widget(name, typed=name in planned.TYPED)
        for name in ("source", "run", "beside"):
            room.picked(name)
    with room.results():
        room.job_place()
        room.view()
        room.view()


def _answer(result: Launch) -> int:
    """Which is learned better, counted from the answer that is always the same: topics (0), praise (1), alike (2)."""
    gains = []
    for record in (result.record, *result.beside):
        best = record.best if record else None
        gains.append(
            (best["metrics"][record.metric] if record and best else 0.0) - ((record and record.trivial) or 0.0)
        )
    difference = gains[0] - gains[1] if len(gains) > 1 else 0.0
    return 0 if difference > CLEARLY else 1 if difference < -CLEARLY else 2


EXHIBIT = Exhibit(
    slug=SLUG,
    sections=("5.2.8", "5.2.9", "5.2.10", "5.4.1", "5.4.2", "5.4.3", "5.5.4"),
    query=Query,
    explore=explore,
    show=show,
    snippet=snippet,
    evidence=evidence,
    build=build,
    prediction=Prediction(Query(beside=SENTIMENT), 3, _answer),
    steps=(
        Step({"beside": "classification-rate"}),
        Step({"beside": "classification-half"}),
        Step({"task": "tagging"}),
    ),
    jobs=starting.KINDS,
    version=version,
    routes=shelf.routes,
)
