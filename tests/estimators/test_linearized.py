"""Transformed fits: errors go along, answers come back."""

import pickle

import numpy as np
import pandas as pd
import pytest
import uncertainties
from scipy import optimize
from sklearn import config_context
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from uncertainties import umath

from sklsq import (
    DesignMatrixRegressor,
    LinearizedRegressor,
    NonlinearLSQ,
    OrthogonalRegression,
    SigmaClippedRegressor,
    WeightedLinearFit,
)
from sklsq.basis import Polynomial

A, B = 5.0, -0.4


def decay(sigma=0.02, n=25, seed=0):
    """a·exp(bx) with equal errors of y: the last points are hundred times as uncertain as z."""
    x = np.linspace(0.0, 6.0, n)
    y = A * np.exp(B * x) + sigma * np.random.default_rng(seed).normal(size=n)
    return x[:, None], y


def linearized(func="log", estimator=None, **options):
    estimator = WeightedLinearFit() if estimator is None else estimator
    return LinearizedRegressor(estimator, func=func, **options)


EXPONENTIAL = {"a": "exp(intercept)", "b": "x"}


class TestAgainstTheCurveItself:
    """To first order the weighted fit of the logarithms is that of the curve."""

    @pytest.mark.parametrize("sigma", [0.02, 0.002])
    def test_nonlinear_fit(self, sigma):
        X, y = decay(sigma)
        straight = linearized(back_transform=EXPONENTIAL).fit(X, y, sigma=sigma)
        curve = NonlinearLSQ("a*exp(b*x)").fit(X, y, sigma=sigma)
        difference = np.abs(straight.params_ - curve.params_) / curve.params_std_
        assert difference.max() < 20.0 * sigma  # of second order: it falls with sigma
        np.testing.assert_allclose(straight.params_std_, curve.params_std_, rtol=5.0 * sigma)
        np.testing.assert_allclose(straight.params_cov_, curve.params_cov_, rtol=10.0 * sigma)
        mean, std = straight.predict(X, return_std=True)
        direct, direct_std = curve.predict(X, return_std=True)
        assert (np.abs(mean - direct) / direct_std).max() < 20.0 * sigma
        np.testing.assert_allclose(std, direct_std, rtol=10.0 * sigma)

    def test_scipy(self):
        X, y = decay(0.002)
        straight = linearized(back_transform=EXPONENTIAL).fit(X, y, sigma=0.002)
        params, cov = optimize.curve_fit(
            lambda x, a, b: a * np.exp(b * x),
            X[:, 0],
            y,
            [1.0, -1.0],
            sigma=np.full(25, 0.002),
            absolute_sigma=True,
        )
        np.testing.assert_allclose(straight.params_, params, rtol=1e-5)
        np.testing.assert_allclose(straight.params_cov_, cov, rtol=0.01)

    def test_without_the_derivative_it_is_another_fit(self):
        """The slip of some textbooks: sigma of y as if it were that of log y."""
        rng = np.random.default_rng(0)
        wrong, right, published = [], [], []
        for _ in range(300):
            X, y = decay(0.1, seed=rng)
            y = np.maximum(y, 0.02)
            wrong.append(WeightedLinearFit().fit(X, np.log(y), sigma=0.1).coef_[0])
            fit = linearized().fit(X, y, sigma=0.1)
            right.append(fit.coef_[0])
            published.append(fit.coef_std_[0])
        assert np.std(wrong) > 1.8 * np.std(right)
        assert np.std(right) == pytest.approx(np.mean(published), rel=0.15)

    def test_curvature_raises_the_factor_as_documented(self):
        """By 3/2 (sigma/y)² for a constant: minus 1/2 of the mean, plus 2 of the weights."""
        rng = np.random.default_rng(1)
        X, y = np.zeros((1000, 1)), 1.0 + 0.05 * rng.normal(size=(1000, 200))
        constant = linearized(estimator=DesignMatrixRegressor(["1"]))
        found = constant.fit(X, y, sigma=0.05).params_[:, 0] - 1.0
        expected = 1.5 * 0.05**2
        assert abs(found.mean() - expected) < 3.0 * found.std() / np.sqrt(200) + 0.05 * expected


