"""Every listed function and its derivative, against mpmath and the complex step."""

import re

import numpy as np
import pytest
import scipy.special

from sklsq.expression import parse
from sklsq.expression.functions import ALIASES, ALLOWED, DERIVATIVES
from tests.expression.language import (
    A_FEW_ROUNDINGS,
    NUMPY_FUNCTIONS,
    POINTS,
    ROUNDING_OF_ONE,
    mpmath_derivative,
    mpmath_value,
)


@pytest.mark.parametrize(("alias", "function"), ALIASES.items())
def test_an_alias_is_its_function(alias, function):
    x = np.array([1.25]) if function == "arccosh" else np.array([0.25])
    assert parse(f"{alias}(x)").evaluate({"x": x}) == NUMPY_FUNCTIONS[function](x)


@pytest.mark.parametrize("function", sorted(DERIVATIVES))
def test_every_function_agrees_with_mpmath(function):
    expression = parse(f"{function}(x)")
    for x in POINTS[function]:
        expected = float(mpmath_value(f"{function}(x)", x=x))
        np.testing.assert_allclose(expression.evaluate({"x": x}), expected, rtol=A_FEW_ROUNDINGS)


@pytest.mark.parametrize("function", sorted(DERIVATIVES))
def test_the_derivative_of_every_function_agrees_with_mpmath(function):
    first = parse(f"{function}(x)").derivative("x")
    second = first.derivative("x")
    for x in POINTS[function]:
        expected = float(mpmath_derivative(f"{function}(x)", "x", x=x))
        np.testing.assert_allclose(
            first.evaluate({"x": x}), expected, rtol=A_FEW_ROUNDINGS, atol=ROUNDING_OF_ONE
        )
        expected = float(mpmath_derivative(first.source, "x", x=x))
        np.testing.assert_allclose(
            second.evaluate({"x": x}), expected, rtol=A_FEW_ROUNDINGS, atol=ROUNDING_OF_ONE
        )


@pytest.mark.parametrize(
    "function",
    sorted(set(DERIVATIVES) - {"abs", "sign", "cbrt"}),
)
def test_the_derivative_of_every_function_agrees_with_a_complex_step(function):
    for x in POINTS[function]:
        step = 1e-30
        argument = np.array([complex(x, step)])
        with np.errstate(all="ignore"):
            expected = parse(f"{function}(x)").evaluate({"x": argument}).imag / step
        actual = parse(f"{function}(x)").derivative("x").evaluate({"x": np.array([x])})
        np.testing.assert_allclose(actual, expected, rtol=1e-12)


def test_the_error_function_is_scipy_s():
    x = np.linspace(-3, 3, 7)
    np.testing.assert_array_equal(parse("erf(x)").evaluate({"x": x}), scipy.special.erf(x))


def test_every_allowed_function_is_documented():
    words = set(re.findall(r"\w+", parse.__doc__))
    assert set(ALLOWED) <= words
