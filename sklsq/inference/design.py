r"""Planning measurements: the errors that points will give, and where to measure next.

The covariance of the parameters depends on where one measures, and how well, but not on what comes
out: with rows :math:`g_i = \partial f(x_i)/\partial p`,

.. math:: C = \Big(\sum_i g_i^T g_i / \sigma_i^2\Big)^{-1}

(for a line :math:`\sigma^2_a = S_{xx}/\Delta`, :math:`\sigma^2_b = S/\Delta`). For nonlinear models
it depends on the parameters too, which must be guessed. One more point at x, with error σ, changes
it by a matrix of rank one,

.. math::
    C' = C - \frac{u u^T}{\sigma^2 + k}, \qquad u = C g^T, \quad k = g C g^T,

from which follows what the point is worth: :math:`\det C' = \det C\,/(1 + k/\sigma^2)`, and the
variance of a quantity with derivatives c falls by :math:`(c u)^2/(\sigma^2 + k)`.

(D. M. Glover, W. J. Jenkins and S. C. Doney, *Modeling Methods for Marine Science*, 3.2.2;
V. V. Fedorov, *Theory of Optimal Experiments*, 1972, chapter 2; A. C. Atkinson, A. N. Donev and
R. D. Tobias, *Optimum Experimental Designs, with SAS*, 2007, chapters 10 and 17.)
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from sklsq._typing import FloatArray
from sklsq.inference.expected_fit import ExpectedFit, expected_fit
from sklsq.inference.parameter_function import parameter_function

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["expected_covariance", "next_points"]

Criterion = Literal["D", "A", "c"]


def expected_covariance(
    estimator: Any,
    X: Any,
    sigma: Any,
    *,
    p0: Any = None,
    sigma_x: Any = None,
    corr_xy: Any = None,
) -> FloatArray:
    """Return the covariance that a fit to measurements at X will have; no y is needed.

    Parameters
    ----------
    estimator : estimator
        Any of sklsq whose errors follow from those of the data, also as the last step of a
        pipeline; fitted or not. It is cloned.
    X : array_like of shape (n, p)
        Where to measure.
    sigma : float or array_like of shape (n,) or (n, n)
        Standard deviations, or covariance, of the measurements to come.
    p0 : dict or array_like of shape (m,), optional
        Parameters at which a nonlinear model is linearised, and the line (intercept first) along
        which errors of x act. Default: those of a fitted estimator, else its own `p0`. Linear
        estimators need none; a `NonlinearLSQ` does, whatever its model.
    sigma_x, corr_xy : optional
        Errors of X and their correlation with those of y, for the estimators that take them.

    Returns
    -------
    covariance : ndarray of shape (m, m)
        Covariance of the parameters, in the order of `params_`.

    Raises
    ------
    ValueError
        If `sigma` or a `p0` that is needed is missing, or the errors of the estimator come from the
        scatter of the data.

    Warns
    -----
    RankWarning
        If measurements at X would not determine all parameters; their variances are infinite.

    Examples
    --------
    >>> import numpy as np
    >>> from sklsq import WeightedLinearFit, expected_covariance
    >>> narrow = expected_covariance(WeightedLinearFit(), [[4.0], [5.0], [6.0]], 0.1)
    >>> wide = expected_covariance(WeightedLinearFit(), [[0.0], [5.0], [10.0]], 0.1)
    >>> np.sqrt(narrow[1, 1]), np.sqrt(wide[1, 1])  # errors of the slope
    (np.float64(0.0707...), np.float64(0.0141...))
    """
    errors = {"sigma": sigma, "sigma_x": sigma_x, "corr_xy": corr_xy}
    return expected_fit(estimator, X, errors, p0).covariance


def next_points(
    estimator: Any,
    X: Any,
    sigma: Any,
    candidates: Any,
    *,
    p0: Any = None,
    n_points: int | None = 1,
    criterion: Criterion = "D",
    target: Any = None,
    sigma_new: Any = None,
) -> pd.DataFrame:
    r"""Return the candidates that shrink the errors most, chosen one after the other.

    Parameters
    ----------
    estimator : estimator
        As in `expected_covariance`; without errors of X.
    X : array_like of shape (n, p)
        Where one has measured, or will. The points must determine all parameters.
    sigma : float or array_like of shape (n,)
        Standard deviations there.
    candidates : array_like of shape (c, p)
        Where one could measure. A candidate can be chosen repeatedly.
    p0 : dict or array_like of shape (m,), optional
        As in `expected_covariance`.
    n_points : int or None, default=1
        How many points to choose; each choice takes the earlier ones into account. None ranks all
        candidates, each on its own.
    criterion : {"D", "A", "c"}, default="D"
        What is to become small: the volume of the error ellipsoid, :math:`\sqrt{\det C}`; the sum
        of the variances, each over its present value, so that units do not matter; or the variance
        of `target`.
    target : str, callable, or array_like of shape (q, p), optional
        For "c": a parameter or a formula or function of the parameters, as in `propagate`; or the
        points at which the fitted curve should be known best (the sum of its variances).
    sigma_new : float or array_like of shape (c,), optional
        Standard deviations at the candidates; by default `sigma`, if that is one number.

    Returns
    -------
    frame : DataFrame
        One row a chosen point, best (or earliest) first: ``candidate`` (its row), the features,
        ``gain`` (the criterion before over after, less one: of the volume for "D"), and
        ``<parameter>_std`` and ``target_std`` after it is measured;
        ``<parameter>_std_before``, ``target_std_before`` before.

    Raises
    ------
    ValueError
        If an option is not as above, or the points do not determine all parameters.

    Warns
    -----
    RankWarning
        As in `expected_covariance`.

    Examples
    --------
    >>> from sklsq import WeightedLinearFit, next_points
    >>> measured = [[0.0], [5.0], [10.0]]
    >>> where = next_points(WeightedLinearFit(), measured, 0.1, [[0.0], [4.0], [10.0]],
    ...     criterion="c", target="-intercept/x", p0=[-8.0, 2.0])
    >>> where["x"].tolist()  # the zero crossing is at 4, but an end tells more of it
    [0.0]
    """
    if criterion not in ("D", "A", "c"):
        raise ValueError(f'`criterion` must be "D", "A" or "c". Got {criterion!r}.')
    if (criterion == "c") != (target is not None):
        raise ValueError(
            '`target` must be given for criterion="c", and only then. Got '
            f"criterion={criterion!r} and target={target!r}."
        )
    if n_points is not None and (not isinstance(n_points, Integral) or n_points < 1):
        raise ValueError(f"`n_points` must be a positive integer, or None. Got {n_points!r}.")
    if np.ndim(candidates) != 2 or not len(candidates):
        raise ValueError(
            f"`candidates` must have one row a point, shape (c, p). Got {np.shape(candidates)}."
        )
    variance = _new_variance(sigma, sigma_new, len(candidates))
    fit = expected_fit(estimator, X, {"sigma": sigma}, p0)
    if not np.isfinite(fit.covariance).all():
        raise ValueError(
            "`X` must determine all parameters before more points can be weighed. Got points that "
            "do not: add some, or fix a parameter."
        )
    plan = _start(fit, candidates, criterion, target)
    if n_points is None:
        gains = plan.gains(variance)
        order = np.argsort(-gains, kind="stable")
        steps = [(int(i), plan, plan.with_point(int(i), variance[i]), gains[i]) for i in order]
    else:
        steps = []
        for _ in range(n_points):
            gains = plan.gains(variance)
            best = int(np.argmax(gains))
            after = plan.with_point(best, variance[best])
            steps.append((best, plan, after, gains[best]))
            plan = after
    return _frame(fit.names, candidates, steps)


@dataclass(frozen=True)
class _Plan:
    """What is known after some measurements, of parameters, candidates and the target.

    All are linear (or linearised) in the parameters: their joint covariance is `joint`, the m
    parameters first, then q targets, then the c candidates.
    """

    joint: FloatArray
    n_params: int
    n_targets: int
    weights: FloatArray | None  # (m + q,) of the variances that the criterion sums; None for "D"

    def gains(self, variance: FloatArray) -> FloatArray:
        """Return the criterion before over that after each candidate (c,), less one."""
        head = self.n_params + self.n_targets
        k = self.joint.diagonal()[head:]
        if self.weights is None:
            return np.asarray(np.sqrt(1.0 + k / variance) - 1.0)
        fall = self.weights @ np.square(self.joint[:head, head:]) / (variance + k)
        before = self.weights @ self.joint.diagonal()[:head]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.where(fall > 0.0, fall / (before - fall), 0.0))

    def with_point(self, i: int, variance: float) -> _Plan:
        """Return the plan after candidate i is measured."""
        row = self.n_params + self.n_targets + i
        u = self.joint[row]
        joint = self.joint - np.outer(u, u / (variance + u[row]))
        return _Plan(joint, self.n_params, self.n_targets, self.weights)

    @property
    def params_std(self) -> FloatArray:
        return np.sqrt(np.maximum(self.joint.diagonal()[: self.n_params], 0.0))

    @property
    def target_std(self) -> float | None:
        """Standard deviation of the target; root mean square over several points."""
        if not self.n_targets:
            return None
        variances = self.joint.diagonal()[self.n_params : self.n_params + self.n_targets]
        return float(np.sqrt(np.maximum(variances, 0.0).mean()))


def _start(fit: ExpectedFit, candidates: Any, criterion: str, target: Any) -> _Plan:
    """Return the plan before the first choice, from rows whose products are the covariances."""
    m, n_targets, weights = len(fit.names), 0, None
    if criterion == "c" and _are_points(target):
        params, at_target, at_candidates = fit.roots(target, candidates)
    else:
        params, at_candidates = fit.roots(candidates)
        at_target = params[:0] if criterion != "c" else _derivatives(fit, target) @ params
    if criterion == "c":
        n_targets = len(at_target)
        weights = np.concatenate([np.zeros(m), np.ones(n_targets)])
    elif criterion == "A":
        variances = fit.covariance.diagonal()
        weights = np.where(variances > 0.0, 1.0 / np.where(variances > 0.0, variances, 1.0), 0.0)
    rows = np.vstack([params, at_target, at_candidates])
    return _Plan(rows @ rows.T, m, n_targets, weights)


def _are_points(target: Any) -> bool:
    if isinstance(target, str) or callable(target):
        return False
    if np.ndim(target) != 2:
        raise ValueError(
            "`target` must be a parameter, a formula or function of parameters, or points of "
            f"shape (q, p). Got {target!r}."
        )
    return True


def _derivatives(fit: ExpectedFit, target: Any) -> FloatArray:
    """Return the derivatives (q, m) of a target by the parameters."""
    if isinstance(target, str) and target in fit.names:
        return np.eye(len(fit.names))[[fit.names.index(target)]]
    g = parameter_function(target, len(fit.names), fit.names)
    if not np.isfinite(fit.params).all():
        raise ValueError(
            "`p0` must be given for a target that is not a parameter: the parameters about which "
            "it is linearised. Got none, or not all."
        )
    with np.errstate(all="ignore"):
        J = g.jacobian(fit.params)
    if not np.isfinite(J).all():
        raise ValueError("`target` must have finite derivatives at `p0`. Got others.")
    return J


def _new_variance(sigma: Any, sigma_new: Any, n_candidates: int) -> FloatArray:
    if sigma_new is None:
        if np.ndim(sigma) != 0:
            raise ValueError(
                "`sigma_new` must be given where `sigma` is not one number: the standard "
                "deviation at each candidate. Got None."
            )
        sigma_new = sigma
    values = np.asarray(sigma_new, dtype=np.float64)
    if values.shape not in ((), (n_candidates,)) or not (np.isfinite(values) & (values > 0)).all():
        raise ValueError(
            f"`sigma_new` must be positive, a number or one value for each of the {n_candidates} "
            f"candidates. Got {sigma_new!r}."
        )
    return np.broadcast_to(np.square(values), (n_candidates,))


def _frame(
    names: list[str], candidates: Any, steps: list[tuple[int, _Plan, _Plan, float]]
) -> pd.DataFrame:
    import pandas as pd

    chosen = [step[0] for step in steps]
    columns: dict[str, Any] = {"candidate": chosen}
    points = np.asarray(candidates)
    features = getattr(candidates, "columns", None)
    if features is None:
        p = points.shape[1]
        features = ["x"] if p == 1 else [f"x{j}" for j in range(p)]
    for j, feature in enumerate(features):
        columns[str(feature)] = points[chosen, j]
    columns["gain"] = [float(step[3]) for step in steps]
    for when, position in (("_before", 1), ("", 2)):
        plans = [cast(_Plan, step[position]) for step in steps]
        if plans[0].n_targets:
            columns[f"target_std{when}"] = [plan.target_std for plan in plans]
        std = np.array([plan.params_std for plan in plans])
        columns |= {f"{name}_std{when}": std[:, j] for j, name in enumerate(names)}
    return pd.DataFrame(columns, index=pd.RangeIndex(1, len(steps) + 1, name="order"))
