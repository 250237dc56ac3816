"""A tape written back as a formula.

Parentheses stand where Python's grammar needs them, and where leaving them out would change the
order of roundings: ``a + (b + c)`` keeps them. ``-a*b`` is written for ``-(a*b)`` although Python
reads ``(-a)*b``, because the two are equal to the last bit; a sign never follows another operator.
"""

from sklsq.expression.tape import Step, Steps

MAX_CHARACTERS = 200_000

_SUM, _PRODUCT, _POWER, _ATOM = range(4)
_LARGEST_PLAIN_INTEGER = 1e15
_BINARY = {
    # operation: (weakest left operand, weakest right operand, itself, how it is joined)
    "+": (_SUM, _PRODUCT, _SUM, " + "),
    "-": (_SUM, _PRODUCT, _SUM, " - "),
    "*": (_PRODUCT, _POWER, _PRODUCT, "*"),
    "/": (_PRODUCT, _POWER, _PRODUCT, "/"),
    "**": (_ATOM, _ATOM, _POWER, "**"),
}


def write(steps: Steps) -> str:
    """Return the formula of a tape.

    Raises
    ------
    ValueError
        If it is longer than `MAX_CHARACTERS`.
    """
    texts: list[tuple[str, int]] = []
    for step in steps:
        texts.append(_write_step(step, [texts[i] for i in step.operands]))
        if len(texts[-1][0]) > MAX_CHARACTERS:
            raise ValueError(
                f"The derivative of `expression` must be at most {MAX_CHARACTERS} characters long. "
                f"Got {len(texts[-1][0])}. Differentiate a shorter formula, or fewer times."
            )
    return texts[-1][0]


def _write_step(step: Step, operands: list[tuple[str, int]]) -> tuple[str, int]:
    if step.operation in {"name", "pi"}:
        return step.name or step.operation, _ATOM
    if step.operation == "number":
        return _write_number(step.number), _ATOM if step.number >= 0 else _PRODUCT
    if step.operation == "negative":
        return "-" + _enclose_right(operands[0], _PRODUCT), _PRODUCT
    if step.operation == "power":
        return f"{_enclose(operands[0], _ATOM)}**{int(step.number)}", _POWER
    if step.operation in _BINARY:
        left, right, strength, sign = _BINARY[step.operation]
        return _enclose(operands[0], left) + sign + _enclose_right(operands[1], right), strength
    return f"{step.operation}({operands[0][0]})", _ATOM


def _enclose(operand: tuple[str, int], weakest: int) -> str:
    text, strength = operand
    return text if strength >= weakest else f"({text})"


def _enclose_right(operand: tuple[str, int], weakest: int) -> str:
    return f"({operand[0]})" if operand[0].startswith("-") else _enclose(operand, weakest)


def _write_number(number: float) -> str:
    if number.is_integer() and abs(number) < _LARGEST_PLAIN_INTEGER:
        return str(int(number))
    return repr(number)
