from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from core.errors import InvalidInput
from core.jobs import Progress
from core.models.ablation import ablate, estimate_seconds, head_importance, measure_heads
from core.models.attention import attend
from core.models.fill import fill_mask
from core.models.loading import LoadedModel

TEXT = "猫は[MASK]を食べた。"


def _hook_count(model: LoadedModel) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.model.modules())


def test_before_is_exactly_the_untouched_model_and_nothing_off_changes_nothing(tiny: LoadedModel) -> None:
    result = ablate(TEXT, tiny)
    plain = fill_mask(TEXT, tiny).masks[0].candidates
    assert [found.id for found in result.before] == [found.id for found in plain]
    assert [found.probability for found in result.before] == pytest.approx([found.probability for found in plain])
    assert result.before == result.after
    assert (result.change, result.log_change) == (0, 0)


def test_a_head_switched_off_equals_one_whose_projection_is_cut(tiny: LoadedModel) -> None:
    """The same from the other side: zero columns in a copy of the output projection."""
    import copy

    from core.models.inputs import encode, input_tensors

    cut: Any = copy.deepcopy(tiny.model)
    with torch.no_grad():
        cut.bert.encoder.layer[1].attention.output.dense.weight[:, 16:24] = 0
        logits = cut(**input_tensors(encode(TEXT, tiny), tiny)).logits[0, 3]
    hooks = _hook_count(tiny)
    result = ablate(TEXT, tiny, heads=[(1, 2)], k=3)
    expected = logits.softmax(dim=-1)
    assert [found.id for found in result.after] == expected.topk(3).indices.tolist()
    assert result.target_after.probability == pytest.approx(float(expected[result.target_after.id]), rel=1e-5)
    assert result.change != 0
    assert _hook_count(tiny) == hooks


def test_hooks_are_removed_when_the_model_fails(tiny: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("out of memory")

    hooks = _hook_count(tiny)
    monkeypatch.setattr(tiny.model.cls, "forward", fail)
    with pytest.raises(RuntimeError):
        head_importance(TEXT, tiny)
    assert _hook_count(tiny) == hooks


def test_a_hidden_token_changes_the_prediction(tiny: LoadedModel) -> None:
    result = ablate("猫は魚を食べた。", tiny, position=3, hidden=[1, 3])
    assert result.hidden == (1,)
    assert result.target_before.token == "魚"
    expected = fill_mask("[MASK]は[MASK]を食べた。", tiny, k=30).masks[1].candidates
    same = next(found for found in expected if found.token == "魚")
    assert result.target_after.probability == pytest.approx(same.probability, rel=1e-5)
    assert result.log_change == pytest.approx(np.log(same.probability / result.target_before.probability), abs=1e-4)


def test_the_grid_holds_what_each_head_alone_does(tiny: LoadedModel) -> None:
    importance = head_importance("猫は魚を食べた。", tiny, position=3)
    assert importance.grid.shape == (3, 4)
    assert importance.target.token == "魚"
    assert importance.log_probability < 0
    for layer, head in ((0, 0), (2, 3)):
        alone = ablate("猫は魚を食べた。", tiny, position=3, heads=[(layer, head)])
        assert importance.grid[layer, head] == pytest.approx(alone.log_change, abs=1e-4)
    assert np.exp(importance.log_probability) == pytest.approx(importance.target.probability)


def test_others_in_the_same_model_see_no_ablation(tiny: LoadedModel) -> None:
    expected = attend(TEXT, tiny).weights
    with ThreadPoolExecutor(4) as pool:
        busy = [pool.submit(head_importance, TEXT, tiny) for _ in range(12)]
        for _ in range(60):
            np.testing.assert_array_equal(attend(TEXT, tiny).weights, expected)
        grids = [job.result().grid for job in busy]
    for grid in grids:
        np.testing.assert_array_equal(grid, grids[0])


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"heads": [(3, 0)]}, "error.model.layer_index"),
        ({"heads": [(0, 4)]}, "error.model.head_index"),
        ({"hidden": [99]}, "error.model.token_index"),
        ({"hidden": [0]}, "error.model.special_token"),
        ({"target": 999}, "error.model.target_index"),
    ],
)
def test_what_it_refuses(tiny: LoadedModel, options: dict[str, object], key: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        ablate(TEXT, tiny, **options)  # type: ignore[arg-type]
    assert refusal.value.key == key


def test_heads_measured_step_by_step_are_the_same_and_can_be_stopped(
    tiny: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.models import ablation

    whole = head_importance(TEXT, tiny).grid
    monkeypatch.setattr(ablation, "CHUNK", 5)
    steps: list[Progress] = []
    work = measure_heads(TEXT, tiny)
    while True:
        try:
            steps.append(next(work))
        except StopIteration as end:
            np.testing.assert_allclose(end.value.grid, whole, atol=1e-5)
            break
    assert [(step.done, step.total) for step in steps] == [(5, 12), (10, 12), (12, 12)]
    hooks = _hook_count(tiny)
    stopped = measure_heads(TEXT, tiny)
    next(stopped)
    stopped.close()
    assert _hook_count(tiny) == hooks


def test_the_estimate_grows_with_text_heads_and_parameters(tiny: LoadedModel) -> None:
    once = estimate_seconds(12, tiny)
    assert estimate_seconds(24, tiny) == pytest.approx(2 * once)
    assert estimate_seconds(12, replace(tiny, parameters=10 * tiny.parameters)) == pytest.approx(10 * once)
    # BERT's base size has 111 million parameters and 144 heads: far from at once, even on a short sentence.
    base = replace(tiny, parameters=111_000_000)
    assert estimate_seconds(12, base) * 144 / (base.layers * base.heads) > 20
