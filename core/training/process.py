"""The process of a run: it claims the folder, lets itself be stopped, and never ends without saying why."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.errors import Busy
from core.tasks.task import Hyperparameters
from core.training.config import read_config, write_config
from core.training.events import LAST, Event, EventLog, Failed, Finished, Step, read_events
from core.training.failures import explain, killed
from core.training.folder import RunFolder, name_launch, name_meeting

logger = logging.getLogger(__name__)

SECONDS_TO_CLAIM = 10.0  # for the first process, once the others run, to come so far that it has claimed the run


class StopSwitch:
    """Whether somebody asked this process to stop: by SIGTERM or SIGINT, or by the file ``stop`` on any system."""

    def __init__(self, folder: RunFolder) -> None:
        self._file = folder.stop
        self._signalled = False

    def __call__(self) -> bool:
        """Whether it was asked."""
        return self._signalled or self._file.exists()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals inside; only the main thread of a process can."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {name: signal.signal(name, self._hear) for name in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for name, handler in before.items():
                signal.signal(name, handler)

    def _hear(self, *_: Any) -> None:
        self._signalled = True


def work(path: Path, *, config_file: Path | None = None) -> Event:
    """Do or go on with the run in `path` until it ends, and return how.

    Raises:
        Busy: another process works on it.
    """
    folder, rank = RunFolder(path), int(os.environ.get("RANK", "0"))
    log, switch = EventLog(folder.events), StopSwitch(folder)
    with switch.listening():
        if rank:
            return _follow(folder, log, switch, config_file, rank=rank)
        finished = _take_over(folder, log, anew=config_file is not None)
        if finished:
            return finished
        log = EventLog(folder.events, since=folder.claim())
        try:
            outcome = _train(folder, log, switch, config_file)
        finally:
            folder.stop.unlink(missing_ok=True)
        log.write(outcome)
    return outcome


def _follow(folder: RunFolder, log: EventLog, switch: StopSwitch, config_file: Path | None, *, rank: int) -> Event:
    """Work as another process than the first, which tells everything but what this one dies of.

    On another machine too, where the machines share the folder; where they do not, only its terminal tells it.
    """
    began, before = time.monotonic(), folder.read_process()
    events, _ = read_events(folder.events)
    if config_file is None and events and isinstance(events[-1], Finished):
        return events[-1]
    outcome = _train(folder, log, switch, config_file)
    if isinstance(outcome, Failed):
        outcome = replace(outcome, process=rank)
        claimed = _find_claim(folder, before, deadline=began + SECONDS_TO_CLAIM)
        if claimed is not None:
            EventLog(folder.events, since=int(claimed["offset"])).write(outcome)
    return outcome


def _find_claim(folder: RunFolder, before: Mapping[str, Any], *, deadline: float) -> Mapping[str, Any] | None:
    """What the first process of this launch wrote when it claimed the run; None if it is not this launch's.

    A launch is known by its launcher, which is another on every machine, or by where its processes meet. An earlier one
    may have met there too: what lay there `before` is taken for this one's when the first process has had its time.
    """
    while True:
        claimed, over = folder.read_process(), time.monotonic() > deadline
        if claimed.get("launch") == name_launch() != "":
            return claimed
        if claimed.get("meeting") == name_meeting() != "" and (over or claimed != before):
            return claimed
        if over:
            return None
        time.sleep(0.1)


def _take_over(folder: RunFolder, log: EventLog, *, anew: bool) -> Finished | None:
    """Check that this process may work on the run from now on; how it ended when there is nothing left to do."""
    folder.path.mkdir(parents=True, exist_ok=True)
    events, _ = read_events(folder.events)
    claimed = folder.read_process()
    told, _ = read_events(folder.events, offset=int(claimed.get("offset", 0)))
    # The program that started this process, or torchrun above it, may have claimed the run on its behalf; and one that
    # has said its last word may need a moment to be gone. The word of another than the first says nothing of the first.
    mine = claimed.get("pid") in (os.getpid(), os.getppid())
    over = bool(told) and isinstance(told[-1], LAST) and getattr(told[-1], "process", 0) == 0
    if not mine and not over and folder.is_worked_on():
        raise Busy("error.training.running")
    if events and isinstance(events[-1], Finished) and not anew:
        return events[-1]
    folder.stop.unlink(missing_ok=True)
    if events and not isinstance(events[-1], LAST):
        log.write(killed(step=last_step(events)))
    return None


def _train(folder: RunFolder, log: EventLog, switch: StopSwitch, config_file: Path | None) -> Event:
    """Train; whatever goes wrong becomes the event that tells it."""
    settings = Hyperparameters()
    try:
        config = read_config(folder.config if config_file is None else config_file)
        if config_file is not None and int(os.environ.get("RANK", "0")) == 0:
            write_config(config, folder.config)
        settings = config.hyperparameters
        from core.training.engine import train

        return train(folder, config, asked=switch, log=log)
    except Exception as error:  # the boundary: an error that left here would leave no word of itself
        logger.exception("the run failed")
        return explain(error, settings, step=last_step(read_events(folder.events)[0]))


def last_step(events: Sequence[Event]) -> int:
    """The last step that was told of, 0 before the first."""
    return next((event.step for event in reversed(events) if isinstance(event, Step)), 0)


def succeeded(event: Event) -> bool:
    """Whether a run that ended with `event` ended well."""
    return not isinstance(event, Failed)
