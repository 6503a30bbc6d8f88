"""What scripts of this room have in common."""

from __future__ import annotations

from core.presets import ENCODERS


def path_in_script(model: str) -> str:
    """What `from_pretrained` is given in a script that runs in the project's folder."""
    bundled = {preset.id: f"assets/models/{preset.source}" for preset in ENCODERS if preset.bundled}
    return bundled.get(model, model)
