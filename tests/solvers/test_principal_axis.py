"""Major axis, reduced major axis, bisector, Deming: published answers, other methods, coverage."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sklsq.solvers.errors_in_variables import Outcome
from sklsq.solvers.principal_axis import bisector, deming, major_axis, reduced_major_axis
from sklsq.solvers.york import york_line
from tests.known_answers import records
from tests.known_answers.digits import digits

METHODS = {
    "major_axis": major_axis,
    "geometric_mean": reduced_major_axis,
    "isobe_bisector": bisector,
}
OCTAVE = [case for case in records(task="type2") if "exact" in case.raw]
ALL = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


def simulated(n_samples, seed=0, *, slope=1.3, noise=0.5):
    rng = np.random.default_rng(seed)
    true = rng.normal(size=n_samples) * 2.0 + 3.0
    x, y = true, 0.7 + slope * true
    return x + noise * rng.normal(size=n_samples), y + noise * rng.normal(size=n_samples)


def errors(line, definition="normal"):
    return np.sqrt(np.diag(line.covariances[definition]))


def influence(method, x, y):
    """Sum of squares of the derivatives of the parameters by the weights of the points."""
    moves = []
    for i in range(len(x)):
        step = np.zeros(len(x))
        step[i] = 1e-4
        up, down = method(x, y, 1.0 + step).params, method(x, y, 1.0 - step).params
        moves.append((up - down) / 2e-4)
    return np.array(moves).T @ np.array(moves)


# --- published answers ------------------------------------------------------------------------


@pytest.mark.parametrize("case", OCTAVE, ids=str)
@pytest.mark.parametrize("name", METHODS)
def test_slope_of_the_exact_solution(case, name):
    line = METHODS[name](case.X[:, 0], case.y)
    exact = case.raw["exact"]
    slope = float(exact[name])
    assert digits(line.params[1], slope) >= 15.0
    assert digits(line.params[0], float(exact["ybar"]) - slope * float(exact["xbar"])) >= 14.5


def test_pearson_1901():
    (case,) = records(where=lambda c: c.id == "type2_pearson_unweighted")
    np.testing.assert_allclose(
        major_axis(case.X[:, 0], case.y).params, [5.7840437745, -0.5455611975], rtol=1e-10
    )


@pytest.mark.parametrize("case", OCTAVE, ids=str)
def test_errors_of_lsqfitma_2007(case):
    x, y = case.X[:, 0], case.y
    n_samples, original = len(x), case.raw["original"]["lsqfitma2007"]
    line = major_axis(x, y)
    slope_variance = line.covariances["normal"][1, 1] * (n_samples - 2) / n_samples
    assert math.sqrt(slope_variance) == pytest.approx(original["sm"], rel=1e-12)
    residual = np.sum((y - line.params[0] - line.params[1] * x) ** 2)
    variance = residual / (n_samples * (n_samples - 1)) + x.mean() ** 2 * slope_variance
    assert math.sqrt(variance) == pytest.approx(original["sb"], rel=1e-12)


@pytest.mark.parametrize("case", OCTAVE, ids=str)
def test_error_of_lsqfitgm_is_that_of_model_one(case):
    line = reduced_major_axis(case.X[:, 0], case.y)
    r = abs(float(case.raw["exact"]["r"]))
    expected = case.raw["original"]["lsqfitgm"]["sm"] * math.sqrt((1.0 + r) / 2.0)
    assert errors(line)[1] == pytest.approx(expected, rel=1e-12)
    ricker = abs(line.params[1]) * math.sqrt((1.0 - r**2) / line.dof)
    assert errors(line)[1] == pytest.approx(ricker, rel=1e-12)


def test_isobe_et_al_1990():
    x, y = simulated(25)
    u, v = x - x.mean(), y - y.mean()
    xx, xy, yy = u @ u, u @ v, v @ v
    b1, b2 = xy / xx, yy / xy
    var1 = np.sum(u**2 * (v - b1 * u) ** 2) / xx**2
    var2 = np.sum(v**2 * (v - b2 * u) ** 2) / xy**2
    cov = np.sum(u * v * (v - b1 * u) * (v - b2 * u)) / (b1 * xx**2)
    line = bisector(x, y)
    b3 = (b1 * b2 - 1.0 + math.sqrt((1.0 + b1**2) * (1.0 + b2**2))) / (b1 + b2)
    assert line.params[1] == pytest.approx(b3, rel=1e-13)
    factor = b3**2 / ((b1 + b2) ** 2 * (1.0 + b1**2) * (1.0 + b2**2))
    terms = (1 + b2**2) ** 2 * var1 + 2 * (1 + b1**2) * (1 + b2**2) * cov + (1 + b1**2) ** 2 * var2
    assert line.covariances["robust"][1, 1] == pytest.approx(factor * terms, rel=1e-10)
    b4, b5 = major_axis(x, y), reduced_major_axis(x, y)
    terms = var1 / b1**2 + 2.0 * cov + b1**2 * var2
    expected = b4.params[1] ** 2 * terms / (4.0 * b1**2 + (b1 * b2 - 1.0) ** 2)
    assert b4.covariances["robust"][1, 1] == pytest.approx(expected, rel=1e-10)
    expected = 0.25 * (b2 / b1 * var1 + 2.0 * cov + b1 / b2 * var2)
    assert b5.covariances["robust"][1, 1] == pytest.approx(expected, rel=1e-10)


# --- independent methods ----------------------------------------------------------------------


@ALL
def test_robust_errors_are_the_influence_of_single_points(method):
    x, y = simulated(15)
    np.testing.assert_allclose(
        method(x, y).covariances["robust"], influence(method, x, y), rtol=1e-6
    )


@ALL
@pytest.mark.parametrize("weighted", [False, True])
def test_jackknife_by_refitting(method, weighted):
    x, y = simulated(15)
    w = np.random.default_rng(1).uniform(0.5, 2.0, 15) if weighted else np.ones(15)
    left = np.array([method(*(np.delete(v, i) for v in (x, y, w))).params for i in range(15)])
    expected = 14.0 * np.cov(left.T, bias=True)
    np.testing.assert_allclose(method(x, y, w).covariances["jackknife"], expected, rtol=1e-8)


@ALL
def test_bootstrap(method):
    x, y = simulated(200)
    rng = np.random.default_rng(3)
    drawn = [method(x[i], y[i]).params for i in rng.integers(0, 200, (600, 200))]
    line = method(x, y)
    for definition in ("normal", "robust", "jackknife"):
        # a standard deviation of 600 draws is good to 3 %
        np.testing.assert_allclose(errors(line, definition), np.std(drawn, axis=0), rtol=0.2)


@pytest.mark.parametrize("ratio", [0.01, 0.5, 1.0, 7.0, 300.0])
def test_deming_is_york_with_equal_errors(ratio):
    x, y = simulated(20)
    w = np.random.default_rng(1).uniform(0.5, 2.0, 20)
    sigma_y = 1.0 / np.sqrt(w)
    york = york_line(x, y, sigma_y / math.sqrt(ratio), sigma_y)
    line = deming(x, y, w, error_ratio=ratio)
    np.testing.assert_allclose(line.params, york.params, rtol=1e-11)
    assert line.chi2 == pytest.approx(york.chi2, rel=1e-12)


def test_absolute_errors_are_those_of_york_to_first_order():
    x, y = simulated(400, noise=0.05)
    york = york_line(x, y, 0.05, 0.05)
    line = deming(x, y, np.full(400, 400.0))
    np.testing.assert_allclose(line.covariances["absolute"], york.covariance, rtol=3e-3)
    scaled = line.covariances["absolute"] * line.chi2 / line.dof
    np.testing.assert_allclose(line.covariances["normal"], scaled, rtol=1e-10)


def test_limits_of_deming():
    x, y = simulated(20)
    assert deming(x, y, error_ratio=1e12).params[1] == pytest.approx(np.polyfit(x, y, 1)[0])
    assert deming(x, y, error_ratio=1e-12).params[1] == pytest.approx(1 / np.polyfit(y, x, 1)[0])


# --- invariances ------------------------------------------------------------------------------


@ALL
@pytest.mark.parametrize("slope", [1.3, -0.4, 30.0])
def test_exchange_of_the_axes(method, slope):
    x, y = simulated(25, slope=slope)
    line, other = method(x, y), method(y, x)
    a, b = line.params
    np.testing.assert_allclose(other.params, [-a / b, 1.0 / b], rtol=1e-12)
    J = np.array([[-1.0 / b, a / b**2], [0.0, -1.0 / b**2]])
    for definition in ("normal", "robust"):
        carried = J @ line.covariances[definition] @ J.T
        np.testing.assert_allclose(other.covariances[definition], carried, rtol=1e-9)


@ALL
def test_reflection(method):
    x, y = simulated(25)
    np.testing.assert_allclose(method(x, -y).params, -method(x, y).params, rtol=1e-14)


@ALL
def test_repetition_is_a_weight(method):
    x, y = simulated(25)
    times = np.arange(25) % 3 + 1
    repeated = method(np.repeat(x, times), np.repeat(y, times))
    line = method(x, y, times)
    np.testing.assert_allclose(repeated.params, line.params, rtol=1e-13)
    assert repeated.chi2 == pytest.approx(line.chi2, rel=1e-12)


@ALL
@pytest.mark.parametrize("unit", [1e150, 1e-150])
def test_extreme_units(method, unit):
    x, y = simulated(25)
    line, other = method(x, y), method(x * unit, y * unit)
    np.testing.assert_allclose(other.params, line.params * [unit, 1.0], rtol=1e-13)
    for definition in ("normal", "robust", "jackknife"):
        slope = other.covariances[definition][1, 1]
        assert slope == pytest.approx(line.covariances[definition][1, 1], rel=1e-10)


@ALL
def test_offset(method):
    x, y = (np.round(v * 1024.0) / 1024.0 for v in simulated(25))
    line, other = method(x, y), method(x + 2.0**30, y - 2.0**33)
    np.testing.assert_allclose(other.params[1], line.params[1], rtol=1e-11)
    np.testing.assert_allclose(other.covariance[1, 1], line.covariance[1, 1], rtol=1e-10)


@ALL
def test_blocks(method):
    x, y = simulated(40000)
    line = method(x, y)
    parts = method(
        np.concatenate([x, x[:1]]), np.concatenate([y, y[:1]]), np.append(np.ones(40000), 1e-12)
    )
    np.testing.assert_allclose(parts.params, line.params, rtol=1e-11)
    np.testing.assert_allclose(parts.covariances["robust"], line.covariances["robust"], rtol=1e-9)


@ALL
def test_through_the_origin(method):
    x, y = simulated(25)
    line = method(x, y, fit_intercept=False)
    mirrored = method(np.concatenate([x, -x]), np.concatenate([y, -y]))
    assert line.params[0] == pytest.approx(mirrored.params[1], rel=1e-13)
    assert line.dof == 24
    assert line.covariance.shape == (1, 1)


# --- limits -----------------------------------------------------------------------------------


@ALL
def test_points_on_a_line(method):
    x = np.arange(1.0, 11.0)
    line = method(x, x)
    np.testing.assert_array_equal(line.params, [0.0, 1.0])
    assert line.chi2 == 0.0
    np.testing.assert_allclose(line.covariance, 0.0, atol=1e-28)


@ALL
def test_horizontal_line(method):
    line = method(np.arange(10.0), np.full(10, 3.0))
    np.testing.assert_array_equal(line.params, [3.0, 0.0])
    assert line.converged


@ALL
def test_vertical_line_is_told(method):
    line = method(np.full(6, 2.0), np.arange(6.0))
    assert line.outcome is Outcome.VERTICAL
    assert not np.isfinite(line.params).any()


@ALL
def test_uncorrelated_points_are_told(method):
    line = method(np.tile(np.arange(5.0), 5), np.repeat(np.arange(5.0), 5))
    assert line.outcome is Outcome.UNCORRELATED
    assert "uncorrelated" in line.status
    assert np.isnan(line.params).all()


def test_uncorrelated_but_longer_in_y_is_vertical_for_the_major_axis():
    x, y = np.tile([0.0, 1.0], 5), np.repeat(np.arange(5.0), 2)
    assert major_axis(x, y).outcome is Outcome.VERTICAL
    assert reduced_major_axis(x, y).outcome is Outcome.UNCORRELATED
    np.testing.assert_allclose(major_axis(y, x).params, [0.5, 0.0], atol=1e-15)


@ALL
@pytest.mark.parametrize("n_samples", [1, 3])
def test_one_place_is_told(method, n_samples):
    line = method(np.ones(n_samples), np.full(n_samples, 2.0))
    assert line.outcome is Outcome.UNDETERMINED
    np.testing.assert_array_equal(line.params, [2.0, 0.0])


@ALL
def test_two_points_have_no_errors(method):
    line = method([1.0, 2.0], [1.1, 1.9])
    np.testing.assert_allclose(line.params, [0.3, 0.8], rtol=1e-14)
    assert np.isnan(line.covariance).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: deming([1.0], [1.0, 2.0]), "same length"),
        (lambda: deming([1.0, 2.0], [1.0, 2.0], [1.0, 0.0]), "`weights` .* Got 0.0 in row 1"),
        (lambda: deming([1.0, 2.0], [1.0, 2.0], error_ratio=0.0), "`error_ratio` must be positive"),
    ],
)
def test_impossible_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@given(st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)), min_size=3, max_size=10))
def test_all_slopes_lie_between_the_two_regressions(data):
    x, y = np.array(data).T
    u, v = x - x.mean(), y - y.mean()
    assume(abs(u @ v) > 1e-6 * math.sqrt((u @ u) * (v @ v)) > 1e-6)
    y_on_x, x_on_y = abs(u @ v / (u @ u)), abs(v @ v / (u @ v))
    for method in METHODS.values():
        slope = method(x, y).params[1]
        assert np.sign(slope) == np.sign(u @ v)
        assert y_on_x * (1.0 - 1e-9) <= abs(slope) <= x_on_y * (1.0 + 1e-9)


# --- coverage ---------------------------------------------------------------------------------


@ALL
@pytest.mark.parametrize("definition", ["normal", "jackknife"])
def test_intervals_cover_the_truth(method, definition):
    rng = np.random.default_rng(11)
    n_repeats, n_samples = 1500, 60
    covariance = np.array([[4.0, 3.5], [3.5, 5.0]])
    root = np.linalg.cholesky(covariance)
    b1, b2 = 3.5 / 4.0, 5.0 / 3.5
    truth = {
        major_axis: (1.0 + math.sqrt(1.0 + 4.0 * 3.5**2)) / 7.0,
        reduced_major_axis: math.sqrt(5.0 / 4.0),
        bisector: math.tan(0.5 * (math.atan(b1) + math.atan(b2))),
    }[method]
    inside = np.zeros(2)
    for _ in range(n_repeats):
        x, y = root @ rng.normal(size=(2, n_samples)) + [[2.0], [1.0]]
        line = method(x, y)
        inside += np.abs(line.params - [1.0 - 2.0 * truth, truth]) < errors(line, definition)
    # 0.6827 within four standard errors, less 0.01: the quantile is not Student's
    limit = 4.0 * math.sqrt(0.217 / n_repeats)
    np.testing.assert_allclose(inside / n_repeats, 0.6827 - 0.005, atol=limit + 0.005)


@pytest.mark.parametrize("ratio", [1.0, 4.0])
def test_deming_covers_the_truth_for_fixed_points(ratio):
    rng = np.random.default_rng(12)
    n_repeats, true = 1500, np.linspace(0.0, 5.0, 30)
    inside = np.zeros(2)
    for _ in range(n_repeats):
        x = true + 0.5 * rng.normal(size=30)
        y = 1.0 + 1.5 * true + 0.5 * math.sqrt(ratio) * rng.normal(size=30)
        line = deming(x, y, np.full(30, 4.0 / ratio), error_ratio=ratio)
        inside += np.abs(line.params - [1.0, 1.5]) < errors(line, "absolute")
    np.testing.assert_allclose(inside / n_repeats, 0.6827, atol=4.0 * math.sqrt(0.217 / n_repeats))
