"""The heat map has the correlations of the fit, with numbers and names that can be read."""

import itertools

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklsq import DesignMatrixRegressor, NonlinearLSQ, WeightedLinearFit, datasets
from sklsq.basis import Polynomial
from sklsq.display import CorrelationDisplay
from tests.inference.curved import CASES

mpl.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture
def peak():
    case = CASES["gaussian"]
    return case.estimator.fit(case.X, case.y)


def many(n_features):
    rng = np.random.default_rng(0)
    names = [f"feature_number_{j}" for j in range(n_features)]
    X = pd.DataFrame(rng.normal(size=(60, n_features)), columns=names)
    return WeightedLinearFit().fit(X, rng.normal(size=60))


def test_frame_is_the_correlation_of_the_fit(peak):
    frame = CorrelationDisplay.from_estimator(peak).frame()
    np.testing.assert_allclose(frame, peak.params_corr_, atol=1e-12)
    assert list(frame.index) == list(frame.columns) == ["p1", "p2", "p3", "p4"]


def test_cells_are_the_pairs_below_the_diagonal(peak):
    shown = CorrelationDisplay.from_estimator(peak)
    cells = np.ma.filled(shown.image_.get_array(), np.nan)
    expected = shown.frame().to_numpy()[1:, :-1]
    below = np.tri(3, dtype=bool)
    np.testing.assert_array_equal(cells[below], expected[below])
    assert np.isnan(cells[~below]).all()
    assert shown.image_.get_clim() == (-1.0, 1.0)
    assert [text.get_text() for text in shown.ax_.get_xticklabels()] == ["p1", "p2", "p3"]
    assert [text.get_text() for text in shown.ax_.get_yticklabels()] == ["p2", "p3", "p4"]


def test_numbers_are_those_of_the_cells(peak):
    shown = CorrelationDisplay.from_estimator(peak)
    assert len(shown.texts_) == 6
    for text in shown.texts_:
        column, row = text.get_position()
        value = shown.frame().iloc[int(row) + 1, int(column)]
        assert float(text.get_text().replace("−", "-")) == pytest.approx(value, abs=0.005)


def test_no_number_says_one_or_minus_zero():
    data = datasets.load_filip()
    fit = DesignMatrixRegressor(Polynomial(10)).fit(data.X, data.y_values)
    texts = [text.get_text() for text in CorrelationDisplay.from_estimator(fit).texts_]
    assert len(texts) == 55
    assert "1.00" not in texts
    assert ".99+" in texts
    symmetric = WeightedLinearFit().fit(np.array([[-1.0], [0.0], [1.0]]), [1.0, 2.0, 2.5])
    (text,) = CorrelationDisplay.from_estimator(symmetric).texts_
    assert text.get_text() == "0.00"


@pytest.mark.parametrize("n_features", [1, 10, 19])
def test_names_and_numbers_are_legible(n_features):
    shown = CorrelationDisplay.from_estimator(many(n_features))
    shown.figure_.draw_without_rendering()
    renderer = shown.figure_.canvas.get_renderer()
    for labels in (shown.ax_.get_yticklabels(), shown.texts_):
        drawn = [label.get_window_extent(renderer) for label in labels]
        assert not any(a.overlaps(b) for a, b in itertools.combinations(drawn, 2))
        assert min(box.height for box in drawn) * 72.0 / shown.figure_.dpi >= 5.0
    everything = [*shown.ax_.get_xticklabels(), *shown.ax_.get_yticklabels()]
    for label in everything:
        box = label.get_window_extent(renderer)
        assert box.x0 >= -1.0
        assert box.y0 >= -1.0


def test_many_parameters_have_colours_only():
    assert CorrelationDisplay.from_estimator(many(30)).texts_ == []


def test_parameters_without_an_error_are_left_out():
    case = CASES["gaussian"]
    fit = NonlinearLSQ(case.formula, fixed={"p1": 0.5}).fit(case.X, case.y)
    assert list(CorrelationDisplay.from_estimator(fit).frame()) == ["p2", "p3", "p4"]


def test_targets_pipelines_and_axes():
    rng = np.random.default_rng(0)
    X, Y, sigma = rng.normal(size=(20, 2)), rng.normal(size=(20, 2)), rng.uniform(1, 3, (20, 2))
    fit = WeightedLinearFit().fit(X, Y, sigma=sigma)
    std = fit.params_std_[1]
    frame = CorrelationDisplay.from_estimator(fit, target=1).frame()
    np.testing.assert_allclose(frame, fit.params_cov_[1] / np.outer(std, std), atol=1e-12)
    pipeline = make_pipeline(StandardScaler(), WeightedLinearFit()).fit(X, Y[:, 0])
    _, ax = plt.subplots()
    shown = CorrelationDisplay.from_estimator(pipeline, ax=ax, colorbar=False)
    assert shown.ax_ is ax
    assert shown.colorbar_ is None
    assert shown.plot() is shown
    assert shown.colorbar_ is not None


def test_what_has_no_correlations_is_refused(peak):
    with pytest.raises(ValueError, match=r"`estimator` must publish .* Got LinearRegression"):
        CorrelationDisplay.from_estimator(LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]))
    with pytest.raises(ValueError, match=r"`target` must be .* from 0 to 0\. Got 1"):
        CorrelationDisplay.from_estimator(peak, target=1)
    case = CASES["gaussian"]
    fixed = NonlinearLSQ(case.formula, fixed={"p1": 0.5, "p2": 9.9, "p3": 4.5})
    with pytest.raises(ValueError, match=r"for two parameters or more\. Got 1"):
        CorrelationDisplay.from_estimator(fixed.fit(case.X, case.y))
