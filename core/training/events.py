"""What a run tells while it goes: frozen events, one JSON object on each line of ``events.jsonl``.

A reader follows the file from an offset while another process writes it. A line that a killed process left torn is
passed over, and so is a kind of event that this version does not know.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from filelock import FileLock

from core.values import as_json

Scalar = str | int | float


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """`time` in seconds since the epoch."""

    time: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(Event):
    """Training begins, or goes on after `step` of `total` steps.

    `skipped` names the checkpoints that were newer but broken. `steps_per_epoch` counts updates of the weights.
    `broken` counts the rows that were set aside; `broken_rows` are the first of them: ``part``, ``line``, and the
    ``key`` and ``params`` of the reason.
    """

    step: int
    total: int
    steps_per_epoch: int
    examples: int
    validation: int
    parameters: int
    trainable: int
    device: str
    processes: int
    labels: tuple[str, ...] = ()
    resumed_from: str = ""
    skipped: tuple[str, ...] = ()
    broken: int = 0
    broken_rows: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Event):
    """The mean loss since the last such event, and the pace; `seconds_left` counts evaluations as they came so far."""

    step: int
    total: int
    loss: float
    learning_rate: float
    gradient_norm: float
    samples_per_second: float
    seconds_left: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated(Event):
    """Metrics on the validation part, and what the model says of a few of its examples, the same ones every time.

    Each of `samples` holds ``row`` (the example), ``gold``, ``predicted``, ``loss`` and ``scores``.
    """

    step: int
    metrics: Mapping[str, float]
    best: bool
    samples: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved(Event):
    """A checkpoint is whole on the disk."""

    step: int
    checkpoint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped(Event):
    """Somebody asked for a stop: a checkpoint is kept, and `model` says whether a model was written too."""

    step: int
    total: int
    model: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished(Event):
    """The model is written. `early` when patience ran out before the last step; `best_step` 0 without evaluation."""

    step: int
    total: int
    best_step: int
    metrics: Mapping[str, float]
    seconds: float
    early: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed(Event):
    """Why it failed and what helps, as keys of the word catalogue.

    `changes` are hyperparameters with the values that the cure would give them, for a button that applies it. `because`
    is the key of what lies behind the cause, where that is known: why the first of many rows cannot be read. `process`
    is the rank of the one that failed, where several work on the run.
    """

    cause: str
    cure: str
    params: Mapping[str, Scalar] = field(default_factory=dict)
    changes: Mapping[str, Any] = field(default_factory=dict)
    because: str = ""
    because_params: Mapping[str, Scalar] = field(default_factory=dict)
    step: int = 0
    process: int = 0


LAST = (Finished, Stopped, Failed)  # nothing follows them until the run is started again
_KINDS: Mapping[str, type[Event]] = MappingProxyType(
    {kind.__name__.lower(): kind for kind in (Started, Step, Evaluated, Saved, Stopped, Finished, Failed)}
)


class EventLog:
    """Appends events to a file, each at once and whole, whatever other processes append at the same time."""

    def __init__(self, path: Path, *, since: int | None = None) -> None:
        """`since` is the size of the file when the processes of a run began.

        Once another of them has told after it how the run ended, only a `Finished` is still written: the first cause is
        the cause, and what breaks because one process is gone is not.
        """
        self._path = path
        self._lock = FileLock(path.with_suffix(".lock"))
        self._seen = since
        self._over = False

    def write(self, event: Event) -> bool:
        """Append `event` unless it comes too late; a line that a killed process left torn is closed first.

        Returns:
            Whether it was written.

        Raises:
            OSError: the disk is full, or the folder is gone.
        """
        line = json.dumps(
            {"event": type(event).__name__.lower(), **plain(event)}, ensure_ascii=False, allow_nan=False
        ).encode()
        with self._lock:
            if self._comes_too_late(event):
                return False
            with self._path.open("ab+") as file:
                if file.seek(0, os.SEEK_END):
                    file.seek(-1, os.SEEK_END)
                    if file.read(1) != b"\n":
                        line = b"\n" + line
                file.write(line + b"\n")
            if self._seen is not None:
                self._seen = self._path.stat().st_size
        return True

    def _comes_too_late(self, event: Event) -> bool:
        if self._seen is None:
            return False
        others, self._seen = read_events(self._path, offset=self._seen)  # what this process wrote is passed already
        self._over = self._over or any(isinstance(other, LAST) for other in others)
        return self._over and not isinstance(event, Finished)


def read_events(path: Path, *, offset: int = 0) -> tuple[tuple[Event, ...], int]:
    """The events from byte `offset` on, and the offset to go on from; a last line without its end is left for then."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read()
    except FileNotFoundError:
        return (), offset
    whole = data[: data.rfind(b"\n") + 1]
    return tuple(filter(None, map(_parse, whole.splitlines()))), offset + len(whole)


def drop_overtaken(events: Sequence[Event]) -> tuple[Event, ...]:
    """The events of one continuous run: what came after a checkpoint that training went back to is left out."""
    kept: list[Event] = []
    for event in events:
        if isinstance(event, Started):
            kept = [e for e in kept if getattr(e, "step", 0) <= event.step and not isinstance(e, LAST)]
        kept.append(event)
    return tuple(kept)


def plain(value: Any) -> Any:
    """`value` as JSON values; a number that JSON has no form for (NaN, infinity) becomes None."""
    return _finite(as_json(value))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list) else value


def _parse(line: bytes) -> Event | None:
    try:
        read = json.loads(line)
        kind = _KINDS[read.pop("event")]
        known = {f.name for f in fields(kind)}
        return kind(**{name: _thaw(name, value) for name, value in read.items() if name in known})
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _thaw(name: str, value: Any) -> Any:
    if value is None:
        return math.nan
    if name == "metrics":
        return {key: math.nan if number is None else number for key, number in value.items()}
    return tuple(value) if isinstance(value, list) else value


def follow(path: Path, *, offset: int = 0, interval: float = 0.5) -> Iterator[Event]:
    """Events as they are written, until the last one of the run; `interval` in seconds. Close it to stop."""
    while True:
        events, offset = read_events(path, offset=offset)
        yield from events
        if events and isinstance(events[-1], LAST):
            return
        time.sleep(interval)
