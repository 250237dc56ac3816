"""Curves go through the points they stand for, and axes show what matters."""

import numpy as np
import pandas as pd
import pytest

from sklsq.display.chi2_surface import (
    error_of,
    limits_of,
    smooth_contour,
    smooth_profile,
    surface_of,
)
from sklsq.inference.continuation import enclosed_area, followed
from sklsq.inference.contours import Chi2Contour, ContourLine
from sklsq.inference.profile import ProfiledChi2
from sklsq.inference.refitting import fit_to
from tests.inference.curved import CASES


def ring(radius, ends="level", n=24):
    angles = np.linspace(0.0, 2.0 * np.pi, n, endpoint=False)
    ellipse = np.column_stack([np.cos(angles), np.sin(angles)])
    return ContourLine(0.9, 1.0, angles, radius * ellipse, np.full(n, ends, dtype=object), ellipse)


def test_smooth_contour_goes_through_the_points_and_stays_a_circle():
    line = ring(2.0)
    curve = smooth_contour(line)
    np.testing.assert_allclose(np.hypot(*curve.T), 2.0, rtol=1e-4)
    for point in line.points:
        assert np.linalg.norm(curve - point, axis=1).min() < 1e-12
    np.testing.assert_array_equal(curve[0], curve[-1])
    assert len(smooth_contour(ring(2.0, "bound"))) == 25  # corners are not rounded


def test_smooth_contour_of_a_banana_stays_one():
    """Followed from point to point: its angles go to and fro."""

    def height(p):
        return float(np.hypot(p[0], p[1] - 2.0 * p[0] ** 2))

    points = followed(height, np.array([0.0, -1.5]), np.array([0.0, -1.0]), 1.5)
    angles = np.mod(np.arctan2(*points.T[::-1]), 2.0 * np.pi)
    ends = np.full(len(points), "level", dtype=object)
    curve = smooth_contour(ContourLine(0.9, 1.0, angles, points, ends, points, followed=True))
    np.testing.assert_allclose([height(p) for p in curve], 1.5, rtol=0.02)
    assert enclosed_area(curve[:-1]) == pytest.approx(np.pi * 1.5**2, rel=0.01)


def test_smooth_profile_of_a_parabola_is_one():
    value = np.linspace(-2.0, 2.0, 9)
    table = pd.DataFrame({"value": value, "rise": (value / 0.5) ** 2, "wald": (value / 0.5) ** 2})
    fine, heights = smooth_profile(table)
    np.testing.assert_allclose(heights, (fine / 0.5) ** 2, atol=1e-10)
    assert error_of(table) == pytest.approx(0.5)


def test_limits_hold_the_contour_unless_it_runs_away():
    table = pd.DataFrame({"value": [-0.5, 0.0, 0.5]})

    def limits(radius):
        contour = Chi2Contour(("a", "b"), np.zeros(2), (ring(radius),), False)
        return limits_of("a", [contour], table)

    low, high = limits(3.0)
    assert low < -3.0
    assert high > 3.0
    low, high = limits(1e6)
    assert -6.0 < low < -5.0
    assert 5.0 < high < 6.0
    low, high = limits_of("a", [], table)
    assert -0.7 < low < -0.5


def test_surface_has_every_pair_and_the_unit_of_its_rises():
    case = CASES["gaussian"]
    profile = ProfiledChi2(fit_to(case.estimator, case.X, case.y))
    surface = surface_of(profile, ["p4", "p1", "p2"], (0.5, 0.9), True, 8)
    assert [found.names for found in surface["contours"]] == [
        ("p4", "p1"),
        ("p4", "p2"),
        ("p1", "p2"),
    ]
    assert list(surface["profiles"]) == ["p4", "p1", "p2"]
    assert surface["level_rises"][0.9] == pytest.approx(profile.fit.quantile(0.9) ** 2)
    assert surface["unit"].endswith("s^2$")
