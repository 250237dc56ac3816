r"""The linearised problem at one point, from all rows at once or block by block.

A descent needs the Gram matrix :math:`JJ^\mathsf{T}` and the gradient :math:`Jr` (J is stored k ×
n), whose rounding only bends the path. The end of the descent, the standard errors and
ill-conditioned problems need the triangular factor :math:`J^\mathsf{T} = QR`, :math:`z =
Q^\mathsf{T}r`, which keeps the digits that :math:`R^\mathsf{T}R` would square away.

Few rows are held, and factorised by Householder QR when asked. Many rows are never held: blocks
that fit the cache add up to the Gram matrix, whose Cholesky factor :math:`R_0` guides a second pass
over :math:`R_0^{-\mathsf{T}}J`. That one is well conditioned, so that its own Cholesky factor
:math:`R_1` is accurate, and :math:`R = R_1R_0` (see `sklsq.solvers.triangular`). Where
:math:`R_0` does not exist the blocks are merged by QR.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from scipy.linalg.lapack import dgeqrf

from sklsq._typing import FloatArray
from sklsq.solvers.gram import gram_matrix, products_of
from sklsq.solvers.nonlinear_problem import NonlinearProblem

__all__ = ["HELD_ROWS", "Linearisation", "cost_at", "linearise_at", "triangle_of"]

HELD_ROWS = 30_000
_BLOCK_ROWS = 16_384
_CHEAP_QR = 8_000  # entries of J
_GUIDABLE = 1e-12  # smallest to largest pivot of a Gram matrix worth guiding with
_SAFE = 1e-4  # the same, of a Gram matrix that needs no guide: it loses four digits of sixteen
_WELL_CONDITIONED = 0.1  # the same, of a guided one


class Linearisation(Protocol):
    """Cost, Gram matrix and gradient of one point, and on request the triangular factor."""

    cost: float
    chi2: float
    gram: FloatArray
    norms: FloatArray  # of the rows of J; not finite where any of J is not
    gradient: FloatArray

    def triangle(self) -> tuple[FloatArray, FloatArray]:
        """Return R (k, k) and z (k,)."""


def is_blocked(problem: NonlinearProblem) -> bool:
    """Whether the rows are visited block by block."""
    return problem.n_rows > HELD_ROWS and problem.take is not None


def cost_at(problem: NonlinearProblem, params: FloatArray, curve: int) -> float:
    """Return the cost of one point (k,)."""
    point, curves = params[None], np.array([curve])
    if is_blocked(problem):
        return float(sum(part.costs(point, curves)[0] for part in _blocks(problem)))
    return float(problem.costs(point, curves)[0])


def linearise_at(problem: NonlinearProblem, params: FloatArray, curve: int) -> Linearisation:
    """Linearise a problem at one point (k,)."""
    kind = _Blocked if is_blocked(problem) else _Held
    return kind(problem, params, curve)


class _Held:
    """`rows` (k + 1, n) are J with the residuals below, those of the loss's own problem."""

    __slots__ = ("chi2", "cost", "gradient", "gram", "norms", "rows")

    def __init__(self, problem: NonlinearProblem, params: FloatArray, curve: int) -> None:
        rows = problem.rows(params.tolist(), curve)
        self.rows, self.cost, self.chi2, products = _products(problem, rows)
        self.gram: FloatArray = products[:-1]
        self.norms: FloatArray = np.sqrt(self.gram.diagonal())
        self.gradient: FloatArray = products[-1]

    def triangle(self) -> tuple[FloatArray, FloatArray]:
        if self.rows.size > _CHEAP_QR and self.norms.all():
            factor = _cholesky(self.gram, self.norms, _SAFE)
            if factor is not None:
                return factor, np.linalg.solve(factor.T, self.gradient)
        return triangle_of(self.rows)


