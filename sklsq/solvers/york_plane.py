r"""The plane through points with errors in several features and in y.

The problem is that of `sklsq.solvers.york`, with a vector of slopes. Point i has the features
:math:`x_{ij}` with standard deviations :math:`\sigma_{ij}` and :math:`y_i` with
:math:`\sigma_{y,i}`, all independent. Without the true points,

.. math:: \chi^2(a, b) = \sum_i W_i e_i^2, \qquad e_i = y_i - a - b\cdot x_i, \qquad
          W_i^{-1} = V_i = \sigma_{y,i}^2 + \sum_j b_j^2 \sigma_{ij}^2 ,

and with :math:`z_{ij} = b_j\sigma_{ij}^2 W_i e_i`, the adjusted features :math:`\hat x = x + z` and
:math:`p = x + 2z`,

.. math:: -\tfrac12\,\partial\chi^2 = \Bigl(\sum W e,\; \sum W e\,\hat x\Bigr), \qquad
          H = \sum W \begin{bmatrix} 1 & p^\mathsf{T} \\ p & pp^\mathsf{T} \end{bmatrix}
          - \mathrm{diag}(0, Q), \qquad Q_j = \sum_i \sigma_{ij}^2 W_i^2 e_i^2 .

Iterating weighted least squares with these weights ("effective variance") stops where :math:`\sum W
e\,x = 0`, which is not the minimum. Newton's method with H is; where H is not positive definite,
the Gauss-Newton matrix :math:`\sum W \hat x\hat x^\mathsf{T}` takes its place, and a step that does
not lower :math:`\chi^2` is halved. It starts from the two exact answers for errors that are the
same in every point, generalised total least squares and, for exact features, weighted least
squares; the lower of their minima is taken.

One pass over the points yields :math:`M = \sum W B B^\mathsf{T}` of :math:`B = (1, x, z, e)` and Q;
step, curvature and the four definitions of the covariance, those of `sklsq.solvers.york`, are
linear in them.

Features that are linear combinations of others, or constant, leave combinations of the slopes
undetermined: the slopes are kept in the row space of the features, which gives the shortest of all
equivalent answers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sklsq._typing import ArrayLike, FloatArray
from sklsq.solvers.blas import single_blas_thread
from sklsq.solvers.errors_in_variables import EIVSolution, Outcome
from sklsq.solvers.feature_space import FeatureSpace, feature_space
from sklsq.solvers.york import DEFINITIONS

__all__ = ["adjusted_plane_points", "york_plane"]

_BLOCK_ELEMENTS = 32768
_SAMPLE = 4096
_ROUGH = 1e-3
_ROUNDING = 1e-7
_HALVINGS = 30
_STEEP = 1e9  # slopes, in units of the spreads, that only a plane parallel to the y axis has


@dataclass(frozen=True)
class PlanePoints:
    """Points with errors in every feature and in y.

    Parameters
    ----------
    X, sigma_x : ndarray of shape (n, p)
        Features and their standard deviations.
    y, sigma_y : ndarray of shape (n,)
        Targets and their standard deviations.
    """

    X: FloatArray
    y: FloatArray
    sigma_x: FloatArray
    sigma_y: FloatArray

    def take(self, index: slice) -> PlanePoints:
        """Return some of the points."""
        return PlanePoints(self.X[index], self.y[index], self.sigma_x[index], self.sigma_y[index])

    def sample(self, size: int) -> PlanePoints:
        """Return about `size` points spread evenly, but without period, over all rows."""
        n_samples = self.y.shape[0]
        if size >= n_samples:
            return self
        golden = (np.arange(size) * 0.6180339887498949) % 1.0
        return self.take((golden * n_samples).astype(np.int_))


@dataclass(frozen=True)
class Plane:
    """The plane ``y - centre_y = intercept + slopes @ (x - centre_x)``."""

    slopes: FloatArray
    intercept: float
    centre_x: FloatArray
    centre_y: float

    @property
    def params(self) -> FloatArray:
        """Intercept at the origin, and slopes."""
        intercept = self.centre_y + (self.intercept - float(self.slopes @ self.centre_x))
        return np.concatenate([[intercept], self.slopes])


@dataclass(frozen=True)
class PlaneMoments:
    """The sums over the points at a plane: M (2p + 2, 2p + 2) of (1, x, z, e), and Q (p,)."""

    plane: Plane
    M: FloatArray
    Q: FloatArray

    @property
    def chi2(self) -> float:
        """Weighted sum of squares."""
        return float(self.M[-1, -1])

    @property
    def downhill(self) -> FloatArray:
        """Minus half the gradient by intercept and slopes."""
        p = self.Q.shape[0]
        e = self.M[:, -1]
        return np.concatenate([e[:1], e[1 : p + 1] + e[p + 1 : -1]])

    def gram(self, k: float) -> FloatArray:
        """Return the weighted Gram matrix of ``(1, x + k z)``."""
        p = self.Q.shape[0]
        C = np.zeros((p + 1, 2 * p + 2))
        C[:, : p + 1] = np.eye(p + 1)
        C[1:, p + 1 : -1] = k * np.eye(p)
        gram: FloatArray = C @ self.M @ C.T
        return gram

    @property
    def hessian(self) -> FloatArray:
        """Half the second derivatives by intercept and slopes."""
        return self.gram(2.0) - np.diag(np.concatenate([[0.0], self.Q]))

    @property
    def gradient_covariance(self) -> FloatArray:
        """Covariance of half the gradient under the errors of the data."""
        p = self.Q.shape[0]
        covariance = self.gram(1.0)
        covariance[1:, 1:] += np.diag(self.Q) - self.M[p + 1 : -1, p + 1 : -1]
        return covariance


def york_plane(
    X: ArrayLike,
    y: ArrayLike,
    sigma_x: ArrayLike,
    sigma_y: ArrayLike,
    *,
    fit_intercept: bool = True,
    rcond: float | None = None,
    tol: float = 1e-13,
    max_iter: int = 100,
) -> EIVSolution:
    """Return the plane of least squares through points with errors in all coordinates.

    Parameters
    ----------
    X : array_like of shape (n, p)
        Features.
    y : array_like of shape (n,)
        Targets.
    sigma_x : array_like of shape (n, p), (1, p), or float
        Standard deviations of the features; zero means exact.
    sigma_y : array_like of shape (n,) or float
        Standard deviations of the targets.
    fit_intercept : bool
        False for a plane through the origin.
    rcond : float, optional
        Relative size of the singular values of the features that count as zero.
    tol : float
        Change of the slopes, in units of the spreads, at which the iteration ends.
    max_iter : int
        Largest number of passes over the points.

    Returns
    -------
    EIVSolution
        Intercept, if fitted, and slopes; covariances under the definitions of `york_line`.

    Raises
    ------
    ValueError
        If shapes do not match, a standard deviation is negative, NaN or infinite, or a point has
        no error at all.

    Examples
    --------
    >>> import numpy as np
    >>> from sklsq.solvers.york_plane import york_plane
    >>> X = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0], [3.0, 1.0]])
    >>> plane = york_plane(X, 1.0 + X @ [2.0, -1.0], 0.1, 0.1)
    >>> plane.params.round(6) + 0.0
    array([ 1.,  2., -1.])
    """
    points = plane_points(X, y, sigma_x, sigma_y)
    space = feature_space(points.X, points.y, fit_intercept=fit_intercept, rcond=rcond)
    if space.rank == 0:
        return _flat(points, space)
    with np.errstate(all="ignore"), single_blas_thread():
        sample = points.sample(_SAMPLE)
        rough = tol if sample is points else _ROUGH
        found = [
            _descend(sample, _plane(space, start), space, rough, max_iter)
            for start in _starts(sample, space)
        ]
        best = min(found, key=lambda descent: descent.height)
        if sample is not points:
            best = _descend(points, best.plane, space, tol, max_iter)
    return _published(best, points.y.shape[0], space)


def adjusted_plane_points(
    params: FloatArray, X: ArrayLike, y: ArrayLike, sigma_x: ArrayLike, sigma_y: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Return the least-squares estimates of the true points, which lie on the plane.

    Parameters
    ----------
    params : ndarray of shape (p + 1,) or (p,)
        Intercept and slopes, or the slopes of a plane through the origin.
    X, y, sigma_x, sigma_y
        As in `york_plane`.

    Returns
    -------
    adjusted_X : ndarray of shape (n, p)
    adjusted_y : ndarray of shape (n,)
    """
    points = plane_points(X, y, sigma_x, sigma_y)
    p = points.X.shape[1]
    slopes, intercept = params[-p:], params[0] if params.shape[0] > p else 0.0
    squared = np.square(points.sigma_x)
    V = np.square(points.sigma_y) + squared @ slopes**2
    e = points.y - intercept - points.X @ slopes
    adjusted = points.X + squared * slopes * (e / V)[:, None]
    return adjusted, intercept + adjusted @ slopes


