"""Runs in processes of their own: they outlive the program, survive ``kill -9``, stop when asked, and come in twos."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from core.data.source import DataSource
from core.errors import Busy, InvalidInput
from core.settings import ROOT
from core.training import folder as training_folder
from core.training import process
from core.training.config import RunConfig, write_config
from core.training.estimate import estimate
from core.training.events import LAST, Evaluated, EventLog, Failed, Saved, Started, Step, follow
from core.training.folder import RunFolder
from core.training.process import work
from core.training.runs import RunState, RunStore, read_state
from tests.training.tiny import (
    FAST,
    distance,
    events_of,
    review_config,
    reviews,
    run_task,
    tagging_config,
    write_rows,
)

SECONDS = 240  # a machine may be busy
pytestmark = pytest.mark.timeout(600)


def wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_killed_run_goes_on_to_the_same_end(tmp_path: Path, encoder: Path) -> None:
    """``kill -9`` inside an epoch, then a stop, then the same command: the weights are equal, bit by bit."""
    config = review_config(tmp_path, encoder, train=80, validation=8, epochs=10, evaluate_every=7)
    store = RunStore(tmp_path / "runs")
    run = store.create(config)
    assert (run.state, run.config, run.failure) == (RunState.WAITING, config, None)
    assert [other.id for other in store.list()] == [run.id]

    def view() -> RunState:
        return store.view(run.id).state

    store.start(run.id)
    with pytest.raises(Busy):
        store.start(run.id)
    with pytest.raises(Busy):
        store.delete(run.id)
    wait(lambda: any(isinstance(event, Step) and event.step > 16 for event in events_of(run.folder.path)))
    os.kill(int(run.folder.read_process()["pid"]), signal.SIGKILL)
    wait(lambda: view() is not RunState.RUNNING)
    killed = store.view(run.id)
    assert killed.state is RunState.INTERRUPTED and 16 < killed.step < 100
    assert killed.failure and killed.failure.cure == "training.cure.resume"

    store.start(run.id)
    wait(lambda: sum(isinstance(event, Started) for event in events_of(run.folder.path)) == 2)
    store.stop(run.id)
    wait(lambda: view() is not RunState.RUNNING)
    stopped = store.view(run.id)
    assert stopped.state is RunState.STOPPED, run.folder.log.read_text(encoding="utf-8")[-2000:]
    assert stopped.has_model and 7 < stopped.step < 100 and stopped.failure is None

    # The command line is the same run.
    command = [sys.executable, "-m", "core.training", str(run.folder.path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=SECONDS)
    done = store.view(run.id)
    assert (done.state, done.step, done.total) == (RunState.DONE, 100, 100)
    run_task(config, tmp_path / "whole")
    assert distance(tmp_path / "whole/model", run.folder.model) == 0.0

    other = store.create(review_config(tmp_path, encoder, epochs=1))
    compared = store.compare([run.id, other.id])
    assert compared.differences["hyperparameters.epochs"] == (10.0, 1.0)
    assert [step.step for step in compared.steps[0]] == list(range(1, 101))
    assert len(compared.evaluations[0]) == 15 and not compared.steps[1]
    store.delete(run.id)
    assert [left.id for left in store.list()] == [other.id] and not run.folder.path.exists()
    for name in (run.id, "../runs", "20200101-000000-abcdef"):
        with pytest.raises(InvalidInput, match="no_run"):
            store.view(name)


def start_two(
    config: RunConfig, folder: Path, *, program: tuple[str, ...] = ("-m", "core.training")
) -> subprocess.CompletedProcess[str]:
    """Train in two processes of this machine, as torchrun starts them."""
    folder.mkdir()
    write_config(config, RunFolder(folder).config)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return subprocess.run(
        [*command, *program, str(folder)],
        cwd=ROOT, check=False, capture_output=True, text=True, timeout=SECONDS,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def tagging(folder: Path, model: Path, batch_size: int) -> RunConfig:
    """A loss over tokens, of which every batch has another number; 22 examples leave 6 for the last step."""
    return tagging_config(folder, model, train=22, batch_size=batch_size)


def contrast(folder: Path, model: Path, batch_size: int) -> RunConfig:
    """A loss over all examples of a step; 17 leave one for the last, so that one process has none."""
    rows = reviews(17)
    triples = [
        {"anchor": row["text"], "positive": row["text"][-8:], "negative": other["text"]}
        for row, other in zip(rows, (*rows[1:], rows[0]), strict=True)
    ]
    pairs = [{"sentence1": row["text"], "sentence2": row["text"][:6], "score": n % 6} for n, row in enumerate(rows)]
    data = DataSource(
        train=write_rows(folder / "train.jsonl", triples), validation=write_rows(folder / "validation.jsonl", pairs)
    )
    settings = replace(FAST, batch_size=batch_size)
    return RunConfig(task="simcse-supervised", data=data, model=str(model), hyperparameters=settings)


@pytest.mark.parametrize("make", [tagging, contrast])
def test_two_processes_train_as_one(tmp_path: Path, steady: Path, make: Callable[..., RunConfig]) -> None:
    """Two batches of 4 are one of 8, also in an epoch's last step, for which there are too few examples."""
    done = start_two(make(tmp_path, steady, 4), tmp_path / "two")
    assert done.returncode == 0, done.stderr[-3000:]
    both, events = run_task(make(tmp_path, steady, 8), tmp_path / "one"), events_of(tmp_path / "two")
    alone = events_of(tmp_path / "one")
    assert isinstance(events[0], Started) and events[0].processes == 2
    assert [type(event) for event in events] == [type(event) for event in alone]  # one process tells
    losses = [[event.loss for event in told if isinstance(event, Step)] for told in (events, alone)]
    assert len(losses[0]) == 6
    assert losses[0] == pytest.approx(losses[1], abs=1e-3)
    metrics = [[dict(event.metrics) for event in told if isinstance(event, Evaluated)] for told in (events, alone)]
    assert metrics[0][-1] == pytest.approx(metrics[1][-1], abs=1e-3, nan_ok=True)
    assert distance(tmp_path / "two/model", tmp_path / "one/model") < 1e-3
    assert both["examples"]["train"] == events[0].examples


