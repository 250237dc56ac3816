"""Rank, null space and shortest solution, with known singular values."""

import numpy as np
import pytest

from sklsq.solvers.singular import (
    Identification,
    default_rcond,
    describe,
    echelon,
    identify,
    shortest,
)
from sklsq.solvers.triangular import householder
from tests.solvers.problems import random_problem, rows_of

EPS = np.finfo(float).eps


def identified(A, rcond=None):
    A = np.asarray(A, dtype=float)
    rcond = default_rcond(*A.shape) if rcond is None else rcond
    return identify(householder(rows_of(A, np.zeros(len(A)))), None, rcond)


def test_full_rank():
    A, _, _ = random_problem()
    found = identified(A)
    assert isinstance(found, Identification)
    assert found.rank == 4
    W = found.inverse_root
    np.testing.assert_allclose(W @ W.T, np.linalg.inv(A.T @ A), rtol=1e-10)
    assert found.null_space.shape == (0, 4)
    assert 1.0 <= found.condition < 100.0


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_deficient(lost):
    A, _, _ = random_problem()
    A[:, 4 - lost :] = A[:, :1] * np.arange(1.0, lost + 1.0)
    found = identified(A)
    assert found.rank == 4 - lost
    assert found.condition == np.inf
    assert found.null_space.shape == (lost, 4)
    np.testing.assert_allclose(A @ found.null_space.T, 0.0, atol=1e-12)
    W = found.inverse_root
    np.testing.assert_allclose(A @ W @ W.T @ A.T @ A, A, atol=1e-11)  # a generalised inverse


@pytest.mark.parametrize("units", [1e-12, 1e12])
def test_rank_does_not_depend_on_units(units):
    A, _, _ = random_problem()
    assert identified(A * [1.0, units, 1.0, 1.0 / units]).rank == 4
    A[:, 3] = A[:, 1]
    assert identified(A * [1.0, units, 1.0, 1.0 / units]).rank == 3


@pytest.mark.parametrize(("size", "rank"), [(1e-6, 3), (1e-9, 3), (1e-17, 2)])
def test_threshold(size, rank):
    rng = np.random.default_rng(0)
    U, _ = np.linalg.qr(rng.normal(size=(40, 3)))
    A = U.copy()
    A[:, 2] = U[:, 0] + size * U[:, 2]
    assert identified(A).rank == rank
    assert identified(A, rcond=1e-3).rank == 2


def test_zeros():
    found = identified(np.zeros((5, 3)))
    assert found.rank == 0
    assert found.inverse_root.shape == (3, 0)
    assert found.null_space.shape == (3, 3)


def test_offsets_judge_a_centred_column_by_what_was_subtracted():
    """0.1, centred, leaves rounding errors only: without the offset they look like data."""
    rest = EPS * 0.1 * np.random.default_rng(0).integers(-2, 3, 50)
    A = np.column_stack([np.ones(50), rest])
    factor = householder(rows_of(A, np.zeros(50)))
    assert identify(factor, None, default_rcond(50, 2)).rank == 2
    assert identify(factor, np.array([0.0, 0.1]), default_rcond(50, 2)).rank == 1


def test_default_rcond_grows_like_a_random_walk():
    assert default_rcond(1, 1) == pytest.approx(11.0 * EPS)
    assert default_rcond(1_000_000, 100) == pytest.approx(EPS * 10_010.0)


class TestEchelon:
    def test_shows_few_parameters(self):
        """Two pairs: their null space, arbitrarily mixed, is separated again."""
        pure = np.array([[1.0, 0.0, -2.0, 0.0], [0.0, 1.0, 0.0, 1.0]])
        mixed = np.array([[0.6, 0.8], [-0.8, 0.6]]) @ pure
        rows = echelon(mixed, np.ones(4))
        for row in rows:
            assert (row != 0.0).sum() == 2
            assert np.abs(row).max() == 1.0
        np.testing.assert_allclose(np.linalg.matrix_rank(np.vstack([rows, pure]), tol=1e-9), 2)

    def test_rounding_becomes_zero(self):
        rows = echelon(np.array([[1.0, 1e-12, -1.0]]), np.ones(3))
        np.testing.assert_array_equal(rows, [[1.0, 0.0, -1.0]])

    def test_input_is_left_alone(self):
        null_space = np.array([[1.0, 2.0], [3.0, 5.0]])
        before = null_space.copy()
        echelon(null_space, np.array([1.0, 2.0]))
        np.testing.assert_array_equal(null_space, before)


class TestShortest:
    def test_all_count(self):
        found, _ = shortest(np.array([[3.0], [0.0]]), np.array([[1.0, -1.0]]), np.arange(2))
        np.testing.assert_allclose(found, [[1.5], [1.5]])

    def test_intercept_does_not_count(self):
        found, multipliers = shortest(
            np.array([[3.0], [4.0]]), np.array([[-2.0, 1.0]]), np.array([1])
        )
        np.testing.assert_allclose(found, [[11.0], [0.0]])
        np.testing.assert_allclose(multipliers, [[-4.0]])

    def test_several_targets(self):
        rng = np.random.default_rng(0)
        params, null_space = rng.normal(size=(5, 3)), rng.normal(size=(2, 5))
        found, multipliers = shortest(params, null_space, np.arange(5))
        np.testing.assert_allclose(null_space @ found, 0.0, atol=1e-13)
        np.testing.assert_allclose(found, params + null_space.T @ multipliers)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ([1.0, -1.0, 0.0], "(a + t, b - t)"),
        ([0.5, 0.0, -0.25], "(a + 0.5*t, c - 0.25*t)"),
        ([0.0, 1.0, 0.0], "(b + t)"),
        ([1.0, 1.0 / 3.0, 1e-5], "(a + t, b + 0.3333*t, c + 1e-05*t)"),
    ],
)
def test_in_words(row, words):
    assert describe(np.array([row]), ["a", "b", "c"]) == [words]
