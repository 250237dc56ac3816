"""The picture shows what the estimator says, and hides nothing."""

import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklsq import (
    DesignMatrixRegressor,
    RankWarning,
    SigmaClippedRegressor,
    WeightedLinearFit,
    datasets,
)
from sklsq.basis import Polynomial
from sklsq.display import FitDisplay

mpl.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")

LEVELS = (0.6827, 0.9545)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def fit_and_draw(data, estimator, **options):
    estimator.fit(data.X, data.y_values, sigma=data.sigma_values)
    shown = FitDisplay.from_estimator(
        estimator, data.X, data.y_values, sigma=data.sigma_values, **options
    )
    return estimator, shown


@pytest.fixture
def parabola():
    return fit_and_draw(datasets.load_pion_plus(), DesignMatrixRegressor(Polynomial(2)))


# Numbers ---------------------------------------------------------------------------------------


def test_frame_is_what_the_estimator_says(parabola):
    estimator, shown = parabola
    data, frame = datasets.load_pion_plus(), shown.frame()
    fitted, std = estimator.predict(data.X, return_std=True)
    expected = {
        "x": data.frame["inverse_energy"],
        "y": data.y_values,
        "sigma": data.sigma_values,
        "fitted": fitted,
        "fitted_std": std,
        "residual": data.y_values - fitted,
        "pull": (data.y_values - fitted) / data.sigma_values,
    }
    assert list(frame) == list(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(frame[name], values)
    np.testing.assert_allclose((frame["pull"] ** 2).sum(), estimator.chi2_)


def test_frame_is_a_copy(parabola):
    _, shown = parabola
    frame, curve = shown.frame(), shown.curve_frame()
    frame["y"], curve["x"] = 0.0, 0.0
    assert shown.frame()["y"].all()
    assert shown.curve_frame()["x"].all()


@pytest.mark.parametrize("load", [datasets.load_pion_plus, datasets.load_norris])
def test_bands_are_the_confidence_intervals(load):
    """Normal quantiles for known sigma, Student's t for the scatter."""
    data = load()
    estimator, shown = fit_and_draw(data, WeightedLinearFit())
    curve = shown.curve_frame((0.5, *LEVELS))
    x = curve["x"].to_numpy()
    assert x[0] == data.X.to_numpy().min()
    assert x[-1] == data.X.to_numpy().max()
    X = pd.DataFrame(x[:, None], columns=data.x)
    np.testing.assert_array_equal(curve["fitted"], estimator.predict(X))
    for level in (0.5, *LEVELS):
        interval = estimator.predict_interval(X, level=level)
        np.testing.assert_allclose(curve[[f"lower_{level:g}", f"upper_{level:g}"]], interval)


def test_scatter_takes_the_place_of_sigma():
    estimator, shown = fit_and_draw(datasets.load_norris(), WeightedLinearFit())
    frame = shown.frame()
    np.testing.assert_allclose(frame["sigma"], np.sqrt(estimator.reduced_chi2_))
    np.testing.assert_allclose((frame["pull"] ** 2).sum(), estimator.dof_)
    assert not shown.errorbar_.has_yerr
    assert shown.residual_ax_.get_ylabel() == "residual / $s$"


def test_relative_sigma_is_scaled_by_the_scatter():
    estimator, shown = fit_and_draw(
        datasets.load_pion_plus(), WeightedLinearFit(absolute_sigma=False)
    )
    scale = np.sqrt(estimator.reduced_chi2_)
    sigma = datasets.load_pion_plus().sigma_values
    np.testing.assert_allclose(shown.frame()["sigma"], scale * sigma)
    np.testing.assert_allclose((shown.frame()["pull"] ** 2).sum(), estimator.dof_)


def test_sigma_of_the_points_counts_where_the_fit_had_none():
    data = datasets.load_pion_plus()
    line = WeightedLinearFit().fit(data.X, data.y_values)
    shown = FitDisplay.from_estimator(line, data.X, data.y_values, sigma=10.0)
    assert (shown.frame()["sigma"] == 10.0).all()


def test_errors_of_x_enter_the_pulls():
    """York et al. (2004), the weights W of their table I."""
    data = datasets.load_pearson_york()
    line, shown = fit_and_draw(data, WeightedLinearFit(), sigma_x=data.sigma_x_values, corr_xy=0.3)
    slope, sigma, sigma_x = line.coef_[0], data.sigma_values, data.sigma_x_values
    variance = sigma**2 + slope**2 * sigma_x**2 - 2.0 * 0.3 * slope * sigma * sigma_x
    frame = shown.frame()
    # The slope is a difference over 1e-6 of the range, which costs ten digits.
    np.testing.assert_allclose(frame["pull"], frame["residual"] / np.sqrt(variance), rtol=1e-8)
    np.testing.assert_array_equal(frame["sigma_x"], sigma_x)
    assert shown.errorbar_.has_xerr


@pytest.mark.parametrize("sigma_x", [0.5, [[0.5, 0.0]], np.tile([0.5, 0.0], (16, 1))])
def test_errors_of_several_features(sigma_x):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(16, 2))
    plane = WeightedLinearFit().fit(X, X @ [3.0, 0.0] + rng.normal(size=16), sigma=1.0)
    shown = FitDisplay.from_estimator(plane, X, np.zeros(16), sigma=1.0, sigma_x=sigma_x)
    across = plane.coef_ * np.broadcast_to(sigma_x, (16, 2))
    expected = -plane.predict(X) / np.sqrt(1.0 + (across**2).sum(axis=1))
    np.testing.assert_allclose(shown.frame()["pull"], expected, rtol=1e-8)


