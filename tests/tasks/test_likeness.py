"""Likeness by shared characters: weights by hand, neighbours against all pairs, and vectors that learn its order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from core.data.examples import PlainText
from core.search.embedding import embed
from core.tasks.likeness import compare_rankings, find_nearest, weigh_characters
from core.tasks.simcse import TASKS
from core.tasks.task import Setup
from core.tasks.tokenizing import load_task_tokenizer
from tests.training.tiny import BAD, GOOD, THINGS, tiny_encoder

TASK = TASKS[0]
TEXTS = tuple(f"{thing}は{word}です。" for thing in THINGS for word in (*GOOD, *BAD))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("likeness"))


def test_weights_by_hand() -> None:
    weights = weigh_characters(["ああ い", "い", "う\n"]).toarray()
    common, rare = np.log(4 / 3) + 1, np.log(4 / 2) + 1  # of い and of あ
    first = np.array([rare * (1 + np.log(2)), common, 0])
    assert weights[0] == pytest.approx(first / np.linalg.norm(first), abs=1e-6)
    assert weights[1:].tolist() == [[0, 1, 0], [0, 0, 1]]
    assert not weigh_characters(["あ", " \n"]).toarray()[1, 1]  # nothing in common with what says something
    assert (weigh_characters(["あ", " \n"]) @ weigh_characters(["あ", " \n"]).T).toarray()[0, 1] == 0


def test_the_nearest_are_the_nearest() -> None:
    drawn = np.random.default_rng(0)
    texts = ["".join(drawn.choice(list("いろはにほへとちりぬるを"), 8)) for _ in range(300)]  # more than a block
    weights = weigh_characters(texts)
    cosines = (weights @ weights.T).toarray()
    np.fill_diagonal(cosines, -1)
    found = find_nearest(weights, 5)
    assert found.shape == (300, 5)
    for row, places in enumerate(found):
        assert row not in places
        assert np.sort(cosines[row, places]) == pytest.approx(np.sort(cosines[row])[-5:], abs=1e-6)
    assert find_nearest(weights[:3], 5).shape == (3, 2)
    assert find_nearest(weights, 0).shape == (300, 0)


def test_rankings_are_compared_without_the_texts_themselves() -> None:
    import torch

    found, taught = np.random.default_rng(1).uniform(-1, 1, (2, 4, 4))
    expected = 0.0
    for row in range(4):
        others = [place for place in range(4) if place != row]
        ours, theirs = (np.exp(cosines[row, others] / 0.5) for cosines in (found, taught))
        ours, theirs = ours / ours.sum(), theirs / theirs.sum()
        expected += (theirs * np.log(theirs / ours)).sum() / 4
    ours, theirs = torch.tensor(found), torch.tensor(taught)
    assert compare_rankings(ours, theirs, temperature=0.5).item() == pytest.approx(expected, abs=1e-5)
    assert compare_rankings(theirs, theirs, temperature=0.5).item() == pytest.approx(0, abs=1e-6)
    assert compare_rankings(ours[:2, :2], theirs[:2, :2], temperature=0.5).item() == 0


def test_a_batch_holds_each_sentence_with_some_of_those_most_alike(folder: Path) -> None:
    import torch

    torch.manual_seed(0)
    tokenizer = load_task_tokenizer(str(folder))
    setup = Setup(max_length=32, options={"ranking": 1.0, "neighbours": 2})
    examples = [PlainText(text) for text in TEXTS]
    features = list(TASK.prepare(examples, tokenizer, setup))
    batch = TASK.collator(tokenizer, setup)(features[:3])
    assert batch["input_ids"].shape[:2] == (9, 2)
    weights = weigh_characters(TEXTS)
    places = [
        TEXTS.index(tokenizer.decode(ids, skip_special_tokens=True).replace(" ", ""))
        for ids in batch["input_ids"][:, 0]
    ]
    assert places[::3] == [0, 1, 2]
    for group in range(3):
        assert set(places[3 * group + 1 : 3 * group + 3]) <= set(find_nearest(weights, 4)[group])
    assert batch["likeness"].numpy() == pytest.approx((weights[places] @ weights[places].T).toarray(), abs=1e-5)
    model: Any = TASK.load(str(folder), setup).eval()
    bare = {name: value for name, value in batch.items() if name != "likeness"}
    vectors = model(**bare)["vectors"][:, 0]
    units = torch.nn.functional.normalize(vectors, dim=-1)
    expected = model(**bare)["loss"] + compare_rankings(units @ units.T, batch["likeness"], temperature=0.05)
    assert model(**batch)["loss"].item() == pytest.approx(expected.item(), abs=1e-4)


def test_vectors_learn_the_order(folder: Path) -> None:
    """Nearer to the teacher's order than the untrained vectors, and than those that learn from the contrast alone."""
    import torch

    tokenizer = load_task_tokenizer(str(folder))
    weights = weigh_characters(TEXTS)
    pairs = np.triu_indices(len(TEXTS), 1)
    taught = (weights @ weights.T).toarray()[pairs]

    def agree(ranking: float, steps: int) -> float:
        torch.manual_seed(0)
        setup = Setup(max_length=32, options={"pooling": "mean", "ranking": ranking, "neighbours": 2})
        model: Any = TASK.load(str(folder), setup)
        features = list(TASK.prepare([PlainText(text) for text in TEXTS], tokenizer, setup))
        collate = TASK.collator(tokenizer, setup)
        optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
        model.train()
        for step in range(steps):
            start = 8 * step % len(features)
            optimizer.zero_grad()
            model(**collate(features[start : start + 8]))["loss"].backward()
            optimizer.step()
        vectors = embed(model.eval(), tokenizer, TEXTS)
        units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return float(spearmanr((units @ units.T)[pairs], taught).statistic)

    assert agree(5.0, steps=60) > max(agree(0.0, steps=60), agree(0.0, steps=0)) + 0.1
