"""What a page shows of a run, finished or not: its folder read into plain values, without a path or an id of a visitor.

A run that was recorded for this project lies in the same form under ``assets/runs``.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from core.i18n import ASSETS
from core.jobs import UNFINISHED
from core.settings import ROOT
from core.tasks.registry import find_task
from core.training.config import RunConfig, parse_config, read_config
from core.training.diagnosis import Finding, diagnose
from core.training.events import (
    Evaluated,
    Failed,
    Finished,
    Saved,
    Started,
    Step,
    Stopped,
    drop_overtaken,
    plain,
    read_events,
)
from core.training.folder import RunFolder
from core.training.runs import RESUMABLE, RunState, RunStore

RECORDED = ASSETS / "runs"
LOG_LINES = 20
LOG_BYTES = 20_000  # from the end of the log, in which so many lines are looked for


@dataclass(frozen=True)
class Record:
    """One run as plain JSON values; `key` names it, seconds are as the machine that ran it measured them.

    `steps` are rows of step, loss, learning rate, gradient norm and examples per second; None where a number is none.
    `evaluations` are `core.training.events.Evaluated`. `facts` is `core.training.events.Started`, {} before it.
    `trivial` is the metric of always giving the most frequent answer of the validation part, where it is a share of
    right answers. `rows` are the broken rows that were told of.
    """

    key: str
    state: str
    config: Mapping[str, Any]
    metric: str
    greater_is_better: bool
    created: float = 0.0  # seconds since the epoch
    step: int = 0
    total: int = 0
    seconds: float = 0.0  # from its first event to its last
    seconds_left: float | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    steps: tuple[tuple[float | None, ...], ...] = ()
    evaluations: tuple[Mapping[str, Any], ...] = ()
    saved: int = 0  # the step of the newest checkpoint
    early: bool = False
    failure: Mapping[str, Any] | None = None
    findings: tuple[Finding, ...] = ()
    trivial: float | None = None
    scores: Mapping[str, Any] = field(default_factory=dict)  # what metrics.json says
    model: bool = False  # whether there is one
    recorded: bool = False
    job: str = ""
    followed: bool = False  # whether that job waits or runs: the run has a place in the line
    log: tuple[str, ...] = ()

    @property
    def unfinished(self) -> bool:
        """Whether it waits for its turn or runs."""
        return self.followed or self.state == RunState.RUNNING

    @property
    def resumable(self) -> bool:
        """Whether it can go on."""
        return self.state in RESUMABLE and not self.recorded and not self.followed

    @property
    def best(self) -> Mapping[str, Any] | None:
        """The evaluation whose weights are kept."""
        return next((one for one in reversed(self.evaluations) if one["best"]), None)


def read_record(folder: RunFolder, *, key: str) -> Record:
    """A visitor's run as it stands.

    Raises:
        InvalidInput: its folder is gone, or its configuration cannot be read.
    """
    run = RunStore(folder.path.parent).view(folder.path.name)
    config = read_config(folder.config)
    record = _read(folder, config, key=key)
    failure = asdict(run.failure) if run.failure else None
    return replace(
        record,
        state=str(run.state),
        created=run.created,
        step=run.step,
        total=run.total,
        seconds_left=run.seconds_left,
        failure=plain(failure),
        model=run.has_model,
        job=read_job(folder),
        followed=is_followed(folder),
        log=_read_log(folder),
    )


def read_recorded(name: str, *, root: Path = RECORDED) -> Record:
    """A run that was recorded for this project.

    Raises:
        KeyError: there is none of this name.
    """
    if name not in list_recorded(root=root):
        raise KeyError(name)
    folder = RunFolder(root / name)
    record = _read(folder, read_config(folder.config), key=name)
    state = RunState.DONE if record.scores else RunState.FAILED
    return replace(record, state=str(state), recorded=True)


def list_recorded(*, root: Path = RECORDED) -> tuple[str, ...]:
    """The names of the recorded runs."""
    return tuple(sorted(path.parent.name for path in root.glob("*/config.json")))


def version_of(folder: RunFolder) -> tuple[Any, ...]:
    """Changes whenever a record of the run would."""
    state = RunStore(folder.path.parent).view(folder.path.name).state
    written = folder.events.stat().st_size if folder.events.exists() else 0
    return str(state), written, read_job(folder), is_followed(folder)


def write_job(folder: RunFolder, job: str) -> None:
    """Note which job follows the run."""
    (folder.path / "job").write_text(job, encoding="utf-8")


def read_job(folder: RunFolder) -> str:
    """The job that follows the run, '' before the first."""
    try:
        return (folder.path / "job").read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def is_followed(folder: RunFolder) -> bool:
    """Whether the job that follows the run waits or runs, as it lies in the run's workspace."""
    job = read_job(folder)
    return bool(job) and _read_json(folder.path.parent.parent / "jobs" / f"{job}.json").get("state") in UNFINISHED