class TestOriginalForm:
    def test_covariance_against_uncertainties(self):
        X, y = decay()
        form = {"a": "exp(intercept)", "tau": "-1/x", "half": "-log(2)/x"}
        fit = linearized(back_transform=form).fit(X, y, sigma=0.02)
        c0, c1 = uncertainties.correlated_values(
            fit.transformed_params_, fit.transformed_params_cov_
        )
        expected = [umath.exp(c0), -1.0 / c1, -umath.log(2.0) / c1]
        np.testing.assert_allclose(fit.params_, [e.n for e in expected], rtol=1e-13)
        np.testing.assert_allclose(fit.params_std_, [e.s for e in expected], rtol=1e-9)
        np.testing.assert_allclose(
            fit.params_cov_, uncertainties.covariance_matrix(expected), rtol=1e-8
        )
        assert fit.param_names_ == ["a", "tau", "half"]

    @pytest.mark.parametrize(
        ("func", "name", "factor"),
        [
            ("log", "exp(intercept)", np.exp),
            ("log10", "10**intercept", lambda c: 10.0**c),
            ("log2", "exp2(intercept)", np.exp2),
        ],
    )
    def test_factor_of_a_logarithm(self, func, name, factor):
        X, y = decay()
        fit = linearized(func).fit(X, y, sigma=0.02)
        assert fit.param_names_ == [name, "x"]
        np.testing.assert_allclose(fit.params_, [factor(fit.intercept_), fit.coef_[0]], rtol=1e-14)

    @pytest.mark.parametrize(("func", "form"), [("reciprocal", "auto"), ("log", None)])
    def test_as_they_are(self, func, form):
        X, y = decay()
        fit = linearized(func, back_transform=form).fit(X, y, sigma=0.02)
        np.testing.assert_array_equal(fit.params_, fit.transformed_params_)
        np.testing.assert_array_equal(fit.params_std_, fit.transformed_params_std_)
        assert fit.param_names_ == fit.transformed_param_names_

    def test_by_order_where_names_are_no_names(self):
        X, y = decay()
        gauss = linearized(
            estimator=DesignMatrixRegressor(Polynomial(2)),
            back_transform={"width": "c2", "a": "c1"},
        ).fit(X, y, sigma=0.02)
        np.testing.assert_array_equal(gauss.params_, gauss.coef_[[2, 1]])
        auto = linearized(estimator=DesignMatrixRegressor(Polynomial(2))).fit(X, y, sigma=0.02)
        assert auto.param_names_ == ["exp(c0)", "x", "x**2"]

    def test_not_determined(self):
        X, y = np.ones((4, 1)), np.array([1.0, 1.1, 0.9, 1.0])
        with pytest.warns(match="parameter combinations"):
            fit = linearized().fit(X, y, sigma=0.1)
        assert np.isinf(fit.params_std_).all()

    def test_a_combination_that_is_determined(self):
        """All points at x = 2 tell the curve there, and neither a nor b."""
        X, y = np.full((4, 1), 2.0), np.array([1.0, 1.1, 0.9, 1.0])
        form = {"level": "exp(intercept + 2*x)", "a": "exp(intercept)", "b": "x"}
        with pytest.warns(match="parameter combinations"):
            fit = linearized(back_transform=form).fit(X, y, sigma=0.1)
        value, std = fit.predict([[2.0]], return_std=True)
        assert fit.params_[0] == pytest.approx(value[0], rel=1e-12)
        assert fit.params_std_[0] == pytest.approx(std[0], rel=1e-10)
        assert np.isinf(fit.params_std_[1:]).all()
        assert fit.propagate("level").std == pytest.approx(std[0], rel=1e-10)
        assert fit.propagate("a*exp(2*b)").std == pytest.approx(std[0], rel=1e-10)
        assert fit.propagate("a*exp(3*b)").std == np.inf

    @pytest.mark.parametrize(
        ("form", "message"),
        [
            ({"a": "exp(k)"}, r"in terms of the parameters intercept, x, or of c0, c1. Got 'exp\("),
            ({}, '`back_transform` must be "auto", None, or a dict of formulas'),
            ("log", '`back_transform` must be "auto", None, or a dict of formulas'),
        ],
    )
    def test_refused(self, form, message):
        with pytest.raises(ValueError, match=message):
            linearized(back_transform=form).fit(*decay())


