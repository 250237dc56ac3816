r"""A proof, from the sums at a minimum, that it is the only one of York's chi-square.

Let b be a minimum of the profile :math:`f(b) = \min_a \chi^2(a, b)`, reached at residuals e. The
root of the variance, :math:`\sqrt V = \lVert(b\sigma_x - \rho\sigma_y, \sqrt{1-\rho^2}\,
\sigma_y)\rVert`, is a norm, so that a step d of the slope changes it by :math:`|d|\sigma_x` at
most. With :math:`t^2 = \max\sigma_x^2 W` at b, for every point and every d,

.. math:: (1 - |d|t)^2 \le V(b + d)/V(b) \le (1 + |d|t)^2 .

*Far away* no line is better. The upper bound, with the sums at b of :math:`(x - \bar x)^2`, S, and
of :math:`(x - \bar x)e`, C, gives

.. math:: f(b + d) \ge \frac{f(b) - 2dC + d^2 S}{(1 + |d|t)^2} > f(b)
          \quad\text{for}\quad |d| > D = \frac{2(f(b)\,t + |C|)}{S - f(b)\,t^2},
          \quad\text{if } S > f(b)\,t^2 .

*Nearby*, for :math:`|d| \le D`, f has no other stationary point where it is convex. Of the
derivation in `sklsq.solvers.york`, :math:`\tfrac12 f'' = \sum W(p - \bar p)^2 - Q` with :math:`p =
x + 2z`, and :math:`\sum Wz^2 \le Q`, as :math:`q^2 W \le \sigma_x^2`. By the triangle inequality f
is convex where :math:`\sum W(x - \bar x)^2 > 9Q`. The lower bound, with :math:`Q \le f \max
\sigma_x^2 W`, turns this into

.. math:: S\,(1 - Dt)^4 > 9\,t^2 (1 + Dt)^2 \bigl(f(b) + 2D|C| + D^2 S\bigr), \qquad Dt < 1 .

Points whose errors are small against their spread along the line pass; for others nothing is said.
The vertical line is the limit of large d. Without an intercept the same holds for sums that are not
reduced to the mean.
"""

from __future__ import annotations

import math

__all__ = ["is_only_minimum"]


def is_only_minimum(chi2: float, spread: float, cross: float, ratio: float) -> bool:
    """Tell whether a minimum is certain to be the only one that low.

    Parameters
    ----------
    chi2 : float
        Sum of squares at the minimum.
    spread, cross : float
        Weighted sums there of ``(x - mean)**2`` and ``(x - mean) * e``.
    ratio : float
        The largest ``sigma_x**2 W`` there.

    Returns
    -------
    certain : bool
        False also where a sum is not finite.
    """
    t, cross = math.sqrt(ratio), abs(cross)
    rest = spread - chi2 * ratio
    if not rest > 0.0:
        return False
    D = 2.0 * (chi2 * t + cross) / rest
    change = D * t
    if not change < 1.0:
        return False
    largest = chi2 + D * (2.0 * cross + D * spread)
    return spread * (1.0 - change) ** 4 > 9.0 * ratio * (1.0 + change) ** 2 * largest
