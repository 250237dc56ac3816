"""From the rows of a linear least-squares problem to its solution."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import numpy as np

from sklsq._typing import FloatArray, IntArray
from sklsq.solvers.blas import single_blas_thread
from sklsq.solvers.extended import DoubleDouble, matmul
from sklsq.solvers.refinement import Refined, affordable, polish, refine
from sklsq.solvers.rows import Columns, Rows, Scaling
from sklsq.solvers.singular import (
    Identification,
    default_rcond,
    echelon,
    identify,
    shortest,
)
from sklsq.solvers.solution import Solution
from sklsq.solvers.triangular import TriangularFactor, factorise

__all__ = ["solve", "solve_factor"]

_EPS = float(np.finfo(np.float64).eps)
_WELL_CONDITIONED = 30.0
_LOSS = 1e-14  # relative error of a parameter from which doubled precision is called for
_LARGE = 1e60  # the squares of such numbers, and the sums of these, stay far within range


def solve(rows: Rows, *, counted: IntArray, rcond: float | None = None) -> Solution:
    """Return the least-squares solution of `rows`.

    Parameters
    ----------
    rows : Rows
        The problem.
    counted : ndarray of int
        Indices of the parameters whose length is minimised where the rows do not determine them.
    rcond : float, optional
        Singular values of the column-scaled design below `rcond` times the largest count as zero.

    Raises
    ------
    FloatingPointError
        If the data hold NaN or infinity.
    """
    threads = nullcontext() if affordable(rows) else single_blas_thread()
    with threads, np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        rows, factor = _factorise_scaled(rows)
        found = identify(factor, _scaled_offsets(rows), _rcond(rcond, factor))
        best = _plain(factor, found)
        if affordable(rows) and found.rank > 0:
            W, theta = found.inverse_root, best.coefficients.hi
            if _loses_digits(factor, found, best, rows):
                best = refine(rows, W, theta, found.condition)
            else:
                best = polish(rows, W, theta)
        return _publish(factor, found, best, rows.columns, rows.scaling, counted)


def _loses_digits(
    factor: TriangularFactor, found: Identification, plain: Refined, rows: Rows
) -> bool:
    """Tell whether double precision may leave less than 14 digits of some parameter.

    Rounding errors of size ``eps |Y|`` in the whitened rows move parameter j by up to ``eps |Y|``
    times the norm of row j of the root of the covariance; the change to the user's parameters adds
    those of its terms.
    """
    if found.condition > _WELL_CONDITIONED:
        return True
    change, theta, W = rows.columns.change, plain.coefficients.hi, found.inverse_root
    terms = np.abs(theta)
    if change is not None and rows.scaling is None:
        terms = np.abs(change.hi) @ terms
        theta, W = change.hi @ theta, change.hi @ W
    size = np.sqrt(np.einsum("ij,ij->j", factor.z, factor.z) + factor.residual)
    spread = np.sqrt(np.einsum("ij,ij->i", W, W))[:, None] * size
    return bool((_EPS * (spread + terms) > _LOSS * np.abs(theta)).any())


def _factorise_scaled(rows: Rows) -> tuple[Rows, TriangularFactor]:
    """Return the rows, scaled where squares would overflow or vanish, and their factor."""
    try:
        factor = factorise(rows)
    except FloatingPointError:
        factor = None
    if factor is not None and _in_range(factor):
        return rows, factor
    scaled = rows.with_scaling()
    if factor is not None and scaled is rows:
        return rows, factor
    return scaled, factorise(scaled)


def _in_range(factor: TriangularFactor) -> bool:
    sizes = np.abs(np.concatenate([np.diag(factor.R), factor.residual]))
    return bool(sizes.max(initial=0.0) < _LARGE and sizes.min(initial=1.0) > 1.0 / _LARGE)


def solve_factor(
    factor: TriangularFactor,
    columns: Columns,
    *,
    counted: IntArray,
    rcond: float | None = None,
) -> Solution:
    """Return the solution of the rows that went into `factor`, which need no longer exist."""
    found = identify(factor, columns.offsets, _rcond(rcond, factor))
    return _publish(factor, found, _plain(factor, found), columns, None, counted)


def _scaled_offsets(rows: Rows) -> FloatArray | None:
    offsets = rows.columns.offsets
    if offsets is None or rows.scaling is None:
        return offsets
    scaled: FloatArray = offsets * rows.scaling.columns / rows.scaling.columns[0]
    return scaled


def _rcond(rcond: float | None, factor: TriangularFactor) -> float:
    return default_rcond(factor.n_samples, factor.R.shape[0]) if rcond is None else rcond


def _plain(factor: TriangularFactor, found: Identification) -> Refined:
    """Return the solution in double precision."""
    W, z = found.inverse_root, factor.z
    if found.rank == factor.R.shape[0]:
        return Refined(DoubleDouble(factor.origin + W @ z), W, factor.residual)
    z = z + factor.R @ factor.origin  # the origin may lie far out along the null space
    theta = W @ (W.T @ (factor.R.T @ z))
    left = z - factor.R @ theta
    residual = factor.residual + np.einsum("ij,ij->j", left, left)
    return Refined(DoubleDouble(theta), W, residual)


def _publish(
    factor: TriangularFactor,
    found: Identification,
    refined: Refined,
    columns: Columns,
    scaling: Scaling | None,
    counted: IntArray,
) -> Solution:
    """Undo the scaling, change to the user's parameters, choose the shortest equivalent."""
    internal, root, chi2 = refined.coefficients, refined.inverse_root, refined.chi2
    null_space, change = found.null_space, columns.change
    if found.rank == factor.R.shape[0]:
        nothing = np.zeros_like(factor.z)
        factor = replace(factor, origin=internal.hi, z=nothing, residual=chi2, inverse=None)
    if scaling is not None:
        powers, targets, weight = scaling.columns[:, None], scaling.targets, scaling.weight
        internal = internal * powers * (1.0 / targets)
        root = root * powers * weight
        chi2 = chi2 / (targets * weight) ** 2
        null_space = null_space * scaling.columns
        factor = _unscaled(factor, scaling)
    params = internal if change is None else matmul(change, internal)
    params_root = root if change is None else matmul(change, root).hi
    if not null_space.size:
        return Solution(
            internal.hi, root, params.hi, params_root, chi2, factor.n_samples, found.rank, factor
        )
    user_null = null_space if change is None else matmul(change, null_space.T).hi.T
    shortened, multipliers = shortest(params.hi, user_null, counted)
    return Solution(
        internal.hi + null_space.T @ multipliers,
        root,
        shortened,
        params_root,
        chi2,
        factor.n_samples,
        found.rank,
        factor,
        echelon(user_null, _user_norms(factor.R, change)),
        null_space,
        columns.offsets,
    )


def _unscaled(factor: TriangularFactor, scaling: Scaling) -> TriangularFactor:
    columns, targets, weight = scaling.columns, scaling.targets, scaling.weight
    return TriangularFactor(
        factor.R / columns / weight,
        factor.z / targets / weight,
        factor.residual / (targets * weight) ** 2,
        factor.origin * columns[:, None] / targets,
        factor.n_samples,
    )


def _user_norms(R: FloatArray, change: DoubleDouble | None) -> FloatArray:
    """Return the norms of the columns as the user named them, one for a column of zeros."""
    columns = R if change is None else np.linalg.solve(change.hi.T, R.T).T
    norms = np.sqrt(np.einsum("ij,ij->j", columns, columns))
    return np.where(norms > 0.0, norms, 1.0)
