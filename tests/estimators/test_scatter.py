import numpy as np
import pytest

from sklsq.estimators import _scatter
from sklsq.estimators._scatter import scatters


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
