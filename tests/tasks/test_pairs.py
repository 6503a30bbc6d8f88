"""Pairs: segments reach the model, and a head is a classifier or a regressor, never a mixture."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from core.data.examples import LabelledPair, ScoredPair
from core.errors import InvalidInput
from core.tasks.classification import TASK as CLASSIFICATION
from core.tasks.pairs import TASKS
from core.tasks.task import Prediction, Setup
from core.tasks.tokenizing import load_task_tokenizer
from tests.tasks.encoder import save_encoder

INFERENCE, SIMILARITY = TASKS
PAIRS = (
    LabelledPair("犬が公園を走っている。", "動物が動いている。", "entailment"),
    LabelledPair("犬が公園を走っている。", "犬は眠っている。", "contradiction"),
    LabelledPair("犬が公園を走っている。", "犬の飼い主は、となりの町に住む学校の先生だ。", "neutral"),
)
SCORED = tuple(ScoredPair(pair.first, pair.second, score) for pair, score in zip(PAIRS, (3.5, 2.0, 0.5), strict=True))
SETUP = Setup(("entailment", "contradiction", "neutral"), max_length=32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_encoder(tmp_path_factory.mktemp("pairs"))


@pytest.fixture(scope="module")
def tokenizer(folder: str) -> Any:
    return load_task_tokenizer(folder)


def test_rows_come_back() -> None:
    for pair in PAIRS:
        assert INFERENCE.read(INFERENCE.write(pair)) == pair
    for scored in SCORED:
        assert SIMILARITY.read(SIMILARITY.write(scored)) == scored
    assert SIMILARITY.read({"sentence1": "a", "sentence2": "b", "score": "4.5"}).score == 4.5
    assert (INFERENCE.defaults.max_length, SIMILARITY.defaults.max_length) == (128, 128)


@pytest.mark.parametrize("score", ["高い", "nan", "inf", True, [1], None, ""])
def test_a_score_is_a_number(score: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        SIMILARITY.read({"sentence1": "a", "sentence2": "b", "score": score})
    assert caught.value.key in ("error.data.not_number", "error.data.empty_cell")


def test_labels_stand_in_the_order_of_jglue() -> None:
    assert INFERENCE.labels(PAIRS[::-1]) == ("entailment", "contradiction", "neutral")
    assert INFERENCE.labels([LabelledPair("a", "b", "non-entailment"), PAIRS[0]]) == ("entailment", "non-entailment")
    assert SIMILARITY.labels(SCORED) == ()


def test_the_model_sees_two_segments(folder: str, tokenizer: Any) -> None:
    import torch

    model: Any = INFERENCE.load(folder, SETUP)
    model.eval()
    features = INFERENCE.prepare(PAIRS, tokenizer, SETUP)
    assert all(feature["token_type_ids"][-1] == 1 and feature["token_type_ids"][0] == 0 for feature in features)
    batch = INFERENCE.collator(tokenizer, SETUP)(list(features))
    assert (batch["token_type_ids"] == 0).logical_or(batch["attention_mask"] == 1).all()  # padding is segment 0
    with torch.no_grad():
        logits = model(**batch).logits
        blind = model(**{name: value for name, value in batch.items() if name != "token_type_ids"}).logits
    assert not torch.allclose(logits, blind)
    scores = [list(prediction.scores.values()) for prediction in INFERENCE.predict(model, tokenizer, PAIRS, SETUP)]
    assert torch.tensor(scores) == pytest.approx(logits.softmax(-1), abs=1e-5)


def test_padding_changes_nothing(folder: str, tokenizer: Any) -> None:
    model: Any = SIMILARITY.load(folder, SETUP)
    together = SIMILARITY.predict(model, tokenizer, SCORED, SETUP)
    alone = SIMILARITY.predict(model, tokenizer, SCORED, SETUP, batch_size=1)
    assert [one.predicted for one in alone] == pytest.approx([one.predicted for one in together], abs=1e-5)


def test_similarity_learns_by_squared_error(folder: str, tokenizer: Any) -> None:
    import torch

    model: Any = SIMILARITY.load(folder, Setup(max_length=32))
    assert (model.config.num_labels, model.config.problem_type) == (1, "regression")
    batch = SIMILARITY.collator(tokenizer, SETUP)(list(SIMILARITY.prepare(SCORED, tokenizer, SETUP)))
    assert batch["labels"].dtype == torch.float32
    model.eval()
    predictions = SIMILARITY.predict(model, tokenizer, SCORED, SETUP, batch_size=2)
    assert [one.gold for one in predictions] == [3.5, 2.0, 0.5]
    assert model(**batch).loss.item() == pytest.approx(sum(one.loss for one in predictions) / 3, rel=1e-4)
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(60):
        loss: torch.Tensor = model(**batch).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    scores = SIMILARITY.score(SIMILARITY.predict(model, tokenizer, SCORED, SETUP))
    assert scores["spearman"] == pytest.approx(1.0)
    assert scores["pearson"] > 0.95


def test_a_head_changes_its_kind(folder: str, tokenizer: Any, tmp_path: Path) -> None:
    import torch

    classifier: Any = INFERENCE.load(folder, SETUP)
    classifier.save_pretrained(tmp_path / "classes")
    regressor: Any = SIMILARITY.load(str(tmp_path / "classes"), Setup())
    assert regressor.classifier.weight.shape == (1, 32)
    assert torch.equal(regressor.bert.pooler.dense.weight, classifier.bert.pooler.dense.weight)
    batch = SIMILARITY.collator(tokenizer, SETUP)(list(SIMILARITY.prepare(SCORED, tokenizer, SETUP)))
    regressor.eval()
    expected = torch.nn.functional.mse_loss(regressor(**batch).logits.squeeze(-1), batch["labels"])
    assert regressor(**batch).loss.item() == pytest.approx(expected.item())

    regressor.save_pretrained(tmp_path / "scores")
    again: Any = SIMILARITY.load(str(tmp_path / "scores"), Setup())
    assert torch.equal(again.classifier.weight, regressor.classifier.weight)
    back: Any = INFERENCE.load(str(tmp_path / "scores"), SETUP)
    assert (back.config.problem_type, back.config.num_labels) == ("single_label_classification", 3)
    assert back.config.id2label[1] == "contradiction"
    # One label only has the shape of a regressor, and is none.
    single: Any = CLASSIFICATION.load(str(tmp_path / "scores"), Setup(("score",)))
    assert single.config.problem_type == "single_label_classification"
    assert not torch.equal(single.classifier.weight, regressor.classifier.weight)


def test_correlations_are_those_of_scipy() -> None:
    from scipy.stats import pearsonr, spearmanr

    golds, numbers = [0.0, 1.0, 2.5, 4.0, 5.0], [0.3, 0.1, 2.0, 9.0, 5.5]
    scores = SIMILARITY.score([Prediction(0, gold, value, 0.0) for gold, value in zip(golds, numbers, strict=True)])
    assert scores["pearson"] == pytest.approx(pearsonr(golds, numbers).statistic)
    assert scores["spearman"] == pytest.approx(spearmanr(golds, numbers).statistic) == pytest.approx(0.8)


def test_a_correlation_without_spread_is_not_a_number() -> None:
    for golds in ([], [1.0], [1.0, 1.0], [1.0, math.nan]):
        scores = SIMILARITY.score([Prediction(index, gold, index, 0.0) for index, gold in enumerate(golds)])
        assert all(map(math.isnan, scores.values()))
