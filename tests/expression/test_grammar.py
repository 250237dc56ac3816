"""The language: what is read, and a corpus of what must never get through."""

import time

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sklsq.expression import Expression, parse
from tests.expression.language import GAUSSIAN


@pytest.mark.parametrize(
    ("source", "names"),
    [
        (GAUSSIAN, ("a", "b", "x", "c", "d")),
        ("1", ()),
        ("2*pi", ()),
        ("pi*r**2", ("r",)),
        ("z + y*x + z", ("z", "y", "x")),
        ("c**b**a", ("c", "b", "a")),
        ("-b/(a - b)", ("b", "a")),
        ("0*x", ("x",)),
        ("e**x", ("e", "x")),
        ("λ*température", ("λ", "température")),
        ("x1*e5 + 1e5", ("x1", "e5")),
        ("  a\t+ b ", ("a", "b")),
    ],
)
def test_names_come_in_order_of_first_appearance(source, names):
    assert parse(source).names == names


def test_surrounding_space_does_not_matter():
    assert parse(" x ") == parse("x")
    assert parse(" x ").source == "x"


@pytest.mark.parametrize(
    "source",
    [
        "+".join(f"c{i}*x**{i}" for i in range(50)),
        "(" * 100 + "x" + ")" * 100,
        "sin(" * 99 + "x" + ")" * 99,
        "-" * 99 + "x",
        "1" * 300,
        "x" * 2000,
    ],
)
def test_large_formulas_within_the_limits_are_read_and_differentiated(source):
    expression = parse(source)
    for name in expression.names:
        slope = expression.derivative(name)
        assert np.isfinite(slope.evaluate(dict.fromkeys(slope.names, 0.5)))


HOSTILE = {
    # what reaches for Python
    "__import__('os').system('true')": "Got a string",
    "__import__(os)": "a call of '__import__'",
    "().__class__.__bases__": "an attribute",
    "x.__class__": "an attribute",
    "x.real": "an attribute",
    "x.T.dot(x)": "an attribute",
    "(1).real": "an attribute",
    "exp.__globals__": "an attribute",
    "open(x)": "a call of 'open'",
    "eval(x)": "a call of 'eval'",
    "exec(x)": "a call of 'exec'",
    "getattr(x, y)": "a call of 'getattr'",
    "globals()": "a call of 'globals'",
    "print(x)": "a call of 'print'",
    "sin(x)(y)": r"a call of 'sin\(x\)'",
    "(lambda: x)()": r"a call of '\(?lambda: x\)?'",
    "lambda x: x": "a lambda",
    "[c for c in x]": "a comprehension",
    "{c for c in x}": "a comprehension",
    "{c: c for c in x}": "a comprehension",
    "(c for c in x)": "a comprehension",
    "(y := x)": "an assignment",
    "y = x": "right-hand side",
    "import os": "unreadable",
    "x if x else y": "a condition",
    "x < 1": "a comparison",
    "x == 1": "a comparison",
    "x in y": "a comparison",
    "x is y": "a comparison",
    "x and y": "and/or",
    "not x": "the operator not",
    "x[0]": "a subscript",
    "x[0:1]": "a subscript",
    "[x]": "a list",
    "(x, y)": "a comma",
    "x, y": "a comma",
    "{x}": "a set",
    "{x: y}": "a dict",
    "{}": "a dict",
    "()": "a comma",
    "await x": "await",
    "(yield)": "yield",
    "(yield from x)": "yield",
    "*x": "starred|unreadable",
    "exp(*x)": "a starred argument",
    "exp(**x)": "one argument",
    "exp(x=1)": "one argument",
    "exp(x, y)": "one argument",
    "exp()": "one argument",
    "'x'": "a string",
    '"x"': "a string",
    "f'{x}'": "a string",
    "b'x'": "a string",
    "True": "Got True",
    "None": "Got None",
    "...": "Got Ellipsis",
    "2j": "a number followed by a letter",
    "1.5J*x": "a number followed by a letter",
    "0x1F": "a number followed by a letter",
    # operators and spellings that mean something else
    "x^2": r"Use \*\* for powers",
    "x % 2": "the operator %",
    "x // 2": "the operator //",
    "x @ y": "the operator @",
    "x & y": "the operator &",
    "x | y": r"the operator \|",
    "x << 2": "the operator <<",
    "x >> 2": "the operator >>",
    "~x": "the operator ~",
    "2x": "Multiply with",
    "3(x)": "a call of '3'",
    "x y": r"Write products with \*",
    "a +": "unreadable",
    "(a": "unreadable",
    "a)": "unreadable",
    "x²": r"superscripts are written with \*\*",
    "sin x": "unreadable",
    "x(2)": "a call of 'x'",
    "gamma(x)": "The functions are abs, acos",
    "floor(x)": "The functions are abs, acos",
    "np.exp(x)": r"Write exp\(x\) without the prefix",
    "numpy.sin(x)": r"Write sin\(x\) without the prefix",
    "math.pi": r"Got 'math.pi'",
    "np.linalg.inv(x)": "an attribute",
    "exp + 1": r"the function 'exp' without an argument.*Write exp\(x\)",
    "exp(sin)": "the function 'sin' without an argument",
    "pi(x)": "a call of 'pi'",
    "_x": "the name '_x'",
    "__builtins__": "the name '__builtins__'",
    "_": "the name '_'",
    "if": "unreadable",
    "lambda": "unreadable",
    "1if 2else 3": "a number followed by a letter",
    "ﬁt*x": "plain form",
    "\uff58 + 1": "plain form",
    "µ*x": "plain form",
    # characters
    "x\ny": r"Got '\\n'",
    "x\n": r"Got '\\n'",
    "x\r+ y": r"Got '\\r'",
    "x;y": "Got ';'",
    "x # y": "a comment",
    "x\\": "a backslash",
    "x\0": r"Got '\\x00'",
    "\ud800": r"Got '\\ud800'",
    "x\u200b": r"Got '\\u200b'",
    "x\u2028+y": r"Got '\\u2028'",
    "x $ y": "unreadable",
    "x ! y": "unreadable",
    "x ? y": "unreadable",
    "`x`": "unreadable",
    "": "empty",
    "   ": "empty",
    # sizes
    "x" * 2001: "at most 2000 characters long. Got 2001",
    "1" * 400 + "*x": "finite constants",
    "1" * 2000: "finite constants",
    "(" * 101 + "x" + ")" * 101: "brackets nested at most 100",
    "(" * 2000: "brackets nested",
    "[" * 2000: "brackets nested",
    "{" * 90: "unreadable",
    "-" * 1999 + "x": "nested at most 100 deep",
    "~" * 1999 + "x": "the operator ~",
    "not " * 400 + "x": "the operator not",
    "exp(" * 100 + "x" + ")" * 100: "nested at most 100 deep",
    "x**" * 600 + "x": "nested at most 100 deep",
    "x+" * 999 + "x": "nested at most 100 deep",
    "x" + "(1)" * 600: "a call of 'x",
    "exp(" + "-" * 1500 + "x, y)": "one argument",
    "x" + ".real" * 390: "an attribute",
    "x if x else " * 100 + "x": "a condition",
    "lambda:" * 280 + "x": "a lambda",
    "9**9**9**9": r"finite constants. Got inf from '9\*\*9\*\*9'",
    "9**(9**9)": "finite constants",
    "10**400": "finite constants",
    "1e999": "finite constants",
    "1/0": "finite constants. Got inf",
    "0/0": "finite constants. Got nan",
    "log(0)*x": "finite constants. Got -inf",
    "sqrt(-1)": "finite constants. Got nan",
    "x + 0**-1": "finite constants",
}


