"""Exchange with the package `uncertainties`, whose numbers carry their correlated errors along."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sklsq._typing import FloatArray

__all__ = ["correlated_values", "is_ufloat", "nominal_values"]


def correlated_values(names: Sequence[str], values: Any, cov: Any) -> dict[str, Any]:
    """Return numbers of the package `uncertainties`, with their correlations.

    Parameters
    ----------
    names : sequence of str
        Names of the m values.
    values : array_like of shape (m,)
        The values.
    cov : array_like of shape (m, m)
        Their covariance. A value whose variance is infinite or NaN becomes an independent number
        with that error; one without error a float.

    Returns
    -------
    numbers : dict of str to uncertainties.UFloat or float
        One number for each name.

    Raises
    ------
    ImportError
        If `uncertainties` is not installed.

    Examples
    --------
    >>> from sklsq.inference.correlated_values import correlated_values
    >>> line = correlated_values(["a", "b"], [-2.0, 4.0], [[0.04, -0.01], [-0.01, 0.01]])
    >>> print(-line["a"] / line["b"])
    0.50+/-0.05
    """
    uncertainties = _uncertainties()
    values, cov = np.asarray(values, dtype=np.float64), np.asarray(cov, dtype=np.float64)
    variance = cov.diagonal()
    known = np.isfinite(variance) & (variance > 0.0)
    known &= np.isfinite(cov[:, known]).all(axis=1)
    numbers = {
        name: uncertainties.ufloat(value, float(np.sqrt(square))) if square else value
        for name, value, square in zip(names, values.tolist(), variance, strict=True)
    }
    if known.any():
        together = uncertainties.correlated_values(values[known], cov[np.ix_(known, known)])
        numbers |= dict(zip(np.asarray(names, dtype=object)[known], together, strict=True))
    return numbers


def is_ufloat(number: Any) -> bool:
    """Tell whether a number carries an error, as those of `uncertainties` do."""
    return hasattr(number, "nominal_value") and hasattr(number, "std_dev")


def nominal_values(numbers: Sequence[Any]) -> tuple[FloatArray, FloatArray]:
    """Return values (m,) and covariance (m, m) of numbers, some with errors of `uncertainties`."""
    uncertain = np.array([is_ufloat(number) for number in numbers])
    values = [number.nominal_value if is_ufloat(number) else number for number in numbers]
    covariance = np.zeros((len(values), len(values)))
    covariance[np.ix_(uncertain, uncertain)] = _uncertainties().covariance_matrix(
        [number for number in numbers if is_ufloat(number)]
    )
    return np.array(values, dtype=np.float64), covariance


def _uncertainties() -> Any:
    try:
        import uncertainties
    except ImportError:
        raise ImportError(
            "The package `uncertainties` must be installed to exchange numbers with it. Got no "
            "such package; `pip install uncertainties`."
        ) from None
    return uncertainties
