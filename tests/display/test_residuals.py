"""The picture of residuals shows their numbers, all of them, and hides nothing."""

import sys

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklsq import WeightedLinearFit, datasets
from sklsq.display import ResidualsDisplay
from sklsq.inference.residuals import residual_table

mpl.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def wave(n=60, amplitude=0.3):
    """The lecture's line with a small sine, fitted by a line."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"time (s)": np.linspace(0.0, 10.0, n)})
    x = X["time (s)"].to_numpy()
    y = 1.0 + 0.5 * x + amplitude * np.sin(2.0 * x) + 0.1 * rng.normal(size=n)
    return WeightedLinearFit().fit(X, y, sigma=0.1), X, pd.Series(y, name="voltage (V)")


def draw(n=60, amplitude=0.3, **options):
    fit, X, y = wave(n, amplitude)
    return ResidualsDisplay.from_estimator(fit, X, y, sigma=0.1, **options)


def test_frame_is_the_residual_table():
    fit, X, y = wave()
    frame = draw().frame()
    table = residual_table(fit, X, y, sigma=0.1)
    np.testing.assert_array_equal(frame["x"], X["time (s)"])
    pd.testing.assert_frame_equal(frame[list(table)], table)
    frame["pull"] = 0.0
    assert draw().frame()["pull"].any()


def test_panels_show_the_numbers():
    shown = draw()
    frame = shown.frame()
    assert list(shown.axes_) == ["x", "fitted", "histogram", "quantiles"]
    for column in ("x", "fitted"):
        np.testing.assert_array_equal(
            shown.lines_[column].get_xydata(), frame[[column, "pull"]].to_numpy()
        )
    np.testing.assert_array_equal(
        shown.lines_["quantiles"].get_ydata(), np.sort(frame["standardized"])
    )
    assert sum(bar.get_height() for bar in shown.bars_) == len(frame)
    edges = [bar.get_x() for bar in shown.bars_]
    area = np.trapezoid(shown.normal_line_.get_ydata(), shown.normal_line_.get_xdata())
    assert area == pytest.approx(len(frame) * (edges[1] - edges[0]), rel=1e-3)


def test_labels():
    shown = draw()
    assert shown.axes_["x"].get_xlabel() == "time (s)"
    assert shown.axes_["fitted"].get_xlabel() == "fitted voltage (V)"
    assert shown.axes_["x"].get_ylabel() == r"pull = residual / $\sigma$"
    for ax in shown.axes_.values():
        assert ax.get_xlabel()
        assert ax.get_ylabel()
    own = draw(xlabel="t", fitted_label="f", panels=("fitted", "x"))
    assert [ax.get_xlabel() for ax in own.axes_.values()] == ["f", "t"]


def test_a_small_wave_is_seen_in_the_means():
    """Smaller than the scatter, invisible point by point."""
    shown = draw(5000, 0.05)
    x, means = shown.means_["x"].lines[0].get_data()
    assert np.corrcoef(means, np.sin(2.0 * x))[0, 1] > 0.9
    assert shown.report.suspects[0] == "autocorrelation"
    assert draw(30).means_ == {}


def test_outliers_are_named():
    fit, X, y = wave(amplitude=0.0)
    y = y.copy()
    y[17] += 2.0
    shown = ResidualsDisplay.from_estimator(fit.fit(X, y, sigma=0.1), X, y, sigma=0.1)
    assert [note.get_text() for note in shown.outliers_] == ["17", "17"]
    np.testing.assert_array_equal(shown.outliers_[0].xy, shown.frame().loc[17, ["x", "pull"]])


def test_far_points_are_counted_not_dropped():
    pull = np.append(np.zeros(20), [50.0, -60.0])
    shown = ResidualsDisplay.from_predictions(pull, np.zeros(22), sigma=1.0)
    assert sum(bar.get_height() for bar in shown.bars_) == 22
    assert "2 beyond the ends" in shown.axes_["histogram"].get_title(loc="left")


def test_counts_are_numbered_by_integers():
    pull = np.random.default_rng(0).normal(size=80)
    shown = ResidualsDisplay.from_predictions(pull, np.zeros(80), sigma=1.0)
    ticks = shown.axes_["histogram"].get_yticks()
    np.testing.assert_array_equal(ticks, np.round(ticks))


def test_no_sigma_no_leverage():
    data = datasets.load_sea_level()
    pipeline = make_pipeline(StandardScaler(), LinearRegression()).fit(data.X, data.y_values)
    shown = ResidualsDisplay.from_estimator(pipeline, data.X, data.y_values)
    assert shown.axes_["x"].get_ylabel() == "pull = residual / scatter"
    assert shown.frame()["leverage"].isna().all()
    np.testing.assert_array_equal(
        shown.lines_["quantiles"].get_ydata(), np.sort(shown.frame()["pull"])
    )


def test_feature():
    rng = np.random.default_rng(1)
    X = pd.DataFrame(rng.normal(size=(20, 2)), columns=["width", "height"])
    y = X.sum(axis=1) + rng.normal(size=20)
    fit = WeightedLinearFit().fit(X, y)
    for feature in (1, "height"):
        shown = ResidualsDisplay.from_estimator(fit, X, y, feature=feature)
        assert shown.axes_["x"].get_xlabel() == "height"
        np.testing.assert_array_equal(shown.frame()["x"], X["height"])
    for feature in ("depth", 2):
        with pytest.raises(ValueError, match=r"`feature` must be one of \['width', 'height'\]"):
            ResidualsDisplay.from_estimator(fit, X, y, feature=feature)


def test_from_predictions():
    x, residual = np.arange(4.0), np.array([0.1, -0.1, 0.2, 0.0])
    shown = ResidualsDisplay.from_predictions(x + residual, x, x=x, sigma=0.1)
    np.testing.assert_allclose(shown.frame()["pull"], [1.0, -1.0, 2.0, 0.0], atol=1e-12)
    assert "x" in shown.axes_
    without = ResidualsDisplay.from_predictions(x + residual, x)
    assert "x" not in without.axes_
    assert (without.frame()["pull"] ** 2).mean() == pytest.approx(1.0)


def test_plot_again_elsewhere():
    shown = draw()
    _, grid = plt.subplots(1, 2)
    assert shown.plot(grid, panels=("quantiles", "histogram")) is shown
    assert list(shown.axes_.values()) == list(grid)
    assert shown.figure_ is grid[0].figure


def test_no_scatter_at_all():
    x = np.arange(5.0)[:, None]
    with pytest.warns(UserWarning, match="no degrees of freedom"):
        fit = WeightedLinearFit().fit(x[:2], x[:2, 0])
    shown = ResidualsDisplay.from_estimator(fit, x[:2], x[:2, 0])
    assert "quantiles" not in shown.lines_
    shown.figure_.canvas.draw()


@pytest.mark.parametrize("n", [8, 50, 5000])
def test_draws_without_warnings(n):
    draw(n).figure_.canvas.draw()


def test_unknown_panel():
    with pytest.raises(ValueError, match="`panels` must be some of x, fitted, histogram, quantile"):
        draw(panels=("x", "leverage"))


def test_matplotlib_is_asked_for_late(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install sklsq\[plot\]"):
        ResidualsDisplay.from_predictions([1.0], [1.0])


def test_data_that_do_not_go_together():
    with pytest.raises(ValueError, match=r"must have the same length. Got 3, 2 and 3"):
        ResidualsDisplay.from_predictions([1.0, 2.0, 3.0], [1.0, 2.0])
    with pytest.raises(ValueError, match=r"must have the same length. Got 2, 2 and 1"):
        ResidualsDisplay.from_predictions([1.0, 2.0], [1.0, 2.0], x=[1.0])
    with pytest.raises(ValueError, match="must both be finite in some rows"):
        ResidualsDisplay.from_predictions([np.nan], [1.0])
