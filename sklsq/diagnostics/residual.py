"""The residuals of a fit, looked at as a colleague would: test by test, and all together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import chdtri

from sklsq._typing import BoolArray, IntArray
from sklsq.diagnostics.findings import (
    find_leverage,
    find_non_normality,
    find_outliers,
    find_size,
    find_spread,
    find_structure,
    studentize,
)
from sklsq.diagnostics.fitted_rows import FittedRows, rows_of_fit
from sklsq.diagnostics.outliers import OutlierTest
from sklsq.diagnostics.report import Finding, ResidualReport, Verdict, holm
from sklsq.inference.fitted_values import last_step, row_labels
from sklsq.inference.residuals import Residuals

__all__ = ["residual_diagnostics"]

_ONE_SIGMA = 0.158655253931457  # of the normal distribution beyond +1


def residual_diagnostics(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    sigma: Any = None,
    sample_weight: Any = None,
    sigma_x: Any = None,
    corr_xy: Any = None,
    target: int = 0,
    order: Any = None,
    level: float = 0.05,
) -> ResidualReport:
    """Test what the residuals of a fit should be: independent, without trend, of the stated size.

    The p-values allow for the parameters that were fitted to the same data: exactly, or by
    moments that are exact, for models linear in their parameters; to first order for others. Of
    sound fits with Gaussian errors 5 % fall below 0.05 in each test.

    ==================== ===========================================================================
    ``chi2``             χ² against its degrees of freedom, too large *or* too small (needs σ)
    ``runs``             Wald and Wolfowitz: too few runs of equal sign, or too many
    ``autocorrelation``  Durbin and Watson: do neighbours resemble each other?
    ``trend <feature>``  would higher powers of a feature describe what is left? With several
                         features also ``trend fitted``, higher powers of the fitted values
    ``normality``        Anderson and Darling: tails, asymmetry
    ``spread``           Breusch and Pagan, studentised by Koenker: does the scatter depend on the
                         features or the fitted values?
    ``outliers``         the farthest point, among so many (externally studentised, Šidák)
    ``leverage``         points that fix their own fitted value; not a test
    ==================== ===========================================================================

    Parameters
    ----------
    estimator : fitted estimator
        Of sklsq, also in a pipeline or a search; scikit-learn's `LinearRegression`; any other
        regressor, with less exact p-values, as a remark says.
    X : array_like of shape (n, p)
        Features that the estimator was fitted to.
    y : array_like of shape (n,) or (n, t)
        Measured values that it was fitted to; rows that are NaN, and points that the fit rejected
        (`SigmaClippedRegressor`), are left out.
    sigma : float or array_like of shape (n,), (n, t) or (n, n), optional
        Standard deviations of y, or its covariance, as in the fit. Without them, or if the fit took
        them as relative, the scatter sets the scale, and χ² says nothing.
    sample_weight : float or array_like of shape (n,) or (n, t), optional
        The other spelling, 1/σ², as in the fit; rows of weight zero are left out.
    sigma_x : float or array_like of shape (1, p), (n,) or (n, p), optional
        Standard deviations of the features, as in the fit.
    corr_xy : float or array_like of shape (n,), optional
        Correlation of the errors of x and y.
    target : int, default=0
        Which column of a two-dimensional y; one report is on one target.
    order : None, "rows", str or array_like of shape (n,), optional
        What makes points neighbours, for ``runs`` and ``autocorrelation``: the order of the rows, a
        feature by its name, or any values, such as the time of the measurement. Default: the
        feature or, if there are several, the fitted values.
    level : float, default=0.05
        Level of the verdicts, for each test and for all of them together.

    Returns
    -------
    report : ResidualReport
        Prints as one line a test. ``report.ok``, ``report.suspects``, ``report.runs.p_value``,
        ``report.outliers``, ``report.to_frame()``.

    Raises
    ------
    ValueError
        If the fit was weighted and `sigma` is missing, or the other way round; if `sigma` and
        `sample_weight` are both given; if `order` is no
        feature and has not one value a row; if `level` is not between 0 and 1.

    Examples
    --------
    >>> from sklsq import WeightedLinearFit, residual_diagnostics
    >>> from sklsq.datasets import load_pion_plus
    >>> data = load_pion_plus()
    >>> line = WeightedLinearFit().fit(data.X, data.y_values, sigma=data.sigma_values)
    >>> report = residual_diagnostics(line, data.X, data.y_values, sigma=data.sigma_values)
    >>> report.suspects
    ['trend inverse_energy', 'autocorrelation']
    >>> round(report.chi2.p_value, 4), report.chi2.verdict
    (0.01, 'borderline')
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"`level` must lie between 0 and 1. Got {level!r}.")
    rows, residuals, usable = rows_of_fit(
        estimator,
        X,
        y,
        sigma=sigma,
        sample_weight=sample_weight,
        sigma_x=sigma_x,
        corr_xy=corr_xy,
        target=target,
    )
    sequence, in_order = _sequence(rows, order, usable)
    structure = find_structure(rows, sequence, in_order)
    outliers = studentize(rows)
    table = _table(residuals, rows, usable, outliers, row_labels(y, X))
    findings = {
        "chi2": find_size(rows, sigma_given=sigma is not None or sample_weight is not None),
        **structure,
        "normality": find_non_normality(rows),
        "spread": find_spread(rows),
        "outliers": find_outliers(rows, outliers, table),
        "leverage": find_leverage(rows, table),
    }
    judged = _judged(findings, level)
    if judged["chi2"].verdict in ("look", "borderline"):
        judged["chi2"] = _with_reason(judged, rows)
    scale, interval = _scale(rows)
    return ResidualReport(
        title=f"Residuals of {last_step(estimator)!r}",
        subtitle=_subtitle(rows, usable, scale, interval),
        findings=judged,
        table=table,
        sigma_scale=scale,
        sigma_scale_interval=interval,
        sigma_known=rows.known,
        level=level,
        remarks=rows.remarks,
    )


