"""What every recipe of the bundled models speaks: a request, and what can be asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Request:
    """Where the data lies, where work in progress is kept, where results go, and how much to train."""

    data: Path
    work: Path
    assets: Path
    megabytes: float
    seed: int
    steps: int = 0


Action = Callable[[Request], None]


@dataclass(frozen=True, slots=True)
class Recipe:
    """One thing that can be made: its name, the defaults of the shipped one, and what can be done with it."""

    name: str
    megabytes: float  # of text drawn from the corpora
    train: Action
    steps: int = 0  # of training, where there are any
    export: Action | None = None
