"""Nonlinear fits with errors in the features, by ODRPACK."""

import sys

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning

from sklsq import BoundWarning, NonlinearLSQ, OrthogonalRegression, RankWarning
from tests.estimators.simulated import measured

pytest.importorskip("odrpack")


def curved(n=25, seed=0):
    rng = np.random.default_rng(seed)
    true = np.linspace(0.0, 4.0, n)
    sigma_x, sigma = rng.uniform(0.05, 0.15, n), rng.uniform(0.05, 0.2, n)
    x = true + sigma_x * rng.normal(size=n)
    y = 5.0 * np.exp(-0.9 * true) + 1.0 + sigma * rng.normal(size=n)
    return x[:, None], y, sigma, sigma_x


DECAY = "a*exp(-b*x) + c"


def directly(X, y, sigma, sigma_x, start):
    """Minimise over the parameters and the errors of x at once."""
    x = X[:, 0]

    def cost(p):
        moved, errors = x + p[3:] * sigma_x, p[3:]
        r = (y - p[0] * np.exp(-p[1] * moved) - p[2]) / sigma
        slope = -p[0] * p[1] * np.exp(-p[1] * moved)
        e = np.exp(-p[1] * moved)
        of_params = -2.0 * np.array(
            [r / sigma @ e, -r / sigma @ (p[0] * moved * e), sum(r / sigma)]
        )
        of_errors = 2.0 * errors - 2.0 * r / sigma * slope * sigma_x
        return r @ r + errors @ errors, np.concatenate([of_params, of_errors])

    begin = np.concatenate([start, np.zeros(len(x))])
    options = {"maxiter": 10_000, "ftol": 1e-15, "gtol": 1e-9, "maxfun": 100_000}
    return minimize(cost, begin, jac=True, method="L-BFGS-B", options=options)


class TestStraightLine:
    @pytest.mark.parametrize("seed", [0, 1])
    def test_is_york(self, seed):
        data = measured(seed=seed)
        line = OrthogonalRegression().fit(data.X, data.y, **data.errors)
        found = NonlinearLSQ("a + b*x").fit(data.X, data.y, **data.errors)
        np.testing.assert_allclose(found.params_, line.params_, rtol=1e-7)
        assert found.chi2_ == pytest.approx(line.chi2_, rel=1e-9)
        assert found.dof_ == line.dof_
        assert found.absolute_sigma_
        np.testing.assert_allclose(found.params_std_, line.params_std_, rtol=1e-6)

    def test_several_features(self):
        data = measured(n=30, p=2)
        plane = OrthogonalRegression().fit(data.X, data.y, **data.errors)
        found = NonlinearLSQ("a + b*x0 + c*x1").fit(data.X, data.y, **data.errors)
        np.testing.assert_allclose(found.params_, plane.params_, rtol=1e-6)
        assert found.chi2_ == pytest.approx(plane.chi2_, rel=1e-8)

    def test_one_error_for_each_feature(self):
        data = measured(n=30, p=2)
        rows = np.broadcast_to([[0.1, 0.3]], data.X.shape)
        model = NonlinearLSQ("a + b*x0 + c*x1")
        one = model.fit(data.X, data.y, sigma=data.sigma, sigma_x=[[0.1, 0.3]]).params_
        other = model.fit(data.X, data.y, sigma=data.sigma, sigma_x=rows).params_
        np.testing.assert_array_equal(one, other)


