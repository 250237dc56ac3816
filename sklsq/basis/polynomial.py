r"""Polynomials in any number of features: the terms users name outside, an orthogonal basis inside.

The monomials :math:`1, x, x^2, \dots` become parallel quickly: on NIST's Filip data, degree 10, the
condition number is :math:`5\cdot10^9` after scaling, and merely rounding :math:`x^k` to doubles
leaves eight digits of the coefficients. Computed with are therefore the Chebyshev polynomials
:math:`T_k(u)`, :math:`u = (x - c)/h`, with the recurrence :math:`T_{k+1} = 2uT_k - T_{k-1}` (Mason
& Handscomb, *Chebyshev Polynomials*, 1.2). The centre c is a number of few bits, so that
subtracting it rounds rarely. For several features the products
:math:`T_{k_1}(u_1)T_{k_2}(u_2)\cdots` take the place of the monomials with the same exponents.

Since the sets of exponents hold with every one all smaller ones, the coefficients of the monomials
are a triangular combination of those inside. Its matrix has entries as large as :math:`(|c|/h)^d
2^d` with alternating signs; it is built, and applied, in double-double arithmetic, so that nothing
is lost on the way out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise, product
from typing import Any, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from sklsq._typing import FloatArray, IntArray
from sklsq.solvers.extended import DoubleDouble

__all__ = ["Polynomial", "PolynomialColumns"]

_KINDS = ("monomial", "full", "chebyshev", "legendre")
_MAX_TERMS = 5000


class Polynomial(TransformerMixin, BaseEstimator):
    """Polynomial basis in one or several features.

    A transformer that may stand alone, and the `basis` of a `DesignMatrixRegressor`, which then
    computes in an orthogonal basis and reports the coefficients of the terms named here.

    Parameters
    ----------
    degree : int
        Degree d, at least 0.
    kind : {"monomial", "full", "chebyshev", "legendre"}, default="monomial"
        "monomial": all products of powers of total degree ≤ d, in the order 1, x, y, x², xy, y²…;
        "full": all with degree ≤ d in each feature; "chebyshev", "legendre": products of these
        polynomials of total degree ≤ d, each feature mapped from its fitted range to [-1, 1].

    Attributes
    ----------
    exponents_ : ndarray of shape (m, p)
        Degree of each term in each feature.
    domain_ : ndarray of shape (p, 2)
        Fitted range of each feature.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Examples
    --------
    >>> from sklsq.basis import Polynomial
    >>> poly = Polynomial(2).fit([[1.0, 2.0], [3.0, 5.0]])
    >>> [str(name) for name in poly.get_feature_names_out()]
    ['1', 'x0', 'x1', 'x0**2', 'x0*x1', 'x1**2']
    """

    def __init__(
        self,
        degree: int = 1,
        kind: Literal["monomial", "full", "chebyshev", "legendre"] = "monomial",
    ) -> None:
        self.degree = degree
        self.kind = kind

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn number, names and range of the features.

        Parameters
        ----------
        X : array_like of shape (n, p)
            Features.
        y : ignored

        Raises
        ------
        ValueError
            If `degree` or `kind` is not as described, or makes more than 5000 terms.
        """
        return self.learn(validate_data(self, X, dtype=np.float64))

    def learn(self, X: FloatArray) -> Self:
        """As `fit`, for features that are known to be a finite float64 array (n, p)."""
        if not isinstance(self.degree, (int, np.integer)) or self.degree < 0:
            raise ValueError(f"`degree` must be an integer, at least 0. Got {self.degree!r}.")
        if self.kind not in _KINDS:
            raise ValueError(f"`kind` must be one of {', '.join(_KINDS)}. Got {self.kind!r}.")
        self.exponents_ = _exponents(int(self.degree), X.shape[1], self.kind == "full")
        self.domain_ = np.stack([X.min(axis=0), X.max(axis=0)], axis=1)
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: Any) -> FloatArray:
        """Return the terms (n, m) at `X` (n, p)."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float64)
        return self.columns().evaluate(X)

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """Return the names of the terms."""
        check_is_fitted(self)
        features = (
            input_features
            if input_features is not None
            else getattr(self, "feature_names_in_", None)
        )
        if features is None:
            features = (
                ["x"] if self.n_features_in_ == 1 else [f"x{j}" for j in range(self.n_features_in_)]
            )
        return np.asarray(self.term_names([str(name) for name in features]), dtype=object)

    def term_names(self, features: list[str]) -> list[str]:
        """Return the names of the terms for named features."""
        letter = {"chebyshev": "T", "legendre": "P"}.get(self.kind)
        return [_term_name(row, features, letter) for row in self.exponents_]

    def columns(self) -> PolynomialColumns:
        """Return the columns to compute with."""
        kind = self.kind if self.kind in ("chebyshev", "legendre") else "monomial"
        return PolynomialColumns(self.exponents_, self.domain_, kind)


@dataclass(frozen=True)
class PolynomialColumns:
    """Orthogonal columns for polynomial terms.

    Parameters
    ----------
    exponents : ndarray of shape (m, p)
        Degree of each term in each feature.
    domain : ndarray of shape (p, 2)
        Range of the features, mapped to about [-1, 1].
    kind : {"monomial", "chebyshev", "legendre"}
        What the user's terms are.
    """

    exponents: IntArray
    domain: FloatArray
    kind: str

    @property
    def n_columns(self) -> int:
        """Number of terms."""
        return int(self.exponents.shape[0])

    @property
    def offsets(self) -> None:
        """Nothing is subtracted."""
        return

    @property
    def change(self) -> DoubleDouble | None:
        """From coefficients of Chebyshev products to the user's; None if they are the same."""
        if self.kind != "monomial":
            return None
        return _change(self.exponents.tobytes(), self.domain.tobytes(), self.exponents.shape)

    def evaluate(self, X: FloatArray) -> FloatArray:
        """Return the user's terms (n, m)."""
        if self.kind != "monomial":
            return self.block(X)
        powers = np.stack([X**k for k in range(int(self.exponents.max(initial=0)) + 1)], axis=-1)
        columns = powers[:, 0, self.exponents[:, 0]]
        for j in range(1, X.shape[1]):
            columns = columns * powers[:, j, self.exponents[:, j]]
        return columns

    def block(self, X: FloatArray, weight: FloatArray | float = 1.0) -> FloatArray:
        """Return the internal columns (n, m), rows times `weight`, stored column by column."""
        if X.shape[1] == 1 and self.kind != "legendre":
            return self._chebyshev_block(X[:, 0], weight)
        table = np.empty((self.n_columns, X.shape[0]))
        for j, column in enumerate(self._products(X, lambda x: x)):
            np.multiply(column, weight, out=table[j])
        return table.T

    def gram(self, A: FloatArray) -> FloatArray:
        r"""Return ``A.T @ A`` of a block (n, m) of weighted columns.

        For one feature, :math:`2 T_i T_j = T_{i+j} + T_{|i-j|}` leaves 2m - 1 different sums, the
        moments, a third of the work of BLAS at degree ten.
        """
        if self.exponents.shape[1] > 1 or self.kind == "legendre":
            product: FloatArray = A.T @ A
            return product
        table = A.T
        moments = np.empty(2 * self.n_columns)
        moments[0::2] = [row.dot(row) for row in table]
        moments[1:-1:2] = [a.dot(b) for a, b in pairwise(table)]
        moments[2::2] = 2.0 * moments[2::2] - moments[0]
        moments[3::2] = 2.0 * moments[3::2] - moments[1]
        k = np.arange(self.n_columns)
        gram: FloatArray = 0.5 * (moments[k[:, None] + k] + moments[np.abs(k[:, None] - k)])
        return gram

    def block_extended(self, X: FloatArray) -> DoubleDouble:
        """Return the internal columns in double-double."""
        columns = self._products(X, DoubleDouble)
        return DoubleDouble(
            np.stack([c.hi for c in columns], axis=1), np.stack([c.lo for c in columns], axis=1)
        )

    def _chebyshev_block(self, x: FloatArray, weight: FloatArray | float) -> FloatArray:
        """Return the table of one feature; the linear recurrence carries the weight along."""
        u = self._unit(x, 0)
        table = np.empty((self.n_columns, x.shape[0]))
        table[0] = weight
        if self.n_columns > 1:
            np.multiply(u, weight, out=table[1])
            u = 2.0 * u
        for k in range(2, self.n_columns):
            np.multiply(u, table[k - 1], out=table[k])
            table[k] -= table[k - 2]
        return table.T

    def _products(self, X: FloatArray, number: Any) -> list[Any]:
        tables = [
            _recurrence(
                self._unit(number(X[:, j]), j), int(self.exponents[:, j].max(initial=0)), self.kind
            )
            for j in range(X.shape[1])
        ]
        columns = []
        for row in self.exponents:
            factors = [tables[j][k] for j, k in enumerate(row) if k]
            column = factors[0] if factors else tables[0][0]
            for factor in factors[1:]:
                column = column * factor
            columns.append(column)
        return columns

    def _unit(self, x: Any, j: int) -> Any:
        """Return feature `j`, mapped to about [-1, 1]; double-double in, double-double out."""
        shifts, inverse = _mapping(*self.domain[j].tolist(), self.kind)
        difference = x - shifts[0]
        for shift in shifts[1:]:
            difference = difference + (x - shift)
        return difference * (inverse if isinstance(x, DoubleDouble) else float(inverse.hi))


