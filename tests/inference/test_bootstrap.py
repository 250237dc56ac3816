"""Replicates scatter as they must, all at once or one by one; intervals are those of scipy."""

import numpy as np
import pytest
from scipy import stats
from sklearn.exceptions import ConvergenceWarning

from sklsq import (
    DesignMatrixRegressor,
    LinearizedRegressor,
    NonlinearLSQ,
    OrthogonalRegression,
    SigmaClippedRegressor,
    WeightedLinearFit,
    confidence_intervals,
    datasets,
)
from sklsq.inference.bootstrap import BootstrapReplicates, bootstrap
from sklsq.inference.refitting import fit_to
from tests.inference.curved import CASES

SCATTER = 5.0  # standard errors that a random number may be off
KINDS = ("parametric", "residual", "pairs")


def line(n=60, heteroscedastic=False, seed=3):
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.0, 10.0, n)[:, None]
    sigma = 0.2 + (0.08 * x[:, 0] if heteroscedastic else 0.0) + np.zeros(n)
    return x, 1.0 + 0.5 * x[:, 0] + rng.normal(0.0, sigma), sigma


def spread(replicates):
    """Standard deviations, and the standard errors of these."""
    frame = replicates.frame()
    std = frame.std().to_numpy()
    return std, std / np.sqrt(2.0 * len(frame))


# Against theory and other programs ---------------------------------------------------------------


@pytest.mark.parametrize("kind", ["parametric", "residual"])
@pytest.mark.parametrize("given", [True, False])
def test_scatter_of_a_linear_fit_is_its_standard_error(kind, given):
    """A residual draws the scatter there is, whatever sigma says."""
    x, y, sigma = line(heteroscedastic=True)
    fit = fit_to(WeightedLinearFit(), x, y, sigma=sigma if given else None)
    replicates = bootstrap(fit, kind=kind, n_resamples=4000, random_state=0)
    std, error = spread(replicates)
    expected = fit.std
    if given and kind == "residual":
        expected = fit.std * np.sqrt(fit.chi2 / fit.dof)
    tolerance = SCATTER * error + (0.02 * expected if kind == "residual" else 0.0)
    np.testing.assert_array_less(np.abs(std - expected), tolerance)
    np.testing.assert_array_less(
        np.abs(replicates.frame().mean() - fit.params), SCATTER * std / np.sqrt(4000)
    )


def test_parametric_draws_follow_a_covariance_of_y():
    x, y, sigma = line(10)
    covariance = np.diag(sigma**2) + 0.03
    fit = fit_to(WeightedLinearFit(), x, y, sigma=covariance)
    replicates = bootstrap(fit, n_resamples=200, random_state=0)
    assert replicates.kind == "parametric"
    std, error = spread(replicates)
    np.testing.assert_array_less(np.abs(std - fit.std), SCATTER * error)


@pytest.mark.parametrize("how", ["percentile", "bca"])
def test_pairs_are_those_of_scipy(how):
    """Two random programs agree within their noise, for a skewed and a straight parameter."""
    x, y, _ = line(40)

    def slope(x, y):
        return np.polyfit(x, y, 1)[0]

    expected = stats.bootstrap(
        (x[:, 0], y),
        slope,
        paired=True,
        vectorized=False,
        n_resamples=600,
        confidence_level=0.9,
        method=how.replace("bca", "BCa"),
        rng=np.random.default_rng(0),
    )
    fit = fit_to(WeightedLinearFit(), x, y)
    found = bootstrap(fit, kind="pairs", n_resamples=2000, random_state=1).interval(0.9, how)[1]
    noise = expected.standard_error * np.sqrt(0.05 * 0.95 * (1 / 600 + 1 / 2000)) / 0.103
    np.testing.assert_allclose(found, expected.confidence_interval, atol=SCATTER * noise)


