r"""Double-double arithmetic on arrays: numbers carried as an unevaluated sum of two doubles.

A `DoubleDouble` ``(hi, lo)`` stands for ``hi + lo`` with ``|lo| <= ulp(hi)/2``: about 32 decimal
digits with nothing but IEEE double precision (round to nearest), hence the same on every platform;
no 80-bit registers, no fused multiply-add. It rests on two error-free transformations:

* the sum, ``a + b = s + e`` exactly (Knuth, *The Art of Computer Programming* vol. 2, 4.2.2,
theorem B); * the product, ``a * b = p + e`` exactly, after Veltkamp's splitting of each factor into
halves of 26 bits
  (Dekker, *Numer. Math.* 18 (1971) 224).

Sums and products of two double-doubles follow Hida, Li & Bailey (ARITH-15, 2001); the relative
error of each operation is a small multiple of :math:`2^{-104}` of the magnitudes involved. Factors
must stay below :math:`2^{996}`, or the splitting overflows; solvers scale by powers of two first.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sklsq._typing import FloatArray

__all__ = ["DoubleDouble", "matmul", "sum_rows", "two_product", "two_sum"]

_SPLITTER = 134217729.0  # 2**27 + 1


def two_sum(a: Any, b: Any) -> tuple[Any, Any]:
    """Return ``(s, e)`` with ``s = fl(a + b)`` and ``s + e = a + b`` exactly."""
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def _quick_two_sum(a: Any, b: Any) -> tuple[Any, Any]:
    """As `two_sum`, for ``|a| >= |b|``."""
    s = a + b
    return s, b - (s - a)


def split(a: Any) -> tuple[Any, Any]:
    """Return Veltkamp's halves of `a`: ``a = high + low``, each of at most 26 bits."""
    c = _SPLITTER * a
    high = c - (c - a)
    return high, a - high


def two_product(a: Any, b: Any) -> tuple[Any, Any]:
    """Return ``(p, e)`` with ``p = fl(a * b)`` and ``p + e = a * b`` exactly."""
    a_high, a_low = split(a)
    b_high, b_low = split(b)
    p = a * b
    return p, ((a_high * b_high - p) + a_high * b_low + a_low * b_high) + a_low * b_low


class DoubleDouble:
    """An array of double-double numbers, ``hi + lo``.

    Supports ``+``, ``-``, ``*`` with itself, arrays and numbers, powers with a non-negative
    integer, slicing, and broadcasting. It is what the refinement of a fit computes in; users never
    see one.

    Parameters
    ----------
    hi, lo : array_like of float
        Leading and trailing parts, of the same shape; `lo` None means zero.

    Examples
    --------
    >>> from sklsq.solvers.extended import DoubleDouble
    >>> third = DoubleDouble(1.0) - DoubleDouble(3.0) * 0.333
    >>> float(third.hi)
    0.0009999999999999454
    """

    __slots__ = ("hi", "lo")
    __array_ufunc__ = None  # so that ``array * DoubleDouble`` reaches __rmul__

    def __init__(self, hi: Any, lo: Any = None) -> None:
        self.hi: FloatArray = np.asarray(hi, dtype=np.float64)
        self.lo: FloatArray = (
            np.zeros_like(self.hi) if lo is None else np.asarray(lo, dtype=np.float64)
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return self.hi.shape

    @property
    def T(self) -> DoubleDouble:
        """The transpose."""
        return DoubleDouble(self.hi.T, self.lo.T)

    def __getitem__(self, key: Any) -> DoubleDouble:
        return DoubleDouble(self.hi[key], self.lo[key])

    def __neg__(self) -> DoubleDouble:
        return DoubleDouble(-self.hi, -self.lo)

    def __pos__(self) -> DoubleDouble:
        return self

    def __add__(self, other: Any) -> DoubleDouble:
        if isinstance(other, DoubleDouble):
            s, e = two_sum(self.hi, other.hi)
            return DoubleDouble(*_quick_two_sum(s, e + (self.lo + other.lo)))
        s, e = two_sum(self.hi, other)
        return DoubleDouble(*_quick_two_sum(s, e + self.lo))

    __radd__ = __add__

    def __sub__(self, other: Any) -> DoubleDouble:
        return self.__add__(-other)

    def __rsub__(self, other: Any) -> DoubleDouble:
        return (-self).__add__(other)

    def __mul__(self, other: Any) -> DoubleDouble:
        if isinstance(other, DoubleDouble):
            p, e = two_product(self.hi, other.hi)
            return DoubleDouble(*_quick_two_sum(p, e + (self.hi * other.lo + self.lo * other.hi)))
        p, e = two_product(self.hi, other)
        return DoubleDouble(*_quick_two_sum(p, e + self.lo * other))

    __rmul__ = __mul__

    def __pow__(self, exponent: int) -> DoubleDouble:
        power, square, remaining = DoubleDouble(np.ones_like(self.hi)), self, int(exponent)
        while remaining:
            if remaining & 1:
                power = power * square
            remaining >>= 1
            if remaining:
                square = square * square
        return power

    def reciprocal(self) -> DoubleDouble:
        """Return ``1 / self`` (one Newton step on the double quotient)."""
        q = DoubleDouble(1.0 / self.hi)
        return q + q * (1.0 - self * q)

    def sqrt(self) -> DoubleDouble:
        """Return the square root (one Newton step on the double root of a positive number)."""
        root = np.sqrt(self.hi)
        return DoubleDouble(
            *_quick_two_sum(root, (self - DoubleDouble(root) * root).hi / (2.0 * root))
        )


def sum_rows(a: DoubleDouble) -> DoubleDouble:
    """Return the sum over the first axis, by pairwise halving."""
    hi, lo = a.hi, a.lo
    while (n := hi.shape[0]) > 1:
        half = n // 2
        s, e = two_sum(hi[:half], hi[half : 2 * half])
        s, e = _quick_two_sum(s, e + (lo[:half] + lo[half : 2 * half]))
        if n % 2:  # the odd row joins the first pair
            last, error = two_sum(s[0], hi[-1])
            s[0], e[0] = _quick_two_sum(last, error + (e[0] + lo[-1]))
        hi, lo = s, e
    return DoubleDouble(hi[0], lo[0])


def matmul(a: DoubleDouble | FloatArray, b: DoubleDouble | FloatArray) -> DoubleDouble:
    """Return the matrix product of `a` (n, k) and `b` (k, m), formed and summed in double-double.

    Each operand may be a plain array, which is exact and cheaper.
    """
    if a.shape[0] * a.shape[1] * b.shape[1] <= _AT_ONCE:
        terms = _times(a.T[:, :, None], b[:, None, :])
        return sum_rows(terms)
    total = DoubleDouble(np.zeros((a.shape[0], b.shape[1])))
    for k in range(a.shape[1]):
        total = total + _times(a[:, k, None], b[k])
    return total


_AT_ONCE = 20_000  # terms that are cheaper to form all together than one k after another


def _times(a: DoubleDouble | FloatArray, b: DoubleDouble | FloatArray) -> DoubleDouble:
    """Return the product entry by entry, of which at least one operand may be plain."""
    if isinstance(a, DoubleDouble):
        return a * b
    return b * a if isinstance(b, DoubleDouble) else DoubleDouble(*two_product(a, b))
