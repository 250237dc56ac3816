"""Intervals are those of other programs, follow χ² where it is curved, and hold what they say."""

import lmfit
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.special import ndtri, stdtrit
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklsq import (
    BoundWarning,
    DegreesOfFreedomWarning,
    DesignMatrixRegressor,
    NonlinearLSQ,
    OrthogonalRegression,
    RankWarning,
    WeightedLinearFit,
    confidence_intervals,
    datasets,
)
from sklsq.inference.refitting import RepeatableFit
from tests.inference.curved import CASES

ROOT_FOUND = 1e-6  # of a standard error: crossings are found to 1e-7 of their distance
LMFIT_FOUND = 2e-3  # of a standard error, at which lmfit stops looking
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
levels = pytest.mark.parametrize("level", [0.6827, 0.95])


def profile(case, level=0.6827, **options):
    return confidence_intervals(
        case.estimator, case.X, case.y, sigma=case.sigma, method="profile", level=level, **options
    )


@pytest.fixture
def line():
    data = datasets.load_pion_minus()
    return data.X, data.y_values, data.sigma_values


# Other programs ----------------------------------------------------------------------------------


@levels
def test_wald_of_a_line_without_sigma_is_that_of_statsmodels(line, level):
    X, y, _ = line
    expected = sm.OLS(y, sm.add_constant(X)).fit().conf_int(1.0 - level)
    table = confidence_intervals(WeightedLinearFit(), X, y, level=level)
    assert list(table.columns) == ["estimate", "lower", "upper"]
    assert table.index.name == "parameter"
    np.testing.assert_allclose(table[["lower", "upper"]], expected, rtol=1e-9)


@levels
def test_wald_with_sigma_has_the_normal_quantile(line, level):
    X, y, sigma = line
    fit = WeightedLinearFit().fit(X, y, sigma=sigma)
    table = confidence_intervals(WeightedLinearFit(), X, y, sigma=sigma, level=level)
    half = ndtri(0.5 + 0.5 * level) * fit.params_std_
    np.testing.assert_allclose(table["upper"] - table["estimate"], half, rtol=1e-9)
    np.testing.assert_allclose(table["estimate"] - table["lower"], half, rtol=1e-9)


def test_profile_of_puromycin_is_that_of_r():
    """`confint` of `nls`, which interpolates the profile by splines, hence four digits."""
    table = profile(CASES["puromycin"], 0.95)
    expected = [[197.30212848, 229.29006490], [0.04692517, 0.08615995]]
    np.testing.assert_allclose(table[["lower", "upper"]], expected, rtol=2e-4)


@every_case
def test_profile_is_that_of_lmfit(case):
    level = 0.95
    table = profile(case, level)
    start = lmfit.Parameters()
    for name, value in table["estimate"].items():
        start.add(name, value=value)
    minimizer = lmfit.Minimizer(
        lambda p: case.pulls(p.valuesdict()), start, scale_covar=case.sigma is None
    )
    best = minimizer.leastsq(xtol=1e-12, ftol=1e-12)
    n, m = best.ndata, best.nvarys
    if case.sigma is not None:  # lmfit always scales: ask it for the level that is the same rise
        q = ndtri(0.5 + 0.5 * level) / np.sqrt(best.redchi)
        level = float(2.0 * _student(q, n - m) - 1.0)
    found = lmfit.conf_interval(minimizer, best, sigmas=[level])
    for name, ends in found.items():
        expected = [ends[0][1], ends[-1][1]]
        error = table.loc[name, "upper"] - table.loc[name, "lower"]
        np.testing.assert_allclose(
            table.loc[name, ["lower", "upper"]], expected, atol=LMFIT_FOUND * error
        )


def _student(quantile, dof):
    from scipy.special import stdtr

    return stdtr(dof, quantile)


