"""Products of the whitened rows of many curves, computed in tiles that stay in the cache."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Protocol

import numpy as np

from sklsq._typing import BoolArray, FloatArray, IntArray
from sklsq.estimators._parameter_space import ParameterSpace
from sklsq.models import Model
from sklsq.models.factored_rows import FactoredRows, factored_rows
from sklsq.models.model import BLOCK_POINTS
from sklsq.solvers.gram import gram_matrices

__all__ = ["Products"]

_TILE = 20_000  # points whose rows stay in the cache
_HELD = 50_000  # likewise derivatives, of a model that is no formula
_ROOM = 1e200  # size of a square, at most, beside which nothing that matters is lost; so is 1/it
_PLAIN = 1e50  # likewise of 1/σ, whose square then multiplies the products instead of the rows


class Rows(Protocol):
    """The data of t curves; see `sklsq.estimators._curves.Curves`."""

    @property
    def model(self) -> Model:
        """The model."""

    @property
    def space(self) -> ParameterSpace:
        """Its parameters."""

    @property
    def X(self) -> FloatArray:
        """Features (n, p)."""

    @property
    def Y(self) -> FloatArray:
        """Measured values (t, n)."""

    @property
    def weight(self) -> FloatArray:
        """1/σ (t, n), (1, n), (t, 1) or (1, 1); 0 where a value is missing."""

    @property
    def linearise(self) -> Callable[[FloatArray, IntArray], tuple[FloatArray, FloatArray]]:
        """Whitened residuals (B, n) and derivatives (B, k, n) of parameters (B, k) of curves."""


class Products:
    """``products(params (B, k), curves (B,)) -> (B, k + 1, k + 1)``, of J with the residuals below.

    Where the model is a formula its rows are computed without their common factors, by which the
    products are multiplied afterwards. The few products that this could have spoilt, because a
    factor or what is left is beyond the range of a double, are computed the plain way.
    """

    def __init__(self, curves: Rows) -> None:
        self._curves = curves
        self._factored: FactoredRows | None = None

    @cached_property
    def _weight(self) -> FloatArray:
        return np.ascontiguousarray(self._curves.weight)  # whose rows are taken many times

    @cached_property
    def _has_gaps(self) -> bool:
        return len(self._weight) > 1 and not self._weight.all()

    @cached_property
    def _is_ordinary(self) -> bool:
        """Whether the squares of 1/σ may be used in its place."""
        size = self._weight[self._weight > 0.0] if self._has_gaps else self._weight
        return bool(size.size and 1.0 / _PLAIN < size.min() and size.max() < _PLAIN)

    @cached_property
    def _common(self) -> float | None:
        """1/σ where it is one number for all and its square is an ordinary one, else None."""
        return float(self._weight[0, 0]) if self._weight.size == 1 and self._is_ordinary else None

    def __call__(self, params: FloatArray, curves: IntArray) -> FloatArray:
        """Return the products of B points."""
        k = params.shape[1]
        out = np.empty((k + 1, k + 1, len(params)))
        if (
            len(params) > 1
            and (params == params[0]).all()
            and self._of_one_point(params[:1], curves, out)
        ):
            return out.transpose(2, 0, 1)
        rows = self._formula(params[0])
        if rows is None:
            self._plain(params, curves, out)
            return out.transpose(2, 0, 1)
        fits = self._tiles(rows, params, curves, out)
        if not fits.all():
            rest = np.flatnonzero(~fits)
            again = np.empty((k + 1, k + 1, len(rest)))
            self._plain(params[rest], curves[rest], again)
            out[:, :, rest] = again
        return out.transpose(2, 0, 1)

    def _formula(self, params: FloatArray) -> FactoredRows | None:
        """Return what computes the rows, once it is known; None where `linearise` is all."""
        if self._factored is None and len(self._curves.X) <= BLOCK_POINTS:
            space = self._curves.space
            at = self._curves.model.at(self._curves.X, space.expand(params[None])[0])
            if at is not None:
                self._factored = factored_rows(at, len(space.names), space.free)
        return self._factored

    def _of_one_point(self, params: FloatArray, curves: IntArray, out: FloatArray) -> bool:
        r"""Write products (k + 1, k + 1, B) of curves that are all at one point; False if not sure.

        So they often are at the start. With one J for all, :math:`\sum_i w_{bi} J_{ji} J_{li}` is a
        product of matrices, w = 1/σ² and all pairs of rows of J.
        """
        (_, k), X, weight = params.shape, self._curves.X, self._weight
        every = self._curves.space.expand(params)
        values, J = self._curves.model.linearise(X, every)
        J = self._curves.space.reduce(J, every)[0]
        row, column = np.triu_indices(k)
        pairs = J[row] * J[column]
        squares = np.einsum("ji,ji->j", J, J)
        sure = self._is_ordinary and ((squares > 1.0 / _ROOM) & (squares < _ROOM)).all()
        if not sure or not np.isfinite(values).all():
            return False
        size = max(_TILE // max(len(X), len(pairs)), 1)
        for first in range(0, len(curves), size):
            part = slice(first, first + size)
            residuals = self._curves.Y[curves[part]] - values
            weights = np.square(weight[curves[part]] if len(weight) > 1 else weight)
            whole = np.broadcast_to(weights, (len(weights), len(X)))
            weighted = residuals * weights
            out[row, column, part] = out[column, row, part] = (whole @ pairs.T).T
            out[:-1, -1, part] = out[-1, :-1, part] = (weighted @ J.T).T
            out[-1, -1, part] = np.einsum("bi,bi->b", weighted, residuals)
        return True

    def _plain(self, params: FloatArray, curves: IntArray, out: FloatArray) -> None:
        """Write products (k + 1, k + 1, B)."""
        size = max(_HELD // (len(self._curves.X) * params.shape[1]), 1)
        for first in range(0, len(params), size):
            part = slice(first, first + size)
            residuals, J = self._curves.linearise(params[part], curves[part])
            rows = np.concatenate((J.swapaxes(0, 1), residuals[None]))
            gram_matrices(rows, out[:, :, part])

    def _tiles(
        self, formula: FactoredRows, params: FloatArray, curves: IntArray, out: FloatArray
    ) -> BoolArray:
        """Write products (k + 1, k + 1, B); return where nothing can have been lost."""
        (t, k), n, Y = params.shape, len(self._curves.X), np.ascontiguousarray(self._curves.Y)
        size = min(max(_TILE // n, 1), t)
        rows, spare = np.empty((k + 1, size, n)), np.empty((formula.n_temporary, size, n))
        taken = np.empty((2, size, n))
        if self._common is not None:
            for i, row in formula.fixed.items():
                rows[i] = row
        values = formula.of_curves(self._curves.space.expand(params))
        in_order = bool((curves[1:] > curves[:-1]).all())
        for first in range(0, t, size):
            part = slice(first, min(first + size, t))
            here = slice(part.stop - first)
            which: IntArray | slice = curves[part]
            if in_order and curves[part.stop - 1] - curves[first] == here.stop - 1:
                which = slice(int(curves[first]), int(curves[first]) + here.stop)
            tile = rows[:, here]
            formula.fill(values, part, _taken(Y, which, taken[0, here]), tile, spare[:, here])
            if self._common is None:
                self._whiten(tile, which, formula, taken[1, here])
            gram_matrices(tile, out[:, :, part])
        squares = np.einsum("iib->ib", out)[:-1]
        fits: BoolArray = (squares.min(axis=0) > 1.0 / _ROOM) & (squares.max(axis=0) < _ROOM)
        factors = np.ones((k + 1, t))
        formula.factors(values, factors[:-1])
        if self._common is not None:
            factors *= self._common
        out *= factors
        out *= factors[:, None]
        fits &= np.isfinite(np.einsum("iib->b", out))
        return fits

    def _whiten(
        self, rows: FloatArray, which: IntArray | slice, formula: FactoredRows, into: FloatArray
    ) -> None:
        """Divide rows (k + 1, B, n) by σ; zero where a point is missing."""
        weight = self._weight
        if len(weight) > 1:
            weight = _taken(weight, which, into[:, : weight.shape[1]])
        for i, row in enumerate(rows):
            if i in formula.fixed:
                np.multiply(formula.fixed[i], weight, out=row)
            else:
                row *= weight
        if self._has_gaps:
            rows[:, np.broadcast_to(weight == 0.0, rows.shape[1:])] = 0.0


def _taken(array: FloatArray, which: IntArray | slice, into: FloatArray) -> FloatArray:
    """Return some rows: those that are neighbours as they are, others copied."""
    return array[which] if isinstance(which, slice) else array.take(which, 0, into, "clip")
