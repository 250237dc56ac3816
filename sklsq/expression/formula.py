"""Formulas as values: parsed, evaluated, differentiated, compared, pickled.

An `Expression` holds its text and its tape and nothing that cannot be pickled: compiled functions
live in this module's caches. It pickles as the text the user wrote and the names it was
differentiated by, and is parsed and differentiated anew when it is loaded.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from sklsq.expression.compiler import compile_rows, compile_tapes
from sklsq.expression.differentiate import differentiate
from sklsq.expression.grammar import read
from sklsq.expression.tape import Steps, free_names, is_exact_polynomial
from sklsq.expression.text import write


@dataclass(frozen=True)
class Expression:
    """A formula in names and numbers; made by `parse`.

    Two expressions are equal when their `source` is. They hash, copy and pickle.

    Attributes
    ----------
    source : str
        The formula.
    names : tuple of str
        The free names, in order of first appearance in `source`; the constant ``pi`` is not one.

    Examples
    --------
    >>> from sklsq.expression import parse
    >>> line = parse("a + b*x")
    >>> line.names
    ('a', 'b', 'x')
    >>> line.derivative("b").source
    'x'
    """

    source: str
    names: tuple[str, ...] = field(compare=False)
    _steps: Steps = field(compare=False, repr=False)
    _parsed_from: str = field(compare=False, repr=False)
    _differentiated_by: tuple[str, ...] = field(compare=False, repr=False)

    @property
    def is_polynomial(self) -> bool:
        """Whether double-double arithmetic evaluates it without any rounding to double.

        True where only names, numbers, ``+ - *`` and non-negative integer powers (up to 64) occur
        and no two numbers combine inexactly, as in ``0.1*0.1*x``. ``pi`` and ``/`` make it False.

        Examples
        --------
        >>> from sklsq.expression import parse
        >>> parse("1 - 3*x*y**2").is_polynomial, parse("x/3").is_polynomial
        (True, False)
        """
        return is_exact_polynomial(self._steps)

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """Compute the formula.

        Parameters
        ----------
        values : mapping of str to array-like or scalar
            A value for each of `names`; they broadcast, others are ignored. Lists become arrays and
            integers floats. Anything else that has operators and takes numpy's ufuncs, such as a
            dual number, goes through untouched.

        Returns
        -------
        array or scalar
            Of the shape the names broadcast to; a float where the formula has no names. The formula
            ``"x"`` returns the value of x itself, not a copy.

        Raises
        ------
        ValueError
            If `values` lacks a name.

        Examples
        --------
        >>> from sklsq.expression import parse
        >>> parse("a*x**2").evaluate({"a": 0.5, "x": [1, 2, 3]})
        array([0.5, 2. , 4.5])
        """
        missing = [name for name in self.names if name not in values]
        if missing:
            raise ValueError(
                f"`values` must have every name of the expression {self.source!r}. "
                f"Got none for {missing}. Add them."
            )
        operands = [_as_operand(values[name]) for name in self.names]
        return _compile((self,), self.names)(*operands)[0]

    def derivative(self, name: str) -> "Expression":
        """Differentiate exactly with respect to one name.

        Parameters
        ----------
        name : str
            A name; the derivative by one that does not occur is ``0``.

        Returns
        -------
        Expression
            In the same language, so it can be evaluated and differentiated again. Its `source` may
            be longer than what `parse` accepts from a user.

        Raises
        ------
        ValueError
            If the derivative would be longer than 200,000 characters.

        Notes
        -----
        ``abs`` has derivative ``sign``, hence 0 at 0. Where ``f**g`` is differentiated by a name in
        g, the logarithm of f is taken as 0 at f = 0 (see `sklsq.expression.differentiate`).

        Examples
        --------
        >>> from sklsq.expression import parse
        >>> parse("exp(-k*x)").derivative("k").source
        '-exp(-k*x)*x'
        """
        if not isinstance(name, str):
            raise TypeError(
                f"`name` must be a string. Got {type(name).__name__}. Pass one of {self.names}."
            )
        return _build(self._parsed_from, (*self._differentiated_by, name))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the text parsed and the names differentiated by."""
        return _build, (self._parsed_from, self._differentiated_by)


def parse(source: str) -> Expression:
    """Read a formula; nothing in it can reach Python.

    Parameters
    ----------
    source : str
        Names, numbers, ``+ - * / **``, parentheses, the constant ``pi`` and the one-argument
        functions sin, cos, tan, arcsin, arccos, arctan, sinh, cosh, tanh, arcsinh, arccosh, arctanh
        (also asin, acos, atan, asinh, acosh, atanh), exp, expm1, exp2, log (natural; also ln),
        log10, log2, log1p, sqrt, cbrt, abs, sign, erf, erfc, square, reciprocal. At most 2,000
        characters, 1,000 names, numbers and operations, nested at most 100 deep.

    Returns
    -------
    Expression

    Raises
    ------
    TypeError
        If `source` is not a string.
    ValueError
        If it is empty, too long, nested too deeply, not readable, contains anything not listed, or
        has a constant part that is not finite, such as ``1/0``.

    Examples
    --------
    >>> from sklsq.expression import parse
    >>> peak = parse("a + b*exp(-((x - c)/d)**2)")
    >>> peak.names
    ('a', 'b', 'x', 'c', 'd')
    >>> float(peak.evaluate({"a": 1.0, "b": 2.0, "c": 3.0, "d": 0.5, "x": 3.0}))
    3.0
    """
    if not isinstance(source, str):
        raise TypeError(
            f"`expression` must be a string. Got {type(source).__name__}. "
            "Write the formula in quotes, e.g. 'a + b*x'."
        )
    return _build(str(source), ())


