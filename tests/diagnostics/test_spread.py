"""Koenker's test beside statsmodels, and its false alarms where few points are fitted."""

import numpy as np
import pytest
from statsmodels.stats.diagnostic import het_breuschpagan

from sklsq.diagnostics.spread import spread_test


def test_beside_statsmodels():
    """With nothing fitted the correction for it is none."""
    rng = np.random.default_rng(0)
    columns = rng.normal(size=(60, 2))
    e = rng.normal(size=60) * np.exp(0.3 * columns[:, 0])
    test = spread_test(e, np.empty((60, 0)), columns)
    statistic, p_value, _, _ = het_breuschpagan(e, np.column_stack([np.ones(60), columns]))
    np.testing.assert_allclose(test[:2], [statistic, p_value], rtol=1e-10)
    assert test.n_directions == 2


@pytest.mark.parametrize(("n", "degree"), [(15, 1), (15, 2), (15, 5), (60, 2)])
def test_false_alarms_are_not_too_many(n, degree):
    x = np.linspace(0.0, 1.0, n)
    root = np.linalg.qr(np.vander(x, degree + 1))[0]
    free = np.sqrt(1.0 - (root**2).sum(axis=1))
    z = np.random.default_rng(n + degree).normal(size=(2000, n))
    sets = (z - (z @ root) @ root.T) / free
    p = np.array([spread_test(e, root, x[:, None]).p_value for e in sets])
    assert (p < 0.05).mean() < 0.05 + 3.0 * np.sqrt(0.05 * 0.95 / 2000)
    if degree == 2:  # the uncorrected test, which the docstring compares
        lm = [n * np.corrcoef(x, e**2)[0, 1] ** 2 for e in sets]
        alarms = (np.array(lm) > 3.841).mean()
        assert alarms == pytest.approx({15: 0.08, 60: 0.055}[n], abs=0.02)


def test_columns_that_say_nothing_do_not_count():
    rng = np.random.default_rng(1)
    x, e = rng.normal(size=40), rng.normal(size=40)
    alone = spread_test(e, np.empty((40, 0)), x[:, None])
    several = spread_test(
        e, np.empty((40, 0)), np.column_stack([x, 3.0 - 2.0 * x, np.full(40, 1e6)])
    )
    assert several.n_directions == 1
    np.testing.assert_allclose(several, alone, rtol=1e-9)


def test_nothing_to_test():
    assert np.isnan(spread_test(np.arange(9.0), np.empty((9, 0)), np.ones((9, 1))).p_value)
    assert np.isnan(
        spread_test(np.array([1.0, -1.0] * 4), np.empty((8, 0)), np.arange(8.0)[:, None]).p_value
    )
