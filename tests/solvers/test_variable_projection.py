from dataclasses import replace

import numpy as np
import pytest

from sklsq.solvers.levenberg_marquardt import minimise
from sklsq.solvers.variable_projection import minimise_separable, project
from tests.known_answers import digits, record, records
from tests.solvers.curve_models import ONE, errors, linear_of, problem, problem_of

DOUBLE = "a*exp(-b*x) + c*exp(-d*x)"
EXACT = "nist_Lanczos1"
EXCHANGED = {("nist_MGH17", 0): [0, 2, 1, 4, 3]}  # both decays were over before the second point
STARTS = [
    (case, i)
    for case in records(task="nonlinear")
    for i in range(len(case.starts))
    if linear_of(case).any()
]


@pytest.mark.parametrize("pair", STARTS, ids=lambda pair: f"{pair[0]}-{pair[1]}")
def test_published_answers(pair):
    case, start = pair
    minima = minimise_separable(problem_of(case), case.starts[start][None], linear_of(case))
    assert minima.converged[0]
    order = EXCHANGED.get((case.id, start), np.arange(len(case.parameters)))
    assert digits(minima.params[0, order], case.reference["coef"]) > 10
    if case.id != EXACT:
        dof = len(case.y) - len(case.parameters)
        assert digits(errors(minima, dof=dof)[order], case.reference["se"]) > 7


def _double(n_starts, seed=0):
    rng = np.random.default_rng(seed)
    x = np.linspace(0.0, 10.0, 100)
    y = 2.0 * np.exp(-0.3 * x) + 3.0 * np.exp(-2.0 * x) + 0.02 * rng.normal(size=100)
    size, rate = rng.uniform(0.1, 10.0, (2, n_starts)), 10.0 ** rng.uniform(-2, 1, (2, n_starts))
    return x, y, np.stack([size[0], rate[0], size[1], rate[1]], axis=1)


def _lanczos(n_starts, seed=0):
    case = record("nist_Lanczos3")
    starts = np.random.default_rng(seed).uniform(0.1, 10.0, (n_starts, 6))
    return problem_of(case), linear_of(case), starts


def test_sums_of_exponentials_from_anywhere():
    x, y, starts = _double(200)
    model, linear = problem(DOUBLE, "abcd", x, y, sigma=0.02), np.array([1, 0, 1, 0], dtype=bool)
    curves = np.zeros(200, dtype=int)
    projected = minimise_separable(model, starts, linear, curves=curves)
    plain = minimise(model, starts, curves=curves)
    lowest = projected.cost.min()
    assert (projected.cost < lowest * (1.0 + 1e-9)).all()
    assert 0.8 < np.mean(plain.cost < lowest * (1.0 + 1e-9)) < 1.0


def test_three_exponentials_from_anywhere():
    model, linear, starts = _lanczos(100)
    curves = np.zeros(100, dtype=int)
    minima = minimise_separable(model, starts, linear, curves=curves)
    assert (minima.cost < minima.cost.min() * (1.0 + 1e-6)).all()


def test_projection_is_the_best_of_the_linear_parameters():
    x, y, starts = _double(5)
    model, linear = problem(DOUBLE, "abcd", x, y, sigma=0.02), np.array([1, 0, 1, 0], dtype=bool)
    projection, curves = project(model, linear), np.zeros(5, dtype=int)
    params = projection.complete(starts[:, ~linear], curves)
    residuals, J = projection.problem.linearise(starts[:, ~linear], curves)
    np.testing.assert_array_equal(params[:, ~linear], starts[:, ~linear])
    for i in range(5):
        r, full = model.linearise(params[i : i + 1], ONE)
        np.testing.assert_allclose(residuals[i], r[0], atol=1e-9 * np.abs(y).max() / 0.02)
        columns = full[0, linear].T
        np.testing.assert_allclose(columns.T @ r[0], 0.0, atol=1e-7)
        others = full[0, ~linear].T
        along, *_ = np.linalg.lstsq(columns, others, rcond=None)
        np.testing.assert_allclose(J[i].T, others - columns @ along, atol=1e-8 * np.abs(J).max())


