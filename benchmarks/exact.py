"""The exact answer of a float problem, in whole numbers.

Every double is a whole number times a power of two, so the Gram matrix of a float design is
computed exactly with Python integers; weights 1/σ² are rounded once, to 128 bits. The small system
is solved in mpmath with `DECIMALS` digits, so the answer is that of the float matrix itself, at
any condition number met here.
"""

from __future__ import annotations

import mpmath
import numpy as np
from answers import Answer

DECIMALS = 120
WEIGHT_BITS = 128
EXACT_FIT = 1e-25
"""A residual variance this small beside Σ w y² is the rounding of y: the errors are called zero."""


def as_integers(values: np.ndarray) -> tuple[np.ndarray, int]:
    """Whole numbers k (object array) and one exponent e with values = k 2^e, exactly."""
    mantissa, exponent = np.frexp(np.asarray(values, dtype=float))
    lowest = int(exponent[mantissa != 0].min(initial=0))
    whole = (mantissa * 2.0**53).astype(np.int64).astype(object)
    shift = np.where(mantissa != 0, exponent - lowest, 0).astype(object)
    return whole << shift, lowest - 53


def integer_weights(sigma: np.ndarray | None, n_samples: int) -> tuple[np.ndarray, int]:
    """1/σ² as whole numbers and their exponent, each rounded to at least `WEIGHT_BITS` bits."""
    if sigma is None:
        return np.full(n_samples, 1, dtype=object), 0
    whole, exponent = as_integers(sigma)
    square = whole * whole
    bits = max(value.bit_length() for value in square) + WEIGHT_BITS
    return (1 << bits) // square, -bits - 2 * exponent


def solve_exact(design: np.ndarray, y: np.ndarray, sigma: np.ndarray | None = None) -> Answer:
    """Weighted least squares of the float matrix as it is; errors scaled by χ²/dof without σ."""
    columns, column_exponent = as_integers(design)
    target, target_exponent = as_integers(y)
    weights, weight_exponent = integer_weights(sigma, len(y))
    weighted = columns * weights[:, None]
    gram, moment, total = weighted.T @ columns, weighted.T @ target, (weights * target) @ target
    size = range(design.shape[1])
    with mpmath.workdps(DECIMALS):
        unit = mpmath.ldexp(1, weight_exponent)
        column, response = mpmath.ldexp(1, column_exponent), mpmath.ldexp(1, target_exponent)
        return _solve(
            unit * column**2 * mpmath.matrix([[_real(gram[i, j]) for j in size] for i in size]),
            unit * column * response * mpmath.matrix([_real(moment[i]) for i in size]),
            unit * response**2 * _real(total),
            dof=len(y) - len(size) if sigma is None else None,
        )


def solve_exact_polynomial(
    x: np.ndarray, y: np.ndarray, sigma: np.ndarray | None, degree: int, *, block: int = 50_000
) -> Answer:
    """As `solve_exact`, with exact powers of the float x: from Σ w x^k and Σ w y x^k."""
    base, base_exponent = as_integers(x)
    target, target_exponent = as_integers(y)
    weights, weight_exponent = integer_weights(sigma, len(x))
    sums, moments, total = [0] * (2 * degree + 1), [0] * (degree + 1), (weights * target) @ target
    for start in range(0, len(x), block):
        rows = slice(start, start + block)
        power = weights[rows]
        for k in range(2 * degree + 1):
            sums[k] += power.sum()
            if k <= degree:
                moments[k] += power @ target[rows]
            power = power * base[rows]
    size = range(degree + 1)
    with mpmath.workdps(DECIMALS):
        unit, response = mpmath.ldexp(1, weight_exponent), mpmath.ldexp(1, target_exponent)
        sums = [
            _real(value) * mpmath.ldexp(unit, k * base_exponent) for k, value in enumerate(sums)
        ]
        powers = [mpmath.ldexp(unit, k * base_exponent) for k in size]
        return _solve(
            mpmath.matrix([[sums[i + j] for j in size] for i in size]),
            mpmath.matrix([_real(moments[k]) * powers[k] * response for k in size]),
            unit * response**2 * _real(total),
            dof=len(y) - len(size) if sigma is None else None,
        )


def _real(whole: int) -> mpmath.mpf:
    return mpmath.mpf(int(whole))


def _solve(
    gram: mpmath.matrix, moment: mpmath.matrix, total: mpmath.mpf, *, dof: int | None
) -> Answer:
    inverse = gram**-1
    params = inverse * moment
    variance = mpmath.mpf(1) if dof is None else (total - (moment.T * params)[0]) / dof
    if dof is not None and variance < EXACT_FIT * total:
        variance = mpmath.mpf(0)
    std = [mpmath.sqrt(abs(variance * inverse[i, i])) for i in range(gram.rows)]
    return Answer(np.array([float(v) for v in params]), np.array([float(v) for v in std]))
