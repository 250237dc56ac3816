"""The rows of a linear least-squares problem, delivered block by block.

A problem is ``minimise |(Y - A(X) theta) / sigma|²``. `Rows` holds `X`, `Y` and 1/σ as they came,
and makes the whitened rows ``[A | Y] / sigma`` only for the block that is asked for, so that
nothing of the size of the design matrix is ever stored. What the columns of A are is told by a
`Columns` object: the columns that are computed with (*internal*: centred, or an orthogonal
polynomial) and the `change` that leads from the coefficients of those to the coefficients the user
named.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np

from sklsq._typing import FloatArray, IntArray
from sklsq.solvers.extended import DoubleDouble

__all__ = ["Columns", "Rows", "Scaling", "scale_rows"]

BLOCK_ELEMENTS = 131072
"""Elements of a block of columns, 1 MB: few calls, and still in the second-level cache."""


class Columns(Protocol):
    """Maps rows of features to internal columns of the design matrix."""

    @property
    def n_columns(self) -> int:
        """Number m of columns."""
        ...

    @property
    def change(self) -> DoubleDouble | None:
        """Matrix (m, m) from internal to user coefficients; None is the identity."""
        ...

    @property
    def offsets(self) -> FloatArray | None:
        """Multiples (m,) of the first column that centring subtracted from each, or None."""
        ...

    def block(self, X: FloatArray, weight: FloatArray | float = 1.0) -> FloatArray:
        """Return the internal columns (n, m) of the features `X` (n, p), rows times `weight`."""
        ...

    def block_extended(self, X: FloatArray) -> DoubleDouble:
        """Return the internal columns in double-double, exact wherever possible."""
        ...


@dataclass(frozen=True)
class Scaling:
    """Powers of two that keep squares within the range of doubles; multiplying by them is exact."""

    columns: FloatArray  # (m,)
    targets: FloatArray  # (t,)
    weight: float


@dataclass(frozen=True)
class Rows:
    """Rows of a weighted linear least-squares problem.

    Parameters
    ----------
    columns : Columns
        Maps features to columns of the design matrix.
    X : ndarray of shape (n, p)
        Features.
    Y : ndarray of shape (n, t)
        Targets.
    errors : ndarray of shape (n,) or float
        σ of each row, or 1/σ², positive.
    errors_are : {"sigma", "weight"}
        Which of the two.
    scaling : Scaling, optional
        Factors applied to columns, targets and weights on the way.
    """

    columns: Columns
    X: FloatArray
    Y: FloatArray
    errors: FloatArray | float = 1.0
    errors_are: Literal["sigma", "weight"] = "sigma"
    scaling: Scaling | None = None

    @property
    def n_samples(self) -> int:
        """Number n of rows."""
        return int(self.Y.shape[0])

    @property
    def n_targets(self) -> int:
        """Number t of targets, the columns of Y."""
        return int(self.Y.shape[1])

    @property
    def n_columns(self) -> int:
        """Number m of columns of the design matrix."""
        return self.columns.n_columns

    def take(self, index: IntArray | slice) -> Rows:
        """Return the problem made of some of the rows."""
        errors = self.errors if isinstance(self.errors, float) else self.errors[index]
        return replace(self, X=self.X[index], Y=self.Y[index], errors=errors)

    def blocks(self) -> Iterator[Rows]:
        """Yield the problem in cache-sized pieces."""
        step = max(256, BLOCK_ELEMENTS // (self.n_columns + self.n_targets))
        for start in range(0, self.n_samples, step):
            yield self.take(slice(start, start + step))

    def root_weight(self) -> FloatArray | float:
        """Return 1/σ, scaled.

        Raises
        ------
        FloatingPointError
            If one is not positive.
        """
        if isinstance(self.errors, float):
            weight = (
                1.0 / self.errors if self.errors_are == "sigma" else float(np.sqrt(self.errors))
            )
            return weight if self.scaling is None else weight * self.scaling.weight
        weights = 1.0 / self.errors if self.errors_are == "sigma" else np.sqrt(self.errors)
        if not weights.min() > 0.0:
            raise FloatingPointError("A weight is not positive.")
        return weights if self.scaling is None else weights * self.scaling.weight

    def whitened(self) -> tuple[FloatArray, FloatArray]:
        """Return ``A / sigma`` (n, m) and ``Y / sigma`` (n, t) in double precision.

        Where nothing has to be done to them they are views of the data, not to be written to.
        """
        weight = self.root_weight()
        A, Y = self.columns.block(self.X, weight), scale_rows(self.Y, weight)
        if self.scaling is None:
            return A, Y
        return A * self.scaling.columns, Y * self.scaling.targets

    def unweighted(self) -> tuple[FloatArray, FloatArray]:
        """Return A (n, m) and Y (n, t), scaled but not divided by σ; not to be written to."""
        A, Y = self.columns.block(self.X), self.Y
        if self.scaling is None:
            return A, Y
        return A * self.scaling.columns, Y * self.scaling.targets

    def whitened_extended(self) -> tuple[DoubleDouble, DoubleDouble]:
        """Return ``A / sigma`` and ``Y / sigma`` in double-double."""
        columns, targets = self.columns.block_extended(self.X), DoubleDouble(self.Y)
        if self.scaling is not None:
            columns, targets = columns * self.scaling.columns, targets * self.scaling.targets
        if self.scaling is None and isinstance(self.errors, float) and self.errors == 1.0:
            return columns, targets
        errors = DoubleDouble(np.reshape(self.errors, (-1, 1)))
        weight = errors.reciprocal() if self.errors_are == "sigma" else errors.sqrt()
        if self.scaling is not None:
            weight = weight * self.scaling.weight
        return columns * weight, targets * weight

    def with_scaling(self) -> Rows:
        """Return the same problem, scaled where its numbers are very large or very small."""
        columns, targets, weight = np.zeros(self.n_columns), np.zeros(self.n_targets), 0.0
        for block in replace(self, scaling=None).blocks():
            columns = np.maximum(columns, np.abs(block.columns.block(block.X)).max(axis=0))
            targets = np.maximum(targets, np.abs(block.Y).max(axis=0))
            weight = max(weight, float(np.max(block.root_weight())))
        extremes = np.concatenate([columns, targets, [weight]])
        extremes = extremes[extremes > 0.0]
        if extremes.size == 0 or (extremes.max() < _LARGE and extremes.min() > 1.0 / _LARGE):
            return self
        return replace(
            self,
            scaling=Scaling(
                _power_of_two(columns),
                _power_of_two(targets),
                float(_power_of_two(np.array(weight))),
            ),
        )


def scale_rows(array: FloatArray, weight: FloatArray | float) -> FloatArray:
    """Return `array` (n, k) with its rows multiplied by `weight`; itself where the weight is 1."""
    if isinstance(weight, float):
        return array if weight == 1.0 else array * weight
    return array * weight[:, None]


_LARGE = 2.0**100


def _power_of_two(magnitude: FloatArray) -> FloatArray:
    """Return the power of two that brings each magnitude to [1/2, 1); 1 for zero."""
    _, exponent = np.frexp(magnitude)
    return np.where(magnitude > 0.0, np.ldexp(1.0, np.clip(-exponent, -1022, 1022)), 1.0)
