"""What a model is to a fit: y = f(x; p) for B sets of parameters at once, with derivatives."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from sklsq._typing import FloatArray

__all__ = ["BLOCK_POINTS", "At", "Filling", "Model", "blocks"]

At = Callable[..., list[Any]]
Filling = Callable[..., None]

# Points computed at a time: above this, temporaries leave the cache and page faults dominate.
BLOCK_POINTS = 4000


class Model(ABC):
    """A function of features and parameters that a nonlinear fit can use.

    Attributes
    ----------
    parameter_names : tuple of str
        The m parameters, in the order of every array of parameters.
    n_features : int or None
        The width of X that the model takes; None for any.
    """

    @property
    @abstractmethod
    def parameter_names(self) -> tuple[str, ...]:
        """Names of the m parameters, in order."""

    @property
    @abstractmethod
    def n_features(self) -> int | None:
        """Width of X, None for any."""

    @abstractmethod
    def evaluate(self, X: FloatArray, params: FloatArray) -> FloatArray:
        """Compute the model.

        Parameters
        ----------
        X : ndarray of shape (n, p)
            The features, float64.
        params : ndarray of shape (B, m)
            One set of parameters per problem.

        Returns
        -------
        values : ndarray of shape (B, n)
            May hold NaN and infinities: a fit rejects such a step.
        """

    @abstractmethod
    def linearise(self, X: FloatArray, params: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Compute the model and its derivatives by every parameter.

        Returns
        -------
        values : ndarray of shape (B, n)
        derivatives : ndarray of shape (B, m, n)
        """

    def at(self, X: FloatArray, params: FloatArray) -> At | None:
        """Return the model at these features, for the many calls of one fit.

        Parameters
        ----------
        X : ndarray of shape (n, p)
        params : ndarray of shape (m,)
            A point to find out at what the model can do.

        Returns
        -------
        callable or None
            ``function(*params) -> [value, *slopes]`` of m numbers, without any check; the results
            are numbers where they do not depend on X. None where `linearise` is all there is.
        """
        return None

    def filling(self, X: FloatArray, params: FloatArray) -> Filling:
        """Return what fills the rows of a fit, for the many calls of one.

        Parameters
        ----------
        X : ndarray of shape (n, p)
        params : ndarray of shape (m,)
            A point to find out at what the model can do.

        Returns
        -------
        callable
            ``function(*params, y, rows)`` of m numbers writes the derivatives into the first m of
            the m + 1 rows (n,), and y minus the model into the last, which may be y itself. Of many
            curves, parameters (B, 1) and y (B, n), each of the rows is (B, n).
        """

        def fill(*arguments: Any) -> None:
            *numbers, y, rows = arguments
            values, J = self.linearise(X, np.column_stack([np.ravel(value) for value in numbers]))
            for row, slope in zip(rows, J.swapaxes(0, 1), strict=False):
                row[...] = slope if row.ndim == 2 else slope[0]
            np.subtract(y, values if rows[-1].ndim == 2 else values[0], out=rows[-1])

        return fill

    def __add__(self, other: "Model") -> "Model":
        """Return the sum of two models, see `sklsq.models.composite.CompositeModel`."""
        from sklsq.models.composite import CompositeModel

        return CompositeModel([self, other]) if isinstance(other, Model) else NotImplemented

    def candidates(self, X: FloatArray, y: FloatArray) -> FloatArray | None:
        """Guess parameters from the data.

        Parameters
        ----------
        X : ndarray of shape (n, p)
        y : ndarray of shape (n,)

        Returns
        -------
        ndarray of shape (S, m) or None
            The likeliest first; None where the model knows nothing of its parameters.
        """
        return None

    def is_pointwise(self, X: FloatArray, params: FloatArray) -> bool:
        """Tell whether the value of a row depends on that row only, so that rows may be split."""
        return True


def blocks(n_problems: int, n_samples: int) -> Sequence[tuple[slice, slice]]:
    """Cut a (B, n) array into rectangles of about `BLOCK_POINTS` numbers, whole rows if possible.

    Examples
    --------
    >>> blocks(1, 100)
    [(slice(0, 1, None), slice(0, 100, None))]
    """
    if n_problems * n_samples <= BLOCK_POINTS:
        return [(slice(0, n_problems), slice(0, n_samples))]
    n_together = max(1, BLOCK_POINTS // n_samples)
    return [
        (slice(first, min(first + n_together, n_problems)), slice(start, start + BLOCK_POINTS))
        for first in range(0, n_problems, n_together)
        for start in range(0, n_samples, BLOCK_POINTS)
    ]
