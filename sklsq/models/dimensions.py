"""The physical dimension of each parameter, found from the model itself.

If a formula makes sense in physics it keeps its form when the unit of a feature x is changed: with
x -> λx and pⱼ -> λ^uⱼ pⱼ the value stays. Differentiated by λ at λ = 1 (Euler's theorem on
homogeneous functions) this is linear in the exponents,

    x ∂f/∂x + Σ uⱼ pⱼ ∂f/∂pⱼ = 0    at every x and p,

so that they follow from linear least squares over some points. In ``a*exp(-((x - c)/d)**2) *
cos(k*x)`` they are 0, 1, 1 and -1: c and d are lengths of x, k is a rate. Starting values need
only be tried on that scale. A formula with numbers of its own dimension (``x/12``) or with x to
the power of a parameter has no such exponents.

Source: P. W. Bridgman, "Dimensional Analysis", Yale University Press 1922, chapter 4.
"""

import numpy as np

from sklsq._typing import FloatArray
from sklsq.models.model import Model

__all__ = ["parameter_dimensions"]

_MAX_ROWS = 40
_STEP = 6e-6  # relative, of x
_TOLERANCE = 1e-3  # of the equation, which holds to the error of the differences
_FEWEST_SAMPLES = 3


def parameter_dimensions(model: Model, X: FloatArray, samples: FloatArray) -> FloatArray | None:
    """Find the power of each feature's unit that is in each parameter.

    Parameters
    ----------
    model : Model
    X : ndarray of shape (n, p)
    samples : ndarray of shape (S, m)
        Parameters at which to try, all of them not zero; a dozen will do.

    Returns
    -------
    ndarray of shape (p, m) or None
        None if the model does not keep its form under a change of units, or its rows cannot be
        taken apart.

    Examples
    --------
    >>> import numpy as np
    >>> from sklsq.models import FormulaModel
    >>> model = FormulaModel("a*exp(-((x - c)/d)**2) * cos(k*x)")
    >>> samples = np.random.default_rng(0).uniform(0.5, 2, size=(12, 4))
    >>> parameter_dimensions(model, np.linspace(0.1, 3, 20)[:, None], samples) + 0.0
    array([[ 0.,  1.,  1., -1.]])
    """
    if len(X) == 0 or not model.is_pointwise(X, samples):
        return None
    rows = np.unique(np.linspace(0, len(X) - 1, min(len(X), _MAX_ROWS)).astype(int))
    X = X[rows]
    _, derivatives = model.linearise(X, samples)
    with np.errstate(all="ignore"):
        columns = derivatives * samples[:, :, None]
        slopes = [_by_logarithm(model, X, samples, j) for j in range(X.shape[1])]
        found = [_exponents(columns, slope) for slope in slopes]
    exponents = [each for each in found if each is not None]
    return np.array(exponents) if len(exponents) == len(found) > 0 else None


def _by_logarithm(model: Model, X: FloatArray, samples: FloatArray, j: int) -> FloatArray:
    """Return x ∂f/∂x for feature j, shape (S, n)."""
    above, below = X.copy(), X.copy()
    above[:, j] *= 1 + _STEP
    below[:, j] *= 1 - _STEP
    slope: FloatArray = (model.evaluate(above, samples) - model.evaluate(below, samples)) / (
        2 * _STEP
    )
    return slope


def _exponents(columns: FloatArray, slopes: FloatArray) -> FloatArray | None:
    """Solve for the exponents; None where there are none, or none that is a half integer."""
    size = np.abs(columns).max(axis=(1, 2))
    is_usable = np.isfinite(size + slopes.sum(axis=1) + columns.sum(axis=(1, 2))) & (size > 0)
    if is_usable.sum() < _FEWEST_SAMPLES:
        return None
    scale = np.maximum(size, np.abs(slopes).max(axis=1))[is_usable]
    matrix = columns[is_usable] / scale[:, None, None]
    target = -(slopes[is_usable] / scale[:, None])
    flat = matrix.transpose(0, 2, 1).reshape(-1, matrix.shape[1])
    lengths = np.sqrt((flat * flat).sum(axis=0))
    lengths = np.where(lengths > 0, lengths, 1.0)
    solution = np.linalg.lstsq(flat / lengths, target.ravel(), rcond=1e-7)[0] / lengths
    exponents: FloatArray = np.round(2 * solution) / 2
    error = np.abs(flat @ exponents - target.ravel()).max()
    return exponents if error <= _TOLERANCE else None
