"""NonlinearLSQ as an estimator: scikit-learn's contract, the life of a fit, its attributes."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import check_estimator

from sklsq import (
    DegreesOfFreedomWarning,
    NonlinearLSQ,
    RankWarning,
    UnweightedScoreWarning,
    models,
)

PEAK = "a + b*exp(-((x - c)/d)**2)"
TRUTH = np.array([0.5, 10.0, 4.5, 1.0])
# A fixed column does not explain a y that depends on another.
FIXED_COLUMN = "check_regressors_train"


def bent_plane(X, p):
    """A model of any width, nonlinear in all but the first of its parameters."""
    z = X @ p[1:]
    return p[0] + z + 0.5 * np.tanh(z)


def flat(X, y):
    return np.full(X.shape[1] + 1, 0.1)


def data(n=41, seed=0):
    rng = np.random.default_rng(seed)
    x = np.linspace(0.0, 10.0, n)
    sigma = rng.uniform(0.1, 0.5, n)
    y = TRUTH[0] + TRUTH[1] * np.exp(-(((x - TRUTH[2]) / TRUTH[3]) ** 2))
    return x[:, None], y + sigma * rng.normal(size=n), sigma


def not_passed(estimator):
    with warnings.catch_warnings():
        # The checks fit fewer rows than columns, where these are due. Every other one is an error.
        warnings.simplefilter("ignore", RankWarning)
        warnings.simplefilter("ignore", DegreesOfFreedomWarning)
        results = check_estimator(estimator, on_skip=None, on_fail=None)
    assert len(results) >= 60
    return {r["check_name"] for r in results if r["status"] != "passed"}


class TestContractOfScikitLearn:
    def test_a_model_of_any_width(self):
        assert not_passed(NonlinearLSQ(bent_plane, flat, features="all")) == set()

    @pytest.mark.parametrize("model", ["a + b*x0", "a + b*exp(-x0**2)"])
    def test_a_formula_takes_one_column(self, model):
        assert not_passed(NonlinearLSQ(model)) == {FIXED_COLUMN}

    def test_no_tag_hides_a_check(self):
        tags = NonlinearLSQ(PEAK).__sklearn_tags__()
        assert not any([tags.non_deterministic, tags.no_validation, tags._skip_test])
        assert not tags.regressor_tags.poor_score


class TestLife:
    def test_clone_and_parameters(self):
        fit = NonlinearLSQ(PEAK, {"c": 4.0}, bounds={"d": (0, None)}, loss="huber", max_iter=7)
        again = clone(fit)
        assert again.get_params() == fit.get_params()
        assert not hasattr(again, "params_")

    def test_refit_forgets(self):
        X, y, sigma = data()
        fit = NonlinearLSQ(PEAK).fit(pd.DataFrame(X, columns=["x"]), y, sigma=sigma)
        fit.set_params(model="a + b*x").fit(X, y)
        fresh = NonlinearLSQ("a + b*x").fit(X, y)
        assert set(vars(fit)) == set(vars(fresh))
        np.testing.assert_array_equal(fit.params_, fresh.params_)
        assert fit.absolute_sigma_ is False

    def test_a_fit_that_raises_leaves_no_fit(self):
        X, y, _ = data()
        fit = NonlinearLSQ("a + b*x").fit(X, y)
        with pytest.raises(ValueError, match="`p0` must name"):
            fit.set_params(p0={"z": 1.0}).fit(X, y)
        with pytest.raises(NotFittedError, match="not fitted"):
            fit.predict(X)

    @pytest.mark.parametrize(
        "model",
        [PEAK, models.Gaussian() + models.Constant(), bent_plane],
        ids=["formula", "object", "function"],
    )
    def test_pickles(self, model):
        X, y, sigma = data()
        options = {"p0": flat, "features": "all"} if model is bent_plane else {}
        fit = NonlinearLSQ(model, **options).fit(X, y, sigma=sigma)
        again = pickle.loads(pickle.dumps(fit))
        for found, expected in zip(
            again.predict(X, return_std=True), fit.predict(X, return_std=True), strict=True
        ):
            np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(again.fit(X, y, sigma=sigma).params_, fit.params_)

    def test_inputs_are_left_alone(self):
        X, y, sigma = data()
        for array in (X, y, sigma):
            array.flags.writeable = False
        NonlinearLSQ(PEAK).fit(X, y, sigma=sigma).predict(X, return_std=True)

    def test_not_fitted(self):
        with pytest.raises(NotFittedError, match="not fitted"):
            NonlinearLSQ(PEAK).predict([[1.0]])
        with pytest.raises(AttributeError, match="not fitted"):
            NonlinearLSQ(PEAK).params_corr_  # noqa: B018
        with pytest.raises(AttributeError, match="not fitted"):
            NonlinearLSQ(PEAK).starts_  # noqa: B018


class TestPublished:
    X, y, sigma = data()

    def fit(self, **options):
        return NonlinearLSQ(PEAK, **options).fit(self.X, self.y, sigma=self.sigma)

    def test_the_minimum(self):
        fit = self.fit()
        pulls = (fit.params_ - TRUTH) / fit.params_std_
        assert np.abs(pulls).max() < 3.5
        residuals = (self.y - fit.predict(self.X)) / self.sigma
        assert fit.chi2_ == pytest.approx(residuals @ residuals, rel=1e-12)
        assert fit.dof_ == len(self.y) - 4
        assert fit.reduced_chi2_ == pytest.approx(fit.chi2_ / fit.dof_)
        assert 0.001 < fit.p_value_ < 0.999
        assert fit.converged_
        assert fit.status_.startswith("Converged")
        assert fit.n_iter_ >= 1

    def test_covariance_is_that_of_the_linearised_problem(self):
        fit = self.fit()
        _, J = fit.model_.linearise(self.X, fit.params_[None])
        white = J[0].T / self.sigma[:, None]
        np.testing.assert_allclose(fit.params_cov_, np.linalg.inv(white.T @ white), rtol=1e-9)
        np.testing.assert_allclose(fit.params_std_, np.sqrt(np.diag(fit.params_cov_)))
        np.testing.assert_array_equal(fit.coef_cov_, fit.params_cov_)
        np.testing.assert_array_equal(fit.coef_, fit.params_)
        assert not hasattr(fit, "intercept_")

    def test_correlations(self):
        fit = self.fit()
        std = fit.params_std_
        np.testing.assert_allclose(fit.params_corr_, fit.params_cov_ / np.outer(std, std))
        np.testing.assert_allclose(np.diag(fit.params_corr_), 1.0)

    def test_starts(self):
        table = self.fit().starts_
        assert list(table) == ["chi2", "a", "b", "c", "d", "converged", "tied"]
        assert table["chi2"].is_monotonic_increasing
        assert table["chi2"][0] == pytest.approx(self.fit().chi2_)

    def test_an_even_parameter_is_reported_positive(self):
        for seed in range(5):
            assert self.fit(random_state=seed).params_[3] > 0.0

    def test_an_even_parameter_keeps_the_sign_of_its_start(self):
        fit = self.fit(p0=[0.0, 8.0, 4.0, -1.5])
        assert fit.params_[3] < 0.0
        np.testing.assert_allclose(np.abs(fit.params_), np.abs(self.fit().params_), rtol=1e-9)

    def test_summary(self):
        text = str(self.fit().summary())
        for word in ("a", "b", "c", "d", "absolute", "chi2"):
            assert word in text
        frame = self.fit().summary().to_frame()
        assert len(frame) == 4

    def test_summary_holds_the_warnings(self):
        fit = NonlinearLSQ("a*exp(b*x)", max_iter=1, start="p0", p0=[1.0, 1.0])
        with pytest.warns(ConvergenceWarning, match="max_iter"):
            fit.fit(self.X, self.y)
        assert "max_iter" in str(fit.summary())

    def test_deterministic(self):
        np.testing.assert_array_equal(self.fit().params_, self.fit().params_)
        np.testing.assert_array_equal(self.fit(random_state=0).params_, self.fit().params_)
        state = np.random.RandomState(3)
        assert np.isfinite(self.fit(random_state=state).params_).all()

    def test_order_of_the_rows(self):
        rows = np.random.default_rng(1).permutation(len(self.y))
        fit = NonlinearLSQ(PEAK).fit(self.X[rows], self.y[rows], sigma=self.sigma[rows])
        np.testing.assert_allclose(fit.params_, self.fit().params_, rtol=1e-9)
        np.testing.assert_allclose(fit.params_std_, self.fit().params_std_, rtol=1e-6)

    def test_verbose(self, capsys):
        self.fit(verbose=1)
        assert "minima" in capsys.readouterr().out


class TestUsing:
    X, y, sigma = data()
    fit = NonlinearLSQ(PEAK).fit(X, y, sigma=sigma)

    def test_standard_deviation_by_the_whole_covariance(self):
        mean, std = self.fit.predict(self.X, return_std=True)
        same, cov = self.fit.predict(self.X, return_cov=True)
        _, J = self.fit.model_.linearise(self.X, self.fit.params_[None])
        expected = J[0].T @ self.fit.params_cov_ @ J[0]
        np.testing.assert_allclose(cov, expected, rtol=1e-8, atol=1e-14)
        np.testing.assert_allclose(std, np.sqrt(np.diag(expected)), rtol=1e-9)
        np.testing.assert_array_equal(mean, same)

    def test_intervals(self):
        from scipy.stats import norm

        mean, std = self.fit.predict(self.X, return_std=True)
        interval = self.fit.predict_interval(self.X, level=0.9)
        np.testing.assert_allclose(interval[:, 1] - mean, norm.ppf(0.95) * std, rtol=1e-9)
        with pytest.raises(ValueError, match="`sigma` must be given"):
            self.fit.predict_interval(self.X, kind="prediction")

    def test_score(self):
        weights = 1.0 / self.sigma**2
        mean = self.fit.predict(self.X)
        centre = np.average(self.y, weights=weights)
        expected = 1.0 - (weights @ (self.y - mean) ** 2) / (weights @ (self.y - centre) ** 2)
        assert self.fit.score(self.X, self.y, sigma=self.sigma) == pytest.approx(expected)
        with pytest.warns(UnweightedScoreWarning, match="pass `sigma`"):
            self.fit.score(self.X, self.y)

    def test_width_of_new_features(self):
        with pytest.raises(ValueError, match="2 features, but NonlinearLSQ is expecting 1"):
            self.fit.predict(np.ones((3, 2)))


class TestRouting:
    X, y, sigma = data(60)

    @pytest.fixture(autouse=True)
    def routing(self):
        from sklearn import config_context

        with config_context(enable_metadata_routing=True):
            yield

    def test_cross_validation(self):
        rows = np.random.default_rng(0).permutation(60)
        X, y, sigma = self.X[rows], self.y[rows], self.sigma[rows]
        found = cross_validate(
            NonlinearLSQ(PEAK), X, y, params={"sigma": sigma}, cv=3, return_estimator=True
        )
        part = slice(20, None)
        first = NonlinearLSQ(PEAK).fit(X[part], y[part], sigma=sigma[part])
        np.testing.assert_allclose(found["estimator"][0].params_, first.params_)
        test = slice(0, 20)
        score = first.score(X[test], y[test], sigma=sigma[test])
        assert found["test_score"][0] == pytest.approx(score)

    def test_pipeline(self):
        pipe = make_pipeline(FunctionTransformer(), NonlinearLSQ(PEAK))
        pipe.fit(self.X, self.y, sigma=self.sigma)
        direct = NonlinearLSQ(PEAK).fit(self.X, self.y, sigma=self.sigma)
        np.testing.assert_array_equal(pipe[-1].params_, direct.params_)
