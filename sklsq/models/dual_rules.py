"""Derivatives of universal functions, for dual numbers.

`UNARY` maps a function's name to its derivative, given the argument and the value; those of the
formula language come from `sklsq.expression` (so that a string and a callable agree to the last
digit), SciPy's special functions from the table here. `BINARY` maps a name to the derivatives of
the result, given both arguments, the result and the derivatives of each argument by parameter.

Source: NIST Digital Library of Mathematical Functions, https://dlmf.nist.gov, 4.20, 4.34, 5.2, 7.2.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["BINARY", "PIECEWISE_CONSTANT", "UNARY", "Binary", "unary_rule"]

Slopes = dict[int, Any]
Unary = Callable[[Any, Any], Any]
Binary = Callable[[Any, Any, Any, Slopes, Slopes], Slopes]

PIECEWISE_CONSTANT = {"sign", "floor", "ceil", "rint", "trunc", "floor_divide", "heaviside"}

_TWO_OVER_SQRT_PI = 2 / np.sqrt(np.pi)
_DEGREE = np.pi / 180

UNARY: dict[str, Unary] = {
    "absolute": lambda u, f: np.sign(u),
    "fabs": lambda u, f: np.sign(u),
    "arccos": lambda u, f: -1 / np.sqrt((1 - u) * (1 + u)),
    "arccosh": lambda u, f: 1 / (np.sqrt(u - 1) * np.sqrt(u + 1)),
    "arcsin": lambda u, f: 1 / np.sqrt((1 - u) * (1 + u)),
    "arcsinh": lambda u, f: 1 / np.sqrt(1 + u * u),
    "arctan": lambda u, f: 1 / (1 + u * u),
    "arctanh": lambda u, f: 1 / ((1 - u) * (1 + u)),
    "cbrt": lambda u, f: 1 / (3 * f * f),
    "conjugate": lambda u, f: 1.0,
    "cos": lambda u, f: -np.sin(u),
    "cosh": lambda u, f: np.sinh(u),
    "deg2rad": lambda u, f: _DEGREE,
    "degrees": lambda u, f: 1 / _DEGREE,
    "exp": lambda u, f: f,
    "exp2": lambda u, f: np.log(2) * f,
    "expm1": lambda u, f: np.exp(u),
    "log": lambda u, f: 1 / u,
    "log10": lambda u, f: 1 / (np.log(10) * u),
    "log1p": lambda u, f: 1 / (1 + u),
    "log2": lambda u, f: 1 / (np.log(2) * u),
    "negative": lambda u, f: -1.0,
    "positive": lambda u, f: 1.0,
    "rad2deg": lambda u, f: 1 / _DEGREE,
    "radians": lambda u, f: _DEGREE,
    "reciprocal": lambda u, f: -f * f,
    "sin": lambda u, f: np.cos(u),
    "sinh": lambda u, f: np.cosh(u),
    "sqrt": lambda u, f: 0.5 / f,
    "square": lambda u, f: 2 * u,
    "tan": lambda u, f: 1 + f * f,
    "tanh": lambda u, f: 1 - f * f,
    # of scipy.special
    "erf": lambda u, f: _TWO_OVER_SQRT_PI * np.exp(-u * u),
    "erfc": lambda u, f: -_TWO_OVER_SQRT_PI * np.exp(-u * u),
    "erfcx": lambda u, f: 2 * u * f - _TWO_OVER_SQRT_PI,
    "erfinv": lambda u, f: np.exp(f * f) / _TWO_OVER_SQRT_PI,
    "expit": lambda u, f: f * (1 - f),
    "log_expit": lambda u, f: -np.expm1(f),
    "logit": lambda u, f: 1 / (u * (1 - u)),
    "ndtr": lambda u, f: np.exp(-u * u / 2) / np.sqrt(2 * np.pi),
    "wofz": lambda u, f: 1j * _TWO_OVER_SQRT_PI - 2 * u * f,
}


def unary_rule(ufunc: np.ufunc) -> Unary | None:
    """Return the derivative of a function that needs another function of scipy.special."""
    if ufunc.__name__ not in {"gammaln", "gamma", "j0", "i0"}:
        return None
    from scipy import special

    rules: dict[str, Unary] = {
        "gammaln": lambda u, f: special.psi(u),
        "gamma": lambda u, f: f * special.psi(u),
        "j0": lambda u, f: -special.j1(u),
        "i0": lambda u, f: special.i1(u),
    }
    return rules[ufunc.__name__]


def _scaled(slopes: Slopes, factor: Any) -> Slopes:
    return {i: slope * factor for i, slope in slopes.items()}


def _added(first: Slopes, second: Slopes) -> Slopes:
    total = dict(first)
    for i, slope in second.items():
        total[i] = total[i] + slope if i in total else slope
    return total


def _subtract(u: Any, v: Any, f: Any, du: Slopes, dv: Slopes) -> Slopes:
    return _added(du, {i: -slope for i, slope in dv.items()})


def _multiply(u: Any, v: Any, f: Any, du: Slopes, dv: Slopes) -> Slopes:
    return _added(_scaled(du, v), _scaled(dv, u))


def _divide(u: Any, v: Any, f: Any, du: Slopes, dv: Slopes) -> Slopes:
    return _added({i: slope / v for i, slope in du.items()}, _scaled(dv, -f / v) if dv else dv)


def _power(u: Any, v: Any, f: Any, du: Slopes, dv: Slopes) -> Slopes:
    from_base = _scaled(du, 2 * u if _is_two(v) else v * u ** (v - 1)) if du else du
    if not dv:
        return from_base
    # The limit at u = 0, where u**v log u tends to 0.
    logarithm = np.log(np.where(np.equal(u, 0), 1.0, u))
    return _added(from_base, _scaled(dv, f * logarithm))


def _is_two(exponent: Any) -> bool:
    return isinstance(exponent, int | float) and exponent == 2


def _chosen(take_first: Callable[[Any, Any], Any]) -> Binary:
    def rule(u: Any, v: Any, f: Any, du: Slopes, dv: Slopes) -> Slopes:
        chosen = take_first(u, v)
        return _added(_scaled(du, chosen), _scaled(dv, np.logical_not(chosen)))

    return rule


def _hypot(u: Any, v: Any, f: Any, du: Slopes, dv: Slopes) -> Slopes:
    return _added(_scaled(du, u / f), _scaled(dv, v / f))


def _arctan2(u: Any, v: Any, f: Any, du: Slopes, dv: Slopes) -> Slopes:
    square = u * u + v * v
    return _added(_scaled(du, v / square), _scaled(dv, -u / square))


def _logaddexp(u: Any, v: Any, f: Any, du: Slopes, dv: Slopes) -> Slopes:
    return _added(_scaled(du, np.exp(u - f)), _scaled(dv, np.exp(v - f)))


def _matmul(u: Any, v: Any, f: Any, du: Slopes, dv: Slopes) -> Slopes:
    left = {i: np.broadcast_to(slope, np.shape(u)) @ v for i, slope in du.items()}
    right = {i: u @ np.broadcast_to(slope, np.shape(v)) for i, slope in dv.items()}
    return _added(left, right)


BINARY: dict[str, Binary] = {
    "add": lambda u, v, f, du, dv: _added(du, dv),
    "subtract": _subtract,
    "multiply": _multiply,
    "divide": _divide,
    "power": _power,
    "float_power": _power,
    "remainder": lambda u, v, f, du, dv: _added(du, _scaled(dv, -np.floor_divide(u, v))),
    "maximum": _chosen(np.greater_equal),
    "fmax": _chosen(np.greater_equal),
    "minimum": _chosen(np.less_equal),
    "fmin": _chosen(np.less_equal),
    "copysign": lambda u, v, f, du, dv: _scaled(du, np.sign(u) * np.sign(f)),
    "hypot": _hypot,
    "arctan2": _arctan2,
    "logaddexp": _logaddexp,
    "matmul": _matmul,
}
