"""Everything speaks of the parameters of the curve, under their names."""

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from sklsq import (
    LinearizedRegressor,
    SigmaClippedRegressor,
    WeightedLinearFit,
    confidence_intervals,
    fit_groups,
)

A, B = 5.0, -0.4


def decay(sigma=0.02, n=25, seed=0):
    x = np.linspace(0.0, 6.0, n)
    return x[:, None], A * np.exp(B * x) + sigma * np.random.default_rng(seed).normal(size=n)


def linearized(func="log", estimator=None, **options):
    estimator = WeightedLinearFit() if estimator is None else estimator
    return LinearizedRegressor(estimator, func=func, **options)


class TestOneLanguage:
    FORM: ClassVar = {"a": "exp(intercept)", "tau": "-1/x"}

    @pytest.fixture
    def fit(self):
        return linearized(back_transform=self.FORM).fit(*decay(), sigma=0.02)

    def test_parameters_intervals_summary_and_groups(self, fit):
        X, y = decay()
        names = ["a", "tau"]
        assert fit.param_names_ == names
        table = confidence_intervals(fit, X, y, sigma=0.02)
        assert list(table.index) == names
        np.testing.assert_array_equal(table["estimate"], fit.params_)
        np.testing.assert_allclose(table["upper"] - table["estimate"], fit.params_std_, rtol=1e-3)
        summary = fit.summary().to_frame()
        assert list(summary.index) == names
        np.testing.assert_array_equal(summary["std"], fit.params_std_)
        frame = pd.DataFrame({"g": 1, "x": X[:, 0], "y": y})
        grouped = fit_groups(
            linearized(back_transform=self.FORM), frame, by="g", x="x", y="y", sigma=0.02
        )
        np.testing.assert_allclose(grouped.loc[0, names].astype(float), fit.params_, rtol=1e-12)
        replicates = confidence_intervals(
            fit, X, y, sigma=0.02, method="bootstrap", n_resamples=400, random_state=0
        )
        width = (replicates["upper"] - replicates["lower"]) / (2.0 * fit.params_std_)
        np.testing.assert_allclose(width, 1.0, atol=0.2)

    def test_derived_quantities(self, fit):
        numbers = fit.to_uncertainties()
        assert sorted(numbers) == ["a", "tau"]
        expected = numbers["a"] * numbers["tau"]
        for func in ("a*tau", lambda tau, a: a * tau, lambda p: p[0] * p[1]):
            value, std = fit.propagate(func)
            assert value == pytest.approx(expected.n, rel=1e-13)
            assert std == pytest.approx(expected.s, rel=1e-9)
        with pytest.raises(ValueError, match=r"formula of 'a', 'tau'\. Got 'intercept'"):
            fit.propagate("exp(intercept)")

    def test_the_transformed_fit_has_names_of_its_own(self, fit):
        X, y = decay()
        line = WeightedLinearFit().fit(X, np.log(y), sigma=0.02 / y)
        assert fit.transformed_param_names_ == line.param_names_ == ["intercept", "x"]
        for name in ("params_", "params_cov_", "params_std_"):
            found = getattr(fit, f"transformed_{name}")
            np.testing.assert_allclose(found, getattr(line, name), rtol=1e-11)
        for name in ("coef_", "coef_std_", "coef_cov_", "intercept_", "intercept_std_", "chi2_"):
            np.testing.assert_allclose(getattr(fit, name), getattr(line, name), rtol=1e-11)

    def test_around_and_inside_of_another(self, fit):
        X, y = decay()
        around = SigmaClippedRegressor(linearized(back_transform=self.FORM), n_sigma=6.0)
        around.fit(X, y, sigma=0.02)
        assert around.param_names_ == ["a", "tau"]
        np.testing.assert_allclose(around.params_, fit.params_, rtol=1e-12)
        assert around.propagate("a*tau").std == pytest.approx(fit.propagate("a*tau").std)
        inside = linearized(
            estimator=SigmaClippedRegressor(WeightedLinearFit(), n_sigma=6.0),
            back_transform=self.FORM,
        ).fit(X, y, sigma=0.02)
        assert inside.propagate("a*tau").std == pytest.approx(fit.propagate("a*tau").std)

    def test_another_fit_leaves_nothing_behind(self):
        X, y = decay()
        fit = linearized().fit(X, y)
        fit.set_params(estimator=LinearRegression()).fit(X, y)
        assert not hasattr(fit, "params_")
        assert not hasattr(fit, "transformed_params_cov_")

    def test_a_function_that_is_only_called_log_is_no_logarithm(self):
        def log(y):
            return 2.0 * np.log(y)

        fit = linearized(log, inverse_func=lambda z: np.exp(0.5 * z)).fit(*decay())
        assert fit.param_names_ == ["intercept", "x"]
        np.testing.assert_array_equal(fit.params_, fit.transformed_params_)

    def test_there_and_back(self, fit):
        z = fit.transform_target([0.5, -1.0, 2.0])
        np.testing.assert_array_equal(z, [np.log(0.5), np.nan, np.log(2.0)])
        np.testing.assert_allclose(fit.inverse_transform_target(z[[0, 2]]), [0.5, 2.0], rtol=1e-15)
