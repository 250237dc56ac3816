r"""Many small symmetric systems at once, by arithmetic along the batch.

LAPACK takes a third of a microsecond for each matrix of a stack, however small. Here the entries of
B matrices are k² arrays of length B, and the textbook recurrences run over the entries,

.. math::
    L_{jj} = \sqrt{A_{jj} - \textstyle\sum_{l<j} L_{jl}^2}, \qquad
    L_{ij} = (A_{ij} - \textstyle\sum_{l<j} L_{il}L_{jl})/L_{jj},

(Golub & Van Loan, *Matrix Computations*, 4th ed., 4.2.5), with M = L⁻¹ by forward substitution in
the same loop. Then :math:`A^{-1} = M^\mathsf{T}M`, its trace is the sum of squares of M, and what
is not positive definite comes out as NaN.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from sklsq._typing import BoolArray, FloatArray

__all__ = ["InverseRoots", "inverse_roots"]

_LARGEST, _FEWEST = 8, 16  # order and number of matrices for which this is the faster way


class InverseRoots(Protocol):
    """``M`` with ``M.T @ M`` the inverse of each of B matrices; NaN where that does not exist."""

    def where(self, mask: BoolArray) -> InverseRoots:
        """Return those of a mask (B,)."""

    def half(self, b: FloatArray) -> FloatArray:
        """Return M b (k, B) of right sides b (B, k)."""

    def solve(self, b: FloatArray) -> FloatArray:
        """Return the solutions (B, k) of right sides (B, k)."""

    def trace(self) -> FloatArray:
        """Return the traces (B,) of the inverses."""


class _Entries:
    """M by its entries on and below the diagonal.

    Parameters
    ----------
    rows : list of list of ndarray of shape (B,)
        ``rows[i][j]`` for ``j <= i``.
    """

    __slots__ = ("rows",)

    def __init__(self, rows: list[list[FloatArray]]) -> None:
        self.rows = rows

    def where(self, mask: BoolArray) -> _Entries:
        return _Entries([[entry[mask] for entry in row] for row in self.rows])

    def half(self, b: FloatArray) -> FloatArray:
        columns = b.T
        out = np.empty(columns.shape)
        for i, row in enumerate(self.rows):
            total = out[i]
            np.multiply(row[0], columns[0], out=total)
            for j in range(1, i + 1):
                total += row[j] * columns[j]
        return out

    def solve(self, b: FloatArray) -> FloatArray:
        half, rows = self.half(b), self.rows
        k = len(rows)
        out = np.empty((len(b), k))
        for j in range(k):
            total = rows[j][j] * half[j]
            for i in range(j + 1, k):
                total += rows[i][j] * half[i]
            out[:, j] = total
        return out

    def trace(self) -> FloatArray:
        total = np.zeros_like(self.rows[0][0])
        for row in self.rows:
            for entry in row:
                total += entry * entry
        return total


class _Dense:
    """M (B, k, k) of principal directions, for large matrices or few."""

    __slots__ = ("M",)

    def __init__(self, M: FloatArray) -> None:
        self.M = M

    def where(self, mask: BoolArray) -> _Dense:
        return _Dense(self.M[mask])

    def half(self, b: FloatArray) -> FloatArray:
        product: FloatArray = np.einsum("bij,bj->ib", self.M, b)
        return product

    def solve(self, b: FloatArray) -> FloatArray:
        solution: FloatArray = np.einsum("bij,ib->bj", self.M, self.half(b))
        return solution

    def trace(self) -> FloatArray:
        squares: FloatArray = np.einsum("bij,bij->b", self.M, self.M)
        return squares


def inverse_roots(A: FloatArray, shift: FloatArray | float = 0.0) -> InverseRoots:
    """Factorise B symmetric matrices.

    Parameters
    ----------
    A : ndarray of shape (B, k, k)
    shift : float or ndarray of shape (B,) or (B, k)
        Added to the diagonals.
    """
    n, k, _ = A.shape
    if k > _LARGEST or n < _FEWEST:
        return _of_directions(A, shift)
    entries = np.ascontiguousarray(A.reshape(n, k * k).T)
    diagonal = np.broadcast_to(np.asarray(shift).T, (k, n))
    L: list[list[FloatArray]] = []
    M: list[list[FloatArray]] = []
    for i in range(k):
        row: list[FloatArray] = []
        for j in range(i):
            total = entries[i * k + j].copy()
            for left, right in zip(row, L[j], strict=False):  # up to column j
                total -= left * right
            total *= M[j][j]
            row.append(total)
        pivot = entries[i * k + i] + diagonal[i]
        for entry in row:
            pivot -= entry * entry
        inverse = 1.0 / np.sqrt(pivot)
        negative = -inverse
        below: list[FloatArray] = []
        for j in range(i):
            total = row[j] * M[j][j]
            for between in range(j + 1, i):
                total += row[between] * M[between][j]
            total *= negative
            below.append(total)
        L.append(row)
        M.append([*below, inverse])
    return _Entries(M)


def _of_directions(A: FloatArray, shift: FloatArray | float) -> _Dense:
    n, k, _ = A.shape
    shifted, places = A.copy(), np.arange(k)
    shifted[:, places, places] += np.broadcast_to(np.asarray(shift).T, (k, n)).T
    w, V = np.linalg.eigh(np.where(np.isfinite(shifted), shifted, 0.0))
    with np.errstate(all="ignore"):
        return _Dense(V.swapaxes(1, 2) / np.sqrt(w)[:, :, None])
