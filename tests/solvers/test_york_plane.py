"""York's plane against the line, odrpack, a direct minimisation, and its own symmetries."""

import math
import tracemalloc

import numpy as np
import pytest
from scipy.optimize import minimize

from sklsq.solvers.errors_in_variables import Outcome
from sklsq.solvers.york import DEFINITIONS, york_line
from sklsq.solvers.york_plane import adjusted_plane_points, york_plane

TRUTH = np.array([2.0, 1.0, -0.5, 0.3])


def simulated(n_samples, seed=0, p=3):
    rng = np.random.default_rng(seed)
    true = rng.normal(size=(n_samples, p)) * 2.0 + rng.normal(size=p) * 4.0
    sigma_x = rng.uniform(0.1, 0.5, (n_samples, p))
    sigma_y = rng.uniform(0.1, 0.6, n_samples)
    X = true + sigma_x * rng.normal(size=true.shape)
    y = TRUTH[0] + true @ TRUTH[1 : p + 1] + sigma_y * rng.normal(size=n_samples)
    return X, y, sigma_x, sigma_y


def chi2(params, X, y, sigma_x, sigma_y):
    e = y - params[0] - X @ params[1:]
    return float(np.sum(e**2 / (sigma_y**2 + sigma_x**2 @ params[1:] ** 2)))


