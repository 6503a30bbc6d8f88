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
from tabs._kit import foot, pictures
from tabs._kit.exhibit import Exhibit, Prediction, Step
from tabs._kit.room import Room
from tabs.analysis import choosing
from tabs.analysis.calibration_script import snippet
from tabs.analysis.choosing import label

SLUG = "calibration"
SIZE, MARGIN, EDGE, HISTOGRAM = 340, 48, 12, 60  # of the drawings, in their own units
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
    """Accuracy over confidence with intervals, the diagonal, and below how many rows each bin has."""
    inner = SIZE - MARGIN

    def x(value: float) -> float:
        return MARGIN + value * inner

    def y(value: float) -> float:
        return SIZE - MARGIN - value * (SIZE - MARGIN - EDGE)

    most = max(int(found.counts.max()), 1)
    base = SIZE - MARGIN
    bars, rows = [], []
    for n, count in enumerate(found.counts):
        if not count:
            continue
        left, right = x(float(found.edges[n])), x(float(found.edges[n + 1]))
        accuracy, confidence = float(found.accuracy[n]), float(found.confidence[n])
        hint = translate(
            "calibration.bin", locale, low=f"{found.edges[n]:.2f}", high=f"{found.edges[n + 1]:.2f}", rows=int(count),
            confidence=f"{confidence:.3f}", accuracy=f"{accuracy:.3f}",
        )  # fmt: skip
        middle = (left + right) / 2
        width = max(right - left - 2, 2)
        bars.append(
            f'<g><title>{html.escape(hint)}</title><rect class="lab-diagram-bar" x="{left + 1:.1f}"'
            f' y="{y(accuracy):.1f}" width="{width:.1f}" height="{base - y(accuracy):.1f}"/>'
            f'<rect class="lab-diagram-gap" x="{left + 1:.1f}" y="{min(y(accuracy), y(confidence)):.1f}"'
            f' width="{width:.1f}" height="{abs(y(accuracy) - y(confidence)):.1f}"/>'
            f'<line class="lab-diagram-whisker" x1="{middle:.1f}" x2="{middle:.1f}"'
            f' y1="{y(float(found.lower[n])):.1f}" y2="{y(float(found.upper[n])):.1f}"/></g>'
        )
        height = HISTOGRAM * int(count) / most
        rows.append(
            f'<rect class="lab-diagram-count" x="{left + 1:.1f}" y="{base + 34 + HISTOGRAM - height:.1f}"'
            f' width="{width:.1f}" height="{height:.1f}"/>'
            f'<text x="{middle:.1f}" y="{base + 31 + HISTOGRAM - height:.1f}" text-anchor="middle">{int(count)}</text>'
        )
    ticks = "".join(
        f'<text x="{x(t / 5):.1f}" y="{base + 14}" text-anchor="middle">{t / 5:g}</text>'
        f'<text x="{MARGIN - 6}" y="{y(t / 5) + 4:.1f}" text-anchor="end">{t / 5:g}</text>'
        f'<line class="lab-grid" x1="{x(0)}" x2="{x(1)}" y1="{y(t / 5):.1f}" y2="{y(t / 5):.1f}"/>'
        for t in range(6)
    )
    names = [html.escape(translate(f"calibration.axis.{name}", locale)) for name in ("confidence", "accuracy", "rows")]
    height = base + 34 + HISTOGRAM + 18
    return (
        f"<figure><figcaption>{html.escape(title)}</figcaption>"
        f'<svg class="lab-diagram" viewBox="0 0 {SIZE + 12} {height}" role="img" aria-label="{html.escape(title)}">'
        f'{ticks}{"".join(bars)}<line class="lab-ideal" x1="{x(0)}" y1="{y(0):.1f}" x2="{x(1)}" y2="{y(1):.1f}"/>'
        f"{''.join(rows)}"
        f'<text x="{x(0.5)}" y="{height - 4}" text-anchor="middle">{names[0]}</text>'
        f'<text transform="translate(10,{SIZE / 2}) rotate(-90)" text-anchor="middle">{names[1]}</text>'
        f'<text transform="translate(10,{base + 34 + HISTOGRAM / 2}) rotate(-90)" text-anchor="middle">'
        f"{names[2]}</text></svg></figure>"
    )


def _bins(found: Reliability, locale: Locale) -> str:
    names = ("bin", "rows", "confidence", "accuracy", "interval")
    rows = [
        (
            f"{found.edges[n]:.3f}–{found.edges[n + 1]:.3f}",
            f"{int(count):,}",
            f"{found.confidence[n]:.3f}",
            f"{found.accuracy[n]:.3f}",
            f"{found.lower[n]:.3f}–{found.upper[n]:.3f}",
        )
        for n, count in enumerate(found.counts)
        if count
    ]
    columns = [translate(f"analysis.report.{name}", locale) for name in names]
    caption = translate("analysis.report.calibration", locale)
    return pictures.table(columns, rows, caption=caption, numeric=(1, 2, 3, 4))


