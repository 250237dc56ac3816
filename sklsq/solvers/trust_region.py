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
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sklsq._typing import BoolArray, FloatArray

__all__ = ["Spectrum", "bounded_step", "next_radius", "spectrum_of_gram", "spectrum_of_triangle"]

_EPS = float(np.finfo(np.float64).eps)
_CERTAIN = 1e-9  # eigenvalue of a scaled Gram matrix, to the largest, that rounding spares
_ACCURACY = 0.1  # of the radius, as in MINPACK
_MAX_NEWTON = 12


@dataclass(frozen=True, slots=True)
class Spectrum:
    """The linearised problem in its principal directions: w, c (k,), V (k, k), D (k,)."""

    w: FloatArray
    c: FloatArray
    V: FloatArray
    D: FloatArray

    def change(self, t: FloatArray) -> FloatArray:
        """Return the step of the parameters."""
        step: FloatArray = self.V @ t / self.D
        return step

    def gauss_newton(self) -> FloatArray:
        """Return t of the undamped step."""
        t: FloatArray = self.c / self.w
        return t

    def damped(self, radius: float) -> FloatArray:
        """Return t of the step of length `radius`, which must be shorter than Gauss-Newton's."""
        w, c = self.w, self.c
        damping = 0.0
        for _ in range(_MAX_NEWTON):
            t = c / (w + damping)
            squared = float(t @ t)
            length = math.sqrt(squared)
            if abs(length - radius) <= _ACCURACY * radius:
                break
            slope = float(t @ (t / (w + damping)))
            damping = max(0.0, damping + (length - radius) / radius * squared / slope)
        return t

    def reduction(self, t: FloatArray) -> float:
        """Return by how much the linearised cost falls along t."""
        return float(t @ (self.c - 0.5 * self.w * t))


def spectrum_of_gram(gram: FloatArray, gradient: FloatArray, D: FloatArray) -> Spectrum | None:
    """Return the spectrum from ``J @ J.T`` and ``J @ r``; None where rounding would show."""
    w, V = np.linalg.eigh(gram / D / D[:, None])
    if not w[0] > _CERTAIN * w[-1]:
        return None
    return Spectrum(w, (gradient / D) @ V, V, D)


def spectrum_of_triangle(R: FloatArray, z: FloatArray, D: FloatArray, rcond: float) -> Spectrum:
    """Return the spectrum from ``J.T = Q R`` and ``z = Q.T r``, without the directions of noise."""
    U, s, Vt = np.linalg.svd(R / D, full_matrices=False)
    kept = s > rcond * s[0]
    s = np.where(kept, s, 1.0)
    return Spectrum(s * s, np.where(kept, s * (z @ U), 0.0), Vt.T, D)


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
        spectrum = spectrum_of_triangle(R[:, moving], left, D[moving], rcond)
        spent = float(np.sum((D * step)[~moving] ** 2))
        rest = math.sqrt(max(radius**2 - spent, 0.01 * radius**2))
        t = spectrum.gauss_newton()
        damped = float(t @ t) > rest**2
        if damped:
            t = spectrum.damped(rest)
        undamped = undamped and not damped
        step[moving] = spectrum.change(t)
        clipped = np.clip(step, *room)
        crossing = moving & (clipped != step)
        step = clipped
        if not crossing.any():
            break
        moving = moving & ~crossing
    change = R @ step
    return step, float(change @ (z - 0.5 * change)), undamped
