r"""Contours of χ² for two parameters, all others minimised anew at every point.

With S the two parameters, C their 2 × 2 covariance and L its Cholesky factor, rays
:math:`p_S = \hat p_S + d\,L(\cos\theta, \sin\theta)^\mathsf{T}` leave the minimum in all directions
of the *whitened* plane, in which the ellipse of the covariance is a circle of radius q and the
contour, where the root of the rise of χ² is q, nearly one (`sklsq.inference.profile`). Where it is
not, rays are added until its points are close. Where they do not get close, rays cross the contour
several times: there it is followed from point to point (`sklsq.inference.continuation`).

Which rise belongs to a level depends on what is asked. That the region holds *both* parameters
takes

.. math:: \Delta\chi^2 = -2\ln(1 - \mathrm{level}) \quad\text{or, scaled,}\quad
          2 s^2 F_{2,\nu}(\mathrm{level}),

2.30 and 6.18 for 0.6827 and 0.9545. The contour whose *shadow* on an axis is the interval of that
parameter by itself takes 1 and 4, and holds both with 0.39 and 0.86 only.

Glover, D. M., Jenkins, W. J. & Doney, S. C., *Modeling Methods for Marine Science*, 3.4.2; Press et
al., *Numerical Recipes*, 15.6.5; Bates & Watts, *Nonlinear Regression Analysis and Its
Applications*, 1988, 6.1.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sklsq._typing import FloatArray, IntArray
from sklsq.exceptions import warn_caller
from sklsq.inference.continuation import followed
from sklsq.inference.profile import ProfiledChi2, about_lowest
from sklsq.inference.rays import Crossing
from sklsq.inference.refitting import check_levels, fit_to

__all__ = ["Chi2Contour", "ContourLine", "chi2_contour", "contour_of", "pair_of"]

_CLOSE = 0.3  # distance of neighbouring points of a contour, in its radius
_ROUNDS = 5  # of added rays
_NARROW = 1e-3  # angle between rays, in radians, that is not halved again
_STEEP = 3.0  # change of the logarithm of the radius with the angle, where rays are added
_GRAZING = 8.0  # the same, from which on a ray is taken to cross more than once
_NOTICED = 0.02  # change of the logarithm of the radius that is looked at
_ON_BOUND = 1e-4  # of the level, from a bound
_REMEMBERED = 200  # points from which the next minimum may begin


@dataclass(frozen=True)
class ContourLine:
    """The contour of one level.

    Parameters
    ----------
    level : float
        Probability.
    rise : float
        Δχ² it stands for, not in units of the reduced χ².
    angles : ndarray of shape (K,)
        Directions in the whitened plane; ascending, but of a contour that was `followed`.
    points : ndarray of shape (K, 2)
        The contour; NaN where χ² never rises to the level.
    ends : ndarray of str of shape (K,)
        "level", "bound" for a point where a bound came first, "open" for none.
    ellipse : ndarray of shape (K, 2)
        The same for the parabola of the covariance, at these angles.
    followed : bool
        Whether rays from the minimum cross the contour more than once, so that it was followed from
        point to point.
    """

    level: float
    rise: float
    angles: FloatArray
    points: FloatArray
    ends: Any
    ellipse: FloatArray
    followed: bool = False

    @property
    def closed(self) -> bool:
        """Whether all of it is there."""
        return bool((self.ends == "level").all())


@dataclass(frozen=True)
class Chi2Contour:
    """Contours of χ² for two parameters.

    Parameters
    ----------
    names : tuple of str
        The two.
    estimate : ndarray of shape (2,)
        The minimum.
    lines : tuple of ContourLine
        One a level, in the order asked for.
    linear : bool
        Whether contours are ellipses because the model is linear, or goes through all points.
    """

    names: tuple[str, str]
    estimate: FloatArray
    lines: tuple[ContourLine, ...]
    linear: bool

    def frame(self) -> pd.DataFrame:
        """Return all points: `level`, `angle`, both parameters, those of the ellipse, `end`."""
        first, second = self.names
        parts = [
            pd.DataFrame(
                {
                    "level": line.level,
                    "angle": line.angles,
                    first: line.points[:, 0],
                    second: line.points[:, 1],
                    f"{first}_ellipse": line.ellipse[:, 0],
                    f"{second}_ellipse": line.ellipse[:, 1],
                    "end": line.ends,
                }
            )
            for line in self.lines
        ]
        return pd.concat(parts, ignore_index=True)


def chi2_contour(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    sigma: Any = None,
    sigma_x: Any = None,
    corr_xy: Any = None,
    params: tuple[str, str] | None = None,
    levels: Sequence[float] = (0.6827, 0.9545),
    joint: bool = True,
    n_points: int = 48,
) -> Chi2Contour:
    """Return contours of χ² for two parameters, minimised over all others.

    Parameters
    ----------
    estimator : estimator of sklsq
        Fitted or not, as in `confidence_intervals`.
    X : array_like of shape (n, p)
        Features.
    y : array_like of shape (n,)
        Measured values, one target.
    sigma, sigma_x, corr_xy : optional
        Their errors, in any form that `estimator.fit` takes.
    params : tuple of two str, optional
        The parameters. May be left out if there are just two that vary.
    levels : sequence of float, default=(0.6827, 0.9545)
        Probabilities.
    joint : bool, default=True
        True: the region holds both parameters with this probability, Δχ² = 2.30 and 6.18 for the
        default levels. False: the shadow of the region on an axis is the interval of that parameter
        by itself, Δχ² = 1 and 4.
    n_points : int, default=48
        Rays; more are added where points lie far apart.

    Returns
    -------
    Chi2Contour
        `lines` with `points`, the true contour, and `ellipse`, that of the covariance; `frame()`.

    Raises
    ------
    ValueError
        If an option is not as above, a parameter does not vary, or the estimator does not minimise
        a χ² that can be followed.

    Warns
    -----
    ConvergenceWarning
        If a lower minimum was found on the way; the contours are then about that one.
    UserWarning
        If a contour is so bent that rays cross it several times, and could not be followed all
        around, or has a hole: its points are then the first crossings.

    Notes
    -----
    Each ray is followed from the minimum to the first point at the level. A contour so bent that
    a ray crosses it three times, like a banana, is followed from point to point, which takes some
    hundred fits. An open one stays cut at the first crossings; islands around other minima are not
    looked for.

    Examples
    --------
    >>> from sklsq import WeightedLinearFit, chi2_contour
    >>> from sklsq.datasets import load_pion_minus
    >>> data = load_pion_minus()
    >>> contour = chi2_contour(
    ...     WeightedLinearFit(), data.X, data.y_values, sigma=data.sigma_values
    ... )
    >>> [round(line.rise, 2) for line in contour.lines]
    [2.3, 6.18]
    """
    levels = check_levels(levels)
    if not isinstance(n_points, (int, np.integer)) or n_points < 8:
        raise ValueError(f"`n_points` must be an integer of at least 8. Got {n_points!r}.")
    fit = fit_to(estimator, X, y, sigma=sigma, sigma_x=sigma_x, corr_xy=corr_xy)
    return about_lowest(
        fit, lambda profile: contour_of(profile, pair_of(profile, params), levels, joint, n_points)
    )


def pair_of(profile: ProfiledChi2, params: Sequence[str] | None) -> tuple[int, int]:
    """Return the numbers of two parameters that vary.

    Raises
    ------
    ValueError
        If they are not two, not known, or fixed.
    """
    vary = [name for name in profile.fit.names if name not in profile.fixed]
    if params is None and len(vary) == 2:
        params = vary
    if params is None or isinstance(params, str) or len(set(params)) != 2 or len(params) != 2:
        raise ValueError(
            f"`params` must be two different parameters of {', '.join(vary)}. Got {params!r}."
        )
    first, second = (profile.fit.index(name) for name in params)
    for name in params:
        if name not in vary:
            raise ValueError(
                f"`params` must name parameters that vary. Got {name!r}, which is fixed."
            )
    return first, second


def contour_of(
    profile: ProfiledChi2,
    pair: tuple[int, int],
    levels: Sequence[float],
    joint: bool = True,
    n_points: int = 48,
) -> Chi2Contour:
    """Return contours from a profile; see `chi2_contour`.

    Parameters
    ----------
    profile : ProfiledChi2
    pair : tuple of two int
        The parameters.
    levels, joint, n_points
        As there.
    """
    held = np.array(pair)
    plane, known = _plane(profile, pair)
    lines = [_line(profile, pair, plane, known, level, joint, n_points) for level in levels]
    names = (profile.fit.names[pair[0]], profile.fit.names[pair[1]])
    return Chi2Contour(names, profile.fit.params[held].copy(), tuple(lines), profile.linear)


def _plane(profile: ProfiledChi2, pair: tuple[int, int]) -> tuple[FloatArray, bool]:
    """Return the map (2, 2) from the whitened plane, and whether it is that of the covariance.

    Raises
    ------
    ValueError
        If one parameter is a function of the other.
    """
    fit, held = profile.fit, np.array(pair)
    scales = np.array([profile.scale(j) for j in pair])
    block = fit.covariance[np.ix_(held, held)]
    known = bool(np.isfinite(block).all() and (np.diag(block) > 0.0).all())
    if not known:
        return np.diag(scales), False
    correlation = float(np.clip(block[0, 1] / (scales[0] * scales[1]), -1.0, 1.0))
    remaining = (1.0 - correlation) * (1.0 + correlation)
    if remaining <= 1e-14:
        raise ValueError(
            f"`params` must be two parameters that vary independently. Got "
            f"{fit.names[pair[0]]!r} and {fit.names[pair[1]]!r}, correlated by {correlation:+.15g}."
        )
    root = np.array([[1.0, 0.0], [correlation, np.sqrt(remaining)]])
    return scales[:, None] * root, True


def _line(
    profile: ProfiledChi2,
    pair: tuple[int, int],
    plane: FloatArray,
    known: bool,
    level: float,
    joint: bool,
    n_points: int,
) -> ContourLine:
    fit, held = profile.fit, np.array(pair)
    quantile = fit.quantile(level, 2 if joint else 1)
    angles: FloatArray = np.linspace(0.0, 2.0 * np.pi, n_points, endpoint=False)
    rise = quantile**2 * fit.scale
    usable = np.isfinite(quantile) and np.isfinite(fit.params).all()
    if profile.linear or not usable:
        ellipse = _ellipse(fit.params[held], plane, quantile if known else np.nan, angles)
        ends = np.full(n_points, "level" if known and usable else "open", dtype=object)
        return ContourLine(level, rise, angles, ellipse, ends, ellipse)
    found: dict[float, Crossing] = {}
    _follow(profile, pair, plane, quantile, angles, found)
    for _ in range(_ROUNDS):
        between = _gaps(found, fit.params[held], plane, quantile)
        if not len(between) or len(found) > 4 * n_points:
            break
        _follow(profile, pair, plane, quantile, between, found)
    angles = np.array(sorted(found))
    crossings = [found[angle] for angle in angles]
    ends = np.array([crossing.end for crossing in crossings], dtype=object)
    points: FloatArray = np.array([crossing.params[held] for crossing in crossings])
    points[ends == "open"] = np.nan
    around = _around(profile, held, plane, quantile, angles, crossings, level)
    if around is not None:
        angles, points, ends = around
    ellipse = _ellipse(fit.params[held], plane, quantile if known else np.nan, angles)
    return ContourLine(level, rise, angles, points, ends, ellipse, around is not None)


def _around(
    profile: ProfiledChi2,
    held: IntArray,
    plane: FloatArray,
    quantile: float,
    angles: FloatArray,
    crossings: list[Crossing],
    level: float,
) -> tuple[FloatArray, FloatArray, Any] | None:
    """Return angles, points and ends of a contour that rays cross several times.

    None of one that they cross once, or that cannot be followed.
    """
    ends = np.array([crossing.end for crossing in crossings])
    steepness = _steepness(angles, np.array([crossing.distance for crossing in crossings]), ends)
    if (ends == "open").any() or not (steepness > _GRAZING).any():
        return None
    begin = _begin(steepness, ends)
    known = _KnownHeights(profile, held, plane, crossings)
    outward = np.array([np.cos(angles[begin]), np.sin(angles[begin])])
    points = followed(known, crossings[begin].distance * outward, outward, quantile)
    if points is None or not _encloses(points, known.crossings[ends == "level"], quantile):
        warn_caller(
            f"The contour of the level {level:g} is so bent that rays from the minimum run along "
            "it or cross it more than once, and it could not be followed all around, or has a hole "
            "inside: it is cut short at their first crossings. Parameters nearer to the data (a "
            "logarithm, a ratio) may straighten it; or take a lower level."
        )
        return None
    at = profile.fit.params[held] + points @ plane.T
    nearest = np.abs(at[:, :, None] - profile.box[:, held].T).min(axis=2)
    at_bound = (nearest <= _ON_BOUND * quantile * np.abs(plane).max(axis=1)).any(axis=1)
    ends = np.where(at_bound, "bound", "level").astype(object)
    return np.mod(np.arctan2(points[:, 1], points[:, 0]), 2.0 * np.pi), at, ends


def _steepness(angles: FloatArray, radius: FloatArray, ends: Any) -> FloatArray:
    """Return how fast the radius changes between neighbours; zero where that is a kink, or slow."""
    apart = np.diff(angles, append=angles[0] + 2.0 * np.pi)
    usual = (ends != "open") & (np.roll(ends, -1) == ends)
    with np.errstate(all="ignore"):
        change = np.abs(np.log(np.roll(radius, -1) / radius))
    return np.where(usual & (change > _NOTICED), change / apart, 0.0)


def _begin(steepness: FloatArray, ends: Any) -> int:
    """Return a crossing at the level, as far from what is steep as there is one."""
    around = np.maximum(steepness, np.roll(steepness, 1))
    flat = (around < 1.0) & (ends == "level")
    if not flat.any():
        return int(np.argmin(np.where(ends == "level", around, np.inf)))
    # The middle of the longest stretch.
    n = len(flat)
    run, best, length = 0, 0, 0
    for k in range(2 * n):
        run = run + 1 if flat[k % n] else 0
        if run > length:
            best, length = k, min(run, n)
    return (best - length // 2) % n


def _encloses(points: FloatArray, crossings: FloatArray, quantile: float) -> bool:
    """Tell whether a closed polygon goes once round the minimum, by all crossings of the rays."""
    angles = np.arctan2(points[:, 1], points[:, 0])
    turns = np.mod(np.roll(angles, -1) - angles + np.pi, 2.0 * np.pi) - np.pi
    apart = np.linalg.norm(crossings[:, None] - points, axis=2).min(axis=1)
    return bool(abs(turns.sum() - 2.0 * np.pi) < 1.0 and (apart <= _CLOSE * quantile).all())


class _KnownHeights:
    """Heights in the whitened plane, each minimised from the nearest point that is known."""

    def __init__(
        self,
        profile: ProfiledChi2,
        held: IntArray,
        plane: FloatArray,
        crossings: list[Crossing],
    ) -> None:
        self._profile, self._held, self._plane = profile, held, plane
        centre, inverse = profile.fit.params[held], np.linalg.inv(plane)
        self._params = np.array([crossing.params for crossing in crossings])
        self.crossings = (self._params[:, held] - centre) @ inverse.T
        self._places = self.crossings

    def __call__(self, point: FloatArray) -> float:
        """Return the root of the rise of χ² at a point (2,)."""
        nearest = int(np.square(self._places - point).sum(axis=1).argmin())
        start = self._params[nearest].copy()
        height, params = self._profile.height(self._held, self._plane @ point, start)
        if np.isfinite(height):
            self._places = np.vstack([self._places[-_REMEMBERED:], point])
            self._params = np.vstack([self._params[-_REMEMBERED:], params])
        return height


def _ellipse(
    centre: FloatArray, plane: FloatArray, quantile: float, angles: FloatArray
) -> FloatArray:
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    ellipse: FloatArray = centre + quantile * circle @ plane.T
    return ellipse


def _follow(
    profile: ProfiledChi2,
    pair: tuple[int, int],
    plane: FloatArray,
    quantile: float,
    angles: FloatArray,
    found: dict[float, Crossing],
) -> None:
    """Add the crossings of rays at these angles."""
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    rays = [profile.ray(np.array(pair), plane @ direction) for direction in circle]
    found |= zip(map(float, angles), profile.crossings(rays, quantile), strict=True)


def _gaps(
    found: dict[float, Crossing], centre: FloatArray, plane: FloatArray, quantile: float
) -> FloatArray:
    """Return angles halfway between neighbours whose points are far apart, or of different kind."""
    angles = np.array(sorted(found))
    following = np.append(angles[1:], angles[0] + 2.0 * np.pi)
    radius = np.array([found[angle].distance for angle in angles])
    with np.errstate(invalid="ignore"):
        points = radius * np.exp(1j * angles)
        apart = np.abs(np.roll(points, -1) - points) / quantile
    halfway = 0.5 * (angles + following)
    ends = np.array([found[angle].end for angle in angles])
    kinks = ends != np.roll(ends, -1)
    both_open = (ends == "open") & ~kinks
    steep = _steepness(angles, radius, ends) > _STEEP
    wanted = (~(apart <= _CLOSE) | kinks | steep) & ~both_open & (following - angles > _NARROW)
    added: FloatArray = np.mod(halfway[wanted], 2.0 * np.pi)
    return added
