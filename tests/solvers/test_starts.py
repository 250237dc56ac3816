from dataclasses import replace

import numpy as np
import pytest

from sklsq.solvers.starts import (
    anneal,
    grid,
    is_lower_elsewhere,
    multistart,
    search,
    search_each,
)
from tests.known_answers import record, records
from tests.solvers.curve_models import ONE, linear_of, problem, problem_of

PEAK = "a + b*exp(-((x - c)/d)**2)"
NONLINEAR = np.array([False, False, True, True])
CHEAP = ["Misra1a", "DanWood", "Lanczos3", "MGH17", "Roszman1", "Nelson", "Gauss1", "ENSO"]
CASES = [case for case in records(task="nonlinear") if case.id.removeprefix("nist_") in CHEAP]


def _candidates(case, n_candidates, seed):
    """Places, widths, rates and numbers on the scales of the data."""
    rng = np.random.default_rng(seed)
    shape = n_candidates, len(case.parameters)
    low, span = case.X.min(), np.ptp(case.X)
    kinds = [
        low + span * rng.uniform(-0.1, 1.1, shape),
        span * 10 ** rng.uniform(-2, 0.3, shape),
        10 ** rng.uniform(-1.5, 2.7, shape) / span,
        10 ** rng.uniform(-1.2, 1.3, shape),
    ]
    return np.choose(rng.integers(0, 4, shape), kinds) * rng.choice([1.0, 1.0, -1.0], shape)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_published_minima_from_no_start_at_all(case):
    model = problem_of(case)
    found = search(model, _candidates(case, 1000, 0), linear=linear_of(case))
    with np.errstate(all="ignore"):
        published = model.costs(np.array([case.reference["coef"]]), ONE)[0]
    assert found.best.converged[0]
    assert found.best.cost[0] <= published * (1.0 + 1e-9)


def _peak(n=60, n_curves=1):
    rng = np.random.default_rng(0)
    x = np.linspace(0.0, 10.0, n)
    places = rng.uniform(2.0, 8.0, (n_curves, 1))
    y = 1.0 + 3.0 * np.exp(-(((x - places) / 0.8) ** 2)) + 0.1 * rng.normal(size=(n_curves, n))
    return problem(PEAK, "abcd", x, y if n_curves > 1 else y[0], sigma=0.1), places[:, 0]


def _box():
    return np.array([0.0, 0.0, 0.0, 0.1]), np.array([1.0, 1.0, 10.0, 5.0])


def test_different_minima_are_reported_once_by_cost():
    model, places = _peak()
    found = search(model, grid(*_box(), 2000), linear=~NONLINEAR)
    cost = found.minima.cost
    assert (np.diff(cost) >= -1e-6 * cost[:-1]).all()
    assert not found.tied[0]
    np.testing.assert_allclose(found.best.params[0, 2], places[0], atol=0.1)
    for i in range(len(cost)):
        for j in range(i):
            near = np.isclose(cost[i], cost[j], rtol=1e-6)
            assert not (near and np.allclose(found.minima.params[i], found.minima.params[j], 1e-4))


def test_ties_are_flagged():
    x = np.linspace(0.0, 5.0, 40)
    y = 2.0 * np.exp(-0.4 * x) + np.exp(-3.0 * x) + 0.01 * np.cos(9.0 * x)
    model = problem("a*exp(-b*x) + c*exp(-d*x)", "abcd", x, y)
    candidates = grid(np.full(4, 0.1), np.full(4, 5.0), 700)
    found = search(model, candidates, linear=np.array([True, False, True, False]))
    assert found.tied.sum() == 1  # the two terms in the other order
    np.testing.assert_allclose(
        found.minima.params[1], found.best.params[0, [2, 3, 0, 1]], rtol=1e-5
    )


def test_search_is_deterministic():
    model, _ = _peak()
    starts = multistart(*_box(), 100, np.random.default_rng(5))
    first, second = search(model, starts), search(model, starts)
    np.testing.assert_array_equal(first.minima.params, second.minima.params)
    np.testing.assert_array_equal(starts, multistart(*_box(), 100, np.random.default_rng(5)))


