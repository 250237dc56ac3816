"""Residuals, pulls and leverages are those of the textbook, in every convention of the errors."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklsq import (
    DesignMatrixRegressor,
    LinearizedRegressor,
    NonlinearLSQ,
    OrthogonalRegression,
    SigmaClippedRegressor,
    WeightedLinearFit,
)
from sklsq.basis import Polynomial
from sklsq.datasets import load_gaussian_peak, load_pearson_york
from sklsq.inference.residuals import residual_table, residuals_of

ROUNDING = {"rtol": 1e-9, "atol": 1e-12}


def parabola(n=14, seed=1):
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(0.0, 3.0, n))
    sigma = rng.uniform(0.1, 0.6, n)
    return x, 1.0 + x - 0.5 * x**2 + sigma * rng.normal(size=n), sigma


def peer(x, y, sigma):
    """The influence measures of statsmodels, for rows divided by σ."""
    design = np.vander(x, 3) / sigma[:, None]
    return sm.OLS(y / sigma, design).fit().get_influence()


@pytest.mark.parametrize("absolute", [True, False])
def test_weighted_fit_beside_statsmodels(absolute):
    x, y, sigma = parabola()
    fit = DesignMatrixRegressor(Polynomial(2), absolute_sigma=absolute)
    table = residual_table(fit.fit(x[:, None], y, sigma=sigma), x[:, None], y, sigma=sigma)
    influence = peer(x, y, sigma)
    scale = 1.0 if absolute else np.sqrt(fit.reduced_chi2_)
    np.testing.assert_allclose(table["leverage"], influence.hat_matrix_diag, **ROUNDING)
    np.testing.assert_allclose(table["sigma"], scale * sigma)
    np.testing.assert_allclose(table["pull"], influence.resid / scale, **ROUNDING)
    internally = influence.resid_studentized_internal
    to_scatter = np.sqrt(fit.reduced_chi2_) if absolute else 1.0
    np.testing.assert_allclose(table["standardized"] / to_scatter, internally, **ROUNDING)


def test_unknown_sigma_is_the_scatter():
    x, y, _ = parabola()
    fit = DesignMatrixRegressor(Polynomial(2)).fit(x[:, None], y)
    table = residual_table(fit, x[:, None], y)
    influence = peer(x, y, np.ones_like(x))
    np.testing.assert_allclose(table["sigma"], np.sqrt(fit.reduced_chi2_))
    np.testing.assert_allclose(table["leverage"], influence.hat_matrix_diag, **ROUNDING)
    np.testing.assert_allclose(
        table["standardized"], influence.resid_studentized_internal, **ROUNDING
    )
    # One number for σ of a fit without changes the scale only.
    other = residual_table(fit, x[:, None], y, sigma=0.2)
    np.testing.assert_allclose(other["leverage"], table["leverage"])
    np.testing.assert_allclose(other["residual_std"], 0.2 * np.sqrt(1.0 - table["leverage"]))


def test_covariance_of_residuals():
    """Generalised least squares: residual covariance V - cov(f), leverage the diagonal of H."""
    x, y, sigma = parabola()
    V = np.outer(sigma, sigma) * np.exp(-np.abs(x[:, None] - x))
    design = np.vander(x, 2)
    normal = design.T @ np.linalg.solve(V, design)
    H = design @ np.linalg.solve(normal, np.linalg.solve(V, design).T)
    fit = WeightedLinearFit().fit(x[:, None], y, sigma=V)
    table = residual_table(fit, x[:, None], y, sigma=V)
    np.testing.assert_allclose(table["leverage"], np.diag(H), rtol=1e-7)
    np.testing.assert_allclose(table["residual_std"], np.sqrt(np.diag(V - H @ V)), rtol=1e-7)


def test_standard_deviation_of_residuals_by_simulation():
    x, _, sigma = parabola()
    rng = np.random.default_rng(0)
    Y = sigma[:, None] * rng.normal(size=(len(x), 4000))
    fit = DesignMatrixRegressor(Polynomial(2)).fit(x[:, None], Y, sigma=sigma)
    expected = residual_table(fit, x[:, None], Y, sigma=sigma, target=7)["residual_std"]
    found = (Y - fit.predict(x[:, None])).std(axis=1)
    assert (np.abs(found / expected - 1.0) * np.sqrt(2.0 * 4000) < 4.0).all()


def test_leverages_add_up_to_the_parameters():
    peak = load_gaussian_peak()
    fit = NonlinearLSQ("p1 + p2*exp(-((x - p3)/p4)**2)").fit(peak.X, peak.y_values)
    assert residual_table(fit, peak.X, peak.y_values)["leverage"].sum() == pytest.approx(4.0)


def test_errors_in_x_are_in_the_pulls():
    data = load_pearson_york()
    fit = OrthogonalRegression().fit(
        data.X, data.y_values, sigma=data.sigma_values, sigma_x=data.sigma_x_values
    )
    table = residual_table(
        fit, data.X, data.y_values, sigma=data.sigma_values, sigma_x=data.sigma_x_values
    )
    assert (table["pull"] ** 2).sum() == pytest.approx(fit.chi2_)
    assert table["leverage"].sum() == pytest.approx(2.0)
    correlated = OrthogonalRegression().fit(
        data.X, data.y_values, sigma=data.sigma_values, sigma_x=data.sigma_x_values, corr_xy=0.5
    )
    errors = {"sigma": data.sigma_values, "sigma_x": data.sigma_x_values, "corr_xy": 0.5}
    pull = residual_table(correlated, data.X, data.y_values, **errors)["pull"]
    assert (pull**2).sum() == pytest.approx(correlated.chi2_)


def test_perpendicular_distances_are_scaled_by_the_scatter_in_y():
    x, y, _ = parabola(60)
    fit = OrthogonalRegression("major_axis").fit(x[:, None], y)
    table = residual_table(fit, x[:, None], y)
    assert (table["pull"] ** 2).sum() == pytest.approx(fit.dof_)


def test_intrinsic_scatter_counts():
    rng = np.random.default_rng(2)
    x = np.linspace(0.0, 10.0, 80)
    y = x + np.hypot(0.1, 0.5) * rng.normal(size=80)
    errors = {"sigma": 0.1, "sigma_x": 0.01}
    fit = OrthogonalRegression(intrinsic_scatter=True).fit(x[:, None], y, **errors)
    pull = residual_table(fit, x[:, None], y, **errors)["pull"]
    assert (pull**2).mean() == pytest.approx(1.0, abs=0.01)


def test_rejected_points_do_not_pull_the_curve():
    x, y, sigma = parabola(30)
    y[4] += 20.0
    fit = SigmaClippedRegressor(DesignMatrixRegressor(Polynomial(2)))
    table = residual_table(fit.fit(x[:, None], y, sigma=sigma), x[:, None], y, sigma=sigma)
    assert table["leverage"].sum() == pytest.approx(3.0)
    assert table["leverage"][4] == 0.0
    _, std = fit.predict(x[[4], None], return_std=True)
    assert table["residual_std"][4] == pytest.approx(np.hypot(sigma[4], std[0]))


@pytest.mark.parametrize("in_pipeline", [True, False])
def test_transformed_targets(in_pipeline):
    """Equal errors of log(y) are errors of y in proportion to the curve."""
    rng = np.random.default_rng(5)
    x = np.linspace(0.0, 5.0, 40)[:, None]
    y = np.exp(0.3 * x[:, 0]) * np.exp(0.02 * rng.normal(size=40))
    logarithms = WeightedLinearFit().fit(x, np.log(y))
    fit = LinearizedRegressor(WeightedLinearFit(), func=np.log, inverse_func=np.exp)
    fit = (make_pipeline(StandardScaler(), fit) if in_pipeline else fit).fit(x, y)
    table, expected = residual_table(fit, x, y), residual_table(logarithms, x, np.log(y))
    np.testing.assert_allclose(table["leverage"], expected["leverage"], rtol=1e-6)
    np.testing.assert_allclose(table["sigma"], fit.predict(x) * expected["sigma"], rtol=1e-6)
    to_first_order = 0.05  # of a pull, where errors are 2 %
    np.testing.assert_allclose(table["pull"], expected["pull"], atol=to_first_order)


def test_transformed_targets_inside_of_clipping():
    rng = np.random.default_rng(5)
    x = np.linspace(0.0, 5.0, 40)[:, None]
    y = np.exp(-0.8 * x[:, 0]) * np.exp(0.02 * rng.normal(size=40))
    plain = LinearizedRegressor(WeightedLinearFit())
    around = SigmaClippedRegressor(plain, n_sigma=6.0).fit(x, y)
    expected = residual_table(plain.fit(x, y), x, y)
    pd.testing.assert_frame_equal(residual_table(around, x, y), expected, rtol=1e-9)


def test_rows_of_zero_weight_have_no_pull():
    x, y, sigma = parabola()
    weight = sigma**-2.0
    weight[4] = 0.0
    fit = WeightedLinearFit().fit(x[:, None], y, weight)
    table = fit.residuals(x[:, None], y, sample_weight=weight)
    rest = np.delete(np.arange(len(x)), 4)
    expected = fit.residuals(x[rest, None], y[rest], sigma=sigma[rest])
    np.testing.assert_allclose(table.loc[rest], expected, rtol=1e-9)
    assert table.loc[4, ["sigma", "pull", "standardized"]].isna().all()
    assert table.loc[4, "leverage"] == 0.0
    assert table.loc[4, "residual"] == y[4] - fit.predict(x[[4], None])[0]


def test_labels_and_targets():
    x, y, sigma = parabola()
    labels = pd.Index([f"run {k}" for k in range(len(x))])
    X = pd.DataFrame({"x": x}, index=labels)
    Y = pd.DataFrame({"a": y, "b": -3.0 * y}, index=labels)
    S = pd.DataFrame({"a": sigma, "b": 3.0 * sigma}, index=labels)
    fit = WeightedLinearFit().fit(X, Y, sigma=S)
    first, second = (residual_table(fit, X, Y, sigma=S, target=k) for k in (0, 1))
    assert first.index.equals(labels)
    np.testing.assert_allclose(second["pull"], -first["pull"])
    np.testing.assert_allclose(second["leverage"], first["leverage"])


def test_lists_will_do():
    x, y, sigma = parabola()
    fit = WeightedLinearFit().fit(x[:, None], y, sigma=sigma)
    expected = residual_table(fit, x[:, None], y, sigma=sigma)
    table = residual_table(fit, x[:, None].tolist(), y.tolist(), sigma=sigma.tolist())
    pd.testing.assert_frame_equal(table, expected)


def test_points_that_fix_their_value_and_no_degrees_of_freedom():
    x, y = np.array([0.0, 1.0, 1.1, 1.2, 1.3]), np.array([0.0, 1.0, 1.2, 1.1, 1.3])
    design = np.column_stack([x == 0.0, x > 0.0, x]).astype(float)
    fit = DesignMatrixRegressor().fit(design, y, sigma=0.1)
    table = residual_table(fit, design, y, sigma=0.1)
    assert table["leverage"][0] == pytest.approx(1.0)
    assert np.isnan(table["standardized"][0])
    assert np.isfinite(table["standardized"][1:]).all()
    with pytest.warns(UserWarning, match="no degrees of freedom"):
        exact = WeightedLinearFit().fit(x[:2, None], y[:2])
    nothing = residual_table(exact, x[:2, None], y[:2])
    assert nothing[["sigma", "pull", "standardized", "leverage"]].isna().all(axis=None)
    np.testing.assert_allclose(nothing["residual"], 0.0, atol=1e-15)


def test_other_regressors_have_no_leverage():
    x, y, sigma = parabola()
    line = LinearRegression().fit(x[:, None], y, sample_weight=1.0 / sigma**2)
    table = residual_table(line, x[:, None], y, sigma=sigma)
    np.testing.assert_allclose(table["pull"], (y - line.predict(x[:, None])) / sigma)
    assert table[["leverage", "standardized"]].isna().all(axis=None)


def test_from_values():
    residuals = residuals_of([1.0, 2.0], [1.1, 1.9], sigma=[0.1, 0.2], fitted_std=0.12, std_scale=2)
    np.testing.assert_allclose(residuals.pull, [-1.0, 0.5])
    np.testing.assert_allclose(residuals.leverage, [0.36, 0.09])
    np.testing.assert_allclose(residuals.residual_std, [0.08, 0.2 * np.sqrt(0.91)])
    assert list(residuals.frame(["a", "b"]).index) == ["a", "b"]


class TestBadInput:
    def test_sigma_missing(self):
        x, y, sigma = parabola()
        fit = WeightedLinearFit().fit(x[:, None], y, sigma=sigma)
        with pytest.raises(ValueError, match=r"`sigma` must hold .* fit was weighted"):
            residual_table(fit, x[:, None], y)

    def test_sigma_that_the_fit_did_not_have(self):
        x, y, sigma = parabola()
        fit = WeightedLinearFit().fit(x[:, None], y)
        with pytest.raises(ValueError, match=r"`sigma` must be left out, or be one number"):
            residual_table(fit, x[:, None], y, sigma=sigma)

    def test_sigma_not_positive(self):
        x, y, sigma = parabola()
        fit = WeightedLinearFit().fit(x[:, None], y, sigma=sigma)
        sigma[3] = 0.0
        with pytest.raises(
            ValueError, match=r"`sigma` must be positive and finite. Got 0 in row 3"
        ):
            residual_table(fit, x[:, None], y, sigma=sigma)

    def test_target(self):
        x, y, _ = parabola()
        with pytest.raises(ValueError, match=r"`target` must be .* Got 1"):
            residual_table(WeightedLinearFit().fit(x[:, None], y), x[:, None], y, target=1)

    def test_lengths(self):
        with pytest.raises(ValueError, match=r"`fitted` must have one value for each of the 2"):
            residuals_of([1.0, 2.0], [1.0], sigma=1.0)
