r"""A matrix product by BLAS that keeps the digits which cancellation would cost.

In :math:`Z = AP` with P the inverse of a triangular factor of A the terms of every sum are larger
than the sum by up to the condition number κ, and the rounding of double precision leaves an error
of :math:`\varepsilon\kappa`. Both factors are therefore split,

.. math:: A = A_1 + A_2, \qquad P = P_1 + P_2,

into a leading part of few bits, the same for all entries of a column of A and for all entries of
the row of P that meets it, and the rest. The terms of :math:`A_1P_1` then are multiples of a common
unit, small enough that BLAS sums them without any rounding, in whatever order; what is rounded is
smaller by the bits split off. With b bits each the error is :math:`\varepsilon\kappa 2^{-b}`, for
four products instead of one (Ozaki, Ogita, Oishi & Rump, *Numer. Algorithms* 59 (2012) 95).
"""

from __future__ import annotations

import numpy as np

from sklsq._typing import FloatArray

__all__ = ["split_product"]

_MANTISSA = 53


def split_product(A: FloatArray, P: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return ``A @ P``, `A` (n, k) and `P` (k, m), as a leading part, which is exact, and the rest.

    Parameters
    ----------
    A : ndarray of shape (n, k)
        Rows; the columns may differ in size.
    P : ndarray of shape (k, m)
        Factor with rows of about the inverse size.

    Returns
    -------
    leading, rest : ndarray of shape (n, m)
        Two arrays whose sum is the product.
    """
    bits = (_MANTISSA - int(np.ceil(np.log2(max(A.shape[1], 2))))) // 2
    _, exponents = np.frexp(np.abs(A).max(axis=0, initial=0.0))
    units = np.ldexp(1.0, exponents)  # columns of A / units lie in [-1, 1]
    scaled = P * units[:, None]
    _, largest = np.frexp(np.abs(scaled).max(axis=0, initial=0.0))
    P1 = _leading(scaled, np.ldexp(1.0, largest), bits) / units[:, None]
    A1 = _leading(A, units, bits)
    return A1 @ P1, (A - A1) @ P + A1 @ (P - P1)


def _leading(array: FloatArray, units: FloatArray, bits: int) -> FloatArray:
    """Return the entries rounded to multiples of ``units * 2**-bits``, one unit a column.

    Adding a number whose last place is that multiple, and taking it away again, rounds to it.
    """
    anchor = 1.5 * np.ldexp(units, _MANTISSA - 1 - bits)
    return (array + anchor) - anchor
