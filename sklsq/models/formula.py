"""A model written as a formula, with exact derivatives."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from typing import Any

from sklsq._typing import FloatArray
from sklsq.expression import Expression, compile_fit, compile_many, parse
from sklsq.models.compiled import CompiledFormula
from sklsq.models.model import At, Filling, Model

__all__ = ["FormulaModel", "formula_model"]

_NUMBERED_FEATURE = re.compile(r"x\d+")


@dataclass(frozen=True, init=False)
class FormulaModel(Model):
    """A formula whose names are features or parameters.

    It pickles, and two are equal when their text and features are.

    Parameters
    ----------
    source : str
        In the language of `sklsq.expression.parse`.
    features : sequence of str
        The names of the columns of X, in order. Other names are parameters, in order of their
        first appearance.
    parameters : sequence of str or None
        The parameters in another order; None for that of their first appearance.

    Raises
    ------
    ValueError
        If the formula is outside the language, has no parameter, or uses no feature though it is
        more than a single name; or if `parameters` are not its parameters.

    Examples
    --------
    >>> import numpy as np
    >>> model = FormulaModel("a*exp(-k*t)", ["t"])
    >>> model.parameter_names
    ('a', 'k')
    >>> values, derivatives = model.linearise(np.array([[0.0], [1.0]]), np.array([[3.0, 0.0]]))
    >>> derivatives
    array([[[ 1.,  1.],
            [-0., -3.]]])
    """

    source: str
    features: tuple[str, ...]
    _parameters: tuple[str, ...] = field(repr=False)
    _expression: Expression = field(compare=False, repr=False)

    def __init__(
        self,
        source: str,
        features: Sequence[str] = ("x",),
        parameters: Sequence[str] | None = None,
    ) -> None:
        expression = parse(source)
        found = tuple(name for name in expression.names if name not in features)
        if parameters is not None and sorted(parameters) != sorted(found):
            raise ValueError(
                f"`parameters` must be those of {source!r}, {list(found)}. Got {list(parameters)}."
            )
        object.__setattr__(self, "source", expression.source)
        object.__setattr__(self, "features", tuple(features))
        object.__setattr__(self, "_parameters", tuple(parameters or found))
        object.__setattr__(self, "_expression", expression)
        if not self.parameter_names:
            raise ValueError(
                f"`model` must have parameters. Got {source!r}, whose names are all features. "
                "Name what is to be found, e.g. 'a + b*x'."
            )
        if not self._used and len(expression.names) > 1:
            raise ValueError(
                f"`model` must use a feature. Got {source!r}; the features are "
                f"{', '.join(self.features)}. {_HOW_TO_NAME}"
            )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the text and the features; the compiled functions are made anew."""
        return type(self), (self.source, self.features, self._parameters)

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Names that are not features."""
        return self._parameters

    @property
    def n_features(self) -> int:
        """Width of X."""
        return len(self.features)

    @cached_property
    def derivatives(self) -> tuple[Expression, ...] | None:
        """The derivative by each parameter; None where their text would be too long."""
        try:
            return tuple(self._expression.derivative(name) for name in self.parameter_names)
        except ValueError:
            return None

    def evaluate(self, X: FloatArray, params: FloatArray) -> FloatArray:
        """Compute the formula; see `Model.evaluate`."""
        return self._compiled.evaluate(X, params)

    def linearise(self, X: FloatArray, params: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Compute the formula and its exact derivatives; see `Model.linearise`."""
        return self._compiled.linearise(X, params)

    def at(self, X: FloatArray, params: FloatArray) -> At | None:
        """Return the formula at these features; see `Model.at`."""
        return self._compiled.at(X)

    def filling(self, X: FloatArray, params: FloatArray) -> Filling:
        """Return what fills the rows of a fit; see `Model.filling`."""
        return self._compiled.filling(X) or super().filling(X, params)

    @cached_property
    def _used(self) -> tuple[int, ...]:
        """Columns of X that occur in the formula."""
        return tuple(j for j, name in enumerate(self.features) if name in self._expression.names)

    @cached_property
    def _compiled(self) -> CompiledFormula:
        arguments = (*(self.features[j] for j in self._used), *self.parameter_names)
        value, slopes, numbers = self._expression, self.derivatives, self.parameter_names
        return CompiledFormula(
            self._used,
            compile_many([value], arguments),
            None if slopes is None else compile_many([value, *slopes], arguments, numbers),
            None if slopes is None else partial(compile_fit, value, numbers, arguments),
        )


_HOW_TO_NAME = "Without column names the feature is x, or x0, x1... where there are several."


def formula_model(
    source: str, n_features: int, feature_names: Sequence[str] | None = None
) -> FormulaModel:
    """Make a model of a formula for data of a known width.

    Parameters
    ----------
    source : str
        The formula.
    n_features : int
        Width of X.
    feature_names : sequence of str or None
        The names of the columns. None for a plain array: a single feature is then ``x`` (or
        ``x0``, if there is no x), several are ``x0``, ``x1``...

    Raises
    ------
    ValueError
        If the formula names features that X does not have, or as `FormulaModel`.

    Examples
    --------
    >>> formula_model("a + b*x0*x1", 2).parameter_names
    ('a', 'b')
    """
    if not isinstance(source, str):
        return FormulaModel(source)  # says what it must be
    return _formula_model(
        source, n_features, None if feature_names is None else tuple(feature_names)
    )


@lru_cache(maxsize=256)
def _formula_model(
    source: str, n_features: int, feature_names: tuple[str, ...] | None
) -> FormulaModel:
    if feature_names is not None:
        return FormulaModel(source, feature_names)
    names = set(parse(source).names)
    features = tuple(f"x{j}" for j in range(n_features))
    strangers = {name for name in names if name == "x" or _NUMBERED_FEATURE.fullmatch(name)}
    if n_features == 1 and ("x" in names or "x0" not in names):
        features = ("x",)
        strangers.discard("x0")  # beside x it is a parameter, as of a midpoint
    if not strangers <= set(features):
        raise ValueError(
            f"`model` must use the features of X, {_list(features)}. Got "
            f"{', '.join(sorted(strangers - set(features)))} in {source!r}. {_HOW_TO_NAME}"
        )
    return FormulaModel(source, features)


def _list(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) < 5 else f"{names[0]}, {names[1]}... {names[-1]}"
