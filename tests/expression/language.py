"""What the tests of formulas share: the same texts read by mpmath and numpy, and random ones."""

import mpmath
import numpy as np
import scipy.special
from hypothesis import strategies as st

from sklsq.expression.functions import ALIASES, DERIVATIVES

GAUSSIAN = "a + b*exp(-((x - c)/d)**2)"

# A few operations of at most half an ulp each; the functions of numpy and scipy are within 4.
A_FEW_ROUNDINGS = 2e-14
# 1 - tanh(x)**2 is as exact as its 1.
ROUNDING_OF_ONE = 2e-16
# mpmath works with 40 digits and differentiates numerically with half of them.
MPMATH_DERIVATIVE = 1e-15

MPMATH_FUNCTIONS = {
    **{name: getattr(mpmath, name) for name in DERIVATIVES if hasattr(mpmath, name)},
    **{name.replace("a", "arc", 1): getattr(mpmath, name) for name in ALIASES if name != "ln"},
    "abs": abs,
    "cbrt": lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)),
    "exp2": lambda x: mpmath.mpf(2) ** x,
    "log2": lambda x: mpmath.log(x, 2),
    "reciprocal": lambda x: 1 / x,
    "square": lambda x: x * x,
}
NUMPY_FUNCTIONS = {
    name: getattr(np, name) if hasattr(np, name) else getattr(scipy.special, name)
    for name in DERIVATIVES
}
POINTS = {name: (0.1, 0.5, 0.9) for name in DERIVATIVES} | {
    name: (-2.5, -0.7, 0.2, 1.3, 4.0)
    for name in "sin cos tan arctan sinh cosh tanh arcsinh exp expm1 exp2 cbrt abs erf erfc "
    "sign square reciprocal".split()
}
POINTS["arccosh"] = (1.01, 1.5, 30.0)


def mpmath_eval(source, values):
    """The text read by Python, computed by mpmath with the digits in force."""
    return eval(source, {**MPMATH_FUNCTIONS, "pi": +mpmath.pi, **values})


def mpmath_value(source, **values):
    """The value of the text, with 40 digits."""
    with mpmath.workdps(40):
        return mpmath_eval(source, {name: mpmath.mpf(value) for name, value in values.items()})


def mpmath_derivative(source, name, **values):
    """The numerical derivative of the text by one name, with 40 digits."""
    with mpmath.workdps(40):
        at = {name: mpmath.mpf(value) for name, value in values.items()}
        return mpmath.diff(lambda t: mpmath_eval(source, {**at, name: t}), at[name])


def formulas(leaves, functions, powers, operators="+-*/"):
    """Random texts in the language."""

    def extend(inner):
        binary = st.builds("({}{}{})".format, inner, st.sampled_from(operators), inner)
        called = st.builds("{}({})".format, st.sampled_from(functions), inner)
        raised = st.builds("({})**{}".format, inner, powers)
        signed = st.builds("-{}".format, inner)
        return st.one_of(binary, binary, called, raised, signed)

    return st.recursive(st.sampled_from(leaves), extend, max_leaves=8)


ANALYTIC = sorted(set(DERIVATIVES) - {"sign"})
DIFFERENTIABLE = formulas(
    ["x", "y", "pi", "2", "0.5"], ANALYTIC, st.sampled_from(["2", "3", "-1", "1.5", "y", "x"])
)
