"""The encoder's recipe from end to end on a tiny corpus."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForMaskedLM, AutoTokenizer, TrainerCallback

from core.bundled.encoder import export, prepare, train
from core.bundled.evaluation import evaluate
from tests.bundled.tiny import SHAPE, write_corpus

STEPS = 20


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundled")
    write_corpus(folder / "data")
    prepare(folder / "data", folder / "work", megabytes=1, seed=1, shape=SHAPE)
    return folder


@pytest.fixture(scope="module")
def trained(prepared: Path) -> Path:
    train(prepared / "work", steps=STEPS, seed=1, shape=SHAPE)
    export(prepared / "work", prepared / "encoder")
    return prepared


def read_losses(checkpoint: Path) -> list[float]:
    state = json.loads((checkpoint / "trainer_state.json").read_text())
    return [entry["loss"] for entry in state["log_history"] if "loss" in entry]


def interrupt_at(step: int, ask: Callable[[], None]) -> TrainerCallback:
    class Interrupt(TrainerCallback):
        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == step:
                ask()

    return Interrupt()


def test_sample_keeps_documents_apart_and_drops_speakers(prepared: Path) -> None:
    sample = (prepared / "work/sample.txt").read_text(encoding="utf-8")
    assert "駅前で猫を見たいです。\nはい、公園が良いです。\n\n" in sample
    assert sample.count("\n\n") == 31  # one for each document


def test_stream_holds_the_ids_of_the_shipped_kind_of_tokenizer(prepared: Path) -> None:
    work = prepared / "work"
    tokenizer = AutoTokenizer.from_pretrained(work / "tokenizer")
    documents = (work / "sample.txt").read_text(encoding="utf-8").strip().split("\n\n")
    expected = [
        index
        for document in documents
        for line in [*document.split("\n"), ""]
        for index in (tokenizer(line, add_special_tokens=False)["input_ids"] if line else [tokenizer.sep_token_id])
    ]
    stream = np.load(work / "stream.npy")
    assert stream.dtype == np.uint16
    assert stream[: len(expected)].tolist() == expected
    assert tokenizer.unk_token_id not in stream


def test_steps_that_are_done_are_not_done_again(prepared: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (prepared / "work").glob("*.*")}
    prepare(prepared / "data", prepared / "work", megabytes=1, seed=1, shape=SHAPE)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_loss_falls(trained: Path) -> None:
    # The start already knows the frequencies: what falls further was learned from context.
    checkpoint = trained / "work/checkpoints" / f"checkpoint-{STEPS}"
    losses = read_losses(checkpoint)
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.5


def test_a_run_stopped_by_a_signal_goes_on_to_the_same_weights(trained: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    shutil.copytree(trained / "work", work, ignore=shutil.ignore_patterns("checkpoints", "run.json"))
    handler = signal.getsignal(signal.SIGTERM)
    stop = interrupt_at(7, lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert train(work, steps=STEPS, seed=1, shape=SHAPE, callbacks=[stop]).name == "checkpoint-8"
    assert signal.getsignal(signal.SIGTERM) == handler
    assert train(work, steps=STEPS, seed=1, shape=SHAPE).name == f"checkpoint-{STEPS}"
    stopped, whole = (
        load_file(folder / "checkpoints" / f"checkpoint-{STEPS}" / "model.safetensors")
        for folder in (work, trained / "work")
    )
    for name, weights in whole.items():
        torch.testing.assert_close(stopped[name], weights, rtol=0, atol=1e-6)


def test_run_refuses_a_checkpoint_of_other_settings(trained: Path) -> None:
    with pytest.raises(ValueError, match="other settings"):
        train(trained / "work", steps=STEPS, seed=1, shape=replace(SHAPE, learning_rate=1.0))


def test_run_notes_when_its_plan_changes(trained: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    shutil.copytree(trained / "work", work)
    train(work, steps=STEPS + 2, seed=1, shape=SHAPE)
    assert json.loads((work / "run.json").read_text())["plans"] == [[0, STEPS], [STEPS, STEPS + 2]]


def test_a_later_export_takes_the_place_of_an_earlier_one(trained: Path, tmp_path: Path) -> None:
    export(trained / "work", tmp_path)
    whole = {path.name: path.read_bytes() for path in tmp_path.glob("*.safetensors")}
    for path in tmp_path.glob("*.safetensors"):
        save_file({name: torch.zeros_like(tensor) for name, tensor in load_file(path).items()}, path)
    export(trained / "work", tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.safetensors")} == whole


def test_export_loads_in_single_precision_and_equals_the_checkpoint(trained: Path) -> None:
    model = AutoModelForMaskedLM.from_pretrained(trained / "encoder")
    assert model.dtype == torch.float32
    assert type(model).__name__ == "BertForMaskedLM"
    trained_weights = load_file(trained / "work/checkpoints" / f"checkpoint-{STEPS}" / "model.safetensors")
    for name, weights in trained_weights.items():
        torch.testing.assert_close(model.state_dict()[name], weights.half().float(), rtol=0, atol=0)


def test_evaluation_beats_the_unigram_baseline(trained: Path) -> None:
    # The tiny corpus is formulaic, so even one layer must do better than frequencies.
    held_out = evaluate(trained / "encoder", trained / "data", seed=1)
    overall = held_out["overall"]
    assert overall["model"]["loss"] < overall["unigram"]["loss"]
    assert set(held_out["sources"]) == {"tanaka"}
