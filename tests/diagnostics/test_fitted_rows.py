"""The rows that the tests see: usable ones, in units of σ, of any regressor."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from sklsq import LinearizedRegressor, NonlinearLSQ, SigmaClippedRegressor, WeightedLinearFit
from sklsq.diagnostics.fitted_rows import rows_of_fit

RNG = np.random.default_rng(6)
X = pd.DataFrame({"x": np.sort(RNG.uniform(0.0, 2.0, 30))})
SIGMA = RNG.uniform(0.1, 0.4, 30)
Y = 1.0 + 2.0 * X["x"].to_numpy() + SIGMA * RNG.normal(size=30)


def rows(estimator, X=X, y=Y, sigma=None, target=0):
    return rows_of_fit(estimator, X, y, sigma=sigma, sigma_x=None, corr_xy=None, target=target)


def test_units_of_sigma():
    fit = WeightedLinearFit().fit(X, Y, sigma=SIGMA)
    found, residuals, usable = rows(fit, sigma=SIGMA)
    assert usable.all()
    assert found.known
    assert found.feature_names == ["x"]
    assert found.residual @ found.residual == pytest.approx(fit.chi2_)
    np.testing.assert_allclose(found.leverage, residuals.leverage)
    np.testing.assert_allclose(found.standardized, residuals.standardized)
    assert found.remarks == []
    reversed_rows = found.take(np.arange(30)[::-1])
    np.testing.assert_array_equal(reversed_rows.residual, found.residual[::-1])


def test_same_for_plain_linear_regression():
    """The hat matrix of scikit-learn's regression is that of its features, also transformed."""
    ours = rows(WeightedLinearFit().fit(X, Y))[0]
    theirs = rows(LinearRegression().fit(X, Y))[0]
    np.testing.assert_allclose(theirs.leverage, ours.leverage)
    assert theirs.dof == ours.dof == 28
    pipeline = make_pipeline(StandardScaler(), PolynomialFeatures(3), LinearRegression())
    assert rows(pipeline.fit(X, Y))[0].dof == 26
    assert rows(LinearRegression(fit_intercept=False).fit(X, Y))[0].dof == 29


def test_other_regressors_are_remarked_upon():
    forest = RandomForestRegressor(3, random_state=0).fit(X, Y)
    found = rows(forest)[0]
    assert found.root.shape == (30, 0)
    assert "does not say how its predictions follow the data" in found.remarks[0]


def test_missing_values_are_left_out():
    curves = np.column_stack([Y, Y])
    curves[[3, 9], 1] = np.nan
    fit = NonlinearLSQ("a + b*x").fit(X, curves)
    found, residuals, usable = rows(fit, y=curves, target=1)
    assert list(np.flatnonzero(~usable)) == [3, 9]
    assert len(found.residual) == 28
    assert found.dof == 26
    assert len(residuals.residual) == 30
    kept = np.delete(np.arange(30), [3, 9])
    alone = rows(NonlinearLSQ("a + b*x").fit(X.iloc[kept], Y[kept]), X.iloc[kept], Y[kept])[0]
    np.testing.assert_allclose(found.leverage, alone.leverage, rtol=1e-6)


def test_rejected_points_are_left_out():
    y = Y.copy()
    y[7] += 30.0
    fit = SigmaClippedRegressor(WeightedLinearFit()).fit(X, y, sigma=SIGMA)
    found, _, usable = rows(fit, y=y, sigma=SIGMA)
    assert list(np.flatnonzero(~usable)) == [7]
    assert found.remarks == ["points that the fit rejected are not tested: 1, in rows 7."]
    assert found.leverage.sum() == pytest.approx(2.0)
    assert found.residual @ found.residual == pytest.approx(fit.chi2_)


def test_robust_losses_are_remarked_upon():
    fit = NonlinearLSQ("a + b*x", loss="soft_l1").fit(X, Y, sigma=SIGMA)
    assert "robust loss" in rows(fit, sigma=SIGMA)[0].remarks[0]


def test_other_data_are_remarked_upon():
    fit = WeightedLinearFit().fit(X, Y, sigma=SIGMA)
    assert "are not those it was made with" in rows(fit, y=Y + X["x"], sigma=SIGMA)[0].remarks[0]
    assert rows(fit, sigma=2.0 * SIGMA)[0].remarks


def test_correlated_errors_become_independent():
    V = np.outer(SIGMA, SIGMA) * np.exp(-np.abs(X.to_numpy() - X["x"].to_numpy()) / 0.3)
    fit = WeightedLinearFit().fit(X, Y, sigma=V)
    found = rows(fit, sigma=V)[0]
    assert found.residual @ found.residual == pytest.approx(fit.chi2_)
    np.testing.assert_allclose(found.leverage.sum(), 2.0)


@pytest.mark.parametrize("func", ["log", "1/y"])
@pytest.mark.parametrize("wrap", [lambda fit: fit, lambda fit: SigmaClippedRegressor(fit)])
def test_residuals_of_a_transform_are_those_of_the_fit_to_it(func, wrap):
    """Also at errors of 30 %, where those of y are far from Gaussian; whichever way it turns."""
    z = 2.0 - 0.4 * X["x"].to_numpy() + 0.1 * np.random.default_rng(2).normal(size=30)
    y = np.exp(z) if func == "log" else 1.0 / z
    fit = wrap(LinearizedRegressor(WeightedLinearFit(), func=func)).fit(X, y)
    found, _, _ = rows(fit, y=y)
    expected, _, _ = rows(WeightedLinearFit().fit(X, z), y=z)
    sign = 1.0 if func == "log" else -1.0
    np.testing.assert_allclose(found.residual, sign * expected.residual, rtol=1e-6)
    np.testing.assert_allclose(found.leverage, expected.leverage, rtol=1e-6)
    assert found.remarks == []


def test_a_transform_fitted_by_another_library():
    y = np.exp(X["x"].to_numpy())
    fit = LinearizedRegressor(LinearRegression()).fit(X, y)
    found, _, _ = rows(fit, y=y)
    assert np.isfinite(found.residual).all()
