"""The same casts and the same gradients by torch and transformers alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.models.loading import find_preset
from core.presets import HEADS, models_folder
from core.settings import ROOT
from core.training.number_formats import read_number

if TYPE_CHECKING:
    from tabs.training.formats import Query


def snippet(query: Query) -> str:
    """The number in three formats, then one backward pass in fp32 and what 16 bits keep of it."""
    choose = "argmax" if query.gold == "predicted" else "argmin"
    believed = "the answer the model gives" if query.gold == "predicted" else "the answer it believes least"
    return f"""import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

# A number in three formats ------------------------------------------------------
number = torch.tensor(float({str(read_number(query.number))!r}), dtype=torch.float32)
formats = {{"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}}
values = {{name: number.to(dtype).item() for name, dtype in formats.items()}}

# The gradients of one step, in fp32 ---------------------------------------------
path = {_path(query.source)!r}
tokenizer = AutoTokenizer.from_pretrained(path)
model = AutoModelForSequenceClassification.from_pretrained(path, dtype=torch.float32).requires_grad_()
logits = model(**tokenizer({query.text!r}, truncation=True, max_length=128, return_tensors="pt")).logits
label = logits.{choose}(dim=-1)  # {believed}
loss = torch.nn.functional.cross_entropy(logits, label)
loss.backward()
g = torch.cat([p.grad.flatten().abs() for p in model.parameters() if p.grad is not None])
g = g[g > 0]

# Scaled, and written in 16 bits -------------------------------------------------
scaled = g * 2.0**{query.scale}  # as if the loss had been multiplied
result = {{"values": values, "label": model.config.id2label[label.item()], "loss": loss.item()}}
for name in ("fp16", "bf16"):
    kept = scaled.to(formats[name]).float()
    smallest = torch.finfo(formats[name]).smallest_normal
    finite = kept.isfinite()
    result[name] = {{
        "zero": (kept == 0).double().mean().item(),
        "subnormal": ((kept > 0) & (kept < smallest)).double().mean().item(),
        "inf": (~finite).double().mean().item(),
        "error": ((kept - scaled).abs() / scaled)[finite].double().mean().item(),
    }}
print(result)
"""


def _path(source: str) -> str:
    """What `from_pretrained` is given: the bundled model's folder, seen from the project's."""
    preset = find_preset(source, HEADS)
    if preset is None:
        return source
    folder = (models_folder() / preset.source).resolve()
    return folder.relative_to(ROOT).as_posix() if folder.is_relative_to(ROOT) else str(folder)
