"""Peaks: Gaussian, Lorentzian, Voigt, pseudo-Voigt, skewed.

A peak is described by its `height` over the background, its `center` and a width: `sigma` is the
standard deviation of a Gaussian, `gamma` the half width at half maximum of a Lorentzian, `fwhm`
the full width at half maximum. The Voigt profile, whose height has no simple formula, is
described by its `area`. (lmfit's `amplitude` is an area, astropy's a height; the word is avoided
here.) `derived` has the formulas of what else one may want to know, for `sklsq.propagate`.
"""

from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sklsq._typing import BoolArray, FloatArray
from sklsq.models.guessing import extremes, grid, places, widths
from sklsq.models.model import At, Filling, Model, blocks
from sklsq.models.ready_made import ReadyMade

__all__ = ["Gaussian", "Lorentzian", "PseudoVoigt", "SkewedGaussian", "Voigt"]

ComplexArray: TypeAlias = NDArray[np.complexfloating[Any, Any]]


class _Peak(ReadyMade):
    """A peak somewhere in x."""

    def shapes(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Centers all over x and at its extremes, widths from the spacing to the range."""
        centers = np.append(places(x, 13), extremes(x, y))
        return self._with_widths(grid(centers, widths(x, 9)))

    def _with_widths(self, center_and_width: FloatArray) -> FloatArray:
        return center_and_width


class Gaussian(_Peak):
    """A Gaussian peak, ``height*exp(-((x - center)/sigma)**2/2)``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklsq.models import Gaussian, Line
    >>> Gaussian().parameter_names
    ('height', 'center', 'sigma')
    >>> (Gaussian(prefix="g_") + Line()).parameter_names
    ('g_height', 'g_center', 'g_sigma', 'intercept', 'slope')
    >>> x = np.linspace(0.0, 10.0, 50)
    >>> start = Gaussian().candidates(x[:, None], 3 * np.exp(-0.5 * (x - 4.0) ** 2))[0]
    >>> start.shape
    (3,)
    """

    formula = "height*exp(-((x - center)/sigma)**2/2)"
    derived: ClassVar = {"fwhm": "2*sqrt(2*log(2))*sigma", "area": "sqrt(2*pi)*height*sigma"}


class Lorentzian(_Peak):
    """A Lorentzian (Cauchy) peak, ``height/(1 + ((x - center)/gamma)**2)``."""

    formula = "height/(1 + ((x - center)/gamma)**2)"
    derived: ClassVar = {"fwhm": "2*gamma", "area": "pi*height*gamma"}


class PseudoVoigt(_Peak):
    """A Gaussian and a Lorentzian of one width, mixed.

    ``height*((1 - eta)*exp(-4*log(2)*z**2) + eta/(1 + 4*z**2))`` with ``z = (x - center)/fwhm``;
    `eta` is 0 for a Gaussian and 1 for a Lorentzian.
    """

    formula = (
        "height*((1 - eta)*exp(-4*log(2)*((x - center)/fwhm)**2)"
        " + eta/(1 + 4*((x - center)/fwhm)**2))"
    )
    names = ("height", "center", "fwhm", "eta")
    derived: ClassVar = {"area": "height*fwhm*((1 - eta)*sqrt(pi/log(2)) + eta*pi)/2"}

    def _with_widths(self, center_and_width: FloatArray) -> FloatArray:
        return _crossed(center_and_width * [1, 2], np.array([0.1, 0.5, 0.9]))


class SkewedGaussian(_Peak):
    """A skew-normal peak.

    ``height*exp(-z**2/2)*(1 + erf(skew*z/sqrt(2)))`` with ``z = (x - center)/sigma``; with `skew` 0
    a Gaussian, positive where the tail is on the right. `center` is not the place of the maximum.
    """

    formula = "height*exp(-((x - center)/sigma)**2/2)*(1 + erf(skew*(x - center)/(sigma*sqrt(2))))"
    derived: ClassVar = {"area": "sqrt(2*pi)*height*sigma"}

    def _with_widths(self, center_and_width: FloatArray) -> FloatArray:
        skewed = []
        for skew in (-6.0, -2.0, -0.5, 0.5, 2.0, 6.0):
            shift = [-np.sign(skew) * 0.7, 1.3] if abs(skew) > 1 else [0.0, 1.0]
            center, width = center_and_width.T
            skewed.append(
                np.stack([center + shift[0] * width, shift[1] * width, 0 * width + skew], axis=1)
            )
        return np.concatenate(skewed)


class Voigt(_Peak):
    """A Voigt profile: a Gaussian (`sigma`) folded with a Lorentzian (`gamma`).

    ``area*Re(w(z))/(sigma*sqrt(2*pi))`` with ``z = (x - center + i*gamma)/(sigma*sqrt(2))`` and the
    Faddeeva function w; its integral is `area`, its full width at half maximum about
    ``derived["fwhm"]`` (Olivero and Longbothum 1977, to 2e-4). Derivatives are exact, from
    ``w' = -2*z*w + 2i/sqrt(pi)``.
    """

    formula = "area*voigt(x - center, sigma, gamma)"
    derived: ClassVar = {"fwhm": "1.0692*gamma + sqrt(0.86639*gamma**2 + 8*log(2)*sigma**2)"}

    @property
    def base_names(self) -> tuple[str, ...]:
        """Names of the parameters without the prefix."""
        return ("area", "center", "sigma", "gamma")

    @property
    def is_linear(self) -> BoolArray:
        """Which parameters enter linearly."""
        return np.array([True, False, False, False])

    def evaluate(self, X: FloatArray, params: FloatArray) -> FloatArray:
        """Compute the profile; see `Model.evaluate`."""
        values = np.empty((len(params), len(X)))
        with np.errstate(all="ignore"):
            for part in blocks(len(params), len(X)):
                area, center, sigma, gamma = params[part[0]].T[:, :, None]
                scale = np.sqrt(2.0) * np.abs(sigma)
                z = (X[part[1], 0] - center + 1j * np.abs(gamma)) / scale
                values[part] = area * (1 / (scale * np.sqrt(np.pi)) * _faddeeva(z).real)
        return values

    def linearise(self, X: FloatArray, params: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Compute the profile and its exact derivatives; see `Model.linearise`."""
        values = np.empty((len(params), len(X)))
        derivatives = np.empty((len(params), 4, len(X)))
        with np.errstate(all="ignore"):
            for part in blocks(len(params), len(X)):
                columns = params[part[0]].T[:, :, None]
                values[part], slopes = _voigt(X[part[1], 0], *columns)
                for i, slope in enumerate(slopes):
                    derivatives[part[0], i, part[1]] = slope
        return values, derivatives

    def at(self, X: FloatArray, params: FloatArray) -> At | None:
        """Return None, as it is no formula; see `Model.at`."""
        return Model.at(self, X, params)

    def filling(self, X: FloatArray, params: FloatArray) -> Filling:
        """Return what fills the rows of a fit; see `Model.filling`."""
        return Model.filling(self, X, params)

    def _with_widths(self, center_and_width: FloatArray) -> FloatArray:
        ratios = np.array([0.1, 0.5, 0.9])
        crossed = _crossed(center_and_width, ratios)
        center, width, ratio = crossed.T
        return np.stack([center, (1 - ratio) * width, ratio * width], axis=1)


def _voigt(
    x: FloatArray, area: FloatArray, center: FloatArray, sigma: FloatArray, gamma: FloatArray
) -> tuple[FloatArray, tuple[FloatArray, ...]]:
    """Return the profile and its derivatives; the widths enter by their absolute values."""
    scale = np.sqrt(2.0) * np.abs(sigma)
    z = (x - center + 1j * np.abs(gamma)) / scale
    w = _faddeeva(z)
    slope = -2 * z * w + 2j / np.sqrt(np.pi)
    factor = 1 / (scale * np.sqrt(np.pi))
    unit = factor * w.real
    by_center = -area * factor * slope.real / scale
    by_gamma = -area * factor * slope.imag / scale * np.sign(gamma)
    by_sigma = -area * factor * (w + z * slope).real / sigma
    return area * unit, (unit, by_center, by_sigma, by_gamma)


def _faddeeva(z: ComplexArray) -> ComplexArray:
    from scipy.special import wofz  # takes a tenth of a second, which only a Voigt profile needs

    value: ComplexArray = wofz(z)
    return value


def _crossed(rows: FloatArray, values: FloatArray) -> FloatArray:
    """Return every row with every value appended."""
    return np.column_stack([np.repeat(rows, len(values), axis=0), np.tile(values, len(rows))])