def test_one_target_of_several():
    rng = np.random.default_rng(1)
    X = np.linspace(0.0, 1.0, 12)[:, None]
    Y = pd.DataFrame(X + rng.normal(size=(12, 2)), columns=["iron", "zinc"])
    sigma = rng.uniform(0.5, 2.0, size=(12, 2))
    lines = WeightedLinearFit().fit(X, Y, sigma=sigma)
    shown = FitDisplay.from_estimator(lines, X, Y, sigma=sigma, target=1)
    np.testing.assert_array_equal(shown.frame()["fitted"], lines.predict(X)[:, 1])
    np.testing.assert_array_equal(shown.frame()["sigma"], sigma[:, 1])
    np.testing.assert_allclose((shown.frame()["pull"] ** 2).sum(), lines.chi2_[1])
    assert shown.ax_.get_ylabel() == "zinc"


def test_a_covariance_shows_its_diagonal():
    x = np.arange(5.0)[:, None]
    covariance = np.diag([1.0, 4.0, 9.0, 16.0, 25.0]) + 0.5
    line = WeightedLinearFit().fit(x, x[:, 0] ** 2, sigma=covariance)
    shown = FitDisplay.from_estimator(line, x, x[:, 0] ** 2, sigma=covariance)
    np.testing.assert_array_equal(shown.frame()["sigma"], np.sqrt(np.diag(covariance)))


def test_several_features_are_drawn_over_the_fitted_value():
    data = datasets.load_longley()
    estimator, shown = fit_and_draw(data, WeightedLinearFit())
    np.testing.assert_array_equal(shown.frame()["x"], estimator.predict(data.X))
    curve = shown.curve_frame()
    np.testing.assert_array_equal(curve["x"], curve["fitted"])
    assert shown.bands_ == []
    assert shown.errorbar_.has_xerr  # the errors of the fitted values
    assert shown.ax_.get_ylabel() == "measured employed"
    assert shown.residual_ax_.get_xlabel() == "fitted employed"


def test_missing_points_are_left_out():
    x = np.arange(6.0)[:, None]
    y = np.array([0.1, 0.9, 2.0, 3.1, 3.9, 5.0])
    line = WeightedLinearFit().fit(x, y, sigma=0.1)
    y[2] = np.nan
    frame = FitDisplay.from_estimator(line, x, y, sigma=0.1).frame()
    assert frame["pull"].isna().tolist() == [False, False, True, False, False, False]


# Other estimators ------------------------------------------------------------------------------


