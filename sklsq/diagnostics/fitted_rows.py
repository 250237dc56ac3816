"""The rows of a fit as all tests want them: residuals in units of σ, and their hat matrix.

Rows without a measured value are left out; so are, from the tests that look at single residuals,
points that fix their own fitted value, whose residuals are zero whatever was measured.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.linear_model import LinearRegression

from sklsq._typing import BoolArray, FloatArray, IntArray
from sklsq.diagnostics.hat_matrix import hat_root
from sklsq.inference.fitted_values import (
    column_of,
    features_of_last_step,
    fitted_with_std,
    last_step,
    offers,
    summary_of,
    take_rows,
    transformed_part,
)
from sklsq.inference.residuals import FREE, Residuals, residuals_of_fit, used_rows
from sklsq.inference.row_errors import ErrorsOfRows, errors_of_rows

__all__ = ["FittedRows", "rows_of_fit"]

_LISTED = 5
_SAME_CHI2 = 1e-6  # relative; the estimator and the residuals sum in different ways
_ROUNDING = 1e-28  # χ² of a perfect fit over that of zero: forty roundings, squared


@dataclass(frozen=True)
class FittedRows:
    """Rows of a fit.

    Parameters
    ----------
    residual : ndarray of shape (n,)
        Residuals in units of σ; if σ came as a covariance, made independent.
    root : ndarray of shape (n, m)
        Root of the hat matrix: the covariance of `residual` is ``1 - root @ root.T``.
    inverse_sigma : ndarray of shape (n,)
        Factors that bring columns to units of σ.
    features : ndarray of shape (n, p)
        Features; where they have errors, of the adjusted points, which do not depend on residuals.
    feature_names : list of str
        Their names.
    fitted : ndarray of shape (n,)
        Fitted values, there.
    dof : float
        Degrees of freedom.
    known : bool
        Whether σ is known from elsewhere than from the scatter.
    remarks : list of str
        What restricts the conclusions.
    """

    residual: FloatArray
    root: FloatArray
    inverse_sigma: FloatArray
    features: FloatArray
    feature_names: list[str]
    fitted: FloatArray
    dof: float
    known: bool
    remarks: list[str]

    @property
    def leverage(self) -> FloatArray:
        """Leverages (n,), of the rows made independent."""
        leverage: FloatArray = np.einsum("ij,ij->i", self.root, self.root)
        return leverage

    @property
    def free(self) -> BoolArray:
        """Mask (n,) of the rows whose residual can differ from zero."""
        mask: BoolArray = 1.0 - self.leverage > FREE
        return mask

    @property
    def standardized(self) -> FloatArray:
        """Residuals over their own standard deviations, (n,); of rows that are free."""
        standardized: FloatArray = self.residual / np.sqrt(1.0 - self.leverage)
        return standardized

    def take(self, rows: IntArray | BoolArray) -> FittedRows:
        """Return some of the rows, or all in another order."""
        return replace(
            self,
            residual=self.residual[rows],
            root=self.root[rows],
            inverse_sigma=self.inverse_sigma[rows],
            features=self.features[rows],
            fitted=self.fitted[rows],
        )


def rows_of_fit(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    sigma: Any,
    sample_weight: Any = None,
    sigma_x: Any,
    corr_xy: Any,
    target: int,
) -> tuple[FittedRows, Residuals, BoolArray]:
    """Return the usable rows of a fit, the residuals of all rows, and which are usable."""
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
    given = sigma is not None or sample_weight is not None
    transformed = transformed_part(estimator, X)
    deviation = residuals.residual
    if transformed is not None and not given:
        deviation = _of_transform(*transformed, y, residuals, target)
    usable = np.isfinite(deviation)
    if errors.removed is not None:
        usable &= ~errors.removed
    rejected = np.flatnonzero(usable & ~used_rows(estimator, len(usable)))
    usable[rejected] = False
    kept = np.flatnonzero(usable)
    if not kept.size:
        raise ValueError("`y` must hold measured values that the fit has used. Got none.")
    X, errors = (X, errors) if usable.all() else (take_rows(X, kept), _some(errors, kept))
    raw = deviation[kept]
    X = errors.adjusted(X, raw)
    root, dof, remarks = _hat_and_dof(estimator, X, errors, residuals.leverage[kept], target)
    if rejected.size:
        shown = ", ".join(map(str, rejected[:_LISTED])) + (
            " ..." if rejected.size > _LISTED else ""
        )
        remarks.append(
            f"points that the fit rejected are not tested: {rejected.size}, in rows {shown}."
        )
    converged = np.ravel(getattr(last_step(estimator), "converged_", True))
    if not converged[target if len(converged) > 1 else 0]:
        remarks.append(
            "the fit has not converged: these are not the residuals of a minimum, and say nothing "
            "of the model or of sigma."
        )
    if transformed is None:
        remarks += _differences(estimator, errors, raw, residuals.fitted[kept], target)
    correlated = errors.cholesky is not None
    unscaled = not correlated and np.isnan(errors.sigma).any()
    lift = 0.0 if errors.lift is None else errors.lift * raw
    rows = FittedRows(
        raw if unscaled else errors.whiten(raw),
        root,
        np.ones_like(raw) if correlated or unscaled else 1.0 / errors.sigma,
        np.asarray(X, dtype=np.float64),
        _names(X),
        residuals.fitted[kept] + lift,
        dof,
        errors.known,
        remarks,
    )
    return rows, residuals, usable


def _of_transform(fit: Any, X: Any, y: Any, residuals: Residuals, target: int) -> FloatArray:
    """Return residuals of a transformed y (n,) in the units of y, for errors to first order.

    There the fit was made, with errors alike in all points and as Gaussian as those of any fit;
    those of y itself are so only if they are small.
    """
    z = column_of(fit.transform_target(y), target)
    fitted, std = fitted_with_std(fit.estimator_, X, target)
    with np.errstate(divide="ignore", invalid="ignore"):
        stretch = residuals.fitted_std / std
    if not np.isfinite(stretch).any():  # without errors of its values, or degrees of freedom
        return residuals.residual
    deviation: FloatArray = np.abs(z - fitted) * stretch * np.sign(residuals.residual)
    return deviation


def _some(errors: ErrorsOfRows, rows: IntArray) -> ErrorsOfRows:
    cholesky = errors.cholesky
    if cholesky is not None:
        covariance = (cholesky @ cholesky.T)[np.ix_(rows, rows)]
        cholesky = np.linalg.cholesky(covariance)
    return replace(
        errors,
        sigma=errors.sigma[rows],
        unit=errors.unit[rows],
        cholesky=cholesky,
        shift=None if errors.shift is None else errors.shift[rows],
        lift=None if errors.lift is None else errors.lift[rows],
        removed=None,
    )


def _hat_and_dof(
    estimator: Any, X: Any, errors: ErrorsOfRows, leverage: FloatArray, target: int
) -> tuple[FloatArray, float, list[str]]:
    """Return the root of the hat matrix, degrees of freedom, and what limits them."""
    n_samples, summary = len(errors.sigma), summary_of(estimator)
    nothing = np.empty((n_samples, 0))
    if offers(estimator, "return_cov") and summary is not None:
        dof = float(summary.dof[target])
        if dof <= 0.0 or not np.isfinite(errors.unit).all():
            return nothing, dof, []
        return hat_root(estimator, X, errors, leverage, target), dof, []
    design = _linear_design(estimator, X)
    if design is not None:
        basis, values, _ = np.linalg.svd(
            design / errors.sigma[:, None] if errors.known else design, full_matrices=False
        )
        root = basis[:, values > np.finfo(np.float64).eps * max(design.shape) * values[0]]
        return root, float(n_samples - root.shape[1]), []
    return (
        nothing,
        float(n_samples),
        [
            "this regressor does not say how its predictions follow the data; its parameters are "
            "not counted, and the p-values hold for many points only."
        ],
    )


def _linear_design(estimator: Any, X: Any) -> FloatArray | None:
    """Return the design matrix of scikit-learn's ordinary linear regression, also in a pipeline."""
    last = last_step(estimator)
    if not isinstance(last, LinearRegression):
        return None
    design = np.asarray(features_of_last_step(estimator, X), dtype=np.float64)
    return np.column_stack([np.ones(len(design)), design]) if last.fit_intercept else design


