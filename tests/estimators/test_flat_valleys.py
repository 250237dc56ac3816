"""Fits that end in a valley which goes on for ever must not look like good ones."""

import warnings

import numpy as np
import pytest

from sklsq import NonlinearLSQ
from sklsq.exceptions import RankWarning

X = np.linspace(0.25, 10.0, 40)[:, None]
x = X[:, 0]
SPIKE = 0.3 * (x == x[0]) - 0.1 * (x == x[1])  # fitted best by a rate that is infinite
NOISE = np.random.default_rng(7).standard_normal(40)
VALLEYS = {  # model, start, data, parameters that are not determined, parameters that are
    "a second rate runs off": (
        "a*exp(-b*x) + c*exp(-d*x)",
        {"a": 2.0, "b": 0.4, "c": 0.3, "d": 80.0},
        2.0 * np.exp(-0.4 * x) + SPIKE + 0.02 * NOISE,
        "cd",
        "ab",
    ),
    "the rate of a constant": (
        "a*exp(-b*x) + c",
        {"a": 0.3, "b": 60.0, "c": 1.0},
        1.0 + SPIKE + 0.02 * NOISE,
        "ab",
        "c",
    ),
    "saturated before the first point": (
        "a*(1 - exp(-b*x))",
        {"a": 1.0, "b": 40.0},
        1.0 - 0.05 * x + 0.05 * NOISE,
        "b",
        "a",
    ),
    "never saturated": ("v*x/(k + x)", {"v": 5.0, "k": 3.0}, 0.5 * x + 0.05 * NOISE, "vk", ""),
    "a peak off the data": (
        "a*exp(-((x - b)/c)**2) + d",
        {"a": 1.0, "b": 25.0, "c": 1.5, "d": 0.5},
        0.5 + 0.05 * NOISE,
        "abc",
        "d",
    ),
}


def fitted(model, start, y):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = NonlinearLSQ(model, start, start="p0").fit(X, y)
    return fit, [str(w.message) for w in caught if w.category is RankWarning]


@pytest.mark.parametrize("case", VALLEYS.values(), ids=list(VALLEYS))
def test_what_is_not_determined_is_named(case):
    model, start, y, lost, kept = case
    fit, said = fitted(model, start, y)
    std = dict(zip(fit.param_names_, fit.params_std_, strict=True))
    assert [name for name in std if np.isinf(std[name])] == list(lost)
    assert all(0.0 < std[name] < 1.0 for name in kept)
    assert len(said) == 1
    assert all(f"{name} +" in said[0] or f"{name} -" in said[0] for name in lost)
    assert fit.rank_ < len(std)
    assert fit.dof_ == len(x) - fit.rank_
    assert "cannot tell" in str(fit.summary())


@pytest.mark.parametrize("case", VALLEYS.values(), ids=list(VALLEYS))
def test_fitted_values_are_known_all_the_same(case):
    model, start, y, *_ = case
    fit, _ = fitted(model, start, y)
    _, std = fit.predict(X[2:], return_std=True)
    assert (std < 0.5 * np.ptp(y) + 0.1).all()


def test_one_of_many_curves():
    model, _, y, *_ = VALLEYS["saturated before the first point"]
    Y = np.stack([1.0 - np.exp(-0.8 * x) + 0.05 * NOISE, y], axis=1)
    fit, said = fitted(model, {"a": 1.0, "b": 10.0}, Y)
    np.testing.assert_array_equal(np.isinf(fit.params_std_), [[False, False], [False, True]])
    assert "the first 1," in said[0]


def test_zeros_by_symmetry_are_no_valleys():
    grid, rng = np.linspace(-5.0, 5.0, 41), np.random.default_rng(1)
    for _ in range(20):
        noise = 0.1 * rng.standard_normal(41)
        y = 3.0 * np.exp(-(grid**2)) + noise + noise[::-1]
        with warnings.catch_warnings():
            warnings.simplefilter("error", RankWarning)
            fit = NonlinearLSQ(
                "a*exp(-((x - b)/c)**2) + d", {"a": 2.0, "b": 0.1, "c": 1.5, "d": 0.1}, start="p0"
            ).fit(grid[:, None], y)
        assert fit.params_std_[1] > 1e4 * abs(fit.params_[1])


def test_weak_but_honest_errors_are_kept():
    rng, quiet = np.random.default_rng(2), 0
    for _ in range(50):
        y = 0.15 * np.exp(-0.5 * x) + 1.0 + 0.03 * rng.standard_normal(40)
        fit, said = fitted("a*exp(-b*x) + c", {"a": 0.15, "b": 0.5, "c": 1.0}, y)
        quiet += not said
        assert not said or fit.params_[1] > 10.0
    assert quiet >= 48
