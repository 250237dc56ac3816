"""The straight line in one pass."""

import numpy as np
import pytest

from sklsq.solvers.straight_line import fit_line
from tests.estimators.exact import exact_line
from tests.known_answers import digits


def points(n, offset=0.0, seed=0):
    rng = np.random.default_rng(seed)
    x = offset + rng.normal(size=n)
    return x, 2.0 - 3.0 * (x - offset) + rng.normal(size=n), rng.uniform(0.5, 2.0, n)


@pytest.mark.parametrize("n", [2, 3, 100, 1024, 1025, 8192, 8193, 20_000])
@pytest.mark.parametrize("offset", [0.0, 1e8])
def test_exact_line(n, offset):
    x, y, sigma = points(n, offset)
    centroid, solution = fit_line(x, y, sigma, "sigma")
    exact = exact_line(x, y, sigma)
    assert digits(solution.params[:, 0], exact.coef) >= 13.0
    assert digits(np.sqrt(np.diag(solution.params_covariance)), exact.std) >= 13.0
    assert centroid == pytest.approx(np.average(x, weights=sigma**-2), rel=1e-13, abs=1e-13)
    assert solution.n_samples == n
    assert solution.rank == 2
    if n > 2:
        assert digits(solution.chi2, exact.chi2) >= 12.0


@pytest.mark.parametrize("n", [50, 5000])
def test_spellings_of_the_errors(n):
    x, y, sigma = points(n)
    by_sigma = fit_line(x, y, sigma, "sigma")[1]
    by_weight = fit_line(x, y, sigma**-2.0, "weight")[1]
    np.testing.assert_allclose(by_weight.params, by_sigma.params, rtol=1e-11)
    np.testing.assert_allclose(by_weight.chi2, by_sigma.chi2, rtol=1e-12)
    equal = fit_line(x, y, np.full(n, 0.5), "sigma")[1]
    scalar = fit_line(x, y, 0.5, "sigma")[1]
    scalar_weight = fit_line(x, y, 4.0, "weight")[1]
    for solution in (scalar, scalar_weight):
        np.testing.assert_allclose(solution.params, equal.params, rtol=1e-11)
        np.testing.assert_allclose(solution.params_covariance, equal.params_covariance, rtol=1e-11)
        np.testing.assert_allclose(solution.chi2, equal.chi2, rtol=1e-12)


def test_factor_is_that_of_the_internal_columns():
    x, y, sigma = points(300, 1e6)
    centroid, solution = fit_line(x, y, sigma, "sigma")
    A = np.column_stack([np.ones(300), x - centroid]) / sigma[:, None]
    np.testing.assert_allclose(
        solution.factor.R.T @ solution.factor.R, A.T @ A, rtol=1e-9, atol=1e-7
    )


@pytest.mark.parametrize("n", [1, 2, 50, 5000])
@pytest.mark.parametrize("value", [0.0, 3.0, 0.1, 1.7e9])
def test_constant_x_is_for_the_general_solver(n, value):
    _, y, sigma = points(n)
    assert fit_line(np.full(n, value), y, sigma, "sigma") is None


@pytest.mark.parametrize("n", [50, 5000])
def test_x_that_is_constant_up_to_rounding(n):
    _, y, sigma = points(n)
    x = np.where(np.arange(n) % 2, 0.1, 0.3 - 0.2)
    assert fit_line(x, y, sigma, "sigma") is None


@pytest.mark.parametrize("n", [50, 5000])
@pytest.mark.parametrize("name", ["x", "y", "sigma"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_numbers_that_are_not_finite_are_for_the_general_solver(n, name, value):
    arrays = dict(zip(("x", "y", "sigma"), points(n), strict=True))
    arrays[name][3] = value
    if name == "sigma" and value == np.inf:
        return  # a weight of zero; whoever calls has refused it
    assert fit_line(arrays["x"], arrays["y"], arrays["sigma"], "sigma") is None


def test_inputs_are_left_alone():
    arrays = points(5000)
    copies = [array.copy() for array in arrays]
    fit_line(*arrays, "sigma")
    for array, copy in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(array, copy)
