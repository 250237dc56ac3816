"""A formula as a tape: a list of steps, each computed from earlier ones.

The tape of ``b*sin(x) + sin(x)`` reads

    0: name b    1: name x    2: sin(1)    3: 0 * 2    4: 3 + 2

Equal steps are stored once (hash-consing), so ``sin(x)`` has one place however often it is written,
and so it has in a model and its derivatives laid on one tape. Every algorithm on a formula is a
single loop over its tape: no recursion, hence no depth that could exhaust the interpreter.

Source: A. Griewank and A. Walther, "Evaluating Derivatives", 2nd ed., SIAM 2008, chapter 2
(evaluation procedures); J.-C. Filliâtre and S. Conchon, "Type-safe modular hash-consing", 2006.
"""

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from sklsq.expression.functions import ufunc

OPERATORS: dict[str, Callable[..., Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
    "negative": operator.neg,
}


class Step(NamedTuple):
    """One operation on earlier steps.

    `operation` is "name", "number", "pi", "negative", "power" (to the integer `number`), one of
    + - * / ** or a function. `operands` are places on the tape.
    """

    operation: str
    operands: tuple[int, ...] = ()
    name: str = ""
    number: float = 0.0


Steps = tuple[Step, ...]


class Tape:
    """Steps in the order of computation, equal steps once.

    Attributes
    ----------
    steps : list of Step
    constants : list of float or None
        The value of each step that depends on no name, None for the others.
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.constants: list[float | None] = []
        self._places: dict[Step, int] = {}

    def put(self, operation: str, *operands: int, name: str = "", number: float = 0.0) -> int:
        """Return the place of a step, appending it if it is new."""
        step = Step(operation, operands, name, number)
        if step not in self._places:
            self._places[step] = len(self.steps)
            self.steps.append(step)
            self.constants.append(constant_value(step, [self.constants[i] for i in operands]))
        return self._places[step]

    def replay(self, steps: Steps, substitutions: Mapping[str, int] | None = None) -> list[int]:
        """Append `steps`, names replaced by the places in `substitutions`; return their places."""
        places: list[int] = []
        for step in steps:
            if substitutions and step.name in substitutions:
                places.append(substitutions[step.name])
            else:
                operands = (places[i] for i in step.operands)
                places.append(
                    self.put(step.operation, *operands, name=step.name, number=step.number)
                )
        return places


def constant_value(step: Step, operands: Sequence[float | None]) -> float | None:
    """Return the value of a step whose operands are all known, else None; never raises or warns."""
    if step.operation == "name" or None in operands:
        return None
    if step.operation == "number":
        return step.number
    if step.operation == "pi":
        return math.pi
    values = [np.float64(value) for value in operands if value is not None]
    with np.errstate(all="ignore"):
        if step.operation == "power":
            return float(values[0] ** int(step.number))
        return float((OPERATORS.get(step.operation) or ufunc(step.operation))(*values))


def exact_value(step: Step, operands: Sequence[float | None]) -> float | None:
    """Return the value of a step where the double computed is the rational itself, else None."""
    if None in operands or step.operation not in {"+", "-", "*", "/", "negative", "power"}:
        return None
    value = constant_value(step, operands)
    if value is None or not math.isfinite(value):
        return None
    rationals = [Fraction(number) for number in operands if number is not None]
    if step.operation == "power":
        exact = rationals[0] ** int(step.number)
    else:
        exact = OPERATORS[step.operation](*rationals)
    return value if Fraction(value) == exact else None


def reachable(steps: Sequence[Step], roots: Sequence[int]) -> list[bool]:
    """Tell which steps the `roots` depend on, themselves included."""
    needed = [False] * len(steps)
    for root in roots:
        needed[root] = True
    for place in range(len(steps) - 1, -1, -1):
        if needed[place]:
            for operand in steps[place].operands:
                needed[operand] = True
    return needed


def prune(steps: Sequence[Step], root: int) -> Steps:
    """Return the steps `root` depends on, `root` last."""
    new_places: dict[int, int] = {}
    kept: list[Step] = []
    for place, is_needed in enumerate(reachable(steps, [root])):
        if is_needed:
            new_places[place] = len(kept)
            operands = tuple(new_places[i] for i in steps[place].operands)
            kept.append(steps[place]._replace(operands=operands))
    return tuple(kept)


def free_names(steps: Steps) -> tuple[str, ...]:
    """Return the names from left to right as they appear in the text of the formula."""
    names: dict[str, None] = {}
    seen: set[int] = set()
    stack = [len(steps) - 1]
    while stack:
        place = stack.pop()
        if place not in seen:
            seen.add(place)
            stack.extend(reversed(steps[place].operands))
            if steps[place].operation == "name":
                names.setdefault(steps[place].name)
    return tuple(names)


def is_exact_polynomial(steps: Steps) -> bool:
    """Tell whether double-double arithmetic evaluates the formula without a rounding in double.

    True where only names, numbers, + - * and non-negative integer powers occur, and every part
    made of numbers alone, which is computed beforehand in double, comes out exact.
    """
    constants: list[float | None] = []
    for step in steps:
        operands = [constants[i] for i in step.operands]
        constants.append(constant_value(step, operands))
        if step.operation not in {"name", "number", "+", "-", "*", "negative", "power"}:
            return False
        if step.operation == "power" and step.number < 0:
            return False
        if operands and constants[-1] is not None and exact_value(step, operands) is None:
            return False
    return True
