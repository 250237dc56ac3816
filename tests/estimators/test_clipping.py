"""Residuals in units of their own standard deviation, against other formulas."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import integrate, stats

from sklsq import WeightedLinearFit
from sklsq.estimators._clipping import Residuals, error_factor, kept_share, truncated_variance


def data(n, seed=0):
    """A line with one point eight sigma off."""
    rng = np.random.default_rng(seed)
    x, sigma = np.linspace(0.0, 10.0, n), rng.permutation(np.geomspace(0.1, 1.0, n))
    y = 1.0 + 2.0 * x + sigma * rng.normal(size=n)
    y[3] += 8.0 * sigma[3]
    return x[:, None], y, sigma


def residuals_of(X, y, sigma, used, *, absolute):
    line = WeightedLinearFit(absolute_sigma=absolute).fit(X[used], y[used], sigma=sigma[used])
    fitted, std = line.predict(X, return_std=True)
    return Residuals(y, fitted, sigma, std, used, line.dof_, absolute)


class TestResiduals:
    """Against statsmodels, whose deletion residuals come from another formula."""

    def test_scaled_by_the_others(self):
        X, y, sigma = data(12)
        rows = sm.add_constant(X) / sigma[:, None]
        influence = sm.OLS(y / sigma, rows).fit().get_influence()
        expected = np.abs(influence.resid_studentized_external)
        found = residuals_of(X, y, sigma, np.ones(12, bool), absolute=False).excess(3.0)
        limit = stats.t.isf(stats.norm.sf(3.0), 12 - 3) / np.sqrt(truncated_variance(3.0))
        np.testing.assert_allclose(found, expected / limit, rtol=1e-9)

    def test_absolute(self):
        X, y, sigma = data(12)
        model = sm.OLS(y / sigma, sm.add_constant(X) / sigma[:, None]).fit()
        leverage = model.get_influence().hat_matrix_diag
        expected = np.abs(model.resid) / np.sqrt(1.0 - leverage)
        found = residuals_of(X, y, sigma, np.ones(12, bool), absolute=True).excess(3.0)
        np.testing.assert_allclose(found, expected / 3.0, rtol=1e-9)

    @pytest.mark.parametrize("absolute", [True, False])
    def test_a_point_is_judged_alike_in_and_out_of_the_fit(self, absolute):
        X, y, sigma = data(15)
        every = np.ones(15, bool)
        inside = residuals_of(X, y, sigma, every, absolute=absolute).excess(3.0)
        for i in range(15):
            without = residuals_of(X, y, sigma, np.arange(15) != i, absolute=absolute)
            assert without.excess(3.0)[i] == pytest.approx(inside[i], rel=1e-7)

    @pytest.mark.parametrize("n_sigma", [1.5, 2.0, 3.0, 4.0])
    def test_truncated_normal(self, n_sigma):
        inside, _ = integrate.quad(stats.norm.pdf, -n_sigma, n_sigma)
        second, _ = integrate.quad(lambda u: u**2 * stats.norm.pdf(u), -n_sigma, n_sigma)
        assert kept_share(n_sigma) == pytest.approx(inside, rel=1e-12)
        assert truncated_variance(n_sigma) == pytest.approx(second / inside, rel=1e-10)
        assert truncated_variance(n_sigma) == pytest.approx(
            stats.truncnorm(-n_sigma, n_sigma).var(), rel=1e-10
        )

    @pytest.mark.parametrize("n_sigma", [1.5, 2.0, 3.0])
    def test_error_factor(self, n_sigma):
        """The errors of published parameters miss the weight of the limits: tau against P."""
        tau = kept_share(n_sigma) - 2.0 * n_sigma * stats.norm.pdf(n_sigma)
        ratio = kept_share(n_sigma) / tau
        assert error_factor(n_sigma, absolute=False) == pytest.approx(ratio, rel=1e-12)
        assert error_factor(n_sigma, absolute=True) == pytest.approx(np.sqrt(ratio), rel=1e-12)
