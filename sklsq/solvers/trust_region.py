r"""The Levenberg-Marquardt step in a trust region.

At a point with residuals r and Jacobian J the linearised problem asks for the step δ with

.. math:: \min_\delta \tfrac12\|r - J\delta\|^2 \quad\text{subject to}\quad \|D\delta\| \le \Delta,

where the diagonal D holds the largest norm each column of J has had, so that the descent does not
depend on the units of the parameters. With the singular values s of :math:`JD^{-1} =
U\,\mathrm{diag}(s)\,V^\mathsf{T}`, :math:`w = s^2` and :math:`c = V^\mathsf{T}D^{-1}J^\mathsf{T}r`
the solution is

.. math:: \delta = D^{-1}V t, \qquad t_i = c_i/(w_i + \lambda),

:math:`\lambda = 0` where the Gauss-Newton step is short enough, else the root of :math:`\|t\| =
\Delta`, found by Newton's method on the nearly linear :math:`1/\|t\|` (Moré, *The
Levenberg-Marquardt algorithm: implementation and theory*, 1978; Hebden 1973). Directions whose
singular value is rounding noise are left out: along them the parameters stay where they are, and
what a weight of two does to a row is then exactly what its repetition does.

Where the Gram matrix is well conditioned its Cholesky factor does the same for a tenth of the time,
in the variables :math:`u = D\delta`: :math:`(A + \lambda I)u = b`.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotrs, dtrtri

from sklsq._typing import BoolArray, FloatArray

__all__ = [
    "ACCURACY",
    "CAUTION",
    "CERTAIN",
    "FORGETTING",
    "MAX_NEWTON",
    "POOR",
    "Quadratic",
    "bounded_step",
    "next_radius",
    "next_region",
    "quadratic_of_gram",
    "quadratic_of_triangle",
]

_EPS = float(np.finfo(np.float64).eps)
CERTAIN = 1e9  # condition of a scaled Gram matrix, at most, whose rounding does not show
ACCURACY = 0.1  # of the radius, as in MINPACK
MAX_NEWTON = 12
POOR = 0.25  # gain below which a step has failed
CAUTION = 0.75  # share of a length that failed, up to which the radius may grow
FORGETTING = 1.3  # growth of that length with each success


class Quadratic(Protocol):
    """The linearised problem in the variables u = D δ: steps, and what they promise."""

    D: FloatArray
    newton: FloatArray  # u of the Gauss-Newton step
    decrement: float  # twice the fall of the linearised cost along it

    def damped(self, radius: float) -> FloatArray:
        """Return the step of length `radius`, which must be shorter than Gauss-Newton's."""

    def reduction(self, u: FloatArray) -> float:
        """Return by how much the linearised cost falls along u."""

    def inner(self, u: FloatArray, v: FloatArray) -> float:
        """Return the product of u and v in the metric of the standard errors."""


class _Factored:
    """Of a Gram matrix G = JᵀJ known to be well conditioned, g = Jᵀr; D is divided out late."""

    __slots__ = ("D", "decrement", "gradient", "gram", "newton")

    def __init__(
        self, gram: FloatArray, gradient: FloatArray, change: FloatArray, D: FloatArray
    ) -> None:
        self.gram, self.gradient, self.D = gram, gradient, D
        self.newton: FloatArray = change * D
        self.decrement = float(change.dot(gradient))

    def damped(self, radius: float) -> FloatArray:
        D, u = self.D, self.newton
        A, b = self.gram / D, self.gradient / D
        A /= D[:, None]
        diagonal = A.ravel()[:: len(b) + 1]
        factor, _ = dpotrf(A)
        damping = 0.0
        for _ in range(MAX_NEWTON):
            squared = float(u.dot(u))
            excess = math.sqrt(squared) - radius
            if abs(excess) <= ACCURACY * radius:
                break
            slope = float(u.dot(dpotrs(factor, u)[0]))
            if not slope * radius > 0.0:  # too short for numbers
                break
            change = max(excess / radius * squared / slope, -damping)
            damping += change
            diagonal += change
            factor, _ = dpotrf(A)
            u = dpotrs(factor, b)[0]
        return u

    def reduction(self, u: FloatArray) -> float:
        change = u / self.D
        return float(change.dot(self.gradient - 0.5 * self.gram.dot(change)))

    def inner(self, u: FloatArray, v: FloatArray) -> float:
        return float((u / self.D).dot(self.gram.dot(v / self.D)))


