r"""Transforms of y with inverse and derivative: by name, by formula, or as functions.

With :math:`z = f(y)` monotone, a small error of y becomes one of z, :math:`\sigma_z = |f'(y)|
\sigma_y`, and the error of a value :math:`y = f^{-1}(z)` is :math:`\sigma_z / |f'(y)|`: the
derivative of f is all that is needed, and is exact for formulas, and for functions that let dual
numbers through.

A formula in which y occurs once is inverted from the outside to the inside: what stands around y
is taken to the other side, step by step.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np

from sklsq._typing import BoolArray, FloatArray
from sklsq.expression import Expression, parse
from sklsq.models.dual import Dual

__all__ = ["Transform", "inverse_formula", "is_positive_only", "transform_of"]

_INFINITY = float("inf")
_SAME = 1e-8  # of y, and of what rounding of f makes of it
_STEP = float(np.cbrt(np.finfo(np.float64).eps))  # of y, for a central difference


@dataclass(frozen=True)
class Transform:
    """A monotone transform of y.

    Parameters
    ----------
    text : str
        What z is, such as ``"log(y)"``.
    forward, inverse, slope : callable
        z of y, y of z, and the derivative of z by y; from arrays to arrays.
    domain : (float, float), default all numbers
        Interval of y, without its ends.
    image : (float, float), default all numbers
        Interval of z.
    demand : str
        What y must be, in words.
    one_sign : bool, default=False
        Whether y must be on one side of zero, either of them.
    """

    text: str
    forward: Callable[[FloatArray], FloatArray]
    inverse: Callable[[FloatArray], FloatArray]
    slope: Callable[[FloatArray], FloatArray]
    domain: tuple[float, float] = (-_INFINITY, _INFINITY)
    image: tuple[float, float] = (-_INFINITY, _INFINITY)
    demand: str = ""
    one_sign: bool = False

    def apply(self, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return z and dz/dy at `y`, NaN where y is.

        Raises
        ------
        ValueError
            If y leaves the domain, the transform is not monotone on it, or the inverse does not
            lead back, naming the first row.
        """
        here = ~np.isnan(y)
        low, high = self.domain
        self._demand(y, here & ~((y > low) & (y < high)), self.demand)
        if self.one_sign and here.any():
            positive = np.count_nonzero(y > 0.0) >= np.count_nonzero(y < 0.0)
            self._demand(y, here & ~(y > 0.0 if positive else y < 0.0), self.demand)
        with np.errstate(all="ignore"):
            z, slope = self.forward(y), self.slope(y)
            bad = here & ~(np.isfinite(z) & np.isfinite(slope) & (slope != 0.0))
            self._demand(y, bad, f"be where {self.text} is finite, and its derivative is, too")
            rising = np.count_nonzero(slope[here] > 0.0) * 2 >= np.count_nonzero(here)
            bad = here & ((slope > 0.0) != rising)
            self._demand(y, bad, f"be where {self.text} is monotone")
            back = self.inverse(z)
            bad = here & ~(np.abs(back - y) <= _SAME * (np.abs(y) + np.abs(z / slope)))
            self._demand(y, bad, f"come back by `inverse_func` from {self.text}")
        return z, slope

    def _demand(self, y: FloatArray, bad: BoolArray, demand: str) -> None:
        if not bad.any():
            return
        first = tuple(np.argwhere(bad)[0])
        place = f"row {first[0]}" + (f", column {first[1]}" if y.ndim == 2 else "")
        more = f" (and in {bad.sum() - 1} more places)" if bad.sum() > 1 else ""
        name = self.text.removesuffix("(y)")
        of = f" for {name}" if self.demand and demand == self.demand else ""
        raise ValueError(
            f"`y` must {demand}{of}. Got {y[first]:.6g} in {place}{more}. Leave such rows out, or "
            "fit the curve itself with NonlinearLSQ, which transforms nothing."
        )

    def outside(self, z: FloatArray) -> BoolArray:
        """Return which z no y has."""
        low, high = self.image
        with np.errstate(all="ignore"):
            return (z < low) | (z > high) | (np.isnan(self.inverse(z)) & ~np.isnan(z))

    def ends(self, z: FloatArray) -> FloatArray:
        """Return the ends (..., 2) of intervals of y from those of z, cut off at the image."""
        with np.errstate(all="ignore"):
            return np.sort(self.inverse(np.clip(z, *self.image)), axis=-1)

    def to_one_side(self, y: FloatArray) -> Transform:
        """Return the transform on the side of zero where `y` is, if it has two."""
        if not self.one_sign:
            return self
        half = (0.0, _INFINITY) if np.nanmax(y) > 0.0 else (-_INFINITY, 0.0)
        # The end itself is at infinity, on the right side: 1/0.0 against 1/(-0.0).
        low, high = (0.0, half[1]) if half[1] > 0.0 else (half[0], -0.0)
        return Transform(
            self.text, self.forward, self.inverse, self.slope, half, (low, high), self.demand
        )


