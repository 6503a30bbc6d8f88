"""Runs as jobs: stopped with what they have, taken up by the next app, dropped with the visitor's folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from core.analysis.sources import open_source
from core.errors import InvalidInput
from core.jobs import Job, JobRegistry, Progress, State, Work
from core.training import following
from core.training.events import Started
from core.training.own import find_run, key_of, name_model, open_store
from core.training.records import read_record, version_of, write_job
from core.training.runs import Run, RunState
from core.workspaces import Workspaces, new_identity
from tests.training.tiny import events_of, review_config

SECONDS = 240  # a machine may be busy
pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def workspaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspaces:
    monkeypatch.setenv("LAB_WORKSPACE", str(tmp_path / "workspaces"))
    return Workspaces(tmp_path / "workspaces", lifetime=10**6, quota=10**9)


@pytest.fixture
def registry(workspaces: Workspaces) -> Iterator[JobRegistry]:
    registry = JobRegistry(workspaces, revive={following.JOB: following.revive})
    yield registry
    registry.close()


def until(registry: JobRegistry, job_id: str, wanted: Callable[[Job], Any]) -> Job:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        job = registry.view(job_id)
        assert job is not None
        if wanted(job):
            return job
        assert job.state in (State.WAITING, State.RUNNING), job
        time.sleep(0.02)
    raise AssertionError(f"still {registry.view(job_id)}")


def submit(registry: JobRegistry, workspaces: Workspaces, owner: str, run: Run) -> str:
    begun = following.begin(workspaces.open(owner), run.id)
    job = registry.submit(owner, kind=following.JOB, work=begun.work, handle=begun.handle)
    write_job(run.folder, job)
    return job


def test_a_run_is_stopped_with_its_model_and_goes_on_under_another_app(
    tmp_path: Path, encoder: Path, workspaces: Workspaces, registry: JobRegistry
) -> None:
    owner = new_identity()
    run = open_store(workspaces.open(owner)).create(review_config(tmp_path, encoder, epochs=30, evaluate_every=5))
    key = key_of(run.id)
    assert find_run(key).path == run.folder.path
    waiting = version_of(run.folder)
    job = submit(registry, workspaces, owner, run)
    running = until(registry, job, lambda job: job.result and job.result["step"] > 6)
    assert running.result["state"] == "running"
    assert running.total == 150
    assert version_of(run.folder) != waiting
    assert registry.cancel(job, workspace=owner)
    stopped = until(registry, job, lambda job: job.state is State.DONE).result
    assert (stopped["state"], stopped["model"], stopped["key"]) == ("stopped", True, key)
    assert 6 < stopped["step"] == stopped["saved"] < 150
    assert str(workspaces.folder) not in str(stopped), "where it lies tells whose it is"
    assert owner not in str(stopped)
    table = open_source(name_model(run.folder))
    assert len(table.table) == 16

    again = submit(registry, workspaces, owner, run)
    assert read_record(run.folder, key=key).unfinished, "it has a place in the line, before its process is there"
    until(registry, again, lambda job: job.result and job.result["step"] > stopped["step"] + 5)
    registry.close()  # as the app is when it is closed: the run goes on
    assert run.folder.is_worked_on()
    second = JobRegistry(workspaces, revive={following.JOB: following.revive})
    try:
        done = until(second, again, lambda job: job.state is State.DONE).result
    finally:
        second.close()
    assert (done["state"], done["step"], done["model"]) == ("done", 150, True)
    assert sum(isinstance(event, Started) for event in events_of(run.folder.path)) == 2
    assert [row[0] for row in done["steps"]] == list(range(1, 151))
    assert not run.folder.checkpoints.exists(), "nothing goes on from there"


def test_who_erases_everything_ends_the_process_too(
    tmp_path: Path, encoder: Path, workspaces: Workspaces, registry: JobRegistry
) -> None:
    owner = new_identity()
    run = open_store(workspaces.open(owner)).create(review_config(tmp_path, encoder, epochs=200))
    job = submit(registry, workspaces, owner, run)
    until(registry, job, lambda job: job.result and job.result["step"] > 1)
    process = psutil.Process(int(run.folder.read_process()["pid"]))
    registry.erase(owner)
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    time.sleep(1.0)
    assert not (workspaces.folder / owner).exists()
    with pytest.raises(InvalidInput, match="no_run"):
        find_run(key_of(run.id))


def test_a_run_that_waits_is_told_of_and_left_alone(
    tmp_path: Path, encoder: Path, workspaces: Workspaces, registry: JobRegistry
) -> None:
    store = open_store(workspaces.open(new_identity()))
    run = store.create(review_config(tmp_path, encoder))
    record = read_record(run.folder, key=key_of(run.id))
    assert (record.state, record.unfinished, record.resumable, record.steps) == (RunState.WAITING, False, True, ())
    assert record.config["data"]["train"] == "train.jsonl"
    assert record.config["model"] == encoder.name
    for name in ("../x", "0" * 32, run.id, ""):
        with pytest.raises(InvalidInput, match="no_run"):
            find_run(name)


def test_a_run_has_a_place_in_the_line_until_it_is_taken_out_and_keeps_it_over_a_restart(
    tmp_path: Path, encoder: Path, workspaces: Workspaces, registry: JobRegistry
) -> None:
    def hold() -> Work:
        while True:
            yield Progress(0, 0)
            time.sleep(0.01)

    registry.submit(new_identity(), kind="other", work=hold)
    owner = new_identity()
    store = open_store(workspaces.open(owner))
    run = store.start(store.create(review_config(tmp_path, encoder, epochs=10)).id)
    while store.view(run.id).state is RunState.RUNNING:
        if store.view(run.id).step > 2:
            store.stop(run.id)
        time.sleep(0.05)
    assert store.view(run.id).state is RunState.STOPPED
    key, states = key_of(run.id), []
    job = submit(registry, workspaces, owner, run)
    states.append(read_record(run.folder, key=key))
    before = version_of(run.folder)
    assert registry.cancel(job, workspace=owner)
    assert version_of(run.folder) != before
    states.append(read_record(run.folder, key=key))
    assert [(one.unfinished, one.resumable) for one in states] == [(True, False), (False, True)]

    job = submit(registry, workspaces, owner, run)
    registry.close()
    second = JobRegistry(workspaces, revive={following.JOB: following.revive})
    try:
        until(second, job, lambda job: job.state is State.DONE)
    finally:
        second.close()
    assert read_record(run.folder, key=key).state == RunState.DONE