def test_equal_columns_get_one_coefficient():
    x = np.linspace(0.0, 1.0, 20)
    model = problem(DOUBLE, "abcd", x, np.exp(-x))
    projection = project(model, np.array([1, 0, 1, 0], dtype=bool))
    np.testing.assert_allclose(
        projection.complete(np.array([[1.0, 1.0]]), ONE), [[1.0, 1.0, 0.0, 1.0]], atol=1e-14
    )


def test_overflow_is_not_dependence():
    x = np.linspace(0.0, 10.0, 20)
    projection = project(problem(DOUBLE, "abcd", x, x), np.array([1, 0, 1, 0], dtype=bool))
    with np.errstate(all="ignore"):
        assert np.isnan(projection.problem.costs(np.array([[1.0, -50.0]]), ONE)).all()


def test_bounded_linear_parameters_are_left():
    x, y, _ = _double(1)
    inf = np.inf
    lower, upper = np.array([-inf, 0.0, -inf, 0.0]), np.array([1.5, inf, inf, inf])
    model = problem(DOUBLE, "abcd", x, y, sigma=0.02, lower=lower, upper=upper)
    linear = np.array([1, 0, 1, 0], dtype=bool)
    np.testing.assert_array_equal(project(model, linear).linear, [False, False, True, False])
    start = np.array([[1.0, 0.2, 1.0, 3.0]])
    projected, plain = minimise_separable(model, start, linear), minimise(model, start)
    np.testing.assert_allclose(projected.params, plain.params, rtol=1e-7)
    assert projected.at_bound[0, 0]


def test_only_squares_can_be_projected():
    model = problem(DOUBLE, "abcd", [0.0, 1.0], [1.0, 2.0], loss="huber")
    with pytest.raises(ValueError, match="`loss` must be 'linear'"):
        project(model, np.array([1, 0, 1, 0], dtype=bool))


def test_everything_linear():
    x = np.linspace(0.0, 1.0, 30)
    model = problem("a + b*x", "ab", x, 1.0 + 2.0 * x + 0.1 * np.cos(50.0 * x))
    minima = minimise_separable(model, np.zeros((1, 2)), np.array([True, True]))
    slope, constant = np.polyfit(x, 1.0 + 2.0 * x + 0.1 * np.cos(50.0 * x), 1)
    np.testing.assert_allclose(minima.params, [[constant, slope]], rtol=1e-12)
    assert minima.n_iter[0] <= 1


@pytest.mark.parametrize("mask", [[1, 0, 1, 0], [0, 0, 0, 0]], ids=str)
def test_costs_of_alike_curves_are_those_of_each(mask):
    x, _, starts = _double(30)
    rng = np.random.default_rng(4)
    Y = 2.0 * np.exp(-0.3 * x) + rng.uniform(1.0, 5.0, (7, 1)) * np.exp(-2.0 * x)
    linear = np.array(mask, dtype=bool)
    projection = project(problem(DOUBLE, "abcd", x, Y + 0.02, sigma=0.1), linear)
    alpha, curves = starts[:, ~linear], np.array([2, 0, 6, 3])
    alpha[5] = np.nan
    costs = projection.scan(alpha, curves)
    for row, curve in zip(costs, curves, strict=True):
        each = projection.problem.costs(alpha, np.full(30, curve))
        assert row[5] == np.inf
        np.testing.assert_allclose(np.delete(row, 5), np.delete(each, 5), rtol=1e-9)


def test_curves_are_told_apart_where_the_model_is_large_at_the_first_point():
    X = np.linspace(0.0, 10.0, 40)
    y = np.stack([10.0 ** (0.1 * k * X) for k in (1.0, 2.0, 3.0)])
    given = replace(problem("10**(k*x) + 0*a", ["k", "a"], X, y), alike=True)
    projection = project(given, np.zeros(2, dtype=bool))
    alpha = np.array([[30.0, 1.0], [0.1, 1.0], [0.2, 1.0], [0.3, 1.0]])
    costs = projection.scan(alpha, np.arange(3))
    np.testing.assert_array_equal(np.argmin(costs, axis=1), [1, 2, 3])
