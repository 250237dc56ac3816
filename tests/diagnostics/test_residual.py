"""The report is right: false alarms as rare as stated, and what is wrong is found and named."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from sklearn.exceptions import ConvergenceWarning
from statsmodels.stats.stattools import durbin_watson

from sklsq import (
    DesignMatrixRegressor,
    LinearizedRegressor,
    NonlinearLSQ,
    OrthogonalRegression,
    WeightedLinearFit,
    datasets,
    residual_diagnostics,
)
from sklsq.basis import Polynomial

LEVEL = 0.05


def report_on(degree, x, y, sigma=None, **options):
    fit = DesignMatrixRegressor(Polynomial(degree)).fit(x[:, None], y, sigma=sigma)
    return residual_diagnostics(fit, x[:, None], y, sigma=sigma, **options)


# Values ------------------------------------------------------------------------------------------


def test_values_beside_statsmodels_and_scipy():
    rng = np.random.default_rng(0)
    x, sigma = np.sort(rng.uniform(0.0, 3.0, 40)), rng.uniform(0.5, 2.0, 40)
    y = 1.0 + x + sigma * rng.normal(size=40)
    report = report_on(1, x, y, sigma)
    fit = sm.OLS(y / sigma, np.vander(x, 2) / sigma[:, None]).fit()
    assert report.chi2.statistic == pytest.approx(fit.ssr)
    both = 2.0 * min(stats.chi2.sf(fit.ssr, 38), stats.chi2.cdf(fit.ssr, 38))
    assert report.chi2.p_value == pytest.approx(both)
    assert report.autocorrelation.statistic == pytest.approx(durbin_watson(fit.resid))
    influence = fit.get_influence()
    np.testing.assert_allclose(
        report.table["studentized"], influence.resid_studentized_external, rtol=1e-8
    )
    assert report.leverage.statistic == pytest.approx(influence.hat_matrix_diag.max())
    cubic = sm.OLS(y / sigma, np.vander(x, 4) / sigma[:, None]).fit()
    ratio, p_value, _ = cubic.compare_f_test(fit)
    assert report["trend x"].statistic == pytest.approx(ratio, rel=1e-6)
    assert report["trend x"].p_value == pytest.approx(p_value, rel=1e-6)
    internal = influence.resid_studentized_internal
    assert report.normality.statistic == pytest.approx(_anderson(internal), rel=1e-9)
    assert report.sigma_scale == pytest.approx(np.sqrt(fit.ssr / 38))
    ends = np.sqrt(fit.ssr / stats.chi2.ppf(stats.norm.cdf([1.0, -1.0]), 38))
    np.testing.assert_allclose(report.sigma_scale_interval, ends)


def _anderson(values):
    z = np.sort((values - values.mean()) / values.std(ddof=1))
    i = np.arange(1, len(z) + 1)
    return -len(z) - np.mean((2 * i - 1) * (stats.norm.logcdf(z) + stats.norm.logsf(z[::-1])))


def test_unknown_sigma_is_not_tested_but_stated():
    rng = np.random.default_rng(1)
    x = np.linspace(0.0, 1.0, 50)
    y = x + 0.3 * rng.normal(size=50)
    plain, known = report_on(1, x, y), report_on(1, x, y, 0.3)
    assert plain.chi2.verdict == "not applicable"
    assert plain.n_tests == known.n_tests - 1
    assert plain.sigma_scale == pytest.approx(0.3 * known.sigma_scale)
    for name in ("runs", "autocorrelation", "trend x", "normality", "spread", "outliers"):
        assert plain[name].p_value == pytest.approx(known[name].p_value)


def test_units_and_order_of_rows_do_not_matter():
    rng = np.random.default_rng(2)
    x, sigma = rng.normal(size=30), rng.uniform(1.0, 2.0, 30)
    y = x**3 + sigma * rng.normal(size=30)
    shuffled = rng.permutation(30)
    expected = report_on(1, x, y, sigma).to_frame()["p_value"].drop("leverage")
    for other in (
        report_on(1, x[shuffled], y[shuffled], sigma[shuffled]),
        report_on(1, 1e3 * x - 5.0, 1e-9 * y, 1e-9 * sigma),
    ):
        found = other.to_frame()["p_value"].drop("leverage")
        np.testing.assert_allclose(found, expected, rtol=1e-6)


# False alarms and power --------------------------------------------------------------------------


@pytest.mark.parametrize(("degree", "n", "known"), [(1, 15, True), (2, 15, False), (2, 50, True)])
def test_false_alarms(degree, n, known):
    n_sets = 100
    rng = np.random.default_rng(100 * n + degree)
    x, sigma = np.linspace(0.0, 1.0, n), np.exp(rng.normal(size=n)) if known else None
    noise = rng.normal(size=(n_sets, n)) * (1.0 if sigma is None else sigma)
    reports = [report_on(degree, x, 2.0 - x + x**degree + e, sigma) for e in noise]
    p = pd.DataFrame([report.to_frame()["p_value"] for report in reports]).dropna(axis=1)
    assert len(p.columns) == (7 if known else 6)
    z = ((p < LEVEL).mean() - LEVEL) / np.sqrt(LEVEL * (1.0 - LEVEL) / n_sets)
    assert (z < 3.5).all(), z
    assert (z[["autocorrelation", "trend x", "outliers"]].abs() < 3.5).all(), z
    alarms = np.mean([not report.ok for report in reports])
    assert alarms < LEVEL + 3.5 * np.sqrt(LEVEL * (1.0 - LEVEL) / n_sets)


def test_false_alarms_with_errors_in_x():
    """Over the measured x, which the residuals depend on, every tenth line would show a trend."""
    n_sets, rng = 100, np.random.default_rng(15)
    x = np.linspace(0.0, 5.0, 60)
    errors = {"sigma": 0.3, "sigma_x": 0.2}
    found = []
    for z in rng.normal(size=(n_sets, 2, 60)):
        X, y = (x + 0.2 * z[0])[:, None], 1.0 + 2.0 * x + 0.3 * z[1]
        fit = OrthogonalRegression().fit(X, y, **errors)
        found.append(residual_diagnostics(fit, X, y, **errors).to_frame()["p_value"])
    alarms = (pd.DataFrame(found).drop(columns="leverage") < LEVEL).mean()
    assert (alarms < LEVEL + 3.0 * np.sqrt(LEVEL * (1.0 - LEVEL) / n_sets)).all(), alarms


def missing_square(x, z):
    return 8.0 * (x - 0.5) ** 2 + z


def serially_correlated(x, z):
    e = z.copy()
    for i in range(1, len(e)):
        e[i] = 0.7 * e[i - 1] + np.sqrt(1.0 - 0.7**2) * z[i]
    return e


def growing(x, z):
    return z * (0.2 + 2.0 * x)


def one_far_out(x, z):
    z = z.copy()
    z[20] += 6.0
    return z


def heavy_tails(x, z):
    return stats.t.ppf(stats.norm.cdf(z), 2.0)


def sine(x, z):
    return z + 1.5 * np.sin(20.0 * x)


@pytest.mark.parametrize(
    ("defect", "n", "test"),
    [
        (missing_square, 60, "trend x"),
        (serially_correlated, 60, "autocorrelation"),
        (serially_correlated, 60, "runs"),
        (growing, 60, "spread"),
        (one_far_out, 60, "outliers"),
        (heavy_tails, 100, "normality"),
        (sine, 60, "autocorrelation"),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_power(defect, n, test):
    """In most of 30 samples the test that is made for a defect sees it."""
    rng = np.random.default_rng(7)
    x = np.linspace(0.0, 1.0, n)
    seen = [report_on(1, x, defect(x, rng.normal(size=n)))[test].p_value < LEVEL for _ in range(40)]
    assert np.mean(seen) > 0.75


@pytest.mark.parametrize(("factor", "reading"), [(0.5, "too large"), (2.0, "too small")])
def test_wrong_sigma_is_read_both_ways(factor, reading):
    rng = np.random.default_rng(18)
    x = np.linspace(0.0, 1.0, 30)
    y = x + rng.normal(size=30)
    report = report_on(1, x, y, factor)
    assert report.suspects == ["chi2"]
    assert report.chi2.sentence.startswith(reading)
    assert f"{report.sigma_scale:.2g} times sigma" in report.chi2.sentence


def test_line_through_a_line_with_a_small_sine():
    """The lecture's warning: a good χ² by itself, and a wave in the residuals."""
    rng = np.random.default_rng(9)
    x = np.linspace(0.0, 10.0, 60)
    y = 1.0 + 0.5 * x + 0.3 * np.sin(2.0 * x) + 0.1 * rng.normal(size=60)
    report = report_on(1, x, y, 0.25)
    assert report.chi2.verdict == "ok"
    assert report.suspects == ["autocorrelation", "runs"]
    assert "the same side" in report.runs.sentence
    assert "a bend or a wave" in report.autocorrelation.sentence