@pytest.mark.parametrize(("source", "reason"), HOSTILE.items())
def test_whatever_is_not_listed_is_refused_quickly(source, reason):
    seconds = []
    for _ in range(3):  # the fastest of three: a garbage collection is not the parser's
        start = time.process_time()
        with pytest.raises(ValueError, match=rf"^`expression` must (?s:.*)(?:{reason})"):
            parse(source)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.05


def test_too_many_nodes_are_refused():
    balanced = "x"
    for _ in range(9):
        balanced = f"({balanced}+{balanced})"
    assert len(balanced) > 2000  # the length limit is the tighter one for this shape
    dense = "(" + ")*(".join(["x+x+x+x+x+x+x+x+x+x"] * 75) + ")"
    with pytest.raises(ValueError, match="at most 1000 names, numbers and operations"):
        parse(dense)


def test_messages_are_short():
    with pytest.raises(ValueError, match="must be") as refusal:
        parse("x^" + "2" * 1900)
    assert len(str(refusal.value)) < 250


@settings(max_examples=300)
@given(
    st.one_of(st.text(max_size=40), st.text("xay_ 01.9e+-*/()[]{},:=<^'lmbdif\\\n", max_size=30))
)
@example("1 if 1else 2")
@example("x.5e3if")
def test_any_text_is_read_or_refused_with_a_value_error(source):
    try:
        expression = parse(source)
    except ValueError as error:
        assert str(error).startswith("`expression` must ")  # noqa: PT017
    else:
        assert isinstance(expression, Expression)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("-2**2", -4.0),
        ("2**3**2", 512.0),
        ("2**-1", 0.5),
        ("1/2*4", 2.0),
        ("6/3/2", 1.0),
        ("-x**2", -9),
    ],
)
def test_precedence_is_python_s(source, value):
    assert parse(source).evaluate({"x": 3.0}) == value
