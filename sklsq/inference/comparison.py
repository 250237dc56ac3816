r"""Comparison of models: which one the data prefer, and whether a parameter more earns its place.

With the errors of the data known the likelihood is :math:`\exp(-\chi^2/2)`; where they are not, one
σ (or one factor to relative σ) is estimated along, one parameter more. For m parameters and n data

.. math::
    \mathrm{AIC} = \chi^2 + 2k,\; k = m \quad\text{or}\quad n \ln(\chi^2/n) + 2k,\; k = m + 1,

    \mathrm{AICc} = \mathrm{AIC} \quad\text{or}\quad \mathrm{AIC} + \frac{2k(k+1)}{n - k - 1},
    \qquad \mathrm{BIC} = \mathrm{AIC} - 2k + k \ln n,

up to a constant that all models of the same data share. The correction for few data is due to the
estimated σ: with known errors new data have on average :math:`\chi^2 = n + m` about a linear fit,
those fitted :math:`n - m`, and AIC is unbiased for any n. AICc is the one models are sorted by;
their weights are :math:`\exp(-\Delta/2)` over the sum of these. Two models of which one contains
the other are compared by a test besides: :math:`\Delta\chi^2` with known errors, else

.. math:: F = \frac{\Delta\chi^2/\Delta m}{\chi^2/(n - m)}.

(K. P. Burnham and D. R. Anderson, *Model Selection and Multimodel Inference*, 2nd ed., 2002, 2.2,
2.4 and 2.6; C. M. Hurvich and C.-L. Tsai, Biometrika 76 (1989) 297; P. R. Bevington and
D. K. Robinson, *Data Reduction and Error Analysis*, 3rd ed., 11.4 for F.)
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import chdtrc, fdtrc
from sklearn.model_selection import check_cv

from sklsq._typing import FloatArray
from sklsq.inference.fitted_values import last_step
from sklsq.inference.leave_one_out import leave_one_out
from sklsq.inference.nesting import is_nested
from sklsq.inference.part_of_rows import (
    check_targets,
    fit_quietly,
    fit_with_errors,
    predict_quietly,
    take,
)
from sklsq.inference.verdict import verdict

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["compare_models"]

# What a fit or a prediction may raise on data that a model cannot take.
_FAILURES = (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError)
_SAME_CHI2 = 1e-6
_ROUNDING = 1e-28  # χ² of a perfect fit over that of zero: forty roundings, squared


@dataclass(frozen=True)
class _Candidate:
    """A model that was fitted, or the sentence why not."""

    name: str
    fitted: Any = None
    chi2: float = np.nan
    dof: int = 0
    n_params: int = 0
    absolute: bool = True
    status: str = "ok"
    usable: bool = False
    rounding: float = 0.0  # of chi2


def compare_models(
    models: Any,
    X: Any,
    y: Any,
    *,
    sigma: Any = None,
    cv: Any = None,
    nested: bool | Mapping[str, str] | None = None,
    loo: bool = True,
) -> pd.DataFrame:
    r"""Return how well several models describe the same data, best first.

    Parameters
    ----------
    models : dict of str to estimator, or list of estimators or of (name, estimator)
        The models; they are cloned.
    X : array_like of shape (n, p)
        Features.
    y : array_like of shape (n,)
        Measured values.
    sigma : float or array_like of shape (n,), optional
        Their standard deviations.
    cv : int, splitter or iterable, optional
        Folds over which each model predicts data it was not fitted to.
    nested : bool or dict of str to str, optional
        Which models contain which, so that they can be tested against each other: a dict from the
        larger to the smaller; True if each contains every one with fewer parameters. None: found
        out for linear models, by their columns; no for others.
    loo : bool, default=True
        Whether to leave out each point in turn.

    Returns
    -------
    frame : DataFrame
        One row a model, indexed by ``model``, sorted by AICc:

        ``chi2``, ``dof``, ``n_params``, ``reduced_chi2``, ``p_value``
            As the fits publish them; ``p_value`` is NaN if errors are not known.
        ``AIC``, ``AICc``, ``BIC``
            Information criteria; differences between rows mean something, values do not.
        ``delta``, ``weight``
            AICc above the least one, and Akaike weight.
        ``loo_chi2``, ``cv_chi2``
            Sum of squares over σ² of predictions of points left out; see `leave_one_out`.
        ``against``, ``delta_chi2``, ``p_extra``
            The largest model that this one contains, by how much χ² is smaller than there, and the
            probability that useless parameters would do as much (Δχ² with known errors, else F).
        ``status``
            "ok", or what is the matter. A model that could not be fitted is a row of NaN.

        ``frame.attrs["verdict"]`` says it in a sentence.

    Raises
    ------
    TypeError, ValueError
        If `models` are not as described or names repeat, or `nested` names others; if y is not
        one-dimensional or `sigma` is a covariance matrix; if some errors are absolute and others
        scaled.

    Examples
    --------
    >>> from sklsq import DesignMatrixRegressor, WeightedLinearFit, compare_models
    >>> from sklsq.datasets import load_pion_plus
    >>> data = load_pion_plus()
    >>> models = {
    ...     "line": WeightedLinearFit(),
    ...     "parabola": DesignMatrixRegressor(["1", "inverse_energy", "inverse_energy**2"]),
    ... }
    >>> frame = compare_models(models, data.X, data.y_values, sigma=data.sigma_values)
    >>> frame[["chi2", "dof", "AICc", "weight"]].round(2)
               chi2  dof   AICc  weight
    model
    parabola   3.23    7   9.23     1.0
    line      21.95    8  25.95     0.0
    >>> print(frame.attrs["verdict"])
    parabola is preferred (weight 1); next is line, AICc higher by 16.7.
    """
    named = _named(models)
    _check_nested(nested, [name for name, _ in named])
    errors = {"sigma": sigma}
    target = check_targets(X, y, errors)
    candidates = [_fit(name, model, X, y, target, errors) for name, model in named]
    conventions = {c.absolute for c in candidates if c.usable}
    if len(conventions) > 1:
        raise ValueError(
            "`models` must agree on whether errors are absolute. Got some absolute, some scaled; "
            "set the same `absolute_sigma`."
        )
    _check_sizes(nested, candidates)
    known = conventions == {True}
    rows = [_row(c, known) for c in candidates]
    for candidate, row in zip(candidates, rows, strict=True):
        if candidate.usable and loo:
            row["loo_chi2"] = _loo_chi2(candidate, X, y, errors)
        if candidate.usable and cv is not None:
            row["cv_chi2"] = _cv_chi2(candidate, X, target, errors, cv)
        row |= _test(candidate, candidates, X, errors, known, nested)
        row["status"] = candidate.status
    return _frame(named, rows, known)


def _named(models: Any) -> list[tuple[str, Any]]:
    """Return the models with their names."""
    if isinstance(models, Mapping):
        pairs = [(str(name), model) for name, model in models.items()]
    elif isinstance(models, Iterable) and not isinstance(models, str):
        pairs = [
            (str(entry[0]), entry[1]) if isinstance(entry, tuple) else (_title(entry), entry)
            for entry in models
        ]
    else:
        raise TypeError(f"`models` must be a dict or list of estimators. Got {models!r}.")
    if not pairs:
        raise ValueError("`models` must hold at least one model. Got none.")
    for name, model in pairs:
        if not (hasattr(model, "fit") and hasattr(model, "predict")):
            raise TypeError(f"`models` must be estimators. Got {model!r} as {name!r}.")
    names = [name for name, _ in pairs]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(
            f"`models` must have different names. Got {repeated[0]!r} more than once; pass a dict."
        )
    return pairs


def _check_nested(nested: Any, names: list[str]) -> None:
    if nested is None or isinstance(nested, bool):
        return
    if not isinstance(nested, Mapping):
        raise TypeError(f"`nested` must be a dict of names, a bool or None. Got {nested!r}.")
    unknown = [name for pair in nested.items() for name in pair if name not in names]
    if unknown:
        raise ValueError(f"`nested` must name models: {', '.join(names)}. Got {unknown[0]!r}.")


def _check_sizes(nested: Any, candidates: list[_Candidate]) -> None:
    """Raise if a model is said to contain one that has as many parameters, or more."""
    if not isinstance(nested, Mapping):
        return
    of_name = {c.name: c for c in candidates if c.usable}
    for larger, smaller in nested.items():
        if larger in of_name and smaller in of_name:
            m, k = of_name[larger].n_params, of_name[smaller].n_params
            if k >= m:
                raise ValueError(
                    "`nested` must lead from the larger model to the smaller. Got "
                    f"{larger!r} with {m} parameters to {smaller!r} with {k}."
                )


def _title(model: Any) -> str:
    return " ".join(repr(model).split())


# One model --------------------------------------------------------------------------------------


def _fit(
    name: str, model: Any, X: Any, y: Any, target: FloatArray, errors: dict[str, Any]
) -> _Candidate:
    """Return the fit of a model; what goes wrong becomes its status."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            fitted = fit_with_errors(model, X, y, errors)
            values = np.asarray(fitted.predict(X), dtype=np.float64)
        except _FAILURES as failure:
            return _Candidate(name, status=f"{type(failure).__name__}: {failure}")
    final = last_step(fitted)
    if not hasattr(final, "dof_"):
        return _Candidate(name, status="It does not publish chi2_ and dof_, as fits of sklsq do.")
    sigma = 1.0 if errors["sigma"] is None else np.asarray(errors["sigma"], dtype=np.float64)
    squares = float(np.square((target - values) / sigma).sum())
    priors = getattr(final, "priors", None) or {}
    chi2, dof = float(final.chi2_), int(final.dof_)
    n_params = len(target) + len(priors) - dof
    status = [str(warning.message) for warning in caught]
    usable = bool(getattr(final, "converged_", True)) and np.isfinite(chi2)
    rounding = _ROUNDING * float(np.square(target / sigma).sum())
    differs = not priors and abs(chi2 - squares) > _SAME_CHI2 * max(chi2, squares) + rounding
    if usable and (differs or getattr(final, "loss", "linear") != "linear"):
        usable = False
        status.append(
            "It does not minimise the chi2 of all y alone (errors in x, a robust loss, points left "
            "out, a transformed y): it cannot be compared with the others."
        )
    absolute = bool(final.absolute_sigma_)
    sentence = " ".join(dict.fromkeys(status)) or "ok"
    return _Candidate(name, fitted, chi2, dof, n_params, absolute, sentence, usable, rounding)


