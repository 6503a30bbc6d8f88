"""Parameters by part: golden numbers, arithmetic by hand, and agreement with what lies on the disk."""

from __future__ import annotations

import pytest

from core.models.parameters import BUNDLED, ENCODERS, NAMES, PARTS, count_parameters, find_encoder, find_part


def test_bert_has_as_many_parameters_as_the_book_prints() -> None:
    """5.5.4: BERT with a classifier of two classes, before LoRA is added."""
    assert count_parameters("bert", labels=2).total == 111_208_706
    assert count_parameters("bert", labels=3).total == 111_208_706 + 768 + 1


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_belongs_to_one_part(name: str) -> None:
    anatomy = count_parameters(name)
    assert sum(tensor.parameters for tensor in anatomy.tensors) == sum(anatomy.counts) == anatomy.total
    assert {tensor.part for tensor in anatomy.tensors} <= set(PARTS)


@pytest.mark.parametrize("name", [encoder.name for encoder in ENCODERS])
def test_parts_are_what_arithmetic_says(name: str) -> None:
    anatomy, settings, width = count_parameters(name), find_encoder(name).settings, 768
    square = width * width + width
    queries = 6 if settings.get("use_entity_aware_attention") else 3
    entities = {"luke": 570_505, "luke-lite": 4}.get(name)
    assert anatomy.count("words") == settings["vocab_size"] * width
    assert anatomy.count("attention") == 12 * ((queries + 1) * square + 2 * width)
    assert anatomy.count("feed_forward") == 12 * (8 * width * width + 7 * width)  # 4 + 1 of biases, 2 of the layer norm
    assert anatomy.count("head") == square + 3 * (width + 1)
    assert anatomy.count("convolution") == (3 * width * width + 3 * width if name == "deberta" else 0)
    if entities is None:
        assert anatomy.count("entities") == 0
    else:
        places = (settings["max_position_embeddings"] + settings["type_vocab_size"]) * width
        assert anatomy.count("entities") == entities * 256 + 256 * width + places + 2 * width


def test_the_bundled_encoder_has_the_weights_that_lie_on_the_disk() -> None:
    from transformers import AutoModel

    from core.i18n import ASSETS

    loaded = AutoModel.from_pretrained(ASSETS / "models" / "encoder", add_pooling_layer=False)
    anatomy = count_parameters(BUNDLED)
    assert anatomy.total - anatomy.count("head") == loaded.num_parameters()


def test_what_belongs_nowhere_is_an_error() -> None:
    with pytest.raises(ValueError, match="belongs to no part"):
        find_part("bert.something.new")
    with pytest.raises(KeyError):
        count_parameters("gpt")
