"""Work of more than two seconds: a job with an id, which outlives the connection that asked for it.

A job is a generator of `Progress` events whose return value is the result. One thread works through the line, so two
jobs never compete for the cores; downloads, which wait for others most of the time, stand in a line of their own.
Every workspace has at most one unfinished job, which makes first come, first served fair. What a job is and what came
of it lies as JSON in the workspace, so a restarted app still knows. Work that goes on in a process of its own has a
`Handle`, and a restarted app can follow it again.
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Generator, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

from core.errors import AppError, Busy, write_trace
from core.values import as_json
from core.workspaces import Workspaces

logger = logging.getLogger(__name__)


class State(StrEnum):
    """Where a job stands; the last four are final."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"  # the app stopped while it ran


UNFINISHED = frozenset({State.WAITING, State.RUNNING})
_REMEMBERED = 5  # jobs of a kind whose mean duration says how long the next one will take


@dataclass(frozen=True)
class Progress:
    """`done` of `total` steps; `total` 0 when nobody knows.

    `partial` is a result so far, of the same form as the final one (losses up to here): it is shown while the job runs
    and stays when it is stopped. None leaves the one before. `seconds_left` where the work knows better than its pace.
    """

    done: int
    total: int
    partial: Any = None
    seconds_left: float | None = None


Work = Generator[Progress, None, Any]
Outcome = TypeVar("Outcome")


class Handle(Protocol):
    """What ends work that goes on elsewhere; closing its generator only stops following it."""

    def stop(self) -> None:
        """Ask it to end early and keep what there is. The job goes on until it has."""

    def drop(self) -> None:
        """End it at once: nobody wants what it has."""


