"""Decays, growths without end, and approaches to a limit.

Rates are per unit of x and may be negative (growth). Of R's self-starting family: `Asymptotic` is
SSasymp, `AsymptoticOrigin` SSasympOrig, `AsymptoticOffset` SSasympOff, with R's parameters.
"""

from typing import ClassVar

import numpy as np

from sklsq._typing import FloatArray
from sklsq.models.guessing import grid, range_of
from sklsq.models.ready_made import ReadyMade

__all__ = [
    "Arrhenius",
    "Asymptotic",
    "AsymptoticOffset",
    "AsymptoticOrigin",
    "BiExponential",
    "Exponential",
    "PowerLaw",
    "StretchedExponential",
]

_GAS_CONSTANT = 8.314462618


class Exponential(ReadyMade):
    """An exponential decay or growth, ``amplitude*exp(-rate*x)``.

    For a decay onto a background write ``Exponential() + Constant()``.

    Examples
    --------
    >>> from sklsq.models import Constant, Exponential
    >>> (Exponential() + Constant()).parameter_names
    ('amplitude', 'rate', 'constant')
    """

    formula = "amplitude*exp(-rate*x)"
    derived: ClassVar = {"lifetime": "1/rate", "half_life": "log(2)/rate"}

    def shapes(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Rates of both signs around 1/range."""
        rates = np.geomspace(0.02, 500.0, 28) / range_of(x)
        return np.concatenate([rates, -rates])[:, None]


class BiExponential(ReadyMade):
    """Two exponentials, ``amplitude1*exp(-rate1*x) + amplitude2*exp(-rate2*x)``."""

    formula = "amplitude1*exp(-rate1*x) + amplitude2*exp(-rate2*x)"

    def shapes(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Pairs of rates, the first the faster."""
        rates = np.geomspace(0.05, 300.0, 22) / range_of(x)
        pairs = grid(rates, rates)
        pairs = pairs[pairs[:, 0] > pairs[:, 1]]
        return np.concatenate([pairs, pairs * [1, -1], -pairs])


class StretchedExponential(ReadyMade):
    """A stretched exponential (Kohlrausch), ``amplitude*exp(-(x/tau)**beta)``, for x ≥ 0."""

    formula = "amplitude*exp(-x**beta/tau**beta)"
    names = ("amplitude", "tau", "beta")

    def shapes(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Return times around the range, exponents around 1."""
        times = range_of(x) * np.geomspace(0.002, 20.0, 20)
        return grid(times, np.array([0.2, 0.35, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0]))


class PowerLaw(ReadyMade):
    """A power law, ``amplitude*x**exponent``, for x > 0."""

    formula = "amplitude*x**exponent"

    def shapes(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Exponents of both signs."""
        return np.concatenate([np.linspace(-8, 8, 65), [-20.0, -12.0, 12.0, 20.0]])[:, None]


class Arrhenius(ReadyMade):
    """A thermally activated rate, ``A*exp(-Ea/(R*x))`` at the absolute temperature x in K.

    `Ea` is in J/mol; R is the gas constant, 8.314462618 J/(mol K).
    """

    formula = f"A*exp(-Ea/({_GAS_CONSTANT}*x))"

    def shapes(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Energies around R times the temperature."""
        middle = float(np.median(np.abs(x))) or 1.0
        energies = _GAS_CONSTANT * middle * np.geomspace(0.02, 400.0, 50)
        return np.concatenate([energies, -energies])[:, None]


class Asymptotic(ReadyMade):
    """Approach to a limit, R's SSasymp: ``Asym + (R0 - Asym)*exp(-exp(lrc)*x)``.

    `Asym` is the limit, `R0` the value at x = 0, `lrc` the logarithm of the rate.
    """

    formula = "Asym + (R0 - Asym)*exp(-exp(lrc)*x)"
    derived: ClassVar = {"rate": "exp(lrc)", "half_life": "log(2)*exp(-lrc)"}

    def shapes(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Rates around 1/range."""
        return _log_rates(x)[:, None]


class AsymptoticOrigin(ReadyMade):
    """Approach to a limit from zero at x = 0, R's SSasympOrig: ``Asym*(1 - exp(-exp(lrc)*x))``."""

    formula = "Asym*(1 - exp(-exp(lrc)*x))"
    derived: ClassVar = Asymptotic.derived

    def shapes(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Rates around 1/range."""
        return _log_rates(x)[:, None]


class AsymptoticOffset(ReadyMade):
    """Approach to a limit from zero at x = c0, R's SSasympOff.

    ``Asym*(1 - exp(-exp(lrc)*(x - c0)))``.
    """

    formula = "Asym*(1 - exp(-exp(lrc)*(x - c0)))"
    derived: ClassVar = Asymptotic.derived

    def shapes(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Rates around 1/range, and the zero in or near the range."""
        places = x[0] + range_of(x) * np.array([-2, -1, -0.5, -0.25, -0.1, 0, 0.05, 0.1, 0.2, 0.4])
        return grid(_log_rates(x), places)


def _log_rates(x: FloatArray) -> FloatArray:
    return np.log(np.geomspace(0.05, 300.0, 30) / range_of(x))
