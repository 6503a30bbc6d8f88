"""What the lens shows of the last layer is the model's own output; below it, the same two steps on other vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.errors import ModelUnavailable
from core.models.lens import look_through
from core.models.loading import LoadedModel, load_model
from core.presets import DECODERS, locate

TEXT = "昔々あるところに、おじいさんと"


@pytest.fixture(scope="module")
def bundled() -> LoadedModel:
    return load_model("decoder", head="causal-lm")


def test_the_last_layer_is_the_models_own_output_exactly(bundled: LoadedModel) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = locate("decoder", DECODERS)
    encoded = AutoTokenizer.from_pretrained(folder)(TEXT, return_tensors="pt", return_token_type_ids=False)
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
    with torch.inference_mode():
        own = model(**encoded).logits[0].log_softmax(dim=-1).max(dim=-1)
    lens = look_through(TEXT, bundled)
    assert [guess.id for guess in lens.final] == own.indices.tolist()
    assert [guess.probability for guess in lens.final] == own.values.exp().tolist()
    assert lens.ranks[-1].tolist() == [1] * len(lens.units)


def test_earlier_layers_go_through_the_final_norm(bundled: LoadedModel) -> None:
    ids = torch.tensor([bundled.tokenizer.fast.encode(TEXT).ids])
    model: Any = bundled.model
    with torch.inference_mode():
        state = model(input_ids=ids, output_hidden_states=True).hidden_states[2]
        best = model.get_output_embeddings()(model.base_model.norm(state))[0].argmax(dim=-1)
    lens = look_through(TEXT, bundled)
    assert [guess.id for guess in lens.best[2]] == best.tolist()
    assert len(lens.best) == bundled.layers + 1


def test_a_prediction_settles_where_it_stays_in_front(bundled: LoadedModel) -> None:
    lens = look_through(TEXT, bundled)
    for place, stage in enumerate(lens.settled):
        assert (lens.ranks[stage:, place] == 1).all()
        assert stage == 0 or lens.ranks[stage - 1, place] > 1
        assert lens.best[stage][place].id == lens.final[place].id
    np.testing.assert_array_less(0, lens.shares)


def test_bytes_of_a_character_are_named_as_bytes(bundled: LoadedModel) -> None:
    lens = look_through("🍣と🍜を𠮷野で食べた", bundled)
    shown = [guess.token for row in lens.best for guess in row] + [unit.label for unit in lens.units]
    assert "\ufffd" not in "".join(shown)
    assert any(token.startswith("⟨") for token in shown)
    assert all(shown)


def test_a_model_that_looks_both_ways_is_refused(folder: Path, tiny: LoadedModel) -> None:
    for attempt in (lambda: look_through("猫", tiny), lambda: load_model(str(folder), head="causal-lm")):
        with pytest.raises(ModelUnavailable, match=r"needs\.decoder"):
            attempt()


def test_gpt2_has_its_norm_under_another_name(tmp_path: Path) -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    from tests.text.tiny import folder as tokenizer_folder
    from tests.text.tiny import tiny as tokenizer

    size = len(tokenizer("byte-bpe").pieces)
    config = GPT2Config(vocab_size=size, n_positions=64, n_embd=16, n_layer=2, n_head=2)
    GPT2LMHeadModel(config).save_pretrained(tmp_path)
    for path in tokenizer_folder("byte-bpe").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    loaded = load_model(str(tmp_path), head=None)
    assert (loaded.architecture, loaded.head) == ("decoder", "causal-lm")
    lens = look_through("猫は魚が好き", loaded)
    assert len(lens.best) == 3
    assert "\ufffd" not in "".join(guess.token for row in lens.best for guess in row)
