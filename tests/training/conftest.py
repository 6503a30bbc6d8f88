"""One tiny encoder for all tests of training."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.tiny import tiny_encoder


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a BERT that drops out a tenth of its neurons while it trains."""
    return tiny_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="session")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same without dropout: batches of any size then train it alike."""
    return tiny_encoder(tmp_path_factory.mktemp("steady"), dropout=0.0)
