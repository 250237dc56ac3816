"""χ², pulls and coverage by their definitions, in every form of the errors."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import mean_squared_error, r2_score

from sklsq import DesignMatrixRegressor, WeightedLinearFit
from sklsq.basis import Polynomial
from sklsq.metrics import chi2_score, interval_coverage, pulls, reduced_chi2_score
from sklsq.metrics.agreement import weighted_r2_score

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 1))
SIGMA = RNG.uniform(0.2, 2.0, 40)
Y = X[:, 0] + SIGMA * RNG.normal(size=40)
F = X[:, 0]


def test_is_that_of_the_fit():
    fit = DesignMatrixRegressor(Polynomial(2)).fit(X, Y, sigma=SIGMA)
    fitted = fit.predict(X)
    assert chi2_score(Y, fitted, sigma=SIGMA) == pytest.approx(fit.chi2_)
    reduced = reduced_chi2_score(Y, fitted, sigma=SIGMA, n_params=3)
    assert reduced == pytest.approx(fit.reduced_chi2_)
    V = np.outer(SIGMA, SIGMA) * np.exp(-np.abs(X - X[:, 0]))
    correlated = WeightedLinearFit().fit(X, Y, sigma=V)
    assert chi2_score(Y, correlated.predict(X), sigma=V) == pytest.approx(correlated.chi2_)


def test_without_errors_it_is_the_mean_square():
    assert reduced_chi2_score(Y, F) == pytest.approx(mean_squared_error(Y, F))


def test_weights_are_the_other_spelling():
    weight = 1.0 / SIGMA**2
    assert chi2_score(Y, F, sample_weight=weight) == pytest.approx(chi2_score(Y, F, sigma=SIGMA))
    weight[:10] = 0.0
    expected = reduced_chi2_score(Y[10:], F[10:], sigma=SIGMA[10:], n_params=2)
    assert reduced_chi2_score(Y, F, sample_weight=weight, n_params=2) == pytest.approx(expected)


def test_several_targets():
    Y2, F2, S2 = (np.column_stack([a, 3.0 * a]) for a in (Y, F, SIGMA))
    one = chi2_score(Y, F, sigma=SIGMA)
    np.testing.assert_allclose(
        chi2_score(Y2, F2, sigma=S2, multioutput="raw_values"), [one, one], rtol=1e-12
    )
    assert chi2_score(Y2, F2, sigma=S2) == pytest.approx(2.0 * one)
    assert reduced_chi2_score(Y2, F2, sigma=S2) == pytest.approx(one / 40)
    raw = reduced_chi2_score(Y2, F2, sigma=SIGMA, n_params=2, multioutput="raw_values")
    np.testing.assert_allclose(raw, [one / 38, 9.0 * one / 38])
    assert isinstance(chi2_score(Y, F, multioutput="raw_values"), float)


def test_pulls_have_the_normal_spread():
    rng = np.random.default_rng(1)
    x, x_new = rng.uniform(size=(200, 1)), rng.uniform(size=(5000, 1))
    fit = WeightedLinearFit().fit(x[:4], 2.0 * x[:4, 0] + rng.normal(size=4), sigma=1.0)
    value, std = fit.predict(x_new, return_std=True)
    found = pulls(value, value + 1.0, sigma=3.0, std=std)
    np.testing.assert_allclose(found, -1.0 / np.hypot(3.0, std))
    np.testing.assert_allclose(pulls(Y, F, sigma=SIGMA), (Y - F) / SIGMA)
    np.testing.assert_allclose(
        pulls(np.column_stack([Y, Y]), np.column_stack([F, F]), sigma=SIGMA)[:, 1], (Y - F) / SIGMA
    )


def test_coverage_of_prediction_intervals():
    rng = np.random.default_rng(2)
    x, x_new = np.linspace(0.0, 1.0, 300)[:, None], rng.uniform(size=(4000, 1))
    Y2 = x + rng.normal(size=(300, 2))
    fit = WeightedLinearFit().fit(x, Y2)
    interval = fit.predict_interval(x_new, level=0.9, kind="prediction")
    new = x_new + rng.normal(size=(4000, 2))
    assert interval_coverage(new, interval) == pytest.approx(0.9, abs=0.02)
    one = interval_coverage(new[:, 0], interval[0])
    assert one == np.mean((interval[0][:, 0] <= new[:, 0]) & (new[:, 0] <= interval[0][:, 1]))


def test_weighted_coverage():
    interval = [[0.0, 1.0], [0.0, 1.0], [0.0, 1.0]]
    assert interval_coverage([0.5, 2.0, 2.0], interval, sample_weight=[2.0, 1.0, 1.0]) == 0.5


def test_weighted_r2_beside_scikit_learn():
    expected = r2_score(Y, F, sample_weight=1.0 / SIGMA**2)
    assert weighted_r2_score(Y, F, sigma=SIGMA) == pytest.approx(expected)
    two = weighted_r2_score(np.column_stack([Y, Y]), np.column_stack([F, F]), sigma=SIGMA)
    assert two == pytest.approx(expected)
    assert weighted_r2_score(Y, F) == pytest.approx(r2_score(Y, F))


class TestBadInput:
    def test_shapes(self):
        with pytest.raises(ValueError, match=r"must have the same shape.* Got \(40,\) and \(39,\)"):
            chi2_score(Y, F[1:])
        with pytest.raises(ValueError, match=r"`interval` must have the shape \(40, 2\)"):
            interval_coverage(Y, np.ones((2, 40)))

    def test_not_finite(self):
        bad = F.copy()
        bad[3] = np.nan
        with pytest.raises(ValueError, match=r"`y_pred` must be finite. Got nan in row 3"):
            chi2_score(Y, bad)
        with pytest.raises(ValueError, match=r"`y_true` must not hold NaN"):
            interval_coverage(bad, np.ones((40, 2)))

    def test_errors(self):
        with pytest.raises(ValueError, match=r"`sigma` must be positive and finite. Got -1"):
            chi2_score(Y, F, sigma=-1.0)
        with pytest.raises(ValueError, match=r"must not both be given"):
            chi2_score(Y, F, sigma=1.0, sample_weight=np.ones(40))
        with pytest.raises(ValueError, match=r"`sigma` must have the same index as `y`"):
            chi2_score(pd.Series(Y), F, sigma=pd.Series(SIGMA, index=np.arange(40)[::-1]))
        with pytest.raises(ValueError, match=r"`sigma` must hold the standard deviations"):
            pulls(Y, F, sigma=None)
        with pytest.raises(ValueError, match=r"`std` must hold numbers that are not negative"):
            pulls(Y, F, sigma=1.0, std=-1.0)

    def test_degrees_of_freedom(self):
        for n_params in (40, -1, 1.5, "two"):
            with pytest.raises(ValueError, match=r"`n_params` must be an integer from 0 .* 40"):
                reduced_chi2_score(Y, F, n_params=n_params)

    def test_multioutput(self):
        with pytest.raises(ValueError, match=r'`multioutput` must be "sum" or "raw_values"'):
            chi2_score(Y, F, multioutput="mean")


def test_nothing_has_no_score():
    with pytest.raises(ValueError, match="`y_true` must hold at least one value"):
        chi2_score([], [])
    with pytest.raises(ValueError, match="`y_true` must hold at least one value"):
        interval_coverage([], np.empty((0, 2)))


def test_ends_of_an_interval_in_the_wrong_order():
    with pytest.raises(ValueError, match=r"lower end first. Got \[3.0, 1.0\] in row 1"):
        interval_coverage([1.0, 2.0], [[0.0, 2.0], [3.0, 1.0]])
