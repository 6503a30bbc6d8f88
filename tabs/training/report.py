"""A run in words: where it stands, what its curves say, why it failed and what helps; from plain JSON values."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

from core.i18n import Locale, translate, words
from tabs._kit import foot, pictures
from tabs.training.curves import draw_run, name_metric, write_metric
from tabs.training.samples import draw_samples, name_label
from tabs.training.settings import in_fields, params_of

AGAIN, RESUME = "again", "resume"
BROKEN_TOLD = 5


def draw_record(record: Mapping[str, Any], locale: Locale) -> str:
    """Everything of one run: the large numbers, what to know, its curves, its examples, its log."""
    return "".join(
        (
            pictures.numbers(_figures(record, locale)),
            _failure(record, locale),
            _findings(record, locale),
            draw_run(record, locale) if record["steps"] else "",
            draw_samples(record, locale),
            _broken(record, locale),
            _log(record, locale),
        )
    )


def draw_live(record: Mapping[str, Any], locale: Locale) -> str:
    """A run that goes on; buttons that would start another one are left out."""
    waiting = "" if record["steps"] else pictures.note(translate("training.starting", locale))
    return waiting + draw_record(record, locale)


def name_run(record: Mapping[str, Any], locale: Locale) -> str:
    """What was trained on what: the task, and the data or what was recorded."""
    task = translate(f"training.task.{record['config']['task']}", locale)
    return f"{task} · {name_source(record['config'], locale)}"


def name_source(config: Mapping[str, Any], locale: Locale) -> str:
    """What the page calls the training data."""
    train = str(config["data"]["train"])
    if not train.startswith("sample:"):
        return train
    labelled = config["data"].get("columns") or {}
    key = f"training.data.{train.removeprefix('sample:')}{'.domain' if 'domain' in labelled.values() else ''}"
    return translate(key, locale)


def tell_state(record: Mapping[str, Any], locale: Locale) -> str:
    """Where a run stands, in a word or two."""
    if record["recorded"]:
        return translate("training.state.recorded", locale)
    if record["state"] == "waiting" and not record["followed"]:
        return translate("training.state.made", locale)
    return translate(f"training.state.{record['state']}", locale)


def describe_changes(config: Mapping[str, Any], names: Sequence[str], locale: Locale) -> str:
    """Settings with their values, by the names that the form has for them."""
    params = params_of(config)
    return "、".join(f"{name_field(name, locale)} {params[name]}" for name in names if name in params)


def name_field(name: str, locale: Locale) -> str:
    """The word above a widget, without its remark in brackets."""
    label = words(locale).get(f"training.{name}", name)
    return label.partition("（")[0].partition(" (")[0]


def name_setting(path: str, locale: Locale) -> str:
    """What the page calls a setting that a configuration has at this path."""
    key = f"training.setting.{path}"
    return translate(key, locale) if key in words(locale) else name_field(path.rpartition(".")[2], locale)


def write_setting(path: str, value: Any, locale: Locale) -> str:
    """The value of a setting that a configuration has at this path, as people read it."""
    if value is None or value == ():
        return "–"
    if path == "data.limit" and not value:
        return translate("training.all", locale)
    if path.startswith("data.") and isinstance(value, float):
        return f"{value:.0%}"
    return _write(value, locale)


def write_trainable(record: Mapping[str, Any], locale: Locale) -> str:
    """How many of the weights are trained, and their share; or that all are."""
    if not record["facts"]:
        return "–"
    trainable, all_of_them = record["facts"]["trainable"], record["facts"]["parameters"]
    if trainable == all_of_them:
        return translate("training.all", locale)
    return f"{trainable:,} ({trainable / all_of_them:.1%})"


def write_seconds(seconds: float, locale: Locale) -> str:
    """A duration, in seconds or minutes."""
    if seconds < 100:
        return translate("training.seconds", locale, seconds=f"{seconds:.0f}")
    return translate("training.minutes", locale, minutes=f"{seconds / 60:.1f}")


def tell_problem(
    key: str, params: Mapping[str, Any], locale: Locale, *, button: str = "", kind: str = "lab-error"
) -> str:
    """A sentence with what helps as a button behind it; names of settings become the form's."""
    told = dict(params)
    if "field" in told:
        told["field"] = name_field(str(told["field"]).rpartition(".")[2], locale)
    if "task" in told:
        told["task"] = translate(f"training.task.{told['task']}", locale)
    if "label" in told:
        told["label"] = name_label(str(told["label"]), locale)
    sentence = translate(key, locale, **told) if key in words(locale) else key
    role = ' role="alert"' if kind == "lab-error" else ""
    return f'<div class="{kind}"{role}>{html.escape(sentence)} {button}</div>'


