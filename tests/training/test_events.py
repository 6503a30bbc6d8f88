"""Events survive the file, a torn line, and a run that went back to a checkpoint."""

from __future__ import annotations

import math
import threading
from pathlib import Path

from core.training.events import (
    Evaluated,
    Event,
    EventLog,
    Failed,
    Finished,
    Saved,
    Started,
    Step,
    Stopped,
    drop_overtaken,
    follow,
    read_events,
)


def started(step: int = 0) -> Started:
    return Started(
        step=step, total=9, steps_per_epoch=3, examples=24, validation=8, parameters=5, trainable=5, device="cpu",
        processes=1, labels=("良い", "悪い"), skipped=("checkpoint-9",),
    )  # fmt: skip


def at(step: int, *, norm: float = 1.0) -> Step:
    return Step(
        step=step, total=9, loss=0.5, learning_rate=1e-3, gradient_norm=norm, samples_per_second=8, seconds_left=1
    )


ALL: tuple[Event, ...] = (
    started(),
    at(1),
    Evaluated(step=3, metrics={"loss": 0.25}, best=True, samples=({"row": {"text": "猫"}, "gold": "良い"},)),
    Saved(step=3, checkpoint="checkpoint-3"),
    Stopped(step=3, total=9, model=True),
    Failed(cause="a", cure="b", params={"step": 3}, changes={"batch_size": 4}, step=3),
    Finished(step=9, total=9, best_step=3, metrics={"loss": 0.25}, seconds=2.0),
)


def test_events_survive_their_file(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    for event in ALL:
        log.write(event)
    found, offset = read_events(tmp_path / "events.jsonl")
    assert found == ALL
    assert offset == (tmp_path / "events.jsonl").stat().st_size
    assert read_events(tmp_path / "events.jsonl", offset=offset) == ((), offset)
    assert read_events(tmp_path / "nothing.jsonl") == ((), 0)


def test_what_is_no_number_is_told_as_such(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    log.write(at(1, norm=math.inf))
    log.write(Evaluated(step=1, metrics={"loss": math.nan}, best=False))
    (step, evaluated), _ = read_events(tmp_path / "events.jsonl")
    assert isinstance(step, Step) and math.isnan(step.gradient_norm)
    assert isinstance(evaluated, Evaluated) and math.isnan(evaluated.metrics["loss"])
    assert "NaN" not in (tmp_path / "events.jsonl").read_text(encoding="utf-8")


def test_a_torn_line_waits_and_a_line_that_stays_torn_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    EventLog(path).write(at(1))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:20])
    found, offset = read_events(path)
    assert (found, offset) == ((read_events(path)[0][0],), len(whole))
    EventLog(path).write(at(2))  # the process was killed, another one goes on
    found, _ = read_events(path, offset=offset)
    assert [event.step for event in found if isinstance(event, Step)] == [2]
    path.write_bytes(path.read_bytes() + b'{"event": "novelty", "time": 1}\n[]\n{"event": "step"}\n')
    assert len(read_events(path)[0]) == 2


def test_an_unknown_field_of_a_later_version_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('{"event": "saved", "time": 1.0, "step": 3, "checkpoint": "c", "bytes": 9}\n', encoding="utf-8")
    assert read_events(path)[0] == (Saved(time=1.0, step=3, checkpoint="c"),)


def test_what_was_overtaken_is_dropped() -> None:
    saved, failed = Saved(step=2, checkpoint="checkpoint-2"), Failed(cause="a", cure="b", step=3)
    events = [started(), at(1), at(2), saved, at(3), failed, started(2), at(3), at(4)]
    kept = drop_overtaken(events)
    assert [event.step for event in kept if isinstance(event, Step)] == [1, 2, 3, 4]
    assert not any(isinstance(event, Failed) for event in kept)
    assert kept.count(events[4]) == 0 and kept.count(events[7]) == 1
    assert drop_overtaken(events[:6])[-1] == events[5]


def test_a_file_is_followed_to_the_end_of_the_run(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = EventLog(path)
    log.write(ALL[0])
    log.write(ALL[1])
    stream = follow(path, interval=0.01)
    assert next(stream) == ALL[0]

    def write() -> None:
        log.write(ALL[2])
        log.write(ALL[6])

    writer = threading.Timer(0.05, write)
    writer.start()
    assert list(stream) == [ALL[1], ALL[2], ALL[6]]
    writer.join()


def test_processes_that_write_at_once_garble_nothing(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    long = ({"row": {"text": "猫" * 20_000}},)  # longer than what is written in one piece

    def write(number: int) -> None:
        log = EventLog(path)
        for step in range(20):
            log.write(Evaluated(step=100 * number + step, metrics={}, best=False, samples=long))

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    found, _ = read_events(path)
    steps = sorted(event.step for event in found if isinstance(event, Evaluated))
    assert steps == [100 * number + step for number in range(4) for step in range(20)]
    assert len(path.read_bytes().splitlines()) == 80


def test_the_first_of_several_processes_to_fail_has_the_last_word(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    EventLog(path).write(Failed(cause="of an earlier attempt", cure="b"))
    since = path.stat().st_size
    first, other = EventLog(path, since=since), EventLog(path, since=since)
    assert first.write(started()) and first.write(at(1))
    assert other.write(Failed(cause="memory", cure="batch", process=1))
    for late in (at(2), Failed(cause="peer", cure="b"), Stopped(step=2, total=9, model=True)):
        assert not first.write(late)
    assert not EventLog(path, since=since).write(Failed(cause="a third", cure="b", process=2))
    (*_, last), _ = read_events(path)
    assert isinstance(last, Failed) and (last.cause, last.process) == ("memory", 1)
    assert first.write(ALL[6])  # the model is written after all
    again = EventLog(path, since=path.stat().st_size)
    assert again.write(started()) and again.write(at(1)) and again.write(Failed(cause="a", cure="b"))
    assert again.write(Failed(cause="its own words", cure="b"))
