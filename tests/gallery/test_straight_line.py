"""Ellipses and bands of the gallery, against their definitions."""

import numpy as np
import pytest
from scipy import stats

from sklsq.gallery.straight_line import draw_band, draw_designs, ellipse

Figure = pytest.importorskip("matplotlib.figure").Figure


@pytest.mark.parametrize("probability", [0.3935, 0.6827, 0.9545])
def test_ellipse_is_the_contour_of_that_probability(probability):
    covariance = np.array([[4.0, -1.5], [-1.5, 1.0]])
    centre = np.array([10.0, -3.0])
    from_centre = np.column_stack(ellipse(centre, covariance, probability)) - centre
    distance = np.einsum("ki,ij,kj->k", from_centre, np.linalg.inv(covariance), from_centre)
    np.testing.assert_allclose(distance, stats.chi2.ppf(probability, 2))


def test_designs_have_the_errors_of_the_sums():
    """The formulas of the lecture: var(a) = Sxx/Δ, var(b) = S/Δ, cov = -Sx/Δ."""
    numbers = draw_designs(Figure())
    for name, x in {"narrow": np.linspace(6.0, 9.0, 10), "wide": np.linspace(0.5, 9.5, 10)}.items():
        s, sx, sxx = (np.sum(x**k) / numbers["sigma"] ** 2 for k in range(3))
        delta = s * sxx - sx**2
        found = [numbers[f"{name}_{what}"] for what in ("a", "b", "r")]
        expected = [np.sqrt(sxx / delta), np.sqrt(s / delta), -sx / np.sqrt(s * sxx)]
        np.testing.assert_allclose(found, expected)
        assert numbers[f"{name}_r_centred"] < 1e-12


def test_band_without_covariance_is_too_wide_by_the_correlation():
    """At the mean of x the variances are var(a) (1 - r²) and var(a) (1 + r²)."""
    numbers = draw_band(Figure())
    r = numbers["r"]
    np.testing.assert_allclose(numbers["ratio"] ** 2, (1.0 + r**2) / (1.0 - r**2))
