"""Weights in parts, so that the heads of one encoder need its word vectors, half of all weights, only once on the disk.

A folder's ``model.safetensors.index.json`` says which file holds which tensor, as for any model in shards; a head's
index names the encoder's file of vectors, one folder aside.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from core.bundled.files import write_json

if TYPE_CHECKING:
    from torch import Tensor

VECTORS = "word_embeddings"  # part of the name of what is shared
SHARED, OWN, INDEX = "vectors.safetensors", "own.safetensors", "model.safetensors.index.json"


def part_vectors(folder: Path) -> None:
    """Give the word vectors of an encoder a file of their own."""
    from safetensors.torch import save_file

    weights = _take_weights(folder)
    name = _name_vectors(weights)
    save_file({name: weights[name]}, folder / SHARED, metadata={"format": "pt"})
    _write(folder, weights, name, place=SHARED)


def share_vectors(folder: Path, encoder: Path) -> None:
    """Leave the word vectors out of a head's weights and name the encoder's in their place.

    Raises: ValueError when the two are not equal.
    """
    import torch
    from safetensors.torch import load_file

    weights = _take_weights(folder)
    name = _name_vectors(weights)
    shared = load_file(encoder / SHARED)
    if list(shared) != [name] or not torch.equal(shared[name], weights[name]):
        raise ValueError(f"{folder.name} has other word vectors than the encoder")
    _write(folder, weights, name, place=f"../{encoder.name}/{SHARED}")


def _take_weights(folder: Path) -> dict[str, Tensor]:
    """Read all weights of a folder and remove their files."""
    from safetensors.torch import load_file

    weights: dict[str, Tensor] = {}
    for path in sorted(folder.glob("*.safetensors")):
        weights |= load_file(path)
        path.unlink()
    (folder / INDEX).unlink(missing_ok=True)
    return weights


def _name_vectors(weights: dict[str, Tensor]) -> str:
    (name,) = [key for key in weights if key.endswith(f"{VECTORS}.weight")]
    return name


def _write(folder: Path, weights: dict[str, Tensor], name: str, *, place: str) -> None:
    from safetensors.torch import save_file

    own = {key: tensor for key, tensor in weights.items() if key != name}
    save_file(own, folder / OWN, metadata={"format": "pt"})
    numbers = sum(tensor.numel() for tensor in weights.values())
    size = sum(tensor.numel() * tensor.element_size() for tensor in weights.values())
    places = dict.fromkeys(own, OWN) | {name: place}
    write_json(folder / INDEX, {"metadata": {"total_parameters": numbers, "total_size": size}, "weight_map": places})
