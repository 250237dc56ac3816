r"""Rays from the minimum of χ², and where along them it has risen to a level.

A ray holds the parameters S at

.. math:: p_S(d) = \hat p_S + d\,u, \qquad u^\mathsf{T} C_{SS}^{-1}\,u = 1,

so that its height :math:`\tau(d) = \sqrt{\Delta\chi^2}`, minimised over all other parameters, is d
itself if the model is linear, and nearly straight if it is not (the profile t of Bates & Watts,
*Nonlinear Regression Analysis and Its Applications*, 1988, 6.1.2). As it is so straight, secants
find the crossing of a level in two or three minimisations. A ray may also end at a bound first, or
go on for ever below the level: the data then set no limit on that side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sklsq._typing import FloatArray, IntArray
from sklsq.inference.constrained import ConstrainedMinimum
from sklsq.inference.refitting import RepeatableFit

__all__ = ["Crossing", "Ray", "Walk", "crossing", "crossings_together"]

_FARTHEST = 1e6  # standard errors from which on χ² is said never to rise to the level
_TOGETHER = 10  # steps of all rays together
_STRETCH = 4.0  # by which a step may exceed the one before
_OVERSHOOT = 1.05  # beyond where a straight τ would cross, so that the crossing is enclosed
_PRECISION = 1e-7  # of a crossing, relative

End = Literal["level", "bound", "open"]


@dataclass(frozen=True)
class Ray:
    """A direction from the minimum, for the parameters that are held.

    Parameters
    ----------
    held : ndarray of int of shape (k,)
        The parameters.
    direction : ndarray of shape (k,)
        Of unit length as the covariance measures it.
    limit : float
        Distance at which a bound is met.
    stops : tuple of float
        Distances at which a parameter is zero, ascending. Nothing leaps over them: a pole of the
        model, or the mirror image of a width, would else be taken for the near side of the level.
    """

    held: IntArray
    direction: FloatArray
    limit: float
    stops: tuple[float, ...] = ()

    def towards(self, distance: float, so_far: float) -> float:
        """Return `distance`, or the first stop on the way to it."""
        on_the_way = [stop for stop in self.stops if so_far < stop < distance]
        return min([*on_the_way, distance, self.limit])


@dataclass(frozen=True)
class Crossing:
    """Where a ray ends.

    Parameters
    ----------
    distance : float
        From the minimum; infinite for an "open" one.
    params : ndarray of shape (m,)
        All parameters there.
    end : {"level", "bound", "open"}
        Whether the rise of χ² reached its level, a bound came first, or neither.
    """

    distance: float
    params: FloatArray
    end: End


class Walk:
    """Heights along a ray, each minimised from the nearest one that is known.

    Parameters
    ----------
    minimum : ConstrainedMinimum
    fit : RepeatableFit
    box : ndarray of shape (2, m)
        Bounds of the parameters.
    ray : Ray

    Attributes
    ----------
    params : dict of float to ndarray of shape (m,)
        All parameters at the distances that were visited.
    """

    def __init__(
        self, minimum: ConstrainedMinimum, fit: RepeatableFit, box: FloatArray, ray: Ray
    ) -> None:
        self._minimum, self._fit, self._box, self.ray = minimum, fit, box, ray
        self._heights = {0.0: 0.0}
        self.params = {0.0: fit.params}
        held = ray.held
        # What a linear model would do: C[:, S] inv(C[S, S]) u, where the covariance is known.
        block = fit.covariance[np.ix_(held, held)]
        self._along = np.zeros(len(fit.params))
        if np.isfinite(block).all() and np.linalg.matrix_rank(block) == len(held):
            along = fit.covariance[:, held] @ np.linalg.solve(block, ray.direction)
            self._along = np.where(np.isfinite(along), along, 0.0)
        self._along[held] = ray.direction

    def begin_from(self, near: Crossing) -> None:
        """Take the crossing of a neighbouring ray as a point of this one, for starts only."""
        self.params[near.distance] = near.params

    def __call__(self, distance: float) -> float:
        """Return the height at a distance."""
        if distance not in self._heights:
            nearest = min(self.params, key=lambda known: abs(known - distance))
            held = self.ray.held
            values = self._fit.params[held] + distance * self.ray.direction
            values = np.clip(values, *self._box[:, held])
            start = self.params[nearest] + (distance - nearest) * self._along
            start = np.clip(start, *self._box)
            start[held] = values
            rise, self.params[distance] = self._minimum(held, values, start)
            self._heights[distance] = float(np.sqrt(rise))
        return self._heights[distance]


def crossing(walk: Walk, quantile: float, near: Crossing | None = None) -> Crossing:
    """Return where the height of a ray reaches `quantile`.

    Parameters
    ----------
    walk : Walk
        Along the ray.
    quantile : float
    near : Crossing, optional
        That of a neighbouring ray, to begin from.
    """
    step, ray = quantile, walk.ray
    if near is not None and near.end == "level":
        step = near.distance
        walk.begin_from(near)
    step, below = ray.towards(step, 0.0), 0.0
    farthest, least, most = _FARTHEST * max(quantile, 1.0), 1.0, _STRETCH
    while (height := walk(step)) < quantile:
        if step >= ray.limit:
            return Crossing(step, walk.params[step], "bound")
        if step >= farthest:
            return Crossing(np.inf, walk.params[step], "open")
        straight = _OVERSHOOT * quantile / max(height, 1e-300)
        below, step = step, ray.towards(step * min(max(straight, least), most), step)
        least, most = 2.0 * least, most**2 if straight > most else most
    distance = _enclosed(walk, quantile, below, step)
    return Crossing(distance, walk.params[distance], "level")


def _enclosed(walk: Walk, quantile: float, below: float, above: float) -> float:
    """Return the distance between these two at which the height is `quantile`, by secants.

    They converge at once if the height is nearly straight. Every third step halves the distance
    that is left, whatever the height does: it may be infinite where there is no model.
    """
    first, second, n_steps = below, above, 0
    while above - below > _PRECISION * above:
        n_steps += 1
        with np.errstate(all="ignore"):
            slope = np.divide(walk(second) - walk(first), second - first)
            guess = float(second + (quantile - walk(second)) / slope)
        if not below < guess < above or n_steps % 3 == 0:
            guess = 0.5 * (below + above)
        height = walk(guess)
        if abs(height - quantile) <= _PRECISION * quantile:
            return guess
        below, above = (guess, above) if height < quantile else (below, guess)
        first, second = second, guess
    return below


def crossings_together(
    rays: Sequence[Ray],
    heights: Callable[[IntArray, FloatArray], tuple[FloatArray, FloatArray]],
    quantile: float,
) -> list[Crossing | None]:
    """Return where many rays cross, by secants for all at once; None for those that need more care.

    Parameters
    ----------
    rays : sequence of Ray
    heights : callable
        ``heights(rays (B,), distances (B,)) -> heights (B,), params (B, m)`` for rays by number;
        NaN where there is no minimum.
    quantile : float
        The height looked for.
    """
    found: list[Crossing | None] = [None] * len(rays)
    limits = np.array([ray.limit for ray in rays])
    last, last_height = np.zeros(len(rays)), np.zeros(len(rays))
    reached, least = np.zeros(len(rays)), np.ones(len(rays))
    most = np.full(len(rays), _STRETCH)
    distance = np.array([ray.towards(quantile, 0.0) for ray in rays])
    left = np.arange(len(rays))
    for _ in range(_TOGETHER):
        if not len(left):
            break
        at = distance[left]
        height, params = heights(left, at)
        good = np.isfinite(height) & (height > 0.0)
        there = good & (np.abs(height - quantile) <= _PRECISION * quantile)
        low = good & ~there & (height < quantile)
        bound, far = low & (at >= limits[left]), low & (at >= _FARTHEST * max(quantile, 1.0))
        for i in np.flatnonzero(there | bound):
            end: End = "level" if there[i] else "bound"
            found[left[i]] = Crossing(float(at[i]), params[i], end)
        for i in np.flatnonzero(far & ~bound):
            found[left[i]] = Crossing(np.inf, params[i], "open")
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = (height - last_height[left]) / (at - last[left])
            step = at + (quantile - height) / slope
            straight = np.maximum(_OVERSHOOT * quantile / height, least[left])
        leaps = low & ~((step > at) & (step < most[left] * at))
        step[leaps] = (at * np.minimum(straight, most[left]))[leaps]
        least[left[leaps]] *= 2.0
        most[left[leaps & (straight > most[left])]] **= 2
        last[left], last_height[left] = at, height
        reached[left] = np.where(low, np.maximum(reached[left], at), reached[left])
        usual = good & ~there & ~bound & ~far & (step > 0.0)
        left, step = left[usual], step[usual]
        towards = [rays[i].towards(s, reached[i]) for i, s in zip(left, step, strict=True)]
        distance[left] = towards
    return found
