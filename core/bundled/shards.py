"""Weights in parts, so that what several models share lies on the disk once.

A folder's ``model.safetensors.index.json`` says which file holds which tensor, as for any model in shards. A model that
was trained from another, with some of its parts frozen, names the other's files in its own index, one folder aside.
A part is a file of its own because a file that an index names is read whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.bundled.files import write_json

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Part:
    """A file of weights: those whose name holds one of `pieces` and that no earlier part has taken."""

    name: str
    pieces: tuple[str, ...]

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.name}.safetensors"


VECTORS = Part("vectors", ("word_embeddings", "shared.weight"))  # of a small model half of all weights
LOWER = Part("lower", ("embeddings.", "layer.0.", "layer.1.", "layer.2."))  # of BERT, all but its last layer
READER = Part("reader", ("encoder.",))  # of T5
OWN, INDEX = "own.safetensors", "model.safetensors.index.json"


def part_weights(folder: Path, parts: Sequence[Part]) -> None:
    """Give each part of a model's weights a file of its own, and the rest another."""
    weights = _take_weights(folder)
    places = {name: next((part.file for part in parts if _holds(part, name)), OWN) for name in weights}
    _write(folder, weights, places)


def share_weights(folder: Path, base: Path, parts: Sequence[Part]) -> None:
    """Leave out of a model's weights what is in these parts of its base, and name the base's files in their place.

    Raises: ValueError when the two are not equal.
    """
    import torch
    from safetensors.torch import load_file

    weights = _take_weights(folder)
    places = dict.fromkeys(weights, OWN)
    for part in parts:
        for name, tensor in load_file(base / part.file).items():
            if name not in weights or not torch.equal(tensor, weights[name]):
                raise ValueError(f"{folder.name} has another {name} than {base.name}")
            places[name] = f"../{base.name}/{part.file}"
    _write(folder, weights, places)


def _holds(part: Part, name: str) -> bool:
    return any(piece in name for piece in part.pieces)


def _take_weights(folder: Path) -> dict[str, Tensor]:
    """Read all weights of a folder and remove the files that are its own."""
    from safetensors.torch import load_file

    weights: dict[str, Tensor] = {}
    for path in sorted(folder.glob("*.safetensors")):
        weights |= load_file(path)
        path.unlink()
    (folder / INDEX).unlink(missing_ok=True)
    return weights


def _write(folder: Path, weights: dict[str, Tensor], places: dict[str, str]) -> None:
    """Write the files that lie in the folder, and the index."""
    from safetensors.torch import save_file

    for file in sorted(set(places.values())):
        if "/" not in file:
            held = {name: tensor for name, tensor in weights.items() if places[name] == file}
            save_file(held, folder / file, metadata={"format": "pt"})
    numbers = sum(tensor.numel() for tensor in weights.values())
    size = sum(tensor.numel() * tensor.element_size() for tensor in weights.values())
    index = {"metadata": {"total_parameters": numbers, "total_size": size}, "weight_map": places}
    write_json(folder / INDEX, index)
