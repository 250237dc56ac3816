r"""Fit, leave out the points that are too far off, and fit again, until nothing changes.

The rule of the laboratory (Glover, Jenkins & Doney, *Modeling Methods for Marine Science*, 3.1.1).
Among n good points it rejects :math:`2\Phi(-k)\,n` at k standard deviations: 0.27 % at 3, 4.6 % at
2. What a standard deviation is, and what clipping does to the errors of the parameters, is derived
in `_clipping`.
"""

from __future__ import annotations

import warnings
from enum import Enum
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import column_or_1d
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklsq._typing import BoolArray, FloatArray
from sklsq.estimators._clipping import Residuals, error_factor
from sklsq.estimators._extrapolation import unwatched
from sklsq.estimators._wrapper import (
    WrappingRegressor,
    before_last,
    fit_inner,
    has_errors,
    inner_has,
    predict_inner,
)
from sklsq.exceptions import warn_caller
from sklsq.inference.fitted_values import last_step
from sklsq.inference.part_of_rows import take
from sklsq.inference.summary import FitSummary
from sklsq.noise import check_correlation, check_index, check_noise, check_sigma_x

__all__ = ["SigmaClippedRegressor"]

_STEP = 1e-6  # of the range of a feature, for the slope of the fit
_LISTED_ROWS = 10


class Outcome(Enum):
    """How the clipping ended."""

    CONVERGED = "Converged: another fit would leave out the same points."
    CYCLE = (
        "Not converged: some points on the limit leave the fit by turns; of these fits that to the "
        "most points was taken. Change `n_sigma` a little, or look at these points."
    )
    TOO_FEW = (
        "Not converged: another fit would leave out so many points that no degree of freedom is "
        "left; they were kept. The model is not that of the data, or sigma far too small."
    )
    MAX_ITER = (
        "Not converged: points were still leaving or entering the fit after `max_iter` fits. "
        "Increase `max_iter`."
    )


class _Fit(NamedTuple):
    """One of the fits: the estimator, the rows it saw, and the warnings it gave."""

    estimator: Any
    used: BoolArray
    warnings: list[Any]


