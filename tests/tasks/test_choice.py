"""Multiple choice: any number of choices, and the missing ones never win."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from core.data.examples import ChoiceQuestion
from core.errors import InvalidInput, ModelUnavailable
from core.tasks.choice import TASK
from core.tasks.task import Prediction, Setup
from core.tasks.tokenizing import encode_texts, load_task_tokenizer
from tests.tasks.encoder import save_encoder

QUESTIONS = (
    ChoiceQuestion("雨の日に差すものは?", ("傘", "箸", "机", "靴べら", "長い長い棒"), 0),
    ChoiceQuestion("空を飛ぶのは?", ("石", "鳥"), 1),
    ChoiceQuestion("氷が溶けると何になるでしょう?", ("油", "砂", "水"), 2),
)
SETUP = Setup(max_length=32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_encoder(tmp_path_factory.mktemp("choice"))


@pytest.fixture(scope="module")
def tokenizer(folder: str) -> Any:
    return load_task_tokenizer(folder)


@pytest.fixture(scope="module")
def model(folder: str) -> Any:
    return TASK.load(folder, SETUP)


def test_rows_come_back() -> None:
    for question in QUESTIONS:
        assert TASK.read(TASK.write(question)) == question
    assert TASK.defaults.max_length == 64
    assert TASK.label_of(QUESTIONS[0]) is None


@pytest.mark.parametrize("label", [1, "1", 1.0, "choice1", "B", "b", "鳥"])
def test_the_right_choice_has_many_names(label: Any) -> None:
    assert TASK.read({"question": "飛ぶのは?", "choices": ["石", "鳥"], "label": label}).answer == 1
    assert TASK.read({"question": "飛ぶのは?", "choices": '["石", "鳥"]', "label": label}).answer == 1


@pytest.mark.parametrize(
    ("choices", "label", "key"),
    [
        (["石"], 0, "error.data.few_choices"),
        (["石", "鳥"], 2, "error.data.no_such_choice"),
        (["石", "鳥"], "C", "error.data.no_such_choice"),
        (["石", "鳥"], -1, "error.data.no_such_choice"),
        (["石", ""], 0, "error.data.empty_cell"),
        ("石,鳥", 0, "error.data.not_list"),
        ({"a": 1}, 0, "error.data.not_list"),
    ],
)
def test_a_row_that_cannot_be_used_says_why(choices: Any, label: Any, key: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        TASK.read({"question": "飛ぶのは?", "choices": choices, "label": label})
    assert caught.value.key == key


def test_a_batch_holds_every_choice_with_its_question(tokenizer: Any) -> None:
    features = TASK.prepare(QUESTIONS, tokenizer, SETUP)
    assert [len(feature["choice_lengths"]) for feature in features] == [5, 2, 3]
    assert all(sum(feature["choice_lengths"]) == len(feature["input_ids"]) for feature in features)
    batch = TASK.collator(tokenizer, SETUP)(list(features))
    assert batch["input_ids"].shape[:2] == batch["token_type_ids"].shape[:2] == (3, 5)
    assert batch["choice_mask"].tolist() == [[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0]]
    assert batch["labels"].tolist() == [0, 1, 2]
    for row, question in zip(range(3), QUESTIONS, strict=True):
        for place, choice in enumerate(question.choices):
            (expected,) = encode_texts(tokenizer, [question.question], [choice], max_length=32)
            length = len(expected["input_ids"])
            assert batch["input_ids"][row, place, :length].tolist() == expected["input_ids"]
            assert batch["token_type_ids"][row, place, :length].tolist() == expected["token_type_ids"]
            assert int(batch["attention_mask"][row, place].sum()) == length
    assert "choice_mask" not in TASK.collator(tokenizer, SETUP)(list(features[:1]))


def test_missing_choices_change_nothing(model: Any, tokenizer: Any) -> None:
    together = TASK.predict(model, tokenizer, QUESTIONS, SETUP)
    alone = TASK.predict(model, tokenizer, QUESTIONS, SETUP, batch_size=1)
    for one, other, question in zip(together, alone, QUESTIONS, strict=True):
        assert list(one.scores) == [str(number) for number in range(len(question.choices))]
        assert list(one.scores.values()) == pytest.approx(list(other.scores.values()), abs=1e-5)
        assert sum(one.scores.values()) == pytest.approx(1)
        assert one.loss == pytest.approx(-math.log(one.scores[str(question.answer)]))
        assert one.predicted == max(range(len(one.scores)), key=lambda number: one.scores[str(number)])


def test_the_loss_is_the_mean_of_the_questions(model: Any, tokenizer: Any) -> None:
    import torch

    model.eval()
    batch = TASK.collator(tokenizer, SETUP)(list(TASK.prepare(QUESTIONS, tokenizer, SETUP)))
    output = model(**batch)
    losses = [prediction.loss for prediction in TASK.predict(model, tokenizer, QUESTIONS, SETUP)]
    assert output.loss.item() == pytest.approx(sum(losses) / 3, rel=1e-4)
    assert torch.isneginf(output.logits[batch["choice_mask"] == 0]).all()
    model.zero_grad()
    output.loss.backward()
    assert all(weight.grad.isfinite().all() for weight in model.parameters() if weight.grad is not None)


def test_it_can_learn(folder: str, tokenizer: Any) -> None:
    import torch

    model: Any = TASK.load(folder, SETUP)
    batch = TASK.collator(tokenizer, SETUP)(list(TASK.prepare(QUESTIONS, tokenizer, SETUP)))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    model.train()
    for _ in range(30):
        loss: torch.Tensor = model(**batch).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert TASK.score(TASK.predict(model, tokenizer, QUESTIONS, SETUP)) == {"accuracy": 1.0}


def test_what_is_saved_is_an_ordinary_model(model: Any, tokenizer: Any, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForMultipleChoice, BertForMultipleChoice

    model.save_pretrained(tmp_path)
    plain = AutoModelForMultipleChoice.from_pretrained(tmp_path)
    assert type(plain) is BertForMultipleChoice
    batch = TASK.collator(tokenizer, SETUP)(list(TASK.prepare(QUESTIONS[:1], tokenizer, SETUP)))
    model.eval()
    plain.eval()
    assert torch.allclose(plain(**batch).logits, model(**batch).logits)
    again: Any = TASK.load(str(tmp_path), SETUP)
    assert torch.equal(again.classifier.weight, model.classifier.weight)


def test_another_kind_of_encoder_chooses_too(tmp_path: Path, tokenizer: Any) -> None:
    from transformers import ElectraConfig, ElectraModel, T5Config

    config = ElectraConfig(
        vocab_size=len(tokenizer), embedding_size=16, hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=64,
    )  # fmt: skip
    ElectraModel(config).save_pretrained(tmp_path / "electra")
    model = TASK.load(str(tmp_path / "electra"), SETUP)
    assert len(TASK.predict(model, tokenizer, QUESTIONS, SETUP)) == 3
    T5Config().save_pretrained(tmp_path / "t5")
    with pytest.raises(ModelUnavailable) as caught:
        TASK.load(str(tmp_path / "t5"), SETUP)
    assert caught.value.key == "error.model.unsupported"


def test_accuracy_by_hand() -> None:
    predictions = [Prediction(index, 1, answer, 0.0) for index, answer in enumerate([1, 0, 1, 2])]
    assert TASK.score(predictions) == {"accuracy": 0.5}
    assert TASK.score([]) == {}
