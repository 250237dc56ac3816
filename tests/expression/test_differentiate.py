"""Derivatives: their form, their value against mpmath, and where they must be finite."""

import mpmath
import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from sklsq.expression import parse
from tests.expression.language import (
    DIFFERENTIABLE,
    GAUSSIAN,
    MPMATH_DERIVATIVE,
    mpmath_derivative,
    mpmath_value,
)


@pytest.mark.parametrize(
    ("source", "name", "expected"),
    [
        ("a + b*x", "a", "1"),
        ("a + b*x", "b", "x"),
        ("a + b*x", "z", "0"),
        ("2*x*3", "x", "6"),
        ("x**2", "x", "2*x"),
        ("x**1", "x", "1"),
        ("x**0", "x", "0"),
        ("x**-2", "x", "-2*x**-3"),
        ("x**4.0", "x", "4*x**3"),
        ("x**100", "x", "100*x**99"),
        ("x**0.5", "x", "0.5*x**(-0.5)"),
        ("x**c", "x", "c*x**(c - 1)"),
        ("2**x", "x", "2**x*log(2)"),
        ("a*x**b", "b", "a*x**b*log(x + (1 - sign(x)**2))"),
        ("1/x", "x", "-1/x/x"),
        ("x/a", "x", "1/a"),
        ("-x", "x", "-1"),
        ("--x", "x", "1"),
        ("a - x", "x", "-1"),
        ("abs(x)", "x", "sign(x)"),
        ("sign(x)*y", "x", "0"),
        ("0.1*(0.1*x)", "x", "0.1*0.1"),
        ("sin(2*pi*x)", "x", "cos(2*pi*x)*(2*pi)"),
        (GAUSSIAN, "b", "exp(-((x - c)/d)**2)"),
        (GAUSSIAN, "c", "2*b*exp(-((x - c)/d)**2)*((x - c)/d)/d"),
    ],
)
def test_derivatives_are_simplified(source, name, expected):
    assert parse(source).derivative(name).source == expected


@settings(max_examples=100)
@given(DIFFERENTIABLE, st.sampled_from("xy"))
@example("(x*y)**(x/y)", "x")
@example("(x*y)**(x/y)", "y")
@example("x/y/(x - 3*y)/(2 + x)", "y")
@example("2**(x**y)", "x")
def test_derivatives_agree_with_mpmath(source, name):
    at = {"x": 0.7, "y": 1.3}
    try:
        derivative = parse(source).derivative(name)
    except ValueError as error:
        assert "finite constants" in str(error)  # noqa: PT017
        return
    try:
        expected = mpmath_derivative(source, name, **at)
        actual = mpmath_value(derivative.source, **at)
    except (ZeroDivisionError, OverflowError, ValueError, TypeError):
        assume(False)
    assume(mpmath.isfinite(expected) and mpmath.im(expected) == 0 == mpmath.im(actual))
    assume(abs(expected) < mpmath.mpf(10) ** 15)
    assert abs(actual - expected) <= MPMATH_DERIVATIVE * max(1, abs(expected))


@pytest.mark.parametrize(
    ("source", "name", "at", "expected"),
    [
        ("x**2", "x", {"x": 0.0}, 0.0),
        ("x**3", "x", {"x": 0.0}, 0.0),
        ("x**1", "x", {"x": 0.0}, 1.0),
        ("x**0", "x", {"x": 0.0}, 0.0),
        ("x**65", "x", {"x": 0.0}, 0.0),
        ("(x - 1)**2", "x", {"x": 1.0}, 0.0),
        ("x**n", "x", {"x": 0.0, "n": 2.0}, 0.0),
        ("a*x**b", "b", {"x": 0.0, "a": 2.0, "b": 1.5}, 0.0),
        ("x**n/(k**n + x**n)", "n", {"x": 0.0, "k": 3.0, "n": 2.0}, 0.0),
        ("x**n/(k**n + x**n)", "k", {"x": 0.0, "k": 3.0, "n": 2.0}, 0.0),
        ("0**x", "x", {"x": 2.0}, 0.0),
        ("abs(x)", "x", {"x": 0.0}, 0.0),
        ("tanh(x)", "x", {"x": 1000.0}, 0.0),
    ],
)
def test_derivatives_are_finite_where_the_formula_is_smooth(source, name, at, expected):
    assert parse(source).derivative(name).evaluate(at) == expected


@pytest.mark.parametrize("x", [5e-324, 1e-300, 1e-16, 0.9999999999999999, 1.0, 3.7, 1e300])
def test_the_logarithm_in_a_power_loses_no_digit(x):
    slope = parse("x**b").derivative("b")
    assert slope.evaluate({"x": x, "b": 1.0}) == x * np.log(x)


def test_higher_derivatives_stay_in_the_language():
    expression = parse("sin(w*x)")
    for order in range(1, 6):
        expression = expression.derivative("x")
        expected = float(mpmath.diff(lambda t: mpmath.sin(2 * t), 0.3, order))
        np.testing.assert_allclose(expression.evaluate({"x": 0.3, "w": 2.0}), expected, rtol=1e-12)
