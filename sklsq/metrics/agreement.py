r"""How well predictions agree with measurements, in units of the errors.

.. math:: \chi^2 = \sum_i \left(\frac{y_i - f_i}{\sigma_i}\right)^2, \qquad
          \chi^2_\nu = \chi^2 / \nu .

On data that were *not* fitted every point is a degree of freedom and a good model has
:math:`\chi^2_\nu \approx 1`, a little more for the errors of its own parameters; on the data of the
fit ν is smaller by the number of parameters (Bevington and Robinson, *Data Reduction and Error
Analysis*, 3rd ed., chapter 11).
"""

from __future__ import annotations

from numbers import Integral
from typing import Any, Literal

import numpy as np
from sklearn.metrics import r2_score

from sklsq._typing import FloatArray
from sklsq.noise import Noise, check_index, check_noise

__all__ = [
    "chi2_score",
    "interval_coverage",
    "pulls",
    "reduced_chi2_score",
    "weighted_r2_score",
]


def chi2_score(
    y_true: Any,
    y_pred: Any,
    *,
    sigma: Any = None,
    sample_weight: Any = None,
    multioutput: Literal["sum", "raw_values"] = "sum",
) -> float | FloatArray:
    """Return χ², the sum of the squared pulls.

    Parameters
    ----------
    y_true, y_pred : array_like of shape (n,) or (n, t)
        Measured and predicted values.
    sigma : float or array_like of shape (n,), (n, t) or (n, n), optional
        Standard deviations of the measured values, or their covariance. Default: 1, so that the
        result is the sum of squares.
    sample_weight : array_like of shape (n,) or (n, t), optional
        1/σ², the other spelling.
    multioutput : {"sum", "raw_values"}, default="sum"
        Whether to add up several targets.

    Returns
    -------
    chi2 : float or ndarray of shape (t,)
        Zero at best.

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, or `sigma` is not positive; if `sigma` and
        `sample_weight` are both given.

    Examples
    --------
    >>> from sklsq.metrics import chi2_score
    >>> chi2_score([1.0, 2.0], [1.1, 1.8], sigma=0.1)
    5.0
    """
    chi2, _ = _chi2_and_count(y_true, y_pred, sigma, sample_weight)
    return _combined(chi2, multioutput, np.ndim(y_true) > 1)


def reduced_chi2_score(
    y_true: Any,
    y_pred: Any,
    *,
    sigma: Any = None,
    sample_weight: Any = None,
    n_params: int = 0,
    multioutput: Literal["sum", "raw_values"] = "sum",
) -> float | FloatArray:
    """Return χ² per degree of freedom.

    Parameters
    ----------
    y_true, y_pred : array_like of shape (n,) or (n, t)
        Measured and predicted values.
    sigma : float or array_like of shape (n,), (n, t) or (n, n), optional
        Standard deviations of the measured values, or their covariance. Default: 1, so that the
        result is the mean square.
    sample_weight : array_like of shape (n,) or (n, t), optional
        1/σ², the other spelling; rows of weight zero do not count.
    n_params : int, default=0
        Number of parameters of each target that were fitted to these very data; 0 for data that
        were held out.
    multioutput : {"sum", "raw_values"}, default="sum"
        Whether to divide the sum of all χ² by the sum of all degrees of freedom.

    Returns
    -------
    reduced_chi2 : float or ndarray of shape (t,)
        About 1 if model and σ are right.

    Raises
    ------
    ValueError
        As `chi2_score`; if there are no more values than `n_params`.

    Examples
    --------
    >>> from sklsq.metrics import reduced_chi2_score
    >>> reduced_chi2_score([1.0, 2.0, 3.0], [1.1, 1.8, 3.0], sigma=0.1, n_params=1)
    2.5
    """
    chi2, count = _chi2_and_count(y_true, y_pred, sigma, sample_weight)
    if not (isinstance(n_params, Integral) and 0 <= n_params < count.min()):
        raise ValueError(
            f"`n_params` must be an integer from 0 to less than the number of values, "
            f"{count.min():.0f}. Got {n_params!r}; a fit without degrees of freedom has no reduced "
            "χ²."
        )
    dof = count - n_params
    if multioutput == "sum":
        return float(chi2.sum() / dof.sum())
    return _combined(chi2 / dof, multioutput, np.ndim(y_true) > 1)


