"""A Python function written down as a formula, by calling it once.

The function is called with `Tracer` objects in place of its arguments. Each arithmetic operation
and each listed NumPy function on them appends a step to a tape, so that what comes back is the
formula the function computes, ready to be differentiated exactly and compiled. This is sound
because a tracer has no value: whatever would make the formula depend on one (a comparison, `if`,
`float`, an index, a length, a sum over rows, a captured array) is refused, and the function is
then called as it stands instead. That also holds where the function catches the refusal and goes
another way, or asks by `isinstance` or `hasattr` what it was given: the tape remembers. Columns
change in place as arrays do, numbers do not.

Source: A. Griewank and A. Walther, "Evaluating Derivatives", 2nd ed., SIAM 2008, chapter 6
(recording a tape by overloaded operators).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from numbers import Real
from typing import Any, NoReturn

import numpy as np

from sklsq.expression.compiler import compile_rows, compile_tapes
from sklsq.expression.differentiate import differentiate
from sklsq.expression.functions import DERIVATIVES
from sklsq.expression.grammar import MAX_INTEGER_POWER
from sklsq.expression.tape import Steps, Tape, prune

__all__ = ["Tracer", "compile_traced", "compile_traced_fit", "trace"]

_MAX_STEPS = 1_000
_BINARY = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**"}
_CONSTANT = {"ones_like": 1.0, "zeros_like": 0.0}


class _Traced(Tape):
    """A tape that remembers whether an argument was asked for more than a formula can tell."""

    def __init__(self) -> None:
        super().__init__()
        self.refusal = ""

    def refuse(self, reason: str) -> str:
        self.refusal = reason
        return reason


class Tracer:
    """An argument without a value, or what was computed from such.

    Examples
    --------
    >>> import numpy as np
    >>> x = Tracer.of("x")
    >>> (2.0 * np.exp(-x)).steps[-1]
    Step(operation='*', operands=(3, 2), name='', number=0.0)
    """

    __slots__ = ("_is_array", "_place", "_tape")
    __hash__ = None  # type: ignore[assignment]  # as of arrays

    def __init__(self, tape: _Traced, place: int, is_array: bool) -> None:
        self._tape, self._place, self._is_array = tape, place, is_array

    @classmethod
    def of(cls, name: str, *, tape: _Traced | None = None, is_array: bool = True) -> Tracer:
        """Return the argument of that name: a column, or a number."""
        tape = _Traced() if tape is None else tape
        return cls(tape, tape.put("name", name=name), is_array)

    @property
    def steps(self) -> Steps:
        """The steps that lead here."""
        return prune(self._tape.steps, self._place)

    def _put(self, operation: str, *operands: Any) -> Tracer:
        tape = self._tape
        if len(tape.steps) > _MAX_STEPS:
            self._refuse(f"a function of more than {_MAX_STEPS} operations is not traced")
        places = [self._place_of(operand) for operand in operands]
        is_array = any(type(operand) is Tracer and operand._is_array for operand in operands)
        if operation == "**":
            exponent = tape.constants[places[1]]
            if exponent is not None and exponent == int(exponent) and _is_small(exponent):
                return Tracer(tape, tape.put("power", places[0], number=exponent), is_array)
        return Tracer(tape, tape.put(operation, *places), is_array)

    def _place_of(self, operand: Any) -> int:
        if type(operand) is Tracer:
            if operand._tape is not self._tape:
                self._refuse("an argument of another call is not traced")
            return operand._place
        if isinstance(operand, bool | np.bool_) or np.ndim(operand) or not _is_real(operand):
            self._refuse(f"a {type(operand).__name__} is not traced")
        number = float(operand)
        if not np.isfinite(number):
            self._refuse(f"the number {number} is not traced")
        return self._tape.put("number", number=number)

    def _in_place(self, operation: str, other: Any) -> Tracer:
        """Change a column, under all the names it has; a number is only replaced."""
        changed = self._put(operation, self, other)
        if not self._is_array:
            return changed
        self._place = changed._place
        return self

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Tracer:
        """Append a listed universal function."""
        name = ufunc.__name__
        if method != "__call__" or kwargs:
            self._refuse(f"{name}.{method} with options is not traced")
        if name in _BINARY:
            return self._put(_BINARY[name], *inputs)
        if name in ("absolute", "fabs"):
            return self._put("abs", *inputs)
        if name == "square":
            return self._put("**", *inputs, 2.0)
        if name == "positive":
            return Tracer(self._tape, self._place, self._is_array)
        if name not in ("negative", *DERIVATIVES):
            self._refuse(f"{name} is not traced")
        return self._put(name, *inputs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Tracer:
        """Return a constant for the two functions that make one of an array's shape."""
        name = getattr(function, "__name__", "")
        if name not in _CONSTANT or kwargs or len(args) != 1 or type(args[0]) is not Tracer:
            self._refuse(f"{name} is not traced")
        tape: _Traced = self._tape
        return Tracer(tape, tape.put("number", number=_CONSTANT[name]), is_array=True)

    def _refuse(self, reason: str) -> NoReturn:
        raise TypeError(self._tape.refuse(reason))

    def _has_no_value(self, *_: Any, **__: Any) -> NoReturn:
        self._refuse("a traced argument has no value")

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(self._tape.refuse(f"a traced argument has no {name}"))

    @property  # type: ignore[misc]  # of object it can be set
    def __class__(self) -> type:  # what isinstance() looks at
        self._tape.refuse("a traced argument has no class")
        return Tracer

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
        return Tracer(self._tape, self._place, self._is_array)

    def __abs__(self) -> Tracer:
        return self._put("abs", self)

    def __iadd__(self, other: Any) -> Tracer:
        return self._in_place("+", other)

    def __isub__(self, other: Any) -> Tracer:
        return self._in_place("-", other)

    def __imul__(self, other: Any) -> Tracer:
        return self._in_place("*", other)

    def __itruediv__(self, other: Any) -> Tracer:
        return self._in_place("/", other)

    def __ipow__(self, other: Any) -> Tracer:
        return self._in_place("**", other)

    # What would ask for a value. Equality in particular would otherwise compare identities.
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _has_no_value
    __bool__ = __float__ = __int__ = __complex__ = __index__ = __len__ = _has_no_value
    __iter__ = __getitem__ = __setitem__ = __contains__ = _has_no_value
    __array__ = __reduce_ex__ = __format__ = _has_no_value