class TestSigma:
    def test_by_hand(self):
        X, y = decay()
        sigma = np.linspace(0.01, 0.05, 25)
        fit = linearized().fit(X, y, sigma=sigma)
        line = WeightedLinearFit().fit(X, np.log(y), sigma=sigma / y)
        np.testing.assert_allclose(fit.transformed_params_, line.params_, rtol=1e-13)
        np.testing.assert_allclose(fit.transformed_params_cov_, line.params_cov_, rtol=1e-12)
        assert fit.chi2_ == pytest.approx(line.chi2_, rel=1e-10)
        assert fit.absolute_sigma_

    def test_weights_and_covariance_are_other_spellings(self):
        X, y = decay()
        sigma = np.linspace(0.01, 0.05, 25)
        fit = linearized().fit(X, y, sigma=sigma)
        weighted = linearized().fit(X, y, sigma**-2.0)
        full = linearized().fit(X, y, sigma=np.diag(sigma**2))
        for other in (weighted, full):
            np.testing.assert_allclose(
                other.transformed_params_, fit.transformed_params_, rtol=1e-11
            )
            np.testing.assert_allclose(
                other.transformed_params_cov_, fit.transformed_params_cov_, rtol=1e-10
            )

    def test_zero_weight_removes_a_row(self):
        X, y = decay()
        weight = np.where(np.arange(25) == 3, 0.0, 100.0)
        fit = linearized().fit(X, y, weight)
        part = linearized().fit(np.delete(X, 3, 0), np.delete(y, 3), np.delete(weight, 3))
        np.testing.assert_allclose(fit.transformed_params_, part.transformed_params_, rtol=1e-12)

    def test_none_is_a_constant_relative_error(self):
        X, y = decay()
        fit, relative = linearized().fit(X, y), linearized().fit(X, y, sigma=0.1 * y)
        np.testing.assert_allclose(
            fit.transformed_params_, relative.transformed_params_, rtol=1e-12
        )
        assert not fit.absolute_sigma_
        assert "a constant relative error of y, was assumed" in str(fit.summary())

    def test_to_an_estimator_of_scikit_learn_as_a_weight(self):
        X, y = decay()
        fit = linearized(estimator=LinearRegression()).fit(X, y, sigma=0.02)
        np.testing.assert_allclose(fit.coef_, linearized().fit(X, y, sigma=0.02).coef_, rtol=1e-10)
        assert not hasattr(fit, "params_")
        with pytest.raises(ValueError, match="`back_transform` must be left out for an estimator"):
            linearized(estimator=LinearRegression(), back_transform=EXPONENTIAL).fit(X, y)

    def test_errors_of_x_and_their_correlation(self):
        X, y = decay()
        line, sigma_x = OrthogonalRegression(), np.full(25, 0.03)
        for func, sign in (("log", 1.0), ("1/y", -1.0)):
            fit = linearized(func, line).fit(X, y, sigma=0.02, sigma_x=sigma_x, corr_xy=0.5)
            z, slope = (np.log(y), 1.0 / y) if sign > 0 else (1.0 / y, y**-2.0)
            direct = line.fit(X, z, sigma=0.02 * slope, sigma_x=sigma_x, corr_xy=0.5 * sign)
            np.testing.assert_allclose(fit.transformed_params_, direct.params_, rtol=1e-10)
            np.testing.assert_allclose(fit.transformed_params_cov_, direct.params_cov_, rtol=1e-8)

    def test_decreasing_transforms(self):
        X, y = decay()
        fit = linearized("1/y").fit(X, y, sigma=0.02)
        line = WeightedLinearFit().fit(X, 1.0 / y, sigma=0.02 / y**2)
        np.testing.assert_allclose(fit.transformed_params_cov_, line.params_cov_, rtol=1e-12)


