"""York's line against published answers, independent minimisations, and its own symmetries."""

import math
import tracemalloc

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sklsq.solvers.errors_in_variables import Outcome
from sklsq.solvers.york import DEFINITIONS, adjusted_points, york_line
from sklsq.solvers.york_descent import BLOCK
from tests.known_answers import records
from tests.known_answers.digits import digits

AIM = 14.5  # digits: rounding of the data alone costs half a digit
EXACT_ERRORS = dict(
    zip(
        DEFINITIONS,
        ("se_york2004", "se_observed_points", "se_hessian", "se_propagated"),
        strict=True,
    )
)
LINES = records(task="eiv_line")


def simulated(n_samples, seed=0, *, slope=1.7, intercept=0.4, corr=False):
    rng = np.random.default_rng(seed)
    true = rng.uniform(-3.0, 5.0, n_samples)
    sigma_x = rng.uniform(0.1, 0.6, n_samples)
    sigma_y = rng.uniform(0.1, 0.9, n_samples)
    rho = rng.uniform(-0.9, 0.9, n_samples) if corr else np.zeros(n_samples)
    first, second = rng.normal(size=(2, n_samples))
    x = true + sigma_x * first
    y = intercept + slope * true + sigma_y * (rho * first + np.sqrt(1.0 - rho**2) * second)
    return x, y, sigma_x, sigma_y, rho


def chi2(params, x, y, sigma_x, sigma_y, rho):
    intercept, slope = params
    V = sigma_y**2 + slope**2 * sigma_x**2 - 2.0 * slope * rho * sigma_x * sigma_y
    return float(np.sum((y - intercept - slope * x) ** 2 / V))


def exact_minimum(x, y, sigma_x, sigma_y, rho, start):
    """Slope, intercept and inverse Hessian by a 40-digit root of the gradient of chi-square."""
    rows = [
        [mpmath.mpf(float(v)) for v in row] for row in zip(x, y, sigma_x, sigma_y, rho, strict=True)
    ]

    def gradient(a, b):
        of_a = of_b = mpmath.mpf(0)
        for x_i, y_i, sx, sy, r in rows:
            V = sy**2 + b**2 * sx**2 - 2 * b * r * sx * sy
            e = y_i - a - b * x_i
            of_a += e / V
            of_b += e * x_i / V + e**2 * (b * sx**2 - r * sx * sy) / V**2
        return of_a, of_b

    with mpmath.workdps(40):
        root = mpmath.findroot(gradient, [mpmath.mpf(float(s)) for s in start], tol=1e-60)
        hessian = -mpmath.matrix(
            [
                [mpmath.diff(lambda a, i=i: gradient(a, root[1])[i], root[0]) for i in range(2)],
                [mpmath.diff(lambda b, i=i: gradient(root[0], b)[i], root[1]) for i in range(2)],
            ]
        )
        inverse = hessian**-1
        covariance = [[float(inverse[i, j]) for j in range(2)] for i in range(2)]
        return [float(root[0]), float(root[1])], covariance


# --- published answers ------------------------------------------------------------------------


@pytest.mark.parametrize("case", LINES, ids=str)
def test_parameters_of_the_exact_solution(case):
    line = york_line(case.X[:, 0], case.y, case.sigma_x, case.sigma, case.corr_xy)
    exact = case.raw["exact"]
    assert digits(line.params, [float(exact["intercept"]), float(exact["slope"])]) >= AIM
    assert digits(line.chi2, float(exact["chi2"])) >= AIM
    assert line.dof == exact["dof"]
    assert line.outcome is Outcome.CONVERGED


@pytest.mark.parametrize("case", LINES, ids=str)
@pytest.mark.parametrize("definition", DEFINITIONS)
def test_every_definition_of_the_errors(case, definition):
    line = york_line(case.X[:, 0], case.y, case.sigma_x, case.sigma, case.corr_xy)
    exact = case.raw["exact"][EXACT_ERRORS[definition]]
    covariance = line.covariances[definition]
    found = [*np.sqrt(np.diag(covariance)), covariance[0, 1], covariance[1, 0]]
    expected = [exact["intercept"], exact["slope"], exact["cov"], exact["cov"]]
    assert digits(found, [float(value) for value in expected]) >= 13.5


def test_default_definition_is_that_of_york_2004():
    assert next(iter(york_line(*simulated(9)).covariances)) == "adjusted"


