"""The text of a derivative: the same function when read back, and of reasonable length."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sklsq.expression import parse
from tests.expression.language import DIFFERENTIABLE


@settings(max_examples=100)
@given(DIFFERENTIABLE, st.sampled_from("xy"))
def test_the_text_of_a_derivative_reads_back_as_the_same_function(source, name):
    values = {"x": np.linspace(0.2, 3.0, 7), "y": np.linspace(-1.0, 2.0, 7)}
    with np.errstate(all="ignore"):
        try:
            derivative = parse(source).derivative(name)
            assume(len(derivative.source) <= 2000)
            read_back = parse(derivative.source)
        except ValueError as error:
            assume("finite constants" not in str(error) and "nested" not in str(error))
            raise
        assert read_back == derivative
        assert read_back.names == derivative.names
        np.testing.assert_array_equal(read_back.evaluate(values), derivative.evaluate(values))


def test_nested_formulas_do_not_explode():
    product = parse("*".join(f"(x + {i})" for i in range(40)))
    quotient = parse("1/(1 + " * 40 + "x" + ")" * 40)
    tower = parse("x**(" * 20 + "x" + ")" * 20)
    for expression in (product, quotient, tower):
        assert len(expression.derivative("x").source) < 50 * len(expression.source)


def test_a_derivative_that_would_be_too_long_is_an_error():
    expression = parse("x**(" * 20 + "x" + ")" * 20)
    with pytest.raises(ValueError, match="must be at most 200000 characters long"):
        expression.derivative("x").derivative("x").derivative("x").derivative("x")
