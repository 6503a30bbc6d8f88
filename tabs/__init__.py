"""The exhibits, in the order of the book."""

from __future__ import annotations

from tabs import positions
from tabs._kit.exhibit import Exhibit

EXHIBITS: tuple[Exhibit, ...] = (positions.EXHIBIT,)
