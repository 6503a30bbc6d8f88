"""Text classification: heads, features, losses, metrics."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from core.data.examples import LabelledText
from core.errors import InvalidInput, ModelUnavailable
from core.tasks.classification import TASK, order_labels, score_labels
from core.tasks.task import Prediction, Setup, Task
from core.tasks.tokenizing import load_task_tokenizer
from tests.tasks.encoder import save_encoder

EXAMPLES = (
    LabelledText("とても楽しい映画でした。", "positive"),
    LabelledText("眠い。", "negative"),
    LabelledText("料理は冷めていたし、店員も冷たかったので、二度と行きません。", "negative"),
    LabelledText("音がよい", "positive"),
    LabelledText("ふつう", "neutral"),
)
SETUP = Setup(("positive", "negative", "neutral"), max_length=32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_encoder(tmp_path_factory.mktemp("classification"), dropout=0.3)


@pytest.fixture(scope="module")
def tokenizer(folder: str) -> Any:
    return load_task_tokenizer(folder)


@pytest.fixture(scope="module")
def model(folder: str) -> Any:
    return TASK.load(folder, SETUP)


def test_it_is_a_task() -> None:
    task: Task[LabelledText] = TASK
    assert (task.defaults.max_length, task.defaults.epochs, task.defaults.learning_rate) == (512, 3, 2e-5)
    assert (task.defaults.batch_size, task.defaults.warmup, task.metric) == (32, 0.1, "accuracy")


@pytest.mark.parametrize("example", EXAMPLES)
def test_rows_come_back(example: LabelledText) -> None:
    assert TASK.read(TASK.write(example)) == example


def test_rows_of_many_files_are_read() -> None:
    assert TASK.read({"text": "よい", "label": 1}) == LabelledText("よい", "1")
    assert TASK.read({"text": "よい", "label": 1.0}) == LabelledText("よい", "1")
    assert TASK.read({"text": "よい", "label": "1.0"}) == LabelledText("よい", "1")
    assert TASK.read({"text": 2025, "label": " 良い "}) == LabelledText("2025", "良い")
    assert TASK.read({"text": "よい", "label": True}) == LabelledText("よい", "true")


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ({"text": "", "label": "a"}, "error.data.empty_cell"),
        ({"text": "　", "label": "a"}, "error.data.empty_cell"),
        ({"label": "a"}, "error.data.empty_cell"),
        ({"text": "x", "label": None}, "error.data.empty_cell"),
        ({"text": "x", "label": math.nan}, "error.data.empty_cell"),
        ({"text": ["x"], "label": "a"}, "error.data.not_text"),
        ({"text": "x" * 1_000_001, "label": "a"}, "error.data.long_cell"),
        ({"text": "\ud800", "label": "a"}, "error.data.surrogate"),
    ],
)
def test_a_row_that_cannot_be_used_says_why(row: dict[str, Any], key: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        TASK.read(row)
    assert caught.value.key == key


def test_labels_have_one_order() -> None:
    assert TASK.labels(EXAMPLES) == ("positive", "negative", "neutral")
    assert order_labels(["10", "9", "-1", "b", "a", "9"]) == ("-1", "9", "10", "a", "b")


def test_the_model_learns_what_it_is_told(folder: str, tokenizer: Any, model: Any) -> None:
    import torch

    assert model.config.id2label == {0: "positive", 1: "negative", 2: "neutral"}
    assert model.dtype == torch.float32  # saved in half precision
    features = TASK.prepare(EXAMPLES, tokenizer, SETUP)
    batch = TASK.collator(tokenizer, SETUP)(list(features))
    longest = max(len(feature["input_ids"]) for feature in features)
    assert batch["input_ids"].shape == batch["token_type_ids"].shape == (len(EXAMPLES), longest)
    assert batch["labels"].tolist() == [0, 1, 1, 0, 2]
    learner = TASK.load(folder, SETUP)
    learner.eval()  # without dropout, so that every step counts
    optimizer = torch.optim.AdamW(learner.parameters(), lr=3e-3)
    first = last = 0.0
    for step in range(40):
        loss: torch.Tensor = learner(**batch).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        first, last = (loss.item(), 0.0) if step == 0 else (first, loss.item())
    assert last < 0.3 * first
    assert TASK.score(TASK.predict(learner, tokenizer, EXAMPLES, SETUP))["accuracy"] == 1.0


def test_predictions_agree_with_the_models_own_loss(tokenizer: Any, model: Any) -> None:
    import torch

    model.train()
    predictions = TASK.predict(model, tokenizer, EXAMPLES, SETUP, batch_size=2)
    assert model.training  # as it was before
    model.eval()
    assert [prediction.index for prediction in predictions] == list(range(len(EXAMPLES)))
    collate = TASK.collator(tokenizer, SETUP)
    for prediction, feature in zip(predictions, TASK.prepare(EXAMPLES, tokenizer, SETUP), strict=True):
        with torch.no_grad():
            output = model(**collate([feature]))
        assert prediction.loss == pytest.approx(output.loss.item(), abs=1e-5)
        probabilities = output.logits[0].softmax(-1).tolist()
        assert list(prediction.scores.values()) == pytest.approx(probabilities, abs=1e-5)
        assert prediction.predicted == max(prediction.scores, key=lambda label: prediction.scores[label])
        assert sum(prediction.scores.values()) == pytest.approx(1)
    json.dumps([prediction.predicted for prediction in predictions])
    assert TASK.predict(model, tokenizer, [], SETUP) == []


def test_a_trained_head_is_kept_and_another_is_not(folder: str, tmp_path: Path) -> None:
    import torch

    trained: Any = TASK.load(folder, SETUP)
    trained.save_pretrained(tmp_path)
    again: Any = TASK.load(str(tmp_path), SETUP)
    assert torch.equal(again.classifier.weight, trained.classifier.weight)
    # The same labels in another order: the same shape, and every answer would be wrong.
    other: Any = TASK.load(str(tmp_path), Setup(("negative", "positive", "neutral")))
    assert not torch.equal(other.classifier.weight, trained.classifier.weight)
    assert torch.equal(other.bert.pooler.dense.weight, trained.bert.pooler.dense.weight)
    fewer: Any = TASK.load(str(tmp_path), Setup(("positive", "negative")))
    assert fewer.classifier.weight.shape[0] == 2
    assert fewer.config.problem_type == "single_label_classification"


def test_the_encoder_is_the_one_in_the_folder(folder: str, model: Any) -> None:
    import torch
    from transformers import BertForMaskedLM

    base = BertForMaskedLM.from_pretrained(folder, dtype=torch.float32)
    for name, weight in base.bert.state_dict().items():
        assert torch.equal(model.bert.state_dict()[name], weight), name


def test_an_unknown_label_is_told(tokenizer: Any, model: Any) -> None:
    stray = [LabelledText("よい", "great")]
    with pytest.raises(InvalidInput) as caught:
        TASK.prepare(stray, tokenizer, SETUP)
    assert caught.value.key == "error.data.unknown_label"
    (prediction,) = TASK.predict(model, tokenizer, stray, SETUP)  # a text without a gold label can be classified
    assert math.isnan(prediction.loss)


def test_broken_weights_are_told(folder: str, tmp_path: Path) -> None:
    for path in Path(folder).iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes()[: 2000 if path.suffix == ".safetensors" else None])
    with pytest.raises(ModelUnavailable) as caught:
        TASK.load(str(tmp_path), SETUP)
    assert caught.value.key == "error.model.unreadable"


def test_metrics_are_those_of_scikit_learn() -> None:
    from sklearn.metrics import accuracy_score, classification_report, f1_score

    golds = ["a", "a", "b", "c", "c", "c", "a", "b"]
    predicted = ["a", "b", "b", "c", "a", "d", "a", "c"]
    scores = score_labels([Prediction(0, gold, label, 0.0) for gold, label in zip(golds, predicted, strict=True)])
    report = classification_report(golds, predicted, output_dict=True, zero_division=0)
    assert scores["accuracy"] == accuracy_score(golds, predicted) == 0.5
    assert scores["macro_f1"] == pytest.approx(f1_score(golds, predicted, average="macro", zero_division=0))
    for label in "abcd":
        for key, name in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score")):
            assert scores[f"{key}.{label}"] == pytest.approx(report[label][name])
    # By hand: two of the three a are found, and two of the three called a are a.
    assert scores["f1.a"] == pytest.approx(2 / 3)
    assert score_labels([]) == {}
