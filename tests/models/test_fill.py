from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import InvalidInput, ModelUnavailable
from core.models.fill import fill_mask
from core.models.loading import LoadedModel, load_model


def test_candidates_are_those_of_transformers_pipeline(folder: Path, tiny: LoadedModel) -> None:
    import torch
    from transformers import AutoModelForMaskedLM, AutoTokenizer, pipeline

    text = "猫は[MASK]を食べた。"
    model = AutoModelForMaskedLM.from_pretrained(folder, dtype=torch.float32)
    expected = pipeline("fill-mask", model=model, tokenizer=AutoTokenizer.from_pretrained(folder), top_k=7)(text)
    filling = fill_mask(text, tiny, k=7)
    (mask,) = filling.masks
    assert not filling.independent
    assert mask.original is None
    assert [found.id for found in mask.candidates] == [row["token"] for row in expected]
    assert [found.probability for found in mask.candidates] == pytest.approx(
        [row["score"] for row in expected], rel=1e-4
    )
    best = mask.candidates[0]
    assert best.sentence == f"猫は{best.token}を食べた。"
    assert [found.rank for found in mask.candidates] == [1, 2, 3, 4, 5, 6, 7]


def test_a_clicked_token_is_compared_with_the_guesses(tiny: LoadedModel) -> None:
    typed = fill_mask("猫は[MASK]を食べた。", tiny, k=40).masks[0]
    clicked = fill_mask("猫は魚を食べた。", tiny, position=3, k=40).masks[0]
    assert clicked.original is not None
    assert clicked.original.token == "魚"
    same = next(found for found in typed.candidates if found.token == "魚")
    assert clicked.original.probability == pytest.approx(same.probability, rel=1e-5)
    assert clicked.original.rank == same.rank
    assert clicked.original.sentence == "猫は魚を食べた。"
    assert sum(found.probability for found in clicked.candidates) == pytest.approx(1, abs=1e-5)


def test_several_masks_are_filled_each_alone(tiny: LoadedModel) -> None:
    filling = fill_mask("[MASK]は[MASK]を食べた。", tiny, k=2)
    assert filling.independent
    assert [mask.position for mask in filling.masks] == [1, 3]
    assert filling.masks[1].candidates[0].sentence.startswith("[MASK]は")


@pytest.mark.parametrize(
    ("text", "position", "key"),
    [
        ("猫", None, "error.model.no_mask"),
        ("猫", 9, "error.model.token_index"),
        ("猫", 0, "error.model.special_token"),
        ("", None, "error.text.empty"),
        ("猫[MASK]" * 60, None, "error.model.too_many_tokens"),
    ],
)
def test_what_it_refuses(tiny: LoadedModel, text: str, position: int | None, key: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        fill_mask(text, tiny, position=position)
    assert refusal.value.key == key


def test_a_base_model_fills_nothing(folder: Path) -> None:
    with pytest.raises(ModelUnavailable, match="no_head"):
        fill_mask("猫[MASK]", load_model(str(folder), head="base"))
