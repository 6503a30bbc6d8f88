"""Sinusoidal position encoding (book 2.2.2; Vaswani et al. 2017, section 3.5)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.errors import InvalidInput

POSITIONS = (1, 512)
WIDTHS = (2, 1024)
BASES = (2.0, 1_000_000.0)


@dataclass(frozen=True, slots=True)
class PositionEncoding:
    """The vectors of `positions` places, each `width` numbers long, and how alike every two of them are."""

    positions: int
    width: int
    base: float
    matrix: npt.NDArray[np.float64]  # (K, D), each number in [-1, 1]
    products: npt.NDArray[np.float64]  # (K, K), dot products; the diagonal is D / 2


def encode_positions(positions: int = 50, width: int = 64, *, base: float = 10_000.0) -> PositionEncoding:
    """Encode the positions 0 … K-1: sine in the even dimensions, cosine in the odd ones.

    Dimensions 2k and 2k+1 of position i share the angle ``i / base ** (2k / D)``: each pair is the hand of a clock, and
    every clock is slower than the one before. Two positions' dot product adds up the cosines of the angles between
    their hands, so it depends on their distance alone.

    Raises:
        InvalidInput: `width` is odd, or a number is outside `POSITIONS`, `WIDTHS` or `BASES`.

    Source: book 2.2.2.
    """
    for name, value, (low, high) in (
        ("K", positions, POSITIONS),
        ("D", width, WIDTHS),
        ("base", base, BASES),
    ):
        if not low <= value <= high:
            raise InvalidInput("error.positions.range", name=name, low=low, high=high)
    if width % 2:
        raise InvalidInput("error.positions.odd_width", width=width)
    speeds = base ** (-np.arange(0, width, 2) / width)  # (D / 2,)
    angles = np.arange(positions)[:, None] * speeds  # (K, D / 2)
    matrix = np.stack((np.sin(angles), np.cos(angles)), axis=-1).reshape(
        positions, width
    )  # (K, D), sin and cos in turn
    return PositionEncoding(positions, width, base, matrix, matrix @ matrix.T)