def test_chi2_names_the_cause_that_the_others_find():
    rng = np.random.default_rng(10)
    x = np.linspace(0.0, 1.0, 40)
    bent = report_on(1, x, 30.0 * x**2 + rng.normal(size=40), 1.0)
    assert "Amend it first" in bent.chi2.sentence
    assert "Begin with the model" not in report_on(1, x, 9.0 * x**2 + rng.normal(size=40)).verdict
    far = rng.normal(size=40)
    far[7] += 9.0
    assert "see the outliers" in report_on(1, x, far, 1.0).chi2.sentence


# Kinds of fits -----------------------------------------------------------------------------------


def test_all_four_kinds():
    peak, york = datasets.load_gaussian_peak(), datasets.load_pearson_york()
    fits = [
        (NonlinearLSQ("p1 + p2*exp(-((x - p3)/p4)**2)"), peak, {}),
        (WeightedLinearFit(), datasets.load_pion_minus(), {"sigma": True}),
        (DesignMatrixRegressor(Polynomial(2)), datasets.load_pion_plus(), {"sigma": True}),
        (OrthogonalRegression(), york, {"sigma": True, "sigma_x": True}),
    ]
    for fit, data, wanted in fits:
        errors = {name: getattr(data, f"{name}_values") for name in wanted}
        report = residual_diagnostics(
            fit.fit(data.X, data.y_values, **errors), data.X, data.y_values, **errors
        )
        assert report.ok
        assert not report.remarks


