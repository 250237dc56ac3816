"""What the user says about the parameters: which are free, and what is known of them.

The fit moves the free parameters only. Fixed ones keep their value, tied ones are formulas of
others; the vector of all m parameters is a function of the k free ones, with the derivative D
(m, k), by which derivatives of the model are reduced and covariances expanded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from graphlib import CycleError, TopologicalSorter
from typing import Any

import numpy as np

from sklsq._typing import FloatArray, IntArray
from sklsq.expression import Expression, parse

__all__ = ["ParameterSpace", "parameter_space"]


@dataclass(frozen=True)
class ParameterSpace:
    """Free, fixed and tied parameters of a model.

    Parameters
    ----------
    names : tuple of str
        All m parameters.
    fixed : mapping of str to float
        Values of those that are held.
    tied : mapping of str to Expression
        Formulas of those that follow from others, in an order in which they can be evaluated.
    bounds : ndarray of shape (2, m)
        Lower and upper bounds.
    priors : mapping of str to tuple of float
        Mean and standard deviation of what is known beforehand.
    """

    names: tuple[str, ...]
    fixed: Mapping[str, float]
    tied: Mapping[str, Expression]
    bounds: FloatArray
    priors: Mapping[str, tuple[float, float]]

    @cached_property
    def free(self) -> IntArray:
        """Indices (k,) of the free parameters."""
        held = {*self.fixed, *self.tied}
        return np.array([j for j, name in enumerate(self.names) if name not in held], dtype=int)

    @cached_property
    def is_plain(self) -> bool:
        """Whether all parameters are free."""
        return not self.fixed and not self.tied

    @cached_property
    def is_unconstrained(self) -> bool:
        """Whether nothing is known of the parameters, all of them free."""
        return self.is_plain and not self.is_bounded and not self.priors

    @cached_property
    def is_bounded(self) -> bool:
        """Whether any free parameter has a bound."""
        return bool(np.isfinite(self.box).any())

    @cached_property
    def box(self) -> tuple[FloatArray, FloatArray]:
        """Lower and upper bounds (k,) of the free parameters."""
        return self.bounds[0, self.free], self.bounds[1, self.free]

    @cached_property
    def prior_rows(self) -> tuple[IntArray, FloatArray, FloatArray]:
        """Indices (q,) of the parameters with priors, means and standard deviations."""
        index = np.array([self.names.index(name) for name in self.priors], dtype=int)
        values = np.array(list(self.priors.values()), dtype=float).reshape(-1, 2)
        return index, values[:, 0], values[:, 1]

    def expand(self, free: FloatArray) -> FloatArray:
        """Return all parameters (B, m) for the free ones (B, k)."""
        if self.is_plain:
            return free
        params = np.empty((len(free), len(self.names)))
        params[:, self.free] = free
        for name, value in self.fixed.items():
            params[:, self.names.index(name)] = value
        for name, expression in self.tied.items():
            params[:, self.names.index(name)] = expression.evaluate(self._values(params))
        return params

    def derivative(self, params: FloatArray) -> FloatArray:
        """Return D (B, m, k), the derivative of all parameters (B, m) by the free ones."""
        D = np.zeros((len(params), len(self.names), len(self.free)))
        D[:, self.free, np.arange(len(self.free))] = 1.0
        for name, expression in self.tied.items():
            row = D[:, self.names.index(name)]
            for other in expression.names:
                slope = expression.derivative(other).evaluate(self._values(params))
                row += np.reshape(slope, (-1, 1)) * D[:, self.names.index(other)]
        return D

    def reduce(self, J: FloatArray, params: FloatArray) -> FloatArray:
        """Return derivatives (B, k, n) by the free parameters, from those (B, m, n) by all."""
        if not self.tied:
            return J if self.is_plain else J[:, self.free]
        reduced: FloatArray = np.matmul(self.derivative(params).swapaxes(1, 2), J)
        return reduced

    def _values(self, params: FloatArray) -> dict[str, FloatArray]:
        return {name: params[:, j] for j, name in enumerate(self.names)}


def parameter_space(
    names: Sequence[str], *, bounds: Any, fixed: Any, tied: Any, priors: Any
) -> ParameterSpace:
    """Return the space of the parameters as the user describes it.

    Parameters
    ----------
    names : sequence of str
        All parameters of the model.
    bounds : mapping of str to (lower, upper), pair of arrays, or None
        Bounds; None or infinite for no bound.
    fixed : mapping of str to float, or None
    tied : mapping of str to str, or None
        Formulas of other parameters.
    priors : mapping of str to (mean, standard deviation), or None

    Raises
    ------
    ValueError
        If a name is unknown or described in two ways, a value is not a finite number, bounds do not
        leave room, a standard deviation is not positive, or ties depend on each other in a circle.
    """
    names = tuple(names)
    if bounds is None and not (fixed or tied or priors):
        return _unconstrained(names)
    held = {name: _number("fixed", name, value) for name, value in _named("fixed", fixed, names)}
    formulas = _ordered({name: _formula(name, v, names) for name, v in _named("tied", tied, names)})
    for name in formulas:
        if name in held:
            raise ValueError(f"`tied` and `fixed` must not both name a parameter. Got {name!r}.")
    box = _box(bounds, names)
    for name, value in held.items():
        low, high = box[:, names.index(name)]
        if not low <= value <= high:
            raise ValueError(
                f"`fixed` of {name!r} must lie within its `bounds`, {low:g} to {high:g}. "
                f"Got {value:g}."
            )
    for name in formulas:
        if np.isfinite(box[:, names.index(name)]).any():
            raise ValueError(
                f"`bounds` must not name tied parameters. Got {name!r}; bound what it depends on."
            )
    known = {name: _prior(name, value) for name, value in _named("priors", priors, names)}
    return ParameterSpace(names, held, formulas, box, known)


@lru_cache(maxsize=256)
def _unconstrained(names: tuple[str, ...]) -> ParameterSpace:
    return ParameterSpace(names, {}, {}, _box(None, names), {})


def _named(argument: str, given: Any, names: tuple[str, ...]) -> list[tuple[str, Any]]:
    if given is None:
        return []
    if not isinstance(given, Mapping):
        raise ValueError(
            f"`{argument}` must be a dict by parameter name. Got {type(given).__name__}."
        )
    for name in given:
        if name not in names:
            raise ValueError(
                f"`{argument}` must name parameters of the model: {', '.join(names)}. Got {name!r}."
            )
    return list(given.items())


def _number(argument: str, name: str, value: Any) -> float:
    number = _as_float(value)
    if not np.isfinite(number):
        raise ValueError(f"`{argument}` of {name!r} must be a finite number. Got {value!r}.")
    return number


def _as_float(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def _formula(name: str, value: Any, names: tuple[str, ...]) -> Expression:
    if not isinstance(value, str):
        raise ValueError(
            f"`tied` of {name!r} must be a formula of other parameters. Got {value!r}. Write it in "
            "quotes, e.g. '2*a'; hold a parameter at a number by `fixed`."
        )
    try:
        expression = parse(value)
    except ValueError as error:
        raise ValueError(str(error).replace("`expression`", f"`tied` of {name!r}", 1)) from None
    for other in expression.names:
        if other not in names or other == name:
            raise ValueError(
                f"`tied` of {name!r} must be a formula of other parameters. Got {value!r}, which "
                f"uses {other!r}."
            )
    return expression


def _ordered(tied: dict[str, Expression]) -> dict[str, Expression]:
    graph = {name: [n for n in e.names if n in tied] for name, e in tied.items()}
    try:
        return {name: tied[name] for name in TopologicalSorter(graph).static_order()}
    except CycleError as error:
        circle = ", ".join(map(repr, error.args[1]))
        raise ValueError(f"`tied` must not go round in a circle. Got {circle}.") from None


def _prior(name: str, value: Any) -> tuple[float, float]:
    pair = np.ravel(np.asarray(value, dtype=object))
    if len(pair) != 2:
        raise ValueError(f"`priors` of {name!r} must be (mean, standard deviation). Got {value!r}.")
    mean, std = (_number("priors", name, number) for number in pair)
    if not std > 0.0:
        raise ValueError(
            f"`priors` of {name!r} must have a positive standard deviation. Got {std:g}."
        )
    return mean, std


def _box(bounds: Any, names: tuple[str, ...]) -> FloatArray:
    box = np.array([[-np.inf], [np.inf]]) * np.ones(len(names))
    if bounds is not None and not isinstance(bounds, Mapping):
        if len(bounds) != 2:
            raise ValueError(
                "`bounds` must be a dict by parameter name, or a pair (lower, upper). "
                f"Got {len(bounds)} items."
            )
        if any(np.shape(b) not in ((), (len(names),)) for b in bounds):
            raise ValueError(
                f"`bounds` must hold one value for each of the {len(names)} parameters "
                f"{', '.join(names)}. Got shapes {np.shape(bounds[0])} and {np.shape(bounds[1])}."
            )
        lower, upper = (np.broadcast_to(np.asarray(b, float), len(names)) for b in bounds)
        bounds = {name: (lower[j], upper[j]) for j, name in enumerate(names)}
    for name, pair in _named("bounds", bounds, names):
        if len(np.ravel(np.asarray(pair, dtype=object))) != 2:
            raise ValueError(f"`bounds` of {name!r} must be (lower, upper). Got {pair!r}.")
        ends = [
            infinite if end is None else _as_float(end)
            for end, infinite in zip(pair, (-np.inf, np.inf), strict=True)
        ]
        if not ends[0] < ends[1]:
            raise ValueError(
                f"`bounds` of {name!r} must have lower < upper. Got {pair!r}; "
                "hold a parameter by `fixed`."
            )
        box[:, names.index(name)] = ends
    return box
