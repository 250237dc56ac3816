"""York's line through few points by the short way: the answer of the long one, or none."""

import math

import numpy as np
import pytest

from sklsq.solvers.errors_in_variables import Outcome, Points, measured_points
from sklsq.solvers.york import covariances_about, ordinary_line
from sklsq.solvers.york_descent import Task
from sklsq.solvers.york_small import MOST_POINTS, small_descent
from sklsq.solvers.york_start import lowest_minimum, typical
from tests.known_answers.digits import digits
from tests.solvers.test_york import chi2, exact_minimum, simulated

TASK = Task(has_intercept=True, tol=1e-15, max_iter=100)
AGREE = 1e-14  # two ways of rounding
SIZES = [3, 4, 5, 10, 30, 100, 1000, 8000]


def drawn(seed, kind=""):
    """Points about a line of any slope, with noise of any size up to half of their spread."""
    rng = np.random.default_rng(seed)
    n, slope = SIZES[seed % len(SIZES)], rng.normal() * 10.0 ** rng.uniform(-3.0, 3.0)
    true, noise = rng.uniform(-3.0, 5.0, n), 4.0 * 10.0 ** rng.uniform(-4.0, -0.5)
    sigma_x = noise * rng.uniform(0.3, 1.0, n)
    sigma_y = abs(slope) * noise * rng.uniform(0.3, 1.0, n)
    rho = rng.uniform(-0.95, 0.95, n) if "correlated" in kind else np.zeros(n)
    if "some x exact" in kind:
        sigma_x[rng.random(n) < 0.5] = 0.0
    if "all x exact" in kind:
        sigma_x[:] = 0.0
    if "small errors of x" in kind:
        sigma_x *= 1e-6
    if "small errors of y" in kind:
        sigma_y *= 1e-6
    if "unequal" in kind:
        sigma_x, sigma_y = (s * 10.0 ** rng.uniform(-2.0, 0.0, n) for s in (sigma_x, sigma_y))
    first, second = rng.normal(size=(2, n))
    x = true + sigma_x * first
    y = 3.0 + slope * true + sigma_y * (rho * first + np.sqrt(1.0 - rho**2) * second)
    if "far" in kind:
        x, y = x + 1e8, y - slope * 1e7
    return x, y, sigma_x, sigma_y, rho


def small(data, task=TASK):
    with np.errstate(all="ignore"):
        return small_descent(measured_points(*data), task)


KINDS = [
    "",
    "correlated",
    "some x exact",
    "some x exact, correlated",
    "all x exact",
    "small errors of x",
    "small errors of y",
    "unequal",
    "unequal, correlated",
    "far",
    "far, correlated",
]


@pytest.mark.parametrize("kind", KINDS)
def test_agrees_with_the_search_of_all_directions(kind):
    taken = 0
    for seed in range(48):
        points = measured_points(*drawn(seed, kind))
        found = small_descent(points, TASK)
        if found is None:
            continue
        taken += 1
        frame = typical(points, True)
        with np.errstate(all="ignore"):
            other = lowest_minimum(points, points, frame, TASK)
        assert_same_line(found, other.descent, other.exchanged)
    assert taken > 24


def assert_same_line(found, other, exchanged):
    slope = 1.0 / other.line.slope if exchanged else other.line.slope
    assert found.line.slope == pytest.approx(slope, rel=AGREE)
    assert found.outcome is other.outcome is Outcome.CONVERGED
    assert found.sums.chi2 == pytest.approx(other.sums.chi2, rel=1e-10, abs=1e-12)
    if not exchanged:
        line, there = found.line, other.line
        x = there.centre_x - line.centre_x
        height = line.centre_y + line.intercept + line.slope * x
        rounding = 8.0 * np.spacing(abs(line.centre_y) + abs(line.slope * x))
        expected = there.centre_y + there.intercept
        assert height == pytest.approx(expected, rel=AGREE, abs=rounding)
        mine, theirs = (covariances_about(d.sums, 0.0)["adjusted"][1, 1] for d in (found, other))
        assert mine == pytest.approx(theirs, rel=AGREE)


@pytest.mark.parametrize("slope", [1.7, -0.9, 300.0])
@pytest.mark.parametrize("corr", [False, True])
def test_forty_digit_minimum(slope, corr):
    x, y, sigma_x, sigma_y, rho = simulated(12, 3, slope=1.0, corr=corr)
    along = 6.0 * np.arange(12.0)
    data = (along + x, slope * (along + y), 3.0 * sigma_x, 3.0 * abs(slope) * sigma_y, rho)
    found = small(data)
    exact, inverse_hessian = exact_minimum(*data, [0.4, found.line.slope])
    assert digits(found.line.slope, exact[1]) >= 14.5
    hessian = covariances_about(found.sums, found.sums.line.centre_x)["hessian"]
    assert digits(hessian, inverse_hessian) >= 13.0


