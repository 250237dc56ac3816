from dataclasses import replace

import numpy as np
import pytest

from sklsq.solvers.levenberg_marquardt import minimise
from sklsq.solvers.lost_parameters import found_again, lost_parameters
from sklsq.solvers.nonlinear_problem import Outcome, Tolerances
from sklsq.solvers.variable_projection import minimise_separable, project
from tests.known_answers import record
from tests.solvers.curve_models import linear_of, problem, problem_of

DOUBLE = "a*exp(-b*x) + c*exp(-d*x)"
LINEAR = np.array([1, 0, 1, 0], dtype=bool)
ROUGHLY = Tolerances(gtol=1e-5, polish=False, reach=1.0)
ALIKE = 1.0 + 1e-6  # costs of ends that are the same minimum


def _decays(first=0.067, n=100, seed=8, **options):
    rng = np.random.default_rng(seed)
    x = np.linspace(first, 4.0, n)
    y = 2.0 * np.exp(-3.0 * x) + np.exp(-0.5 * x) + 0.02 * rng.standard_normal(n)
    return problem(DOUBLE, "abcd", x, y, sigma=0.02, **options)


def _least(model):
    return minimise(model, np.array([[2.0, 3.0, 1.0, 0.5]])).cost[0]


def _descended(model, starts, go_on, max_iter=1_000):
    reduced, curves = project(model, LINEAR).problem, np.zeros(len(starts), dtype=int)
    ends = minimise(reduced, starts, curves=curves, tolerances=ROUGHLY)
    if not go_on:
        return reduced, ends
    options = {"max_iter": max_iter, "tolerances": ROUGHLY}
    return reduced, found_again(reduced, starts, ends, curves, **options)


@pytest.mark.parametrize("first", [0.0, 0.067, 0.3])
@pytest.mark.parametrize("rates", [(0.05, 20.0), (1.0, 100.0), (1e-3, 1e4)], ids=str)
def test_two_exponentials_from_anywhere(first, rates):
    model = _decays(first)
    starts = rates[0] * (rates[1] / rates[0]) ** np.random.default_rng(0).uniform(size=(300, 2))
    _, ends = _descended(model, starts, go_on=True)
    assert (ends.cost < _least(model) * ALIKE).all()


def test_three_exponentials_from_far_away():
    case = record("nist_Lanczos3")
    model, linear = problem_of(case), linear_of(case)
    starts = np.ones((100, 6))
    starts[:, ~linear] = 0.05 * 4_000.0 ** np.random.default_rng(1).uniform(size=(100, 3))
    minima = minimise_separable(model, starts, linear, curves=np.zeros(100, dtype=int))
    assert (minima.cost < minima.cost.min() * ALIKE).all()


def test_a_rate_that_ran_off_is_lost():
    reduced, ends = _descended(_decays(), np.array([[2.0, 1e3], [2.9, 0.6]]), go_on=False)
    np.testing.assert_array_equal(lost_parameters(reduced, ends), [[False, True], [False, False]])
    assert ends.cost[0] > 5.0 * ends.cost[1]


def test_the_ridge_of_equal_rates_is_left():
    model = _decays()
    _, ends = _descended(model, np.array([[1.0, 1.0], [4.0, 4.0 + 1e-13]]), go_on=True)
    assert (ends.cost < _least(model) * ALIKE).all()


def test_both_rates_lost():
    model = _decays()
    starts = np.array([[900.0, 5e3], [7e5, 7e5]])
    _, ends = _descended(model, starts, go_on=True)
    assert (ends.cost < _least(model) * ALIKE).all()


def test_a_descent_that_stalls_goes_on():
    case = record("nist_Misra1a")  # whose rate may end where the model is a line
    model, linear = problem_of(case), linear_of(case)
    starts = np.stack([np.ones(40), np.geomspace(5e-5, 5e-2, 40)], axis=1)
    minima = minimise_separable(model, starts, linear, curves=np.zeros(40, dtype=int))
    np.testing.assert_allclose(minima.params, [case.reference["coef"]] * 40, rtol=1e-8)