class TestUsing:
    def test_prediction_and_its_error(self):
        X, y = decay()
        fit = linearized().fit(X, y, sigma=0.02)
        z, z_std = fit.estimator_.predict(X, return_std=True)
        mean, std = fit.predict(X, return_std=True)
        np.testing.assert_allclose(mean, np.exp(z), rtol=1e-14)
        np.testing.assert_allclose(std, z_std * np.exp(z), rtol=1e-13)
        again, cov = fit.predict(X, return_cov=True)
        np.testing.assert_array_equal(again, mean)
        np.testing.assert_allclose(np.sqrt(np.diag(cov)), std, rtol=1e-12)
        np.testing.assert_array_equal(fit.predict(X), mean)

    @pytest.mark.parametrize("func", ["log", "1/y", "sqrt"])
    def test_intervals_are_those_of_the_transform(self, func):
        X, y = decay()
        fit = linearized(func).fit(X, y, sigma=0.02)
        low, high = fit.predict_interval(X, level=0.95).T
        mean, std = fit.predict(X, return_std=True)
        assert (low < mean).all()
        assert (mean < high).all()
        np.testing.assert_allclose(high - low, 2.0 * 1.96 * std, rtol=0.02)
        inner = np.sort(fit.estimator_.predict_interval(X, level=0.95))
        forward = {"log": np.log, "1/y": np.reciprocal, "sqrt": np.sqrt}[func]
        np.testing.assert_allclose(np.sort(forward(np.stack([low, high], 1))), inner, rtol=1e-10)

    def test_intervals_stay_in_the_domain(self):
        rng = np.random.default_rng(0)
        X = np.linspace(0.0, 3.0, 6)[:, None]
        y = np.exp(-X[:, 0]) * np.exp(rng.normal(size=6))
        fit = linearized().fit(X, y)
        low, high = fit.predict_interval([[8.0]], level=0.95)[0]
        mean = fit.predict([[8.0]])[0]
        assert 0.0 < low < mean < high
        assert high - mean > 3.0 * (mean - low)

    def test_interval_of_new_measurements_takes_sigma_in_units_of_y(self):
        X, y = decay()
        fit = linearized().fit(X, y, sigma=0.02)
        low, high = fit.predict_interval(X, kind="prediction", sigma=0.02).T
        _, std = fit.predict(X, return_std=True)
        np.testing.assert_allclose(0.5 * (high - low), np.hypot(std, 0.02), rtol=0.01)
        with pytest.raises(ValueError, match="`sigma` must be given for the prediction interval"):
            fit.predict_interval(X, kind="prediction")

    def test_coverage_of_intervals(self):
        rng = np.random.default_rng(2)
        n_runs, held = 400, 0
        truth = A * np.exp(B * 3.0)
        for _ in range(n_runs):
            X, y = decay(0.05, n=12, seed=rng)
            low, high = linearized().fit(X, y, sigma=0.05).predict_interval([[3.0]], level=0.9)[0]
            held += low < truth < high
        assert abs(held - 0.9 * n_runs) < 3.0 * np.sqrt(n_runs * 0.9 * 0.1)

    def test_where_no_y_is_transformed_to(self):
        X = np.arange(6.0)[:, None]
        y = (6.0 - X[:, 0]) ** 2 + 0.1
        fit = linearized("sqrt").fit(X, y, sigma=0.1)
        with pytest.warns(
            UserWarning, match="no y is transformed to: in 1 places, the first in ro"
        ):
            value = fit.predict([[2.0], [9.0]])
        assert np.isnan(value[1])
        ends = fit.predict_interval([[9.0]])
        np.testing.assert_array_equal(ends, [[0.0, 0.0]])

    def test_score_is_in_units_of_y(self):
        X, y = decay(0.1)
        fit = linearized().fit(X, y, sigma=0.1)
        expected = 1.0 - np.sum((y - fit.predict(X)) ** 2) / np.sum((y - y.mean()) ** 2)
        assert fit.score(X, y, sigma=0.1) == pytest.approx(expected, rel=1e-12)

    def test_summary_is_of_the_original_form(self):
        X, y = decay()
        fit = linearized(back_transform={"a": "exp(intercept)", "tau": "-1/x"}).fit(
            X, y, sigma=0.02
        )
        summary = fit.summary()
        text = str(summary)
        assert text.startswith("LinearizedRegressor(")
        assert "tau" in text
        assert list(summary.to_frame().index) == ["a", "tau"]
        np.testing.assert_array_equal(summary.to_frame()["std"], fit.params_std_)
        assert "assumed" not in text


