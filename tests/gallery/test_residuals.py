"""What the pictures of residuals claim holds for the data that they show."""

import numpy as np
import pytest

from sklsq.gallery.residuals import draw_outliers, draw_wave, line_with_blunders, line_with_wave

Figure = pytest.importorskip("matplotlib.figure").Figure


def test_wave_is_found_by_the_order_of_residuals_alone():
    numbers = draw_wave(Figure())
    assert min(numbers["p_chi2"], numbers["p_normal"]) > 0.05
    assert numbers["p_serial"] < 0.001
    assert numbers["p_runs"] < 0.05


def test_blunders_and_nothing_else_are_rejected():
    figure = Figure()
    numbers = draw_outliers(figure)
    X, y = line_with_blunders()
    hollow = next(line for line in figure.axes[0].lines if line.get_markerfacecolor() == "white")
    far = np.argsort(np.abs(y - 2.0 - 0.8 * X[:, 0]))[-3:]
    np.testing.assert_array_equal(np.sort(hollow.get_xdata()), np.sort(X[far, 0]))
    assert abs(numbers["slope"] - 0.8) < 2.0 * numbers["slope_std"] < abs(numbers["plain"] - 0.8)


@pytest.mark.parametrize("simulate", [line_with_wave, line_with_blunders])
def test_data_are_the_same_each_time(simulate):
    for first, second in zip(simulate(), simulate(), strict=True):
        np.testing.assert_array_equal(first, second)
