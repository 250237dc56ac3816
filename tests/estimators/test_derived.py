"""Quantities derived from fits, with every estimator."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from sklsq import (
    DegreesOfFreedomWarning,
    DesignMatrixRegressor,
    NonlinearLSQ,
    OrthogonalRegression,
    RankWarning,
    SigmaClippedRegressor,
    WeightedLinearFit,
    confidence_intervals,
    propagate,
)
from sklsq.datasets import load_gaussian_peak, load_pearson_york, load_pion_plus

GAUSSIAN = "p1 + p2*exp(-((x - p3)/p4)**2)"
AREA = "p2*abs(p4)*sqrt(pi)"
ROUNDING = 1e-12


@pytest.fixture
def line():
    data = load_pion_plus()
    return WeightedLinearFit().fit(data.X, data.y_values, sigma=data.sigma_values)


def test_the_zero_crossing_of_a_line(line):
    a, b = line.params_
    (va, cab), (_, vb) = line.params_cov_
    textbook = np.sqrt(va / b**2 + a**2 * vb / b**4 - 2 * a * cab / b**3)
    for func in (
        "-intercept/inverse_energy",
        lambda intercept, inverse_energy: -intercept / inverse_energy,
        lambda inverse_energy, intercept: -intercept / inverse_energy,
        lambda a, b: -a / b,
        lambda params: -params[0] / params[1],
    ):
        value, std = line.propagate(func)
        assert value == pytest.approx(-a / b, rel=ROUNDING)
        assert std == pytest.approx(textbook, rel=ROUNDING)


def test_a_fitted_value_is_predict(line):
    value, std = line.propagate(lambda a, b: a + b * 0.2)
    mean, error = line.predict(pd.DataFrame({"inverse_energy": [0.2]}), return_std=True)
    assert value == pytest.approx(mean[0], rel=ROUNDING)
    assert std == pytest.approx(error[0], rel=1e-10)  # digits cancel between a and b


def test_the_area_under_a_peak():
    data = load_gaussian_peak()
    peak = NonlinearLSQ(GAUSSIAN).fit(data.X, data.y_values)
    area, std = peak.propagate(AREA)
    assert area == pytest.approx(peak.params_[1] * peak.params_[3] * np.sqrt(np.pi))
    # The same fit with the area itself as a parameter.
    direct = NonlinearLSQ("p1 + area/(p4*sqrt(pi))*exp(-((x - p3)/p4)**2)").fit(
        data.X, data.y_values
    )
    j = direct.param_names_.index("area")
    assert area == pytest.approx(direct.params_[j], rel=1e-8)
    assert std == pytest.approx(direct.params_std_[j], rel=1e-6)
    number = peak.to_uncertainties()
    other = number["p2"] * number["p4"] * np.sqrt(np.pi)
    assert std == pytest.approx(other.std_dev, rel=1e-9)


def test_the_published_covariance_is_used_as_it_is(line):
    data = load_pion_plus()
    scaled = WeightedLinearFit(absolute_sigma=False)
    scaled.fit(data.X, data.y_values, sigma=data.sigma_values)
    factor = np.sqrt(scaled.reduced_chi2_)
    assert scaled.propagate("-intercept/inverse_energy").std == pytest.approx(
        factor * line.propagate("-intercept/inverse_energy").std, rel=ROUNDING
    )


def test_terms_that_are_no_names_come_as_a_vector():
    x = np.linspace(1.0, 5.0, 12)[:, None]
    fit = DesignMatrixRegressor(["1", "x", "log(x)"]).fit(x, np.cos(x[:, 0]), sigma=0.1)
    value, std = fit.propagate(lambda params: params[1] / params[2])
    assert value == fit.params_[1] / fit.params_[2]
    by_covariance = propagate(lambda p: p[1] / p[2], fit.params_, fit.params_cov_).std
    assert std == pytest.approx(by_covariance, rel=1e-10)  # digits cancel in the covariance
    with pytest.raises(ValueError, match=r"formula of '1', 'x', 'log\(x\)'. Got 'y' in 'y/x'"):
        fit.propagate("y/x")


def test_many_curves_at_once():
    rng = np.random.default_rng(3)
    x = np.linspace(0.0, 4.0, 15)[:, None]
    Y = np.exp(-np.outer(x[:, 0], [0.5, 1.0, 2.0])) + 0.01 * rng.standard_normal((15, 3))
    fit = NonlinearLSQ("a*exp(-k*x)", p0=[1.0, 1.0]).fit(x, Y, sigma=0.01)
    half_life = fit.propagate("log(2)/k")
    assert half_life.value.shape == half_life.std.shape == half_life.cov.shape == (3,)
    for k in range(3):
        alone = NonlinearLSQ("a*exp(-k*x)", p0=[1.0, 1.0]).fit(x, Y[:, k], sigma=0.01)
        np.testing.assert_allclose(
            [half_life.value[k], half_life.std[k]], tuple(alone.propagate("log(2)/k")), rtol=1e-6
        )
    both = fit.propagate(lambda a, k: [a, a / k], method="monte-carlo", n_samples=500)
    assert both.value.shape == both.std.shape == (3, 2)
    assert both.cov.shape == (3, 2, 2)
    assert [sorted(numbers) for numbers in fit.to_uncertainties()] == [["a", "k"]] * 3


def test_a_line_with_errors_in_both_coordinates():
    data = load_pearson_york()
    line = OrthogonalRegression().fit(
        data.X, data.y_values, sigma=data.sigma_values, sigma_x=data.sigma_x_values
    )
    linear = line.propagate("-intercept/x")
    sampled = line.propagate("-intercept/x", method="monte-carlo", random_state=1)
    second = line.propagate("-intercept/x", method="second-order")
    assert linear.std < second.std < sampled.std < 1.1 * linear.std  # the ratio is curved


def test_what_the_data_do_not_determine_is_infinite():
    x = np.linspace(0.0, 1.0, 8)[:, None]
    with pytest.warns(RankWarning, match="cannot tell some parameters apart"):
        fit = NonlinearLSQ("a*exp(b + c*x)", p0=[1.0, 0.1, 1.0], start="p0").fit(
            x, np.exp(x[:, 0]), sigma=0.1
        )
    assert fit.propagate("a/b").std == np.inf
    assert np.isfinite(fit.propagate("2*c").std)


RANK_DEFICIENT = {
    "line": WeightedLinearFit(),
    "design": DesignMatrixRegressor(["1", "a", "b", "c"]),
    "total": OrthogonalRegression("total"),
    "nonlinear": NonlinearLSQ("k + q*a + r*b + s*c"),
    "clipped": SigmaClippedRegressor(WeightedLinearFit()),
}


@pytest.mark.parametrize("estimator", RANK_DEFICIENT.values(), ids=RANK_DEFICIENT)
def test_a_combination_that_the_data_determine_has_the_error_of_the_curve(estimator):
    """Columns a and b are alike: their coefficients are not determined, the sum of both is."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(3.0, 1.0, 25), "c": rng.normal(100.0, 1.0, 25)})
    X.insert(1, "b", X["a"])
    y = 4.0 + 3.0 * X["a"] - X["c"] + 0.1 * rng.normal(size=25)
    with pytest.warns(RankWarning, match="equally well"):
        fit = clone(estimator).fit(X, y)
    sum_of_both = fit.propagate(lambda p: p[1] + p[2])
    slope = fit.predict(pd.DataFrame({"a": [1.0, 2.0], "b": [1.0, 2.0], "c": 0.0}), return_cov=True)
    value, cov = slope
    assert sum_of_both.value == pytest.approx(value[1] - value[0], rel=1e-8)
    std = np.sqrt(cov[0, 0] + cov[1, 1] - 2.0 * cov[0, 1])
    assert sum_of_both.std == pytest.approx(std, rel=1e-6)
    at = [1.0, 2.0, 2.0, 101.0]
    mean, error = fit.predict(pd.DataFrame([at[1:]], columns=list("abc")), return_std=True)
    fitted = fit.propagate(lambda p: sum(x * q for x, q in zip(at, p, strict=True)))
    assert fitted.value == pytest.approx(mean[0], rel=1e-9)
    assert fitted.std == pytest.approx(error[0], rel=1e-6)
    assert fit.propagate(lambda p: p[1]).std == np.inf
    assert fit.propagate(lambda p: p[1] + 1.001 * p[2]).std == np.inf
    both = fit.propagate(lambda p: [p[1] + p[2], p[2]])
    assert both.std[0] == pytest.approx(std, rel=1e-6)
    assert both.std[1] == np.inf
    for method in ("second-order", "monte-carlo"):
        assert fit.propagate(lambda p: p[1] + p[2], method=method).std == (
            pytest.approx(std, rel=0.02)
        )
    X, y = X.drop(columns="b"), y.to_numpy()
    table = confidence_intervals(RANK_DEFICIENT["line"], X, y)
    if not isinstance(estimator, OrthogonalRegression):  # the same model, without b
        assert sum_of_both.std == pytest.approx(
            WeightedLinearFit().fit(X, y).params_std_[1], rel=1e-6
        )
        assert table.loc["a", "estimate"] == pytest.approx(sum_of_both.value, rel=1e-8)


