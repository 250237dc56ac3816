r"""Leave-one-out: each point judged by the fit to all the others.

A linear fit need not be repeated. With residual :math:`r_i`, leverage :math:`h_i` and the whitened
row :math:`d_i` of the design matrix, leaving out row i changes

.. math::
    y_i - \hat y_{(i)} = \frac{r_i}{1 - h_i}, \qquad
    \hat p - \hat p_{(i)} = \frac{C d_i\, r_i/\sigma_i}{1 - h_i}, \qquad
    \chi^2_{(i)} = \chi^2 - \frac{(r_i/\sigma_i)^2}{1 - h_i}.

Nonlinear fits are repeated, all n at once as curves with one point missing, each beginning at the
minimum of all points; other estimators are repeated one by one.

(D. A. Belsley, E. Kuh and R. E. Welsch, *Regression Diagnostics*, 1980, chapter 2; R. D. Cook,
Technometrics 19 (1977) 15; D. M. Allen, Technometrics 16 (1974) 125 for PRESS.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone

from sklsq._typing import BoolArray, FloatArray
from sklsq.exceptions import RankWarning, warn_caller
from sklsq.inference.fitted_values import last_step
from sklsq.inference.linear_influence import is_linear, linear_influence
from sklsq.inference.part_of_rows import (
    check_targets,
    fit_quietly,
    fit_with_errors,
    predict_quietly,
    take,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["leave_one_out"]

_LEVERAGE_ONE = 1e-10
_BLOCK = 1 << 20  # derivatives held at once


@dataclass(frozen=True)
class _Data:
    """What is fitted, with the fit to all points."""

    fitted: Any
    X: Any
    y: FloatArray
    errors: dict[str, Any]
    variance: FloatArray  # (n,) of a measurement about the fit, as stated

    @property
    def n_samples(self) -> int:
        return len(self.y)

    @property
    def final(self) -> Any:
        return last_step(self.fitted)

    @property
    def names(self) -> list[str]:
        """Names of the parameters; none in a pipeline, where each fit has features of its own."""
        alone = self.final is self.fitted
        return list(map(str, getattr(self.final, "param_names_", ()))) if alone else []

    @property
    def absolute(self) -> bool:
        return bool(getattr(self.final, "absolute_sigma_", self.errors["sigma"] is not None))


@dataclass(frozen=True)
class _LeftOut:
    """What the n fits say, each with one point left out."""

    prediction: FloatArray  # (n,)
    pull: FloatArray  # (n,)
    leverage: FloatArray  # (n,)
    cooks_distance: FloatArray  # (n,)
    dfbetas: FloatArray  # (n, m)
    lost: BoolArray  # (n,) the others do not determine the prediction, or no fit


def leave_one_out(
    estimator: Any, X: Any, y: Any, *, sigma: Any = None, sigma_x: Any = None, corr_xy: Any = None
) -> pd.DataFrame:
    r"""Return what the other points say about each point, and what it does to the fit.

    Parameters
    ----------
    estimator : estimator
        Any of sklsq, also as the last step of a pipeline, all of whose steps are fitted to the
        others; estimators without errors give predictions only. It is cloned.
    X : array_like of shape (n, p)
        Features.
    y : array_like of shape (n,)
        Measured values.
    sigma : float or array_like of shape (n,), optional
        Their standard deviations.
    sigma_x, corr_xy : optional
        Errors of X and their correlation, for the estimators that take them.

    Returns
    -------
    frame : DataFrame
        One row a point:

        ``prediction``, ``residual``
            of the fit without the point, and y less that.
        ``pull``
            the residual over its standard deviation, that of the prediction included: standard
            normal where errors are absolute; where they are scaled by the scatter (of the others),
            Student's t with one degree of freedom less than the fit.
        ``leverage``
            share of the point in its own fitted value; of its tangent for nonlinear fits.
        ``cooks_distance``
            :math:`\sum_j ((\hat y_j - \hat y_{j(i)})/\sigma_j)^2` over the number of parameters
            (and the reduced χ² where errors are scaled).
        ``dfbetas <parameter>``
            change of the parameter due to the point, over its standard deviation (with the scatter
            of the others where errors are scaled). Not in a pipeline, whose features may change.

        ``frame.attrs["loo_chi2"]`` is :math:`\sum_i ((y_i - \hat y_{(i)})/\sigma_i)^2` (PRESS if
        there is no `sigma`), to be compared with ``frame.attrs["chi2"]``, the sum of squares of the
        residuals of the fit itself.

    Raises
    ------
    ValueError
        If y is not one-dimensional, or `sigma` is a covariance matrix.

    Warns
    -----
    RankWarning
        If the others do not determine the prediction of some points, or the fit without them finds
        no minimum: their rows, and ``loo_chi2``, are NaN.

    Examples
    --------
    >>> from sklsq import WeightedLinearFit, leave_one_out
    >>> x = [[1.0], [2.0], [3.0], [4.0], [10.0]]
    >>> frame = leave_one_out(WeightedLinearFit(), x, [1.1, 1.9, 3.0, 4.1, 8.0], sigma=0.1)
    >>> frame[["residual", "pull", "leverage", "cooks_distance"]].round(2)
         residual  pull  leverage  cooks_distance
    row
    0       -0.40 -3.12      0.38            2.99
    1       -0.28 -2.40      0.28            1.12
    2        0.18  1.56      0.22            0.34
    3        0.60  5.37      0.20            3.60
    4       -2.10 -5.94      0.92          202.86
    """
    errors = {"sigma": sigma, "sigma_x": sigma_x, "corr_xy": corr_xy}
    target = check_targets(X, y, errors)
    fitted = fit_with_errors(estimator, X, y, errors)
    if getattr(X, "index", None) is None:
        X = np.asarray(X)
    errors = {
        name: np.asarray(value) if np.ndim(value) else value for name, value in errors.items()
    }
    data = _Data(fitted, X, target, errors, _variance(fitted, X, len(target), errors))
    left_out = _by_formula(data) if is_linear(fitted) else _by_refits(data)
    return _frame(data, left_out)


def _variance(fitted: Any, X: Any, n: int, errors: dict[str, Any]) -> FloatArray:
    """Return the variances (n,) of measurements about the fit, errors of X carried over to y."""
    sigma = 1.0 if errors["sigma"] is None else np.asarray(errors["sigma"], dtype=np.float64)
    variance = np.broadcast_to(np.square(sigma), (n,)).copy()
    if errors["sigma_x"] is None:
        return variance
    points = np.asarray(X, dtype=np.float64)
    sigma_x = np.asarray(errors["sigma_x"], dtype=np.float64)
    sigma_x = sigma_x[:, None] if sigma_x.shape == (n,) else sigma_x
    sigma_x = np.broadcast_to(sigma_x, points.shape)
    corr = 0.0 if errors["corr_xy"] is None else np.asarray(errors["corr_xy"], dtype=np.float64)
    for j in range(points.shape[1]):
        step = np.zeros_like(points)
        step[:, j] = sigma_x[:, j]
        ends = [_like(X, points + step), _like(X, points - step)]
        rise = 0.5 * (predict_quietly(fitted, ends[0]) - predict_quietly(fitted, ends[1]))
        variance += np.square(rise) - 2.0 * corr * rise * sigma
    return variance


def _like(X: Any, points: FloatArray) -> Any:
    if not hasattr(X, "columns"):
        return points
    return type(X)(points, columns=X.columns, index=X.index)


# Linear fits ------------------------------------------------------------------------------------


def _by_formula(data: _Data) -> _LeftOut:
    fit, sigma = data.fitted, np.sqrt(data.variance)
    influence = linear_influence(fit, data.X, data.errors["sigma"], len(fit.param_names_))
    h = influence.leverage
    lost = 1.0 - h < _LEVERAGE_ONE
    r = (data.y - fit.predict(data.X)) / sigma
    with np.errstate(divide="ignore", invalid="ignore"):
        rest = np.where(lost, np.nan, 1.0 - h)
        scale = fit.chi2_ / fit.dof_ if fit.dof_ > 0 else np.nan
        of_others = (fit.chi2_ - np.square(r) / rest) / (fit.dof_ - 1 if fit.dof_ > 1 else np.nan)
        if data.absolute:
            scale, of_others = 1.0, np.ones_like(r)
        of_others = np.sqrt(np.maximum(of_others, 0.0))
        std = np.sqrt(np.square(influence.params).sum(axis=0))
        change = influence.on_params.T * (r / rest)[:, None]
        return _LeftOut(
            prediction=data.y - sigma * r / rest,
            pull=r / (of_others * np.sqrt(rest)),
            leverage=h,
            cooks_distance=np.square(r / rest) * h / (scale * influence.params.shape[0]),
            dfbetas=_in_units(change, of_others[:, None] * std),
            lost=lost,
        )


# Refits -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Refit:
    """The fit without row i."""

    row: int
    prediction: FloatArray  # (n,)
    std: float  # of the prediction at the row
    reduced_chi2: float
    params: FloatArray | None
    converged: bool


def _by_refits(data: _Data) -> _LeftOut:
    n, final = data.n_samples, data.final
    refits = _batched(data) if _takes_batches(data) else _one_by_one(data)
    names = data.names
    prediction, pull, distance = np.full(n, np.nan), np.full(n, np.nan), np.full(n, np.nan)
    dfbetas, lost = np.full((n, len(names)), np.nan), np.ones(n, dtype=bool)
    fitted_values = np.asarray(data.fitted.predict(data.X))
    scale = 1.0 if data.absolute else getattr(final, "reduced_chi2_", np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        leverage = _predict_std(data.fitted, data.X) ** 2 / (scale * data.variance)
        for refit in refits:
            i = refit.row
            lost[i] = not refit.converged or refit.std == np.inf
            if lost[i]:
                continue
            of_others = 1.0 if data.absolute else refit.reduced_chi2
            prediction[i] = refit.prediction[i]
            spread = np.sqrt(refit.std**2 + of_others * data.variance[i])
            pull[i] = (data.y[i] - prediction[i]) / spread
            moved = np.square(fitted_values - refit.prediction) / data.variance
            distance[i] = moved.sum() / (scale * _n_free(data))
            if names and refit.params is not None:
                std = final.params_std_ * np.sqrt(of_others / scale)
                dfbetas[i] = _in_units(final.params_ - refit.params, std)
    return _LeftOut(prediction, pull, leverage, distance, dfbetas, lost)


def _takes_batches(data: _Data) -> bool:
    """Whether the estimator fits curves with missing points, all at once."""
    parameters = signature(type(data.fitted).__init__).parameters
    return {"p0", "start"} <= set(parameters) and data.errors["sigma_x"] is None


def _batched(data: _Data) -> Iterator[_Refit]:
    fit, n = data.fitted, data.n_samples
    start = dict(zip(fit.param_names_, map(float, fit.params_), strict=True))
    if not np.isfinite(fit.params_).all():
        return
    from_minimum = _with_options(fit, p0=start, start="p0")
    sigma = data.errors["sigma"]
    at_once = max(1, _BLOCK // (n * len(start)))
    for first in range(0, n, at_once):
        rows = np.arange(first, min(first + at_once, n))
        Y = np.repeat(data.y[:, None], len(rows), axis=1)
        Y[rows, np.arange(len(rows))] = np.nan
        each = sigma if np.ndim(sigma) == 0 else np.repeat(sigma[:, None], len(rows), axis=1)
        curves = fit_quietly(from_minimum, data.X, Y, {"sigma": each})
        mean, std = predict_quietly(curves, data.X, return_std=True)
        for k, i in enumerate(rows):
            yield _Refit(
                int(i),
                mean[:, k],
                float(std[i, k]),
                float(curves.reduced_chi2_[k]),
                curves.params_[k],
                bool(curves.converged_[k]),
            )


def _one_by_one(data: _Data) -> Iterator[_Refit]:
    n = data.n_samples
    estimator, final = data.fitted, last_step(data.fitted)
    if hasattr(final, "p0") and np.isfinite(final.params_).all():
        start = dict(zip(final.param_names_, map(float, final.params_), strict=True))
        again = clone(estimator)
        if hasattr(last_step(again), "p0"):  # else within a search
            last_step(again).set_params(p0=start)
            estimator = again
    for i in range(n):
        fit = fit_quietly(estimator, data.X, data.y, data.errors, np.delete(np.arange(n), i))
        final = last_step(fit)
        yield _Refit(
            i,
            np.asarray(predict_quietly(fit, data.X)),
            float(_predict_std(fit, take(data.X, [i], n))[0]),
            float(getattr(final, "reduced_chi2_", np.nan)),
            getattr(final, "params_", None),
            bool(getattr(final, "converged_", True)),
        )


def _with_options(estimator: Any, **options: Any) -> Any:
    return clone(estimator).set_params(**options)


def _predict_std(fitted: Any, X: Any) -> FloatArray:
    """Return the errors of fitted values; NaN of an estimator that does not tell them."""
    if not hasattr(last_step(fitted), "params_cov_"):
        return np.full(len(X), np.nan)
    return np.asarray(predict_quietly(fitted, X, return_std=True)[1])


def _n_free(data: _Data) -> int:
    priors = len(getattr(data.final, "priors", None) or ())
    return max(data.n_samples + priors - int(getattr(data.final, "dof_", data.n_samples - 1)), 1)


def _in_units(change: FloatArray, std: FloatArray) -> FloatArray:
    """Return changes over standard deviations; what is held does not change."""
    return np.asarray(np.where(change == 0.0, 0.0, change / std))


def _frame(data: _Data, left_out: _LeftOut) -> pd.DataFrame:
    import pandas as pd

    residual = data.y - left_out.prediction
    columns = {
        "y": data.y,
        "prediction": left_out.prediction,
        "residual": residual,
        "pull": left_out.pull,
        "leverage": left_out.leverage,
        "cooks_distance": left_out.cooks_distance,
    }
    columns |= {f"dfbetas {name}": left_out.dfbetas[:, j] for j, name in enumerate(data.names)}
    index = data.X.index if hasattr(data.X, "iloc") else pd.RangeIndex(len(data.y), name="row")
    frame = pd.DataFrame(columns, index=index)
    in_sample = data.y - np.asarray(data.fitted.predict(data.X))
    frame.attrs["chi2"] = float((np.square(in_sample) / data.variance).sum())
    frame.attrs["loo_chi2"] = float((np.square(residual) / data.variance).sum())
    if left_out.lost.any():
        rows = np.flatnonzero(left_out.lost)
        listed = ", ".join(map(str, rows[:5])) + (", ..." if len(rows) > 5 else "")
        warn_caller(
            f"Without row {listed} ({len(rows)} of {len(frame)}) the other points determine no "
            "prediction there (leverage 1), or the fit finds no minimum: NaN. Measure a second "
            "time where a point stands alone.",
            RankWarning,
        )
    return frame