def pulls(y_true: Any, y_pred: Any, *, sigma: Any, std: Any = None) -> FloatArray:
    """Return residuals over their standard deviation.

    Parameters
    ----------
    y_true, y_pred : array_like of shape (n,) or (n, t)
        Measured and predicted values.
    sigma : float or array_like of shape (n,) or (n, t)
        Standard deviations of the measured values.
    std : float or array_like of shape (n,) or (n, t), optional
        Standard deviations of the predicted values, ``predict(X, return_std=True)[1]``, for data
        that were held out: their errors are independent of the prediction's, and the variances add
        up. For the data of the fit see `sklsq.inference.residuals.residual_table`.

    Returns
    -------
    pulls : ndarray of shape (n,) or (n, t)
        Of mean 0 and standard deviation 1 if prediction and errors are right.

    Examples
    --------
    >>> from sklsq.metrics import pulls
    >>> pulls([1.0, 2.0], [1.5, 2.0], sigma=0.3, std=[0.4, 0.1]).round(3).tolist()
    [-1.0, 0.0]
    """
    measured, predicted = _checked(y_true, y_pred)
    noise = _noise(measured, y_true, sigma, None, covariance=False)
    variance = noise.variance() if noise.given else None
    if variance is None:
        raise ValueError(
            "`sigma` must hold the standard deviations of the measured values. Got None."
        )
    total = np.broadcast_to(_as_column(variance, measured), measured.shape)
    if std is not None:
        errors = np.asarray(std, dtype=np.float64)
        if errors.shape not in ((), measured.shape) or not (errors >= 0.0).all():
            raise ValueError(
                f"`std` must hold numbers that are not negative, in the shape {measured.shape} of "
                f"the values. Got shape {errors.shape} with a smallest value of {errors.min():g}."
            )
        total = total + errors**2
    result: FloatArray = (measured - predicted) / np.sqrt(total)
    return result


def interval_coverage(y_true: Any, interval: Any, *, sample_weight: Any = None) -> float:
    """Return the share of the values that lie in their intervals.

    Parameters
    ----------
    y_true : array_like of shape (n,) or (n, t)
        Measured values.
    interval : array_like of shape (n, 2) or (t, n, 2)
        Lower and upper ends, as `predict_interval` returns them.
    sample_weight : array_like of shape (n,), optional
        Weights of the points in the share.

    Returns
    -------
    coverage : float
        To be compared with the level of the intervals; its own standard deviation is about
        ``sqrt(level * (1 - level) / n)``.

    Examples
    --------
    >>> from sklsq.metrics import interval_coverage
    >>> interval_coverage([1.0, 2.0, 3.0, 4.0], [[0, 2], [1, 3], [2, 4], [5, 6]])
    0.75
    """
    measured: FloatArray = np.asarray(y_true, dtype=np.float64)
    ends: FloatArray = np.asarray(interval, dtype=np.float64)
    wanted = (*measured.shape[::-1], 2)
    if ends.shape != wanted:
        raise ValueError(
            f"`interval` must have the shape {wanted}, a lower and an upper end for each value. "
            f"Got {ends.shape}."
        )
    for name, values in (("y_true", measured), ("interval", ends)):
        if np.isnan(values).any():
            raise ValueError(f"`{name}` must not hold NaN. Leave such rows out of the coverage.")
    if not measured.size:
        raise ValueError("`y_true` must hold at least one value. Got none.")
    if (ends[..., 0] > ends[..., 1]).any():
        first = np.argwhere(ends[..., 0] > ends[..., 1])[0]
        raise ValueError(
            "`interval` must have the lower end first. Got "
            f"{ends[tuple(first)].tolist()} in row {first[-1]}."
        )
    inside = (ends[..., 0] <= measured.T) & (measured.T <= ends[..., 1])
    check_index("sample_weight", sample_weight, None, y_true)
    weight = check_noise(None, sample_weight, len(measured), None).values
    return float(np.average(inside, weights=np.broadcast_to(weight, inside.shape)))


