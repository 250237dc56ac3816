import numpy as np
import pytest

from sklsq.solvers.lowest import by_cost, different, is_same, lowest_of, ordered, representable
from sklsq.solvers.nonlinear_problem import Minima, Outcome


def minima(params, cost, outcome=0, size=1.0):
    params, cost = np.atleast_2d(np.asarray(params, dtype=float)), np.asarray(cost, dtype=float)
    M, k = params.shape
    return Minima(
        params,
        cost,
        2 * cost,
        np.ones(M, dtype=int),
        np.broadcast_to(outcome, M).astype(int),
        np.zeros(M),
        size * np.repeat(np.eye(k)[None], M, axis=0),
        np.zeros((M, k), dtype=bool),
    )


def test_by_cost():
    found = ordered(minima([[1, 2], [3, 4], [5, 6]], [3, 1, 2]))
    np.testing.assert_array_equal(found.params, [[3, 4], [5, 6], [1, 2]])
    np.testing.assert_array_equal(by_cost(np.array([np.nan, 2.0, 1.0])), [2, 1, 0])


@pytest.mark.parametrize("lower", [0.0, 1e-8])
def test_of_aliases_the_one_that_feels_rounding_least(lower):
    """δ = 4ε·1e8·3, hence costs within sqrt(2)·2.7e-7 of 1 are the same."""
    every = minima([[1e8, 1.0], [3.0, 1.0], [1e8 + 3, 1.0]], [1.0, 1.0 + lower, 1.0], size=3.0)
    assert ordered(every).params[0, 0] == 3.0
    assert lowest_of(every)[0].all()


def test_what_is_lower_by_more_than_rounding_comes_first():
    every = minima([[1e8, 1.0], [3.0, 1.0]], [1.0, 1.0 + 1e-4], size=3.0)
    assert ordered(every).params[0, 0] == 1e8
    np.testing.assert_array_equal(lowest_of(every)[0], [True, False])


def test_converged_ones_come_first_where_costs_are_the_same():
    every = minima([[1.0], [2.0]], [1.0, 1.0 + 1e-9], outcome=[Outcome.STALLED, 0])
    assert ordered(every).params[0, 0] == 2.0


def test_the_same_are_reported_once():
    every = minima([[1.0, 2.0], [1.0, 2.0 + 1e-9], [1.0, 3.0]], [1.0, 1.0, 1.0])
    assert len(ordered(every).cost) == 2
    assert len(different(every.params, every.cost, np.arange(3))) == 2
    assert is_same(every.where(slice(0, 1)), every.where(slice(1, 2)))
    assert not is_same(every.where(slice(0, 1)), every.where(slice(2, 3)))


def test_none_is_finite():
    assert len(ordered(minima([[1.0], [2.0]], [np.nan, np.inf])).cost) == 2
    assert ordered(minima([[1.0], [2.0]], [np.nan, 5.0])).cost[0] == 5.0


def test_parameters_too_large_are_no_minimum():
    outcomes = [Outcome.CONVERGED, Outcome.CONVERGED, Outcome.NOT_FINITE]
    found = representable(minima([[1.0], [1e160], [-1e160]], [1.0] * 3, outcome=outcomes))
    expected = [Outcome.CONVERGED, Outcome.STALLED, Outcome.NOT_FINITE]
    np.testing.assert_array_equal(found.outcome, expected)
    fine = minima([[1.0]], [1.0])
    assert representable(fine) is fine