def test_pipeline_and_search():
    data = datasets.load_pion_plus()
    pipeline = make_pipeline(StandardScaler(), WeightedLinearFit())
    weights = {"weightedlinearfit__sigma": data.sigma_values}
    pipeline.fit(data.X, data.y_values, **weights)
    _, plain = fit_and_draw(data, WeightedLinearFit())
    options = {"sigma": data.sigma_values}
    shown = FitDisplay.from_estimator(pipeline, data.X, data.y_values, **options)
    pd.testing.assert_frame_equal(shown.frame(), plain.frame())
    pd.testing.assert_frame_equal(shown.curve_frame(), plain.curve_frame())
    search = GridSearchCV(
        WeightedLinearFit(), {"fit_intercept": [True]}, cv=2, scoring="neg_mean_squared_error"
    )
    search.fit(data.X, data.y_values, sigma=data.sigma_values.to_numpy())
    shown = FitDisplay.from_estimator(search, data.X, data.y_values, **options)
    pd.testing.assert_frame_equal(shown.frame(), plain.frame())


def test_estimator_without_errors():
    data = datasets.load_norris()
    line = LinearRegression().fit(data.X, data.y_values)
    shown = FitDisplay.from_estimator(line, data.X, data.y_values)
    assert shown.bands_ == []
    assert shown.frame()[["sigma", "fitted_std", "pull"]].isna().all(axis=None)
    assert shown.residual_ax_.get_ylabel() == "residual"
    np.testing.assert_array_equal(shown.residual_line_.get_ydata(), shown.frame()["residual"])


def test_rejected_points_are_hollow():
    """Inside the lower panel where they fit, as arrowheads at its edge where not."""
    x = np.arange(12.0)[:, None]
    y = 2.0 * x[:, 0] + 0.1 * np.cos(9.0 * x[:, 0])
    y[[3, 5, 8]] += [-20.0, 0.6, 20.0]
    clipped = SigmaClippedRegressor(WeightedLinearFit(), max_share=0.3).fit(x, y, sigma=0.1)
    shown = FitDisplay.from_estimator(clipped, x, y, sigma=0.1)
    assert np.flatnonzero(shown.frame()["rejected"]).tolist() == [3, 5, 8]
    hollow = shown.rejected_.lines[0]
    assert hollow.get_xdata().tolist() == [3.0, 5.0, 8.0]
    assert hollow.get_markerfacecolor() == "white"
    assert shown.errorbar_.lines[0].get_xdata().tolist() == [0, 1, 2, 4, 6, 7, 9, 10, 11]
    assert shown.rejected_.has_yerr
    pull = shown.frame()["pull"]
    np.testing.assert_array_equal(shown.residual_line_.get_ydata(), pull[clipped.inlier_mask_])
    below = {line.get_marker(): line for line in shown.residual_ax_.lines if line.get_marker()}
    assert {mark: below[mark].get_xdata().tolist() for mark in "ov^"} == {
        "o": [5.0],
        "v": [3.0],
        "^": [8.0],
    }
    bottom, top = shown.residual_ax_.get_ylim()
    assert bottom < below["v"].get_ydata()[0] < below["o"].get_ydata()[0] == pull[5]
    assert below["^"].get_ydata()[0] < top < 10.0
    assert "rejected" in [text.get_text() for text in shown.legend_.get_texts()]


def test_other_data_than_those_of_the_fit_are_not_hollow():
    x = np.arange(12.0)[:, None]
    y = 2.0 * x[:, 0] + 0.1 * np.cos(9.0 * x[:, 0])
    y[3] = 20.0
    clipped = SigmaClippedRegressor(WeightedLinearFit()).fit(x, y, sigma=0.1)
    shown = FitDisplay.from_estimator(clipped, x[:6], y[:6], sigma=0.1)
    assert "rejected" not in shown.frame()
    assert shown.rejected_ is None


def test_from_predictions_draws_the_same(parabola):
    estimator, shown = parabola
    data = datasets.load_pion_plus()
    fitted, std = estimator.predict(data.X, return_std=True)
    again = FitDisplay.from_predictions(
        data.y_values,
        fitted,
        x=data.frame["inverse_energy"],
        y_std=std,
        sigma=data.sigma_values,
    )
    pd.testing.assert_frame_equal(again.frame(), shown.frame())
    assert again.curve_frame()["x"].is_monotonic_increasing
    assert len(again.bands_) == 2
    assert again.ax_.get_ylabel() == "cross_section"
    assert again.residual_ax_.get_xlabel() == "inverse_energy"


