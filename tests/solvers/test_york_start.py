"""The lowest of several minima of the chi-square of York's line."""

import numpy as np
import pytest

from sklsq.solvers.errors_in_variables import Outcome, Points, measured_points
from sklsq.solvers.york import york_line
from sklsq.solvers.york_descent import Task
from sklsq.solvers.york_start import SAMPLE, clear_minimum, lowest_minimum, typical
from tests.solvers.test_york import simulated


@pytest.mark.parametrize("seed", range(30))
def test_no_lower_point_on_a_dense_grid(seed):
    rng = np.random.default_rng(seed)
    x, y, _, _, rho = simulated(25, seed, slope=rng.normal(), corr=True)
    sigma_x, sigma_y = 10.0 ** rng.uniform(-1.5, 0.7, (2, 25))
    line = york_line(x, y, sigma_x, sigma_y, rho)
    angle = np.linspace(-np.pi / 2, np.pi / 2, 4001)[:, None]
    c, s = np.cos(angle), np.sin(angle)
    W = 1.0 / ((c * sigma_y) ** 2 + (s * sigma_x) ** 2 - 2.0 * c * s * rho * sigma_x * sigma_y)
    r = c * y - s * x
    offset = (W * r).sum(axis=1, keepdims=True) / W.sum(axis=1, keepdims=True)
    assert line.chi2 <= (W * (r - offset) ** 2).sum(axis=1).min() * (1.0 + 1e-12)


def test_few_precise_points_among_many_are_not_overlooked():
    x, y, sigma_x, sigma_y, _ = simulated(4 * SAMPLE)
    sigma_x, sigma_y = 30.0 * sigma_x, 30.0 * sigma_y
    few = [1234, 5678, 9012, 12345]
    x[few], sigma_x[few], sigma_y[few] = [0.0, 1.0, 2.0, 3.0], 1e-3, 1e-3
    y[few] = 5.0 - 2.0 * x[few]
    line = york_line(x, y, sigma_x, sigma_y)
    np.testing.assert_allclose(line.params, [5.0, -2.0], atol=0.01)


def test_a_sample_has_no_period():
    points = Points(*(np.arange(100000.0),) * 4).sample(4000)
    assert np.unique(points.x).size == 4000
    for period in (2, 7, 10, 12, 24, 365):
        counts = np.bincount(points.x.astype(int) % period)
        assert counts.max() < 1.5 * counts.mean()


def close_to_a_line(seed, slope):
    rng = np.random.default_rng(seed)
    true = rng.uniform(-3.0, 5.0, 50)
    sigma_x, sigma_y = rng.uniform(0.02, 0.1, 50), abs(slope) * rng.uniform(0.02, 0.1, 50)
    first, second = rng.normal(size=(2, 50))
    return true + sigma_x * first, slope * true + sigma_y * second, sigma_x, sigma_y


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("slope", [8.0, -0.3])
def test_where_the_search_is_left_out_it_finds_the_same(seed, slope):
    points = measured_points(*close_to_a_line(seed, slope))
    task = Task(has_intercept=True, tol=1e-13, max_iter=50)
    clear = clear_minimum(points, task)
    frame = typical(points, has_intercept=True)
    found = lowest_minimum(points, points, frame, task)
    assert clear is not None
    assert clear[0].descent.sums.chi2 == pytest.approx(found.descent.sums.chi2, rel=1e-12)


def test_scattered_points_are_searched():
    x, y = np.random.default_rng(0).normal(size=(2, 50))
    points = measured_points(x, y, 0.1, 0.1)
    assert clear_minimum(points, Task(has_intercept=True, tol=1e-13, max_iter=50)) is None


@pytest.mark.parametrize("offset", [0.0, 0.8])
def test_all_of_many_points_are_descended_from_a_line_that_is_too_high(offset):
    """A gradient taken off the best intercept may point to the wrong side of a minimum."""
    x, y, sigma_x, sigma_y, rho = simulated(20000, slope=-200.0, corr=True)
    points = measured_points(x, y + offset, sigma_x, sigma_y, rho)
    task = Task(has_intercept=True, tol=1e-13, max_iter=20)
    found = lowest_minimum(points, points, typical(points, has_intercept=True), task)
    assert found.descent.outcome is Outcome.CONVERGED
