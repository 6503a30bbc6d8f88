"""The model that an exhibit runs: naming it in a script, and saying honestly what it is."""

from __future__ import annotations

from collections.abc import Mapping

from core.i18n import Locale, translate
from core.presets import ENCODERS, MODELS, ids
from tabs._kit import pictures

DEFAULT = "encoder"
OFFERED = ids(ENCODERS)
BUNDLED: Mapping[str, str] = {preset.id: f"assets/models/{preset.source}" for preset in MODELS if preset.bundled}
SMALL = 50_000_000  # parameters; BERT's base size has 110 million


def path_in_script(name: str) -> str:
    """What `from_pretrained` is given in a script that runs in the project's folder."""
    return BUNDLED.get(name, name)


def lines_to_load(name: str, *, kind: str) -> str:
    """The first lines of a script: a tokenizer and a model of the class `kind`, as precise as on the page."""
    return f"""import torch
from transformers import {kind}, AutoTokenizer

path = {path_in_script(name)!r}
tokenizer = AutoTokenizer.from_pretrained(path)
# Only "eager" hands out its attention; the files may hold half precision.
model = {kind}.from_pretrained(path, attn_implementation="eager", dtype=torch.float32)"""


def honesty(parameters: int, locale: Locale) -> str:
    """A sentence on what to expect of a model of this size."""
    key = "small" if parameters < SMALL else "large"
    amount = f"{round(parameters / 1e4):,} 万" if locale == "ja" else f"{parameters / 1e6:,.1f} million"
    return pictures.note(translate(f"attention.common.{key}", locale, parameters=amount))
