"""BPR: the two losses against numpy, the hash's schedule, what is drawn, and learning to find."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from core.data.examples import Passage, RetrievalQuestion
from core.errors import InvalidInput
from core.search.embedding import embed
from core.tasks.retrieval import TASK, passage_key
from core.tasks.task import Prediction, Setup
from core.tasks.tokenizing import load_task_tokenizer
from tests.training.tiny import BAD, GOOD, THINGS, tiny_encoder

Doubles = npt.NDArray[np.float64]
EXAMPLES = tuple(
    RetrievalQuestion(
        f"{thing}は何ですか。",
        Passage(thing, f"{thing}は{good}です。"),
        tuple(Passage(thing, f"{thing}は{bad}です。") for bad in BAD[:2]),
        (good,),
    )
    for thing, good in zip(THINGS, (*GOOD, "好き"), strict=True)
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("retrieval"))


def losses(questions: Doubles, hashed: Doubles, passages: Doubles) -> tuple[Doubles, Doubles]:
    """Both losses of (B, D), (B, D), (2B, D), the positive of question i at 2i, written out as the book has them."""
    candidate, rerank = [], []
    for row in range(len(questions)):
        similarity = passages @ hashed[row]
        others = [other for other in range(len(passages)) if other != 2 * row]
        candidate.append(np.mean([max(0.0, 0.1 - similarity[2 * row] + similarity[other]) for other in others]))
        logits = passages @ questions[row]
        rerank.append(np.log(np.exp(logits).sum()) - logits[2 * row])
    return np.array(candidate), np.array(rerank)


def test_the_losses_are_the_definition(folder: Path) -> None:
    import torch

    model: Any = TASK.load(str(folder), Setup())
    draw = np.random.default_rng(0)
    questions, passages = draw.normal(size=(4, 8)), np.tanh(draw.normal(size=(8, 8)))
    hashed = np.tanh(questions)
    found = model.losses(
        torch.tensor(questions),
        torch.tensor(passages).view(4, 2, 8),
        torch.arange(1, 9).view(4, 2),
        hashed=torch.tensor(hashed),
    )
    for part, expected in zip(found, losses(questions, hashed, passages), strict=True):
        assert part.tolist() == pytest.approx(expected.tolist(), abs=1e-4)


def test_losses_by_hand(folder: Path) -> None:
    import torch

    model: Any = TASK.load(str(folder), Setup())
    # One question (2, 0), hashed (1, 1); its positive (1, −1) scores 0 and 2, its negative (1, 1) scores 2 and 2.
    candidate, rerank = model.losses(
        torch.tensor([[2.0, 0.0]]),
        torch.tensor([[[1.0, -1.0], [1.0, 1.0]]]),
        torch.tensor([[1, 2]]),
        hashed=torch.tensor([[1.0, 1.0]]),
    )
    assert candidate.tolist() == pytest.approx([2.1])
    assert rerank.tolist() == pytest.approx([np.log(2)])


def test_a_passage_is_no_negative_to_its_own_question(folder: Path) -> None:
    import torch

    model: Any = TASK.load(str(folder), Setup())
    draw = np.random.default_rng(1)
    questions, passages = draw.normal(size=(2, 8)), np.tanh(draw.normal(size=(4, 8)))
    passages[2] = passages[0]  # both questions have the same positive; the second has no negative
    keys = torch.tensor([[7, 8], [7, 0]])
    candidate, rerank = model.losses(
        torch.tensor(questions), torch.tensor(passages).view(2, 2, 8), keys, hashed=torch.tensor(questions)
    )
    for row, positive in ((0, 0), (1, 2)):
        similarity = passages @ questions[row]
        assert candidate[row] == pytest.approx(max(0, 0.1 - similarity[positive] + similarity[1]), abs=1e-5)
        pair = np.exp(similarity[[positive, 1]])
        assert rerank[row] == pytest.approx(-np.log(pair[0] / pair.sum()), abs=1e-5)


@pytest.mark.parametrize(("step", "sharpness"), [(0, 1.0), (100, 3.317), (12_260, 35.03)])
def test_the_hash_sharpens_with_every_forward_pass_in_training(folder: Path, step: int, sharpness: float) -> None:
    import torch

    model: Any = TASK.load(str(folder), Setup())
    layer = model.hash_layer.train()
    layer.step.fill_(step)
    x = torch.tensor([0.0, 0.02, -0.01])
    one, other = layer(x, 2 * x)
    assert one.tolist() == pytest.approx(np.tanh(sharpness * x.numpy()).tolist(), abs=1e-4)
    assert other.tolist() == pytest.approx(np.tanh(2 * sharpness * x.numpy()).tolist(), abs=1e-4)
    assert int(layer.step) == step + 1
    one, _ = layer.eval()(x, x)
    assert one.tolist() == [1, 1, -1]
    assert int(layer.step) == step + 1


@pytest.mark.parametrize("shared", [False, True])
def test_a_model_survives_its_file(folder: Path, tmp_path: Path, shared: bool) -> None:
    import torch

    setup = Setup(max_length=32, options={"shared": shared})
    tokenizer = load_task_tokenizer(str(folder))
    model: Any = TASK.load(str(folder), setup).train()
    batch = TASK.collator(tokenizer, setup)(list(TASK.prepare(EXAMPLES, tokenizer, setup)))
    for _ in range(3):
        model(**batch)
    assert int(model.hash_layer.step) == 3
    model.eval()(**batch)
    assert int(model.hash_layer.step) == 3
    model.save_pretrained(tmp_path)
    again: Any = TASK.load(str(tmp_path), setup)
    assert int(again.hash_layer.step) == 3
    assert all(torch.equal(again.state_dict()[name], value) for name, value in model.state_dict().items())
    assert (again.passage_encoder is again.question_encoder) == shared


def test_encoders_are_exported_as_plain_ones(folder: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModel

    from core.tasks.bpr_model import export_encoders

    tokenizer = load_task_tokenizer(str(folder))
    model: Any = TASK.load(str(folder), Setup()).eval()
    with torch.no_grad():
        model.passage_encoder.embeddings.word_embeddings.weight.add_(0.5)
    export_encoders(model, tokenizer, tmp_path)
    batch = tokenizer("猫", "魚を食べた。", return_tensors="pt")
    for name, own in (("question", model.question_vectors), ("passage", model.passage_vectors)):
        plain = AutoModel.from_pretrained(tmp_path / name)
        again = load_task_tokenizer(str(tmp_path / name))
        found = embed(plain, again, ["魚を食べた。"], titles=["猫"])
        with torch.no_grad():
            assert np.allclose(found, own(**batch).numpy(), atol=1e-5)


def test_a_batch_holds_the_positive_and_one_drawn_negative(folder: Path) -> None:
    import torch

    tokenizer = load_task_tokenizer(str(folder))
    setup = Setup(max_length=16, options={"question_length": 8})
    alone = RetrievalQuestion("猫は？", Passage("猫", "猫は魚を食べた。" * 9))
    features = list(TASK.prepare([*EXAMPLES, alone], tokenizer, setup))
    collate = TASK.collator(tokenizer, setup)
    torch.manual_seed(0)
    drawn = set()
    for _ in range(20):
        batch = collate(features)
        drawn.add(int(batch["passage_keys"][0, 1]))
        assert batch["passage_keys"][0, 0] == passage_key(EXAMPLES[0].positive)
    assert drawn == {passage_key(passage) for passage in EXAMPLES[0].negatives}
    assert batch["passage_keys"][-1].tolist() == [passage_key(alone.positive), 0]
    assert batch["passage_input_ids"].shape == (6, 2, 16)
    assert batch["input_ids"].shape[1] <= 8
    pair = tokenizer(EXAMPLES[0].positive.title, EXAMPLES[0].positive.text)
    length = len(pair["input_ids"])
    assert batch["passage_input_ids"][0, 0, :length].tolist() == pair["input_ids"]
    assert batch["passage_token_type_ids"][0, 0, :length].tolist() == pair["token_type_ids"]
    assert 1 in pair["token_type_ids"]


def test_predictions_rank_the_whole_pool(folder: Path) -> None:
    import torch

    tokenizer = load_task_tokenizer(str(folder))
    setup = Setup(max_length=32)
    model: Any = TASK.load(str(folder), setup)
    predictions = TASK.predict(model, tokenizer, EXAMPLES, setup, batch_size=2)
    pool = list(dict.fromkeys(p for example in EXAMPLES for p in (example.positive, *example.negatives)))
    encoder = model.question_encoder
    questions = embed(encoder, tokenizer, [example.question for example in EXAMPLES])
    vectors = embed(encoder, tokenizer, [p.text for p in pool], titles=[p.title for p in pool])
    signs = np.where(vectors >= 0, 1.0, -1.0)
    for row, (prediction, example) in enumerate(zip(predictions, EXAMPLES, strict=True)):
        scores = signs @ questions[row]
        gold = pool.index(example.positive)
        assert prediction.gold == gold
        assert prediction.predicted == int(scores.argmax())
        assert prediction.details["rank"] == int((scores >= scores[gold] - 1e-4).sum())
        assert prediction.details["pool"] == len(pool)
        assert prediction.details["title"] == pool[int(scores.argmax())].title
    ranks = [prediction.details["rank"] for prediction in predictions]
    scores = TASK.score(predictions)
    assert scores["recall@1"] == pytest.approx(np.mean([rank == 1 for rank in ranks]))
    assert scores["mrr"] == pytest.approx(np.mean([1 / rank for rank in ranks]))

    # The loss is that of evaluation: signs, the first negative, the questions of the same batch.
    single = [RetrievalQuestion(e.question, e.positive, e.negatives[:1]) for e in EXAMPLES[:2]]
    batch = TASK.collator(tokenizer, setup)(list(TASK.prepare(single, tokenizer, setup)))
    with torch.no_grad():
        expected = model.eval()(**batch)["loss"].item()
    assert np.mean([prediction.loss for prediction in predictions[:2]]) == pytest.approx(expected, abs=1e-3)


def test_recall_by_hand() -> None:
    predictions = [Prediction(n, 0, 0, 0.0, details={"rank": rank}) for n, rank in enumerate((1, 2, 10, 11))]
    scores = TASK.score(predictions)
    assert scores == pytest.approx({"recall@1": 0.25, "recall@10": 0.75, "mrr": (1 + 0.5 + 0.1 + 1 / 11) / 4})
    assert TASK.score([]) == {}


def test_it_learns_to_find(tmp_path: Path) -> None:
    from transformers import Trainer, TrainingArguments, set_seed

    set_seed(0)
    setup = Setup(max_length=32)
    folder = tiny_encoder(tmp_path / "still", dropout=0.0)
    tokenizer = load_task_tokenizer(str(folder))
    model = TASK.load(str(folder), setup)
    before = TASK.score(TASK.predict(model, tokenizer, EXAMPLES, setup))
    arguments = TrainingArguments(
        output_dir=str(tmp_path), max_steps=40, per_device_train_batch_size=5, learning_rate=2e-3, report_to=[],
        disable_tqdm=True, save_strategy="no", remove_unused_columns=False, use_cpu=True, dataloader_pin_memory=False,
    )  # fmt: skip
    Trainer(
        model=model,
        args=arguments,
        train_dataset=list(TASK.prepare(EXAMPLES, tokenizer, setup)),
        data_collator=TASK.collator(tokenizer, setup),
    ).train()
    after = TASK.score(TASK.predict(model, tokenizer, EXAMPLES, setup))
    assert before["recall@1"] < 0.7
    assert after["recall@1"] >= 0.8


def test_rows_come_in_many_forms() -> None:
    for example in EXAMPLES:
        assert TASK.read(TASK.write(example)) == example
    assert TASK.read(
        {"question": "q", "positive": '{"title": "t", "text": "x"}', "negatives": '["n"]', "answers": [{"text": "a"}]}
    ) == RetrievalQuestion("q", Passage("t", "x"), (Passage("", "n"),), ("a",))
    assert TASK.read({"question": "q", "positive": "x"}) == RetrievalQuestion("q", Passage("", "x"))
    for positive, key in (({"title": "t"}, "error.search.passage"), (None, "error.search.passage"), (" ", "empty")):
        with pytest.raises(InvalidInput, match=key):
            TASK.read({"question": "q", "positive": positive})
