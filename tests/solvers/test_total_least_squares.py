"""Total least squares: the line, the singular vectors, rank, coverage."""

import math

import numpy as np
import pytest

from sklsq.solvers.errors_in_variables import Outcome
from sklsq.solvers.principal_axis import deming
from sklsq.solvers.total_least_squares import total_least_squares
from sklsq.solvers.york_plane import york_plane

TRUTH = np.array([2.0, 1.0, -0.5, 0.3])


def simulated(n_samples, seed=0, noise=0.3):
    rng = np.random.default_rng(seed)
    true = rng.normal(size=(n_samples, 3)) * 2.0 + [5.0, -3.0, 1.0]
    y = TRUTH[0] + true @ TRUTH[1:] + noise * rng.normal(size=n_samples)
    return true + noise * rng.normal(size=true.shape), y


def test_textbook():
    X, y = simulated(30)
    Z = np.column_stack([X - X.mean(axis=0), y - y.mean()])
    normal = np.linalg.svd(Z)[2][-1]
    plane = total_least_squares(X, y)
    np.testing.assert_allclose(plane.params[1:], -normal[:-1] / normal[-1], rtol=1e-12)
    assert plane.chi2 == pytest.approx(np.linalg.svd(Z)[1][-1] ** 2, rel=1e-12)


@pytest.mark.parametrize("ratio", [0.1, 1.0, 25.0])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_one_feature_is_deming(ratio, fit_intercept):
    X, y = simulated(25)
    w = np.random.default_rng(1).uniform(0.5, 2.0, 25)
    options = {"error_ratio": ratio, "fit_intercept": fit_intercept}
    plane = total_least_squares(X[:, :1], y, w, **options)
    line = deming(X[:, 0], y, w, **options)
    np.testing.assert_allclose(plane.params, line.params, rtol=1e-11)
    assert plane.chi2 == pytest.approx(line.chi2, rel=1e-12)
    for definition in ("normal", "robust", "absolute"):
        np.testing.assert_allclose(
            plane.covariances[definition], line.covariances[definition], rtol=1e-9
        )


@pytest.mark.parametrize("ratio", [1.0, 4.0])
def test_york_with_equal_errors(ratio):
    X, y = simulated(40)
    w = np.random.default_rng(1).uniform(0.5, 2.0, 40)
    sigma = 1.0 / np.sqrt(w)
    plane = total_least_squares(X, y, w, error_ratio=ratio)
    york = york_plane(X, y, np.repeat(sigma[:, None], 3, axis=1) / math.sqrt(ratio), sigma)
    np.testing.assert_allclose(plane.params, york.params, rtol=1e-10)
    assert plane.chi2 == pytest.approx(york.chi2, rel=1e-11)
    np.testing.assert_allclose(plane.covariances["absolute"], york.covariance, rtol=0.3, atol=0.01)


def test_robust_errors_are_the_influence_of_single_points():
    X, y = simulated(20)
    moves = []
    for step in np.eye(20) * 1e-4:
        up, down = (total_least_squares(X, y, 1.0 + s).params for s in (step, -step))
        moves.append((up - down) / 2e-4)
    found = total_least_squares(X, y).covariances["robust"]
    np.testing.assert_allclose(found, np.array(moves).T @ moves, rtol=1e-5)


def test_constant_feature_takes_no_part():
    X, y = simulated(30)
    plane = total_least_squares(X, y)
    other = total_least_squares(np.column_stack([X, np.full(30, 7.1)]), y)
    np.testing.assert_allclose(other.params, np.append(plane.params, 0.0), atol=1e-10)
    assert other.outcome is Outcome.RANK_DEFICIENT
    np.testing.assert_allclose(other.covariance[1:4, 1:4], plane.covariance[1:, 1:], rtol=1e-9)
    assert np.isinf(other.covariance[4, 4])


def test_duplicate_feature_is_shared_equally():
    X, y = simulated(30)
    plane = total_least_squares(X[:, [0, 1, 2, 0]], y)
    assert np.abs(plane.params).max() < 10.0
    assert plane.params[1] == pytest.approx(plane.params[4], rel=1e-12)
    assert plane.rank == 4


def test_fewer_points_than_slopes():
    X, y = simulated(3)
    plane = total_least_squares(X, y)
    assert plane.outcome is Outcome.RANK_DEFICIENT
    np.testing.assert_allclose(plane.params[0] + X @ plane.params[1:], y, rtol=1e-10)


def test_repetition_is_a_weight_and_blocks_add_up():
    X, y = simulated(20000)
    times = np.arange(20000) % 3 + 1
    repeated = total_least_squares(np.repeat(X, times, axis=0), np.repeat(y, times))
    plane = total_least_squares(X, y, times)
    np.testing.assert_allclose(repeated.params, plane.params, rtol=1e-11)
    assert repeated.chi2 == pytest.approx(plane.chi2, rel=1e-11)


@pytest.mark.parametrize("unit", [1e140, 1e-140])
def test_extreme_units(unit):
    X, y = simulated(30)
    plane, other = total_least_squares(X, y), total_least_squares(X * unit, y * unit)
    np.testing.assert_allclose(other.params[1:], plane.params[1:], rtol=1e-12)
    np.testing.assert_allclose(other.covariance[1:, 1:], plane.covariance[1:, 1:], rtol=1e-10)


@pytest.mark.parametrize(
    ("X", "y", "outcome"),
    [
        (np.ones((5, 1)), np.arange(5.0), Outcome.VERTICAL),
        (np.ones((5, 2)), np.ones(5), Outcome.UNDETERMINED),
        (np.tile(np.arange(5.0), 5)[:, None], np.repeat(np.arange(5.0), 5), Outcome.UNCORRELATED),
        (np.tile([0.0, 1.0], 5)[:, None], np.repeat(np.arange(5.0), 2), Outcome.VERTICAL),
    ],
)
def test_no_answer_is_told(X, y, outcome):
    plane = total_least_squares(X, y)
    assert plane.outcome is outcome
    assert not plane.converged
    assert np.isnan(plane.covariance).all()


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((np.ones(3), np.ones(3)), {}, "`X` must be a matrix"),
        ((np.ones((2, 1)), np.ones(2), [1.0, -1.0]), {}, "`weights` .* Got -1.0 in row 1"),
        ((np.ones((2, 1)), np.ones(2)), {"error_ratio": np.nan}, "`error_ratio` must be"),
    ],
)
def test_impossible_arguments(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        total_least_squares(*arguments, **options)


def test_intervals_cover_the_truth():
    rng = np.random.default_rng(13)
    n_repeats, n_samples = 1000, 50
    true = rng.normal(size=(n_samples, 3)) * 2.0
    inside = np.zeros((2, 4))
    for _ in range(n_repeats):
        X = true + 0.5 * rng.normal(size=true.shape)
        y = TRUTH[0] + true @ TRUTH[1:] + 0.5 * rng.normal(size=n_samples)
        plane = total_least_squares(X, y, np.full(n_samples, 4.0))
        for i, definition in enumerate(("normal", "absolute")):
            std = np.sqrt(np.diag(plane.covariances[definition]))
            inside[i] += np.abs(plane.params - TRUTH) < std
    np.testing.assert_allclose(inside / n_repeats, 0.6827, atol=4.0 * math.sqrt(0.217 / n_repeats))