def _row(candidate: _Candidate, known: bool) -> dict[str, Any]:
    """Return what the criteria say of a model."""
    names = ("chi2", "dof", "n_params", "reduced_chi2", "p_value", "AIC", "AICc", "BIC")
    row: dict[str, Any] = dict.fromkeys(names, np.nan)
    if candidate.fitted is None:
        return row
    chi2, dof, m = candidate.chi2, candidate.dof, candidate.n_params
    row |= {"dof": dof, "n_params": m}
    if not candidate.usable:
        return row
    row["chi2"] = chi2
    if dof > 0:
        row["reduced_chi2"] = chi2 / dof
        row["p_value"] = float(chdtrc(dof, chi2)) if known else np.nan
    n_terms = dof + m  # data, and priors
    k = m if known else m + 1
    with np.errstate(divide="ignore"):
        # Which of two roundings is smaller says nothing of the models.
        squares = chi2 if chi2 > candidate.rounding else 0.0
        misfit = chi2 if known else n_terms * float(np.log(squares / n_terms))
    row["AIC"] = misfit + 2.0 * k
    row["BIC"] = misfit + k * float(np.log(n_terms))
    row["AICc"] = row["AIC"]
    if not known:
        few = 2.0 * k * (k + 1) / (n_terms - k - 1) if n_terms > k + 1 else np.inf
        row["AICc"] += few
    return row


