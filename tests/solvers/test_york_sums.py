"""The sums of York's line against the formulas of its derivation, written out."""

import numpy as np
import pytest

from sklsq.solvers.errors_in_variables import measured_points
from sklsq.solvers.york_descent import BLOCK, Line, moments
from sklsq.solvers.york_sums import Sums, fill, height, products, residuals, sums, work_arrays
from tests.solvers.test_york import simulated

LINE = Line(1.6, 0.3, 1.0, 2.0)
ROUNDING = 1e-12  # of sums that partly cancel


def written_out(points, line):
    rho = 0.0 if points.corr_xy is None else points.corr_xy
    x, y, b = points.x - line.centre_x, points.y - line.centre_y, line.slope
    covariance = rho * points.sigma_x * points.sigma_y
    W = 1.0 / (points.sigma_y**2 + b**2 * points.sigma_x**2 - 2.0 * b * covariance)
    e = y - b * x - line.intercept
    z = (b * points.sigma_x**2 - covariance) * W * e
    pairs = [(1, 1), (1, x), (1, z), (1, e), (x, x), (x, z), (x, e), (z, z), (z, e), (e, e)]
    return Sums(*(np.sum(W * p * q) for p, q in pairs), np.sum((points.sigma_x * W * e) ** 2))


def points_of(n_samples, corr):
    data = simulated(n_samples, corr=corr)
    return measured_points(*(data if corr else data[:4]))


@pytest.mark.parametrize("corr", [False, True])
@pytest.mark.parametrize("slope", [1.6, -0.4, 0.0])
def test_written_out(corr, slope):
    points, line = points_of(40, corr), LINE._replace(slope=slope)
    arrays = work_arrays(40)
    fill(arrays, points, line.centre_x, line.centre_y)
    residuals(arrays, points, slope)
    found = sums(*products(arrays, points, line.intercept), points, slope)
    expected = written_out(points, line)
    np.testing.assert_allclose(found, expected, rtol=ROUNDING, atol=ROUNDING * expected.one)


@pytest.mark.parametrize("corr", [False, True])
def test_height_is_the_mean_residual(corr):
    points, arrays = points_of(40, corr), work_arrays(40)
    fill(arrays, points, LINE.centre_x, LINE.centre_y)
    residuals(arrays, points, LINE.slope)
    expected = written_out(points, LINE._replace(intercept=0.0))
    assert height(arrays) == pytest.approx(expected.e / expected.one, rel=ROUNDING)


@pytest.mark.parametrize("corr", [False, True])
@pytest.mark.parametrize("n_samples", [BLOCK, BLOCK + 1, 2 * BLOCK + 5])
def test_blocks(n_samples, corr):
    points = points_of(n_samples, corr)
    found = moments(points, LINE, False)
    expected = written_out(points, LINE)
    np.testing.assert_allclose(found.sums, expected, rtol=1e-10, atol=ROUNDING * expected.ee)


def test_arrays_may_be_used_again():
    points, arrays = points_of(40, True), work_arrays(40)
    fill(arrays, points, 0.0, 0.0)
    every = []
    for slope in (2.0, -3.0, 2.0):
        residuals(arrays, points, slope)
        every.append(sums(*products(arrays, points, 0.1), points, slope))
    assert every[0] == every[2] != every[1]
