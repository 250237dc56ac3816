"""Straight lines and planes with errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklsq._typing import FloatArray
from sklsq.basis.columns import CentredColumns, InterceptColumns, MatrixSource
from sklsq.estimators._calibration import InversePrediction
from sklsq.estimators._linear import LinearLeastSquares
from sklsq.noise import Noise
from sklsq.solvers.rows import Columns
from sklsq.solvers.solution import Solution
from sklsq.solvers.straight_line import fit_line

__all__ = ["ParametersAt", "WeightedLinearFit"]

_GUIDE_ROWS = 1024


@dataclass(frozen=True)
class ParametersAt:
    """Parameters of a line or plane written about a point x0: ``y = level + slopes · (x - x0)``.

    Parameters
    ----------
    x0 : ndarray of shape (p,)
        The point.
    params : ndarray of shape (p + 1,) or (t, p + 1)
        Level at x0, then the slopes.
    params_cov : ndarray of shape (p + 1, p + 1) or (t, p + 1, p + 1)
        Their covariance.
    """

    x0: FloatArray
    params: FloatArray
    params_cov: FloatArray

    @property
    def params_std(self) -> FloatArray:
        """Standard deviations of the parameters."""
        return np.sqrt(np.diagonal(self.params_cov, axis1=-2, axis2=-1))


class WeightedLinearFit(InversePrediction, LinearLeastSquares):
    r"""Weighted least-squares straight line, or plane, with errors.

    Minimises :math:`\chi^2 = \sum_i (y_i - a - b \cdot x_i)^2 / \sigma_i^2`. Sums are centred, so
    that neither a large offset of x (time stamps) nor one of y costs digits.

    Parameters
    ----------
    fit_intercept : bool, default=True
        Whether the line has an intercept; False forces it through the origin.
    absolute_sigma : bool or "auto", default="auto"
        Whether the standard errors follow from sigma as given (True), or are scaled by the scatter,
        ``sqrt(reduced_chi2_)`` (False). "auto" is True if sigma or sample_weight is given to `fit`.

    Attributes
    ----------
    coef_ : ndarray of shape (p,) or (t, p)
        Slopes, in units of y per unit of each feature.
    intercept_ : float or ndarray of shape (t,)
        Value at x = 0; zero, and without error, if `fit_intercept` is False.
    coef_cov_ : ndarray of shape (p, p) or (t, p, p)
        Covariance of `coef_`.
    coef_std_, intercept_std_ : ndarray
        Standard deviations.
    params_, params_cov_, params_std_, param_names_ : ndarray, list of str
        All parameters, intercept first, with covariance, standard deviations and names.
    chi2_, dof_, reduced_chi2_ : float, int, float, or ndarray of shape (t,)
        Sum of squares of the residuals over σ, degrees of freedom, their ratio.
    p_value_ : float or ndarray of shape (t,)
        Probability of a larger χ²; NaN without sigma.
    r_ : float or ndarray of shape (t,)
        Weighted correlation of x and y; for several features the multiple correlation coefficient.
    absolute_sigma_ : bool
        Which convention the errors follow.
    rank_, singular_values_, condition_number_, unidentified_
        Rank of the design matrix, its singular values (rows divided by σ) and condition number
        (columns scaled), and the parameter combinations (q, m) that the data cannot tell apart.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    References
    ----------
    Bevington, P. R. & Robinson, D. K., *Data Reduction and Error Analysis for the Physical
    Sciences*, 3rd ed., ch. 6. Glover, D. M., Jenkins, W. J. & Doney, S. C., *Modeling Methods for
    Marine Science*, 3.2.

    Examples
    --------
    >>> import numpy as np
    >>> from sklsq import WeightedLinearFit
    >>> x = np.array([[1.0], [2.0], [3.0], [4.0]])
    >>> y = np.array([2.1, 3.9, 6.2, 7.8])
    >>> line = WeightedLinearFit().fit(x, y, sigma=[0.1, 0.1, 0.2, 0.2])
    >>> line.coef_.round(3), line.coef_std_.round(3)
    (array([1.933]), array([0.067]))
    >>> mean, std = line.predict([[5.0]], return_std=True)
    """

    def __init__(
        self, *, fit_intercept: bool = True, absolute_sigma: bool | Literal["auto"] = "auto"
    ) -> None:
        self.fit_intercept = fit_intercept
        self.absolute_sigma = absolute_sigma

    def _build_columns(self, X: FloatArray, y: FloatArray) -> Columns:
        if not self.fit_intercept:
            return CentredColumns(MatrixSource(self._feature_names()), None, np.zeros(X.shape[1]))
        with np.errstate(over="ignore", invalid="ignore"):
            centre = X[:: max(1, X.shape[0] // _GUIDE_ROWS)].mean(axis=0)
        return InterceptColumns(np.where(np.isfinite(centre), centre, 0.0))

    def _shortcut(
        self, X: FloatArray, y: FloatArray, noise: Noise
    ) -> tuple[Columns, Solution] | None:
        if not self.fit_intercept or X.shape[1] != 1 or noise.cholesky is not None:
            return None
        x, kept = X[:, 0], noise.kept
        if kept is not None:
            x, y, noise = x[kept], y[kept], noise.select(kept)
        line = fit_line(x, y, noise.values, noise.values_are)
        return None if line is None else (InterceptColumns(np.array([line[0]])), line[1])

    @property
    def r_(self) -> Any:
        """Weighted (for several features multiple) correlation of x and y; NaN for constant y."""
        if not self.__sklearn_is_fitted__():
            raise AttributeError(f"This {type(self).__name__} is not fitted yet.")
        values = [self._correlation(solution) for solution in self._solutions]
        r = np.concatenate(values)
        return float(r[0]) if self._single else r

    def _correlation(self, solution: Solution) -> FloatArray:
        """Return r (t,) from the share of the sum of squares that the line takes up."""
        first = 1 if self.fit_intercept else 0
        explained = solution.known_factor.R[first:, first:] @ solution.internal[first:]
        regression = np.einsum("ij,ij->j", explained, explained)
        with np.errstate(invalid="ignore"):
            r: FloatArray = np.sqrt(regression / (regression + solution.chi2))
        return r * np.sign(solution.internal[-1]) if solution.internal.shape[0] == first + 1 else r

    def params_at(self, x0: Any = None) -> ParametersAt:
        """Return the line written about `x0`: level there and slopes, with their covariance.

        About the weighted mean of x, level and slopes are uncorrelated (Glover, Jenkins & Doney,
        3.2.3).

        Parameters
        ----------
        x0 : float or array_like of shape (p,), optional
            The point; by default the weighted mean of x (of the first target, where targets
            differ).

        Returns
        -------
        parameters : ParametersAt
            `x0`, `params`, `params_cov`, `params_std`.

        Examples
        --------
        >>> import numpy as np
        >>> from sklsq import WeightedLinearFit
        >>> line = WeightedLinearFit().fit([[1.0], [2.0], [6.0]], [2.0, 3.0, 7.5], sigma=0.1)
        >>> about_mean = line.params_at()
        >>> about_mean.x0, bool(abs(about_mean.params_cov[0, 1]) < 1e-15)
        (array([3.]), True)
        """
        check_is_fitted(self)
        if not self.fit_intercept:
            raise ValueError(
                "`params_at` must have an intercept. Got fit_intercept=False; the level at x = 0 "
                "is 0."
            )
        if x0 is None:
            R, offsets = self._solutions[0].known_factor.R, cast(FloatArray, self._columns.offsets)
            point = offsets[1:] + R[0, 1:] / R[0, 0]
        else:
            if np.ndim(x0) > 1 or np.size(x0) not in (1, self.n_features_in_):
                raise ValueError(
                    f"`x0` must be one point: a number, or one for each of the "
                    f"{self.n_features_in_} features. Got shape {np.shape(x0)}."
                )
            point = np.broadcast_to(np.asarray(x0, dtype=np.float64), (self.n_features_in_,)).copy()
        row = self._columns.block(point[None, :])
        roots = [np.vstack([s.variance_root(row), s.params_root[1:]]) for s in self._solutions]
        scales = self._scales()
        cov = np.stack(
            [roots[k % len(roots)] @ roots[k % len(roots)].T * q for k, q in enumerate(scales)]
        )
        level = self._mean(point[None, :]).T
        params = np.hstack([level, np.atleast_2d(self.params_)[:, 1:]])
        return (
            ParametersAt(point, params[0], cov[0])
            if self._single
            else ParametersAt(point, params, cov)
        )