@pytest.mark.parametrize("seed", range(10))
def test_one_feature_is_the_line(seed):
    X, y, sigma_x, sigma_y = simulated(20, seed, p=1)
    line = york_line(X[:, 0], y, sigma_x[:, 0], sigma_y)
    plane = york_plane(X, y, sigma_x, sigma_y)
    np.testing.assert_allclose(plane.params, line.params, rtol=1e-11)
    assert plane.chi2 == pytest.approx(line.chi2, rel=1e-12)
    for name in DEFINITIONS:
        np.testing.assert_allclose(plane.covariances[name], line.covariances[name], rtol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_no_direct_minimiser_finds_less(seed):
    data = simulated(30, seed)
    plane = york_plane(*data)
    direct = minimize(chi2, TRUTH, args=data, method="BFGS", options={"gtol": 1e-8})
    assert plane.chi2 <= direct.fun * (1.0 + 1e-12)
    np.testing.assert_allclose(plane.params, direct.x, rtol=1e-5)


def test_hessian_by_differences():
    data = simulated(30)
    plane = york_plane(*data)
    steps = np.eye(4) * 1e-4

    def second(i, j):
        signs = [(1, 1), (1, -1), (-1, 1), (-1, -1)]
        terms = [a * b * chi2(plane.params + a * steps[i] + b * steps[j], *data) for a, b in signs]
        return sum(terms) / 4e-8

    half = 0.5 * np.array([[second(i, j) for j in range(4)] for i in range(4)])
    np.testing.assert_allclose(plane.covariances["hessian"], np.linalg.inv(half), rtol=1e-4)


def test_propagated_errors_are_the_sensitivities_to_the_data():
    X, y, sigma_x, sigma_y = simulated(10, p=2)
    expected, step = np.zeros((3, 3)), 1e-5
    for i in range(10):
        for j in range(3):
            moved = []
            for sign in (step, -step):
                Z = np.column_stack([X, y])
                Z[i, j] += sign
                moved.append(york_plane(Z[:, :2], Z[:, 2], sigma_x, sigma_y).params)
            move = (moved[0] - moved[1]) / (2.0 * step)
            sigma = sigma_y[i] if j == 2 else sigma_x[i, j]
            expected += np.outer(move, move) * sigma**2
    found = york_plane(X, y, sigma_x, sigma_y).covariances["propagated"]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_odrpack():
    odrpack = pytest.importorskip("odrpack")
    X, y, sigma_x, sigma_y = simulated(80)
    peer = odrpack.odr_fit(
        lambda x, beta: beta[0] + beta[1:] @ x,
        X.T,
        y,
        beta0=np.ones(4),
        weight_x=(sigma_x**-2).T,
        weight_y=sigma_y**-2,
        sstol=1e-15,
        partol=1e-15,
    )
    plane = york_plane(X, y, sigma_x, sigma_y)
    np.testing.assert_allclose(plane.params, peer.beta, rtol=1e-5)
    np.testing.assert_allclose(plane.covariance, peer.cov_beta, rtol=1e-3, atol=1e-7)


def test_exact_features_are_weighted_least_squares():
    X, y, _, sigma_y = simulated(30)
    A = np.column_stack([np.ones(30), X]) / sigma_y[:, None]
    plane = york_plane(X, y, 0.0, sigma_y)
    np.testing.assert_allclose(plane.params, np.linalg.lstsq(A, y / sigma_y)[0], rtol=1e-11)
    for covariance in plane.covariances.values():
        np.testing.assert_allclose(covariance, np.linalg.inv(A.T @ A), rtol=1e-10)


def test_many_points_go_through_a_sample():
    X, y, sigma_x, sigma_y = simulated(30000)
    plane = york_plane(X, y, sigma_x, sigma_y)
    adjusted, adjusted_y = adjusted_plane_points(plane.params, X, y, sigma_x, sigma_y)
    We = (y - plane.params[0] - X @ plane.params[1:]) / (
        sigma_y**2 + sigma_x**2 @ plane.params[1:] ** 2
    )
    terms = We[:, None] * np.column_stack([np.ones(len(y)), adjusted])
    assert np.abs(terms.sum(axis=0)).max() < 1e-10 * np.abs(terms).sum()
    distance = (
        np.square((X - adjusted) / sigma_x).sum() + np.square((y - adjusted_y) / sigma_y).sum()
    )
    assert distance == pytest.approx(plane.chi2, rel=1e-12)


def test_units_and_offsets():
    X, y, sigma_x, sigma_y = simulated(40)
    units, offset = np.array([1e6, 1.0, 1e-5]), np.array([1e5, -3e6, 0.0])
    plane = york_plane(X, y, sigma_x, sigma_y)
    other = york_plane(X * units + offset, 1e3 * y - 7.0, sigma_x * units, 1e3 * sigma_y)
    np.testing.assert_allclose(other.params[1:] * units / 1e3, plane.params[1:], rtol=1e-9)
    assert other.chi2 == pytest.approx(plane.chi2, rel=1e-9)


def test_through_the_origin():
    X, y, sigma_x, sigma_y = simulated(40)
    plane = york_plane(X, y, sigma_x, sigma_y, fit_intercept=False)
    assert plane.params.shape == (3,)
    assert plane.dof == 37
    there = chi2(np.append(0.0, plane.params), X, y, sigma_x, sigma_y)
    assert there == pytest.approx(plane.chi2, rel=1e-12)
    for step in np.eye(3) * 1e-3:
        assert chi2(np.append(0.0, plane.params + step), X, y, sigma_x, sigma_y) > there


def test_constant_feature_takes_no_part():
    X, y, sigma_x, sigma_y = simulated(40)
    plane = york_plane(X, y, sigma_x, sigma_y)
    other = york_plane(
        np.column_stack([X, np.full(40, 7.1)]), y, np.column_stack([sigma_x, np.ones(40)]), sigma_y
    )
    np.testing.assert_allclose(other.params, np.append(plane.params, 0.0), atol=1e-9)
    assert other.outcome is Outcome.RANK_DEFICIENT
    assert other.rank == 4
    assert np.isinf(other.covariance[4, 4])


def test_duplicate_feature_is_shared():
    X, y, _, sigma_y = simulated(40)
    plane = york_plane(X, y, 0.0, sigma_y)
    other = york_plane(X[:, [0, 1, 2, 0]], y, 0.0, sigma_y)
    expected = [*plane.params, 0.0] - np.array([0.0, 0.5, 0.0, 0.0, -0.5]) * plane.params[1]
    np.testing.assert_allclose(other.params, expected, rtol=1e-10)
    np.testing.assert_allclose(np.abs(other.null_space), [[0.0, 1.0, 0.0, 0.0, 1.0]], atol=1e-12)


def test_fewer_points_than_slopes():
    X, y, sigma_x, sigma_y = simulated(3)
    plane = york_plane(X, y, sigma_x, sigma_y)
    assert plane.outcome is Outcome.RANK_DEFICIENT
    assert plane.dof == 0
    np.testing.assert_allclose(plane.params[0] + X @ plane.params[1:], y, rtol=1e-10)
    shortest = np.linalg.lstsq(X - X.mean(axis=0), y - y.mean())[0]
    np.testing.assert_allclose(plane.params[1:], shortest, rtol=1e-9)


@pytest.mark.parametrize(
    ("sigma_x", "outcome"), [(0.1, Outcome.VERTICAL), (0.0, Outcome.UNDETERMINED)]
)
def test_no_feature_varies(sigma_x, outcome):
    plane = york_plane(np.ones((5, 2)), np.arange(5.0), sigma_x, 0.1)
    assert plane.outcome is outcome
    assert not plane.converged


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones(3), np.ones(3), 0.1, 0.1), "`X` must be a matrix"),
        ((np.ones((3, 2)), np.ones(2), 0.1, 0.1), "`X` must be a matrix"),
        ((np.ones((2, 2)), np.ones(2), [[0.1, 0.1], [0.1, -1.0]], 0.1), "Got -1.0 in row 1"),
        ((np.ones((2, 2)), np.ones(2), 0.1, [0.1, np.inf]), "`sigma_y` .* Got inf in row 1"),
        ((np.ones((2, 2)), np.ones(2), 0.0, [0.1, 0.0]), "only zeros in row 1"),
    ],
)
def test_impossible_errors_name_the_row(arguments, message):
    with pytest.raises(ValueError, match=message):
        york_plane(*arguments)


def test_intervals_cover_the_truth():
    rng = np.random.default_rng(7)
    n_repeats, n_samples = 700, 30
    true = rng.normal(size=(n_samples, 3)) * 2.0
    sigma_x, sigma_y = rng.uniform(0.1, 0.4, (n_samples, 3)), rng.uniform(0.1, 0.4, n_samples)
    inside = np.zeros(4)
    for _ in range(n_repeats):
        X = true + sigma_x * rng.normal(size=true.shape)
        y = TRUTH[0] + true @ TRUTH[1:] + sigma_y * rng.normal(size=n_samples)
        plane = york_plane(X, y, sigma_x, sigma_y)
        inside += np.abs(plane.params - TRUTH) < np.sqrt(np.diag(plane.covariance))
    np.testing.assert_allclose(inside / n_repeats, 0.6827, atol=4.0 * math.sqrt(0.217 / n_repeats))


def test_memory_beyond_the_input():
    data = simulated(200000)
    tracemalloc.start()
    york_plane(*data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20e6
