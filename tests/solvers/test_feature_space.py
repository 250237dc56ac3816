"""Rank of centred features, whatever their units and offsets."""

import numpy as np
import pytest

from sklsq.solvers.feature_space import feature_space


def features(n_samples=30):
    return np.random.default_rng(0).normal(size=(n_samples, 3)) + np.array([5.0, -3.0, 0.0])


@pytest.mark.parametrize("offset", [0.0, 1e6, 1e9])
@pytest.mark.parametrize("unit", [1e-8, 1.0, 1e8])
def test_full_rank_whatever_offset_and_unit(offset, unit):
    X = (features() + offset) * [1.0, unit, 1.0]
    space = feature_space(X, X[:, 0], fit_intercept=True)
    assert space.rank == 3
    np.testing.assert_array_equal(space.basis, np.eye(3))
    assert space.null_space.shape == (0, 4)


@pytest.mark.parametrize("constant", [0.0, 7.1, 1e10 / 3.0])
def test_constant_feature_is_one_with_the_intercept(constant):
    X = np.column_stack([features(), np.full(30, constant)])
    space = feature_space(X, X[:, 0], fit_intercept=True)
    assert space.rank == 3
    direction = space.null_space[0] / space.null_space[0, 4]
    np.testing.assert_allclose(direction, [-constant, 0.0, 0.0, 0.0, 1.0], rtol=1e-12)
    rank = 4 if constant else 3
    assert feature_space(X, X[:, 0], fit_intercept=False).rank == rank


def test_linear_combination():
    X = features()
    X = np.column_stack([X, 1e5 * (X[:, 0] - 2.0 * X[:, 1]) + 4.0])
    space = feature_space(X, X[:, 0], fit_intercept=True)
    assert space.rank == 3
    intercept, *slopes = space.null_space[0]
    np.testing.assert_allclose(intercept + X @ slopes, 0.0, atol=1e-9 * np.abs(X).max())
    np.testing.assert_allclose(slopes @ space.basis, 0.0, atol=1e-12)


def test_fewer_points_than_features():
    space = feature_space(features(3), np.arange(3.0), fit_intercept=True)
    assert space.rank == 2
    assert space.null_space.shape == (1, 4)


def test_nearly_dependent_features_keep_their_rank():
    X = features(3000)
    X = np.column_stack([X, X[:, 0] + 1e-9 * np.random.default_rng(1).normal(size=3000)])
    assert feature_space(X, X[:, 0], fit_intercept=True).rank == 4
    assert feature_space(X, X[:, 0], fit_intercept=True, rcond=1e-6).rank == 3
