"""Vectors as bits: how sharp the hash of BPR is, and how its bits are kept (book 9.4.3, 9.4.4)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from core.search.hits import Floats

Bits = npt.NDArray[np.uint8]


def hash_sharpness(step: Any) -> Any:
    """β of the hash tanh(β · x) after so many forward passes in training: √(1 + 0.1 · step).

    A number, an array or a tensor gives its like. Source: Cao et al. 2017, "HashNet"; Yamada et al. 2021.
    """
    return (1 + 0.1 * step) ** 0.5


def pack_bits(vectors: Floats) -> Bits:
    """One bit for each number of (N, D), 1 from 0 on upwards, eight to a byte: (N, D / 8).

    Raises:
        ValueError: D is no multiple of 8.
    """
    if vectors.shape[1] % 8:
        raise ValueError("the width must be a multiple of 8")
    return np.packbits(vectors >= 0, axis=1)


def unpack_signs(bits: Bits) -> Floats:
    """The way back from (N, D / 8) bytes: (N, D) of +1 and −1."""
    return 2 * np.unpackbits(bits, axis=1).astype(np.float32) - 1
