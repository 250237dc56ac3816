r"""What a formula says of its parameters by itself, whatever the data.

Which parameters enter linearly, f = f₀(q) + Σ pᵢ gᵢ(q), is read off the derivatives, as
`sklsq.models.linearity` has it: pⱼ and pᵢ are coupled if pⱼ occurs in ∂f/∂pᵢ. The dimensions of
all parameters (`sklsq.models.dimensions`) are found at features and parameters of order one. Both
belong to the formula and are found out once, of a text, of a sum of formulas, and of a function
that has been written down as one (`sklsq.expression.tracing`); what is no formula has to be tried
on the data.

With the linear parameters at zero the derivatives by them are the gᵢ, and the value is f₀. These
alone are compiled here, for looking at very many q at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from sklsq._typing import BoolArray, FloatArray
from sklsq.expression.compiler import compile_tapes
from sklsq.expression.differentiate import differentiate
from sklsq.expression.grammar import read
from sklsq.expression.tape import Steps, Tape, free_names
from sklsq.models.compiled import CompiledFormula
from sklsq.models.composite import CompositeModel
from sklsq.models.dimensions import parameter_dimensions
from sklsq.models.formula import FormulaModel
from sklsq.models.function import FunctionModel
from sklsq.models.linearity import independent
from sklsq.models.memory import FunctionMemory, names_outside
from sklsq.models.model import Model
from sklsq.models.ready_made import ReadyMade

__all__ = ["Separation", "separation"]

_ROWS, _PROBES = 40, 16  # at which dimensions are found
_FUNCTIONS = FunctionMemory()


@dataclass(frozen=True, eq=False)
class Separation:
    """A formula taken apart.

    Parameters
    ----------
    columns : tuple of int
        Columns of X that occur.
    is_linear : ndarray of bool of shape (m,)
        A largest set of parameters that are jointly linear, and move the model.
    is_column_fixed : ndarray of bool of shape (m,)
        Which of them multiply a column that no parameter changes, as an offset does.
    dimensions : ndarray of shape (p, m) or None
        The power of each feature's unit in each parameter, if there is one.
    has_rest : bool
        Whether f₀ is other than zero.
    run : callable
        ``run(*columns, *params) -> [f₀, *g]``, the linear ones of the m params zero; f₀ is left
        out if there is none. Results broadcast to the shape of the arguments.
    """

    columns: tuple[int, ...]
    is_linear: BoolArray
    is_column_fixed: BoolArray
    dimensions: FloatArray | None
    has_rest: bool
    run: Callable[..., list[Any]]


def separation(model: Model, X: FloatArray) -> Separation | None:
    """Take a model apart; None if it is not known to be a formula.

    Parameters
    ----------
    model : Model
    X : ndarray of shape (n, p)
        Features, at which a function is compared with its formula when it is first seen.

    Examples
    --------
    >>> import numpy as np
    >>> peak = separation(FormulaModel("a + b*exp(-((x - c)/d)**2)"), np.ones((1, 1)))
    >>> peak.is_linear, peak.is_column_fixed, peak.dimensions + 0.0
    (array([ True,  True, False, False]),
     array([ True, False, False, False]),
     array([[0., 0., 1., 1.]]))
    """
    if isinstance(model, FunctionModel):
        return _of_function(model, X)
    return _of_text(model) if isinstance(model, (FormulaModel, ReadyMade, CompositeModel)) else None


def _of_function(model: FunctionModel, X: FloatArray) -> Separation | None:
    names, features = model.parameter_names, model.features
    if not isinstance(features, int) or model.at(X, np.ones(len(names))) is None:
        return None
    key = features, len(names), model.is_vector
    found: Separation | None = _FUNCTIONS.get(model.function, key)
    if found is not None:
        return found
    traced = model.traced()
    if traced is None:
        return None
    found = _of_steps(*traced)
    outside = names_outside(model.function)
    if outside is not None:
        _FUNCTIONS.put(model.function, key, found, outside)
    return found


@lru_cache(maxsize=256)
def _of_text(model: Model) -> Separation | None:
    steps = _steps(model)
    if steps is None:
        return None
    columns = model.features if isinstance(model, FormulaModel) else ("x",)
    return _of_steps(steps, columns, model.parameter_names)


def _steps(model: Model) -> Steps | None:
    """Return the formula of a model in its parameter names; None if it is not one."""
    if isinstance(model, FormulaModel):
        return read(model.source)
    if isinstance(model, CompositeModel):
        return _sum(model)
    if not isinstance(model, ReadyMade) or type(model).evaluate is not ReadyMade.evaluate:
        return None
    return _renamed(read(model.text), model.base_names, model.parameter_names)


def _sum(model: CompositeModel) -> Steps | None:
    tapes, first = [], 0
    for part in model.parts:
        end = first + len(part.parameter_names)
        steps = _steps(part)
        if steps is None or (isinstance(part, FormulaModel) and part.features != ("x",)):
            return None
        tapes.append(_renamed(steps, part.parameter_names, model.parameter_names[first:end]))
        first = end
    tape = Tape()
    total = tape.replay(tapes[0])[-1]
    for steps in tapes[1:]:
        total = tape.put("+", total, tape.replay(steps)[-1])
    return tuple(tape.steps)


def _renamed(steps: Steps, old: Sequence[str], new: Sequence[str]) -> Steps:
    names = dict(zip(old, new, strict=True))
    return tuple(step._replace(name=names.get(step.name, step.name)) for step in steps)


@lru_cache(maxsize=256)
def _of_steps(steps: Steps, columns: tuple[str, ...], params: tuple[str, ...]) -> Separation:
    """Take a formula apart; functions that are made anew for each fit are often the same one."""
    slopes = [differentiate(steps, name) for name in params]
    occurring = [set(free_names(slope)) for slope in slopes]
    depends = np.array([[name in names for name in params] for names in occurring])
    dead = np.array([slope[-1].operation == "number" and not slope[-1].number for slope in slopes])
    is_linear = independent(depends | depends.T) & ~dead
    fixed = is_linear & ~depends.any(axis=1)
    used = tuple(j for j, name in enumerate(columns) if name in free_names(steps))
    arguments = (*(columns[j] for j in used), *params)
    written = _Written(steps, slopes, used, len(columns), arguments, params)
    rng = np.random.default_rng(0)
    X = rng.uniform(0.3, 2.0, (_ROWS, len(columns)))
    probes = rng.uniform(0.5, 2.0, (_PROBES, len(params)))
    dimensions = parameter_dimensions(written, X, probes) if columns else None
    has_rest = bool((written.evaluate(X, np.where(is_linear, 0.0, probes)) != 0.0).any())
    tapes = [steps] if has_rest else []
    tapes += [slope for slope, linear in zip(slopes, is_linear, strict=True) if linear]
    run = compile_tapes(tapes, arguments, params)
    return Separation(used, is_linear, fixed, dimensions, has_rest, run)


class _Written(Model):
    """A formula of which only values and derivatives are wanted."""

    def __init__(
        self,
        steps: Steps,
        slopes: list[Steps],
        used: tuple[int, ...],
        width: int,
        arguments: tuple[str, ...],
        params: tuple[str, ...],
    ) -> None:
        self._params, self._width = params, width
        self._compiled = CompiledFormula(
            used,
            compile_tapes([steps], arguments),
            compile_tapes([steps, *slopes], arguments, params),
        )

    @property
    def parameter_names(self) -> tuple[str, ...]:
        return self._params

    @property
    def n_features(self) -> int:
        return self._width

    def evaluate(self, X: FloatArray, params: FloatArray) -> FloatArray:
        return self._compiled.evaluate(X, params)

    def linearise(self, X: FloatArray, params: FloatArray) -> tuple[FloatArray, FloatArray]:
        return self._compiled.linearise(X, params)