DYING = """
import os, signal, sys

from core.libraries import import_transformers

import_transformers()
from core.training.__main__ import main
from core.training.trainer import TaskTrainer

original = TaskTrainer.training_step


def step(self, *arguments):
    if self.state.global_step == 3 and os.environ["RANK"] == "1":
        {death}
    return original(self, *arguments)


TaskTrainer.training_step = step
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("death", "cause", "cure", "process"),
    [
        ("raise MemoryError", "training.cause.memory", "training.cure.batch", 1),
        ("os.kill(os.getpid(), signal.SIGKILL)", "training.cause.killed", "training.cure.resume", 0),
    ],
)
def test_the_second_process_tells_what_it_dies_of(
    tmp_path: Path, steady: Path, death: str, cause: str, cure: str, process: int
) -> None:
    """Its own words are the last of the run, not the broken connection of the first; killed, it leaves it to that."""
    (tmp_path / "dying.py").write_text(DYING.format(death=death), encoding="utf-8")
    config = review_config(tmp_path, steady, batch_size=4)
    done = start_two(config, tmp_path / "run", program=(str(tmp_path / "dying.py"),))
    assert done.returncode == 1
    events = events_of(tmp_path / "run")
    lines = (tmp_path / "run/events.jsonl").read_bytes().splitlines()
    assert len(lines) == len(events) and all(map(json.loads, lines))
    assert isinstance(events[0], Started) and events[0].processes == 2
    assert [event.step for event in events if isinstance(event, Step)] == [1, 2, 3]
    (told,) = (event for event in events if isinstance(event, LAST))
    assert told == events[-1] and isinstance(told, Failed), done.stderr[-3000:]
    assert (told.cause, told.cure, told.process) == (cause, cure, process)
    assert read_state(RunFolder(tmp_path / "run")) is RunState.FAILED


@pytest.mark.parametrize("process", [0, 1])
def test_only_the_first_process_can_give_a_run_up(tmp_path: Path, encoder: Path, process: int) -> None:
    """The others may die while it still saves."""
    folder = RunFolder(tmp_path)
    write_config(replace(tagging(tmp_path, encoder, 4), model="nothing/here"), folder.config)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as first:
        folder.claim(first.pid)
        EventLog(folder.events).write(
            Failed(cause="training.cause.killed", cure="training.cure.resume", process=process)
        )
        try:
            if process == 0:
                assert isinstance(work(folder.path), Failed)  # it worked on it: there is no such model
            else:
                with pytest.raises(Busy):
                    work(folder.path)
        finally:
            first.kill()


@pytest.mark.parametrize(
    ("address", "before", "after", "told"),
    [
        ("here", None, "here", True),  # the first process comes a little later
        ("here", "here", None, True),  # or was there first
        ("here", "there", None, False),  # another launch works on it
        ("here", None, None, False),  # the machines share no folder
    ],
)
def test_a_process_on_another_machine_tells_what_it_dies_of(
    tmp_path: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch,
    address: str, before: str | None, after: str | None, told: bool,
) -> None:  # fmt: skip
    """Its launcher is another one than the first process has; they know each other by where they meet."""
    folder = RunFolder(tmp_path)
    write_config(replace(tagging(tmp_path, encoder, 4), model="nothing/here"), folder.config)
    earlier = Failed(cause="training.cause.killed", cure="training.cure.resume")
    EventLog(folder.events).write(earlier)
    monkeypatch.setattr(process, "SECONDS_TO_CLAIM", 2.0)
    monkeypatch.setenv("MASTER_PORT", "29500")

    def claim(master: str | None) -> None:
        if master:
            with monkeypatch.context() as patch:
                patch.setenv("MASTER_ADDR", master)
                patch.setattr(training_folder, "name_launch", lambda: "another machine's")
                folder.claim()

    def fail(*_: object, **__: object) -> Failed:
        claim(after)
        return Failed(cause="error.model.offline", cure="training.cure.model")

    claim(before)
    monkeypatch.setattr(process, "_train", fail)
    monkeypatch.setenv("MASTER_ADDR", address)
    monkeypatch.setenv("RANK", "3")
    outcome = work(tmp_path)
    assert isinstance(outcome, Failed) and outcome.process == 3
    assert events_of(tmp_path) == (earlier, outcome)[: 1 + told]


def test_the_estimate_comes_from_steps_of_this_machine(tmp_path: Path, encoder: Path) -> None:
    config = review_config(tmp_path, encoder, max_length=12, epochs=3)
    found = estimate(config)
    assert (found.steps, found.evaluations, found.examples, found.validation) == (15, 3, 40, 16)
    assert found.seconds > found.steps * found.seconds_per_step > 0
    assert 100 < found.megabytes < 5_000
    assert 0.1 < found.truncated < 0.9 and found.longest == 12
    assert sum(found.labels.values()) == 40 and set(found.labels) == {"positive", "negative"}
    assert (found.leaked, found.nearly_leaked) == (0, 0)
    assert not (tmp_path / "estimate.json").exists()


def test_a_command_that_cannot_work_says_so(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    done = subprocess.run(
        [sys.executable, "-m", "core.training", str(folder.path)],
        cwd=ROOT, check=False, capture_output=True, text=True, timeout=SECONDS,
    )  # fmt: skip
    assert done.returncode == 1 and "error.training.no_config" in done.stderr
    (event,) = follow(folder.events)
    assert isinstance(event, Failed) and not isinstance(event, Saved)