def test_every_curve_gets_its_own_start():
    model, places = _peak(n_curves=50)
    candidates = grid(np.array([0.0, 0.0, 0.0, 0.1]), np.array([0.0, 0.0, 10.0, 2.0]), 10_000)
    candidates = np.unique(candidates, axis=0)
    found = search_each(model, candidates, np.arange(50), linear=~NONLINEAR)
    assert found.converged.all()
    np.testing.assert_allclose(found.params[:, 2], places, atol=0.15)
    own = np.broadcast_to(candidates, (50, *candidates.shape))
    again = search_each(model, own, np.arange(50), linear=~NONLINEAR)
    np.testing.assert_array_equal(again.params, found.params)


def test_robust_loss():
    model, places = _peak()
    robust = replace(model, loss="cauchy", f_scale=1.5)
    found = search(robust, grid(*_box(), 1000), linear=~NONLINEAR)
    assert found.best.converged[0]
    np.testing.assert_allclose(found.best.params[0, 2], places[0], atol=0.1)


def test_many_rows_are_scanned_by_a_sample():
    model, places = _peak(n=50_000)
    found = search(model, grid(*_box(), 1000), linear=~NONLINEAR)
    assert found.best.converged[0]
    np.testing.assert_allclose(found.best.params[0, 2], places[0], atol=0.01)


def test_annealing():
    model, places = _peak()
    start = anneal(model, _box(), np.random.default_rng(0), linear=~NONLINEAR, max_evaluations=500)
    found = search(model, start, linear=~NONLINEAR)
    np.testing.assert_allclose(found.best.params[0, 2], places[0], atol=0.1)


def test_no_candidate_is_finite():
    x = np.linspace(0.1, 1.0, 10)
    model = problem("a*log(x - b)", "ab", x, x)
    found = search(model, np.array([[1.0, 2.0], [1.0, 3.0]]), linear=np.array([True, False]))
    assert not found.best.converged[0]


def test_nothing_nonlinear():
    x = np.linspace(0.0, 1.0, 20)
    model = problem("a + b*x", "ab", x, 1.0 + 2.0 * x + 0.1 * np.cos(30.0 * x))
    found = search(model, np.zeros((5, 2)), linear=np.array([True, True]))
    slope, constant = np.polyfit(x, 1.0 + 2.0 * x + 0.1 * np.cos(30.0 * x), 1)
    np.testing.assert_allclose(found.best.params, [[constant, slope]], rtol=1e-10)


def test_grid_covers_a_box():
    points = grid(np.array([0.0, 10.0]), np.array([1.0, 20.0]), 16)
    assert points.shape == (16, 2)
    np.testing.assert_allclose(points.mean(axis=0), [0.5, 15.0])
    assert (points > [0.0, 10.0]).all()
    assert (points < [1.0, 20.0]).all()


@pytest.mark.parametrize("alike", [True, False])
def test_a_candidate_of_lower_cost_shows_that_a_minimum_is_not_the_lowest(alike):
    case = record("nist_BoxBOD")
    y = np.stack([case.y, 2.0 * case.y])
    made = replace(problem(case.raw["expr"], case.parameters, case.X, y), alike=alike)
    lowest = np.array([case.reference["coef"], case.reference["coef"]])
    lowest[1, 0] *= 2.0
    aside = np.array([[172.5, 45.9], [345.0, 45.9]])
    candidates = np.column_stack([np.ones(50), np.geomspace(1e-3, 1e2, 50)])
    linear = np.array([True, False])
    for params, expected in ((lowest, False), (aside, True)):
        found = is_lower_elsewhere(made, params, candidates, np.arange(2), linear=linear)
        np.testing.assert_array_equal(found, [expected, expected])


@pytest.mark.parametrize("alike", [True, False])
@pytest.mark.parametrize("loss", ["soft_l1", "cauchy"])
def test_lower_elsewhere_under_a_robust_loss(alike, loss):
    x = np.linspace(0.0, 10.0, 50)
    y = 0.5 + 10.0 * np.exp(-((x - 4.5) ** 2)) + 0.1 * np.random.default_rng(0).normal(size=50)
    made = replace(problem(PEAK, "abcd", x, np.stack([y, y]), sigma=0.1), loss=loss, alike=alike)
    candidates = np.column_stack([np.ones((40, 2)), np.linspace(0.0, 10.0, 40), np.ones(40)])
    params = np.array([[0.5, 10.0, 4.5, 1.0], [1.5, 0.1, 1.0, 1.0]])
    found = is_lower_elsewhere(made, params, candidates, np.arange(2), linear=~NONLINEAR)
    assert found.tolist() == [False, True]
