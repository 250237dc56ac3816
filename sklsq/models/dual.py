"""Dual numbers: a value and its exact derivatives, carried through the user's own function.

A dual number is v + Σ vᵢ εᵢ with εᵢ εⱼ = 0, where vᵢ is the derivative of v by parameter i. Every
operation f(u, v) on duals is

    f(u, v) + Σ (∂f/∂u uᵢ + ∂f/∂v vᵢ) εᵢ,

so that one call of a function with parameters pᵢ + εᵢ returns the function and its gradient to the
last digit, for about the cost of the operations themselves. Derivatives are kept by parameter and
only where they are not zero: in a sum of peaks each peak carries its own three. They are numbers
as long as they do not depend on x.

A comparison compares values, so that ``np.where`` and ``if`` follow the branch the value takes.
What cannot carry derivatives (``math.exp``, ``float``, ``int``, assignment into an array) raises
TypeError.

Source: A. Griewank and A. Walther, "Evaluating Derivatives", 2nd ed., SIAM 2008, chapter 3.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from sklsq._typing import FloatArray
from sklsq.models.dual_rules import BINARY, PIECEWISE_CONSTANT, UNARY, Binary, unary_rule

__all__ = ["Dual", "DualVector", "derivative_rows", "seeds"]

_PLAIN = {
    "equal", "not_equal", "less", "less_equal", "greater", "greater_equal",
    "isfinite", "isnan", "isinf", "signbit", "logical_and", "logical_or", "logical_not",
}  # fmt: skip


class Dual(NDArrayOperatorsMixin):
    """A value with its derivatives.

    Parameters
    ----------
    value : float or ndarray
    slopes : dict of int to float or ndarray
        The derivative by each parameter on which the value depends; broadcasts with `value`.

    Examples
    --------
    >>> import numpy as np
    >>> rate = Dual(2.0, {0: 1.0})
    >>> decay = np.exp(-rate * np.array([0.0, 1.0]))
    >>> decay.slopes[0]
    array([-0.        , -0.13533528])
    """

    __slots__ = ("slopes", "value")

    def __init__(self, value: Any, slopes: dict[int, Any]) -> None:
        self.value = value
        self.slopes = slopes

    def __repr__(self) -> str:
        return f"Dual({self.value!r}, {self.slopes!r})"

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """Apply a NumPy or SciPy universal function."""
        name = ufunc.__name__
        if method != "__call__" or kwargs:
            return NotImplemented
        values = [_value(entry) for entry in inputs]
        if name in _PLAIN or name in PIECEWISE_CONSTANT:
            return ufunc(*values)
        if len(inputs) == 1:
            rule = UNARY.get(name) or unary_rule(ufunc)
            if rule is None:
                return NotImplemented
            result = ufunc(*values)
            factor = rule(values[0], result)
            return Dual(result, {i: factor * slope for i, slope in self.slopes.items()})
        if name not in BINARY:
            return NotImplemented
        return _apply(ufunc, BINARY[name], *inputs)

    def __array_function__(
        self, function: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Apply the few NumPy functions that are not universal but commonly occur in models."""
        rule = _FUNCTIONS.get(function)
        return NotImplemented if rule is None else rule(*args, **kwargs)

    # The same as through NumPy, but without its dispatch, which costs more than the arithmetic.
    def __add__(self, other: Any) -> Dual:
        return _apply(operator.add, BINARY["add"], self, other)

    def __sub__(self, other: Any) -> Dual:
        return _apply(operator.sub, BINARY["subtract"], self, other)

    def __mul__(self, other: Any) -> Dual:
        return _apply(operator.mul, BINARY["multiply"], self, other)

    def __truediv__(self, other: Any) -> Dual:
        return _apply(operator.truediv, BINARY["divide"], self, other)

    def __pow__(self, other: Any) -> Dual:
        return _apply(operator.pow, BINARY["power"], self, other)

    def __neg__(self) -> Dual:
        return Dual(-self.value, {i: -slope for i, slope in self.slopes.items()})

    def __getitem__(self, index: Any) -> Any:
        shape = np.shape(self.value)
        slopes = {i: np.broadcast_to(slope, shape)[index] for i, slope in self.slopes.items()}
        return Dual(self.value[index], slopes)

    def __len__(self) -> int:
        return len(self.value)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the value."""
        return np.shape(self.value)

    @property
    def ndim(self) -> int:
        """Number of dimensions of the value."""
        return np.ndim(self.value)

    @property
    def size(self) -> int:
        """Number of values."""
        return int(np.size(self.value))

    def sum(self, axis: Any = None) -> Dual:
        """Sum over an axis."""
        return _sum_over(self, axis=axis)

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("a dual number cannot become an array: its derivatives would be lost")


class DualVector(Dual):
    """All parameters as one vector, ``p`` of ``f(x, p)``; ``p[i]`` depends on parameter i only."""

    __slots__ = ()

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, int | np.integer):
            i = range(len(self.value))[index]
            return Dual(self.value[i], {i: 1.0})
        return super().__getitem__(index)

    def __iter__(self) -> Iterator[Dual]:
        return (self[i] for i in range(len(self.value)))


def seeds(params: Any) -> list[Dual]:
    """Return the parameters, each with derivative 1 by itself."""
    return [Dual(value, {i: 1.0}) for i, value in enumerate(params)]


def derivative_rows(dual: Any, out: FloatArray) -> None:
    """Write the derivatives by all parameters, (..., m, n), into `out`."""
    if isinstance(dual, Dual):
        for i in range(out.shape[-2]):
            out[..., i, :] = dual.slopes.get(i, 0.0)
    else:
        out[...] = 0.0


def _value(entry: Any) -> Any:
    return entry.value if isinstance(entry, Dual) else entry


def _apply(operation: Callable[[Any, Any], Any], rule: Binary, first: Any, second: Any) -> Dual:
    u, du = (first.value, first.slopes) if isinstance(first, Dual) else (first, {})
    v, dv = (second.value, second.slopes) if isinstance(second, Dual) else (second, {})
    result = operation(u, v)
    return Dual(result, rule(u, v, result, du, dv))


def _where(condition: Any, *branches: Any) -> Any:
    condition = _value(condition)
    if len(branches) != 2:
        return np.where(condition, *map(_value, branches))
    slopes = [entry.slopes if isinstance(entry, Dual) else {} for entry in branches]
    value = np.where(condition, *map(_value, branches))
    parameters = sorted(slopes[0].keys() | slopes[1].keys())
    return Dual(
        value,
        {i: np.where(condition, *(each.get(i, 0.0) for each in slopes)) for i in parameters},
    )


def _clip(entry: Any, a_min: Any = None, a_max: Any = None, **limits: Any) -> Any:
    lower, upper = limits.get("min", a_min), limits.get("max", a_max)
    if lower is not None:
        entry = np.maximum(entry, lower)
    return entry if upper is None else np.minimum(entry, upper)


def _sum_over(entry: Dual, axis: Any = None) -> Dual:
    shape = np.shape(entry.value)
    slopes = {
        i: np.sum(np.broadcast_to(slope, shape), axis=axis) for i, slope in entry.slopes.items()
    }
    return Dual(np.sum(entry.value, axis=axis), slopes)


def _sinc(entry: Dual) -> Any:
    u = np.pi * entry
    is_zero = u.value == 0
    safe = _where(is_zero, 1.0, u)
    return _where(is_zero, 1.0, np.sin(safe) / safe)


_FUNCTIONS: dict[Any, Any] = {
    np.where: _where,
    np.clip: _clip,
    np.sum: _sum_over,
    np.dot: np.matmul,
    np.sinc: _sinc,
    np.shape: lambda entry: np.shape(entry.value),
    np.ndim: lambda entry: np.ndim(entry.value),
    np.size: lambda entry: np.size(entry.value),
    np.zeros_like: lambda entry, **kwargs: np.zeros_like(entry.value, **kwargs),
    np.ones_like: lambda entry, **kwargs: np.ones_like(entry.value, **kwargs),
}
