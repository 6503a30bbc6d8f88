"""5.3.1 Confidence: whether 90 % sure is right nine times in ten, and what a threshold trades."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from typing import Any

from core import query as queries
from core.analysis.calibration import Reliability, ThresholdSweep
from core.analysis.sources import open_source
from core.analysis.trust import STEPS, SURE, Trust, examine_trust
from core.i18n import Locale, translate
from tabs._kit import charts, foot, pictures
from tabs._kit.exhibit import Exhibit, Prediction, Step
from tabs._kit.room import Room
from tabs.analysis import choosing
from tabs.analysis.calibration_script import snippet
from tabs.analysis.choosing import label
from tabs.analysis.rows import number

SLUG = "calibration"
NARROW = 7  # per cent of the width: a bin that is narrower has no room for its number
CURVES = ("precision", "recall", "f1")


@dataclass(frozen=True)
class Query:
    """Whose predictions, how they are gathered into bins, and one label with its threshold."""

    source: str = choosing.source()
    bins: int = queries.within(10, 2, 20)
    binning: str = queries.one_of("width", "width", "mass")
    label: str = queries.text("", limit=200)
    threshold: float = queries.between(0.5, 0.0, 1.0, step=0.01)


def explore(query: Query) -> Trust:
    """``reliability`` by bins of confidence, ECE, Brier score; precision and recall of one label by threshold."""
    return examine_trust(
        open_source(query.source),
        bins=query.bins,
        binning="mass" if query.binning == "mass" else "width",
        label=query.label,
        threshold=query.threshold,
    )


def show(result: Trust, locale: Locale) -> tuple[str, ...]:
    """The diagram; the threshold."""
    return _reliability(result, locale), _threshold(result, locale) + choosing.go_on(SLUG, result.source, locale)


def _reliability(result: Trust, locale: Locale) -> str:
    found = result.reliability
    sure = f"{result.sure_right / result.sure:.0%}" if result.sure else "–"
    figures = [
        (translate("calibration.mean_confidence", locale), f"{result.confidence:.1%}"),
        (translate("analysis.report.accuracy", locale), f"{result.accuracy:.1%}"),
        (translate("analysis.report.ece", locale), f"{found.ece:.3f}"),
        (translate("calibration.sure", locale, sure=f"{SURE:.0%}", rows=result.sure), sure),
    ]
    title = translate("calibration.diagram", locale)
    told = choosing.tell_source(result.source, locale)
    return (
        pictures.numbers(figures)
        + told
        + pictures.twin(_diagram(found, title, locale), _bins(found, locale), locale)
        + pictures.note(translate("calibration.diagram.note", locale))
        + pictures.formula(_expected_error(found, locale))
    )


def _diagram(found: Reliability, title: str, locale: Locale) -> str:
    """Accuracy as bars with intervals, mean confidence as strokes, the signed gap between them, and each bin's rows.

    Where the stroke is above its bar the model promises more than it keeps.
    """
    most = max(int(found.counts.max()), 1)
    bars, heights, counts, gaps = [], [], [], []
    for n, count in enumerate(found.counts):
        if not count:
            continue
        left, right = 100 * float(found.edges[n]), 100 * float(found.edges[n + 1])
        accuracy, confidence = float(found.accuracy[n]), float(found.confidence[n])
        gap = accuracy - confidence
        side = "over" if gap < 0 else "under"
        hint = translate(
            "calibration.bin", locale, low=f"{found.edges[n]:.2f}", high=f"{found.edges[n + 1]:.2f}", rows=int(count),
            confidence=f"{confidence:.3f}", accuracy=f"{accuracy:.3f}", gap=_signed(gap),
        )  # fmt: skip
        middle, width = (left + right) / 2, max(right - left - 0.6, 0.3)
        beside = left + 0.3 + 0.8 * width
        bars.append(
            f"<g><title>{html.escape(hint)}</title>"
            f"{_bar('lab-diagram-bar', left, 100 * (1 - accuracy), width, 100 * accuracy)}"
            f'<path class="lab-diagram-gap lab-diagram-{side}" d="M{beside:.2f},{100 * (1 - accuracy):.2f}'
            f'V{100 * (1 - confidence):.2f}"/>'
            f'<path class="lab-diagram-whisker" d="M{middle:.2f},{100 * (1 - float(found.lower[n])):.2f}'
            f'V{100 * (1 - float(found.upper[n])):.2f}"/>'
            f'<path class="lab-diagram-said" d="M{left + 0.3:.2f},{100 * (1 - confidence):.2f}h{width:.2f}"/></g>'
        )
        height = 100 * int(count) / most
        heights.append(_bar("lab-diagram-count", left, 100 - height, width, height))
        if right - left >= NARROW:
            counts.append(f'<span style="left:{middle:.1f}%">{int(count):,}</span>')
            gaps.append(f'<span class="lab-{side}" style="left:{middle:.1f}%">{_points(gap)}</span>')
    lines = "".join(f'<path class="lab-gridline" d="M0,{20 * t}H100"/>' for t in range(6))
    heights_of, across = (
        "".join(f'<span style="{side}:{20 * t}%">{t / 5:g}</span>' for t in range(6)) for side in ("bottom", "left")
    )
    names = {
        name: html.escape(translate(f"calibration.axis.{name}", locale))
        for name in ("confidence", "accuracy", "gap", "rows")
    }
    start = '<svg viewBox="0 0 100 100" preserveAspectRatio="none"'
    signs = (
        f'<p class="lab-y-name">{names["gap"]}</p><div class="lab-axes lab-gaps"><div class="lab-y"></div>'
        f'<div class="lab-x">{"".join(gaps)}</div></div>'
        if gaps
        else ""
    )
    return (
        f'<figure class="lab-chart lab-reliability"><figcaption>{html.escape(title)}</figcaption>{_legend(locale)}'
        f'<p class="lab-y-name">↑ {names["accuracy"]}</p><div class="lab-axes">'
        f'<div class="lab-y" aria-hidden="true">{heights_of}</div>'
        f'{start} role="img" aria-label="{html.escape(title)}">{lines}<path class="lab-ideal" d="M0,100L100,0"/>'
        f'{"".join(bars)}</svg><div class="lab-x" aria-hidden="true">{across}</div></div>'
        f'<p class="lab-x-name">{names["confidence"]} →</p>{signs}<p class="lab-y-name">↑ {names["rows"]}</p>'
        f'<div class="lab-axes lab-counts"><div class="lab-y"></div>{start} aria-hidden="true">{"".join(heights)}</svg>'
        f'<div class="lab-x" aria-hidden="true">{"".join(counts)}</div></div></figure>'
    )


def _legend(locale: Locale) -> str:
    """What bar, stroke, gap and lines stand for."""
    drawn = {
        "bar": '<rect class="lab-diagram-bar" width="28" height="8"/>',
        "said": '<path class="lab-diagram-said" d="M0,4H28"/>',
        "over": '<path class="lab-diagram-gap lab-diagram-over" d="M0,4H28"/>',
        "under": '<path class="lab-diagram-gap lab-diagram-under" d="M0,4H28"/>',
        "whisker": '<path class="lab-diagram-whisker" d="M0,4H28"/>',
        "ideal": '<path class="lab-ideal" d="M0,4H28"/>',
    }
    entries = "".join(
        f'<li><svg viewBox="0 0 28 8" aria-hidden="true">{shape}</svg>'
        f"{html.escape(translate(f'calibration.legend.{name}', locale))}</li>"
        for name, shape in drawn.items()
    )
    return f'<ul class="lab-legend">{entries}</ul>'


def _signed(gap: float) -> str:
    """A difference with its sign, the minus as wide as the plus."""
    return f"{gap:+.3f}".replace("-", "−")


def _points(gap: float) -> str:
    """The same in whole percentage points, which fit below a bin."""
    points = round(100 * gap)
    return f"{points:+d}".replace("-", "−") if points else "0"


def _bar(style: str, left: float, top: float, width: float, height: float) -> str:
    return f'<rect class="{style}" x="{left + 0.3:.2f}" y="{top:.2f}" width="{width:.2f}" height="{height:.2f}"/>'


def _bins(found: Reliability, locale: Locale) -> str:
    names = ("bin", "rows", "confidence", "accuracy", "gap", "interval")
    rows = [
        (
            f"{found.edges[n]:.3f}–{found.edges[n + 1]:.3f}",
            f"{int(count):,}",
            f"{found.confidence[n]:.3f}",
            f"{found.accuracy[n]:.3f}",
            _signed(float(found.accuracy[n] - found.confidence[n])),
            f"{found.lower[n]:.3f}–{found.upper[n]:.3f}",
        )
        for n, count in enumerate(found.counts)
        if count
    ]
    columns = [translate(f"analysis.report.{name}", locale) for name in names]
    caption = translate("analysis.report.calibration", locale)
    return pictures.table(columns, rows, caption=caption, numeric=(1, 2, 3, 4, 5))


def _expected_error(found: Reliability, locale: Locale) -> list[str]:
    """ECE with this table's numbers."""
    parts = [
        f"{int(count)}/{found.rows} × |{found.accuracy[n]:.3f} − {found.confidence[n]:.3f}|"
        for n, count in enumerate(found.counts)
        if count
    ]
    lines = [translate("calibration.ece", locale, ece=f"{found.ece:.4f}")]
    lines += [f"  {'=' if n == 0 else '+'} {part}" for n, part in enumerate(parts)]
    if not math.isnan(found.brier):
        lines.append(translate("calibration.brier", locale, brier=f"{found.brier:.4f}", loss=f"{found.log_loss:.4f}"))
    return lines


