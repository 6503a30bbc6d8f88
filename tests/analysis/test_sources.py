"""Where tables come from: bundled models on their samples, files in a workspace, runs."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from core.analysis import sources
from core.analysis.sources import Opened, find_own, keep, new_name, open_run, open_source
from core.analysis.storage import read_opened
from core.analysis.table import KINDS
from core.data.samples import read_sample
from core.errors import InvalidInput
from core.jobs import finish
from core.presets import HEADS, is_own
from core.tasks.loaded import load_task_model, predict
from core.tasks.registry import find_task
from core.training.folder import RunFolder
from tests.analysis.tables import binary_table

BUNDLED = [preset for preset in HEADS if preset.bundled and preset.task in KINDS]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAB_WORKSPACE", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", [preset.id for preset in BUNDLED])
def test_a_bundled_model_is_scored_as_its_task_scores_it(name: str, folder: Path) -> None:
    opened = open_source(name)
    model = load_task_model(name)
    examples, _, _ = sources._read_sample(model.task.name)
    predictions = predict(model, examples)
    scores = model.task.score(predictions)
    assert opened.origin == "held_out"
    assert not opened.broken
    assert len(opened.table) == len(examples)
    told = [one.predicted if not isinstance(one.predicted, list) else None for one in predictions]
    if opened.table.kind in ("label", "choice"):
        assert float(opened.table.correct.mean()) == pytest.approx(scores["accuracy"])
        assert [str(one) for one in opened.table.predicted] == [str(one) for one in told]
    if opened.table.kind == "label":
        assert opened.table.labels == model.setup.labels
    assert open_source(name).table is opened.table  # a filter need not wait


def test_reviews_keep_their_further_columns_and_no_training_row(folder: Path) -> None:
    table = open_source("sentiment").table
    rows = read_sample("reviews", part="test").rows
    assert set(table.columns) == {"domain", "tone"}
    assert [row.values["tone"] for row in rows] == list(table.columns["tone"])
    train = {row.values["text"] for row in read_sample("reviews", part="train").rows}
    assert not train & {texts[0] for texts in table.texts}


def test_a_large_model_asks_for_a_job_and_its_predictions_are_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "LARGE_MEGABYTES", 0.0)
    with pytest.raises(InvalidInput) as told:
        open_source("choice")
    assert told.value.key == "error.analysis.not_predicted"
    assert told.value.params == {"source": "choice", "rows": 60}
    work = sources.predict_source("choice")
    steps = [next(work)]
    assert steps[0].total == 60
    assert finish(work) == 60
    opened = open_source("choice")
    assert (len(opened.table), opened.model) == (60, "choice")


def test_what_a_visitor_brings_is_found_by_its_name_alone(folder: Path) -> None:
    workspace = folder / ("0" * 32)
    workspace.mkdir()
    name = new_name("店の/名前:A.csv")
    keep(workspace, name, Opened(binary_table(["positive"], [0.7]), "A.csv"))
    assert is_own(name)
    assert sources.called(name) == "店の 名前 A.csv"
    assert re.fullmatch(r"mine:[^:]*:[0-9a-f]{32}", name)
    assert len(open_source(name).table) == 1
    assert find_own(name).parent == workspace / "tables"
    for gone in ("mine:A.csv:" + "0" * 32, "mine:../../x:" + "1" * 32, "mine:A.csv:../" + "1" * 29, "mine:"):
        with pytest.raises(InvalidInput) as told:
            open_source(gone)
        assert told.value.key == "error.analysis.gone"
    with pytest.raises(ValueError, match="new_name"):
        keep(workspace, "mine:x:../../y", Opened(binary_table(["positive"], [0.7]), "A.csv"))


@pytest.mark.parametrize("source", ["sentiment", "similarity", "choice", "tagging"])
def test_what_was_just_kept_is_what_its_file_says(source: str, folder: Path) -> None:
    """The table that is handed on, so that the first look need not wait, and the one that is read."""
    workspace, name = folder / ("a" * 32), new_name("mine.csv")
    workspace.mkdir()
    before = open_source(source)
    keep(workspace, name, before)
    assert open_source(name).table is before.table
    again = read_opened(find_own(name))
    for field in dataclasses.fields(again.table):
        kept, read = getattr(before.table, field.name), getattr(again.table, field.name)
        if isinstance(kept, np.ndarray):
            np.testing.assert_array_equal(kept, read)
        elif field.name == "columns":
            assert {key: list(values) for key, values in kept.items()} == {key: list(v) for key, v in read.items()}
        else:
            assert kept == read
    for part in ("data", "model", "origin", "broken", "columns"):
        assert getattr(again, part) == getattr(before, part)


def test_models_that_answer_otherwise_are_refused(folder: Path) -> None:
    with pytest.raises(InvalidInput) as told:
        open_source("simcse")
    assert told.value.key == "error.analysis.task"


def test_a_run_is_opened_from_its_folder(folder: Path, tmp_path: Path) -> None:
    """The predictions of the validation part meet the examples of the same split."""
    from core.data.loading import load_examples
    from core.data.source import DataSource
    from core.tasks.loaded import write_setup
    from core.tasks.task import Setup
    from core.training.config import RunConfig, write_config
    from core.training.trainer import write_predictions

    task = find_task("classification")
    config = RunConfig(task="classification", data=DataSource(train="sample:reviews"), model="encoder")
    run = RunFolder(tmp_path / "20260101-000000-abcdef")
    run.model.mkdir(parents=True)
    write_config(config, run.config)
    with pytest.raises(InvalidInput) as told:
        open_run(run)
    assert told.value.key == "error.analysis.no_predictions"
    parts = load_examples(task, config.data, seed=config.hyperparameters.seed)
    model = load_task_model("sentiment")
    write_setup(run.model, "classification", Setup(labels=("negative", "positive")))
    for examples, place in ((parts.validation, run.predictions), (parts.test, run.test_predictions)):
        write_predictions(predict(model, examples), place)
    opened = open_run(run)
    assert (len(opened.table), opened.data, opened.model) == (len(parts.validation), "sample:reviews", run.path.name)
    assert opened.table.labels == ("negative", "positive")
    assert len(open_run(run, test=True).table) == len(parts.test)
    changed = dataclasses.replace(config, data=DataSource(train="sample:reviews", limit=50, validation_share=0.5))
    write_config(changed, run.config)
    with pytest.raises(InvalidInput) as told:
        open_run(run)
    assert told.value.key == "error.analysis.other_examples"
