r"""Residuals of a fit and what they should be: pulls, their standard deviations, leverage.

A fitted value :math:`f_i` follows its own measurement :math:`y_i`, so that the residual
:math:`r_i = y_i - f_i` scatters less than the measurement. With fitted values linear in y,
:math:`f = H y`, and y of covariance :math:`V`, least squares gives :math:`\mathrm{cov}(f) = H V`
and

.. math:: \mathrm{cov}(r) = V - \mathrm{cov}(f), \qquad
          \mathrm{std}(r_i) = \sigma_i \sqrt{1 - h_i}, \qquad
          h_i = H_{ii} = \mathrm{std}(f_i)^2 / \sigma_i^2 .

The *leverage* :math:`h_i = \partial f_i / \partial y_i` is the share of a point in its own fitted
value; the leverages add up to the number of free parameters. The *pull* is
:math:`r_i / \sigma_i`, the *standardised* residual :math:`r_i / \mathrm{std}(r_i)`, of unit
variance if model and σ are right. (Draper and Smith, *Applied Regression Analysis*, 3rd ed.,
chapters 2 and 8; Cook and Weisberg 1982.)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from sklsq._typing import BoolArray, FloatArray
from sklsq.inference.fitted_values import (
    column_of,
    fitted_covariance,
    fitted_with_std,
    last_step,
    offers,
    row_labels,
)
from sklsq.inference.row_errors import ErrorsOfRows, errors_of_rows, solve_lower
from sklsq.noise import check_noise

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "FREE",
    "Residuals",
    "residual_table",
    "residuals_of",
    "residuals_of_fit",
    "used_rows",
]

FREE = 1e-8  # least 1 - h of a residual that is more than the rounding of a point fitted exactly


@dataclass(frozen=True)
class Residuals:
    """Residuals of one target, with all that puts them on a scale.

    Parameters
    ----------
    fitted : ndarray of shape (n,)
        Fitted values.
    residual : ndarray of shape (n,)
        Measured less fitted values, in the units of y.
    sigma : ndarray of shape (n,)
        Standard deviations of the measured values: as given, or as implied by the scatter.
    fitted_std : ndarray of shape (n,)
        Standard deviations of the fitted values in the same convention; NaN where unknown.
    leverage : ndarray of shape (n,)
        Share of each point in its own fitted value, from 0 to 1 (beyond if the measured values are
        correlated); NaN where unknown.
    used : ndarray of bool of shape (n,), optional
        Which points were fitted; the others are independent of the curve. Default: all.
    """

    fitted: FloatArray
    residual: FloatArray
    sigma: FloatArray
    fitted_std: FloatArray
    leverage: FloatArray
    used: BoolArray | None = None

    @property
    def pull(self) -> FloatArray:
        """Residual over σ, of shape (n,)."""
        return self.residual / self.sigma

    @cached_property
    def residual_std(self) -> FloatArray:
        """Standard deviation of the residuals, of shape (n,), in the units of y."""
        share = np.minimum(self.fitted_std / self.sigma, 1.0)
        std: FloatArray = self.sigma * np.sqrt((1.0 - share) * (1.0 + share))
        if self.used is not None:
            std = np.where(self.used, std, np.hypot(self.sigma, self.fitted_std))
        return std

    @cached_property
    def standardized(self) -> FloatArray:
        """Residual over its own standard deviation; NaN for a point that fixes its fitted value."""
        free = self.residual_std > np.sqrt(FREE) * self.sigma
        unknown = np.full_like(self.residual, np.nan)
        return np.divide(self.residual, self.residual_std, out=unknown, where=free)

    def frame(self, index: Any = None) -> pd.DataFrame:
        """Return all of it as a DataFrame, one row a point.

        Parameters
        ----------
        index : array_like of shape (n,), optional
            Labels of the rows.

        Returns
        -------
        frame : DataFrame
            ``fitted``, ``fitted_std``, ``residual``, ``sigma``, ``pull``, ``residual_std``,
            ``standardized``, ``leverage``.
        """
        import pandas as pd

        columns = {
            "fitted": self.fitted,
            "fitted_std": self.fitted_std,
            "residual": self.residual,
            "sigma": self.sigma,
            "pull": self.pull,
            "residual_std": self.residual_std,
            "standardized": self.standardized,
            "leverage": self.leverage,
        }
        return pd.DataFrame(columns, index=index)


def residuals_of(
    y: Any,
    fitted: Any,
    *,
    sigma: Any,
    fitted_std: Any = None,
    std_scale: float = 1.0,
) -> Residuals:
    """Return residuals from measured and fitted values, wherever these come from.

    Parameters
    ----------
    y, fitted : array_like of shape (n,)
        Measured and fitted values.
    sigma : float or array_like of shape (n,)
        Standard deviations of the measured values.
    fitted_std : float or array_like of shape (n,), optional
        Standard deviations of the fitted values, for the leverage.
    std_scale : float, default=1.0
        Factor that `fitted_std` contains and `sigma` does not: ``sqrt(reduced_chi2)`` if it was
        scaled by the scatter.

    Returns
    -------
    residuals : Residuals
        Of shape (n,) each.

    Examples
    --------
    >>> from sklsq.inference.residuals import residuals_of
    >>> residuals = residuals_of([1.0, 2.2], [1.0, 2.0], sigma=0.1, fitted_std=[0.06, 0.08])
    >>> residuals.standardized.round(3).tolist()
    [0.0, 3.333]
    """
    measured, values = column_of(y, 0), column_of(fitted, 0)
    if measured.shape != values.shape:
        raise ValueError(
            f"`fitted` must have one value for each of the {len(measured)} measured ones. Got "
            f"{len(values)}."
        )
    noise = check_noise(sigma, None, len(measured), None, allow_covariance=False)
    total: FloatArray = np.broadcast_to(noise.sigma(), measured.shape)
    std = np.full_like(measured, np.nan)
    if fitted_std is not None:
        given = np.asarray(fitted_std, dtype=np.float64)
        if given.shape not in ((), measured.shape):
            raise ValueError(
                f"`fitted_std` must be a number, or have one value for each of the {len(measured)} "
                f"points. Got shape {given.shape}."
            )
        std = np.broadcast_to(given, measured.shape) / std_scale
    leverage = np.minimum((std / total) ** 2, 1.0)
    return Residuals(values, measured - values, total, std, leverage)


def residual_table(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    sigma: Any = None,
    sample_weight: Any = None,
    sigma_x: Any = None,
    corr_xy: Any = None,
    target: int = 0,
) -> pd.DataFrame:
    """Return residuals, pulls, standardised residuals and leverages of the data of a fit.

    Parameters
    ----------
    estimator : fitted estimator
        Of sklsq, or any regressor, also in a pipeline or a search; the leverage is NaN if its
        `predict` has no `return_std`.
    X : array_like of shape (n, p)
        Features that the estimator was fitted to.
    y : array_like of shape (n,) or (n, t)
        Measured values that it was fitted to; a row that is NaN stays NaN.
    sigma : float or array_like of shape (n,), (n, t) or (n, n), optional
        Standard deviations of y, or its covariance, as in the fit. If the fit took them as
        relative, or without any, σ is what the scatter implies. A fit without σ takes one number.
    sample_weight : float or array_like of shape (n,) or (n, t), optional
        The other spelling, 1/σ²; a row of weight zero was not fitted, and has no pull.
    sigma_x : float or array_like of shape (1, p), (n,) or (n, p), optional
        Standard deviations of the features, as in the fit: σ is then that of y less the curve,
        ``sqrt(sigma**2 + (slope * sigma_x)**2)``, and leverages are those of the adjusted points.
    corr_xy : float or array_like of shape (n,), optional
        Correlation of the errors of x and y.
    target : int, default=0
        Which column of a two-dimensional y.

    Returns
    -------
    table : DataFrame
        One row a point, with the index of `y` or `X` if they have one (points that the fit rejected
        are in it, with a leverage of zero): ``fitted``,
        ``fitted_std``, ``residual``, ``sigma`` (all in the units of y), ``pull``
        (residual/σ), ``residual_std`` (σ sqrt(1 - leverage)), ``standardized``
        (residual/residual_std) and ``leverage``.

    Raises
    ------
    ValueError
        If the fit was weighted and `sigma` is missing, or the other way round; if `sigma` and
        `sample_weight` are both given, have the wrong shape or are not positive; if `target` is
        not a column of y.

    Examples
    --------
    >>> from sklsq import WeightedLinearFit
    >>> from sklsq.datasets import load_pion_plus
    >>> from sklsq.inference.residuals import residual_table
    >>> data = load_pion_plus()
    >>> line = WeightedLinearFit().fit(data.X, data.y_values, sigma=data.sigma_values)
    >>> table = residual_table(line, data.X, data.y_values, sigma=data.sigma_values)
    >>> table[["pull", "standardized", "leverage"]].head(2).round(3)
        pull  standardized  leverage
    0  2.082         2.218     0.119
    1  1.131         1.292     0.234
    """
    errors = errors_of_rows(
        estimator,
        X,
        y,
        sigma=sigma,
        sample_weight=sample_weight,
        sigma_x=sigma_x,
        corr_xy=corr_xy,
        target=target,
    )
    residuals = residuals_of_fit(estimator, X, y, errors, target)
    return residuals.frame(row_labels(y, X))


def residuals_of_fit(
    estimator: Any, X: Any, y: Any, errors: ErrorsOfRows, target: int = 0
) -> Residuals:
    """Return the residuals of a fit, for errors from `errors_of_rows`."""
    fitted, published = fitted_with_std(estimator, X, target)
    residual = column_of(y, target) - fitted
    if errors.shift is not None and offers(estimator, "return_std"):
        # The parameters follow a point by the place where it is most likely to belong.
        adjusted = errors.adjusted(X, np.nan_to_num(residual))
        published = fitted_with_std(estimator, adjusted, target)[1]
    share = published / errors.unit
    leverage = np.minimum(share**2, 1.0)
    if errors.cholesky is not None:
        root = solve_lower(errors.cholesky, fitted_covariance(estimator, X, target))
        inverse = solve_lower(errors.cholesky, np.eye(len(fitted)))
        leverage = np.einsum("ij,ij->j", inverse, root)  # diagonal of V^-1 cov(f)
    used = used_rows(estimator, len(fitted))
    leverage = np.where(used | np.isnan(leverage), leverage, 0.0)
    if errors.removed is not None:
        used, leverage = used & ~errors.removed, np.where(errors.removed, 0.0, leverage)
    return Residuals(fitted, residual, errors.sigma, share * errors.sigma, leverage, used)


def used_rows(estimator: Any, n_samples: int) -> BoolArray:
    """Return which points (n,) a fit that may reject some has used; all where it does not say."""
    mask = getattr(last_step(estimator), "inlier_mask_", None)
    if mask is None or np.shape(mask) != (n_samples,):
        return np.ones(n_samples, dtype=bool)
    used: BoolArray = np.asarray(mask, dtype=bool)
    return used