def publish(config: RunConfig) -> dict[str, Any]:
    """A configuration as anybody may see it: of files only their names, for where they lie tells whose they are."""
    data = config.data
    data = replace(data, train=_hide(data.train), validation=_hide(data.validation), test=_hide(data.test))
    return replace(config, data=data, model=_hide(config.model)).as_json()


def _hide(place: str) -> str:
    """The name of a file or folder that is named by its path, as its owner knows it; samples and ids as they are."""
    path = Path(place)
    if not path.is_absolute():
        return place
    called = _read_json(path.with_suffix(".json")).get("called")  # what was brought is kept under another name
    return str(called or path.name)


def _read(folder: RunFolder, config: RunConfig, *, key: str) -> Record:
    task = find_task(config.task)
    events = drop_overtaken(read_events(folder.events)[0])
    steps = [event for event in events if isinstance(event, Step)]
    evaluations = [event for event in events if isinstance(event, Evaluated)]
    started = next((event for event in reversed(events) if isinstance(event, Started)), None)
    ended = next((event for event in reversed(events) if isinstance(event, Finished | Stopped | Failed)), None)
    saved = [event.step for event in events if isinstance(event, Saved)]
    trivial = _score_trivially(folder, task.metric)
    scores = _read_json(folder.metrics)
    return Record(
        key=key,
        state="",
        config=publish(config),
        metric=task.metric,
        greater_is_better=task.greater_is_better,
        created=events[0].time if events else 0.0,
        step=max([ended.step if ended else 0, steps[-1].step if steps else 0]),
        total=started.total if started else 0,
        seconds=_count_seconds(events),
        facts=plain(started) if started else {},
        steps=tuple(
            tuple(plain([e.step, e.loss, e.learning_rate, e.gradient_norm, e.samples_per_second])) for e in steps
        ),
        evaluations=tuple(plain(event) for event in evaluations),
        saved=saved[-1] if saved else 0,
        early=isinstance(ended, Finished) and ended.early,
        findings=diagnose(
            steps,
            evaluations,
            config.hyperparameters,
            metric=task.metric,
            greater_is_better=task.greater_is_better,
            trivial=trivial,
            validation=started.validation if started else 1,
        ),
        trivial=trivial,
        scores=plain(scores),
        failure=plain(asdict(ended)) if isinstance(ended, Failed) else None,
        model=bool(scores),
    )


def _count_seconds(events: Sequence[Any]) -> float:
    """Seconds of work: the time between a run's stop and its going on does not count."""
    seconds = 0.0
    for before, after in pairwise(events):
        if not isinstance(after, Started):
            seconds += after.time - before.time
    return seconds


def _score_trivially(folder: RunFolder, metric: str) -> float | None:
    """The share of the most frequent gold answer among the predictions that were kept."""
    if metric != "accuracy" or not folder.predictions.is_file():
        return None
    try:
        golds = [
            str(json.loads(line)["gold"])
            for line in folder.predictions.read_text(encoding="utf-8").splitlines()
            if line
        ]
    except (OSError, ValueError, KeyError):
        return None
    return Counter(golds).most_common(1)[0][1] / len(golds) if golds else None


def _read_log(folder: RunFolder) -> tuple[str, ...]:
    """The end of what the process wrote, without the place where it lies."""
    try:
        with folder.log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - LOG_BYTES))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ()
    for place in (folder.path, folder.path.parent.parent, ROOT, Path(sys.prefix), Path.home()):
        text = text.replace(str(place), "…")
    return tuple(text.splitlines()[-LOG_LINES:])


def _read_json(path: Path) -> dict[str, Any]:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}


def as_config(public: Mapping[str, Any]) -> RunConfig:
    """A public configuration as a typed one, to compare it; its files are named, not found."""
    return parse_config(dict(public))