@pytest.mark.parametrize(
    ("published", "definition", "scaled"),
    [
        ((0.29497, 0.05799), "adjusted", False),  # York et al. 2004, table II
        ((0.359, 0.0706), "adjusted", True),  # Cantrell 2008, table 2
        ((0.29193, 0.057617), "propagated", False),  # Kalantar 1992
        ((0.3555, 0.0702), "propagated", True),  # Reed 1992
    ],
)
def test_published_errors_of_pearson_york(published, definition, scaled):
    (case,) = (c for c in LINES if c.id == "eiv_pearson_york")
    line = york_line(case.X[:, 0], case.y, case.sigma_x, case.sigma)
    factor = math.sqrt(line.chi2 / line.dof) if scaled else 1.0
    found = np.sqrt(np.diag(line.covariances[definition])) * factor
    np.testing.assert_allclose(found, published, rtol=2e-3)


@pytest.mark.parametrize("case", [c for c in LINES if c.family == "octave_original"], ids=str)
def test_lsqcubic_prints_scaled_errors_of_observed_points(case):
    line = york_line(case.X[:, 0], case.y, case.sigma_x, case.sigma)
    original = case.raw["original"]["lsqcubic_tl1em12"]
    errors = np.sqrt(np.diag(line.covariances["observed"]) * line.chi2 / line.dof)
    np.testing.assert_allclose(line.params, [original["b"], original["m"]], rtol=1e-12)
    np.testing.assert_allclose(errors, [original["sb"], original["sm"]], rtol=1e-10)


# --- independent methods ----------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("corr", [False, True])
def test_forty_digit_minimum(seed, corr):
    data = simulated(12, seed, slope=[1.7, -0.3, 12.0, 0.01][seed % 4], corr=corr)
    line = york_line(*data)
    exact, inverse_hessian = exact_minimum(*data, line.params)
    assert digits(line.params, exact) >= 13.0
    assert digits(line.covariances["hessian"], inverse_hessian) >= 11.0


def test_odrpack():
    odrpack = pytest.importorskip("odrpack")
    x, y, sigma_x, sigma_y, _ = simulated(60)
    line = york_line(x, y, sigma_x, sigma_y)
    peer = odrpack.odr_fit(
        lambda x, beta: beta[0] + beta[1] * x,
        x,
        y,
        beta0=np.array([0.0, 1.0]),
        weight_x=sigma_x**-2,
        weight_y=sigma_y**-2,
        sstol=1e-15,
        partol=1e-15,
    )
    np.testing.assert_allclose(line.params, peer.beta, rtol=1e-5)
    np.testing.assert_allclose(line.chi2, peer.sum_square, rtol=1e-9)
    # ODRPACK linearises at its estimates of the true points, as York 2004
    np.testing.assert_allclose(line.covariance, peer.cov_beta, rtol=1e-4)


def test_propagated_errors_are_the_sensitivities_to_the_data():
    x, y, sigma_x, sigma_y, rho = simulated(9, corr=True)
    step, moves = 1e-5, []
    for i in range(9):
        kick = np.zeros(9)
        kick[i] = step
        up, down = (
            york_line(x + kick, y, sigma_x, sigma_y, rho),
            york_line(x - kick, y, sigma_x, sigma_y, rho),
        )
        by_x = (up.params - down.params) / (2.0 * step)
        up, down = (
            york_line(x, y + kick, sigma_x, sigma_y, rho),
            york_line(x, y - kick, sigma_x, sigma_y, rho),
        )
        by_y = (up.params - down.params) / (2.0 * step)
        J = np.column_stack([by_x, by_y])
        kappa = rho[i] * sigma_x[i] * sigma_y[i]
        moves.append(J @ [[sigma_x[i] ** 2, kappa], [kappa, sigma_y[i] ** 2]] @ J.T)
    expected = np.sum(moves, axis=0)
    found = york_line(x, y, sigma_x, sigma_y, rho).covariances["propagated"]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_exact_x_is_weighted_least_squares():
    x, y, _, sigma_y, _ = simulated(20)
    line = york_line(x, y, 0.0, sigma_y)
    A = np.column_stack([np.ones(20), x]) / sigma_y[:, None]
    np.testing.assert_allclose(line.params, np.linalg.lstsq(A, y / sigma_y)[0], rtol=1e-12)
    for covariance in line.covariances.values():
        np.testing.assert_allclose(covariance, np.linalg.inv(A.T @ A), rtol=1e-12)


def test_exact_y_is_the_regression_of_x_on_y():
    x, y, sigma_x, _, _ = simulated(20)
    line, other = york_line(x, y, sigma_x, 0.0), york_line(y, x, 0.0, sigma_x)
    np.testing.assert_allclose(1.0 / line.params[1], other.params[1], rtol=1e-13)


