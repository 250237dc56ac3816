"""The short way to the minimum of one curve is the general way, only shorter."""

import numpy as np
import pytest

from sklsq import NonlinearLSQ
from sklsq.estimators import nonlinear
from sklsq.estimators._one_curve import minimum_of_one_curve
from sklsq.models import formula_model
from sklsq.noise import Noise
from sklsq.solvers.descent import Reached
from sklsq.solvers.nonlinear_problem import Tolerances

X = np.linspace(0.0, 10.0, 80)[:, None]
RNG = np.random.default_rng(3)
SIGMA = RNG.uniform(0.05, 0.2, 80)
CASES = {
    "a + b*exp(-((x - c)/d)**2)": ([0.5, 10.0, 4.5, 1.0], [1.0, 8.0, 5.0, 2.0]),
    "a*exp(-b*x) + c": ([3.0, 0.5, 1.0], [1.0, 1.0, 0.0]),
    "a*x/(b + x)": ([3.0, 2.0], [1.0, 1.0]),
    "a*sin(b*x + c)": ([2.0, 1.5, 0.3], [1.0, 1.4, 0.0]),
    "a*x": ([2.0], [0.0]),
    "a*exp(-b*x) + c*exp(-d*x) + e*x + f": (
        [3.0, 2.0, 5.0, 0.3, 0.1, 1.0],
        [1.0, 1.0, 1.0, 0.1, 0.0, 0.0],
    ),
    "a + b*x + c*x**2 + d*x**3 + e*sin(x) + f*cos(x) + g*exp(-x)": ([1.0] * 7, [0.5] * 7),
}
SAME = 1e-9  # standard errors
PUBLISHED = ("params_cov_", "params_std_", "chi2_", "reduced_chi2_", "p_value_", "coef_cov_")
NAMES = ("dof_", "rank_", "converged_", "status_", "param_names_", "absolute_sigma_", "n_iter_")


def _y(formula):
    truth = np.array([CASES[formula][0]])
    return formula_model(formula, 1).evaluate(X, truth)[0] + SIGMA * RNG.normal(size=80)


def _fit(formula, y, general, monkeypatch, **arguments):
    with monkeypatch.context() as patch:
        if general:
            patch.setattr(nonlinear, "_FEW_ROWS", 0)
        return NonlinearLSQ(formula, p0=CASES[formula][1]).fit(X, y, **arguments)