@lru_cache(maxsize=128)
def _mapping(low: float, high: float, kind: str) -> tuple[tuple[float, ...], DoubleDouble]:
    """Return what to subtract from a feature, and the factor that then brings it to [-1, 1]."""
    if kind == "monomial":
        centre, half = _centre_and_half(low, high)
        return (centre,), DoubleDouble(half).reciprocal()
    if low == high:  # one value says nothing of the width
        return (low, high), DoubleDouble(0.5)
    return (low, high), (DoubleDouble(high) - low).reciprocal()


def _recurrence(u: Any, degree: int, kind: str) -> list[Any]:
    """Return the Chebyshev or Legendre polynomials of `u` up to `degree`."""
    table = [0.0 * u + 1.0, u]
    for k in range(1, degree):
        if kind == "legendre":
            ratio: Any = DoubleDouble(float(k + 1)).reciprocal()
            ratio = ratio if isinstance(u, DoubleDouble) else float(ratio.hi)
            table.append((u * table[k] * float(2 * k + 1) - table[k - 1] * float(k)) * ratio)
        else:
            table.append(u * table[k] * 2.0 - table[k - 1])
    return table[: degree + 1]


def _centre_and_half(low: float, high: float) -> tuple[float, float]:
    """Return the middle of a range, rounded to few bits, and the distance of its ends."""
    middle, half = 0.5 * low + 0.5 * high, 0.5 * high - 0.5 * low
    if half == 0.0:
        return float(middle), 1.0
    _, exponent = np.frexp(half)
    grid = float(np.ldexp(1.0, int(exponent) - _CENTRE_BITS))
    centre = float(np.round(middle / grid) * grid)
    return centre, float(max(high - centre, centre - low))