class TestForms:
    def test_power_law_by_a_pipeline_or_a_term(self):
        rng = np.random.default_rng(0)
        x = np.geomspace(1.0, 50.0, 20)
        y = 3.0 * x**1.7 * (1.0 + 0.01 * rng.normal(size=20))
        pipeline = make_pipeline(FunctionTransformer(np.log), WeightedLinearFit())
        form = {"a": "exp(c0)", "b": "c1"}
        by_pipeline = linearized(estimator=pipeline, back_transform=form)
        by_pipeline.fit(x[:, None], y, sigma=0.01 * y)
        by_term = linearized(
            estimator=DesignMatrixRegressor(["1", "log(x)"]), back_transform=form
        ).fit(x[:, None], y, sigma=0.01 * y)
        for fit in (by_pipeline, by_term):
            distance = (fit.params_ - [3.0, 1.7]) / fit.params_std_
            assert np.abs(distance).max() < 3.0
        np.testing.assert_allclose(by_pipeline.params_, by_term.params_, rtol=1e-10)
        np.testing.assert_allclose(
            by_pipeline.predict_interval(x[:, None]),
            by_term.predict_interval(x[:, None]),
            rtol=1e-9,
        )

    def test_michaelis_menten_by_reciprocals(self):
        """1/v = 1/vmax + k/vmax · 1/c, weighted as the curve is."""
        rng = np.random.default_rng(0)
        c = np.geomspace(0.05, 5.0, 12)
        v = 2.0 * c / (0.5 + c) + 0.002 * rng.normal(size=12)
        form = {"vmax": "1/c0", "k": "c1/c0"}
        straight = linearized(
            "reciprocal", DesignMatrixRegressor(["1", "1/x"]), back_transform=form
        ).fit(c[:, None], v, sigma=0.002)
        curve = NonlinearLSQ("vmax*x/(k + x)").fit(c[:, None], v, sigma=0.002)
        difference = (straight.params_ - curve.params_) / curve.params_std_
        assert np.abs(difference).max() < 0.1
        np.testing.assert_allclose(straight.params_std_, curve.params_std_, rtol=0.02)

    @pytest.mark.parametrize("pair", [(np.log, np.exp), ("log(y)", "exp(z)"), ("log", None)])
    def test_spellings(self, pair):
        X, y = decay()
        func, inverse = pair
        fit = linearized(func, inverse_func=inverse).fit(X, y, sigma=0.02)
        expected = linearized().fit(X, y, sigma=0.02)
        np.testing.assert_allclose(fit.params_, expected.params_, rtol=1e-13)
        assert fit.param_names_ == ["exp(intercept)", "x"]
        np.testing.assert_allclose(fit.predict(X), expected.predict(X), rtol=1e-13)

    def test_several_curves(self):
        X, y = decay()
        Y = np.column_stack([y, 2.0 * y])
        sigma = np.column_stack([np.full(25, 0.02), np.full(25, 0.04)])
        fit = linearized().fit(X, Y, sigma=sigma)
        single = linearized().fit(X, y, sigma=0.02)
        assert fit.params_.shape == (2, 2)
        assert fit.params_cov_.shape == (2, 2, 2)
        np.testing.assert_allclose(fit.params_[0], single.params_, rtol=1e-10)
        np.testing.assert_allclose(fit.params_std_[1], single.params_std_ * [2.0, 1.0], rtol=1e-10)
        mean, std = fit.predict(X, return_std=True)
        np.testing.assert_allclose(mean[:, 1], 2.0 * mean[:, 0], rtol=1e-10)
        np.testing.assert_allclose(std[:, 1], 2.0 * std[:, 0], rtol=1e-9)
        assert fit.predict(X, return_cov=True)[1].shape == (2, 25, 25)
        assert fit.predict_interval(X).shape == (2, 25, 2)
        assert fit.predict_interval(X, kind="prediction", sigma=0.1).shape == (2, 25, 2)

    def test_with_clipping_inside(self):
        X, y = decay()
        y[4] *= 1.5
        fit = linearized(estimator=SigmaClippedRegressor(WeightedLinearFit()))
        fit.fit(X, y, sigma=0.02)
        np.testing.assert_array_equal(np.flatnonzero(~fit.estimator_.inlier_mask_), [4])
        assert fit.params_[0] == pytest.approx(A, rel=0.02)


