"""An encoder with random weights in a folder, named by its path as a visitor would."""

from __future__ import annotations

from tests.models.conftest import folder

__all__ = ["folder"]
