"""Starting values for the nonlinear parameters of a model of which nothing is known.

A nonlinear parameter usually is a place in x, a width, a rate or frequency, an exponent, or a
size comparable with y. Which it is cannot be told, but each kind has its natural scale in the
data: places lie in the range of x, widths are fractions of it, rates are multiples of 1/range,
exponents and phases are of order one. A candidate draws a kind and a magnitude for every
parameter from a low-discrepancy sequence, so that few candidates cover the combinations evenly.
Where the dimensions of the parameters are known (`sklsq.models.dimensions`), the kind is: a
parameter of the dimension of x is a place or a width, one of 1/x a rate, one of none a number.
They are found near x = 0, since far from there the numbers show nothing of them but rounding; and
of frequencies that coincide at evenly spaced x (`sklsq.models.aliases`) the lowest are tried. Every
other candidate of a frequency is near a peak of the periodogram of y.

Source: M. Roberts, "The unreasonable effectiveness of quasirandom sequences" (2018), for the
additive recurrence with the generalised golden ratio.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from sklsq._typing import BoolArray, FloatArray, IntArray
from sklsq.models.aliases import folded, spacing, turns
from sklsq.models.dimensions import parameter_dimensions
from sklsq.models.guessing import strongest_frequencies
from sklsq.models.model import Model

__all__ = ["Draws", "draws", "generic_candidates", "nonlinear_candidates"]

# kind, share of the draws
_KINDS = (
    ("place", 0.22),
    ("width", 0.20),
    ("rate", 0.28),
    ("pure number", 0.22),
    ("size of y", 0.08),
)
_PROBES = 24
_STRONGEST = 12  # frequencies
_NEAR = 0.1  # of the range: the distance from zero at which dimensions are looked for
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
    near = _near_zero(X)
    probes[:, ~is_linear] = generic_candidates(near, y, n_params, rng, _PROBES)
    dimensions = parameter_dimensions(model, near, probes)
    known = None if dimensions is None else dimensions[:, ~is_linear]
    candidates = generic_candidates(X, y, n_params, rng, n_candidates, known)
    if dimensions is None or len(dimensions) > 1:
        return candidates
    exponents = dimensions[0, ~is_linear]
    turn = turns(model.evaluate, len(is_linear), dimensions[0])[~is_linear]
    if not turn.any():
        return candidates
    _follow_spectrum(candidates, X[:, 0], y, turn, exponents, rng)
    step = spacing(X[:, 0])
    return candidates if step is None else folded(candidates, turn / step, exponents)


def _follow_spectrum(
    candidates: FloatArray,
    x: FloatArray,
    y: FloatArray,
    turn: FloatArray,
    exponents: FloatArray,
    rng: np.random.Generator,
) -> None:
    """Put strong frequencies of y into every other candidate (S, k), in place."""
    usable = np.isfinite(x) & np.isfinite(y)
    if not usable.any():
        return
    strong = strongest_frequencies(x[usable], y[usable], _STRONGEST)
    strong = strong[strong > 0.0]
    for j in np.flatnonzero(turn):
        drawn = turn[j] * rng.choice(strong, len(candidates[::2]))
        sign = np.where(candidates[::2, j] < 0.0, -1.0, 1.0)
        candidates[::2, j] = sign * (drawn if exponents[j] == -1.0 else 1.0 / drawn)


@dataclass(frozen=True, eq=False)
class Draws:
    """Candidates before the scales of the data are known; made by `draws`.

    Parameters
    ----------
    values : ndarray of shape (S, k)
        In units of the scales.
    scale : ndarray of int of shape (S, k)
        The scale of each: 1, the size of y, then the range of each feature, then their inverses,
        then, where dimensions are known, one for each parameter.
    place : ndarray of shape (S, k, p)
        1 where the value is a place in a feature, else 0.
    is_rate : ndarray of bool of shape (S, k)
        Which are rates of the single feature.
    dimensions : ndarray of shape (p, k) or None
        Those that were given.
    """

    values: FloatArray
    scale: IntArray
    place: FloatArray
    is_rate: BoolArray
    dimensions: FloatArray | None

    def on(self, low: FloatArray, span: FloatArray, size: float) -> FloatArray:
        """Return the candidates (S, k) for features from `low` (p,) over `span`, y of a `size`."""
        scales = [1.0, size, *span.tolist(), *(1.0 / span).tolist()]
        if self.dimensions is not None:
            scales += np.prod(span[:, None] ** self.dimensions, axis=0).tolist()
        candidates: FloatArray = self.values * np.array(scales)[self.scale]
        candidates += self.place.dot(low)
        return candidates


@lru_cache(maxsize=64)
def draws(
    n_candidates: int,
    n_params: int,
    n_features: int,
    seed: int,
    dimensions: tuple[tuple[float, ...], ...] | None,
) -> Draws:
    """Draw starting values for features and y of any scale, the same ones each time.

    Parameters
    ----------
    n_candidates, n_params, n_features : int
    seed : int
        Shifts the sequence.
    dimensions : tuple of tuple of float, or None
        For each feature the power of its unit in each parameter, if known.

    Examples
    --------
    >>> import numpy as np
    >>> rates = draws(3, 1, 1, 0, ((-1.0,),))
    >>> slow = rates.on(np.zeros(1), np.full(1, 100.0), 1.0)
    >>> np.allclose(100.0 * slow, rates.on(np.zeros(1), np.ones(1), 1.0))
    True
    """
    n_features = max(n_features, 1)
    shape = n_candidates, n_params
    rng = np.random.default_rng(seed)
    every = _sequence(n_candidates, 4 * n_params, rng).reshape(*shape, 4)
    kind, magnitude, sign, choice = np.moveaxis(every, 2, 0)
    column = np.minimum((choice * n_features).astype(int), n_features - 1)
    edges = np.cumsum([share for _, share in _KINDS])
    kinds = np.minimum(np.searchsorted(edges, kind, side="right"), len(_KINDS) - 1)
    signs = np.where(sign < 0.5, -1.0, 1.0)  # what turns with others must be among few, too
    somewhere = 1.2 * magnitude - 0.1
    values = np.choose(
        kinds,
        [
            somewhere,
            signs * 10 ** (2.3 * magnitude - 2),
            signs * 10 ** (4.2 * magnitude - 1.5),
            signs * 10 ** (2.5 * magnitude - 1.2),
            signs * 10 ** (3 * magnitude - 2),
        ],
    )
    scale = np.choose(kinds, [2 + column, 2 + column, 2 + n_features + column, 0, 1])
    is_place, is_rate = kinds == 0, kinds == 2
    if dimensions is not None:
        known = np.array(dimensions)
        scale = np.broadcast_to(2 + 2 * n_features + np.arange(n_params), shape)
        one = ((known == 1).sum(axis=0) == 1) & ((known == 0).sum(axis=0) == n_features - 1)
        number = ~known.any(axis=0)
        column = np.broadcast_to(np.argmax(known == 1, axis=0), shape)
        is_place = one & (choice < 0.5)
        is_rate = np.broadcast_to((known == -1.0).all(axis=0), shape)
        width = 10 ** (2.0 * magnitude - 2)
        other = signs * 10 ** (2.9 * magnitude - 0.9)
        values = np.where(one, np.where(is_place, somewhere, width), other)
        values = np.where(number, signs * 10 ** (2.5 * magnitude - 1.2), values)
    place = np.zeros((*shape, n_features))
    np.put_along_axis(place, column[:, :, None], is_place[:, :, None].astype(float), axis=2)
    is_rate = is_rate if n_features == 1 else np.zeros(shape, dtype=bool)
    return Draws(values, scale, place, is_rate, None if dimensions is None else known)


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


def _near_zero(X: FloatArray) -> FloatArray:
    """Return features of the same range and sign, none of them far from zero for its range."""
    low, span = _extent(X)
    high = low + span
    beyond = np.where(low > span, low, np.where(high < -span, high, 0.0))
    return X - beyond + _NEAR * np.sign(beyond) * span


def _size(y: FloatArray) -> float:
    finite = np.abs(y[np.isfinite(y)])
    return float(finite.max(initial=0.0)) or 1.0