_POSITIVE = {"domain": (0.0, _INFINITY), "demand": "be positive"}
# name: formula, inverse, what is not so for all numbers.
_NAMED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "identity": ("y", "z", {}),
    "log": ("log(y)", "exp(z)", _POSITIVE),
    "log10": ("log10(y)", "10**z", _POSITIVE),
    "log2": ("log2(y)", "exp2(z)", _POSITIVE),
    "log1p": (
        "log1p(y)",
        "expm1(z)",
        {"domain": (-1.0, _INFINITY), "demand": "be greater than -1"},
    ),
    "sqrt": ("sqrt(y)", "z**2", {**_POSITIVE, "image": (0.0, _INFINITY)}),
    "square": ("y**2", "sqrt(z)", {**_POSITIVE, "image": (0.0, _INFINITY)}),
    "reciprocal": ("1/y", "1/z", {"demand": "have one sign, and not be zero,", "one_sign": True}),
    "logit": (
        "log(y/(1 - y))",
        "1/(1 + exp(-z))",
        {"domain": (0.0, 1.0), "demand": "lie between 0 and 1"},
    ),
    "exp": ("exp(y)", "log(z)", {"image": (0.0, _INFINITY)}),
    "arcsinh": ("arcsinh(y)", "sinh(z)", {}),
}
_SPELLINGS = {formula.replace(" ", ""): name for name, (formula, _, _) in _NAMED.items()} | {
    "ln": "log",
    "ln(y)": "log",
    "reciprocal(y)": "reciprocal",
    "y**(-1)": "reciprocal",
    "y**-1": "reciprocal",
    "square(y)": "square",
    "y**0.5": "sqrt",
}
# What stands around y, and what takes it to the other side.
_INVERSES = {
    "arccos": "cos({})",
    "arcsin": "sin({})",
    "arccosh": "cosh({})",
    "arcsinh": "sinh({})",
    "arctan": "tan({})",
    "arctanh": "tanh({})",
    "cbrt": "({})**3",
    "cos": "arccos({})",
    "cosh": "arccosh({})",
    "exp": "log({})",
    "exp2": "log2({})",
    "expm1": "log1p({})",
    "ln": "exp({})",
    "log": "exp({})",
    "log10": "10**({})",
    "log1p": "expm1({})",
    "log2": "exp2({})",
    "reciprocal": "1/({})",
    "sin": "arcsin({})",
    "sinh": "arcsinh({})",
    "sqrt": "({})**2",
    "square": "sqrt({})",
    "tan": "arctan({})",
    "tanh": "arctanh({})",
}
_LEFT = {
    ast.Add: "({z}) - ({c})",
    ast.Sub: "({z}) + ({c})",
    ast.Mult: "({z})/({c})",
    ast.Div: "({z})*({c})",
    ast.Pow: "({z})**(1/({c}))",
}
_RIGHT = {
    ast.Add: "({z}) - ({c})",
    ast.Sub: "({c}) - ({z})",
    ast.Mult: "({z})/({c})",
    ast.Div: "({c})/({z})",
    ast.Pow: "log({z})/log({c})",
}


def transform_of(func: Any, inverse_func: Any = None) -> Transform:
    """Return the transform that a user names.

    Parameters
    ----------
    func : str or callable
        A name, a formula in y, or a function of an array.
    inverse_func : str or callable, optional
        The inverse: a formula in z, or a function. Needed for a function, and for a formula in
        which y occurs more than once.

    Raises
    ------
    TypeError, ValueError
        If either is none of these, or the inverse is missing.
    """
    if isinstance(func, str):
        if inverse_func is None or isinstance(inverse_func, str):
            return _of_text(func, inverse_func)
        func = _called(func, "y")
        return _of_functions(func, partial(_evaluate, _formula(func, "y"), "y"), inverse_func)
    if not callable(func):
        raise TypeError(
            "`func` must be a name such as 'log', a formula in y, or a callable. "
            f"Got {type(func).__name__}."
        )
    if inverse_func is None:
        raise ValueError("`inverse_func` must be given for a callable `func`. Got None.")
    name = getattr(func, "__name__", "func")
    text = f"{name if name.isidentifier() else 'func'}(y)"
    return _of_functions(text, func, inverse_func)


def is_positive_only(func: Any) -> bool:
    """Tell whether a named transform is of positive numbers only."""
    name = _SPELLINGS.get(func.replace(" ", ""), func) if isinstance(func, str) else None
    return name in _NAMED and _NAMED[name][2].get("domain", (-1.0, 0.0))[0] >= 0.0


