r"""Are residuals Gaussian? Anderson and Darling's test with mean and variance estimated.

With the standardised residuals in order, :math:`z_1 \le \dots \le z_n`, less their mean and over
their standard deviation,

.. math:: A^2 = -n - \frac1n \sum_i (2 i - 1) \left[\ln \Phi(z_i) + \ln \Phi(-z_{n+1-i})\right]

weighs the tails as much as the middle. The p-value of :math:`A^2 (1 + 0.75/n + 2.25/n^2)` is that
of D'Agostino and Stephens, *Goodness-of-Fit Techniques* (1986), table 4.9, for any n from 8. That
the residuals come from a fit changes the limit law of no test of this kind (Pierce and Kopecky,
Biometrika 66, 1 (1979)).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import log_ndtr

from sklsq._typing import FloatArray

__all__ = ["NormalityTest", "normality_test"]

# From which value on: coefficients of ln p in powers of the statistic, and whether it is ln(1 - p).
_TAIL = (
    (0.6, (1.2937, -5.709, 0.0186), False),
    (0.34, (0.9177, -4.279, -1.38), False),
    (0.2, (-8.318, 42.796, -59.938), True),
    (-np.inf, (-13.436, 101.14, -223.73), True),
)
_FORMULA_ENDS = 150.0  # from here on ln p of the formula would rise again


class NormalityTest(NamedTuple):
    """A², excess kurtosis and skewness, and the p-value of A²."""

    statistic: float
    skewness: float
    kurtosis: float
    p_value: float


def normality_test(standardized: FloatArray) -> NormalityTest:
    """Test whether residuals are Gaussian, of any mean and variance.

    Parameters
    ----------
    standardized : ndarray of shape (n,)
        Residuals over their own standard deviations, up to a common factor.
    """
    n = len(standardized)
    spread = float(standardized.std(ddof=1))
    if not spread > 0.0:
        return NormalityTest(np.nan, np.nan, np.nan, np.nan)
    z = np.sort((standardized - standardized.mean()) / spread)
    order = 2.0 * np.arange(1, n + 1) - 1.0
    statistic = -n - float(order @ (log_ndtr(z) + log_ndtr(-z[::-1]))) / n
    moments = z / np.sqrt(np.mean(z**2))
    skewness, kurtosis = float(np.mean(moments**3)), float(np.mean(moments**4)) - 3.0
    return NormalityTest(statistic, skewness, kurtosis, _p_value(statistic, n))


def _p_value(statistic: float, n: int) -> float:
    corrected = min(statistic * (1.0 + 0.75 / n + 2.25 / n**2), _FORMULA_ENDS)
    for least, (a, b, c), complement in _TAIL:
        if corrected >= least:
            p = float(np.exp(a + b * corrected + c * corrected**2))
            return 1.0 - p if complement else p
    return float("nan")
