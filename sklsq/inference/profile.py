r"""The profile of χ²: its minimum over all other parameters, at given values of some.

Where it has risen by the square of a quantile is the end of an interval (one parameter held, two
rays from the minimum, see `sklsq.inference.rays`) or a point of a contour (two held, many rays).
All rays are followed together where the estimator can (`sklsq.inference.batched`), and one by one,
each minimum begun from the nearest, where that fails.

Bates, D. M. & Watts, D. G. (1988), *Nonlinear Regression Analysis and Its Applications*, 6.1;
Glover, D. M., Jenkins, W. J. & Doney, S. C., *Modeling Methods for Marine Science*, 3.4.2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning

from sklsq._typing import FloatArray, IntArray
from sklsq.exceptions import warn_caller
from sklsq.inference.batched import minima_together, takes_batches
from sklsq.inference.constrained import (
    SIGNIFICANT,
    ByRefit,
    LowerMinimum,
    Quadratic,
    constrained_minimum,
)
from sklsq.inference.rays import Crossing, Ray, Walk, crossing, crossings_together
from sklsq.inference.refitting import RepeatableFit

__all__ = ["ProfiledChi2", "about_lowest"]

_MOST_MINIMA = 20  # one after the other, each lower
_SHOWN_OPEN = 6.0  # quantiles to which a profile is traced that does not reach them
_ORDINARY = 2.0  # quantiles, beyond which the path to a crossing is looked at again
_SEEN = 1e3  # quantiles to which it is
_RETRACED = 16  # points of that path, near and far
_UNKNOWN_SCALE = 0.1  # of a parameter without a standard error, relative

T = TypeVar("T")


class ProfiledChi2:
    """χ² minimised over the other parameters, at given values of some.

    Parameters
    ----------
    fit : RepeatableFit
        The minimum, from `sklsq.inference.refitting.fit_to`.

    Raises
    ------
    ValueError
        If the estimator does not minimise a χ² that can be followed: a robust loss, a line by
        another method than York's, an estimator around another.

    Examples
    --------
    >>> from sklsq import WeightedLinearFit
    >>> from sklsq.datasets import load_pion_minus
    >>> from sklsq.inference.profile import ProfiledChi2
    >>> from sklsq.inference.refitting import fit_to
    >>> data = load_pion_minus()
    >>> fit = fit_to(WeightedLinearFit(), data.X, data.y_values, sigma=data.sigma_values)
    >>> profile = ProfiledChi2(fit)
    >>> round(profile.rise({"intercept": fit.params[0] + 2.0 * fit.std[0]}), 9)
    4.0
    """

    def __init__(self, fit: RepeatableFit) -> None:
        self.fit = fit
        self._minimum = constrained_minimum(fit)
        if fit.exact:  # χ² has then no unit in which it could rise
            self._minimum = Quadratic(fit)
        self.linear = isinstance(self._minimum, Quadratic)
        self._batches = isinstance(self._minimum, ByRefit) and takes_batches(fit)
        self.box = fit.bounds()
        self.fixed = frozenset(fit.options.get("fixed") or {})

    def rise(self, values: Mapping[str, float]) -> float:
        """Return the rise of χ² with some parameters held, in units of 1 or of the reduced χ².

        Parameters
        ----------
        values : mapping of str to float
            The parameters held, and their values.
        """
        held = np.array([self.fit.index(name, "values") for name in values], dtype=int)
        return self._minimum(held, np.array(list(values.values())), self.fit.params)[0]

    def ray(self, held: IntArray, direction: FloatArray) -> Ray:
        """Return a ray as far as the bounds let it go."""
        held_at, moves = self.fit.params[held], direction != 0.0
        ends = np.where(direction > 0.0, self.box[1, held], self.box[0, held])
        room = ((ends - held_at)[moves] / direction[moves]).min(initial=np.inf)
        zeros = -held_at[moves] / direction[moves]
        stops = tuple(sorted(map(float, zeros[zeros > 0.0])))
        return Ray(held, direction, max(float(room), 0.0), stops)

    def height(
        self, held: IntArray, offset: FloatArray, start: FloatArray
    ) -> tuple[float, FloatArray]:
        """Return the root of the rise of χ² and all parameters; infinite beyond a bound.

        Parameters
        ----------
        held : ndarray of int of shape (k,)
            The parameters that are held.
        offset : ndarray of shape (k,)
            How far from the minimum.
        start : ndarray of shape (m,)
            Where to begin.
        """
        values = self.fit.params[held] + offset
        if (values < self.box[0, held]).any() or (values > self.box[1, held]).any():
            return np.inf, start
        begin = np.clip(start, *self.box)
        begin[held] = values
        rise, params = self._minimum(held, values, begin)
        return float(np.sqrt(rise)), params

    def scale(self, j: int) -> float:
        """Return the standard error of a parameter, or else something of its size."""
        std, value = float(self.fit.std[j]), float(self.fit.params[j])
        if np.isfinite(std) and std > 0.0:
            return std
        width = float(np.diff(self.box[:, j])[0])
        return _UNKNOWN_SCALE * (width if np.isfinite(width) else abs(value) or 1.0)

    def crossings(self, rays: Sequence[Ray], quantile: float) -> list[Crossing]:
        """Return where the root of the rise of χ² reaches `quantile` along rays.

        Parameters
        ----------
        rays : sequence of Ray
            Of the same parameters, neighbours side by side.
        quantile : float
        """
        together: list[Crossing | None] = [None] * len(rays)
        if self._batches and len(rays) > 1:
            directions = np.array([ray.direction for ray in rays])

            def heights(which: IntArray, distances: FloatArray) -> tuple[FloatArray, FloatArray]:
                return self._heights(rays[0].held, distances[:, None] * directions[which])

            together = crossings_together(rays, heights, quantile)
        found: list[Crossing] = []
        near = next((known for known in together if known is not None), None)
        for ray, known in zip(rays, together, strict=True):
            near = crossing(self._walk(ray), quantile, near) if known is None else known
            found.append(near)
        return found

    def _walk(self, ray: Ray) -> Walk:
        return Walk(self._minimum, self.fit, self.box, ray)

    def _heights(self, held: IntArray, offsets: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return roots (B,) of the rise of χ², NaN where there is none, and all parameters."""
        fit = self.fit
        values = np.clip(fit.params[held] + offsets, *self.box[:, held])
        scales = np.array([self.scale(j) for j in held])
        chi2, params, good = minima_together(fit, held, scales, values)
        rise = np.where(good, (chi2 - fit.chi2) / fit.scale, np.nan)
        lowest = int(np.argmin(np.where(good, rise, np.inf)))
        if rise[lowest] < -SIGNIFICANT:
            raise LowerMinimum(params[lowest], float(chi2[lowest]))
        return np.sqrt(np.maximum(rise, 0.0)), params

    def ends(self, j: int, quantile: float) -> list[Crossing]:
        """Return the lower and the upper end of the interval of a parameter."""
        rays = self._both_ways(j)
        found = self.crossings(rays, quantile)
        return [self._retraced(ray, end, quantile) for ray, end in zip(rays, found, strict=True)]

    def _retraced(self, ray: Ray, found: Crossing, quantile: float) -> Crossing:
        """Return the first crossing, where steps were so long that one may have been leapt over."""
        if not self._batches or found.distance <= _ORDINARY * quantile:
            return found
        far = min(found.distance, _SEEN * quantile)
        near = np.linspace(0.0, min(far, _ORDINARY * quantile), _RETRACED + 1)[1:]
        distances = np.union1d(near, np.geomspace(near[-1], far, _RETRACED))
        heights, params = self._heights(ray.held, distances[:, None] * ray.direction)
        over = np.flatnonzero((heights > quantile) & (distances < found.distance))
        if not over.size:
            return found
        first = Crossing(float(distances[over[0]]), params[over[0]], "level")
        return crossing(self._walk(ray), quantile, first)

    def _both_ways(self, j: int) -> list[Ray]:
        scale = self.scale(j)
        return [self.ray(np.array([j]), np.array([sign * scale])) for sign in (-1.0, 1.0)]

    def interval(self, j: int, quantile: float) -> tuple[float, float, list[str]]:
        """Return lower and upper end of the interval of a parameter, and how they came about."""
        value, std = float(self.fit.params[j]), float(self.fit.std[j])
        low, high = self.box[:, j]
        if std == 0.0:
            return value, value, ["fixed", "fixed"]
        tied = self.fit.names[j] in (self.fit.options.get("tied") or {})
        if not np.isfinite([value, quantile]).all() or (tied and np.isnan(std)):
            return np.nan, np.nan, ["unknown", "unknown"]
        if np.isinf(std):  # not determined, and what refits say of it rests on rounding
            return low, high, ["open" if np.isinf(end) else "bound" for end in (low, high)]
        if self.linear:
            return value - quantile * std, value + quantile * std, ["level", "level"]
        crossings = self.ends(j, quantile)
        found = [
            sign * np.inf if crossing.end == "open" else crossing.params[j]
            for sign, crossing in zip((-1.0, 1.0), crossings, strict=True)
        ]
        return found[0], found[1], [crossing.end for crossing in crossings]

    def trace(self, j: int, quantile: float, n_points: int) -> pd.DataFrame:
        """Return the profile of a parameter as far as `quantile` either way, with all parameters.

        Parameters
        ----------
        j : int
            The parameter.
        quantile : float
            Root of the rise of χ² to go to; six times as many standard errors where it is not
            reached.
        n_points : int
            In either direction.

        Returns
        -------
        DataFrame
            The parameters, `rise` and `wald` (the rise if χ² were the parabola of the covariance).
        """
        reach = [quantile, quantile]
        if not self.linear:
            reach = [crossing.distance for crossing in self.ends(j, quantile)]
        rows = [(0.0, self.fit.params)]
        for ray, end in zip(self._both_ways(j), reach, strict=True):
            end = min(end if np.isfinite(end) else _SHOWN_OPEN * quantile, ray.limit)
            rows += self._along(ray, np.linspace(0.0, end, n_points + 1)[1:])
        params = np.array([row for _, row in rows])
        table = pd.DataFrame(params, columns=list(self.fit.names))
        distance = (params[:, j] - self.fit.params[j]) / self.fit.std[j]
        table = table.assign(rise=[rise for rise, _ in rows], wald=distance**2)
        return table.sort_values(self.fit.names[j], ignore_index=True)

    def _along(self, ray: Ray, distances: FloatArray) -> list[tuple[float, FloatArray]]:
        """Return rise and parameters at these distances, ascending."""
        if self._batches:
            heights, params = self._heights(ray.held, distances[:, None] * ray.direction)
            if np.isfinite(heights).all():
                return list(zip(np.square(heights), params, strict=True))
        walk = self._walk(ray)
        return [(walk(distance) ** 2, walk.params[distance]) for distance in distances]


