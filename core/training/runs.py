"""The runs of a folder: make one, start it in a process that outlives this program, watch, stop, compare, delete.

What a run is lies in its own folder, so any program that looks there, now or after a restart, sees the same.
"""

from __future__ import annotations

import re
import secrets
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from core.errors import AppError, Busy, InvalidInput
from core.settings import ROOT
from core.training.config import RunConfig, describe_differences, read_config, write_config
from core.training.events import (
    LAST,
    Evaluated,
    Event,
    EventLog,
    Failed,
    Finished,
    Started,
    Step,
    Stopped,
    drop_overtaken,
    read_events,
)
from core.training.failures import killed
from core.training.folder import CONFIG, RunFolder
from core.training.process import last_step

_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6,32}")


class RunState(StrEnum):
    """Where a run stands."""

    WAITING = "waiting"  # made, not started
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"  # by request, with a checkpoint
    INTERRUPTED = "interrupted"  # its process is gone without a word


RESUMABLE = frozenset({RunState.WAITING, RunState.FAILED, RunState.STOPPED, RunState.INTERRUPTED})


@dataclass(frozen=True, slots=True)
class Run:
    """One run as it stands; `created` in seconds since the epoch, `failure` of a run that failed or was killed."""

    id: str
    folder: RunFolder
    config: RunConfig | None  # None when it cannot be read any more
    state: RunState
    created: float
    step: int = 0
    total: int = 0
    seconds_left: float | None = None
    best: Evaluated | None = None
    failure: Failed | None = None

    @property
    def has_model(self) -> bool:
        """Whether a model has been written."""
        return (self.folder.model / "config.json").is_file()


@dataclass(frozen=True, slots=True)
class Comparison:
    """Several runs side by side: in which settings they differ, and the steps and evaluations of each."""

    runs: tuple[Run, ...]
    differences: dict[str, tuple[Any, ...]]
    steps: tuple[tuple[Step, ...], ...]
    evaluations: tuple[tuple[Evaluated, ...], ...]


