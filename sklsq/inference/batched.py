r"""Many constrained minima of χ² at once.

`NonlinearLSQ` fits many curves of one model together, each with parameters of its own. Holding the
parameters S of copy c at :math:`v_c` is, to it, one more row of data for each of them: a
measurement :math:`v_c` of the "model" :math:`p_S`, with a width of τ times the standard error.
The minimum lies off :math:`v_c` by so little that the χ² there follows from its slope, which is
the pull of that row; the rest is of the order :math:`\tau^4`. So the profile of a parameter, or
all rays of a contour, are the columns of one two-dimensional y.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sklsq._typing import BoolArray, FloatArray, IntArray
from sklsq.inference.refitting import RepeatableFit
from sklsq.models import Model

__all__ = ["HeldModel", "minima_together", "takes_batches", "used_columns"]

_WIDTH = 1e-4  # standard errors
_OFF = 10.0  # widths by which a held parameter may miss its value
_LARGEST = 20_000  # rows of data, from which on a fit by itself is no slower


class HeldModel(Model):
    """A model whose last rows are some of its parameters.

    Parameters
    ----------
    model : Model
        y = f(X; parameters), for all but the last rows of X.
    held : ndarray of int of shape (k,)
        The parameters that the last k rows are.
    """

    def __init__(self, model: Model, held: IntArray) -> None:
        self.model, self.held = model, held

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Names of the m parameters, in order."""
        return self.model.parameter_names

    @property
    def n_features(self) -> int | None:
        """Width of X, None for any."""
        return self.model.n_features

    def evaluate(self, X: FloatArray, params: FloatArray) -> FloatArray:
        """Compute the model, see `Model.evaluate`."""
        values = self.model.evaluate(X[: -len(self.held)], params)
        return np.concatenate([values, params[:, self.held]], axis=1)

    def linearise(self, X: FloatArray, params: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Compute the model and its derivatives, see `Model.linearise`."""
        values, slopes = self.model.linearise(X[: -len(self.held)], params)
        rows = np.zeros((*slopes.shape[:2], len(self.held)))
        rows[:, self.held, np.arange(len(self.held))] = 1.0
        return (
            np.concatenate([values, params[:, self.held]], axis=1),
            np.concatenate([slopes, rows], axis=2),
        )

    def is_pointwise(self, X: FloatArray, params: FloatArray) -> bool:
        """Tell that rows may not be split: the last ones are different."""
        return False


def takes_batches(fit: RepeatableFit) -> bool:
    """Tell whether a fit can be repeated in batches: one without covariance and errors of x."""
    return (
        isinstance(getattr(fit.estimator, "model_", None), Model)
        and fit.errors.keys() <= {"sigma"}
        and fit.errors.get("sigma", np.zeros(())).ndim < 2
        and len(fit.y) <= _LARGEST
    )


def minima_together(
    fit: RepeatableFit, held: IntArray, scales: FloatArray, values: FloatArray
) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Return χ² (B,), all parameters (B, m), and which of them are minima where they should be.

    Parameters
    ----------
    fit : RepeatableFit
        The minimum, from which all descents begin.
    held : ndarray of int of shape (k,)
        The parameters that are held.
    scales : ndarray of shape (k,)
        Their standard errors.
    values : ndarray of shape (B, k)
        Where they are held.
    """
    X, n, k = used_columns(fit), len(fit.y), len(held)
    width = _WIDTH * scales / np.sqrt(fit.scale)
    sigma = np.broadcast_to(fit.errors.get("sigma", np.ones(())), (n,))
    Y = np.concatenate([np.repeat(fit.y[:, None], len(values), axis=1), values.T])
    refit = fit.again(
        X=np.concatenate([X, np.repeat(X[-1:], k, axis=0)]),
        y=Y,
        errors={"sigma": np.concatenate([sigma, width])},
        model=HeldModel(fit.estimator.model_, held),
        features=None,
        jac="auto",
        p0=fit.params,
        start="p0",
        verbose=0,
    )
    params: FloatArray = np.array(refit.params_)
    missed = (params[:, held] - values) / width
    found = np.asarray(refit.converged_) & (np.abs(missed) <= _OFF).all(axis=1)
    params[:, held] = values
    chi2: FloatArray = refit.chi2_ + np.square(missed).sum(axis=1)
    return chi2, params, found


def used_columns(fit: RepeatableFit) -> FloatArray:
    """Return the features that the model takes, which may be named columns of a frame."""
    features: Any = fit.options["features"]
    named = isinstance(features, Sequence) and not isinstance(features, str)
    X = fit.X
    if named and callable(fit.options["model"]) and set(features) <= set(getattr(X, "columns", ())):
        X = X[list(features)]
    return np.asarray(X, dtype=np.float64)
