r"""Do residuals know of their neighbours? Runs of equal sign, and Durbin and Watson's ratio.

Both take residuals :math:`e` in some order, in units of σ, with covariance :math:`1 - B
B^\mathsf{T}` under the model (`hat_matrix`), which a fit of m parameters makes alternate more often
than independent numbers would.

*Runs.* Given :math:`n_+` positive and :math:`n_-` negative signs in random order there are
:math:`R = 1 + 2 n_+ n_- / n` runs on average, with variance :math:`2 n_+ n_- (2 n_+ n_- - n) /
(n^2 (n - 1))` (Wald and Wolfowitz, Ann. Math. Stat. 11, 147 (1940)). Fitting adds to the mean what
follows from the correlations :math:`\rho_{ij}` of Gaussian residuals, whose signs differ with
probability :math:`\arccos(\rho_{ij}) / \pi`: the sum over neighbours, less :math:`2/n` times that
over all pairs. The variance falls with the degrees of freedom, as :math:`(\nu + 1)/n`.

*Durbin–Watson.* :math:`d = \sum (e_i - e_{i-1})^2 / \sum e_i^2 = e^\mathsf{T} A e /
e^\mathsf{T} e` is near 2 for independent errors, near :math:`2 (1 - r)` for a correlation r of
neighbours. With :math:`M = 1 - B B^\mathsf{T}` and :math:`\nu = \operatorname{tr} M`, exactly,

.. math:: \operatorname{E} d = \frac{\operatorname{tr} M A}{\nu}, \qquad
          \operatorname{Var} d = 2 \frac{\nu \operatorname{tr} (M A)^2 - (\operatorname{tr} M A)^2}
          {\nu^2 (\nu + 2)},

and :math:`d / 4` is very nearly a beta variable of that mean and variance (Durbin and Watson,
Biometrika 38, 159 (1951); 58, 1 (1971)).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import betainc, betaincc, ndtr

from sklsq._typing import FloatArray

__all__ = ["SerialTest", "durbin_watson_test", "runs_test"]

_ALL_PAIRS = 500  # rows up to which the correlations of all pairs are taken one by one


class SerialTest(NamedTuple):
    """A statistic, what it is on average under the model, and its two-sided p-value."""

    statistic: float
    expected: float
    p_value: float


def runs_test(residual: FloatArray, root: FloatArray) -> SerialTest:
    """Count the runs of equal sign.

    Parameters
    ----------
    residual : ndarray of shape (n,)
        Residuals in units of σ, in order.
    root : ndarray of shape (n, m)
        Root of their hat matrix, in the same order.
    """
    n, positive = len(residual), residual > 0.0
    n_up = int(positive.sum())
    n_runs = 1.0 + np.count_nonzero(positive[1:] != positive[:-1])
    both = 2.0 * n_up * (n - n_up)
    if both == 0.0:
        return SerialTest(1.0, 0.5 * (n + 1.0), 2.0 ** (1.0 - n))
    expected = 1.0 + both / n + _more_changes(root)
    dof = n - np.einsum("ij,ij->", root, root)
    variance = both * (both - n) / (n**2 * (n - 1.0)) * (dof + 1.0) / n
    if variance <= 0.0:
        return SerialTest(n_runs, expected, np.nan)
    return SerialTest(
        n_runs, expected, float(2.0 * ndtr(-abs(n_runs - expected) / np.sqrt(variance)))
    )


def _more_changes(root: FloatArray) -> float:
    """Return by how many runs a fit exceeds signs in random order, on average."""
    n = len(root)
    unit = root / np.sqrt(1.0 - np.einsum("ij,ij->i", root, root))[:, None]
    neighbours = np.einsum("ij,ij->i", unit[1:], unit[:-1])
    if n <= _ALL_PAIRS:
        pairs = np.clip(unit @ unit.T, -1.0, 1.0)
        np.fill_diagonal(pairs, 0.0)
        total = float(np.arcsin(pairs).sum())
    else:  # correlations are small
        column_sums = unit.sum(axis=0)
        total = float(column_sums @ column_sums - np.einsum("ij,ij->", unit, unit))
    return float(np.arcsin(np.clip(neighbours, -1.0, 1.0)).sum() - total / n) / np.pi


def durbin_watson_test(residual: FloatArray, root: FloatArray) -> SerialTest:
    """Compare differences of neighbours with the residuals themselves.

    Parameters
    ----------
    residual : ndarray of shape (n,)
        Residuals in units of σ, in order.
    root : ndarray of shape (n, m)
        Root of their hat matrix, in the same order.
    """
    n = len(residual)
    dof = n - float(np.einsum("ij,ij->", root, root))
    steps = np.diff(residual)
    ratio = float(steps @ steps / (residual @ residual))
    root_steps = np.diff(root, axis=0)
    seen = np.zeros_like(root)  # A B
    seen[:-1] -= root_steps
    seen[1:] += root_steps
    inner = root.T @ seen
    trace = 2.0 * (n - 1) - np.trace(inner)
    square_of_neighbours = 2.0 + 4.0 * (n - 2) + 2.0 * (n - 1)  # tr A²
    trace_of_square = square_of_neighbours - 2.0 * np.sum(seen**2) + np.sum(inner**2)
    expected = trace / dof
    variance = 2.0 * (dof * trace_of_square - trace**2) / (dof**2 * (dof + 2.0))
    mean = expected / 4.0
    total = mean * (1.0 - mean) / (variance / 16.0) - 1.0
    if not (variance > 0.0 and total > 0.0):
        return SerialTest(ratio, expected, np.nan)
    a, b, share = mean * total, (1.0 - mean) * total, min(ratio / 4.0, 1.0)
    p_value = 2.0 * min(float(betainc(a, b, share)), float(betaincc(a, b, share)))
    return SerialTest(ratio, float(expected), min(p_value, 1.0))
