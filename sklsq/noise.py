r"""What is known of the errors: from `sigma` or `sample_weight` to whitened rows.

A measurement :math:`y_i` with standard deviation :math:`\sigma_i` enters the sum of squares as
:math:`((y_i - f_i)/\sigma_i)^2`; a row of the design matrix is divided by :math:`\sigma_i`, not by
its square. With a covariance matrix :math:`V = L L^\mathsf{T}` the rows are multiplied by
:math:`L^{-1}` (generalised least squares, Aitken 1936). A sample weight is :math:`1/\sigma_i^2`; a
weight of zero removes the row.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np

from sklsq._typing import BoolArray, FloatArray

__all__ = ["Noise", "check_correlation", "check_index", "check_noise", "check_sigma_x"]

_TINY = float(np.finfo(np.float64).tiny)  # the reciprocal of anything smaller may overflow


@dataclass(frozen=True)
class Noise:
    """Errors of the targets.

    Parameters
    ----------
    given : bool
        Whether the user gave them; else they are equal, of unknown size, and taken as one.
    values : float, ndarray of shape (n,) or (n, t)
        Standard deviations, or weights 1/σ²; a weight of zero leaves a row out.
    values_are : {"sigma", "weight"}
        Which of the two.
    cholesky : ndarray of shape (n, n), optional
        Lower triangle of the covariance of the targets, which takes the place of `values`.
    """

    given: bool
    values: FloatArray | float = 1.0
    values_are: Literal["sigma", "weight"] = "sigma"
    cholesky: FloatArray | None = None

    @property
    def per_target(self) -> bool:
        """Whether every target has errors of its own."""
        return not isinstance(self.values, float) and self.values.ndim == 2

    @property
    def kept(self) -> BoolArray | None:
        """Mask of the rows with positive weight; None where all are kept."""
        if self.values_are == "sigma" or isinstance(self.values, float) or self.values.all():
            return None
        return self.values > 0.0

    def select(self, rows: Any) -> Noise:
        """Return the errors of some of the rows."""
        values = self.values if isinstance(self.values, float) else self.values[rows]
        return replace(self, values=values)

    def target(self, k: int) -> Noise:
        """Return the errors of one target."""
        if isinstance(self.values, float) or self.values.ndim == 1:
            return self
        return replace(self, values=np.ascontiguousarray(self.values[:, k]))

    def root_weight(self) -> FloatArray | float:
        """Return 1/σ."""
        if self.values_are == "sigma":
            return 1.0 / self.values
        return cast(FloatArray, np.sqrt(self.values))

    def sigma(self) -> FloatArray | float:
        """Return σ."""
        return self.values if self.values_are == "sigma" else 1.0 / np.sqrt(self.values)

    def variance(self) -> FloatArray | float:
        """Return σ²."""
        return self.values**2 if self.values_are == "sigma" else 1.0 / self.values

    def whiten(self, rows: FloatArray) -> FloatArray:
        """Return `rows` (n, k) divided by σ, or by the root of the covariance."""
        if self.cholesky is not None:
            from scipy.linalg import solve_triangular

            return cast(FloatArray, solve_triangular(self.cholesky, rows, lower=True))
        weight = self.root_weight()
        return rows * (weight if isinstance(weight, float) else weight.reshape(len(rows), -1))


def check_noise(
    sigma: Any,
    sample_weight: Any,
    n_samples: int,
    n_targets: int | None,
    *,
    allow_covariance: bool = True,
) -> Noise:
    """Validate `sigma` or `sample_weight` against the targets.

    Parameters
    ----------
    sigma : None, float, array_like of shape (n,), (n, t) or (n, n)
        Standard deviations of the targets; for a single target also their covariance matrix.
    sample_weight : None, float, array_like of shape (n,) or (n, t)
        The other spelling, 1/σ².
    n_samples : int
        Number n of rows.
    n_targets : int or None
        Number t of targets; None for a one-dimensional y.
    allow_covariance : bool, default=True
        Whether an (n, n) covariance is acceptable.

    Raises
    ------
    ValueError
        If both are given; if the shape is wrong; if a value is not positive and finite, naming the
        first row.
    """
    if sigma is not None and sample_weight is not None:
        raise ValueError(
            "`sigma` and `sample_weight` must not both be given: sample_weight is 1/sigma**2. "
            "Pass one of them."
        )
    if sigma is not None:
        return _from_sigma(sigma, n_samples, n_targets, allow_covariance)
    if sample_weight is not None:
        return _from_weight(sample_weight, n_samples, n_targets)
    return Noise(given=False)


def check_index(name: str, value: Any, X: Any, y: Any) -> None:
    """Raise if a pandas `value` is labelled differently from the pandas `X` or `y` it goes with.

    Raises
    ------
    ValueError
        If the indexes differ, as values are used by position.
    """
    index = _pandas_index(value)
    if index is None:
        return
    for other_name, other in (("X", X), ("y", y)):
        other_index = _pandas_index(other)
        if other_index is not None and not index.equals(other_index):
            raise ValueError(
                f"`{name}` must have the same index as `{other_name}`. Got different labels or "
                "another order; "
                f"select with `{name}.loc[{other_name}.index]`, or pass `{name}.to_numpy()` to "
                "use it by position."
            )


def _pandas_index(value: Any) -> Any:
    return value.index if type(value).__module__.partition(".")[0] == "pandas" else None


def _as_float(name: str, value: Any) -> FloatArray:
    array = np.asarray(value)
    if array.dtype.kind in "cSUMmV" or np.ma.is_masked(value):
        kind = "masked values" if np.ma.is_masked(value) else f"dtype {array.dtype}"
        raise ValueError(f"`{name}` must hold real numbers. Got {kind}.")
    try:
        return array.astype(np.float64, copy=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"`{name}` must hold real numbers. Got {error}.") from error


def _check_shape(name: str, array: FloatArray, n_samples: int, n_targets: int | None) -> None:
    curves = "" if n_targets is None else f" or ({n_samples}, {n_targets})"
    allowed = [(n_samples,)] + ([] if n_targets is None else [(n_samples, n_targets)])
    if array.shape not in allowed:
        hint = ""
        if array.ndim == 2 and array.shape[0] < array.shape[1] and name == "sigma":
            hint = (
                " Only its rows seem to have been selected: a covariance cannot pass through "
                "cross-validation, "
                "which slices rows only."
            )
        raise ValueError(
            f"`{name}` must be a number or have shape ({n_samples},){curves}, one value per row "
            "of y. "
            f"Got shape {array.shape}.{hint}"
        )


def _from_sigma(sigma: Any, n_samples: int, n_targets: int | None, allow_covariance: bool) -> Noise:
    array = _as_float("sigma", sigma)
    if n_targets is None and array.ndim == 2 and array.shape == (n_samples, n_samples):
        if allow_covariance:
            return _from_covariance(array)
        raise ValueError(
            "`sigma` must be a number or one value per row here. Got an (n, n) covariance, which "
            "`fit` alone takes, where x is exact and all rows are kept. Pass "
            "np.sqrt(np.diag(sigma)) if the errors are independent."
        )
    if array.ndim > 0:
        _check_shape("sigma", array, n_samples, n_targets)
    if not (array.min(initial=1.0) >= _TINY and array.max(initial=1.0) < np.inf):
        bad = ~((array >= _TINY) & np.isfinite(array))
        raise ValueError(_bad_value("sigma", array, bad, "be positive and finite"))
    return Noise(True, float(array) if array.ndim == 0 else array)


def _from_weight(sample_weight: Any, n_samples: int, n_targets: int | None) -> Noise:
    array = _as_float("sample_weight", sample_weight)
    if array.ndim > 0:
        _check_shape("sample_weight", array, n_samples, n_targets)
    if not (array.min(initial=0.0) >= 0.0 and array.max(initial=0.0) < np.inf):
        bad = ~((array >= 0.0) & np.isfinite(array))
        raise ValueError(_bad_value("sample_weight", array, bad, "be finite and not negative"))
    if not array.any(axis=0).all():
        raise ValueError(
            "`sample_weight` must contain at least one non-zero weight. Got all sample weights "
            "equal to zero."
        )
    return Noise(True, float(array) if array.ndim == 0 else array, "weight")


def _from_covariance(covariance: FloatArray) -> Noise:
    bad = ~np.isfinite(covariance)
    if bad.any():
        raise ValueError(_bad_value("sigma", covariance, bad, "be finite"))
    scale = np.sqrt(np.abs(np.diag(covariance)))
    asymmetry = np.abs(covariance - covariance.T)
    if (asymmetry > 1e-8 * np.outer(scale, scale)).any():
        row = int(np.argmax(asymmetry.max(axis=1)))
        raise ValueError(
            "`sigma` of shape (n, n) must be a symmetric covariance matrix. Got an asymmetric "
            f"row {row}."
        )
    try:
        return Noise(True, cholesky=np.linalg.cholesky(covariance))
    except np.linalg.LinAlgError:
        raise ValueError(
            "`sigma` of shape (n, n) must be a positive definite covariance matrix (variances, "
            "not standard "
            "deviations, on its diagonal). Got one that is not; remove perfectly correlated "
            "points or add their "
            "independent error to the diagonal."
        ) from None


def _bad_value(name: str, array: FloatArray, bad: BoolArray, demand: str) -> str:
    if array.ndim == 0:
        return f"`{name}` must {demand}. Got {array.item():g}."
    first = np.argwhere(bad)[0]
    place = f"row {first[0]}" + (f", column {first[1]}" if array.ndim == 2 else "")
    return (
        f"`{name}` must {demand}. Got {array[tuple(first)]:g} in {place}"
        + (f" (and in {bad.sum() - 1} more places)." if bad.sum() > 1 else ".")
        + " Remove such points or correct them."
    )


def check_sigma_x(sigma_x: Any, n_samples: int, n_features: int) -> FloatArray:
    """Return the standard deviations of the features as an array (n, p).

    Parameters
    ----------
    sigma_x : float or array_like of shape (1, p), (n,) if p = 1, or (n, p)
        Standard deviations of the features, zero where they are exact.
    n_samples, n_features : int
        Numbers n of rows and p of features.

    Raises
    ------
    ValueError
        If the shape is another, or a value is negative, NaN or infinite, naming the first row.
    """
    array = _as_float("sigma_x", sigma_x)
    shape = (n_samples, n_features)
    if array.ndim == 1 and n_features == 1 and array.shape[0] == n_samples:
        array = array[:, None]
    if array.shape not in ((), (1, n_features), shape):
        one = f", ({n_samples},)" if n_features == 1 else ""
        raise ValueError(
            f"`sigma_x` must be a number or have shape {shape}, (1, {n_features}){one}: one value "
            f"per point and feature, or per feature. Got shape {array.shape}."
        )
    if not (array.min(initial=0.0) >= 0.0 and array.max(initial=0.0) < np.inf):
        bad = ~((array >= 0.0) & np.isfinite(array))
        raise ValueError(_bad_value("sigma_x", array, bad, "be finite and not negative"))
    return np.broadcast_to(array, shape)


def check_correlation(corr_xy: Any, n_samples: int, n_features: int) -> FloatArray:
    """Return the correlations of the errors of x and y as an array (n,).

    Raises
    ------
    ValueError
        If there are several features, the shape is not that of y, or a value is not between -1
        and 1, naming the first row.
    """
    if n_features != 1:
        raise ValueError(
            f"`corr_xy` must be left out for several features. Got one for {n_features} features."
        )
    array = _as_float("corr_xy", corr_xy)
    if array.shape not in ((), (n_samples,)):
        raise ValueError(
            f"`corr_xy` must be a number or have shape ({n_samples},). Got shape {array.shape}."
        )
    bad = ~(np.abs(array) < 1.0)
    if bad.any():
        raise ValueError(_bad_value("corr_xy", array, bad, "lie between -1 and 1"))
    return np.broadcast_to(array, (n_samples,))
