"""Runs and the Durbin–Watson ratio beside statsmodels, their laws beside simulation."""

import numpy as np
import pytest
from statsmodels.sandbox.stats.runs import runstest_1samp
from statsmodels.stats.stattools import durbin_watson

from sklsq.diagnostics.serial import durbin_watson_test, runs_test

NOTHING_FITTED = 0


def basis(n, degree):
    return np.linalg.qr(np.vander(np.linspace(0.0, 1.0, n), degree + 1))[0]


def residuals(root, n_samples, seed=0):
    z = np.random.default_rng(seed).normal(size=(n_samples, len(root)))
    return z - (z @ root) @ root.T


@pytest.mark.parametrize("n", [12, 700])
def test_values(n):
    e = np.random.default_rng(n).normal(size=n)
    nothing = np.empty((n, NOTHING_FITTED))
    assert durbin_watson_test(e, nothing).statistic == pytest.approx(durbin_watson(e))
    assert durbin_watson_test(e, nothing).expected == pytest.approx(2.0 * (n - 1) / n)
    runs = runs_test(e, nothing)
    z, _ = runstest_1samp(e, cutoff=0.0, correction=False)
    up = (e > 0).sum()
    both = 2.0 * up * (n - up)
    assert runs.expected == pytest.approx(1.0 + both / n)
    variance = both * (both - n) / (n**2 * (n - 1.0)) * (n + 1.0) / n
    assert z == pytest.approx((runs.statistic - runs.expected) / np.sqrt(variance * n / (n + 1.0)))


@pytest.mark.parametrize(("n", "degree"), [(10, 2), (15, 5), (40, 1), (600, 3)])
def test_expectations_allow_for_the_fit(n, degree):
    root = basis(n, degree)
    sets = residuals(root, 1500 if n < 100 else 500)
    for test in (runs_test, durbin_watson_test):
        excess = np.array([t.statistic - t.expected for t in (test(e, root) for e in sets)])
        assert abs(excess.mean()) < 4.0 * excess.std() / np.sqrt(len(sets))


@pytest.mark.parametrize(("n", "degree"), [(8, 2), (15, 5), (60, 1)])
def test_durbin_watson_raises_few_false_alarms(n, degree):
    root = basis(n, degree)
    p = np.array([durbin_watson_test(e, root).p_value for e in residuals(root, 2000)])
    noise = 3.5 * np.sqrt(0.05 * 0.95 / 2000)
    assert abs((p < 0.05).mean() - 0.05) < noise
    assert (p < 0.01).mean() < 0.01 + noise


@pytest.mark.parametrize(("n", "degree"), [(15, 1), (15, 2), (60, 1)])
def test_runs_raise_few_false_alarms(n, degree):
    """As near to the level as a number of runs can come to it."""
    root = basis(n, degree)
    p = np.array([runs_test(e, root).p_value for e in residuals(root, 2000)])
    assert 0.02 < (p < 0.05).mean() < 0.075


def test_alternating_and_clustered():
    n = 40
    nothing = np.empty((n, 0))
    signs = np.where(np.arange(n) % 2, 1.0, -1.0)
    steps = np.where(np.arange(n) < n // 2, 1.0, -1.0)
    for test in (runs_test, durbin_watson_test):
        assert test(signs, nothing).p_value < 1e-6
        assert test(signs, nothing).statistic > test(signs, nothing).expected
        assert test(steps, nothing).p_value < 1e-6
        assert test(steps, nothing).statistic < test(steps, nothing).expected


def test_one_sign_only():
    assert runs_test(np.ones(10), np.empty((10, 0))).p_value == pytest.approx(2.0**-9)


def test_units_and_direction_do_not_matter():
    root = basis(30, 2)
    e = residuals(root, 1)[0]
    for test in (runs_test, durbin_watson_test):
        for same in (test(-7.0 * e, root), test(e[::-1], root[::-1])):
            np.testing.assert_allclose(same, test(e, root), rtol=1e-12)
