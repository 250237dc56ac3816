r"""Does a point lie too far from the others' fit? Externally studentised residuals.

The residual of a point from the fit of all others, over its standard deviation with the scatter
of the others, follows from the standardised residual :math:`d_i` without a refit:

.. math:: t_i = r_i \sqrt{\frac{\nu - 1}{\nu - r_i^2}}, \qquad
          r_i = d_i \Big/ \sqrt{\textstyle\sum e_j^2 / \nu},

with Student's t distribution of ν - 1 degrees of freedom (Cook and Weisberg 1982, section 2.2.1;
Beckman and Trussell 1974), exactly for linear models with Gaussian errors, whatever σ was taken to
be. Of n points :math:`n p_i` are expected as far out as one whose two-sided tail is :math:`p_i`;
the farthest is tested at Šidák's level, :math:`1 - (1 - p)^n`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import stdtr

from sklsq._typing import FloatArray

__all__ = ["OutlierTest", "outlier_test"]


class OutlierTest(NamedTuple):
    """Studentised residuals (n,), their two-sided tails (n,), and the p-value of the farthest."""

    studentized: FloatArray
    tail: FloatArray
    p_value: float


def outlier_test(standardized: FloatArray, sum_of_squares: float, dof: float) -> OutlierTest:
    """Compare each point with the fit of all others.

    Parameters
    ----------
    standardized : ndarray of shape (n,)
        Residuals over their own standard deviations, in units of σ.
    sum_of_squares : float
        Sum of the squares of the residuals in units of σ.
    dof : float
        Degrees of freedom, more than one.
    """
    squared = standardized**2 * dof / sum_of_squares
    left = np.maximum(dof - squared, 0.0)
    with np.errstate(divide="ignore"):
        studentized = np.sign(standardized) * np.sqrt(squared * (dof - 1.0) / left)
    tail = 2.0 * stdtr(dof - 1.0, -np.abs(studentized))
    with np.errstate(divide="ignore"):
        sidak = float(-np.expm1(len(tail) * np.log1p(-min(float(tail.min()), 1.0))))
    return OutlierTest(studentized, tail, sidak)
