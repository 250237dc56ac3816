"""From triangular factors to roots of covariances."""

from dataclasses import replace

import numpy as np
import pytest

from sklsq.estimators._nonlinear_errors import parameter_errors
from sklsq.solvers.flat_directions import neighbourhood_of
from sklsq.solvers.levenberg_marquardt import minimise
from tests.solvers.curve_models import problem


def factors(t=4, k=3, seed=0):
    rng = np.random.default_rng(seed)
    J = rng.normal(size=(t, 20, k)) * np.geomspace(1e-6, 1e6, k)
    return J, np.linalg.qr(J, mode="r")


def test_of_full_rank():
    J, R = factors()
    found = parameter_errors(R, np.zeros((4, 3), dtype=bool), 20)
    scale = np.geomspace(1e-6, 1e6, 3)
    for one, root in zip(J, found.root, strict=True):
        covariance = np.linalg.inv((one / scale).T @ (one / scale)) / np.outer(scale, scale)
        np.testing.assert_allclose(root @ root.T, covariance, rtol=1e-9)
    np.testing.assert_array_equal(found.rank, 3)
    assert found.null_space == {}


def test_held_parameters():
    J, R = factors()
    held = np.zeros((4, 3), dtype=bool)
    held[1, 0] = held[2, :] = True
    found = parameter_errors(R, held, 20)
    np.testing.assert_array_equal(found.rank, [3, 2, 0, 3])
    assert not found.root[2].any()
    assert not found.root[1, 0].any()
    rest = np.linalg.qr(J[1][:, 1:], mode="r")
    expected = np.linalg.inv(rest) @ np.linalg.inv(rest).T
    np.testing.assert_allclose((found.root[1] @ found.root[1].T)[1:, 1:], expected, rtol=1e-7)


def test_combinations_that_are_not_determined():
    J, _ = factors(2)
    J[1, :, 2] = 2.0 * J[1, :, 0]
    found = parameter_errors(np.linalg.qr(J, mode="r"), np.zeros((2, 3), dtype=bool), 20)
    np.testing.assert_array_equal(found.rank, [3, 2])
    assert list(found.null_space) == [1]
    (row,) = found.null_space[1]
    assert row[1] == pytest.approx(0.0, abs=1e-9)
    assert row[0] / row[2] == pytest.approx(-2.0)


def test_not_finite():
    _, R = factors(2)
    R[0, 1, 2] = np.nan
    found = parameter_errors(R, np.zeros((2, 3), dtype=bool), 20)
    assert np.isnan(found.root[0]).all()
    assert np.isfinite(found.root[1]).all()
    np.testing.assert_array_equal(found.rank, [0, 3])


def test_flat_directions_are_left_out():
    x = np.linspace(0.5, 10.0, 40)
    noise = 0.02 * np.random.default_rng(0).standard_normal(40)
    model = problem("a*exp(-b*x) + c", "abc", x, np.stack([1.0 + noise, np.exp(-x) + noise]))
    points, curves = np.array([[0.3, 70.0, 1.0], [1.0, 1.0, 0.0]]), np.arange(2)
    minima = minimise(model, points, curves=curves, max_iter=1)
    residuals, J = model.linearise(points, curves)
    R = np.linalg.qr(J.swapaxes(1, 2), mode="r")
    cost = 0.5 * np.square(residuals).sum(axis=1)
    about = neighbourhood_of(model, replace(minima, params=points, cost=cost, R=R), curves)
    free = np.zeros((2, 3), dtype=bool)
    plain, found = parameter_errors(R, free, 40), parameter_errors(R, free, 40, about)
    np.testing.assert_array_equal(plain.rank, [3, 3])
    np.testing.assert_array_equal(found.rank, [1, 3])  # the term is over before the first point
    np.testing.assert_array_equal((found.null_space[0] != 0.0).any(axis=0), [True, True, False])
    assert list(found.null_space) == [0]
    np.testing.assert_array_equal(found.root[1], plain.root[1])
    assert found.root[0, 2] @ found.root[0, 2] == pytest.approx(1.0 / 40.0, rel=0.1)


def test_what_makes_up_for_rounding_is_determined():
    """An offset, and a term that is over: the offset keeps its error."""
    J = np.stack([np.ones(20), 3.7e-32 * np.linspace(1.0, 1.0, 20)])
    R, free = np.linalg.qr(J.T, mode="r")[None], np.zeros((1, 2), dtype=bool)
    plain = parameter_errors(R, free, 20)
    assert (plain.null_space[0] != 0.0).all()
    found = parameter_errors(R, free, 20, None, np.array([[1.0, 0.3]]))
    np.testing.assert_array_equal(found.null_space[0], [[0.0, 1.0]])
    assert found.root[0, 0] @ found.root[0, 0] == pytest.approx(1.0 / 20.0)
    twins = np.linalg.qr(np.ones((20, 2)), mode="r")[None]
    both = parameter_errors(twins, free, 20, None, np.array([[1.0, 1e-16]]))
    assert (both.null_space[0] != 0.0).all()
