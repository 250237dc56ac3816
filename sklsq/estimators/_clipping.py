r"""Which points are outliers: residuals in units of their own standard deviation.

A residual :math:`r_i` of a point in the fit has the variance :math:`\sigma_i^2 - s_i^2`, where
:math:`s_i` is the error of the fitted value, for the point has drawn the curve towards itself; one
left out has :math:`\sigma_i^2 + s_i^2`. With unknown errors σ is replaced by the scatter of the
*other* points of the fit (deletion residuals; Cook & Weisberg, *Residuals and Influence in
Regression*, 2.2.1), whose ratio follows Student's t, so that the limit is the quantile of t that
has the probability of `n_sigma` normal standard deviations. By the leave-one-out identity a point
is then judged alike whether it is in the fit or not: none flips in and out by itself.

One gross outlier can draw the curve so far that good points are beyond the limit as well. The worst
go first therefore: at once only those at least half as far off as the farthest. What is left when
nothing changes any more is the same: no point in the fit beyond the limit, none out of it within.

Several points together can leave and enter by turns. One at a time they cannot: for known errors
each change lowers :math:`\chi^2 + k^2 n_\mathrm{out}`, since :math:`\chi^2` falls by the square of
the residual just described.

Points beyond k standard deviations being absent, the scatter of the others is too small by the
variance of a normal distribution truncated at ±k,

.. math:: c = \tau / P, \quad \tau = P - 2k\varphi(k), \quad P = 2\Phi(k) - 1 ,

and is divided by :math:`\sqrt c`, without which a limit of 2σ would go on rejecting. The variance
of the parameters is :math:`1/\tau` times that of least squares without clipping (Johansen &
Nielsen, *Scand. J. Statist.* 43, 321, 2016), where the last fit says :math:`1/P`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import erf, exp, pi, sqrt

import numpy as np
from scipy.special import ndtr, stdtrit

from sklsq._typing import BoolArray, FloatArray

__all__ = ["Residuals", "error_factor", "kept_share", "truncated_variance"]

_ROUNDING = 64.0 * float(np.finfo(np.float64).eps)  # of a residual, relative to y
_LARGEST = 1e100  # excess, where the others fit exactly
_AT_ONCE = 0.5  # of the largest excess: what goes together with the farthest point
_UNTESTABLE = 1e-8  # share of the variance left to the residual of a point that fits itself


def kept_share(n_sigma: float) -> float:
    """Return the share P of normal deviates within ±n_sigma."""
    return erf(n_sigma / sqrt(2.0))


def truncated_variance(n_sigma: float) -> float:
    """Return the variance of normal deviates within ±n_sigma, relative to that of all.

    Examples
    --------
    >>> round(truncated_variance(3.0), 4), round(truncated_variance(2.0), 4)
    (0.9733, 0.7737)
    """
    density = exp(-0.5 * n_sigma**2) / sqrt(2.0 * pi)
    return 1.0 - 2.0 * n_sigma * density / kept_share(n_sigma)


def error_factor(n_sigma: float, absolute: bool) -> float:
    """Return the true standard deviation of clipped parameters over that of their last fit.

    Examples
    --------
    >>> round(error_factor(3.0, absolute=True), 4), round(error_factor(3.0, absolute=False), 4)
    (1.0136, 1.0274)
    """
    variance = truncated_variance(n_sigma)
    return 1.0 / (sqrt(variance) if absolute else variance)


@dataclass(frozen=True)
class Residuals:
    """Residuals of all n points about a fit to some of them.

    Parameters
    ----------
    y, fitted : ndarray of shape (n,)
        Measured and fitted values.
    sigma : ndarray of shape (n,)
        Standard deviations of y about the curve; relative ones if not `absolute`.
    fitted_std : ndarray of shape (n,)
        Standard deviations of the fitted values, as published; zero where not known.
    used : ndarray of bool of shape (n,)
        Points of the fit.
    dof : int
        Its degrees of freedom.
    absolute : bool
        Whether `sigma` is absolute.
    """

    y: FloatArray
    fitted: FloatArray
    sigma: FloatArray
    fitted_std: FloatArray
    used: BoolArray
    dof: int
    absolute: bool

    def kept(self, n_sigma: float, candidates: BoolArray, *, one_at_a_time: bool) -> BoolArray:
        """Return which of the candidates the next fit should have."""
        excess = self.excess(n_sigma)
        if one_at_a_time:
            gain = np.where(self.used, excess**2 - 1.0, 1.0 - excess**2)
            gain[~candidates] = -1.0
            kept = self.used.copy()
            best = int(np.argmax(gain))
            kept[best] ^= bool(gain[best] > 0.0)
            return kept
        farthest = float(excess[self.used].max(initial=0.0))
        within: BoolArray = excess <= np.where(self.used, max(1.0, _AT_ONCE * farthest), 1.0)
        return candidates & within

    def excess(self, n_sigma: float) -> FloatArray:
        """Return by how much the points are farther off than the limit, as a ratio."""
        residual: FloatArray = self.y - self.fitted
        largest = np.abs(self.y[self.used]).max(initial=0.0)
        residual = np.where(np.abs(residual) <= _ROUNDING * largest, 0.0, residual)
        with np.errstate(divide="ignore", invalid="ignore"):
            whitened = residual / self.sigma
            if self.absolute:
                excess: FloatArray = np.abs(self._studentised(whitened, 1.0)) / n_sigma
            else:
                excess = self._excess_of_scatter(whitened, n_sigma)
        excess = np.where(np.isnan(excess), 0.0, excess)  # without a fit nobody is an outlier
        return np.minimum(excess, _LARGEST)

    def _excess_of_scatter(self, whitened: FloatArray, n_sigma: float) -> FloatArray:
        if self.dof < 2:  # nothing is left to compare a point with
            return np.zeros(self.y.shape)
        chi2 = float(np.sum(whitened[self.used] ** 2))
        studentised = self._studentised(whitened, chi2 / self.dof)
        others = np.where(self.used, np.maximum(chi2 - studentised**2, 0.0), chi2)
        dof = np.where(self.used, self.dof - 1, self.dof)
        scatter = np.sqrt(others / dof / truncated_variance(n_sigma))
        inside, outside = -stdtrit([self.dof - 1.0, self.dof], ndtr(-n_sigma))
        limit = np.where(self.used, inside, outside)
        excess: FloatArray = np.abs(studentised) / (limit * scatter)
        return excess

    def _studentised(self, whitened: FloatArray, scale: float) -> FloatArray:
        """Return residuals over σ, brought to the same variance by the leverages."""
        leverage = (self.fitted_std / self.sigma) ** 2 / scale if scale > 0.0 else 0.0 * whitened
        share = np.where(self.used, 1.0 - leverage, 1.0 + leverage)
        return np.where(share > _UNTESTABLE, whitened / np.sqrt(np.abs(share)), 0.0)