def test_corrected_interval_is_that_of_scipy_for_a_skewed_estimate():
    """The exponential scale of few points, as the mean: the same replicates, the same interval."""
    y = np.random.default_rng(0).exponential(2.0, 15)
    X = np.ones((15, 1))
    expected = stats.bootstrap(
        (y,), np.mean, n_resamples=3000, confidence_level=0.9, rng=np.random.default_rng(0)
    )
    fit = fit_to(DesignMatrixRegressor(), X, y)
    found = bootstrap(fit, kind="pairs", n_resamples=3000, random_state=0)
    noise = expected.standard_error * np.sqrt(2.0 * 0.05 * 0.95 / 3000) / 0.103
    ends = expected.confidence_interval
    np.testing.assert_allclose(found.interval(0.9)[0], ends, atol=SCATTER * 2.0 * noise)
    plain = found.interval(0.9, "percentile")[0]
    assert abs(plain[1] - ends.high) > SCATTER * noise  # the correction is seen


@pytest.mark.parametrize("kind", KINDS)
def test_a_curved_fit_scatters_as_its_standard_errors(kind):
    case = CASES["gaussian"]
    fit = fit_to(case.estimator, case.X, case.y)
    replicates = bootstrap(fit, kind=kind, n_resamples=1000, random_state=0)
    assert replicates.kind == kind
    allowed = 0.1 if kind != "pairs" else 0.6  # pairs: 41 points, few of them on the peak
    np.testing.assert_allclose(spread(replicates)[0] / fit.std, 1.0, atol=allowed)


def test_coverage_of_the_residual_bootstrap():
    """68 % of intervals for a line hold the slope; 25 points, 100 data sets."""
    truth, holds, n_trials = 0.5, 0, 100
    rng = np.random.default_rng(5)
    x = np.linspace(0.0, 1.0, 25)[:, None]
    for _ in range(n_trials):
        y = 1.0 + truth * x[:, 0] + rng.normal(0.0, 0.2, 25)
        fit = fit_to(WeightedLinearFit(), x, y)
        replicates = bootstrap(fit, n_resamples=200, random_state=rng.integers(2**31))
        low, high = replicates.interval(0.6827)[1]
        holds += low <= truth <= high
    assert abs(holds / n_trials - 0.6827) < 4.0 * np.sqrt(0.6827 * 0.3173 / n_trials)


# All at once is one by one -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "estimator"),
    [(CASES["puromycin"], None), (CASES["puromycin"], WeightedLinearFit())],
    ids=["nonlinear", "linear"],
)
def test_counted_rows_are_repeated_rows(case, estimator):
    """A pair drawn twice has the weight two: the replicates are fits to rows drawn again."""
    estimator = case.estimator if estimator is None else estimator
    fit = fit_to(estimator, case.X, case.y, sigma=2.0 + np.arange(len(case.y)))
    found = bootstrap(fit, kind="pairs", n_resamples=6, random_state=0).params
    seed = np.random.RandomState(0).randint(2**31)
    rows = np.random.default_rng(seed).integers(len(case.y), size=(6, len(case.y)))
    for params, drawn in zip(found, rows, strict=True):
        again = fit.again(
            X=case.X.iloc[drawn], y=fit.y[drawn], errors={"sigma": fit.errors["sigma"][drawn]}
        )
        np.testing.assert_allclose(params, again.params_, rtol=1e-7)


def test_large_batches_are_cut(monkeypatch):
    x, y, sigma = line(30)
    fit = fit_to(WeightedLinearFit(), x, y, sigma=sigma)
    whole = bootstrap(fit, n_resamples=50, random_state=0).params
    monkeypatch.setattr("sklsq.inference.bootstrap._ENTRIES", 210)
    np.testing.assert_allclose(bootstrap(fit, n_resamples=50, random_state=0).params, whole)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("given", [True, False])
