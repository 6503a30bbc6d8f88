"""2.2.2 Positional encoding: the matrix of sines and cosines, and how alike two positions are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from core import query as queries
from core.i18n import Locale, translate
from core.models.positions import PositionEncoding, encode_positions
from tabs._kit import pictures
from tabs._kit.exhibit import Exhibit, Prediction
from tabs._kit.room import Room


@dataclass(frozen=True)
class Query:
    """K positions, D dimensions, the base of the angles, and the position looked at."""

    positions: int = queries.within(50, 2, 128)
    width: int = queries.within(64, 2, 256, step=2)
    base: int = queries.within(10_000, 2, 100_000)
    position: int = queries.within(0, 0, 127)


@dataclass(frozen=True)
class Encoding:
    """The encoding and the position whose products are looked at."""

    encoding: PositionEncoding
    position: int


def explore(query: Query) -> Encoding:
    """Sinusoidal position encoding: ``encoding.matrix`` (K, D) and ``encoding.products`` (K, K)."""
    encoding = encode_positions(query.positions, query.width, base=query.base)
    return Encoding(encoding, min(query.position, query.positions - 1))


def show(result: Encoding, locale: Locale) -> tuple[str, ...]:
    """The matrix, the dot products, and the products of one position."""
    encoding, here = result.encoding, result.position
    words = {name: translate(f"positions.axis.{name}", locale) for name in ("position", "dimension", "other")}
    places = tuple(str(n) for n in range(encoding.positions))
    dimensions = tuple(str(n) for n in range(encoding.width))
    row = encoding.products[here]
    matrix = pictures.heat_map(
        encoding.matrix,
        pictures.Axis(words["position"], _thin(places)),
        pictures.Axis(words["dimension"], _thin(dimensions)),
        locale=locale,
        title=translate("positions.matrix", locale),
        scale="signed",
        low=-1,
        high=1,
        pick={"row": "position"},
        selected=(here, None),
    )
    products = pictures.heat_map(
        encoding.products,
        pictures.Axis(words["position"], _thin(places)),
        pictures.Axis(words["other"], _thin(places)),
        locale=locale,
        title=translate("positions.products", locale),
        scale="similarity",
        low=float(encoding.products.min()),
        high=float(encoding.products.max()),
        pick={"row": "position"},
        selected=(here, None),
    )
    near = sorted(range(len(row)), key=lambda n: abs(n - here))[:9]
    line = pictures.bars(
        [pictures.Bar(str(n), float(row[n]), f"{row[n]:.2f}", pick={"position": n}) for n in sorted(near)],
        title=translate("positions.line", locale, position=here),
        low=min(0.0, float(row.min())),
        scale="similarity",
    )
    return (
        pictures.heading(translate("positions.matrix", locale)) + matrix,
        pictures.heading(translate("positions.products", locale)) + products + line,
    )


def _thin(labels: tuple[str, ...]) -> tuple[str, ...]:
    """Every fifth or tenth label, so that they do not touch."""
    step = 5 if len(labels) <= 64 else 10
    return tuple(label if n % step == 0 else "" for n, label in enumerate(labels))


def snippet(query: Query) -> str:
    """The same in plain NumPy."""
    return f"""import numpy as np

K, D, base = {query.positions}, {query.width}, {query.base}
angles = np.arange(K)[:, None] / base ** (np.arange(0, D, 2) / D)
P = np.empty((K, D))
P[:, 0::2] = np.sin(angles)  # even dimensions
P[:, 1::2] = np.cos(angles)  # odd dimensions
products = P @ P.T
result = products[{min(query.position, query.positions - 1)}].round(4).tolist()
print(result)
"""


def evidence(result: Encoding) -> list[float]:
    """The dot products of the chosen position."""
    rounded: list[float] = result.encoding.products[result.position].round(4).tolist()
    return rounded


def build(room: Room) -> None:
    """Three sliders and the two maps."""
    with room.inputs():
        room.widget("positions")
        room.widget("width")
        room.widget("base")
        room.picked("position")
    with room.results():
        room.view()
        room.view()


def _answer(result: Encoding) -> int:
    """Whether the product falls with the distance (0), rises (1) or stays (2) over the first five positions."""
    fall: Any = np.diff(result.encoding.products[0, :6])
    return 0 if (fall < 0).all() else 1 if (fall > 0).all() else 2


EXHIBIT = Exhibit(
    slug="positions",
    sections=("2.2.2",),
    query=Query,
    explore=explore,
    show=show,
    snippet=snippet,
    evidence=evidence,
    build=build,
    prediction=Prediction(Query(), 3, _answer),
)
