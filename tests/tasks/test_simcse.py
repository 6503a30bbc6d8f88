"""SimCSE: the loss against numpy, the book's rules for the projection, learning, and one process against two."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import pearsonr, spearmanr

from core.data.examples import PlainText, ScoredPair, Triple
from core.errors import InvalidInput
from core.search.embedding import embed
from core.tasks.encoders import spare_rows
from core.tasks.simcse import TASKS, delete_tokens
from core.tasks.task import Prediction, Setup
from core.tasks.tokenizing import load_task_tokenizer
from tests.training.tiny import BAD, GOOD, THINGS, reviews, tiny_encoder

Doubles = npt.NDArray[np.float64]
UNSUPERVISED, SUPERVISED = TASKS
SENTENCES = tuple(f"{thing}は{word}です。" for thing in THINGS for word in (*GOOD, *BAD))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("simcse"))


def info_nce(vectors: Doubles, known: Sequence[bool] | None = None, temperature: float = 0.05) -> Doubles:
    """The loss of each example of (B, V, D), written out."""
    unit = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    losses = []
    for row in range(len(unit)):
        terms = [
            np.exp(unit[row, 0] @ unit[other, view] / temperature)
            for other in range(len(unit))
            for view in range(1, unit.shape[1])
            if view == 1 or known is None or known[other]
        ]
        losses.append(-np.log(np.exp(unit[row, 0] @ unit[row, 1] / temperature) / sum(terms)))
    return np.array(losses)


@pytest.mark.parametrize("known", [None, [True, False, True, True]])
@pytest.mark.parametrize("views", [2, 3])
def test_the_loss_is_the_definition(folder: Path, views: int, known: list[bool] | None) -> None:
    import torch

    model: Any = SUPERVISED.load(str(folder), Setup())
    vectors = np.random.default_rng(0).normal(size=(4, views, 8))
    found = model.contrast(torch.tensor(vectors), None if known is None else torch.tensor(known))
    assert found.tolist() == pytest.approx(info_nce(vectors, known if views == 3 else None).tolist(), abs=1e-4)


def test_a_loss_by_hand(folder: Path) -> None:
    import torch

    model: Any = SUPERVISED.load(str(folder), Setup(options={"temperature": 0.5}))
    # Cosines of the first with the positives are 1 and 0, of the second 0 and 1: log(1 + e^(−2)) each.
    vectors = torch.tensor([[[1.0, 0.0], [2.0, 0.0]], [[0.0, 3.0], [0.0, 1.0]]])
    assert model.contrast(vectors).tolist() == pytest.approx([np.log1p(np.exp(-2))] * 2, abs=1e-5)


def test_the_projection_serves_in_training_only_or_always(folder: Path) -> None:
    import torch

    tokenizer = load_task_tokenizer(str(folder))
    batch = tokenizer("猫は魚を食べた。", return_tensors="pt")
    for task, always in ((UNSUPERVISED, False), (SUPERVISED, True)):
        model: Any = task.load(str(folder), Setup()).eval()
        with torch.no_grad():
            bare = model.base_model(**batch).last_hidden_state[:, 0]
            projected = torch.tanh(model.projection(bare))
            assert torch.allclose(model.sentence_vectors(**batch), projected if always else bare, atol=1e-6)
            for module in model.modules():
                module.training = False
            model.training = True  # without dropout, to see the projection alone
            assert torch.allclose(model.sentence_vectors(**batch), projected, atol=1e-6)


def test_dropout_makes_the_two_views_differ(folder: Path) -> None:
    import torch

    tokenizer = load_task_tokenizer(str(folder))
    examples = [PlainText(text) for text in SENTENCES[:3]]
    batch = UNSUPERVISED.collator(tokenizer, Setup(max_length=32))(
        list(UNSUPERVISED.prepare(examples, tokenizer, Setup(max_length=32)))
    )
    assert torch.equal(batch["input_ids"][:, 0], batch["input_ids"][:, 1])
    model: Any = UNSUPERVISED.load(str(folder), Setup()).train()
    views = model(**batch)["vectors"]
    assert not torch.allclose(views[:, 0], views[:, 1])
    views = model.eval()(**batch)["vectors"]
    assert torch.allclose(views[:, 0], views[:, 1])


def test_a_saved_model_comes_back_and_is_a_plain_encoder_too(folder: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModel

    model: Any = SUPERVISED.load(str(folder), Setup())
    tokenizer = load_task_tokenizer(str(folder))
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    again = SUPERVISED.load(str(tmp_path), Setup())
    assert all(torch.equal(again.state_dict()[name], value) for name, value in model.state_dict().items())
    plain = AutoModel.from_pretrained(tmp_path)
    ours = embed(UNSUPERVISED.load(str(tmp_path), Setup()), tokenizer, SENTENCES[:3])
    assert np.allclose(embed(plain, tokenizer, SENTENCES[:3]), ours, atol=1e-6)


def test_mean_pooling_is_an_option(folder: Path) -> None:
    tokenizer = load_task_tokenizer(str(folder))
    model = UNSUPERVISED.load(str(folder), Setup(options={"pooling": "mean"}))
    expected = embed(model, tokenizer, SENTENCES[:3], pooling="mean")
    assert np.allclose(embed(model, tokenizer, SENTENCES[:3]), expected, atol=1e-6)
    assert not np.allclose(embed(model, tokenizer, SENTENCES[:3], pooling="cls"), expected, atol=1e-2)


def test_some_tokens_are_left_out(folder: Path) -> None:
    import torch

    torch.manual_seed(0)
    feature = {"input_ids": [2, *range(10, 30), 3], "attention_mask": [1] * 22}
    kept = []
    for _ in range(200):
        found = delete_tokens(feature, share=0.4)
        ids = found["input_ids"]
        assert (ids[0], ids[-1]) == (2, 3)
        assert ids == [*sorted(set(ids) - {3}), 3]  # in order, none twice
        assert len(found["attention_mask"]) == len(ids)
        kept.append(len(ids) - 2)
    assert abs(np.mean(kept) - 12) < 0.5
    assert delete_tokens(feature, share=1.0)["input_ids"] == [2, 10, 3]
    assert delete_tokens({"input_ids": [2, 3]}, share=1.0) == {"input_ids": [2, 3]}

    tokenizer = load_task_tokenizer(str(folder))
    setup = Setup(max_length=32, options={"deletion": 0.5})
    features = list(UNSUPERVISED.prepare([PlainText(text) for text in SENTENCES], tokenizer, setup))
    first, second = UNSUPERVISED.collator(tokenizer, setup)(features)["attention_mask"].sum(dim=-1).unbind(dim=1)
    lengths = torch.tensor([len(one["input_ids"]) for one in features])
    assert (first <= lengths).all()
    assert (first < lengths).any()
    assert (first != second).any()  # each view loses its own


def test_rows_are_sentences_triples_or_scored_pairs() -> None:
    pair = {"sentence1": "猫", "sentence2": "犬", "score": "3.5"}
    readable: tuple[tuple[Any, dict[str, Any], Any], ...] = (
        (UNSUPERVISED, {"text": "猫"}, PlainText("猫")),
        (UNSUPERVISED, pair, ScoredPair("猫", "犬", 3.5)),
        (SUPERVISED, {"anchor": "a", "positive": "b", "negative": "c"}, Triple("a", "b", "c")),
        (SUPERVISED, {"anchor": "a", "positive": "b", "negative": None}, Triple("a", "b")),
        (SUPERVISED, pair, ScoredPair("猫", "犬", 3.5)),
    )
    for task, row, example in readable:
        assert task.read(row) == example
        assert task.read(task.write(example)) == example
    for task, row in ((UNSUPERVISED, {}), (SUPERVISED, {"anchor": "a"}), (UNSUPERVISED, {**pair, "score": None})):
        with pytest.raises(InvalidInput, match="empty_cell"):
            task.read(row)


def test_pairs_are_judged_by_cosine(folder: Path) -> None:
    tokenizer = load_task_tokenizer(str(folder))
    model = UNSUPERVISED.load(str(folder), Setup())
    examples = [ScoredPair(SENTENCES[n], SENTENCES[n * 2 % 7 + 3], float(n)) for n in range(6)]
    predictions = UNSUPERVISED.predict(model, tokenizer, examples, Setup(), batch_size=4)
    cosines = []
    for prediction, example in zip(predictions, examples, strict=True):
        one, other = embed(model, tokenizer, [example.first, example.second], normalize=True)
        assert prediction.predicted == pytest.approx(float(one @ other), abs=1e-5)
        assert np.isnan(prediction.loss)
        cosines.append(prediction.predicted)
    scores = UNSUPERVISED.score(predictions)
    assert scores["spearman"] == pytest.approx(spearmanr(range(6), cosines).statistic)
    assert scores["pearson"] == pytest.approx(pearsonr(range(6), cosines).statistic)


def test_without_scores_there_is_only_the_loss(folder: Path) -> None:
    tokenizer = load_task_tokenizer(str(folder))
    triples = [Triple(SENTENCES[0], SENTENCES[1], SENTENCES[2]), Triple(SENTENCES[3], SENTENCES[4])]
    model: Any = SUPERVISED.load(str(folder), Setup()).eval()
    predictions = SUPERVISED.predict(model, tokenizer, triples, Setup(max_length=32))
    batch = SUPERVISED.collator(tokenizer, Setup())(list(SUPERVISED.prepare(triples, tokenizer, Setup(max_length=32))))
    assert batch["has_negative"].tolist() == [True, False]
    assert np.mean([p.loss for p in predictions]) == pytest.approx(model(**batch)["loss"].item(), abs=1e-4)
    assert set(predictions[0].details) == {"positive_cosine", "negative_cosine"}
    assert set(predictions[1].details) == {"positive_cosine"}
    assert SUPERVISED.score(predictions) == pytest.approx({"spearman": np.nan, "pearson": np.nan}, nan_ok=True)
    assert UNSUPERVISED.score([Prediction(0, 1.0, 0.5, 0.0), Prediction(1, 2.0, 0.5, 0.0)])["spearman"] == 0.0

    plain = UNSUPERVISED.predict(model, tokenizer, [PlainText(text) for text in SENTENCES[:5]], Setup(max_length=32))
    vectors = embed(model, tokenizer, SENTENCES[:5])
    expected = info_nce(np.stack([vectors, vectors], axis=1))
    assert [p.loss for p in plain] == pytest.approx(expected.tolist(), abs=1e-3)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_it_learns(task: Any, folder: Path, tmp_path: Path) -> None:
    from transformers import Trainer, TrainingArguments, set_seed

    set_seed(0)
    setup = Setup(max_length=32, options={"pooling": "mean"})  # [CLS] of random weights hardly looks at the words
    tokenizer = load_task_tokenizer(str(folder))
    texts = [str(row["text"]) for row in reviews(32)]
    examples: list[Any] = [PlainText(text) for text in texts]
    if task is SUPERVISED:
        examples = [Triple(text, text.removesuffix("です。"), text[-6:]) for text in texts]
    model = task.load(str(folder), setup)
    before = np.mean([p.loss for p in task.predict(model, tokenizer, examples, setup)])
    arguments = TrainingArguments(
        output_dir=str(tmp_path), max_steps=24, per_device_train_batch_size=8, learning_rate=3e-3, report_to=[],
        disable_tqdm=True, save_strategy="no", logging_steps=8, remove_unused_columns=False, use_cpu=True,
        dataloader_pin_memory=False,
    )  # fmt: skip
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=list(task.prepare(examples, tokenizer, setup)),
        data_collator=task.collator(tokenizer, setup),
    )
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert losses[-1] < 0.5 * losses[0]
    assert np.mean([p.loss for p in task.predict(model, tokenizer, examples, setup)]) < before


def take_gradient(rank: int, world: int, folder: str, store: str, first: int) -> None:
    """One process of several: the gradient of its part of the batch, averaged over all, as DDP would have it.

    The first process has `first` of the eight examples; without any it computes with a spare one.
    """
    import torch

    torch.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=world)
    count = 8 - first if rank else first
    if count:
        gradients = gradients_of(folder, slice(first, 8) if rank else slice(first), share=world * count / 8)
    else:
        with spare_rows():
            gradients = gradients_of(folder, slice(3, 4), share=0.0)
    for gradient in gradients.values():
        torch.distributed.all_reduce(gradient)
        gradient /= world
    if rank == 0:
        torch.save(gradients, f"{store}.gradients")
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def gradients_of(folder: str, part: slice, *, share: float = 1.0) -> dict[str, Any]:
    tokenizer = load_task_tokenizer(folder)
    setup = Setup(max_length=32)
    triples = [Triple(SENTENCES[n], SENTENCES[n + 1], SENTENCES[n + 2] if n != 5 else "") for n in range(8)]
    model: Any = SUPERVISED.load(folder, setup).train()
    for module in model.modules():
        if type(module).__name__ == "Dropout":
            module.p = 0.0
        if hasattr(module, "dropout_prob"):
            module.dropout_prob = 0.0
    batch = SUPERVISED.collator(tokenizer, setup)(list(SUPERVISED.prepare(triples[part], tokenizer, setup)))
    (model(**batch)["loss"] * share).backward()
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("first", [4, 3, 0])
def test_two_processes_are_one_with_the_batch_of_both(tmp_path: Path, first: int) -> None:
    import torch
    import torch.multiprocessing as processes

    folder = str(tiny_encoder(tmp_path / "still", dropout=0.0))
    SUPERVISED.load(folder, Setup()).save_pretrained(folder)  # one projection for everyone
    assert json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))["projection"] == "always"
    store = str(tmp_path / "store")
    processes.spawn(take_gradient, args=(2, folder, store, first), nprocs=2)
    together = torch.load(f"{store}.gradients")
    alone = gradients_of(folder, slice(0, 8))
    assert together.keys() == alone.keys()
    for name, gradient in alone.items():
        assert torch.allclose(together[name], gradient, atol=1e-5), name
