r"""Directions along which a minimum is flat, though the derivatives there are not quite zero.

A rate that has run off to where its term is over before the second point still has a derivative, of
1e-40 perhaps, and a formal standard error of 1e+40. A valley that goes on for ever, such as that of
:math:`vx/(k + x)` through points on a line, ends where rounding ends it. In units the columns of J
are as independent as any: such a fit has full rank, converges, and looks like a good one.

What is wrong is that the errors belong to a linear model, and there is none on that scale. Two
things are asked. With s the scatter, :math:`s^2 = \|r\|^2/(n - k)`, and the singular values of

.. math:: R\,\mathrm{diag}|p| = U\,\mathrm{diag}(w)\,V^\mathsf{T},

a direction of relative change :math:`V_i` is *suspected* where :math:`10^4\,w_i < s`: its
parameters are not known to within a factor of ten thousand. That alone may be a parameter that is
zero within its error. The direction is *flat* if, besides, the model does nothing like what the
errors say. Steps of one standard error, a tenth and a hundredth should change the fitted values by
s, s/10 and s/100. Neither forward nor backward do all of them so, to within a factor of three. (How
far a parameter may move for the linear model to hold is its parameter-effects nonlinearity, Bates &
Watts, *J. R. Stat. Soc. B* 42 (1980) 1.) Fits whose residuals are rounding are left alone, for
their scatter is no scale.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sklsq._typing import BoolArray, FloatArray, IntArray
from sklsq.solvers.nonlinear_problem import Minima, NonlinearProblem
from sklsq.solvers.singular import echelon

__all__ = ["Neighbourhood", "has_huge_errors", "neighbourhood_of", "root_beside"]

_HUGE = 1e4  # error of a parameter in units of the parameter
_TAKES_PART = 1e-3  # relative change of a parameter, in units of the largest of a direction
_AS_PROMISED = 3.0  # factor between the change of the fitted values and what the errors promise
_STEPS = np.array([1.0, 0.1, 0.01])  # standard errors
_ROUNDING = 1e-10  # residuals relative to the largest term


@dataclass(frozen=True)
class Neighbourhood:
    """The model about its minima.

    Parameters
    ----------
    evaluate : callable
        ``evaluate(params (B, k), curves (B,)) -> residuals (B, n)``.
    params : ndarray of shape (t, k)
        The minima.
    scatter : ndarray of shape (t,)
        Size of a whitened residual; zero where nothing is to be looked at.
    curves : ndarray of int of shape (t,)
        The curve of each.
    """

    evaluate: Callable[[FloatArray, IntArray], FloatArray]
    params: FloatArray
    scatter: FloatArray
    curves: IntArray

    def suspected(self, root: FloatArray) -> BoolArray:
        """Return the minima (t,) some parameter of which has a huge error.

        Parameters
        ----------
        root : ndarray of shape (t, k, m)
            ``root @ root.T`` is the covariance for unit variance.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            errors = self.scatter[:, None] * np.sqrt(np.einsum("tij,tij->ti", root, root))
            huge: BoolArray = (errors > _HUGE * np.abs(self.params)).any(axis=1)
        return huge & (self.scatter > 0.0)

    def flat(self, R: FloatArray, moving: IntArray, row: int) -> tuple[FloatArray, FloatArray]:
        """Return the flat directions of one minimum, and the root of the covariance without them.

        Parameters
        ----------
        R : ndarray of shape (m, m)
            Triangular factor of the derivatives by the parameters that move.
        moving : ndarray of int of shape (m,)
            These parameters.
        row : int
            The minimum.

        Returns
        -------
        null_space : ndarray of shape (q, m)
            Flat directions, in reduced row echelon form.
        root : ndarray of shape (m, m - q)
            ``root @ root.T`` is the covariance for unit variance.
        """
        size = np.abs(self.params[row, moving])
        norms = np.sqrt(np.einsum("ij,ij->j", R, R))
        norms = np.where(norms > 0.0, norms, 1.0)
        size = np.where(size > 0.0, size, self.scatter[row] / norms)
        null_space = self._null_space(R, size, moving, row)
        if not len(null_space):
            return null_space, np.linalg.pinv(R / norms) / norms[:, None]
        return null_space, root_beside(R, null_space)

    def _null_space(
        self, R: FloatArray, size: FloatArray, moving: IntArray, row: int
    ) -> FloatArray:
        """Return the flat directions (q, m), given the sizes of the parameters."""
        m = len(moving)
        if not np.isfinite(R * size).all():
            return np.empty((0, m))
        _, w, Vt = np.linalg.svd(R * size)
        flat = np.zeros(m, dtype=bool)
        for i in np.flatnonzero(_HUGE * w < self.scatter[row]):
            direction = np.where(np.abs(Vt[i]) > _TAKES_PART * np.abs(Vt[i]).max(), Vt[i], 0.0)
            flat[i] = self._is_flat(R, size * direction, moving, row)
        if not flat.any():
            return np.empty((0, m))
        rows = echelon(Vt[flat] * size, 1.0 / size)
        relative = np.abs(rows) / size
        rows[relative <= _TAKES_PART * relative.max(axis=1, keepdims=True)] = 0.0
        return rows

    def _is_flat(self, R: FloatArray, direction: FloatArray, moving: IntArray, row: int) -> bool:
        """Whether steps of a standard error do nothing like what they should."""
        s, n_steps = float(self.scatter[row]), len(_STEPS)
        points = np.repeat(self.params[row][None], 2 * n_steps + 1, axis=0)
        with np.errstate(all="ignore"):
            step = direction * (s / float(np.linalg.norm(R @ direction)))
            points[1:, moving] += np.concatenate((_STEPS, -_STEPS))[:, None] * step
            here, *there = self.evaluate(points, np.repeat(self.curves[row], len(points)))
            changes = np.linalg.norm(np.array(there) - here, axis=1).reshape(2, n_steps)
            changes /= s * _STEPS
        kept = (changes >= 1.0 / _AS_PROMISED) & (changes <= _AS_PROMISED)
        return not bool(kept.all(axis=1).any())