@every_case
@levels
def test_chi2_has_risen_by_the_quantile_at_the_ends(case, level):
    table = profile(case, level)
    start = table["estimate"].to_dict()
    best = case.chi2_with({}, start)
    dof = len(case.y) - len(start)
    rise = ndtri(0.5 + 0.5 * level) ** 2
    if case.sigma is None:
        rise = stdtrit(dof, 0.5 + 0.5 * level) ** 2 * best / dof
    for name in start:
        for end in ("lower", "upper"):
            chi2 = case.chi2_with({name: table.loc[name, end]}, start)
            assert chi2 - best == pytest.approx(rise, rel=1e-5)


# Linear models -----------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [True, False])
@levels
def test_profile_of_a_linear_model_is_wald(line, given, level):
    """Three ways: the quadratic form, no fit at all, and refits of the same line as a formula."""
    X, y, sigma = line
    options = {"sigma": sigma if given else None, "level": level}
    wald = confidence_intervals(WeightedLinearFit(), X, y, **options)
    exact = confidence_intervals(WeightedLinearFit(), X, y, method="profile", **options)
    pd.testing.assert_frame_equal(exact, wald, check_exact=True)
    formula = NonlinearLSQ("a + b*inverse_energy")
    refitted = confidence_intervals(formula, X, y, method="profile", **options)
    half = (wald["upper"] - wald["estimate"]).max()
    np.testing.assert_allclose(refitted, wald, atol=ROOT_FOUND * half)


def test_profile_of_a_linear_model_fits_once(line, monkeypatch):
    X, y, sigma = line
    monkeypatch.delattr(RepeatableFit, "again")
    confidence_intervals(WeightedLinearFit(), X, y, sigma=sigma, method="profile")


@pytest.mark.parametrize("method", ["wald", "profile", "bootstrap"])
def test_what_data_do_not_determine_has_no_limits(line, method):
    X, y, _ = line
    basis = ["1", "inverse_energy", "2*inverse_energy"]
    with pytest.warns(RankWarning, match="fits equally well"):
        table = confidence_intervals(
            DesignMatrixRegressor(basis), X, y, method=method, n_resamples=99, random_state=0
        )
    assert (table["lower"].iloc[1:] == -np.inf).all()
    assert (table["upper"].iloc[1:] == np.inf).all()
    assert np.isfinite(table.iloc[0]).all()


# A curved surface --------------------------------------------------------------------------------


@pytest.fixture
def saturating():
    """The last seven points tell nothing of b, if it is large."""
    x = np.linspace(1.0, 10.0, 8)[:, None]
    y = 1.0 - np.exp(-1.2 * x[:, 0]) + np.random.default_rng(1).normal(0.0, 0.2, 8)
    return NonlinearLSQ("a*(1 - exp(-b*x))"), x, y


def test_profile_that_never_rises_to_the_level_has_no_limit(saturating):
    """For b to infinity the model is a constant: χ² of the mean is where the profile ends."""
    estimator, x, y = saturating
    asymptote = np.sum((y - y.mean()) ** 2) / 0.2**2
    rise = asymptote - estimator.fit(x, y, sigma=0.2).chi2_
    level = 2.0 * 0.5 * (1.0 + np.sqrt(1.0 - np.exp(-2.0 * rise / np.pi))) - 1.0  # about
    for probe, limited in ((0.9 * level, True), (0.5 * (1.0 + level), False)):
        table = confidence_intervals(estimator, x, y, sigma=0.2, method="profile", level=probe)
        assert (ndtri(0.5 + 0.5 * probe) ** 2 < rise) == limited
        assert np.isfinite(table.loc["b", "upper"]) == limited
        assert np.isfinite(table.loc["a"]).all()
        assert 0.0 < table.loc["b", "lower"] < table.loc["b", "estimate"]


