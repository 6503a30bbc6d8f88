"""Work of more than two seconds: a job with an id, which outlives the connection that asked for it.

A job is a generator of `Progress` events whose return value is the result. One thread works through the line, so two
jobs never compete for the cores; every workspace has at most one unfinished job, which makes first come, first served
fair. What a job is and what came of it lies as JSON in the workspace, so a restarted app still knows.
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from core.errors import AppError, Busy
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


@dataclass(frozen=True)
class Progress:
    """`done` of `total` steps; `total` 0 when nobody knows.

    `partial` is a result so far, of the same form as the final one (losses up to here): it is shown while the job runs
    and stays when it is stopped. None leaves the one before.
    """

    done: int
    total: int
    partial: Any = None


Work = Generator[Progress, None, Any]


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

    @property
    def seconds_left(self) -> float | None:
        """Estimated from the pace so far; None before the first step."""
        if self.state is not State.RUNNING or not self.done or not self.total:
            return None
        elapsed = time.time() - self.started
        return elapsed / self.done * (self.total - self.done)


@dataclass
class _Entry:
    job: Job
    workspace: str
    work: Work
    cancelled: threading.Event = field(default_factory=threading.Event)


class JobRegistry:
    """The line of jobs and the thread that works through it."""

    def __init__(self, workspaces: Workspaces, *, waiting_limit: int = 20) -> None:
        self._workspaces = workspaces
        self._waiting_limit = waiting_limit
        self._entries: dict[str, _Entry] = {}  # unfinished jobs only, in the order of the line
        self._lock = threading.Condition()
        self._closing = False
        self._interrupt_left_over()
        self._thread = threading.Thread(target=self._drain, name="jobs", daemon=True)
        self._thread.start()

    def submit(self, workspace: str, *, kind: str, work: Callable[[], Work]) -> str:
        """Put `work` into the line; returns the id of its job.

        Raises:
            Busy: this workspace has an unfinished job, or the line is full.
        """
        with self._lock:
            if any(entry.workspace == workspace for entry in self._entries.values()):
                raise Busy("error.job.one_each")
            if len(self._entries) >= self._waiting_limit:
                raise Busy("error.job.line_full", waiting=len(self._entries))
            job = Job(id=secrets.token_hex(16), kind=kind, submitted=time.time())
            self._entries[job.id] = _Entry(job, workspace, work())
            self._write(job, workspace)
            self._lock.notify()
            return job.id

    def view(self, job_id: str) -> Job | None:
        """The job as it stands, None when the id names none."""
        with self._lock:
            if entry := self._entries.get(job_id):
                waiting = [e.job.id for e in self._entries.values() if e.job.state is State.WAITING]
                return replace(entry.job, position=waiting.index(job_id) + 1 if job_id in waiting else 0)
        if not (job_id.isalnum() and job_id.isascii()):
            return None
        found = next(self._workspaces.folder.glob(f"*/jobs/{job_id}.json"), None)
        return _read(found) if found else None

    def unfinished(self, workspace: str) -> Job | None:
        """The one job of this workspace that waits or runs."""
        with self._lock:
            mine = next((e.job.id for e in self._entries.values() if e.workspace == workspace), None)
        return self.view(mine) if mine else None

    def busy_workspaces(self) -> frozenset[str]:
        """The workspaces of all jobs that wait or run."""
        with self._lock:
            return frozenset(entry.workspace for entry in self._entries.values())

    def cancel(self, job_id: str, *, workspace: str) -> bool:
        """Ask a job of this workspace to stop; False when it has no such unfinished job.

        A waiting job ends at once, a running one at its next event.
        """
        with self._lock:
            entry = self._entries.get(job_id)
            if entry is None or entry.workspace != workspace:
                return False
            entry.cancelled.set()
            if entry.job.state is State.WAITING:
                entry.work.close()
                self._end(entry, State.CANCELLED)
            return True

    def close(self) -> None:
        """Stop the thread; a running job counts as interrupted."""
        with self._lock:
            self._closing = True
            for entry in self._entries.values():
                entry.cancelled.set()
            self._lock.notify()
        self._thread.join(timeout=30)

    def _drain(self) -> None:
        while True:
            with self._lock:
                self._lock.wait_for(lambda: self._entries or self._closing)
                if self._closing:
                    for entry in list(self._entries.values()):
                        self._end(entry, State.INTERRUPTED)
                    return
                entry = next(iter(self._entries.values()))
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
                    entry.job = replace(entry.job, done=event.done, total=event.total, result=so_far)
            entry.work.close()  # its `finally` blocks clean up
            outcome = outcome or {"state": State.INTERRUPTED if self._closing else State.CANCELLED}
        except AppError as error:
            outcome = {"state": State.FAILED, "error": error.key, "error_params": error.params}
        except Exception:
            incident = secrets.token_hex(4)
            logger.exception("incident %s in job %s", incident, entry.job.kind)
            outcome = {"state": State.FAILED, "error": "error.incident", "error_params": {"incident": incident}}
        with self._lock:
            entry.job = replace(entry.job, **{k: v for k, v in outcome.items() if k != "state"})
            self._end(entry, outcome["state"])

    def _end(self, entry: _Entry, state: State) -> None:
        entry.job = replace(entry.job, state=state, ended=time.time())
        del self._entries[entry.job.id]
        self._keep(entry)

    def _keep(self, entry: _Entry) -> None:
        """Write where a job stands; a full disk loses what came of it, never the thread that all others wait for."""
        try:
            self._write(entry.job, entry.workspace)
        except OSError:
            logger.exception("job %s cannot be kept", entry.job.kind)

    def _write(self, job: Job, workspace: str) -> None:
        folder = self._workspaces.open(workspace) / "jobs"
        folder.mkdir(exist_ok=True)
        partial = folder / f"{job.id}.partial"
        partial.write_text(json.dumps(asdict(job), ensure_ascii=False), encoding="utf-8")
        partial.replace(folder / f"{job.id}.json")

    def _interrupt_left_over(self) -> None:
        for path in self._workspaces.folder.glob("*/jobs/*.json"):
            job = _read(path)
            if job.state in UNFINISHED:
                ended = replace(job, state=State.INTERRUPTED, ended=time.time())
                path.write_text(json.dumps(asdict(ended), ensure_ascii=False), encoding="utf-8")


def _read(path: Path) -> Job:
    stored = json.loads(path.read_text(encoding="utf-8"))
    return Job(**stored | {"state": State(stored["state"])})
