r"""The plane of least perpendicular distances through points with equal errors in all coordinates.

With errors of the same variance in every feature, and :math:`\lambda` times that in y, the minimum
of :math:`\sum w\,(y - a - b\cdot x)^2/(1 + |b|^2/\lambda)` is known [1]_: in the coordinates
:math:`(x, y/\sqrt\lambda)`, about their weighted centroid, the normal of the plane is the right
singular vector of the smallest singular value s. It is that of the triangular factor of the points,
built block by block.

The textbook formula divides by the last entry of that vector, which rounding makes arbitrary where
features are constant or linear combinations of others. The features are therefore first reduced to
their row space (see `sklsq.solvers.feature_space`), in which the answer is unique and the slopes
are the shortest.

Errors. With :math:`M = S_{xx} - s^2 I`, the scatter of the true features,

.. math:: \mathrm{Cov}\,b = \tau\{(1 + |b|^2) M^{-1}
          + s^2 M^{-1}[(1 + |b|^2) I - bb^\mathsf{T}]M^{-1}\}

in the coordinates above (Fuller [2]_, eq. 2.3.30). ``"normal"`` has :math:`\tau = s^2/\nu`, the
scatter of the points; ``"absolute"`` has :math:`\tau = 1/\lambda`, for weights that are
:math:`1/\sigma_y^2`. ``"robust"`` is the sum of squares of the moves :math:`M^{-1} w e\hat x` that
single points cause, for scatter of any kind in large samples. For one feature all are those of
`sklsq.solvers.principal_axis.deming`.

References
----------
.. [1] Golub, G. H. and Van Loan, C. F. (1980), An analysis of the total least squares problem, SIAM
   J. Numer. Anal. 17, 883; Van Huffel, S. and Vandewalle, J. (1991), The Total Least Squares
   Problem, SIAM, chapter 3.
.. [2] Fuller, W. A. (1987), Measurement Error Models, section 2.3.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sklsq._typing import ArrayLike, FloatArray
from sklsq.solvers.blas import single_blas_thread
from sklsq.solvers.errors_in_variables import EIVSolution, Outcome, positive_weights
from sklsq.solvers.feature_space import FeatureSpace, feature_space

__all__ = ["total_least_squares"]

_BLOCK_ELEMENTS = 32768
_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Cloud:
    """Weighted points in the coordinates in which their errors are equal."""

    X: FloatArray
    y: FloatArray
    weight: FloatArray
    centre: FloatArray
    space: FeatureSpace
    ratio: float
    power: int

    def blocks(self) -> Iterator[tuple[FloatArray, FloatArray]]:
        """Yield reduced features with the target as last column, and weights."""
        rows = max(256, _BLOCK_ELEMENTS // self.X.shape[1])
        for start in range(0, self.y.shape[0], rows):
            part = slice(start, start + rows)
            x = np.ldexp(self.X[part] - self.centre[:-1], -self.power) @ self.space.basis
            y = np.ldexp(self.y[part] - self.centre[-1], -self.power) / np.sqrt(self.ratio)
            yield np.column_stack([x, y]), self.weight[part]


def total_least_squares(
    X: ArrayLike,
    y: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    error_ratio: float = 1.0,
    fit_intercept: bool = True,
    rcond: float | None = None,
) -> EIVSolution:
    """Return the plane of total least squares.

    Parameters
    ----------
    X : array_like of shape (n, p)
        Features.
    y : array_like of shape (n,)
        Targets.
    weights : array_like of shape (n,), optional
        Positive weights, the inverse of the variance of y.
    error_ratio : float
        Variance of the errors of y over that of the errors of every feature.
    fit_intercept : bool
        False for a plane through the origin.
    rcond : float, optional
        Relative size of the singular values of the features that count as zero.

    Returns
    -------
    EIVSolution
        Intercept, if fitted, and slopes; covariances ``"normal"``, ``"robust"``, ``"absolute"``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklsq.solvers.total_least_squares import total_least_squares
    >>> X = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0], [3.0, 1.0]])
    >>> total_least_squares(X, 1.0 + X @ [2.0, -1.0]).params.round(6)
    array([ 1.,  2., -1.])
    """
    if not 0.0 < error_ratio < np.inf:
        raise ValueError(f"`error_ratio` must be positive and finite. Got {error_ratio}.")
    X, y, weight = _checked(X, y, weights)
    space = feature_space(X, y, fit_intercept=fit_intercept, rcond=rcond)
    cloud = _cloud(X, y, weight, space, error_ratio)
    with single_blas_thread():
        if space.rank == 0:
            return _flat(cloud)
        R = _factor(cloud)
        _, values, Vt = np.linalg.svd(R, full_matrices=True)
        values = np.pad(values, (0, space.rank + 1 - values.shape[0]))
        normal, smallest = Vt[-1], float(values[-1])
        outcome = _outcome(values, normal, space)
        if not outcome.converged:
            return _nothing(cloud, outcome)
        slopes = -normal[:-1] / normal[-1]
        covariances = _covariances(cloud, R, slopes, smallest)
    b = np.sqrt(error_ratio) * (space.basis @ slopes)
    intercept = cloud.centre[-1] - cloud.centre[:-1] @ b
    params = np.append(intercept, b)[1 - fit_intercept :]
    chi2 = float(np.ldexp(error_ratio * smallest**2, 2 * cloud.power))
    return EIVSolution(params, covariances, chi2, y.shape[0], 1, outcome, space.null_space)


def _checked(
    X: ArrayLike, y: ArrayLike, weights: ArrayLike | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    X, y = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if X.ndim != 2 or 0 in X.shape or y.shape != X.shape[:1]:
        raise ValueError(
            "`X` must be a matrix with a row for each entry of `y`, not empty. "
            f"Got shapes {X.shape} and {y.shape}."
        )
    return X, y, positive_weights(weights, y.shape)


def _cloud(
    X: FloatArray, y: FloatArray, weight: FloatArray, space: FeatureSpace, ratio: float
) -> Cloud:
    power = int(np.frexp(max(space.spread_y, float(space.spread_x.max())))[1])
    centre = np.append(space.centre_x, space.centre_y)
    if space.fit_intercept:  # the weighted centroid
        total = float(weight.sum())
        columns = [*X.T, y]
        shift = [float(weight @ (v - c)) for v, c in zip(columns, centre, strict=True)]
        centre += np.array(shift) / total
    return Cloud(X, y, weight, centre, space, ratio, power)


def _factor(cloud: Cloud) -> FloatArray:
    """Return the triangular factor of the weighted points, block after block."""
    R: FloatArray = np.zeros((0, cloud.space.rank + 1))
    for block, weight in cloud.blocks():
        stack = np.vstack([R, block * np.sqrt(weight)[:, None]])
        R = np.asarray(np.linalg.qr(stack, mode="r"))
    return R


def _outcome(values: FloatArray, normal: FloatArray, space: FeatureSpace) -> Outcome:
    if not np.isfinite(values).all():
        return Outcome.NOT_FINITE
    if values[-2] - values[-1] <= 16.0 * _EPS * values[0]:
        return Outcome.UNCORRELATED
    if abs(normal[-1]) <= 16.0 * _EPS:
        return Outcome.VERTICAL
    return Outcome.RANK_DEFICIENT if space.null_space.size else Outcome.CLOSED_FORM


def _covariances(
    cloud: Cloud, R: FloatArray, b: FloatArray, smallest: float
) -> dict[str, FloatArray]:
    """Return the covariance of intercept and slopes under each definition."""
    space, n_samples, total = cloud.space, cloud.y.shape[0], float(cloud.weight.sum())
    s2, length = smallest**2, 1.0 + b @ b
    M = R[:, :-1].T @ R[:, :-1] - s2 * np.eye(b.shape[0])
    inverse = np.linalg.inv(M)
    shape = (
        length * inverse + s2 * inverse @ (length * np.eye(b.shape[0]) - np.outer(b, b)) @ inverse
    )
    unit = np.zeros((b.shape[0] + 1, b.shape[0] + 1))  # of the height at the centroid, and slopes
    unit[0, 0], unit[1:, 1:] = length / total, shape
    dof = n_samples - space.rank - space.fit_intercept
    robust = np.zeros_like(unit)
    for block, weight in cloud.blocks():
        e = block[:, -1] - block[:, :-1] @ b
        adjusted = block[:, :-1] + np.outer(e / length, b)
        moves = np.vstack([weight * e / total, inverse @ (adjusted.T * (weight * e))])
        robust += moves @ moves.T
    scatter = s2 / dof if dof > 0 else np.nan
    in_units = {"normal": unit * scatter, "robust": robust, "absolute": unit / cloud.ratio}
    return {name: _in_units(cloud, c, name) for name, c in in_units.items()}


def _in_units(cloud: Cloud, covariance: FloatArray, name: str) -> FloatArray:
    """Return the covariance in the units of the points, for the intercept at the origin."""
    space, m = cloud.space, cloud.centre.shape[0]
    power = 0 if name == "absolute" else cloud.power
    units = np.full(covariance.shape[0], power - cloud.power)
    units[0] = power
    covariance = np.ldexp(covariance, units + units[:, None])
    carry = np.zeros((m, covariance.shape[0]))
    carry[0, 0] = 1.0
    carry[1:, 1:] = space.basis
    carry[0, 1:] = -cloud.centre[:-1] @ space.basis
    kept = slice(1 - space.fit_intercept, None)
    in_units: FloatArray = cloud.ratio * (carry @ covariance @ carry.T)[kept, kept]
    return in_units


def _flat(cloud: Cloud) -> EIVSolution:
    """Return the answer where no feature varies: the mean, or a vertical plane if y varies."""
    varies = bool((cloud.y != cloud.y[0]).any()) if cloud.space.fit_intercept else cloud.y.any()
    return _nothing(cloud, Outcome.VERTICAL if varies else Outcome.UNDETERMINED)


def _nothing(cloud: Cloud, outcome: Outcome) -> EIVSolution:
    m = cloud.X.shape[1] + cloud.space.fit_intercept
    params = np.full(m, np.nan)
    if outcome is Outcome.UNDETERMINED:
        params = np.zeros(m)
        params[0] = cloud.y[0] if cloud.space.fit_intercept else 0.0
    covariances = {name: np.full((m, m), np.nan) for name in ("normal", "robust", "absolute")}
    null_space = cloud.space.null_space
    return EIVSolution(params, covariances, np.nan, cloud.y.shape[0], 1, outcome, null_space)