def plane_points(X: ArrayLike, y: ArrayLike, sigma_x: ArrayLike, sigma_y: ArrayLike) -> PlanePoints:
    """Return the points after checking their errors; see `york_plane`."""
    X, y = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if X.ndim != 2 or 0 in X.shape or y.shape != X.shape[:1]:
        raise ValueError(
            "`X` must be a matrix with a row for each entry of `y`, not empty. "
            f"Got shapes {X.shape} and {y.shape}."
        )
    errors = np.broadcast_to(np.asarray(sigma_x, dtype=np.float64), X.shape)
    of_y = np.broadcast_to(np.asarray(sigma_y, dtype=np.float64), y.shape)
    for name, sigma in (("sigma_x", errors), ("sigma_y", of_y)):
        if not (sigma.min() >= 0.0 and sigma.max() < np.inf):
            bad = ~((sigma >= 0.0) & (sigma < np.inf))
            row = np.unravel_index(int(np.argmax(bad)), sigma.shape)
            raise ValueError(
                f"`{name}` must be finite and not negative. Got {sigma[row]} in row {int(row[0])}."
            )
    if of_y.min() == 0.0:
        exact = (of_y == 0.0) & ~errors.any(axis=1)
        if exact.any():
            raise ValueError(
                "`sigma_x` and `sigma_y` must not both be zero in the same point. "
                f"Got only zeros in row {int(np.argmax(exact))}. State the error of one of them."
            )
    return PlanePoints(X, y, errors, of_y)


