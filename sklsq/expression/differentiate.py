"""The exact derivative of a tape, in one forward pass.

Each step gets its derivative from those of its operands, written ``f'`` and ``g'``:

    (f + g)' = f' + g'                      (f * g)' = f'*g + f*g'
    (f / g)' = (f' - (f/g)*g') / g          h(f)'    = h'(f)*f'
    (f**k)'  = k*f**(k-1)*f'                with k constant
    (f**g)'  = g*f**(g-1)*f' + f**g*L(f)*g'

The quotient reuses ``f/g``, which the formula has computed already. Products are written outermost
factor first, so that the derivatives by several parameters share their beginnings.

The general power is the textbook ``f**g*(g'*log(f) + g*f'/f)`` in a form that stays finite at
f = 0, where power laws and dose-response curves are measured: the first term is not divided by f,
and ``L(f)`` is ``log(f + (1 - sign(f)**2))``, which is ``log(f)`` to the last bit for f > 0 and 0
at f = 0, where ``f**g*log(f)`` tends to 0 for every g > 0.

On the way ``0*f``, ``1*f``, ``f**1``, ``f + 0`` vanish, signs and numbers move to the front, and
numbers are combined where the result is exact. Because equal steps are stored once, the tape grows
by a constant number of steps for each step of the formula.

Source: A. Griewank and A. Walther, "Evaluating Derivatives", 2nd ed., SIAM 2008, chapter 3.
"""

from functools import lru_cache

from sklsq.expression.functions import DERIVATIVES
from sklsq.expression.grammar import MAX_INTEGER_POWER, read
from sklsq.expression.tape import Step, Steps, Tape, exact_value, prune

_LOGARITHM_FINITE_AT_ZERO = "log(u + (1 - sign(u)**2))"


def differentiate(steps: Steps, name: str) -> Steps:
    """Return the tape of the derivative with respect to `name`."""
    algebra = Algebra(steps)
    slopes: list[int] = []
    for place, step in enumerate(steps):
        if step.operation == "name":
            slopes.append(algebra.number(float(step.name == name)))
        else:
            operands = [(i, slopes[i]) for i in step.operands]
            slopes.append(_slope(algebra, place, step, operands))
    return prune(algebra.steps, slopes[-1])


def _slope(algebra: "Algebra", place: int, step: Step, operands: list[tuple[int, int]]) -> int:
    """Return the derivative of the step at `place`, whose operands come as (value, derivative)."""
    if all(algebra.is_number(slope, 0) for _, slope in operands):
        return algebra.number(0)
    (f, df), (g, dg) = operands[0], operands[-1]
    match step.operation:
        case "+":
            slope = algebra.add(df, dg)
        case "-":
            slope = algebra.subtract(df, dg)
        case "negative":
            slope = algebra.negate(df)
        case "*":
            slope = algebra.add(algebra.chain(g, df), algebra.chain(f, dg))
        case "/" if algebra.is_number(df, 0):
            slope = algebra.negate(algebra.chain(algebra.divide(place, g), dg))
        case "/":
            slope = algebra.divide(algebra.subtract(df, algebra.chain(place, dg)), g)
        case "power":
            lower = algebra.power(f, int(step.number) - 1)
            slope = algebra.chain(algebra.multiply(algebra.number(step.number), lower), df)
        case "**":
            slope = _slope_of_general_power(algebra, place, *operands)
        case function:
            outer = algebra.replay(_formula(DERIVATIVES[function]), {"u": f})[-1]
            slope = algebra.chain(outer, df)
    return slope


def _slope_of_general_power(
    algebra: "Algebra", place: int, base: tuple[int, int], exponent: tuple[int, int]
) -> int:
    (f, df), (g, dg) = base, exponent
    lower = algebra.general_power(f, algebra.subtract(g, algebra.number(1)))
    from_base = algebra.chain(algebra.multiply(g, lower), df)
    is_positive = (algebra.constants[f] or 0.0) > 0
    formula = "log(u)" if is_positive else _LOGARITHM_FINITE_AT_ZERO
    logarithm = algebra.replay(_formula(formula), {"u": f})[-1]
    from_exponent = algebra.chain(algebra.multiply(place, logarithm), dg)
    return algebra.add(from_base, from_exponent)


@lru_cache(maxsize=64)
def _formula(source: str) -> Steps:
    return read(source)


