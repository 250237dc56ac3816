"""Compiled formulas: numpy's own values, common parts once, nothing of the user's text."""

import re

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sklsq.expression import compile_fit, compile_many, parse
from sklsq.expression.functions import DERIVATIVES
from tests.expression.language import (
    A_FEW_ROUNDINGS,
    DIFFERENTIABLE,
    GAUSSIAN,
    NUMPY_FUNCTIONS,
    formulas,
    mpmath_value,
)


@settings(max_examples=150)
@given(
    formulas(
        ["x", "y", "pi", "2.0", "0.1", "30.0"],
        sorted(DERIVATIVES),
        st.sampled_from(["2", "1.5", "0.5", "(-0.5)", "y"]),
    )
)
def test_values_are_those_of_python_and_numpy_to_the_last_bit(source):
    rng = np.random.default_rng(0)
    values = {"x": rng.uniform(0.1, 3.0, 7), "y": rng.normal(size=7)}
    python = re.sub(r"(?<!\*\*)(?<!\(-)\b(\d+\.\d+|pi)\b", r"double(\1)", source)
    names = {**NUMPY_FUNCTIONS, "pi": np.pi, "double": np.float64, **values}
    with np.errstate(all="ignore"):
        try:
            actual = parse(source).evaluate(values)
        except ValueError as error:
            assert "finite constants" in str(error)  # noqa: PT017
            return
        expected = eval(python, names)
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("exponent", [*range(-10, 11), 64, -64, 65, 2.0, 3.0, -2.0])
def test_powers_are_accurate_to_a_few_units_in_the_last_place(exponent):
    for x in (0.3, 1.7, 2.9):
        expected = float(mpmath_value("x**k", x=x, k=exponent))
        actual = parse(f"x**{exponent}").evaluate({"x": np.array([x, -x])})
        np.testing.assert_array_max_ulp(actual[:1], np.array([expected]), maxulp=4)
        sign = -1 if exponent % 2 else 1
        np.testing.assert_array_max_ulp(actual[1:], np.array([sign * expected]), maxulp=4)


class Counting(np.ndarray):
    """An array that counts the ufuncs run on it."""

    calls: list[str]

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        Counting.calls.append(ufunc.__name__)
        plain = [np.asarray(i) if isinstance(i, Counting) else i for i in inputs]
        return getattr(ufunc, method)(*plain, **kwargs).view(Counting)


def test_common_parts_are_computed_once():
    model = parse(GAUSSIAN)
    formulas_at_once = [model, *(model.derivative(name) for name in "abcd")]
    run = compile_many(formulas_at_once, ["x", "a", "b", "c", "d"])
    Counting.calls = []
    x = np.linspace(-1, 1, 5)
    results = run(x.view(Counting), 1.0, 2.0, 0.3, 0.7)
    assert Counting.calls.count("exp") == 1
    assert len(Counting.calls) <= 12
    values = {"x": x, "a": 1.0, "b": 2.0, "c": 0.3, "d": 0.7}
    for expression, result in zip(formulas_at_once, results, strict=True):
        np.testing.assert_allclose(
            np.asarray(result), expression.evaluate(values), rtol=A_FEW_ROUNDINGS
        )


@given(DIFFERENTIABLE)
def test_many_at_once_equal_each_alone(source):
    values = {"y": np.linspace(-1.0, 2.0, 7), "x": np.linspace(0.2, 3.0, 7)}
    with np.errstate(all="ignore"):
        try:
            model = parse(source)
        except ValueError:
            assume(False)
        expressions = [model, model.derivative("x"), model.derivative("y")]
        results = compile_many(expressions, values)(*values.values())
        for expression, result in zip(expressions, results, strict=True):
            np.testing.assert_array_equal(result, expression.evaluate(values))


def test_arguments_are_taken_by_the_names_given():
    run = compile_many([parse("a - b"), parse("2")], ("b", "unused", "a"))
    assert run(1.0, None, 5.0) == [4.0, 2.0]


def test_compiling_is_cached():
    model = parse(GAUSSIAN)
    assert compile_many([model], iter("abcdx")) is compile_many((model,), list("abcdx"))


def test_no_text_of_the_user_reaches_the_compiled_function():
    run = compile_many([parse("lambda_*température + sin(x)**3")], ("lambda_", "température", "x"))
    assert run.__globals__["__builtins__"] == {}
    assert not {"lambda_", "température"} & {*run.__code__.co_names, *run.__code__.co_varnames}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a"], r"`argument_names` must have every name.*Got none of \['b'\]. Add them"),
        (["a", "b", "a"], r"`argument_names` must be different.*Got \['a'\] more than once"),
    ],
)
def test_argument_names_must_fit(names, message):
    with pytest.raises(ValueError, match=message):
        compile_many([parse("a*b")], names)


def test_formulas_too_deep_for_one_line_are_compiled():
    nested = parse("sin(" * 90 + "x" + ")" * 90)
    expected = 0.5
    for _ in range(90):
        expected = np.sin(expected)
    assert nested.evaluate({"x": 0.5}) == expected


@settings(max_examples=150)
@given(
    formulas(
        ["x", "a", "b", "pi", "2.0", "x", "30.0"],
        sorted(DERIVATIVES),
        st.sampled_from(["2", "3", "(-2)", "1.5", "a"]),
    )
)
@pytest.mark.parametrize("many", [False, True])
def test_rows_of_a_fit_are_the_values_and_slopes_to_the_last_bit(many, source):
    try:
        model = parse(source)
        slopes = [model.derivative(name) for name in "ab"]
    except ValueError:
        assume(False)
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0.1, 3.0, 7), rng.normal(size=7)
    params = rng.uniform(0.5, 2.0, (2, 5, 1)) if many else [0.7, 1.3]
    rows = np.empty((3, 5, 7) if many else (3, 7))
    with np.errstate(all="ignore"):
        compile_fit(model, ("a", "b"), ("x", "a", "b"))(x, *params, y, rows)
        value, *by = compile_many([model, *slopes], "xab", "ab")(x, *params)
    for row, slope in zip(rows, by, strict=False):
        np.testing.assert_array_equal(row, np.broadcast_to(slope, row.shape))
    np.testing.assert_array_equal(rows[-1], np.broadcast_to(y - value, rows[-1].shape))
