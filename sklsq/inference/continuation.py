r"""A closed contour followed from point to point, whatever its shape.

From a point c of the contour of a height at some level the next lies on a circle of radius h about
c: at the direction where the height passes the level, low on the left, high on the right, so that
the region inside is gone round counterclockwise. The direction is found by turning from where the
last two steps lead to, and then by secants,

.. math:: \mathrm{height}\bigl(c + h\,(\cos\psi, \sin\psi)\bigr) = \mathrm{level} .

Steps are halved where the contour turns fast, and get longer where it is straight. A tail that is
narrower than the shortest step is cut off there. Nothing is assumed of the shape: a ray from inside
may cross the contour as often as it likes.

Source: E. L. Allgower and K. Georg, "Introduction to Numerical Continuation Methods", SIAM 2003,
chapters 2 and 6 (predictor and corrector, with one dimension left).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sklsq._typing import FloatArray

__all__ = ["enclosed_area", "followed"]

_LONGEST = 0.2  # steps, in units of the level
_SHORTEST = 5e-4
_MOST = 3000  # steps
_SHARP = 0.35  # radians of a turn, from which on the step is halved
_STRAIGHT = 0.12  # radians, up to which it grows
_GROWTH = 1.5
_FIRST_TURN = 0.1  # radians, of the search for the side on which the level is
_FARTHEST_TURN = 0.95 * np.pi
_LOOKED_AT = 48  # directions to either side, where the shortest step is not short enough
_NARROWEST = 1e-3  # width of a tail, in shortest steps
_PRECISION = 1e-5  # of the height, relative
_QUICK_SECANTS = 4
_ALIKE = 3.0  # factor between the slopes of two steps
_MOST_SECANTS = 40


def followed(
    height: Callable[[FloatArray], float], start: FloatArray, outward: FloatArray, level: float
) -> FloatArray | None:
    """Return the closed contour through a point; None if it does not come back to it.

    Parameters
    ----------
    height : callable
        Of a point (2,), in coordinates in which it rises by about one for each unit of length; may
        be infinite.
    start : ndarray of shape (2,)
        A point at the level.
    outward : ndarray of shape (2,)
        A direction in which the height rises there.
    level : float

    Returns
    -------
    points : ndarray of shape (K, 2) or None
        Counterclockwise about the lower side, `start` first; it is not repeated at the end.

    Examples
    --------
    >>> import numpy as np
    >>> circle = followed(lambda p: float(np.hypot(*p)), np.array([2.0, 0.0]), np.eye(2)[0], 2.0)
    >>> bool(np.allclose(np.hypot(*circle.T), 2.0, rtol=1e-4))
    True
    >>> round(float(enclosed_area(circle) / (4.0 * np.pi)), 2)
    1.0
    """
    points, h = [start], 0.5 * _LONGEST * level
    ahead = float(np.arctan2(outward[0], -outward[1]))  # a quarter turn to the left
    last, first, slope = ahead, None, 1.0
    while len(points) <= _MOST:
        here = points[-1]
        shortest = h <= _SHORTEST * level
        circle = _Circle(height, here, h, level, slope)
        found = circle.crossing(ahead, shortest)
        turn = None if found is None else (found - last + np.pi) % (2.0 * np.pi) - np.pi
        if found is None or turn is None or (abs(turn) > _SHARP and first is not None):
            if not shortest:
                h, ahead = 0.5 * h, last
                continue
            if found is None or turn is None:
                there = _across(height, here, last, h, level)
                if there is None:
                    return None
                points.append(there)
                last = ahead = last + np.pi
                slope = 0.0
                continue
        there = here + h * np.array([np.cos(found), np.sin(found)])
        first = found if first is None else first
        if len(points) > 2 and _comes_back(here, there, start, first, found):
            return np.array(points)
        points.append(there)
        straight = abs(turn) < _STRAIGHT and h < _LONGEST * level
        growth = _GROWTH if straight else 1.0
        if abs(turn) > _SHARP:  # at a tip, which may not go on so
            turn = 0.0
        last, ahead, h, slope = found, found + growth * turn, growth * h, circle.slope
    return None


def enclosed_area(points: FloatArray) -> float:
    """Return the area inside of a closed polygon (K, 2), positive if counterclockwise."""
    x, y = (points - points[0]).T
    return 0.5 * float(x @ np.roll(y, -1) - y @ np.roll(x, -1))


def _across(
    height: Callable[[FloatArray], float], c: FloatArray, along: float, h: float, level: float
) -> FloatArray | None:
    """Return the point on the other side of a tail that is narrower than a step."""
    left = np.array([-np.sin(along), np.cos(along)])
    within = 0.0
    for share in np.geomspace(_NARROWEST, 2.0, _LOOKED_AT):
        value = height(c + share * h * left) - level
        if value < 0.0:
            within = share
        elif within:
            beyond = float(share)
            while beyond - within > _PRECISION * beyond:
                middle = 0.5 * (within + beyond)
                low = height(c + middle * h * left) < level
                within, beyond = (middle, beyond) if low else (within, middle)
            return np.asarray(c + within * h * left)
    return None


def _comes_back(
    here: FloatArray, there: FloatArray, start: FloatArray, first: float, now: float
) -> bool:
    """Tell whether a step passes by the start, in the direction in which it was left."""
    step, to_start = there - here, start - here
    passes = 0.0 < step @ to_start <= step @ step * (1.0 + 1e-9)
    near = np.linalg.norm(to_start) <= np.linalg.norm(step) * 1.05
    return bool(passes and near and np.cos(first - now) > 0.5)


class _Circle:
    """Heights above the level on a circle of radius h about a point c of the contour."""

    def __init__(
        self,
        height: Callable[[FloatArray], float],
        c: FloatArray,
        h: float,
        level: float,
        slope: float,
    ) -> None:
        self._height, self._c, self._h, self._level = height, c, h, level
        self._expected = slope  # by which the height falls to the left, for a unit of length
        self.slope = 0.0  # the same as found; zero where it was not
        self.precision = _PRECISION * level

    def above(self, direction: float) -> float:
        point = self._c + self._h * np.array([np.cos(direction), np.sin(direction)])
        return self._height(point) - self._level

    def crossing(self, ahead: float, last_resort: bool) -> float | None:
        """Return the direction, near `ahead`, with the level below on its left; None if none is."""
        value = self.above(ahead)
        quick = self._by_secants(ahead, value)
        if quick is not None:
            return quick
        turns = _FIRST_TURN * 2.0 ** np.arange(5)
        if last_resort:
            turns = np.linspace(0.0, _FARTHEST_TURN, _LOOKED_AT + 1)[1:]
        towards = 1.0 if value > 0.0 else -1.0  # too high: the level is on the left
        near, f_near = ahead, value
        for turn in turns:
            far = ahead + towards * float(turn)
            f_far = self.above(far)
            if f_far * towards <= 0.0:
                ends = (far, f_far, near, f_near) if towards > 0.0 else (near, f_near, far, f_far)
                return self._between(*ends)
            near, f_near = far, f_far
        return None

    def _by_secants(self, ahead: float, value: float) -> float | None:
        """Return the direction by a few secants; None unless the height falls as expected.

        Else there are two crossings nearby, as at the tip of a tail, or none.
        """
        if not self._expected > 0.0:
            return None
        first, f_first, fall = ahead, value, self._expected * self._h
        for _ in range(_QUICK_SECANTS):
            second = first + f_first / fall
            if second == first or not abs(second - ahead) <= _SHARP:
                return None
            f_second = self.above(second)
            if not np.isfinite(f_second):
                return None
            fall = (f_first - f_second) / (second - first)
            if not 1.0 / _ALIKE <= fall / (self._expected * self._h) <= _ALIKE:
                return None
            first, f_first = second, f_second
            if abs(f_first) <= self.precision:
                self.slope = fall / self._h
                return first
        return None

    def _between(self, left: float, f_left: float, right: float, f_right: float) -> float:
        """Return the direction between two, low and high, by false position with halved weights."""
        side = 0
        for _ in range(_MOST_SECANTS):
            middle = 0.5 * (left + right)
            if np.isfinite(f_right):
                middle = (left * f_right - right * f_left) / (f_right - f_left)
            value = self.above(middle)
            if abs(value) <= self.precision:
                if np.isfinite(f_right) and value != 0.0:
                    end, f_end = (right, f_right) if value < 0.0 else (left, f_left)
                    self.slope = (f_end - value) / (middle - end) / self._h
                return middle
            if value < 0.0:
                left, f_left = middle, value
                f_right, side = (0.5 * f_right if side < 0 else f_right), -1
            else:
                right, f_right = middle, value
                f_left, side = (0.5 * f_left if side > 0 else f_left), 1
        return left