def compile_many(
    expressions: Iterable[Expression],
    argument_names: Iterable[str],
    numbers: Iterable[str] = (),
) -> Callable[..., list[Any]]:
    """Make one function of several formulas, common parts computed once.

    Parameters
    ----------
    expressions : iterable of Expression
        For example a model and its derivatives.
    argument_names : iterable of str
        The names in the order in which the function takes their values.
    numbers : iterable of str
        Names whose values may be Python's floats, which then divide and raise as NumPy's do.

    Returns
    -------
    callable
        ``function(*values)`` returns a list with one result for each expression. Values go through
        unchecked: make integer arrays floats before, and other numbers NumPy's. A result has the
        shape to which the names that occur in it broadcast: a constant derivative is a plain float.
        Results may share memory with the arguments or with each other; do not write into them. The
        function does not pickle; it is cached, so calling `compile_many` again is cheap.

    Raises
    ------
    ValueError
        If `argument_names` repeats a name or lacks one that occurs.

    Examples
    --------
    >>> import numpy as np
    >>> from sklsq.expression import compile_many, parse
    >>> model = parse("b*exp(-k*x)")
    >>> slopes = [model.derivative(name) for name in ("b", "k")]
    >>> function = compile_many([model, *slopes], ["x", "b", "k"])
    >>> value, by_b, by_k = function(np.array([0.0, 1.0]), 2.0, 0.0)
    >>> value, by_b, by_k
    (array([2., 2.]), array([1., 1.]), array([-0., -2.]))
    """
    formulas, names = tuple(expressions), tuple(argument_names)
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(
            f"`argument_names` must be different from each other. Got {repeated} more than once. "
            "Leave the repetition out."
        )
    missing = [name for formula in formulas for name in formula.names if name not in names]
    if missing:
        raise ValueError(
            "`argument_names` must have every name of the expressions. "
            f"Got none of {sorted(set(missing))}. Add them."
        )
    return _compile(formulas, names, tuple(numbers))


@lru_cache(maxsize=512)
def compile_fit(
    model: Expression, by: tuple[str, ...], argument_names: tuple[str, ...]
) -> Callable[..., None]:
    """Make the function that fills the rows of a fit.

    Parameters
    ----------
    model : Expression
        The formula.
    by : tuple of str
        The k names to differentiate by, whose values may be Python's floats.
    argument_names : tuple of str
        All names, in the order in which the function takes their values.

    Returns
    -------
    callable
        ``function(*values, y, rows)`` writes the derivatives into the first k of the `rows`, and
        what is left of y into the last.

    Examples
    --------
    >>> import numpy as np
    >>> from sklsq.expression import compile_fit, parse
    >>> rows = np.empty((3, 2))
    >>> fill = compile_fit(parse("a + b*x"), ("a", "b"), ("x", "a", "b"))
    >>> fill(np.array([1.0, 2.0]), 5.0, 10.0, np.array([20.0, 30.0]), rows)
    >>> rows
    array([[1., 1.],
           [1., 2.],
           [5., 5.]])
    """
    tapes = [model._steps, *(model.derivative(name)._steps for name in by)]
    return compile_rows(tapes, argument_names, by)


@lru_cache(maxsize=1024)
def _build(parsed_from: str, differentiated_by: tuple[str, ...]) -> Expression:
    """Parse a text and differentiate it by each name in turn."""
    if differentiated_by:
        *earlier, last = differentiated_by
        steps = differentiate(_build(parsed_from, tuple(earlier))._steps, last)
        source = write(steps)
    else:
        source, steps = parsed_from.strip(), read(parsed_from)
    return Expression(source, free_names(steps), steps, parsed_from, differentiated_by)


@lru_cache(maxsize=512)
def _compile(
    expressions: tuple[Expression, ...],
    argument_names: tuple[str, ...],
    numbers: tuple[str, ...] = (),
) -> Callable[..., list[Any]]:
    return compile_tapes([each._steps for each in expressions], argument_names, numbers)


def _as_operand(value: Any) -> Any:
    """Make integers floats, whose powers do not wrap around, and Python's numbers numpy's."""
    if isinstance(value, int | float):
        return np.float64(value)
    if isinstance(value, list | tuple):
        value = np.asarray(value)
    kind = getattr(getattr(value, "dtype", None), "kind", None)
    return value.astype(float) if kind in {"b", "i", "u"} else value