def test_interval_ends_at_a_bound_and_says_so(saturating):
    estimator, x, y = saturating
    bounded = NonlinearLSQ(estimator.model, bounds={"b": (None, 2.0)})
    free = confidence_intervals(estimator, x, y, sigma=0.2, method="profile")
    with pytest.warns(BoundWarning, match=r"ends at a bound for b: .* level 0\.6827"):
        table = confidence_intervals(bounded, x, y, sigma=0.2, method="profile")
    assert free.loc["b", "upper"] > 2.0
    assert table.loc["b", "upper"] == 2.0
    assert table.loc["b", "lower"] == pytest.approx(free.loc["b", "lower"], rel=1e-6)


def test_a_parameter_at_its_bound_has_an_interval_on_the_other_side(saturating):
    estimator, x, y = saturating
    pair = ([-np.inf, -np.inf], [np.inf, 1.0])
    with pytest.warns(BoundWarning, match="[Aa]t a bound"):
        table = confidence_intervals(
            NonlinearLSQ(estimator.model, bounds=pair), x, y, sigma=0.2, method="profile"
        )
    case = CASES["boxbod"].__class__(estimator.model, x, y, 0.2)
    start = table["estimate"].to_dict()
    assert start["b"] == table.loc["b", "upper"] == 1.0
    rise = case.chi2_with({"b": table.loc["b", "lower"]}, start) - case.chi2_with({"b": 1.0}, start)
    assert rise == pytest.approx(ndtri(0.84135) ** 2, rel=1e-5)


def test_where_the_model_ends_the_interval_ends():
    x = np.linspace(1.0, 10.0, 8)[:, None]
    y = 0.05 * x[:, 0] + np.random.default_rng(1).normal(0.0, 0.5, 8)
    table = confidence_intervals(
        NonlinearLSQ("sqrt(a)*x"), x, y, sigma=0.5, method="profile", level=0.9999
    )
    assert abs(table.loc["a", "lower"]) < 1e-9
    assert table.loc["a", "upper"] > table.loc["a", "estimate"]


def test_a_lower_minimum_on_the_way_is_taken_up():
    x = np.linspace(0.0, 10.0, 60)[:, None]
    y = np.sin(2.0 * x[:, 0]) + np.random.default_rng(0).normal(0.0, 0.1, 60)
    stuck = NonlinearLSQ("sin(w*x)", p0={"w": 2.7}, start="p0", bounds={"w": (1.0, 4.0)})
    found = stuck.fit(x, y, sigma=1.5)
    assert abs(found.params_[0] - 2.0) > 0.3
    with pytest.warns(ConvergenceWarning, match="local minimum, chi2 = .* leads to a lower one"):
        table = confidence_intervals(clone(stuck), x, y, sigma=1.5, method="profile", level=0.9999)
    assert table.loc["w", "lower"] < 2.0 < table.loc["w", "upper"]
    assert abs(table.loc["w", "estimate"] - 2.0) < 0.05


# Invariances -------------------------------------------------------------------------------------


def test_profile_does_not_depend_on_the_parametrisation():
    """Lifetime instead of rate: its interval is the reciprocal one, unlike the Wald interval."""
    x = np.linspace(0.0, 3.0, 8)[:, None]
    y = 5.0 * np.exp(-0.8 * x[:, 0]) + np.random.default_rng(2).normal(0.0, 0.6, 8)
    rate, life = (
        confidence_intervals(NonlinearLSQ(model), x, y, sigma=0.6, method="profile", level=0.95)
        for model in ("a*exp(-k*x)", "a*exp(-x/t)")
    )
    np.testing.assert_allclose(life.loc["a"], rate.loc["a"], rtol=1e-6)
    np.testing.assert_allclose(
        life.loc["t", ["lower", "upper"]], 1.0 / rate.loc["k", ["upper", "lower"]], rtol=1e-6
    )
    wald = [
        confidence_intervals(NonlinearLSQ(model), x, y, sigma=0.6, level=0.95)
        for model in ("a*exp(-k*x)", "a*exp(-x/t)")
    ]
    assert abs(wald[1].loc["t", "upper"] * wald[0].loc["k", "lower"] - 1.0) > 0.05