def test_a_linear_fit_is_not_repeated_but_as_if_it_were(monkeypatch, kind, given):
    """The same draws, by refits and by what the parameters make of the rows."""
    x, y, sigma = line(40, heteroscedastic=True)
    fit = fit_to(
        DesignMatrixRegressor(["1", "x", "x**2"]), x + 30.0, y, sigma=sigma if given else None
    )
    quick = bootstrap(fit, kind=kind, n_resamples=60, random_state=0)
    ends = quick.interval(0.9)
    monkeypatch.setattr("sklsq.inference.bootstrap._DRAWN", 77)
    in_parts = bootstrap(fit, kind=kind, n_resamples=60, random_state=0)
    np.testing.assert_allclose(in_parts.params, quick.params, rtol=1e-9)
    monkeypatch.setattr("sklsq.inference.bootstrap.is_linear", lambda estimator: False)
    refitted = bootstrap(fit, kind=kind, n_resamples=60, random_state=0)
    np.testing.assert_allclose(refitted.params, quick.params, rtol=1e-8)
    np.testing.assert_allclose(refitted.interval(0.9), ends, rtol=1e-8)


def test_rows_that_alone_decide_a_parameter():
    """Without the last row, or drawn without it, the slope is that of the shortest answer."""
    x, y = np.array([0.0, 0.0, 0.0, 0.0, 1.0])[:, None], np.array([1.0, 1.2, 0.9, 1.1, 3.0])
    fit = fit_to(WeightedLinearFit(), x, y, sigma=0.1)
    replicates = bootstrap(fit, kind="pairs", n_resamples=200, random_state=0)
    assert np.isfinite(replicates.params).all()
    without = np.isclose(replicates.params[:, 1], 0.0)
    assert 0.2 < without.mean() < 0.5  # (4/5)**5 of them
    assert np.isfinite(replicates.interval(0.9)).all()


def test_a_transformed_fit_without_sigma_is_drawn_where_errors_are_alike():
    """Over three decades: drawn in y, all points would scatter like the first ones."""
    rng = np.random.default_rng(0)
    x = np.linspace(0.0, 6.0, 60)[:, None]
    y = 100.0 * np.exp(-1.2 * x[:, 0] + 0.1 * rng.normal(size=60))
    fit = fit_to(LinearizedRegressor(WeightedLinearFit()), x, y)
    around = fit_to(SigmaClippedRegressor(LinearizedRegressor(WeightedLinearFit())), x, y)
    assert around.estimator.n_rejected_ == 0
    clipped = bootstrap(around, n_resamples=100, random_state=0)
    np.testing.assert_allclose(spread(clipped)[0] / fit.std, 1.0, atol=0.35)
    for kind in KINDS:
        replicates = bootstrap(fit, kind=kind, n_resamples=300, random_state=0)
        assert replicates.frame().columns[0] == "exp(intercept)"
        np.testing.assert_allclose(spread(replicates)[0] / fit.std, 1.0, atol=0.2)


def test_draws_outside_of_the_domain_of_a_transform_are_told():
    x = np.linspace(0.0, 3.0, 12)[:, None]
    y = np.exp(-x[:, 0])
    fit = fit_to(LinearizedRegressor(WeightedLinearFit()), x, y, sigma=0.05)
    with pytest.warns(ConvergenceWarning, match="of 100 replicates have no minimum"):
        replicates = bootstrap(fit, n_resamples=100, random_state=0)
    assert 0 < len(replicates.params) < 100


def test_seed_repeats_and_no_seed_does_not():
    x, y, sigma = line(30)
    options = {"sigma": sigma, "method": "bootstrap", "n_resamples": 50}
    first, second, other = (
        confidence_intervals(WeightedLinearFit(), x, y, random_state=seed, **options)
        for seed in (1, 1, None)
    )
    assert first.equals(second)
    assert not first.equals(other)


# Errors in x -------------------------------------------------------------------------------------


def test_points_with_known_errors_in_x():
    """The scatter of York's line is its standard error, as propagated from the data."""
    data = datasets.load_pearson_york()
    fit = fit_to(
        OrthogonalRegression(absolute_sigma=True),
        data.X,
        data.y_values,
        sigma=data.sigma_values,
        sigma_x=data.sigma_x_values,
    )
    replicates = bootstrap(fit, n_resamples=500, random_state=0)
    assert replicates.kind == "parametric"
    np.testing.assert_allclose(spread(replicates)[0] / fit.std, 1.0, atol=0.15)