def _differences(
    estimator: Any,
    errors: ErrorsOfRows,
    residual: FloatArray,
    fitted: FloatArray,
    target: int,
) -> list[str]:
    """Say so if χ² of the residuals is not that of the fit."""
    summary, last = summary_of(estimator), last_step(estimator)
    if getattr(last, "loss", "linear") != "linear":
        return [
            "the fit gave far points less weight (robust loss); the p-values are those of a fit "
            "that does not."
        ]
    in_other_units = hasattr(last, "error_ratio") and not errors.known
    if summary is None or in_other_units:
        return []
    stated = float(summary.chi2[target])
    unit = residual / errors.unit if errors.cholesky is None else errors.whiten(residual)
    if not summary.absolute_sigma and summary.dof[target] > 0:
        unit = unit * np.sqrt(stated / summary.dof[target])
    found = float(unit @ unit)
    size = fitted / errors.sigma
    rounding = _ROUNDING * float(np.nan_to_num(size @ size))
    if not np.isfinite(found) or abs(found - stated) <= _SAME_CHI2 * stated + rounding:
        return []
    return [
        f"χ² of these residuals is {found:.4g}, that of the fit {stated:.4g}. Unless the fit has "
        "priors or a robust loss, X, y, sigma (or sigma_x) are not those it was made with. Rows of "
        "zero weight are known by `sample_weight`, or by y = NaN."
    ]


def _names(X: Any) -> list[str]:
    if hasattr(X, "columns"):
        return [str(name) for name in X.columns]
    p = np.shape(X)[1]
    return ["x"] if p == 1 else [f"x{j}" for j in range(p)]
