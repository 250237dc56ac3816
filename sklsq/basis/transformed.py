"""Columns made by any scikit-learn transformer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sklsq._typing import FloatArray
from sklsq.solvers.extended import DoubleDouble

__all__ = ["TransformerSource"]


@dataclass(frozen=True)
class TransformerSource:
    """Columns given by a fitted transformer.

    Parameters
    ----------
    transformer : object
        Fitted; its `transform` must treat every row by itself.
    names : tuple of str
        Names of the columns.
    features : tuple of str or None
        Column names of the frame that it was fitted on; None if it was an array.
    """

    transformer: Any
    names: tuple[str, ...]
    features: tuple[str, ...] | None

    def evaluate(self, X: FloatArray) -> FloatArray:
        """Return the columns (n, m) at the features `X` (n, p)."""
        return to_dense(self.transformer.transform(as_frame(X, self.features)))

    def evaluate_extended(self, X: FloatArray) -> DoubleDouble:
        """Return the columns, which are taken as exact."""
        return DoubleDouble(self.evaluate(X))

    def is_constant(self, column: int, X: FloatArray) -> bool:
        """Tell whether a column has the same value in all rows."""
        values = self.evaluate(X)[:, column]
        return bool((values == values[0]).all())


def as_frame(X: FloatArray, features: tuple[str, ...] | None) -> Any:
    """Return `X` as the kind of container that the transformer was fitted on."""
    if features is None:
        return X
    import pandas as pd

    return pd.DataFrame(X, columns=list(features))


def to_dense(columns: Any) -> FloatArray:
    """Return the output of a transformer as a float64 array (n, m)."""
    if hasattr(columns, "toarray"):
        columns = columns.toarray()
    return np.asarray(columns, dtype=np.float64)
