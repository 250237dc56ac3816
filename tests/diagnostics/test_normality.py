"""Anderson and Darling's test beside scipy and statsmodels, and its law from 8 numbers on."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.diagnostic import normal_ad

from sklsq.diagnostics.normality import normality_test


@pytest.mark.parametrize("n", [8, 50, 3000])
@pytest.mark.parametrize("family", ["normal", "uniform", "t3", "laplace"])
def test_beside_statsmodels(n, family):
    rng = np.random.default_rng(n)
    draw = {
        "normal": rng.normal,
        "uniform": rng.uniform,
        "t3": lambda size: rng.standard_t(3, size),
        "laplace": rng.laplace,
    }
    x = draw[family](size=n)
    test = normality_test(x)
    statistic, p_value = normal_ad(x)
    np.testing.assert_allclose(test.statistic, statistic, rtol=1e-9)
    if statistic < 10.0:  # beyond, statsmodels gives zero
        np.testing.assert_allclose(test.p_value, p_value, rtol=1e-6)
    np.testing.assert_allclose(test.skewness, stats.skew(x))
    np.testing.assert_allclose(test.kurtosis, stats.kurtosis(x))


@pytest.mark.parametrize(("n", "n_samples"), [(8, 3000), (30, 3000), (3000, 600)])
def test_false_alarms(n, n_samples):
    z = np.random.default_rng(n).normal(size=(n_samples, n))
    p = np.array([normality_test(row).p_value for row in z])
    for level in (0.01, 0.05, 0.3):
        assert abs((p < level).mean() - level) < 3.5 * np.sqrt(level * (1.0 - level) / n_samples)


def test_a_million_numbers():
    z = np.random.default_rng(0).normal(size=10**6)
    assert normality_test(3.0 + 0.1 * z).p_value > 0.01
    assert normality_test(z + 0.05 * z**2).p_value < 1e-20


def test_extremes():
    far = normality_test(np.append(np.zeros(5000), 1e9) + 1e-3 * np.arange(5001) % 1.0)
    assert 0.0 <= far.p_value < 1e-50
    assert np.isnan(normality_test(np.ones(9)).p_value)
