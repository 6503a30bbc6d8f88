"""The form as a configuration and back, what the page says of a plan, and the script of a run that really trained."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from core import query as queries
from core.data.own import new_name, take_in
from core.data.source import DataSource
from core.i18n import LOCALES, Locale, translate
from core.jobs import finish
from core.settings import ROOT
from core.tasks.task import Hyperparameters
from core.training.config import PRESETS
from core.training.folder import RunFolder
from core.training.own import key_of, name_model, open_store
from core.training.planning import plan_run
from core.training.records import publish, read_record
from core.values import as_json
from core.workspaces import new_identity
from tabs._kit.charts import Line, line_chart
from tabs.training.launch import evidence, explore, show
from tabs.training.script import write_script
from tabs.training.settings import (
    TASKS,
    Query,
    change_config,
    chosen_preset,
    make_config,
    name_source,
    params_of,
    preset_params,
)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", PRESETS)
def test_a_configuration_becomes_the_form_it_came_from(task: str, name: Any) -> None:
    query = Query(task=task, **preset_params(name, task))
    assert chosen_preset(query) == name
    config = make_config(query)
    again = queries.make(Query, params_of(publish(config)))
    assert make_config(again) == config


def test_the_first_form_is_a_taste() -> None:
    assert chosen_preset(Query()) == "taste"
    assert make_config(Query(source="sentiment")).data.columns == {}
    assert make_config(Query(lora_rank=8)).lora is not None


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"batch_size": 10_000}, "training.batch_size"),
        ({"learning_rate": 50.0}, "training.learning_rate"),
        ({"share": 0}, "training.share"),
    ],
)
def test_what_stands_in_the_way_is_told_in_the_forms_words_with_a_button(
    fields: dict[str, Any], said: str, locale: Locale
) -> None:
    result = explore(Query(**fields))
    drawn = unescape(show(result, locale)[1])
    name = translate(said, locale).partition("（")[0].partition(" (")[0]
    assert name in drawn
    assert "data-pick" in drawn
    assert "hyperparameters." not in drawn
    assert result.record is not None, "nothing that was there is lost"


def test_runs_are_compared_by_letter_and_by_what_differs() -> None:
    result = explore(Query(beside="classification-rate sentiment nobody classification"))
    assert [one.key for one in result.beside] == ["classification-rate", "sentiment"]
    assert result.differences["hyperparameters.learning_rate"] == (3e-4, 3e-3, 3e-4)
    assert set(result.differences) == {"hyperparameters.learning_rate", "data.columns.label"}
    drawn = show(result, "ja")[2]
    assert drawn.count("<lab-twin") == 3
    assert "0.003" in drawn
    adapted = explore(Query(beside="classification-lora classification-half"))
    compared = show(adapted, "ja")[2]
    assert adapted.beside[0].facts["trainable"] < 0.05 * adapted.beside[0].facts["parameters"]
    assert f"{adapted.beside[0].facts['trainable']:,} (" in compared
    assert f"<td>{translate('training.all', 'ja')}</td><td>{translate('training.all', 'ja')}</td>" in compared


def test_only_answers_that_can_be_right_are_called_right_or_wrong() -> None:
    for task, judged in (("classification", True), ("tagging", True), ("simcse", False), ("headline", False)):
        drawn = show(explore(Query(task=task)), "ja")[2]
        assert "lab-samples" in drawn
        assert ("✗" in drawn) == judged
    swatches = show(explore(Query(task="simcse")), "ja")[2].partition("lab-small-charts")[0]
    assert translate("training.part.train", "ja") in swatches
    assert translate("training.part.validation", "ja") + "</" not in swatches.partition("</figure>")[0]


def test_a_line_has_its_table_and_its_gaps() -> None:
    line = Line("A<b>", [(1, 2.0), (2, None), (3, float("nan")), (4, 1.0), (5, 0.5)], marked=True)
    drawn = line_chart([line], title="t", x_name="x", locale="ja", level=("いつも", 0.7))
    assert "<b>" not in drawn
    assert drawn.count('class="lab-dot') == 3
    assert len(re.findall(r'class="lab-stroke lab-stroke-0" d="M[\d.]+,[\d.]+L', drawn)) == 1, "one stands alone"
    for value in ("<td class=lab-number>0.5</td>", "<td class=lab-number>2</td>"):
        assert value in drawn
    assert line_chart([], title="t", x_name="x", locale="en")


def test_a_file_of_ones_own_is_trained_on_by_every_task_that_it_has_the_columns_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_WORKSPACE", str(tmp_path / "workspaces"))
    owner = tmp_path / "workspaces" / new_identity()
    owner.mkdir(parents=True)
    file = tmp_path / "変な 名前.csv"
    lines = ["感想,評価", *(f"{n}番目の店です。,{'良悪'[n % 2]}" for n in range(50)), "だけ"]
    file.write_text("\n".join(lines), encoding="utf-8")
    name = new_name(file.name)
    finish(take_in(file, file.name, "classification", {"text": "感想", "label": "評価"}, (owner, name)))
    for task in ("classification", "simcse", "masked-lm"):
        plan = explore(Query(source=name, task=task)).plan
        assert plan.examples + plan.validation >= 50
        assert plan.can_start
    mine = Query(source=name)
    assert name_source(make_config(mine)) == name
    assert explore(mine).plan.broken == 1
    for locale in LOCALES:
        drawn = unescape("".join(show(explore(mine), locale)))
        assert "変な 名前.csv" in drawn
        assert str(tmp_path) not in drawn
        other = unescape(show(explore(Query(source=name, task="tagging")), locale)[1])
        assert translate("training.task.classification", locale) in other
        assert '{"task":"classification"}' in other
    assert "source" not in {name for name in queries.to_link(mine) if name != "without"}
    for gone in (new_name("x.csv"), "hub:somebody/something", "/etc/passwd"):
        assert not explore(Query(source=gone)).plan.can_start
        assert '{"source":"sample"}' in unescape(show(explore(Query(source=gone)), "ja")[1])


def test_a_run_once_more_keeps_what_the_form_has_no_field_for() -> None:
    config = replace(
        make_config(Query()),
        data=DataSource("rows.csv", validation="judged.csv", columns={"text": "感想"}),
        hyperparameters=Hyperparameters(max_gradient_norm=0.5),
        frozen=("word_embeddings",),
    )
    again = change_config(config, Query(learning_rate=0.01, limit=20, share=30, lora_rank=4))
    assert (again.data.train, again.data.validation, again.data.columns) == ("rows.csv", "judged.csv", {"text": "感想"})
    assert (again.hyperparameters.max_gradient_norm, again.frozen) == (0.5, ("word_embeddings",))
    assert (again.hyperparameters.learning_rate, again.data.limit, again.data.validation_share) == (0.01, 20, 0.3)
    assert again.lora is not None


@pytest.mark.timeout(600)
def test_the_script_of_a_run_trains_it_again_to_the_same_metric(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the page promises of its code, on a run that is made here: as a script of one's own, in a fresh process."""
    monkeypatch.setenv("LAB_WORKSPACE", str(tmp_path / "workspaces"))
    owner = new_identity()
    query = Query(steps=6, evaluate_every=3, batch_size=4, max_length=24, limit=24)
    run = open_store(tmp_path / "workspaces" / owner).create(make_config(query))
    train(run.folder)
    key = key_of(run.id)
    shown = explore(Query(run=key))
    assert shown.record is not None
    assert (shown.record.state, shown.record.step, shown.record.total) == ("done", 6, 6)
    told = evidence(shown)
    assert told is not None
    script = write_script(as_json(read_record(run.folder, key=key)))
    assert owner not in script
    assert str(tmp_path) not in script
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    made = subprocess.run(
        [sys.executable, "-c", script + "\nprint(json.dumps(result))"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr[-2_000:]
    assert json.loads(made.stdout.splitlines()[-1]) == told
    assert name_model(run.folder).endswith(key)
    assert plan_run(make_config(query)).examples == 24


def train(folder: RunFolder) -> None:
    """As the app does, on one thread."""
    subprocess.run(
        [sys.executable, "-m", "core.training", str(folder.path)],
        cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, check=True,
    )  # fmt: skip
