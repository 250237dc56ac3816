r"""The bootstrap: how far the parameters scatter when the data are drawn anew.

Three ways to draw, from the fitted values :math:`\hat y` and standard deviations σ:

* *parametric*: :math:`y^* = \hat y + s\sigma z` with normal z; s = 1 for absolute errors, the root
  of the reduced χ² for scaled ones. The natural one where σ is known: that is what it says. Where
  x has errors too, both are drawn about the adjusted points.
* *residual*: :math:`y^* = \hat y + \sigma e^*`, where e* is drawn with replacement from
  :math:`r_i / (\sigma_i\sqrt{1 - h_i})`, centred, with the leverage h. For measurements at places
  that were chosen, of which only the scatter tells the error; its shape need not be normal.
* *pairs*: rows drawn with replacement. For rows that are themselves a sample, or errors that change
  along the curve in an unknown way; needs many rows.

From the B estimates come the percentile interval, or the bias-corrected and accelerated one: with
G their distribution, Φ the normal one, :math:`z_0 = \Phi^{-1}(G(\hat p))` and the acceleration a
from the jackknife values :math:`u_i = \bar p_{(\cdot)} - p_{(i)}`,

.. math:: a = \frac{\sum u_i^3}{6\,(\sum u_i^2)^{3/2}}, \qquad
          p_\pm = G^{-1}\Bigl(\Phi\bigl(z_0 + \frac{z_0 + z_\pm}{1 - a(z_0 + z_\pm)}\bigr)\Bigr).

All replicates are fitted at once, as the columns of a two-dimensional y; a row left out, or drawn
k times, is a weight of 0 or k. The parameters of a linear model are a matrix times y, and gathered
from the rows as these are drawn, a few at a time (`sklsq.inference.linear_influence`).

A fit to a transform of y is made, where σ is unknown, in a scale in which all errors are alike:
its residuals are drawn there, and taken back.

Efron, B. (1987), J. Am. Stat. Assoc. 82, 171; Davison, A. C. & Hinkley, D. V. (1997), *Bootstrap
Methods and their Application*, 5.3 and 6.2.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri
from sklearn.exceptions import ConvergenceWarning

from sklsq._typing import BoolArray, FloatArray, IntArray
from sklsq.exceptions import warn_caller
from sklsq.inference.fitted_values import fitted_with_std, transformed_part
from sklsq.inference.linear_influence import LinearInfluence, is_linear, linear_influence
from sklsq.inference.random_numbers import generator_of
from sklsq.inference.refitting import RepeatableFit

__all__ = ["KINDS", "BootstrapReplicates", "bootstrap"]

KINDS = ("auto", "parametric", "residual", "pairs")
_JACKKNIFE_GROUPS = 200  # at most; of more rows, several are left out together
_FAILED = 0.05  # share of replicates without a minimum that is not worth a warning
_ENTRIES = 4_000_000  # of y that are fitted at once
_DRAWN = 1 << 18  # of y that are drawn at once


@dataclass(frozen=True)
class BootstrapReplicates:
    """Parameters fitted to data drawn anew.

    Parameters
    ----------
    fit : RepeatableFit
        The fit of the data themselves.
    params : ndarray of shape (B, m)
        The replicates that have a minimum.
    kind : {"parametric", "residual", "pairs"}
        How they were drawn.
    """

    fit: RepeatableFit
    params: FloatArray
    kind: str

    def frame(self) -> pd.DataFrame:
        """Return the replicates, a row each, a column for each parameter."""
        return pd.DataFrame(self.params, columns=list(self.fit.names))

    def interval(self, level: float, how: Literal["bca", "percentile"] = "bca") -> FloatArray:
        """Return the ends (m, 2) of the intervals.

        Parameters
        ----------
        level : float
            Probability that the interval holds the parameter.
        how : {"bca", "percentile"}
            Bias-corrected and accelerated, or quantiles as they are.
        """
        tails = np.array([0.5 * (1.0 - level), 0.5 * (1.0 + level)])
        shares = np.tile(tails, (len(self.fit.names), 1))
        if how == "bca":
            shares = _corrected(self.fit.params, self.params, _acceleration(self.fit), tails)
        ends = [np.quantile(p, share) for p, share in zip(self.params.T, shares, strict=True)]
        result = np.array(ends)
        result[np.isinf(self.fit.std)] = [-np.inf, np.inf]
        return result


def bootstrap(
    fit: RepeatableFit, *, kind: str = "auto", n_resamples: int = 2000, random_state: Any = None
) -> BootstrapReplicates:
    """Return the parameters of data drawn anew.

    Parameters
    ----------
    fit : RepeatableFit
        From `sklsq.inference.refitting.fit_to`.
    kind : {"auto", "parametric", "residual", "pairs"}
        "auto" is "parametric" for absolute errors and "residual" for scaled ones; where x has
        errors and the fit has no adjusted points, "pairs".
    n_resamples : int
        Number B of replicates.
    random_state : int, RandomState, Generator or None
        Source of randomness.

    Raises
    ------
    ValueError
        If `kind` does not suit the fit: priors stay as they are when data are drawn anew; errors in
        x, or correlated ones, leave one kind only; a residual needs degrees of freedom.

    Warns
    -----
    ConvergenceWarning
        If more than one replicate in twenty has no minimum.

    Examples
    --------
    >>> from sklsq import WeightedLinearFit
    >>> from sklsq.datasets import load_pion_minus
    >>> from sklsq.inference.bootstrap import bootstrap
    >>> from sklsq.inference.refitting import fit_to
    >>> data = load_pion_minus()
    >>> fit = fit_to(WeightedLinearFit(), data.X, data.y_values, sigma=data.sigma_values)
    >>> replicates = bootstrap(fit, n_resamples=4000, random_state=0)
    >>> bool(abs(replicates.frame().std() / fit.std - 1.0).max() < 0.05)
    True
    """
    if not isinstance(n_resamples, (int, np.integer)) or n_resamples < 2:
        raise ValueError(f"`n_resamples` must be an integer above 1. Got {n_resamples!r}.")
    kind = _suitable(fit, kind)
    random = generator_of(random_state)
    if kind == "pairs":
        params, found = _pairs(fit, n_resamples, random)
    elif fit.noisy_x:
        params, found = _parametric_points(fit, n_resamples, random)
    else:
        params, found = _redrawn(fit, kind, n_resamples, random)
    found &= np.isfinite(params).all(axis=1)
    lost = n_resamples - int(found.sum())
    if lost > _FAILED * n_resamples:
        warn_caller(
            f"{lost} of {n_resamples} replicates have no minimum and are left out: the interval "
            "may be too short. Compare with that of the profile.",
            ConvergenceWarning,
        )
    if not found.any():
        params, found = np.full((1, len(fit.names)), np.nan), np.ones(1, dtype=bool)
    return BootstrapReplicates(fit, params[found], kind)


def _suitable(fit: RepeatableFit, kind: str) -> str:
    """Return the kind, chosen if it is "auto"."""
    if kind not in KINDS:
        raise ValueError(f"`kind` must be one of {', '.join(KINDS)}. Got {kind!r}.")
    if fit.options.get("priors"):
        raise ValueError(
            "`priors` must be None for a bootstrap, which draws data anew but not what is known "
            f'beforehand. Got {fit.options["priors"]!r}; take method="profile".'
        )
    noisy_x = fit.noisy_x
    correlated = fit.errors.get("sigma", np.zeros(1)).ndim == 2
    points = hasattr(fit.estimator, "adjusted_points") and {"sigma", "sigma_x"} <= set(fit.errors)
    if kind == "auto":
        known = correlated or (fit.absolute and (points or not noisy_x))
        kind = "parametric" if known else "pairs" if noisy_x else "residual"
    if noisy_x and kind != "pairs" and not (points and kind == "parametric"):
        raise ValueError(
            f'`kind` must be "pairs" where x has errors{", or parametric" * points}. Got {kind!r}: '
            "y is not all that was measured."
        )
    if correlated and kind != "parametric":
        raise ValueError(
            '`kind` must be "parametric" for correlated errors, whose rows cannot be exchanged. '
            f"Got {kind!r}."
        )
    if fit.dof <= 0 and (kind != "parametric" or not fit.absolute):
        raise ValueError(
            f"`kind` {kind!r} must have degrees of freedom, so that residuals show the errors. Got "
            f"{fit.dof}; take more data, or pass the known `sigma`."
        )
    return kind


# Drawing -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Scale:
    """Values, their fit and its errors, in the scale in which all errors are those of sigma."""

    values: FloatArray
    fitted: FloatArray
    std: FloatArray
    back: Callable[[FloatArray], FloatArray] | None = None

    @classmethod
    def of(cls, fit: RepeatableFit) -> _Scale:
        transformed = transformed_part(fit.estimator, fit.X)
        if transformed is None or "sigma" in fit.errors:
            return cls(fit.y, *fit.estimator.predict(fit.X, return_std=True))
        estimator, X = transformed
        values = fitted_with_std(estimator.estimator_, X, 0)
        return cls(estimator.transform_target(fit.y), *values, estimator.inverse_transform_target)


def _redrawn(
    fit: RepeatableFit, kind: str, n: int, random: np.random.Generator
) -> tuple[FloatArray, BoolArray]:
    """Return parameters (B, m) of y*, and which of them are minima."""
    if fit.errors.get("sigma", np.zeros(1)).ndim == 2:
        normal = random.standard_normal((len(fit.y), n))
        noise = np.linalg.cholesky(fit.errors["sigma"]) @ normal
        drawn = _column(fit.estimator.predict(fit.X)) + np.sqrt(fit.scale) * noise
        return _fitted_columns(fit, drawn)
    scale = _Scale.of(fit)
    blocks = (_parametric if kind == "parametric" else _residual)(fit, scale, n, random)
    linear = _linear(fit)
    if linear is not None:
        sigma = fit.errors.get("sigma")
        on_params = linear.on_params / (1.0 if sigma is None else sigma)
        change = sum(on_params[:, rows] @ noise for rows, noise in blocks)
        return np.ascontiguousarray((fit.params[:, None] + change).T), np.ones(n, dtype=bool)
    every: FloatArray = np.empty((len(fit.y), n))
    for rows, of_rows in blocks:
        np.add(of_rows, scale.fitted[rows, None], out=every[rows])
    if scale.back is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # what lies outside is told as lost
            every = scale.back(every)
    return _fitted_columns(fit, every)


def _linear(fit: RepeatableFit) -> LinearInfluence | None:
    """Return how the parameters of a linear fit follow its rows; None of another."""
    if not is_linear(fit.estimator) or fit.single_curve:
        return None
    return linear_influence(fit.estimator, fit.X, fit.errors.get("sigma"), len(fit.names))


def _whitened_residual(fit: RepeatableFit) -> FloatArray:
    residual: FloatArray = (fit.y - fit.estimator.predict(fit.X)) / fit.errors.get("sigma", 1.0)
    return residual


def _parametric(
    fit: RepeatableFit, _: _Scale, n: int, random: np.random.Generator
) -> Iterator[tuple[slice, FloatArray]]:
    """Yield the noise (r, B) of some rows after the other."""
    sigma = _column(np.broadcast_to(fit.errors.get("sigma", np.ones(())), fit.y.shape))
    for rows in _row_blocks(len(fit.y), n):
        noise = random.standard_normal((len(sigma[rows]), n))
        noise *= sigma[rows]
        noise *= np.sqrt(fit.scale)
        yield rows, noise


def _residual(
    fit: RepeatableFit, scale: _Scale, n: int, random: np.random.Generator
) -> Iterator[tuple[slice, FloatArray]]:
    """Yield the noise (r, B) of some rows after the other."""
    sigma = np.broadcast_to(fit.errors.get("sigma", np.ones(())), fit.y.shape)
    if fit.scale > 0.0:
        leverage = np.nan_to_num(np.square(scale.std / sigma) / fit.scale)
    else:
        leverage = np.zeros_like(scale.fitted)
    free = leverage < 1.0 - 1e-8  # a point that decides a parameter by itself has no residual
    modified = ((scale.values - scale.fitted) / sigma)[free] / np.sqrt(1.0 - leverage[free])
    modified = modified - modified.mean()
    for rows in _row_blocks(len(fit.y), n):
        noise = modified[random.integers(len(modified), size=(len(sigma[rows]), n))]
        noise *= sigma[rows, None]
        yield rows, noise


def _row_blocks(n_samples: int, n: int) -> Iterator[slice]:
    """Yield slices of rows whose n columns stay in the cache."""
    step = max(_DRAWN // n, 1)
    for first in range(0, n_samples, step):
        yield slice(first, min(first + step, n_samples))


def _parametric_points(
    fit: RepeatableFit, n: int, random: np.random.Generator
) -> tuple[FloatArray, BoolArray]:
    """Return parameters (B, m) of points with errors in x and y, and which of them are minima."""
    X, y = fit.estimator.adjusted_points(fit.X, fit.y, **fit.errors)
    factor, sigma_x = np.sqrt(fit.scale), fit.errors["sigma_x"]
    sigma_x = sigma_x[:, None] if sigma_x.ndim == 1 and X.shape[1] == 1 else sigma_x
    corr = fit.errors.get("corr_xy", np.zeros(()))
    refits = []
    for _ in range(n):
        of_x, of_y = random.standard_normal(X.shape), random.standard_normal(len(y))
        of_y = corr * of_x[:, 0] + np.sqrt(1.0 - corr**2) * of_y
        drawn = y + factor * fit.errors["sigma"] * of_y
        refits.append(fit.again(X=X + factor * sigma_x * of_x, y=drawn))
    found = np.array([refit.converged_ for refit in refits])
    return np.array([refit.params_ for refit in refits]), found


def _pairs(fit: RepeatableFit, n: int, random: np.random.Generator) -> tuple[FloatArray, BoolArray]:
    """Return parameters (B, m), and which of them are minima."""
    n_samples, n_free = len(fit.y), len(fit.y) - fit.dof
    params, found = np.empty((n, len(fit.names))), np.zeros(n, dtype=bool)
    linear = _linear(fit)
    residual = None if linear is None else _whitened_residual(fit)
    for part in _row_blocks(n, n_samples):
        drawn = random.integers(n_samples, size=(part.stop - part.start, n_samples))
        if fit.single_curve:
            refits = [_fitted_rows(fit, rows) for rows in drawn]
            params[part], found[part] = [p for p, _ in refits], [good for _, good in refits]
            continue
        counts = np.stack([np.bincount(rows, minlength=n_samples) for rows in drawn], axis=1)
        params[part], converged = _counted(fit, counts.astype(np.float64), linear, residual)
        found[part] = converged & (np.count_nonzero(counts, axis=0) >= n_free)
    return params, found


def _counted(
    fit: RepeatableFit,
    counts: FloatArray,
    linear: LinearInfluence | None,
    residual: FloatArray | None,
) -> tuple[FloatArray, BoolArray]:
    """Return parameters (B, m) with the rows counted so often (n, B), and which are minima."""
    if linear is None or residual is None:
        return _fitted_weights(fit, counts)
    changes = [linear.change_by_counting(residual, column) for column in counts.T]
    hard = [k for k, change in enumerate(changes) if change is None]
    params = fit.params + np.array([0.0 * fit.params if c is None else c for c in changes])
    found = np.ones(len(changes), dtype=bool)
    if hard:
        params[hard], found[hard] = _fitted_weights(fit, counts[:, hard])
    return params, found


def _fitted_rows(fit: RepeatableFit, rows: IntArray) -> tuple[FloatArray, bool]:
    X = fit.X.iloc[rows] if hasattr(fit.X, "iloc") else fit.X[rows]
    n = len(fit.y)
    errors = {
        name: value[rows] if value.ndim and len(value) == n else value
        for name, value in fit.errors.items()
    }
    refit = fit.again(X=X, y=fit.y[rows], errors=errors)
    full = len(getattr(refit, "unidentified_", ())) == 0
    return refit.params_, bool(getattr(refit, "converged_", True)) and full


# Fitting many ------------------------------------------------------------------------------------


def _column(values: FloatArray) -> FloatArray:
    return np.asarray(values, dtype=np.float64).reshape(-1, 1)


def _from_here(fit: RepeatableFit) -> dict[str, Any]:
    """Return options that begin at the minimum of the data themselves."""
    return {"p0": fit.params, "start": "p0", "verbose": 0} if "p0" in fit.options else {}


def _fitted_columns(fit: RepeatableFit, Y: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Return parameters (B, m) of the columns of y, and which of them are minima."""
    if fit.single_curve:
        params, found = np.full((Y.shape[1], len(fit.names)), np.nan), np.zeros(Y.shape[1], bool)
        for k, y in enumerate(Y.T):
            if not np.isfinite(_in_its_domain(fit, y)).all():
                continue
            refit = fit.again(y=y, **_from_here(fit))
            params[k], found[k] = refit.params_, getattr(refit, "converged_", True)
        return params, found
    return _in_parts(fit, Y, lambda part: (part, fit.errors))