def test_nothing_lost_is_left_as_it_is():
    model = _decays()
    starts = np.random.default_rng(2).uniform(0.1, 5.0, (50, 2))
    reduced, before = _descended(model, starts, go_on=False)
    good = ~lost_parameters(reduced, before).any(axis=1)
    assert good.mean() > 0.9
    _, after = _descended(model, starts, go_on=True)
    for name in ("params", "cost", "n_iter", "R"):
        np.testing.assert_array_equal(getattr(before, name)[good], getattr(after, name)[good])


def test_never_a_higher_cost():
    x = np.linspace(0.0, 10.0, 60)
    y = 0.5 + 3.0 * np.exp(-((x - 4.2) ** 2)) + 0.1 * np.cos(37.0 * x)
    model = problem("a*exp(-((x - b)/c)**2) + d", "abcd", x, y, sigma=0.1)
    reduced = project(model, np.array([1, 0, 0, 1], dtype=bool)).problem
    rng, curves = np.random.default_rng(3), np.zeros(200, dtype=int)
    starts = np.stack([rng.uniform(-5.0, 15.0, 200), 10.0 ** rng.uniform(-3, 1, 200)], axis=1)
    ends = minimise(reduced, starts, curves=curves, tolerances=ROUGHLY)
    after = found_again(reduced, starts, ends, curves, max_iter=1_000, tolerances=ROUGHLY)
    assert (after.cost <= ends.cost).all()
    least = ends.cost.min() * ALIKE
    assert (after.cost < least).sum() > (ends.cost < least).sum()


def test_bounds_are_kept():
    lower, upper = np.array([-np.inf, 0.1, -np.inf, 2.0]), np.array([np.inf, 2e4, np.inf, 1e5])
    model = _decays(lower=lower, upper=upper)
    _, ends = _descended(model, np.array([[0.2, 9e4], [1e4, 9.0]]), go_on=True)
    assert ((ends.params >= lower[~LINEAR]) & (ends.params <= upper[~LINEAR])).all()
    assert (ends.cost < _least(model) * ALIKE).all()


def test_starts_of_zero_begin_at_one():
    model = _decays()
    _, ends = _descended(model, np.zeros((1, 2)), go_on=True)
    assert ends.cost[0] < _least(model) * ALIKE


def test_who_has_taken_all_steps_does_not_go_on():
    starts = np.array([[2.0, 1e3]])
    _, before = _descended(_decays(), starts, go_on=False)
    _, after = _descended(_decays(), starts, go_on=True, max_iter=int(before.n_iter[0]))
    np.testing.assert_array_equal(after.params, before.params)
    _, after = _descended(_decays(), starts, go_on=True, max_iter=int(before.n_iter[0]) + 1)
    assert after.cost[0] < before.cost[0]


def test_no_cost_and_no_number_are_nothing_lost():
    reduced, ends = _descended(_decays(), np.array([[2.0, 1e3], [2.0, 1e3]]), go_on=False)
    ends = replace(ends, cost=np.array([0.0, np.nan]), outcome=np.full(2, int(Outcome.STALLED)))
    assert not lost_parameters(reduced, ends).any()


def test_curves_are_put_back_each_by_its_own():
    rng, x = np.random.default_rng(5), np.linspace(0.067, 4.0, 80)
    rates = np.array([[3.0, 0.5], [6.0, 1.0], [2.0, 0.2]])
    Y = 2.0 * np.exp(-rates[:, :1] * x) + np.exp(-rates[:, 1:] * x)
    model = problem(DOUBLE, "abcd", x, Y + 0.01 * rng.standard_normal(Y.shape), sigma=0.01)
    starts = np.tile([1.0, 1.5, 1.0, 1e3], (3, 1))
    minima = minimise_separable(model, starts, LINEAR)
    near = np.column_stack([np.full(3, 2.0), rates[:, 0], np.ones(3), rates[:, 1]])
    np.testing.assert_allclose(minima.cost, minimise(model, near).cost, rtol=1e-9)
