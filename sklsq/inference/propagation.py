r"""Propagation of errors: the value and standard deviation of a quantity derived from parameters.

For parameters p with covariance C, and g(p) with derivatives J and second derivatives H,

    linear         g(p)                 J C Jᵀ
    second order   g(p) + ½ tr(H C)     J C Jᵀ + ½ tr(H C H C)

are its mean and variance: the first up to the curvature of g within the errors, the second exactly
for a quadratic g of Gaussian parameters. Monte Carlo takes both from samples of the Gaussian, drawn
with a root of C from the eigenvectors of the correlation matrix, so that C may be singular.

All terms count: the error of -a/b of a line is wrong without the covariance of a and b. Of a fit
the root W of :math:`C = W W^\mathsf{T}` is taken where it has one: J W keeps the digits that cancel
in J C Jᵀ, and combinations of parameters have their errors where the parameters themselves have
none (`sklsq.inference.covariance_factor`).

Source: JCGM 100:2008 (GUM), 5.1 and 5.2; JCGM 101:2008 for Monte Carlo; S. R. Searle, "Linear
Models", 1971, theorem 2.1 for the moments of quadratic forms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Literal, NamedTuple

import numpy as np

from sklsq._typing import BoolArray, FloatArray
from sklsq.exceptions import warn_caller
from sklsq.inference.correlated_values import is_ufloat, nominal_values
from sklsq.inference.covariance_factor import CovarianceFactor
from sklsq.inference.parameter_function import ParameterFunction, parameter_function
from sklsq.inference.random_numbers import generator_of
from sklsq.inference.summary import format_value

__all__ = ["Method", "Propagated", "propagate", "propagate_factor"]

Method = Literal["linear", "second-order", "monte-carlo"]

_METHODS = ("linear", "second-order", "monte-carlo")
_SAME_VALUE = 1e-8  # relative, of a quantity along a combination that is not determined
_NOT_A_COVARIANCE = 1e-8  # covariances come with rounding; a slip shows in the first digits


class _ValueAndStd(NamedTuple):
    value: Any
    std: Any


class Propagated(_ValueAndStd):
    """A derived quantity: unpacks as ``value, std``.

    Parameters
    ----------
    value : float or ndarray of shape (k,)
        The quantity.
    std : float or ndarray of shape (k,)
        Its standard deviation.
    cov : float or ndarray of shape (k, k)
        Its variance, or covariance.
    """

    cov: Any

    def __new__(cls, value: Any, std: Any, cov: Any = None) -> Propagated:
        """Make the pair, with the covariance beside it."""
        self = super().__new__(cls, value, std)
        self.cov = cov
        return self

    def __str__(self) -> str:
        pairs = zip(np.ravel(self.value), np.ravel(self.std), strict=True)
        return ", ".join(" ± ".join(format_value(float(v), float(s))) for v, s in pairs)


@dataclass(frozen=True)
class _Uncertain:
    """Parameters with their covariance, what is infinite or unknown set to zero."""

    p: FloatArray
    C: FloatArray
    infinite: BoolArray  # (m,) not determined
    unknown: BoolArray  # (m, m) entries that are not known
    factor: CovarianceFactor | None = None

    @property
    def std(self) -> FloatArray:
        return np.sqrt(self.C.diagonal())

    def transformed(self, J: FloatArray) -> FloatArray:
        """Return the covariance (k, k) of quantities with derivatives J (k, m)."""
        if self.factor is None:
            return np.asarray(J @ self.C @ J.T)
        root = J @ self.factor.root
        return np.asarray(root @ root.T)

    def lost(self, g: ParameterFunction, J: FloatArray) -> BoolArray:
        """Tell which of k quantities depend on what is not determined."""
        if self.factor is None:
            return np.asarray(((J != 0.0) & self.infinite).any(axis=1))
        lost = self.factor.loses(J)
        if self.factor.is_linear and len(self.factor.null_space):
            # A quantity may have no slope that way, and still change: (a - b)**2 where a = b.
            size = max(float(np.abs(self.p).max()), 1.0)
            here = np.atleast_1d(g.value(self.p))
            for move in self.factor.null_space:
                step = size / np.abs(move).max() * move
                there = np.stack([np.atleast_1d(g.value(self.p + s * step)) for s in (-1.0, 1.0)])
                change = np.abs(there - here).max(axis=0)
                lost |= change > _SAME_VALUE * np.maximum(np.abs(there).max(axis=0), np.abs(here))
        return lost


def propagate(
    func: str | Callable[..., Any],
    values: Any,
    cov: Any = None,
    *,
    method: Method = "linear",
    n_samples: int = 20_000,
    random_state: Any = None,
    names: Sequence[str] | None = None,
) -> Propagated:
    """Return a quantity derived from correlated values, with its standard deviation.

    Parameters
    ----------
    func : callable or str
        A function of the m values, ``func(a, b)``, or of all of them as one array; it returns a
        number or k of them. Or a formula of `names`, ``"-a/b"``.
    values : array_like of shape (m,), dict or Series of m numbers, or float
        The values. The keys of a dict, or the index of a Series, are their names. They may be
        numbers of the package `uncertainties`, which bring their covariance.
    cov : array_like of shape (m, m), or float for a single value
        Covariance of the values. Infinite variances are those of parameters not determined.
    method : {"linear", "second-order", "monte-carlo"}, default="linear"
        First derivatives; also second ones, for the mean too; or samples of the Gaussian.
    n_samples : int, default=20000
        Number of samples of "monte-carlo": the standard deviation is good to 0.5 %.
    random_state : int, RandomState, Generator or None, default=None
        Seed of the samples; None is as good as 0: results are repeatable.
    names : sequence of str, optional
        Names of the values. With names, a function whose arguments all bear such names takes those
        values, in any order; otherwise it takes all, in the order of `values`.

    Returns
    -------
    propagated : Propagated
        ``value, std = propagate(...)``: numbers, or arrays (k,); `cov` is their covariance. The
        standard deviation is infinite where func depends on a value that is not determined. It is
        one σ, never multiplied by a quantile.

    Raises
    ------
    TypeError
        If `func` is neither a formula nor callable.
    ValueError
        If `values` and `cov` are not numbers of matching shape, `cov` is no covariance, or `func`
        does not go with the values.

    Warns
    -----
    UserWarning
        If the value or standard deviation is NaN, samples had to be left out, or the standard
        deviation is zero though `func` changes within the errors of the values, saying why.

    Notes
    -----
    Derivatives of formulas are exact, those of functions too where they let dual numbers (or
    complex ones) through: NumPy functions do, ``math.exp`` does not, and gets differences.

    A fitted curve is best had from ``predict(X, return_std=True)``, which does not lose the digits
    that cancel in a covariance of ill-conditioned parameters.

    Examples
    --------
    >>> from sklsq import propagate
    >>> line = {"a": -2.0, "b": 4.0}
    >>> cov = [[0.04, -0.01], [-0.01, 0.01]]
    >>> value, std = propagate("-a/b", line, cov)
    >>> round(value, 4), round(std, 4)
    (0.5, 0.0451)
    >>> print(propagate(lambda a, b: -a / b, line, cov, method="second-order"))
    0.500 ± 0.045
    """
    _check_method(method)
    if names is None and hasattr(values, "keys"):
        names = [str(name) for name in values.keys()]
    uncertain = _check(values, cov)
    g = parameter_function(func, len(uncertain.p), names)
    return _propagated(g, uncertain, method, n_samples, random_state)


def propagate_factor(
    func: str | Callable[..., Any],
    values: FloatArray,
    factor: CovarianceFactor,
    *,
    method: Method = "linear",
    n_samples: int = 20_000,
    random_state: Any = None,
    names: Sequence[str] | None = None,
) -> Propagated:
    """Return a quantity derived from values (m,) whose covariance is given by its root.

    Parameters
    ----------
    func, values, method, n_samples, random_state, names
        See `propagate`.
    factor : CovarianceFactor
        Takes the place of `cov`. A quantity is infinite only where it depends on what is not
        determined, whatever the values are in it.
    """
    _check_method(method)
    C = factor.root @ factor.root.T
    unknown = factor.unknown[:, None] | factor.unknown
    nothing = np.zeros(len(values), dtype=bool)
    uncertain = _Uncertain(np.array(values), C, nothing, unknown, factor)
    g = parameter_function(func, len(values), names)
    return _propagated(g, uncertain, method, n_samples, random_state)


def _check_method(method: Any) -> None:
    if method not in _METHODS:
        raise ValueError(f"`method` must be one of {', '.join(_METHODS)}. Got {method!r}.")


def _propagated(
    g: ParameterFunction, uncertain: _Uncertain, method: Method, n_samples: Any, random_state: Any
) -> Propagated:
    with np.errstate(all="ignore"):
        value = g.value(uncertain.p)
        J = g.jacobian(uncertain.p)
        if method == "monte-carlo":
            mean, covariance = _sampled(g, uncertain, n_samples, random_state)
        else:
            mean, covariance = np.atleast_1d(value), uncertain.transformed(J)
            if method == "second-order":
                H = g.hessian(uncertain.p, uncertain.std)
                HC = H @ uncertain.C
                mean = mean + 0.5 * np.trace(HC, axis1=1, axis2=2)
                covariance = covariance + 0.5 * np.einsum("kij,lji->kl", HC, HC)
        lost = uncertain.lost(g, J)
    _mark(covariance, J, lost, uncertain)
    _warn_of_nan(mean, covariance)
    if method != "monte-carlo":
        _warn_of_no_slope(g, value, J, covariance, uncertain)
    std = np.sqrt(np.where(covariance.diagonal() < 0.0, 0.0, covariance.diagonal()))
    if value.ndim == 0:
        return Propagated(float(mean[0]), float(std[0]), float(covariance[0, 0]))
    return Propagated(mean, std, covariance)


def _check(values: Any, cov: Any) -> _Uncertain:
    """Return the values with what is known of their covariance."""
    numbers = list(values.values()) if isinstance(values, dict) else values
    if np.ndim(numbers) == 0:
        numbers = [numbers]
    if any(is_ufloat(number) for number in numbers):
        if cov is not None:
            raise ValueError("`cov` must be left out for values that bring their errors. Got both.")
        numbers, cov = nominal_values(numbers)
    p = _as_float("values", numbers)
    m = len(p)
    if p.ndim != 1 or not m:
        raise ValueError(f"`values` must be a number or one-dimensional. Got shape {p.shape}.")
    if cov is None:
        raise ValueError(f"`cov` must be the ({m}, {m}) covariance of the values. Got None.")
    C = _as_float("cov", cov)
    if C.ndim == 0 and m == 1:
        C = C.reshape(1, 1)
    if C.shape != (m, m):
        raise ValueError(
            f"`cov` must be the covariance, of shape ({m}, {m}). Got shape {C.shape}. For "
            "independent values pass np.diag(std**2)."
        )
    return _checked_covariance(p, C)


def _as_float(name: str, value: Any) -> FloatArray:
    try:
        return np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"`{name}` must hold numbers. Got {value!r}.") from None


def _checked_covariance(p: FloatArray, C: FloatArray) -> _Uncertain:
    variance = C.diagonal()
    infinite = np.isposinf(variance)
    unknown = ~np.isfinite(C)
    known = np.where(unknown, 0.0, C)
    if (variance < 0.0).any():
        row = int(np.flatnonzero(variance < 0.0)[0])
        raise ValueError(
            f"`cov` must have variances on its diagonal. Got {C[row, row]:.6g} in row {row}."
        )
    std = np.sqrt(known.diagonal())
    size = std[:, None] * std
    # A variance of zero has no covariances; one that is not known says nothing about them.
    lost = ~np.isfinite(variance)
    foreign = (size == 0.0) & (known != 0.0) & ~(lost[:, None] | lost)
    if (np.abs(known - known.T) > _NOT_A_COVARIANCE * size).any() or foreign.any():
        raise ValueError(
            "`cov` must be a symmetric covariance matrix, with variances on its diagonal that "
            "allow for the covariances. Got another."
        )
    known = np.where(size > 0.0, 0.5 * (known + known.T), 0.0)
    smallest = float(np.linalg.eigvalsh(_correlation(known))[0])
    if smallest < -_NOT_A_COVARIANCE:
        raise ValueError(
            "`cov` must be positive semi-definite. Got a smallest eigenvalue of "
            f"{smallest:.3g} of its correlation matrix: some correlations contradict each other."
        )
    return _Uncertain(p, known, infinite, unknown)


def _correlation(C: FloatArray) -> FloatArray:
    std = np.sqrt(C.diagonal())
    std = np.where(std > 0.0, std, 1.0)
    return C / std[:, None] / std


def _sampled(
    g: ParameterFunction, uncertain: _Uncertain, n_samples: Any, random_state: Any
) -> tuple[FloatArray, FloatArray]:
    """Return mean (k,) and covariance (k, k) of samples."""
    if not isinstance(n_samples, Integral) or n_samples < 2:
        raise ValueError(f"`n_samples` must be an integer of at least 2. Got {n_samples!r}.")
    if not np.isfinite(uncertain.p).all():
        k = np.atleast_1d(g.value(uncertain.p)).size
        return np.full(k, np.nan), np.full((k, k), np.nan)
    eigenvalues, vectors = np.linalg.eigh(_correlation(uncertain.C))
    root = uncertain.std[:, None] * vectors * np.sqrt(np.maximum(eigenvalues, 0.0))
    noise = generator_of(random_state).standard_normal((int(n_samples), len(root)))
    samples = g.samples(uncertain.p + noise @ root.T)
    usable = np.isfinite(samples).all(axis=1)
    if not usable.all():
        n_lost = int((~usable).sum())
        warn_caller(
            f"`func` is not finite for {n_lost} of {n_samples} samples: value and std are those "
            "of the others. The errors reach to where it is not defined; restrict it, or report "
            "an interval."
        )
    samples = samples[usable]
    if len(samples) < 2:
        k = samples.shape[1]
        return np.full(k, np.nan), np.full((k, k), np.nan)
    return samples.mean(axis=0), np.atleast_2d(np.cov(samples, rowvar=False))


def _mark(covariance: FloatArray, J: FloatArray, lost: BoolArray, uncertain: _Uncertain) -> None:
    """Set the variances of outputs to infinity, or NaN, that depend on what is not known."""
    for output, row in enumerate(J):
        involved = row != 0.0
        if lost[output] or uncertain.unknown[np.ix_(involved, involved)].any():
            covariance[output] = covariance[:, output] = np.nan
            covariance[output, output] = np.inf if lost[output] else np.nan


def _warn_of_nan(mean: FloatArray, covariance: FloatArray) -> None:
    if np.isnan(mean).any():
        warn_caller("The value is NaN: `func` is not defined at `values`, or they are NaN.")
    elif np.isnan(covariance.diagonal()).any():
        warn_caller(
            "The std is NaN: `func` depends on a value whose error is not known (`cov` holds NaN, "
            "as of a parameter at a bound, or without degrees of freedom), or has no finite "
            "derivative there."
        )


def _warn_of_no_slope(
    g: ParameterFunction,
    value: FloatArray,
    J: FloatArray,
    covariance: FloatArray,
    uncertain: _Uncertain,
) -> None:
    """Warn where all slopes are zero, but the quantity is not a constant."""
    std = uncertain.std
    known = std > 0.0
    flat = np.flatnonzero((J[:, known] == 0.0).all(axis=1) & (covariance.diagonal() == 0.0))
    if not (flat.size and known.any()):
        return
    steps = uncertain.C[known] / std[known, None]  # one σ in each value, the others with it
    with np.errstate(all="ignore"):
        moved = np.stack([np.atleast_1d(g.value(uncertain.p + step))[flat] for step in steps])
        change = np.abs(moved - np.atleast_1d(value)[flat]).max(axis=0)
        size = np.maximum(np.abs(moved).max(axis=0), np.abs(np.atleast_1d(value)[flat]))
    if (change > _NOT_A_COVARIANCE * size).any():
        warn_caller(
            "The std is zero since `func` has no slope at `values`, but it changes within their "
            'errors, as a square or an absolute value does about zero. Take method="monte-carlo"'
            ' (or "second-order" where it has no kink).'
        )
