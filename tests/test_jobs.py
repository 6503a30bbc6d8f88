from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import Busy, InvalidInput
from core.jobs import Begun, Job, JobRegistry, Progress, State, Work
from core.workspaces import Workspaces, new_identity

DEADLINE = 10.0


@pytest.fixture
def workspaces(tmp_path: Path) -> Workspaces:
    return Workspaces(tmp_path, lifetime=100, quota=1_000)


@pytest.fixture
def registry(workspaces: Workspaces) -> Iterator[JobRegistry]:
    registry = JobRegistry(workspaces, waiting_limit=3, apart=("fetch",))
    yield registry
    registry.close()


def until(registry: JobRegistry, job_id: str, *states: State) -> Job:
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        job = registry.view(job_id)
        if job and job.state in states:
            return job
        time.sleep(0.005)
    raise AssertionError(f"still {registry.view(job_id)}")


def counting(steps: int) -> Work:
    for step in range(steps):
        yield Progress(step + 1, steps)
    return {"steps": steps}


class Held:
    """Work that goes on only when told, and notes that it was cleaned up."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.cleaned = False

    def work(self) -> Work:
        try:
            for step in range(1_000):
                yield Progress(step + 1, 1_000)
                self.go.wait(0.01)
        finally:
            self.cleaned = True
        return "finished"


def test_a_job_runs_and_its_result_is_kept(registry: JobRegistry) -> None:
    job_id = registry.submit(new_identity(), kind="count", work=lambda: counting(3))
    job = until(registry, job_id, State.DONE)
    assert job.result == {"steps": 3}
    assert (job.done, job.total) == (3, 3)


WRITER = """
import json, sys, time
for step in range(1, 6):
    with open(sys.argv[1], "a") as file:
        file.write(json.dumps({"step": step, "loss": 1 / step}) + "\\n")
    time.sleep(float(sys.argv[2]))