def test_from_predictions_without_x():
    shown = FitDisplay.from_predictions([1.0, 2.0, 4.0], [1.5, 2.0, 3.0])
    np.testing.assert_array_equal(shown.frame()["x"], [1.5, 2.0, 3.0])
    np.testing.assert_array_equal(shown.curve_frame()["fitted"], [1.0, 4.0])
    assert not shown.errorbar_.has_xerr
    assert not shown.errorbar_.has_yerr


# Degenerate fits -------------------------------------------------------------------------------


def test_perfect_fit():
    x = np.arange(4.0)[:, None]
    line = WeightedLinearFit().fit(x, np.zeros(4))
    assert FitDisplay.from_estimator(line, x, np.zeros(4)).residual_ax_.get_ylabel() == "residual"


def test_undetermined_fit():
    """One x: the level is known there; a design matrix with equal columns."""
    X, y = np.ones((5, 1)), np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    with pytest.warns(RankWarning, match="determine only 1 of 2"):
        line = WeightedLinearFit().fit(X, y, sigma=1.0)
    shown = FitDisplay.from_estimator(line, X, y, sigma=1.0)
    np.testing.assert_allclose(shown.curve_frame()["fitted"], 3.0)


# Artists ---------------------------------------------------------------------------------------


def test_artists(parabola):
    _, shown = parabola
    assert shown.figure_ is shown.ax_.figure
    assert shown.line_ in shown.ax_.lines
    assert shown.errorbar_ in shown.ax_.containers
    assert shown.residual_line_ in shown.residual_ax_.lines
    assert all(band in shown.ax_.collections for band in shown.bands_)
    assert len(shown.bands_) == 2
    assert shown.legend_ is shown.ax_.get_legend()
    curve = shown.curve_frame()
    np.testing.assert_array_equal(shown.line_.get_xydata(), curve[["x", "fitted"]])
    np.testing.assert_array_equal(shown.residual_line_.get_ydata(), shown.frame()["pull"])
    assert shown.ax_.get_shared_x_axes().joined(shown.ax_, shown.residual_ax_)


def test_legend_tells_the_fit(parabola):
    _, shown = parabola
    assert shown.legend_.get_title().get_text().split("\n") == [
        "1: 183.8 ± 9.5",
        "inverse_energy: 0 ± 130",
        "inverse_energy**2: 1600 ± 370",
        r"$\chi^2$/dof = 3.226/7, p = 0.86",
    ]
    assert [text.get_text() for text in shown.legend_.get_texts()] == [
        r"measured $\pm$ $\sigma$",
        "fit",
        "68.3% confidence",
        "95.5% confidence",
    ]


def test_many_parameters_are_counted():
    _, shown = fit_and_draw(datasets.load_filip(), DesignMatrixRegressor(Polynomial(10)))
    assert shown.caption == "11 parameters\nscatter $s$ = 0.00335 (71 dof)"


def test_labels():
    _, shown = fit_and_draw(
        datasets.load_sea_level(), WeightedLinearFit(), xlabel="time ($", ylabel="level (mm)"
    )
    assert shown.residual_ax_.get_xlabel() == r"time (\$"
    assert shown.ax_.get_ylabel() == "level (mm)"
    assert shown.ax_.get_xlabel() == ""


def test_plot_again_with_other_options(parabola):
    _, shown = parabola
    first = shown.figure_
    assert shown.plot(residuals=False, levels=(0.9,), legend=False) is shown
    assert shown.figure_ is not first
    assert shown.residual_ax_ is None
    assert shown.residual_line_ is None
    assert shown.legend_ is None
    assert len(shown.bands_) == 1


LAYOUTS = {
    "grid": lambda: plt.subplots(2, 2, figsize=(9.0, 8.0))[1][1, 0],
    "constrained": lambda: plt.subplots(1, 2, layout="constrained", figsize=(11.0, 5.0))[1][0],
    "by hand": lambda: plt.figure().add_axes((0.15, 0.15, 0.8, 0.8)),
    "subfigure": lambda: plt.figure(layout="constrained").subfigures(1, 2)[0].subplots(),
}


