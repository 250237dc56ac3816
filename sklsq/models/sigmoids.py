"""Sigmoids and saturation: logistic, dose-response, Gompertz, Weibull, Michaelis-Menten, Langmuir.

Of R's self-starting family, with R's parameters: `Logistic` is SSlogis, `FourParameterLogistic`
SSfpl, `Weibull` SSweibull, `MichaelisMenten` (or `MicMen`) SSmicmen. `Gompertz` is parametrised as
SSlogis is, see there. `Logistic4` and `Logistic5` are the dose-response curves of bioassays.
"""

from typing import ClassVar

import numpy as np

from sklsq._typing import FloatArray
from sklsq.models.guessing import grid, places, range_of
from sklsq.models.ready_made import ReadyMade

__all__ = [
    "FourParameterLogistic",
    "Gompertz",
    "Hill",
    "Langmuir",
    "Logistic",
    "Logistic4",
    "Logistic5",
    "MicMen",
    "MichaelisMenten",
    "Weibull",
]


class Logistic(ReadyMade):
    """A logistic curve rising from zero, R's SSlogis: ``Asym/(1 + exp((xmid - x)/scal))``.

    `xmid` is where half of `Asym` is reached, `scal` the scale of x (negative: falling).
    """

    formula = "Asym/(1 + exp((xmid - x)/scal))"

    def shapes(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Midpoints in and near the range, scales of both signs."""
        return _midpoints_and_scales(x)


class FourParameterLogistic(ReadyMade):
    """A logistic curve between two levels, R's SSfpl.

    ``A + (B - A)/(1 + exp((xmid - x)/scal))``.
    """

    formula = "A + (B - A)/(1 + exp((xmid - x)/scal))"

    def shapes(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Midpoints in and near the range, scales (A and B may be exchanged instead of a sign)."""
        shapes = _midpoints_and_scales(x)
        return shapes[shapes[:, 1] > 0]


class Logistic4(ReadyMade):
    """A dose-response curve, ``bottom + (top - bottom)/(1 + (ec50/x)**hill)``, for doses x ≥ 0.

    The response at `ec50` is half way from `bottom` to `top`.
    """

    formula = "bottom + (top - bottom)*x**hill/(ec50**hill + x**hill)"
    names = ("bottom", "top", "ec50", "hill")

    def shapes(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Doses and steepness; a falling curve has its levels exchanged."""
        return grid(_doses(x, 24), np.array([0.4, 0.7, 1.0, 1.5, 2.5, 4.0, 7.0]))


class Logistic5(ReadyMade):
    """An asymmetric dose-response curve.

    ``bottom + (top - bottom)/(1 + (c/x)**hill)**asymmetry`` for doses x ≥ 0; with `asymmetry` 1 it
    is `Logistic4` with ec50 = c.
    """

    formula = "bottom + (top - bottom)*(x**hill/(c**hill + x**hill))**asymmetry"
    names = ("bottom", "top", "c", "hill", "asymmetry")
    derived: ClassVar = {"ec50": "c/(2**(1/asymmetry) - 1)**(1/hill)"}

    def shapes(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Steepness, doses and asymmetry; a falling curve has its levels exchanged."""
        steepness = np.array([0.5, 1.0, 1.7, 3.0, 6.0])
        return grid(_doses(x, 16), steepness, np.array([0.4, 1.0, 2.5]))


class Gompertz(ReadyMade):
    """A Gompertz growth curve, ``Asym*exp(-exp((xmid - x)/scal))``.

    `xmid` is the point of inflection, `scal` the scale of x. In terms of R's SSgompertz, b2 =
    exp(xmid/scal) and b3 = exp(-1/scal); those lose all digits if x is not of order one.
    """

    formula = "Asym*exp(-exp((xmid - x)/scal))"
    derived: ClassVar = {"b2": "exp(xmid/scal)", "b3": "exp(-1/scal)"}

    def shapes(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Midpoints in and near the range, scales of both signs."""
        return _midpoints_and_scales(x)


class Weibull(ReadyMade):
    """Weibull growth, R's SSweibull: ``Asym - Drop*exp(-exp(lrc)*x**pwr)``, for x ≥ 0."""

    formula = "Asym - Drop*exp(-exp(lrc)*x**pwr)"

    def shapes(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Exponents, and rates such that half is reached within the range."""
        power, half = grid(np.array([0.5, 0.8, 1.0, 1.5, 2.2, 3.2, 5.0, 8.0]), _doses(x, 20)).T
        return np.stack([np.log(np.log(2.0)) - power * np.log(half), power], axis=1)


class MichaelisMenten(ReadyMade):
    """Enzyme kinetics, R's SSmicmen: ``Vm*x/(K + x)``.

    Examples
    --------
    >>> from sklsq.models import MichaelisMenten
    >>> MichaelisMenten().parameter_names
    ('Vm', 'K')
    """

    formula = "Vm*x/(K + x)"

    def shapes(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Constants from far below to far above the range."""
        return (_top(x) * np.geomspace(1e-4, 1e3, 50))[:, None]


MicMen = MichaelisMenten


class Hill(ReadyMade):
    """Cooperative binding, ``Vm*x**n/(K**n + x**n)``, for x ≥ 0."""

    formula = "Vm*x**n/(K**n + x**n)"
    names = ("Vm", "K", "n")

    def shapes(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Constants and steepness."""
        return grid(_doses(x, 28), np.array([0.4, 0.7, 1.0, 1.5, 2.5, 4.0, 7.0]))


class Langmuir(ReadyMade):
    """An adsorption isotherm, ``qmax*K*x/(1 + K*x)``."""

    formula = "qmax*K*x/(1 + K*x)"

    def shapes(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Constants around 1/range."""
        return (np.geomspace(1e-3, 1e4, 50) / _top(x))[:, None]


def _midpoints_and_scales(x: FloatArray) -> FloatArray:
    scales = range_of(x) * np.geomspace(0.004, 0.7, 9)
    return grid(places(x, 33, beyond=0.6), np.concatenate([scales, -scales]))


def _top(x: FloatArray) -> float:
    return float(np.abs(x).max()) or 1.0


def _doses(x: FloatArray, n_doses: int) -> FloatArray:
    """Return positive numbers from below the smallest to above the largest x, log and linear."""
    positive = x[x > 0]
    top = _top(x)
    bottom = max(float(positive.min()), 1e-8 * top) if len(positive) else 0.01 * top
    half = n_doses // 2
    linear = top * np.linspace(0, 1.5, half + 1)[1:]
    return np.sort(np.append(np.geomspace(bottom / 2, 4 * top, n_doses - half), linear))