def test_units_and_repetitions():
    case = CASES["boxbod"]
    plain = profile(case)
    thousand = confidence_intervals(case.estimator, case.X, 1e3 * case.y, method="profile")
    np.testing.assert_allclose(thousand.loc["b1"], 1e3 * plain.loc["b1"], rtol=1e-6)
    np.testing.assert_allclose(thousand.loc["b2"], plain.loc["b2"], rtol=1e-6)
    once = confidence_intervals(case.estimator, case.X, case.y, sigma=10.0, method="profile")
    X, y = np.tile(case.X, (4, 1)), np.tile(case.y, 4)
    four = confidence_intervals(case.estimator, X, y, sigma=20.0, method="profile")
    np.testing.assert_allclose(four, once, rtol=1e-6)


def test_fixed_and_tied_parameters():
    """A fixed one has no width; a tied one has the interval of what it is tied to."""
    case = CASES["gaussian"]
    fixed = confidence_intervals(
        NonlinearLSQ(case.formula, fixed={"p1": 0.5}), case.X, case.y, method="profile"
    )
    assert (fixed.loc["p1"] == 0.5).all()
    tied = confidence_intervals(
        NonlinearLSQ(case.formula, tied={"p2": "9/p4"}), case.X, case.y, method="profile"
    )
    np.testing.assert_allclose(
        tied.loc["p2", ["lower", "upper"]], 9.0 / tied.loc["p4", ["upper", "lower"]], rtol=1e-6
    )


def test_prior_on_a_tied_parameter_is_kept():
    case = CASES["gaussian"]
    on_tied, on_free = (
        confidence_intervals(
            NonlinearLSQ(case.formula, tied={"p2": "9*p4"}, priors=priors),
            case.X,
            case.y,
            sigma=0.25,
            method="profile",
        )
        for priors in ({"p2": (9.9, 0.09)}, {"p4": (1.1, 0.01)})
    )
    np.testing.assert_allclose(on_tied, on_free, rtol=1e-6)


def test_a_known_covariance_of_y_is_used():
    case = CASES["puromycin"]
    diagonal, standard = (
        confidence_intervals(case.estimator, case.X, case.y, sigma=sigma, method="profile")
        for sigma in (np.diag(np.full(12, 121.0)), 11.0)
    )
    np.testing.assert_allclose(diagonal, standard, rtol=1e-6)


def test_nothing_given_is_changed_and_a_fitted_estimator_gives_its_start():
    case = CASES["gaussian"]
    fitted = case.estimator.fit(case.X, case.y)
    before = fitted.get_params(), fitted.params_.copy()
    table = confidence_intervals(fitted, case.X, case.y, method="profile")
    assert fitted.get_params() == before[0]
    np.testing.assert_array_equal(fitted.params_, before[1])
    np.testing.assert_allclose(table["estimate"], fitted.params_, rtol=1e-12)


def test_pipeline_and_search(line):
    X, y, sigma = line
    expected = confidence_intervals(WeightedLinearFit(), np.log(X), y, sigma=sigma)
    pipeline = make_pipeline(FunctionTransformer(np.log), WeightedLinearFit())
    found = confidence_intervals(pipeline, X, y, sigma=sigma, method="profile")
    np.testing.assert_allclose(found, expected)
    search = GridSearchCV(WeightedLinearFit(), {"fit_intercept": [True]}, cv=3).fit(X, y)
    found = confidence_intervals(search, X, y, sigma=sigma)
    np.testing.assert_allclose(found, confidence_intervals(WeightedLinearFit(), X, y, sigma=sigma))


# Errors in x -------------------------------------------------------------------------------------


