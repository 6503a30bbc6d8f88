"""Muon and AdamW behind one interface."""

from __future__ import annotations

import pytest
import torch
from torch.optim.lr_scheduler import LambdaLR
from transformers import LlamaConfig, LlamaForCausalLM

from core.bundled.optimizer import MuonWithAdamW


def build_model() -> LlamaForCausalLM:
    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24,
            tie_word_embeddings=True, pad_token_id=0, bos_token_id=1, eos_token_id=2,
        )
    )  # fmt: skip


def take_steps(model: LlamaForCausalLM, optimizer: MuonWithAdamW, count: int) -> list[float]:
    ids = torch.arange(3, 33).view(2, 15)
    losses = []
    for _ in range(count):
        loss = model(ids, labels=ids).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


def test_every_parameter_has_one_part_and_vocabulary_matrices_are_adamws() -> None:
    model = build_model()
    optimizer = MuonWithAdamW(model, learning_rate=1e-2, weight_decay=0.0)
    matrices, others = ({p for group in part.param_groups for p in group["params"]} for part in optimizer.parts)
    assert matrices | others == set(model.parameters())
    assert not matrices & others
    assert model.model.embed_tokens.weight in others
    assert model.model.layers[0].mlp.up_proj.weight in matrices
    assert all(parameter.ndim == 2 for parameter in matrices)


def test_it_learns() -> None:
    model = build_model()
    losses = take_steps(model, MuonWithAdamW(model, learning_rate=1e-2, weight_decay=0.0), 30)
    assert losses[-1] < losses[0] / 2


def test_a_schedule_reaches_both_parts() -> None:
    optimizer = MuonWithAdamW(build_model(), learning_rate=1e-2, weight_decay=0.0)
    LambdaLR(optimizer, lambda step: 0.5)
    assert {group["lr"] for part in optimizer.parts for group in part.param_groups} == {5e-3}


def test_a_restored_optimizer_goes_on_as_if_nothing_had_been() -> None:
    whole, stopped = build_model(), build_model()
    steady = MuonWithAdamW(whole, learning_rate=1e-2, weight_decay=0.1)
    first = MuonWithAdamW(stopped, learning_rate=1e-2, weight_decay=0.1)
    take_steps(whole, steady, 6)
    take_steps(stopped, first, 3)
    second = MuonWithAdamW(stopped, learning_rate=1e-2, weight_decay=0.1)
    second.load_state_dict(first.state_dict())
    scheduler = LambdaLR(second, lambda step: 1.0)
    take_steps(stopped, second, 3)
    scheduler.step()
    for name, parameter in whole.named_parameters():
        torch.testing.assert_close(parameter, stopped.get_parameter(name), rtol=0, atol=0)


def test_single_precision_takes_the_same_step_but_for_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    moved = {}
    for fast in (True, False):
        monkeypatch.setattr("core.bundled.optimizer.has_fast_bf16", lambda fast=fast: fast)
        model = build_model()
        before = model.model.layers[0].mlp.up_proj.weight.detach().clone()
        take_steps(model, MuonWithAdamW(model, learning_rate=1e-2, weight_decay=0.0), 1)
        moved[fast] = model.model.layers[0].mlp.up_proj.weight.detach() - before
    assert not torch.equal(moved[True], moved[False])
    torch.testing.assert_close(moved[False], moved[True], rtol=0, atol=0.05 * float(moved[True].abs().max()))
