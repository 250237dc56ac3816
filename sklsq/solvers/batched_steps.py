r"""Trust-region steps of many problems at once; see `sklsq.solvers.trust_region`.

In the variables :math:`u = D\delta` every problem is a quadratic with matrix :math:`A =
D^{-1}JJ^\mathsf{T}D^{-1}` and gradient :math:`b = D^{-1}Jr`. Where the inverse of A is certain, it
gives the steps (`sklsq.solvers.small_matrices`, a thirtieth of stacked eigenvectors). The few
problems where it is not are linearised again, and solved by the singular values of their triangular
factor without the directions of noise.

The batch is the last axis of every array here, of entries of matrices and of vectors alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sklsq._typing import BoolArray, FloatArray, IntArray
from sklsq.solvers.nonlinear_problem import NonlinearProblem
from sklsq.solvers.singular import default_rcond
from sklsq.solvers.small_matrices import InverseRoots, inner, inverse_roots
from sklsq.solvers.trust_region import ACCURACY, CERTAIN, MAX_NEWTON

__all__ = ["Quadratics", "problems_held", "quadratics", "stacked_triangles"]

_NUMBERS_HELD = 50_000  # entries of the Jacobians held at once, in the cache


def problems_held(problem: NonlinearProblem) -> int:
    """Return of how many problems the Jacobians may be held at once."""
    return max(_NUMBERS_HELD // (problem.n_rows * problem.n_params + 1), 1)


def stacked_triangles(
    problem: NonlinearProblem, params: FloatArray, curves: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Return R (B, k, k) and z (B, k) of the Jacobians and residuals at B points (B, k)."""
    k, size = problem.n_params, problems_held(problem)
    R, z = np.zeros((len(params), k, k)), np.zeros((len(params), k))
    for first in range(0, len(params), size):
        part = slice(first, first + size)
        r, J = problem.weighted(*problem.linearise(params[part], curves[part]))
        rows = np.concatenate((J, r[:, None]), axis=1).swapaxes(1, 2)
        triangles = np.asarray(np.linalg.qr(rows, mode="r"))[:, :k]
        n_rows = triangles.shape[1]  # fewer than k where the problem has
        R[part, :n_rows], z[part, :n_rows] = triangles[:, :, :k], triangles[:, :, k]
    return R, z


@dataclass(slots=True)
class Quadratics:
    """The linearised problems of B points in the variables ``u = D delta``.

    ``A`` (k, k, B), ``b`` (k, B); where `spectral` lists a problem, ``w, c`` (k, S) and ``V``
    (k, k, S) hold its principal directions, else ``roots`` solves with A.
    """

    A: FloatArray
    b: FloatArray
    roots: InverseRoots
    spectral: IntArray
    w: FloatArray
    c: FloatArray
    V: FloatArray

    def where(self, mask: BoolArray) -> Quadratics:
        """Return the problems of a mask (B,)."""
        place = np.cumsum(mask) - 1
        kept = mask[self.spectral]
        spectral, which = place[self.spectral[kept]], np.flatnonzero(mask)
        return Quadratics(
            self.A[:, :, which], self.b[:, which], self.roots.where(which), spectral,
            self.w[:, kept], self.c[:, kept], self.V[:, :, kept],
        )  # fmt: skip

    def newton(self) -> FloatArray:
        """Return the undamped steps (k, B)."""
        u = self.roots.solve(self.b)
        if self.spectral.size:
            u[:, self.spectral] = np.einsum("ijb,jb->ib", self.V, self.c / self.w)
        return u

    def damped(self, radius: FloatArray, which: IntArray) -> FloatArray:
        """Return the steps (k, W) of lengths `radius` (W,) of the problems `which`."""
        steps = np.empty((len(self.b), len(which)))
        place = np.full(self.b.shape[1], -1)
        place[self.spectral] = np.arange(len(self.spectral))
        there = place[which]
        of_directions = there >= 0
        if of_directions.any():
            rows = there[of_directions]
            w, c, V = self.w[:, rows], self.c[:, rows], self.V[:, :, rows]
            steps[:, of_directions] = _damped_spectral(w, c, V, radius[of_directions])
        if not of_directions.all():
            others = ~of_directions
            rows = which[others]
            A, b = self.A[:, :, rows], self.b[:, rows]
            steps[:, others] = _damped(A, b, self.roots.where(rows), radius[others])
        return steps

    def product(self, u: FloatArray) -> FloatArray:
        """Return A u (k, B) of steps u (k, B)."""
        product: FloatArray = np.einsum("ijb,jb->ib", self.A, u)
        return product

    def reduction(self, u: FloatArray) -> FloatArray:
        """Return by how much the linearised costs fall along steps (k, B)."""
        return inner(u, self.b - 0.5 * self.product(u))


