"""Predictions with errors, intervals, and which convention the errors follow."""

import inspect

import numpy as np
import pytest
from scipy import stats

from sklsq import DesignMatrixRegressor, WeightedLinearFit
from sklsq.basis import Polynomial

# Errors far outside the data are what some of these tests are about.
pytestmark = pytest.mark.filterwarnings("ignore:A polynomial:sklsq.ExtrapolationWarning")
N = 14


def data(n=N, seed=0):
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(0.5, 5.0, n))
    return x[:, None], 1.0 + 2.0 * x + rng.normal(size=n), rng.uniform(0.5, 2.0, n)


def powers(X):
    x = X[:, 0]
    return np.column_stack([np.ones_like(x), x, x**2])


# An estimator, and the design matrix that it stands for.
DESIGNS = {
    "line": (WeightedLinearFit, lambda X: powers(X)[:, :2]),
    "origin": (lambda **k: WeightedLinearFit(fit_intercept=False, **k), lambda X: X),
    "polynomial": (lambda **k: DesignMatrixRegressor(Polynomial(2), **k), powers),
    "terms": (lambda **k: DesignMatrixRegressor(["1", "x", "x**2"], **k), powers),
}
POINTS = np.array([[-1.0], [0.0], [2.5], [40.0]])
every_design = pytest.mark.parametrize(
    ("estimator", "design"), DESIGNS.values(), ids=DESIGNS.keys()
)
every_convention = pytest.mark.parametrize("absolute", [True, False])


def dense(design, X, y, sigma, absolute):
    A = design(X) / sigma[:, None]
    cov = np.linalg.inv(A.T @ A)
    coef = cov @ A.T @ (y / sigma)
    chi2 = np.sum((y / sigma - A @ coef) ** 2)
    return coef, cov if absolute else cov * chi2 / (len(y) - A.shape[1])


