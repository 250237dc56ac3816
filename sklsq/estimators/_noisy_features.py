"""Using a line whose features are themselves measured: prediction and score with their errors."""

from __future__ import annotations

from typing import Any, ClassVar, cast

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklsq._typing import FloatArray
from sklsq.estimators._calibration import InversePrediction
from sklsq.noise import check_correlation, check_index, check_noise, check_sigma_x

__all__ = ["NoisyFeatures"]


class NoisyFeatures(InversePrediction):
    """Base of the estimators that know errors of the features."""

    __metadata_request__score: ClassVar = {"sigma": True, "sigma_x": True, "corr_xy": True}
    __metadata_request__predict: ClassVar = {
        "return_std": True,
        "return_cov": True,
        "sigma_x": True,
    }

    def _check_errors(
        self, X: Any, y: Any, shape: tuple[int, ...], sigma_x: Any, corr_xy: Any
    ) -> tuple[FloatArray | None, FloatArray | None]:
        check_index("sigma_x", sigma_x, X, y)
        check_index("corr_xy", corr_xy, X, y)
        n, p = shape
        return (
            None if sigma_x is None else check_sigma_x(sigma_x, n, p),
            None if corr_xy is None else check_correlation(corr_xy, n, p),
        )

    def predict(
        self,
        X: Any,
        return_std: bool = False,
        return_cov: bool = False,
        *,
        sigma_x: Any = None,
    ) -> FloatArray | tuple[FloatArray, FloatArray]:
        r"""Return y on the line at *true* values of the features, on request with its error.

        Where the features of the new points are themselves measured, `sigma_x` adds their error.

        Parameters
        ----------
        X : array_like of shape (n, p)
            Features.
        return_std, return_cov : bool, default=False
            Also return the standard deviation, or the covariance, of the values.
        sigma_x : float or array_like of shape (1, p), (n,) if p = 1, or (n, p), optional
            Standard deviations of the new features; independent between points.

        Returns
        -------
        y : ndarray of shape (n,) or (n, t)
            Values on the line.
        std, cov : ndarray
            As in `WeightedLinearFit.predict`, with :math:`b^2\sigma_x^2` added for `sigma_x`.
        """
        answer = super().predict(X, return_std, return_cov)
        if sigma_x is None:
            return answer
        check_index("sigma_x", sigma_x, X, None)
        n = len(answer[0] if return_std or return_cov else answer)
        added = np.square(check_sigma_x(sigma_x, n, self.n_features_in_))
        if not (return_std or return_cov):
            return answer
        mean, error = answer
        added = added @ np.square(np.atleast_2d(self.coef_)).T  # (n, t)
        if return_std:
            return mean, np.sqrt(error**2 + (added[:, 0] if self._single else added))
        extra = np.stack([np.diag(column) for column in added.T])
        return mean, error + (extra[0] if self._single else extra)

    def score(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        sigma: Any = None,
        sigma_x: Any = None,
        corr_xy: Any = None,
    ) -> float:
        r"""Return R² of the predictions, weighted.

        Parameters
        ----------
        X, y, sample_weight, sigma
            As in `WeightedLinearFit.score`.
        sigma_x, corr_xy
            With these the weights are those of the fit, :math:`1/(\sigma_y^2 + b^2\sigma_x^2 -
            2b\rho\sigma_x\sigma_y)`, the variance of y about the line; they need `sigma`.

        Returns
        -------
        score : float
            Mean over the targets.
        """
        check_is_fitted(self)
        if sigma_x is None and corr_xy is None:
            return super().score(X, y, sample_weight, sigma=sigma)
        n, p = len(y), self.n_features_in_
        if (sigma is None and sample_weight is None) or sigma_x is None:
            raise ValueError("`sigma` and `sigma_x` must be given together. Got one of them.")
        checked, corr = self._check_errors(X, y, (n, p), sigma_x, corr_xy)
        errors_x = cast(FloatArray, checked)
        n_targets = None if self._single else len(self.params_)
        noise = check_noise(sigma, sample_weight, n, n_targets, allow_covariance=False)
        check_index("sigma", sigma, X, y)
        if noise.kept is not None:
            raise ValueError(
                "`sample_weight` must be positive together with `sigma_x`. Got a zero; remove "
                "such rows."
            )
        sigma_y = np.broadcast_to(_as_column(noise.sigma()), (n, n_targets or 1))
        slopes = np.atleast_2d(self.coef_).T  # (p, t)
        variance = sigma_y**2 + np.square(errors_x) @ np.square(slopes)
        if corr is not None:
            variance -= 2.0 * slopes[0] * (corr[:, None] * errors_x * sigma_y)
        effective = np.sqrt(variance)
        return super().score(X, y, sigma=effective[:, 0] if self._single else effective)


def _as_column(values: FloatArray | float) -> FloatArray:
    array = np.asarray(values)
    return array if array.ndim == 2 else array.reshape(-1, 1)
