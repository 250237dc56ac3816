"""Products of the rows of one matrix, or of many small ones, with each other.

NumPy hands ``A @ A.T`` to BLAS as a symmetric product, which for a few long rows was measured to be
two and a half times slower than the general one. Leaving the last row out of one factor makes it
general.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sklsq._typing import FloatArray

__all__ = ["gram_matrices", "gram_matrix", "products_of"]

_WORTH_BLAS = 12  # rows of a matrix from which on a call of BLAS for each pays


def products_of(rows: FloatArray) -> tuple[FloatArray, float]:
    """Return the products (k + 1, k) of rows with all but the last, and the last's square.

    Parameters
    ----------
    rows : ndarray of shape (k + 1, n)
        J with the residuals below: Gram matrix above the gradient, and χ².

    Examples
    --------
    >>> import numpy as np
    >>> products_of(np.array([[1.0, 1.0], [0.0, 2.0], [1.0, 3.0]]))
    (array([[2., 2.],
           [2., 4.],
           [4., 6.]]), 10.0)
    """
    last = rows[-1]
    return rows.dot(rows[:-1].T), float(last.dot(last))


def gram_matrix(rows: FloatArray) -> FloatArray:
    """Return the products (k, k) of rows (k, n).

    Examples
    --------
    >>> import numpy as np
    >>> gram_matrix(np.array([[1.0, 2.0], [0.0, 3.0]]))
    array([[5., 6.],
           [6., 9.]])
    """
    products, square = products_of(rows)
    gram = np.empty((len(rows), len(rows)))
    gram[:, :-1], gram[:-1, -1], gram[-1, -1] = products, products[-1], square
    return gram


def gram_matrices(rows: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """Return the products (k, k, B) of the rows (k, B, n) of B matrices.

    Row by row, all matrices together: calls of BLAS that multiply whole matrices, one by one, only
    pay for many rows.

    Examples
    --------
    >>> import numpy as np
    >>> gram_matrices(np.array([[[1.0, 2.0]], [[0.0, 3.0]]]))[:, :, 0]
    array([[5., 6.],
           [6., 9.]])
    """
    k, n_matrices, _ = rows.shape
    gram: FloatArray = np.empty((k, k, n_matrices)) if out is None else out
    if k >= _WORTH_BLAS:
        matrices = rows.swapaxes(0, 1)
        np.matmul(matrices, matrices.swapaxes(1, 2), out=gram.transpose(2, 0, 1))
        return gram
    for i in range(k):
        _dots(rows[i:], rows[i], gram[i, i:])
        gram[i + 1 :, i] = gram[i, i + 1 :]
    return gram


def _dots_by_matmul(rows: FloatArray, row: FloatArray, out: FloatArray) -> None:
    """Write the products (m, B) of rows (m, B, n) with rows (B, n)."""
    np.matmul(rows[:, :, None], row[:, :, None], out=out[:, :, None, None])


_dots: Callable[[FloatArray, FloatArray, FloatArray], object]
_dots = getattr(np, "vecdot", _dots_by_matmul)  # since NumPy 2.0, a little faster