def finish(work: Generator[Progress, None, Outcome]) -> Outcome:
    """Do at once what would be a job: its result."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome


@dataclass(frozen=True)
class Job:
    """One job as anyone who holds its id may see it; times in seconds since the epoch."""

    id: str
    kind: str
    state: State = State.WAITING
    done: int = 0
    total: int = 0
    submitted: float = 0.0
    started: float = 0.0
    ended: float = 0.0
    error: str = ""
    error_params: dict[str, str | int | float] = field(default_factory=dict)
    result: Any = None  # while it runs, the result so far
    position: int = 0  # 1 is next; 0 when not waiting
    wait: float | None = None  # seconds until it starts, where that can be told
    stopping: bool = False  # somebody asked it to end early
    told_left: float | None = None  # by the work itself
    trace: str = ""  # of a defect, where the registry keeps them

    @property
    def seconds_left(self) -> float | None:
        """As the work tells it, else estimated from the pace so far; None before the first step."""
        if self.state is not State.RUNNING:
            return None
        if self.told_left is not None:
            return self.told_left
        if not self.done or not self.total:
            return None
        elapsed = time.time() - self.started
        return elapsed / self.done * (self.total - self.done)


@dataclass(frozen=True)
class Begun:
    """Work, what ends it early, and about how many seconds it will take (0: nobody knows)."""

    work: Callable[[], Work]
    handle: Handle | None = None
    seconds: float = 0.0


# Given a job that an app left unfinished and the folder of its workspace: how to follow it again, None if it is over.
Revive = Callable[[Job, Path], Begun | None]


@dataclass
class _Entry:
    job: Job
    workspace: str
    work: Work
    handle: Handle | None = None
    seconds: float = 0.0
    cancelled: threading.Event = field(default_factory=threading.Event)


class JobRegistry:
    """Two lines of jobs, each with a thread that works through it: the kinds `apart`, and all others."""

    def __init__(
        self,
        workspaces: Workspaces,
        *,
        waiting_limit: int = 20,
        apart: Collection[str] = (),
        revive: Mapping[str, Revive] = MappingProxyType({}),
        traces: bool = False,
    ) -> None:
        """`revive` takes up again, by kind, what another app left unfinished; all else counts as interrupted.

        With `traces`, a job that failed keeps the traceback.
        """
        self._workspaces = workspaces
        self._waiting_limit = waiting_limit
        self._apart = frozenset(apart)
        self._traces = traces
        self._entries: dict[str, _Entry] = {}  # unfinished jobs only, in the order in which they came
        self._lock = threading.Condition()
        self._closing = False
        self._durations: dict[str, deque[float]] = {}  # seconds of the last jobs by kind
        self._take_up_left_over(revive)
        self._threads = [
            threading.Thread(target=self._drain, args=(own,), name="jobs", daemon=True)
            for own in ((False, True) if self._apart else (False,))
        ]
        for thread in self._threads:
            thread.start()

    def submit(
        self, workspace: str, *, kind: str, work: Callable[[], Work], handle: Handle | None = None, seconds: float = 0.0
    ) -> str:
        """Put `work` into the line; returns the id of its job.

        With a `handle` the work is stopped by it, and may keep what it has. `seconds` is about how long it will take.

        Raises:
            Busy: this workspace has an unfinished job, or the line is full.
        """
        with self._lock:
            if any(entry.workspace == workspace for entry in self._entries.values()):
                raise Busy("error.job.one_each")
            if (waiting := len(self._line(kind in self._apart))) >= self._waiting_limit:
                raise Busy("error.job.line_full", waiting=waiting)
            job = Job(id=secrets.token_hex(16), kind=kind, submitted=time.time())
            self._entries[job.id] = _Entry(job, workspace, work(), handle, seconds)
            (self._workspaces.open(workspace) / "jobs").mkdir(exist_ok=True)
            self._write(job, workspace)
            self._lock.notify_all()
            return job.id

    def view(self, job_id: str) -> Job | None:
        """The job as it stands, None when the id names none."""
        with self._lock:
            if entry := self._entries.get(job_id):
                if entry.job.state is not State.WAITING:
                    return entry.job
                line = self._line(entry.job.kind in self._apart)
                before = line[: line.index(entry)]
                position = sum(other.job.state is State.WAITING for other in before) + 1
                waits = [self._remaining(other) for other in before]
                told = [seconds for seconds in waits if seconds is not None]
                return replace(entry.job, position=position, wait=sum(told) if len(told) == len(waits) else None)
        if not (job_id.isalnum() and job_id.isascii()):
            return None
        found = next(self._workspaces.folder.glob(f"*/jobs/{job_id}.json"), None)
        return _read(found) if found else None

    def busy_workspaces(self) -> frozenset[str]:
        """The workspaces of all jobs that wait or run."""
        with self._lock:
            return frozenset(entry.workspace for entry in self._entries.values())

    def is_owned(self, job_id: str, *, workspace: str) -> bool:
        """Whether this is an unfinished job of this workspace."""
        with self._lock:
            entry = self._entries.get(job_id)
            return entry is not None and entry.workspace == workspace

    def cancel(self, job_id: str, *, workspace: str) -> bool:
        """Ask a job of this workspace to stop; False when it has no such unfinished job.

        A waiting job ends at once, a running one at its next event, or when its handle has stopped what it follows.
        """
        with self._lock:
            entry = self._entries.get(job_id)
            if entry is None or entry.workspace != workspace:
                return False
            if entry.job.state is State.RUNNING and entry.handle:
                entry.handle.stop()
                entry.job = replace(entry.job, stopping=True)
                return True
            entry.cancelled.set()
            if entry.job.state is State.WAITING:
                entry.work.close()
                self._end(entry, State.CANCELLED)
            return True

    def erase(self, workspace: str) -> None:
        """Stop the job of this workspace and remove the folder: what the job has so far is kept no more."""
        with self._lock:
            for entry in [entry for entry in self._entries.values() if entry.workspace == workspace]:
                if entry.handle:
                    entry.handle.drop()
                    entry.handle = None
                self.cancel(entry.job.id, workspace=workspace)
            self._workspaces.erase(workspace)

    def close(self) -> None:
        """Stop the threads; a running job counts as interrupted, but what has a handle goes on."""
        with self._lock:
            self._closing = True
            for entry in self._entries.values():
                entry.cancelled.set()
            self._lock.notify_all()
        deadline = time.monotonic() + 30
        for thread in self._threads:
            thread.join(timeout=max(deadline - time.monotonic(), 0))

    def _line(self, apart: bool) -> list[_Entry]:
        return [entry for entry in self._entries.values() if (entry.job.kind in self._apart) == apart]

    def _drain(self, apart: bool) -> None:
        while True:
            with self._lock:
                self._lock.wait_for(lambda: self._line(apart) or self._closing)
                line = self._line(apart)
                if self._closing:
                    for entry in line:
                        self._end(entry, State.INTERRUPTED)
                    return
                entry = line[0]
                entry.job = replace(entry.job, state=State.RUNNING, started=time.time())
                self._keep(entry)
            self._run(entry)

    def _run(self, entry: _Entry) -> None:
        try:
            outcome: dict[str, Any] = {}
            while not entry.cancelled.is_set():
                try:
                    event = next(entry.work)
                except StopIteration as end:
                    outcome = {"state": State.DONE, "result": as_json(end.value)}
                    break
                so_far = entry.job.result if event.partial is None else as_json(event.partial)
                with self._lock:
                    entry.job = replace(
                        entry.job, done=event.done, total=event.total, result=so_far, told_left=event.seconds_left
                    )
            entry.work.close()  # its `finally` blocks clean up
            outcome = outcome or {"state": State.INTERRUPTED if self._closing else State.CANCELLED}
        except AppError as error:
            outcome = {"state": State.FAILED, "error": error.key, "error_params": error.params}
            outcome |= {"trace": write_trace(error)} if self._traces else {}
        except Exception as error:
            incident = secrets.token_hex(4)
            logger.exception("incident %s in job %s", incident, entry.job.kind)
            outcome = {"state": State.FAILED, "error": "error.incident", "error_params": {"incident": incident}}
            outcome |= {"trace": write_trace(error)} if self._traces else {}
        with self._lock:
            entry.job = replace(entry.job, **{k: v for k, v in outcome.items() if k != "state"})
            self._end(entry, outcome["state"])

    def _remaining(self, entry: _Entry) -> float | None:
        """Seconds until this job is over; None when nobody knows."""
        left = entry.job.seconds_left
        if left is not None:
            return left
        before = self._durations.get(entry.job.kind)
        expected = entry.seconds or (sum(before) / len(before) if before else 0.0)
        if not expected:
            return None
        elapsed = time.time() - entry.job.started if entry.job.state is State.RUNNING else 0.0
        return max(expected - elapsed, 1.0)

    def _end(self, entry: _Entry, state: State) -> None:
        entry.job = replace(entry.job, state=state, ended=time.time())
        if state is State.DONE:
            lasted = self._durations.setdefault(entry.job.kind, deque(maxlen=_REMEMBERED))
            lasted.append(entry.job.ended - entry.job.started)
        del self._entries[entry.job.id]
        self._keep(entry)

    def _keep(self, entry: _Entry) -> None:
        """Write where a job stands, unless its visitor has erased everything.

        A full disk loses what came of it, never the thread that all others wait for.
        """
        if not (self._workspaces.folder / entry.workspace / "jobs").is_dir():
            return
        try:
            self._write(entry.job, entry.workspace)
        except OSError:
            logger.exception("job %s cannot be kept", entry.job.kind)

    def _write(self, job: Job, workspace: str) -> None:
        folder = self._workspaces.open(workspace) / "jobs"
        partial = folder / f"{job.id}.partial"
        partial.write_text(json.dumps(asdict(job), ensure_ascii=False), encoding="utf-8")
        partial.replace(folder / f"{job.id}.json")

    def _take_up_left_over(self, revive: Mapping[str, Revive]) -> None:
        """Put what an app left behind, and what goes on without it, into the line again, in the order it came in."""
        left: list[tuple[Job, Path]] = []
        for path in self._workspaces.folder.glob("*/jobs/*.json"):
            job = _read(path)
            if job.state in UNFINISHED or (job.state is State.INTERRUPTED and job.kind in revive):
                left.append((job, path))
        for job, path in sorted(left, key=lambda pair: pair[0].submitted):
            workspace = path.parent.parent
            begun = revive[job.kind](job, workspace) if job.kind in revive else None
            if begun is None or any(entry.workspace == workspace.name for entry in self._entries.values()):
                ended = replace(job, state=State.INTERRUPTED, ended=job.ended or time.time())
                path.write_text(json.dumps(asdict(ended), ensure_ascii=False), encoding="utf-8")
                continue
            waiting = replace(job, state=State.WAITING, done=0, total=0, ended=0.0, stopping=False, told_left=None)
            self._entries[job.id] = _Entry(waiting, workspace.name, begun.work(), begun.handle, begun.seconds)


def _read(path: Path) -> Job:
    stored = json.loads(path.read_text(encoding="utf-8"))
    return Job(**stored | {"state": State(stored["state"])})
