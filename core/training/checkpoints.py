"""Checkpoints that are whole or do not count: sealed with the size and checksum of every file once all are written."""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SEAL = "seal.json"
PREFIX = "checkpoint-"


@dataclass(frozen=True, slots=True)
class Found:
    """The newest whole checkpoint, None when there is none, and the names of newer ones that are broken.

    `facts` is what was sealed with it.
    """

    checkpoint: Path | None
    broken: tuple[str, ...]
    facts: Mapping[str, Any] = field(default_factory=dict, compare=False)


def seal(checkpoint: Path, **facts: Any) -> None:
    """Say that a checkpoint is whole, and whatever else is to be known of it."""
    files = {str(path.relative_to(checkpoint)): _measure(path) for path in _files(checkpoint)}
    partial = checkpoint / f"{SEAL}.partial"
    partial.write_text(json.dumps({"files": files, **facts}, indent=1) + "\n", encoding="utf-8")
    partial.replace(checkpoint / SEAL)


def read_seal(checkpoint: Path) -> dict[str, Any] | None:
    """What was sealed, None when the checkpoint is not whole."""
    try:
        content: dict[str, Any] = json.loads((checkpoint / SEAL).read_text(encoding="utf-8"))
        files = content["files"]
        whole = all(_measure(checkpoint / name) == measure for name, measure in files.items())
    except (OSError, ValueError, KeyError, AttributeError):
        return None
    return content if whole else None


def find_newest(folder: Path) -> Found:
    """The newest checkpoint below `folder` that is whole."""
    broken: list[str] = []
    for checkpoint in sorted(folder.glob(f"{PREFIX}*"), key=step_of, reverse=True):
        if (facts := read_seal(checkpoint)) is not None:
            return Found(checkpoint, tuple(broken), facts)
        broken.append(checkpoint.name)
    return Found(None, tuple(broken))


def step_of(checkpoint: Path) -> int:
    """The step after which a checkpoint was written."""
    return int(checkpoint.name.removeprefix(PREFIX))


def remove(checkpoint: Path) -> None:
    """Remove a checkpoint; its seal goes first, so that one half removed does not count."""
    (checkpoint / SEAL).unlink(missing_ok=True)
    shutil.rmtree(checkpoint, ignore_errors=True)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith(SEAL))


def _measure(path: Path) -> list[int]:
    """Size in bytes and CRC-32."""
    checksum = 0
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            checksum = zlib.crc32(block, checksum)
    return [path.stat().st_size, checksum]
