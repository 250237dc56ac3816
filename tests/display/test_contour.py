"""The corner shows what the contours and profiles say, and its labels are legible."""

import itertools
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from sklsq import DesignMatrixRegressor, NonlinearLSQ, WeightedLinearFit, chi2_contour, datasets
from sklsq.basis import Polynomial
from sklsq.display import ContourDisplay
from tests.inference.curved import CASES

mpl.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def draw(name, **options):
    case = CASES[name]
    return ContourDisplay.from_estimator(
        case.estimator, case.X, case.y, sigma=case.sigma, n_points=16, **options
    )


def boxes(texts, renderer):
    return [text.get_window_extent(renderer) for text in texts if text.get_text()]


def visible_tick_labels(axis):
    low, high = sorted(axis.get_view_interval())
    return [
        label
        for tick, label in zip(axis.get_majorticklocs(), axis.get_ticklabels(), strict=True)
        if low <= tick <= high and label.get_visible()
    ]


# Numbers -----------------------------------------------------------------------------------------


def test_frame_holds_the_contours_of_every_pair():
    shown, case = draw("gaussian", params=["p1", "p2", "p4"]), CASES["gaussian"]
    frame = shown.frame()
    pairs = frame[["x_name", "y_name"]].drop_duplicates().itertuples(index=False)
    assert [tuple(pair) for pair in pairs] == list(itertools.combinations(["p1", "p2", "p4"], 2))
    expected = chi2_contour(case.estimator, case.X, case.y, params=("p2", "p4"), n_points=16)
    rows = frame[(frame["x_name"] == "p2") & (frame["y_name"] == "p4")]
    np.testing.assert_allclose(rows[["x", "y"]], expected.frame()[["p2", "p4"]], rtol=1e-7)
    assert (rows["end"] == "level").all()


def test_profiles_rise_to_the_levels():
    shown = draw("misra1a")
    table = shown.profile_frame()
    assert list(table) == ["name", "value", "rise", "wald"]
    assert table["name"].unique().tolist() == ["b1", "b2"]
    assert (table.groupby("name")["rise"].max() > max(shown.level_rises.values())).all()


def test_a_line_has_ellipses_and_parabolas():
    data = datasets.load_pion_minus()
    shown = ContourDisplay.from_estimator(
        WeightedLinearFit(), data.X, data.y_values, sigma=data.sigma_values
    )
    frame, profiles = shown.frame(), shown.profile_frame()
    np.testing.assert_array_equal(frame[["x", "y"]], frame[["x_ellipse", "y_ellipse"]])
    np.testing.assert_allclose(profiles["rise"], profiles["wald"], atol=1e-9)
    assert list(shown.level_rises.values()) == pytest.approx([1.0, 4.0], rel=1e-3)
    assert shown.unit == r"$\Delta\chi^2$"
    assert draw("misra1a").unit == r"$\Delta\chi^2 / s^2$"


# Artists -----------------------------------------------------------------------------------------


def test_solid_lines_go_through_the_points_and_dashed_ones_are_ellipses():
    shown = draw("boxbod")
    frame = shown.frame()
    pair = ("b1", "b2")
    for k, (level, rows) in enumerate(frame.groupby("level")):
        assert level == (0.6827, 0.9545)[k]
        solid, dashed = shown.contour_lines_[pair][k], shown.ellipse_lines_[pair][k]
        assert solid.get_linestyle() == "-"
        assert dashed.get_linestyle() == "--"
        size = np.ptp(solid.get_xydata(), axis=0)
        for point in rows[["x", "y"]].to_numpy():
            assert np.linalg.norm((solid.get_xydata() - point) / size, axis=1).min() < 1e-9
        np.testing.assert_array_equal(
            dashed.get_xydata()[:-1], rows[["x_ellipse", "y_ellipse"]].to_numpy()
        )


def test_corner_has_profiles_on_the_diagonal_and_nothing_above():
    shown = draw("gaussian", params=["p4", "p1", "p2"])
    assert shown.names == ["p4", "p1", "p2"]
    assert shown.axes_.shape == (3, 3)
    assert all(shown.axes_[row, column] is None for row in range(3) for column in range(row + 1, 3))
    for k, name in enumerate(shown.names):
        assert shown.profile_lines_[name].axes is shown.axes_[k, k]
    assert shown.contour_lines_["p4", "p2"][0].axes is shown.axes_[2, 0]
    assert [ax.get_xlabel() for ax in shown.axes_[2]] == shown.names
    assert [ax.get_ylabel() for ax in shown.axes_[1:, 0]] == shown.names[1:]
    texts = [text.get_text() for text in shown.legend_.get_texts()]
    assert texts == ["68.27%", "95.45%", r"$\chi^2$ itself", "covariance"]


def test_one_parameter_has_a_profile():
    shown = draw("gaussian", params=["p4"], legend=False)
    assert shown.axes_.shape == (1, 1)
    assert shown.frame().empty
    assert shown.legend_ is None


