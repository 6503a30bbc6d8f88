"""A run as a job: it waits its turn, is started in a process of its own, and is followed until it ends.

Closing the job stops following, never the run: an app that is closed leaves it at work, and the next one takes it up.
"""

from __future__ import annotations

import logging
import shutil
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from core.errors import AppError
from core.jobs import Begun, Job, Progress, Work
from core.training.own import RUNS, key_of, name_model, open_store
from core.training.records import read_record
from core.training.runs import RunState, RunStore

logger = logging.getLogger(__name__)

JOB = "train"  # the kind of these jobs
PAUSE = 0.5  # seconds from one look at the run to the next
PRIORITY = 5  # how far a run steps back behind the page that others are looking at


class RunHandle:
    """Stops a run and keeps what it has, or ends it at once."""

    def __init__(self, store: RunStore, identity: str) -> None:
        self._store = store
        self._identity = identity

    def stop(self) -> None:
        """Ask for a checkpoint and the model so far."""
        with suppress(AppError):
            self._store.stop(self._identity)

    def drop(self) -> None:
        """Kill its process."""
        with suppress(AppError):
            self._store.kill(self._identity)


def begin(workspace: Path, identity: str, *, start: bool = True) -> Begun:
    """The job of a run that lies in a workspace; without `start` one that stands still is only told of."""
    work = partial(follow, workspace, identity, start=start)
    return Begun(work, RunHandle(open_store(workspace), identity))


def follow(workspace: Path, identity: str, *, start: bool) -> Work:
    """Start a run or go on with it, and give its `Record` again and again until it has ended.

    Raises:
        InvalidInput: the run is gone.
        Busy: somebody else has started it meanwhile.
    """
    store = open_store(workspace)
    run = store.view(identity)
    if start and run.state is not RunState.RUNNING:
        run = store.start(identity)
        _step_back(int(run.folder.read_process().get("pid", 0)))
    while True:
        record = read_record(run.folder, key=key_of(identity))
        yield Progress(record.step, record.total, partial=record, seconds_left=record.seconds_left)
        if record.state != RunState.RUNNING:
            break
        time.sleep(PAUSE)
    if record.state == RunState.DONE:
        shutil.rmtree(run.folder.checkpoints, ignore_errors=True)  # nothing goes on from there
    if record.model:
        _keep_predictions(workspace, run.folder)
    return record


def revive(job: Job, workspace: Path) -> Begun | None:
    """How to follow again what an earlier app started; None when the run is gone or another job's."""
    store = open_store(workspace)
    for path in (workspace / RUNS).glob("*/job"):
        if path.read_text(encoding="utf-8") != job.id:
            continue
        with suppress(AppError):
            run = store.view(path.parent.name)
            return begin(workspace, run.id, start=run.state is RunState.WAITING or not job.started)
    return None


def _keep_predictions(workspace: Path, folder: Any) -> None:
    """Keep what the model said of the validation part as a table for error analysis, where there is one of its kind."""
    from core.analysis.sources import keep, open_run

    try:
        keep(workspace, name_model(folder), open_run(folder))
    except AppError as error:
        logger.info("no table of errors: %s", error)


def _step_back(pid: int) -> None:
    import psutil

    with suppress(psutil.Error, OSError):
        process = psutil.Process(pid)
        process.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS if psutil.WINDOWS else PRIORITY)
