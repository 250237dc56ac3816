r"""Polynomials outside the data: when to say that they explode.

A polynomial of degree d that stays within ±1 on a range can reach :math:`T_d(1 + 2s)` at the
distance s beyond it, in units of the range, and no more (Chebyshev; Rivlin, *Chebyshev
Polynomials*, 2.7). At :math:`s = 0.2/d` that is 1.9 for a parabola, 3.7 for degree 5, 8.4 for
degree 10. Beyond that distance a warning is due; within it points of a test set may lie, which in
cross-validation often are a little outside the range of the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from sklsq._typing import FloatArray, IntArray
from sklsq.exceptions import ExtrapolationWarning, warn_caller

if TYPE_CHECKING:
    from sklsq.expression import Expression

__all__ = ["FittedRange", "fitted_range", "polynomial_degrees", "unwatched"]

_SHARE = 0.2  # of the range, divided by the degree, that is not worth a warning
_ROUNDING = 8.0 * float(np.finfo(np.float64).eps)
_watching = ContextVar("watching", default=True)


@contextmanager
def unwatched() -> Iterator[None]:
    """Predict without a warning, and without using up the one there is."""
    token = _watching.set(False)
    try:
        yield
    finally:
        _watching.reset(token)


@dataclass
class FittedRange:
    """The range of the features of a fit that is a polynomial in some of them.

    Parameters
    ----------
    names : tuple of str
        Names of the features.
    degrees : ndarray of shape (p,)
        Degree of the polynomial in each.
    low, high : ndarray of shape (p,)
        Smallest and largest value of each.
    warned : bool, default=False
        Whether the warning of this fit has been given.
    """

    names: tuple[str, ...]
    degrees: IntArray
    low: FloatArray
    high: FloatArray
    warned: bool = False

    def include(self, X: FloatArray) -> None:
        """Widen the range to further rows (n, p) of the fit."""
        self.low = np.minimum(self.low, X.min(axis=0))
        self.high = np.maximum(self.high, X.max(axis=0))

    def check(self, X: FloatArray) -> None:
        """Warn, once, if some rows (n, p) are too far outside."""
        if self.warned or not _watching.get():
            return
        beyond = np.maximum(self.low - X.min(axis=0), X.max(axis=0) - self.high)
        width = self.high - self.low
        rounding = _ROUNDING * np.maximum(np.abs(self.low), np.abs(self.high))
        allowed = _SHARE / np.maximum(self.degrees, 1) * width + rounding
        far = np.flatnonzero((self.degrees > 1) & (beyond > allowed))
        if far.size:
            self.warned = True
            worst = far[np.argmax(beyond[far] / np.maximum(width[far], rounding[far]))]
            text = self._sentence(int(worst), X, float(beyond[worst]))
            warn_caller(text, ExtrapolationWarning)

    def _sentence(self, j: int, X: FloatArray, beyond: float) -> str:
        low, high, name = float(self.low[j]), float(self.high[j]), self.names[j]
        outside = int(np.count_nonzero((X[:, j] < low) | (X[:, j] > high)))
        below, above = low - float(X[:, j].min()), float(X[:, j].max()) - high
        farthest = X[:, j].min() if below >= above else X[:, j].max()
        share = f", {beyond / (high - low):.0%} of that range" if high > low else ""
        return (
            f"A polynomial of degree {self.degrees[j]} in {name} is asked for values outside the "
            f"data: they end at {name} = {low:.6g} and {high:.6g}, {outside} of {len(X)} points "
            f"lie beyond, the farthest at {name} = {farthest:.6g}{share}. It follows its highest "
            "power there whatever the data would do, and the standard deviations do not know. "
            "Measure there, or use a function that is known to hold."
        )


def fitted_range(
    names: Sequence[str], degrees: IntArray, low: FloatArray, high: FloatArray
) -> FittedRange | None:
    """Return the range to be watched; None where the fit is at most linear in every feature."""
    return FittedRange(tuple(names), degrees, low, high) if (degrees > 1).any() else None


def polynomial_degrees(terms: Sequence[Any], features: Sequence[str]) -> IntArray:
    """Return the degree (p,) in each feature of the terms that are polynomials; at least 0.

    Only formulas count that consist of products, sums and powers; ``log(x)`` is none.
    """
    from sklsq.expression import Expression  # here, since every estimator can be unwatched

    degrees = np.zeros(len(features), dtype=np.int64)
    for term in terms:
        if isinstance(term, Expression) and term.is_polynomial:
            for name in term.names:
                j = list(features).index(name)
                degrees[j] = max(degrees[j], _degree(term, name))
    return degrees


@lru_cache(maxsize=512)
def _degree(term: Expression, name: str) -> int:
    degree = 0
    while name in term.names:
        term, degree = term.derivative(name), degree + 1
    return degree
