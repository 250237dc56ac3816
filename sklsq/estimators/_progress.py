"""What a fit tells while it runs: each lower χ² as it is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from sklsq._typing import FloatArray, IntArray
from sklsq.estimators._parameter_space import ParameterSpace
from sklsq.solvers.nonlinear_problem import NonlinearProblem

__all__ = ["Progress", "printed", "watched"]

_LOWER = 1e-3  # relative fall of χ² that is worth a word


class Progress:
    """Tells of every point of one curve whose χ² is noticeably below all before.

    Parameters
    ----------
    space : ParameterSpace
        Names the parameters.
    tell : callable
        ``tell(params, chi2, n_points)``: a dict by name, and how many points have been looked at.
    """

    def __init__(
        self, space: ParameterSpace, tell: Callable[[dict[str, float], float, int], Any]
    ) -> None:
        self._space, self._tell = space, tell
        self._lowest, self._n_points = np.inf, 0

    def saw(self, free: FloatArray, chi2: FloatArray) -> None:
        """Take note of points (B, k) with their χ² (B,)."""
        self._n_points += len(chi2)
        best = int(np.argmin(np.where(np.isfinite(chi2), chi2, np.inf)))
        if chi2[best] < self._lowest * (1.0 - _LOWER):
            self._lowest = float(chi2[best])
            values = self._space.expand(free[best : best + 1])[0].tolist()
            named = dict(zip(self._space.names, values, strict=True))
            self._tell(named, self._lowest, self._n_points)


def watched(problem: NonlinearProblem, progress: Progress) -> NonlinearProblem:
    """Return the problem of one curve, each of its evaluations noted.

    Parts of a problem of very many rows are not.
    """

    def evaluate(params: FloatArray, curves: IntArray) -> FloatArray:
        residuals = problem.evaluate(params, curves)
        progress.saw(params, np.einsum("bi,bi->b", residuals, residuals))
        return residuals

    def linearise(params: FloatArray, curves: IntArray) -> tuple[FloatArray, FloatArray]:
        residuals, J = problem.linearise(params, curves)
        progress.saw(params, np.einsum("bi,bi->b", residuals, residuals))
        return residuals, J

    return replace(problem, evaluate=evaluate, linearise=linearise, single=None, products=None)


def printed(params: dict[str, float], chi2: float, n_points: int) -> None:
    """Print one line of progress."""
    values = ", ".join(f"{name} = {value:.6g}" for name, value in params.items())
    print(f"{n_points:8d} points looked at, chi2 = {chi2:.6g} at {values}")
