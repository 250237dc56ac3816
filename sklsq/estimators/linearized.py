r"""Curves that a transform of y makes straight: y = a·exp(bx) by logarithms, and the like.

With :math:`z = f(y)` linear in the parameters, z is fitted in place of y (Glover, Jenkins & Doney,
*Modeling Methods for Marine Science*, 3.3.5). The errors have to go along: a point with the
standard deviation σ has :math:`\sigma_z = |f'(y)|\,\sigma`, for the logarithm :math:`\sigma/y`,
so that equal errors of y are anything but equal afterwards. Weighted so, the fit is that of the
curve itself to first order in :math:`\sigma/y`. In second order log y is too low by
:math:`\sigma^2/2y^2` in the mean, while a point that happens to be low gets too small a weight,
which raises the mean by four times as much: together :math:`+\tfrac32 \sigma^2/y^2`.

What is published are the parameters of the curve, as of any other fit of it; where the transformed
fit does not determine all of its parameters, those of the curve are followed through the root of
their covariance (`sklsq.inference.covariance_factor`).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklsq._typing import FloatArray
from sklsq.estimators._transforms import Transform, is_positive_only, transform_of
from sklsq.estimators._wrapper import (
    WrappingRegressor,
    before_last,
    fit_inner,
    inner_has,
    predict_inner,
)
from sklsq.exceptions import warn_caller
from sklsq.expression import Expression, parse
from sklsq.inference.covariance_factor import CovarianceFactor
from sklsq.inference.fitted_values import last_step
from sklsq.inference.parameter_function import parameter_function
from sklsq.inference.propagation import propagate
from sklsq.inference.summary import FitSummary
from sklsq.noise import check_index, check_noise

__all__ = ["LinearizedRegressor"]

_FORM = ("param_names_", "params_", "params_cov_", "params_std_", "_factors")

# The intercept of a logarithm is that of a factor.
_FACTORS = {"log(y)": "exp({})", "log10(y)": "10**{}", "log2(y)": "exp2({})"}


class LinearizedRegressor(WrappingRegressor):
    r"""Fit a transform of y, with the errors transformed along and the answer transformed back.

    Parameters
    ----------
    estimator : estimator
        What is fitted to the transformed y.
    func : str or callable, default="log"
        The transform z = f(y): "log", "log10", "log2", "log1p", "sqrt", "square", "reciprocal",
        "logit", "exp", "arcsinh", "identity"; a formula in y such as ``"log(y - 2)"``; or a
        function of an array. It must be monotone where y is.
    inverse_func : str or callable, optional
        Its inverse, a formula in z or a function. Names and formulas in which y occurs once need
        none.
    back_transform : "auto", None, or dict of str to str, default="auto"
        Parameters of the curve as formulas of those of the transformed fit, by their names or, in
        their order, as ``c0``, ``c1``…: for y = a·exp(-x/τ) ``{"a": "exp(c0)", "tau": "-1/c1"}``.
        "auto": for logarithms the factor that the intercept stands for, ``exp(intercept)``, the
        others as they are. None: all as they are.

    Attributes
    ----------
    estimator_ : estimator
        The fit to z.
    params_, params_cov_, params_std_, param_names_
        The parameters of the curve, of which all else speaks as well: `summary`, `propagate`,
        `to_uncertainties`, `confidence_intervals`, `fit_groups`. The covariance follows by
        propagation of errors. With a leading axis t for t targets.
    transformed_params_, transformed_params_cov_, transformed_params_std_, transformed_param_names_
        The parameters of the fit to z, intercept first.
    coef_, intercept_, chi2_, ...
        The other fitted attributes of `estimator_`: those of the fit to z, `coef_` and `intercept_`
        as in scikit-learn's generalised linear models.

    Notes
    -----
    Without sigma all z have the same weight: for the logarithms that assumes a constant *relative*
    error of y, and the scatter says how large.

    `fit` takes the derivative at the measured y. A curve fitted by logarithms is then too high by
    about :math:`\tfrac32 (\sigma/y)^2` of itself: 0.15 ‰ at errors of 1 %, but 1.5 % at 10 %, as
    much as the error of the mean of fifty points. Where that counts, fit the curve itself with
    `NonlinearLSQ`.

    A power law :math:`y = a x^b` needs the logarithm of x as well:
    ``LinearizedRegressor(make_pipeline(FunctionTransformer(np.log), WeightedLinearFit()))``, or
    ``LinearizedRegressor(DesignMatrixRegressor(["1", "log(x)"]))``.

    References
    ----------
    Glover, D. M., Jenkins, W. J. & Doney, S. C., *Modeling Methods for Marine Science*, 3.3.5.
    Bevington, P. R. & Robinson, D. K., *Data Reduction and Error Analysis*, 3rd ed., 7.4.

    Examples
    --------
    A decay, :math:`y = a e^{-x/\tau}`:

    >>> import numpy as np
    >>> from sklsq import LinearizedRegressor, WeightedLinearFit
    >>> x = np.arange(6.0)[:, None]
    >>> y = np.array([10.1, 6.0, 3.7, 2.25, 1.3, 0.85])
    >>> form = {"a": "exp(intercept)", "tau": "-1/x"}
    >>> fit = LinearizedRegressor(WeightedLinearFit(), back_transform=form).fit(x, y, sigma=0.1)
    >>> fit.params_.round(2), fit.params_std_.round(2)
    (array([10.07,  1.98]), array([0.09, 0.03]))
    >>> print(fit.propagate("a*tau"))  # the area under it
    19.95 ± 0.29
    >>> value, std = fit.predict([[10.0]], return_std=True)
    >>> value.round(3), std.round(3)
    (array([0.065]), array([0.005]))
    """

    # Whatever errors the inner estimator knows beside sigma, its features are not transformed.
    __metadata_request__fit: ClassVar = {
        "sigma": True,
        "sigma_x": True,
        "corr_xy": True,
    }

    def __init__(
        self,
        estimator: Any,
        *,
        func: Any = "log",
        inverse_func: Any = None,
        back_transform: Literal["auto"] | Mapping[str, str] | None = "auto",
    ) -> None:
        self.estimator = estimator
        self.func = func
        self.inverse_func = inverse_func
        self.back_transform = back_transform

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = is_positive_only(self.func)
        return tags

    def _forget(self) -> None:
        super()._forget()
        for name in [name for name in self.__dict__ if name.removeprefix("transformed_") in _FORM]:
            del self.__dict__[name]

    # Fitting -------------------------------------------------------------------------------------

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, sigma: Any = None, **rows: Any
    ) -> Self:
        """Fit the transformed y.

        Parameters
        ----------
        X : array_like of shape (n, p)
            Features.
        y : array_like of shape (n,) or (n, t)
            Measured values, in the domain of `func`.
        sample_weight : float or array_like of shape (n,) or (n, t), optional
            1/σ² of y; zero removes a row.
        sigma : float or array_like of shape (n,), (n, t) or (n, n), optional
            Standard deviations of y, in its units, or its covariance matrix.
        **rows
            Further errors that the estimator's `fit` takes: `sigma_x`, those of the features as it
            sees them, and `corr_xy`, the correlation with the errors of y.

        Returns
        -------
        self : LinearizedRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            If y leaves the domain of `func`, naming the row; if `func` is not monotone there, or
            not undone by `inverse_func`; if `back_transform` or the data are not as described.
        """
        self._forget()
        self._check_wrapped(X, y)
        transform = transform_of(self.func, self.inverse_func)
        check_index("sigma", sigma, X, y)
        check_index("sample_weight", sample_weight, X, y)
        finite: Any = "allow-nan" if np.asarray(y).ndim == 2 else True
        measured = check_array(
            y, ensure_2d=False, dtype=np.float64, ensure_all_finite=finite, input_name="y"
        )
        noise = check_noise(
            sigma,
            sample_weight,
            measured.shape[0],
            None if measured.ndim == 1 else measured.shape[1],
        )
        z, slope = transform.apply(measured)
        errors = {
            "sigma": _scaled(sigma, np.abs(slope)),
            "sample_weight": _scaled(sample_weight, slope**-2.0),
            **rows,
        }
        if errors.get("corr_xy") is not None:  # turned round by a transform that falls
            errors["corr_xy"] = np.asarray(errors["corr_xy"], dtype=np.float64) * np.sign(slope)
        self._transform_on = transform.to_one_side(measured)
        self.estimator_ = fit_inner(self.estimator, X, z, errors)
        self._publish_form(transform)
        self._sigma_given = noise.given
        return self

    def _publish_form(self, transform: Transform) -> None:
        """Set the parameters of the curve, and under other names those of the inner fit."""
        last = last_step(self.estimator_)
        wanted = self.back_transform
        if not hasattr(last, "params_cov_"):
            if isinstance(wanted, Mapping):
                raise ValueError(
                    "`back_transform` must be left out for an estimator whose parameters have no "
                    f"errors. Got {type(last).__name__}; take an estimator of sklsq."
                )
            return
        names = [str(name) for name in last.param_names_]
        if wanted == "auto":
            wanted = self._factor_of(transform, names)
        elif wanted is None:
            wanted = {}
        elif not isinstance(wanted, Mapping) or not wanted:
            raise ValueError(
                '`back_transform` must be "auto", None, or a dict of formulas such as '
                f'{{"a": "exp(c0)"}}. Got {wanted!r}.'
            )
        for name in _FORM[:-1]:
            setattr(self, f"transformed_{name}", getattr(last, name))
        factors = super()._covariance_factors()
        if not wanted:
            self.param_names_, self._factors = names, factors
            self.params_, self.params_cov_ = last.params_, last.params_cov_
        else:
            formulas = [_formula(name, text, names) for name, text in wanted.items()]
            self.param_names_ = list(wanted)
            self.params_, self.params_cov_, self._factors = _through(formulas, names, last, factors)
        self.params_std_ = np.sqrt(np.diagonal(self.params_cov_, axis1=-2, axis2=-1))

    def _factor_of(self, transform: Transform, names: list[str]) -> dict[str, str]:
        """Return the form of a curve fitted by its logarithm; empty if that changes nothing."""
        named = isinstance(self.func, str) or self.func in (np.log, np.log10, np.log2)
        template = _FACTORS.get(transform.text) if named else None
        if template is None or names[0] not in ("intercept", "1"):
            return {}
        first = names[0] if names[0].isidentifier() else "c0"
        others = {name: f"c{j}" for j, name in enumerate(names) if j}
        return {template.format(first): template.format("c0"), **others}

    def _covariance_factors(self) -> list[CovarianceFactor] | None:
        factors: list[CovarianceFactor] | None = self._factors
        return factors

    # Using ---------------------------------------------------------------------------------------

    def transform_target(self, y: Any) -> FloatArray:
        """Return z = f(y), the scale in which the fit was made.

        Parameters
        ----------
        y : array_like of shape (n,) or (n, t)
            Values of y; NaN where they are outside of the domain.

        Returns
        -------
        z : ndarray of shape (n,) or (n, t)
        """
        check_is_fitted(self)
        values: FloatArray = np.asarray(y, dtype=np.float64)
        low, high = self._transform_on.domain
        inside = (values > low) & (values < high)
        with np.errstate(all="ignore"):
            return np.where(inside, self._transform_on.forward(values), np.nan)

    def inverse_transform_target(self, z: Any) -> FloatArray:
        """Return the y of z = f(y); NaN, with a warning, where no y is transformed to z.

        Parameters
        ----------
        z : array_like of shape (n,) or (n, t)
            Values in the scale of the fit.

        Returns
        -------
        y : ndarray of shape (n,) or (n, t)
        """
        check_is_fitted(self)
        return self._back(np.asarray(z, dtype=np.float64))

    def predict(
        self, X: Any, return_std: bool = False, return_cov: bool = False, **rows: Any
    ) -> Any:
        """Return the fitted values of y, not of its transform, on request with their errors.

        Parameters
        ----------
        X : array_like of shape (n, p)
            Features.
        return_std, return_cov : bool, default=False
            Also return the standard deviation, or covariance, of the fitted values, to first
            order. Where it is not small, `predict_interval` says more: it is not symmetric.
        **rows
            What else the estimator's `predict` takes.

        Warns
        -----
        UserWarning
            If the fit has values that no y is transformed to; these are NaN.
        """
        check_is_fitted(self)
        options = {"return_std": return_std, "return_cov": return_cov, **rows}
        answer = predict_inner(self.estimator_, X, **options)
        if not (return_std or return_cov):
            return self._back(answer)
        z, error = answer
        y = self._back(z)
        with np.errstate(divide="ignore", invalid="ignore"):
            stretch = 1.0 / np.abs(self._transform_on.slope(y))
            if return_std:
                return y, error * stretch
            across = stretch.T  # (n,) or (t, n)
            return y, error * across[..., :, None] * across[..., None, :]

    def _back(self, z: FloatArray) -> FloatArray:
        transform = self._transform_on
        outside = transform.outside(z)
        with np.errstate(all="ignore"):
            y = np.where(outside, np.nan, transform.inverse(z))
        if outside.any():
            row = int(np.argwhere(outside)[0, 0])
            warn_caller(
                f"The fit of {transform.text} has values that no y is transformed to: in "
                f"{int(outside.sum())} places, the first in row {row}. There the prediction is "
                "NaN: the straight line cannot hold so far out.",
                UserWarning,
            )
        return y

    @available_if(inner_has("predict_interval"))  # type: ignore[untyped-decorator]
    def predict_interval(
        self,
        X: Any,
        *,
        level: float = 0.6827,
        kind: Literal["confidence", "prediction"] = "confidence",
        sigma: Any = None,
    ) -> FloatArray:
        """Return intervals for the curve, or for new measurements, in the domain of y.

        The ends are those of the interval of the transformed y, transformed back: they lie not
        symmetrically about the fitted value.

        Parameters
        ----------
        X, level, kind
            As in `WeightedLinearFit.predict_interval`.
        sigma : float or array_like of shape (n,) or (n, t), optional
            Standard deviations of the new measurements, in units of y.

        Returns
        -------
        interval : ndarray of shape (n, 2) or (t, n, 2)
            Lower and upper ends; infinite where the interval of the transform is open to infinity.
        """
        check_is_fitted(self)
        X, last = before_last(self.estimator_, X), last_step(self.estimator_)
        if sigma is not None and kind == "prediction":
            y = self._back(last.predict(X))
            n_targets = None if y.ndim == 1 else y.shape[1]
            check_noise(sigma, None, y.shape[0], n_targets, allow_covariance=False)
            sigma = _scaled(sigma, np.abs(self._transform_on.slope(y)))
        ends = last.predict_interval(X, level=level, kind=kind, sigma=sigma)
        return self._transform_on.ends(ends)

    @available_if(inner_has("summary"))  # type: ignore[untyped-decorator]
    def summary(self) -> FitSummary:
        """Return the report of the fit with the parameters of the curve; χ² is that of z.

        Returns
        -------
        summary : FitSummary
        """
        notes = []
        if not self._sigma_given:
            relative = ", a constant relative error of y," if self._is_logarithm() else ""
            notes.append(
                f"without sigma, the same standard deviation of {self._transform_on.text} in all "
                f"points{relative} was assumed"
            )
        covariance = np.asarray(self.params_cov_)
        return self._inner_summary(
            notes,
            names=list(self.param_names_),
            params=np.atleast_2d(self.params_),
            std=np.atleast_2d(self.params_std_),
            covariance=covariance if covariance.ndim == 3 else covariance[None],
        )

    def _is_logarithm(self) -> bool:
        return self._transform_on.text in _FACTORS


def _scaled(errors: Any, factor: FloatArray) -> Any:
    """Return sigma, weights, or a covariance of y (n, n), times a factor (n,) or (n, t)."""
    if errors is None:
        return None
    array = np.asarray(errors, dtype=np.float64)
    if factor.ndim == 1 and array.ndim == 2:
        return array * factor[:, None] * factor
    return array[:, None] * factor if array.ndim < factor.ndim and array.ndim else array * factor


def _formula(name: str, text: str, names: list[str]) -> tuple[Expression, bool]:
    """Return a formula of the parameters, and whether it calls them by their order."""
    expression = parse(text)
    if set(expression.names) <= set(names):
        return expression, False
    numbered = [f"c{j}" for j in range(len(names))]
    if set(expression.names) <= set(numbered):
        return expression, True
    raise ValueError(
        f"`back_transform` must be in terms of the parameters {', '.join(names)}, or of "
        f"{', '.join(numbered)}. Got {text!r} for {name}."
    )


def _through(
    formulas: list[tuple[Expression, bool]],
    names: list[str],
    last: Any,
    factors: list[CovarianceFactor] | None,
) -> tuple[FloatArray, FloatArray, list[CovarianceFactor] | None]:
    """Return values (k,) or (t, k) of the formulas, their covariance, and its roots."""
    numbered = [f"c{j}" for j in range(len(names))]

    def of_curve(*params: Any) -> list[Any]:
        by_name = dict(zip(names, params, strict=True))
        by_number = dict(zip(numbered, params, strict=True))
        return [
            expression.evaluate(by_number if by_order else by_name)
            for expression, by_order in formulas
        ]

    many = np.ndim(last.params_) == 2
    params = np.atleast_2d(last.params_)
    if factors is None:  # of an estimator that publishes no more than a covariance
        covariances = last.params_cov_ if many else [last.params_cov_]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of NaN, which the fit has warned of
            results = [propagate(of_curve, p, C) for p, C in zip(params, covariances, strict=True)]
        values = np.array([result.value for result in results])
        cov = np.array([result.cov for result in results])
    else:
        g = parameter_function(of_curve, len(names))
        with np.errstate(all="ignore"):
            values = np.array([g.value(p) for p in params])
            factors = [f.of(g.jacobian(p)) for p, f in zip(params, factors, strict=True)]
        cov = np.array([factor.covariance() for factor in factors])
    return (values, cov, factors) if many else (values[0], cov[0], factors)
