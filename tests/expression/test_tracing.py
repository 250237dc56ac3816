import contextlib
import copy
import functools
import math
import numbers

import numpy as np
import pytest

from sklsq.expression.tracing import Tracer, compile_traced, trace

REFUSALS = (TypeError, AttributeError, ValueError, IndexError)
x = np.linspace(0.1, 3.0, 20)


def _run(function):
    """Return value and derivatives by a and b at (1.3, 0.7) of a function of x, a, b."""
    names = ("x", "a", "b")
    steps = trace(function, ("x",), ("a", "b"), REFUSALS)
    assert steps is not None
    value, both = compile_traced(steps, names, ("a", "b"))
    (alone,) = value(x, 1.3, 0.7)
    together, *slopes = both(x, 1.3, 0.7)
    np.testing.assert_array_equal(alone, together)
    return alone, slopes


@pytest.mark.parametrize(
    "function",
    [
        lambda x, a, b: a + b - x * 2 / a,
        lambda x, a, b: 1 + 2 - 3 * x / 4 + (5 / a) - (6 - b) + 7**a,
        lambda x, a, b: np.exp(-b * x) * np.sin(a) ** 2 + np.sqrt(x) + np.log(1 + x**2),
        lambda x, a, b: x**3 + x**-2 + x**0.5 + x**a + (a * x) ** b + x ** np.int64(2),
        lambda x, a, b: np.square(a * x) + np.reciprocal(b + x) + np.absolute(a - x),
        lambda x, a, b: +a * -x + abs(b - x) + np.positive(a) + np.negative(b),
        lambda x, a, b: np.add(a, x) * np.subtract(2.0, x) / np.divide(b, np.float64(3.0)),
        lambda x, a, b: a * np.ones_like(x) + b * x + np.zeros_like(x),
        lambda x, a, b: np.float64(2.0) * x + np.array(3.0) * a + np.power(x, b),
        lambda x, a, b: sum(a**k * np.cos(k * b * x) / math.factorial(k) for k in range(6)),
        lambda x, a, b: np.arctan(a * x) + np.tanh(b * x) + np.cbrt(x) + np.log1p(a * x),
    ],
)
def test_what_is_traced_is_what_is_computed(function):
    value, slopes = _run(function)
    expected = function(x, 1.3, 0.7)
    np.testing.assert_allclose(value, expected, rtol=1e-14)
    by_a = (
        np.imag(function(x + 0j, 1.3 + 1e-30j, 0.7)) / 1e-30 if _takes_complex(function) else None
    )
    step = 1e-6
    for slope, (da, db) in zip(slopes, [(step, 0.0), (0.0, step)], strict=True):
        differences = (function(x, 1.3 + da, 0.7 + db) - function(x, 1.3 - da, 0.7 - db)) / (
            2 * step
        )
        np.testing.assert_allclose(slope + 0 * x, differences, rtol=1e-6, atol=1e-7)
    if by_a is not None:
        np.testing.assert_allclose(slopes[0] + 0 * x, by_a, rtol=1e-12, atol=1e-13)


def _takes_complex(function):
    try:
        return bool(np.isfinite(function(x + 0j, 1.3 + 0j, 0.7)).all()) and "abs" not in str(
            function.__code__.co_names
        )
    except TypeError:
        return False


@pytest.mark.parametrize(
    "function",
    [
        lambda x, a, b: x if a > 0 else b,
        lambda x, a, b: a * x if b == 0 else x,
        lambda x, a, b: a * x if b != 0 else x,
        lambda x, a, b: a * x if a else b,
        lambda x, a, b: np.where(x > 1, a, b),
        lambda x, a, b: np.maximum(a, x) + b,
        lambda x, a, b: a * x[0] + b,
        lambda x, a, b: a * x + len(x) * b,
        lambda x, a, b: [a * each for each in x],
        lambda x, a, b: a * x.max() + b,
        lambda x, a, b: a * x / np.sum(x),
        lambda x, a, b: a * np.mean(x) + b * np.add.reduce(x),
        lambda x, a, b: math.exp(a) * x,
        lambda x, a, b: a * float(x),
        lambda x, a, b: a * x * int(b),
        lambda x, a, b: a * x + np.arange(20.0),
        lambda x, a, b: a * x + [1.0] * 20,
        lambda x, a, b: a * x + True,
        lambda x, a, b: a * x + 1j,
        lambda x, a, b: a * x + np.inf,
        lambda x, a, b: np.exp(a * x, where=True),
        lambda x, a, b: np.asarray(x) * a,
        lambda x, a, b: np.exp(np.array([a, b])),
        lambda x, a, b: a * np.full_like(x, 2.0),
        lambda x, a, b: a in x,
        lambda x, a, b: np.isfinite(a * x),
        lambda x, a, b: sum(a * x**k for k in range(2000)),
        lambda x, a, b: 3.0,
        lambda x, a, b: None,
    ],
)
def test_what_depends_on_values_is_refused(function):
    assert trace(function, ("x",), ("a", "b"), REFUSALS) is None


