"""What the recipes of heads share: rows, whose they are, and how they are read, written and drawn."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """One set: its folder, what it is, whose it is, and its licence."""

    folder: str
    kind: str
    credit: str
    licence: str


RUNNING_TEXT = LabelledSet(
    "pretrain", "sentences of the running text that the encoder's card lists", "see there", "CC BY-SA 4.0"
)


@dataclass(frozen=True)
class Gathered:
    """Rows to train on and to validate by, and how many of the former came from which set."""

    train: Sequence[Row]
    validation: Sequence[Row]
    counts: Sequence[tuple[LabelledSet, int]]
    judges: str = ""  # what checkpoints are chosen by, in words, where that is not what is reported


def read_lines(path: Path) -> Iterator[Row]:
    """Read JSON lines."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def write_lines(rows: Iterable[Row], path: Path) -> None:
    """Write JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def draw(rows: Sequence[Any], count: int, *, seed: int) -> list[Any]:
    """Draw rows without putting back; all of them, shuffled, when there are fewer."""
    return random.Random(seed).sample(rows, min(count, len(rows)))
