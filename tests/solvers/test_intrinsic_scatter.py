"""Intrinsic scatter: closed forms, direct likelihood, boundary, coverage."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize

from sklsq.solvers.errors_in_variables import Outcome
from sklsq.solvers.intrinsic_scatter import line_with_scatter, plane_with_scatter
from sklsq.solvers.york import york_line


def simulated(n_samples, seed=0, scatter=0.5, sigma_x=0.0):
    rng = np.random.default_rng(seed)
    true = rng.uniform(-3.0, 5.0, n_samples)
    errors_x = np.full(n_samples, sigma_x)
    errors_y = rng.uniform(0.1, 0.6, n_samples)
    x = true + errors_x * rng.normal(size=n_samples)
    y = 0.4 + 1.7 * true + np.hypot(errors_y, scatter) * rng.normal(size=n_samples)
    return x, y, errors_x, errors_y


def test_without_errors_it_is_the_mean_square_residual():
    x, y, *_ = simulated(20)
    fit = line_with_scatter(x, y, 0.0, 0.0)
    slope, intercept = np.polyfit(x, y, 1)
    assert fit.variance == pytest.approx(np.mean((y - intercept - slope * x) ** 2), rel=1e-10)
    assert fit.variance_std == pytest.approx(fit.variance * math.sqrt(2.0 / 20.0), rel=1e-10)
    assert fit.scatter_std == pytest.approx(fit.scatter * math.sqrt(0.5 / 20.0), rel=1e-10)
    np.testing.assert_allclose(fit.plane.params, [intercept, slope], rtol=1e-10)


@pytest.mark.parametrize("seed", range(4))
def test_maximum_likelihood_for_exact_x(seed):
    x, y, sigma_x, sigma_y = simulated(25, seed)

    def minus_log_likelihood(p):
        V = sigma_y**2 + p[2]
        return np.sum(np.log(V) + (y - p[0] - p[1] * x) ** 2 / V)

    fit = line_with_scatter(x, y, sigma_x, sigma_y)
    start = [*fit.plane.params, fit.variance]
    best = minimize(
        minus_log_likelihood,
        [0.5, 1.5, 0.3],
        method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4000},
    )
    np.testing.assert_allclose(start, best.x, rtol=1e-5)
    assert minus_log_likelihood(start) <= best.fun + 1e-9


def test_the_line_is_that_of_york_with_the_scatter_added():
    x, y, sigma_x, sigma_y = simulated(40, sigma_x=0.3)
    rho = np.full(40, 0.4)
    fit = line_with_scatter(x, y, sigma_x, sigma_y, rho)
    total = np.hypot(sigma_y, fit.scatter)
    york = york_line(x, y, sigma_x, total, rho * sigma_y / total)
    np.testing.assert_allclose(fit.plane.params, york.params, rtol=1e-12)
    np.testing.assert_allclose(fit.plane.covariance, york.covariance, rtol=1e-12)


def test_plane_of_one_feature_is_the_line():
    x, y, sigma_x, sigma_y = simulated(40, sigma_x=0.3)
    line = line_with_scatter(x, y, sigma_x, sigma_y)
    plane = plane_with_scatter(x[:, None], y, sigma_x[:, None], sigma_y)
    assert plane.variance == pytest.approx(line.variance, rel=1e-9)
    np.testing.assert_allclose(plane.plane.params, line.plane.params, rtol=1e-9)


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_units(unit):
    x, y, sigma_x, sigma_y = simulated(40, sigma_x=0.3)
    fit = line_with_scatter(x, y, sigma_x, sigma_y)
    other = line_with_scatter(x, unit * y, sigma_x, unit * sigma_y)
    assert other.scatter == pytest.approx(unit * fit.scatter, rel=1e-9)


def test_boundary_is_told():
    x, y, sigma_x, sigma_y = simulated(40, scatter=0.0)
    fit = line_with_scatter(x, y, sigma_x, 5.0 * sigma_y)
    assert fit.variance == 0.0
    assert fit.scatter == 0.0
    assert math.isnan(fit.scatter_std)
    assert fit.variance_std > 0.0
    assert fit.plane.outcome is Outcome.NO_SCATTER
    assert "overestimated" in fit.plane.status
    york = york_line(x, y, sigma_x, 5.0 * sigma_y)
    np.testing.assert_array_equal(fit.plane.params, york.params)


def test_no_line_no_scatter():
    fit = line_with_scatter(np.ones(4), np.arange(4.0), 0.1, 0.1)
    assert fit.plane.outcome is Outcome.VERTICAL
    assert math.isnan(fit.variance)


def test_estimates_are_consistent_and_intervals_cover():
    n_repeats, truth = 400, np.array([0.4, 1.7, 0.25])
    estimates, inside = [], np.zeros(3)
    for seed in range(n_repeats):
        fit = line_with_scatter(*simulated(120, seed, sigma_x=0.5))
        found = np.append(fit.plane.params, fit.variance)
        std = np.append(np.sqrt(np.diag(fit.plane.covariance)), fit.variance_std)
        estimates.append(found)
        inside += np.abs(found - truth) < std
    error = np.std(estimates, axis=0) / math.sqrt(n_repeats)
    bias = np.mean(estimates, axis=0) - truth
    assert (np.abs(bias[:2]) < 4.0 * error[:2]).all()
    assert abs(bias[2]) < 4.0 * error[2] + 0.02  # low by 2/n of the total variance
    np.testing.assert_allclose(inside / n_repeats, 0.6827, atol=4.0 * math.sqrt(0.217 / n_repeats))
