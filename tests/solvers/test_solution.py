"""A solution tells what is determined, and how well any combination is."""

import numpy as np
import pytest

from sklsq.solvers.linear import solve
from sklsq.solvers.solution import Solution
from tests.solvers.problems import random_problem, rows_of


def solution_of(A, Y, sigma=1.0):
    return solve(rows_of(A, Y, sigma), counted=np.arange(A.shape[1]))


def test_determined():
    A, Y, sigma = random_problem()
    solution = solution_of(A, Y, sigma)
    assert isinstance(solution, Solution)
    assert not solution.unidentified.any()
    assert solution.dof == 46
    rows = np.random.default_rng(1).normal(size=(7, 4))
    root = solution.variance_root(rows)
    np.testing.assert_allclose(root @ root.T, rows @ solution.params_covariance @ rows.T, rtol=1e-9)


def test_not_determined():
    A, Y, _ = random_problem()
    A[:, 3] = A[:, 0]
    solution = solution_of(A, Y)
    np.testing.assert_array_equal(solution.unidentified, [True, False, False, True])
    covariance = solution.params_covariance
    np.testing.assert_array_equal(np.isinf(np.diag(covariance)), [True, False, False, True])
    assert np.isnan(covariance[0, 1])
    reduced = solution_of(A[:, :3], Y).params_covariance
    np.testing.assert_allclose(covariance[1:3, 1:3], reduced[1:, 1:], rtol=1e-9)


@pytest.mark.parametrize(
    ("row", "determined"),
    [([1.0, 0.0, 0.0, 1.0], True), ([0.0, 1.0, -2.0, 0.0], True), ([1.0, 0.0, 0.0, 0.0], False)],
)
def test_variance_of_a_combination(row, determined):
    A, Y, _ = random_problem()
    A[:, 3] = A[:, 0]
    root = solution_of(A, Y).variance_root(np.array([row]))
    assert np.isfinite(root).all() == determined


def test_frozen():
    solution = solution_of(*random_problem()[:2])
    with pytest.raises(AttributeError, match="cannot assign"):
        solution.rank = 3