def _sequence(rows: FittedRows, order: Any, usable: BoolArray) -> tuple[IntArray, str]:
    """Return the order of the rows in which neighbours are compared, and its name."""
    n_samples = len(rows.residual)
    if order is None:
        single = rows.features.shape[1] == 1
        values = rows.features[:, 0] if single else rows.fitted
        return np.argsort(values, kind="stable"), (
            rows.feature_names[0] if single else "fitted values"
        )
    if isinstance(order, str):
        if order in rows.feature_names:
            values = rows.features[:, rows.feature_names.index(order)]
            return np.argsort(values, kind="stable"), order
        if order == "rows":
            return np.arange(n_samples), "rows"
        raise ValueError(
            f'`order` must be "rows", one of {rows.feature_names}, or one value a row. Got '
            f"{order!r}."
        )
    given = np.asarray(order)
    if given.shape != usable.shape:
        raise ValueError(
            f"`order` must have one value for each of the {len(usable)} rows. Got shape "
            f"{given.shape}."
        )
    missing = np.flatnonzero(usable & pd.isna(given))
    if missing.size:
        raise ValueError(
            f"`order` must have one value for each row. Got {given[missing[0]]} in row "
            f"{missing[0]}."
        )
    return np.argsort(given[usable], kind="stable"), getattr(order, "name", None) or "order given"


def _judged(findings: dict[str, Finding], level: float) -> dict[str, Finding]:
    """Return the findings with their verdicts, which allow for the number of tests."""
    p_values = np.array([finding.p_value for finding in findings.values()])
    judged = {}
    for (name, finding), adjusted in zip(findings.items(), holm(p_values), strict=True):
        verdict: Verdict = finding.verdict
        if np.isfinite(finding.p_value):
            verdict = "ok" if finding.p_value >= level else "borderline"
            verdict = "look" if adjusted < level else verdict
        sentence = "" if verdict == "ok" else finding.sentence
        judged[name] = replace(
            finding, verdict=verdict, adjusted_p_value=float(adjusted), sentence=sentence
        )
    return judged


