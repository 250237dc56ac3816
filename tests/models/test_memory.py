import gc
from types import ModuleType

import numpy as np
import pytest

from sklsq.models import bind
from sklsq.models.memory import FunctionMemory, is_self_contained

X = np.linspace(0.0, 1.0, 9)[:, None]
FACTOR = 2.0


def line(x, a, b=1.0):
    return a + b * x


def decay(x, a, k):
    return a * np.exp(-k * x)


def scaled(x, a, k):
    return FACTOR * a * np.exp(-k * x)


def calling(x, a, k):
    return decay(x, a, k)


SHAPE = np.sin
CONFIG = ModuleType("config")
CONFIG.factor = 2.0


def shaped(x, a, k):
    return a * SHAPE(k * x)


def configured(x, a, k):
    return CONFIG.factor * a * np.exp(-k * x)


def importing(x, a, k):
    import math

    return math.pi * a * np.exp(-k * x)


def random(x, a, k):
    return a * x + k * np.random.normal()  # noqa: NPY002


def with_options(x, a, k, *, scale=2.0, how=None):
    return scale * a * np.exp(-k * x)


def with_list(x, a, k, scale=[2.0]):  # noqa: B006
    return scale[0] * a * np.exp(-k * x)


def by_name(x, a, k):
    return globals()["FACTOR"] * a * np.exp(-k * x)


def remembering(x, a, k):
    global FACTOR
    FACTOR = FACTOR + 0.0
    return a * np.exp(-k * x)


def with_one_inside(x, a, k):
    return (lambda t: a * np.exp(-k * t))(x)


def closing_over(factor):
    return lambda x, a, k: factor * a * np.exp(-k * x)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (line, True),
        (decay, True),
        (scaled, True),
        (shaped, True),
        (with_options, True),
        (configured, False),
        (importing, False),
        (random, False),
        (with_list, False),
        (by_name, False),
        (remembering, False),
        (calling, False),
        (with_one_inside, False),
        (closing_over(3.0), False),
        (np.exp, False),
        (FunctionMemory().get, False),
    ],
)
def test_self_contained(function, expected):
    assert is_self_contained(function) is expected


def test_forgets_with_the_function():
    memory = FunctionMemory()
    function = closing_over(2.0)
    memory.put(function, "key", [1])
    assert memory.get(function, "key") == [1]
    assert memory.get(function, "other") is None
    assert memory.get(closing_over(2.0), "key") is None
    del function
    gc.collect()
    assert not memory._entries


def test_another_body_is_another_function():
    memory = FunctionMemory()

    def function(x, a):
        return a * x

    memory.put(function, "key", 1)
    function.__code__ = (lambda x, a: a + x).__code__
    assert memory.get(function, "key") is None
    memory.put(function, "key", 2)
    function.__defaults__ = (1.0,)
    assert memory.get(function, "key") is None


@pytest.mark.parametrize("function", [np.exp, print, "text", FunctionMemory().put])
def test_only_plain_functions_are_remembered(function):
    memory = FunctionMemory()
    memory.put(function, "key", 1)
    assert memory.get(function, "key") is None


def test_a_constant_from_outside_is_read_anew(monkeypatch):
    params = np.array([[1.0, 1.0]])
    before = bind(scaled).evaluate(X, params)
    monkeypatch.setitem(globals(), "FACTOR", 5.0)
    np.testing.assert_allclose(bind(scaled).evaluate(X, params), 2.5 * before, rtol=1e-15)


@pytest.mark.parametrize("function", [shaped, configured, with_list, with_options, by_name])
def test_what_changes_outside_is_seen(function, monkeypatch):
    params = np.array([[1.2, 0.7]])
    before = bind(function).evaluate(X, params)
    monkeypatch.setitem(globals(), "FACTOR", 4.0)
    monkeypatch.setitem(globals(), "SHAPE", np.cos)
    monkeypatch.setattr(CONFIG, "factor", 4.0)
    monkeypatch.setitem(with_options.__kwdefaults__, "scale", 4.0)
    with_list.__defaults__[0][0] = 4.0
    after = bind(function).evaluate(X, params)
    np.testing.assert_allclose(after[0], function(X[:, 0], 1.2, 0.7), rtol=1e-14)
    with_list.__defaults__[0][0] = 2.0
    assert not np.allclose(before, after)


def test_a_self_contained_function_is_written_down_once():
    model = bind(decay)
    model.linearise(X, np.array([[1.0, 1.0]]))
    again = bind(decay)
    again.linearise(X, np.array([[2.0, 3.0]]))
    assert again._traced is model._traced