@every_design
@every_convention
@pytest.mark.parametrize("n", [N, 3000])
class TestErrorsOfTheCurve:
    def test_dense_formula(self, estimator, design, absolute, n):
        X, y, sigma = data(n)
        fit = estimator(absolute_sigma=absolute).fit(X, y, sigma=sigma)
        coef, cov = dense(design, X, y, sigma, absolute)
        expected = design(POINTS) @ cov @ design(POINTS).T
        mean, std = fit.predict(POINTS, return_std=True)
        np.testing.assert_allclose(mean, design(POINTS) @ coef, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(std, np.sqrt(np.diag(expected)), rtol=1e-8)
        mean, found = fit.predict(POINTS, return_cov=True)
        np.testing.assert_allclose(mean, design(POINTS) @ coef, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-10)

    def test_plain_prediction_is_an_array(self, estimator, design, absolute, n):
        X, y, sigma = data(n)
        fit = estimator(absolute_sigma=absolute).fit(X, y, sigma=sigma)
        np.testing.assert_array_equal(fit.predict(X), fit.predict(X, return_std=True)[0])
        assert fit.predict(X).shape == (n,)
        np.testing.assert_allclose(fit.predict(X), design(X) @ fit.params_, rtol=1e-9)


def test_std_and_cov_at_once_are_refused():
    X, y, _ = data()
    with pytest.raises(ValueError, match="`return_std` and `return_cov` must not both be True"):
        WeightedLinearFit().fit(X, y).predict(X, return_std=True, return_cov=True)


def test_signature_of_predict():
    parameters = inspect.signature(WeightedLinearFit.predict).parameters
    assert list(parameters) == ["self", "X", "return_std", "return_cov"]
    assert parameters["return_std"].default is False


def test_many_points_at_once():
    X, y, sigma = data()
    fit = DesignMatrixRegressor(Polynomial(12)).fit(X, y, sigma=sigma)
    many = np.linspace(0.5, 5.0, 200_001)[:, None]
    mean, std = fit.predict(many, return_std=True)
    part_mean, part_std = fit.predict(many[100_000:100_003], return_std=True)
    np.testing.assert_allclose(mean[100_000:100_003], part_mean, rtol=1e-9)
    np.testing.assert_allclose(std[100_000:100_003], part_std, rtol=1e-9)


class TestInterval:
    @every_design
    @every_convention
    @pytest.mark.parametrize("level", [0.5, 0.6827, 0.95, 0.999])
    def test_confidence(self, estimator, design, absolute, level):
        X, y, sigma = data()
        fit = estimator(absolute_sigma=absolute).fit(X, y, sigma=sigma)
        mean, std = fit.predict(POINTS, return_std=True)
        law = stats.norm if absolute else stats.t(fit.dof_)
        low, high = law.interval(level)
        interval = fit.predict_interval(POINTS, level=level)
        assert interval.shape == (4, 2)
        np.testing.assert_allclose(interval[:, 0], mean + low * std, rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(interval[:, 1], mean + high * std, rtol=1e-9, atol=1e-10)

    @every_design
    def test_prediction_without_sigma(self, estimator, design):
        X, y, _ = data()
        fit = estimator().fit(X, y)
        mean, std = fit.predict(POINTS, return_std=True)
        spread = np.hypot(std, np.sqrt(fit.reduced_chi2_))
        interval = fit.predict_interval(POINTS, level=0.9, kind="prediction")
        half = stats.t(fit.dof_).ppf(0.95) * spread
        np.testing.assert_allclose(
            interval, np.stack([mean - half, mean + half], axis=1), rtol=1e-9, atol=1e-9
        )

    @pytest.mark.parametrize("new", [0.3, np.array([0.1, 0.2, 0.3, 0.4])], ids=["scalar", "each"])
    @every_convention
    def test_prediction_with_sigma(self, new, absolute):
        X, y, sigma = data()
        fit = WeightedLinearFit(absolute_sigma=absolute).fit(X, y, sigma=sigma)
        mean, std = fit.predict(POINTS, return_std=True)
        # A relative sigma is in the units of the one given to `fit`, scaled alike.
        size = new if absolute else new * np.sqrt(fit.reduced_chi2_)
        quantile = stats.norm.ppf(0.95) if absolute else stats.t(fit.dof_).ppf(0.95)
        interval = fit.predict_interval(POINTS, level=0.9, kind="prediction", sigma=new)
        half = quantile * np.hypot(std, size)
        np.testing.assert_allclose((interval[:, 1] - interval[:, 0]) / 2.0, half, rtol=1e-10)
        np.testing.assert_allclose(interval.mean(axis=1), mean, rtol=1e-10)

    def test_default_is_one_sigma_of_the_curve(self):
        X, y, sigma = data()
        fit = WeightedLinearFit().fit(X, y, sigma=sigma)
        mean, std = fit.predict(POINTS, return_std=True)
        expected = np.stack([mean - std, mean + std], axis=1)
        np.testing.assert_allclose(fit.predict_interval(POINTS), expected, rtol=1e-4, atol=1e-4)

    def test_curves(self):
        X, y, sigma = data()
        Y, S = np.column_stack([y, -y]), np.column_stack([sigma, 2.0 * sigma])
        fit = WeightedLinearFit().fit(X, Y, sigma=S)
        interval = fit.predict_interval(X, kind="prediction", sigma=S, level=0.95)
        assert interval.shape == (2, N, 2)
        for k in range(2):
            single = WeightedLinearFit().fit(X, Y[:, k], sigma=S[:, k])
            expected = single.predict_interval(X, kind="prediction", sigma=S[:, k], level=0.95)
            np.testing.assert_allclose(interval[k], expected, rtol=1e-10)

    def test_curves_with_a_shared_sigma(self):
        X, y, sigma = data()
        fit = WeightedLinearFit().fit(X, np.column_stack([y, -y]), sigma=sigma)
        interval = fit.predict_interval(X, kind="prediction", sigma=sigma)
        np.testing.assert_allclose(interval[0], -interval[1][:, ::-1], rtol=1e-10)

    @pytest.mark.parametrize("level", [0.0, 1.0, -0.1, 68.27, np.nan])
    def test_level_out_of_range(self, level):
        X, y, _ = data()
        with pytest.raises(ValueError, match="`level` must lie between 0 and 1"):
            WeightedLinearFit().fit(X, y).predict_interval(X, level=level)

    def test_unknown_kind(self):
        X, y, _ = data()
        with pytest.raises(ValueError, match='`kind` must be "confidence" or "prediction"'):
            WeightedLinearFit().fit(X, y).predict_interval(X, kind="tolerance")

    def test_sigma_of_a_confidence_interval(self):
        X, y, sigma = data()
        with pytest.raises(ValueError, match="`sigma` must be left out"):
            WeightedLinearFit().fit(X, y, sigma=sigma).predict_interval(X, sigma=sigma)

    @every_convention
    def test_sigma_is_needed_where_the_fit_had_it(self, absolute):
        X, y, sigma = data()
        fit = WeightedLinearFit(absolute_sigma=absolute).fit(X, y, sigma=sigma)
        with pytest.raises(ValueError, match="`sigma` must be given for the prediction interval"):
            fit.predict_interval(X, kind="prediction")

    def test_absolute_fit_without_sigma_needs_it_too(self):
        X, y, _ = data()
        fit = WeightedLinearFit(absolute_sigma=True).fit(X, y)
        with pytest.raises(ValueError, match="`sigma` must be given for the prediction interval"):
            fit.predict_interval(X, kind="prediction")
        fit.predict_interval(X, kind="prediction", sigma=1.0)

    def test_bad_sigma_of_new_points(self):
        X, y, sigma = data()
        fit = WeightedLinearFit().fit(X, y, sigma=sigma)
        sigma[3] = 0.0
        with pytest.raises(ValueError, match="Got 0 in row 3"):
            fit.predict_interval(X, kind="prediction", sigma=sigma)
        with pytest.raises(ValueError, match=r"Got shape \(4,\)"):
            fit.predict_interval(X, kind="prediction", sigma=np.ones(4))


class TestConvention:
    @pytest.mark.parametrize(
        ("choice", "given", "absolute"),
        [
            ("auto", True, True),
            ("auto", False, False),
            (True, True, True),
            (True, False, True),
            (False, True, False),
            (False, False, False),
        ],
    )
    def test_three_choices(self, choice, given, absolute):
        X, y, sigma = data()
        fit = WeightedLinearFit(absolute_sigma=choice).fit(X, y, sigma=sigma if given else None)
        _, cov = dense(DESIGNS["line"][1], X, y, sigma if given else np.ones(N), absolute)
        np.testing.assert_allclose(fit.params_cov_, cov, rtol=1e-9)
        assert fit.absolute_sigma_ is absolute
        assert fit.absolute_sigma == choice  # what was passed is not written to

    def test_weights_count_as_given(self):
        X, y, sigma = data()
        assert WeightedLinearFit().fit(X, y, sigma).absolute_sigma_
        assert WeightedLinearFit().fit(X, y, sigma=1.0).absolute_sigma_

    def test_relative_sigma_has_no_scale(self):
        X, y, sigma = data()
        a = WeightedLinearFit(absolute_sigma=False).fit(X, y, sigma=sigma)
        b = WeightedLinearFit(absolute_sigma=False).fit(X, y, sigma=1000.0 * sigma)
        np.testing.assert_allclose(a.params_cov_, b.params_cov_, rtol=1e-11)

    @pytest.mark.parametrize("choice", ["auto", True, False])
    def test_p_value_is_the_survival_probability(self, choice):
        X, y, sigma = data()
        fit = WeightedLinearFit(absolute_sigma=choice).fit(X, y, sigma=sigma)
        assert fit.p_value_ == pytest.approx(stats.chi2.sf(fit.chi2_, fit.dof_), rel=1e-12)
        assert fit.reduced_chi2_ == pytest.approx(fit.chi2_ / (N - 2), rel=1e-15)
        assert np.isnan(WeightedLinearFit(absolute_sigma=choice).fit(X, y).p_value_)

    @pytest.mark.parametrize("factor", [1e-3, 1e3])
    def test_p_value_far_from_one_half(self, factor):
        X, y, sigma = data()
        fit = WeightedLinearFit().fit(X, y, sigma=factor * sigma)
        assert fit.p_value_ == pytest.approx(stats.chi2.sf(fit.chi2_, fit.dof_), rel=1e-9)

    def test_covariance_of_coef_is_a_block(self):
        X, y, sigma = data()
        fit = WeightedLinearFit().fit(np.hstack([X, X**2]), y, sigma=sigma)
        np.testing.assert_array_equal(fit.coef_cov_, fit.params_cov_[1:, 1:])
        np.testing.assert_array_equal(fit.coef_std_, fit.params_std_[1:])
        np.testing.assert_allclose(fit.params_std_**2, np.diag(fit.params_cov_), rtol=1e-14)
        np.testing.assert_array_equal(fit.params_, np.concatenate([[fit.intercept_], fit.coef_]))
        np.testing.assert_allclose(fit.params_cov_, fit.params_cov_.T, rtol=1e-12)

    def test_design_matrix_has_no_separate_intercept(self):
        X, y, sigma = data()
        fit = DesignMatrixRegressor(["1", "x"]).fit(X, y, sigma=sigma)
        assert not hasattr(fit, "intercept_")
        np.testing.assert_array_equal(fit.coef_, fit.params_)
        np.testing.assert_array_equal(fit.coef_cov_, fit.params_cov_)
        assert fit.param_names_ == ["1", "x"]

    def test_line_through_the_origin_has_no_intercept_parameter(self):
        X, y, sigma = data()
        fit = WeightedLinearFit(fit_intercept=False).fit(X, y, sigma=sigma)
        assert fit.params_.shape == (1,)
        assert fit.param_names_ == ["x"]
        assert fit.intercept_ == 0.0