def test_pair_in_axes_of_the_user():
    _, ax = plt.subplots()
    shown = draw("gaussian", params=("p1", "p4"), ax=ax)
    assert shown.ax_ is ax
    assert shown.figure_ is ax.figure
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("p1", "p4")
    again = shown.plot(plt.figure())
    assert again is shown
    assert shown.figure_ is not ax.figure


def test_figure_of_the_user():
    outer = plt.figure(layout="constrained")
    left, _ = outer.subfigures(1, 2)
    shown = draw("misra1a", fig=left)
    assert shown.figure_ is left


def test_open_contours_are_marked_and_do_not_stretch_the_axes():
    x = np.linspace(1.0, 10.0, 8)[:, None]
    y = 1.0 - np.exp(-1.2 * x[:, 0]) + np.random.default_rng(1).normal(0.0, 0.2, 8)
    estimator = NonlinearLSQ("a*(1 - exp(-b*x))")
    shown = ContourDisplay.from_estimator(estimator, x, y, sigma=0.2, n_points=16)
    assert [text.get_text() for text in shown.axes_[1, 0].texts] == ["open"]
    fit = estimator.fit(x, y, sigma=0.2)
    low, high = shown.axes_[1, 0].get_ylim()
    assert high - low < 50.0 * fit.params_std_[1]
    bounded = ContourDisplay.from_estimator(
        NonlinearLSQ(estimator.model, bounds={"b": (None, 2.5)}), x, y, sigma=0.2, n_points=16
    )
    assert [text.get_text() for text in bounded.axes_[1, 0].texts] == ["bound"]


@pytest.mark.parametrize("name", ["gaussian", "misra1a"])
def test_numbers_and_labels_do_not_overlap(name):
    shown = draw(name)
    shown.figure_.draw_without_rendering()
    renderer = shown.figure_.canvas.get_renderer()
    texts = [shown.legend_]
    found = [shown.legend_.get_window_extent(renderer)]
    for ax in filter(None, shown.axes_.ravel()):
        for axis, drawn in ((ax.xaxis, "labelbottom"), (ax.yaxis, "labelleft")):
            on = axis.get_tick_params()
            if on.get(drawn, False) or on.get("labelright", False):
                texts += visible_tick_labels(axis)
                found += boxes(visible_tick_labels(axis), renderer)
            found += boxes([axis.label], renderer)
    assert len(texts) > 2 * len(shown.names)
    for first, second in itertools.combinations(found, 2):
        assert not first.overlaps(second)


# Conventions -------------------------------------------------------------------------------------


def test_matplotlib_is_not_imported_before_drawing():
    code = "import sys, sklsq.display; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_frames_are_copies():
    shown = draw("misra1a")
    frame, profiles = shown.frame(), shown.profile_frame()
    frame["x"], profiles["value"] = 0.0, 0.0
    assert shown.frame()["x"].abs().min() > 0.0
    assert shown.profile_frame()["value"].abs().min() > 0.0


def test_nothing_given_is_changed():
    case = CASES["misra1a"]
    estimator = case.estimator
    X, y = pd.DataFrame(case.X, columns=["x"]), pd.Series(case.y)
    before = X.copy(), y.copy()
    ContourDisplay.from_estimator(estimator, X, y, n_points=16)
    assert not hasattr(estimator, "params_")
    pd.testing.assert_frame_equal(X, before[0])
    pd.testing.assert_series_equal(y, before[1])


# Bad input ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"params": "p1"}, r"`params` must be different names of p1, p2, p3, p4\. Got 'p1'"),
        ({"params": []}, r"`params` must be different names"),
        ({"params": ["p1", "p1"]}, r"`params` must be different names"),
        ({"params": ["p1", "q"]}, r"`params` must name parameters of the fit: .* Got 'q'"),
        ({"levels": [2.0]}, r"`levels` must lie between 0 and 1.* Got 2\.0"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        draw("gaussian", **options)


def test_axes_are_for_one_pair():
    with pytest.raises(ValueError, match=r"`ax` must come alone, for one pair .* Got 3 pairs"):
        draw("gaussian", params=["p1", "p2", "p3"], ax=plt.subplots()[1])


def test_too_many_parameters_and_parameters_without_an_error():
    case = CASES["gaussian"]
    with pytest.raises(ValueError, match=r"at most 8 parameters.* Got 9.*CorrelationDisplay"):
        ContourDisplay.from_estimator(
            DesignMatrixRegressor(Polynomial(8, kind="chebyshev")), case.X, case.y
        )
    tied_to_fixed = NonlinearLSQ(case.formula, fixed={"p1": 0.5}, tied={"p2": "20*p1"})
    with pytest.raises(ValueError, match=r"with a standard error\. Got 'p2'"):
        ContourDisplay.from_estimator(tied_to_fixed, case.X, case.y)


def test_an_exact_fit_without_errors_has_no_surface():
    x = np.arange(6.0)[:, None]
    with pytest.raises(ValueError, match="`sigma` must be given where the fit goes through all"):
        ContourDisplay.from_estimator(WeightedLinearFit(), x, 1.0 + 2.0 * x[:, 0])
