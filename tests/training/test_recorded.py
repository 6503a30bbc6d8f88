"""The runs that come with the app: they are what their recipes say, and their numbers follow from their predictions."""

from __future__ import annotations

import json
import re

import pytest

from core.settings import ROOT
from core.tasks.registry import find_task
from core.training.recorded import CHANGES, SENTIMENT, recipes
from core.training.records import RECORDED, list_recorded, read_recorded
from core.training.trainer import read_predictions, score
from core.values import as_json

NAMES = list_recorded()


def test_those_that_the_page_begins_with_are_there() -> None:
    assert {"classification", SENTIMENT, *(f"classification-{change}" for change in CHANGES)} <= set(NAMES)
    assert set(NAMES) <= set(recipes())
    with pytest.raises(KeyError):
        read_recorded("../samples")


@pytest.mark.parametrize("name", NAMES)
def test_it_was_made_by_its_recipe(name: str) -> None:
    config = json.loads((RECORDED / name / "config.json").read_text(encoding="utf-8"))
    assert config == json.loads(json.dumps(recipes()[name].as_json()))


@pytest.mark.parametrize("name", NAMES)
def test_its_numbers_follow_from_its_predictions(name: str) -> None:
    record = read_recorded(name)
    predictions = read_predictions(RECORDED / name / "predictions.jsonl")
    scores = score(find_task(record.config["task"]), predictions)
    told = record.scores["validation"]
    assert scores[record.metric] == pytest.approx(told[record.metric], rel=1e-6)
    assert len(predictions) == record.facts["validation"]
    assert record.best is not None
    assert record.best["metrics"][record.metric] == pytest.approx(told[record.metric], rel=1e-6)
    assert (record.state, record.step, record.total) == ("done", 100, 100)
    assert [row[0] for row in record.steps] == list(range(1, 101))
    assert record.recorded and not record.resumable and not record.unfinished


def test_nothing_in_them_tells_of_the_machine() -> None:
    for path in RECORDED.glob("*/*"):
        text = path.read_text(encoding="utf-8")
        assert str(ROOT) not in text
        assert not re.search(r'"/(?:root|home|tmp|work|Users)/', text), path
        assert path.stat().st_size < 400_000


def test_topics_are_learned_and_praise_hardly_is() -> None:
    """What the page asks its first question about."""
    topic, praise = (read_recorded(name) for name in ("classification", SENTIMENT))
    gains = []
    for record in (topic, praise):
        assert record.best is not None
        assert record.trivial is not None
        gains.append(record.best["metrics"]["accuracy"] - record.trivial)
    assert gains[0] > 0.3 > gains[1]
    assert json.dumps(as_json(topic))
