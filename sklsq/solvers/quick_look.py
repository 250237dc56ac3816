r"""A look at few candidates, and whether what was found that way may be taken for the answer.

A search for starts spends nearly all of its time on data of which nothing was in doubt: a peak far
above the noise, a decay that goes on for hundreds of standard errors. There a hundred candidates
and one descent from the best of them find the minimum. This module has the test of whether the
data are such, which has to be right whenever it says yes.

A second minimum that is as low, P' beside P, must explain what P explains. Where the residuals of P
are noise the two functions differ by about the noise, and since P' is another place in parameter
space, that is possible in five ways only:

*what P describes is hardly above the noise*
    so that P' may describe something else, as a peak on another few points. Leaving the feature out
    costs :math:`z^2 = \nu\ln(1 + t^2/\nu)` in twice the logarithm of the likelihood, t the
    coefficient in standard errors. The best fit to noise alone, of all places and widths, has z² of
    about 2 ln(number of independent places) plus a few, 10 to 25. P is *sure* only if z is above
    `_SURE` for every nonlinear parameter and for every coefficient of a column that depends on one
    (an offset may be zero), and for the model beside a constant.
*what P describes is a single point*
    as a very narrow peak does, or a pole between two points, however many standard errors it has.
    With a leverage near 1 nothing is sure.
*the parameters are not determined*
    as of two decays of one rate: the coefficients have large errors and fail the same test, and a
    matrix close to singular is refused.
*the model has a symmetry*
    exchanged terms, a phase and its supplement, frequencies that coincide at all the points. Then
    P' is exactly as low as P, and the one as good as the other.
*the model nearly has one*
    as sigmoid curves with another parameter for their skewness, upside down and from right to left.
    No test of P shows that. Models of two nonlinear parameters therefore have a second descent,
    from a candidate with other signs if a good one has, those of three have six; and none may have
    ended in a minimum that is higher by less than `_CLEARLY_HIGHER`.

What is less than sure is *likely*, if leaving out a feature, at the other parameters, costs
`_LIKELY`² at least. It is taken if several of six descents have ended there, and no other near it.

That the residuals are noise is what is left to test. If σ is known, χ² must be at most
:math:`\nu + 3\sqrt{2\nu}`. A σ too large would let χ² pass, and none may be known; so residuals in
the order of a single feature must be uncorrelated over `_LAGS` lags, :math:`n\sum_l \rho_l^2`
below its limit (Box & Pierce, *J. Am. Stat. Assoc.* 65 (1970) 1509; von Neumann, *Ann. Math. Stat.*
12 (1941) 367, has the first lag), and none may stick out, as one point of a narrow second peak
would. Of several features, where there is no such order, χ² must also be at least
:math:`\nu - 3\sqrt{2\nu}`. What a minimum leaves over because it is the wrong one (the rest of a
peak, of an oscillation, of a decay) is larger than noise and goes on from point to point.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from sklsq._typing import BoolArray, FloatArray
from sklsq.solvers.nonlinear_problem import Minima, Outcome

__all__ = ["Judge", "Verdict", "best_linear", "is_noise", "picked", "projected_costs"]

_SURE = 6.0  # standard errors
_LIKELY, _AT_LEAST = 5.0, 2.0  # if other descents say the same
_EXACT = 1e-16  # share of the scatter of the data that is left where nothing else can be better
_CLEARLY_HIGHER = 16.0  # of χ², in units of its mean square
_SAME = 1e-6  # relative difference of costs
_ENOUGH = 3  # descents that end at the same minimum, if it is likely
_SURE_AFTER = (1, 1, 2, 6)  # descents, if it is sure, for as many nonlinear parameters
_FEWEST = 8  # degrees of freedom
_CHI2 = 3.0  # standard deviations of χ²
_LAGS = 8
_UNCORRELATED = 26.1  # 99.9 % quantile of χ² of as many degrees of freedom
_LONGEST = 10.0  # squared residual, in units of the mean square, less 2 ln n
_LEVERAGE = 0.9  # of a point on its own fitted value
_INDEPENDENT = 1e-4  # share of a column of J outside the span of the others
_NEGLIGIBLE = 1e-10  # share of the square of a column outside the span of the earlier ones
_APART = 0.4  # relative difference of two candidates in some parameter
_GOOD = 4  # one of so many candidates is among the good ones
_PASSED = 8  # candidates too close to better ones, for each that is picked


def projected_costs(rows: FloatArray) -> FloatArray:
    r"""Return the sums of squares (S,) of y at the best linear parameters; infinite if none.

    Parameters
    ----------
    rows : ndarray of shape (m + 1, S, n)
        The m columns of each candidate, and y below, all of them whitened.

    Notes
    -----
    By elimination in the normal equations, which is enough to tell candidates apart.

    Examples
    --------
    >>> import numpy as np
    >>> projected_costs(np.array([[[1.0, 1.0], [3.0, 5.0]], [[3.0, 5.0], [3.0, 5.0]]]))
    array([2., 0.])
    """
    m, S = len(rows) - 1, rows.shape[1]
    products = np.empty((m + 1, m + 1, S))
    for i in range(m + 1):
        products[i:, i] = np.einsum("msn,sn->ms", rows[i:], rows[i])
        products[i, i + 1 :] = products[i + 1 :, i]
    sizes = products.diagonal().T.copy()
    for j in range(m):
        pivot, along = products[j, j], products[j + 1 :, j]
        share = along / np.where(pivot > _NEGLIGIBLE * sizes[j], pivot, np.inf)
        products[j + 1 :, j + 1 :] -= share[:, None] * along
    costs: FloatArray = np.maximum(products[m, m], 0.0)
    costs[~np.isfinite(costs + sizes.sum(axis=0))] = np.inf
    return costs


def best_linear(rows: FloatArray) -> FloatArray:
    """Return the best linear parameters (m,) of one candidate (m + 1, n)."""
    G = rows[:-1]
    sizes = np.sqrt(np.einsum("ij,ij->i", G, G))
    sizes[sizes == 0.0] = 1.0
    G = G / sizes[:, None]
    gram = G.dot(G.T)
    gram.flat[:: len(gram) + 1] += _NEGLIGIBLE
    solution: FloatArray = np.linalg.solve(gram, G.dot(rows[-1])) / sizes
    return solution


def picked(points: FloatArray, costs: FloatArray, n_picked: int) -> Iterator[int]:
    """Yield the numbers of the best candidates that differ in some parameter.

    The best comes first, then a good one with another sign somewhere: what a model can do
    in two ways, as curves that rise to a plateau, it often does with signs turned.

    Examples
    --------
    >>> import numpy as np
    >>> points = np.array([[3.0], [1.0], [1.01], [9.0]])
    >>> list(picked(points, np.array([2.0, 1.0, 1.5, np.inf]), 3))
    [1, 0]
    """
    best = int(costs.argmin())
    if not math.isfinite(costs[best]):
        return
    yield best
    chosen, order = [best], np.argsort(costs)
    good = order[: len(order) // _GOOD + 1]
    turned = (points[good] * points[best] < 0.0).any(axis=1)
    first = int(good[turned.argmax()])  # the best itself if there is none
    if first != best and math.isfinite(costs[first]) and len(chosen) < n_picked:
        chosen.append(first)
        yield first
    for number in order[: _PASSED * n_picked].tolist():
        if not math.isfinite(costs[number]) or len(chosen) == n_picked:
            return
        gaps = np.abs(points[chosen] - points[number])
        sizes = np.abs(points[chosen]) + np.abs(points[number])
        if (gaps > _APART * sizes).any(axis=1).all():
            chosen.append(number)
            yield number


def is_noise(residuals: FloatArray) -> bool:
    """Tell whether residuals (n,), in order, are uncorrelated, and none sticks out.

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(0).normal(size=100)
    >>> is_noise(noise), is_noise(noise + 2.0 * np.sin(np.arange(100.0)))
    (True, False)
    """
    n = len(residuals)
    r = residuals / math.sqrt(float(residuals.dot(residuals)))
    correlated = 0.0
    for lag in range(1, min(_LAGS, n // 3) + 1):
        correlated += float(r[lag:].dot(r[:-lag])) ** 2 / (n - lag)
    largest = max(float(r.max()), -float(r.min()))
    return n * n * correlated <= _UNCORRELATED and n * largest**2 <= _LONGEST + 2.0 * math.log(n)


class Verdict(IntEnum):
    """What to think of a minimum."""

    DOUBTFUL = 0
    LIKELY = 1
    SURE = 2


@dataclass(frozen=True)
class Judge:
    """Tells what to think of the minima of one curve.

    Parameters
    ----------
    n_rows : int
        Number of residuals.
    knows_errors : bool
        Whether σ is known.
    in_order : bool
        Whether the residuals have an order.
    features : ndarray of bool of shape (k,)
        Coefficients of columns that depend on other parameters.
    nonlinear : ndarray of bool of shape (k,)
    scales : ndarray of shape (k,)
        What errors of nonlinear parameters that may be zero are compared with; else 0.
    scatter : float
        Sum of squares of the data about their mean.
    """

    n_rows: int
    knows_errors: bool
    in_order: bool
    features: BoolArray
    nonlinear: BoolArray
    scales: FloatArray
    scatter: float

    def verdict(self, minimum: Minima, rows: FloatArray) -> Verdict:
        """Return what to think of a minimum.

        Parameters
        ----------
        minimum : Minima
            One.
        rows : ndarray of shape (k + 1, n)
            J there with the residuals below, in order if there is one.
        """
        R, chi2 = minimum.R[0], float(minimum.chi2[0])
        dof = self.n_rows - len(R)
        if minimum.outcome[0] > Outcome.EXACT or dof < _FEWEST or not R.diagonal().all():
            return Verdict.DOUBTFUL
        inverse = np.linalg.inv(R)
        variances, lengths = (inverse * inverse).sum(axis=1), (R * R).sum(axis=0)
        if not (variances * lengths).max() < _INDEPENDENT**-2:
            return Verdict.DOUBTFUL
        if chi2 <= _EXACT * self.scatter:  # of points on a constant there is nothing to explain
            return Verdict.SURE if self.scatter > 0.0 else Verdict.DOUBTFUL
        if not self._is_noise(rows[-1], (chi2 - dof) / math.sqrt(2.0 * dof)):
            return Verdict.DOUBTFUL
        sizes = np.maximum(np.abs(minimum.params[0]), self.scales)
        t = sizes / np.sqrt(variances * (chi2 / dof))
        least = float(t[self.features | self.nonlinear].min(initial=math.inf))
        explained = math.sqrt(max(self.scatter / chi2 - 1.0, 0.0) * dof)
        if _normal(min(least, explained), dof) > _SURE:
            Q = inverse.T.dot(rows[:-1])
            leverages = np.einsum("in,in->n", Q, Q)
            return Verdict.SURE if leverages.max() < _LEVERAGE else Verdict.LIKELY
        worth = self._worth(minimum.params[0], rows[:-1]) / math.sqrt(chi2 / dof)
        is_likely = _normal(min(explained, worth), dof) > _LIKELY and least > _AT_LEAST
        return Verdict.LIKELY if is_likely else Verdict.DOUBTFUL

    def _is_noise(self, residuals: FloatArray, excess: float) -> bool:
        """Tell whether residuals may be noise; `excess` of χ² is in standard deviations."""
        if self.knows_errors and excess > _CHI2:
            return False
        return is_noise(residuals) if self.in_order else self.knows_errors and excess > -_CHI2

    def _worth(self, params: FloatArray, J: FloatArray) -> float:
        """Return the root of what χ² gains if the least of the features is left out."""
        linear = np.flatnonzero(~self.nonlinear)
        G = J[linear]
        features = self.features[linear]
        sizes = np.sqrt(np.einsum("in,in->i", G, G))
        G = G / sizes[:, None]
        variances = np.linalg.inv(G.dot(G.T)).diagonal()[features]
        gains = np.abs(params[linear] * sizes)[features] / np.sqrt(variances)
        return float(gains.min(initial=math.inf))

    def settles(
        self, found: Sequence[Minima], verdicts: Sequence[Verdict], *, is_all: bool
    ) -> bool:
        """Tell whether the minima (each one) of some descents show which is the lowest.

        The others must have ended there or clearly higher. A descent that is still on its way says
        nothing, unless it is the lowest.

        Parameters
        ----------
        found, verdicts : sequence of Minima, of Verdict
        is_all : bool
            Whether these are all descents there will be.
        """
        chi2 = [float(minimum.chi2[0]) for minimum in found]
        lowest = min(chi2, default=math.inf)
        same = lowest * (1.0 + _SAME)
        higher = lowest * (1.0 + _CLEARLY_HIGHER / (self.n_rows - len(self.features)))
        ends = [c for c, minimum in zip(chi2, found, strict=True) if _has_ended(minimum)]
        if any(same < value <= higher for value in ends):
            return False
        pairs = zip(verdicts, chi2, strict=True)
        best = max((verdict for verdict, value in pairs if value <= same), default=None)
        if best == Verdict.SURE:
            return is_all or len(found) >= _SURE_AFTER[int(np.count_nonzero(self.nonlinear))]
        n_same = sum(value <= same for value in ends)
        return best == Verdict.LIKELY and is_all and n_same >= _ENOUGH


def _has_ended(minimum: Minima) -> bool:
    return bool(minimum.outcome[0] <= Outcome.EXACT)


def _normal(t: float, dof: int) -> float:
    """Return the normal deviate of about the same likelihood as a t of so many degrees of freedom.

    The logarithm of the likelihood ratio is half its square.
    """
    return math.sqrt(dof * math.log1p(t * t / dof))
