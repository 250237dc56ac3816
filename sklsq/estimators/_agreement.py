"""How a fit and data agree: its score, and the residuals with their standard deviations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_is_fitted

from sklsq._typing import FloatArray
from sklsq.estimators._extrapolation import unwatched
from sklsq.estimators._missing import filled, missing_as_nan
from sklsq.exceptions import UnweightedScoreWarning, warn_caller
from sklsq.noise import check_index, check_noise

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AgreementWithData"]


class AgreementWithData:
    """What every fit tells when it is given data."""

    _sigma_given: bool

    def predict(self, X: Any) -> Any:
        """Return the fitted values."""
        raise NotImplementedError

    def score(self, X: Any, y: Any, sample_weight: Any = None, *, sigma: Any = None) -> float:
        r"""Return the coefficient of determination R², weighted by 1/σ².

        Parameters
        ----------
        X : array_like of shape (n, p)
            Features.
        y : array_like of shape (n,) or (n, t)
            Measured values; NaN for a missing point of one of t curves, which is left out.
        sample_weight : array_like of shape (n,) or (n, t), optional
            1/σ² of the measured values.
        sigma : float or array_like of shape (n,) or (n, t), optional
            Their standard deviations; the other spelling.

        Returns
        -------
        score : float
            Mean over the targets that have points of
            :math:`1 - \\sum (y-f)^2/\\sigma^2 / \\sum (y-\\bar y)^2/\\sigma^2`, with the weighted
            mean of y.

        Warns
        -----
        UnweightedScoreWarning
            If the fit was weighted and the score is not.
        """
        check_is_fitted(self)
        if sigma is None and sample_weight is None and self._sigma_given:
            warn_caller(
                "The fit was weighted by sigma but this score is not: pass `sigma` to `score`. "
                "In cross-validation or a pipeline, call "
                "`sklearn.set_config(enable_metadata_routing=True)` and pass sigma as metadata.",
                UnweightedScoreWarning,
            )
        check_index("sigma", sigma, X, y)
        check_index("sample_weight", sample_weight, X, y)
        with unwatched():
            predicted = cast(FloatArray, self.predict(X))
        measured = np.asarray(missing_as_nan(y), dtype=np.float64)
        present = np.ones(measured.shape, dtype=bool)
        if measured.ndim == 2:
            present = ~np.isnan(measured)
            sigma, sample_weight = filled(sigma, ~present), filled(sample_weight, ~present)
        n_targets = None if measured.ndim == 1 else measured.shape[1]
        noise = check_noise(
            sigma, sample_weight, measured.shape[0], n_targets, allow_covariance=False
        )
        if not noise.given and present.all():
            return float(r2_score(measured, predicted))
        weights: Any = 1.0
        if noise.given:
            by_sigma = noise.values_are == "sigma"
            weights = 1.0 / cast(FloatArray, noise.variance()) if by_sigma else noise.values
            weights = np.reshape(weights, (-1, 1)) if np.ndim(weights) < 2 else weights
        shape = measured.shape[0], n_targets or 1
        weights = np.broadcast_to(weights, shape)
        measured, predicted = measured.reshape(shape), predicted.reshape(shape)
        scores = [
            r2_score(measured[rows, k], predicted[rows, k], sample_weight=weights[rows, k])
            for k, rows in enumerate(present.reshape(shape).T)
            if rows.any()
        ]
        if not scores:
            raise ValueError("`y` must have points. Got only missing ones (NaN).")
        return float(np.mean(scores))

    def residuals(
        self,
        X: Any,
        y: Any,
        *,
        sigma: Any = None,
        sample_weight: Any = None,
        sigma_x: Any = None,
        corr_xy: Any = None,
        target: int = 0,
    ) -> pd.DataFrame:
        """Return the residuals row by row, with their standard deviations and leverages.

        Parameters
        ----------
        X : array_like of shape (n, p)
            Features of the fit.
        y : array_like of shape (n,) or (n, t)
            Measured values.
        sigma : float or array_like of shape (n,) or (n, t), optional
            Their standard deviations.
        sample_weight : float or array_like of shape (n,) or (n, t), optional
            The other spelling, 1/σ²; a row of weight zero was not fitted, and has no pull.
        sigma_x, corr_xy : optional
            Errors of the features, as in `OrthogonalRegression.fit`.
        target : int, default=0
            Which of t curves.

        Returns
        -------
        table : DataFrame
            `fitted`, `fitted_std`, `residual`, `sigma`, `pull` (residual / σ), `residual_std` (the
            standard deviation of the residual itself, σ √(1 − leverage)), `standardized` and
            `leverage`; see `sklsq.residual_diagnostics` for what they say.
        """
        from sklsq.inference.residuals import residual_table

        check_is_fitted(self)
        return residual_table(
            self,
            X,
            y,
            sigma=sigma,
            sample_weight=sample_weight,
            sigma_x=sigma_x,
            corr_xy=corr_xy,
            target=target,
        )
