"""Columns of a design matrix: those the user named, and the better conditioned ones computed with.

Subtracting the mean of x makes intercept and slope uncorrelated ("it pays to normalise"; Glover,
Jenkins & Doney, *Modeling Methods for Marine Science*, 3.2.3) and keeps the digits that a large
offset would cost. The columns here do so inside, whatever multiple of the constant column has to be
subtracted, and carry the matrix `change` that brings coefficients and covariance back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sklsq._typing import FloatArray
from sklsq.solvers.extended import DoubleDouble
from sklsq.solvers.rows import scale_rows

__all__ = [
    "CentredColumns",
    "ColumnSource",
    "FixedColumns",
    "InterceptColumns",
    "MatrixSource",
    "centred",
]


@dataclass(frozen=True)
class InterceptColumns:
    """A constant and the features less `centre`: the columns of a straight line or plane.

    Parameters
    ----------
    centre : ndarray of shape (p,)
        Subtracted from the features; any value gives the same fit, one near their mean the most
        digits.
    """

    centre: FloatArray

    @property
    def n_columns(self) -> int:
        """Number of columns, p + 1."""
        return int(self.centre.shape[0]) + 1

    @property
    def offsets(self) -> FloatArray:
        """Multiples of the constant subtracted from each column."""
        return np.concatenate([[0.0], self.centre])

    @property
    def change(self) -> DoubleDouble:
        """From internal to user coefficients: intercept = value at the centre - slopes · centre."""
        change = np.eye(self.n_columns)
        change[0, 1:] = -self.centre
        return DoubleDouble(change)

    def block(self, X: FloatArray, weight: FloatArray | float = 1.0) -> FloatArray:
        """Return the internal columns of `X` (n, p), rows times `weight`."""
        columns = np.empty((X.shape[0], self.n_columns))
        columns[:, 0] = weight
        np.subtract(X, self.centre, out=columns[:, 1:])
        if not isinstance(weight, float):
            columns[:, 1:] *= weight[:, None]
        elif weight != 1.0:
            columns[:, 1:] *= weight
        return columns

    def block_extended(self, X: FloatArray) -> DoubleDouble:
        """Return the internal columns of `X` (n, p), exactly."""
        differences = DoubleDouble(X) - self.centre
        ones = np.ones((X.shape[0], 1))
        return DoubleDouble(
            np.hstack([ones, differences.hi]), np.hstack([0.0 * ones, differences.lo])
        )


@dataclass(frozen=True)
class FixedColumns:
    """Columns evaluated, and whitened, beforehand: what is passed as features are the columns.

    Parameters
    ----------
    n_columns : int
        Number m of columns.
    change : DoubleDouble of shape (m, m) or None
        From internal to user coefficients.
    offsets : ndarray of shape (m,) or None
        Multiples of the first column subtracted from each.
    """

    n_columns: int
    change: DoubleDouble | None
    offsets: FloatArray | None

    def block(self, X: FloatArray, weight: FloatArray | float = 1.0) -> FloatArray:
        """Return `X`, rows times `weight`."""
        return scale_rows(X, weight)

    def block_extended(self, X: FloatArray) -> DoubleDouble:
        """Return `X`."""
        return DoubleDouble(X)


class ColumnSource(Protocol):
    """Evaluates the columns as the user named them."""

    @property
    def names(self) -> Sequence[str]:
        """Names of the columns."""
        ...

    def evaluate(self, X: FloatArray) -> FloatArray:
        """Return the columns (n, m); may be `X` itself."""
        ...

    def evaluate_extended(self, X: FloatArray) -> DoubleDouble:
        """Return the columns (n, m) beyond double precision where that has a meaning."""
        ...

    def is_constant(self, column: int, X: FloatArray) -> bool:
        """Tell whether a column, constant in a sample of the rows, is so in all."""
        ...


@dataclass(frozen=True)
class MatrixSource:
    """The features are the columns."""

    names: Sequence[str]

    def evaluate(self, X: FloatArray) -> FloatArray:
        """Return `X`."""
        return X

    def evaluate_extended(self, X: FloatArray) -> DoubleDouble:
        """Return `X`, which is exact."""
        return DoubleDouble(X)

    def is_constant(self, column: int, X: FloatArray) -> bool:
        """Tell whether a feature has the same value in all rows."""
        return bool((X[:, column] == X[0, column]).all())


@dataclass(frozen=True)
class CentredColumns:
    """Columns of a source, the constant one first and a multiple of it subtracted from the others.

    Parameters
    ----------
    source : ColumnSource
        Evaluates the columns.
    constant : int or None
        Index of the constant column; None leaves the columns as they are.
    multiples : ndarray of shape (m,)
        Multiple of the constant column subtracted from each column.
    """

    source: ColumnSource
    constant: int | None
    multiples: FloatArray

    @property
    def n_columns(self) -> int:
        """Number m of columns."""
        return len(self.source.names)

    @property
    def offsets(self) -> FloatArray | None:
        """Multiples of the constant subtracted from each internal column."""
        return None if self.constant is None else self.multiples[self._order]

    @property
    def change(self) -> DoubleDouble | None:
        """From internal to user coefficients."""
        if self.constant is None:
            return None
        change = np.eye(self.n_columns)[:, self._order]
        change[self.constant] -= self.multiples[self._order]
        return DoubleDouble(change)

    @property
    def _order(self) -> list[int]:
        return [self.constant, *(j for j in range(self.n_columns) if j != self.constant)]  # type: ignore[list-item]

    def block(self, X: FloatArray, weight: FloatArray | float = 1.0) -> FloatArray:
        """Return the internal columns of `X`, rows times `weight`."""
        columns = self.source.evaluate(X)
        if self.constant is not None:
            columns = columns[:, self._order]
            columns[:, 1:] -= columns[:, :1] * self.multiples[self._order][1:]
        return scale_rows(columns, weight)

    def block_extended(self, X: FloatArray) -> DoubleDouble:
        """Return the internal columns of `X`, without rounding the differences."""
        columns = self.source.evaluate_extended(X)
        if self.constant is None:
            return columns
        columns = columns[:, self._order]
        return columns - columns[:, :1] * self.multiples[self._order]


def centred(source: ColumnSource, X: FloatArray) -> CentredColumns:
    """Return the columns of `source`, centred where that is possible and worth while.

    It is worth while if some column's mean is more than ten times its spread.
    """
    n, m = X.shape[0], len(source.names)
    ends = source.evaluate(X[[0, n // 2, n - 1]])
    if not ((ends == ends[0]).all(axis=0) & (ends[0] != 0.0)).any():
        return CentredColumns(source, None, np.zeros(m))
    sample = source.evaluate(X[:: max(1, n // _SAMPLE)])
    with np.errstate(over="ignore", invalid="ignore"):
        flat = np.flatnonzero((sample == sample[0]).all(axis=0) & (sample[0] != 0.0))
        mean, spread = sample.mean(axis=0), sample.std(axis=0)
        far = np.abs(mean) > _FAR * spread
    far[flat] = False
    if far.any():
        for constant in flat:
            if source.is_constant(int(constant), X):
                multiples = np.where(far, mean / sample[0, constant], 0.0)
                return CentredColumns(source, int(constant), multiples)
    return CentredColumns(source, None, np.zeros(m))


_SAMPLE = 256
_FAR = 10.0
