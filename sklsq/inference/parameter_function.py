"""A quantity g(p) derived from parameters: its value, first and second derivatives, and samples.

A formula is differentiated as text, as often as needed. A Python function is called with dual
numbers, which return its gradient to the last digit; where it does not let them through, with
complex ones, else with central differences. The derivatives found are confirmed by differences
before they are used. Second derivatives of a function are differences of its gradient,

    H(h)  =  (J(p + h) - J(p - h)) / 2h        H  ≈  (4 H(h) - H(2h)) / 3

(Richardson's extrapolation), with steps of a hundredth of the standard deviation of the parameter:
the length over which they are about to be used.

Source: A. Griewank and A. Walther, "Evaluating Derivatives", 2nd ed., SIAM 2008, chapter 3;
J. Nocedal and S. Wright, "Numerical Optimization", 2nd ed., section 8.1.
"""

from __future__ import annotations

import inspect
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from sklsq._typing import FloatArray
from sklsq.expression import Expression, parse
from sklsq.models.differences import agree, central_differences, complex_steps
from sklsq.models.dual import Dual, DualVector, seeds
from sklsq.models.function import REFUSALS

__all__ = ["CallableFunction", "FormulaFunction", "ParameterFunction", "parameter_function"]

_LONGER = 100.0  # of two steps that should lead to the same slope
_STEP = 0.01  # of a standard deviation
_SHORTEST = 1.5e-8  # of a parameter: the root of the rounding error
_ROUNDING = 1e-9


class ParameterFunction(ABC):
    """A function of m parameters with one value or k of them."""

    @abstractmethod
    def value(self, p: FloatArray) -> FloatArray:
        """Return the value at `p` (m,): an array of shape () or (k,)."""

    @abstractmethod
    def jacobian(self, p: FloatArray) -> FloatArray:
        """Return the first derivatives (k, m) at `p`."""

    @abstractmethod
    def hessian(self, p: FloatArray, std: FloatArray) -> FloatArray:
        """Return the second derivatives (k, m, m) at `p`, whose standard deviations are `std`."""

    @abstractmethod
    def samples(self, points: FloatArray) -> FloatArray:
        """Return the values (n, k) at `points` (n, m)."""


class FormulaFunction(ParameterFunction):
    """A formula in the names of parameters.

    Parameters
    ----------
    expression : Expression
    names : sequence of str
        The names of the m parameters; others may not occur.
    """

    def __init__(self, expression: Expression, names: Sequence[str]) -> None:
        self.expression, self.names = expression, list(names)
        unknown = [name for name in expression.names if name not in self.names]
        if unknown:
            raise ValueError(
                f"`func` must be a formula of {', '.join(map(repr, self.names))}. Got "
                f"{unknown[0]!r} in {expression.source!r}. Names that are no words cannot stand in "
                "a formula: pass a function of the vector of parameters."
            )
        repeated = [name for name in expression.names if self.names.count(name) > 1]
        if repeated:
            raise ValueError(
                f"`func` must not name what has its name in common with another value. Got "
                f"{repeated[0]!r}; pass a function of the vector of all."
            )

    def value(self, p: FloatArray) -> FloatArray:
        """Compute the formula; see `ParameterFunction.value`."""
        return np.asarray(self._evaluate(self.expression, p), dtype=np.float64)

    def jacobian(self, p: FloatArray) -> FloatArray:
        """Compute the derivatives of the formula; see `ParameterFunction.jacobian`."""
        J = np.zeros((1, len(p)))
        for name in self.expression.names:
            J[0, self.names.index(name)] = self._evaluate(self.expression.derivative(name), p)
        return J

    def hessian(self, p: FloatArray, std: FloatArray) -> FloatArray:
        """Compute the second derivatives of the formula; see `ParameterFunction.hessian`."""
        H = np.zeros((1, len(p), len(p)))
        names = self.expression.names
        for position, first in enumerate(names):
            slope = self.expression.derivative(first)
            for second in names[position:]:
                i, j = self.names.index(first), self.names.index(second)
                H[0, i, j] = H[0, j, i] = self._evaluate(slope.derivative(second), p)
        return H

    def samples(self, points: FloatArray) -> FloatArray:
        """Compute the formula at many points; see `ParameterFunction.samples`."""
        values = np.asarray(self._evaluate(self.expression, points.T), dtype=np.float64)
        return np.broadcast_to(values, len(points))[:, None]

    def _evaluate(self, expression: Expression, columns: FloatArray) -> Any:
        operands = {name: columns[self.names.index(name)] for name in expression.names}
        return expression.evaluate(operands)


