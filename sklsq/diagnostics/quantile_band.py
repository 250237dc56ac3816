r"""How far ordered Gaussian numbers stray from their expected places: a band that holds them all.

For the i-th smallest of n normal numbers, :math:`z_{(i)}`, the probability :math:`\Phi(z_{(i)})`
follows the beta distribution of i and n + 1 - i. Between its quantiles :math:`\eta/2` and
:math:`1 - \eta/2` lies each of them with probability :math:`1 - \eta`; all lie there at once with a
probability that depends on η and n only. The η for which that is the wanted level is found from
simulated samples: it is the quantile of the smallest two-sided p-value within a sample (equal local
levels: Aldor-Noiman et al., Am. Stat. 67, 249 (2013)). Beyond 500 numbers η falls about as
:math:`1 / (\ln n \ln \ln n)` (Gontscharuk and Finner, Test 25, 1 (2016)).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.special import betainc, betaincinv, ndtri

from sklsq._typing import FloatArray

__all__ = ["normal_places", "quantile_band"]

_LARGEST_SIMULATED = 500
_SAMPLES = 1000


def normal_places(n: int) -> FloatArray:
    """Return about where n ordered normal numbers are expected (Blom 1958)."""
    places: FloatArray = ndtri((np.arange(1, n + 1) - 0.375) / (n + 0.25))
    return places


def quantile_band(n: int, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
    """Return ends between which n ordered standard normal numbers all lie, with some probability.

    Parameters
    ----------
    n : int
        How many numbers.
    level : float, default=0.95
        Probability that all of them lie within the band.

    Returns
    -------
    lower, upper : ndarray of shape (n,)
        Ends of the band.

    Examples
    --------
    >>> from sklsq.diagnostics.quantile_band import quantile_band
    >>> lower, upper = quantile_band(1)
    >>> bool(abs(upper[0] - 1.96) < 0.15)
    True
    """
    tail = 0.5 * _local_level(n, level)
    order = np.arange(1, n + 1)
    upper = -ndtri(betaincinv(order, n + 1 - order, tail))[::-1]
    return -upper[::-1], upper


def _local_level(n: int, level: float) -> float:
    simulated = min(n, _LARGEST_SIMULATED)
    local = _simulated_level(simulated, level)
    if simulated == n:
        return local
    ratio = np.log(simulated) * np.log(np.log(simulated)) / (np.log(n) * np.log(np.log(n)))
    return local * float(ratio)


@lru_cache(maxsize=32)
def _simulated_level(n: int, level: float) -> float:
    """Return η, for which all n numbers lie in the band with probability `level`."""
    rng = np.random.default_rng(0)
    order = np.arange(1, n + 1)
    smallest = np.empty(_SAMPLES)
    for k in range(_SAMPLES):
        share = betainc(order, n + 1 - order, np.sort(rng.random(n)))
        smallest[k] = 2.0 * min(share.min(), 1.0 - share.max())
    return float(np.quantile(smallest, 1.0 - level))