def _loo_chi2(candidate: _Candidate, X: Any, y: Any, errors: dict[str, Any]) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            frame = leave_one_out(candidate.fitted, X, y, **errors)
        except _FAILURES:
            return float("nan")
    return float(frame.attrs["loo_chi2"])


def _cv_chi2(
    candidate: _Candidate, X: Any, target: FloatArray, errors: dict[str, Any], cv: Any
) -> float:
    """Return the sum over the folds of squared whitened residuals of what was left out."""
    total = 0.0
    for train, test in check_cv(cv).split(X, target):
        try:
            fitted = fit_quietly(candidate.fitted, X, target, errors, train)
            values = predict_quietly(fitted, take(X, test, len(target)))
        except _FAILURES:
            return float("nan")
        sigma = 1.0 if errors["sigma"] is None else take(errors["sigma"], test, len(target))
        residuals = (target[test] - values) / np.asarray(sigma, dtype=np.float64)
        total += float(np.square(residuals).sum())
    return total


# Tests ------------------------------------------------------------------------------------------


def _test(
    candidate: _Candidate,
    candidates: list[_Candidate],
    X: Any,
    errors: dict[str, Any],
    known: bool,
    nested: bool | Mapping[str, str] | None,
) -> dict[str, Any]:
    """Return the test against the largest model that this one contains."""
    nothing = {"against": None, "delta_chi2": np.nan, "p_extra": np.nan}
    if not candidate.usable or nested is False:
        return nothing
    smaller = [c for c in candidates if c.usable and c.n_params < candidate.n_params]
    for other in sorted(smaller, key=lambda c: -c.n_params):
        if isinstance(nested, Mapping):
            contains = nested.get(candidate.name) == other.name
        else:
            contains = nested or is_nested(other.fitted, candidate.fitted, X, errors["sigma"])
        if not contains:
            continue
        fall = other.chi2 - candidate.chi2
        extra = candidate.n_params - other.n_params
        if fall < -_SAME_CHI2 * other.chi2 - candidate.rounding:
            continue  # a model that contains another cannot fit worse: it does not, or is lost
        fall = max(fall, 0.0)
        return {
            "against": other.name,
            "delta_chi2": fall,
            "p_extra": _p_extra(fall, extra, candidate, known),
        }
    return nothing