def trace(
    function: Callable[..., Any],
    columns: Sequence[str],
    numbers: Sequence[str],
    refusals: tuple[type[Exception], ...],
) -> Steps | None:
    """Return the formula that a function computes; None if it is not one.

    Parameters
    ----------
    function : callable
        ``function(*tracers)``, one for each name.
    columns, numbers : sequence of str
        Names of the arguments: those that are arrays, then those that are numbers.
    refusals : tuple of exception types
        What a function raises that cannot be called so.

    Examples
    --------
    >>> import numpy as np
    >>> trace(lambda x, k: np.exp(-k * x), ["x"], ["k"], (TypeError,))[-1].operation
    'exp'
    >>> trace(lambda x, k: x if k > 0 else k, ["x"], ["k"], (TypeError,)) is None
    True
    """
    tape = _Traced()
    arguments = [Tracer.of(name, tape=tape) for name in columns]
    arguments += [Tracer.of(name, tape=tape, is_array=False) for name in numbers]
    try:
        result = function(*arguments)
    except refusals:
        return None
    is_formula = type(result) is Tracer and result._tape is tape and not tape.refusal
    return result.steps if is_formula else None


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
        Names to differentiate by; the second function takes Python floats for them, too.
    """
    slopes = [differentiate(steps, name) for name in by]
    both = compile_tapes([steps, *slopes], argument_names, by)
    return compile_tapes([steps], argument_names), both


@lru_cache(maxsize=512)
def compile_traced_fit(
    steps: Steps, argument_names: tuple[str, ...], by: tuple[str, ...]
) -> Callable[..., None]:
    """Return the function that fills the rows of a fit; see `sklsq.expression.compile_fit`."""
    slopes = [differentiate(steps, name) for name in by]
    return compile_rows([steps, *slopes], argument_names, by)


def _is_small(exponent: float) -> bool:
    return abs(exponent) <= MAX_INTEGER_POWER


def _is_real(operand: Any) -> bool:
    return isinstance(operand, Real) or (
        isinstance(operand, np.ndarray) and operand.dtype.kind in "fiu"
    )