class _Spectral:
    """In principal directions, those of rounding noise left out: w, c (k,), V (k, k)."""

    __slots__ = ("D", "V", "c", "decrement", "newton", "w")

    def __init__(self, w: FloatArray, c: FloatArray, V: FloatArray, D: FloatArray) -> None:
        self.w, self.c, self.V, self.D = w, c, V, D
        t = c / w
        self.newton: FloatArray = V @ t
        self.decrement = float(t @ c)

    def damped(self, radius: float) -> FloatArray:
        w, c = self.w, self.c
        damping = 0.0
        for _ in range(MAX_NEWTON):
            t = c / (w + damping)
            squared = float(t @ t)
            length = math.sqrt(squared)
            if abs(length - radius) <= ACCURACY * radius:
                break
            slope = float(t @ (t / (w + damping)))
            if not slope * radius > 0.0:
                break
            damping = max(0.0, damping + (length - radius) / radius * squared / slope)
        u: FloatArray = self.V @ t
        return u

    def reduction(self, u: FloatArray) -> float:
        t = u @ self.V
        return float(t @ (self.c - 0.5 * self.w * t))

    def inner(self, u: FloatArray, v: FloatArray) -> float:
        return float((u @ self.V) @ (self.w * (v @ self.V)))


def quadratic_of_gram(gram: FloatArray, gradient: FloatArray, D: FloatArray) -> Quadratic | None:
    """Return the problem from ``J @ J.T`` and ``J @ r``; None where rounding would show.

    The condition of A is at most the product of the traces of A, no more than k, and its inverse.
    """
    factor, failed = dpotrf(gram)
    if failed:
        return None
    root = dtrtri(factor)[0]  # dpotri would start threads, which then wait
    root *= D[:, None]
    root = root.ravel(order="K")
    if not float(root.dot(root)) * len(D) < CERTAIN:
        return None
    return _Factored(gram, gradient, dpotrs(factor, gradient)[0], D)


def quadratic_of_triangle(R: FloatArray, z: FloatArray, D: FloatArray, rcond: float) -> Quadratic:
    """Return the problem from ``J.T = Q R`` and ``z = Q.T r``, without the directions of noise."""
    U, s, Vt = np.linalg.svd(R / D, full_matrices=False)
    kept = s > rcond * s[0]
    s = np.where(kept, s, 1.0)
    return _Spectral(s * s, np.where(kept, s * (z @ U), 0.0), Vt.T, D)


def next_radius(
    radius: float, length: float, gain: float, slope: float, rise: float, undamped: bool
) -> float:
    """Return the radius after a step.

    Parameters
    ----------
    radius, length : float
        Of the region and of the step.
    gain : float
        Fall of the cost in units of what the linearised problem promised; NaN if not finite.
    slope : float
        Derivative of the cost along the step, with the sign turned.
    rise : float
        Change of the cost.
    undamped : bool
        Whether the radius did not matter.
    """
    if gain >= 0.75 or (undamped and gain > 0.25):
        return 2.0 * length
    if gain > 0.25:
        return radius
    shrink = 0.5
    if not rise <= 0.0:  # the minimum of the parabola through both costs and the slope
        shrink = max(0.5 * slope / (slope + rise), 0.1) if math.isfinite(rise) else 0.1
    return shrink * min(radius, 10.0 * length)


def next_region(
    radius: float,
    ceiling: float,
    length: float,
    gain: float,
    slope: float,
    rise: float,
    undamped: bool,
) -> tuple[float, float]:
    """Return the radius after a step, and the length beyond which steps have failed of late.

    In a curved valley steps of one length succeed and those of twice that length fail, again and
    again, if success always doubles the radius: every other evaluation is in vain. The radius
    therefore comes back to a length that failed only little by little.

    Parameters
    ----------
    ceiling : float
        What this function returned before, infinite at the beginning.
    radius, length, gain, slope, rise, undamped
        As in `next_radius`.
    """
    following = next_radius(radius, length, gain, slope, rise, undamped)
    if not gain >= POOR:
        return following, length
    if undamped:
        return following, math.inf
    if following > length:
        return max(min(following, CAUTION * ceiling), length), FORGETTING * ceiling
    return following, ceiling


def bounded_step(
    R: FloatArray,
    z: FloatArray,
    D: FloatArray,
    radius: float,
    room: tuple[FloatArray, FloatArray],
    free: BoolArray,
    rcond: float,
) -> tuple[FloatArray, float, bool]:
    """Return a step within bounds, the reduction it promises, and whether it is undamped.

    Parameters that a step would carry across a bound are put on it, and the step of the others is
    computed anew, until none crosses (an active-set method on the linearised problem).

    Parameters
    ----------
    room : tuple of ndarray of shape (k,)
        Distances to the lower (negative) and upper bounds.
    free : ndarray of bool of shape (k,)
        Parameters that may move.
    """
    step, moving, undamped = np.zeros_like(D), free.copy(), True
    while moving.any():
        left = z - R @ np.where(moving, 0.0, step)
        part = quadratic_of_triangle(R[:, moving], left, D[moving], rcond)
        spent = float(np.sum((D * step)[~moving] ** 2))
        rest = math.sqrt(max(radius**2 - spent, 0.01 * radius**2))
        u = part.newton
        damped = float(u @ u) > rest**2
        if damped:
            u = part.damped(rest)
        undamped = undamped and not damped
        step[moving] = u / D[moving]
        clipped = np.clip(step, *room)
        crossing = moving & (clipped != step)
        step = clipped
        if not crossing.any():
            break
        moving = moving & ~crossing
    change = R @ step
    return step, float(change @ (z - 0.5 * change)), undamped
