"""What ready-made models share: a formula, a prefix for its names, and guesses from the data."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from sklsq._typing import BoolArray, FloatArray
from sklsq.models.formula import FormulaModel
from sklsq.models.linearity import linear_parameters
from sklsq.models.model import At, Filling, Model
from sklsq.models.projection import best_candidates

__all__ = ["ReadyMade", "condense"]

_MOST_POINTS = 240


class ReadyMade(Model):
    """A model of one feature x with a formula of its own.

    A subclass states its `formula`, the order of its parameters (`names`; that of the formula if
    None), and how the nonlinear parameters are guessed (`shapes`); the
    linear ones follow. Models are values: equal if of one class and prefix, and they pickle.

    Parameters
    ----------
    prefix : str
        Put before every parameter name, to tell apart the parts of a sum.
    """

    formula: ClassVar[str]
    names: ClassVar[tuple[str, ...] | None] = None
    derived: ClassVar[Mapping[str, str]] = {}

    def __init__(self, *, prefix: str = "") -> None:
        if prefix and not f"{prefix}a".isidentifier():
            raise ValueError(
                f"`prefix` must be the beginning of a name. Got {prefix!r}. Use e.g. 'g1_'."
            )
        self.prefix = prefix

    def __repr__(self) -> str:
        arguments = [str(entry) for entry in self._arguments()]
        if self.prefix:
            arguments.append(f"prefix={self.prefix!r}")
        return f"{type(self).__name__}({', '.join(arguments)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ReadyMade) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    @property
    def text(self) -> str:
        """The formula in x and the unprefixed parameters."""
        return self.formula

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Names of the parameters, prefixed."""
        return tuple(self.prefix + name for name in self.base_names)

    @property
    def base_names(self) -> tuple[str, ...]:
        """Names of the parameters without the prefix."""
        return self._model.parameter_names

    @property
    def n_features(self) -> int:
        """Width of X: one feature."""
        return 1

    @property
    def is_linear(self) -> BoolArray:
        """Which parameters enter linearly."""
        return linear_parameters(
            _formula_model(self.text, self.names), np.empty((0, 1)), np.empty((0, 0))
        )

    def evaluate(self, X: FloatArray, params: FloatArray) -> FloatArray:
        """Compute the model; see `Model.evaluate`."""
        return self._model.evaluate(X, params)

    def linearise(self, X: FloatArray, params: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Compute the model and its exact derivatives; see `Model.linearise`."""
        return self._model.linearise(X, params)

    def at(self, X: FloatArray, params: FloatArray) -> At | None:
        """Return the model at these features; see `Model.at`."""
        return self._model.at(X, params)

    def filling(self, X: FloatArray, params: FloatArray) -> Filling:
        """Return what fills the rows of a fit; see `Model.filling`."""
        return self._model.filling(X, params)

    def candidates(self, X: FloatArray, y: FloatArray) -> FloatArray | None:
        """Guess parameters from the data, best first; see `Model.candidates`."""
        x, y = condense(X[:, 0], y)
        if len(x) == 0:
            return None
        params = self.guesses(x, y)
        found = best_candidates(self, x[:, None], y, params, self.is_linear)
        return found if len(found) else None

    def guesses(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Return guesses (S, m) whose linear parameters are zero, from sorted x."""
        with np.errstate(all="ignore"):
            shapes = self.shapes(x, y)
        params = np.zeros((len(shapes), len(self.base_names)))
        params[:, ~self.is_linear] = shapes
        return params

    def shapes(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Return guesses of the nonlinear parameters, in order, from sorted x."""
        return np.zeros((1, 0))

    @property
    def _model(self) -> FormulaModel:
        return _formula_model(self.text, self.names)

    def _arguments(self) -> tuple[Any, ...]:
        """Return the positional arguments of the constructor."""
        return ()

    def _key(self) -> tuple[Any, ...]:
        return (type(self), *self._arguments(), self.prefix)


def condense(
    x: FloatArray, y: FloatArray, most: int = _MOST_POINTS
) -> tuple[FloatArray, FloatArray]:
    """Sort by x, leave out what is not finite, and average neighbours down to `most` points."""
    is_usable = np.isfinite(x) & np.isfinite(y)
    x, y = x[is_usable], y[is_usable]
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    if len(x) <= most:
        return x, y
    starts = np.linspace(0, len(x), most, endpoint=False).astype(int)
    counts = np.diff(np.append(starts, len(x)))
    return np.add.reduceat(x, starts) / counts, np.add.reduceat(y, starts) / counts


@lru_cache(maxsize=128)
def _formula_model(text: str, names: tuple[str, ...] | None) -> FormulaModel:
    return FormulaModel(text, ("x",), names)