@pytest.mark.parametrize("absolute", [True, False])
def test_profile_of_yorks_line_is_that_of_orthogonal_distance_regression(absolute):
    """χ² of the line by its formula, against refits by odrpack with the slope held."""
    pytest.importorskip("odrpack")
    data = datasets.load_pearson_york()
    errors = {"sigma": data.sigma_values, "sigma_x": data.sigma_x_values}
    york, distance = (
        confidence_intervals(estimator, data.X, data.y_values, method="profile", **errors)
        for estimator in (
            OrthogonalRegression(absolute_sigma=absolute),
            NonlinearLSQ("a + b*x", absolute_sigma=absolute),
        )
    )
    np.testing.assert_allclose(york, distance.to_numpy(), rtol=1e-5)


def test_yorks_line_with_exact_x_has_the_intervals_of_the_weighted_line(line):
    X, y, sigma = line
    york = confidence_intervals(
        OrthogonalRegression("york"), X, y, sigma=sigma, sigma_x=0.0, method="profile"
    )
    expected = confidence_intervals(WeightedLinearFit(), X, y, sigma=sigma)
    np.testing.assert_allclose(york, expected, rtol=1e-6)


# Coverage ----------------------------------------------------------------------------------------


def test_profile_covers_where_wald_does_not():
    """Michaelis-Menten with six points far below saturation, 95 % asked for.

    Whether an interval holds the truth is whether χ² with the truth held is below the level, which
    is tried for many data at once; and for some of them with the intervals themselves.
    """
    x = np.array([0.3, 0.6, 1.0, 1.5, 2.0, 3.0])[:, None]
    truth, sigma, level, n_trials = {"Vm": 10.0, "K": 3.0}, 0.35, 0.95, 3000
    exact = truth["Vm"] * x[:, 0] / (truth["K"] + x[:, 0])
    noise = np.random.default_rng(7).normal(0.0, sigma, (n_trials, len(x)))
    Y = (exact + noise).T
    options = {"model": "Vm*x/(K + x)", "p0": truth}
    free = NonlinearLSQ(**options).fit(x, Y, sigma=sigma)
    held = NonlinearLSQ(**options, fixed={"K": truth["K"]}).fit(x, Y, sigma=sigma)
    quantile = ndtri(0.5 + 0.5 * level)
    by_profile = held.chi2_ - free.chi2_ <= quantile**2
    by_wald = np.abs(free.params_[:, 1] - truth["K"]) <= quantile * free.params_std_[:, 1]
    expected = np.sqrt(level * (1.0 - level) / n_trials)
    assert abs(by_profile.mean() - level) < 4.0 * expected
    assert by_wald.mean() < level - 5.0 * expected
    for k in range(12):
        table = confidence_intervals(
            NonlinearLSQ(**options), x, Y[:, k], sigma=sigma, method="profile", level=level
        )
        holds = table.loc["K", "lower"] <= truth["K"] <= table.loc["K", "upper"]
        assert holds == by_profile[k]


# Bad input ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "guess"}, r"`method` must be one of wald, profile, bootstrap\. Got 'guess'"),
        ({"interval": "t"}, r"`interval` must be one of bca, percentile\. Got 't'"),
        ({"level": 95}, r"`level` must lie between 0 and 1.* Got 95"),
        ({"level": np.nan}, r"`level` must lie between 0 and 1.* Got nan"),
    ],
)
def test_options_are_checked_first(options, message):
    with pytest.raises(ValueError, match=message):
        confidence_intervals(WeightedLinearFit(), None, None, **options)


def test_one_target_at_a_time(line):
    X, y, _ = line
    with pytest.raises(ValueError, match=r"`y` must be one-dimensional, one target .* \(10, 2\)"):
        confidence_intervals(WeightedLinearFit(), X, np.column_stack([y, y]))


def test_an_estimator_without_errors_is_refused(line):
    X, y, _ = line
    with pytest.raises(ValueError, match=r"`estimator` must publish .* Got LinearRegression"):
        confidence_intervals(LinearRegression(), X, y)


