"""Where the parameters of the encoders compared in book 5.6 lie, counted without any of their weights."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from core.i18n import ASSETS
from core.libraries import import_transformers

# The part of a model that a parameter belongs to, by the first of these that its name holds. The layer norms count to
# what they follow; the pooler counts to the head, since some of the classes have it there.
PARTS: Mapping[str, str] = MappingProxyType(
    {
        "entities": r"\.entity_embeddings\.",
        "words": r"\.word_embeddings\.",
        "positions": r"\.embeddings\.|\.rel_embeddings\.|\.encoder\.LayerNorm\.",
        "attention": r"\.layer\.\d+\.attention\.",
        "feed_forward": r"\.layer\.\d+\.(intermediate|output)\.",
        "convolution": r"\.conv\.",
        "head": r"pooler|classifier",
    }
)
LABELS = 3  # of JNLI (5.4.1), whose classifier all of them carry here
BUNDLED = "bundled"


@dataclass(frozen=True, slots=True)
class Encoder:
    """An encoder as it is published: its repository, its type in transformers, and what its configuration sets.

    Sizes that are not set are those of the type's default configuration, a base model: 12 layers of width 768, 12 heads
    and an inner width of 3,072.
    """

    name: str
    repository: str
    kind: str
    settings: Mapping[str, Any]


# Source: ``config.json`` of each repository on the Hub.
ENCODERS = (
    Encoder(
        "bert",
        "tohoku-nlp/bert-base-japanese-v3",
        "bert",
        MappingProxyType({"vocab_size": 32768, "max_position_embeddings": 512, "type_vocab_size": 2}),
    ),
    Encoder(
        "roberta",
        "nlp-waseda/roberta-base-japanese",
        "roberta",
        MappingProxyType({"vocab_size": 32000, "max_position_embeddings": 514, "type_vocab_size": 2}),
    ),
    Encoder(
        "luke",
        "studio-ousia/luke-japanese-base",
        "luke",
        MappingProxyType(
            {
                "vocab_size": 32772,
                "entity_vocab_size": 570505,
                "entity_emb_size": 256,
                "max_position_embeddings": 514,
                "type_vocab_size": 1,
                "use_entity_aware_attention": True,
            }
        ),
    ),
    Encoder(
        "luke-lite",
        "studio-ousia/luke-japanese-base-lite",
        "luke",
        MappingProxyType(
            {
                "vocab_size": 32772,
                "entity_vocab_size": 4,
                "entity_emb_size": 256,
                "max_position_embeddings": 514,
                "type_vocab_size": 1,
                "use_entity_aware_attention": True,
            }
        ),
    ),
    Encoder(
        "deberta",
        "ku-nlp/deberta-v2-base-japanese",
        "deberta-v2",
        MappingProxyType(
            {
                "vocab_size": 32000,
                "hidden_size": 768,
                "num_hidden_layers": 12,
                "num_attention_heads": 12,
                "intermediate_size": 3072,
                "type_vocab_size": 0,
                "relative_attention": True,
                "position_buckets": 256,
                "max_relative_positions": -1,
                "norm_rel_ebd": "layer_norm",
                "share_att_key": True,
                "pos_att_type": ("p2c", "c2p"),
                "position_biased_input": False,
                "conv_kernel_size": 3,
                "conv_act": "gelu",
            }
        ),
    ),
)
NAMES = (*(encoder.name for encoder in ENCODERS), BUNDLED)
_SIZES = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
    "type_vocab_size",
)


@dataclass(frozen=True, slots=True)
class Tensor:
    """The parameters of one name, with ``*`` for the layer; `layers` such tensors of `shape`, 1 outside the layers."""

    name: str
    part: str
    shape: tuple[int, ...]
    layers: int

    @property
    def parameters(self) -> int:
        """How many numbers these are in all layers."""
        return math.prod(self.shape) * self.layers


@dataclass(frozen=True, slots=True)
class Anatomy:
    """The parameters of one encoder: `counts` by part, in the order of `PARTS`, their sum, and every tensor."""

    name: str
    repository: str
    counts: tuple[int, ...]
    total: int
    tensors: tuple[Tensor, ...]

    def count(self, part: str) -> int:
        """The parameters of one part."""
        return self.counts[tuple(PARTS).index(part)]


def find_encoder(name: str) -> Encoder:
    """One of the published encoders, or the one that comes with the app.

    Raises:
        KeyError: no encoder has that name.
    """
    if name == BUNDLED:
        config = json.loads((ASSETS / "models" / "encoder" / "config.json").read_text(encoding="utf-8"))
        return Encoder(name, "encoder", "bert", MappingProxyType({size: config[size] for size in _SIZES}))
    return {encoder.name: encoder for encoder in ENCODERS}[name]


@cache
def count_parameters(name: str, *, labels: int = LABELS) -> Anatomy:
    """Count the parameters of an encoder with a classifier of `labels` classes, part by part.

    The class is transformers' own, made on the meta device: every tensor has its shape, none has values or memory.

    Raises:
        KeyError: no encoder has that name.
        ValueError: a parameter belongs to no part.

    Source: book 5.6; the golden number of 5.5.4 is BERT's with two classes, 111,208,706.
    """
    encoder = find_encoder(name)
    import_transformers()
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    config = AutoConfig.for_model(encoder.kind, num_labels=labels, **_plain(encoder.settings))
    with torch.device("meta"):
        model = AutoModelForSequenceClassification.from_config(config)
    found: dict[tuple[str, str, tuple[int, ...]], int] = {}
    for parameter, tensor in model.named_parameters():
        key = re.sub(r"\.layer\.\d+\.", ".layer.*.", parameter), find_part(parameter), tuple(tensor.shape)
        found[key] = found.get(key, 0) + 1
    tensors = tuple(Tensor(called, part, shape, layers) for (called, part, shape), layers in found.items())
    counts = tuple(sum(tensor.parameters for tensor in tensors if tensor.part == part) for part in PARTS)
    return Anatomy(name, encoder.repository, counts, sum(counts), tensors)


def find_part(parameter: str) -> str:
    """The part of a model that the parameter of this name belongs to.

    Raises:
        ValueError: it belongs to none.
    """
    for part, pattern in PARTS.items():
        if re.search(pattern, parameter):
            return part
    raise ValueError(f"{parameter}: belongs to no part")


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as JSON would give them."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in settings.items()}
