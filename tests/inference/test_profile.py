"""χ² with parameters held is what scipy finds, however it is found; traces and rays follow it."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sklsq import NonlinearLSQ, OrthogonalRegression, WeightedLinearFit, datasets
from sklsq.inference.batched import HeldModel, minima_together, takes_batches
from sklsq.inference.constrained import (
    ByDistance,
    ByRefit,
    LowerMinimum,
    Quadratic,
    constrained_minimum,
)
from sklsq.inference.profile import ProfiledChi2, about_lowest
from sklsq.inference.rays import Ray, Walk, crossing, crossings_together
from sklsq.inference.refitting import fit_to
from tests.inference.curved import CASES

MINIMISED = 1e-6  # of the rise: what other programs leave of χ² above the minimum
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


def fitted(case, **options):
    return fit_to(
        case.estimator.set_params(**options) if options else case.estimator,
        case.X,
        case.y,
        sigma=case.sigma,
    )


@every_case
@pytest.mark.parametrize("n_held", [1, 2])
def test_rise_is_that_of_scipy(case, n_held):
    fit = fitted(case)
    profile, start = ProfiledChi2(fit), dict(zip(fit.names, fit.params, strict=True))
    best = case.chi2_with({}, start)
    for first in range(len(fit.names) - n_held + 1):
        held = {
            fit.names[j]: fit.params[j] + (1.0 + 0.4 * j) * fit.std[j] * (-1.0) ** j
            for j in range(first, first + n_held)
        }
        rise = (case.chi2_with(held, start) - best) / fit.scale
        assert profile.rise(held) == pytest.approx(rise, rel=MINIMISED)


@every_case
def test_batches_are_refits(case):
    fit = fitted(case)
    assert takes_batches(fit)
    one_by_one = constrained_minimum(fit)
    assert isinstance(one_by_one, ByRefit)
    held = np.array([0, len(fit.names) - 1])
    offsets = np.random.default_rng(0).uniform(-1.5, 1.5, (20, 2))
    values = fit.params[held] + offsets @ np.linalg.cholesky(fit.covariance[np.ix_(held, held)]).T
    chi2, params, found = minima_together(fit, held, fit.std[held], values)
    assert found.all()
    np.testing.assert_array_equal(params[:, held], values)
    for row, value in enumerate(values):
        rise, expected = one_by_one(held, value, fit.params)
        assert (chi2[row] - fit.chi2) / fit.scale == pytest.approx(rise, rel=MINIMISED)
        np.testing.assert_allclose((params[row] - expected) / fit.std, 0.0, atol=1e-5)


def test_rows_of_a_held_model():
    fit = fitted(CASES["misra1a"])
    model = HeldModel(fit.estimator.model_, np.array([1]))
    X, params = np.vstack([fit.X, fit.X[:1]]), fit.params[None]
    values, slopes = model.linearise(X, params)
    np.testing.assert_array_equal(values, model.evaluate(X, params))
    np.testing.assert_allclose(values[0, :-1], fit.estimator.predict(fit.X))
    assert values[0, -1] == fit.params[1]
    np.testing.assert_array_equal(slopes[0, :, -1], [0.0, 1.0])
    assert model.parameter_names == ("b1", "b2")
    assert model.n_features == 1
    assert not model.is_pointwise(X, params)


def test_columns_of_a_frame_by_name_and_priors_go_into_batches():
    """A callable that takes some of the columns; batches and single refits agree."""
    data = datasets.load_gaussian_peak()
    X = data.X.assign(other=1.0)[["other", "x"]]

    def peak(x, base, height, centre, width):
        return base + height * np.exp(-(((x - centre) / width) ** 2))

    estimator = NonlinearLSQ(
        peak, features=["x"], priors={"base": (0.5, 0.05)}, bounds={"width": (0, 3)}
    )
    fit = fit_to(estimator, X, data.y_values, sigma=0.25)
    held = np.array([3])
    value = fit.params[held] + fit.std[held]
    chi2, _, found = minima_together(fit, held, fit.std[held], value[None])
    assert found.all()
    rise, _ = constrained_minimum(fit)(held, value, fit.params)
    assert chi2[0] - fit.chi2 == pytest.approx(rise, rel=MINIMISED)


def test_linear_models_are_quadratic_and_york_by_distance():
    data = datasets.load_pearson_york()
    line = fit_to(WeightedLinearFit(), data.X, data.y_values, sigma=data.sigma_values)
    assert isinstance(constrained_minimum(line), Quadratic)
    york = fit_to(
        OrthogonalRegression(),
        data.X,
        data.y_values,
        sigma=data.sigma_values,
        sigma_x=data.sigma_x_values,
    )
    minimum = constrained_minimum(york)
    assert isinstance(minimum, ByDistance)
    assert minimum(np.array([0, 1]), york.params, york.params)[0] == pytest.approx(0.0, abs=1e-9)


def test_rise_of_a_line_by_refits_with_an_offset():
    """χ² with the slope held is that of y less slope times x."""
    data = datasets.load_pion_minus()
    fit = fit_to(WeightedLinearFit(), data.X, data.y_values, sigma=data.sigma_values)
    slope = fit.params[1] + 1.7 * fit.std[1]
    rest = data.y_values - slope * data.X.iloc[:, 0]
    mean = np.average(rest, weights=1.0 / data.sigma_values**2)
    chi2 = np.sum(((rest - mean) / data.sigma_values) ** 2)
    held = ProfiledChi2(fit).rise({fit.names[1]: slope})
    assert held == pytest.approx(chi2 - fit.chi2, rel=1e-9)
    assert held == pytest.approx(1.7**2, rel=1e-9)


@every_case
def test_trace_follows_the_profile(case):
    fit = fitted(case)
    profile = ProfiledChi2(fit)
    table = profile.trace(0, 2.0, 6)
    assert len(table) == 13
    assert table[fit.names[0]].is_monotonic_increasing
    np.testing.assert_allclose(table["rise"].iloc[[0, -1]], 4.0, rtol=1e-5)
    assert table["rise"].iloc[6] == 0.0
    for _, row in table.iloc[[1, 4, 10]].iterrows():
        assert profile.rise({fit.names[0]: row[fit.names[0]]}) == pytest.approx(
            row["rise"], rel=MINIMISED
        )
        assert row["wald"] == pytest.approx(
            ((row[fit.names[0]] - fit.params[0]) / fit.std[0]) ** 2, rel=1e-9
        )


# Rays --------------------------------------------------------------------------------------------

HEIGHTS = {
    "straight": (lambda d: d, 2.0),
    "slow": (lambda d: 0.01 * d, 200.0),
    "curved": (lambda d: np.sqrt(d), 4.0),
    "steep": (lambda d: d**4, 2.0**0.25),
    "wall": (lambda d: np.where(d < 1.3, 0.5 * d, np.inf), 1.3),
    "flat": (lambda d: 1.9 * d / (1.0 + d), np.inf),
    "late": (lambda d: np.log1p(d), np.expm1(2.0)),
}


@pytest.mark.parametrize(("height", "expected"), HEIGHTS.values(), ids=HEIGHTS.keys())
@pytest.mark.parametrize("limit", [np.inf, 1.0])
def test_crossing_of_any_height(height, expected, limit):
    fit = fitted(CASES["misra1a"])
    n_calls = []

    def minimum(held, values, start):
        n_calls.append(1)
        return float(height((values - fit.params[held])[0])) ** 2, start

    walk = Walk(minimum, fit, fit.bounds(), Ray(np.array([0]), np.array([1.0]), limit))
    found = crossing(walk, 2.0)
    if expected > limit:
        assert found.end == "bound"
        assert found.distance == limit
    elif np.isinf(expected):
        assert (found.end, found.distance) == ("open", np.inf)
    else:
        assert found.end == "level"
        assert found.distance == pytest.approx(expected, rel=1e-6)
    assert len(n_calls) < 60

    def heights(which, distances):
        return np.array([float(height(d)) for d in distances]), np.zeros((len(distances), 1))

    (together,) = crossings_together([walk.ray], heights, 2.0)
    if together is not None:
        assert together.end == found.end
        assert together.distance == pytest.approx(found.distance, rel=1e-6)
    else:
        assert not np.isfinite(limit) or height(limit) >= 2.0


def test_ray_does_not_leap_over_a_pole():
    """Michaelis-Menten data that a straight line fits: K is large, and minus K as good.

    Between them lies K = 0, where the model is a constant.
    """
    x = np.array([0.3, 0.6, 1.0, 1.5, 2.0, 3.0])[:, None]
    y = np.array([-0.04, 1.02, 1.58, 3.22, 3.37, 5.14])
    fit = fit_to(NonlinearLSQ("Vm*x/(K + x)"), x, y, sigma=0.5)
    assert fit.params[1] < 1.96 * fit.std[1]
    profile = ProfiledChi2(fit)
    lower, upper, ends = profile.interval(1, 1.96)
    assert ends == ["level", "open"]
    assert 0.0 < lower < fit.params[1]
    assert profile.rise({"K": lower}) == pytest.approx(1.96**2, rel=1e-5)
    assert upper == np.inf


def test_ray_ends_at_the_nearer_bound():
    case = CASES["misra1a"]
    fit = fitted(case, bounds={"b1": (None, 250.0), "b2": (0.0, 1.0)})
    ray = ProfiledChi2(fit).ray(np.array([0, 1]), np.array([1.0, -1e-5]))
    assert ray.limit == pytest.approx(min(250.0 - fit.params[0], fit.params[1] / 1e-5))


# Lower minima ------------------------------------------------------------------------------------


def test_about_lowest_begins_anew_until_there_is_no_lower_minimum():
    x = np.linspace(0.0, 10.0, 60)[:, None]
    y = np.sin(2.0 * x[:, 0]) + np.random.default_rng(0).normal(0.0, 0.1, 60)
    fit = fit_to(NonlinearLSQ("sin(w*x)", p0={"w": 1.0}, start="p0"), x, y, sigma=1.0)
    with pytest.raises(LowerMinimum, match="array"):
        ProfiledChi2(fit).rise({"w": 2.0})
    with pytest.warns(ConvergenceWarning, match="leads to a lower one"):
        found = about_lowest(fit, lambda profile: (profile.rise({"w": 2.0}), profile.fit.params[0]))
    assert found[0] < 1.0
    assert abs(found[1] - 2.0) < 0.05


def test_unknown_name_is_an_error():
    profile = ProfiledChi2(fitted(CASES["misra1a"]))
    with pytest.raises(ValueError, match=r"`values` must name parameters .* b1, b2\. Got 'c'"):
        profile.rise({"c": 1.0})