def test_adjusted_points_are_the_nearest_on_the_line():
    data = simulated(15, corr=True)
    x, y, sigma_x, sigma_y, rho = data
    line = york_line(*data)
    adjusted_x, adjusted_y = adjusted_points(line.params, *data[:4], corr_xy=rho)
    np.testing.assert_allclose(adjusted_y, line.params[0] + line.params[1] * adjusted_x)
    dx, dy = (x - adjusted_x) / sigma_x, (y - adjusted_y) / sigma_y
    distance = (dx**2 - 2.0 * rho * dx * dy + dy**2) / (1.0 - rho**2)
    assert distance.sum() == pytest.approx(line.chi2, rel=1e-12)


def test_through_the_origin():
    x, y, sigma_x, sigma_y, _ = simulated(30, intercept=0.0)
    line = york_line(x, y, sigma_x, sigma_y, fit_intercept=False)
    slopes = line.params[0] + np.linspace(-1e-3, 1e-3, 11)
    values = [chi2((0.0, b), x, y, sigma_x, sigma_y, 0.0) for b in slopes]
    assert np.argmin(values) == 5
    assert line.chi2 == pytest.approx(values[5], rel=1e-13)
    assert line.dof == 29
    assert line.covariance.shape == (1, 1)


# --- many points ------------------------------------------------------------------------------


@pytest.mark.parametrize("n_samples", [BLOCK + 1, 3 * BLOCK, 9 * BLOCK])
@pytest.mark.parametrize("slope", [1.7, 250.0])
def test_blocks_and_samples_give_the_answer_of_all_points(n_samples, slope):
    x, y, sigma_x, sigma_y, rho = simulated(n_samples, slope=slope, corr=True)
    line = york_line(x, y, sigma_x, sigma_y, rho)
    V = sigma_y**2 + line.params[1] ** 2 * sigma_x**2
    V -= 2.0 * line.params[1] * rho * sigma_x * sigma_y
    We = (y - line.params[0] - line.params[1] * x) / V
    adjusted, _ = adjusted_points(line.params, x, y, sigma_x, sigma_y, corr_xy=rho)
    assert abs(math.fsum(We)) <= 1e-10 * math.fsum(np.abs(We))
    assert abs(math.fsum(We * adjusted)) <= 1e-10 * math.fsum(np.abs(We * adjusted))
    assert line.chi2 == pytest.approx(chi2(line.params, x, y, sigma_x, sigma_y, rho), rel=1e-12)


# --- invariances ------------------------------------------------------------------------------


@pytest.mark.parametrize("slope", [1.7, -0.2, 40.0])
def test_exchange_of_the_axes(slope):
    x, y, sigma_x, sigma_y, rho = simulated(25, slope=slope, corr=True)
    line = york_line(x, y, sigma_x, sigma_y, rho)
    other = york_line(y, x, sigma_y, sigma_x, rho)
    intercept, b = line.params
    np.testing.assert_allclose(other.params, [-intercept / b, 1.0 / b], rtol=1e-12)
    assert other.chi2 == pytest.approx(line.chi2, rel=1e-13)
    J = np.array([[-1.0 / b, intercept / b**2], [0.0, -1.0 / b**2]])
    for name in ("adjusted", "hessian", "propagated"):
        carried = J @ line.covariances[name] @ J.T
        np.testing.assert_allclose(other.covariances[name], carried, rtol=1e-9)


def test_exchanged_sums_equal_those_taken_directly():
    x, y, sigma_x, sigma_y, rho = simulated(25, corr=True)
    steep = york_line(x, 100.0 * y, sigma_x, 100.0 * sigma_y, rho)
    line = york_line(x, y, sigma_x, sigma_y, rho)
    for name in DEFINITIONS:
        np.testing.assert_allclose(
            steep.covariances[name], 1e4 * line.covariances[name], rtol=1e-11
        )
    exchanged = york_line(y, x, sigma_y, sigma_x, rho)
    again = york_line(y, 1e-3 * x, sigma_y, 1e-3 * sigma_x, rho)
    np.testing.assert_allclose(
        again.covariances["observed"], 1e-6 * exchanged.covariances["observed"], rtol=1e-10
    )


def test_order_of_the_points():
    data = simulated(40, corr=True)
    order = np.random.default_rng(1).permutation(40)
    line, other = york_line(*data), york_line(*(column[order] for column in data))
    np.testing.assert_allclose(other.params, line.params, rtol=1e-13)