class SigmaClippedRegressor(WrappingRegressor):
    r"""Any regressor, fitted again and again without the points that are too far off.

    Weights and standard deviations stay with their points. A point that was left out may return.

    Parameters
    ----------
    estimator : estimator
        What is fitted: an estimator of sklsq, a pipeline that ends in one, or another regressor.
    n_sigma : float, default=3.0
        Limit, in standard deviations; positive. With errors given (`absolute_sigma_`) these are
        sigma; else the scatter of the points in the fit, and the limit is that of Student's t
        with the same probability: with few points an outlier has to be farther off.
    max_iter : int, default=100
        Largest number of fits.
    max_share : float, default=0.1
        Share of the points, in [0, 1], that may be rejected without a warning; one always may.

    Attributes
    ----------
    estimator_ : estimator
        The last fit. Its fitted attributes (`coef_`, `params_`, `chi2_`, …) can be read here, too.
    inlier_mask_ : ndarray of bool of shape (n,)
        Rows of the last fit; rows of zero weight are none.
    n_rejected_ : int
        Number of rows rejected, those of zero weight not counted.
    n_iter_, converged_, status_ : int, bool, str
        Number of fits, whether the last would be followed by the same one, and how it ended.
    error_factor_ : float
        By how much the published errors of parameters are too small if all errors are Gaussian:
        see the notes.

    Notes
    -----
    Residuals are divided by their own standard deviation: a point in the fit draws the curve
    towards itself, by its leverage h, so that its residual has :math:`\sigma^2(1 - h)`, and the
    scatter it is compared with is that of the others. Of estimators whose predictions have no
    errors, as those of scikit-learn, h is taken as zero. Good points are so rejected as often as
    stated at any n, 0.27 % at 3σ; the plain rule, residuals over σ, finds 0.06 % among eight points
    of a line and, with the scatter of all as σ, not even a single gross outlier.

    Clipping makes the scatter too small, since the tails are gone; inside, for the limit, that is
    corrected. The published errors are those of the last fit, as if the other points had never
    been; for Gaussian errors they are too small by `error_factor_`: 1.4 % at 3σ and 14 % at 2σ with
    sigma given, 2.7 % and 29 % with errors from the scatter.

    Around a `LinearizedRegressor` without sigma the scatter is that of the transformed y, in which
    the fit gave all points the same weight: of log y, say, a constant relative error of y. With
    sigma, residuals are those of y itself, to whose errors sigma belongs.

    Several outliers that lie close together hide each other, the more so the farther they are
    from the mean of x: look at the residuals, or try ``NonlinearLSQ(loss="cauchy")``.

    References
    ----------
    Glover, D. M., Jenkins, W. J. & Doney, S. C., *Modeling Methods for Marine Science*, 3.1.1.
    Cook, R. D. & Weisberg, S. (1982), *Residuals and Influence in Regression*, 2.2.

    Examples
    --------
    >>> import numpy as np
    >>> from sklsq import SigmaClippedRegressor, WeightedLinearFit
    >>> x = np.arange(8.0)[:, None]
    >>> y = np.array([1.1, 2.9, 5.0, 7.2, 29.0, 10.9, 13.1, 15.0])
    >>> fit = SigmaClippedRegressor(WeightedLinearFit()).fit(x, y, sigma=0.15)
    >>> fit.inlier_mask_
    array([ True,  True,  True,  True, False,  True,  True,  True])
    >>> fit.coef_.round(2), fit.coef_std_.round(2)
    (array([2.]), array([0.02]))
    """

    # The errors of x are those of `OrthogonalRegression` and `NonlinearLSQ`.
    __metadata_request__fit: ClassVar = {
        "sigma": True,
        "sigma_x": True,
        "corr_xy": True,
    }
    __metadata_request__score: ClassVar = __metadata_request__fit

    def __init__(
        self,
        estimator: Any,
        *,
        n_sigma: float = 3.0,
        max_iter: int = 100,
        max_share: float = 0.1,
    ) -> None:
        self.estimator = estimator
        self.n_sigma = n_sigma
        self.max_iter = max_iter
        self.max_share = max_share

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = False
        return tags

    # Fitting -------------------------------------------------------------------------------------

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, sigma: Any = None, **rows: Any
    ) -> Self:
        """Fit, reject, and fit again.

        Parameters
        ----------
        X : array_like of shape (n, p)
            Features.
        y : array_like of shape (n,)
            Measured values. Several columns are refused: a point of one curve may be an outlier
            where those of the others are not.
        sample_weight : float or array_like of shape (n,), optional
            1/σ²; zero removes a row.
        sigma : float or array_like of shape (n,), optional
            Standard deviations of y; an estimator that does not know sigma is passed 1/σ² as
            `sample_weight`.
        **rows
            Further errors that the estimator's `fit` takes: `sigma_x`, `corr_xy`. They enter the
            standard deviation of y about the curve.

        Returns
        -------
        self : SigmaClippedRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            If an option or the data are not as described, or `sigma` is a covariance matrix.
        TypeError
            If `estimator` is none, or does not take one of `rows`.

        Warns
        -----
        UserWarning
            If more than `max_share` of the points were rejected.
        ConvergenceWarning
            If points leave and enter the fit by turns, or too few would be left.
        RankWarning, DegreesOfFreedomWarning, ConvergenceWarning, BoundWarning
            Those of the last fit.
        """
        self._forget()
        self._check_options()
        self._check_wrapped(X, y)
        shape = np.asarray(y).shape
        if len(shape) == 2 and shape[1] > 1:
            raise ValueError(
                f"`y` must be one-dimensional. Got {shape[1]} columns; fit each on its own, "
                "as a point of one curve may be an outlier where those of the others are not."
            )
        for name, errors_of_y in (("sigma", sigma), ("sample_weight", sample_weight)):
            check_index(name, errors_of_y, X, y)
        X = X if hasattr(X, "columns") else np.asarray(X)
        y = y if hasattr(y, "iloc") else np.asarray(y)
        y = y if np.ndim(y) < 2 else column_or_1d(y, warn=True)
        errors = {"sample_weight": sample_weight, "sigma": sigma, **rows}
        n_samples = np.shape(y)[0] if np.ndim(y) else 0
        noise = check_noise(sigma, sample_weight, n_samples, None, allow_covariance=False)
        given = np.ones(n_samples, dtype=bool) if noise.kept is None else noise.kept
        with np.errstate(divide="ignore"):
            known = np.broadcast_to(np.asarray(noise.sigma()), (n_samples,))

        fits, outcome = self._clip(X, y, errors, given, known, noise.given)
        chosen = max(fits, key=lambda fit: fit.used.sum()) if outcome is Outcome.CYCLE else fits[-1]
        self.estimator_ = chosen.estimator
        self.inlier_mask_ = chosen.used
        self.n_rejected_ = int(given.sum() - chosen.used.sum())
        self.error_factor_ = error_factor(self.n_sigma, self._absolute(chosen.estimator, noise))
        self._sigma_given = noise.given
        self._publish_outcome(outcome)
        for warning in chosen.warnings:
            warn_caller(warning.message, warning.category)
        for category, text in self._messages:
            warn_caller(text, category)
        return self

    def _check_options(self) -> None:
        if not (isinstance(self.n_sigma, Real) and 0.0 < float(self.n_sigma) < np.inf):
            raise ValueError(f"`n_sigma` must be a positive number. Got {self.n_sigma!r}.")
        if not (isinstance(self.max_iter, Integral) and self.max_iter >= 1):
            raise ValueError(f"`max_iter` must be a positive integer. Got {self.max_iter!r}.")
        if not (isinstance(self.max_share, Real) and 0.0 <= float(self.max_share) <= 1.0):
            raise ValueError(f"`max_share` must lie in [0, 1]. Got {self.max_share!r}.")

    def _clip(
        self,
        X: Any,
        y: Any,
        errors: dict[str, Any],
        given: BoolArray,
        sigma: FloatArray,
        noise_given: bool,
    ) -> tuple[list[_Fit], Outcome]:
        """Return the fits, of a cycle only its own, and how it ended."""
        fits = [self._fit_rows(X, y, errors, given, given)]
        self.n_iter_ = 1
        single, first = False, 0
        while True:
            estimator, used, _ = fits[-1]
            last = last_step(estimator)
            n_params = _n_params(last, int(used.sum()))
            of_scale, seen_by_it, values = estimator, X, np.asarray(y, dtype=np.float64)
            if not noise_given and hasattr(last, "transform_target"):
                of_scale, seen_by_it = last.estimator_, before_last(estimator, X)
                values = last.transform_target(values)
            fitted, std = _predict(of_scale, seen_by_it)
            about_curve = _sigma_about_curve(of_scale, seen_by_it, sigma, errors)
            dof = int(used.sum()) - n_params
            absolute = bool(getattr(last, "absolute_sigma_", noise_given))
            residuals = Residuals(values, fitted, about_curve, std, used, dof, absolute)
            kept = residuals.kept(self.n_sigma, given, one_at_a_time=single)
            if np.array_equal(kept, used):
                return fits, Outcome.CONVERGED
            if kept.sum() <= n_params:
                return fits, Outcome.TOO_FEW
            seen = [k for k, fit in enumerate(fits) if np.array_equal(fit.used, kept)]
            if seen and seen[-1] >= first:
                if single:
                    return fits[seen[-1] :], Outcome.CYCLE
                single, first = True, len(fits) - 1
                continue
            if self.n_iter_ == self.max_iter:
                return fits, Outcome.MAX_ITER
            fits.append(self._fit_rows(X, y, errors, given, kept))
            self.n_iter_ += 1

    def _fit_rows(
        self, X: Any, y: Any, errors: dict[str, Any], given: BoolArray, used: BoolArray
    ) -> _Fit:
        if used is not given:  # the first fit sees, and checks, everything
            n_samples = len(used)
            errors = {name: take(value, used, n_samples) for name, value in errors.items()}
            X, y = take(X, used, n_samples), take(y, used, n_samples)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            estimator = fit_inner(self.estimator, X, y, errors)
        return _Fit(estimator, used, caught)

    @staticmethod
    def _absolute(estimator: Any, noise: Any) -> bool:
        return bool(getattr(last_step(estimator), "absolute_sigma_", noise.given))

    def _publish_outcome(self, outcome: Outcome) -> None:
        """Set how it ended, and keep what there is to warn of."""
        self._messages: Any = []
        last = last_step(self.estimator_)
        inner = bool(np.all(getattr(last, "converged_", True)))
        self.converged_ = inner and outcome is Outcome.CONVERGED
        self.status_ = str(outcome.value if inner else getattr(last, "status_", outcome.value))
        if outcome is not Outcome.CONVERGED:
            self._messages.append((ConvergenceWarning, str(outcome.value)))
        n_given = int(self.inlier_mask_.sum()) + self.n_rejected_
        if self.n_rejected_ > max(1.0, self.max_share * n_given):
            self._messages.append(
                (
                    UserWarning,
                    f"{self.n_rejected_} of {n_given} points were rejected, more than the share of "
                    f"{self.max_share:g} (`max_share`). So many are seldom blunders: the errors "
                    "may have long tails, sigma may be too small, or the model not be that of the "
                    "data. Look at the residuals of all points.",
                )
            )

    # Using ---------------------------------------------------------------------------------------

    def predict(
        self, X: Any, return_std: bool = False, return_cov: bool = False, **rows: Any
    ) -> Any:
        """Return the fitted values at `X`, on request with their errors: those of the last fit.

        Parameters
        ----------
        X : array_like of shape (n, p)
            Features.
        return_std, return_cov : bool, default=False
            Also return the standard deviation, or covariance, of the fitted values.
        **rows
            What else the estimator's `predict` takes.

        Raises
        ------
        ValueError
            If errors are asked for and the estimator's predictions have none.
        """
        check_is_fitted(self)
        options = {"return_std": return_std, "return_cov": return_cov, **rows}
        return predict_inner(self.estimator_, X, **options)

    @available_if(inner_has("predict_interval"))  # type: ignore[untyped-decorator]
    def predict_interval(
        self,
        X: Any,
        *,
        level: float = 0.6827,
        kind: Literal["confidence", "prediction"] = "confidence",
        sigma: Any = None,
    ) -> FloatArray:
        """Return intervals (n, 2) for the curve, or for new measurements that are no outliers.

        Parameters
        ----------
        X, level, kind, sigma
            As in `WeightedLinearFit.predict_interval`.
        """
        check_is_fitted(self)
        X, last = before_last(self.estimator_, X), last_step(self.estimator_)
        interval: FloatArray = last.predict_interval(X, level=level, kind=kind, sigma=sigma)
        return interval

    def score(
        self, X: Any, y: Any, sample_weight: Any = None, *, sigma: Any = None, **rows: Any
    ) -> float:
        """Return R², weighted by 1/σ²: of all points, outliers too.

        Parameters
        ----------
        X, y, sample_weight, sigma
            As in `WeightedLinearFit.score`.
        **rows
            `sigma_x`, `corr_xy`, for an estimator whose `score` takes them.
        """
        check_is_fitted(self)
        with unwatched():
            if not any(value is not None for value in rows.values()):
                return super().score(X, y, sample_weight, sigma=sigma)
            X, last = before_last(self.estimator_, X), last_step(self.estimator_)
            return float(last.score(X, y, sample_weight, sigma=sigma, **rows))

    @available_if(inner_has("summary"))  # type: ignore[untyped-decorator]
    def summary(self) -> FitSummary:
        """Return the report of the last fit, with what was rejected."""
        check_is_fitted(self)
        notes = [text for _, text in self._messages]
        if self.n_rejected_:
            rejected = np.flatnonzero(~self.inlier_mask_)
            rows = ", ".join(map(str, rejected[:_LISTED_ROWS]))
            more = rejected.size - _LISTED_ROWS
            notes.insert(
                0,
                f"{self.n_rejected_} of {self.inlier_mask_.size} points rejected beyond "
                f"{self.n_sigma:g} standard deviations (rows {rows}"
                + (f" and {more} more" if more > 0 else "")
                + f"); for Gaussian errors multiply the errors by {self.error_factor_:.3f}",
            )
        return self._inner_summary(notes)


