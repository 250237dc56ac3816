"""From a measured y back to x: the use of a calibration line."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklsq._typing import FloatArray
from sklsq.estimators._affine import AffineRegressor

__all__ = ["InversePrediction"]


class InversePrediction(AffineRegressor):
    """Base of the lines and planes: a slope for every feature, and an intercept on request."""

    fit_intercept: bool

    @property
    def _has_intercept(self) -> bool:  # type: ignore[override]
        return bool(self.fit_intercept)

    def _parameter_names(self) -> list[str]:
        names = self._feature_names()
        if self.fit_intercept and "intercept" in names:
            raise ValueError(
                '`X` must not have a column called "intercept" while one is fitted: two parameters '
                "would bear the name. Rename the column, or use `fit_intercept=False`."
            )
        return (["intercept"] if self.fit_intercept else []) + names

    def _publish_coef(self, intercept: bool) -> None:
        super()._publish_coef(intercept)
        if not intercept:
            nothing: Any = 0.0 if self._single else np.zeros(len(self.params_))
            self.intercept_ = self.intercept_std_ = nothing

    def inverse_predict(self, y: Any, *, sigma: Any = None) -> tuple[FloatArray, FloatArray]:
        r"""Return the x at which the line takes the values `y`, with its standard deviation.

        With :math:`x = (y - a)/b`, to first order :math:`\sigma_x^2 = (\sigma^2 +
        \mathrm{Var}(a + bx))/b^2`: the error of the measurement and that of the line, whose
        intercept and slope are correlated (Miller, *Statistics and Chemometrics for Analytical
        Chemistry*, 5.6; for a line with errors in x as well: Fuller, *Measurement Error Models*,
        1.2). It is a good approximation while the slope is many times its own error.

        Parameters
        ----------
        y : float or array_like of shape (k,)
            Measured values, in the units of y.
        sigma : float or array_like of shape (k,), optional
            Their standard deviations; zero for a value that is exact. By default the scatter of the
            fit, ``sqrt(reduced_chi2_)``, where that was made without sigma; a fit with known errors
            cannot know those of other measurements. Relative, like those of the fit, if
            ``absolute_sigma=False``.

        Returns
        -------
        x, std : ndarray of shape (k,)
            Values of the feature, and their standard deviations.

        Raises
        ------
        ValueError
            If the fit has several features or targets, if the slope is zero or not determined, or
            if `sigma` is missing or negative.

        Examples
        --------
        >>> from sklsq import WeightedLinearFit
        >>> line = WeightedLinearFit().fit([[0.0], [1.0], [2.0]], [0.1, 1.0, 2.1], sigma=0.1)
        >>> x, std = line.inverse_predict([1.5], sigma=0.1)
        >>> x.round(4), std.round(4)
        (array([1.4333]), array([0.1195]))
        """
        check_is_fitted(self)
        if self.n_features_in_ != 1 or not self._single:
            raise ValueError(
                "`inverse_predict` must have one feature and a one-dimensional y. Got a fit of "
                f"{self.n_features_in_} features{'' if self._single else ' and several targets'}."
            )
        slope = float(self.coef_[0])
        if not np.isfinite(slope) or slope == 0.0 or not np.isfinite(self.coef_std_[0]):
            raise ValueError(
                "`inverse_predict` must have a line with a slope. "
                f"Got the slope {slope:g} ± {self.coef_std_[0]:g}: every x has the same y."
            )
        y = np.atleast_1d(np.asarray(y, dtype=np.float64))
        if y.ndim != 1 or not np.isfinite(y).all():
            raise ValueError(f"`y` must be finite numbers, shape (k,). Got {y!r}.")
        variance = self._measured_variance(sigma, y.shape)
        origin = self._origin()
        x = origin + (y - self._mean(np.array([[origin]]))[0, 0]) / slope
        std = np.sqrt(variance + self._variances(x[:, None])[:, 0]) / abs(slope)
        return x, std

    def _origin(self) -> float:
        """Return an x in the middle of the data, where subtracting from it costs no digits."""
        offsets = self._columns.offsets
        return 0.0 if offsets is None or len(offsets) == 1 else float(offsets[1])

    def _measured_variance(self, sigma: Any, shape: tuple[int, ...]) -> FloatArray:
        if sigma is None:
            if self._sigma_given or self.absolute_sigma_:
                raise ValueError(
                    "`sigma` must be given to invert a fit with known errors: the standard "
                    "deviation of the measured y, or 0 for an exact value. Got None."
                )
            return np.full(shape, self.reduced_chi2_)
        values = np.asarray(sigma, dtype=np.float64)
        if values.shape not in ((), shape):
            raise ValueError(f"`sigma` must be a number or have shape {shape}. Got {values.shape}.")
        bad = ~((values >= 0.0) & np.isfinite(values))
        if bad.any():
            row = int(np.argmax(bad))
            raise ValueError(
                f"`sigma` must be finite and not negative. Got {np.ravel(values)[row]:g} in row "
                f"{row}."
            )
        relative = self._sigma_given and not self.absolute_sigma_
        variance = values**2 * (self.reduced_chi2_ if relative else 1.0)
        return np.broadcast_to(variance, shape)
