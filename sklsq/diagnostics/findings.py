"""One finding a test: the statistic, the p-value, and what to do if it is small.

The sentences say what was seen, what may be behind it, and a remedy, in that order.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.special import chdtr, chdtrc

from sklsq._typing import FloatArray, IntArray
from sklsq.diagnostics.fitted_rows import FittedRows
from sklsq.diagnostics.normality import normality_test
from sklsq.diagnostics.outliers import OutlierTest, outlier_test
from sklsq.diagnostics.report import Finding, Verdict
from sklsq.diagnostics.serial import durbin_watson_test, runs_test
from sklsq.diagnostics.spread import spread_test
from sklsq.diagnostics.trend import new_directions, trend_test

__all__ = [
    "find_leverage",
    "find_non_normality",
    "find_outliers",
    "find_size",
    "find_spread",
    "find_structure",
    "studentize",
]

_FEWEST_POINTS = 8
_FEWEST_POINTS_SPREAD = 10
_FEWEST_DOF = 4.0
_FEWEST_DOF_OUTLIERS = 3.0
_HIGH_LEVERAGE = 0.5  # the point counts as much in its fitted value as all others together
_TIMES_MEAN_LEVERAGE = 3.0
_FIXES_ITSELF = 0.99
_POINTS_PER_COLUMN = 10  # of the test of the spread
_LISTED = 3
_SKEWED = 0.5
_TAILS_OF_SKEWED = 3.0  # excess kurtosis over squared skewness; 1.5 for gamma distributions
_RAREST = 1e-99
_NOT_MADE = Finding("", float("nan"), float("nan"), "", "", "not applicable")


def _too_few(rows: FittedRows, fewest: int = _FEWEST_POINTS) -> str:
    """Return why there are too few points for tests of structure; empty if there are enough."""
    n_free = int(rows.free.sum())
    if rows.dof < _FEWEST_DOF:
        return f"needs {_FEWEST_DOF:.0f} degrees of freedom, has {max(rows.dof, 0.0):.0f}"
    if n_free < fewest:
        return f"needs {fewest} points that do not fix their own value, has {n_free}"
    if not rows.residual.any():
        return "all residuals are zero"
    return ""


def find_size(rows: FittedRows, *, sigma_given: bool) -> Finding:
    """Return χ², read both ways; the reason is added when all other tests have spoken."""
    name = "size, χ²"
    if not rows.known:
        taken = "relative" if sigma_given else "unknown"
        return replace(_NOT_MADE, name=name, sentence=f"sigma is {taken}: the scatter sets it")
    if rows.dof < 1.0:
        return replace(_NOT_MADE, name=name, sentence="no degrees of freedom")
    chi2 = float(rows.residual @ rows.residual)
    above, below = float(chdtrc(rows.dof, chi2)), float(chdtr(rows.dof, chi2))
    return Finding(
        name,
        chi2,
        min(2.0 * min(above, below), 1.0),
        "too large" if above < below else "too small",
        f"χ²/dof = {chi2:.4g}/{rows.dof:.0f}",
    )


def find_structure(rows: FittedRows, sequence: IntArray, in_order: str) -> dict[str, Finding]:
    """Return the findings on neighbours and trends."""
    quantities = [
        ("trend " + name, f"trend, {name}", column)
        for name, column in zip(rows.feature_names, rows.features.T, strict=True)
    ]
    if rows.features.shape[1] > 1:
        quantities.append(("trend fitted", "trend, fitted", rows.fitted))
    too_few = _too_few(rows)
    if too_few:
        missing = replace(_NOT_MADE, sentence=too_few)
        names = [("runs", "runs of sign"), ("autocorrelation", "neighbours")]
        names += [(key, name) for key, name, _ in quantities]
        return {key: replace(missing, name=name) for key, name in names}
    ordered = rows.take(sequence)
    ordered = ordered.take(ordered.free)
    found = {"runs": _runs(ordered, in_order), "autocorrelation": _neighbours(ordered, in_order)}
    return found | {key: _trend(rows, name, column) for key, name, column in quantities}


def _runs(ordered: FittedRows, in_order: str) -> Finding:
    runs = runs_test(ordered.residual, ordered.root)
    fewer = runs.statistic < runs.expected
    sentence = (
        f"points next to each other in the order of {in_order} lie on the same side: plot the "
        "residuals and add what the model lacks; if it lacks nothing, the errors are correlated."
        if fewer
        else f"signs alternate in the order of {in_order} more than independent errors do: is "
        "something subtracted between neighbours, or the model too flexible?"
    )
    shown = f"{runs.statistic:.0f}, expected {runs.expected:.1f}"
    return Finding("runs of sign", runs.statistic, runs.p_value, sentence, shown)


def _neighbours(ordered: FittedRows, in_order: str) -> Finding:
    ratio = durbin_watson_test(ordered.residual, ordered.root)
    like = ratio.statistic < ratio.expected
    sentence = (
        f"neighbours in the order of {in_order} resemble each other. The model lacks a bend or a "
        "wave, or the errors are correlated; then parameter errors are too small: fit with their "
        "covariance as sigma."
        if like
        else f"neighbours in the order of {in_order} oppose each other: are differences, or an "
        "overfitted model, behind the data?"
    )
    shown = f"DW {ratio.statistic:.3f}, exp. {ratio.expected:.2f}"
    return Finding("neighbours", ratio.statistic, ratio.p_value, sentence, shown)


def _trend(rows: FittedRows, name: str, quantity: FloatArray) -> Finding:
    columns = new_directions(quantity, rows.inverse_sigma, rows.root)
    test = trend_test(rows.residual, rows.root, columns, rows.dof)
    if test.n_directions == 0:
        reason = "the model already follows whatever depends on it, at these values"
        return replace(_NOT_MADE, name=name, sentence=reason)
    what = name.removeprefix("trend, ")
    sentence = f"the pulls follow {what}: add a term in {what}, of higher order than the model has."
    if what == "fitted":
        sentence = (
            "the pulls follow the fitted values: products or powers of the features are missing, "
            "or y is to be transformed."
        )
    shown = f"F({test.n_directions}, {rows.dof - test.n_directions:.0f}) = {test.statistic:.3g}"
    return Finding(name, test.statistic, test.p_value, sentence, shown)


def find_non_normality(rows: FittedRows) -> Finding:
    """Return the finding on the distribution of the residuals."""
    name, too_few = "normality", _too_few(rows)
    if too_few:
        return replace(_NOT_MADE, name=name, sentence=too_few)
    test = normality_test(rows.take(rows.free).standardized)
    if abs(test.skewness) > _SKEWED and test.skewness**2 > test.kurtosis / _TAILS_OF_SKEWED:
        side = "high" if test.skewness > 0.0 else "low"
        sentence = (
            f"more pulls far out on the {side} side (skewness {test.skewness:+.2g}): are the "
            "errors asymmetric, as counts or logarithms are?"
        )
    elif test.kurtosis > 0.0:
        sentence = (
            f"long tails (excess kurtosis {test.kurtosis:+.2g}): a few bad points, or errors of "
            "several sizes. Give each point its sigma, clip, or fit with a robust loss."
        )
    else:
        sentence = (
            f"no tails (excess kurtosis {test.kurtosis:+.2g}): rounded or clipped values, or a "
            "wave that the model does not follow?"
        )
    return Finding(name, test.statistic, test.p_value, sentence, f"A² = {test.statistic:.3g}")


def find_spread(rows: FittedRows) -> Finding:
    """Return the finding on the size of the residuals along features and fitted values."""
    name, too_few = "equal spread", _too_few(rows, _FEWEST_POINTS_SPREAD)
    if too_few:
        return replace(_NOT_MADE, name=name, sentence=too_few)
    free = rows.take(rows.free)
    names, columns = [*rows.feature_names, "the fitted values"], [*free.features.T, free.fitted]
    if len(columns) * _POINTS_PER_COLUMN > len(free.residual):
        only = slice(0, 1) if rows.features.shape[1] == 1 else slice(-1, None)
        names, columns = names[only], columns[only]
    test = spread_test(free.standardized, free.root, np.column_stack(columns))
    if not test.n_directions:
        reason = "features and fitted values do not vary, or all residuals are of one size"
        return replace(_NOT_MADE, name=name, sentence=reason)
    square = free.standardized**2
    slopes = [
        round(float(np.corrcoef(column, square)[0, 1]), 6) if np.ptp(column) > 0.0 else 0.0
        for column in columns
    ]
    strongest = int(np.argmax(np.abs(slopes)))
    remedy = (
        "sigma does not follow the scatter: revise how it was estimated."
        if rows.known or np.ptp(rows.inverse_sigma) > 0.0
        else "fit with a sigma for each point (or relative ones, absolute_sigma=False)."
    )
    way = "grows" if slopes[strongest] > 0.0 else "falls"
    sentence = f"the scatter {way} with {names[strongest]}: {remedy}"
    shown = f"LM({test.n_directions}) = {test.statistic:.3g}"
    return Finding(name, test.statistic, test.p_value, sentence, shown)


def studentize(rows: FittedRows) -> OutlierTest | None:
    """Return the test of the rows that are free; None if it cannot be made."""
    squares = float(rows.residual @ rows.residual)
    if rows.dof < _FEWEST_DOF_OUTLIERS or squares == 0.0 or not rows.free.any():
        return None
    return outlier_test(rows.take(rows.free).standardized, squares, rows.dof)


def find_outliers(rows: FittedRows, test: OutlierTest | None, table: pd.DataFrame) -> Finding:
    """Return the finding on the farthest point."""
    title = "outliers"
    if test is None:
        reason = f"needs {_FEWEST_DOF_OUTLIERS:.0f} degrees of freedom"
        if rows.dof >= _FEWEST_DOF_OUTLIERS:
            reason = "no residual is free to differ from zero, or all are zero"
        return replace(_NOT_MADE, name=title, sentence=reason)
    far = table.sort_values("tail").query("expected < 0.05").head(_LISTED)
    columns = (far[name].to_numpy() for name in ("pull", "tail", "expected"))
    listed = "; ".join(
        f"row {label} with a pull of {pull:+.3g}, {_rarity(tail)} "
        f"({expected:.1g} expected among {len(test.tail)})"
        for label, pull, tail, expected in zip(far.index, *columns, strict=True)
    )
    sentence = (
        f"{listed}. Look up what happened there; do not reject on this alone. "
        "SigmaClippedRegressor refits without."
    )
    largest = float(test.studentized[np.argmin(test.tail)])
    return Finding(title, largest, test.p_value, sentence, f"largest t = {largest:+.3g}")


def _rarity(tail: float) -> str:
    return f"one in {1.0 / tail:.2g}" if tail > _RAREST else f"less than one in {1.0 / _RAREST:g}"


def find_leverage(rows: FittedRows, table: pd.DataFrame) -> Finding:
    """Return what is to be known of points that fix their own fitted value."""
    name, leverage = "leverage", table["leverage"].to_numpy()
    known = np.isfinite(leverage)
    if not known.any():
        reason = "the errors of the predictions are not known"
        return replace(_NOT_MADE, name=name, sentence=reason)
    mean = float(leverage[known].mean())
    threshold = min(max(_HIGH_LEVERAGE, _TIMES_MEAN_LEVERAGE * mean), _FIXES_ITSELF)
    high = np.flatnonzero(known & (np.nan_to_num(leverage) > threshold))
    high = high[np.argsort(-leverage[high])]
    largest = float(leverage[known].max())
    labels = ", ".join(f"{table.index[row]} ({leverage[row]:.2f})" for row in high[:_LISTED])
    more = f" and {len(high) - _LISTED} more" if len(high) > _LISTED else ""
    sentence = (
        f"row {labels}{more}: such a point fixes its own fitted value, and no test sees if it is "
        "wrong. Measure near it."
    )
    shown = f"largest {largest:.2g}, mean {mean:.2g}"
    verdict: Verdict = "note" if len(high) else "ok"
    return Finding(name, largest, float("nan"), sentence, shown, verdict)
