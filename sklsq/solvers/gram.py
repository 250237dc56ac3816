"""Products of the rows of many small matrices with each other."""

from __future__ import annotations

import numpy as np

from sklsq._typing import FloatArray

__all__ = ["gram_matrices"]

_WORTH_BLAS = 4_000  # entries of a matrix from which on a call of BLAS for each pays


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
