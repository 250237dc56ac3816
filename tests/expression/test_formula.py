"""Expressions in use: values for every kind of number, equality, pickling, refusals."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest

from sklsq.expression import parse
from tests.expression.language import A_FEW_ROUNDINGS, GAUSSIAN


def test_reading_is_cached():
    assert parse("a + cached*x") is parse("a + cached*x")


@pytest.mark.parametrize("source", [None, 1, 2.0, b"x", ["x"], {"x": 1}, np.array("x"), abs])
def test_only_strings_are_formulas(source):
    with pytest.raises(TypeError, match=r"`expression` must be a string. Got .*quotes"):
        parse(source)


def test_values_broadcast_and_inputs_stay_as_they_are():
    x, c = np.arange(3.0), np.array([[1.0], [2.0]])
    before = x.copy(), c.copy()
    assert parse("(x - c)**2 + x").evaluate({"x": x, "c": c}).shape == (2, 3)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(c, before[1])


@pytest.mark.parametrize("x", [np.array([10**10, 3]), [10**10, 3], (10**10, 3)])
def test_integers_do_not_wrap_around(x):
    np.testing.assert_array_equal(parse("x**2").evaluate({"x": x}), [1e20, 9.0])
    np.testing.assert_array_equal(parse("x**-1").evaluate({"x": x}), [1e-10, 1 / 3])


def test_scalars_follow_numpy_not_python():
    with np.errstate(all="ignore"):
        assert np.isnan(parse("x**0.5").evaluate({"x": -1}))
        assert parse("1/x").evaluate({"x": 0}) == np.inf
        assert parse("x**64").evaluate({"x": 1e300}) == np.inf
    assert parse("x").evaluate({"x": True}) == 1.0


def test_single_precision_and_complex_numbers_stay_what_they_are():
    assert parse("0.1*x**3 + pi").evaluate({"x": np.ones(2, np.float32)}).dtype == np.float32
    assert parse("exp(x)").evaluate({"x": np.array([1j])}).dtype == complex


def test_a_series_keeps_its_index():
    x = pd.Series([1, 2], index=["u", "v"])
    pd.testing.assert_series_equal(
        parse("x**3").evaluate({"x": x}), pd.Series([1.0, 8.0], index=["u", "v"])
    )


def test_a_constant_is_a_float():
    assert parse("1").evaluate({}) == 1.0
    assert parse("2*pi").evaluate({"unused": 0}) == 2 * np.pi


def test_a_missing_value_is_an_error():
    with pytest.raises(ValueError, match=r"`values` must have every name.*Got none for \['b'\]"):
        parse("a + b").evaluate({"a": 1.0})


class Dual:
    """A value and its derivative, known to Python's operators and to two of numpy's ufuncs."""

    def __init__(self, value, slope):
        self.value, self.slope = value, slope

    def __add__(self, other):
        return Dual(self.value + other.value, self.slope + other.slope)

    def __sub__(self, other):
        return Dual(self.value - other, self.slope)

    def __mul__(self, other):
        if not isinstance(other, Dual):
            return Dual(self.value * other, self.slope * other)
        return Dual(self.value * other.value, self.value * other.slope + self.slope * other.value)

    def __rmul__(self, other):
        return Dual(other * self.value, other * self.slope)

    def __pow__(self, exponent):
        assert type(exponent) is int
        return Dual(self.value**exponent, exponent * self.value ** (exponent - 1) * self.slope)

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        if ufunc is np.multiply:
            return self.__rmul__(inputs[0])
        assert ufunc is np.exp
        value = np.exp(self.value)
        return Dual(value, value * self.slope)


def test_other_numbers_pass_through_and_integer_powers_arrive_as_int():
    x = Dual(np.array([0.5, 2.0]), 1.0)
    source = "2.5*exp(x**2)*(x - 1)**9 + a*x**5"
    result = parse(source).evaluate({"x": x, "a": 1.5})
    slope = parse(source).derivative("x").evaluate({"x": x.value, "a": 1.5})
    np.testing.assert_allclose(result.slope, slope, rtol=A_FEW_ROUNDINGS)


def test_a_derivative_needs_a_name():
    with pytest.raises(TypeError, match=r"`name` must be a string. Got int. Pass one of \('x',\)"):
        parse("x").derivative(0)


def test_expressions_are_equal_by_their_source():
    assert parse("x + 1") == parse("x + 1 ")
    assert parse("x + 1") != parse("x+1")
    assert parse("sin(x)").derivative("x") == parse("cos(x)")
    assert len({parse("cos(x)"), parse("sin(x)").derivative("x")}) == 1
    assert repr(parse("b*x")) == "Expression(source='b*x', names=('b', 'x'))"


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))]
)
def test_expressions_and_derivatives_pickle_after_use(copied):
    model = parse(GAUSSIAN)
    values = {"a": 1.0, "b": 2.0, "c": 0.3, "d": 0.7, "x": np.linspace(-1, 1, 5)}
    for expression in (model, model.derivative("c"), model.derivative("c").derivative("d")):
        expected = expression.evaluate(values)
        clone = copied(expression)
        assert clone == expression
        assert clone.names == expression.names
        np.testing.assert_array_equal(clone.evaluate(values), expected)


def test_a_pickle_holds_the_text_and_no_code():
    pickled = pickle.dumps(parse(GAUSSIAN).derivative("c"))
    assert GAUSSIAN.encode() in pickled
    assert len(pickled) < 200


def test_a_derivative_longer_than_a_user_may_write_still_pickles():
    derivative = parse("*".join(f"(x + {i})" for i in range(60))).derivative("x")
    assert len(derivative.source) > 2000
    assert pickle.loads(pickle.dumps(derivative)) == derivative


def test_expressions_are_frozen():
    with pytest.raises(AttributeError, match="cannot assign to field 'source'"):
        parse("x").source = "y"