class TestCurve:
    @pytest.mark.parametrize("seed", [0, 1, 2])
    def test_direct_minimisation(self, seed):
        X, y, sigma, sigma_x = curved(seed=seed)
        found = NonlinearLSQ(DECAY).fit(X, y, sigma=sigma, sigma_x=sigma_x)
        expected = directly(X, y, sigma, sigma_x, found.params_)
        assert found.converged_
        assert found.chi2_ == pytest.approx(expected.fun, rel=1e-7)
        np.testing.assert_allclose(found.params_, expected.x[:3], rtol=1e-3)

    def test_exact_features(self):
        X, y, sigma, _ = curved()
        found = NonlinearLSQ(DECAY).fit(X, y, sigma=sigma, sigma_x=0.0)
        usual = NonlinearLSQ(DECAY).fit(X, y, sigma=sigma)
        np.testing.assert_allclose(found.params_, usual.params_, rtol=1e-6)
        np.testing.assert_allclose(found.params_std_, usual.params_std_, rtol=1e-4)
        assert found.chi2_ == pytest.approx(usual.chi2_, rel=1e-9)

    def test_some_exact_features(self):
        X, y, sigma, sigma_x = curved()
        some = np.where(np.arange(len(y)) % 2, sigma_x, 0.0)
        tiny = np.where(np.arange(len(y)) % 2, sigma_x, 1e-7)
        model = NonlinearLSQ(DECAY)
        one = model.fit(X, y, sigma=sigma, sigma_x=some).params_
        other = model.fit(X, y, sigma=sigma, sigma_x=tiny).params_
        np.testing.assert_allclose(one, other, rtol=1e-5)

    def test_a_held_parameter(self):
        X, y, sigma, sigma_x = curved()
        held = NonlinearLSQ(DECAY, fixed={"c": 1.0}).fit(X, y, sigma=sigma, sigma_x=sigma_x)
        written = NonlinearLSQ("a*exp(-b*x) + 1.0").fit(X, y, sigma=sigma, sigma_x=sigma_x)
        np.testing.assert_allclose(held.params_[:2], written.params_, rtol=1e-6)
        np.testing.assert_allclose(held.params_std_[:2], written.params_std_, rtol=1e-4)
        assert held.params_std_[2] == 0.0

    def test_errors_are_those_of_odrpack(self):
        from odrpack import odr_fit

        X, y, sigma, sigma_x = curved()
        found = NonlinearLSQ(DECAY).fit(X, y, sigma=sigma, sigma_x=sigma_x)
        reference = odr_fit(
            lambda x, p: p[0] * np.exp(-p[1] * x) + p[2],
            X[:, 0],
            y,
            found.params_,
            weight_x=sigma_x**-2,
            weight_y=sigma**-2,
            diff_scheme="central",
        )
        np.testing.assert_allclose(found.params_cov_, reference.cov_beta, rtol=0.01)

    def test_unidentified_parameters(self):
        X, y, sigma, sigma_x = curved()
        with pytest.warns(RankWarning, match=r"small t in \(a \+ t, d - t\) fit equally well"):
            found = NonlinearLSQ("(a + d)*exp(-b*x) + c").fit(X, y, sigma=sigma, sigma_x=sigma_x)
        expected = NonlinearLSQ(DECAY).fit(X, y, sigma=sigma, sigma_x=sigma_x)
        np.testing.assert_array_equal(np.isinf(found.params_std_), [True, True, False, False])
        np.testing.assert_allclose(found.params_std_[2:], expected.params_std_[1:], rtol=1e-4)

    def test_no_value_at_the_start(self):
        X, y, sigma, sigma_x = curved()
        fit = NonlinearLSQ("a*log(b*x) + c", [1.0, -1.0, 0.0], start="p0")
        with pytest.warns(ConvergenceWarning, match="not finite at the start"):
            fit.fit(X, y, sigma=sigma, sigma_x=sigma_x)
        assert np.isnan(fit.params_).all()

    def test_too_few_steps(self):
        X, y, sigma, sigma_x = curved()
        fit = NonlinearLSQ(DECAY, [1.0, 1.0, 1.0], start="p0", max_iter=1)
        with pytest.warns(ConvergenceWarning, match="max_iter"):
            fit.fit(X, y, sigma=sigma, sigma_x=sigma_x)
        assert not fit.converged_

    def test_bounds(self):
        X, y, sigma, sigma_x = curved()
        with pytest.warns(BoundWarning, match=r"own: c\."):
            found = NonlinearLSQ(DECAY, bounds={"c": (2.0, 3.0)}).fit(
                X, y, sigma=sigma, sigma_x=sigma_x
            )
        assert found.params_[2] == 2.0
        assert np.isnan(found.params_std_[2])

    def test_a_callable(self):
        def decay(x, a, b, c):
            return a * np.exp(-b * x) + c

        X, y, sigma, sigma_x = curved()
        found = NonlinearLSQ(decay).fit(X, y, sigma=sigma, sigma_x=sigma_x)
        expected = NonlinearLSQ(DECAY).fit(X, y, sigma=sigma, sigma_x=sigma_x)
        np.testing.assert_allclose(found.params_, expected.params_, rtol=1e-7)

    def test_errors_are_those_of_repetitions(self):
        fits = []
        for seed in range(60):
            X, y, sigma, sigma_x = curved(seed=100 + seed)
            fits.append(NonlinearLSQ(DECAY).fit(X, y, sigma=sigma, sigma_x=sigma_x))
        pulls = [(fit.params_ - [5.0, 0.9, 1.0]) / fit.params_std_ for fit in fits]
        np.testing.assert_allclose(np.std(pulls, axis=0), 1.0, atol=0.35)


class TestRefused:
    def test_not_installed(self, monkeypatch):
        X, y, sigma, sigma_x = curved()
        monkeypatch.setitem(sys.modules, "odrpack", None)
        with pytest.raises(ImportError, match=r"needs odrpack. Install .*sklsq\[odr\]"):
            NonlinearLSQ(DECAY).fit(X, y, sigma=sigma, sigma_x=sigma_x)

    @pytest.mark.parametrize(
        "options", [{"loss": "huber"}, {"priors": {"a": (5.0, 0.1)}}], ids=["loss", "priors"]
    )
    def test_combinations(self, options):
        X, y, sigma, sigma_x = curved()
        with pytest.raises(ValueError, match="`sigma_x` must come with"):
            NonlinearLSQ(DECAY, **options).fit(X, y, sigma=sigma, sigma_x=sigma_x)

    def test_nothing_free(self):
        X, y, sigma, sigma_x = curved()
        with pytest.raises(ValueError, match="`sigma_x` must come with a parameter"):
            NonlinearLSQ("a*x", fixed={"a": 1.0}).fit(X, y, sigma=sigma, sigma_x=sigma_x)

    def test_several_curves(self):
        X, y, _, sigma_x = curved()
        with pytest.raises(ValueError, match="`sigma_x` must come with"):
            NonlinearLSQ(DECAY).fit(X, np.column_stack([y, y]), sigma_x=sigma_x)

    def test_covariance(self):
        X, y, sigma, sigma_x = curved()
        with pytest.raises(ValueError, match="`sigma_x` must come with"):
            NonlinearLSQ(DECAY).fit(X, y, sigma=np.diag(sigma**2), sigma_x=sigma_x)

    @pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
    def test_impossible(self, bad):
        X, y, sigma, _ = curved()
        with pytest.raises(ValueError, match="`sigma_x`"):
            NonlinearLSQ(DECAY).fit(X, y, sigma=sigma, sigma_x=bad)
