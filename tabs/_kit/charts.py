"""Lines over steps: up to five of them on one pair of axes, each with its table twin.

What is text is HTML around the drawing, so that it has the size of other text and wraps like it.
"""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.i18n import Locale
from tabs._kit import pictures

MOST_LINES = 5  # with colours, dashes and letters of their own
MOST_ROWS = 60  # of the table; of longer lines it tells evenly spaced points
MOST_DOTS = 60  # on a line whose points are marked
TICKS = 4  # about so many on an axis

Point = tuple[float, float | None]


@dataclass(frozen=True)
class Line:
    """One line: its name, its points by x (None is a gap), its style (0 to 4), and whether its points are dots."""

    name: str
    points: Sequence[Point]
    style: int = 0
    marked: bool = False
    faint: bool = False


def line_chart(
    lines: Sequence[Line],
    *,
    title: str,
    x_name: str,
    locale: Locale,
    low: float | None = None,
    high: float | None = None,
    x_high: float = 0.0,
    level: tuple[str, float] | None = None,
    here: float | None = None,
    number: Callable[[float], str] = "{:.3g}".format,
) -> str:
    """Draw lines over a common horizontal axis that begins at 0.

    Args:
        lines: at most five; the first ones lie on top.
        title: what is drawn, with its unit; also the text alternative.
        x_name: what the horizontal axis counts.
        locale: language of the words around it.
        low: the lower end of the vertical axis, by default that of the points.
        high: its upper end, likewise.
        x_high: the right end, where the points do not reach it yet.
        level: a horizontal line to compare with: its name and height.
        here: where a vertical line marks what is chosen.
        number: writes a value.
    """
    points = [(x, y) for line in lines for x, y in line.points if y is not None and math.isfinite(y)]
    values = [y for _, y in points] + ([level[1]] if level else [])
    bottom, top, ticks = _axis(
        min(values, default=0.0) if low is None else low, max(values, default=1.0) if high is None else high
    )
    right = max([x_high, *(x for x, _ in points), 1.0])
    _, _, across = _axis(0.0, right)
    across = [x for x in across if x <= right]

    def place(x: float, y: float) -> str:
        return f"{100 * x / right:.2f},{100 - 100 * (min(max(y, bottom), top) - bottom) / (top - bottom):.2f}"

    drawn = [
        *(f'<path class="lab-gridline" d="M0,{place(0, y).split(",")[1]}H100"/>' for y in ticks),
        *(f'<path class="lab-gridline" d="M{place(x, bottom).split(",")[0]},0V100"/>' for x in across),
    ]
    if level:
        drawn.append(
            f'<path class="lab-level" d="M0,{place(0, level[1]).split(",")[1]}H100">'
            f"<title>{html.escape(level[0])} {number(level[1])}</title></path>"
        )
    if here is not None:
        drawn.append(f'<path class="lab-here" d="M{place(here, bottom).split(",")[0]},0V100"/>')
    for line in reversed(lines):
        drawn += _draw_line(line, place, x_name, number)
    labels = "".join(
        f'<span style="bottom:{100 * (y - bottom) / (top - bottom):.1f}%">{html.escape(_short(y))}</span>'
        for y in ticks
    )
    marks = "".join(f'<span style="left:{100 * x / right:.1f}%">{html.escape(_short(x))}</span>' for x in across)
    picture = (
        f'<figure class="lab-chart"><figcaption>{html.escape(title)}</figcaption><div class="lab-axes">'
        f'<div class="lab-y" aria-hidden="true">{labels}</div>'
        f'<svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img" aria-label="{html.escape(title)}">'
        f'{"".join(drawn)}</svg><div class="lab-x" aria-hidden="true">{marks}</div></div>'
        f'<p class="lab-x-name">{html.escape(x_name)} →</p>{_legend(lines, level, number)}</figure>'
    )
    return pictures.twin(picture, _table(lines, title, x_name, number), locale)


def _draw_line(
    line: Line, place: Callable[[float, float], str], x_name: str, number: Callable[[float], str]
) -> list[str]:
    """The strokes between neighbouring points, and the dots."""
    parts: list[list[str]] = [[]]
    for x, y in line.points:
        if y is None or not math.isfinite(y):
            parts.append([])
        else:
            parts[-1].append(place(x, y))
    style = f"lab-stroke lab-stroke-{line.style % MOST_LINES}{' lab-faint-stroke' if line.faint else ''}"
    drawn = [f'<path class="{style}" d="M{"L".join(part)}"/>' for part in parts if len(part) > 1]
    known = [(x, y) for x, y in line.points if y is not None and math.isfinite(y)]
    if line.marked or len(known) == 1:
        stride = max(1, -(-len(known) // MOST_DOTS))
        drawn += [
            f'<path class="lab-dot lab-stroke-{line.style % MOST_LINES}" d="M{place(x, y)}h0">'
            f"<title>{html.escape(line.name)} · {html.escape(x_name)} {x:g}: {number(y)}</title></path>"
            for x, y in known[::stride]
        ]
    return drawn


def _legend(lines: Sequence[Line], level: tuple[str, float] | None, number: Callable[[float], str]) -> str:
    def swatch(style: str) -> str:
        return f'<svg viewBox="0 0 28 8" aria-hidden="true"><path class="{style}" d="M0,4H28"/></svg>'

    entries = [
        swatch(f"lab-stroke lab-stroke-{line.style % MOST_LINES}{' lab-faint-stroke' if line.faint else ''}")
        + html.escape(line.name)
        for line in lines
    ]
    if level:
        entries.append(swatch("lab-level") + html.escape(f"{level[0]} {number(level[1])}"))
    if len(entries) < 2:
        return ""
    return f'<ul class="lab-legend">{"".join(f"<li>{entry}</li>" for entry in entries)}</ul>'


def _table(lines: Sequence[Line], title: str, x_name: str, number: Callable[[float], str]) -> str:
    places = sorted({x for line in lines for x, _ in line.points})
    stride = max(1, -(-len(places) // MOST_ROWS))
    shown = sorted({*places[::stride], *places[-1:], *(x for line in lines if line.marked for x, _ in line.points)})
    known = [dict(line.points) for line in lines]

    def tell(value: float | None) -> str:
        return "" if value is None or not math.isfinite(value) else number(value)

    rows = [[f"{x:g}", *(tell(one.get(x)) for one in known)] for x in shown]
    numeric = tuple(range(len(lines) + 1))
    return pictures.table([x_name, *(line.name for line in lines)], rows, caption=title, numeric=numeric)


def _axis(low: float, high: float) -> tuple[float, float, list[float]]:
    """Both ends of an axis at round numbers, and the ticks between them."""
    if not high > low:
        high = low + (abs(low) or 1.0)
    step = (high - low) / TICKS
    power = 10.0 ** math.floor(math.log10(step))
    width = next(one for one in (1, 2, 2.5, 5, 10) if one * power >= step * 0.999) * power
    first, last = math.floor(low / width + 1e-9), math.ceil(high / width - 1e-9)
    ticks = [round(place * width, 12) for place in range(first, last + 1)]
    return ticks[0], ticks[-1], ticks


def _short(value: float) -> str:
    """A number on an axis: no more digits than it has, and powers of ten for the smallest."""
    if value and abs(value) < 1e-3:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    return f"{value:,g}" if abs(value) < 1e5 else f"{value:.0e}"
