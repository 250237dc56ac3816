"""Every ready-made model through the estimator: from a start, from none, many curves, sums."""

import warnings

import numpy as np
import pytest

from sklsq import NonlinearLSQ
from sklsq.models import Constant, bind
from tests.models.simulated import NAMES, abscissa, draw, make

SAME = 1e-6  # of chi2: the lowest minimum, to more than can be told apart
by_name = pytest.mark.parametrize("name", NAMES)


def _data(name, n=80, seed=0, noise=0.01, background=0.0):
    rng = np.random.default_rng(seed)
    model, truth = make(name), draw(name, rng)
    X = abscissa(name, n)[:, None]
    f = model.evaluate(X, truth[None])[0] + background
    sigma = noise * (np.ptp(f) or 1.0)
    return model, truth, X, f + rng.normal(0.0, sigma, n), sigma


def _fit(model, X, y, sigma, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some draws determine a parameter badly
        return NonlinearLSQ(model, **options).fit(X, y, sigma=sigma)


@by_name
@pytest.mark.parametrize("n", [80, 5_000])
def test_from_the_truth_and_from_none(name, n):
    model, truth, X, y, sigma = _data(name, n)
    known = _fit(model, X, y, sigma, p0=truth, start="p0")
    assert known.converged_
    assert known.chi2_ == pytest.approx(n, abs=6.0 * np.sqrt(2.0 * n))
    cold = _fit(model, X, y, sigma)
    assert cold.converged_
    assert cold.chi2_ <= known.chi2_ * (1.0 + SAME)


@by_name
def test_two_curves(name):
    model, truth, X, y, sigma = _data(name)
    Y = np.stack([y, _data(name, seed=0, noise=0.02)[3]], axis=1)
    both = _fit(model, X, Y, sigma, p0=truth, start="p0")
    for k in range(2):
        alone = _fit(model, X, Y[:, k], sigma, p0=truth, start="p0")
        assert both.converged_[k]
        assert both.chi2_[k] == pytest.approx(alone.chi2_, rel=SAME)


@pytest.mark.parametrize("name", sorted({*NAMES} - {"Constant", "Line", "PolynomialModel"}))
def test_on_a_background(name):
    model, truth, X, y, sigma = _data(name, background=3.0)
    total = model + Constant()
    fit = _fit(total, X, y, sigma, p0=[*truth, 3.0], start="p0")
    assert fit.chi2_ <= _chi2(total, X, y, sigma, [*truth, 3.0])
    alone = _fit(model, X, y - fit.params_[-1], sigma, p0=fit.params_[:-1], start="p0")
    assert fit.chi2_ == pytest.approx(alone.chi2_, rel=1e-4)


def _chi2(model, X, y, sigma, params):
    return np.sum(((y - model.evaluate(X, np.array([params]))[0]) / sigma) ** 2)


@by_name
@pytest.mark.parametrize("n_curves", [None, 3])
def test_rows_of_a_fit_are_what_linearise_says(name, n_curves):
    model, truth, X, y, _ = _data(name)
    for each in (model, model + Constant(), bind(lambda x, a, b: np.where(x > 0.3, a, b))):
        m = len(each.parameter_names)
        params = np.append(truth, 1.0)[np.arange(m) % (len(truth) + 1)] + np.zeros((3, m))
        params *= np.linspace(1.0, 1.01, 3)[:, None]
        values, J = each.linearise(X, params)
        fill = each.filling(X, params[0])
        if n_curves is None:
            rows = np.empty((m + 1, len(X)))
            fill(*params[0].tolist(), y, rows)
            np.testing.assert_allclose(rows[:-1], J[0], rtol=1e-12, atol=1e-300)
            np.testing.assert_allclose(rows[-1], y - values[0], rtol=1e-12, atol=1e-14)
        else:
            rows = np.empty((m + 1, 3, len(X)))
            fill(*params.T[:, :, None], np.stack([y] * 3), rows)
            np.testing.assert_allclose(rows[:-1], J.swapaxes(0, 1), rtol=1e-12, atol=1e-300)
            np.testing.assert_allclose(rows[-1], y - values, rtol=1e-12, atol=1e-14)
