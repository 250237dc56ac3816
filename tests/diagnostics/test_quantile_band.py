"""The band holds whole samples as often as it says."""

import numpy as np
import pytest
from scipy import stats

from sklsq.diagnostics.quantile_band import normal_places, quantile_band


@pytest.mark.parametrize(("n", "level"), [(1, 0.95), (8, 0.95), (50, 0.8), (400, 0.95)])
def test_coverage(n, level):
    lower, upper = quantile_band(n, level)
    z = np.sort(np.random.default_rng(n).normal(size=(4000, n)), axis=1)
    inside = ((z >= lower) & (z <= upper)).all(axis=1).mean()
    assert inside == pytest.approx(level, abs=0.025)  # η itself comes from 1000 samples


def test_coverage_of_many_points():
    lower, upper = quantile_band(20_000)
    rng = np.random.default_rng(0)
    inside = [
        ((z >= lower) & (z <= upper)).all()
        for z in (np.sort(rng.normal(size=20_000)) for _ in range(300))
    ]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.05)


def test_symmetric_about_the_places():
    lower, upper = quantile_band(31)
    np.testing.assert_allclose(lower, -upper[::-1])
    places = normal_places(31)
    assert ((lower < places) & (places < upper)).all()
    expected, _ = stats.probplot(np.zeros(31), fit=False)  # Filliben's medians
    np.testing.assert_allclose(places, expected, atol=0.05)
