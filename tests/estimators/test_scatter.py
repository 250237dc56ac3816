import numpy as np
import pytest

from sklsq.estimators import _scatter
from sklsq.estimators._scatter import robust_scatters, scatters
from sklsq.solvers.robust_loss import robust_cost


@pytest.mark.parametrize("shape", [(7, 30), (7, 1), (1, 30), (1, 1)])
@pytest.mark.parametrize("together", [1, 100, 10**6])
def test_scatter_about_the_weighted_mean(shape, together, monkeypatch):
    monkeypatch.setattr(_scatter, "_TOGETHER", together)
    rng = np.random.default_rng(0)
    Y, weight, which = 1e6 + rng.normal(size=(7, 30)), rng.uniform(0.5, 2.0, shape), [3, 0, 6, 2, 1]
    if shape == (7, 30):
        weight[rng.uniform(size=shape) < 0.3] = 0.0
        weight[2] = 0.0
    found = scatters(Y, weight, np.array(which))
    for curve, value in zip(which, found, strict=True):
        w2 = np.broadcast_to(weight**2, Y.shape)[curve]
        mean = np.average(Y[curve], weights=w2) if w2.any() else 0.0
        assert value == pytest.approx(np.sum(w2 * (Y[curve] - mean) ** 2), rel=1e-8)


@pytest.mark.parametrize("loss", ["soft_l1", "huber", "cauchy", "arctan"])
@pytest.mark.parametrize("together", [1, 10**6])
def test_least_robust_cost_of_a_constant(loss, together, monkeypatch):
    monkeypatch.setattr(_scatter, "_TOGETHER", together)
    rng = np.random.default_rng(1)
    Y, weight = rng.normal(size=(5, 40)), rng.uniform(0.5, 2.0, (5, 40))
    Y[:, ::7] += 8.0
    weight[rng.uniform(size=Y.shape) < 0.2] = 0.0
    weight[2] = 0.0
    found = robust_scatters(Y, weight, np.arange(5), loss, 0.7)
    grid = np.linspace(-1.0, 9.0, 2_001)
    for y, w, cost in zip(Y, weight, found, strict=True):
        least = robust_cost((y - grid[:, None]) * w, loss, 0.7, 0).min()
        assert least * (1.0 - 1e-3) <= cost + 1e-12
        assert cost <= least * 1.1 + 1e-12  # of several minima not always the least
