r"""One minimum among its mirror images: amplitudes positive, phases within half a turn.

:math:`A\sin(\omega x + \varphi)` is the same curve with :math:`\varphi + 2\pi`, with
:math:`-A, \varphi + \pi` and with :math:`-\omega, \pi - \varphi` (of a cosine
:math:`-\omega, -\varphi`), and :math:`A\sin\omega x + B\cos\omega x` with
:math:`-A, -\omega`. Which of them a descent finds is chance. Each such map
:math:`p_j \to c_j + s_j p_j`, :math:`s_j = \pm 1`, leaves the residuals as they are and turns the
sign of column j of J with :math:`s_j`; whether it does is seen by trying. What a parameter is need
not be known, then: an *angle* is one of which a whole turn changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from sklsq._typing import BoolArray, FloatArray, IntArray
from sklsq.solvers.nonlinear_problem import Minima, NonlinearProblem

__all__ = ["turned"]

_EQUAL = 1e-6  # of what a change of the angle by 1, or of the coefficient by itself, does
_ROUNDING = 64.0 * np.finfo(float).eps  # of the terms p_j J_j
_VISIBLE = 1e-3  # share that rounding may have, else nothing can be seen
_BATCH_NUMBERS = 400_000  # entries of the Jacobians held at a time


def turned(
    problem: NonlinearProblem,
    minima: Minima,
    curves: IntArray,
    linear: BoolArray,
    possible: BoolArray | None = None,
) -> Minima:
    """Return the minima with angles in (-π, π], coefficients and frequencies of angles positive.

    Parameters
    ----------
    problem : NonlinearProblem
        Model and data.
    minima : Minima
        M of them.
    curves : ndarray of int of shape (M,)
        Their curves.
    linear : ndarray of bool of shape (k,)
        Parameters that enter linearly.
    possible : ndarray of bool of shape (k,), optional
        Nonlinear parameters that may be angles; all by default.

    Returns
    -------
    Minima
        The same ones, some at other parameters, at which the model is the same up to rounding.
    """
    some = ~linear if possible is None else possible & ~linear
    inward = np.abs(minima.params[:, some]) <= math.pi
    if not some.any() or (inward.all() and not (minima.params < 0.0).any()):
        return minima
    size = max(_BATCH_NUMBERS // (problem.n_rows * problem.n_params), 1)
    angles: list[int] | None = None
    parts = []
    with np.errstate(all="ignore"):
        for first in range(0, len(curves), size):
            part = slice(first, first + size)
            mirror = _Mirror(problem, curves[part], minima.where(part))
            if angles is None:
                angles = [int(j) for j in np.flatnonzero(some) if mirror.is_angle(int(j))]
                if not angles and not (minima.params[:, ~linear] < 0.0).any():
                    return minima
            for change in _changes(angles, linear):
                mirror.apply(change)
            parts.append(mirror.minima)
    return Minima.joined(parts)


@dataclass(frozen=True)
class _Change:
    """The map of some parameters to `offsets` + `signs` times themselves.

    It is wanted where the first is negative, or, if it is the only one, beyond half a turn. The
    last tells how large a difference is: an angle by what a change of 1 does, a coefficient by what
    it does itself.
    """

    columns: list[int]
    signs: list[float]
    offsets: list[float]
    by_angle: bool = True


def _changes(angles: list[int], linear: BoolArray) -> Iterator[_Change]:
    """Yield the changes to try, those of frequencies first, phases last."""
    coefficients = [int(i) for i in np.flatnonzero(linear)]
    for angle in angles:
        yield _Change([angle], [1.0], [0.0])
    for j in np.flatnonzero(~linear).tolist():
        if j in angles:
            continue
        for angle in angles:
            for constant in (math.pi, 0.0):
                yield _Change([j, angle], [-1.0, -1.0], [0.0, constant])
        for i in coefficients:
            yield _Change([j, i], [-1.0, -1.0], [0.0, 0.0], by_angle=False)
    for i in coefficients:
        for angle in angles:
            yield _Change([i, angle], [-1.0, 1.0], [0.0, math.pi])
    for angle in angles:
        yield _Change([angle], [1.0], [0.0])


class _Mirror:
    """Minima, the residuals and J there, and what becomes of them."""

    def __init__(self, problem: NonlinearProblem, curves: IntArray, minima: Minima) -> None:
        self.problem, self.curves, self.minima = problem, curves, minima
        self.residuals, self.J = self._linearise(minima.params, curves)
        self.sizes = np.abs(self.J).max(axis=2)

    def _linearise(self, params: FloatArray, curves: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return residuals and J, in the short way if there is one for a single point."""
        if len(params) > 1:
            return self.problem.linearise(params, curves)
        rows = self.problem.rows(params[0].tolist(), int(curves[0]))[None].copy()
        return rows[:, -1], rows[:, :-1]

    def is_angle(self, j: int) -> bool:
        """Tell whether a whole turn of parameter j changes nothing, at the first minimum."""
        moved = self.minima.params[:1].copy()
        moved[:, j] += 2.0 * math.pi
        signs = np.ones(moved.shape[1])
        same = self._same(np.zeros(1, dtype=int), moved, signs, self.sizes[:1, j])
        return bool(same[0])

    def apply(self, change: _Change) -> None:
        """Carry out a change of the minima that it leaves the same."""
        params, first, last = self.minima.params, change.columns[0], change.columns[-1]
        is_wrap, value = first == last, params[:, first]
        wanted = (np.abs(value) > math.pi) if is_wrap else value < 0.0
        if not wanted.any():
            return
        rows = np.flatnonzero(wanted & ~self.minima.at_bound[:, change.columns].any(axis=1))
        if not rows.size:
            return
        signs = np.ones(params.shape[1])
        signs[change.columns] = change.signs
        moved = params[rows] * signs
        moved[:, change.columns] += change.offsets
        if is_wrap:
            angle = moved[:, first]
            moved[:, first] = angle - 2.0 * math.pi * np.ceil((angle - math.pi) / (2.0 * math.pi))
        seen = self.sizes[rows, last] * (1.0 if change.by_angle else np.abs(params[rows, last]))
        same = self._same(rows, moved, signs, seen)
        if self.problem.bounded:
            lower, upper = self.problem.box
            same &= ((moved >= lower) & (moved <= upper)).all(axis=1)
        kept = rows[same]
        if not kept.size:
            return
        params, R = params.copy(), self.minima.R * 1.0
        params[kept] = moved[same]
        R[kept] *= signs
        self.J[kept] *= signs[:, None]
        self.minima = replace(self.minima, params=params, R=R)

    def _same(
        self, rows: IntArray, moved: FloatArray, signs: FloatArray, seen: FloatArray
    ) -> BoolArray:
        """Return for which rows the model is the same at the points they are moved to."""
        after, J = self._linearise(moved, self.curves[rows])
        terms = np.abs(self.minima.params[rows]) * self.sizes[rows]
        terms = np.maximum(terms, np.abs(moved) * self.sizes[rows]).max(axis=1)
        rounding = _ROUNDING * terms
        allowed = _EQUAL + rounding / seen
        gap = np.abs(after - self.residuals[rows]).max(axis=1)
        slopes = np.abs(J * signs[:, None] - self.J[rows]).max(axis=2)
        same: BoolArray = (seen > 0.0) & (rounding <= _VISIBLE * seen) & (gap <= allowed * seen)
        same &= (slopes <= 4.0 * allowed[:, None] * self.sizes[rows]).all(axis=1)
        return same
