"""Numbers against what they should be: points, the diagonal, and how far off still counts as right (book 5.4.2)."""

from __future__ import annotations

import html

import numpy as np

from core.analysis.residuals import Residuals
from core.i18n import Locale, translate
from tabs._kit import foot, pictures

MOST_POINTS = 600
SIZE, MARGIN, EDGE = 400, 40, 12  # of the drawing, in its own units
SLACK = 0.3  # so far beyond 0 to 5 a point may lie without another axis


def draw_scatter(found: Residuals, *, tolerance: float, opened: int | None, locale: Locale) -> str:
    """Gold on the horizontal axis, predicted on the vertical one; a click on a point opens its row."""
    least, most = min(found.gold.min(), found.predicted.min()), max(found.gold.max(), found.predicted.max())
    low = 0.0 if least > -SLACK else float(np.floor(least))
    high = 5.0 if most < 5.0 + SLACK else float(np.ceil(most))
    scale = (SIZE - MARGIN) / (high - low)

    def x(value: float) -> float:
        return MARGIN + (value - low) * scale

    def y(value: float) -> float:
        return (SIZE - MARGIN) - (value - low) * scale

    count = min(len(found.places), MOST_POINTS)
    shown = np.linspace(0, len(found.places) - 1, count).round().astype(int)
    points = []
    for one in shown:
        place, gold, predicted = int(found.places[one]), float(found.gold[one]), float(found.predicted[one])
        told = translate("analysis.scatter.point", locale, gold=f"{gold:.2f}", predicted=f"{predicted:.2f}")
        chosen = place == opened
        points.append(
            f'<circle cx="{x(gold):.1f}" cy="{y(predicted):.1f}" r="{7 if chosen else 4}"'
            f' class="{"lab-chosen" if chosen else ""}" data-pick="{foot.attribute({"row": place, "page": 0})}">'
            f"<title>{html.escape(told)}</title></circle>"
        )
    ticks = [low + step for step in range(int(high - low) + 1)]
    grid = "".join(
        f'<line x1="{x(t):.1f}" y1="{y(low)}" x2="{x(t):.1f}" y2="{y(high)}"/>'
        f'<line x1="{x(low)}" y1="{y(t):.1f}" x2="{x(high)}" y2="{y(t):.1f}"/>'
        for t in ticks
    )
    labels = "".join(
        f'<text x="{x(t):.1f}" y="{y(low) + 16:.1f}" text-anchor="middle">{t:g}</text>'
        f'<text x="{x(low) - 6:.1f}" y="{y(t) + 4:.1f}" text-anchor="end">{t:g}</text>'
        for t in ticks
    )
    band = " ".join(
        f"{x(min(max(a, low), high)):.1f},{y(min(max(b, low), high)):.1f}"
        for a, b in (
            (low, low + tolerance), (high - tolerance, high), (high, high), (high, high - tolerance),
            (low + tolerance, low), (low, low),
        )
    )  # fmt: skip
    title = translate("analysis.scatter", locale)
    gold_name, predicted_name = (translate(f"analysis.scatter.{name}", locale) for name in ("gold", "predicted"))
    drawing = (
        f'<svg class="lab-scatter" viewBox="0 {-EDGE} {SIZE + EDGE} {SIZE + EDGE}" role="group"'
        f' aria-label="{html.escape(title)}">'
        f'<g class="lab-grid">{grid}</g><polygon class="lab-band" points="{band}"/>'
        f'<line class="lab-ideal" x1="{x(low)}" y1="{y(low)}" x2="{x(high)}" y2="{y(high)}"/>'
        f'<g class="lab-points">{"".join(points)}</g><g class="lab-ticks">{labels}'
        f'<text x="{SIZE / 2}" y="{SIZE - 6}" text-anchor="middle">{html.escape(gold_name)}</text>'
        f'<text transform="translate(12,{SIZE / 2}) rotate(-90)" text-anchor="middle">'
        f"{html.escape(predicted_name)}</text></g></svg>"
    )
    some = "" if len(shown) == len(found.places) else pictures.note(
        translate("analysis.scatter.some", locale, shown=len(shown), rows=f"{len(found.places):,}")
    )  # fmt: skip
    return (
        f"<figure><figcaption>{html.escape(title)}</figcaption>{drawing}</figure>"
        f"{pictures.note(translate('analysis.scatter.band', locale, tolerance=tolerance))}{some}"
    )


def draw_sums(found: Residuals, locale: Locale) -> str:
    """What sums the residuals up, and how many rows are how far off."""
    names = ("bias", "mae", "rmse", "pearson", "spearman")
    rows = [(translate(f"analysis.report.{name}", locale), f"{getattr(found, name):.3f}") for name in names]
    columns = [translate(f"analysis.column.{name}", locale) for name in ("measure", "value")]
    return pictures.table(columns, rows, caption=translate("analysis.report.residuals", locale), numeric=(1,))
