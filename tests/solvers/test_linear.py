"""From rows to a solution, and from a factor to the same one."""

import numpy as np
import pytest

from sklsq.basis.columns import InterceptColumns
from sklsq.solvers.linear import solve, solve_factor
from sklsq.solvers.rows import Rows
from sklsq.solvers.triangular import factorise
from tests.estimators.exact import exact_least_squares
from tests.known_answers import digits
from tests.solvers.problems import random_problem, rows_of


@pytest.mark.parametrize("n", [10, 50, 3000])
@pytest.mark.parametrize("t", [1, 3])
def test_solution(n, t):
    A, Y, sigma = random_problem(n, 4, t)
    solution = solve(rows_of(A, Y, sigma), counted=np.arange(4))
    whitened = A / sigma[:, None]
    expected, *_ = np.linalg.lstsq(whitened, Y / sigma[:, None], rcond=None)
    np.testing.assert_allclose(solution.params, expected, rtol=1e-9)
    np.testing.assert_allclose(
        solution.params_covariance, np.linalg.inv(whitened.T @ whitened), rtol=1e-9, atol=1e-15
    )
    residual = (Y - A @ expected) / sigma[:, None]
    np.testing.assert_allclose(solution.chi2, np.sum(residual**2, axis=0), rtol=1e-11)
    assert solution.rank == 4
    assert solution.dof == n - 4


@pytest.mark.parametrize("n", [50, 3000])
def test_factor_alone_is_enough(n):
    A, Y, sigma = random_problem(n, 4, 2)
    rows = rows_of(A, Y, sigma)
    whole = solve(rows, counted=np.arange(4))
    from_factor = solve_factor(factorise(rows), rows.columns, counted=np.arange(4))
    from_published = solve_factor(whole.factor, rows.columns, counted=np.arange(4))
    for solution in (from_factor, from_published):
        np.testing.assert_allclose(solution.params, whole.params, rtol=1e-10)
        np.testing.assert_allclose(solution.chi2, whole.chi2, rtol=1e-11)
        np.testing.assert_allclose(
            solution.params_covariance, whole.params_covariance, rtol=1e-10, atol=1e-16
        )


@pytest.mark.parametrize("scale", [1e-250, 1e-150, 1e150, 1e250])
def test_squares_beyond_the_range_of_doubles(scale):
    A, Y, _ = random_problem(30, 3)
    plain = solve(rows_of(A, Y), counted=np.arange(3))
    scaled = solve(rows_of(A * scale, Y * scale), counted=np.arange(3))
    np.testing.assert_allclose(scaled.params, plain.params, rtol=1e-12)
    columns = solve(rows_of(A * [1.0, scale, 1.0], Y), counted=np.arange(3))
    np.testing.assert_allclose(columns.params[1] * scale, plain.params[1], rtol=1e-12)
    np.testing.assert_allclose(columns.chi2, plain.chi2, rtol=1e-12)


@pytest.mark.parametrize("n", [20, 4000])
def test_internal_and_user_parameters(n):
    rng = np.random.default_rng(1)
    X = 1e6 + rng.normal(size=(n, 2))
    y = 3.0 + X @ [1.0, -1.0] + rng.normal(size=n)
    rows = Rows(InterceptColumns(np.full(2, 1e6)), X, y[:, None])
    solution = solve(rows, counted=np.array([1, 2]))
    exact = exact_least_squares(np.column_stack([np.ones(n), X]), y)
    assert digits(solution.params[:, 0], exact.coef) >= 12.0
    assert digits(np.sqrt(np.diag(solution.params_covariance)), exact.std) >= 12.0
    np.testing.assert_allclose(solution.internal[1:], solution.params[1:], rtol=1e-10)


@pytest.mark.parametrize("n", [20, 4000])
def test_deficient(n):
    A, Y, _ = random_problem(n, 4)
    A[:, 3] = A[:, 1] - 2.0 * A[:, 0]
    solution = solve(rows_of(A, Y), counted=np.arange(4))
    expected, *_ = np.linalg.lstsq(A, Y, rcond=1e-12)
    np.testing.assert_allclose(solution.params, expected, rtol=1e-8)
    assert solution.rank == 3
    np.testing.assert_array_equal(solution.unidentified, [True, True, False, True])
    np.testing.assert_allclose(
        np.sort(np.abs(solution.null_space[0])), [0.0, 0.5, 0.5, 1.0], atol=1e-9
    )


def test_rcond():
    A, Y, _ = random_problem()
    A[:, 3] = A[:, 0] + 1e-6 * A[:, 3]
    assert solve(rows_of(A, Y), counted=np.arange(4)).rank == 4
    assert solve(rows_of(A, Y), counted=np.arange(4), rcond=1e-4).rank == 3


def test_numbers_that_are_not_finite():
    A, Y, _ = random_problem()
    A[7, 2] = np.nan
    with pytest.raises(FloatingPointError, match="not finite"):
        solve(rows_of(A, Y), counted=np.arange(4))
