"""Which parameters enter a model linearly, all of them together.

A set S of parameters is jointly linear if ∂²f/∂pᵢ∂pⱼ = 0 for all i, j in S, whatever the others
are: then f = f₀ + Σ pᵢ gᵢ with f₀ and gᵢ free of S, and the best pᵢ follow from linear least
squares. The pairs with ∂²f/∂pᵢ∂pⱼ ≠ 0 are edges of a graph (a loop where i = j) and S is a set
without edges; the one with fewest edges is taken first.

For a formula the graph is read off the text of the derivatives: is pⱼ in ∂f/∂pᵢ? For a function
second differences f(p + hᵢ + hⱼ) - f(p + hᵢ) - f(p + hⱼ) + f(p) are formed with steps of several
magnitudes. They must vanish against the first differences, and the latter must be real changes
of f at least once: ``exp(-b*x)`` is flat where it underflows, ``arctan(b*x)`` where it saturates,
and a flat function looks linear.

Source: G. Golub and V. Pereyra, "The differentiation of pseudo-inverses and nonlinear least
squares problems whose variables separate", SIAM J. Numer. Anal. 10 (1973) 413.
"""

from functools import lru_cache

import numpy as np

from sklsq._typing import BoolArray, FloatArray
from sklsq.models.formula import FormulaModel
from sklsq.models.model import Model

__all__ = ["independent", "linear_parameters"]

# Steps relative to the parameter; the longest show nonlinearity where the model is nearly linear.
_STEPS = (0.5, -0.75, 40.0, -3e3, 1e6)
_MAX_ROWS = 60
# A second difference of a linear parameter is a rounding error of the function...
_ROUNDING = 1e-12
# ... and a first difference counts as a change of the function if it is well above that.
_CHANGE = 1e-7


def linear_parameters(model: Model, X: FloatArray, samples: FloatArray) -> BoolArray:
    """Find a largest set of parameters that are jointly linear.

    Parameters
    ----------
    model : Model
    X : ndarray of shape (n, p)
        The features; at most 60 rows are used where rows are independent of each other.
    samples : ndarray of shape (S, m)
        Parameters at which to try, of different magnitudes; not used for formulas.

    Returns
    -------
    ndarray of bool, shape (m,)

    Examples
    --------
    >>> import numpy as np
    >>> peak = FormulaModel("a + b*exp(-((x - c)/d)**2)")
    >>> linear_parameters(peak, np.empty((0, 1)), np.empty((0, 4)))
    array([ True,  True, False, False])
    """
    declared: BoolArray | None = getattr(model, "is_linear", None)
    if declared is not None:
        return np.array(declared)
    if isinstance(model, FormulaModel) and model.derivatives is not None:
        return np.array(_of_formula(model))
    if model.is_pointwise(X, samples):
        X = X[np.unique(np.linspace(0, len(X) - 1, min(len(X), _MAX_ROWS)).astype(int))]
    return independent(_tried_coupling(model, X, samples))


@lru_cache(maxsize=256)
def _of_formula(model: FormulaModel) -> tuple[bool, ...]:
    assert model.derivatives is not None
    names = model.parameter_names
    depends = np.array([[name in slope.names for name in names] for slope in model.derivatives])
    return tuple(bool(entry) for entry in independent(depends | depends.T))


def independent(coupled: BoolArray) -> BoolArray:
    """Return a set without coupled pairs, greedily: the parameter with the fewest partners first.

    Ties go to the earlier parameter.
    """
    chosen = np.zeros(len(coupled), dtype=bool)
    open_ = ~np.diag(coupled)
    while open_.any():
        partners = (coupled & open_).sum(axis=1)
        best = int(np.argmin(np.where(open_, partners, len(coupled) + 1)))
        chosen[best] = True
        open_[best] = False
        open_ &= ~coupled[best]
    return chosen


def _tried_coupling(model: Model, X: FloatArray, samples: FloatArray) -> BoolArray:
    n_parameters = len(model.parameter_names)
    coupled = np.zeros((n_parameters, n_parameters), dtype=bool)
    seen = np.zeros((n_parameters, n_parameters), dtype=bool)
    for sample in samples:
        for step in _STEPS:
            _compare(model, X, sample, step, coupled, seen)
    return coupled | coupled.T | ~(seen | seen.T)


def _compare(
    model: Model,
    X: FloatArray,
    sample: FloatArray,
    step: float,
    coupled: BoolArray,
    seen: BoolArray,
) -> None:
    """Form all second differences at one point; mark pairs as coupled, or as seen to be free."""
    m = len(sample)
    steps = np.diag(step * np.where(sample == 0, 1.0, sample))
    pairs = [(i, j) for i in range(m) for j in range(i, m) if not coupled[i, j]]
    points = [sample, *(sample + steps), *(sample + steps[i] + steps[j] for i, j in pairs)]
    values = model.evaluate(X, np.array(points))
    with np.errstate(all="ignore"):
        size = np.abs(values).max(axis=1)
        first = values[1 : m + 1] - values[0]
        change = np.abs(first).max(axis=1)
        for (i, j), value, extent in zip(pairs, values[m + 1 :], size[m + 1 :], strict=True):
            largest = max(size[0], size[i + 1], size[j + 1], extent)
            if not np.isfinite(largest):
                continue
            second = np.abs(value - values[0] - first[i] - first[j]).max()
            if second > _ROUNDING * largest:
                coupled[i, j] = True
            elif min(change[i], change[j]) > _CHANGE * largest:
                seen[i, j] = True
