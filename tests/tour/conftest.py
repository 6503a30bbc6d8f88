"""The family with random weights in place of the bundled models, which not every test may wait for."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.bundled.family import build_family


@pytest.fixture(scope="session")
def family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every model of the family."""
    folder = tmp_path_factory.mktemp("family")
    build_family(folder)
    return folder / "models"


@pytest.fixture
def models(family: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same as the folder of the bundled models."""
    monkeypatch.setenv("LAB_MODELS", str(family))
    return family


@pytest.fixture
def few(family: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of bundled models in which some heads are missing."""
    shutil.copytree(family, tmp_path / "models")
    for name in ("headline", "tagging", "inference"):
        shutil.rmtree(tmp_path / "models" / name)
    monkeypatch.setenv("LAB_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"
