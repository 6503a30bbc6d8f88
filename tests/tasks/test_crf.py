"""The CRF's probabilities are what counting all label sequences gives; its model learns, saves and loads."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import BertConfig, BertForMaskedLM, BertForTokenClassification

from core.tasks.bio import token_labels
from core.tasks.crf import BertForCrfTagging, LinearChainCrf
from core.tasks.viterbi import IGNORED, constrain_transitions
from tests.tasks.test_viterbi import TYPES, best_by_hand, score_by_hand

LABELS = token_labels(["人名", "地名"])


def draw_crf(labels: int, *, speed: float = 1.0) -> LinearChainCrf:
    crf = LinearChainCrf(labels, speed=speed)
    for parameter in crf.parameters():
        torch.nn.init.normal_(parameter)
    return crf


def log_sum_by_hand(emissions: Tensor, crf: LinearChainCrf) -> float:
    length, labels = emissions.shape
    scores = [score_by_hand(emissions, path, crf.scores) for path in product(range(labels), repeat=length)]
    return float(torch.tensor(scores, dtype=torch.float64).logsumexp(0))


def config(labels: tuple[str, ...] = LABELS, **settings: float) -> BertConfig:
    made = BertConfig(
        vocab_size=30,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
        id2label=dict(enumerate(labels)),
        label2id={label: index for index, label in enumerate(labels)},
    )
    for name, value in settings.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize("speed", [1.0, 5.0])
def test_the_log_likelihood_is_that_of_counting_all_sequences(speed: float) -> None:
    torch.manual_seed(0)
    crf = draw_crf(3, speed=speed)
    emissions = torch.randn(6, 6, 3)
    labels = torch.randint(3, (6, 6))
    mask = torch.rand(6, 6) < 0.7  # holes, padding on both sides
    mask[0], mask[1] = True, False
    labels[~mask] = IGNORED
    found = crf(emissions, labels, mask)
    assert found[1].item() == 0  # nothing there: one empty sequence, certain
    for row in (0, 2, 3, 4, 5):
        kept, path = emissions[row, mask[row]], tuple(labels[row, mask[row]].tolist())
        expected = score_by_hand(kept, path, crf.scores) - log_sum_by_hand(kept, crf)
        assert found[row].item() == pytest.approx(expected, abs=1e-4)


def test_probabilities_sum_to_one() -> None:
    torch.manual_seed(1)
    crf = draw_crf(3)
    emissions = torch.randn(1, 4, 3).expand(81, -1, -1)
    every = torch.tensor(list(product(range(3), repeat=4)))  # (81, 4)
    assert crf(emissions, every, every >= 0).exp().sum().item() == pytest.approx(1, abs=1e-5)


def test_padding_changes_neither_likelihood_nor_labels_nor_gradients() -> None:
    torch.manual_seed(2)
    crf = draw_crf(5)
    emissions, labels = torch.randn(8, 7, 5), torch.randint(5, (8, 7))
    lengths = torch.tensor([7, 1, 3, 4, 2, 6, 5, 7])
    mask = torch.arange(7) < lengths[:, None]
    padded = torch.cat([torch.randn(8, 2, 5), emissions, torch.full((8, 4, 5), 1e3)], dim=1)  # (8, 13, 5)
    wide = torch.nn.functional.pad(mask, (2, 4))
    wide_labels = torch.nn.functional.pad(labels, (2, 4), value=IGNORED)
    assert torch.allclose(crf(padded, wide_labels, wide), crf(emissions, labels, mask), atol=1e-5)
    for row, length in enumerate(lengths.tolist()):
        alone = crf.decode(emissions[row : row + 1, :length], torch.ones(1, length)).labels[0]
        assert crf.decode(padded, wide).labels[row, 2 : 2 + length].tolist() == alone.tolist()
        assert alone.tolist() == (
            best_by_hand(emissions[row, :length], crf.scores)[0] if length < 6 else alone.tolist()
        )
    gradients = []
    for inputs in ((padded, wide_labels, wide), (emissions, labels, mask)):
        crf.zero_grad()
        crf(*inputs).mean().backward()
        gradients.append([parameter.grad.clone() for parameter in crf.parameters() if parameter.grad is not None])
    assert len(gradients[0]) == 3
    assert all(torch.allclose(one, other, atol=1e-6) for one, other in zip(*gradients, strict=True))


def test_marginals_are_shares_of_all_sequences() -> None:
    torch.manual_seed(3)
    crf = draw_crf(3)
    emissions = torch.randn(2, 4, 3)
    mask = torch.tensor([[1, 1, 1, 1], [0, 1, 1, 0]])
    with torch.inference_mode():
        found = crf.marginals(emissions, mask)
    paths = torch.tensor(list(product(range(3), repeat=4)))
    shares = crf(emissions[:1].expand(81, -1, -1), paths, paths >= 0).exp()  # (81,)
    expected = torch.stack([torch.stack([shares[paths[:, t] == label].sum() for label in range(3)]) for t in range(4)])
    assert torch.allclose(found[0], expected, atol=1e-5)
    assert found[1].sum(-1).tolist() == pytest.approx([0, 1, 1, 0], abs=1e-5)


def test_forbidden_sequences_have_finite_losses_and_gradients() -> None:
    crf = BertForCrfTagging(config()).crf
    emissions = torch.zeros(2, 40, 5, requires_grad=True)
    labels = torch.full((2, 40), LABELS.index("I-地名"))  # never begun, all the way
    labels[1] = torch.tensor([LABELS.index("I-人名"), LABELS.index("I-地名")] * 20)
    likelihoods = crf(emissions, labels, torch.ones(2, 40))
    assert likelihoods.tolist()[0] < -100 and likelihoods.tolist()[1] < -4000
    likelihoods.sum().backward()
    for tensor in (emissions, *crf.parameters()):
        assert tensor.grad is not None and tensor.grad.isfinite().all()


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_sums_are_never_taken_in_half_precision(kind: torch.dtype) -> None:
    torch.manual_seed(4)
    crf = draw_crf(4)
    emissions = torch.randn(2, 300, 4).to(kind)
    labels, mask = torch.randint(4, (2, 300)), torch.ones(2, 300)
    exact = crf(emissions.float(), labels, mask)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(crf(emissions, labels, mask), exact)
    assert torch.allclose(crf(emissions.double(), labels, mask).float(), exact, atol=1e-2)


def test_it_starts_from_the_books_transitions() -> None:
    labels = token_labels(TYPES)
    for speed in (1.0, 8.0):
        crf = BertForCrfTagging(config(labels, transition_speed=speed)).crf
        expected = constrain_transitions(labels)
        assert torch.equal(crf.scores.start, expected.start)
        assert torch.equal(crf.scores.matrix, expected.matrix)
        assert torch.equal(crf.scores.end, expected.end)
    assert int((crf.scores.matrix == 0).sum()) == 169


def test_the_speed_is_that_of_learning() -> None:
    moved = []
    for speed in (1.0, 10.0):
        torch.manual_seed(5)
        crf = BertForCrfTagging(config(transition_speed=speed)).crf
        before = crf.scores.matrix.detach().clone()
        optimizer = torch.optim.Adam(crf.parameters(), lr=1e-3)
        for _ in range(5):
            optimizer.zero_grad()
            (-crf(torch.zeros(1, 4, 5), torch.tensor([[0, 1, 2, 0]]), torch.ones(1, 4))).mean().backward()
            optimizer.step()
        moved.append((crf.scores.matrix - before)[0, 1].item())
    assert moved[0] == pytest.approx(5e-3, rel=0.05)
    assert moved[1] == pytest.approx(5e-2, rel=0.05)


def test_the_loss_is_the_mean_over_sequences_without_special_tokens() -> None:
    torch.manual_seed(6)
    model = BertForCrfTagging(config()).eval()
    ids = torch.randint(5, 30, (3, 8))
    attention = (torch.arange(8) < torch.tensor([8, 5, 6])[:, None]).long()
    labels = torch.full((3, 8), IGNORED)
    labels[0, 1:7], labels[1, 1:4], labels[2, 1:5] = 0, 1, torch.tensor([1, 2, 0, 3])
    output = model(ids, attention_mask=attention, labels=labels)
    likelihoods = []
    for row, length in enumerate((6, 3, 4)):
        emissions = output.logits[row, 1 : 1 + length]
        path = tuple(labels[row, 1 : 1 + length].tolist())
        likelihoods.append(score_by_hand(emissions, path, model.crf.scores) - log_sum_by_hand(emissions, model.crf))
    assert output.loss.item() == pytest.approx(-sum(likelihoods) / 3, abs=1e-4)
    assert labels[0, 0] == IGNORED  # nothing was changed in place


def test_a_base_model_gets_the_constraints_a_tagger_keeps_its_layer(tmp_path: Path) -> None:
    torch.manual_seed(7)
    base, tagger = BertForMaskedLM(config()), BertForTokenClassification(config())
    base.save_pretrained(tmp_path / "base")
    tagger.save_pretrained(tmp_path / "tagger")
    fresh = BertForCrfTagging.from_pretrained(tmp_path / "base", config=config())
    assert torch.equal(fresh.crf.scores.matrix, constrain_transitions(LABELS).matrix)
    assert torch.equal(fresh.bert.embeddings.word_embeddings.weight, base.bert.embeddings.word_embeddings.weight)
    tuned = BertForCrfTagging.from_pretrained(tmp_path / "tagger")
    assert torch.equal(tuned.classifier.weight, tagger.classifier.weight)
    assert torch.equal(tuned.crf.scores.start, constrain_transitions(LABELS).start)


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    model = BertForCrfTagging(config(transition_speed=3.0))
    with torch.no_grad():
        for parameter in model.crf.parameters():
            parameter.normal_()
    model.save_pretrained(tmp_path)
    again = BertForCrfTagging.from_pretrained(tmp_path)
    assert again.crf.speed == 3.0
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name


def test_nothing_to_score() -> None:
    crf = draw_crf(3)
    emissions = torch.randn(2, 4, 3, requires_grad=True)
    likelihoods = crf(emissions, torch.full((2, 4), IGNORED), torch.zeros(2, 4))
    assert likelihoods.tolist() == [0, 0]
    likelihoods.sum().backward()
    assert emissions.grad is not None and not emissions.grad.any()
    assert not crf.marginals(emissions, torch.zeros(2, 4)).any()
