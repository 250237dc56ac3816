r"""Trust-region steps of many problems at once; see `sklsq.solvers.trust_region`.

In the variables :math:`u = D\delta` every problem is a quadratic with matrix :math:`A =
D^{-1}JJ^\mathsf{T}D^{-1}` and gradient :math:`b = D^{-1}Jr`. Where the inverse of A is certain, it
gives the steps (`sklsq.solvers.small_matrices`, a thirtieth of stacked eigenvectors). The few
problems where it is not are linearised again, and solved by the singular values of their triangular
factor without the directions of noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sklsq._typing import BoolArray, FloatArray, IntArray
from sklsq.solvers.nonlinear_problem import NonlinearProblem
from sklsq.solvers.singular import default_rcond
from sklsq.solvers.small_matrices import InverseRoots, inverse_roots

__all__ = ["Quadratics", "quadratics", "stacked_triangles"]

_CERTAIN = 1e9  # largest condition of A whose inverse is good to seven digits
_ACCURACY = 0.1
_MAX_NEWTON = 12


def stacked_triangles(
    problem: NonlinearProblem, params: FloatArray, curves: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Return R (B, k, k) and z (B, k) of the Jacobians and residuals at B points."""
    r, J = problem.weighted(*problem.linearise(params, curves))
    k = problem.n_params
    rows = np.concatenate((J, r[:, None]), axis=1).swapaxes(1, 2)
    R: FloatArray = np.asarray(np.linalg.qr(rows, mode="r"))
    if R.shape[1] < k:
        padding = np.zeros((len(R), k - R.shape[1], k + 1))
        R = np.concatenate((R, padding), axis=1)
    return R[:, :k, :k], R[:, :k, k]


@dataclass(slots=True)
class Quadratics:
    """The linearised problems of B points in the variables ``u = D delta``.

    ``A`` (B, k, k), ``b`` (B, k); where `spectral` lists a problem, ``w, c, V`` hold its principal
    directions, else ``roots`` solves with A.
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
        spectral = place[self.spectral[kept]]
        return Quadratics(
            self.A[mask], self.b[mask], self.roots.where(mask), spectral,
            self.w[kept], self.c[kept], self.V[kept],
        )  # fmt: skip

    def newton(self) -> FloatArray:
        """Return the undamped steps (B, k)."""
        u = self.roots.solve(self.b)
        if self.spectral.size:
            u[self.spectral] = np.einsum("bij,bj->bi", self.V, self.c / self.w)
        return u

    def damped(self, radius: FloatArray, which: IntArray) -> FloatArray:
        """Return the steps of length `radius` of the problems `which`."""
        steps = np.empty((len(which), self.b.shape[1]))
        place = np.full(len(self.b), -1)
        place[self.spectral] = np.arange(len(self.spectral))
        spectral = place[which] >= 0
        if spectral.any():
            rows = place[which[spectral]]
            w, c, V = self.w[rows], self.c[rows], self.V[rows]
            steps[spectral] = _damped_spectral(w, c, V, radius[spectral])
        if not spectral.all():
            rows = which[~spectral]
            steps[~spectral] = _damped(self.A[rows], self.b[rows], radius[~spectral])
        return steps

    def reduction(self, u: FloatArray) -> FloatArray:
        """Return by how much the linearised costs fall."""
        fall: FloatArray = np.einsum("bi,bi->b", u, self.b)
        fall -= 0.5 * np.einsum("bi,bij,bj->b", u, self.A, u)
        return fall


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
        Parameters (B, k) and curves (B,).
    gram, gradient, D : ndarray
        ``J @ J.T`` (B, k, k), ``J @ r`` (B, k), and the scales (B, k).
    held : tuple or None
        Mask (B, k) of parameters that do not take part, and their change u (B, k).
    """
    k = D.shape[1]
    A, b = gram / (D[:, :, None] * D[:, None, :]), gradient / D
    if held is not None:
        mask, moved = held
        b = np.where(mask, 0.0, b - np.einsum("bij,bj->bi", A, np.where(mask, moved, 0.0)))
        A = np.where(mask[:, :, None] | mask[:, None, :], 0.0, A)
    trace = np.einsum("bii->b", A)
    shift = np.where(trace == 0.0, 1.0, 0.0)  # nothing moves where no parameter does
    if held is not None:
        shift = np.where(mask, np.where(trace == 0.0, 1.0, trace)[:, None], shift[:, None])
    roots = inverse_roots(A, shift)
    spectral = np.flatnonzero(~(roots.trace() * trace <= _CERTAIN))
    w: FloatArray = np.empty((0, k))
    c: FloatArray = w
    V: FloatArray = np.empty((0, k, k))
    if spectral.size:
        params, curves = points
        R, z = stacked_triangles(problem, params[spectral], curves[spectral])
        R = R / D[spectral, None, :]
        if held is not None:
            fixed = mask[spectral]
            z = z - np.einsum("bij,bj->bi", R, np.where(fixed, moved[spectral], 0.0))
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
    return s * s, c, Vt.swapaxes(1, 2)


def _damped(A: FloatArray, b: FloatArray, radius: FloatArray) -> FloatArray:
    """Return steps of the given lengths."""
    damping = np.zeros(len(b))
    held = np.where(np.einsum("bii->bi", A) == 0.0, 1.0, 0.0)  # b is zero there
    for _ in range(_MAX_NEWTON):
        roots = inverse_roots(A, damping[:, None] + held)
        u = roots.solve(b)
        squared, half = np.einsum("bi,bi->b", u, u), roots.half(u)
        slope = np.einsum("ib,ib->b", half, half)
        change = _newton(squared, slope, radius)
        if change is None:
            break
        damping = np.maximum(damping + change, 0.0)
    return u


def _damped_spectral(w: FloatArray, c: FloatArray, V: FloatArray, radius: FloatArray) -> FloatArray:
    """Return steps of the given lengths from principal directions."""
    damping = np.zeros((len(w), 1))
    for _ in range(_MAX_NEWTON):
        t = c / (w + damping)
        squared = np.einsum("bi,bi->b", t, t)
        change = _newton(squared, np.einsum("bi,bi->b", t, t / (w + damping)), radius)
        if change is None:
            break
        damping = np.maximum(damping + change[:, None], 0.0)
    steps: FloatArray = np.einsum("bij,bj->bi", V, t)
    return steps


def _newton(squared: FloatArray, slope: FloatArray, radius: FloatArray) -> FloatArray | None:
    """Return the changes of the damping; None when all steps are as long as they should be."""
    excess = np.sqrt(squared) - radius
    wrong = np.abs(excess) > _ACCURACY * radius
    if not wrong.any():
        return None
    return np.where(wrong, excess / radius * squared / slope, 0.0)
