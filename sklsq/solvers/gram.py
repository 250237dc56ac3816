"""Products of the rows of one matrix, or of many small ones, with each other.

NumPy hands ``A @ A.T`` to BLAS as a symmetric product, which for a few long rows was measured to be
two and a half times slower than the general one. Leaving the last row out of one factor makes it
general.
"""

from __future__ import annotations

import numpy as np

from sklsq._typing import FloatArray

__all__ = ["gram_matrices", "gram_matrix", "products_of"]

_WORTH_BLAS = 4_000  # entries of a matrix from which on a call of BLAS for each pays


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
    """Return the products (B, k, k) of stacked rows (B, k, n).

    Few columns are multiplied row by row, all matrices together.

    Examples
    --------
    >>> import numpy as np
    >>> gram_matrices(np.array([[[1.0, 2.0], [0.0, 3.0]]]))
    array([[[5., 6.],
            [6., 9.]]])
    """
    n_matrices, k, n = rows.shape
    gram: FloatArray = np.empty((n_matrices, k, k)) if out is None else out
    if k * n > _WORTH_BLAS:
        return np.matmul(rows, rows.swapaxes(1, 2), out=gram)
    for i in range(k):
        column = np.matmul(rows[:, i:], rows[:, i, :, None])[:, :, 0]
        gram[:, i, i:], gram[:, i:, i] = column, column
    return gram
