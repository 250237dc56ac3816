"""The map from data to parameters, seen from outside, against the matrices it stands for."""

import numpy as np
import pytest
from sklearn.preprocessing import SplineTransformer

from sklsq import DesignMatrixRegressor, NonlinearLSQ, OrthogonalRegression, WeightedLinearFit
from sklsq.basis import Polynomial
from sklsq.inference.linear_influence import is_linear, linear_influence

ROUNDING = 1e-12


def problem(n=15):
    rng = np.random.default_rng(4)
    x = np.sort(rng.uniform(0.0, 5.0, n))[:, None]
    return x, np.cos(x[:, 0]), rng.uniform(0.1, 0.3, n)


@pytest.mark.parametrize("given", [True, False])
def test_it_is_what_the_matrices_say(given):
    x, y, sigma = problem()
    s = sigma if given else np.ones_like(sigma)
    fit = DesignMatrixRegressor(["1", "x", "x**2"], absolute_sigma=True)
    fit.fit(x, y, sigma=s)
    D = x ** np.arange(3) / s[:, None]
    influence = linear_influence(fit, x, sigma if given else None, 3)
    C = np.linalg.inv(D.T @ D)
    np.testing.assert_allclose(influence.leverage, np.diag(D @ C @ D.T), rtol=ROUNDING)
    np.testing.assert_allclose(influence.on_params, C @ D.T, rtol=1e-10, atol=ROUNDING)
    np.testing.assert_allclose(influence.params.T @ influence.params, C, rtol=1e-10)
    np.testing.assert_allclose(influence.on_params @ (y / s), fit.params_, rtol=1e-10)
    G = np.array([[1.0, 9.0, 81.0], [1.0, -2.0, 4.0]])
    F = influence.roots(np.array([[9.0], [-2.0]]))
    np.testing.assert_allclose(F @ F.T, G @ C @ G.T, rtol=1e-10)
    np.testing.assert_allclose(influence.params.T @ F.T, C @ G.T, rtol=1e-10, atol=1e-10)


def test_no_digits_are_lost_in_raw_monomials():
    x = np.linspace(100.0, 101.0, 30)[:, None]
    fit = DesignMatrixRegressor(Polynomial(6), absolute_sigma=True).fit(x, np.sin(x[:, 0]))
    influence = linear_influence(fit, x, None, 7)
    assert influence.leverage.sum() == pytest.approx(7.0, rel=ROUNDING)
    F = influence.roots(x)
    _, std = fit.predict(x, return_std=True)
    np.testing.assert_allclose(np.sqrt(np.square(F).sum(axis=1)), std, rtol=1e-8)


def test_rank_is_that_of_the_columns():
    x, _, sigma = problem()
    twice = DesignMatrixRegressor(["1", "x", "2*x + 3"])
    influence = linear_influence(twice, x, sigma, 3)
    assert influence.orthonormal.shape == (15, 2)
    assert linear_influence(DesignMatrixRegressor(["1", "x"]), x[:1], None, 2).leverage == (
        pytest.approx([1.0])
    )


def test_what_counts_as_linear():
    assert is_linear(WeightedLinearFit())
    assert is_linear(DesignMatrixRegressor(["1", "x"]))
    assert is_linear(DesignMatrixRegressor(Polynomial(3)))
    assert not is_linear(DesignMatrixRegressor(SplineTransformer(knots="quantile")))
    assert not is_linear(NonlinearLSQ("a + b*x"))
    assert not is_linear(OrthogonalRegression())


def test_rows_counted_more_or_less_often():
    x, y, sigma = problem()
    estimator = DesignMatrixRegressor(["1", "x", "x**2"])
    fit = estimator.fit(x, y, sigma=sigma)
    params, influence = fit.params_.copy(), linear_influence(estimator, x, sigma, 3)
    residual = (y - fit.predict(x)) / sigma
    counts = np.random.default_rng(0).integers(0, 3, len(y)).astype(float)
    again = estimator.fit(x, y, counts / sigma**2).params_
    change = influence.change_by_counting(residual, counts)
    np.testing.assert_allclose(params + change, again, rtol=1e-9)
    rows = np.array([2, 7])
    without = estimator.fit(np.delete(x, rows, 0), np.delete(y, rows), sigma=np.delete(sigma, rows))
    change = influence.change_by_counting(residual, np.zeros(2), rows)
    np.testing.assert_allclose(params + change, without.params_, rtol=1e-9)
    assert influence.change_by_counting(residual, np.zeros(13), np.arange(13)) is None
