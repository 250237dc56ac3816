"""Robust losses against SciPy's minima."""

import numpy as np
import pytest
from scipy.optimize import least_squares

from sklsq import NonlinearLSQ

DECAY = "a*exp(-b*x) + c"
LOSSES = ["soft_l1", "huber", "cauchy", "arctan"]
rng = np.random.default_rng(7)
X = np.linspace(0.0, 5.0, 60)[:, None]
SIGMA = rng.uniform(0.05, 0.2, 60)
Y = 3.0 * np.exp(-0.8 * X[:, 0]) + 1.0 + SIGMA * rng.normal(size=60)
Y[::9] += 3.0


def residuals(p, rows=slice(None)):
    return ((p[0] * np.exp(-p[1] * X[:, 0]) + p[2] - Y) / SIGMA)[rows]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("f_scale", [0.5, 1.5])
@pytest.mark.parametrize("p0", [None, [3.0, 0.8, 1.0]])
def test_minimum_of_scipy(loss, f_scale, p0):
    fit = NonlinearLSQ(DECAY, p0, loss=loss, f_scale=f_scale).fit(X, Y, sigma=SIGMA)
    options = {"loss": loss, "f_scale": f_scale, "xtol": 1e-15, "ftol": 1e-15, "gtol": 1e-12}
    expected = least_squares(residuals, [3.0, 0.8, 1.0], **options)
    found = least_squares(residuals, fit.params_, **{**options, "max_nfev": 1})
    assert found.cost <= expected.cost * (1.0 + 1e-9)
    if found.cost > expected.cost * (1.0 - 1e-6):  # else a lower minimum
        np.testing.assert_allclose(fit.params_, expected.x, rtol=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_resists_outliers(loss):
    truth = np.array([3.0, 0.8, 1.0])
    robust = NonlinearLSQ(DECAY, truth, loss=loss).fit(X, Y, sigma=SIGMA)
    plain = NonlinearLSQ(DECAY, truth).fit(X, Y, sigma=SIGMA)
    assert abs(robust.params_[2] - 1.0) < 0.3 * abs(plain.params_[2] - 1.0)
    assert robust.chi2_ > plain.chi2_  # the plain sum of squares, not the loss


@pytest.mark.parametrize("loss", LOSSES)
def test_a_wide_scale_is_least_squares(loss):
    wide = NonlinearLSQ(DECAY, loss=loss, f_scale=1e6).fit(X, Y, sigma=SIGMA)
    plain = NonlinearLSQ(DECAY).fit(X, Y, sigma=SIGMA)
    np.testing.assert_allclose(wide.params_, plain.params_, rtol=1e-7)
    np.testing.assert_allclose(wide.params_std_, plain.params_std_, rtol=1e-4)


def test_spares_priors():
    """A prior far from the data is Gaussian all the same."""
    options = {"priors": {"c": (2.0, 1e-3)}, "loss": "cauchy", "p0": [3.0, 0.8, 1.9]}
    fit = NonlinearLSQ(DECAY, **options).fit(X, Y, sigma=SIGMA)
    assert fit.params_[2] == pytest.approx(2.0, abs=0.02)


def test_many_curves():
    together = NonlinearLSQ(DECAY, loss="huber").fit(X, np.column_stack([Y, 2.0 * Y]), sigma=SIGMA)
    for k, y in enumerate([Y, 2.0 * Y]):
        alone = NonlinearLSQ(DECAY, loss="huber").fit(X, y, sigma=SIGMA)
        np.testing.assert_allclose(together.params_[k], alone.params_, rtol=1e-6)
