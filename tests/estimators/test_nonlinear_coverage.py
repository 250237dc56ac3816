"""Intervals of nonlinear fits hold the truth as often as they say: many curves at once."""

import numpy as np
import pytest

from sklsq import NonlinearLSQ, models

CURVES = 1000
CHANCE = 4.0  # standard deviations of the binomial law that a rightful share may be off
TRUTH = np.array([5.0, 1.3, 0.5])
POINTS = np.array([[0.2], [1.0], [2.5]])
DECAY = "a*exp(-k*x) + c"


def curve(X):
    return TRUTH[0] * np.exp(-TRUTH[1] * X[:, 0]) + TRUTH[2]


def data_sets(seed):
    rng = np.random.default_rng(seed)
    X = np.linspace(0.0, 4.0, 16)[:, None]
    sigma = np.geomspace(0.02, 0.08, 16)
    return X, curve(X)[:, None] + sigma[:, None] * rng.normal(size=(16, CURVES)), sigma, rng


def assert_share(inside, level):
    chance = CHANCE * np.sqrt(level * (1.0 - level) / CURVES)
    np.testing.assert_allclose(inside.mean(axis=0), level, rtol=0, atol=chance)


def held(interval, value):
    return (interval[..., 0] <= value) & (value <= interval[..., 1])


@pytest.mark.parametrize("level", [0.6827, 0.95])
@pytest.mark.parametrize("relative", [False, True], ids=["known", "relative"])
@pytest.mark.parametrize("p0", [None, [4.0, 1.0, 0.0]], ids=["no start", "start"])
def test_intervals(level, relative, p0):
    X, Y, sigma, rng = data_sets(seed=1)
    scale = 17.0 if relative else 1.0
    fit = NonlinearLSQ(DECAY, p0, absolute_sigma=not relative).fit(X, Y, sigma=scale * sigma)
    assert fit.converged_.all()
    assert_share(held(fit.predict_interval(POINTS, level=level), curve(POINTS)), level)
    new = curve(X) + sigma * rng.normal(size=(CURVES, 16))
    of_new = {"kind": "prediction", "sigma": scale * sigma}
    assert_share(held(fit.predict_interval(X, level=level, **of_new), new), level)


def test_standard_errors_are_those_of_many_repetitions():
    X, Y, sigma, _ = data_sets(seed=2)
    fit = NonlinearLSQ(DECAY).fit(X, Y, sigma=sigma)
    size = np.outer(fit.params_std_[0], fit.params_std_[0])
    scatter = np.cov(fit.params_.T)
    expected = np.median(fit.params_cov_, axis=0)
    np.testing.assert_allclose(scatter / size, expected / size, atol=5.0 * np.sqrt(2.0 / CURVES))
    assert np.abs(fit.params_.mean(axis=0) - TRUTH).max() < 0.01


def test_p_values_are_uniform():
    X, Y, sigma, _ = data_sets(seed=3)
    p = np.sort(NonlinearLSQ(DECAY).fit(X, Y, sigma=sigma).p_value_)
    assert np.abs(p - np.arange(1, CURVES + 1) / CURVES).max() < 2.0 / np.sqrt(CURVES)


def test_a_ready_made_model_finds_every_curve():
    rng = np.random.default_rng(4)
    x = np.linspace(0.0, 10.0, 60)[:, None]
    model = models.Gaussian() + models.Constant()
    truth = np.column_stack(
        [
            rng.uniform(2, 9, 100),
            rng.uniform(2, 8, 100),
            rng.uniform(0.4, 1.5, 100),
            rng.normal(size=100),
        ]
    )
    Y = model.evaluate(x, truth).T + 0.1 * rng.normal(size=(60, 100))
    fit = NonlinearLSQ(model).fit(x, Y, sigma=0.1)
    assert fit.converged_.all()
    pulls = (fit.params_ - truth) / fit.params_std_
    assert np.abs(pulls).max() < 5.0
