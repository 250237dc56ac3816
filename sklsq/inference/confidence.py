r"""Confidence intervals of the parameters of a fit, by three methods.

* *wald*: estimate ± quantile times standard error; right where χ² is a parabola.
* *profile*: the values at which χ², minimised over all other parameters, has risen by the square of
  the quantile (times the reduced χ² where errors are scaled). One standard error is the rise by 1.
  It follows a curved χ² surface, does not depend on how the model is parametrised, and is exactly
  the first for linear models (Glover, Jenkins & Doney, *Modeling Methods for Marine Science*,
  3.4.2; Bates & Watts, *Nonlinear Regression Analysis and Its Applications*, 1988, 6.1).
* *bootstrap*: from the scatter of the estimates when the data are drawn anew.

The quantile is normal for absolute errors, Student's where they are scaled by the scatter.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from sklsq.exceptions import BoundWarning, warn_caller
from sklsq.inference.bootstrap import bootstrap
from sklsq.inference.profile import ProfiledChi2, about_lowest
from sklsq.inference.refitting import RepeatableFit, check_level, fit_to

__all__ = ["confidence_intervals"]

_METHODS = ("wald", "profile", "bootstrap")
_INTERVALS = ("bca", "percentile")


def confidence_intervals(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    sigma: Any = None,
    sigma_x: Any = None,
    corr_xy: Any = None,
    method: Literal["wald", "profile", "bootstrap"] = "wald",
    level: float = 0.6827,
    kind: Literal["auto", "parametric", "residual", "pairs"] = "auto",
    interval: Literal["bca", "percentile"] = "bca",
    n_resamples: int = 2000,
    random_state: Any = None,
) -> pd.DataFrame:
    """Return confidence intervals of all parameters.

    Parameters
    ----------
    estimator : estimator of sklsq
        Fitted or not; a clone is fitted to the data. A fitted `NonlinearLSQ` gives its parameters
        as the start. Of a pipeline the last step is meant, the others are fitted once; of a search
        its best estimator.
    X : array_like of shape (n, p)
        Features.
    y : array_like of shape (n,)
        Measured values, one target.
    sigma, sigma_x, corr_xy : optional
        Their errors, in any form that `estimator.fit` takes.
    method : {"wald", "profile", "bootstrap"}, default="wald"
        Standard errors; the profile of χ²; data drawn anew. For linear models the first two are the
        same.
    level : float, default=0.6827
        Probability that an interval holds the parameter, in (0, 1).
    kind : {"auto", "parametric", "residual", "pairs"}, default="auto"
        What the bootstrap draws: normal errors of size sigma; residuals; whole rows. "auto" is the
        first for absolute errors, the second for scaled ones, the third where x has errors that are
        not known.
    interval : {"bca", "percentile"}, default="bca"
        Of the bootstrap: bias-corrected and accelerated, or plain quantiles.
    n_resamples : int, default=2000
        Replicates of the bootstrap; from another seed its ends come out different by 0.03 standard
        errors at the default level, by 0.06 at 0.95.
    random_state : int, RandomState, Generator or None, default=None
        Seed of the bootstrap; None is as good as 0: results are repeatable.

    Returns
    -------
    DataFrame
        `estimate`, `lower` and `upper`, indexed by `parameter`. An end is infinite where the data
        set no limit on that side: the profile never rises to the level, or the data do not
        determine the parameter at all. A fixed parameter has an interval of width zero. NaN where
        there is no standard error: at a bound (wald), or without degrees of freedom.

    Raises
    ------
    ValueError
        If an option is not as above, if y is not one-dimensional, or the method does not suit the
        estimator; the message names one that does. For a profile also if the fit has not converged.

    Warns
    -----
    BoundWarning
        If a profile met a bound before it rose to the level: the interval ends there.
    ConvergenceWarning
        If a lower minimum was found on the way (the intervals are then about that one), or many
        replicates have no minimum.

    Notes
    -----
    A profile takes about five fits for each end, of which `NonlinearLSQ` does several together; the
    bootstrap takes one batch of `n_resamples`. Both leave the steps of a pipeline before the last
    as they are.

    Examples
    --------
    >>> from sklsq import NonlinearLSQ, confidence_intervals
    >>> from sklsq.datasets import load_puromycin
    >>> data = load_puromycin()
    >>> treated = data.frame["state"] == "treated"
    >>> X, y = data.frame.loc[treated, ["concentration"]], data.frame.loc[treated, "rate"]
    >>> fit = NonlinearLSQ("Vm*concentration/(K + concentration)").fit(X, y)
    >>> confidence_intervals(fit, X, y, method="profile", level=0.95).round(4).T
    parameter        Vm       K
    estimate   212.6837  0.0641
    lower      197.3019  0.0469
    upper      229.2891  0.0862
    """
    for name, value, allowed in (
        ("method", method, _METHODS),
        ("interval", interval, _INTERVALS),
    ):
        if value not in allowed:
            raise ValueError(f"`{name}` must be one of {', '.join(allowed)}. Got {value!r}.")
    check_level(level)
    fit = fit_to(estimator, X, y, sigma=sigma, sigma_x=sigma_x, corr_xy=corr_xy)
    if method == "wald":
        half = fit.quantile(level) * fit.std
        return _table(fit, fit.params - half, fit.params + half)
    if method == "profile":
        return about_lowest(fit, lambda profile: _by_profile(profile, level))
    replicates = bootstrap(fit, kind=kind, n_resamples=n_resamples, random_state=random_state)
    return _table(fit, *replicates.interval(level, interval).T)


def _by_profile(profile: ProfiledChi2, level: float) -> pd.DataFrame:
    fit = profile.fit
    quantile = fit.quantile(level)
    lower, upper, ends = zip(
        *(profile.interval(j, quantile) for j in range(len(fit.names))), strict=True
    )
    bounded = [name for name, how in zip(fit.names, ends, strict=True) if "bound" in how]
    if bounded:
        warn_caller(
            f"The interval ends at a bound for {', '.join(bounded)}: chi2 does not rise to the "
            f"level {level:g} before it. Widen the bound if it is not a hard limit.",
            BoundWarning,
        )
    return _table(fit, lower, upper)


def _table(fit: RepeatableFit, lower: Any, upper: Any) -> pd.DataFrame:
    index = pd.Index(fit.names, name="parameter")
    columns = {"estimate": fit.params, "lower": np.asarray(lower), "upper": np.asarray(upper)}
    return pd.DataFrame(columns, index=index)