def test_no_slope_along_what_is_not_determined_is_not_no_change():
    """The shortest coefficients are equal, where the square of their difference has no slope."""
    x = np.arange(6.0)
    with pytest.warns(RankWarning, match="determine only 1 of 2"):
        fit = DesignMatrixRegressor().fit(np.column_stack([x, x]), 2.0 * x + 0.1, sigma=0.1)
    assert fit.propagate(lambda p: (p[0] - p[1]) ** 2).std == np.inf
    assert np.isfinite(fit.propagate(lambda p: (p[0] + p[1]) ** 2).std)


def test_a_product_that_is_determined_though_its_factors_are_not():
    x = np.linspace(0.0, 3.0, 12)[:, None]
    with pytest.warns(RankWarning, match="cannot tell some parameters apart"):
        fit = NonlinearLSQ("a*b*exp(-c*x)", p0=[1.0, 2.0, 1.0], start="p0").fit(
            x, 3.0 * np.exp(-x[:, 0]), sigma=0.1
        )
    one = NonlinearLSQ("a*exp(-c*x)").fit(x, 3.0 * np.exp(-x[:, 0]), sigma=0.1)
    assert fit.propagate("a*b").std == pytest.approx(one.params_std_[0], rel=1e-6)
    assert fit.propagate("a*b/c").std == pytest.approx(one.propagate("a/c").std, rel=1e-6)
    assert fit.propagate("a/b").std == fit.propagate("a").std == np.inf


