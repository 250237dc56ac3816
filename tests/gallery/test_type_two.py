"""The lines of the gallery, against the formulas of the lecture."""

import numpy as np

from sklsq.datasets import load_pearson_york
from sklsq.gallery.type_two import lines_of


def test_lines_are_those_of_the_formulas():
    data = load_pearson_york()
    x, y = data.X["x"].to_numpy(), data.y_values.to_numpy()
    (sxx, sxy), (_, syy) = np.cov(x, y)
    half = 0.5 * (syy - sxx) / sxy
    expected = {
        "y on x": sxy / sxx,
        "x on y": syy / sxy,
        "reduced major axis": -np.sqrt(syy / sxx),
        "major axis": half - np.sqrt(half**2 + 1.0),
    }
    lines = lines_of(data)
    for name, slope in expected.items():
        np.testing.assert_allclose(lines[name].slope, slope)
        through_centroid = lines[name].intercept + slope * x.mean()
        np.testing.assert_allclose(through_centroid, y.mean())


def test_swapped_line_has_the_relative_error_of_its_slope():
    """The share r² of the variance is explained either way, and with it the relative error."""
    lines = lines_of(load_pearson_york())
    there, back = lines["y on x"], lines["x on y"]
    np.testing.assert_allclose(there.slope_std / there.slope, back.slope_std / back.slope)
