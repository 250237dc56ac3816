"""Intervals hold the truth as often as they say: many data sets of one curve, fitted at once."""

import numpy as np
import pytest

from sklsq import DesignMatrixRegressor, WeightedLinearFit
from sklsq.basis import Polynomial

DATA_SETS = 8000
CHANCE = 4.0  # standard deviations of the binomial law that a rightful share may be off
POINTS = np.array([[-0.5], [1.0], [3.3]])

levels = pytest.mark.parametrize("level", [0.6827, 0.95])
sizes = pytest.mark.parametrize("n", [5, 6, 60])  # three to 58 degrees of freedom
errors = pytest.mark.parametrize("equal", [True, False], ids=["equal errors", "unequal errors"])
models = pytest.mark.parametrize(
    "estimator",
    [WeightedLinearFit(), DesignMatrixRegressor(Polynomial(1)), DesignMatrixRegressor(["1", "x"])],
    ids=["line", "polynomial", "terms"],
)


def truth(X):
    return 2.0 - 1.5 * X[:, 0]


def data_sets(n, equal, seed):
    """Measurements (n, t) of one line, with their standard deviations (n,)."""
    rng = np.random.default_rng(seed)
    x = np.linspace(0.0, 3.0, n)
    sigma = np.full(n, 0.4) if equal else 0.2 * np.geomspace(1.0, 8.0, n)
    Y = truth(x[:, None])[:, None] + sigma[:, None] * rng.normal(size=(n, DATA_SETS))
    return x[:, None], Y, sigma, rng


def assert_share(inside, level):
    share = inside.mean(axis=0)
    chance = CHANCE * np.sqrt(level * (1.0 - level) / DATA_SETS)
    np.testing.assert_allclose(share, level, rtol=0, atol=chance)


def held(interval, value):
    return (interval[..., 0] <= value) & (value <= interval[..., 1])


def choice(estimator, absolute):
    return type(estimator)(**{**estimator.get_params(deep=False), "absolute_sigma": absolute})


@levels
@sizes
@errors
@models
class TestCurve:
    """The confidence interval holds the true curve."""

    def test_known_errors(self, estimator, level, n, equal):
        X, Y, sigma, _ = data_sets(n, equal, seed=1)
        fit = choice(estimator, "auto").fit(X, Y, sigma=sigma)
        assert_share(held(fit.predict_interval(POINTS, level=level), truth(POINTS)), level)

    def test_relative_errors(self, estimator, level, n, equal):
        X, Y, sigma, _ = data_sets(n, equal, seed=2)
        fit = choice(estimator, False).fit(X, Y, sigma=17.0 * sigma)
        assert_share(held(fit.predict_interval(POINTS, level=level), truth(POINTS)), level)


def new_measurements(X, sigma, rng):
    """One more of the first, the middle and the last point of every data set."""
    rows = [0, len(X) // 2, -1]
    noise = sigma[rows] * rng.normal(size=(DATA_SETS, 3))
    return X[rows], truth(X[rows]) + noise, sigma[rows]


@levels
@sizes
@errors
class TestMeasurement:
    """The prediction interval holds a new measurement."""

    def test_known_errors(self, level, n, equal):
        X, Y, sigma, rng = data_sets(n, equal, seed=3)
        points, measured, of_measured = new_measurements(X, sigma, rng)
        fit = WeightedLinearFit().fit(X, Y, sigma=sigma)
        interval = fit.predict_interval(points, level=level, kind="prediction", sigma=of_measured)
        assert_share(held(interval, measured), level)

    def test_relative_errors(self, level, n, equal):
        X, Y, sigma, rng = data_sets(n, equal, seed=4)
        points, measured, of_measured = new_measurements(X, sigma, rng)
        fit = WeightedLinearFit(absolute_sigma=False).fit(X, Y, sigma=0.01 * sigma)
        interval = fit.predict_interval(
            points, level=level, kind="prediction", sigma=0.01 * of_measured
        )
        assert_share(held(interval, measured), level)


@levels
@sizes
def test_measurement_with_no_errors_given(level, n):
    X, Y, sigma, rng = data_sets(n, True, seed=5)
    points, measured, _ = new_measurements(X, sigma, rng)
    interval = (
        WeightedLinearFit().fit(X, Y).predict_interval(points, level=level, kind="prediction")
    )
    assert_share(held(interval, measured), level)


@errors
@sizes
def test_standard_errors_are_those_of_many_repetitions(n, equal):
    X, Y, sigma, _ = data_sets(n, equal, seed=6)
    fit = WeightedLinearFit().fit(X, Y, sigma=sigma)
    scatter = np.cov(fit.params_.T)
    # In units of the standard errors an entry scatters by at most sqrt(2 / number).
    size = np.outer(fit.params_std_[0], fit.params_std_[0])
    np.testing.assert_allclose(
        scatter / size, fit.params_cov_[0] / size, atol=CHANCE * np.sqrt(2.0 / DATA_SETS)
    )


@errors
@sizes
def test_p_values_are_uniform(n, equal):
    X, Y, sigma, _ = data_sets(n, equal, seed=7)
    p = np.sort(WeightedLinearFit().fit(X, Y, sigma=sigma).p_value_)
    distance = np.abs(p - np.arange(1, DATA_SETS + 1) / DATA_SETS).max()
    assert distance < 2.0 / np.sqrt(DATA_SETS)  # Kolmogorov: exceeded in one of 1,500


@pytest.mark.parametrize("shared", [0.0, 0.5])
def test_correlated_errors(shared):
    """A covariance matrix is for a one-dimensional y: fewer data sets, one by one."""
    X, Y, sigma, rng = data_sets(8, False, seed=8)
    V = np.diag(sigma**2) + shared**2
    inside = []
    for k in range(400):
        y = Y[:, k] + shared * rng.normal()
        interval = WeightedLinearFit().fit(X, y, sigma=V).predict_interval(POINTS, level=0.9)
        inside.append(held(interval, truth(POINTS)))
    share = np.mean(inside, axis=0)
    np.testing.assert_allclose(share, 0.9, atol=CHANCE * np.sqrt(0.09 / 400))
