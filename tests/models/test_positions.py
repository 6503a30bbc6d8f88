from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.models.positions import encode_positions


def test_the_values_printed_in_the_book() -> None:
    encoding = encode_positions(50, 64)
    assert encoding.matrix.shape == (50, 64)
    np.testing.assert_allclose(encoding.products.diagonal(), 32.0)
    assert encoding.products.min() == pytest.approx(14.5172, abs=5e-5)
    np.testing.assert_array_equal(encoding.products[0, :7].round(2), [32, 30.92, 28.3, 25.59, 23.93, 23.5, 23.56])


def test_even_dimensions_are_sines_and_odd_ones_cosines() -> None:
    matrix = encode_positions(4, 6, base=100).matrix
    assert matrix[3, 2] == pytest.approx(np.sin(3 / 100 ** (2 / 6)))
    assert matrix[3, 3] == pytest.approx(np.cos(3 / 100 ** (2 / 6)))


@given(st.integers(1, 80), st.integers(1, 40).map(lambda half: 2 * half), st.floats(2, 1e6))
def test_the_product_depends_on_the_distance_alone(positions: int, width: int, base: float) -> None:
    products = encode_positions(positions, width, base=base).products
    for distance in {0, 1, positions - 1} & set(range(positions)):
        diagonal = products.diagonal(distance)
        np.testing.assert_allclose(diagonal, diagonal[0], atol=1e-8)
    np.testing.assert_allclose(products.diagonal(), width / 2)


@pytest.mark.parametrize(
    ("positions", "width", "base", "key"),
    [
        (50, 63, 10_000.0, "error.positions.odd_width"),
        (0, 64, 10_000.0, "error.positions.range"),
        (50, 2_000, 10_000.0, "error.positions.range"),
        (50, 64, float("nan"), "error.positions.range"),
    ],
)
def test_what_it_refuses(positions: int, width: int, base: float, key: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        encode_positions(positions, width, base=base)
    assert refusal.value.key == key
