"""Quantities derived from the parameters of a fit, with errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklsq._typing import FloatArray

if TYPE_CHECKING:
    from sklsq.inference.covariance_factor import CovarianceFactor
    from sklsq.inference.propagation import Method, Propagated

__all__ = ["DerivedQuantities"]

# Relative sizes to which a derivative along a null space is one of rounding, as in `predict`.
_LINEAR_ROUNDING = 1e-9
_NONLINEAR_ROUNDING = 1e-6


class DerivedQuantities:
    """What every fit can tell of functions of its parameters."""

    params_: Any
    params_cov_: Any
    param_names_: list[str]

    # What those that are fitted by a triangular factor keep of it.
    _solutions: Any
    _root: Any
    _null_space: Any

    def _scales(self) -> FloatArray:
        """Return the factor (t,) from unscaled to published variances."""
        raise NotImplementedError

    def propagate(
        self,
        func: str | Callable[..., Any],
        *,
        method: Method = "linear",
        n_samples: int = 20_000,
        random_state: Any = None,
    ) -> Propagated:
        """Return a quantity derived from the parameters, with its standard deviation.

        Parameters
        ----------
        func : callable or str
            A function whose arguments are named as in `param_names_` (some of them, in any order);
            else of all parameters in that order; else, with one argument, of `params_` as an array.
            It returns a number or k of them. Or a formula of these names.
        method : {"linear", "second-order", "monte-carlo"}, default="linear"
            First derivatives; also second ones, for the mean too; or samples of the Gaussian.
        n_samples : int, default=20000
            Number of samples of "monte-carlo".
        random_state : int, RandomState, Generator or None, default=None
            Seed of the samples; None is as good as 0.

        Returns
        -------
        propagated : Propagated
            ``value, std = fit.propagate(...)``: numbers or arrays (k,), with a leading axis t for t
            targets; `cov` is the covariance. One σ, absolute or scaled by the scatter like those
            of the parameters, never multiplied by a quantile. Finite where the fit determines the
            quantity, even if not all of the parameters in it: their sum, say, of two columns that
            are alike.

        Raises
        ------
        TypeError, ValueError
            As `sklsq.propagate`: if `func` does not go with the parameters.

        Warns
        -----
        UserWarning
            If the value or standard deviation is NaN, saying why.

        Examples
        --------
        >>> from sklsq import WeightedLinearFit
        >>> from sklsq.datasets import load_pion_plus
        >>> data = load_pion_plus()
        >>> line = WeightedLinearFit().fit(data.X, data.y_values, sigma=data.sigma_values)
        >>> print(line.propagate(lambda a, b: -a / b))  # where the line crosses zero
        -0.280 ± 0.024
        """
        # Only now: a linear fit has no other use for formulas and dual numbers.
        from sklsq.inference.propagation import Propagated, propagate, propagate_factor

        check_is_fitted(self)
        options: Any = {
            "method": method,
            "n_samples": n_samples,
            "random_state": random_state,
            "names": self.param_names_,
        }
        factors = self._covariance_factors()
        params, many = np.atleast_2d(self.params_), np.ndim(self.params_) == 2
        if factors is None:
            covariances = self.params_cov_ if many else [self.params_cov_]
            curves = [
                propagate(func, p, cov, **options)
                for p, cov in zip(params, covariances, strict=True)
            ]
        else:
            curves = [
                propagate_factor(func, p, factor, **options)
                for p, factor in zip(params, factors, strict=True)
            ]
        if not many:
            return curves[0]
        return Propagated(
            np.array([curve.value for curve in curves]),
            np.array([curve.std for curve in curves]),
            np.array([curve.cov for curve in curves]),
        )

    def _covariance_factors(self) -> list[CovarianceFactor] | None:
        """Return roots of the published covariances, one a target; None without a factor."""
        from sklsq.inference.covariance_factor import CovarianceFactor

        m = len(self.param_names_)
        covariances = np.reshape(self.params_cov_, (-1, m, m))
        if hasattr(self, "_solutions"):  # of columns of a design matrix
            unscaled = [(s.params_root, s.null_space.reshape(-1, m)) for s in self._solutions]
            of_null_space = _LINEAR_ROUNDING, True
        elif hasattr(self, "_null_space"):  # of a model at its minimum
            nothing = np.empty((0, m))
            unscaled = [(W, self._null_space.get(k, nothing)) for k, W in enumerate(self._root)]
            of_null_space = _NONLINEAR_ROUNDING, False
        else:
            return None
        factors = []
        for k, (scale, covariance) in enumerate(zip(self._scales(), covariances, strict=True)):
            root, null_space = unscaled[k % len(unscaled)]
            with np.errstate(invalid="ignore"):
                root = np.sqrt(scale) * root
            unknown = np.isnan(covariance.diagonal()) | ~np.isfinite(root).all(axis=1)
            root = np.where(unknown[:, None], 0.0, root)
            factors.append(CovarianceFactor(root, null_space, unknown, *of_null_space))
        return factors

    def to_uncertainties(self) -> Any:
        """Return the parameters as numbers of the package `uncertainties`, with correlations.

        Returns
        -------
        parameters : dict of str to uncertainties.UFloat or float, or list of t of them
            By `param_names_`; a fixed parameter is a float, one without a finite error is not
            correlated with the others.

        Raises
        ------
        ImportError
            If `uncertainties` is not installed.
        ValueError
            If two parameters have the same name.

        Examples
        --------
        >>> from sklsq import WeightedLinearFit
        >>> line = WeightedLinearFit().fit([[1.0], [2.0], [4.0]], [2.0, 3.9, 8.1], sigma=0.1)
        >>> p = line.to_uncertainties()
        >>> print(p["intercept"] / p["x"])
        -0.05+/-0.06
        """
        from sklsq.inference.correlated_values import correlated_values

        check_is_fitted(self)
        repeated = {name for name in self.param_names_ if self.param_names_.count(name) > 1}
        if repeated:
            raise ValueError(
                "Parameters must be named differently from each other, to be told apart by name. "
                f"Got {min(repeated)!r} twice; rename a column, or leave a term out, and fit again."
            )
        if np.ndim(self.params_) == 1:
            return correlated_values(self.param_names_, self.params_, self.params_cov_)
        return [
            correlated_values(self.param_names_, params, cov)
            for params, cov in zip(self.params_, self.params_cov_, strict=True)
        ]