def _threshold(result: Trust, locale: Locale) -> str:
    sweep = result.sweep
    if sweep is None:
        return pictures.note(translate("calibration.no_threshold", locale))
    at, t = result.at, result.at / STEPS
    name = label(result.label, locale, result.source.data)
    chips = "".join(
        foot.pick_button(
            html.escape(label(one, locale, result.source.data)),
            {"label": one},
            style=f"lab-chip{' lab-chosen' if one == result.label else ''}",
        )
        for one in result.source.labels
    )
    title = html.escape(translate("calibration.label", locale))
    best = foot.pick_button(
        html.escape(translate("calibration.best", locale, threshold=f"{sweep.thresholds[sweep.best]:.2f}")),
        {"threshold": float(sweep.thresholds[sweep.best]), "label": result.label},
    )
    figures = [(translate(f"analysis.report.{curve}", locale), number(getattr(sweep, curve)[at])) for curve in CURVES]
    nobody = not sweep.true_positives[at] + sweep.false_positives[at]
    undefined = pictures.note(translate("calibration.undefined", locale, label=name), kind="caution") if nobody else ""
    cells = pictures.table(
        ["", translate("calibration.said", locale), translate("calibration.not_said", locale)],
        [
            (
                translate("calibration.is", locale, label=name),
                int(sweep.true_positives[at]),
                int(sweep.false_negatives[at]),
            ),
            (translate("calibration.is_not", locale), int(sweep.false_positives[at]), int(sweep.true_negatives[at])),
        ],
        caption=translate("calibration.cells", locale, label=name, threshold=f"{t:.2f}"),
        numeric=(1, 2),
    )
    drawn = _curves(sweep, at, translate("calibration.curves", locale, label=name), locale)
    return (
        pictures.heading(translate("calibration.threshold.heading", locale, label=name, threshold=f"{t:.2f}"))
        + f'<div class="lab-chips" role="group" aria-label="{title}"><span>{title}</span>{chips}{best}</div>'
        + pictures.numbers(figures)
        + undefined
        + cells
        + drawn
        + pictures.note(translate("calibration.best.note", locale))
    )


