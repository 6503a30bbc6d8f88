"""Runs in this process: what they write, that they go on exactly, and how they fail."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from core.errors import ModelUnavailable
from core.tasks.loaded import load_task_model, predict
from core.tasks.registry import find_task
from core.training.config import LoraSettings, RunConfig
from core.training.events import Evaluated, Failed, Finished, Saved, Started, Step, Stopped
from core.training.folder import RunFolder
from core.training.trainer import TaskTrainer, read_predictions, score
from tests.training.tiny import distance, events_of, review_config, run_task, start, tagging_config, weights_of

Change = Callable[..., Any]


class Killed(BaseException):
    """Ends a run without giving it a chance to say so, as ``kill -9`` does."""


def kill_at(monkeypatch: pytest.MonkeyPatch, *batches: int) -> None:
    """End the process at these batches, counted over all attempts."""
    original, count = TaskTrainer.training_step, iter(range(1, 10**6))

    def step(self: TaskTrainer, *arguments: Any) -> Any:
        if next(count) in batches:
            raise Killed
        return original(self, *arguments)

    monkeypatch.setattr(TaskTrainer, "training_step", step)


def train_killed(config: RunConfig, folder: Path, *, times: int) -> None:
    """Start until the run ends, after so many kills."""
    for _ in range(times):
        with pytest.raises(Killed):
            start(config, folder)
    assert isinstance(start(config, folder), Finished)


def test_a_run_from_its_configuration_to_its_model(tmp_path: Path, steady: Path) -> None:
    config = review_config(tmp_path, steady, train=160, epochs=4)
    config = replace(config, data=replace(config.data, test=config.data.validation))
    metrics = run_task(config, tmp_path / "run")
    folder, events = RunFolder(tmp_path / "run"), events_of(tmp_path / "run")
    assert metrics["validation"]["accuracy"] > 0.8
    assert metrics["test"] == pytest.approx(metrics["validation"])

    assert isinstance(events[0], Started) and events[0].labels == ("positive", "negative")
    assert (events[0].examples, events[0].validation, events[0].steps_per_epoch) == (160, 16, 20)
    steps = [event for event in events if isinstance(event, Step)]
    assert [event.step for event in steps] == list(range(1, 81))
    assert all(event.samples_per_second > 0 and event.total == 80 for event in steps)
    assert steps[-1].seconds_left == 0 and steps[0].seconds_left > 0
    assert max(event.learning_rate for event in steps) == pytest.approx(3e-3)
    evaluations = [event for event in events if isinstance(event, Evaluated)]
    assert [event.step for event in evaluations] == [20, 40, 60, 80]
    assert [event.step for event in events if isinstance(event, Saved)] == [20, 40, 60, 80]
    best = max(evaluations, key=lambda event: event.metrics["accuracy"])  # the first of equals
    assert metrics["best_step"] == best.step and best.best
    assert len({str([sample["row"] for sample in event.samples]) for event in evaluations}) == 1
    assert isinstance(events[-1], Finished) and events[-1].metrics == metrics["validation"]
    assert len(list(folder.checkpoints.iterdir())) == 2
    assert not list(folder.path.glob("**/*.partial"))

    # What is reported is what the saved predictions say, and what the saved model says again.
    stored = read_predictions(folder.predictions)
    task = find_task("classification")
    assert score(task, stored) == pytest.approx(metrics["validation"])
    losses = [prediction.loss for prediction in stored]
    assert metrics["validation"]["loss"] == pytest.approx(math.fsum(losses) / len(losses))
    model = load_task_model(str(folder.model))
    assert load_task_model(str(folder.model)) is model
    assert (model.task.name, model.setup.labels) == ("classification", ("positive", "negative"))
    assert not any(p.requires_grad for p in model.model.parameters())
    rows = [json.loads(line) for line in Path(config.data.validation).read_text(encoding="utf-8").splitlines()]
    again = predict(model, [task.read(row) for row in rows])
    assert [prediction.predicted for prediction in again] == [prediction.predicted for prediction in stored]
    assert [prediction.loss for prediction in again] == pytest.approx(losses, abs=1e-5)
    # Nothing is left to do.
    assert start(config, folder.path) == events[-1]
    assert events_of(folder.path) == events


def test_an_interrupted_run_ends_as_if_nothing_had_happened(
    tmp_path: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inside an epoch, with dropout, length groups and accumulation: not one bit differs."""
    config = review_config(
        tmp_path, encoder, train=43, validation=8, epochs=3, batch_size=3, accumulation=2, evaluate_every=3,
        length_grouping=True,
    )  # fmt: skip
    run_task(config, tmp_path / "whole")
    kill_at(monkeypatch, 9, 19, 36)
    train_killed(config, tmp_path / "cut", times=3)
    assert distance(tmp_path / "whole/model", tmp_path / "cut/model") == 0.0
    assert distance(tmp_path / "whole/checkpoints/checkpoint-24", tmp_path / "cut/checkpoints/checkpoint-24") == 0.0
    events = events_of(tmp_path / "cut")
    assert [event.step for event in events if isinstance(event, Started)] == [0, 3, 6, 12]
    deaths = [event for event in events if isinstance(event, Failed)]
    assert {(event.cause, event.cure) for event in deaths} == {("training.cause.killed", "training.cure.resume")}
    assert len(deaths) == 3


