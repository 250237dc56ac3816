"""Terms of a design matrix: formulas such as ``"log(x)"``, and functions of the features."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklsq._typing import FloatArray
from sklsq.expression import Expression, parse
from sklsq.solvers.extended import DoubleDouble

__all__ = ["TermSource", "compile_terms"]


@dataclass(frozen=True)
class TermSource:
    """Columns given by terms.

    Parameters
    ----------
    terms : tuple of Expression or callable
        The terms, in order.
    names : tuple of str
        Their names.
    features : tuple of str
        Names of the features, by which formulas refer to them.
    """

    terms: tuple[Expression | Callable[..., Any], ...]
    names: tuple[str, ...]
    features: tuple[str, ...]

    def evaluate(self, X: FloatArray) -> FloatArray:
        """Return the columns (n, m) at the features `X` (n, p).

        Raises
        ------
        ValueError
            If a term does not return one real number per row.
        """
        columns = np.empty((X.shape[0], len(self.terms)), order="F")
        with np.errstate(all="ignore"):
            for j, term in enumerate(self.terms):
                columns[:, j] = self._evaluate_term(j, term, X)
        return columns

    def evaluate_extended(self, X: FloatArray) -> DoubleDouble:
        """Return the columns, those of polynomial formulas beyond double precision."""
        columns = DoubleDouble(self.evaluate(X))
        values = {name: DoubleDouble(X[:, j]) for j, name in enumerate(self.features)}
        for j, term in enumerate(self.terms):
            if isinstance(term, Expression) and term.names and term.is_polynomial:
                column = term.evaluate(values)
                columns.hi[:, j], columns.lo[:, j] = column.hi, column.lo
        return columns

    def is_constant(self, column: int, X: FloatArray) -> bool:
        """Tell whether a term is a formula without features."""
        term = self.terms[column]
        return isinstance(term, Expression) and not term.names

    def _evaluate_term(self, j: int, term: Expression | Callable[..., Any], X: FloatArray) -> Any:
        if isinstance(term, Expression):
            used = {name: X[:, self.features.index(name)] for name in term.names}
            return term.evaluate(used)
        value = np.asarray(_call(term, X))
        if value.shape not in ((), (X.shape[0],)):
            raise ValueError(
                f"`basis` term {self.names[j]!r} must return one number per row, shape "
                f"({X.shape[0]},). "
                f"Got shape {value.shape}."
            )
        if value.dtype.kind not in "fiub":
            raise ValueError(
                f"`basis` term {self.names[j]!r} must return real numbers. Got dtype {value.dtype}."
            )
        return value

    def explain(self, X: FloatArray) -> None:
        """Raise if a term is not finite at some row of the features.

        Raises
        ------
        ValueError
            Naming the first such row.
        """
        columns = self.evaluate(X)
        bad = ~np.isfinite(columns)
        if not bad.any():
            return
        row, column = np.argwhere(bad)[0]
        raise ValueError(
            f"`basis` term {self.names[column]!r} must be finite in every row. Got "
            f"{columns[row, column]} in row "
            f"{row}, where the features are {X[row].tolist()}; remove such rows or choose "
            "another term."
        )


def compile_terms(basis: Sequence[Any], features: Sequence[str]) -> TermSource:
    """Return the source of the terms of `basis` for the named features.

    Raises
    ------
    TypeError
        If a term is neither a formula nor callable.
    ValueError
        If `basis` is empty, a formula cannot be parsed, or uses a name that is no feature.
    """
    if len(basis) == 0:
        raise ValueError(
            '`basis` must have at least one term. Got an empty list; a constant is the term "1".'
        )
    terms = tuple(_compile(term, features) for term in basis)
    names = tuple(_name(term, j) for j, term in enumerate(basis))
    return TermSource(terms, names, tuple(features))


def _compile(term: Any, features: Sequence[str]) -> Expression | Callable[..., Any]:
    if callable(term):
        function: Callable[..., Any] = term
        return function
    if not isinstance(term, str):
        raise TypeError(
            f'`basis` terms must be formulas such as "log(x)" or callables. Got {term!r}; write '
            'the constant as "1".'
        )
    expression = parse(term)
    for name in expression.names:
        if name not in features:
            raise ValueError(
                f"`basis` term {term!r} must use features only. Got {name!r}; the features are: "
                f"{', '.join(features)}."
            )
    return expression


def _name(term: Any, j: int) -> str:
    if isinstance(term, str):
        return term
    name = getattr(term, "__name__", "")
    return name if name.isidentifier() else f"term{j}"


def _call(term: Callable[..., Any], X: FloatArray) -> Any:
    """Call a term with one argument per feature, or with the matrix where it takes a single one.

    It sees read-only views: a term that writes to its argument would change the user's data.
    """
    X = X.view()
    X.flags.writeable = False
    p = X.shape[1]
    if p == 1:
        return term(X[:, 0])
    if getattr(term, "nin", None) == p or _accepts(term, p):
        return term(*X.T)
    return term(X)


def _accepts(term: Callable[..., Any], n_arguments: int) -> bool:
    try:
        signature = inspect.signature(term)
    except ValueError:  # builtins without a signature
        return False
    try:
        signature.bind(*range(n_arguments))
    except TypeError:
        return False
    return True
