"""General linear least squares: any functions of the features, by the design matrix."""

from __future__ import annotations

from copy import copy
from typing import Any, Literal

from sklearn.base import clone

from sklsq._typing import FloatArray
from sklsq.basis.columns import ColumnSource, MatrixSource, centred
from sklsq.basis.polynomial import Polynomial
from sklsq.basis.terms import TermSource, compile_terms
from sklsq.basis.transformed import TransformerSource, as_frame, to_dense
from sklsq.estimators._base import FitData
from sklsq.estimators._extrapolation import (
    FittedRange,
    fitted_range,
    polynomial_degrees,
)
from sklsq.estimators._linear import LinearLeastSquares
from sklsq.solvers.rows import Columns
from sklsq.solvers.solution import Solution

__all__ = ["DesignMatrixRegressor"]


class DesignMatrixRegressor(LinearLeastSquares):
    r"""Weighted linear least squares in any basis, with errors.

    Minimises :math:`\chi^2 = \sum_i (y_i - \sum_j a_j f_j(x_i))^2 / \sigma_i^2` over the
    coefficients a: the rows of the design matrix :math:`f_j(x_i)` and of y are divided by σ.

    Parameters
    ----------
    basis : None, list, or transformer, default=None
        The functions :math:`f_j`. None: the columns of X as they are, no constant added. A list:
        terms in that order, each a formula of the features such as ``"log(x)"``, ``"x0*x1"`` or the
        constant ``"1"``, or a callable of the features. `sklsq.basis.Polynomial`, or any
        scikit-learn transformer. In formulas the features are the column names of a DataFrame;
        without, ``x`` for a single feature, ``x0``, ``x1``… for several.
    rcond : float, optional
        Singular values of the design matrix, its columns scaled to unit norm, below `rcond` times
        the largest count as zero. Default: ``eps * (10 + sqrt(n m))``, the level of rounding.
    absolute_sigma : bool or "auto", default="auto"
        Whether the standard errors follow from sigma as given (True), or are scaled by the scatter,
        ``sqrt(reduced_chi2_)`` (False). "auto" is True if sigma or sample_weight is given to `fit`.

    Attributes
    ----------
    coef_ : ndarray of shape (m,) or (t, m)
        Coefficients of the terms, in their order.
    coef_cov_, coef_std_ : ndarray
        Their covariance and standard deviations.
    params_, params_cov_, params_std_, param_names_ : ndarray, list of str
        The same, with the names of the terms.
    chi2_, dof_, reduced_chi2_, p_value_ : float, int, float, float, or ndarray of shape (t,)
        Sum of squares of the residuals over σ, degrees of freedom, their ratio, and the probability
        of a larger χ² (NaN without sigma).
    absolute_sigma_ : bool
        Which convention the errors follow.
    rank_, singular_values_, condition_number_, unidentified_
        Rank of the design matrix, its singular values (rows divided by σ) and condition number
        (columns scaled), and the parameter combinations (q, m) that the data cannot tell apart.
    basis_ : object
        The fitted basis, where `basis` is a transformer.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Notes
    -----
    Coefficients and errors are refined in double-double arithmetic where the problem is
    ill-conditioned and small enough for that to take milliseconds; polynomials are computed in an
    orthogonal basis at any size.

    Polynomials explode outside the data they were fitted to. `predict` and `predict_interval` warn
    of it (`ExtrapolationWarning`, once for each fit) where a feature in which the fit is a
    polynomial of degree d > 1 (by `Polynomial`, formulas such as ``"x**2"``, or scikit-learn's
    `PolynomialFeatures`) lies beyond its fitted range by more than ``0.2 / d`` of that range: 10 %
    for a parabola. Where that is meant: ``warnings.simplefilter("ignore", ExtrapolationWarning)``.
    `score` keeps silent, as measured values are there to contradict.

    References
    ----------
    Glover, D. M., Jenkins, W. J. & Doney, S. C., *Modeling Methods for Marine Science*, 3.3.
    Press, W. H. et al., *Numerical Recipes*, 3rd ed., 15.4.

    Examples
    --------
    >>> import numpy as np
    >>> from sklsq import DesignMatrixRegressor
    >>> x = np.linspace(1.0, 5.0, 9)[:, None]
    >>> y = 2.0 + 3.0 * np.log(x[:, 0])
    >>> fit = DesignMatrixRegressor(["1", "log(x)"]).fit(x, y, sigma=0.1)
    >>> fit.coef_.round(10)
    array([2., 3.])
    >>> fit.param_names_
    ['1', 'log(x)']
    """

    def __init__(
        self,
        basis: Any = None,
        *,
        rcond: float | None = None,
        absolute_sigma: bool | Literal["auto"] = "auto",
    ) -> None:
        self.basis = basis
        self.rcond = rcond
        self.absolute_sigma = absolute_sigma

    def _rcond(self) -> float | None:
        if self.rcond is not None and not 0.0 <= self.rcond < 1.0:
            raise ValueError(f"`rcond` must be None or lie in [0, 1). Got {self.rcond!r}.")
        return self.rcond

    _terms: list[str]
    _range: FittedRange | None = None

    def _build_columns(self, X: FloatArray, y: FloatArray) -> Columns:
        if isinstance(self.basis, Polynomial):
            self.basis_ = self._fitted_polynomial(self.basis, X)
            self._terms = self.basis_.term_names(self._feature_names())
            degrees = self.basis_.exponents_.max(axis=0)
            self._range = fitted_range(self._feature_names(), degrees, *self.basis_.domain_.T)
            columns: Columns = self.basis_.columns()
            return columns
        source = self._source(X, y)
        self._terms = list(source.names)
        self._range = self._source_range(source, X)
        return centred(source, X)

    def _source_range(self, source: ColumnSource, X: FloatArray) -> FittedRange | None:
        """Return the range of the features in which the columns are polynomials."""
        if isinstance(source, TermSource):
            degrees = polynomial_degrees(source.terms, source.features)
        elif isinstance(source, TransformerSource) and hasattr(self.basis_, "powers_"):
            degrees = self.basis_.powers_.max(axis=0)  # PolynomialFeatures
        else:
            return None
        if degrees.max(initial=0) < 2:
            return None
        return fitted_range(self._feature_names(), degrees, X.min(axis=0), X.max(axis=0))

    def _solve(
        self, data: FitData, columns: Columns | None = None
    ) -> tuple[Columns, list[Solution]]:
        solved = super()._solve(data, columns)
        if columns is not None and self._range is not None:  # a further batch
            kept = data.noise.kept
            used = slice(None) if kept is None else kept if kept.ndim == 1 else kept.any(axis=1)
            self._range.include(data.X[used])
        return solved

    def _check_X(self, X: Any) -> FloatArray:
        features = super()._check_X(X)
        if self._range is not None:
            self._range.check(features)
        return features

    def _fitted_polynomial(self, basis: Polynomial, X: FloatArray) -> Polynomial:
        fitted = copy(basis)  # `clone` and another validation would take as long as a small fit
        if hasattr(self, "feature_names_in_"):
            fitted.feature_names_in_ = self.feature_names_in_
        elif hasattr(fitted, "feature_names_in_"):
            del fitted.feature_names_in_
        return fitted.learn(X)

    def _explain(self, X: FloatArray) -> None:
        if isinstance(self.basis, (list, tuple)):
            compile_terms(self.basis, self._feature_names()).explain(X)

    def _source(self, X: FloatArray, y: FloatArray) -> ColumnSource:
        names = self._feature_names()
        if self.basis is None:
            return MatrixSource(tuple(names))
        if isinstance(self.basis, (list, tuple)):
            return compile_terms(self.basis, names)
        if hasattr(self.basis, "fit") and hasattr(self.basis, "transform"):
            return self._transformer_source(X, y)
        raise TypeError(
            "`basis` must be None, a list of terms, `sklsq.basis.Polynomial`, or a transformer. "
            f"Got {type(self.basis).__name__}."
        )

    def _transformer_source(self, X: FloatArray, y: FloatArray) -> TransformerSource:
        features = tuple(self._feature_names()) if hasattr(self, "feature_names_in_") else None
        frame = as_frame(X, features)
        self.basis_ = clone(self.basis).fit(frame, y)
        n_columns = to_dense(self.basis_.transform(frame[:1])).shape[1]
        if hasattr(self.basis_, "get_feature_names_out"):
            names = tuple(str(name) for name in self.basis_.get_feature_names_out())
        else:
            names = tuple(f"term{j}" for j in range(n_columns))
        return TransformerSource(self.basis_, names, features)

    def _parameter_names(self) -> list[str]:
        return self._terms
