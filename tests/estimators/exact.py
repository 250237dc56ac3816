"""Least squares in exact rational arithmetic: what the answer is, whatever the condition."""

from dataclasses import dataclass
from fractions import Fraction
from math import sqrt

import numpy as np

__all__ = ["ExactFit", "exact_least_squares", "exact_line"]

_WEIGHT_BITS = 400  # 1/sigma**2 is no binary fraction; this leaves an error of 1e-100


@dataclass(frozen=True)
class ExactFit:
    """Coefficients, covariance for unit variance, and sum of squares, as fractions."""

    coefficients: list[Fraction]
    inverse: list[list[Fraction]]
    sum_of_squares: Fraction
    n_samples: int

    @property
    def coef(self):
        return np.array([float(value) for value in self.coefficients])

    @property
    def covariance(self):
        return np.array([[float(value) for value in row] for row in self.inverse])

    @property
    def chi2(self):
        return float(self.sum_of_squares)

    @property
    def dof(self):
        return self.n_samples - len(self.coefficients)

    @property
    def std(self):
        """Absolute standard errors: those of unit variance, or of the sigma given."""
        return np.array([sqrt(self.inverse[j][j]) for j in range(len(self.inverse))])

    @property
    def scaled_std(self):
        """Standard errors scaled by the scatter."""
        scale = self.sum_of_squares / self.dof
        return np.array([sqrt(self.inverse[j][j] * scale) for j in range(len(self.inverse))])

    def mean_at(self, row):
        """Value of the fit where the design matrix has this row."""
        return float(sum(Fraction(a) * b for a, b in zip(row, self.coefficients, strict=True)))

    def std_at(self, row):
        """Absolute standard error of `mean_at`."""
        row = [Fraction(value) for value in row]
        products = [sum(map(Fraction.__mul__, row, column)) for column in self.inverse]
        return sqrt(sum(map(Fraction.__mul__, row, products)))


def exact_least_squares(A, y, sigma=None):
    """Solve the normal equations of the numbers as they are, without rounding.

    `A` (n, m) and `y` (n,) may hold floats or fractions whose denominators are powers of two.
    """
    columns, of_columns = _integers(A)
    target, of_target = _integers(np.reshape(y, (-1, 1)))
    integers = np.hstack([columns, target])
    weights = np.array([_integer_weight(s) for s in _errors(sigma, len(target))], dtype=object)
    gram = (integers * weights[:, None]).T.dot(integers)
    m = integers.shape[1] - 1
    inverse = _inverse([[Fraction(int(entry)) for entry in row[:m]] for row in gram[:m]])
    right = [Fraction(int(entry)) for entry in gram[:m, m]]
    solution = [sum(map(Fraction.__mul__, row, right)) for row in inverse]
    left = Fraction(int(gram[m, m])) - sum(map(Fraction.__mul__, solution, right))
    weight = 2**_WEIGHT_BITS
    return ExactFit(
        [entry * of_columns / of_target for entry in solution],
        [[entry * of_columns**2 * weight for entry in row] for row in inverse],
        left / of_target**2 / weight,
        len(target),
    )


def exact_line(x, y, sigma=None):
    """Intercept and slope of a straight line."""
    x = np.ravel(x)
    return exact_least_squares(np.column_stack([np.ones_like(x), x]), y, sigma)


def _integers(numbers):
    """Return integers (objects) and the power of two that they were multiplied by."""
    numbers = np.asarray(numbers)
    if numbers.dtype == object:
        fractions = [[Fraction(entry) for entry in row] for row in numbers]
        factor = max(entry.denominator for row in fractions for entry in row)
        return np.array(
            [[int(entry * factor) for entry in row] for row in fractions], object
        ), factor
    mantissa, exponent = np.frexp(numbers.astype(float))
    lowest = min(int(exponent[mantissa != 0.0].min(initial=53)), 53)
    shift = np.where(mantissa != 0.0, exponent - lowest, 0)
    integers = (mantissa * 2.0**53).astype(np.int64).astype(object) << shift.astype(object)
    return integers, 2 ** (53 - lowest)


def _errors(sigma, n_samples):
    return [1.0] * n_samples if sigma is None else np.broadcast_to(sigma, n_samples).tolist()


def _integer_weight(sigma):
    return int(2**_WEIGHT_BITS / Fraction(sigma) ** 2)


def _inverse(matrix):
    """Gauss-Jordan elimination."""
    m = len(matrix)
    rows = [row + [Fraction(int(i == j)) for j in range(m)] for i, row in enumerate(matrix)]
    for i in range(m):
        pivot = next(k for k in range(i, m) if rows[k][i] != 0)
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [entry / rows[i][i] for entry in rows[i]]
        for k in range(m):
            if k != i and rows[k][i] != 0:
                factor = rows[k][i]
                rows[k] = [a - factor * b for a, b in zip(rows[k], rows[i], strict=True)]
    return [row[m:] for row in rows]