class Algebra(Tape):
    """The tape of a formula, `steps`, continued by arithmetic that simplifies as it writes."""

    def __init__(self, steps: Steps) -> None:
        super().__init__()
        self.replay(steps)
        self.n_formula_steps = len(self.steps)

    def number(self, value: float) -> int:
        """Return the place of a number."""
        return self.put("number", number=float(value))

    def is_number(self, place: int, value: float) -> bool:
        """Tell whether a step is this very number."""
        return self._literal(place) == value

    def add(self, f: int, g: int) -> int:
        """Return f + g."""
        if self.is_number(f, 0) or self.is_number(g, 0):
            return g if self.is_number(f, 0) else f
        if self.steps[g].operation == "negative":
            return self.subtract(f, self.steps[g].operands[0])
        return self._put_folded("+", f, g)

    def subtract(self, f: int, g: int) -> int:
        """Return f - g."""
        if self.is_number(g, 0):
            return f
        if self.is_number(f, 0):
            return self.negate(g)
        if self.steps[g].operation == "negative":
            return self.add(f, self.steps[g].operands[0])
        return self._put_folded("-", f, g)

    def negate(self, f: int) -> int:
        """Return -f."""
        step = self.steps[f]
        if step.operation == "negative":
            return step.operands[0]
        if step.operation == "-":
            return self.subtract(step.operands[1], step.operands[0])
        if self.is_number(f, 0):
            return f
        return self._put_folded("negative", f)

    def multiply(self, f: int, g: int) -> int:
        """Return f*g, the sign outermost, then the number, then the rest."""
        if self.is_number(f, 0) or self.is_number(g, 1):
            return f
        if self.is_number(g, 0) or self.is_number(f, 1):
            return g
        for first, second in ((f, g), (g, f)):
            if (positive := self._without_sign(first)) is not None:
                return self.negate(self.multiply(positive, second))
        if self._literal(g) is not None:
            f, g = g, f
        if self.steps[g].operation == "*":
            number, rest = self.steps[g].operands
            if (product := self._folded("*", f, number)) is not None:
                return self.multiply(product, rest)
        return self._put_folded("*", f, g)

    def chain(self, outer: int, slope: int) -> int:
        """Return outer*slope with the factors of `slope` applied one by one, outermost first.

        ``outer*(p*q/r)`` is written ``outer*p*q/r``. The derivatives by several parameters then
        begin with the same product, computed once, as reverse accumulation would have it. A value
        that the formula itself computes stays whole.
        """
        step = self.steps[slope]
        if slope < self.n_formula_steps:
            return self.multiply(outer, slope)
        if step.operation == "negative":
            return self.negate(self.chain(outer, step.operands[0]))
        if step.operation == "*":
            return self.multiply(self.chain(outer, step.operands[0]), step.operands[1])
        if step.operation == "/":
            return self.divide(self.chain(outer, step.operands[0]), step.operands[1])
        return self.multiply(outer, slope)

    def divide(self, f: int, g: int) -> int:
        """Return f/g, the sign outermost."""
        if self.is_number(f, 0) or self.is_number(g, 1):
            return f
        if (positive := self._without_sign(f)) is not None:
            return self.negate(self.divide(positive, g))
        if (positive := self._without_sign(g)) is not None:
            return self.negate(self.divide(f, positive))
        return self._put_folded("/", f, g)

    def power(self, f: int, exponent: int) -> int:
        """Return f to an integer power."""
        if exponent == 1:
            return f
        if exponent == 0:
            return self.number(1)
        return self._put_folded("power", f, number=exponent)

    def general_power(self, f: int, g: int) -> int:
        """Return f**g."""
        exponent = self._literal(g)
        if exponent is not None and exponent.is_integer() and abs(exponent) <= MAX_INTEGER_POWER:
            return self.power(f, int(exponent))
        return self.put("**", f, g)

    def _literal(self, place: int) -> float | None:
        step = self.steps[place]
        return step.number if step.operation == "number" else None

    def _without_sign(self, place: int) -> int | None:
        """Return -f where f is a negation or a negative number, else None."""
        literal = self._literal(place)
        if self.steps[place].operation == "negative" or (literal is not None and literal < 0):
            return self.negate(place)
        return None

    def _folded(self, operation: str, *operands: int, number: float = 0.0) -> int | None:
        """Return the number an operation on numbers yields exactly, else None."""
        literals = [self._literal(place) for place in operands]
        value = exact_value(Step(operation, number=number), literals)
        return None if value is None else self.number(value + 0.0)  # -0.0 + 0.0 is 0.0

    def _put_folded(self, operation: str, *operands: int, number: float = 0.0) -> int:
        folded = self._folded(operation, *operands, number=number)
        return self.put(operation, *operands, number=number) if folded is None else folded