def test_what_a_collator_draws_is_the_same_after_an_interruption(
    tmp_path: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Masked language modelling masks anew in every batch."""
    config = replace(review_config(tmp_path, encoder, validation=8, evaluate_every=3), task="masked-lm")
    run_task(config, tmp_path / "whole")
    kill_at(monkeypatch, 8)
    train_killed(config, tmp_path / "cut", times=1)
    assert distance(tmp_path / "whole/model", tmp_path / "cut/model") == 0.0


def test_a_broken_checkpoint_is_passed_over(tmp_path: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = review_config(tmp_path, encoder, validation=8, evaluate_every=3)
    run_task(config, tmp_path / "whole")
    kill_at(monkeypatch, 8)
    with pytest.raises(Killed):
        start(config, tmp_path / "cut")
    weights = tmp_path / "cut/checkpoints/checkpoint-6/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    train_killed(config, tmp_path / "cut", times=0)
    again = [event for event in events_of(tmp_path / "cut") if isinstance(event, Started)][-1]
    assert (again.resumed_from, again.skipped, again.step) == ("checkpoint-3", ("checkpoint-6",), 3)
    assert distance(tmp_path / "whole/model", tmp_path / "cut/model") == 0.0


def test_a_run_that_died_while_it_wrote_its_model_only_writes_it(
    tmp_path: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.training import engine

    config = review_config(tmp_path, encoder, validation=8, patience=1, epochs=8, learning_rate=0.0)

    def die(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(engine, "export", die)
        start(config, tmp_path / "run")
    steps = [event for event in events_of(tmp_path / "run") if isinstance(event, Step)]
    moved = (tmp_path / "run").rename(tmp_path / "moved")  # paths inside its checkpoints lead nowhere now
    outcome = start(config, moved)
    # Nothing improves without a learning rate, so patience ended it: it must not train on.
    assert isinstance(outcome, Finished) and outcome.early and (outcome.step, outcome.best_step) == (10, 5)
    assert [event for event in events_of(moved) if isinstance(event, Step)] == steps
    assert (moved / "model/model.safetensors").exists() and (moved / "predictions.jsonl").exists()


def test_a_stop_keeps_a_checkpoint_and_goes_on_exactly(
    tmp_path: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = review_config(tmp_path, encoder, validation=8, epochs=2)
    run_task(config, tmp_path / "whole")
    original, folder = TaskTrainer.training_step, RunFolder(tmp_path / "cut")

    def step(self: TaskTrainer, *arguments: Any) -> Any:
        if self.state.global_step == 6:
            folder.stop.touch()
        return original(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(TaskTrainer, "training_step", step)
        outcome = start(config, folder.path)
    assert isinstance(outcome, Stopped) and outcome.step == 7 and outcome.model
    assert not folder.stop.exists() and (folder.checkpoints / "checkpoint-7").is_dir()
    assert load_task_model(str(folder.model)).task.name == "classification"  # the best so far
    assert isinstance(start(config, folder.path), Finished)
    assert distance(tmp_path / "whole/model", folder.model) == 0.0


@pytest.mark.parametrize("make", [review_config, tagging_config])
def test_accumulation_changes_nothing(tmp_path: Path, steady: Path, make: Change) -> None:
    """Batches of 8 and two of 4: the same mean over examples or over tokens, however many each batch holds."""
    at_once = run_task(make(tmp_path, steady, batch_size=8), tmp_path / "one")
    in_two = run_task(make(tmp_path, steady, batch_size=4, accumulation=2), tmp_path / "two")
    assert in_two["validation"]["loss"] == pytest.approx(at_once["validation"]["loss"], abs=1e-4)
    assert distance(tmp_path / "one/model", tmp_path / "two/model") < 1e-3
    losses = [
        [event.loss for event in events_of(tmp_path / name) if isinstance(event, Step)] for name in ("one", "two")
    ]
    assert losses[0] == pytest.approx(losses[1], abs=1e-3)


def test_lora_trains_adapters_and_new_layers_and_is_merged(
    tmp_path: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(
        review_config(tmp_path, encoder, epochs=3, gradient_checkpointing=True), lora=LoraSettings(rank=4, alpha=8)
    )
    run_task(config, tmp_path / "whole")
    kill_at(monkeypatch, 8)
    train_killed(config, tmp_path / "run", times=1)
    assert distance(tmp_path / "whole/model", tmp_path / "run/model") == 0.0
    begun = events_of(tmp_path / "run")[0]
    assert isinstance(begun, Started)
    adapters = 2 * 2 * (32 * 4 + 4 * 32)  # two layers, query and value, two matrices each
    assert begun.trainable == adapters + (32 * 32 + 32) + (32 * 2 + 2)  # the pooler and the head are new
    before, after = weights_of(encoder), weights_of(tmp_path / "run/model")
    assert not any("lora" in name for name in after)
    name = "bert.encoder.layer.0.attention.self.{}.weight"
    assert torch.equal(before[name.format("key")], after[name.format("key")])
    assert not torch.equal(before[name.format("query")], after[name.format("query")])
    stored = read_predictions(tmp_path / "run/predictions.jsonl")
    task = find_task("classification")
    rows = [json.loads(line) for line in Path(config.data.validation).read_text(encoding="utf-8").splitlines()]
    merged = predict(load_task_model(str(tmp_path / "run/model")), [task.read(row) for row in rows])
    assert [one.loss for one in merged] == pytest.approx([one.loss for one in stored], abs=1e-4)


def test_parameters_can_be_frozen(tmp_path: Path, encoder: Path) -> None:
    config = replace(review_config(tmp_path, encoder, epochs=1), frozen=("embeddings", "layer.0."))
    run_task(config, tmp_path / "run")
    before, after = weights_of(encoder), weights_of(tmp_path / "run/model")
    for name in ("embeddings.word_embeddings", "encoder.layer.0.output.dense", "encoder.layer.1.output.dense"):
        same = torch.equal(before[f"bert.{name}.weight"], after[f"bert.{name}.weight"])
        assert same == ("layer.1" not in name)


def test_half_precision_where_the_processor_has_it(tmp_path: Path, encoder: Path) -> None:
    metrics = run_task(review_config(tmp_path, encoder, precision="bf16"), tmp_path / "run")
    assert math.isfinite(metrics["validation"]["loss"])
    assert {tensor.dtype for tensor in weights_of(tmp_path / "run/model").values()} == {torch.float32}


def test_without_a_validation_part_the_last_weights_are_kept(tmp_path: Path, encoder: Path) -> None:
    metrics = run_task(review_config(tmp_path, encoder, validation=0, steps=7), tmp_path / "run")
    assert (metrics["step"], metrics["best_step"], metrics["validation"]) == (7, 0, {})
    assert weights_of(tmp_path / "run/model").keys() == weights_of(tmp_path / "run/checkpoints/checkpoint-7").keys()


def fail(config: RunConfig, folder: Path) -> Failed:
    outcome = start(config, folder)
    assert isinstance(outcome, Failed), outcome
    assert events_of(folder)[-1] == outcome
    return outcome


def test_failures_say_why_and_what_helps(tmp_path: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.training import engine

    config = review_config(tmp_path, encoder, validation=8)
    data, run = config.data, tmp_path / "run"
    (tmp_path / "empty.jsonl").write_text("", encoding="utf-8")

    empty = fail(replace(config, data=replace(data, train=str(tmp_path / "empty.jsonl"))), run)
    assert (empty.cause, empty.cure) == ("error.data.empty", "training.cure.data")
    missing = fail(replace(config, data=replace(data, columns={"text": "本文"})), run)
    assert missing.cause.startswith("error.data.") and missing.cure == "training.cure.data"
    label = fail(replace(config, data=replace(data, labels=("良い", "悪い"))), run)
    assert (label.cause, label.because) == ("error.data.all_broken", "error.data.unknown_label")
    model = fail(replace(config, model="nowhere"), run)
    assert (model.cause, model.cure) == ("error.model.offline", "training.cure.model")
    half = fail(replace(config, hyperparameters=replace(config.hyperparameters, precision="fp16")), run)
    assert (half.cause, half.cure, half.changes) == (
        "error.training.fp16_device", "training.cure.precision", {"precision": "fp32"},
    )  # fmt: skip
    nowhere = fail(replace(config, lora=LoraSettings(targets=("quary",))), run)
    assert nowhere.cause == "error.training.lora_targets" and "query" in str(nowhere.params["names"])
    monkeypatch.setattr(engine, "prepare", lambda config: torch.empty(10**16))
    memory = fail(config, run)
    assert (memory.cause, memory.cure) == ("training.cause.memory", "training.cure.batch")
    assert memory.changes == {"batch_size": 4, "accumulation": 2}
    monkeypatch.setattr(engine, "prepare", lambda config: int("defect"))
    assert fail(config, run).cause == "training.cause.defect"


def test_t5_in_fp16_is_refused(tmp_path: Path) -> None:
    from transformers import T5Config

    from core.errors import InvalidInput
    from core.training.engine import check_precision

    T5Config(d_model=8).save_pretrained(tmp_path)
    check_precision("bf16", tmp_path)
    with pytest.raises(InvalidInput, match="fp16_t5"):
        check_precision("fp16", tmp_path)


def test_a_loss_that_is_no_number_ends_the_run(tmp_path: Path, encoder: Path) -> None:
    from safetensors.torch import save_file

    broken = tmp_path / "broken"
    shutil.copytree(encoder, broken)
    tensors = weights_of(encoder)
    tensors["bert.embeddings.word_embeddings.weight"][2] = math.inf  # [CLS]
    save_file(tensors, broken / "model.safetensors", metadata={"format": "pt"})
    failed = fail(review_config(tmp_path, broken, validation=8), tmp_path / "run")
    assert (failed.cause, failed.cure) == ("training.cause.diverged", "training.cure.rate")
    assert failed.changes == {"learning_rate": pytest.approx(3e-4)}


def test_a_full_disk_leaves_earlier_checkpoints_whole(
    tmp_path: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system refuses to write a large file from the second checkpoint on."""
    import resource

    config = review_config(tmp_path, encoder, validation=8, evaluate_every=3)
    run_task(config, tmp_path / "whole")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    original = TaskTrainer._save_checkpoint

    def save(self: TaskTrainer, *arguments: Any) -> None:
        if self.state.global_step == 6:
            resource.setrlimit(resource.RLIMIT_FSIZE, (120_000, limits[1]))
        try:
            original(self, *arguments)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    with monkeypatch.context() as patch:
        patch.setattr(TaskTrainer, "_save_checkpoint", save)
        failed = fail(config, tmp_path / "run")
    assert (failed.cause, failed.cure, failed.step) == ("training.cause.disk", "training.cure.disk", 6)
    assert [path.name for path in (tmp_path / "run/checkpoints").iterdir()] == ["checkpoint-3"]
    assert isinstance(start(config, tmp_path / "run"), Finished)
    assert distance(tmp_path / "whole/model", tmp_path / "run/model") == 0.0


def test_broken_data_leave_checkpoints_whole(tmp_path: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = review_config(tmp_path, encoder, validation=8, evaluate_every=3)
    table = tmp_path / "train.csv"
    rows = [json.loads(line) for line in Path(config.data.train).read_text(encoding="utf-8").splitlines()]
    table.write_text("text,label\n" + "".join(f"{row['text']},{row['label']}\n" for row in rows), encoding="utf-8")
    config = replace(config, data=replace(config.data, train=str(table)))
    run_task(config, tmp_path / "whole")
    kill_at(monkeypatch, 8)
    with pytest.raises(Killed):
        start(config, tmp_path / "run")
    whole = table.read_bytes()
    for content, cause in (
        (b'"text,label\n', "error.data.header"),
        (b"text,label\n" + b'"x\n' * 9, "error.data.all_broken"),
    ):
        table.write_bytes(content)
        failed = fail(config, tmp_path / "run")
        assert (failed.cause, failed.cure) == (cause, "training.cure.data")
    table.write_bytes(whole)
    assert isinstance(start(config, tmp_path / "run"), Finished)
    again = [event for event in events_of(tmp_path / "run") if isinstance(event, Started)][-1]
    assert again.resumed_from == "checkpoint-6"
    assert distance(tmp_path / "whole/model", tmp_path / "run/model") == 0.0


def test_a_full_device_is_known_by_whatever_says_so() -> None:
    from core.training.failures import is_disk, is_memory

    full, tensor = Path("/dev/full"), torch.zeros(10**6)
    if not full.exists():
        pytest.skip("only Linux has a device that is always full")
    ways: tuple[Callable[[], Any], ...] = (
        lambda: full.write_text("x" * 10**6, encoding="utf-8"),
        lambda: torch.save(tensor, full),
    )
    for write in ways:
        with pytest.raises((OSError, RuntimeError)) as caught:
            write()
        assert is_disk(caught.value) and not is_memory(caught.value)
    assert not is_disk(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_disk(PermissionError(13, "Permission denied"))


def test_other_settings_cannot_go_on_from_a_checkpoint(
    tmp_path: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = review_config(tmp_path, encoder, validation=8, evaluate_every=3)
    kill_at(monkeypatch, 5)
    with pytest.raises(Killed):
        start(config, tmp_path / "run")
    other = replace(config, hyperparameters=replace(config.hyperparameters, learning_rate=1e-3))
    failed = fail(other, tmp_path / "run")
    assert (failed.cause, failed.params) == (
        "error.training.config_changed", {"fields": "hyperparameters.learning_rate"},
    )  # fmt: skip
    assert isinstance(start(config, tmp_path / "run"), Finished)


def test_a_task_model_is_only_loaded_from_a_finished_run(tmp_path: Path, encoder: Path) -> None:
    with pytest.raises(ModelUnavailable, match="no_task"):
        load_task_model(str(encoder))
    with pytest.raises(ModelUnavailable, match="not_a_model"):
        load_task_model(str(tmp_path))
    coded = tmp_path / "coded"
    shutil.copytree(encoder, coded)
    content = json.loads((coded / "config.json").read_text(encoding="utf-8"))
    (coded / "config.json").write_text(json.dumps(content | {"auto_map": {"AutoModel": "m.M"}}), encoding="utf-8")
    with pytest.raises(ModelUnavailable, match="remote_code"):
        load_task_model(str(coded))
    pickled = tmp_path / "pickled"
    shutil.copytree(encoder, pickled)
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    with pytest.raises(ModelUnavailable, match="pickle"):
        load_task_model(str(pickled))