@dataclass(init=False)
class _Blocked:
    cost: float
    chi2: float
    gram: FloatArray
    norms: FloatArray
    gradient: FloatArray

    def __init__(self, problem: NonlinearProblem, params: FloatArray, curve: int) -> None:
        self._problem, self._params, self._curve = problem, params, curve
        k = problem.n_params
        self.cost, self.chi2 = 0.0, 0.0
        total = np.zeros((k + 1, k))
        for part in _blocks(problem):
            _, cost, chi2, products = _products(part, part.rows(params.tolist(), curve))
            self.cost += cost
            self.chi2 += chi2
            total += products
        self.gram, self.gradient = total[:k], total[k]
        self.norms = np.sqrt(self.gram.diagonal())

    def triangle(self) -> tuple[FloatArray, FloatArray]:
        guide = _cholesky(self.gram, self.norms, _GUIDABLE) if self.norms.all() else None
        if guide is None:
            return self._merged()
        if (guide.diagonal() / self.norms).min() ** 2 > _SAFE:
            return guide, np.linalg.solve(guide.T, self.gradient)
        return self._guided(guide)

    def _guided(self, guide: FloatArray) -> tuple[FloatArray, FloatArray]:
        k = len(guide)
        inverse_transposed = np.linalg.inv(guide).T.copy()
        gram, right = np.zeros((k, k)), np.zeros(k)
        for rows in self._weighted_blocks():
            Z = inverse_transposed @ rows[:k]
            gram += gram_matrix(Z)
            right += Z @ rows[k]
        factor = _cholesky(gram, np.sqrt(gram.diagonal()), _WELL_CONDITIONED)
        if factor is None:
            return self._merged()
        return factor @ guide, np.linalg.solve(factor.T, right)

    def _merged(self) -> tuple[FloatArray, FloatArray]:
        k = len(self.gradient)
        R: FloatArray = np.zeros((k, k))
        z: FloatArray = np.zeros(k)
        for rows in self._weighted_blocks():
            above = np.concatenate((R, z[:, None]), axis=1)
            R, z = _split(np.concatenate((above, rows.T)), k)
        return R, z

    def _weighted_blocks(self) -> Iterator[FloatArray]:
        for part in _blocks(self._problem):
            yield _products(part, part.rows(self._params.tolist(), self._curve))[0]


def _products(
    problem: NonlinearProblem, rows: FloatArray
) -> tuple[FloatArray, float, float, FloatArray]:
    """Return rows (k + 1, n) of the loss's own problem, cost, χ², and the products of the rows."""
    if problem.loss == "linear":
        products, chi2 = products_of(rows)
        return rows, 0.5 * chi2, chi2, products
    residuals = rows[-1:]
    cost, chi2 = float(problem.cost_of(residuals)[0]), float(residuals[0] @ residuals[0])
    r, J = problem.weighted(residuals, rows[None, :-1])
    rows = np.concatenate((J[0], r))
    return rows, cost, chi2, products_of(rows)[0]


def _blocks(problem: NonlinearProblem) -> list[NonlinearProblem]:
    return problem.blocks(_BLOCK_ROWS)


def triangle_of(rows: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return R (k, k) and z (k,) of rows (k + 1, n), J with the residuals below."""
    return _split(rows.T, len(rows) - 1)


def _split(rows: FloatArray, k: int) -> tuple[FloatArray, FloatArray]:
    """Return R and z of ``[A | r]``."""
    triangle: FloatArray = _qr(rows)
    if len(triangle) < k:
        triangle = np.concatenate((triangle, np.zeros((k - len(triangle), k + 1))))
    return triangle[:k, :k], triangle[:k, k]


def _qr(rows: FloatArray) -> FloatArray:
    """Return the triangular factor; LAPACK's own call takes a third of the time of NumPy's."""
    n, m = rows.shape
    if n < m:
        return np.asarray(np.linalg.qr(rows, mode="r"))
    triangle: FloatArray = dgeqrf(rows, lwork=32 * m)[0][:m] * _upper(m)
    return triangle


@lru_cache(maxsize=64)
def _upper(m: int) -> FloatArray:
    return np.triu(np.ones((m, m)))


def _cholesky(gram: FloatArray, norms: FloatArray, least: float) -> FloatArray | None:
    """Return the upper factor; None where its scaled pivots fall below `least`."""
    try:
        lower = np.linalg.cholesky(gram / norms / norms[:, None])
    except np.linalg.LinAlgError:
        return None
    pivots = lower.diagonal()
    if not pivots.min() ** 2 > least:
        return None
    factor: FloatArray = lower.T * norms
    return factor