def change_button(changes: Mapping[str, Any], locale: Locale) -> str:
    """A button that sets fields of the form; '' when there is nothing to set."""
    fields = in_fields(changes)
    if not fields:
        return ""
    told = "、".join(f"{name_field(name, locale)} → {_write(value, locale)}" for name, value in fields.items())
    return foot.pick_button(html.escape(told), fields)


def train_button(label: str, record: Mapping[str, Any], changes: Mapping[str, Any]) -> str:
    """A button that trains a run once more with some settings changed, at once; `label` is HTML."""
    return foot.start_button(label, AGAIN, params_of(record["config"]) | {"run": record["key"]} | dict(changes))


def _figures(record: Mapping[str, Any], locale: Locale) -> list[tuple[str, str]]:
    figures = [(translate("training.figure.state", locale), tell_state(record, locale))]
    metric = record["metric"]
    best = next((one for one in reversed(record["evaluations"]) if one["best"]), None)
    if best:
        name = translate("training.figure.best", locale, metric=name_metric(metric, locale), step=best["step"])
        figures.append((name, write_metric(metric, best["metrics"].get(metric))))
    test = record["scores"].get("test") or {}
    if metric in test:
        name = translate("training.figure.test", locale, metric=name_metric(metric, locale))
        figures.append((name, write_metric(metric, test[metric])))
    if record["total"]:
        figures.append((translate("training.figure.steps", locale), f"{record['step']:,} / {record['total']:,}"))
    if facts := record["facts"]:
        name = translate("training.figure.examples", locale)
        figures.append((name, f"{facts['examples']:,} / {facts['validation']:,}"))
        if facts["trainable"] < facts["parameters"]:
            figures.append((translate("training.estimate.trainable", locale), write_trainable(record, locale)))
    if record["seconds"] and not record["recorded"]:
        figures.append((translate("training.figure.seconds", locale), write_seconds(record["seconds"], locale)))
    return figures


def _failure(record: Mapping[str, Any], locale: Locale) -> str:
    failure = record["failure"]
    if not failure:
        return ""
    parts = [tell_problem(failure["cause"], failure["params"], locale)]
    if failure["because"]:
        parts.append(tell_problem(failure["because"], failure["because_params"], locale, kind="lab-caution"))
    fields, button = in_fields(failure["changes"]), ""
    if fields and not record["recorded"]:
        changes = fields | {"beside": ""}
        button = train_button(html.escape(translate("training.cure.apply", locale)), record, changes)
    parts.append(tell_problem(failure["cure"], failure["changes"], locale, button=button, kind="lab-caution"))
    return "".join(parts)


def _findings(record: Mapping[str, Any], locale: Locale) -> str:
    return "".join(
        tell_problem(
            f"training.finding.{one['key']}",
            one["params"],
            locale,
            button=change_button(one["changes"], locale),
            kind="lab-caution",
        )
        for one in record["findings"]
    )


def _broken(record: Mapping[str, Any], locale: Locale) -> str:
    facts = record["facts"]
    if not facts or not facts["broken"]:
        return ""
    rows = [
        [
            f"{row['line']:,}",
            translate(row["key"], locale, **row["params"]) if row["key"] in words(locale) else row["key"],
        ]
        for row in facts["broken_rows"][:BROKEN_TOLD]
    ]
    told = translate("training.broken", locale, count=f"{facts['broken']:,}")
    names = [translate(f"training.broken.{name}", locale) for name in ("line", "reason")]
    table = pictures.table(names, rows, caption=told, numeric=(0,))
    return f'<details class="lab-fold"><summary>{html.escape(told)}</summary>{table}</details>'


def _log(record: Mapping[str, Any], locale: Locale) -> str:
    if not record["log"]:
        return ""
    told = html.escape(translate("training.log", locale))
    return f'<details class="lab-fold"><summary>{told}</summary>{pictures.formula(record["log"])}</details>'


def _write(value: Any, locale: Locale) -> str:
    if isinstance(value, bool):
        return translate("training.on" if value else "training.off", locale)
    return f"{value:g}" if isinstance(value, float) else str(value)
