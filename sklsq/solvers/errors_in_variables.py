"""Points with errors in both coordinates, and what every solver for them returns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np

from sklsq._typing import ArrayLike, FloatArray, IntArray

__all__ = ["EIVSolution", "Outcome", "Points", "measured_points", "positive_weights"]

BLOCK = 16384
"""Rows of a block: the dozen arrays in use stay in the second-level cache (2 MB measured best)."""


class Outcome(Enum):
    """How a fit ended, in a sentence: the cause, then the remedy."""

    CONVERGED = "The minimum was found."
    CLOSED_FORM = "The answer has a closed form."
    NO_SCATTER = (
        "The stated errors already explain the scatter, so that the intrinsic scatter is zero, "
        "at the boundary of what is possible. Check whether the errors are overestimated."
    )
    EXACT = (
        "The points lie on the line and no errors are stated, so that nothing tells the standard "
        "errors. State the errors of the points."
    )
    MAX_ITERATIONS = (
        "The minimum was not reached within the iterations allowed. Increase `max_iter`, or check "
        "the errors of x for points that have almost none."
    )
    NOT_FINITE = (
        "The sums over the points are not finite. Check the data for NaN and infinity, and for "
        "errors very much smaller than the spread of the points."
    )
    VERTICAL = (
        "The best line is parallel to the y axis, so that its slope is infinite. Exchange x and y."
    )
    UNDETERMINED = (
        "The points do not determine the line: other slopes fit them equally well. "
        "Take points at different places."
    )
    UNCORRELATED = (
        "x and y are uncorrelated, so that the line of this method is undefined. "
        "Use a method that takes the errors of x and y."
    )
    RANK_DEFICIENT = (
        "The points do not determine some combinations of the parameters; of all planes that fit "
        "equally well, the one with the smallest slopes is given. Drop a feature of each."
    )

    @property
    def converged(self) -> bool:
        """Whether the parameters are an answer to the question asked."""
        return self in _ANSWERS


_ANSWERS = frozenset({Outcome.CONVERGED, Outcome.CLOSED_FORM, Outcome.NO_SCATTER})
_ANSWERS |= {Outcome.RANK_DEFICIENT, Outcome.EXACT}


@dataclass(frozen=True)
class EIVSolution:
    """A line or plane fitted to points with errors in all coordinates.

    Parameters
    ----------
    params : ndarray of shape (m,)
        Intercept, where one was fitted, then slopes. NaN or infinite where `outcome` says why.
    determined : mapping of str to ndarray of shape (m, m)
        Covariance of the determined combinations of `params`, under each definition the solver
        documents; its default comes first.
    chi2 : float
        Weighted sum of squares at the minimum.
    n_samples : int
        Number of points.
    n_iter : int
        Passes over all points that moved the parameters.
    outcome : Outcome
        How the fit ended.
    null_space : ndarray of shape (m - rank, m)
        Combinations of parameters that the points do not determine.
    """

    params: FloatArray
    determined: Mapping[str, FloatArray]
    chi2: float
    n_samples: int
    n_iter: int
    outcome: Outcome
    null_space: FloatArray = field(default_factory=lambda: np.empty((0, 0)))

    @property
    def rank(self) -> int:
        """Number of determined combinations of the parameters."""
        return int(self.params.shape[0] - self.null_space.shape[0])

    @property
    def dof(self) -> int:
        """Degrees of freedom: points minus determined parameters."""
        return self.n_samples - self.rank

    @property
    def covariances(self) -> dict[str, FloatArray]:
        """Covariances with infinite variance where a parameter is not determined."""
        lost = (self.null_space != 0.0).any(axis=0) if self.null_space.size else None
        marked = {name: np.array(c) for name, c in self.determined.items()}
        if lost is not None:
            for covariance in marked.values():
                if np.isnan(covariance).all():
                    continue  # there is no line to have errors
                covariance[lost] = np.nan
                covariance[:, lost] = np.nan
                covariance[lost, lost] = np.inf
        return marked

    @property
    def covariance(self) -> FloatArray:
        """Covariance under the default definition of the solver."""
        return next(iter(self.covariances.values()))

    @property
    def converged(self) -> bool:
        """Whether the parameters are an answer to the question asked."""
        return self.outcome.converged

    @property
    def status(self) -> str:
        """How the fit ended, in a sentence."""
        return self.outcome.value


@dataclass(frozen=True)
class Points:
    """Points in the plane, each with errors of both coordinates and their correlation.

    Parameters
    ----------
    x, y : ndarray of shape (n,)
        Measured coordinates.
    sigma_x, sigma_y : ndarray of shape (n,)
        Standard deviations; not both zero in the same point.
    corr_xy : ndarray of shape (n,) or None
        Correlation of the two errors of a point; None where there is none.
    """

    x: FloatArray
    y: FloatArray
    sigma_x: FloatArray
    sigma_y: FloatArray
    corr_xy: FloatArray | None = None

    @property
    def n_samples(self) -> int:
        """Number of points."""
        return len(self.x)

    def exchanged(self) -> Points:
        """Return the points with x and y exchanged."""
        return Points(self.y, self.x, self.sigma_y, self.sigma_x, self.corr_xy)

    def take(self, index: IntArray | slice) -> Points:
        """Return some of the points."""
        corr_xy = None if self.corr_xy is None else self.corr_xy[index]
        return Points(
            self.x[index], self.y[index], self.sigma_x[index], self.sigma_y[index], corr_xy
        )

    def blocks(self, size: int = BLOCK) -> Iterator[Points]:
        """Yield the points in pieces of `size`."""
        if self.n_samples <= size:
            yield self
            return
        for start in range(0, self.n_samples, size):
            yield self.take(slice(start, start + size))

    def sample(self, size: int) -> Points:
        """Return about `size` points spread evenly, but without period, over all rows."""
        if size >= self.n_samples:
            return self
        golden = (np.arange(size) * 0.6180339887498949) % 1.0
        return self.take((golden * self.n_samples).astype(np.int_))

    def scaled(self, x: int, y: int, sigma: int) -> Points:
        """Return the points with coordinates and errors multiplied by powers of two."""
        return replace(
            self,
            x=np.ldexp(self.x, x),
            y=np.ldexp(self.y, y),
            sigma_x=np.ldexp(self.sigma_x, x + sigma),
            sigma_y=np.ldexp(self.sigma_y, y + sigma),
        )


def measured_points(
    x: ArrayLike,
    y: ArrayLike,
    sigma_x: ArrayLike,
    sigma_y: ArrayLike,
    corr_xy: ArrayLike | None = None,
) -> Points:
    """Return the points after checking their errors; scalars are the same for every point.

    Raises
    ------
    ValueError
        If there is no point, a standard deviation is negative, NaN or infinite, both of a point
        are zero, or a correlation is not between -1 and 1. The message names the first bad row.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape or x.shape[0] == 0:
        raise ValueError(
            "`x` and `y` must be one-dimensional, of the same length, and not empty. "
            f"Got shapes {x.shape} and {y.shape}."
        )
    errors = [_errors(sigma_x, "sigma_x", x.shape), _errors(sigma_y, "sigma_y", x.shape)]
    if errors[0].min() == 0.0 and errors[1].min() == 0.0:
        exact = (errors[0] == 0.0) & (errors[1] == 0.0)
        if exact.any():
            raise ValueError(
                "`sigma_x` and `sigma_y` must not both be zero in the same point. "
                f"Got two zeros in row {int(np.argmax(exact))}. State the error of one of them."
            )
    return Points(x, y, errors[0], errors[1], _correlation(corr_xy, x.shape))