class CallableFunction(ParameterFunction):
    """A Python function of parameters.

    Parameters
    ----------
    function : callable
    order : sequence of int or None
        Which parameter each argument takes; None for a function of the whole vector.
    """

    def __init__(self, function: Callable[..., Any], order: Sequence[int] | None) -> None:
        self.function, self.order = function, order

    def value(self, p: FloatArray) -> FloatArray:
        """Call the function; see `ParameterFunction.value`."""
        values = np.asarray(self._call(p.copy()))
        if values.ndim > 1 or values.dtype.kind not in "fiub":
            raise ValueError(
                "`func` must return a real number, or a one-dimensional array of them. Got shape "
                f"{values.shape}, dtype {values.dtype}."
            )
        return values.astype(np.float64, copy=False)

    def jacobian(self, p: FloatArray) -> FloatArray:
        """Find the first derivatives; see `ParameterFunction.jacobian`."""
        endless = np.zeros((), dtype=bool)  # where a rule of differentiation finds no finite slope
        for method in (self._by_duals, self._by_complex_steps):
            try:
                J = method(p)
            except REFUSALS:
                continue
            if agree(J.T, self._flat, p):
                return J
            endless = endless | ~np.isfinite(J)
        differences: FloatArray = central_differences(self._flat, p).T
        if endless.any():  # rightly so, as of a root at zero, if the slope depends on the step
            longer = central_differences(self._flat, p, _LONGER).T
            size = np.maximum(np.abs(differences), np.abs(longer))
            differences[endless & ~(np.abs(differences - longer) <= 0.5 * size)] = np.nan
        return differences

    def hessian(self, p: FloatArray, std: FloatArray) -> FloatArray:
        """Find the second derivatives; see `ParameterFunction.hessian`."""
        H = np.zeros((len(self._flat(p)), len(p), len(p)))
        for i in map(int, np.flatnonzero(np.isfinite(std) & (std > 0.0))):
            h = max(_STEP * std[i], _SHORTEST * abs(p[i]))
            short, long = (self._gradient_difference(p, i, step) for step in (h, 2.0 * h))
            H[:, i] = (4.0 * short - long) / 3.0
        known = np.isfinite(std) & (std > 0.0)
        both = known[:, None] & known
        return np.asarray(np.where(both, 0.5 * (H + H.swapaxes(1, 2)), H + H.swapaxes(1, 2)))

    def samples(self, points: FloatArray) -> FloatArray:
        """Call the function, if it can with all points at once; see `ParameterFunction.samples`."""
        witnesses = [0, len(points) // 2, len(points) - 1]
        alone = np.stack([self._flat(points[i]) for i in witnesses])
        try:
            together = np.asarray(self._call(points.T.copy()))
        except REFUSALS:
            together = np.empty(0)
        shape = (len(points),) if alone.shape[1] == 1 else (alone.shape[1], len(points))
        if together.size == np.prod(shape) and together.dtype.kind in "fiub":
            values = together.reshape(alone.shape[1], len(points)).T
            size = _ROUNDING * np.abs(alone[np.isfinite(alone)]).max(initial=0.0)
            if np.allclose(values[witnesses], alone, rtol=0.0, atol=size, equal_nan=True):
                return values.astype(np.float64, copy=False)
        return np.stack([self._flat(point) for point in points])

    def _call(self, p: Any) -> Any:
        if self.order is None:
            return self.function(p)
        return self.function(*(p[i] for i in self.order))

    def _flat(self, p: FloatArray) -> FloatArray:
        return np.asarray(self.value(p).reshape(-1))

    def _by_duals(self, p: FloatArray) -> FloatArray:
        operand = DualVector(p, dict(enumerate(np.eye(len(p))))) if self.order is None else seeds(p)
        result = self._call(operand)
        entries = list(result) if isinstance(result, list | tuple) else [result]
        rows = [_slopes(entry, len(p)) for entry in entries]
        values = np.concatenate([np.atleast_1d(_plain(entry)) for entry in entries])
        if not np.allclose(values, self._flat(p), rtol=_ROUNDING, atol=0.0, equal_nan=True):
            raise ValueError("the function takes another way with dual numbers")
        return np.concatenate(rows)

    def _by_complex_steps(self, p: FloatArray) -> FloatArray:
        with warnings.catch_warnings():
            # NumPy only warns where complex numbers are put into a real array.
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            steps = complex_steps(lambda q: np.atleast_1d(np.asarray(self._call(q), complex)), p)
        return steps.T

    def _gradient_difference(self, p: FloatArray, i: int, h: float) -> FloatArray:
        upper, lower = p.copy(), p.copy()
        upper[i] += h
        lower[i] -= h
        difference: FloatArray = self.jacobian(upper) - self.jacobian(lower)
        return difference / float(upper[i] - lower[i])


def parameter_function(
    func: str | Callable[..., Any], n_params: int, names: Sequence[str] | None = None
) -> ParameterFunction:
    """Return what a user writes as a function of parameters.

    Parameters
    ----------
    func : str or callable
        A formula of the names, or a function: of arguments that bear names of parameters (some of
        them, in any order), else of all m parameters in their order, or of the vector of all.
    n_params : int
        Number m of parameters.
    names : sequence of str, optional
        Their names.

    Raises
    ------
    TypeError
        If `func` is neither.
    ValueError
        If its arguments, or the names in the formula, do not go with the parameters.

    Examples
    --------
    >>> import numpy as np
    >>> ratio = parameter_function(lambda a, b: a / b, 2)
    >>> ratio.jacobian(np.array([1.0, 2.0]))
    array([[ 0.5 , -0.25]])
    """
    if names is not None and len(names) != n_params:
        raise ValueError(f"`names` must name all {n_params} values. Got {len(names)}.")
    if isinstance(func, str):
        expression = parse(func)
        if names is None and (n_params, len(expression.names)) != (1, 1):
            raise ValueError(
                f"`names` must say which value is which in the formula {func!r}. Got None. Pass "
                "the names, or the values as a dict."
            )
        return FormulaFunction(expression, expression.names if names is None else names)
    if not callable(func):
        raise TypeError(
            f"`func` must be a formula or a callable. Got {type(func).__name__}. Pass for example "
            'lambda a, b: -a/b, or "-a/b".'
        )
    return CallableFunction(func, _order(func, n_params, list(names or ())))


def _order(func: Callable[..., Any], m: int, names: list[str]) -> list[int] | None:
    """Return which parameter each argument takes; None if it takes the vector."""
    everything = list(range(m))
    if isinstance(func, np.ufunc):
        required, optional, takes_rest = [""] * func.nin, 0, False
    else:
        try:
            arguments = inspect.signature(func).parameters.values()
        except (TypeError, ValueError):  # compiled functions may not tell
            return everything
        positional = [
            a for a in arguments if a.kind in (a.POSITIONAL_ONLY, a.POSITIONAL_OR_KEYWORD)
        ]
        required = [a.name for a in positional if a.default is a.empty]
        optional = len(positional) - len(required)
        takes_rest = any(a.kind is a.VAR_POSITIONAL for a in arguments)
        named = [a.name for a in positional]
        if required and all(name in names for name in required) and not takes_rest:
            while named[-1] not in names:
                named.pop()
            if all(name in names for name in named):
                return [names.index(name) for name in named]
    if any(name in names for name in required):
        known = ", ".join(map(repr, names))
        raise ValueError(
            f"`func` must name its arguments after parameters, all of them or none: {known}. Got "
            f"({', '.join(required)})."
        )
    if len(required) <= m <= len(required) + optional or takes_rest:
        return everything
    if len(required) == 1:
        return None
    known = f" ({', '.join(map(repr, names))})" if names else ""
    raise ValueError(
        f"`func` must take the {m} values{known} as arguments, or all of them as one array. Got a "
        f"function of {len(required)} arguments."
    )


def _plain(entry: Any) -> FloatArray:
    return np.asarray(entry.value if isinstance(entry, Dual) else entry, dtype=np.float64)


def _slopes(entry: Any, m: int) -> FloatArray:
    """Return the derivatives (k, m) that a result carries."""
    shape = np.shape(np.atleast_1d(_plain(entry)))
    rows = np.zeros((*shape, m))
    if isinstance(entry, Dual):
        for i, slope in entry.slopes.items():
            rows[:, i] = slope
    return rows
