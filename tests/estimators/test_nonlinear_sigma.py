"""What is known of the errors of y, in all its shapes; and many curves at once."""

import numpy as np
import pandas as pd
import pytest

from sklsq import DegreesOfFreedomWarning, NonlinearLSQ

DECAY = "a*exp(-b*x) + c"


def decay(x, a, b, c):
    return a * np.exp(-b * x) + c


def data(n=40, t=None, seed=3):
    rng = np.random.default_rng(seed)
    x = np.linspace(0.0, 5.0, n)
    shape = (n,) if t is None else (n, t)
    sigma = rng.uniform(0.02, 0.2, shape)
    clean = decay(x, 3.0, 0.8, 1.0)
    y = (clean if t is None else clean[:, None] * np.linspace(0.5, 2.0, t)) + 0.0
    return x[:, None], y + sigma * rng.normal(size=shape), sigma


X, Y, SIGMA = data()


def fit(y=Y, model=DECAY, X=X, p0=None, weight=None, sigma=None, **options):
    return NonlinearLSQ(model, p0, **options).fit(X, y, weight, sigma=sigma)


def assert_same(found, expected, rtol=1e-8):
    np.testing.assert_allclose(found.params_, expected.params_, rtol=rtol)
    np.testing.assert_allclose(found.params_std_, expected.params_std_, rtol=100 * rtol)
    np.testing.assert_allclose(found.chi2_, expected.chi2_, rtol=rtol)
    np.testing.assert_array_equal(found.dof_, expected.dof_)


class TestShapes:
    @pytest.mark.parametrize("p0", [None, [1.0, 1.0, 1.0]])
    def test_number_and_array(self, p0):
        assert_same(fit(sigma=0.1, p0=p0), fit(sigma=np.full(40, 0.1), p0=p0))

    def test_sample_weight(self):
        assert_same(fit(weight=SIGMA**-2), fit(sigma=SIGMA))

    def test_both_at_once(self):
        with pytest.raises(ValueError, match=r"sigma.*sample_weight|sample_weight.*sigma"):
            fit(weight=SIGMA**-2, sigma=SIGMA)

    def test_lists_series_and_integers(self):
        weights = np.random.default_rng(0).integers(1, 9, 40)
        expected = fit(weight=weights.astype(float))
        for given in (weights, list(weights), pd.Series(weights), weights.astype(np.float32)):
            assert_same(fit(weight=given), expected)

    def test_another_index(self):
        shifted = pd.Series(SIGMA, index=np.arange(1, 41))
        with pytest.raises(ValueError, match="index"):
            fit(y=pd.Series(Y), sigma=shifted)

    @pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
    def test_impossible(self, bad):
        sigma = SIGMA.copy()
        sigma[7] = bad
        with pytest.raises(ValueError, match=r"`sigma`.*7"):
            fit(sigma=sigma)

    def test_negative_weight(self):
        with pytest.raises(ValueError, match="`sample_weight`"):
            fit(weight=np.where(np.arange(40) == 3, -1.0, 1.0))

    def test_zero_weights_remove_rows(self):
        weight = SIGMA**-2
        weight[::4] = 0.0
        kept = weight > 0.0
        expected = fit(y=Y[kept], X=X[kept], sigma=SIGMA[kept])
        for p0 in (None, [1.0, 1.0, 1.0]):
            assert_same(fit(weight=weight, p0=p0), expected)

    def test_single_precision_and_integers(self):
        x, y = X.astype(np.float32), (100 * Y).astype(int)
        found = fit(y=y, X=x)
        assert found.params_.dtype == np.float64
        assert_same(found, fit(y=y.astype(float), X=x.astype(float)))


class TestCovariance:
    def covariance(self):
        x = X[:, 0]
        return np.diag(SIGMA**2) + 0.01 * np.exp(-np.abs(x[:, None] - x))

    @pytest.mark.parametrize("model", [DECAY, decay], ids=["formula", "callable"])
    @pytest.mark.parametrize("p0", [None, [1.0, 1.0, 0.0]])
    def test_is_the_whitened_problem(self, model, p0):
        V = self.covariance()
        W = np.linalg.inv(np.linalg.cholesky(V))
        found = fit(sigma=V, model=model, p0=p0)
        values, J = found.model_.linearise(X, found.params_[None])
        white, r = W @ J[0].T, W @ (Y - values[0])
        # Of r a minimum leaves nothing along the derivatives.
        assert np.abs(np.linalg.lstsq(white, r)[0] / found.params_std_).max() < 1e-6
        np.testing.assert_allclose(found.params_cov_, np.linalg.inv(white.T @ white), rtol=1e-6)
        assert found.chi2_ == pytest.approx(r @ r, rel=1e-9)
        assert found.absolute_sigma_

    def test_diagonal(self):
        assert_same(fit(sigma=np.diag(SIGMA**2)), fit(sigma=SIGMA))

    def test_refused(self):
        V = self.covariance()
        with pytest.raises(ValueError, match="`sigma`"):
            fit(sigma=V - 0.1 * np.ones((40, 40)))
        with pytest.raises(ValueError, match="`sigma`"):
            fit(sigma=V[:30, :30])