def test_points_with_unknown_errors_in_x_are_drawn_in_pairs():
    rng = np.random.default_rng(0)
    truth = rng.uniform(0.0, 10.0, 60)
    x, y = truth + rng.normal(0.0, 0.3, 60), truth + rng.normal(0.0, 0.3, 60)
    fit = fit_to(OrthogonalRegression("reduced_major_axis"), x[:, None], y)
    replicates = bootstrap(fit, n_resamples=200, random_state=0)
    assert replicates.kind == "pairs"
    np.testing.assert_allclose(spread(replicates)[0] / fit.std, 1.0, atol=0.35)


# What cannot be drawn ----------------------------------------------------------------------------


def test_default_kind():
    x, y, sigma = line(20)
    known, unknown = (
        fit_to(WeightedLinearFit(), x, y, sigma=sigma),
        fit_to(WeightedLinearFit(), x, y),
    )
    assert bootstrap(known, n_resamples=9).kind == "parametric"
    assert bootstrap(unknown, n_resamples=9).kind == "residual"


def test_parameters_that_do_not_move_have_no_width():
    case = CASES["gaussian"]
    fit = fit_to(NonlinearLSQ(case.formula, fixed={"p1": 0.5}), case.X, case.y)
    ends = bootstrap(fit, n_resamples=50, random_state=0).interval(0.9)
    np.testing.assert_array_equal(ends[0], 0.5)
    assert (ends[1:, 0] < ends[1:, 1]).all()


def test_estimates_that_are_all_below_still_have_an_interval():
    fit = fit_to(WeightedLinearFit(), *line(20)[:2])
    far = BootstrapReplicates(
        fit, fit.params + 1.0 + np.random.default_rng(0).random((100, 2)), "pairs"
    )
    assert np.isfinite(far.interval(0.9)).all()


def test_many_failures_are_said():
    x = np.linspace(0.0, 1.0, 6)[:, None]
    y = 1.0 + 0.05 * np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    fit = fit_to(
        NonlinearLSQ("a + exp(b*x)", p0=[0.0, 0.1], max_iter=4, bounds={"b": (-5, 5)}),
        x,
        y,
        sigma=0.5,
    )
    with pytest.warns(ConvergenceWarning, match=r"of 200 replicates have no minimum"):
        bootstrap(fit, n_resamples=200, random_state=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "wild"}, r"`kind` must be one of auto, parametric, residual, pairs\. Got 'wild'"),
        ({"n_resamples": 1}, r"`n_resamples` must be an integer above 1\. Got 1"),
        ({"n_resamples": 10.5}, r"`n_resamples` must be an integer above 1\. Got 10\.5"),
    ],
)
def test_options_are_checked(options, message):
    fit = fit_to(WeightedLinearFit(), *line(20)[:2])
    with pytest.raises(ValueError, match=message):
        bootstrap(fit, **options)


def test_kinds_that_do_not_suit():
    x, y, sigma = line(20)
    correlated = fit_to(WeightedLinearFit(), x, y, sigma=np.diag(sigma**2))
    with pytest.raises(ValueError, match=r"parametric.* for correlated errors"):
        bootstrap(correlated, kind="pairs")
    with pytest.raises(ValueError, match=r"pairs.* where x has errors"):
        bootstrap(fit_to(OrthogonalRegression(), x, y), kind="residual")
    with pytest.raises(ValueError, match="`priors` must be None for a bootstrap"):
        bootstrap(fit_to(NonlinearLSQ("a + b*x", priors={"a": (1.0, 0.1)}), x, y))


def test_without_degrees_of_freedom_residuals_say_nothing():
    with pytest.warns(UserWarning, match="no degrees of freedom"):
        fit = fit_to(WeightedLinearFit(), np.array([[0.0], [1.0]]), np.array([1.0, 2.0]))
    with pytest.raises(ValueError, match="'residual' must have degrees of freedom"):
        bootstrap(fit)