@lru_cache(maxsize=128)
def _of_text(func: str, inverse_func: str | None) -> Transform:
    name = _SPELLINGS.get(func.replace(" ", ""), func.strip())
    rest: dict[str, Any] = {}
    if inverse_func is not None:
        inverse_func = _called(inverse_func, "z")
    if name in _NAMED and inverse_func in (None, _NAMED[name][1]):
        func, inverse_func, rest = _NAMED[name]
    func = _called(func, "y")
    forward = _formula(func, "y")
    inverse = _formula(inverse_func or inverse_formula(func), "z")
    return Transform(
        func,
        partial(_evaluate, forward, "y"),
        partial(_evaluate, inverse, "z"),
        partial(_evaluate, forward.derivative("y"), "y"),
        **rest,
    )


def _called(text: str, argument: str) -> str:
    """Return the formula that a name stands for, of its argument; a formula is itself.

    Examples
    --------
    >>> _called("log", "y"), _called("2*y", "y")
    ('log(y)', '2*y')
    """
    name = text.strip()
    if name in _NAMED:
        return _NAMED[name][0].replace("y", argument)
    return f"{name}({argument})" if name in _INVERSES else text


def _of_functions(text: str, func: Callable[[Any], Any], inverse_func: Any) -> Transform:
    if isinstance(inverse_func, str):
        inverse_func = partial(_evaluate, _formula(_called(inverse_func, "z"), "z"), "z")
    if not callable(inverse_func):
        raise TypeError(
            "`inverse_func` must be a formula in z, or a callable. "
            f"Got {type(inverse_func).__name__}."
        )
    return Transform(
        text, partial(_call, func), partial(_call, inverse_func), partial(_derivative, func)
    )


def _formula(text: str, name: str) -> Expression:
    expression = parse(text)
    if expression.names != (name,):
        argument = "func" if name == "y" else "inverse_func"
        known = f", or one of: {', '.join(_NAMED)}" if name == "y" else ""
        raise ValueError(
            f"`{argument}` must be a formula in {name} alone{known}. Got {text!r}, with the names "
            f"{', '.join(expression.names) or 'none'}."
        )
    return expression


def inverse_formula(text: str) -> str:
    """Return the inverse, in z, of a formula in which y occurs once.

    Raises
    ------
    ValueError
        If y occurs more than once, or inside a function without an inverse.

    Examples
    --------
    >>> inverse_formula("2*log(y - 1)")
    '(exp((z)/(2))) + (1)'
    """
    node: ast.expr = ast.parse(text.strip(), mode="eval").body
    inverse = "z"
    while not isinstance(node, ast.Name):
        node, inverse = _one_step(node, inverse, text)
    return inverse


def _one_step(node: ast.expr, z: str, text: str) -> tuple[ast.expr, str]:
    """Take the outermost operation around y to the other side."""
    if isinstance(node, ast.UnaryOp):
        return node.operand, f"-({z})" if isinstance(node.op, ast.USub) else z
    if isinstance(node, ast.BinOp):
        left, right = _has_y(node.left), _has_y(node.right)
        if left != right:
            inner, outer, table = (
                (node.left, node.right, _LEFT) if left else (node.right, node.left, _RIGHT)
            )
            return inner, table[type(node.op)].format(z=z, c=ast.unparse(outer))
    elif isinstance(node, ast.Call) and ast.unparse(node.func) in _INVERSES:
        return node.args[0], _INVERSES[ast.unparse(node.func)].format(z)
    raise ValueError(
        f"`inverse_func` must be given for {text!r}, which could not be inverted: y occurs more "
        "than once, or in a function without an inverse. Got None; pass a formula in z."
    )


def _has_y(node: ast.expr) -> bool:
    return any(isinstance(part, ast.Name) and part.id == "y" for part in ast.walk(node))


def _evaluate(expression: Expression, name: str, values: FloatArray) -> FloatArray:
    result = expression.evaluate({name: values})
    return np.array(np.broadcast_to(result, np.shape(values)), dtype=np.float64)


def _call(func: Callable[[Any], Any], values: FloatArray) -> FloatArray:
    result = np.asarray(func(values.copy()), dtype=np.float64)
    if result.shape != values.shape:
        raise ValueError(
            f"`func` and `inverse_func` must return one number for each. Got shape {result.shape} "
            f"for {values.shape}."
        )
    return result


def _derivative(func: Callable[[Any], Any], y: FloatArray) -> FloatArray:
    """Return the derivative by a dual number, or where that does not go through a difference."""
    try:
        dual = func(Dual(y, {0: 1.0}))
    except (TypeError, ValueError, AttributeError, NotImplementedError):
        dual = None
    if isinstance(dual, Dual):
        return np.array(np.broadcast_to(dual.slopes.get(0, 0.0), y.shape), dtype=np.float64)
    step = _STEP * np.where(y == 0.0, 1.0, np.abs(y))
    above, below = y + step, y - step
    return (_call(func, above) - _call(func, below)) / (above - below)