def weighted_r2_score(
    y_true: Any, y_pred: Any, *, sigma: Any = None, sample_weight: Any = None
) -> float:
    """Return the coefficient of determination R², weighted by 1/σ².

    Parameters
    ----------
    y_true, y_pred : array_like of shape (n,) or (n, t)
        Measured and predicted values; of several targets the mean is returned.
    sigma : float or array_like of shape (n,) or (n, t), optional
        Standard deviations of the measured values.
    sample_weight : array_like of shape (n,) or (n, t), optional
        1/σ², the other spelling.

    Returns
    -------
    r2 : float
        One at best, zero for the weighted mean.
    """
    measured, predicted = _checked(y_true, y_pred)
    noise = _noise(measured, y_true, sigma, sample_weight, covariance=False)
    weight = np.ones_like(measured)
    if noise.given:
        weight = weight * _as_column(np.square(noise.root_weight()), measured)
    columns = (array.reshape(len(measured), -1).T for array in (measured, predicted, weight))
    scores = [r2_score(y, f, sample_weight=w) for y, f, w in zip(*columns, strict=True)]
    return float(np.mean(scores))


def _checked(y_true: Any, y_pred: Any) -> tuple[FloatArray, FloatArray]:
    """Return measured and predicted values of one shape."""
    measured: FloatArray = np.asarray(y_true, dtype=np.float64)
    predicted: FloatArray = np.asarray(y_pred, dtype=np.float64)
    if measured.shape != predicted.shape or measured.ndim not in (1, 2):
        raise ValueError(
            "`y_true` and `y_pred` must have the same shape, (n,) or (n, t). Got "
            f"{measured.shape} and {predicted.shape}."
        )
    if not measured.size:
        raise ValueError("`y_true` must hold at least one value. Got none.")
    for name, values in (("y_true", measured), ("y_pred", predicted)):
        if not np.isfinite(values).all():
            row = int(np.argwhere(~np.isfinite(values))[0][0])
            raise ValueError(
                f"`{name}` must be finite. Got {values[row]} in row {row}; leave such rows out."
            )
    return measured, predicted


def _noise(
    measured: FloatArray, y_true: Any, sigma: Any, sample_weight: Any, *, covariance: bool
) -> Noise:
    check_index("sigma", sigma, None, y_true)
    check_index("sample_weight", sample_weight, None, y_true)
    n_targets = None if measured.ndim == 1 else measured.shape[1]
    return check_noise(sigma, sample_weight, len(measured), n_targets, allow_covariance=covariance)


def _as_column(values: FloatArray | float, like: FloatArray) -> FloatArray:
    """Return one value a row such that it applies to every target."""
    array: FloatArray = np.asarray(values)
    return array[:, None] if array.ndim == 1 < like.ndim else array


def _chi2_and_count(
    y_true: Any, y_pred: Any, sigma: Any, sample_weight: Any
) -> tuple[FloatArray, FloatArray]:
    """Return χ² and the number of values that count, of shape (t,) each."""
    measured, predicted = _checked(y_true, y_pred)
    noise = _noise(measured, y_true, sigma, sample_weight, covariance=True)
    residual = (measured - predicted).reshape(len(measured), -1)
    whitened = noise.whiten(residual) if noise.given else residual
    kept = np.ones_like(residual, dtype=bool)
    if noise.kept is not None:
        kept = np.broadcast_to(noise.kept.reshape(len(kept), -1), kept.shape)
    return np.einsum("ij,ij->j", whitened, whitened), kept.sum(axis=0).astype(np.float64)


def _combined(values: FloatArray, multioutput: str, several: bool) -> float | FloatArray:
    if multioutput not in ("sum", "raw_values"):
        raise ValueError(f'`multioutput` must be "sum" or "raw_values". Got {multioutput!r}.')
    return values if multioutput == "raw_values" and several else float(values.sum())