def _p_extra(fall: float, extra: int, candidate: _Candidate, known: bool) -> float:
    if known:
        return float(chdtrc(extra, fall))
    if candidate.dof <= 0 or candidate.chi2 <= candidate.rounding >= fall:
        return float("nan")
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.float64(fall / extra) / (candidate.chi2 / candidate.dof)
    return float(fdtrc(extra, candidate.dof, ratio))


# The table --------------------------------------------------------------------------------------


def _frame(named: list[tuple[str, Any]], rows: list[dict[str, Any]], known: bool) -> pd.DataFrame:
    import pandas as pd

    index = pd.Index([name for name, _ in named], name="model")
    frame = pd.DataFrame(rows, index=index)
    for name in ("dof", "n_params"):
        frame[name] = frame[name].astype("Int64")
    best = frame["AICc"].min()
    if np.isfinite(best):
        delta = frame["AICc"] - best
    else:  # an exact fit, or no model with data to spare
        delta = (frame["AICc"] != best).astype(float).where(frame["AICc"].notna()) * np.inf
        delta = delta.where(frame["AICc"] != best, 0.0).where(frame["AICc"].notna())
    likelihood = np.exp(-0.5 * delta)
    place = list(frame.columns).index("BIC") + 1
    frame.insert(place, "delta", delta)
    frame.insert(place + 1, "weight", likelihood / likelihood.sum())
    for name in ("loo_chi2", "cv_chi2"):
        if name in frame:
            frame.insert(list(frame.columns).index("against"), name, frame.pop(name))
    frame = frame.sort_values(["AICc", "n_params"], kind="stable", na_position="last")
    frame.attrs["verdict"] = verdict(frame, known)
    return frame