def test_without_degrees_of_freedom_what_is_determined_has_no_error_either():
    only, none = "determine only 1 of 2", "no degrees of freedom"
    with pytest.warns(RankWarning, match=only), pytest.warns(DegreesOfFreedomWarning, match=none):
        fit = WeightedLinearFit().fit([[2.0]], [3.0])
    with pytest.warns(UserWarning, match="The std is NaN"):
        assert np.isnan(fit.propagate("intercept + 2*x").std)
    assert fit.propagate("x").std == np.inf


def test_digits_that_cancel_in_the_covariance_are_kept():
    """A cubic far from the origin, at a point: as exact as `predict`."""
    x = np.linspace(0.0, 1.0, 40)[:, None] + 300.0
    fit = DesignMatrixRegressor(["1", "x", "x**2", "x**3"]).fit(x, np.sin(x[:, 0]), sigma=0.1)
    std = fit.predict([[300.3]], return_std=True)[1]
    powers = 300.3 ** np.arange(4)
    by_factor = fit.propagate(lambda p: powers @ p)
    assert by_factor.std == pytest.approx(std[0], rel=1e-3)
    lost = powers @ fit.params_cov_ @ powers
    assert not lost == pytest.approx(std[0] ** 2, rel=0.1)


def test_fixed_and_tied_parameters():
    data = load_gaussian_peak()
    fit = NonlinearLSQ(GAUSSIAN, fixed={"p1": 0.5}, tied={"p4": "p2/10"})
    fit.fit(data.X, data.y_values)
    assert fit.propagate("p1").std == 0.0
    assert fit.propagate("p4 - p2/10").std == pytest.approx(0.0, abs=1e-9)
    assert fit.to_uncertainties()["p1"] == 0.5


def test_an_unfitted_estimator_says_so():
    with pytest.raises(NotFittedError, match="not fitted yet"):
        WeightedLinearFit().propagate("x")
    with pytest.raises(NotFittedError, match="not fitted yet"):
        WeightedLinearFit().to_uncertainties()


def test_parameters_of_one_name_cannot_be_told_apart():
    twice = DesignMatrixRegressor(["1", "x", "x"])
    with pytest.warns(RankWarning, match="determine only 2 of 3"):
        twice.fit([[0.0], [1.0], [3.0]], [0.1, 0.9, 3.2], sigma=0.1)
    with pytest.raises(ValueError, match="must be named differently from each other"):
        twice.to_uncertainties()
    with pytest.raises(ValueError, match="`func` must not name what has its name in common"):
        twice.propagate("2*x")
