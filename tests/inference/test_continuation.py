"""Contours of known shape and area, followed from point to point."""

import numpy as np
import pytest

from sklsq.inference.continuation import enclosed_area, followed

CHORDS = 0.01  # what the chords of a polygon cut off, of the area
ON_THE_LEVEL = 2e-5  # relative


def banana(bend):
    """A circle sheared along y: its area stays, rays from the middle cross it several times."""
    return lambda p: float(np.hypot(p[0], p[1] - bend * p[0] ** 2))


def crescent(p):
    """The points nearer than 1 to an arc of three quarters of a circle of radius 4."""
    angle = np.clip(np.arctan2(p[1], p[0]), -2.36, 2.36)
    return float(np.hypot(p[0] - 4.0 * np.cos(angle), p[1] - 4.0 * np.sin(angle)))


@pytest.mark.parametrize("bend", [0.0, 0.5, 2.0, 10.0])
@pytest.mark.parametrize("level", [1.0, 2.5])
def test_a_banana_has_the_area_of_the_circle(bend, level):
    height = banana(bend)
    points = followed(height, np.array([0.0, -level]), np.array([0.0, -1.0]), level)
    np.testing.assert_allclose([height(p) for p in points], level, rtol=ON_THE_LEVEL)
    assert enclosed_area(points) == pytest.approx(np.pi * level**2, rel=CHORDS)
    assert len(points) < 600
    assert len(np.unique(points, axis=0)) == len(points)
    assert points[:, 1].max() > 0.98 * bend * level**2  # up to both tips
    assert np.ptp(points[:, 0]) == pytest.approx(2.0 * level, rel=CHORDS)


def test_a_crescent_that_nearly_bites_its_tail():
    start = np.array([5.0, 0.0])
    points = followed(crescent, start, np.array([1.0, 0.0]), 1.0)
    area = 2.36 / np.pi * np.pi * (5.0**2 - 3.0**2) + np.pi
    assert enclosed_area(points) == pytest.approx(area, rel=CHORDS)
    inner = followed(crescent, np.array([3.0, 0.0]), np.array([-1.0, 0.0]), 1.0)
    assert enclosed_area(inner) == pytest.approx(area, rel=CHORDS)


def test_where_the_height_is_infinite_is_the_edge():
    """A circle of radius 1 cut by a wall."""

    def height(p):
        return float(np.hypot(*p)) if p[0] < 0.5 else np.inf

    points = followed(height, np.array([-1.0, 0.0]), np.array([-1.0, 0.0]), 1.0)
    segment = np.arccos(0.5) - 0.5 * np.sqrt(0.75)
    assert enclosed_area(points) == pytest.approx(np.pi - segment, rel=CHORDS)
    assert points[:, 0].max() == pytest.approx(0.5, abs=1e-4)


def test_a_tail_thinner_than_the_shortest_step_is_cut_off():
    """A disc with a needle."""

    def height(p):
        needle = max(abs(p[1]) / 1e-5, abs(p[0] - 2.0) / 2.0)
        return float(min(np.hypot(*p), needle))

    points = followed(height, np.array([-1.0, 0.0]), np.array([-1.0, 0.0]), 1.0)
    assert points is not None
    assert enclosed_area(points) == pytest.approx(np.pi, rel=CHORDS)


def test_what_does_not_close_is_not_followed_for_ever():
    calls = 0

    def height(p):
        nonlocal calls
        calls += 1
        return float(abs(p[1]))  # a strip without end

    assert followed(height, np.array([0.0, 1.0]), np.array([0.0, 1.0]), 1.0) is None
    assert calls < 30_000


def test_a_point_without_a_contour():
    assert followed(lambda p: 2.0, np.zeros(2), np.array([1.0, 0.0]), 1.0) is None


def test_area_has_the_sign_of_the_turn():
    square = np.array([[1.0, 1.0], [3.0, 1.0], [3.0, 3.0], [1.0, 3.0]])
    assert enclosed_area(square) == 4.0
    assert enclosed_area(square[::-1]) == -4.0
