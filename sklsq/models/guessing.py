"""Scales of sorted data, from which ready-made models draw their guesses."""

import numpy as np

from sklsq._typing import FloatArray

__all__ = ["extremes", "grid", "harmonic", "places", "range_of", "strongest_frequencies", "widths"]

_MOST_FREQUENCIES = 3000
_MOST_SAMPLES = 400
_OVERSAMPLING = 4


def range_of(x: FloatArray) -> float:
    """Return the range of x, a positive number."""
    span = float(x[-1] - x[0])
    return span if span > 0 else float(abs(x[0])) or 1.0


def grid(*axes: FloatArray) -> FloatArray:
    """Return all combinations of the values on the axes, shape (S, number of axes).

    Examples
    --------
    >>> import numpy as np
    >>> grid(np.array([1.0, 2.0]), np.array([5.0])).tolist()
    [[1.0, 5.0], [2.0, 5.0]]
    """
    return np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=1)


def places(x: FloatArray, n_places: int, beyond: float = 0.0) -> FloatArray:
    """Return evenly spaced places in the range of x, and `beyond` of it to both sides."""
    margin = beyond * range_of(x)
    return np.linspace(x[0] - margin, x[-1] + margin, n_places)


def widths(x: FloatArray, n_widths: int) -> FloatArray:
    """Return widths from the spacing of x to its range."""
    span = range_of(x)
    return np.geomspace(max(0.7 / max(len(x), 2), 1e-3) * span, 0.8 * span, n_widths)


def extremes(x: FloatArray, y: FloatArray, n_each: int = 4) -> FloatArray:
    """Return the places where smoothed y is highest and lowest, away from each other."""
    found: list[float] = []
    for width in (1, 5):
        smooth = np.convolve(y, np.ones(width) / width, mode="same") if len(y) > width else y
        for sign in (1.0, -1.0):
            found += _highest(x, sign * smooth, n_each)
    return np.unique(found)


def _highest(x: FloatArray, y: FloatArray, n_places: int) -> list[float]:
    remaining = y.astype(float).copy()
    reach = max(1, len(y) // 30)
    found = []
    for _ in range(n_places):
        top = int(np.argmax(remaining))
        if not np.isfinite(remaining[top]):
            break
        found.append(float(x[top]))
        remaining[max(0, top - reach) : top + reach + 1] = -np.inf
    return found


def strongest_frequencies(x: FloatArray, y: FloatArray, n_frequencies: int) -> FloatArray:
    """Return frequencies of the highest peaks of the periodogram, and a few below 1/range."""
    if len(x) > _MOST_SAMPLES:  # irregular, so that frequencies are not mistaken for others
        kept = np.random.default_rng(0).choice(len(x), _MOST_SAMPLES, replace=False)
        x, y = x[kept], y[kept]
    span = float(np.ptp(x)) or 1.0
    n_steps = min(len(x) * _OVERSAMPLING // 2, _MOST_FREQUENCIES)
    frequencies = np.arange(1, n_steps + 1) / (_OVERSAMPLING * span)
    turns = np.exp(-2j * np.pi * np.outer(frequencies, x - x.mean()))
    power = np.abs(turns @ (y - y.mean()))
    found = []
    for _ in range(min(n_frequencies, n_steps)):
        top = int(np.argmax(power))
        found.append(frequencies[top])
        power[max(0, top - 2) : top + 3] = -1
    slow = np.array([0.05, 0.12, 0.25, 0.4, 0.55, 0.7, 0.85, 1.0, 1.2]) / span
    shifts = np.array([-0.12, 0.0, 0.12]) / span
    return np.unique(np.abs(np.append((np.array(found)[:, None] + shifts).ravel(), slow)))


def harmonic(
    x: FloatArray, y: FloatArray, frequencies: FloatArray, rates: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Fit exp(-rate x) (A sin(2π f x) + B cos(2π f x)) for each pair; return amplitude and phase.

    They are those of ``amplitude*exp(-rate*x)*sin(2*pi*f*x + phase)``; an amplitude at x = 0 too
    large for a number is infinite.
    """
    start = x[0]
    envelope = np.exp(-np.outer(rates, x - start))
    angle = 2 * np.pi * np.outer(frequencies, x - start)
    s, c = envelope * np.sin(angle), envelope * np.cos(angle)
    ss, cc, sc = (s * s).sum(1), (c * c).sum(1), (s * c).sum(1)
    sy, cy = s @ y, c @ y
    determinant = np.maximum(ss * cc - sc * sc, 1e-9 * ss * cc + np.finfo(float).tiny)
    sine, cosine = (sy * cc - cy * sc) / determinant, (cy * ss - sy * sc) / determinant
    amplitude = np.hypot(sine, cosine) * np.exp(rates * start)
    phase = np.arctan2(cosine, sine) - 2 * np.pi * frequencies * start
    return amplitude, np.mod(phase + np.pi, 2 * np.pi) - np.pi
