r"""Many small symmetric systems at once, by arithmetic along the batch.

LAPACK takes a third of a microsecond for each matrix of a stack, however small. Here the entries of
B matrices are k² arrays of length B, the last axis that of the batch throughout, and Gauss's
elimination runs over the entries: with the pivots' roots divided out, what it leaves of

.. math:: [A \mid 1] \;\longrightarrow\; [L^\mathsf{T} \mid L^{-1}]

are the Cholesky factor of :math:`A = LL^\mathsf{T}` and M = L⁻¹ (Golub & Van Loan, *Matrix
Computations*, 4th ed., 4.2.5). Then :math:`A^{-1} = M^\mathsf{T}M`, its trace is the sum of squares
of M, and what is not positive definite comes out as NaN.
"""

from __future__ import annotations

import numpy as np

from sklsq._typing import BoolArray, FloatArray, IntArray

__all__ = ["InverseRoots", "inner", "inverse_roots", "inverse_triangles"]


def inner(u: FloatArray, v: FloatArray) -> FloatArray:
    """Return the products (B,) of vectors (k, B)."""
    products: FloatArray = np.einsum("ib,ib->b", u, v)
    return products


class InverseRoots:
    """``M`` with ``M.T @ M`` the inverse of each of B matrices; NaN where that does not exist.

    Parameters
    ----------
    eliminated : ndarray of shape (k, 2 k, B)
        ``L.T`` beside ``M``; what is left of L.T's diagonal means nothing.
    """

    __slots__ = ("_eliminated",)

    def __init__(self, eliminated: FloatArray) -> None:
        self._eliminated = eliminated

    @property
    def M(self) -> FloatArray:
        """The inverses (k, k, B) of the Cholesky factors, lower triangles."""
        return self._eliminated[:, len(self._eliminated) :]

    def triangles(self) -> FloatArray:
        """Return ``R`` (k, k, B), upper triangles with ``R.T @ R`` the matrices."""
        R = self._eliminated[:, : len(self._eliminated)].copy()
        R[np.tril_indices(len(R), -1)] = 0.0
        return R

    def where(self, which: BoolArray | IntArray) -> InverseRoots:
        """Return some of them."""
        return InverseRoots(self._eliminated[:, :, which])

    def half(self, b: FloatArray) -> FloatArray:
        """Return M b (k, B) of right sides b (k, B)."""
        half: FloatArray = np.einsum("ijb,jb->ib", self.M, b)
        return half

    def solve(self, b: FloatArray) -> FloatArray:
        """Return the solutions (k, B) of right sides (k, B)."""
        solution: FloatArray = np.einsum("jib,jb->ib", self.M, self.half(b))
        return solution

    def trace(self) -> FloatArray:
        """Return the traces (B,) of the inverses."""
        traces: FloatArray = np.einsum("ijb,ijb->b", self.M, self.M)
        return traces


def inverse_roots(A: FloatArray, shift: FloatArray | float = 0.0) -> InverseRoots:
    """Factorise B symmetric matrices.

    Parameters
    ----------
    A : ndarray of shape (k, k, B)
        Their upper triangles are looked at.
    shift : float or ndarray of shape (B,) or (k, B)
        Added to the diagonals.
    """
    k, _, n = A.shape
    W, places = np.empty((k, 2 * k, n)), np.arange(k)
    W[:, :k], W[:, k:] = A, 0.0
    W[places, places] += shift
    W[places, k + places] = 1.0
    scratch = np.empty(k * k * n)
    for j in range(k):
        row = W[j, j : k + j + 1]  # the columns after those of M are still zero
        row /= np.sqrt(W[j, j])
        below = W[j + 1 :, j + 1 : k + j + 1]
        change = scratch[: below.size].reshape(below.shape)
        np.multiply(row[1 : k - j, None], row[1:], out=change)
        below -= change
    return InverseRoots(W)


def inverse_triangles(R: FloatArray) -> FloatArray:
    """Return the inverses (B, k, k) of upper triangles (B, k, k), by substitution from below.

    What is singular comes out infinite or NaN. The arrays are those of stacked matrices, as LAPACK
    has them.
    """
    n, k, _ = R.shape
    given, inverse = np.ascontiguousarray(R.transpose(1, 2, 0)), np.zeros((k, k, n))
    for i in range(k - 1, -1, -1):
        pivot = 1.0 / given[i, i]
        rest = np.einsum("lb,ljb->jb", given[i, i + 1 :], inverse[i + 1 :, i + 1 :])
        inverse[i, i], inverse[i, i + 1 :] = pivot, -rest * pivot
    return np.ascontiguousarray(inverse.transpose(2, 0, 1))