class RunStore:
    """The runs below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def create(self, config: RunConfig) -> Run:
        """Make a run that waits to be started; nobody can guess the end of its id."""
        identity = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(16)}"
        folder = RunFolder((self._folder / identity).resolve())
        folder.path.mkdir(parents=True)
        write_config(config, folder.config)
        return self.view(identity)

    def list(self) -> tuple[Run, ...]:
        """All runs, the newest first."""
        names = sorted((path.parent.name for path in self._folder.glob(f"*/{CONFIG}")), reverse=True)
        return tuple(self.view(name) for name in names if _ID.fullmatch(name))

    def view(self, identity: str) -> Run:
        """One run as it stands now.

        Raises:
            InvalidInput: there is none of this id.
        """
        folder = self._find(identity)
        events = drop_overtaken(read_events(folder.events)[0])
        state = read_state(folder)
        steps = [event for event in events if isinstance(event, Step)]
        started = next((event for event in reversed(events) if isinstance(event, Started)), None)
        ended = events[-1] if events and isinstance(events[-1], LAST) else None
        best = [event for event in events if isinstance(event, Evaluated) and event.best]
        failure = ended if state is RunState.FAILED and isinstance(ended, Failed) else None
        if state is RunState.INTERRUPTED:
            failure = killed(step=last_step(events))
        try:
            config = read_config(folder.config)
        except AppError:
            config = None
        return Run(
            id=identity,
            folder=folder,
            config=config,
            state=state,
            created=time.mktime(time.strptime(identity[:15], "%Y%m%d-%H%M%S")),
            step=max([ended.step if ended else 0, steps[-1].step if steps else 0, started.step if started else 0]),
            total=started.total if started else 0,
            seconds_left=steps[-1].seconds_left if steps and state is RunState.RUNNING else None,
            best=best[-1] if best else None,
            failure=failure,
        )

    def events(self, identity: str, *, offset: int = 0) -> tuple[tuple[Event, ...], int]:
        """The events of a run from an offset on, and the offset to ask from next time."""
        return read_events(self._find(identity).events, offset=offset)

    def start(self, identity: str, *, processes: int = 1) -> Run:
        """Start a run, or go on with one that stopped, in a process that outlives this program.

        Raises:
            InvalidInput: there is none of this id.
            Busy: it is running.
        """
        folder = self._find(identity)
        if read_state(folder) is RunState.RUNNING:
            raise Busy("error.training.running")
        events, _ = read_events(folder.events)
        if events and not isinstance(events[-1], LAST):
            EventLog(folder.events).write(killed(step=last_step(events)))
        folder.stop.unlink(missing_ok=True)
        several = (
            ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)) if processes > 1 else ()
        )
        detached: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            detached = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.DETACHED_PROCESS}
        with folder.log.open("ab") as output:  # a pipe that nobody reads would fill and hold the process
            process = subprocess.Popen(
                [sys.executable, *several, "-m", "core.training", str(folder.path)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                **detached,
            )
        folder.claim(process.pid)
        # Whoever started a process has to take note of its end, or it stays in the system's table.
        threading.Thread(target=process.wait, name=f"run {identity}", daemon=True).start()
        return self.view(identity)

    def stop(self, identity: str) -> None:
        """Ask a run to save a checkpoint and stop; it does so after the step it is in.

        Raises:
            InvalidInput: there is none of this id.
        """
        folder = self._find(identity)
        if read_state(folder) is RunState.RUNNING:
            folder.stop.touch()

    def kill(self, identity: str) -> None:
        """End a run's process and all that it started, at once; what it was about to save is lost.

        Raises:
            InvalidInput: there is none of this id.
        """
        import psutil

        folder = self._find(identity)
        if not folder.is_worked_on():
            return
        with suppress(psutil.Error):
            process = psutil.Process(int(folder.read_process()["pid"]))
            family = [process, *process.children(recursive=True)]
            for one in family:
                with suppress(psutil.Error):
                    one.kill()
            psutil.wait_procs(family, timeout=10)

    def delete(self, identity: str) -> None:
        """Remove a run with everything it made.

        Raises:
            InvalidInput: there is none of this id.
            Busy: it is running.
        """
        folder = self._find(identity)
        if read_state(folder) is RunState.RUNNING:
            raise Busy("error.training.running")
        shutil.rmtree(folder.path)

    def compare(self, identities: Sequence[str]) -> Comparison:
        """Put runs side by side.

        Raises:
            InvalidInput: there is none of one of these ids.
        """
        runs = tuple(self.view(identity) for identity in identities)
        events = [drop_overtaken(read_events(run.folder.events)[0]) for run in runs]
        return Comparison(
            runs,
            describe_differences([run.config for run in runs if run.config]),
            tuple(tuple(event for event in one if isinstance(event, Step)) for one in events),
            tuple(tuple(event for event in one if isinstance(event, Evaluated)) for one in events),
        )

    def _find(self, identity: str) -> RunFolder:
        folder = RunFolder((self._folder / identity).resolve())
        if not _ID.fullmatch(identity) or not folder.config.exists():
            raise InvalidInput("error.training.no_run", id=identity[:40])
        return folder


def read_state(folder: RunFolder) -> RunState:
    """Where a run stands, from its events and from whether its process lives."""
    offset = int(folder.read_process().get("offset", -1))
    if offset < 0:
        return RunState.WAITING
    events, _ = read_events(folder.events, offset=offset)
    ends = {Finished: RunState.DONE, Stopped: RunState.STOPPED, Failed: RunState.FAILED}
    if events and type(events[-1]) in ends:
        return ends[type(events[-1])]
    if folder.is_worked_on():
        return RunState.RUNNING
    # It may have written its last word between the two looks.
    events, _ = read_events(folder.events, offset=offset)
    return ends.get(type(events[-1]), RunState.INTERRUPTED) if events else RunState.INTERRUPTED
