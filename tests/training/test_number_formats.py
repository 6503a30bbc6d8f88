"""The three formats against torch, bit by bit, and against what IEEE 754 says of their limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.training.number_formats import (
    BF16,
    FORMATS,
    FP16,
    FP32,
    NumberFormat,
    decode_bits,
    read_number,
    round_values,
    write_number,
)

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
WHOLE = {16: torch.int16, 32: torch.int32}
each_format = pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
patterns = st.integers(0, 2**32 - 1)  # every float32 there is: subnormals, infinities and NaNs as often as others


def from_pattern(pattern: int) -> float:
    return float(np.array([pattern], dtype=np.uint32).view(np.float32)[0])


def cast(number: float, form: NumberFormat) -> torch.Tensor:
    return torch.tensor([number], dtype=torch.float64).to(torch.float32).to(DTYPES[form.name])


@each_format
@given(pattern=patterns)
@example(pattern=0x3F808000)  # half way between two numbers of bf16: down, to the even one
@example(pattern=0x3F818000)  # up
@example(pattern=0x3F801000)  # the same for fp16
@example(pattern=0x3F803000)
@example(pattern=0x477FEFFF)  # the last one that fp16 rounds down to 65504, and the first that is infinite
@example(pattern=0x477FF000)
@example(pattern=0x7F7FFFFF)  # the largest fp32: infinite in bf16
@example(pattern=0x33000000)  # 2^-25: a tie with 0, which is even
@example(pattern=0x33000001)
@example(pattern=0x7F800001)  # a NaN whose upper half alone would be infinity
@example(pattern=0x80000000)
def test_every_number_is_rounded_as_torch_rounds_it(form: NumberFormat, pattern: int) -> None:
    number = from_pattern(pattern)
    written, expected = write_number(number, form), cast(number, form)
    value = expected.double().item()
    assert written.value == value or (math.isnan(written.value) and math.isnan(value))
    if not math.isnan(value):
        raw = expected.view(WHOLE[form.bits]).item()
        assert int(written.bits, 2) == raw % 2**form.bits
        assert math.copysign(1, written.value) == math.copysign(1, value)
        assert decode_bits(written.bits, form) == value


@each_format
@given(number=st.floats(allow_nan=False))
def test_what_is_typed_is_cast_through_fp32(form: NumberFormat, number: float) -> None:
    assert write_number(number, form).value == cast(number, form).double().item()


@each_format
def test_whole_arrays_are_rounded_likewise(form: NumberFormat) -> None:
    values = np.random.default_rng(0).integers(0, 2**32, size=(400, 500), dtype=np.uint32).view(np.float32)
    expected = torch.from_numpy(values).to(DTYPES[form.name]).float().numpy()
    np.testing.assert_array_equal(round_values(values, form), expected)


@each_format
def test_the_limits_are_those_of_torch(form: NumberFormat) -> None:
    told = torch.finfo(DTYPES[form.name])
    assert (form.bits, form.largest, form.smallest_normal, form.epsilon) == (told.bits, told.max, told.tiny, told.eps)
    assert cast(form.smallest, form).item() == form.smallest
    assert cast(form.smallest * 0.5, form).item() == 0
    assert write_number(form.smallest, form).kind == "subnormal"
    assert write_number(form.smallest_normal, form).kind == "normal"
    assert write_number(0.0, form).kind == "zero"
    assert write_number(math.inf, form).kind == "infinite"
    assert write_number(math.nan, form).kind == "nan"


@each_format
@given(pattern=patterns)
def test_a_turned_bit_gives_the_number_with_only_that_bit_other(form: NumberFormat, pattern: int) -> None:
    written = write_number(from_pattern(pattern), form)
    for place, value in enumerate(written.flipped):
        if math.isnan(value):
            continue
        again = write_number(value, form)
        apart = [n for n, (a, b) in enumerate(zip(again.bits, written.bits, strict=True)) if a != b]
        assert apart == [place]


@given(st.floats(1e-3, 1e4))
def test_the_error_is_at_most_half_a_step(number: float) -> None:
    for form in FORMATS:
        written = write_number(number, form)
        assert written.error == abs(written.value - number)
        assert written.relative <= form.epsilon / 2 * 1.001
        assert written.gap > 0
        assert math.nextafter(written.value, math.inf) > written.value
        assert cast(written.value + written.gap, form).item() == written.value + written.gap
        assert cast(written.value + written.gap / 4, form).item() == written.value


def test_one_tenth() -> None:
    single, brain, half = (write_number(0.1, form) for form in (FP32, BF16, FP16))
    assert single.bits == "00111101110011001100110011001101"
    assert brain.bits == single.bits[:15] + "1", "the first half of fp32, rounded up"
    assert half.bits == "0010111001100110"
    assert (brain.value, half.value) == (0.10009765625, 0.0999755859375)
    assert math.isnan(write_number(65520.0, FP16).gap)


@pytest.mark.parametrize(
    ("told", "number"),
    [("0.1", 0.1), (" −１．５ ", -1.5), ("1e-8", 1e-8), ("∞", math.inf), ("-inf", -math.inf), ("1e999", math.inf)],
)
def test_numbers_are_read_as_people_type_them(told: str, number: float) -> None:
    assert read_number(told) == number
    assert math.isnan(read_number("nan"))


@pytest.mark.parametrize("told", ["", "猫", "1_000", "1/3", "0x10", "9" * 41])
def test_what_is_no_number_is_refused(told: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        read_number(told)
    assert refusal.value.key == "error.formats.number"
