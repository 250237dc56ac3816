r"""Which of several minima is the lowest, and which of them are the same.

Costs that differ by less than rounding are the same. Rounding of the parameters and the features
moves the residuals by about

.. math:: \delta = \epsilon\Bigl(\sum_j p_j^2\,|J_j|^2\Bigr)^{1/2},

a change of all p by a factor 1 + ε, and the cost by :math:`|r|\delta + \delta^2/2`. Of minima
within that the one that *feels* rounding least, with the smallest δ, comes first. Of frequencies
that coincide at all x it is the one nearest to zero: the higher ones follow the data no better
than it does, but for the noise of rounding.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from sklsq._typing import BoolArray, FloatArray, IntArray
from sklsq.solvers.nonlinear_problem import Minima, Outcome

__all__ = ["SAME_COST", "by_cost", "different", "is_same", "lowest_of", "ordered", "representable"]

SAME_COST = 1e-6
_SAME_PLACE = 1e-3  # of the parameters
_ROUNDING = 4.0 * np.finfo(float).eps  # of a parameter and the features
_FEELS = 0.05  # difference of logarithms from which on a minimum feels rounding less
_LARGEST = 1e150  # parameters whose squares, or those of their derivatives, are numbers


def is_same(first: Minima, other: Minima) -> bool:
    """Tell whether the minima (each one) are the same."""
    p, q = first.params[0], other.params[0]
    cost = float(first.cost[0])
    return len(first.cost) == len(other.cost) == 1 and bool(
        abs(cost - float(other.cost[0])) <= SAME_COST * cost
        and (np.abs(p - q) <= _SAME_PLACE * (np.abs(p) + np.abs(q))).all()
        and first.converged[0]
    )


def by_cost(cost: FloatArray) -> IntArray:
    """Return the order (M,) by cost (M,), what is not finite last."""
    order: IntArray = np.argsort(np.where(np.isfinite(cost), cost, np.inf), kind="stable")
    return order


def different(params: FloatArray, cost: FloatArray, order: IntArray) -> IntArray:
    """Return the numbers of the points that are not the same as an earlier one in an order."""
    cost = np.where(np.isfinite(cost), cost, np.inf)
    kept: list[int] = []
    for i in order:
        with np.errstate(invalid="ignore"):  # infinite costs
            near = np.abs(cost[kept] - cost[i]) <= SAME_COST * cost[i]
        gap = np.abs(params[kept] - params[i])
        same = (gap <= _SAME_PLACE * (np.abs(params[i]) + np.abs(params[kept]))).all(axis=1)
        if not np.any(near & same):
            kept.append(int(i))
    return np.array(kept)


def ordered(minima: Minima) -> Minima:
    """Return the different minima by cost; of the lowest, which are the same, the best first.

    The best are converged, their costs are the same up to rounding, and they feel rounding least.
    """
    lowest, within, feel = lowest_of(minima)
    exact = np.where(np.isfinite(minima.cost), minima.cost, np.inf)
    cost = np.where(lowest, exact.min(), exact)
    first = np.where(within, feel, np.inf)
    order = np.lexsort((exact, first, ~minima.converged, cost))
    return minima.where(different(minima.params, minima.cost, order))


def lowest_of(minima: Minima) -> tuple[BoolArray, BoolArray, FloatArray]:
    """Return which minima are as low as the lowest, which within rounding, and how they feel it."""
    cost = np.where(np.isfinite(minima.cost), minima.cost, np.inf)
    with np.errstate(all="ignore"):
        terms = np.sqrt(np.square(minima.params[:, None, :] * minima.R).sum(axis=(1, 2)))
        feel = np.round(np.log(terms) / _FEELS)
    i = int(cost.argmin())
    if not np.isfinite(cost[i]):
        every = np.ones(len(cost), dtype=bool)
        return every, every.copy(), feel
    shift = _ROUNDING * float(terms[i]) if np.isfinite(terms[i]) else 0.0
    gap = cost - cost[i]
    rounding = math.sqrt(2.0 * float(cost[i])) * shift + 0.5 * shift * shift
    within: BoolArray = gap <= rounding
    lowest: BoolArray = within | (gap <= SAME_COST * cost[i])
    return lowest, within, feel


def representable(minima: Minima) -> Minima:
    """Return minima with those not converged of which a parameter is too large to be computed with.

    Such as the amplitude at x = 0 of what decays along an x far from there.
    """
    beyond = (np.abs(minima.params) > _LARGEST).any(axis=1)
    beyond &= minima.outcome <= Outcome.MAX_ITERATIONS
    if not beyond.any():
        return minima
    return replace(minima, outcome=np.where(beyond, int(Outcome.STALLED), minima.outcome))