def test_lists_will_do():
    x, y = [[0.1 * k] for k in range(12)], [np.sin(5.0 * k) for k in range(12)]
    fit = WeightedLinearFit().fit(x, y)
    expected = residual_diagnostics(fit, np.array(x), np.array(y))
    assert str(residual_diagnostics(fit, x, y)) == str(expected)


def test_several_features():
    rng = np.random.default_rng(11)
    X = pd.DataFrame(rng.normal(size=(80, 2)), columns=["width", "height"])
    y = X["width"] + 2.0 * X["height"] + X["width"] * X["height"] + 0.3 * rng.normal(size=80)
    fit = WeightedLinearFit().fit(X, y)
    report = residual_diagnostics(fit, X, y)
    assert {"trend width", "trend height", "trend fitted"} <= set(report)
    assert report.suspects[0] == "trend fitted"
    assert "products or powers" in report["trend fitted"].sentence
    good = DesignMatrixRegressor(Polynomial(2)).fit(X, y)
    assert residual_diagnostics(good, X, y).ok


def test_order_of_measurement():
    """Drift in time is invisible over the feature."""
    rng = np.random.default_rng(12)
    time = pd.Series(np.arange(60.0), name="minutes")
    x = rng.permutation(60) / 60.0
    y = x + 0.1 * rng.normal(size=60) + 0.2 * np.sin(time.to_numpy() / 5.0)
    assert report_on(1, x, y).autocorrelation.p_value > LEVEL
    for order in (time, "rows"):
        assert report_on(1, x, y, order=order).autocorrelation.p_value < 1e-6
    assert "minutes" in report_on(1, x, y, order=time).autocorrelation.sentence
    same = report_on(1, x, y, order="x")
    assert same.runs.p_value == report_on(1, x, y).runs.p_value


def test_targets():
    rng = np.random.default_rng(13)
    x = np.linspace(0.0, 1.0, 30)[:, None]
    Y = np.column_stack([x[:, 0], 20.0 * x[:, 0] ** 2]) + rng.normal(size=(30, 2))
    fit = WeightedLinearFit().fit(x, Y, sigma=1.0)
    first, second = (residual_diagnostics(fit, x, Y, sigma=1.0, target=k) for k in (0, 1))
    assert first.ok
    assert "trend x" in second.suspects


