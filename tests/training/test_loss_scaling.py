"""Gradients of a real model against torch's own backward pass, and what 16 bits keep of them against its own casts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.errors import InvalidInput
from core.tasks.loaded import TaskModel, load_task_model
from core.training.loss_scaling import (
    HIGHEST,
    LOWEST,
    MOST_SCALE,
    TAUGHT,
    GradientSizes,
    Taught,
    find_gradients,
    scale_gradients,
)

TEXT = "客が増えて、店は朝から晩まで好調だ。"
DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}


@pytest.fixture(scope="module")
def model() -> TaskModel:
    return load_task_model("sentiment")


def look(model: TaskModel, taught: Taught = "predicted") -> GradientSizes:
    return find_gradients(TEXT, model, taught=taught, limit=100)


@pytest.mark.parametrize("taught", TAUGHT)
def test_they_are_those_of_a_plain_backward_pass(model: TaskModel, taught: Taught) -> None:
    from transformers import AutoModelForSequenceClassification

    found = look(model, taught)
    plain = AutoModelForSequenceClassification.from_pretrained("assets/models/sentiment", dtype=torch.float32)
    plain.requires_grad_()
    place = model.setup.labels.index(found.label)
    loss = plain(**model.tokenizer([TEXT], return_tensors="pt"), labels=torch.tensor([place])).loss
    loss.backward()
    grads = torch.cat([one.grad.flatten().abs() for one in plain.parameters() if one.grad is not None])
    assert found.loss == pytest.approx(loss.item(), rel=1e-4)
    assert found.zeros + len(found.sizes) == len(grads) == sum(one.numel() for one in plain.parameters())
    np.testing.assert_allclose(np.sort(found.sizes)[-1000:], grads.sort().values[-1000:].numpy(), rtol=1e-3)
    assert found.sizes.sum(dtype=np.float64) == pytest.approx(grads.double().sum().item(), rel=1e-3)


def test_the_shared_model_is_left_as_it_was(model: TaskModel) -> None:
    before = {name: one.clone() for name, one in model.model.named_parameters()}
    look(model)
    for name, one in model.model.named_parameters():
        assert one.grad is None
        assert not one.requires_grad
        assert torch.equal(one, before[name])


def test_the_opposite_answer_has_the_larger_loss_and_gradients(model: TaskModel) -> None:
    own, opposite = (look(model, taught) for taught in TAUGHT)
    assert own.label != opposite.label
    assert own.loss < opposite.loss
    assert np.median(own.sizes) < np.median(opposite.sizes) / 10


@pytest.mark.parametrize("scale", [0, 5, 16, 24, MOST_SCALE])
@pytest.mark.parametrize("taught", TAUGHT)
def test_what_is_kept_is_what_torchs_cast_keeps(model: TaskModel, taught: Taught, scale: int) -> None:
    gradients = look(model, taught)
    found = scale_gradients(gradients, scale)
    scaled = torch.from_numpy(gradients.sizes) * 2.0**scale
    for kept in found.kept:
        dtype = DTYPES[kept.name]
        written = scaled.to(dtype).float()
        assert kept.zero == (written == 0).double().mean().item()
        assert kept.infinite == written.isinf().double().mean().item()
        below = (written > 0) & (written < torch.finfo(dtype).smallest_normal)
        assert kept.subnormal == below.double().mean().item()
        there = written.isfinite()
        error = ((written - scaled).abs() / scaled)[there].double().mean().item()
        assert kept.error == pytest.approx(error, rel=1e-5)
    assert found.overflowed == int(scaled.half().isinf().sum())
    assert len(found.curve) == MOST_SCALE + 1


@pytest.mark.parametrize("taught", TAUGHT)
def test_what_is_foreseen_at_a_scale_is_what_happens_there(model: TaskModel, taught: Taught) -> None:
    gradients = look(model, taught)
    curve = scale_gradients(gradients, 0).curve
    for scale in range(0, MOST_SCALE + 1, 4):
        half, foreseen = scale_gradients(gradients, scale).kept[0], curve[scale]
        assert (half.zero, half.infinite) == (foreseen.zero, foreseen.infinite)
        assert half.subnormal == pytest.approx(foreseen.subnormal, abs=1e-12)


def test_ties_at_the_limits_are_foreseen_too() -> None:
    edges = [2**-25, np.nextafter(np.float32(2**-25), 1), 2**-14 - 2**-25, 2**-14 - 2**-24, 2**-14, 65519.996, 65520.0]
    gradients = GradientSizes("positive", 1.0, 0, np.array(edges, dtype=np.float32))
    found = scale_gradients(gradients, 0)
    half, foreseen = found.kept[0], found.curve[0]
    assert (half.zero, half.subnormal, half.infinite) == (foreseen.zero, foreseen.subnormal, foreseen.infinite)
    assert (half.zero, half.infinite) == (1 / 7, 1 / 7)
    assert half.subnormal == 2 / 7


def test_the_columns_are_powers_of_two_that_move_with_the_scale() -> None:
    sizes = np.array([1.0, 1.99, 0.5, 2.0**-60, 2.0**30], dtype=np.float32)
    columns = scale_gradients(GradientSizes("positive", 1.0, 0, sizes), 0).columns
    assert sum(columns) == pytest.approx(1)
    assert columns[-LOWEST] == 0.4
    assert columns[-LOWEST - 1] == columns[0] == columns[-1] == 0.2
    moved = scale_gradients(GradientSizes("positive", 1.0, 0, sizes), 3).columns
    assert moved[3 - LOWEST] == 0.4
    assert len(moved) == HIGHEST - LOWEST + 1


def test_scaling_saves_small_gradients_and_leaves_bf16_alone(model: TaskModel) -> None:
    gradients = look(model)
    (half, brain), (scaled, scaled_brain) = (scale_gradients(gradients, scale).kept for scale in (0, 16))
    assert half.zero + half.subnormal > 0.5 > 0.01 > scaled.zero + scaled.subnormal
    assert scaled.error < brain.error < half.error
    assert scaled_brain.error == pytest.approx(brain.error)


def test_what_it_refuses(model: TaskModel) -> None:
    sizes = np.ones(3, dtype=np.float32)
    for gradients, scale, key in (
        (GradientSizes("", 0.0, 0, sizes), MOST_SCALE + 1, "error.formats.scale"),
        (GradientSizes("", 0.0, 0, sizes[:0]), 0, "error.formats.no_gradients"),
        (GradientSizes("", 0.0, 0, sizes * np.float32(np.inf)), 0, "error.formats.no_gradients"),
    ):
        with pytest.raises(InvalidInput) as refusal:
            scale_gradients(gradients, scale)
        assert refusal.value.key == key
    for text, source, key in (
        ("", model, "error.text.empty"),
        ("猫" * 101, model, "error.text.too_long"),
        (TEXT, load_task_model("inference"), "error.formats.no_classifier"),
    ):
        with pytest.raises(InvalidInput) as refusal:
            find_gradients(text, source, taught="predicted", limit=100)
        assert refusal.value.key == key