def _in_its_domain(fit: RepeatableFit, y: FloatArray) -> FloatArray:
    """Return y or, of a fit to a transform, that: NaN where it does not exist."""
    transformed = transformed_part(fit.estimator, fit.X)
    return y if transformed is None else np.asarray(transformed[0].transform_target(y))


def _fitted_weights(fit: RepeatableFit, counts: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Return parameters (B, m) with the rows counted so often (n, B)."""
    sigma = _column(np.broadcast_to(fit.errors.get("sigma", np.ones(())), fit.y.shape))
    rest = {name: value for name, value in fit.errors.items() if name != "sigma"}

    def data(part: FloatArray) -> tuple[FloatArray, dict[str, Any]]:
        Y = np.repeat(_column(fit.y), part.shape[1], axis=1)
        return Y, {**rest, "sample_weight": part / sigma**2}

    return _in_parts(fit, counts, data)


def _in_parts(fit: RepeatableFit, columns: FloatArray, data: Any) -> tuple[FloatArray, BoolArray]:
    """Return parameters and success of `columns` (n, B), a share of them at a time."""
    size = max(_ENTRIES // len(columns), 1)
    params, found = [], []
    for first in range(0, columns.shape[1], size):
        Y, errors = data(columns[:, first : first + size])
        refit = fit.again(y=Y, errors=errors, **_from_here(fit))
        params.append(np.reshape(refit.params_, (Y.shape[1], -1)))
        found.append(np.broadcast_to(getattr(refit, "converged_", True), Y.shape[1]))
    return np.concatenate(params), np.concatenate(found)


# Correcting --------------------------------------------------------------------------------------


def _acceleration(fit: RepeatableFit) -> FloatArray:
    """Return the accelerations (m,), zero for parameters that do not move."""
    n = len(fit.y)
    correlated = fit.errors.get("sigma", np.zeros(1)).ndim == 2
    if correlated or n == 1:  # no row can be left out
        return np.zeros(len(fit.names))
    groups = np.array_split(np.random.default_rng(0).permutation(n), min(n, _JACKKNIFE_GROUPS))
    if fit.single_curve:
        kept = [np.setdiff1d(np.arange(n), group) for group in groups]
        found = [_fitted_rows(fit, rows) for rows in kept]
        params, usable = np.array([p for p, _ in found]), np.array([c for _, c in found])
    else:
        params, usable = _left_out(fit, groups)
    params = params[usable & np.isfinite(params).all(axis=1)]
    if len(params) < 2:
        return np.zeros(len(fit.names))
    influence = params.mean(axis=0) - params
    spread = np.square(influence).sum(axis=0) ** 1.5
    with np.errstate(divide="ignore", invalid="ignore"):
        skewness: FloatArray = (influence**3).sum(axis=0) / (6.0 * spread)
    return np.where(np.isfinite(skewness), skewness, 0.0)


def _left_out(fit: RepeatableFit, groups: list[IntArray]) -> tuple[FloatArray, BoolArray]:
    """Return parameters (B, m) without one group of rows each, and which of them are minima."""
    linear = _linear(fit)
    if linear is not None:
        residual = _whitened_residual(fit)
        changes = [linear.change_by_counting(residual, np.zeros(len(g)), g) for g in groups]
        if all(change is not None for change in changes):
            return fit.params + np.array(changes), np.ones(len(groups), dtype=bool)
    counts = np.ones((len(fit.y), len(groups)))
    for k, group in enumerate(groups):
        counts[group, k] = 0.0
    return _fitted_weights(fit, counts)


def _corrected(
    estimate: FloatArray, params: FloatArray, acceleration: FloatArray, tails: FloatArray
) -> FloatArray:
    """Return the shares (m, 2) at which the quantiles of the replicates are taken."""
    below = (params < estimate).mean(axis=0) + 0.5 * (params == estimate).mean(axis=0)
    least = 0.5 / len(params)
    bias = ndtri(np.clip(below, least, 1.0 - least))[:, None]
    shifted = bias + ndtri(tails)
    corrected = ndtr(bias + shifted / (1.0 - acceleration[:, None] * shifted))
    return np.asarray(corrected, dtype=np.float64)
