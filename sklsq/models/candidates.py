"""Starting values for the nonlinear parameters of a model of which nothing is known.

A nonlinear parameter usually is a place in x, a width, a rate or frequency, an exponent, or a
size comparable with y. Which it is cannot be told, but each kind has its natural scale in the
data: places lie in the range of x, widths are fractions of it, rates are multiples of 1/range,
exponents and phases are of order one. A candidate draws a kind and a magnitude for every
parameter from a low-discrepancy sequence, so that few candidates cover the combinations evenly.
Where the dimensions of the parameters are known (`sklsq.models.dimensions`), the kind is: a
parameter of the dimension of x is a place or a width, one of 1/x a rate, one of none a number.

Source: M. Roberts, "The unreasonable effectiveness of quasirandom sequences" (2018), for the
additive recurrence with the generalised golden ratio.
"""

import numpy as np

from sklsq._typing import BoolArray, FloatArray
from sklsq.models.dimensions import parameter_dimensions
from sklsq.models.model import Model

__all__ = ["generic_candidates", "nonlinear_candidates"]

# kind, share of the draws
_KINDS = (
    ("place", 0.22),
    ("width", 0.20),
    ("rate", 0.28),
    ("pure number", 0.22),
    ("size of y", 0.08),
)
_PROBES = 24
_NEGATIVE = 0.25  # share of negative draws among all but places


def generic_candidates(
    X: FloatArray,
    y: FloatArray,
    n_params: int,
    rng: np.random.Generator,
    n_candidates: int,
    dimensions: FloatArray | None = None,
) -> FloatArray:
    """Draw starting values on the scales of the data.

    Parameters
    ----------
    X : ndarray of shape (n, p)
    y : ndarray of shape (n,)
    n_params : int
        Number of nonlinear parameters.
    rng : numpy.random.Generator
        Shifts the sequence; the same state yields the same candidates.
    n_candidates : int
    dimensions : ndarray of shape (p, n_params) or None
        The power of each feature's unit in each parameter, if known.

    Returns
    -------
    ndarray of shape (n_candidates, n_params)
        Finite; the first is all ones, unless the dimensions are known.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.linspace(0, 100, 50)[:, None]
    >>> rng = np.random.default_rng(0)
    >>> generic_candidates(X, np.exp(-X[:, 0] / 30), 2, rng, 100).shape
    (100, 2)
    """
    n_features = max(X.shape[1], 1)
    draws = _sequence(n_candidates, 4 * n_params, rng).reshape(n_candidates, n_params, 4)
    kind, magnitude, sign, choice = np.moveaxis(draws, 2, 0)
    column = np.minimum((choice * n_features).astype(int), n_features - 1)
    low, span = _extent(X)
    size = _size(y)
    candidates = np.empty((n_candidates, n_params))
    edges = np.cumsum([share for _, share in _KINDS])
    kind_index = np.minimum(np.searchsorted(edges, kind, side="right"), len(_KINDS) - 1)
    signs = np.where(sign < _NEGATIVE, -1.0, 1.0)
    options = [
        low[column] + (1.2 * magnitude - 0.1) * span[column],
        signs * span[column] * 10 ** (2.3 * magnitude - 2),
        signs / span[column] * 10 ** (4.2 * magnitude - 1.5),
        signs * 10 ** (2.5 * magnitude - 1.2),
        signs * size * 10 ** (3 * magnitude - 2),
    ]
    if dimensions is None:
        candidates = np.choose(kind_index, options)
        candidates[:1] = 1.0
        return candidates
    for j, exponents in enumerate(dimensions.T):
        signed = signs[:, j] * np.prod(span**exponents)
        if not exponents.any():
            candidates[:, j] = options[3][:, j]
        elif (exponents == 1).sum() == 1 and (exponents == 0).sum() == n_features - 1:
            feature = int(np.argmax(exponents))
            place = low[feature] + (1.2 * magnitude[:, j] - 0.1) * span[feature]
            width = np.abs(signed) * 10 ** (2.0 * magnitude[:, j] - 2)
            candidates[:, j] = np.where(choice[:, j] < 0.5, place, width)
        else:
            candidates[:, j] = signed * 10 ** (2.9 * magnitude[:, j] - 0.9)
    return candidates


def nonlinear_candidates(
    model: Model,
    X: FloatArray,
    y: FloatArray,
    is_linear: BoolArray,
    rng: np.random.Generator,
    n_candidates: int,
) -> FloatArray:
    """Draw starting values for the nonlinear parameters of a model, by their dimensions if any.

    Parameters
    ----------
    model : Model
    X : ndarray of shape (n, p)
    y : ndarray of shape (n,)
    is_linear : ndarray of bool, shape (m,)
        The parameters that enter linearly, which are not drawn.
    rng : numpy.random.Generator
    n_candidates : int

    Returns
    -------
    ndarray of shape (n_candidates, number of nonlinear parameters)
    """
    n_params = int((~is_linear).sum())
    probes = np.ones((_PROBES, len(is_linear))) + rng.random((_PROBES, len(is_linear)))
    probes[:, ~is_linear] = generic_candidates(X, y, n_params, rng, _PROBES)
    dimensions = parameter_dimensions(model, X, probes)
    known = None if dimensions is None else dimensions[:, ~is_linear]
    return generic_candidates(X, y, n_params, rng, n_candidates, known)


def _sequence(n_points: int, n_dimensions: int, rng: np.random.Generator) -> FloatArray:
    """Return points in the unit cube, evenly spread."""
    ratio = 1.0
    for _ in range(60):
        ratio = (1 + ratio) ** (1 / (n_dimensions + 1))
    steps = ratio ** -np.arange(1.0, n_dimensions + 1)
    points: FloatArray = (rng.random(n_dimensions) + np.outer(np.arange(n_points), steps)) % 1.0
    return points


def _extent(X: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the lower end and the range of each feature, the range never zero."""
    if X.size == 0:
        return np.zeros(1), np.ones(1)
    with np.errstate(all="ignore"):
        low, high = X.min(axis=0), X.max(axis=0)
        span = high - low
    span = np.where(span > 0, span, np.abs(low))
    is_usable = np.isfinite(span) & (span > 0)
    return np.where(np.isfinite(low), low, 0.0), np.where(is_usable, span, 1.0)


def _size(y: FloatArray) -> float:
    finite = np.abs(y[np.isfinite(y)])
    return float(finite.max(initial=0.0)) or 1.0
