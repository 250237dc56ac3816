"""A Python function written down as a formula, by calling it once.

The function is called with `Tracer` objects in place of its arguments. Each arithmetic operation
and each listed NumPy function on them appends a step to a tape, so that what comes back is the
formula the function computes, ready to be differentiated exactly and compiled. This is sound
because a tracer has no value: whatever would make the formula depend on one (a comparison, `if`,
`float`, an index, a length, a sum over rows, a captured array) is refused, and the function is
then called as it stands instead.

Source: A. Griewank and A. Walther, "Evaluating Derivatives", 2nd ed., SIAM 2008, chapter 6
(recording a tape by overloaded operators).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from numbers import Real
from typing import Any, NoReturn

import numpy as np

from sklsq.expression.compiler import compile_tapes
from sklsq.expression.differentiate import differentiate
from sklsq.expression.functions import DERIVATIVES
from sklsq.expression.grammar import MAX_INTEGER_POWER
from sklsq.expression.tape import Steps, Tape, prune

__all__ = ["Tracer", "compile_traced", "trace"]

_MAX_STEPS = 1_000
_BINARY = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**"}
_CONSTANT = {"ones_like": 1.0, "zeros_like": 0.0}


class Tracer:
    """An argument without a value, or what was computed from such.

    Examples
    --------
    >>> import numpy as np
    >>> from sklsq.expression.tape import Tape
    >>> x = Tracer.argument(Tape(), "x")
    >>> (2.0 * np.exp(-x)).steps[-1]
    Step(operation='*', operands=(3, 2), name='', number=0.0)
    """

    __slots__ = ("_place", "_tape")
    __hash__ = None  # type: ignore[assignment]  # as of arrays

    def __init__(self, tape: Tape, place: int) -> None:
        self._tape, self._place = tape, place

    @classmethod
    def argument(cls, tape: Tape, name: str) -> Tracer:
        """Return the argument of that name."""
        return cls(tape, tape.put("name", name=name))

    @property
    def steps(self) -> Steps:
        """The steps that lead here."""
        return prune(self._tape.steps, self._place)

    def _put(self, operation: str, *operands: Any) -> Tracer:
        tape = self._tape
        if len(tape.steps) > _MAX_STEPS:
            raise TypeError(f"a function of more than {_MAX_STEPS} operations is not traced")
        places = [self._place_of(operand) for operand in operands]
        if operation == "**":
            exponent = tape.constants[places[1]]
            if exponent is not None and exponent == int(exponent) and _is_small(exponent):
                return Tracer(tape, tape.put("power", places[0], number=exponent))
        return Tracer(tape, tape.put(operation, *places))

    def _place_of(self, operand: Any) -> int:
        if isinstance(operand, Tracer):
            return operand._place
        if isinstance(operand, bool | np.bool_) or np.ndim(operand) or not _is_real(operand):
            raise TypeError(f"a {type(operand).__name__} is not traced")
        number = float(operand)
        if not np.isfinite(number):
            raise TypeError(f"the number {number} is not traced")
        return self._tape.put("number", number=number)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Tracer:
        """Append a listed universal function."""
        name = ufunc.__name__
        if method != "__call__" or kwargs:
            raise TypeError(f"{name}.{method} with options is not traced")
        if name in _BINARY:
            return self._put(_BINARY[name], *inputs)
        if name in ("absolute", "fabs"):
            return self._put("abs", *inputs)
        if name == "square":
            return self._put("**", *inputs, 2.0)
        if name == "positive":
            return self
        if name not in ("negative", *DERIVATIVES):
            raise TypeError(f"{name} is not traced")
        return self._put(name, *inputs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> float:
        """Return a constant for the two functions that make one of an array's shape."""
        name = getattr(function, "__name__", "")
        if name not in _CONSTANT or kwargs or len(args) != 1:
            raise TypeError(f"{name} is not traced")
        return _CONSTANT[name]

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("a traced argument has no value")

    def __add__(self, other: Any) -> Tracer:
        return self._put("+", self, other)

    def __radd__(self, other: Any) -> Tracer:
        return self._put("+", other, self)

    def __sub__(self, other: Any) -> Tracer:
        return self._put("-", self, other)

    def __rsub__(self, other: Any) -> Tracer:
        return self._put("-", other, self)

    def __mul__(self, other: Any) -> Tracer:
        return self._put("*", self, other)

    def __rmul__(self, other: Any) -> Tracer:
        return self._put("*", other, self)

    def __truediv__(self, other: Any) -> Tracer:
        return self._put("/", self, other)

    def __rtruediv__(self, other: Any) -> Tracer:
        return self._put("/", other, self)

    def __pow__(self, other: Any) -> Tracer:
        return self._put("**", self, other)

    def __rpow__(self, other: Any) -> Tracer:
        return self._put("**", other, self)

    def __neg__(self) -> Tracer:
        return self._put("negative", self)

    def __pos__(self) -> Tracer:
        return self

    def __abs__(self) -> Tracer:
        return self._put("abs", self)

    # What would ask for a value. Equality in particular would otherwise compare identities.
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __bool__ = __float__ = __int__ = __complex__ = __index__ = __len__ = __iter__ = _refuse
    __getitem__ = __setitem__ = __array__ = __contains__ = _refuse


def trace(
    function: Callable[..., Any],
    argument_names: Sequence[str],
    refusals: tuple[type[Exception], ...],
) -> Steps | None:
    """Return the formula that a function computes; None if it is not one.

    Parameters
    ----------
    function : callable
        ``function(*tracers)``, one for each name.
    argument_names : sequence of str
        Names of the arguments.
    refusals : tuple of exception types
        What a function raises that cannot be called so.

    Examples
    --------
    >>> import numpy as np
    >>> trace(lambda x, k: np.exp(-k * x), ["x", "k"], (TypeError,))[-1].operation
    'exp'
    >>> trace(lambda x, k: x if k > 0 else k, ["x", "k"], (TypeError,)) is None
    True
    """
    tape = Tape()
    arguments = [Tracer.argument(tape, name) for name in argument_names]
    try:
        result = function(*arguments)
    except refusals:
        return None
    return result.steps if isinstance(result, Tracer) and result._tape is tape else None


@lru_cache(maxsize=512)
def compile_traced(
    steps: Steps, argument_names: tuple[str, ...], by: tuple[str, ...]
) -> tuple[Callable[..., list[Any]], Callable[..., list[Any]]]:
    """Return a function of the value, and one of the value and its derivatives.

    Parameters
    ----------
    steps : tuple of Step
        The formula.
    argument_names : tuple of str
        Names in the order in which both functions take their values.
    by : tuple of str
        Names to differentiate by.
    """
    slopes = [differentiate(steps, name) for name in by]
    return compile_tapes([steps], argument_names), compile_tapes([steps, *slopes], argument_names)


def _is_small(exponent: float) -> bool:
    return abs(exponent) <= MAX_INTEGER_POWER


def _is_real(operand: Any) -> bool:
    return isinstance(operand, Real) or (
        isinstance(operand, np.ndarray) and operand.dtype.kind in "fiu"
    )