def test_through_the_origin():
    x, y, sigma_x, sigma_y, _ = simulated(30, intercept=0.0)
    data = (x, y, 0.2 * sigma_x, 0.2 * sigma_y)
    found = small(data, TASK._replace(has_intercept=False))
    slopes = found.line.slope + np.linspace(-1e-3, 1e-3, 11)
    assert np.argmin([chi2((0.0, b), *data, 0.0) for b in slopes]) == 5
    assert found.line[1:] == (0.0, 0.0, 0.0)
    assert not found.sums.has_intercept


def test_passes():
    """A step that is exact for errors in the same ratio needs one pass, and one to see it."""
    x, y, _, _, _ = simulated(500)
    assert small((x, y, np.full(500, 0.3), np.full(500, 0.4))).n_iter == 1
    relative = np.random.default_rng(3).uniform(0.2, 1.0, 500)
    assert small((x, y, 0.3 * relative, 0.4 * relative)).n_iter <= 3


def test_a_limit_of_the_passes_is_kept():
    data = drawn(6)
    needed = small(data).n_iter
    assert needed > 1
    assert small(data, TASK._replace(max_iter=needed)) is not None
    assert small(data, TASK._replace(max_iter=needed - 1)) is None


def changed(row, **values):
    x, y, sigma_x, sigma_y, _ = simulated(30)
    columns = {"x": x, "y": y, "sigma_x": 0.1 * sigma_x, "sigma_y": 0.1 * sigma_y}
    for name, value in values.items():
        columns[name][row] = value
    return Points(**columns)


ALL = slice(None)


@pytest.mark.parametrize(
    "points",
    [
        changed(3, x=math.nan),
        changed(3, y=math.nan),
        changed(3, sigma_x=math.nan),
        changed(3, sigma_y=math.nan),
        changed(3, x=math.inf),
        changed(3, y=-math.inf),
        changed(3, sigma_x=math.inf),
        changed(3, sigma_y=math.inf),
        changed(3, x=1e200),
        changed(3, sigma_y=1e-200, sigma_x=0.0),
        changed(ALL, x=2.0),
        changed(ALL, y=2.0),
        changed(ALL, x=0.1, y=0.2),
        changed(ALL, x=0.1),
    ],
)
def test_the_rest_takes_the_long_way(points):
    with np.errstate(all="ignore"):
        assert small_descent(points, TASK) is None


def test_constant_but_for_rounding():
    x = 1e8 * (1.0 + np.spacing(1.0) * np.arange(30.0) % 3)
    points = changed(ALL, x=x)
    assert small_descent(points, TASK) is None
    assert ordinary_line(points, TASK) is None


def test_many_points_take_the_long_way():
    data = simulated(MOST_POINTS + 1)[:4]
    data = (*data[:2], 0.1 * data[2], 0.1 * data[3])
    assert small(data) is None
    assert small([column[:-1] for column in data]) is not None


class TestOrdinaryLine:
    """Short way or long, small or large: a line about a centre, or none."""

    @pytest.mark.parametrize("n_samples", [10, 1000, 20_000])
    @pytest.mark.parametrize("noise", [0.1, 1.0, 3.0])
    @pytest.mark.parametrize("slope", [1.7, -200.0, 0.01])
    def test_is_the_lowest(self, n_samples, noise, slope):
        x, y, sigma_x, sigma_y, rho = simulated(n_samples, slope=slope, corr=True)
        points = measured_points(x, y, noise * sigma_x, noise * sigma_y, rho)
        found = ordinary_line(points, TASK)
        other = lowest_minimum(points, points, typical(points, True), TASK)
        assert found.sums.chi2 == pytest.approx(other.descent.sums.chi2, rel=1e-11)

    @pytest.mark.parametrize("n_samples", [20, 20_000])
    @pytest.mark.parametrize("name", ["x", "y", "sigma_x", "sigma_y"])
    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_not_finite(self, n_samples, name, value):
        x, y, sigma_x, sigma_y, _ = simulated(n_samples)
        columns = {"x": x, "y": y, "sigma_x": sigma_x, "sigma_y": sigma_y}
        columns[name][7] = value
        assert ordinary_line(Points(**columns), TASK) is None

    @pytest.mark.parametrize("n_samples", [20, 20_000])
    def test_vertical_and_undetermined(self, n_samples):
        wide = np.tile([0.0, 10.0, 5.0, 5.0, 0.0, 10.0], n_samples // 4)
        x = np.tile([0.0, 0.0, 1.0, 1.0, 2.0, 2.0], n_samples // 4)
        one = np.full(len(x), 0.1)
        for points in (Points(x, wide, one, one), Points(0.0 * x, wide, one, one)):
            assert ordinary_line(points, TASK) is None

    def test_too_few_passes(self):
        x, y, sigma_x, sigma_y, _ = simulated(30)
        points = Points(x, y, sigma_x, sigma_y)
        assert ordinary_line(points, TASK._replace(max_iter=1)) is None
