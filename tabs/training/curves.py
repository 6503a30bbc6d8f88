"""The curves of runs, from plain JSON values: those of a run that goes on and of one that is over look the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.i18n import Locale, translate, words
from tabs._kit.charts import Line, Point, line_chart

LETTERS = "ABCDE"
STEP, LOSS, RATE, _, PACE = range(5)  # the columns of `core.training.records.Record.steps`
SHARES = frozenset({"accuracy", "f1", "recall@1"})  # metrics that are shares of something
LOSS_STYLE, METRIC_STYLE = 1, 0


def draw_run(record: Mapping[str, Any], locale: Locale) -> str:
    """Loss and metric; below them, smaller, the learning rate and the pace."""
    x_name, total = translate("training.axis.step", locale), float(record["total"])
    validation = _validation_losses(record)
    losses = [
        *([Line(_word("validation", locale), validation, LOSS_STYLE, marked=True)] if validation else []),
        Line(_word("train", locale), _column(record, LOSS), LOSS_STYLE, faint=bool(validation)),
    ]
    charts = [
        line_chart(
            losses, title=translate("training.chart.loss", locale), x_name=x_name, locale=locale, low=0.0, x_high=total
        )
    ]
    if record["metric"] != "loss" and record["evaluations"]:
        charts.append(_draw_metric([record], locale, names=[_word("validation", locale)], styles=[METRIC_STYLE]))
    smaller = [
        line_chart(
            [Line(translate(f"training.chart.{name}", locale), _column(record, column), style)],
            title=translate(f"training.chart.{name}", locale),
            x_name=x_name,
            locale=locale,
            low=0.0,
            x_high=total,
        )
        for name, column, style in (("rate", RATE, 2), ("pace", PACE, 3))
        if not (name == "pace" and record["recorded"])  # how fast another machine was
    ]
    return _grid(charts) + _grid(smaller, small=True)


def draw_runs(records: Sequence[Mapping[str, Any]], locale: Locale) -> str:
    """Several runs on the same axes, each with a letter, a colour and a dash of its own."""
    x_name, total = translate("training.axis.step", locale), max(float(record["total"]) for record in records)
    names = [name_letter(place) for place in range(len(records))]
    charts = [
        line_chart(
            [Line(names[place], _column(record, LOSS), place) for place, record in enumerate(records)],
            title=translate("training.chart.train_loss", locale),
            x_name=x_name,
            locale=locale,
            low=0.0,
            x_high=total,
        )
    ]
    metrics = {record["metric"] for record in records}
    judged = [place for place, record in enumerate(records) if record["evaluations"]]
    if len(metrics) == 1 and metrics != {"loss"} and judged:
        charts.append(
            _draw_metric([records[n] for n in judged], locale, names=[names[n] for n in judged], styles=judged)
        )
    elif judged:
        lines = [Line(names[n], _validation_losses(records[n]), n, marked=True) for n in judged]
        title = translate("training.chart.validation_loss", locale)
        charts.append(line_chart(lines, title=title, x_name=x_name, locale=locale, low=0.0, x_high=total))
    rates = [Line(names[place], _column(record, RATE), place) for place, record in enumerate(records)]
    title = translate("training.chart.rate", locale)
    smaller = [line_chart(rates, title=title, x_name=x_name, locale=locale, low=0.0, x_high=total)]
    return _grid(charts) + _grid(smaller, small=True)


def name_letter(place: int) -> str:
    """What a run is called on common axes."""
    return LETTERS[place]


def name_metric(metric: str, locale: Locale) -> str:
    """What the page calls a metric."""
    key = f"training.metric.{metric.replace('@', '_')}"
    return translate(key, locale) if key in words(locale) else metric


def write_metric(metric: str, value: float | None) -> str:
    """A share as a percentage, anything else with three digits."""
    if value is None:
        return "–"
    return f"{value:.1%}" if metric in SHARES else f"{value:.3f}"


def _draw_metric(
    records: Sequence[Mapping[str, Any]], locale: Locale, *, names: Sequence[str], styles: Sequence[int]
) -> str:
    metric = records[0]["metric"]
    lines = [
        Line(name, [(one["step"], one["metrics"].get(metric)) for one in record["evaluations"]], style, marked=True)
        for name, record, style in zip(names, records, styles, strict=True)
    ]
    trivials = {record["trivial"] for record in records}
    trivial = trivials.pop() if len(trivials) == 1 else None
    level = (translate("training.chart.trivial", locale), trivial) if trivial is not None else None
    share = metric in SHARES
    return line_chart(
        lines,
        title=translate("training.chart.metric", locale, metric=name_metric(metric, locale)),
        x_name=translate("training.axis.step", locale),
        locale=locale,
        low=0.0 if share else None,
        high=1.0 if share else None,
        x_high=max(float(record["total"]) for record in records),
        level=level,
        number=lambda value: write_metric(metric, value),
    )


def _column(record: Mapping[str, Any], column: int) -> list[Point]:
    return [(row[STEP], row[column]) for row in record["steps"]]


def _validation_losses(record: Mapping[str, Any]) -> list[Point]:
    """Empty for a task whose evaluation has no loss of its own."""
    points = [(one["step"], one["metrics"].get("loss")) for one in record["evaluations"]]
    return points if any(loss is not None for _, loss in points) else []


def _grid(charts: Sequence[str], *, small: bool = False) -> str:
    style = "lab-columns lab-small-charts" if small else "lab-columns"
    return f'<div class="{style}">{"".join(f"<div>{chart}</div>" for chart in charts)}</div>'


def _word(name: str, locale: Locale) -> str:
    return translate(f"training.part.{name}", locale)
