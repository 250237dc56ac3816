r"""Lines that treat x and y alike: major axis, reduced major axis, bisector, Deming.

All follow from the weighted second moments about the centroid, :math:`S_{xx}, S_{xy}, S_{yy}`, of
:math:`u = x - \bar x` and :math:`v = y - \bar y`; the line passes through the centroid. Forms
without cancellation:

Deming (errors of known ratio :math:`\lambda = \sigma_y^2/\sigma_x^2`), with :math:`d = S_{yy} -
\lambda S_{xx}` and :math:`\Delta = \sqrt{d^2 + 4\lambda S_{xy}^2}`:
    :math:`\beta = (d + \Delta)/2S_{xy}` where d > 0, :math:`2\lambda S_{xy}/(\Delta - d)`
    elsewhere. The *major axis* (Pearson 1901) is :math:`\lambda = 1`.
Reduced major axis (geometric mean of the two regressions):
    :math:`\beta = \mathrm{sign}(S_{xy})\sqrt{S_{yy}/S_{xx}}`.
Bisector:
    the line that halves the angle between y on x and x on y: along the sum of the unit vectors
    :math:`(S_{xx}, S_{xy})` and :math:`\pm(S_{xy}, S_{yy})`. It is both the tangent of the mean
    angle of ``lsqbisec.m`` and the formula of Isobe et al. [1]_. It changes with the units of x and
    y, as does the major axis.

Errors. Every slope is a function of S, homogeneous of degree zero, so that a point moves it by
:math:`\delta\beta = q(u, v)`, a quadratic form without constant, and the intercept by
:math:`e/n - \bar x\,q`, where :math:`e = v - \beta u`. In the variables u and e,

.. math:: q = A u^2 + B u e + C e^2:\qquad \begin{array}{lll}
    \text{Deming} & A = 0 & B = (\lambda + \beta^2)/\Delta, \quad C = \beta/\Delta \\
    \text{reduced} & A = 0 & B = 1/S_{xx}, \quad C = \beta/2S_{yy}
    \end{array}

Three estimates of the covariance follow:

``"normal"``
    The moments of q for points scattered normally: :math:`\mathrm{Var}\,\beta = [2A^2S_{uu}^2 +
    B^2(S_{uu}S_{ee} + S_{ue}^2) + 2C^2S_{ee}^2 + 4(AB\,S_{uu} + AC\,S_{ue} +
    BC\,S_{ee})\,S_{ue}]/\nu`, :math:`\nu` = points less 2. The factors of q are independent for
    Deming whatever the distribution of the true points; this is Fuller's [2]_ covariance, and with
    n for :math:`\nu` it is ``lsqfitma.m`` (2007). For the reduced major axis it is :math:`\beta^2(1
    - r^2)/\nu` (Teissier; Ricker 1973), :math:`(1 + r)/2` times the square of ``lsqfitgm.m``.
``"robust"``
    :math:`\sum q^2` and its kin: Isobe et al. [1]_, for scatter of any kind, in large samples.
``"jackknife"``
    From leaving out one point after the other (Linnet 1990, 1993, customary for Deming), in closed
    form.

All three use the scatter of the points. Where the method states what the errors are (Deming with
weights :math:`1/\sigma_y^2`), ``"absolute"`` is the normal estimate with :math:`S_{ee}/\nu`
replaced by the stated variance :math:`1 + \beta^2/\lambda`, and the sum of squares divided by it is
a chi-square.

References
----------
.. [1] Isobe, T., Feigelson, E. D., Akritas, M. G. and Babu, G. J. (1990), Linear regression in
   astronomy, ApJ 364, 104; sums instead of their averages.
.. [2] Fuller, W. A. (1987), Measurement Error Models, section 1.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from sklsq._typing import ArrayLike, FloatArray
from sklsq.solvers.errors_in_variables import EIVSolution, Outcome, positive_weights

__all__ = ["AXIS_DEFINITIONS", "bisector", "deming", "major_axis", "reduced_major_axis"]

AXIS_DEFINITIONS = ("normal", "robust", "jackknife")
"""Definitions of the covariance, the default first; Deming and major axis add "absolute"."""

_BLOCK = 16384
_ROUNDING = 16.0 * float(np.finfo(np.float64).eps)

Slope = Callable[[FloatArray, FloatArray, FloatArray], FloatArray]


@dataclass(frozen=True)
class Scatter:
    """Points about their centroid, in units of a power of two, and their second moments."""

    x: FloatArray
    y: FloatArray
    weight: FloatArray
    centre_x: float
    centre_y: float
    power: int
    total: float
    xx: float
    xy: float
    yy: float
    fit_intercept: bool

    def blocks(self) -> Iterator[tuple[FloatArray, FloatArray, FloatArray]]:
        """Yield u, v, and the weights in pieces."""
        for start in range(0, self.x.shape[0], _BLOCK):
            rows = slice(start, start + _BLOCK)
            u = np.ldexp(self.x[rows] - self.centre_x, -self.power)
            v = np.ldexp(self.y[rows] - self.centre_y, -self.power)
            yield u, v, self.weight[rows]


@dataclass(frozen=True)
class Influence:
    """The quadratic form q of a slope: ``A u² + B u e + C e²``."""

    slope: float
    A: float
    B: float
    C: float


def major_axis(
    x: ArrayLike, y: ArrayLike, weights: ArrayLike | None = None, *, fit_intercept: bool = True
) -> EIVSolution:
    """Return the line of least perpendicular distances; see `deming`, with `error_ratio` 1."""
    return deming(x, y, weights, error_ratio=1.0, fit_intercept=fit_intercept)


def deming(
    x: ArrayLike,
    y: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    error_ratio: float = 1.0,
    fit_intercept: bool = True,
) -> EIVSolution:
    """Return the line for errors of x and y whose ratio is known.

    Parameters
    ----------
    x, y : array_like of shape (n,)
        Measured coordinates.
    weights : array_like of shape (n,), optional
        Positive weights, the inverse of the variance of y.
    error_ratio : float
        Variance of the errors of y over that of the errors of x.
    fit_intercept : bool
        False for a line through the origin.

    Returns
    -------
    EIVSolution
        Intercept and slope; covariances ``"normal"``, ``"robust"``, ``"jackknife"``,
        ``"absolute"``. `chi2` is the weighted sum of ``e² / (1 + slope² / error_ratio)``.

    Examples
    --------
    >>> from sklsq.solvers.principal_axis import deming
    >>> deming([1.0, 2.0, 3.0, 4.0], [1.1, 1.9, 3.2, 3.8]).params.round(4)
    array([0.1294, 0.9482])
    """
    if not 0.0 < error_ratio < np.inf:
        raise ValueError(f"`error_ratio` must be positive and finite. Got {error_ratio}.")

    def slope(xx: FloatArray, xy: FloatArray, yy: FloatArray) -> FloatArray:
        d = yy - error_ratio * xx
        root = np.hypot(d, 2.0 * np.sqrt(error_ratio) * xy)
        beta: FloatArray = np.where(
            d > 0.0, (d + root) / (2.0 * xy), 2.0 * error_ratio * xy / (root - d)
        )
        return beta

    scatter = _scatter(x, y, weights, fit_intercept)
    d = scatter.yy - error_ratio * scatter.xx
    root = float(np.hypot(d, 2.0 * np.sqrt(error_ratio) * scatter.xy))
    round_shape = root <= _ROUNDING * (scatter.yy + error_ratio * scatter.xx)
    steep = d > 0.0 and _is_uncorrelated(scatter)
    impossible = _impossible(scatter, undefined=round_shape, vertical=steep)
    if impossible is not None:
        return impossible
    beta = _at(slope, scatter)
    influence = Influence(beta, 0.0, (error_ratio + beta * beta) / root, beta / root)
    return _solution(scatter, slope, influence, error_variance=1.0 + beta * beta / error_ratio)


def reduced_major_axis(
    x: ArrayLike, y: ArrayLike, weights: ArrayLike | None = None, *, fit_intercept: bool = True
) -> EIVSolution:
    """Return the geometric mean of the regressions of y on x and of x on y.

    Parameters and result as in `deming`, without ``"absolute"``; `chi2` is the weighted sum of
    squares of the vertical residuals. Undefined where x and y are uncorrelated, and hardly defined
    close to that, as the sign of the slope is that of the correlation.

    Examples
    --------
    >>> from sklsq.solvers.principal_axis import reduced_major_axis
    >>> reduced_major_axis([1.0, 2.0, 3.0, 4.0], [1.1, 1.9, 3.2, 3.8]).params.round(4)
    array([0.1283, 0.9487])
    """

    def slope(xx: FloatArray, xy: FloatArray, yy: FloatArray) -> FloatArray:
        beta: FloatArray = np.sign(xy) * np.sqrt(yy / xx)
        return beta

    scatter = _scatter(x, y, weights, fit_intercept)
    impossible = _impossible(scatter, undefined=_is_uncorrelated(scatter))
    if impossible is not None:
        return impossible
    beta = _at(slope, scatter)
    C = 0.5 * beta / scatter.yy if scatter.yy > 0.0 else 0.0
    return _solution(scatter, slope, Influence(beta, 0.0, 1.0 / scatter.xx, C))


def bisector(
    x: ArrayLike, y: ArrayLike, weights: ArrayLike | None = None, *, fit_intercept: bool = True
) -> EIVSolution:
    """Return the line that halves the angle between the regressions of y on x and of x on y.

    Parameters and result as in `deming`, without ``"absolute"``; `chi2` is the weighted sum of
    squares of the vertical residuals. Undefined where x and y are uncorrelated.

    Examples
    --------
    >>> from sklsq.solvers.principal_axis import bisector
    >>> bisector([1.0, 2.0, 3.0, 4.0], [1.1, 1.9, 3.2, 3.8]).params.round(4)
    array([0.1283, 0.9487])
    """

    def slope(xx: FloatArray, xy: FloatArray, yy: FloatArray) -> FloatArray:
        first, second = np.hypot(xx, xy), np.hypot(xy, yy)
        rise = xy / first + np.sign(xy) * (yy / second)
        beta: FloatArray = rise / (xx / first + np.abs(xy) / second)
        return beta

    scatter = _scatter(x, y, weights, fit_intercept)
    impossible = _impossible(scatter, undefined=_is_uncorrelated(scatter))
    if impossible is not None:
        return impossible
    if scatter.yy == 0.0:
        return _solution(scatter, slope, Influence(0.0, 0.0, 1.0 / scatter.xx, 0.0))
    beta, xx, xy, yy = _at(slope, scatter), scatter.xx, scatter.xy, scatter.yy
    half = 0.5 * (1.0 + beta * beta)
    k1, k2 = half * xx / (xx**2 + xy**2), half * xy / (xy**2 + yy**2)
    A = k1 * (beta - xy / xx) + k2 * beta * (beta - yy / xy)
    return _solution(scatter, slope, Influence(beta, A, k1 + k2 * (2.0 * beta - yy / xy), k2))


def _scatter(x: ArrayLike, y: ArrayLike, weights: ArrayLike | None, fit_intercept: bool) -> Scatter:
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape or x.shape[0] == 0:
        raise ValueError(
            "`x` and `y` must be one-dimensional, of the same length, and not empty. "
            f"Got shapes {x.shape} and {y.shape}."
        )
    weight = positive_weights(weights, x.shape)
    centre_x, centre_y = (float(x[0]), float(y[0])) if fit_intercept else (0.0, 0.0)
    largest = max(_largest(x, centre_x), _largest(y, centre_y))
    power = int(np.frexp(largest)[1]) if 0.0 < largest < np.inf else 0
    raw = Scatter(x, y, weight, centre_x, centre_y, power, 0.0, 0.0, 0.0, 0.0, fit_intercept)
    if fit_intercept:  # from the first point, so that an offset costs no digits
        total, u_sum, v_sum, *_ = _sums(raw)
        centre_x += float(np.ldexp(u_sum / total, power))
        centre_y += float(np.ldexp(v_sum / total, power))
        raw = replace(raw, centre_x=centre_x, centre_y=centre_y)
    total, u_sum, v_sum, uu, uv, vv = _sums(raw)
    if fit_intercept:  # what rounding left of the means
        uu, uv, vv = (
            s - p / total
            for s, p in zip((uu, uv, vv), (u_sum**2, u_sum * v_sum, v_sum**2), strict=True)
        )
    return replace(raw, total=total, xx=uu, xy=uv, yy=vv)


def _largest(values: FloatArray, centre: float) -> float:
    return max(float(values.max()) - centre, centre - float(values.min()))


def _sums(scatter: Scatter) -> list[float]:
    sums = np.zeros(6)
    for u, v, w in scatter.blocks():
        wu, wv = w * u, w * v
        sums += [w.sum(), wu.sum(), wv.sum(), wu @ u, wu @ v, wv @ v]
    every: list[float] = sums.tolist()
    return every


def _is_uncorrelated(scatter: Scatter) -> bool:
    size = np.sqrt(scatter.xx) * np.sqrt(scatter.yy)
    return bool(abs(scatter.xy) <= _ROUNDING * size) and scatter.yy > 0.0


def _impossible(scatter: Scatter, *, undefined: bool, vertical: bool = False) -> EIVSolution | None:
    """Return what can be said where there is no slope."""
    xx, yy = scatter.xx, scatter.yy
    m, n_samples = 1 + scatter.fit_intercept, scatter.x.shape[0]
    names = (*AXIS_DEFINITIONS, "absolute")
    covariances = {name: np.full((m, m), np.nan) for name in names}
    if not np.isfinite(xx + yy):
        outcome, params = Outcome.NOT_FINITE, [np.nan, np.nan]
    elif xx == 0.0 and yy == 0.0:
        outcome, params = Outcome.UNDETERMINED, [scatter.centre_y, 0.0]
    elif xx == 0.0 or vertical:
        outcome, params = Outcome.VERTICAL, [np.nan, np.inf]
    elif undefined:
        outcome, params = Outcome.UNCORRELATED, [np.nan, np.nan]
    else:
        return None
    null_space = np.array([[-scatter.centre_x, 1.0][-m:]])
    if outcome is not Outcome.UNDETERMINED:
        null_space = null_space[:0]
    params = params[-m:]
    return EIVSolution(np.array(params), covariances, np.nan, n_samples, 1, outcome, null_space)


def _at(slope: Slope, scatter: Scatter) -> float:
    with np.errstate(all="ignore"):
        return float(slope(*np.array([scatter.xx, scatter.xy, scatter.yy])))


def _solution(
    scatter: Scatter, slope: Slope, influence: Influence, error_variance: float | None = None
) -> EIVSolution:
    """Return the line with its covariances, from a second pass over the points."""
    n_samples, beta = scatter.x.shape[0], influence.slope
    uu, ue, ee, robust, jackknife = _residual_sums(scatter, slope, influence)
    nu = n_samples - 1 - scatter.fit_intercept
    A, B, C = influence.A, influence.B, influence.C
    of_slope = 2.0 * (A * uu) * (A * uu) + (B * uu) * (B * ee) + (B * ue) * (B * ue)
    of_slope += 2.0 * (C * ee) * (C * ee) + 4.0 * ue * (A * B * uu + A * C * ue + B * C * ee)
    scale = 1.0 / nu if nu > 0 else np.nan
    covariances = {
        "normal": np.diag([ee / scatter.total, of_slope]) * scale,
        "robust": robust,
        "jackknife": jackknife if n_samples > 2 + scatter.fit_intercept else robust * np.nan,
    }
    if error_variance is not None:
        along = B * B * uu + 2.0 * B * C * ue + C * C * ee
        covariances["absolute"] = error_variance * np.diag([1.0 / scatter.total, along])
    chi2 = float(np.ldexp(ee / (error_variance or 1.0), 2 * scatter.power))
    intercept = scatter.centre_y - beta * scatter.centre_x
    params = np.array([intercept, beta])[1 - scatter.fit_intercept :]
    covariances = {k: _in_units(c, k, scatter) for k, c in covariances.items()}
    return EIVSolution(params, covariances, chi2, n_samples, 1, Outcome.CLOSED_FORM)


def _in_units(covariance: FloatArray, name: str, scatter: Scatter) -> FloatArray:
    """Return the covariance of intercept and slope in the units of the points.

    Parameters
    ----------
    covariance : ndarray of shape (2, 2)
        Of the height at the centroid, and the slope, in units of the power of two.
    name : str
        The definition; the stated variances of "absolute" have units of their own.
    scatter : Scatter
        The points.
    """
    power = 0 if name == "absolute" else scatter.power
    units = np.array([power, power - scatter.power])
    covariance = np.ldexp(covariance, units + units[:, None])
    shift = np.array([[1.0, -scatter.centre_x], [0.0, 1.0]])
    kept = slice(1 - scatter.fit_intercept, None)
    carried: FloatArray = shift @ covariance @ shift.T
    return carried[kept, kept]


def _residual_sums(
    scatter: Scatter, slope: Slope, influence: Influence
) -> tuple[float, float, float, FloatArray, FloatArray]:
    """Return the moments of u and e, and the robust and the jackknife covariance.

    Covariances are those of the height at the centroid and the slope.
    """
    n_samples, beta, total = scatter.x.shape[0], influence.slope, scatter.total
    sums, robust, squares, first = np.zeros(3), np.zeros((2, 2)), np.zeros((2, 2)), np.zeros(2)
    for u, v, w in scatter.blocks():
        e = v - beta * u
        we = w * e
        sums += [(w * u) @ u, we @ u, we @ e]
        q = w * (influence.A * u * u + influence.B * u * e + influence.C * e * e)
        moves = np.array([we / total, q])
        robust += moves @ moves.T
        left_out = _left_out(scatter, slope, beta, (u, v, w))
        squares += left_out @ left_out.T
        first += left_out.sum(axis=1)
    with np.errstate(invalid="ignore"):  # without some point there may be no line
        jackknife = (n_samples - 1) / n_samples * (squares - np.outer(first, first) / n_samples)
    uu, ue, ee = sums.tolist()
    return uu, ue, ee, robust, jackknife


def _left_out(
    scatter: Scatter, slope: Slope, beta: float, block: tuple[FloatArray, FloatArray, FloatArray]
) -> FloatArray:
    """Return by how much leaving out each point moves the height at the centroid and the slope."""
    u, v, w = block
    with np.errstate(all="ignore"):  # a single point cannot be left out
        rest = w / (scatter.total - w) if scatter.fit_intercept else np.zeros_like(w)
        factor = w * (1.0 + rest)
        beta_i = slope(
            scatter.xx - factor * u * u, scatter.xy - factor * u * v, scatter.yy - factor * v * v
        )
        height = -rest * (v - beta_i * u)
    return np.array([height, beta_i - beta])
