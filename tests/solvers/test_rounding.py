"""A term that is one too many in an exact fit is found out; one that counts is left alone."""

import numpy as np
import pytest

from sklsq.solvers.levenberg_marquardt import minimise
from sklsq.solvers.rounding import may_be_exact, without_rounding
from tests.solvers.curve_models import problem

x = np.linspace(0.0, 10.0, 50)
NAMES, PEAK = "bhcw", "b + h*exp(-((x - c)/w)**2)"
LINEAR = np.array([True, True, False, False])
ALL = np.arange(1)


def tidied(y, start):
    model = problem(PEAK, NAMES, x, y[None])
    minima = minimise(model, np.array([start]))
    return minima, without_rounding(model, minima, ALL, np.linalg.norm(y, keepdims=True), LINEAR)


@pytest.mark.parametrize("value", [0.1, 2.0, 3.7e5])
@pytest.mark.parametrize("width", [1.0, 1e5], ids=["a peak", "a peak like a constant"])
def test_a_peak_that_is_not_there(value, width):
    height = 1e-17 * value if width == 1.0 else 0.3 * value
    minima, found = tidied(np.full(50, value), [value - height, height, 4.0, width])
    assert may_be_exact(minima).all()
    assert found.params[0, 1] == 0.0
    assert found.params[0, 0] == pytest.approx(value, rel=1e-14)
    np.testing.assert_array_equal(found.R[0].any(axis=0), [True, True, False, False])


@pytest.mark.parametrize("height", [10.0, 1e-9])
@pytest.mark.parametrize("offset", [0.0, 2.0])
def test_a_peak_that_is(height, offset):
    y = offset + height * np.exp(-((x - 4.5) ** 2))
    minima, found = tidied(y, [offset, 1.001 * height, 4.5, 1.0])
    np.testing.assert_allclose(found.params, minima.params, rtol=1e-14)
    assert found.R[0].any(axis=0).all()
    assert found.params[0, 1] == pytest.approx(height, rel=1e-5)


def test_noise_is_not_rounding():
    y = 2.0 + 1e-6 * np.random.default_rng(0).normal(size=50)
    minima, found = tidied(y, [2.0, 1e-6, 4.5, 1.0])
    assert not may_be_exact(minima).any()
    assert found is minima


def test_ties_between_terms_are_broken_once():
    """Of two constants only that is left out which leaves something undetermined."""
    model = problem("a + b + h*exp(-c*x)", "abhc", x, np.full((1, 50), 3.0))
    linear = np.array([True, True, True, False])
    minima = minimise(model, np.array([[1.0, 2.0, 1e-17, 0.3]]))
    found = without_rounding(model, minima, ALL, np.array([3.0 * np.sqrt(50.0)]), linear)
    assert found.params[0, 2] == 0.0
    assert found.params[0, :2].all()
    assert found.params[0, :2].sum() == pytest.approx(3.0)
