"""What each finding says, of rows made by hand."""

import numpy as np
import pandas as pd
import pytest

from sklsq.diagnostics.findings import (
    find_leverage,
    find_non_normality,
    find_outliers,
    find_size,
    find_spread,
    find_structure,
    studentize,
)
from sklsq.diagnostics.fitted_rows import FittedRows

N = 40
X = np.linspace(0.0, 1.0, N)


def rows(residual, *, known=True, features=X[:, None], names=("x",), dof=None, fitted=X):
    """Residuals of a fit without parameters."""
    residual = np.asarray(residual, dtype=np.float64)
    n = len(residual)
    dof = float(n) if dof is None else dof
    unit = np.ones(n)
    return FittedRows(
        residual, np.empty((n, 0)), unit, features[:n], list(names), fitted[:n], dof, known, []
    )


NOISE = np.random.default_rng(3).normal(size=N)


@pytest.mark.parametrize(("factor", "reading"), [(2.0, "too large"), (0.4, "too small")])
def test_size(factor, reading):
    finding = find_size(rows(factor * NOISE), sigma_given=True)
    assert finding.sentence == reading
    assert finding.statistic == pytest.approx(factor**2 * NOISE @ NOISE)
    assert finding.p_value < 1e-4


def test_size_needs_sigma_and_degrees_of_freedom():
    for given, word in ((True, "relative"), (False, "unknown")):
        finding = find_size(rows(NOISE, known=False), sigma_given=given)
        assert finding.verdict == "not applicable"
        assert word in finding.sentence
    assert find_size(rows(NOISE, dof=0.0), sigma_given=True).sentence == "no degrees of freedom"


def test_structure_of_one_feature():
    found = find_structure(rows(NOISE + 4.0 * (X - 0.5)), np.arange(N), "x")
    assert list(found) == ["runs", "autocorrelation", "trend x"]
    assert found["trend x"].p_value < 1e-6
    assert found["trend x"].shown.startswith("F(2, 38) = ")
    assert "add a term in x" in found["trend x"].sentence


def test_structure_of_alternating_residuals():
    signs = np.where(np.arange(N) % 2, 1.0, -1.0)
    found = find_structure(rows(signs), np.arange(N), "time")
    assert "signs alternate in the order of time" in found["runs"].sentence
    assert "oppose each other" in found["autocorrelation"].sentence


def test_structure_of_too_few_points():
    found = find_structure(rows(NOISE[:7]), np.arange(7), "x")
    assert {finding.verdict for finding in found.values()} == {"not applicable"}
    assert "needs 8 points" in found["trend x"].sentence


@pytest.mark.parametrize(
    ("residual", "words"),
    [
        (np.exp(NOISE), "on the high side"),
        (-np.exp(NOISE), "on the low side"),
        (NOISE**3, "long tails"),
        (np.where(np.arange(N) % 2, 1.0, -1.0) + 1e-3 * NOISE, "no tails"),
    ],
)
def test_normality(residual, words):
    finding = find_non_normality(rows(residual))
    assert words in finding.sentence
    assert finding.p_value < 0.01


@pytest.mark.parametrize("known", [True, False])
def test_spread(known):
    finding = find_spread(rows(NOISE * X, known=known))
    assert finding.sentence.startswith("the scatter grows with x: ")
    assert ("revise" in finding.sentence) == known
    assert finding.shown.startswith("LM(1)")
    assert "falls with x" in find_spread(rows(NOISE * X[::-1])).sentence


def test_spread_along_the_fitted_values():
    peak = np.exp(-((X - 0.5) ** 2) / 0.02)
    finding = find_spread(rows(NOISE * (0.1 + peak), fitted=peak))
    assert finding.sentence.startswith("the scatter grows with the fitted values")
    assert finding.p_value < 0.05


def test_spread_of_many_features_is_tested_along_the_fitted_values():
    features = np.random.default_rng(0).normal(size=(N, 6))
    finding = find_spread(rows(NOISE, features=features, names=tuple("abcdef")))
    assert finding.shown.startswith("LM(1)")
    assert "with the fitted values" in finding.sentence


def test_outliers_are_described():
    residual = NOISE.copy()
    residual[11] = -9.0
    these = rows(residual)
    test = studentize(these)
    table = pd.DataFrame({"pull": residual, "tail": test.tail, "expected": N * test.tail})
    table.index = [f"run {k}" for k in range(N)]
    finding = find_outliers(these, test, table)
    assert finding.statistic == test.studentized[11]
    assert finding.sentence.startswith("row run 11 with a pull of -9, one in ")
    assert "expected among 40" in finding.sentence


def test_outliers_need_degrees_of_freedom():
    few = rows(NOISE, dof=2.0)
    assert studentize(few) is None
    finding = find_outliers(few, None, pd.DataFrame())
    assert finding.verdict == "not applicable"


def test_leverage_is_noted():
    leverage = np.append(np.full(9, 0.1), 0.97)
    finding = find_leverage(rows(NOISE[:10]), pd.DataFrame({"leverage": leverage}))
    assert finding.verdict == "note"
    assert finding.sentence.startswith("row 9 (0.97)")
    even = find_leverage(rows(NOISE[:10]), pd.DataFrame({"leverage": np.full(10, 0.6)}))
    assert even.verdict == "ok"
    unknown = find_leverage(rows(NOISE[:10]), pd.DataFrame({"leverage": np.full(10, np.nan)}))
    assert unknown.verdict == "not applicable"
