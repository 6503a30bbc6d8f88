"""Models with random weights in folders, named by their paths as a visitor would."""

from __future__ import annotations

from tests.models.conftest import decoder, folder, writer

__all__ = ["decoder", "folder", "writer"]