def _curves(sweep: ThresholdSweep, at: int, title: str, locale: Locale) -> str:
    """Precision, recall and F1 over the threshold; where one is not defined its line ends."""
    lines = [
        charts.Line(
            translate(f"analysis.report.{curve}", locale),
            [(n / STEPS, float(value)) for n, value in enumerate(getattr(sweep, curve))],
            style=number,
        )
        for number, curve in enumerate(CURVES)
    ]
    return charts.line_chart(
        lines,
        title=title,
        x_name=translate("calibration.axis.threshold", locale),
        locale=locale,
        low=0.0,
        high=1.0,
        here=at / STEPS,
        number="{:.3f}".format,
    )


def evidence(result: Trust) -> dict[str, Any]:
    """ECE, Brier score, the filled bins, and the chosen label at its threshold."""
    found, sweep = result.reliability, result.sweep
    told: dict[str, Any] = {
        "ece": round(found.ece, 4),
        "brier": None if math.isnan(found.brier) else round(found.brier, 4),
        "bins": [
            [int(count), round(float(found.confidence[n]), 3), round(float(found.accuracy[n]), 3)]
            for n, count in enumerate(found.counts)
            if count
        ],
    }
    if sweep is not None:
        at = {curve: float(getattr(sweep, curve)[result.at]) for curve in CURVES}
        told["at"] = {curve: None if math.isnan(value) else round(value, 4) for curve, value in at.items()}
    return told


def build(room: Room) -> None:
    """Whose predictions, the threshold; the bins below."""
    with room.inputs():
        choosing.chips(room, "sentiment", "inference", "choice", reset={"label": ""})
        room.widget("threshold")
        with room.more():
            room.widget("bins")
            room.widget("binning")
            room.widget("source")
        room.picked("label")
    with room.results():
        room.view()
        room.view()


def _answer(result: Trust) -> int:
    """How often the answers are right that were given with at least 90 %: as promised (0), less (1), much less (2)."""
    share = result.sure_right / max(result.sure, 1)
    return 0 if share >= SURE else 1 if share >= 0.75 else 2


EXHIBIT = Exhibit(
    slug=SLUG,
    sections=("5.3.1",),
    query=Query,
    explore=explore,
    show=show,
    snippet=snippet,
    evidence=evidence,
    build=build,
    prediction=Prediction(Query(bins=5), 3, _answer),
    steps=(Step({"threshold": 0.8}), Step({"binning": "mass"}), Step({"source": "inference"})),
    jobs=(choosing.PREDICTING,),
)
