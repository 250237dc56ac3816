"""Refinement brings back the digits that double precision loses."""

import numpy as np
import pytest

from sklsq.solvers.refinement import Refined, affordable, polish, refine
from sklsq.solvers.rows import Rows
from tests.estimators.exact import exact_least_squares
from tests.known_answers import digits
from tests.solvers.problems import random_problem, rows_of


def problem(condition, n=60, m=5, seed=0):
    rng = np.random.default_rng(seed)
    U, _ = np.linalg.qr(rng.normal(size=(n, m)))
    V, _ = np.linalg.qr(rng.normal(size=(m, m)))
    A = (U * np.geomspace(1.0, 1.0 / condition, m)) @ V.T
    return A, A @ rng.normal(size=m) + rng.normal(size=n)


def start(A, y):
    R = np.linalg.qr(A, mode="r")
    return np.linalg.inv(R), np.linalg.lstsq(A, y, rcond=0.0)[0][:, None]


@pytest.mark.parametrize("condition", [1e2, 1e6, 1e9, 1e11])
def test_every_digit(condition):
    A, y = problem(condition)
    W, theta = start(A, y)
    found = refine(rows_of(A, y), W, theta, condition)
    assert isinstance(found, Refined)
    exact = exact_least_squares(A, y)
    assert digits(found.coefficients.hi[:, 0], exact.coef) >= 15.0
    std = np.sqrt(np.einsum("ij,ij->i", found.inverse_root, found.inverse_root))
    assert digits(std, exact.std) >= 13.5
    assert digits(found.chi2, exact.chi2) >= 14.0


@pytest.mark.parametrize("sigma", [0.1, 3.0])
def test_with_errors(sigma):
    A, y = problem(1e6)
    errors = sigma * np.linspace(1.0, 2.0, 60)
    whitened = A / errors[:, None]
    W, theta = start(whitened, y / errors)
    found = refine(rows_of(A, y, errors), W, theta, 1e6)
    exact = exact_least_squares(A, y, errors)
    assert digits(found.coefficients.hi[:, 0], exact.coef) >= 14.0
    assert digits(found.chi2, exact.chi2) >= 14.0


def test_several_targets_are_refined_apart():
    A, y = problem(1e8)
    Y = np.column_stack([y, -2.0 * y, y**2])
    W, _ = start(A, y)
    found = refine(rows_of(A, Y), W, np.linalg.lstsq(A, Y, rcond=0.0)[0], 1e8)
    for k in range(3):
        exact = exact_least_squares(A, Y[:, k])
        assert digits(found.coefficients.hi[:, k], exact.coef) >= 15.0
        assert digits(found.chi2[k], exact.chi2) >= 14.0


def test_polish_is_enough_where_all_is_well_conditioned():
    A, Y, sigma = random_problem(60, 5)
    whitened = A / sigma[:, None]
    W, theta = start(whitened, Y[:, 0] / sigma)
    found = polish(rows_of(A, Y, sigma), W, theta + 1e-9)
    exact = exact_least_squares(A, Y[:, 0], sigma)
    assert digits(found.coefficients.hi[:, 0], exact.coef) >= 14.0
    assert digits(found.chi2, exact.chi2) >= 14.0


def test_affordable_for_small_problems_only():
    A, y = problem(10.0)
    assert affordable(rows_of(A, y))
    large = rows_of(np.ones((100_000, 2)), np.ones(100_000))
    assert isinstance(large, Rows)
    assert not affordable(large)