@pytest.mark.filterwarnings("ignore::sklsq.DegreesOfFreedomWarning")
@pytest.mark.filterwarnings("ignore::sklsq.RankWarning")
@pytest.mark.parametrize("n", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("sigma", [None, 0.5])
def test_few_points(n, sigma):
    x = np.arange(float(n))
    report = report_on(1, x, np.cos(x), sigma)
    assert report.runs.verdict == report.normality.verdict == "not applicable"
    assert report.runs.sentence.startswith("needs")
    assert np.isfinite(report.chi2.p_value) == (sigma is not None and n > 2)
    assert isinstance(str(report), str)


def test_exact_fit():
    x = np.linspace(0.0, 1.0, 12)
    report = report_on(0, x, np.ones(12), 0.1)
    assert report.runs.sentence == "all residuals are zero"
    assert report.suspects == ["chi2"]
    assert report.chi2.sentence.startswith("too small")


def test_point_that_fixes_its_value():
    x = np.append(np.linspace(0.0, 1.0, 20), 50.0)
    rng = np.random.default_rng(14)
    report = report_on(1, x, x + rng.normal(size=21), 1.0)
    assert report.leverage.verdict == "note"
    assert report.leverage.sentence.startswith("row 20 (1.00)")
    assert report.ok


class TestBadInput:
    X, y = np.arange(10.0), np.arange(10.0) ** 2

    def test_level(self):
        with pytest.raises(ValueError, match=r"`level` must lie between 0 and 1. Got 5"):
            report_on(1, self.X, self.y, level=5)

    def test_order(self):
        with pytest.raises(ValueError, match=r"`order` must be \"rows\", one of \['x'\]"):
            report_on(1, self.X, self.y, order="time")
        with pytest.raises(ValueError, match=r"`order` must have one value for each of the 10"):
            report_on(1, self.X, self.y, order=np.arange(9))

    def test_sigma(self):
        fit = WeightedLinearFit().fit(self.X[:, None], self.y, sigma=1.0)
        with pytest.raises(ValueError, match="`sigma` must hold the standard deviations"):
            residual_diagnostics(fit, self.X[:, None], self.y)


@pytest.mark.parametrize("unit", [1.0, 1e8, 1e-8])
def test_an_exact_fit_is_that_of_these_data(unit):
    x = np.linspace(0.0, 10.0, 30)[:, None]
    y = unit * (1.0 + 2.0 * x[:, 0])
    for sigma in (None, 0.3 * unit):
        line = WeightedLinearFit().fit(x, y, sigma=sigma)
        report = residual_diagnostics(line, x, y, sigma=sigma)
        assert report.remarks == []
        assert "degrees of freedom" not in report.findings["outliers"].sentence


def test_false_alarms_about_a_fit_to_logarithms():
    """At relative errors of 30 %: 36 in 100 for the normality of residuals in y themselves."""
    rng, n_runs = np.random.default_rng(11), 200
    x = np.linspace(0.0, 3.0, 40)[:, None]
    alarms = dict.fromkeys(("normality", "outliers", "spread", "runs", "trend x"), 0)
    for _ in range(n_runs):
        y = 5.0 * np.exp(0.3 * rng.normal(size=40) - x[:, 0])
        report = residual_diagnostics(LinearizedRegressor(WeightedLinearFit()).fit(x, y), x, y)
        for name in alarms:
            alarms[name] += report[name].p_value < LEVEL
    for count in alarms.values():
        assert abs(count - LEVEL * n_runs) < 4.0 * np.sqrt(LEVEL * n_runs)


def test_rows_of_zero_weight_are_left_out():
    rng = np.random.default_rng(5)
    x, sigma = np.linspace(0.0, 10.0, 30)[:, None], 0.3
    y = 1.0 + 2.0 * x[:, 0] + rng.normal(0.0, sigma, 30)
    weight = np.where(np.arange(30) == 3, 0.0, sigma**-2.0)
    line = WeightedLinearFit().fit(x, y, sample_weight=weight)
    report = residual_diagnostics(line, x, y, sigma=sigma)
    assert "zero weight are known by `sample_weight`" in " ".join(report.remarks)
    as_nan = residual_diagnostics(line, x, np.where(weight > 0.0, y, np.nan), sigma=sigma)
    by_weight = residual_diagnostics(line, x, y, sample_weight=weight)
    for without in (as_nan, by_weight):
        assert without.remarks == []
        assert without.chi2.statistic == pytest.approx(line.chi2_)
        assert "29 points (1 left out), 27 degrees of freedom" in without.subtitle
    pd.testing.assert_frame_equal(by_weight.to_frame(), as_nan.to_frame())


@pytest.mark.parametrize("absolute", ["auto", False])
@pytest.mark.parametrize("estimator", [WeightedLinearFit, NonlinearLSQ])
def test_sample_weight_is_the_other_spelling(estimator, absolute):
    rng = np.random.default_rng(6)
    x, sigma = np.linspace(0.0, 10.0, 30)[:, None], rng.uniform(0.1, 0.6, 30)
    y = 1.0 + 2.0 * x[:, 0] + sigma * rng.normal(size=30)
    model = {} if estimator is WeightedLinearFit else {"model": "a + b*x"}
    fit = estimator(absolute_sigma=absolute, **model).fit(x, y, sample_weight=sigma**-2.0)
    expected = residual_diagnostics(fit, x, y, sigma=sigma)
    found = residual_diagnostics(fit, x, y, sample_weight=sigma**-2.0)
    assert found.sigma_known == expected.sigma_known == (absolute == "auto")
    pd.testing.assert_frame_equal(found.to_frame(), expected.to_frame(), rtol=1e-9)
    pd.testing.assert_frame_equal(found.table, expected.table, rtol=1e-9)


def test_weights_of_several_curves():
    rng = np.random.default_rng(7)
    x, weight = np.linspace(0.0, 10.0, 20)[:, None], rng.uniform(1.0, 9.0, (20, 2))
    weight[[3, 11], 1] = 0.0
    y = 1.0 + x + rng.normal(size=(20, 2)) / np.sqrt(np.where(weight > 0.0, weight, 1.0))
    fit = WeightedLinearFit().fit(x, y, weight)
    for k in range(2):
        found = residual_diagnostics(fit, x, y, sample_weight=weight, target=k)
        alone = WeightedLinearFit().fit(x, y[:, k], weight[:, k])
        expected = residual_diagnostics(alone, x, y[:, k], sample_weight=weight[:, k])
        pd.testing.assert_frame_equal(found.to_frame(), expected.to_frame(), rtol=1e-8)


def test_errors_in_both_spellings_are_refused():
    x, y = np.linspace(0.0, 10.0, 12)[:, None], np.linspace(0.1, 10.0, 12)
    line = WeightedLinearFit().fit(x, y, sigma=0.1)
    with pytest.raises(ValueError, match="`sigma` and `sample_weight` must not both be given"):
        residual_diagnostics(line, x, y, sigma=0.1, sample_weight=100.0)
    with pytest.raises(ValueError, match=r"`sample_weight` must be finite and not negative"):
        residual_diagnostics(line, x, y, sample_weight=np.full(12, -1.0))
    with pytest.raises(ValueError, match="pass the sigma of the fit, or its sample_weight"):
        residual_diagnostics(line, x, y)
    unweighted = WeightedLinearFit().fit(x, y)
    with pytest.raises(ValueError, match="the fit gave every point the same weight"):
        residual_diagnostics(unweighted, x, y, sample_weight=np.arange(1.0, 13.0))
    with pytest.raises(ValueError, match="`sample_weight` must have the same index"):
        residual_diagnostics(
            line, x, pd.Series(y), sample_weight=pd.Series(np.ones(12), np.arange(12) + 1)
        )


def test_data_that_do_not_go_with_the_fit():
    x = np.linspace(0.0, 10.0, 12)[:, None]
    y = 1.0 + x[:, 0] + np.random.default_rng(0).normal(size=12)
    line = WeightedLinearFit().fit(x, y)
    with pytest.raises(ValueError, match="`y` must have one value for each of the 12 rows"):
        residual_diagnostics(line, x, y[:4])
    with pytest.raises(ValueError, match="`y` must hold measured values"):
        residual_diagnostics(line, x, np.full(12, np.nan))
    with pytest.raises(ValueError, match=r"`order` must have one value for each row. Got nan"):
        residual_diagnostics(line, x, y, order=np.where(np.arange(12) == 3, np.nan, y))
    with pytest.raises(ValueError, match=r"`target` must be the number of a column of y.*0.5"):
        residual_diagnostics(line, x, y, target=0.5)


def test_one_point_is_no_points():
    with pytest.warns(UserWarning, match="no degrees of freedom"):
        one = DesignMatrixRegressor(["1"]).fit([[0.0]], [1.0], sigma=0.1)
    assert "1 point, 0 degrees" in str(residual_diagnostics(one, [[0.0]], [1.0], sigma=0.1))


def test_residuals_of_a_fit_that_has_not_converged():
    x = np.linspace(0.0, 5.0, 12)[:, None]
    y = 5.0 * np.exp(-x[:, 0] / 2.0) + np.random.default_rng(1).normal(0.0, 0.1, 12)
    estimator = NonlinearLSQ("a*exp(-x/b)", p0={"a": 0.1, "b": 20.0}, start="p0", max_iter=1)
    with pytest.warns(ConvergenceWarning, match="Not converged"):
        estimator.fit(x, y, sigma=0.1)
    report = residual_diagnostics(estimator, x, y, sigma=0.1)
    assert "the fit has not converged" in report.remarks[0]