def about_lowest(fit: RepeatableFit, compute: Callable[[ProfiledChi2], T]) -> T:
    """Return what `compute` makes of the profile, begun anew wherever a lower minimum turns up.

    Parameters
    ----------
    fit : RepeatableFit
        The minimum to begin with.
    compute : callable
        A function of the profile.

    Raises
    ------
    ValueError
        If the fit has not converged.
    RuntimeError
        If minima go on being lower and lower.

    Warns
    -----
    ConvergenceWarning
        If the fit was not at the lowest minimum.
    """
    if not np.all(getattr(fit.estimator, "converged_", True)):
        raise ValueError(
            "`estimator` must find a minimum for its profile to be followed. Got a fit that has "
            f"not converged: {fit.estimator.status_}"
        )
    first = fit
    for _ in range(_MOST_MINIMA):
        try:
            result = compute(ProfiledChi2(fit))
        except LowerMinimum as found:
            lower = fit.restarted(found.params)
            if not lower.chi2 < fit.chi2:
                raise RuntimeError(
                    f"The fit misses its own minimum: chi2 = {found.chi2:.6g} exists beside "
                    f"{fit.chi2:.6g}, but is not found again. Set `p0` near "
                    f"{np.array2string(found.params, precision=6)}."
                ) from None
            fit = lower
            continue
        if fit is not first:
            warn_caller(
                f"The fit had ended in a local minimum, chi2 = {first.chi2:.6g}: its profile leads "
                f"to a lower one, chi2 = {fit.chi2:.6g}, about which the result now is. Fit "
                'again from there (`p0`), or with `start="multistart"`.',
                ConvergenceWarning,
            )
        return result
    raise RuntimeError(
        f"The fit must end in a minimum. Got chi2 = {first.chi2:.6g}, and {_MOST_MINIMA} times a "
        f"lower one, the last of them {fit.chi2:.6g}: the model may have no minimum. Set bounds, "
        'or fit with `start="multistart"`.'
    )
