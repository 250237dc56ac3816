"""The proof that a minimum of York's chi-square is the only one: its inequalities, its verdicts."""

import math

import numpy as np
import pytest

from sklsq.solvers.errors_in_variables import measured_points
from sklsq.solvers.york_certificate import is_only_minimum
from sklsq.solvers.york_descent import Task, moments
from sklsq.solvers.york_small import small_descent
from sklsq.solvers.york_start import lowest_minimum, typical

ANGLES = np.arctan(np.sinh(np.linspace(-9.0, 9.0, 6001)))  # dense at the axes as well
TASK = Task(has_intercept=True, tol=1e-15, max_iter=100)


def drawn(seed):
    """Points whose errors, their sizes and their correlations cover many orders of magnitude."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 40))
    true, slope = rng.uniform(-3.0, 5.0, n), rng.normal() * 10.0 ** rng.uniform(-1.0, 1.0)
    spread = rng.uniform(0.0, 1.5)
    sizes = 10.0 ** (rng.uniform(-2.5, 0.3) + rng.uniform(-spread, spread, (2, n)))
    sigma_x, sigma_y = sizes[0], abs(slope) * sizes[1]
    rho = rng.uniform(-0.95, 0.95, n) * rng.integers(0, 2)
    first, second = rng.normal(size=(2, n))
    y = slope * true + sigma_y * (rho * first + np.sqrt(1.0 - rho**2) * second)
    return measured_points(true + sigma_x * first, y, sigma_x, sigma_y, rho)


def profile(points, slopes):
    """Chi-square by the slope, the intercept at its best."""
    rho = 0.0 if points.corr_xy is None else points.corr_xy
    b = slopes[:, None]
    W = 1.0 / (
        (b * points.sigma_x - rho * points.sigma_y) ** 2 + (1.0 - rho**2) * points.sigma_y**2
    )
    e = points.y - b * points.x
    e -= ((W * e).sum(axis=1) / W.sum(axis=1))[:, None]
    return (W * e**2).sum(axis=1)


def lowest(points):
    found = lowest_minimum(points, points, typical(points, True), TASK)
    line = found.descent.line
    return 1.0 / line.slope if found.exchanged else line.slope


def test_what_is_certain_is_the_lowest_on_a_dense_grid():
    certain = 0
    for seed in range(400):
        points = drawn(seed)
        found = small_descent(points, TASK)
        if found is None:
            continue
        certain += 1
        scale = np.std(points.y) / np.std(points.x)
        chi2 = profile(points, np.append(scale * np.tan(ANGLES), found.line.slope))
        assert chi2[-1] <= chi2.min() * (1.0 + 1e-12) + 1e-20
        assert found.line.slope == pytest.approx(lowest(points), rel=1e-12)
    assert certain > 100  # else nothing was tested


def test_the_inequalities():
    for seed in range(60):
        points = drawn(seed)
        slope = lowest(points)
        at = moments(points, small_line(points, slope), True).profile()
        steps = slope * np.array([-3.0, -0.5, -0.1, 0.03, 0.2, 1.0, 20.0])
        t = math.sqrt(largest_ratio(points, slope))
        bound = (at.chi2 - 2.0 * steps * at.cross + steps**2 * at.spread) / (
            1.0 + np.abs(steps) * t
        ) ** 2
        assert (profile(points, slope + steps) >= bound * (1.0 - 1e-9)).all()


def small_line(points, slope):
    line = typical(points, True).line(0.0, False)
    return line._replace(slope=slope)


def largest_ratio(points, slope):
    rho = 0.0 if points.corr_xy is None else points.corr_xy
    V = (slope * points.sigma_x - rho * points.sigma_y) ** 2 + (1.0 - rho**2) * points.sigma_y**2
    return float((points.sigma_x**2 / V).max())


def test_convex_as_far_as_it_says():
    """Between the bounds there is one change of the sign of the gradient only."""
    checked = 0
    for seed in range(400):
        points = drawn(seed)
        found = small_descent(points, TASK)
        if found is None:
            continue
        at, t = found.sums.profile(), math.sqrt(largest_ratio(points, found.line.slope))
        D = 2.0 * (at.chi2 * t + abs(at.cross)) / (at.spread - at.chi2 * t * t)
        if not 1e-4 < D / abs(found.line.slope):
            continue  # rounding would hide the curvature
        chi2 = profile(points, found.line.slope + D * np.linspace(-1.0, 1.0, 41))
        assert (np.diff(chi2, 2) > -1e-9 * chi2[1:-1]).all()
        checked += 1
    assert checked > 30


def test_two_valleys_are_never_certain():
    """Precise points along one line, as many along another: both are minima."""
    x = np.linspace(-1.0, 1.0, 20)
    points = measured_points(
        np.concatenate([x, x]), np.concatenate([x, -x]), np.full(40, 0.02), np.full(40, 0.02)
    )
    assert small_descent(points, TASK) is None


@pytest.mark.parametrize(
    "numbers",
    [
        (1.0, math.nan, 0.0, 0.1),
        (math.nan, 1.0, 0.0, 0.1),
        (1.0, 1e6, math.nan, 0.1),
        (1.0, 1e6, 0.0, math.nan),
        (1.0, math.inf, 0.0, 0.1),
        (math.inf, 1e6, 0.0, 0.1),
        (1.0, 1e6, 0.0, math.inf),
        (1.0, 0.0, 0.0, 0.0),
    ],
)
def test_nothing_is_certain_of_numbers_that_are_not_finite(numbers):
    assert not is_only_minimum(*numbers)


def test_exact_x_leaves_one_minimum():
    assert is_only_minimum(10.0, 1e-3, 0.5, 0.0)


def test_noise_as_large_as_the_spread():
    assert not is_only_minimum(10.0, 11.0, 0.0, 1.0)
    assert is_only_minimum(10.0, 1000.0, 0.0, 1.0)