def test_repetition_is_a_smaller_error():
    x, y, sigma_x, sigma_y, rho = simulated(20, corr=True)
    times = np.arange(20) % 3 + 1
    repeated = york_line(*(np.repeat(v, times) for v in (x, y, sigma_x, sigma_y, rho)))
    root = np.sqrt(times)
    line = york_line(x, y, sigma_x / root, sigma_y / root, rho)
    np.testing.assert_allclose(repeated.params, line.params, rtol=1e-12)
    np.testing.assert_allclose(repeated.covariance, line.covariance, rtol=1e-11)
    assert repeated.chi2 == pytest.approx(line.chi2, rel=1e-12)


@pytest.mark.parametrize("offset", [1e6, 1e9, -1e12])
def test_offset(offset):
    x, y, sigma_x, sigma_y, _ = (np.round(v, 3) + 0.001 for v in simulated(20))
    moved = (x + offset, y - offset)
    line = york_line(moved[0] - offset, moved[1] + offset, sigma_x, sigma_y)
    other = york_line(*moved, sigma_x, sigma_y)
    np.testing.assert_allclose(other.params[1], line.params[1], rtol=1e-12)
    np.testing.assert_allclose(other.covariance[1, 1], line.covariance[1, 1], rtol=1e-12)


@pytest.mark.parametrize(
    ("of_x", "of_y"), [(1e150, 1e150), (1e-150, 1e150), (1e150, 1e-150), (1e-150, 1e-150)]
)
def test_extreme_units(of_x, of_y):
    x, y, sigma_x, sigma_y, rho = simulated(20, corr=True)
    line = york_line(x, y, sigma_x, sigma_y, rho)
    other = york_line(x * of_x, y * of_y, sigma_x * of_x, sigma_y * of_y, rho)
    np.testing.assert_allclose(other.params / of_y * [1.0, of_x], line.params, rtol=1e-12)
    assert other.chi2 == pytest.approx(line.chi2, rel=1e-12)


def test_inputs_are_not_modified_and_may_be_strided():
    data = simulated(20, corr=True)
    wide = [np.repeat(column, 2) for column in data]
    kept = [column.copy() for column in wide]
    for column in wide:
        column.flags.writeable = False
    line = york_line(*(column[::2] for column in wide))
    np.testing.assert_array_equal(line.params, york_line(*data).params)
    np.testing.assert_array_equal(wide, kept)


# --- limits -----------------------------------------------------------------------------------


@pytest.mark.parametrize("slope", [1.0, -1.0, 1e-9, 1e9])
def test_points_on_a_line(slope):
    x = np.arange(1.0, 11.0)
    line = york_line(x, slope * x, 0.1, 0.1 * abs(slope))
    np.testing.assert_allclose(line.params, [0.0, slope], atol=1e-14 * abs(slope))
    assert line.chi2 == pytest.approx(0.0, abs=1e-20)
    assert line.converged


def test_two_points():
    line = york_line([1.0, 2.0], [1.1, 1.9], 0.1, 0.2)
    np.testing.assert_allclose(line.params, [0.3, 0.8], rtol=1e-14)
    assert line.dof == 0
    assert np.isfinite(line.covariance).all()


def test_horizontal_line():
    line = york_line(np.arange(5.0), np.full(5, 3.0), 0.1, 0.1)
    np.testing.assert_array_equal(line.params, [3.0, 0.0])
    assert line.converged
    np.testing.assert_allclose(line.covariance[1, 1], 0.01 / 10.0)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (np.full(6, 2.0), np.arange(6.0)),
        (np.array([0.0, 0.0, 1.0, 1.0, 2.0, 2.0]), np.array([0.0, 10.0, 5.0, 5.0, 0.0, 10.0])),
    ],
)
def test_vertical_line_is_told(x, y):
    line = york_line(x, y, 0.1, 0.1)
    assert line.outcome is Outcome.VERTICAL
    assert not line.converged
    assert "parallel to the y axis" in line.status
    assert not np.isfinite(line.params).any()
    assert np.isnan(line.covariance).all()


