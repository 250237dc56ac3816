"""Rows come block by block, whitened, and scaled without rounding."""

import numpy as np
import pytest

from sklsq.basis.columns import InterceptColumns
from sklsq.solvers.rows import Rows, Scaling
from tests.solvers.problems import random_problem, rows_of


def test_sizes():
    rows = rows_of(*random_problem(50, 4, 2))
    assert (rows.n_samples, rows.n_columns, rows.n_targets) == (50, 4, 2)


@pytest.mark.parametrize("errors_are", ["sigma", "weight"])
def test_whitened(errors_are):
    A, Y, errors = random_problem(50, 4, 2)
    found_A, found_Y = rows_of(A, Y, errors, errors_are).whitened()
    weight = 1.0 / errors if errors_are == "sigma" else np.sqrt(errors)
    np.testing.assert_allclose(found_A, A * weight[:, None], rtol=1e-15)
    np.testing.assert_allclose(found_Y, Y * weight[:, None], rtol=1e-15)


@pytest.mark.parametrize("n", [1, 50, 100_000])
def test_blocks_are_all_rows_in_order(n):
    A, Y, sigma = random_problem(n, 4, 2)
    blocks = list(rows_of(A, Y, sigma).blocks())
    np.testing.assert_array_equal(np.vstack([block.X for block in blocks]), A)
    np.testing.assert_array_equal(np.vstack([block.Y for block in blocks]), Y)
    np.testing.assert_array_equal(np.concatenate([block.errors for block in blocks]), sigma)
    assert (len(blocks) > 1) == (n > 1000)


def test_taking_rows():
    A, Y, sigma = random_problem(50, 4, 2)
    some = rows_of(A, Y, sigma).take(np.array([3, 1]))
    np.testing.assert_array_equal(some.X, A[[3, 1]])
    np.testing.assert_array_equal(some.errors, sigma[[3, 1]])
    assert rows_of(A, Y, 0.5).take(slice(2, 5)).errors == 0.5


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_weight_that_is_not_positive(bad):
    A, Y, sigma = random_problem()
    sigma[3] = bad
    with pytest.raises(FloatingPointError, match="A weight is not positive"):
        rows_of(A, Y, sigma).root_weight()


class TestScaling:
    def test_is_left_out_where_all_is_of_order_one(self):
        rows = rows_of(*random_problem())
        assert rows.with_scaling() is rows
        assert rows.with_scaling().scaling is None

    @pytest.mark.parametrize("size", [1e-300, 1e-100, 1e100, 1e300])
    def test_by_powers_of_two(self, size):
        A, Y, sigma = random_problem()
        rows = rows_of(A * [1.0, size, 1.0, 1.0], Y, sigma).with_scaling()
        assert isinstance(rows.scaling, Scaling)
        factors = np.concatenate(
            [rows.scaling.columns, rows.scaling.targets, [rows.scaling.weight]]
        )
        mantissas, _ = np.frexp(factors)
        np.testing.assert_array_equal(mantissas, 0.5)
        found, _ = rows.whitened()
        assert 0.01 < np.abs(found).max() < 10.0

    def test_zeros_are_left_alone(self):
        A, Y, _ = random_problem()
        A[:, 1] = 0.0
        rows = rows_of(A * 1e200, Y * 0.0).with_scaling()
        assert np.isfinite(rows.whitened()[0]).all()
        np.testing.assert_array_equal(rows.whitened()[1], 0.0)


def test_extended_rows_are_the_same_rows():
    X, Y, sigma = random_problem(50, 2)
    rows = Rows(InterceptColumns(np.array([0.5, -2.0])), X, Y, sigma)
    plain, extended = rows.whitened(), rows.whitened_extended()
    for a, b in zip(plain, extended, strict=True):
        np.testing.assert_allclose(b.hi, a, rtol=1e-14, atol=1e-15)
