from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch

from core.errors import InvalidInput
from core.models.fill import fill_mask
from core.models.loading import LoadedModel
from core.models.saliency import attribute, attribution_by_word

TEXT = "猫は[MASK]を食べた。"


def test_integrated_gradients_add_up_and_more_steps_add_up_better(tiny: LoadedModel) -> None:
    coarse, fine = attribute(TEXT, tiny, steps=2), attribute(TEXT, tiny, steps=256)
    rise = fine.log_probability - fine.baseline_log_probability
    assert fine.scores.sum() == pytest.approx(rise, abs=0.02)
    assert fine.completeness_error == pytest.approx(abs(fine.scores.sum() - rise), abs=1e-5)
    assert coarse.completeness_error is not None
    assert fine.completeness_error is not None
    assert fine.completeness_error < coarse.completeness_error


def test_both_ends_are_real_predictions(tiny: LoadedModel) -> None:
    result = attribute(TEXT, tiny)
    best = fill_mask(TEXT, tiny).masks[0].candidates[0]
    assert result.target.id == best.id
    assert np.exp(result.log_probability) == pytest.approx(best.probability, rel=1e-5)
    nothing = fill_mask("[MASK]" * 7, tiny, k=99).masks[2].candidates
    same = next(found for found in nothing if found.id == best.id)
    assert np.exp(result.baseline_log_probability) == pytest.approx(same.probability, rel=1e-4)


def test_the_blank_and_the_special_tokens_get_nothing(tiny: LoadedModel) -> None:
    result = attribute(TEXT, tiny)
    assert result.scores[[0, 3, -1]].tolist() == [0, 0, 0]
    assert abs(result.scores).max() > 0


def test_gradient_times_input_is_the_slope_at_the_input(tiny: LoadedModel) -> None:
    quick = attribute(TEXT, tiny, method="gradient-x-input")
    assert quick.completeness_error is None
    # Autograd by hand, on a copy of the model that may take gradients of everything.
    import copy

    from core.models.inputs import encode, input_tensors

    model: Any = copy.deepcopy(tiny.model).requires_grad_()
    tensors = input_tensors(encode(TEXT, tiny), tiny)
    embeddings = model.get_input_embeddings()(tensors.pop("input_ids")).detach().requires_grad_()
    logits = model(inputs_embeds=embeddings, **tensors).logits[0, 3]
    logits.log_softmax(-1)[quick.target.id].backward()
    assert embeddings.grad is not None
    mask = model.get_input_embeddings().weight[4].detach()
    expected = ((embeddings.detach() - mask) * embeddings.grad)[0].sum(-1)[1:-1]
    np.testing.assert_allclose(quick.scores[1:-1], expected, atol=1e-4)


def test_words_add_up_their_tokens(tiny: LoadedModel) -> None:
    tokens = attribute("食べる[MASK]が走る", tiny)
    words = attribution_by_word(tokens)
    assert [unit.label for unit in words.units] == ["[CLS]", "食べる", "[MASK]", "が", "走る", "[SEP]"]
    assert words.units[words.position].label == "[MASK]"
    assert words.scores[1] == pytest.approx(tokens.scores[1:3].sum(), rel=1e-4)
    assert words.scores.sum() == pytest.approx(tokens.scores.sum(), abs=1e-4)


def test_the_shared_model_stays_as_it_was_with_many_at_once(tiny: LoadedModel) -> None:
    before = {name: value.clone() for name, value in tiny.model.state_dict().items()}
    expected = attribute(TEXT, tiny, steps=8).scores
    with ThreadPoolExecutor(4) as pool:
        for job in [pool.submit(attribute, TEXT, tiny, steps=8) for _ in range(12)]:
            np.testing.assert_allclose(job.result().scores, expected, atol=1e-5)
    assert all(torch.equal(value, before[name]) for name, value in tiny.model.state_dict().items())
    assert all(p.grad is None and not p.requires_grad for p in tiny.model.parameters())


def test_what_it_refuses(tiny: LoadedModel) -> None:
    with pytest.raises(InvalidInput):
        attribute(TEXT, tiny, steps=0)
    with pytest.raises(InvalidInput):
        attribute("猫", tiny)
