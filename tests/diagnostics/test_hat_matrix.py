"""The root of the hat matrix is that of the design matrix, from predictions alone."""

import numpy as np
import pytest

from sklsq import DesignMatrixRegressor, NonlinearLSQ, RankWarning
from sklsq.basis import Polynomial
from sklsq.diagnostics.hat_matrix import hat_root, root_of
from sklsq.inference.residuals import residuals_of_fit
from sklsq.inference.row_errors import errors_of_rows


def root_and_rows(estimator, X, y, sigma=None):
    errors = errors_of_rows(estimator, X, y, sigma=sigma)
    leverage = residuals_of_fit(estimator, X, y, errors).leverage
    return hat_root(estimator, X, errors, leverage, 0), errors


@pytest.mark.parametrize("n", [30, 2500])
@pytest.mark.parametrize("weighted", [True, False])
def test_root_of_a_linear_fit(n, weighted):
    rng = np.random.default_rng(n)
    X = rng.normal(size=(n, 2))
    sigma = rng.uniform(0.1, 3.0, n) if weighted else None
    fit = DesignMatrixRegressor(Polynomial(3)).fit(X, rng.normal(size=n), sigma=sigma)
    root, _ = root_and_rows(fit, X, rng.normal(size=n), sigma)
    a, b = X.T
    design = np.column_stack([np.ones(n), a, b, a**2, a * b, b**2, a**3, a**2 * b, a * b**2, b**3])
    basis = np.linalg.qr(design / (sigma[:, None] if weighted else 1.0))[0]
    assert root.shape == (n, 10)
    vector = rng.normal(size=(n, 3))
    np.testing.assert_allclose(root @ (root.T @ vector), basis @ (basis.T @ vector), atol=1e-9)


def test_rare_columns_are_found():
    """Columns that are zero in nearly all of many rows."""
    rng = np.random.default_rng(0)
    n = 3000
    groups = np.concatenate([np.arange(40).repeat(3), np.full(n - 120, 40)])
    X = (groups[:, None] == np.arange(41)).astype(float)
    fit = DesignMatrixRegressor().fit(X, rng.normal(size=n))
    root, _ = root_and_rows(fit, X, rng.normal(size=n))
    expected = X / np.sqrt(X.sum(axis=0))
    vector = rng.normal(size=n)
    np.testing.assert_allclose(
        root @ (root.T @ vector), expected @ (expected.T @ vector), atol=1e-9
    )


def test_nonlinear_fit_follows_its_tangent():
    rng = np.random.default_rng(1)
    x = np.linspace(0.0, 4.0, 900)[:, None]
    y = 2.0 * np.exp(-x[:, 0]) + 0.1 * rng.normal(size=900)
    fit = NonlinearLSQ("a*exp(-b*x)", p0=[2.0, 1.0]).fit(x, y)
    a, b = fit.params_
    decay = np.exp(-b * x[:, 0])
    basis = np.linalg.qr(np.column_stack([decay, -a * x[:, 0] * decay]))[0]
    root, _ = root_and_rows(fit, x, y)
    np.testing.assert_allclose(basis - root @ (root.T @ basis), 0.0, atol=1e-7)


def test_rank_is_that_of_the_fit():
    x = np.linspace(0.0, 1.0, 12)
    design = np.column_stack([np.ones(12), x, 1.0 - x])
    with pytest.warns(RankWarning, match="2 of 3 parameter combinations"):
        fit = DesignMatrixRegressor().fit(design, x)
    root, _ = root_and_rows(fit, design, x + 0.01 * np.sin(50 * x), 1.0)
    assert root.shape[1] == 2


def test_correlated_errors():
    rng = np.random.default_rng(2)
    x = np.linspace(0.0, 1.0, 20)
    V = np.exp(-np.abs(x[:, None] - x) / 0.2)
    fit = DesignMatrixRegressor(Polynomial(1)).fit(x[:, None], rng.normal(size=20), sigma=V)
    root, errors = root_and_rows(fit, x[:, None], rng.normal(size=20), V)
    basis = np.linalg.qr(np.linalg.solve(errors.cholesky, np.vander(x, 2)))[0]
    np.testing.assert_allclose(root @ root.T, basis @ basis.T, atol=1e-10)


def test_root_of_a_projection():
    basis = np.linalg.qr(np.random.default_rng(3).normal(size=(9, 4)))[0]
    root = root_of(basis @ basis.T)
    np.testing.assert_allclose(root @ root.T, basis @ basis.T, atol=1e-14)