@pytest.mark.parametrize("make", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_given_axes_are_split(make):
    ax = make()
    before = ax.get_position()
    _, shown = fit_and_draw(datasets.load_pion_minus(), WeightedLinearFit(), ax=ax)
    assert shown.ax_ is ax
    assert shown.figure_ is ax.figure
    shown.ax_.figure.figure.draw_without_rendering()
    upper, lower = shown.ax_.get_position(), shown.residual_ax_.get_position()
    assert lower.y1 < upper.y0
    np.testing.assert_allclose([lower.x0, lower.x1], [upper.x0, upper.x1])
    if make is LAYOUTS["by hand"]:
        np.testing.assert_allclose([lower.y0, upper.y1], [before.y0, before.y1])


PICTURES = {
    "pion_minus": Polynomial(4),
    "pion_plus": Polynomial(1),
    "gaussian_peak": Polynomial(8),
    "filip": Polynomial(10),
    "sea_level": Polynomial(2),
}


@pytest.mark.parametrize("small", [False, True])
@pytest.mark.parametrize("name", PICTURES)
def test_legend_hides_nothing(name, small):
    data = getattr(datasets, f"load_{name}")()
    ax = plt.subplots(2, 2, figsize=(9.0, 8.0))[1][0, 0] if small else None
    _, shown = fit_and_draw(data, DesignMatrixRegressor(PICTURES[name]), ax=ax)
    shown.figure_.canvas.draw()
    box = shown.legend_.get_window_extent()
    frame, curve = shown.frame(), shown.curve_frame()
    bar = frame["sigma"] if data.sigma else 0.0
    drawn = [(frame["x"], frame["y"] + k * bar) for k in np.linspace(-1.0, 1.0, 21)]
    drawn += [(curve["x"], curve[edge]) for edge in curve if edge[:5] in ("lower", "upper")]
    for x, y in drawn:
        pixels = shown.ax_.transData.transform(np.column_stack([x, y]))
        assert not box.count_contains(pixels)
    assert shown.ax_.bbox.y0 <= box.y0 < box.y1 <= shown.ax_.bbox.y1


def test_many_points_are_pixels():
    x = np.linspace(0.0, 1.0, 1200)[:, None]
    line = WeightedLinearFit().fit(x, x[:, 0], sigma=0.1)
    shown = FitDisplay.from_estimator(line, x, x[:, 0], sigma=0.1)
    assert shown.errorbar_.lines[0].get_rasterized()
    assert shown.residual_line_.get_rasterized()
    assert not shown.line_.get_rasterized()


# Refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "`sigma` must hold the standard deviations of the points"),
        ({"sigma": [1.0, 2.0]}, r"one value per row of y. Got shape \(2,\)"),
        ({"sigma": [1.0] * 9 + [0.0]}, "`sigma` must be positive and finite. Got 0 in row 9"),
        ({"sigma": np.nan}, "`sigma` must be positive and finite. Got nan"),
        ({"sigma": 1.0, "sigma_x": [1.0, 2.0]}, "`sigma_x` must be a number or have shape"),
        ({"sigma": 1.0, "sigma_x": -1.0}, "`sigma_x` must be finite and not negative"),
        ({"sigma": 1.0, "target": 1}, "`target` must be the number of a column of y, from 0 to 0"),
        ({"sigma": 1.0, "levels": [68]}, "`levels` must lie between 0 and 1. Got 68"),
    ],
)
def test_refuses(options, message):
    data = datasets.load_pion_plus()
    line = WeightedLinearFit().fit(data.X, data.y_values, sigma=data.sigma_values)
    with pytest.raises(ValueError, match=message):
        FitDisplay.from_estimator(line, data.X, data.y_values, **options)
    assert not plt.get_fignums()


def test_without_matplotlib(parabola, monkeypatch):
    estimator, shown = parabola
    data = datasets.load_pion_plus()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    advice = r"not installed. Install it with `pip install sklsq\[plot\]`"
    with pytest.raises(ImportError, match=rf"FitDisplay.plot draws .*{advice}"):
        shown.plot()
    with pytest.raises(ImportError, match=rf"FitDisplay.from_estimator draws .*{advice}"):
        FitDisplay.from_estimator(estimator, data.X, data.y_values, sigma=data.sigma_values)
    with pytest.raises(ImportError, match=rf"FitDisplay.from_predictions draws .*{advice}"):
        FitDisplay.from_predictions([1.0], [1.0])
    assert len(shown.frame()) == 10


def test_importing_the_display_leaves_matplotlib_alone():
    code = "import sys, sklsq.display; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