@pytest.mark.parametrize(
    ("x", "y", "sigma_x"),
    [
        ([1.0], [2.0], 0.1),
        ([1.0, 1.0], [2.0, 2.0], 0.1),
        ([1.0, 1.0, 1.0], [2.0, 1.0, 3.0], 0.0),  # x exact, so that no slope is better
        (np.tile(np.arange(5.0), 5), np.repeat(np.arange(5.0), 5), 0.1),
    ],
)
def test_undetermined_slope_is_told(x, y, sigma_x):
    line = york_line(x, y, sigma_x, 0.1)
    assert line.outcome is Outcome.UNDETERMINED
    assert not line.converged
    np.testing.assert_allclose(line.params, [2.0, 0.0])
    assert np.isnan(line.covariance).all()
    assert line.rank == 1


@pytest.mark.parametrize("ratio", [1e-300, 1e-30, 1e30, 1e300])
def test_infinite_ratio_of_the_errors(ratio):
    x, y, *_ = simulated(20)
    line = york_line(x, y, ratio, 1.0)
    y_on_x, x_on_y = np.polyfit(x, y, 1)[0], 1.0 / np.polyfit(y, x, 1)[0]
    assert line.params[1] == pytest.approx(y_on_x if ratio < 1.0 else x_on_y, rel=1e-12)


def test_not_a_number_is_told():
    line = york_line([0.0, 1.0, np.nan], [0.0, 1.0, 2.0], 0.1, 0.1)
    assert line.outcome is Outcome.NOT_FINITE
    assert "not finite" in line.status


def test_too_few_iterations_are_told():
    line = york_line(*simulated(20), max_iter=1)
    assert line.outcome is Outcome.MAX_ITERATIONS
    assert "max_iter" in line.status


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0, 2.0], [1.0], 0.1, 0.1), "one-dimensional, of the same length"),
        (([], [], 0.1, 0.1), "not empty"),
        (([1.0, 2.0], [1.0, 2.0], [0.1, -0.1], 0.1), r"`sigma_x` must .* Got -0.1 in row 1"),
        (([1.0, 2.0], [1.0, 2.0], 0.1, [np.nan, 0.1]), r"`sigma_y` must .* Got nan in row 0"),
        (([1.0, 2.0], [1.0, 2.0], [0.1, 0.0], [0.1, 0.0]), "both be zero .* row 1"),
        (([1.0, 2.0], [1.0, 2.0], 0.1, 0.1, [0.0, 1.5]), r"`corr_xy` must .* Got 1.5 in row 1"),
    ],
)
def test_impossible_errors_name_the_row(arguments, message):
    with pytest.raises(ValueError, match=message):
        york_line(*arguments)


# --- properties -------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    data=st.lists(
        st.tuples(
            st.floats(-100.0, 100.0),
            st.floats(-100.0, 100.0),
            st.floats(0.0, 10.0),
            st.floats(0.01, 10.0),
            st.floats(-0.99, 0.99),
        ),
        min_size=3,
        max_size=12,
    )
)
def test_converged_means_a_minimum(data):
    x, y, sigma_x, sigma_y, rho = np.array(data).T
    assume(np.ptp(x) > 1e-3 and np.ptp(y) > 1e-3)
    line = york_line(x, y, sigma_x, sigma_y, rho)
    assume(line.converged)
    assert np.isfinite(line.params).all()
    at = chi2(line.params, x, y, sigma_x, sigma_y, rho)
    for step in ([1e-4, 0.0], [0.0, 1e-4], [1e-4, -1e-4], [-1e-4, 1e-4]):
        there = chi2(
            line.params + np.array(step) * (1.0 + abs(line.params)), *(x, y, sigma_x, sigma_y, rho)
        )
        assert there >= at * (1.0 - 1e-9) - 1e-12


# --- coverage ---------------------------------------------------------------------------------


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_intervals_cover_the_truth(definition):
    rng = np.random.default_rng(20240518)
    n_repeats, n_samples, truth = 1500, 25, np.array([0.4, 1.7])
    true = np.linspace(-3.0, 5.0, n_samples)
    sigma_x, sigma_y = rng.uniform(0.1, 0.5, n_samples), rng.uniform(0.1, 0.5, n_samples)
    inside = np.zeros(2)
    for _ in range(n_repeats):
        first, second = rng.normal(size=(2, n_samples))
        line = york_line(
            true + sigma_x * first, truth[0] + truth[1] * true + sigma_y * second, sigma_x, sigma_y
        )
        inside += np.abs(line.params - truth) < np.sqrt(np.diag(line.covariances[definition]))
    # 0.6827 within four standard errors of the count
    np.testing.assert_allclose(inside / n_repeats, 0.6827, atol=4.0 * math.sqrt(0.217 / n_repeats))


def test_memory_beyond_the_input():
    data = simulated(500000)[:4]
    tracemalloc.start()
    york_line(*data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20e6