def _errors(sigma: ArrayLike, name: str, shape: tuple[int, ...]) -> FloatArray:
    values = np.asarray(sigma, dtype=np.float64)
    if values.shape != shape:
        values = np.broadcast_to(values, shape)
    if not (values.min() >= 0.0 and values.max() < np.inf):
        row = int(np.argmin((values >= 0.0) & (values < np.inf)))
        raise ValueError(
            f"`{name}` must be finite and not negative. Got {values[row]} in row {row}."
        )
    return values


def _correlation(corr_xy: ArrayLike | None, shape: tuple[int, ...]) -> FloatArray | None:
    if corr_xy is None:
        return None
    values = np.broadcast_to(np.asarray(corr_xy, dtype=np.float64), shape)
    inside = np.abs(values) < 1.0
    if not inside.all():
        row = int(np.argmin(inside))
        raise ValueError(f"`corr_xy` must be between -1 and 1. Got {values[row]} in row {row}.")
    return values if values.any() else None


def positive_weights(weights: ArrayLike | None, shape: tuple[int, ...]) -> FloatArray:
    """Return one weight for each point, 1 where none are given, after checking them."""
    values = np.broadcast_to(np.asarray(1.0 if weights is None else weights, np.float64), shape)
    if not (values.min() > 0.0 and values.max() < np.inf):
        row = int(np.argmin((values > 0.0) & (values < np.inf)))
        raise ValueError(f"`weights` must be positive and finite. Got {values[row]} in row {row}.")
    return values
