"""The F test of added columns is that of a larger fit."""

import numpy as np
import pytest
import statsmodels.api as sm

from sklsq.diagnostics.trend import new_directions, trend_test

RNG = np.random.default_rng(4)
X = np.sort(RNG.uniform(0.0, 2.0, 25))
SIGMA = RNG.uniform(0.5, 2.0, 25)
Y = 1.0 + X + SIGMA * RNG.normal(size=25)


def fitted(degree):
    design = np.vander(X, degree + 1) / SIGMA[:, None]
    root = np.linalg.qr(design)[0]
    y = Y / SIGMA
    return y - root @ (root.T @ y), root


@pytest.mark.parametrize("degree", [0, 1, 4])
def test_beside_two_fits_of_statsmodels(degree):
    residual, root = fitted(degree)
    columns = new_directions(X, 1.0 / SIGMA, root)
    test = trend_test(residual, root, columns, 25.0 - degree - 1)
    small, large = (
        sm.WLS(Y, np.vander(X, k + 1), weights=1 / SIGMA**2).fit() for k in (degree, degree + 2)
    )
    ratio, p_value, added = large.compare_f_test(small)
    assert test.n_directions == added == 2
    np.testing.assert_allclose([test.statistic, test.p_value], [ratio, p_value], rtol=1e-7)


def test_directions_are_new_and_orthonormal():
    _, root = fitted(2)
    columns = new_directions(X, 1.0 / SIGMA, root, n_wanted=4)
    np.testing.assert_allclose(columns.T @ columns, np.eye(4), atol=1e-12)
    np.testing.assert_allclose(root.T @ columns, 0.0, atol=1e-12)


def test_two_values_allow_one_direction():
    x = np.repeat([0.0, 1.0], 6)
    ones = np.ones((12, 1)) / np.sqrt(12.0)
    assert new_directions(x, np.ones(12), ones).shape == (12, 1)
    line = np.linalg.qr(np.column_stack([np.ones(12), x]))[0]
    assert new_directions(x, np.ones(12), line).shape == (12, 0)


def test_nothing_to_test():
    constant = new_directions(np.ones(9), np.ones(9), np.empty((9, 0)))
    assert np.isnan(trend_test(np.ones(9), np.empty((9, 0)), constant, 9.0).p_value)
    residual, root = fitted(1)
    columns = new_directions(X, 1.0 / SIGMA, root)
    assert np.isnan(trend_test(residual, root, columns, 2.0).statistic)
    assert trend_test(columns[:, 0], root, columns, 23.0).p_value == pytest.approx(0.0, abs=1e-99)