def _n_params(last: Any, n_used: int) -> int:
    """Return the number of parameters that the data had to determine."""
    if hasattr(last, "dof_"):
        return n_used - int(last.dof_)
    intercept = bool(getattr(last, "fit_intercept", True))
    return int(np.size(getattr(last, "coef_", np.empty(last.n_features_in_)))) + intercept


def _predict(estimator: Any, X: Any) -> tuple[FloatArray, FloatArray]:
    """Return fitted values (n,) and their standard deviations, zero where there are none."""
    with unwatched(), np.errstate(over="ignore", invalid="ignore"):  # a fit may have no answer
        if has_errors(estimator):
            fitted, std = predict_inner(estimator, X, return_std=True)
            return fitted, std
        fitted = np.asarray(estimator.predict(X), dtype=np.float64)
        return fitted, np.zeros_like(fitted)


def _sigma_about_curve(
    estimator: Any, X: Any, sigma: FloatArray, errors: dict[str, Any]
) -> FloatArray:
    """Return the standard deviations (n,) of y about the curve, errors of x included."""
    scatter = float(getattr(last_step(estimator), "intrinsic_scatter_", 0.0))
    if errors.get("sigma_x") is None:
        return np.hypot(sigma, scatter) if scatter else sigma
    points = np.asarray(X, dtype=np.float64)
    sigma_x = check_sigma_x(errors["sigma_x"], *points.shape)
    along = _slopes(estimator, X, points) * sigma_x
    variance = sigma**2 + scatter**2 + np.square(along).sum(axis=1)
    if errors.get("corr_xy") is not None:
        corr = check_correlation(errors["corr_xy"], *points.shape)
        variance -= 2.0 * corr * along[:, 0] * sigma
    about_curve: FloatArray = np.sqrt(variance)
    return about_curve


def _slopes(estimator: Any, X: Any, points: FloatArray) -> FloatArray:
    """Return the derivatives (n, p) of the fitted values by the features."""
    slopes = np.zeros_like(points)
    step = _STEP * np.ptp(points, axis=0)
    for j in np.flatnonzero(step):
        ends = []
        for sign in (1.0, -1.0):
            moved = points.copy()
            moved[:, j] += sign * step[j]
            if hasattr(X, "columns"):
                moved = type(X)(moved, columns=list(X.columns))
            ends.append(_predict(estimator, moved)[0])
        slopes[:, j] = (ends[0] - ends[1]) / (2.0 * step[j])
    return slopes
