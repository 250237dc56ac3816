"""Errors of the points follow the convention of the fit, and adjusted features their definition."""

import numpy as np
import pytest
from scipy.linalg import solve_triangular

from sklsq import DesignMatrixRegressor, NonlinearLSQ, OrthogonalRegression, WeightedLinearFit
from sklsq.inference.row_errors import errors_of_rows, solve_lower

X = np.linspace(0.0, 2.0, 25)[:, None]
SIGMA = np.linspace(0.2, 0.6, 25)
Y = 1.0 + 3.0 * X[:, 0] + SIGMA * np.random.default_rng(0).normal(size=25)


@pytest.mark.parametrize("absolute", [True, False])
def test_scaled_or_as_given(absolute):
    fit = WeightedLinearFit(absolute_sigma=absolute).fit(X, Y, sigma=SIGMA)
    errors = errors_of_rows(fit, X, Y, sigma=SIGMA)
    scale = 1.0 if absolute else np.sqrt(fit.reduced_chi2_)
    np.testing.assert_allclose(errors.sigma, scale * SIGMA)
    np.testing.assert_allclose(errors.unit, scale * SIGMA)
    assert errors.known == absolute
    np.testing.assert_allclose(errors.whiten(Y), Y / errors.sigma)
    assert errors.adjusted(X, Y) is X


def test_hat_matrix_is_a_projection():
    V = np.outer(SIGMA, SIGMA) * np.exp(-np.abs(X - X[:, 0]))
    for sigma in (SIGMA, V, None, 0.3):
        fit = WeightedLinearFit().fit(X, Y, sigma=sigma)
        errors = errors_of_rows(fit, X, Y, sigma=sigma)
        hat = errors.hat(fit.predict(X, return_cov=True)[1])
        np.testing.assert_allclose(hat @ hat, hat, atol=1e-10)
        assert np.trace(hat) == pytest.approx(2.0)


def test_triangle():
    rng = np.random.default_rng(1)
    triangle, right = np.tril(rng.normal(size=(5, 5))) + 3.0 * np.eye(5), rng.normal(size=(5, 2))
    np.testing.assert_array_equal(
        solve_lower(triangle, right), solve_triangular(triangle, right, lower=True)
    )


def test_sigma_x_of_a_curve():
    """σ of y less the curve follows its slope."""
    parabola = DesignMatrixRegressor(["1", "x**2"]).fit(X, Y, sigma=SIGMA)
    errors = errors_of_rows(parabola, X, Y, sigma=SIGMA, sigma_x=0.1)
    slope = 2.0 * parabola.coef_[1] * X[:, 0]
    inner = slice(1, -1)  # one-sided at the ends
    expected = np.hypot(SIGMA, 0.1 * slope)
    np.testing.assert_allclose(errors.sigma[inner], expected[inner], rtol=1e-6)


@pytest.mark.parametrize("corr", [0.0, 0.7])
def test_adjusted_features_do_not_depend_on_residuals(corr):
    rng = np.random.default_rng(3)
    n = 20_000
    x, z = rng.normal(size=n), rng.normal(size=(2, n))
    X = (x + 0.5 * z[0])[:, None]
    y = 1.0 + 2.0 * x + 0.6 * (corr * z[0] + np.sqrt(1.0 - corr**2) * z[1])
    given = {"sigma": 0.6, "sigma_x": 0.5, "corr_xy": corr}
    fit = OrthogonalRegression().fit(X, y, **given)
    errors = errors_of_rows(fit, X, y, **given)
    residual = y - fit.predict(X)
    noise = 4.0 / np.sqrt(n)
    assert abs(np.corrcoef(errors.adjusted(X, residual)[:, 0], residual)[0, 1]) < noise
    assert abs(np.corrcoef(X[:, 0], residual)[0, 1]) > noise
    moved = fit.predict(X) + errors.lift * residual
    np.testing.assert_allclose(moved, fit.predict(errors.adjusted(X, residual)), rtol=1e-6)


@pytest.mark.parametrize("method", ["major_axis", "reduced_major_axis", "total"])
def test_adjusted_features_without_errors_given(method):
    """The foot of the perpendicular, or as far off as the ratio of the variances says."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=50)
    y = 3.0 * x + rng.normal(size=50)
    fit = OrthogonalRegression(method, error_ratio=4.0).fit(x[:, None], y)
    shift = errors_of_rows(fit, x[:, None], y).shift
    b = fit.coef_[0]
    expected = {
        "major_axis": b / (1.0 + b**2),
        "total": b / (4.0 + b**2),
        "reduced_major_axis": 0.5 / b,
    }
    np.testing.assert_allclose(shift, expected[method], rtol=1e-6)


def test_missing_points_need_no_error():
    rng = np.random.default_rng(2)
    y = np.column_stack([X[:, 0], 1.0 - X[:, 0]]) + rng.normal(0.0, 0.1, (len(X), 2))
    y[3, 0] = np.nan
    sigma = np.where(np.isnan(y), np.nan, 0.1)
    curves = NonlinearLSQ("a + b*x").fit(X, y, sigma=sigma)
    table = curves.residuals(X, y, sigma=sigma)
    assert table.drop(columns="fitted").loc[3].isna().all()
    there = np.arange(len(X)) != 3
    alone = WeightedLinearFit().fit(X[there], y[there, 0], sigma=0.1)
    expected = alone.residuals(X[there], y[there, 0], sigma=0.1).to_numpy()
    np.testing.assert_allclose(table.to_numpy()[there], expected, rtol=1e-6, atol=1e-9)
    second = curves.residuals(X, y, sigma=sigma, target=1)
    assert second.notna().all(axis=None)