def root_beside(R: FloatArray, null_space: FloatArray) -> FloatArray:
    """Return the root (m, m - q) of a covariance without the directions of its null space.

    Parameters
    ----------
    R : ndarray of shape (m, m)
        Triangular factor of the derivatives.
    null_space : ndarray of shape (q, m)
        Directions that are left out, with q > 0.
    """
    norms = np.sqrt(np.einsum("ij,ij->j", R, R))
    norms = np.where(norms > 0.0, norms, 1.0)
    rows = null_space * norms
    rows /= np.abs(rows).max(axis=1, keepdims=True)
    others = np.linalg.qr(rows.T, mode="complete")[0][:, len(rows) :]
    factor = np.linalg.qr((R / norms) @ others, mode="r")
    root: FloatArray = others @ np.linalg.pinv(factor) / norms[:, None]
    return root


def has_huge_errors(minimum: Minima, root: FloatArray, n_rows: int) -> bool:
    """Whether some parameter of one minimum is not known to within a factor of ten thousand.

    Parameters
    ----------
    minimum : Minima
        Of one curve, all of its k parameters free.
    root : ndarray of shape (k, m)
        ``root @ root.T`` is the covariance for unit variance.
    n_rows : int
        Number of rows of the problem.
    """
    params = minimum.params[0].tolist()
    scatter = math.sqrt(2.0 * float(minimum.cost[0]) / max(n_rows - len(params), 1))
    return any(
        scatter * math.hypot(*row) > _HUGE * abs(value)
        for value, row in zip(params, root.tolist(), strict=True)
    )


def neighbourhood_of(
    problem: NonlinearProblem, minima: Minima, curves: IntArray
) -> Neighbourhood | None:
    """Return the neighbourhood of minima (t,), None of a robust loss, whose errors are others.

    Parameters
    ----------
    problem : NonlinearProblem
    minima : Minima
    curves : ndarray of int of shape (t,)
    """
    if problem.loss != "linear":
        return None
    with np.errstate(all="ignore"):
        squares = np.maximum(2.0 * minima.cost, 0.0)
        rounding = np.sqrt(squares) <= _ROUNDING * minima.terms.max(axis=1, initial=0.0)
        scatter = np.sqrt(squares / max(problem.n_rows - problem.n_params, 1))
    usable = np.isfinite(minima.params).all(axis=1) & np.isfinite(scatter) & ~rounding
    return Neighbourhood(problem.evaluate, minima.params, np.where(usable, scatter, 0.0), curves)
