"""General linear least squares: any functions of the features, by the design matrix."""

from __future__ import annotations

from copy import copy
from typing import Any, Literal

from sklearn.base import clone

from sklsq._typing import FloatArray
from sklsq.basis.columns import ColumnSource, MatrixSource, centred
from sklsq.basis.polynomial import Polynomial
from sklsq.basis.terms import compile_terms
from sklsq.basis.transformed import TransformerSource, as_frame, to_dense
from sklsq.estimators._linear import LinearLeastSquares
from sklsq.solvers.rows import Columns

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

    def _build_columns(self, X: FloatArray, y: FloatArray) -> Columns:
        if isinstance(self.basis, Polynomial):
            self.basis_ = self._fitted_polynomial(self.basis, X)
            self._terms = self.basis_.term_names(self._feature_names())
            columns: Columns = self.basis_.columns()
            return columns
        source = self._source(X, y)
        self._terms = list(source.names)
        return centred(source, X)

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
