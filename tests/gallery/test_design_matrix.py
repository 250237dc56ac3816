"""What the pictures of linear fits claim holds for the data that they show."""

import numpy as np
import pytest
from numpy.polynomial import Polynomial

from sklsq.gallery.design_matrix import (
    draw_polynomials,
    draw_surface,
    draw_terms,
    step,
    surface,
    wavy,
)

Figure = pytest.importorskip("matplotlib.figure").Figure


def test_polynomials_are_those_of_numpy_and_explode():
    numbers = draw_polynomials(Figure())
    X, y, _ = step()
    for degree in (3, 9, 15):
        fit = Polynomial.fit(X[:, 0], y, degree)
        np.testing.assert_allclose(numbers[f"end_{degree}"], fit(1.2), rtol=1e-8)
    assert numbers["over_15"] > numbers["over_9"]
    assert abs(numbers["end_3"]) < 1.0 < abs(numbers["end_9"]) < abs(numbers["end_15"])


def test_terms_find_the_sine():
    numbers = draw_terms(Figure())
    assert abs(numbers["sine"] - 0.8) < 2.0 * numbers["sine_std"]
    X, y, sigma = wavy()
    A = np.column_stack([np.ones(len(X)), X, np.log(X), np.sin(X)])
    a, chi2, *_ = np.linalg.lstsq(A / sigma, y / sigma, rcond=None)
    np.testing.assert_allclose([numbers["sine"], numbers["chi2"]], [a[3], chi2[0]])


def test_surface_is_the_weighted_fit():
    numbers = draw_surface(Figure())
    X, z, sigma = surface()
    x, y = X.to_numpy().T
    A = np.column_stack([np.ones_like(x), x, y, x**2, x * y, y**2])
    chi2 = np.linalg.lstsq(A / sigma[:, None], z / sigma, rcond=None)[1][0]
    np.testing.assert_allclose(numbers["chi2"], chi2)
    assert numbers["terms"] == "1, x, y, x**2, x*y, y**2"
    assert numbers["dof"] == numbers["n"] - 6
