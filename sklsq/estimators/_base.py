"""What all estimators share: checking data, publishing a fit, predicting, scoring."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal, NamedTuple, cast

import numpy as np
from scipy.special import chdtrc, ndtri, stdtrit
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from sklsq._typing import FloatArray, IntArray
from sklsq.estimators._agreement import AgreementWithData
from sklsq.estimators._derived import DerivedQuantities
from sklsq.exceptions import DegreesOfFreedomWarning, warn_caller
from sklsq.inference.summary import FitSummary
from sklsq.noise import Noise, check_index, check_noise

__all__ = ["FitData", "LeastSquaresRegressor"]


class FitData(NamedTuple):
    """Validated data of a fit."""

    X: FloatArray  # (n, p)
    Y: FloatArray  # (n, t)
    noise: Noise
    single: bool  # whether y was one-dimensional


_SUMMED = 8_192  # numbers


def is_plain(array: Any, ndim: int) -> bool:
    """Tell whether `array` is a float64 ndarray that needs no conversion."""
    return type(array) is np.ndarray and array.dtype == np.float64 and array.ndim == ndim


def _plain_noise(sigma: Any, sample_weight: Any, n: int) -> Noise | None:
    """Return the errors of n points if they are plain, too; whether positive, is to be seen."""
    if sample_weight is not None:
        if sigma is None and is_plain(sample_weight, 1) and sample_weight.shape[0] == n:
            return Noise(True, sample_weight, "weight")
    elif sigma is None:
        return Noise(given=False)
    elif is_plain(sigma, 1) and sigma.shape[0] == n:
        return Noise(True, sigma)
    elif type(sigma) is float:
        return check_noise(sigma, None, n, None)
    return None


def _is_finite(data: FitData) -> bool:
    values = data.noise.values
    if not (isinstance(values, float) or (values.min() > 0.0 and _all_finite(values))):
        return False
    return _all_finite(data.X) and _all_finite(data.Y)


def _all_finite(values: FloatArray) -> bool:
    """Tell whether all values are finite; their sum of squares settles it, but for overflow."""
    if values.size > _SUMMED and values.flags.c_contiguous:
        flat = values.ravel()
        with np.errstate(over="ignore"):  # in parts for which BLAS does not start threads
            parts = (flat[i : i + _SUMMED] for i in range(0, len(flat), _SUMMED))
            if math.isfinite(sum(part.dot(part) for part in parts)):
                return True
    return bool(np.isfinite(values).all())


def _scaled(variance: FloatArray, scale: FloatArray | float) -> FloatArray:
    """Return `variance` times `scale`; what is infinite stays so, even if there is no scatter."""
    with np.errstate(invalid="ignore"):
        scaled = variance * scale
    return np.where(np.isinf(variance), variance, scaled)


class LeastSquaresRegressor(DerivedQuantities, AgreementWithData, RegressorMixin, BaseEstimator):
    """Base of all estimators: y = f(X; parameters), with errors.

    Subclasses implement `fit`, `_mean` and `_variance_roots`.
    """

    # Standard deviations travel through pipelines and cross-validation without being asked for.
    __metadata_request__fit: ClassVar = {"sigma": True}
    __metadata_request__score: ClassVar = {"sigma": True}
    __metadata_request__predict: ClassVar = {"return_std": True, "return_cov": True}

    _fitted_state: ClassVar[tuple[str, ...]] = ("_sigma_given",)

    absolute_sigma: bool | Literal["auto"]
    n_features_in_: int
    feature_names_in_: Any
    chi2_: Any
    dof_: Any
    reduced_chi2_: Any
    p_value_: Any

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_sigma_given")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    # Checking ------------------------------------------------------------------------------------

    def _forget(self) -> None:
        """Drop what an earlier fit left, so that a failed one does not look fitted."""
        for name in self._fitted_state:
            self.__dict__.pop(name, None)

    def _check_fit_data(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        sigma: Any,
        *,
        reset: bool,
        covariance: bool,
        deferred: bool = False,
    ) -> FitData:
        """Return validated data; plain float64 arrays take a short cut with the same outcome.

        With `deferred` the fit finds out by itself what is not finite, and comes back here.
        """
        fast = self._plain_fit_data(X, y, sample_weight, sigma, reset, deferred)
        if fast is not None and (deferred or _is_finite(fast)):
            return fast
        return self._validated_fit_data(X, y, sample_weight, sigma, reset, covariance)

    def _plain_fit_data(
        self, X: Any, y: Any, sample_weight: Any, sigma: Any, reset: bool, deferred: bool
    ) -> FitData | None:
        if not (is_plain(X, 2) and is_plain(y, 1)):
            return None
        if self.absolute_sigma not in ("auto", True, False):
            return None
        n, p = X.shape
        if not (n and p and y.shape[0] == n) or (not reset and p != self.n_features_in_):
            return None
        noise = _plain_noise(sigma, None if deferred else sample_weight, n)
        if noise is None or (deferred and sample_weight is not None):
            return None
        self.n_features_in_ = p
        if hasattr(self, "feature_names_in_"):
            if not reset:
                return None
            del self.feature_names_in_
        return FitData(X, y[:, None], noise, True)

    def _validated_fit_data(
        self, X: Any, y: Any, sample_weight: Any, sigma: Any, reset: bool, covariance: bool
    ) -> FitData:
        if self.absolute_sigma not in ("auto", True, False):
            raise ValueError(
                f'`absolute_sigma` must be "auto", True or False. Got {self.absolute_sigma!r}.'
            )
        for name, value in (("X", X), ("y", y)):
            if np.ma.is_masked(value):
                count = int(np.ma.getmaskarray(value).sum())
                raise ValueError(
                    f"`{name}` must not hold masked values. Got {count}; "
                    "drop these rows (`~np.ma.getmaskarray(...)`) before the fit."
                )
        check_index("sigma", sigma, X, y)
        check_index("sample_weight", sample_weight, X, y)
        X, y = validate_data(
            self, X, y, reset=reset, dtype=np.float64, multi_output=True, y_numeric=True
        )
        y = y.astype(np.float64, copy=False)
        n_targets = None if y.ndim == 1 else y.shape[1]
        noise = check_noise(
            sigma, sample_weight, y.shape[0], n_targets, allow_covariance=covariance
        )
        single = y.ndim == 1
        Y = y[:, None] if single else y
        return FitData(X, Y, noise.target(0) if Y.shape[1] == 1 else noise, single)

    def _check_X(self, X: Any) -> FloatArray:
        """Return validated features to predict at."""
        check_is_fitted(self)
        if (
            is_plain(X, 2)
            and X.shape[0]
            and X.shape[1] == self.n_features_in_
            and not hasattr(self, "feature_names_in_")
            and np.isfinite(X).all()
        ):
            return cast(FloatArray, X)
        return cast(FloatArray, validate_data(self, X, reset=False, dtype=np.float64))

    def _feature_names(self) -> list[str]:
        if hasattr(self, "feature_names_in_"):
            return [str(name) for name in self.feature_names_in_]
        p = self.n_features_in_
        return ["x"] if p == 1 else [f"x{j}" for j in range(p)]

    # Publishing ----------------------------------------------------------------------------------

    def _publish(
        self,
        params: FloatArray,
        covariance: FloatArray,
        chi2: FloatArray | float,
        dof: IntArray | int,
        *,
        given: bool,
        names: list[str],
        intercept: bool,
    ) -> None:
        """Set the fitted attributes from the unscaled covariance.

        Parameters
        ----------
        params : ndarray of shape (m,) or (t, m)
            Parameters, intercept first; two-dimensional for a two-dimensional y.
        covariance : ndarray of shape (m, m), or (t, m, m) or (1, m, m)
            Covariance for unit variance of the whitened rows.
        chi2, dof : float and int, or ndarray of shape (t,)
            Sum of squares of the whitened residuals, and degrees of freedom.
        given : bool
            Whether errors were given.
        names : list of str
            Names of the m parameters.
        intercept : bool
            Whether the first parameter is an intercept.
        """
        self._single = params.ndim == 1
        self.absolute_sigma_ = self._takes_absolute(given)
        self.params_, self.chi2_, self.dof_, self.param_names_ = params, chi2, dof, names
        if isinstance(chi2, float):  # the formulas of the other branch in scalars, for speed
            self.reduced_chi2_ = chi2 / dof if dof > 0 else float("nan")
            self.p_value_ = float(chdtrc(dof, chi2)) if given and dof > 0 else float("nan")
            self.params_cov_ = (
                covariance if self.absolute_sigma_ else _scaled(covariance, self.reduced_chi2_)
            )
        else:
            self.reduced_chi2_ = np.where(dof > 0, chi2 / np.maximum(dof, 1), np.nan)
            p_value = chdtrc(np.maximum(dof, 1), chi2)
            self.p_value_ = np.where((dof > 0) & given, p_value, np.nan)
            self.params_cov_ = _scaled(covariance, self._scales()[:, None, None])
        self.params_std_ = np.sqrt(self.params_cov_.diagonal(0, -2, -1))
        self._publish_coef(intercept)
        self._sigma_given = given

    def _takes_absolute(self, given: bool) -> bool:
        """Return whether errors are absolute, for errors that were `given` or not."""
        return given if self.absolute_sigma == "auto" else bool(self.absolute_sigma)

    def _publish_coef(self, intercept: bool) -> None:
        first = 1 if intercept else 0
        if intercept:
            self.intercept_: Any = self.params_[..., 0]
            self.intercept_std_: Any = self.params_std_[..., 0]
            if self._single:
                self.intercept_ = float(self.intercept_)
                self.intercept_std_ = float(self.intercept_std_)
        self.coef_ = self.params_[..., first:]
        self.coef_std_ = self.params_std_[..., first:]
        self.coef_cov_ = self.params_cov_[..., first:, first:]

    def _warn(self, messages: list[tuple[type[Warning], str]]) -> None:
        """Emit the warnings of a fit at the caller of `fit`, and keep them for the summary."""
        self._messages = [text for _, text in messages]
        for category, text in messages:
            warn_caller(text, category)

    def _dof_messages(self) -> list[tuple[type[Warning], str]]:
        fewest = self.dof_ if self._single else int(self.dof_.min())
        if fewest > 0:
            return []
        consequence = (
            "the scatter of the data cannot confirm the errors given"
            if self.absolute_sigma_
            else "the standard errors are NaN; pass `sigma` to have them from the data's"
        )
        return [
            (
                DegreesOfFreedomWarning,
                f"There are no degrees of freedom left ({fewest}): `reduced_chi2_` is NaN and "
                f"{consequence}.",
            )
        ]

    # Using ---------------------------------------------------------------------------------------

    def _mean(self, X: FloatArray) -> FloatArray:
        """Return fitted values (n, t)."""
        raise NotImplementedError

    def _variance_roots(self, X: FloatArray) -> list[FloatArray]:
        """Return (n, k) rows whose squared norms are unscaled variances, one array or t."""
        raise NotImplementedError

    def _scales(self) -> FloatArray:
        """Return the factor (t,) from unscaled to published variances."""
        reduced = np.atleast_1d(np.asarray(self.reduced_chi2_, dtype=np.float64))
        return np.ones_like(reduced) if self.absolute_sigma_ else reduced

    def predict(
        self, X: Any, return_std: bool = False, return_cov: bool = False
    ) -> FloatArray | tuple[FloatArray, FloatArray]:
        """Return the fitted values at `X`, on request with their errors.

        Parameters
        ----------
        X : array_like of shape (n, p)
            Features.
        return_std : bool, default=False
            Also return the standard deviation of each fitted value.
        return_cov : bool, default=False
            Also return the covariance of the fitted values.

        Returns
        -------
        y : ndarray of shape (n,) or (n, t)
            Fitted values, in the units of y.
        std : ndarray of shape (n,) or (n, t)
            Only if `return_std`. Includes the covariance of the parameters; infinite where the fit
            does not determine the value. It is the error of the curve, not the scatter of new
            measurements about it: see `predict_interval`.
        cov : ndarray of shape (n, n) or (t, n, n)
            Only if `return_cov`.
        """
        if return_std and return_cov:
            raise ValueError(
                "`return_std` and `return_cov` must not both be True. Got both; ask for one."
            )
        X = self._check_X(X)
        mean = self._mean(X)
        value = mean[:, 0] if self._single else mean
        if return_std:
            std = np.sqrt(self._variances(X))
            return value, std[:, 0] if self._single else std
        if return_cov:
            with np.errstate(invalid="ignore"):  # undetermined values have no covariance
                shared = np.stack([root @ root.T for root in self._variance_roots(X)])
            cov = _scaled(shared, self._scales()[:, None, None])
            return value, cov[0] if self._single else cov
        return value

    def _variances(self, X: FloatArray) -> FloatArray:
        """Return the variances (n, t) of the fitted values."""
        squares = [np.einsum("ij,ij->i", root, root) for root in self._variance_roots(X)]
        return _scaled(np.stack(squares, axis=1), self._scales())

    def predict_interval(
        self,
        X: Any,
        *,
        level: float = 0.6827,
        kind: Literal["confidence", "prediction"] = "confidence",
        sigma: Any = None,
    ) -> FloatArray:
        """Return intervals for the curve, or for new measurements.

        Quantiles are those of Student's t with `dof_` degrees of freedom where the errors are
        scaled by the scatter, of the normal distribution where they are absolute.

        Parameters
        ----------
        X : array_like of shape (n, p)
            Features.
        level : float, default=0.6827
            Probability that the interval holds the value, in (0, 1).
        kind : {"confidence", "prediction"}, default="confidence"
            For the curve itself, or for one new measurement at each row.
        sigma : float or array_like of shape (n,) or (n, t), optional
            Standard deviation of the new measurements. Needed for the prediction interval of a fit
            with `sigma`; relative, like that of the fit, if `absolute_sigma=False`.

        Returns
        -------
        interval : ndarray of shape (n, 2) or (t, n, 2)
            Lower and upper ends.

        Raises
        ------
        ValueError
            If `level` or `kind` is not as above; if `sigma` is missing, or given for a confidence
            interval.
        """
        if not 0.0 < level < 1.0:
            raise ValueError(f"`level` must lie between 0 and 1. Got {level!r}.")
        if kind not in ("confidence", "prediction"):
            raise ValueError(f'`kind` must be "confidence" or "prediction". Got {kind!r}.')
        if kind == "confidence" and sigma is not None:
            raise ValueError(
                '`sigma` must be left out for kind="confidence": the curve has no scatter. Got a '
                "value."
            )
        check_index("sigma", sigma, X, None)
        X = self._check_X(X)
        mean, variance = self._mean(X), self._variances(X)
        if kind == "prediction":
            variance = variance + self._new_variance(sigma, X.shape[0])
        probability = 0.5 * (1.0 + level)
        dof = np.atleast_1d(self.dof_)
        if self.absolute_sigma_:
            quantile = np.full(dof.shape, ndtri(probability))
        else:
            quantile = np.where(dof > 0, stdtrit(np.maximum(dof, 1), probability), np.nan)
        half = quantile * np.sqrt(variance)
        interval = np.stack([mean - half, mean + half], axis=-1)
        return interval[:, 0] if self._single else interval.transpose(1, 0, 2)

    def _new_variance(self, sigma: Any, n_samples: int) -> FloatArray | float:
        """Return the variance of new measurements, (n, 1) or (n, t)."""
        if sigma is None:
            if self._sigma_given or self.absolute_sigma_:
                raise ValueError(
                    "`sigma` must be given for the prediction interval of a fit with known "
                    "errors: the standard deviation of the new measurements. Got None."
                )
            return self._scales()
        n_targets = None if self._single else self.params_.shape[0]
        noise = check_noise(sigma, None, n_samples, n_targets, allow_covariance=False)
        variance = noise.variance()
        if isinstance(variance, np.ndarray):
            variance = variance.reshape(n_samples, -1)
        relative = self._sigma_given and not self.absolute_sigma_
        return variance * self._scales() if relative else variance

    def summary(self) -> FitSummary:
        """Return a report: parameters with errors, correlations, χ², and every warning of the fit.

        Returns
        -------
        summary : FitSummary
            Prints as text, shows as HTML in a notebook, and exports with `to_frame()` and
            `to_latex()`.
        """
        check_is_fitted(self)
        return FitSummary(
            title=repr(self),
            names=list(self.param_names_),
            params=np.atleast_2d(self.params_),
            std=np.atleast_2d(self.params_std_),
            covariance=self.params_cov_
            if np.ndim(self.params_cov_) == 3
            else self.params_cov_[None],
            chi2=np.atleast_1d(self.chi2_),
            dof=np.atleast_1d(self.dof_),
            p_value=np.atleast_1d(self.p_value_),
            sigma_given=self._sigma_given,
            absolute_sigma=self.absolute_sigma_,
            warnings=list(self._messages),
        )