"""


def follow(path: Path, seconds: float) -> Work:
    """A process of its own that writes events into a file, as a training run does; closing it ends the process."""
    path.touch()
    losses: list[float] = []
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(seconds)])
    try:
        with path.open(encoding="utf-8") as file:
            while True:
                ended = process.poll() is not None  # asked first: what it wrote last is still read
                for line in file:
                    losses.append(json.loads(line)["loss"])
                yield Progress(len(losses), 5, partial={"losses": losses})
                if ended:
                    return {"losses": losses}
                time.sleep(0.02)
    finally:
        process.terminate()
        process.wait()


def test_a_job_follows_a_process_and_shows_what_it_wrote_so_far(registry: JobRegistry, tmp_path: Path) -> None:
    job_id = registry.submit(new_identity(), kind="follow", work=lambda: follow(tmp_path / "events.jsonl", 0.2))
    until(registry, job_id, State.RUNNING)
    seen = []
    deadline = time.monotonic() + DEADLINE
    while (job := registry.view(job_id)) and job.state is State.RUNNING and time.monotonic() < deadline:
        seen.append(len((job.result or {"losses": ()})["losses"]))
        time.sleep(0.02)
    assert until(registry, job_id, State.DONE).result == {"losses": [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5]}
    assert seen == sorted(seen)
    assert set(seen) & {1, 2, 3, 4}, "nothing was shown before the end"


def test_what_was_shown_stays_when_a_job_is_stopped(registry: JobRegistry, tmp_path: Path) -> None:
    me = new_identity()
    job_id = registry.submit(me, kind="follow", work=lambda: follow(tmp_path / "events.jsonl", 60))
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline and not ((job := registry.view(job_id)) and job.done):
        time.sleep(0.02)
    registry.cancel(job_id, workspace=me)
    assert until(registry, job_id, State.CANCELLED).result == {"losses": [1]}


def test_one_unfinished_job_for_each_visitor_and_a_bounded_line(registry: JobRegistry) -> None:
    held, me = Held(), new_identity()
    first = registry.submit(me, kind="hold", work=held.work)
    until(registry, first, State.RUNNING)
    with pytest.raises(Busy):
        registry.submit(me, kind="hold", work=held.work)
    second = registry.submit(new_identity(), kind="count", work=lambda: counting(1))
    third = registry.submit(new_identity(), kind="count", work=lambda: counting(1))
    assert (registry.view(second).position, registry.view(third).position) == (1, 2)  # type: ignore[union-attr]
    with pytest.raises(Busy):
        registry.submit(new_identity(), kind="count", work=lambda: counting(1))
    registry.cancel(first, workspace=me)
    until(registry, third, State.DONE)


def test_a_download_that_hangs_holds_up_other_downloads_only(registry: JobRegistry) -> None:
    held, me, other = Held(), new_identity(), new_identity()
    hanging = registry.submit(me, kind="fetch", work=held.work)
    until(registry, hanging, State.RUNNING)
    second = registry.submit(other, kind="fetch", work=lambda: counting(1))
    third = registry.submit(new_identity(), kind="fetch", work=lambda: counting(1))
    with pytest.raises(Busy):
        registry.submit(new_identity(), kind="fetch", work=lambda: counting(1))
    for _ in range(4):
        until(registry, registry.submit(new_identity(), kind="count", work=lambda: counting(3)), State.DONE)
    views = [registry.view(job) for job in (hanging, second, third)]
    assert [view and view.position for view in views] == [0, 1, 2]
    registry.cancel(hanging, workspace=me)
    until(registry, third, State.DONE)


def test_what_is_erased_stays_erased_while_its_job_ends(registry: JobRegistry, workspaces: Workspaces) -> None:
    held, me = Held(), new_identity()
    job_id = registry.submit(me, kind="hold", work=held.work)
    until(registry, job_id, State.RUNNING)
    registry.erase(me)
    deadline = time.monotonic() + DEADLINE
    while registry.view(job_id) is not None and time.monotonic() < deadline:
        time.sleep(0.005)
    assert registry.view(job_id) is None
    assert held.cleaned
    assert not (workspaces.folder / me).exists()
    again = registry.submit(me, kind="count", work=lambda: counting(1))
    assert until(registry, again, State.DONE).result == {"steps": 1}


def test_cancelling_stops_at_the_next_step_and_cleans_up(registry: JobRegistry) -> None:
    held, me = Held(), new_identity()
    job_id = registry.submit(me, kind="hold", work=held.work)
    until(registry, job_id, State.RUNNING)
    assert not registry.cancel(job_id, workspace=new_identity()), "another visitor stopped it"
    assert registry.cancel(job_id, workspace=me)
    assert until(registry, job_id, State.CANCELLED).done < 1_000
    assert held.cleaned


def test_a_waiting_job_is_cancelled_at_once(registry: JobRegistry) -> None:
    held, me, other = Held(), new_identity(), new_identity()
    running = registry.submit(me, kind="hold", work=held.work)
    waiting = registry.submit(other, kind="count", work=lambda: counting(1))
    assert registry.cancel(waiting, workspace=other)
    assert registry.view(waiting).state is State.CANCELLED  # type: ignore[union-attr]
    registry.cancel(running, workspace=me)


def test_failures_are_told_by_key_or_by_incident(registry: JobRegistry) -> None:
    def expected() -> Work:
        yield Progress(1, 2)
        raise InvalidInput("error.workspace.full", megabytes=1)

    def defect() -> Work:
        yield Progress(1, 2)
        raise ZeroDivisionError

    first = registry.submit(new_identity(), kind="fail", work=expected)
    job = until(registry, first, State.FAILED)
    assert (job.error, job.error_params) == ("error.workspace.full", {"megabytes": 1})
    second = registry.submit(new_identity(), kind="fail", work=defect)
    job = until(registry, second, State.FAILED)
    assert job.error == "error.incident"
    assert job.error_params["incident"]


def test_a_result_that_is_no_json_does_not_stop_the_line(registry: JobRegistry) -> None:
    def odd() -> Work:
        yield Progress(1, 1)
        return object()

    job_id = registry.submit(new_identity(), kind="odd", work=odd)
    assert until(registry, job_id, State.FAILED).error == "error.incident"
    until(registry, registry.submit(new_identity(), kind="count", work=lambda: counting(1)), State.DONE)


def test_a_folder_that_cannot_be_written_does_not_stop_the_line(registry: JobRegistry, workspaces: Workspaces) -> None:
    held, me = Held(), new_identity()
    job_id = registry.submit(me, kind="hold", work=held.work)
    until(registry, job_id, State.RUNNING)
    for path in (workspaces.open(me) / "jobs").iterdir():
        path.unlink()
    (workspaces.open(me) / "jobs").rmdir()
    (workspaces.open(me) / "jobs").touch()  # a file where the folder was
    registry.cancel(job_id, workspace=me)
    until(registry, registry.submit(new_identity(), kind="count", work=lambda: counting(1)), State.DONE)


def test_a_restarted_app_still_knows(workspaces: Workspaces) -> None:
    before = JobRegistry(workspaces)
    finished = before.submit(new_identity(), kind="count", work=lambda: counting(2))
    until(before, finished, State.DONE)
    held = Held()
    broken_off = before.submit(new_identity(), kind="hold", work=held.work)
    until(before, broken_off, State.RUNNING)
    before.close()
    after = JobRegistry(workspaces)
    assert after.view(finished).result == {"steps": 2}  # type: ignore[union-attr]
    assert after.view(broken_off).state is State.INTERRUPTED  # type: ignore[union-attr]
    after.close()


def test_a_killed_app_leaves_no_job_running(workspaces: Workspaces) -> None:
    killed = JobRegistry(workspaces)
    held = Held()
    job_id = killed.submit(new_identity(), kind="hold", work=held.work)
    until(killed, job_id, State.RUNNING)
    restarted = JobRegistry(workspaces)  # the other one never got to say goodbye
    assert restarted.view(job_id).state is State.INTERRUPTED  # type: ignore[union-attr]
    restarted.close()
    killed.close()


@pytest.mark.parametrize("job_id", ["", "..", "*", "../../etc/passwd", "0" * 32])
def test_an_unknown_id_names_nothing(registry: JobRegistry, job_id: str) -> None:
    registry.submit(new_identity(), kind="count", work=lambda: counting(1))
    assert registry.view(job_id) is None


def test_workspaces_are_bounded_and_swept(workspaces: Workspaces) -> None:
    me, other = new_identity(), new_identity()
    (workspaces.open(me) / "file").write_bytes(b"x" * 900)
    workspaces.require_room(other, 900)
    with pytest.raises(InvalidInput):
        workspaces.require_room(me, 200)
    assert workspaces.sweep(now=time.time() + 50) == 0
    assert workspaces.sweep(now=time.time() + 200) == 2
    assert not list(workspaces.folder.iterdir())


@pytest.mark.parametrize("identity", ["..", "a/b", "", "0" * 31, "G" * 32])
def test_a_workspace_id_is_never_a_path(workspaces: Workspaces, identity: str) -> None:
    with pytest.raises(ValueError, match="workspace id"):
        workspaces.open(identity)


class Elsewhere:
    """Work that goes on elsewhere: it ends when its handle stops it, and it keeps what it has."""

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self.dropped = False
        self.steps = 0

    def work(self) -> Work:
        while not self.stopped.is_set():
            self.steps += 1
            yield Progress(self.steps, 1_000, seconds_left=7.0)
            time.sleep(0.005)
        return {"kept": self.steps}

    def stop(self) -> None:
        self.stopped.set()

    def drop(self) -> None:
        self.dropped = True


def test_work_with_a_handle_is_stopped_and_keeps_what_it_has(registry: JobRegistry) -> None:
    elsewhere, owner = Elsewhere(), new_identity()
    job_id = registry.submit(owner, kind="train", work=elsewhere.work, handle=elsewhere)
    assert until(registry, job_id, State.RUNNING).seconds_left in (None, 7.0)
    assert registry.is_owned(job_id, workspace=owner)
    assert not registry.is_owned(job_id, workspace=new_identity())
    assert not registry.cancel(job_id, workspace=new_identity())
    assert not elsewhere.stopped.is_set()
    assert registry.cancel(job_id, workspace=owner)
    job = until(registry, job_id, State.DONE)
    assert job.result == {"kept": elsewhere.steps}
    assert not elsewhere.dropped


def test_whoever_erases_everything_drops_what_goes_on_elsewhere(registry: JobRegistry, workspaces: Workspaces) -> None:
    elsewhere, owner = Elsewhere(), new_identity()
    job_id = registry.submit(owner, kind="train", work=elsewhere.work, handle=elsewhere)
    until(registry, job_id, State.RUNNING)
    registry.erase(owner)
    assert elsewhere.dropped
    assert not (workspaces.folder / owner).exists()
    deadline = time.monotonic() + DEADLINE
    while registry.busy_workspaces() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert not registry.busy_workspaces()


def test_an_app_that_starts_again_follows_what_went_on_without_it(workspaces: Workspaces) -> None:
    """In the order in which the jobs were submitted, and under the ids that pages hold."""
    first = JobRegistry(workspaces)
    elsewhere, owners = Elsewhere(), [new_identity() for _ in range(3)]
    kinds = ("train", "train", "count")
    ids = [
        first.submit(owner, kind=kind, work=elsewhere.work, handle=elsewhere)
        for owner, kind in zip(owners, kinds, strict=True)
    ]
    until(first, ids[0], State.RUNNING)
    first.close()
    assert not elsewhere.stopped.is_set()

    asked: list[str] = []

    def revive(job: Job, workspace: Path) -> Begun:
        asked.append(workspace.name)
        return Begun(elsewhere.work, elsewhere, 10.0)

    second = JobRegistry(workspaces, revive={"train": revive})
    try:
        assert asked == owners[:2]
        deadline = time.monotonic() + DEADLINE
        while (job := second.view(ids[0])) and job.seconds_left is None and time.monotonic() < deadline:
            time.sleep(0.005)
        waiting = second.view(ids[1])
        assert waiting is not None
        assert (waiting.state, waiting.position, waiting.wait) == (State.WAITING, 1, 7.0)
        gone = second.view(ids[2])
        assert gone is not None
        assert gone.state is State.INTERRUPTED
        assert second.cancel(ids[0], workspace=owners[0])
        until(second, ids[0], State.DONE)
        until(second, ids[1], State.DONE)
    finally:
        second.close()


def test_what_cannot_be_taken_up_counts_as_interrupted(workspaces: Workspaces) -> None:
    first, held = JobRegistry(workspaces), Held()
    job_id = first.submit(new_identity(), kind="train", work=held.work)
    until(first, job_id, State.RUNNING)
    first.close()
    second = JobRegistry(workspaces, revive={"train": lambda job, workspace: None})
    try:
        left = second.view(job_id)
        assert left is not None
        assert left.state is State.INTERRUPTED
    finally:
        second.close()


def test_the_wait_is_told_where_it_is_known(registry: JobRegistry) -> None:
    held = Held()
    first = registry.submit(new_identity(), kind="held", work=held.work, seconds=60.0)
    until(registry, first, State.RUNNING)
    second = registry.submit(new_identity(), kind="unknown", work=lambda: counting(1))
    third = registry.submit(new_identity(), kind="count", work=lambda: counting(1))
    waits = [registry.view(job_id) for job_id in (second, third)]
    assert [job.position for job in waits if job] == [1, 2]
    assert waits[0] is not None and waits[1] is not None
    assert waits[0].wait is not None and waits[0].wait > 0
    assert waits[1].wait is None, "nobody knows how long the second takes"
    held.go.set()