def _with_reason(findings: dict[str, Finding], rows: FittedRows) -> Finding:
    """Return the finding on χ² with the reading that the other tests leave."""
    finding = findings["chi2"]
    factor = float(np.sqrt(finding.statistic / rows.dof))
    structure = [
        name
        for name, other in findings.items()
        if other.verdict == "look" and name not in ("chi2", "normality", "spread", "outliers")
    ]
    if finding.sentence == "too small":
        reason = (
            f"the scatter is {factor:.2g} times sigma. Either sigma is too large (a maximum error, "
            "or one that all points share?), or the points are not independent (smoothed?)."
        )
    elif structure:
        reason = (
            "the model leaves out what the tests below find. Amend it first; sigma may be right."
        )
    elif findings["outliers"].verdict == "look":
        reason = "see the outliers below; without them it may be right."
    else:
        reason = (
            f"the scatter is {factor:.2g} times sigma, without structure. Sigma is likely too "
            "small by that factor: find the missing error, or scale with absolute_sigma=False."
        )
    return replace(finding, sentence=f"{finding.sentence}: {reason}")


def _table(
    residuals: Residuals,
    rows: FittedRows,
    usable: BoolArray,
    outliers: OutlierTest | None,
    index: Any,
) -> pd.DataFrame:
    """Return residuals with what is known of each point, a row each."""
    table = residuals.frame(index)
    values = np.full((len(table), 3), np.nan)
    if outliers is not None:
        place = np.flatnonzero(usable)[rows.free]
        expected = len(outliers.tail) * outliers.tail
        values[place] = np.column_stack([outliers.studentized, outliers.tail, expected])
    return table.assign(studentized=values[:, 0], tail=values[:, 1], expected=values[:, 2])


# The head of the report --------------------------------------------------------------------------


def _scale(rows: FittedRows) -> tuple[float, tuple[float, float]]:
    """Return the factor on σ that the scatter implies, with its interval of 68 %."""
    nan = float("nan")
    if rows.dof < 1.0:
        return nan, (nan, nan)
    # Where σ is unknown, residuals are in units of the scatter and the factor is the scatter.
    unit = 1.0 if rows.known else _only_sigma(rows)
    chi2 = float(rows.residual @ rows.residual)
    low, high = (
        unit * float(np.sqrt(chi2 / chdtri(rows.dof, tail)))
        for tail in (_ONE_SIGMA, 1.0 - _ONE_SIGMA)
    )
    return unit * float(np.sqrt(chi2 / rows.dof)), (low, high)


def _only_sigma(rows: FittedRows) -> float:
    """Return the standard deviation of all points; one if they differ."""
    inverse = rows.inverse_sigma
    return 1.0 / float(inverse[0]) if np.ptp(inverse) == 0.0 else 1.0


def _subtitle(
    rows: FittedRows, usable: BoolArray, scale: float, interval: tuple[float, float]
) -> str:
    n_samples, dof = len(rows.residual), max(rows.dof, 0.0)
    left_out = f" ({len(usable) - n_samples} left out)" if n_samples < len(usable) else ""
    points = f"{n_samples} point{'' if n_samples == 1 else 's'}{left_out}"
    counts = f"{points}, {dof:.0f} degree{'' if dof == 1.0 else 's'} of freedom"
    if rows.dof < 1.0:
        return f"{counts}; the data cannot contradict the model."
    span = _span(scale, interval)
    if rows.known:
        return f"{counts}; the scatter is {span} times sigma."
    if np.ptp(rows.inverse_sigma) == 0.0:
        return f"{counts}; sigma unknown, the scatter implies {span} for every point."
    return f"{counts}; only ratios of sigma are known, the scatter sets its size."


def _span(value: float, interval: tuple[float, float]) -> str:
    """Return a value and its interval, with two digits of the width of the interval."""
    width = interval[1] - interval[0]
    if not width > 0.0:
        return f"{value:.3g}"
    digits = max(int(np.floor(np.log10(value)) - np.floor(np.log10(width))) + 2, 2)
    return f"{value:.{digits}g} ({interval[0]:.{digits}g} to {interval[1]:.{digits}g})"