class TestConvention:
    def test_scale_of_the_errors(self):
        relative, absolute = fit(sigma=SIGMA, absolute_sigma=False), fit(sigma=SIGMA)
        root = np.sqrt(absolute.reduced_chi2_)
        np.testing.assert_allclose(relative.params_std_, root * absolute.params_std_)
        np.testing.assert_array_equal(relative.params_, absolute.params_)
        assert absolute.absolute_sigma_
        assert not relative.absolute_sigma_
        assert not fit().absolute_sigma_
        assert np.isnan(fit().p_value_)

    def test_relative_errors_know_no_unit(self):
        one = fit(sigma=SIGMA, absolute_sigma=False)
        other = fit(sigma=1000.0 * SIGMA, absolute_sigma=False)
        np.testing.assert_allclose(one.params_std_, other.params_std_, rtol=1e-7)

    def test_no_degrees_of_freedom(self):
        with pytest.warns(DegreesOfFreedomWarning, match="no degrees of freedom"):
            found = fit(X=X[::15], y=Y[::15])
        assert np.isnan(found.reduced_chi2_)
        assert np.isnan(found.params_std_).all()
        with pytest.warns(DegreesOfFreedomWarning, match="no degrees of freedom"):
            found = fit(X=X[::15], y=Y[::15], sigma=SIGMA[::15])
        assert np.isfinite(found.params_std_).all()

    def test_unknown(self):
        with pytest.raises(ValueError, match="`absolute_sigma` must be"):
            fit(absolute_sigma="always")


class TestCurves:
    X, Y, sigma = data(t=5, seed=4)

    def one_by_one(self, Y, sigma=None, **options):
        fits = []
        for k in range(Y.shape[1]):
            rows = np.isfinite(Y[:, k])
            of_curve = None if sigma is None else np.broadcast_to(sigma.T, Y.T.shape)[k][rows]
            fits.append(fit(y=Y[rows, k], X=self.X[rows], sigma=of_curve, **options))
        return fits

    def assert_equal(self, together, fits, rtol=1e-7):
        for name in ("params_", "params_std_", "chi2_", "dof_", "p_value_", "converged_"):
            expected = np.stack([getattr(one, name) for one in fits])
            np.testing.assert_allclose(getattr(together, name), expected, rtol=rtol, err_msg=name)

    @pytest.mark.parametrize("p0", [None, [1.0, 1.0, 0.0]])
    @pytest.mark.parametrize("model", [DECAY, decay], ids=["formula", "callable"])
    def test_own_errors(self, p0, model):
        options = {"p0": p0, "model": model}
        together = fit(y=self.Y, X=self.X, sigma=self.sigma, **options)
        self.assert_equal(together, self.one_by_one(self.Y, self.sigma, **options))
        assert together.params_.shape == (5, 3)
        assert together.params_cov_.shape == together.params_corr_.shape == (5, 3, 3)
        assert together.status_.shape == together.n_iter_.shape == together.rank_.shape == (5,)

    def test_no_errors_and_common_errors(self):
        self.assert_equal(fit(y=self.Y, X=self.X), self.one_by_one(self.Y))
        common = self.sigma[:, 0]
        with_common = fit(y=self.Y, X=self.X, sigma=common)
        self.assert_equal(with_common, self.one_by_one(self.Y, common[:, None]))

    @pytest.mark.parametrize("given", [False, True])
    @pytest.mark.parametrize("p0", [None, [1.0, 1.0, 0.0]])
    def test_missing_points(self, given, p0):
        Y = self.Y.copy()
        Y[np.random.default_rng(5).random(Y.shape) < 0.2] = np.nan
        sigma = np.where(np.isnan(Y), np.nan, self.sigma) if given else None
        before = Y.copy()
        together = fit(y=Y, X=self.X, sigma=sigma, p0=p0)
        self.assert_equal(together, self.one_by_one(Y, sigma, p0=p0))
        np.testing.assert_array_equal(Y, before)
        if given:
            weighted = fit(y=Y, X=self.X, weight=sigma**-2, p0=p0)
            np.testing.assert_allclose(weighted.params_, together.params_, rtol=1e-7)

    def test_missing_points_of_a_single_curve_are_an_error(self):
        y = self.Y[:, 0].copy()
        y[3] = np.nan
        with pytest.raises(ValueError, match="NaN"):
            fit(y=y, X=self.X)

    def test_using(self):
        together = fit(y=self.Y, X=self.X, sigma=self.sigma)
        first = self.one_by_one(self.Y, self.sigma)[0]
        mean, std = together.predict(self.X, return_std=True)
        expected = first.predict(self.X, return_std=True)
        np.testing.assert_allclose(mean[:, 0], expected[0], rtol=1e-8)
        np.testing.assert_allclose(std[:, 0], expected[1], rtol=1e-6)
        assert together.predict(self.X, return_cov=True)[1].shape == (5, 40, 40)
        assert together.predict_interval(self.X).shape == (5, 40, 2)
        assert 0.8 < together.score(self.X, self.Y, sigma=self.sigma) <= 1.0
        assert "c" in str(together.summary())

    @pytest.mark.parametrize("p0", [None, [1.0, 1.0, 0.0]])
    def test_spread_over_threads(self, p0):
        alone = fit(y=self.Y, X=self.X, sigma=self.sigma, p0=p0)
        spread = fit(y=self.Y, X=self.X, sigma=self.sigma, p0=p0, n_jobs=2)
        self.assert_equal_fits(spread, alone)

    def assert_equal_fits(self, one, other):
        np.testing.assert_allclose(one.params_, other.params_, rtol=1e-9)
        np.testing.assert_allclose(one.params_std_, other.params_std_, rtol=1e-7)

    def test_one_column(self):
        column = fit(y=self.Y[:, :1], X=self.X)
        assert column.params_.shape == (1, 3)
        np.testing.assert_allclose(column.params_[0], fit(y=self.Y[:, 0], X=self.X).params_)

    def test_priors_and_bounds_hold_for_each(self):
        options = {"priors": {"b": (0.8, 0.01)}, "bounds": {"a": (0.0, 20.0)}}
        together = fit(y=self.Y, X=self.X, sigma=self.sigma, **options)
        self.assert_equal(together, self.one_by_one(self.Y, self.sigma, **options), 1e-6)
