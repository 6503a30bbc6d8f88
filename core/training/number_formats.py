"""Floating-point formats of mixed precision, bit by bit: fp32, bf16 and fp16 (book 5.5.1).

A number is ``(-1)^sign × 1.fraction × 2^(exponent - bias)``; with the exponent's bits all 0 it is subnormal,
``0.fraction × 2^(1 - bias)``, and with all of them 1 it is infinite (fraction 0) or not a number.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from core.errors import InvalidInput

Kind = Literal["zero", "subnormal", "normal", "infinite", "nan"]
LONGEST_NUMBER = 40  # characters


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """How many bits a format gives to the exponent and to the fraction; one more is the sign."""

    name: str
    exponent_bits: int
    fraction_bits: int

    @property
    def bits(self) -> int:
        """All of them."""
        return 1 + self.exponent_bits + self.fraction_bits

    @property
    def bias(self) -> int:
        """What is subtracted from the written exponent."""
        return int(2 ** (self.exponent_bits - 1)) - 1

    @property
    def largest(self) -> float:
        """The largest finite number."""
        return (2 - self.epsilon) * 2.0**self.bias

    @property
    def smallest_normal(self) -> float:
        """The smallest positive number with all its digits."""
        return 2.0 ** (1 - self.bias)

    @property
    def smallest(self) -> float:
        """The smallest positive number, subnormal."""
        return self.smallest_normal * self.epsilon

    @property
    def epsilon(self) -> float:
        """The step from 1 to the next number."""
        return 2.0**-self.fraction_bits


FP32 = NumberFormat("fp32", 8, 23)
BF16 = NumberFormat("bf16", 8, 7)
FP16 = NumberFormat("fp16", 5, 10)
FORMATS = (FP32, BF16, FP16)


@dataclass(frozen=True, slots=True)
class WrittenNumber:
    """A number as one format writes it.

    `value` is what became of it, `error` its distance from the number that was typed and `relative` that distance as a
    share of the number; both are NaN where there is no such distance. `gap` is the step to the next number away from 0
    (NaN beyond the largest). `flipped` holds, for each bit from the left, the value with only that bit turned.
    """

    name: str
    bits: str
    kind: Kind
    value: float
    error: float
    relative: float
    gap: float
    flipped: tuple[float, ...]


def read_number(told: str) -> float:
    """A typed number: decimal, with an exponent, ``inf`` or ``nan``; full-width digits are understood too.

    Raises:
        InvalidInput: ``error.formats.number`` with ``told``.
    """
    plain = unicodedata.normalize("NFKC", told).strip().replace("−", "-").replace("∞", "inf")
    if len(plain) > LONGEST_NUMBER or "_" in plain:
        raise InvalidInput("error.formats.number", told=told[:LONGEST_NUMBER])
    try:
        return float(plain)
    except ValueError:
        raise InvalidInput("error.formats.number", told=told[:LONGEST_NUMBER]) from None


def round_values(values: npt.ArrayLike, form: NumberFormat) -> npt.NDArray[np.float32]:
    """Numbers as a format keeps them, of any shape, as float32, which holds all three.

    They are made fp32 first and rounded from there to the nearest, ties to even: so does a cast of a tensor.
    """
    with np.errstate(over="ignore"):
        single = np.asarray(values).astype(np.float32)
        if form == FP16:
            return single.astype(np.float16).astype(np.float32)
    if form == BF16:
        raw = single.view(np.uint32)
        lowest = (raw >> 16) & 1  # of the bits that stay: half way between two, the even one is taken
        rounded = ((raw + 0x7FFF + lowest) & np.uint32(0xFFFF0000)).view(np.float32)
        return np.where(np.isnan(single), single, rounded)
    return single


def write_number(number: float, form: NumberFormat) -> WrittenNumber:
    """One number in a format."""
    value = float(round_values(np.array([number]), form)[0])
    raw = _to_bits(value, form)
    finite = bool(np.isfinite(number))
    error = abs(value - number) if finite else float("nan")
    relative = error / abs(number) if finite and number else float("nan")
    beyond = decode_bits(f"{(raw & ~_sign(form)) + 1:0{form.bits}b}", form) if np.isfinite(value) else float("nan")
    return WrittenNumber(
        name=form.name,
        bits=f"{raw:0{form.bits}b}",
        kind=_kind(value, form),
        value=value,
        error=error,
        relative=relative,
        gap=beyond - abs(value) if np.isfinite(beyond) else float("nan"),
        flipped=tuple(decode_bits(f"{raw ^ (1 << place):0{form.bits}b}", form) for place in reversed(range(form.bits))),
    )


def decode_bits(bits: str, form: NumberFormat) -> float:
    """The number that a string of 0 and 1 stands for, by the definition above."""
    sign = -1.0 if bits[0] == "1" else 1.0
    exponent = int(bits[1 : 1 + form.exponent_bits], 2)
    fraction = int(bits[1 + form.exponent_bits :], 2) * form.epsilon
    if exponent == 2**form.exponent_bits - 1:
        return float("nan") if fraction else sign * float("inf")
    if exponent == 0:
        return sign * fraction * form.smallest_normal
    return sign * (1 + fraction) * 2.0 ** (exponent - form.bias)


def _to_bits(value: float, form: NumberFormat) -> int:
    if value != value:  # NaN: many strings of bits stand for it; this is the usual one
        return (2 ** (form.exponent_bits + 1) - 1) << (form.fraction_bits - 1)
    if form == FP16:
        return int(np.float16(value).view(np.uint16))
    return int(np.float32(value).view(np.uint32)) >> (FP32.bits - form.bits)


def _sign(form: NumberFormat) -> int:
    return 1 << (form.bits - 1)


def _kind(value: float, form: NumberFormat) -> Kind:
    if value != value:
        return "nan"
    size = abs(value)
    if size == 0:
        return "zero"
    return "infinite" if size == float("inf") else "subnormal" if size < form.smallest_normal else "normal"
