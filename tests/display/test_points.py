"""Errors of the points in a picture, where they follow from the scatter about the fit."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from sklsq import (
    LinearizedRegressor,
    OrthogonalRegression,
    SigmaClippedRegressor,
    WeightedLinearFit,
)
from sklsq.datasets import load_pearson_york
from sklsq.display import FitDisplay

mpl.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def test_scatter_of_a_transform_is_carried_back():
    """Equal errors of log y are errors of y in proportion to y."""
    x = np.linspace(0.0, 3.0, 30)[:, None]
    y = 5.0 * np.exp(-x[:, 0] + 0.05 * np.random.default_rng(0).normal(size=30))
    fit = LinearizedRegressor(WeightedLinearFit()).fit(x, y)
    shown = FitDisplay.from_estimator(fit, x, y)
    frame = shown.frame()
    np.testing.assert_allclose(frame["sigma"], np.sqrt(fit.reduced_chi2_) * frame["fitted"])
    pull = np.log(y / fit.predict(x)) / np.sqrt(fit.reduced_chi2_)
    # Of first order in a scatter of 5 %, of which three times as much occurs.
    np.testing.assert_allclose(frame["pull"], pull, rtol=0.1)
    assert shown.residual_ax_.get_ylabel() == "residual / $s_i$"


def test_points_rejected_inside_a_transform_are_hollow():
    x = np.linspace(0.0, 3.0, 30)[:, None]
    y = 5.0 * np.exp(-x[:, 0] + 0.05 * np.random.default_rng(0).normal(size=30))
    y[[4, 20]] *= [2.0, 0.5]
    fit = LinearizedRegressor(SigmaClippedRegressor(WeightedLinearFit())).fit(x, y)
    frame = FitDisplay.from_estimator(fit, x, y).frame()
    assert np.flatnonzero(frame["rejected"]).tolist() == [4, 20]


def test_scatter_of_perpendicular_distances_is_carried_to_y():
    """A line of slope 10: residuals in y are ten times the distances from it."""
    rng = np.random.default_rng(0)
    x = np.arange(30.0)
    y = 10.0 * x + rng.normal(size=30)
    X = x[:, None] + 0.5 * rng.normal(size=(30, 1))
    fit = OrthogonalRegression("major_axis").fit(X, y)
    pull = FitDisplay.from_estimator(fit, X, y).frame()["pull"]
    np.testing.assert_allclose((pull**2).sum(), fit.dof_)


def test_clipping_around_a_transform():
    x = np.linspace(0.0, 3.0, 30)[:, None]
    y = 5.0 * np.exp(-x[:, 0] + 0.05 * np.random.default_rng(0).normal(size=30))
    plain = LinearizedRegressor(WeightedLinearFit())
    around = SigmaClippedRegressor(plain, n_sigma=6.0).fit(x, y)
    frame = FitDisplay.from_estimator(around, x, y).frame()
    expected = FitDisplay.from_estimator(plain.fit(x, y), x, y).frame()
    pd.testing.assert_frame_equal(frame[list(expected)], expected)


def test_scatter_beyond_the_errors_counts_in_the_pulls_and_is_no_bar():
    rng = np.random.default_rng(1)
    x = np.linspace(0.0, 10.0, 40)[:, None]
    y = x[:, 0] + rng.normal(0.0, 0.5, 40)
    fit = OrthogonalRegression(intrinsic_scatter=True)
    fit.fit(x, y, sigma=0.1, sigma_x=0.05)
    frame = FitDisplay.from_estimator(fit, x, y, sigma=0.1, sigma_x=0.05).frame()
    assert (frame["sigma"] == 0.1).all()
    assert (frame["sigma_x"] == 0.05).all()
    table = fit.residuals(x, y, sigma=0.1, sigma_x=0.05)
    np.testing.assert_allclose(frame["pull"], table["pull"], rtol=1e-12)
    assert frame["pull"].std() == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("absolute", ["auto", False])
def test_bars_and_pulls_are_those_of_the_table_of_residuals(absolute):
    data = load_pearson_york()
    errors = {"sigma": data.sigma_values, "sigma_x": data.sigma_x_values}
    fit = OrthogonalRegression(absolute_sigma=absolute).fit(data.X, data.y_values, **errors)
    frame = FitDisplay.from_estimator(fit, data.X, data.y_values, **errors).frame()
    table = fit.residuals(data.X, data.y_values, **errors)
    np.testing.assert_allclose(frame["pull"], table["pull"], rtol=1e-12)
    scale = 1.0 if absolute == "auto" else np.sqrt(fit.reduced_chi2_)
    np.testing.assert_allclose(frame["sigma"], scale * data.sigma_values, rtol=1e-6)
    np.testing.assert_allclose(frame["sigma_x"], scale * data.sigma_x_values.squeeze(), rtol=1e-6)


def test_transform_fitted_without_errors():
    x = np.linspace(0.0, 3.0, 5)[:, None]
    fit = LinearizedRegressor(LinearRegression()).fit(x, np.exp(x[:, 0]))
    shown = FitDisplay.from_estimator(fit, x, np.exp(x[:, 0]))
    assert shown.residual_ax_.get_ylabel() == "residual"


class TestWhatIsRefused:
    X = pd.DataFrame({"x": np.arange(12.0)})
    y = pd.Series(np.arange(12.0) + np.random.default_rng(0).normal(size=12))
    sigma = pd.Series(np.full(12, 0.3))

    def line(self):
        return WeightedLinearFit().fit(self.X, self.y, sigma=self.sigma)

    def test_errors_in_another_order(self):
        with pytest.raises(ValueError, match="`sigma` must have the same index"):
            FitDisplay.from_estimator(self.line(), self.X, self.y, sigma=self.sigma[::-1])

    def test_a_target_that_does_not_exist(self):
        with pytest.raises(ValueError, match="`target` must be the number of a column"):
            FitDisplay.from_estimator(self.line(), self.X, self.y, sigma=self.sigma, target=3)

    def test_nothing_to_draw(self):
        with pytest.raises(ValueError, match="`y` must have finite values to be drawn"):
            FitDisplay.from_estimator(self.line(), self.X, self.y * np.nan, sigma=self.sigma)

    def test_what_is_no_axes(self):
        with pytest.raises(TypeError, match=r"`ax` must be the axes to draw in\. Got str"):
            FitDisplay.from_estimator(self.line(), self.X, self.y, sigma=self.sigma, ax="a")
