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

The rows of a fit, derivatives with the residuals below, are written where they are to stand: the
last operation of each goes straight into its row, ``multiply(t3, a0, r1)``.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from sklsq.expression.functions import DERIVATIVES, ufunc
from sklsq.expression.tape import OPERATORS, Step, Steps, Tape, reachable

LARGEST_POWER_BY_PRODUCTS = 8
_MAX_NESTING = 40  # of parentheses in a line; Python reads at most 200
_OPERATIONS = {
    "+": "add",
    "-": "subtract",
    "*": "multiply",
    "/": "divide",
    "negative": "negative",
}  # whose NumPy function takes the place of its result
_INTO = {name: getattr(np, name) for name in (*_OPERATIONS.values(), "square")}


def compile_tapes(
    tapes: Sequence[Steps], argument_names: Sequence[str], numbers: Collection[str] = ()
) -> Callable[..., list[Any]]:
    """Return a function of the arguments, in order, that returns the value of every tape.

    Those of the arguments that are `numbers` may be Python floats.
    """
    merged = Tape()
    roots = [_lower(merged, steps) for steps in tapes]
    names = {name: f"a{i}" for i, name in enumerate(argument_names)}
    lines, texts = _lines(merged, roots, names, numbers)
    lines.append(f"return [{', '.join(texts[root] for root in roots)}]")
    return _function(merged, list(names.values()), lines)


def compile_rows(
    tapes: Sequence[Steps], argument_names: Sequence[str], numbers: Collection[str] = ()
) -> Callable[..., None]:
    """Return a function of the arguments, y and rows that fills the rows of a fit.

    The first tape is the model, the k others are its derivatives: the k + 1 rows become the
    derivatives, and y minus the model below. They are of the shape to which the other arguments
    broadcast, stacked, and share no memory with them.
    """
    merged = Tape()
    model, *slopes = (_lower(merged, steps) for steps in tapes)
    names = {name: f"a{i}" for i, name in enumerate(argument_names)}
    rows = [f"r{i}" for i in range(len(tapes))]
    into = dict(zip(slopes, rows, strict=False))
    lines, texts = _lines(merged, [model, *slopes], names, numbers, into)
    lines.insert(0, f"{', '.join(rows)}, = rows")
    for slope, row in zip(slopes, rows, strict=False):
        if texts[slope] != row:
            lines.append(f"{row}[...] = {texts[slope]}")
    lines.append(f"subtract(y, {texts[model]}, {rows[-1]})")
    return _function(merged, [*names.values(), "y", "rows"], lines)


def _function(tape: Tape, arguments: list[str], lines: list[str]) -> Callable[..., Any]:
    """Return the function of these lines; they hold nothing but what this module writes."""
    source = f"def run({', '.join(arguments)}):\n    " + "\n    ".join(lines)
    namespace: dict[str, Any] = {"__builtins__": {}, "inf": math.inf, "nan": math.nan}
    namespace.update({"power": np.power, **_INTO})
    functions = {step.operation for step in tape.steps} & set(DERIVATIVES)
    namespace.update({function: ufunc(function) for function in functions})
    exec(compile(source, "<sklsq expression>", "exec"), namespace)
    run: Callable[..., Any] = namespace["run"]
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
    tape: Tape,
    roots: Sequence[int],
    arguments: dict[str, str],
    numbers: Collection[str],
    rows: Mapping[int, str] = MappingProxyType({}),
) -> tuple[list[str], list[str]]:
    """Return the lines that compute shared steps, and the text of every step.

    A step that has a row is computed into it, if its last operation can; the row is then its text.
    """
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
            operands, row = [texts[i] for i in step.operands], rows.get(place)
            into = None if scalar[place] or row is None else _line_into(step, operands, row)
            line = _line_of_numbers if scalar[place] else _line
            text, deepest = line(step, operands), deepest + 1
            if into is not None and row is not None:
                lines.append(into)
                text, deepest = row, 0
            elif uses[place] > 1 or deepest > _MAX_NESTING:
                lines.append(f"t{place} = {text}")
                text, deepest = f"t{place}", 0
        texts.append(text)
        nesting.append(deepest)
    return lines, texts


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


def _line_into(step: Step, operands: list[str], row: str) -> str | None:
    """Return the operation with the place of its result; None where there is no such."""
    name = _OPERATIONS.get(step.operation, step.operation)
    if step.operation == "power" and step.number == 2.0:
        name = "square"
    if name in ("power", "**"):
        return None
    return f"{name}({', '.join([*operands, row])})"


def _line_of_numbers(step: Step, operands: list[str]) -> str:
    if step.operation == "power":
        return f"power({operands[0]}, {float(step.number)})"
    if step.operation in ("/", "**"):
        return f"{'divide' if step.operation == '/' else 'power'}({operands[0]}, {operands[1]})"
    return _line(step, operands)
