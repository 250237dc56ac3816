"""A formula compiled to functions of columns and parameters, for one set of them or for many."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from sklsq._typing import FloatArray
from sklsq.models.dual import Dual, derivative_rows, seeds
from sklsq.models.model import At, Filling, blocks

__all__ = ["CompiledFormula"]


@dataclass(frozen=True)
class CompiledFormula:
    """What computes a formula.

    Parameters
    ----------
    columns : tuple of int
        Columns of X that occur; both functions take these first, then the parameters.
    value : callable
        Returns ``[value]``.
    value_and_slopes : callable or None
        Returns the value and its derivative by each parameter, which may be a Python float; None
        where dual numbers are to be carried through `value`.
    compile_fit : callable or None
        Makes the function that fills the rows of a fit; None likewise.
    """

    columns: tuple[int, ...]
    value: Callable[..., list[Any]]
    value_and_slopes: Callable[..., list[Any]] | None
    compile_fit: Callable[[], Callable[..., None]] | None = None

    def evaluate(self, X: FloatArray, params: FloatArray) -> FloatArray:
        """Compute the formula; see `Model.evaluate`."""
        values = np.empty((len(params), len(X)))
        with np.errstate(all="ignore"):
            for part in blocks(len(params), len(X)):
                (values[part],) = self.value(*self._operands(X, params, part))
        return values

    def linearise(self, X: FloatArray, params: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Compute the formula and its exact derivatives; see `Model.linearise`."""
        values = np.empty((len(params), len(X)))
        derivatives = np.empty((*params.shape, len(X)))
        run = self.value_and_slopes
        with np.errstate(all="ignore"):
            for part in blocks(len(params), len(X)):
                operands = self._operands(X, params, part)
                rows = derivatives[part[0], :, part[1]]
                if run is None:
                    self._linearise_by_duals(operands, values[part], rows)
                    continue
                values[part], *slopes = run(*operands)
                for i, slope in enumerate(slopes):
                    rows[:, i] = slope
        return values, derivatives

    def at(self, X: FloatArray) -> At | None:
        """Return the formula at these features; see `Model.at`."""
        run = self.value_and_slopes
        if run is None:
            return None
        return partial(run, *(np.ascontiguousarray(X[:, j]) for j in self.columns))

    def filling(self, X: FloatArray) -> Filling | None:
        """Return what fills the rows of a fit to these features; see `Model.filling`."""
        run = self._fill
        if run is None:
            return None
        return partial(run, *(np.ascontiguousarray(X[:, j]) for j in self.columns))

    @cached_property
    def _fill(self) -> Callable[..., None] | None:
        return None if self.compile_fit is None else self.compile_fit()

    def _operands(self, X: FloatArray, params: FloatArray, part: tuple[slice, slice]) -> list[Any]:
        """Return the arguments of one part of the (B, n) output.

        A single problem has its parameters as numbers, several as columns (B, 1).
        """
        problems, rows = part
        operands: list[Any] = [X[rows, j] for j in self.columns]
        block = params[problems]
        operands.extend(block[0] if len(block) == 1 else block.T[:, :, None])
        return operands

    def _linearise_by_duals(self, operands: list[Any], values: FloatArray, row: FloatArray) -> None:
        columns, params = operands[: len(self.columns)], operands[len(self.columns) :]
        (result,) = self.value(*columns, *seeds(params))
        values[...] = result.value if isinstance(result, Dual) else result
        derivative_rows(result, row)
