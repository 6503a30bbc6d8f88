"""Models with random weights in folders, named by their paths as a visitor would."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.models.conftest import decoder, folder, writer

__all__ = ["decoder", "folder", "writer"]

LAYERS, HEADS = 24, 16


@pytest.fixture(scope="session")
def large(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a BERT of as many layers and heads as BERT-large has, narrow and with random weights."""
    import torch
    from transformers import BertConfig, BertForMaskedLM

    place = tmp_path_factory.mktemp("large") / "model"
    shutil.copytree(folder, place)
    torch.manual_seed(0)
    config = BertConfig.from_pretrained(
        folder, num_hidden_layers=LAYERS, num_attention_heads=HEADS, hidden_size=4 * HEADS
    )
    BertForMaskedLM(config).save_pretrained(place)
    return place
