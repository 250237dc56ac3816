"""Polynomials are recognised, and are exact where that is claimed."""

import re

import mpmath
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sklsq.expression import parse
from tests.expression.language import formulas


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("1", True),
        ("x", True),
        ("x**2 - 3*x*y + 0.1", True),
        ("-(x + y)**64", True),
        ("x**2.0", True),
        ("+x**0", True),
        ("2**10*x", True),
        ("0.5*0.25*x", True),
        ("x*0.1*0.1", True),
        ("0.1*0.1*x", False),
        ("(0.1 + 0.2)*x", False),
        ("x/2", False),
        ("1/x", False),
        ("x**-1", False),
        ("x**65", False),
        ("x**0.5", False),
        ("x**y", False),
        ("x**(1 + 1)", False),
        ("2*pi*x", False),
        ("square(x)", False),
        ("abs(x)", False),
    ],
)
def test_polynomials_are_recognised(source, expected):
    assert parse(source).is_polynomial is expected


@given(
    formulas(
        ["x", "y", "0.1", "3"], [""], st.sampled_from(["0", "1", "2", "3", "7"]), "+-*"
    ).filter(lambda source: len(source) < 60)
)
def test_polynomials_are_exact_in_a_longer_arithmetic(source):
    expression = parse(source)
    assume(expression.is_polynomial)
    with mpmath.workdps(2000):
        values = {"x": mpmath.mpf(1) / 3, "y": -(mpmath.mpf(2) ** 0.5)}
        actual = mpmath.mpf(expression.evaluate(values))
        expected = eval(
            re.sub(r"(?<!\*\*)\b(\d[.\d]*)", r"mpf(\1)", source), {"mpf": mpmath.mpf} | values
        )
        assert abs(actual - expected) <= mpmath.mpf(10) ** -1900 * max(1, abs(expected))
