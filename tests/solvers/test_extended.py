"""Double-double arithmetic against fractions."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklsq.solvers.extended import DoubleDouble, matmul, sum_rows, two_product, two_sum

NUMBERS = st.floats(-1e50, 1e50).filter(lambda x: x == 0.0 or abs(x) > 1e-50)
ACCURACY = 1e-31  # relative, of one operation; 2**-104 is 5e-32


def number(hi, lo=0.0):
    """A double-double, with what it stands for."""
    hi, lo = two_sum(float(hi), float(lo))
    return DoubleDouble(np.array(hi), np.array(lo)), Fraction(hi) + Fraction(lo)


def value(x):
    return Fraction(float(x.hi)) + Fraction(float(x.lo))


@given(NUMBERS, NUMBERS)
def test_sum_is_free_of_error(a, b):
    s, e = two_sum(a, b)
    assert s == a + b
    assert Fraction(s) + Fraction(e) == Fraction(a) + Fraction(b)


@given(NUMBERS, NUMBERS)
def test_product_is_free_of_error(a, b):
    p, e = two_product(a, b)
    assert p == a * b
    assert Fraction(p) + Fraction(e) == Fraction(a) * Fraction(b)


@given(NUMBERS, NUMBERS, st.floats(-1e-17, 1e-17), st.floats(-1e-17, 1e-17))
def test_operations(a, b, low_a, low_b):
    x, exact_x = number(a, low_a * a)
    y, exact_y = number(b, low_b * b)
    size = abs(exact_x) + abs(exact_y)
    assert abs(value(x + y) - (exact_x + exact_y)) <= ACCURACY * size
    assert abs(value(x - y) - (exact_x - exact_y)) <= ACCURACY * size
    assert abs(value(x * y) - exact_x * exact_y) <= ACCURACY * abs(exact_x * exact_y)
    assert abs(value(x + b) - (exact_x + Fraction(b))) <= ACCURACY * size
    assert abs(value(b - x) - (Fraction(b) - exact_x)) <= ACCURACY * size
    assert abs(value(b * x) - Fraction(b) * exact_x) <= ACCURACY * abs(Fraction(b) * exact_x)


@given(st.floats(1e-20, 1e20), st.sampled_from([-1.0, 1.0]))
def test_reciprocal(a, sign):
    x, exact = number(sign * a, 1e-18 * a)
    assert abs(value(x.reciprocal()) * exact - 1) <= 4 * ACCURACY


@given(st.floats(0.01, 5.0), st.integers(0, 20))
def test_powers(a, exponent):
    x, exact = number(a)
    error = abs(value(x**exponent) - exact**exponent)
    assert error <= 40 * ACCURACY * abs(exact**exponent)


@pytest.mark.parametrize("n", [1, 2, 3, 7, 64, 101])
def test_sum_over_rows_survives_cancellation(n):
    rng = np.random.default_rng(n)
    large = rng.normal(size=(n, 3)) * 1e16
    terms = np.concatenate([large, rng.normal(size=(n, 3)), -large])
    found = sum_rows(DoubleDouble(terms))
    for j in range(3):
        exact = sum(map(Fraction, terms[:, j]))
        assert abs(value(found[j]) - exact) <= 1e-29 * sum(map(abs, map(Fraction, terms[:, j])))


@pytest.mark.parametrize("extended", [(False, False), (True, False), (False, True), (True, True)])
def test_matrix_product(extended):
    rng = np.random.default_rng(0)
    operands = [rng.normal(size=(3, 5)), rng.normal(size=(5, 2))]
    low = [
        1e-17 * rng.normal(size=x.shape) * x if e else 0.0 * x
        for x, e in zip(operands, extended, strict=True)
    ]
    a, b = (DoubleDouble(x, y) if e else x for x, y, e in zip(operands, low, extended, strict=True))
    found = matmul(a, b)
    for i in range(3):
        for j in range(2):
            exact = sum(
                (Fraction(operands[0][i, k]) + Fraction(low[0][i, k]))
                * (Fraction(operands[1][k, j]) + Fraction(low[1][k, j]))
                for k in range(5)
            )
            assert abs(value(found[i, j]) - exact) <= 1e-30


def test_slices_and_shapes():
    x = DoubleDouble(np.arange(6.0).reshape(2, 3))
    assert x.shape == (2, 3)
    assert x.T.shape == (3, 2)
    np.testing.assert_array_equal(x[1].hi, [3.0, 4.0, 5.0])
    np.testing.assert_array_equal((-x).hi, -x.hi)
    np.testing.assert_array_equal(x.lo, 0.0)
