"""Derivatives from values: divided differences and the complex step, with sensible steps.

    2-point         (f(p + h) - f(p))/h            h = √ε |p|      error √ε
    3-point         (f(p + h) - f(p - h))/2h       h = ∛ε |p|      error ε^⅔
    complex step    Im f(p + ih)/h                 h = 1e-20 |p|   error ε

A parameter that is zero, or small by chance, has no size to scale h by: where p + h changes the
function by nothing but rounding, h is lengthened, and at p = 0 it is chosen so that the function
changes by about ∛ε (√ε) of its size. Where p + h leaves the domain of f, the difference towards the
other side is taken.

Source: W. Squire and G. Trapp, "Using complex variables to estimate derivatives of real functions",
SIAM Review 40 (1998) 110; J. Nocedal and S. Wright, "Numerical Optimization", 2nd ed., section 8.1.
"""

from collections.abc import Callable

import numpy as np

from sklsq._typing import FloatArray

__all__ = ["agree", "central_differences", "complex_steps", "forward_differences"]

EPSILON = float(np.finfo(float).eps)
COMPLEX_STEP = 1e-20
# Of the steps tried to confirm a derivative one must agree this well, in all rows but a few, which
# may lie on a kink.
_AGREEMENT = 1e-3
_STEP_FACTORS = (1.0, 1e-2, 1e-4, 1e2)
# A relative change of the function so small is mostly rounding; what to lengthen the step to.
_DROWNED = 1e-13
_VISIBLE = 1e-10

Function = Callable[[FloatArray], FloatArray]  # (m,) to (n,)
ComplexFunction = Callable[..., FloatArray]


def central_differences(function: Function, p: FloatArray, factor: float = 1.0) -> FloatArray:
    """Return the derivatives (m, n) by 3-point differences, steps multiplied by `factor`."""
    middle = function(p)
    rows = np.empty((len(p), len(middle)))
    for i in range(len(p)):
        upper, above = _stepped(function, p, i, middle, factor * EPSILON ** (1 / 3))
        h = upper[i] - p[i]
        below = function(_shifted(p, i, -h))
        rows[i] = (above - below) / (2 * h)
        if not np.isfinite(rows[i].sum()):
            forward, backward = (above - middle) / h, (middle - below) / h
            rows[i] = np.where(np.isfinite(rows[i]), rows[i], forward)
            rows[i] = np.where(np.isfinite(rows[i]), rows[i], backward)
    return rows


def forward_differences(function: Function, p: FloatArray) -> FloatArray:
    """Return the derivatives (m, n) by 2-point differences."""
    middle = function(p)
    rows = np.empty((len(p), len(middle)))
    for i in range(len(p)):
        shifted, above = _stepped(function, p, i, middle, EPSILON**0.5)
        rows[i] = (above - middle) / (shifted[i] - p[i])
    return rows


def complex_steps(function: ComplexFunction, p: FloatArray) -> FloatArray:
    """Return the derivatives (m, n) of a function that accepts complex parameters."""
    rows = []
    for i, value in enumerate(p):
        h = COMPLEX_STEP * (abs(value) or 1.0)
        rows.append(np.imag(function(_shifted(p.astype(complex), i, 1j * h))) / h)
    return np.array(rows)


def agree(derivatives: FloatArray, function: Function, p: FloatArray) -> bool:
    """Tell whether `derivatives` (m, n) are confirmed by differences of some step.

    Several steps are tried, because a single one is too long for some functions and too short for
    others.
    """
    unconfirmed = set(range(len(p)))
    for factor in _STEP_FACTORS:
        rows = central_differences(function, p, factor)
        unconfirmed -= {i for i in unconfirmed if _row_agrees(derivatives[i], rows[i])}
        if not unconfirmed:
            return True
    return False


def _row_agrees(exact: FloatArray, approximate: FloatArray) -> bool:
    size = np.abs(exact).max(initial=0.0)
    if not np.isfinite(size):
        return bool(not np.isfinite(exact).all() and not np.isfinite(approximate).all())
    is_off = ~(np.abs(exact - approximate) <= _AGREEMENT * size)
    return bool(is_off.sum() <= len(exact) // 50 + (len(exact) > 4))


def _stepped(
    function: Function, p: FloatArray, i: int, middle: FloatArray, relative: float
) -> tuple[FloatArray, FloatArray]:
    """Return the parameters after a step of parameter i, and the function there."""
    step = relative * abs(p[i])
    size = np.abs(middle).max(initial=0.0) or 1.0
    if step > np.finfo(float).tiny / EPSILON:
        shifted = _shifted(p, i, step)
        above = function(shifted)
        change = np.abs(above - middle).max(initial=0.0) / size
        if not change < _DROWNED:
            return shifted, above
        if change > 0:
            shifted = _shifted(p, i, step * _VISIBLE / change)
            return shifted, function(shifted)
    shifted = _shifted(p, i, _step_at_zero(function, p, i, middle, relative))
    return shifted, function(shifted)


def _step_at_zero(
    function: Function, p: FloatArray, i: int, middle: FloatArray, relative: float
) -> float:
    """Return a step by which the function changes by about `relative` of its size."""
    step = relative
    wanted = relative * (np.abs(middle).max(initial=0.0) or 1.0)
    for _ in range(3):
        change = np.abs(function(_shifted(p, i, step)) - middle).max(initial=0.0)
        if not np.isfinite(change):
            step *= 1e-6
        elif change > 100 * wanted:
            step *= wanted / change
    return step


def _shifted(p: FloatArray, i: int, step: complex) -> FloatArray:
    shifted = p.copy()
    shifted[i] += step
    return shifted
