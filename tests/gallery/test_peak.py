"""The surface under the search for a peak, and the paths over it."""

import numpy as np
import pytest

from sklsq import NonlinearLSQ
from sklsq.datasets import load_gaussian_peak
from sklsq.gallery.peak import chi2_of, descent

MODEL = "p1 + p2*exp(-((x - p3)/p4)**2)"


@pytest.mark.parametrize(("centre", "width"), [(4.5, 1.0), (2.0, 0.5), (9.0, 3.0)])
def test_surface_is_a_fit_with_centre_and_width_held(centre, width):
    data = load_gaussian_peak()
    fit = NonlinearLSQ(MODEL, fixed={"p3": centre, "p4": width}).fit(data.X, data.y_values)
    np.testing.assert_allclose(chi2_of(np.array([centre]), np.array([width])), [fit.chi2_])


def test_surface_of_a_peak_that_no_point_sees():
    """Between the points, and so narrow that it is zero at all of them."""
    y = load_gaussian_peak().y_values
    found = chi2_of(np.array([4.6]), np.array([1e-3]))
    np.testing.assert_allclose(found, np.square(y - y.mean()).sum())


@pytest.mark.parametrize(
    ("start", "centre"),
    [([1.0, 8.0, 5.0, 2.0], 4.49), ([1.0, 8.0, 9.0, 0.5], 8.37), ([1.0, 8.0, 1.0, 1.0], 1.08)],
)
def test_paths_lead_from_the_start_to_a_minimum(start, centre):
    path = descent(start)
    np.testing.assert_array_equal(path[0], start)
    np.testing.assert_allclose(path[-1, 2], centre, atol=0.01)
    angle = np.linspace(0.0, 2.0 * np.pi, 24, endpoint=False)
    around = chi2_of(path[-1, 2] + 0.03 * np.cos(angle), path[-1, 3] + 0.03 * np.sin(angle))
    assert (around > chi2_of(path[-1:, 2], path[-1:, 3])).all()