def _caught(x, a, b):
    try:
        return a * x if b > 0 else x
    except TypeError:
        return a * x


def _suppressed(x, a, b):
    with contextlib.suppress(Exception):
        x = x[x > 1.0]
    return a * x


def _matched(x, a, b):
    match a:
        case float():
            return a * x
        case _:
            return b * x


@functools.singledispatch
def _dispatched(x, a, b):
    return a * x


KEPT = []


def _kept(x, a, b):
    KEPT.append(x)
    return a * KEPT[0] + b * x


@pytest.mark.parametrize(
    "function",
    [
        _caught,
        _suppressed,
        _matched,
        _dispatched,
        lambda x, a, b: a * x if isinstance(x, np.ndarray) else b * x,
        lambda x, a, b: a * x if np.isscalar(a) else b * x,
        lambda x, a, b: a * x if hasattr(x, "shape") else b * x,
        lambda x, a, b: a * x * getattr(x, "size", 1),
        lambda x, a, b: a * copy.copy(x) + b * copy.deepcopy(x),
        lambda x, a, b: a * x if isinstance(a, numbers.Real) else b * x,
        lambda x, a, b: a * x if f"{a:.3f}" else b,
        lambda x, a, b: a * x if np.iscomplexobj(x) else b * x,
        lambda x, a, b: a * x if np.ndim(x) else b * x,
    ],
)
def test_what_finds_out_that_it_is_traced_is_refused(function):
    assert trace(function, ("x",), ("a", "b"), REFUSALS) is None


def test_an_argument_of_another_call_is_refused():
    KEPT.clear()
    assert trace(_kept, ("x",), ("a", "b"), REFUSALS) is not None
    assert trace(_kept, ("x",), ("a", "b"), REFUSALS) is None


def _both_names(x, a, b):
    y = x
    y -= a
    return x + b * y


def _of_ones(x, a, b):
    y = np.ones_like(x)
    z = y
    z *= a * x
    z /= b
    return y


def _of_numbers(x, a, b):
    c = a
    c += b
    c **= 2
    d = +x
    d += c
    return a * x + c + d


@pytest.mark.parametrize("function", [_both_names, _of_ones, _of_numbers])
def test_columns_change_in_place_and_numbers_do_not(function):
    value, _ = _run(function)
    np.testing.assert_allclose(value, function(x.copy(), 1.3, 0.7), rtol=1e-14)


def test_an_error_of_the_function_itself_is_not_swallowed():
    def broken(x, a):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        trace(broken, ("x",), ("a",), REFUSALS)


def test_a_tracer_kept_from_another_call_is_not_taken_for_this_one():
    kept = []

    def leaking(x, a):
        kept.append(x)
        return kept[0] * a

    assert trace(leaking, ("x",), ("a",), REFUSALS) is not None
    assert trace(leaking, ("x",), ("a",), REFUSALS) is None


def test_equal_functions_are_compiled_once():
    functions = [lambda x, a: a * np.exp(-x), lambda t, b: b * np.exp(-t)]
    compiled = [
        compile_traced(trace(f, ("x",), ("p",), REFUSALS), ("x", "p"), ("p",)) for f in functions
    ]
    assert compiled[0] is compiled[1]


def test_tracers_do_not_hash():
    with pytest.raises(TypeError, match="unhashable"):
        hash(trace_argument())


def trace_argument():
    kept = []
    trace(lambda x: kept.append(x), ("x",), (), REFUSALS)
    assert type(kept[0]) is Tracer
    return kept[0]