_CENTRE_BITS = 7


@lru_cache(maxsize=32)
def _change(exponents: bytes, domain: bytes, shape: tuple[int, ...]) -> DoubleDouble:
    """Return the matrix whose entry (a, k) is the coefficient of monomial a in product k."""
    terms = np.frombuffer(exponents, dtype=np.int64).reshape(shape)
    ranges = np.frombuffer(domain).reshape(shape[1], 2)
    change = None
    for j in range(shape[1]):
        matrix = _monomials_of_chebyshev(int(terms[:, j].max(initial=0)), *ranges[j])
        factor = matrix[terms[:, j][:, None], terms[:, j]]
        change = factor if change is None else change * factor
    assert change is not None
    change.hi.setflags(write=False)
    change.lo.setflags(write=False)
    return change


def _monomials_of_chebyshev(degree: int, low: float, high: float) -> DoubleDouble:
    """Return (d+1, d+1) coefficients of x^a in T_k((x - c)/h), by recurrence."""
    centre, half = _centre_and_half(low, high)
    columns = [_unit_vector(degree + 1)]
    if degree:
        columns.append(_times_u(columns[0], centre, half))
    for _ in range(2, degree + 1):
        columns.append(_times_u(columns[-1], centre, half) * 2.0 - columns[-2])
    return DoubleDouble(
        np.stack([c.hi for c in columns], axis=1), np.stack([c.lo for c in columns], axis=1)
    )


def _unit_vector(size: int) -> DoubleDouble:
    vector = np.zeros(size)
    vector[0] = 1.0
    return DoubleDouble(vector)


def _times_u(coefficients: DoubleDouble, centre: float, half: float) -> DoubleDouble:
    """Return the coefficients of p(x) · (x - c)/h."""
    shifted = DoubleDouble(np.roll(coefficients.hi, 1), np.roll(coefficients.lo, 1))
    return (shifted - coefficients * centre) * DoubleDouble(half).reciprocal()


def _exponents(degree: int, n_features: int, full: bool) -> IntArray:
    """Return the exponents in graded order, higher powers of earlier features first."""
    size = (degree + 1) ** n_features if full else _binomial(degree + n_features, n_features)
    if size > _MAX_TERMS:
        raise ValueError(
            f"`degree` must make at most {_MAX_TERMS} terms. Got {size} for {n_features} "
            "features; lower it."
        )
    if full:
        terms = list(product(range(degree + 1), repeat=n_features))
    else:
        terms = list(_up_to(degree, n_features))
    terms.sort(key=lambda term: (sum(term), tuple(-k for k in term)))
    return np.array(terms, dtype=np.int64).reshape(len(terms), n_features)


def _up_to(degree: int, n_features: int) -> list[tuple[int, ...]]:
    if n_features == 0:
        return [()]
    return [(k, *rest) for k in range(degree + 1) for rest in _up_to(degree - k, n_features - 1)]


def _binomial(n: int, k: int) -> int:
    from math import comb

    return comb(n, k)


def _term_name(row: IntArray, features: list[str], letter: str | None) -> str:
    factors = []
    for k, feature in zip(row, features, strict=True):
        if k == 0:
            continue
        if letter:
            factors.append(f"{letter}{k}({feature})")
        else:
            factors.append(feature if k == 1 else f"{feature}**{k}")
    return "*".join(factors) or "1"