class TestComposition:
    def test_cross_validation(self):
        X, y = decay(0.1)
        sigma = np.linspace(0.05, 0.15, 25)
        folds = KFold(4, shuffle=True, random_state=0)
        with config_context(enable_metadata_routing=True):
            found = cross_validate(
                make_pipeline(StandardScaler(), linearized()),
                X,
                y,
                cv=folds,
                params={"sigma": sigma},
            )
        expected = []
        for train, test in folds.split(X):
            fit = linearized().fit(X[train], y[train], sigma=sigma[train])
            expected.append(fit.score(X[test], y[test], sigma=sigma[test]))
        np.testing.assert_allclose(found["test_score"], expected, rtol=1e-9)

    def test_pickle(self):
        X, y = decay()
        fit = linearized().fit(X, y, sigma=0.02)
        again = pickle.loads(pickle.dumps(fit))
        np.testing.assert_array_equal(again.predict_interval(X), fit.predict_interval(X))

    def test_frames(self):
        X, y = decay()
        index = np.arange(25) + 5
        frame, series = pd.DataFrame({"time": X[:, 0]}, index), pd.Series(y, index)
        fit = linearized().fit(frame, series, sigma=pd.Series(0.02, index))
        assert fit.param_names_ == ["exp(intercept)", "time"]
        with pytest.raises(ValueError, match="`sigma` must have the same index"):
            fit.fit(frame, series, sigma=pd.Series(0.02, index + 1))


class TestBadInput:
    def test_outside_the_domain(self):
        X, y = decay()
        y[7] = -0.3
        with pytest.raises(
            ValueError, match=r"`y` must be positive for log. Got -0.3 in row 7\. L"
        ):
            linearized().fit(X, y)

    def test_infinite(self):
        X, y = decay()
        y[7] = np.inf
        with pytest.raises(ValueError, match="infinity"):
            linearized("1/y").fit(X, y)

    def test_sigma(self):
        X, y = decay()
        with pytest.raises(ValueError, match=r"`sigma` must be positive and finite\. Got 0"):
            linearized().fit(X, y, sigma=0.0)

    def test_a_failed_fit_does_not_look_fitted(self):
        X, y = decay()
        fit = linearized().fit(X, y)
        with pytest.raises(ValueError, match="must be positive for log"):
            fit.fit(X, -y)
        assert not hasattr(fit, "coef_")
