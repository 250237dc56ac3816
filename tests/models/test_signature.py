import functools

import numpy as np
import pytest

from sklsq.models import bind


def line(x, a, b):
    return a + b * x


def plane(x, y, a, b, c):
    return a + b * x + c * y


def any_number(x, *p):
    return sum(value * x**i for i, value in enumerate(p))


def matlab(x, p):
    return p[0] + p[1] * x


def with_options(x, a, b=2.0, kind="fast", *, scale=1.0):
    return a + b * x


def needs_keyword(x, a, *, scale):
    return a * x * scale


class Line:
    def __call__(self, x, a, b):
        return a + b * x

    def method(self, x, slope):
        return slope * x


@pytest.mark.parametrize(
    ("function", "arguments", "names", "width"),
    [
        (line, (None, 1, None), ("a", "b"), 1),
        (line, (["x"], 1, 2), ("a", "b"), 1),
        (line, (None, None, None), ("a", "b"), 1),
        (plane, (["x", "y"], 2, 3), ("a", "b", "c"), 2),
        (plane, (["temperature", "pressure"], 2, 3), ("a", "b", "c"), 2),
        (plane, (2, 2, 3), ("a", "b", "c"), 2),
        (line, ("all", 7, 2), ("a", "b"), None),
        (any_number, (None, 1, 3), ("p0", "p1", "p2"), 1),
        (any_number, (None, 1, 2, ["offset", "slope"]), ("offset", "slope"), 1),
        (matlab, (None, 1, 2), ("p0", "p1"), 1),
        (matlab, (None, 1, None), ("p",), 1),
        (matlab, (None, 1, 2, ["offset", "slope"]), ("offset", "slope"), 1),
        (with_options, (None, 1, None), ("a", "b"), 1),
        (Line(), (None, 1, None), ("a", "b"), 1),
        (Line().method, (None, 1, None), ("slope",), 1),
        (functools.partial(plane, 0.0), (None, 1, None), ("a", "b", "c"), 1),
    ],
)
def test_bound(function, arguments, names, width):
    model = bind(function, *arguments)
    assert model.parameter_names == names
    assert model.n_features == width


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (line, (None, 2, None), "must take the 2 features of X. Got line.*features="),
        (plane, (["x", "y"], 3, None), "X must have the 2 features of `model`. Got 3"),
        (plane, (["y", "x"], 2, None), "in the order of the leading arguments"),
        (line, (None, 1, 3), "one value for each of the 2 parameters a, b. Got 3"),
        (line, (None, 1, None, ["a", "c"]), r"name the parameters of `model`, \['a', 'b'\]"),
        (any_number, (None, 1, None), "`p0` must tell how many parameters"),
        (lambda x: x, (None, 1, None), "must have parameters after its features"),
        (lambda: 0, (None, 1, None), "must take 1 features"),
        (needs_keyword, (None, 1, None), "must not require keyword-only arguments. Got 'scale'"),
        (np.add, ("x", 1, None), "`features` must be a list of names or 'all'. Got 'x'"),
        (line, ([], 1, None), "at least one feature"),
    ],
)
def test_refused(function, arguments, message):
    with pytest.raises(ValueError, match=message):
        bind(function, *arguments)


def test_not_callable():
    with pytest.raises(TypeError, match=r"`model` must be a callable\. Got int"):
        bind(3)
