"""Tapes to one Python function, for the hot loop of a fit.

The model and its derivatives are laid on one tape, where equal steps coincide; constant steps
become their value; a step used once is written inside the step that uses it (numpy then reuses its
memory), a step used more often becomes a local variable. The source given to `exec` is made of the
tape's own operations, places and numbers: no character of the user's text enters it, names are
``a0``, ``a1``... and the built-ins are empty.

Small integer powers become products, ``x**3`` = ``x**2*x``, since numpy's general power costs six
times as much and the products of up to eight factors are within 3.5 units in the last place;
``x**2`` stays, numpy squares it.

Arguments may be announced as `numbers`, to be given as Python floats, with which arithmetic is
faster. Python's quotients and powers of floats raise errors or turn complex where numpy's are
infinite or NaN: what is made of numbers alone is divided and raised by numpy's functions.
"""

import math
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from sklsq.expression.functions import DERIVATIVES, ufunc
from sklsq.expression.tape import OPERATORS, Step, Steps, Tape, reachable

LARGEST_POWER_BY_PRODUCTS = 8
_MAX_NESTING = 40  # of parentheses in a line; Python reads at most 200


def compile_tapes(
    tapes: Sequence[Steps], argument_names: Sequence[str], numbers: Collection[str] = ()
) -> Callable[..., list[Any]]:
    """Return a function of the arguments, in order, that returns the value of every tape.

    Those of the arguments that are `numbers` may be Python floats.
    """
    merged = Tape()
    roots = [_lower(merged, steps) for steps in tapes]
    names = {name: f"a{i}" for i, name in enumerate(argument_names)}
    lines = _lines(merged, roots, names, numbers)
    arguments = ", ".join(f"a{i}" for i in range(len(argument_names)))
    source = f"def run({arguments}):\n    " + "\n    ".join(lines)
    namespace: dict[str, Any] = {"__builtins__": {}, "inf": math.inf, "nan": math.nan}
    namespace.update({"divide": np.divide, "power": np.power})
    functions = {step.operation for step in merged.steps} & set(DERIVATIVES)
    namespace.update({function: ufunc(function) for function in functions})
    exec(compile(source, "<sklsq expression>", "exec"), namespace)
    run: Callable[..., list[Any]] = namespace["run"]
    return run


def _lower(tape: Tape, steps: Steps) -> int:
    """Append `steps` with their small integer powers as products; return the place of the last."""
    places: list[int] = []
    for step in steps:
        operands = [places[i] for i in step.operands]
        if step.operation == "power":
            places.append(_put_power(tape, operands[0], int(step.number)))
        else:
            places.append(tape.put(step.operation, *operands, name=step.name, number=step.number))
    return places[-1]


def _put_power(tape: Tape, base: int, exponent: int) -> int:
    if exponent == 1:
        return base
    if exponent in (-1, 0, 2) or abs(exponent) > LARGEST_POWER_BY_PRODUCTS:
        return tape.put("power", base, number=exponent)
    if exponent < 0:
        return tape.put("/", tape.put("number", number=1.0), _put_power(tape, base, -exponent))
    root = _put_power(tape, base, exponent // 2)
    square = tape.put("power", root, number=2)
    return tape.put("*", square, base) if exponent % 2 else square


def _lines(
    tape: Tape, roots: Sequence[int], arguments: dict[str, str], numbers: Collection[str]
) -> list[str]:
    """Return the body of the function: shared steps as assignments, then the return."""
    scalar: list[bool] = []
    uses = _count_uses(tape, roots)
    lines: list[str] = []
    texts: list[str] = []
    nesting: list[int] = []
    for place, step in enumerate(tape.steps):
        deepest = max((nesting[i] for i in step.operands), default=0)
        text, constant = "", tape.constants[place]
        scalar.append(step.name in numbers if step.name else all(scalar[i] for i in step.operands))
        if constant is not None:
            text, deepest = f"({constant!r})", 0
        elif step.operation == "name":
            text, deepest = arguments[step.name], 0
        elif uses[place]:
            line = _line_of_numbers if scalar[place] else _line
            text, deepest = line(step, [texts[i] for i in step.operands]), deepest + 1
            if uses[place] > 1 or deepest > _MAX_NESTING:
                lines.append(f"t{place} = {text}")
                text, deepest = f"t{place}", 0
        texts.append(text)
        nesting.append(deepest)
    return [*lines, f"return [{', '.join(texts[root] for root in roots)}]"]


def _count_uses(tape: Tape, roots: Sequence[int]) -> list[int]:
    uses = [0] * len(tape.steps)
    for root in roots:
        uses[root] += 1
    for place, is_needed in enumerate(reachable(tape.steps, roots)):
        if is_needed and tape.constants[place] is None:
            for operand in tape.steps[place].operands:
                uses[operand] += 1
    return uses


def _line(step: Step, operands: list[str]) -> str:
    if step.operation == "power":
        return f"({operands[0]} ** {int(step.number)})"
    if step.operation == "negative":
        return f"(-{operands[0]})"
    if step.operation in OPERATORS:
        return f"({operands[0]} {step.operation} {operands[1]})"
    return f"{step.operation}({operands[0]})"


def _line_of_numbers(step: Step, operands: list[str]) -> str:
    if step.operation == "power":
        return f"power({operands[0]}, {float(step.number)})"
    if step.operation in ("/", "**"):
        return f"{'divide' if step.operation == '/' else 'power'}({operands[0]}, {operands[1]})"
    return _line(step, operands)
