r"""The shortest way to the minimum of one curve with a start: what most fits are.

A fit of a hundred points takes a tenth of a millisecond of arithmetic. What is made for many
curves, many starts, bounds, ties, priors, robust losses and a million rows is left out here: the
rows

.. math:: \left[\frac{\partial f}{\partial p_1} \dots \frac{\partial f}{\partial p_k},\ y -
          f\right] / \sigma

come straight from the model, and `sklsq.solvers.ordinary_descent` does the rest. Where that loop
hands over, or its minimum leaves half of the scatter of the data unexplained and may be the wrong
one, the fit goes on from there by the general way. So it does where a parameter has another sign
than at the start, for its sign may not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import mul

import numpy as np

from sklsq._typing import FloatArray
from sklsq.estimators._scatter import UNEXPLAINED, scatter_of
from sklsq.models import Model
from sklsq.noise import Noise
from sklsq.solvers.descent import Reached
from sklsq.solvers.nonlinear_problem import Minima, Tolerances
from sklsq.solvers.ordinary_descent import ordinary_descent

__all__ = ["minimum_of_one_curve"]


class _Curve:
    """A `NonlinearProblem` as far as the ordinary descent looks at one."""

    __slots__ = ("fill", "n_params", "n_rows", "weight", "y")

    def __init__(
        self, fill: Callable[..., None], y: FloatArray, weight: FloatArray | float, k: int
    ) -> None:
        self.fill, self.y, self.weight = fill, y, weight
        self.n_params, self.n_rows = k, len(y)

    def rows(self, params: Sequence[float], curve: int) -> FloatArray:
        """Return rows (k + 1, n) of one point."""
        out = np.empty((self.n_params + 1, self.n_rows))
        self.fill(*params, self.y, out)
        return np.multiply(out, self.weight, out)


def minimum_of_one_curve(
    model: Model,
    X: FloatArray,
    y: FloatArray,
    noise: Noise,
    start: FloatArray,
    max_iter: int,
    tolerances: Tolerances,
    *,
    doubt: bool,
) -> tuple[Minima | Reached, bool]:
    """Return where a start leads to, and whether that is the minimum of the fit.

    Parameters
    ----------
    model : Model
        All of its k parameters are free and without bounds or priors.
    X : ndarray of shape (n, p)
        Features.
    y : ndarray of shape (n,)
        Measured values, finite.
    noise : Noise
        What is known of their errors; no covariance, and no weight of zero.
    start : ndarray of shape (k,)
        Finite.
    max_iter, tolerances
        As in `sklsq.solvers.levenberg_marquardt`.
    doubt : bool
        Whether a minimum that leaves much unexplained is not taken for the one.
    """
    curve = _Curve(model.filling(X, start), y, noise.root_weight(), len(start))
    with np.errstate(all="ignore"):
        end = ordinary_descent(curve, start, 0, max_iter, tolerances)
        if isinstance(end, Reached):
            return end, False
        poor = doubt and float(end.chi2[0]) > UNEXPLAINED * scatter_of(y, curve.weight)
        crossed = min(map(mul, end.params[0].tolist(), start.tolist())) < 0.0
        return end, not (poor or crossed)