def plane_moments(points: PlanePoints, plane: Plane) -> PlaneMoments:
    """Return the sums over the points at a plane, in one pass."""
    n_samples, p = points.X.shape
    rows = min(n_samples, max(256, _BLOCK_ELEMENTS // p))
    space = np.empty((2, 2 * p + 2, rows))  # a row for each term: NumPy is slow along short rows
    space[0, 0] = 1.0
    squares = np.empty((p, rows))
    M, Q, b = np.zeros((2 * p + 2, 2 * p + 2)), np.zeros(p), plane.slopes
    for start in range(0, n_samples, rows):
        block = points.take(slice(start, start + rows))
        B, WB = space[:, :, : block.y.shape[0]]
        x, z, squared = B[1 : p + 1], B[p + 1 : -1], squares[:, : block.y.shape[0]]
        np.subtract(block.X.T, plane.centre_x[:, None], out=x)
        squared[:] = block.sigma_x.T
        squared *= squared
        W = 1.0 / (np.square(block.sigma_y) + (b * b) @ squared)
        e = (block.y - plane.centre_y) - b @ x - plane.intercept
        We = W * e
        np.multiply(squared, b[:, None], out=z)
        z *= We
        B[-1] = e
        np.multiply(B, W, out=WB)
        M += B @ WB.T
        Q += squared @ np.square(We)
    return PlaneMoments(plane, M, Q)


def _plane(space: FeatureSpace, slopes: FloatArray) -> Plane:
    return Plane(slopes, 0.0, space.centre_x, space.centre_y)


def _starts(points: PlanePoints, space: FeatureSpace) -> list[FloatArray]:
    """Return slopes that would be exact if all points had the same errors."""
    x, y = points.X - space.centre_x, points.y - space.centre_y
    x, y = (x / space.spread_x) @ space.scaled_basis, y / space.spread_y
    var_x = np.square(points.sigma_x / space.spread_x)
    var_y = np.square(points.sigma_y / space.spread_y)
    weight = 1.0 / (var_y + var_x.sum(axis=1))
    weight /= weight.max()
    terms = np.column_stack([x, y])
    if space.fit_intercept:
        terms -= weight @ terms / weight.sum()
    scatter = terms.T @ (terms * weight[:, None])
    errors = np.diag(np.append(weight @ var_x, 0.0))[:-1, :-1]
    errors = space.scaled_basis.T @ errors @ space.scaled_basis
    slopes = [_generalised_tls(scatter, errors, float(weight @ var_y))]
    slopes.append(np.linalg.lstsq(scatter[:-1, :-1], scatter[:-1, -1], rcond=None)[0])
    unit = space.spread_y / space.spread_x
    return [space.scaled_basis @ b * unit for b in slopes if np.isfinite(b).all()]


def _generalised_tls(scatter: FloatArray, errors: FloatArray, var_y: float) -> FloatArray:
    """Return the slopes of least scatter in units of the mean error covariance."""
    values, vectors = np.linalg.eigh(scatter)
    floor = np.finfo(np.float64).eps * values[-1]
    whitening = vectors / np.sqrt(np.maximum(values, floor))
    covariance = np.zeros_like(scatter)
    covariance[:-1, :-1], covariance[-1, -1] = errors, var_y
    normal = whitening @ np.linalg.eigh(whitening.T @ covariance @ whitening)[1][:, -1]
    slopes: FloatArray = -normal[:-1] / normal[-1]
    return slopes


@dataclass(frozen=True)
class PlaneDescent:
    """Where Newton's method ended: the plane, and the sums at the one before the last step."""

    plane: Plane
    sums: PlaneMoments
    n_iter: int
    outcome: Outcome

    @property
    def height(self) -> float:
        """Chi-square, for comparison."""
        return self.sums.chi2 if np.isfinite(self.sums.chi2) else np.inf


def _descend(
    points: PlanePoints, plane: Plane, space: FeatureSpace, tol: float, max_iter: int
) -> PlaneDescent:
    """Return the minimum of chi-square next to `plane`, by Newton steps that lower it."""
    sums, previous, n_iter = plane_moments(points, plane), np.inf, 1
    while n_iter < max_iter:
        step = _step(sums, space)
        if step is None or not np.isfinite(step).all():
            return PlaneDescent(plane, sums, n_iter, Outcome.NOT_FINITE)
        sizes = np.abs(np.append(step[0], step[1:] * space.spread_x))
        size = float(sizes.max()) / space.spread_y
        slopes = float(np.max(np.abs(plane.slopes * space.spread_x))) / space.spread_y
        largest = max(slopes, 1.0)
        if largest > _STEEP:
            return PlaneDescent(plane, sums, n_iter, Outcome.VERTICAL)
        if size <= tol * largest or (size <= _ROUNDING * largest and size >= 0.5 * previous):
            return PlaneDescent(_moved(sums, step, space), sums, n_iter, Outcome.CONVERGED)
        previous = size
        for _ in range(_HALVINGS):
            trial = plane_moments(points, _moved(sums, step, space))
            n_iter += 1
            if trial.chi2 <= sums.chi2 * (1.0 + _ROUNDING):
                break
            step = 0.5 * step
        else:
            return PlaneDescent(plane, sums, n_iter, Outcome.MAX_ITERATIONS)
        sums, plane = trial, trial.plane
    return PlaneDescent(plane, sums, n_iter, Outcome.MAX_ITERATIONS)


def _step(sums: PlaneMoments, space: FeatureSpace) -> FloatArray | None:
    """Return Newton's step of intercept and slopes; Gauss and Newton's where H is no help."""
    basis = space.parameter_basis
    downhill = basis.T @ sums.downhill
    for matrix in (sums.hessian, sums.gram(1.0)):
        reduced = basis.T @ matrix @ basis
        try:
            np.linalg.cholesky(reduced)
        except np.linalg.LinAlgError:
            continue
        step: FloatArray = basis @ np.linalg.solve(reduced, downhill)
        return step
    return None


def _moved(sums: PlaneMoments, step: FloatArray, space: FeatureSpace) -> Plane:
    """Return the plane after a step, its centre moved to the weighted centroid."""
    plane = sums.plane
    slopes, intercept = plane.slopes + step[1:], plane.intercept + step[0]
    if not space.fit_intercept:
        return replace(plane, slopes=slopes)
    p = slopes.shape[0]
    centre_x = plane.centre_x + sums.M[0, 1 : p + 1] / sums.M[0, 0]
    height = float(intercept + slopes @ (centre_x - plane.centre_x))
    centre_y = plane.centre_y + height
    return Plane(slopes, height - (centre_y - plane.centre_y), centre_x, centre_y)


def _published(descent: PlaneDescent, n_samples: int, space: FeatureSpace) -> EIVSolution:
    sums, outcome = descent.sums, descent.outcome
    params, kept = descent.plane.params, slice(1 - space.fit_intercept, None)
    if outcome is Outcome.CONVERGED and space.null_space.size:
        outcome = Outcome.RANK_DEFICIENT
    if outcome is Outcome.VERTICAL:
        params = np.full_like(params, np.nan)
    covariances = {name: c[kept, kept] for name, c in _covariances(sums, space).items()}
    return EIVSolution(
        params[kept],
        covariances,
        sums.chi2,
        n_samples,
        descent.n_iter,
        outcome,
        space.null_space,
    )


def _covariances(sums: PlaneMoments, space: FeatureSpace) -> dict[str, FloatArray]:
    """Return the covariance of intercept and slopes under each definition."""
    basis = space.parameter_basis
    information = [basis.T @ a @ basis for a in (sums.gram(1.0), sums.gram(0.0), sums.hessian)]
    m = basis.shape[0]
    if not np.isfinite(information).all():
        return {name: np.full((m, m), np.nan) for name in DEFINITIONS}
    try:
        inverses = [np.linalg.inv(a) for a in information]
    except np.linalg.LinAlgError:
        return {name: np.full((m, m), np.nan) for name in DEFINITIONS}
    K = basis.T @ sums.gradient_covariance @ basis
    inverses.append(inverses[2] @ K @ inverses[2])
    shift = np.eye(m)
    shift[0, 1:] = -sums.plane.centre_x
    carry = shift @ basis
    return {n: carry @ c @ carry.T for n, c in zip(DEFINITIONS, inverses, strict=True)}


def _flat(points: PlanePoints, space: FeatureSpace) -> EIVSolution:
    """Return the horizontal plane, where no feature varies."""
    m = space.parameter_basis.shape[0] - (not space.fit_intercept)
    weight = np.ones_like(points.y)
    if points.sigma_y.all():
        weight = 1.0 / np.square(points.sigma_y)
    residual = points.y - space.centre_y
    height = float(weight @ residual / weight.sum()) if space.fit_intercept else 0.0
    params = np.zeros(m)
    params[0] = (space.centre_y + height) if space.fit_intercept else 0.0
    chi2 = float(weight @ np.square(residual - height))
    outcome = Outcome.UNDETERMINED
    if chi2 > 0.0 and points.sigma_x.any():
        outcome, params = Outcome.VERTICAL, np.full(m, np.nan)
    covariances = {name: np.full((m, m), np.nan) for name in DEFINITIONS}
    return EIVSolution(params, covariances, chi2, len(points.y), 1, outcome, space.null_space)
