"""Errors before the data, against fits to data, theory, and brute force."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklsq import (
    DesignMatrixRegressor,
    LinearizedRegressor,
    NonlinearLSQ,
    OrthogonalRegression,
    RankWarning,
    SigmaClippedRegressor,
    WeightedLinearFit,
    expected_covariance,
    next_points,
    propagate,
)
from sklsq.basis import Polynomial
from sklsq.inference.expected_fit import expected_fit

ROUNDING = 1e-10
GAUSSIAN = "p1 + p2*exp(-((x - p3)/p4)**2)"
TRUTH = {"p1": 0.5, "p2": 10.0, "p3": 4.5, "p4": 1.0}
X = np.linspace(0.0, 10.0, 21)[:, None]
SIGMA = np.linspace(0.1, 0.3, 21)
CANDIDATES = np.linspace(-1.0, 1.0, 21)[:, None]
FEEBLE = ([[-0.6], [0.1], [0.5]], 100.0)  # points, and their σ, that determine next to nothing


# What errors to expect --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "estimator",
    [
        WeightedLinearFit(),
        WeightedLinearFit(fit_intercept=False, absolute_sigma=False),
        DesignMatrixRegressor(["1", "sin(x)", "exp(-x)"]),
        DesignMatrixRegressor(Polynomial(3)),
        make_pipeline(StandardScaler(), WeightedLinearFit()),
    ],
    ids=lambda estimator: repr(estimator)[:40],
)
@pytest.mark.parametrize("sigma", [0.2, SIGMA])
def test_linear_errors_do_not_depend_on_what_comes_out(estimator, sigma):
    last = estimator[-1] if hasattr(estimator, "steps") else estimator
    points = StandardScaler().fit_transform(X) if hasattr(estimator, "steps") else X
    y = np.random.default_rng(1).normal(50.0, 20.0, 21)
    fit = clone(last).set_params(absolute_sigma=True).fit(points, y, sigma=sigma)
    cov = expected_covariance(estimator, X, sigma)
    np.testing.assert_allclose(cov, fit.params_cov_, rtol=ROUNDING, atol=1e-16)


def test_the_sums_of_the_lecture():
    x, w = X[:, 0], 1.0 / SIGMA**2
    S, Sx, Sxx = w.sum(), w @ x, w @ x**2
    delta = S * Sxx - Sx**2
    cov = expected_covariance(WeightedLinearFit(), X, SIGMA)
    np.testing.assert_allclose(cov, np.array([[Sxx, -Sx], [-Sx, S]]) / delta, rtol=ROUNDING)


def test_a_covariance_of_the_data():
    V = 0.04 * (np.eye(21) + 0.5)
    y = np.random.default_rng(1).standard_normal(21)
    fit = WeightedLinearFit().fit(X, y, sigma=V)
    cov = expected_covariance(WeightedLinearFit(), X, V)
    np.testing.assert_allclose(cov, fit.params_cov_, rtol=ROUNDING)


@pytest.mark.parametrize("p0", [TRUTH, list(TRUTH.values()), pd.Series(TRUTH)], ids=repr)
def test_nonlinear_errors_are_those_of_a_fit_to_the_model(p0):
    _, p2, p3, p4 = TRUTH.values()
    bell = np.exp(-(((X[:, 0] - p3) / p4) ** 2))
    u = (X[:, 0] - p3) / p4
    J = np.column_stack([np.ones(21), bell, 2 * p2 * bell * u / p4, 2 * p2 * bell * u**2 / p4])
    A = J / SIGMA[:, None]
    cov = expected_covariance(NonlinearLSQ(GAUSSIAN), X, SIGMA, p0=p0)
    np.testing.assert_allclose(cov, np.linalg.inv(A.T @ A), rtol=1e-8, atol=1e-14)


def test_nonlinear_errors_are_those_of_the_scatter_of_fits():
    rng = np.random.default_rng(2)
    y = TRUTH["p1"] + TRUTH["p2"] * np.exp(-(((X[:, 0] - 4.5) / 1.0) ** 2))
    Y = y[:, None] + SIGMA[:, None] * rng.standard_normal((21, 400))
    model = NonlinearLSQ(GAUSSIAN, p0=TRUTH, start="p0")
    scatter = model.fit(X, Y, sigma=SIGMA).params_.std(axis=0)
    expected = np.sqrt(expected_covariance(model, X, SIGMA).diagonal())
    z = (scatter / expected - 1.0) * np.sqrt(2 * 400)
    assert np.abs(z).max() < 4


def test_a_fitted_estimator_knows_its_parameters():
    y = TRUTH["p1"] + TRUTH["p2"] * np.exp(-(((X[:, 0] - 4.5) / 1.0) ** 2))
    fit = NonlinearLSQ(GAUSSIAN).fit(X, y, sigma=0.1)
    by_hand = expected_covariance(NonlinearLSQ(GAUSSIAN), X, 0.1, p0=TRUTH)
    np.testing.assert_allclose(expected_covariance(fit, X, 0.1), by_hand, rtol=1e-6)


def test_what_is_fixed_tied_bounded_or_known_beforehand_counts():
    options = {
        "fixed": {"p1": 0.5},
        "tied": {"p4": "p2/10"},
        "bounds": {"p2": (0.0, 50.0)},
        "priors": {"p3": (4.0, 0.01)},
    }
    p0 = {"p2": 10.0, "p3": 4.5}
    cov = expected_covariance(NonlinearLSQ(GAUSSIAN, **options), X, 0.1, p0=p0)
    y = 0.5 + 10.0 * np.exp(-((X[:, 0] - 4.5) ** 2))
    about = options | {"priors": {"p3": (4.5, 0.01)}}
    fit = NonlinearLSQ(GAUSSIAN, p0=p0, start="p0", **about).fit(X, y, sigma=0.1)
    np.testing.assert_allclose(cov, fit.params_cov_, rtol=1e-8, atol=1e-18)
    assert cov[0, 0] == 0.0
    assert cov[3, 3] == pytest.approx(cov[1, 1] / 100)
    assert np.sqrt(cov[2, 2]) < 0.01


def test_a_callable_of_named_columns():
    frame = pd.DataFrame({"t": X[:, 0], "other": 1.0})

    def decay(t, a, k):
        return a * np.exp(-k * t)

    named = NonlinearLSQ(decay, features=["t"], p0=[2.0, 0.3])
    plain = NonlinearLSQ("a*exp(-k*x)", p0=[2.0, 0.3])
    np.testing.assert_allclose(
        expected_covariance(named, frame, 0.1), expected_covariance(plain, X, 0.1), rtol=1e-8
    )
    chosen = next_points(named, frame, 0.1, frame[::5], n_points=None)
    other = next_points(plain, X, 0.1, X[::5], n_points=None)
    np.testing.assert_allclose(chosen["gain"], other["gain"], rtol=1e-6)
    assert chosen["candidate"].tolist() == other["candidate"].tolist()


@pytest.mark.parametrize(
    "model",
    [lambda x, *p: p[0] * np.exp(-p[1] * x), lambda x, p: p[0] * np.exp(-p[1] * x)],
    ids=["rest", "vector"],
)
def test_a_callable_whose_parameters_have_no_names(model):
    named = expected_covariance(NonlinearLSQ("a*exp(-k*x)", p0=[2.0, 0.3]), X, 0.1)
    cov = expected_covariance(NonlinearLSQ(model, p0=[2.0, 0.3]), X, 0.1)
    np.testing.assert_allclose(cov, named, rtol=1e-8)


def test_a_line_with_errors_in_x_needs_its_slope():
    cov = expected_covariance(OrthogonalRegression(), X, 0.1, p0=[1.0, 2.0], sigma_x=0.05)
    effective = np.sqrt(0.1**2 + (2.0 * 0.05) ** 2)
    np.testing.assert_allclose(
        cov, expected_covariance(WeightedLinearFit(), X, effective), rtol=1e-6
    )
    with pytest.raises(ValueError, match="`p0` must hold the 2 parameters of the line"):
        expected_covariance(OrthogonalRegression(), X, 0.1, sigma_x=0.05)
    with pytest.raises(ValueError, match="must not be True for 'bisector', whose errors come from"):
        expected_covariance(OrthogonalRegression("bisector"), X, 0.1, p0=[1.0, 2.0])
    with pytest.raises(ValueError, match="`estimator` must not look for intrinsic scatter"):
        expected_covariance(
            OrthogonalRegression(intrinsic_scatter=True), X, 0.1, p0=[1.0, 2.0], sigma_x=0.05
        )


def test_too_few_points_are_a_matter_of_rank_not_of_freedom():
    two = [[0.0], [1.0]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cov = expected_covariance(WeightedLinearFit(), two, 0.1)
    np.testing.assert_allclose(cov, [[0.01, -0.01], [-0.01, 0.02]], rtol=ROUNDING)
    with pytest.warns(RankWarning, match="determine only 1 of 2"):
        cov = expected_covariance(WeightedLinearFit(), two[:1], 0.1)
    assert np.isinf(cov.diagonal()).any()


# Where to measure next --------------------------------------------------------------------------


def test_the_best_points_for_a_line_are_its_ends():
    chosen = next_points(WeightedLinearFit(), *FEEBLE, CANDIDATES, n_points=8, sigma_new=1.0)
    assert sorted(chosen["x"]) == [-1.0] * 4 + [1.0] * 4


@pytest.mark.filterwarnings("ignore:.*asked for values outside the data")
@pytest.mark.parametrize("basis", [Polynomial(2), ["1", "x", "x**2"]], ids=repr)
def test_the_best_points_for_a_parabola_are_its_ends_and_the_middle(basis):
    chosen = next_points(
        DesignMatrixRegressor(basis), *FEEBLE, CANDIDATES, n_points=9, sigma_new=1.0
    )
    assert sorted(chosen["x"].round(12)) == [-1.0] * 3 + [0.0] * 3 + [1.0] * 3


def test_the_best_points_for_the_slope_and_for_a_value():
    slope = next_points(
        WeightedLinearFit(), *FEEBLE, CANDIDATES, n_points=6, sigma_new=1.0, criterion="c",
        target="x",
    )  # fmt: skip
    assert sorted(slope["x"]) == [-1.0] * 3 + [1.0] * 3
    level = next_points(
        WeightedLinearFit(), *FEEBLE, CANDIDATES, n_points=3, sigma_new=1.0, criterion="c",
        target=[[1.0]],
    )  # fmt: skip
    assert level["x"].tolist() == [1.0] * 3
    assert level["target_std"].iloc[-1] == pytest.approx(1 / np.sqrt(3), rel=1e-3)


def test_the_best_moments_for_a_decay():
    model = NonlinearLSQ("a*exp(-k*x)", p0=[1.0, 0.5])
    moments = np.linspace(0.0, 10.0, 101)[:, None]
    chosen = next_points(model, [[0.0], [4.0]], 100.0, moments, n_points=6, sigma_new=1.0)
    # The D-optimal design (Atkinson, Donev & Tobias, 17.2): the beginning, and 1/k after it.
    # A first choice still feels the feeble points.
    assert sorted(chosen["x"]) == pytest.approx([0.0] * 3 + [2.0] * 3, abs=0.11)


@pytest.mark.parametrize(
    ("criterion", "target"),
    [
        ("D", None),
        ("A", None),
        ("c", "p3"),
        ("c", "p2*abs(p4)*sqrt(pi)"),
        ("c", lambda p2, p4: p2 * p4),
        ("c", [[4.0], [5.5]]),
    ],
)
def test_brute_force_nonlinear(criterion, target):
    check_against_refits(NonlinearLSQ(GAUSSIAN, p0=TRUTH), criterion, target, list(TRUTH.values()))


@pytest.mark.parametrize(
    ("criterion", "target"),
    [("D", None), ("A", None), ("c", "x"), ("c", "-intercept/x"), ("c", [[4.0], [50.0]])],
)
def test_brute_force_linear(criterion, target):
    check_against_refits(WeightedLinearFit(), criterion, target, [1.0, 2.0])


def check_against_refits(estimator, criterion, target, p0):
    """Two choices in a row are those that refits with every candidate would make."""
    points, sigma = X[::3], SIGMA[::3]
    sigma_new = np.linspace(0.05, 0.4, 21)
    chosen = next_points(
        estimator, points, sigma, X, p0=p0, n_points=2, criterion=criterion, target=target,
        sigma_new=sigma_new,
    )  # fmt: skip
    ranked = next_points(
        estimator, points, sigma, X, p0=p0, n_points=None, criterion=criterion, target=target,
        sigma_new=sigma_new,
    )  # fmt: skip
    names = [name.removesuffix("_std_before") for name in chosen if name.endswith("_std_before")]
    names = [name for name in names if name != "target"]
    first = expected_covariance(estimator, points, sigma, p0=p0).diagonal()

    def size(points, sigma):
        fit = expected_fit(estimator, points, {"sigma": sigma}, p0)
        if criterion == "D":
            return np.sqrt(np.linalg.det(fit.covariance))
        if criterion == "A":
            return (fit.covariance.diagonal() / first).sum()
        if isinstance(target, list):
            root = fit.roots(np.array(target))[1]
            return np.square(root).sum()
        return propagate(target, p0, fit.covariance, names=names).std ** 2

    for order in (1, 2):
        before = size(points, sigma)
        gains = np.array(
            [
                before / size(np.vstack([points, X[[i]]]), np.append(sigma, sigma_new[i])) - 1.0
                for i in range(21)
            ]
        )
        best = int(chosen.loc[order, "candidate"])
        assert gains[best] == pytest.approx(gains.max(), rel=1e-6)
        assert chosen.loc[order, "gain"] == pytest.approx(gains[best], rel=1e-6)
        if order == 1:
            np.testing.assert_allclose(
                ranked["gain"], gains[ranked["candidate"]], rtol=1e-5, atol=1e-9
            )
            assert (np.diff(ranked["gain"]) <= 0.0).all()
        points = np.vstack([points, X[[best]]])
        sigma = np.append(sigma, sigma_new[best])
        after = expected_covariance(estimator, points, sigma, p0=p0)
        np.testing.assert_allclose(
            chosen.loc[order, [f"{name}_std" for name in names]].astype(float),
            np.sqrt(after.diagonal()),
            rtol=1e-6,
        )
        if criterion == "c" and not isinstance(target, list):
            std = propagate(target, p0, after, names=names).std
            assert chosen.loc[order, "target_std"] == pytest.approx(std, rel=1e-6)


def test_the_frame_reads_from_one_choice_to_the_next():
    chosen = next_points(WeightedLinearFit(), X[:3], 0.1, X, n_points=3)
    assert chosen.index.name == "order"
    assert list(chosen)[:3] == ["candidate", "x", "gain"]
    assert chosen["x_std"].iloc[:-1].tolist() == chosen["x_std_before"].iloc[1:].tolist()
    scaled = next_points(
        make_pipeline(StandardScaler(), WeightedLinearFit()), X[:3], 0.1, X, n_points=3
    )
    assert scaled["candidate"].tolist() == chosen["candidate"].tolist()
    np.testing.assert_allclose(scaled["gain"], chosen["gain"], rtol=1e-8)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"criterion": "E"}, '`criterion` must be "D", "A" or "c". Got \'E\''),
        ({"criterion": "c"}, '`target` must be given for criterion="c"'),
        ({"target": "x"}, '`target` must be given for criterion="c", and only then'),
        ({"criterion": "c", "target": [1.0]}, "`target` must be a parameter, a formula"),
        ({"criterion": "c", "target": "-intercept/x"}, "`p0` must be given for a target"),
        ({"n_points": 0}, "`n_points` must be a positive integer, or None. Got 0"),
        ({"candidates": [1.0]}, r"`candidates` must have one row a point, shape \(c, p\)"),
        ({"sigma": [0.1, 0.1, 0.2]}, "`sigma_new` must be given where `sigma` is not one number"),
        ({"sigma_new": -1.0}, "`sigma_new` must be positive, a number or one value for each"),
        ({"sigma": None, "sigma_new": 1.0}, "`sigma` must be given: the standard deviation"),
        ({"sigma": np.eye(3), "sigma_new": 1.0}, "`sigma` must be a number or one value per row"),
        ({"p0": [1.0]}, "`p0` must have one value for each of the 2 parameters"),
        ({"p0": {"slope": 1.0}}, "`p0` must name parameters: intercept, x. Got 'slope'"),
        ({"p0": [[1.0, 2.0]]}, "`p0` must be one set of parameters"),
        ({"estimator": NonlinearLSQ("a*x")}, "`p0` must be given for a nonlinear model"),
        ({"estimator": NonlinearLSQ("a*x**b", p0={"a": 1.0})}, "`p0` must give every free param"),
        (
            {"estimator": NonlinearLSQ("a*log(x - 2)", p0=[1.0]), "X": [[3.0], [2.0]]},
            "`p0` must give finite values of the model at X. Got -inf in row 1",
        ),
        ({"estimator": StandardScaler()}, "`estimator` must be one of sklsq"),
        (
            {"estimator": OrthogonalRegression(), "p0": [0.0, 1.0]},
            "`estimator` must be a fit without errors of X. Got OrthogonalRegression",
        ),
    ],
)
def test_bad_input_is_refused(changes, message):
    given = {
        "estimator": WeightedLinearFit(),
        "X": [[1.0], [2.0], [3.0]],
        "sigma": 0.1,
        "candidates": [[1.0], [4.0]],
    } | changes
    with pytest.raises(ValueError, match=message):
        next_points(**given)


@pytest.mark.filterwarnings("ignore::sklsq.RankWarning")
def test_points_that_determine_nothing_yet_are_refused():
    with pytest.raises(ValueError, match="`X` must determine all parameters"):
        next_points(WeightedLinearFit(), [[1.0]], 0.1, X)


@pytest.mark.parametrize("wrapper", [SigmaClippedRegressor, LinearizedRegressor])
def test_what_wraps_an_estimator_is_told_apart_from_it(wrapper):
    with pytest.raises(ValueError, match=f"Got {wrapper.__name__}; pass what it wraps"):
        expected_covariance(wrapper(WeightedLinearFit()), X, 0.1)