def _expected_error(found: Reliability, locale: Locale) -> list[str]:
    """ECE with this table's numbers."""
    parts = [
        f"{int(count)}/{found.rows} × |{found.accuracy[n]:.3f} − {found.confidence[n]:.3f}|"
        for n, count in enumerate(found.counts)
        if count
    ]
    lines = [f"ECE = Σ n/N × |accuracy − confidence| = {found.ece:.4f}"]
    lines += [f"  {'=' if n == 0 else '+'} {part}" for n, part in enumerate(parts)]
    if not math.isnan(found.brier):
        lines.append(translate("calibration.brier", locale, brier=f"{found.brier:.4f}", loss=f"{found.log_loss:.4f}"))
    return lines


def _threshold(result: Trust, locale: Locale) -> str:
    sweep = result.sweep
    if sweep is None:
        return pictures.note(translate("calibration.no_threshold", locale))
    at, t = result.at, result.at / STEPS
    name = label(result.label, locale)
    chips = "".join(
        foot.pick_button(
            html.escape(label(one, locale)),
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
    figures = [(translate(f"analysis.report.{curve}", locale), f"{getattr(sweep, curve)[at]:.3f}") for curve in CURVES]
    cells = pictures.table(
        ["", translate("calibration.said", locale, label=name), translate("calibration.not_said", locale)],
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
    steps = range(0, STEPS + 1, STEPS // 10)
    table = pictures.table(
        [
            translate("calibration.axis.threshold", locale),
            *(translate(f"analysis.report.{curve}", locale) for curve in CURVES),
        ],
        [(f"{n / STEPS:.2f}", *(f"{getattr(sweep, curve)[n]:.3f}" for curve in CURVES)) for n in steps],
        caption=translate("calibration.curves", locale, label=name),
        numeric=(0, 1, 2, 3),
    )
    drawn = _curves(sweep, at, translate("calibration.curves", locale, label=name), locale)
    return (
        pictures.heading(translate("calibration.threshold.heading", locale, label=name, threshold=f"{t:.2f}"))
        + f'<div class="lab-chips" role="group" aria-label="{title}"><span>{title}</span>{chips}{best}</div>'
        + pictures.numbers(figures)
        + cells
        + pictures.twin(drawn, table, locale)
        + pictures.note(translate("calibration.best.note", locale))
    )


def _curves(sweep: ThresholdSweep, at: int, title: str, locale: Locale) -> str:
    """Precision, recall and F1 over the threshold; each line with its own dashes and its name at its end."""

    def x(step: float) -> float:
        return MARGIN + step / STEPS * (SIZE - MARGIN)

    def y(value: float) -> float:
        return SIZE - MARGIN - value * (SIZE - 2 * MARGIN)

    lines, legend = [], []
    for number, curve in enumerate(CURVES):
        points = " ".join(f"{x(n):.1f},{y(float(value)):.1f}" for n, value in enumerate(getattr(sweep, curve)))
        lines.append(f'<polyline class="lab-curve lab-curve-{number}" points="{points}"/>')
        name = html.escape(translate(f"analysis.report.{curve}", locale))
        place = MARGIN + number * 94
        legend.append(
            f'<line class="lab-curve lab-curve-{number}" x1="{place}" x2="{place + 24}" y1="10" y2="10"/>'
            f'<text x="{place + 28}" y="14">{name}</text>'
        )
    ticks = "".join(
        f'<text x="{x(20 * t):.1f}" y="{SIZE - MARGIN + 15}" text-anchor="middle">{t / 5:g}</text>'
        f'<text x="{MARGIN - 6}" y="{y(t / 5) + 4:.1f}" text-anchor="end">{t / 5:g}</text>'
        f'<line class="lab-grid" x1="{x(0)}" x2="{x(STEPS)}" y1="{y(t / 5):.1f}" y2="{y(t / 5):.1f}"/>'
        for t in range(6)
    )
    name = html.escape(translate("calibration.axis.threshold", locale))
    return (
        f"<figure><figcaption>{html.escape(title)}</figcaption>"
        f'<svg class="lab-diagram" viewBox="0 0 {SIZE + 12} {SIZE}" role="img" aria-label="{html.escape(title)}">'
        f"{ticks}{''.join(lines)}{''.join(legend)}"
        f'<line class="lab-now" x1="{x(at):.1f}" x2="{x(at):.1f}" y1="{y(1):.1f}" y2="{y(0):.1f}"/>'
        f'<text x="{x(STEPS / 2)}" y="{SIZE - 6}" text-anchor="middle">{name}</text></svg></figure>'
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
        told["at"] = {curve: round(float(getattr(sweep, curve)[result.at]), 4) for curve in CURVES}
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