def quadratics(
    problem: NonlinearProblem,
    points: tuple[FloatArray, IntArray],
    gram: FloatArray,
    gradient: FloatArray,
    D: FloatArray,
    held: tuple[BoolArray, FloatArray] | None,
) -> Quadratics:
    """Return the linearised problems, some parameters held.

    Parameters
    ----------
    problem : NonlinearProblem
        Asked again for the derivatives of ill-conditioned problems.
    points : tuple
        Parameters (k, B) and curves (B,).
    gram, gradient, D : ndarray
        ``J @ J.T`` (k, k, B), ``J @ r`` (k, B), and the scales (k, B).
    held : tuple or None
        Mask (k, B) of parameters that do not take part, and their change u (k, B).
    """
    k = len(D)
    inverse = 1.0 / D
    A, b = gram * inverse, gradient * inverse
    A *= inverse[:, None]
    if held is not None:
        mask, moved = held
        b = np.where(mask, 0.0, b - np.einsum("ijb,jb->ib", A, np.where(mask, moved, 0.0)))
        A = np.where(mask | mask[:, None], 0.0, A)
    trace = np.einsum("iib->b", A)
    shift: FloatArray = np.where(trace == 0.0, 1.0, 0.0)  # nothing moves where no parameter does
    if held is not None:
        shift = np.where(mask, np.where(trace == 0.0, 1.0, trace), shift)
    roots = inverse_roots(A, shift)
    spectral = np.flatnonzero(~(roots.trace() * trace <= CERTAIN))
    w: FloatArray = np.empty((k, 0))
    c: FloatArray = w
    V: FloatArray = np.empty((k, k, 0))
    if spectral.size:
        params, curves = points
        R, z = stacked_triangles(problem, params[:, spectral].T, curves[spectral])
        R = R / D[:, spectral].T[:, None]
        if held is not None:
            fixed = mask[:, spectral].T
            z = z - np.einsum("bij,bj->bi", R, np.where(fixed, moved[:, spectral].T, 0.0))
            R = np.where(fixed[:, None, :], 0.0, R)
        w, c, V = _spectra(R, z, default_rcond(problem.n_rows, k))
    return Quadratics(A, b, roots, spectral, w, c, V)


def _spectra(
    R: FloatArray, z: FloatArray, rcond: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    U, s, Vt = np.linalg.svd(R)
    kept = s > rcond * s[:, :1]
    s = np.where(kept, s, 1.0)
    c = np.where(kept, s * np.einsum("bij,bi->bj", U, z), 0.0)
    return (s * s).T, c.T, Vt.transpose(2, 1, 0)


def _damped(A: FloatArray, b: FloatArray, roots: InverseRoots, radius: FloatArray) -> FloatArray:
    """Return steps of the given lengths; `roots` are those of A where b is not zero."""
    n = len(radius)
    damping, which = np.zeros(n), np.arange(n)
    diagonal = np.einsum("iib->ib", A)
    held = np.where(diagonal == 0.0, 1.0, 0.0)  # b is zero there
    u = roots.solve(b)
    part = u
    for iteration in range(MAX_NEWTON):
        if iteration:
            rows = A[:, :, which], b[:, which], damping[which] + held[:, which]
            roots = inverse_roots(rows[0], rows[2])
            part = roots.solve(rows[1])
            u[:, which] = part
        half = roots.half(part)
        wrong, change = _newton(inner(part, part), inner(half, half), radius[which])
        if not wrong.any():
            break
        which = which[wrong]
        damping[which] = np.maximum(damping[which] + change[wrong], 0.0)
    return u


def _damped_spectral(w: FloatArray, c: FloatArray, V: FloatArray, radius: FloatArray) -> FloatArray:
    """Return steps of the given lengths from principal directions."""
    damping = np.zeros(w.shape[1])
    for _ in range(MAX_NEWTON):
        t = c / (w + damping)
        wrong, change = _newton(inner(t, t), inner(t, t / (w + damping)), radius)
        if not wrong.any():
            break
        damping = np.where(wrong, np.maximum(damping + change, 0.0), damping)
    steps: FloatArray = np.einsum("ijb,jb->ib", V, t)
    return steps


def _newton(
    squared: FloatArray, slope: FloatArray, radius: FloatArray
) -> tuple[BoolArray, FloatArray]:
    """Return which steps are not as long as they should be, and the changes of the damping."""
    excess = np.sqrt(squared) - radius
    wrong: BoolArray = np.abs(excess) > ACCURACY * radius
    return wrong, excess / radius * squared / slope
