"""The tiny Japanese BERT of the model tests serves here too."""

from __future__ import annotations

from tests.models.conftest import folder

__all__ = ["folder"]