@pytest.mark.parametrize("formula", CASES)
@pytest.mark.parametrize("errors", ["sigma", "sample_weight", "number", "none"])
def test_publishes_what_the_general_way_does(formula, errors, monkeypatch):
    arguments = {
        "sigma": {"sigma": SIGMA},
        "sample_weight": {"sample_weight": SIGMA**-2},
        "number": {"sigma": 0.1},
        "none": {},
    }[errors]
    y = _y(formula)
    short = _fit(formula, y, False, monkeypatch, **arguments)
    general = _fit(formula, y, True, monkeypatch, **arguments)
    assert np.max(np.abs(short.params_ - general.params_) / general.params_std_) < SAME
    for name in PUBLISHED:
        np.testing.assert_allclose(getattr(short, name), getattr(general, name), rtol=1e-7)
    for name in NAMES:
        assert getattr(short, name) == getattr(general, name)
        assert type(getattr(short, name)) is type(getattr(general, name))
    for name in ("at_bound_", "unidentified_"):
        np.testing.assert_array_equal(getattr(short, name), getattr(general, name))
    assert list(short.starts_.columns) == list(general.starts_.columns)
    assert vars(short).keys() == vars(general).keys()
    mean, std = short.predict(X, return_std=True)
    other, other_std = general.predict(X, return_std=True)
    np.testing.assert_allclose(mean, other, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(std, other_std, rtol=1e-7)


def _minimum(start, y, doubt=True, max_iter=100, model="a*exp(-((x - c)/d)**2)"):
    return minimum_of_one_curve(
        formula_model(model, 1),
        X,
        y,
        Noise(True, 0.1),
        np.array(start),
        max_iter,
        Tolerances(),
        doubt=doubt,
    )


def test_a_minimum_that_explains_little_is_doubted():
    y = 5.0 * np.exp(-(((X[:, 0] - 2.0) / 0.5) ** 2)) + 0.01 * RNG.normal(size=80)
    y += 1.0 * np.exp(-(((X[:, 0] - 7.5) / 0.4) ** 2))  # a local minimum: the lower peak
    start = [1.0, 7.5, 0.4]
    poor, is_minimum = _minimum(start, y, doubt=False)
    assert is_minimum
    assert poor.params[0, 1] == pytest.approx(7.5, abs=0.01)
    assert not _minimum(start, y)[1]
    fit = NonlinearLSQ("a*exp(-((x - c)/d)**2)", p0=start).fit(X, y, sigma=0.01)
    assert fit.params_[1] == pytest.approx(2.0, abs=0.01)


def test_what_does_not_end_is_left_to_the_general_way():
    y = 3.0 * np.exp(-0.5 * X[:, 0])
    exact, is_minimum = _minimum([1.0, 1.0], y, model="a*exp(-b*x)")
    assert isinstance(exact, Reached)
    assert not is_minimum
    np.testing.assert_allclose(exact.params, [3.0, 0.5], rtol=1e-6)
    noisy = y + 0.1 * RNG.normal(size=80)
    begun, _ = _minimum([1.0, 1.0], noisy, max_iter=2, model="a*exp(-b*x)")
    assert begun.n_iter == 2
    nowhere, _ = _minimum([1.0, -1.0], y, model="a*sqrt(b)*x")
    assert (nowhere.n_iter, nowhere.params.tolist()) == (0, [1.0, -1.0])


def test_goes_on_from_where_it_has_come(monkeypatch):
    y = 3.0 * np.exp(-0.5 * X[:, 0])
    fit = NonlinearLSQ("a*exp(-b*x)", p0=[1.0, 1.0]).fit(X, y)
    assert fit.converged_
    whole = _fit_generally(y, monkeypatch)
    assert abs(fit.n_iter_ - whole.n_iter_) <= 1  # not both descents together
    np.testing.assert_allclose(fit.params_, whole.params_, rtol=1e-13)
    evaluations = []

    def counted(x, a, b):
        evaluations.append(1)
        return np.where(x < 20.0, a * np.exp(-b * x), 0.0)

    NonlinearLSQ(counted, p0=[1.0, 1.0]).fit(X, y)
    assert len(evaluations) <= 2 * fit.n_iter_ + 10


def _fit_generally(y, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(nonlinear, "_FEW_ROWS", 0)
        return NonlinearLSQ("a*exp(-b*x)", p0=[1.0, 1.0]).fit(X, y)


def test_a_function_that_is_no_formula_goes_the_general_way():
    def lookup(x, a, b):
        return a + b * np.interp(x, [0.0, 5.0, 10.0], [0.0, 1.0, 0.5])

    truth = lookup(X[:, 0], 1.0, 2.0)
    fit = NonlinearLSQ(lookup, p0=[0.0, 0.0]).fit(
        X, truth + SIGMA * RNG.normal(size=80), sigma=SIGMA
    )
    assert np.all(np.abs(fit.params_ - [1.0, 2.0]) < 5.0 * fit.params_std_)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        ({"sample_weight": np.where(np.arange(80) == 3, -1.0, 1.0)}, "sample_weight.*not negative"),
        ({"sample_weight": np.where(np.arange(80) == 3, np.nan, 1.0)}, "sample_weight.*finite"),
        ({"sample_weight": np.zeros(80)}, "non-zero weight"),
        ({"sigma": np.where(np.arange(80) == 3, 0.0, 1.0)}, "sigma.*positive"),
        ({"sigma": SIGMA, "sample_weight": SIGMA}, "must not both be given"),
        ({"sample_weight": SIGMA[1:]}, "sample_weight.*shape"),
    ],
)
def test_bad_errors_are_refused(spoil, message):
    with pytest.raises(ValueError, match=message):
        NonlinearLSQ("a*x", p0=[1.0]).fit(X, X[:, 0], **spoil)


def test_zero_weights_leave_rows_out():
    weight = np.where(np.arange(80) < 10, 0.0, SIGMA**-2)
    y = _y("a*x/(b + x)")
    y[:10] = 1e6
    fit = NonlinearLSQ("a*x/(b + x)", p0=[1.0, 1.0]).fit(X, y, sample_weight=weight)
    rest = NonlinearLSQ("a*x/(b + x)", p0=[1.0, 1.0]).fit(X[10:], y[10:], sigma=SIGMA[10:])
    np.testing.assert_allclose(fit.params_, rest.params_, rtol=1e-10)
    assert fit.dof_ == rest.dof_
