"""Oscillations. Frequencies are in cycles per unit of x, phases in radians."""

import numpy as np

from sklsq._typing import FloatArray
from sklsq.models.guessing import grid, harmonic, range_of, strongest_frequencies
from sklsq.models.ready_made import ReadyMade

__all__ = ["DampedSine", "Sine"]


class _Oscillation(ReadyMade):
    def candidates(self, X: FloatArray, y: FloatArray) -> FloatArray | None:
        """Guess from all data: averages would hide what is fast."""
        is_usable = np.isfinite(X[:, 0]) & np.isfinite(y)
        if not is_usable.any():
            return None
        order = np.argsort(X[is_usable, 0], kind="stable")
        x, y = X[is_usable, 0][order], y[is_usable][order]
        params = self.guesses(x, y)
        n_kept = np.linspace(0, len(x) - 1, min(len(x), 1000)).astype(int)
        costs = ((self.evaluate(x[n_kept, None], params) - y[n_kept]) ** 2).sum(axis=1)
        best = np.argsort(np.where(np.isfinite(costs), costs, np.inf), kind="stable")[:16]
        return params[best] if len(best) else None

    def guesses(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Return guesses (S, m), amplitudes included; none whose amplitude is not a number."""
        with np.errstate(all="ignore"):
            params = self.complete_guesses(x, y)
            return params[np.isfinite(params).all(axis=1)]

    def complete_guesses(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Return guesses of all parameters."""
        raise NotImplementedError


class Sine(_Oscillation):
    """An oscillation, ``amplitude*sin(2*pi*frequency*x + phase)``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklsq.models import Sine
    >>> x = np.linspace(0, 20, 200)
    >>> amplitude, frequency, phase = Sine().candidates(x[:, None], np.sin(2 * np.pi * x / 3))[0]
    >>> bool(abs(1 / frequency - 3) < 0.1)
    True
    """

    formula = "amplitude*sin(2*pi*frequency*x + phase)"

    def complete_guesses(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Return the strongest frequencies with their amplitudes and phases."""
        frequencies = strongest_frequencies(x, y, 12)
        amplitude, phase = harmonic(x, y, frequencies, 0 * frequencies)
        return np.stack([amplitude, frequencies, phase], axis=1)


class DampedSine(_Oscillation):
    """A damped oscillation, ``amplitude*exp(-rate*x)*sin(2*pi*frequency*x + phase)``."""

    formula = "amplitude*exp(-rate*x)*sin(2*pi*frequency*x + phase)"

    def complete_guesses(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Return the strongest frequencies, with several rates, amplitudes and phases."""
        rates = np.array([-2, 0.0, 0.5, 1, 2, 4, 8, 16, 32, 64]) / range_of(x)
        frequencies, rates = grid(strongest_frequencies(x, y, 12), rates).T
        amplitude, phase = harmonic(x, y, frequencies, rates)
        return np.stack([amplitude, rates, frequencies, phase], axis=1)
