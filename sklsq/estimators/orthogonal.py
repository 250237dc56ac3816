"""Lines and planes through points with errors in all coordinates: the type-II family."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import fsum
from typing import Any, ClassVar, Literal, Self

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from sklsq._typing import FloatArray
from sklsq.basis.columns import CentredColumns, InterceptColumns, MatrixSource
from sklsq.estimators._noisy_features import NoisyFeatures
from sklsq.estimators._type_two import BY_SCATTER, Errors, Fit, Method, covariance_root
from sklsq.estimators._york_line import CentredLine, plain_points
from sklsq.exceptions import warn_caller
from sklsq.inference.summary import FitSummary, format_value
from sklsq.noise import Noise
from sklsq.solvers.errors_in_variables import EIVSolution, Outcome
from sklsq.solvers.extended import two_product
from sklsq.solvers.rows import Columns
from sklsq.solvers.singular import echelon
from sklsq.solvers.solution import Solution
from sklsq.solvers.york import adjusted_points, covariances_about, ordinary_line
from sklsq.solvers.york_descent import Descent, Moments, Task
from sklsq.solvers.york_plane import adjusted_plane_points

__all__ = ["OrthogonalRegression"]

_CONSTANT = 10.0 * float(np.finfo(np.float64).eps)


class OrthogonalRegression(NoisyFeatures):
    r"""Straight line, or plane, through points with errors in all coordinates.

    Ordinary least squares takes x as exact; with errors in x its slope comes out too small. Which
    line to draw instead depends on what is known of the errors:

    ======================== =======================================================================
    method                   for
    ======================== =======================================================================
    ``"york"``               σ of x and of y known per point, on request with their correlation: the
                             "least-squares cubic" (York 1966, 2004); several features likewise
    ``"deming"``             the ratio of the two variances known, ``error_ratio`` = σy²/σx²
    ``"major_axis"``         equal variances: least perpendicular distances (Pearson 1901)
    ``"total"``              the same for several features: total least squares, with `error_ratio`
    ``"reduced_major_axis"`` nothing known, units of no matter: the geometric mean of the
                             regressions of y on x and x on y
    ``"bisector"``           halves the angle between these two
    ``"auto"``               york if `sigma_x` is given, else total
    ======================== =======================================================================

    Parameters
    ----------
    method : str, default="auto"
        One of the above.
    fit_intercept : bool, default=True
        False forces the line through the origin.
    error_ratio : float, default=1.0
        σy²/σx², for "deming" and "total".
    intrinsic_scatter : bool, default=False
        Fit, by maximum likelihood, a scatter of y around the line beyond the stated errors (york).
    absolute_sigma : bool or "auto", default="auto"
        Whether the standard errors follow from the errors as given (True), or are scaled by the
        scatter, ``sqrt(reduced_chi2_)`` (False). "auto" is True if sigma is given. The errors of
        the reduced major axis and the bisector always come from the scatter.
    max_iter : int, default=100
        Largest number of passes over the points (york).
    tol : float, default=1e-13
        Relative change of the slope at which the iteration ends (york).

    Attributes
    ----------
    coef_, coef_cov_, coef_std_, intercept_, intercept_std_ : ndarray or float
        Slopes and intercept with covariance and standard deviations.
    params_, params_cov_, params_std_, param_names_ : ndarray, list of str
        All parameters, intercept first.
    chi2_, dof_, reduced_chi2_, p_value_ : float, int, float, float
        Weighted sum of squares at the minimum, degrees of freedom, their ratio, and the probability
        of a larger χ² (NaN without sigma).
    intrinsic_scatter_, intrinsic_scatter_std_ : float
        Standard deviation of the scatter beyond the errors, and its own error, if asked for.
    n_iter_, converged_, status_ : int, bool, str
        Passes over the points, whether there is an answer, and in a sentence how the fit ended.
    rank_, unidentified_
        Number of determined parameters, and the combinations (q, m) that are not.

    Notes
    -----
    Errors of York's line differ between papers by a few percent. The default, ``"adjusted"``, is
    that of York et al. (2004), evaluated at the adjusted points; `params_covariance` gives the
    others. Those of "deming" and "total" are maximum likelihood for structural and functional
    models alike (Fuller 1987).

    References
    ----------
    York, D. et al. (2004), Am. J. Phys. 72, 367.
    Fuller, W. A. (1987), *Measurement Error Models*.
    Glover, D. M., Jenkins, W. J. & Doney, S. C., *Modeling Methods for Marine Science*, 3.2.4.

    Examples
    --------
    >>> from sklsq import OrthogonalRegression
    >>> from sklsq.datasets import load_pearson_york
    >>> data = load_pearson_york()
    >>> line = OrthogonalRegression().fit(
    ...     data.X, data.y_values, sigma=data.sigma_values, sigma_x=data.sigma_x_values
    ... )
    >>> round(line.intercept_, 9), round(float(line.coef_[0]), 9)
    (5.479910224, -0.480533407)
    """

    __metadata_request__fit: ClassVar = {"sigma": True, "sigma_x": True, "corr_xy": True}

    _fitted_state: ClassVar = (
        "_sigma_given",
        "_solutions",
        "_columns",
        "intrinsic_scatter_",
        "intrinsic_scatter_std_",
    )

    _covariances: list[Mapping[str, FloatArray]]
    _line_sums: Moments | None

    def __init__(
        self,
        method: str = "auto",
        *,
        fit_intercept: bool = True,
        error_ratio: float = 1.0,
        intrinsic_scatter: bool = False,
        absolute_sigma: bool | Literal["auto"] = "auto",
        max_iter: int = 100,
        tol: float = 1e-13,
    ) -> None:
        self.method = method
        self.fit_intercept = fit_intercept
        self.error_ratio = error_ratio
        self.intrinsic_scatter = intrinsic_scatter
        self.absolute_sigma = absolute_sigma
        self.max_iter = max_iter
        self.tol = tol

    # Fitting -------------------------------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        sigma: Any = None,
        sigma_x: Any = None,
        corr_xy: Any = None,
    ) -> Self:
        """Fit the line or plane.

        Parameters
        ----------
        X : array_like of shape (n, p)
            Features.
        y : array_like of shape (n,) or (n, t)
            Measured values.
        sample_weight : float or array_like of shape (n,) or (n, t), optional
            1/σ² of y; zero removes a row.
        sigma : float or array_like of shape (n,) or (n, t), optional
            Standard deviations of y.
        sigma_x : float or array_like of shape (1, p), (n,) if p = 1, or (n, p), optional
            Standard deviations of the features; zero means that x is exact.
        corr_xy : float or array_like of shape (n,), optional
            Correlation of the errors of x and y of a point, in (-1, 1); for one feature.

        Returns
        -------
        self : OrthogonalRegression
            The fitted estimator.

        Raises
        ------
        ValueError
            If the data or errors are not as described, naming the row; if `method` needs errors
            that are missing, or cannot use some that are given.

        Warns
        -----
        ConvergenceWarning
            If there is no answer: a vertical line, or points that determine no line.
        RankWarning, DegreesOfFreedomWarning
            As in `WeightedLinearFit.fit`.
        """
        self._forget()
        if sample_weight is None and self._fit_plain(X, y, sigma, sigma_x, corr_xy):
            return self
        data = self._check_fit_data(X, y, sample_weight, sigma, reset=True, covariance=False)
        sigma_x, corr_xy = self._check_errors(X, y, data.X.shape, sigma_x, corr_xy)
        known = Errors(1.0 if data.noise.given else None, sigma_x, corr_xy)
        method = self._options().chosen(data.X.shape[1], known, self.absolute_sigma)
        self._method, self._noise_given = method.name, data.noise.given
        self._error_ratio = 1.0 if method.name == "major_axis" else method.error_ratio
        used = self._used_rows(data.noise)
        columns = self._centred_columns(data.X[used])
        differences = self._about_centre(data.X, used, columns)
        fits, solutions = [], []
        for k in range(data.Y.shape[1]):
            kept, errors = self._errors(data.noise.target(k), sigma_x, corr_xy)
            fit = method.fit(differences[kept], data.Y[kept, k], errors)
            fits.append(fit)
            solutions.append(self._solution(fit.plane, columns, differences[kept]))
        self._publish_solutions(columns, solutions, data.noise, data.single)
        self._publish_fits(fits)
        return self

    def _fit_plain(self, X: Any, y: Any, sigma: Any, sigma_x: Any, corr_xy: Any) -> bool:
        """Fit York's line to plain arrays by the shortest way; False if it is not for them."""
        if not (self.fit_intercept is True and self.intrinsic_scatter is False):
            return False
        if not (self.method in ("auto", "york") and self.absolute_sigma in ("auto", True, False)):
            return False
        tol, max_iter, ratio = self.tol, self.max_iter, self.error_ratio
        if not (type(tol) is type(ratio) is float and type(max_iter) is int):
            return False
        if not (0.0 <= tol < np.inf and 0.0 < ratio < np.inf and max_iter > 0):
            return False
        points = plain_points(X, y, sigma, sigma_x, corr_xy)
        found = None if points is None else ordinary_line(points, Task(True, tol, max_iter))
        line = None if found is None else CentredLine.of(found, len(y))
        if found is None or line is None:
            return False
        self._publish_line(line, found)
        return True

    def _options(self) -> Method:
        return Method(
            self.method,
            bool(self.fit_intercept),
            self.error_ratio,
            bool(self.intrinsic_scatter),
            self.max_iter,
            self.tol,
        )

    def _errors(
        self, noise: Noise, sigma_x: FloatArray | None, corr_xy: FloatArray | None
    ) -> tuple[Any, Errors]:
        """Return the rows to be used, and their errors."""
        kept: Any = noise.kept
        if kept is None:
            kept = slice(None)
        sigma = noise.select(kept).sigma() if noise.given else None
        return kept, Errors(
            sigma,
            None if sigma_x is None else sigma_x[kept],
            None if corr_xy is None else corr_xy[kept],
        )

    @staticmethod
    def _used_rows(noise: Noise) -> Any:
        """Return the rows that count for some target."""
        kept = noise.kept
        if kept is None:
            return slice(None)
        return kept if kept.ndim == 1 else kept.any(axis=1)

    def _centred_columns(self, X: FloatArray) -> Columns:
        if self.fit_intercept:
            return InterceptColumns(X.mean(axis=0))
        return CentredColumns(MatrixSource(self._feature_names()), None, np.zeros(X.shape[1]))

    def _about_centre(self, X: FloatArray, used: Any, columns: Columns) -> FloatArray:
        """Return the features less their centre; what is constant to rounding becomes zero."""
        if columns.offsets is None:
            return X
        centre = columns.offsets[1:]
        differences = X - centre
        rows = differences[used]
        with np.errstate(over="ignore"):
            spread = np.sqrt(np.einsum("ij,ij->j", rows, rows) / len(rows))
        differences[:, spread <= _CONSTANT * np.abs(centre)] = 0.0
        return differences

    # Publishing ----------------------------------------------------------------------------------

    def _takes_absolute(self, given: bool) -> bool:
        if self._method in BY_SCATTER:
            return False
        return self.intrinsic_scatter or super()._takes_absolute(given)

    def _solution(self, fit: EIVSolution, columns: Columns, X: FloatArray) -> Solution:
        """Return the solution in the form that all affine estimators publish."""
        root = self._root(fit)
        internal, chi2 = fit.params[:, None], np.array([fit.chi2])
        params, params_root, null_space = internal.copy(), root.copy(), fit.null_space.copy()
        offsets, design = columns.offsets, X
        if offsets is not None:
            if np.isfinite(fit.params).all():
                products, errors = two_product(fit.params[1:], offsets[1:])
                params[0, 0] = fsum([fit.params[0], *(-products), *(-errors)])
                params_root[0] -= offsets[1:] @ root[1:]
            if null_space.size:
                null_space[:, 0] -= null_space[:, 1:] @ offsets[1:]
                design = np.column_stack([np.ones(len(X)), X + offsets[1:]])
        if null_space.size:
            norms = np.sqrt(np.mean(np.square(design), axis=0))
            null_space = echelon(null_space, np.where(norms > 0.0, norms, 1.0))
        return Solution(
            internal,
            root,
            params,
            params_root,
            chi2,
            fit.n_samples,
            fit.rank,
            null_space=null_space,
            internal_null_space=fit.null_space,
            offsets=offsets,
        )

    def _root(self, fit: EIVSolution) -> FloatArray:
        """Return a root of the covariance before it is multiplied by the published scale."""
        given = self._takes_absolute(self._noise_given)
        name = "adjusted" if self._method == "york" else "absolute" if given else "normal"
        covariance = fit.determined[name]
        if fit.outcome is Outcome.EXACT and fit.dof <= 0:
            covariance = np.full_like(covariance, np.nan)
        if name == "normal" and fit.dof > 0 and fit.chi2 > 0.0:
            covariance = covariance / (fit.chi2 / fit.dof)
        return covariance_root(covariance)

    def _publish_fits(self, fits: list[Fit]) -> None:
        """Set the attributes that other affine estimators do not have, and warn of no answer."""
        first: Any = 0 if self._single else slice(None)
        planes = [self._in_range(k, fit.plane) for k, fit in enumerate(fits)]
        self._covariances, self._line_sums = [plane.determined for plane in planes], None
        self.n_iter_: Any = np.array([max(plane.n_iter, 1) for plane in planes])[first]
        self.converged_: Any = np.array([plane.converged for plane in planes])[first]
        self.status_: Any = np.array([plane.status for plane in planes], dtype=object)[first]
        if self.intrinsic_scatter:
            self.intrinsic_scatter_: Any = np.array([fit.scatter for fit in fits])[first]
            self.intrinsic_scatter_std_: Any = np.array([fit.scatter_std for fit in fits])[first]
        if self._method in BY_SCATTER or self.intrinsic_scatter:
            self.p_value_ = np.full_like(self.p_value_, np.nan)[()]
        for plane in planes:
            if not plane.converged:
                self._messages.append(plane.status)
                warn_caller(plane.status, ConvergenceWarning)

    def _publish_line(self, line: CentredLine, found: Descent) -> None:
        """Set all attributes from York's line for given errors; nothing is to be warned of."""
        self.n_features_in_ = 1
        if hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        self._method, self._noise_given, self._error_ratio = "york", True, self.error_ratio
        self._columns = InterceptColumns(np.array((line.centre,)))
        self._solutions = [line.solution()]
        self._covariances, self._line_sums = [], found.sums
        how: Any = {"given": True, "names": self._parameter_names(), "intercept": True}
        params = np.array((line.intercept, line.slope))
        self._publish(params, line.params_covariance(), line.chi2, line.n_samples - 2, **how)
        self.rank_, self.unidentified_, self._messages = 2, np.empty((0, 2)), []
        self.n_iter_, self.converged_ = found.n_iter, True
        self.status_ = found.outcome.value

    def _in_range(self, k: int, plane: EIVSolution) -> EIVSolution:
        """Return the plane, not converged if its sums or errors have left the range of doubles."""
        std = np.atleast_2d(self.params_std_)[k]
        known = np.isfinite(std) | (np.abs(self.unidentified_) > 0.0).any(axis=0)
        if plane.dof <= 0 or not plane.converged or (np.isfinite(plane.chi2) and known.all()):
            return plane
        return replace(plane, outcome=Outcome.NOT_FINITE)

    # Using ---------------------------------------------------------------------------------------

    def summary(self) -> FitSummary:
        """Return the report of the fit, the intrinsic scatter included; see `FitSummary`.

        Returns
        -------
        summary : FitSummary
        """
        report = super().summary()
        if not hasattr(self, "intrinsic_scatter_"):
            return report
        scatter, std = map(np.atleast_1d, (self.intrinsic_scatter_, self.intrinsic_scatter_std_))
        shown = [" ± ".join(format_value(*pair)) for pair in zip(scatter, std, strict=True)]
        text = f"intrinsic scatter of y about the line, beyond the errors: {', '.join(shown)}"
        return replace(report, notes=[text, *report.notes])

    def params_covariance(self, definition: str) -> FloatArray:
        """Return the covariance of `params_` under another definition than the published one.

        Parameters
        ----------
        definition : str
            For "york": "adjusted" (York 2004, published), "observed" (York 1966), "hessian" (from
            the curvature of χ²), "propagated" (from the sensitivity to the data), scaled like
            `params_cov_`. For "total": "normal", "robust" (Isobe et al. 1990), "absolute"; for the
            other methods also "jackknife"; these come as they are, not scaled.

        Returns
        -------
        covariance : ndarray of shape (m, m) or (t, m, m)
            Covariance, intercept first.
        """
        check_is_fitted(self)
        covariances = self._covariances
        if self._line_sums is not None:
            covariances = [covariances_about(self._line_sums, 0.0)]
        if definition not in covariances[0]:
            known = ", ".join(covariances[0])
            raise ValueError(f"`definition` must be one of {known}. Got {definition!r}.")
        change = self._columns.change
        matrix = np.eye(self._columns.n_columns) if change is None else change.hi
        covariance = np.stack([matrix @ c[definition] @ matrix.T for c in covariances])
        if self._method == "york":
            covariance = covariance * self._scales()[:, None, None]
        published = np.reshape(self.params_cov_, covariance.shape)
        covariance[~np.isfinite(published)] = published[~np.isfinite(published)]
        return covariance[0] if self._single else covariance

    def adjusted_points(
        self,
        X: Any,
        y: Any,
        *,
        sigma: Any = None,
        sigma_x: Any = None,
        corr_xy: Any = None,
    ) -> tuple[FloatArray, FloatArray]:
        """Return the estimates of the true points behind the measured ones, which lie on the line.

        Parameters
        ----------
        X, y, sigma, sigma_x, corr_xy
            Points and errors as in `fit`; for "deming", "major_axis" and "total" without errors.

        Returns
        -------
        adjusted_X : ndarray of shape (n, p)
        adjusted_y : ndarray of shape (n,)

        Raises
        ------
        ValueError
            If the method does not say what the errors are, if those of "york" are missing, or if y
            is not one-dimensional.
        """
        check_is_fitted(self)
        if self._method in BY_SCATTER or not self._single:
            raise ValueError(
                f"`adjusted_points` must have a method that knows the errors and a one-dimensional "
                f"y. Got {self._method!r}."
            )
        data = self._validated_fit_data(X, y, None, sigma, False, False)
        if not data.single:
            raise ValueError("`y` must be one-dimensional. Got two dimensions.")
        corr: Any = None
        if self._method == "york":
            errors_x, corr = self._check_errors(X, y, data.X.shape, sigma_x, corr_xy)
            if errors_x is None or not data.noise.given:
                raise ValueError('`sigma` and `sigma_x` must be given for "york". Got None.')
            errors_y: Any = data.noise.sigma()
        else:
            ratio = self._error_ratio
            errors_x, errors_y = np.ones_like(data.X), float(np.sqrt(ratio))
        offsets = self._columns.offsets
        centre = np.zeros(data.X.shape[1]) if offsets is None else offsets[1:]
        X, y, params = data.X - centre, data.Y[:, 0], self._solutions[0].internal[:, 0]
        if X.shape[1] > 1:
            adjusted_X, adjusted_y = adjusted_plane_points(params, X, y, errors_x, errors_y)
            return adjusted_X + centre, adjusted_y
        errors_x = errors_x[:, 0]
        x, adjusted_y = adjusted_points(params, X[:, 0], y, errors_x, errors_y, corr_xy=corr)
        return x[:, None] + centre, adjusted_y