@pytest.mark.parametrize(
    ("estimator", "reason"),
    [
        (NonlinearLSQ("a + b*x", loss="huber"), "loss 'huber'"),
        (OrthogonalRegression("reduced_major_axis"), "known errors"),
        (OrthogonalRegression("york", intrinsic_scatter=True), "known errors"),
    ],
)
def test_what_has_no_profile_is_told_what_else_there_is(estimator, reason):
    data = datasets.load_pearson_york()
    york = getattr(estimator, "method", "") == "york"
    errors = {"sigma": data.sigma_values, "sigma_x": data.sigma_x_values} if york else {}
    with pytest.raises(ValueError, match=rf'{reason}.*method="wald" or method="bootstrap"'):
        confidence_intervals(estimator, data.X, data.y_values, method="profile", **errors)


def test_without_degrees_of_freedom_there_is_no_interval():
    x, y = np.array([[1.0], [2.0]]), np.array([1.0, 1.5])
    with pytest.warns(DegreesOfFreedomWarning, match="no degrees of freedom"):
        table = confidence_intervals(NonlinearLSQ("a*exp(b*x)"), x, y, method="profile")
    assert table[["lower", "upper"]].isna().all(axis=None)


def test_data_without_scatter_have_intervals_without_width():
    case = CASES["gaussian"]
    exact = case.estimator.fit(case.X, case.y)
    table = confidence_intervals(exact, case.X, exact.predict(case.X), method="profile")
    np.testing.assert_allclose(table["upper"], table["lower"], rtol=1e-10)


def test_a_search_must_be_fitted():
    search = GridSearchCV(DesignMatrixRegressor(["1", "x"]), {"rcond": [None]})
    with pytest.raises(ValueError, match="`estimator` must be fitted if it is a search"):
        confidence_intervals(search, [[0.0], [1.0], [3.0]], [0.0, 1.1, 2.9])


def test_bootstrap_of_a_single_measurement():
    with pytest.warns(DegreesOfFreedomWarning, match="no degrees of freedom"):
        table = confidence_intervals(
            DesignMatrixRegressor(["1"]), [[0.0]], [2.0], sigma=0.1, method="bootstrap"
        )
    half = (table["upper"] - table["lower"]).to_numpy() / 2.0
    assert half == pytest.approx([0.1], rel=0.1)  # 2000 replicates


@pytest.fixture
def unfinished():
    """Return a fit that stops far from any minimum, and its data."""
    x = np.linspace(0.0, 5.0, 12)[:, None]
    y = 5.0 * np.exp(-x[:, 0] / 2.0) + np.random.default_rng(1).normal(0.0, 0.1, 12)
    start = {"a": 1.0, "b": 1.0, "c": 1.0, "d": 5.0}
    return NonlinearLSQ("a*exp(-x/b) + c*sin(d*x)", p0=start, start="p0", max_iter=1), x, y


def test_no_profile_about_what_is_no_minimum(unfinished):
    estimator, x, y = unfinished
    with (
        pytest.warns(ConvergenceWarning, match="Not converged"),
        pytest.raises(ValueError, match=r"`estimator` must find a minimum.*Increase `max_iter`"),
    ):
        confidence_intervals(estimator, x, y, sigma=0.1, method="profile")


def test_bootstrap_is_repeatable_whatever_the_global_seed():
    x, y = np.arange(8.0)[:, None], np.array([1.1, 2.9, 5.0, 7.2, 9.1, 10.9, 13.1, 15.0])

    def bootstrapped(random_state):
        return confidence_intervals(
            WeightedLinearFit(), x, y, method="bootstrap", n_resamples=50, random_state=random_state
        )

    first = bootstrapped(None)
    pd.testing.assert_frame_equal(first, bootstrapped(0))
    assert not first.equals(bootstrapped(np.random.default_rng(1)))
