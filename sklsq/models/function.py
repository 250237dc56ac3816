"""A model written as a Python function, with derivatives found by themselves.

The function is called with whole arrays. What it can do is found out by trying, once, and checked
against plain calls: whether it is a formula, that is, arithmetic and listed functions alone, which
is then written down, differentiated exactly and compiled (`sklsq.expression.tracing`). If not:
whether it takes B sets of parameters at once, as columns (B, 1); whether it lets dual numbers
through (exact derivatives), or complex ones (the same at a higher price), or neither (differences);
and whether a row of its value depends on that row of X alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np

from sklsq._typing import FloatArray
from sklsq.expression.tape import Steps
from sklsq.expression.tracing import Tracer, compile_traced, compile_traced_fit, trace
from sklsq.models.compiled import CompiledFormula
from sklsq.models.differences import (
    agree,
    central_differences,
    complex_steps,
    forward_differences,
)
from sklsq.models.dual import Dual, DualVector, derivative_rows, seeds
from sklsq.models.memory import FunctionMemory, names_outside
from sklsq.models.model import BLOCK_POINTS, At, Filling, Model, blocks

__all__ = ["JAC_METHODS", "REFUSALS", "FunctionModel", "Jac"]

JAC_METHODS = ("auto", "dual", "cs", "2-point", "3-point")
Jac = Literal["auto", "dual", "cs", "2-point", "3-point"] | Callable[..., Any]

# What a function written for numbers raises when it is given arrays, duals or complex numbers.
REFUSALS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    ValueError,
    np.exceptions.ComplexWarning,
)
# A batch may round differently from single calls; a wrong broadcast is off by far more.
_ROUNDING = 1e-9
_ROWS_TO_PART = 2000
_BESIDE_ZERO = 0.0123  # no number that a function would ask for
_FORMULAS = FunctionMemory()


class FunctionModel(Model):
    """A Python function of features and parameters; `bind` makes one from a signature.

    It pickles if the function does.

    Parameters
    ----------
    function : callable
        ``function(x, a, b)``, called with arrays and numbers; returns one number per row of X.
    parameter_names : sequence of str
        The names of the parameters, in the order of the arguments.
    features : int or "all"
        How many leading arguments are features (1-D arrays, columns of X); "all" passes the matrix
        X itself as the first argument.
    is_vector : bool
        Whether the parameters are a single argument, ``function(x, p)``.
    jac : {"auto", "dual", "cs", "2-point", "3-point"} or callable
        How derivatives are found: dual numbers, complex step, differences; a callable takes the
        same arguments as `function` and returns an array (n, m). "auto" writes the function down as
        a formula where it is one.

    Examples
    --------
    >>> import numpy as np
    >>> def decay(t, a, k):
    ...     return a * np.exp(-k * t)
    >>> model = FunctionModel(decay, ["a", "k"])
    >>> values, derivatives = model.linearise(np.array([[0.0], [1.0]]), np.array([[3.0, 0.0]]))
    >>> derivatives
    array([[[ 1.,  1.],
            [-0., -3.]]])
    >>> model.jac_method
    'formula'
    """

    def __init__(
        self,
        function: Callable[..., Any],
        parameter_names: Sequence[str],
        *,
        features: int | Literal["all"] = 1,
        is_vector: bool = False,
        jac: Jac = "auto",
    ) -> None:
        if not callable(jac) and jac not in JAC_METHODS:
            raise ValueError(
                f"`jac` must be a callable or one of {', '.join(map(repr, JAC_METHODS))}. "
                f"Got {jac!r}."
            )
        self.function = function
        # What Numba has compiled takes only numbers; the function it was made of takes anything.
        self._python: Callable[..., Any] = getattr(function, "py_func", function)
        self.features = features
        self.is_vector = is_vector
        self.jac = jac
        self._names = tuple(parameter_names)
        self._method: str | None = None
        self._takes_batches: dict[str, bool] = {}
        self._changes_input: bool | None = None
        self._is_pointwise: bool | None = None
        self._traced: CompiledFormula | None = None
        self._is_formula: bool | None = None

    def __repr__(self) -> str:
        name = getattr(self.function, "__qualname__", repr(self.function))
        return f"FunctionModel({name}, {list(self._names)})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the arguments; what was found out about the function is found out again."""
        arguments = (self.function, self._names, self.features, self.is_vector, self.jac)
        return _remake, arguments

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Names of the m parameters."""
        return self._names

    @property
    def n_features(self) -> int | None:
        """Width of X, None for any."""
        return self.features if isinstance(self.features, int) else None

    @property
    def jac_method(self) -> str:
        """How derivatives are found; "auto" until the first are."""
        if self._is_formula:
            return "formula"
        return "callable" if callable(self.jac) else self._method or self.jac

    def evaluate(self, X: FloatArray, params: FloatArray) -> FloatArray:
        """Compute the function; see `Model.evaluate`.

        Raises
        ------
        ValueError
            If the function does not return one real number for each row of X.
        """
        formula = self._formula(X, params[0])
        if formula is not None:
            return formula.evaluate(X, params)
        with np.errstate(all="ignore"):
            if len(params) > 1 and self._may_batch("values", X):
                if self._changes_input is None:
                    self._value(X, params[0])
                together = self._batched("values", X, params)
                if together is not None:
                    return together[0]
            return np.array([self._value(X, row) for row in params]).reshape(len(params), len(X))

    def linearise(self, X: FloatArray, params: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Compute the function and its derivatives; see `Model.linearise`."""
        formula = self._formula(X, params[0])
        if formula is not None:
            return formula.linearise(X, params)
        with np.errstate(all="ignore"):
            method = self._choose_method(X, params[0])
            if method == "dual" and len(params) > 1 and self._may_batch("duals", X):
                together = self._batched("duals", X, params)
                if together is not None:
                    return together
            if len(params) == 1:
                value, slopes = self._linearise_row(method, X, params[0])
                return value[None], slopes[None]
            values = np.empty((len(params), len(X)))
            derivatives = np.empty((len(params), len(self._names), len(X)))
            for b, row in enumerate(params):
                values[b], derivatives[b] = self._linearise_row(method, X, row)
        return values, derivatives

    def at(self, X: FloatArray, params: FloatArray) -> At | None:
        """Return the formula of the function at these features; see `Model.at`."""
        formula = self._formula(X, params)
        return None if formula is None else formula.at(X)

    def filling(self, X: FloatArray, params: FloatArray) -> Filling:
        """Return what fills the rows of a fit; see `Model.filling`."""
        formula = self._formula(X, params)
        filling = None if formula is None else formula.filling(X)
        return filling or super().filling(X, params)

    def is_pointwise(self, X: FloatArray, params: FloatArray) -> bool:
        """Tell whether part of X yields that part of the values; see `Model.is_pointwise`."""
        if self._formula(X, params[0]) is not None:
            return True
        if self._is_pointwise is None:
            rows = np.linspace(0, len(X) - 1, min(len(X), _ROWS_TO_PART)).astype(int)
            halves = np.array_split(X[rows], 2)
            with np.errstate(all="ignore"):
                try:
                    whole = self._value(X[rows], params[0])
                    parted = [self._value(half, params[0]) for half in halves]
                except REFUSALS:
                    self._is_pointwise = False
                else:
                    self._is_pointwise = len(X) > 3 and _same(np.concatenate(parted), whole)
        return self._is_pointwise

    # ------------------------------------------------------------------ the function as a formula

    def _formula(self, X: FloatArray, p: FloatArray) -> CompiledFormula | None:
        """Return the function as a formula, once that has been confirmed; None if it is none."""
        if self._is_formula is None:
            self._is_formula = self._confirmed_formula(X, p)
        return self._traced if self._is_formula else None

    def _confirmed_formula(self, X: FloatArray, p: FloatArray) -> bool | None:
        """Whether the formula has the values of the function; None if this is no point to tell."""
        if self.jac != "auto" or not isinstance(self.features, int):
            return False
        key = self.features, len(self._names), self.is_vector
        if self._traced is None:
            self._traced = _FORMULAS.get(self.function, key)
            if self._traced is not None:
                return True
            self._traced = self._written_down()
            if self._traced is None:
                return False
        with np.errstate(all="ignore"):
            values = self._value(X, p)
            if not np.isfinite(values).any():
                return None
            confirmed = _same(self._traced.evaluate(X, p[None])[0], values)
            if confirmed and not p.all():
                confirmed = self._confirmed_beside_zero(X, p)
        outside = names_outside(self.function) if confirmed else None
        if outside is not None:
            _FORMULAS.put(self.function, key, self._traced, outside)
        return confirmed

    def _confirmed_beside_zero(self, X: FloatArray, p: FloatArray) -> bool:
        """Whether the values are the same where no parameter that is zero hides a difference."""
        assert self._traced is not None
        beside = np.where(p == 0.0, _BESIDE_ZERO * (np.arange(len(p)) + 1.0), p)
        try:
            values = self._value(X, beside)
        except REFUSALS:
            return True
        return _same(self._traced.evaluate(X, beside[None])[0], values)

    def traced(self) -> tuple[Steps, tuple[str, ...], tuple[str, ...]] | None:
        """Return the function as a formula: steps, names of columns and of parameters.

        None if it is not one. Whether the formula has its values is not confirmed.
        """
        if not isinstance(self.features, int):
            return None
        n_features, n_params, is_vector = self.features, len(self._names), self.is_vector
        columns = tuple(f"x{j}" for j in range(n_features))
        params = tuple(f"p{j}" for j in range(n_params))

        def call(*tracers: Tracer) -> Any:
            given: Any = tracers[n_features:]
            if is_vector:
                vector = np.empty(n_params, dtype=object)
                for i, tracer in enumerate(given):
                    vector[i] = tracer
                given = [vector]
            return self._python(*tracers[:n_features], *given)

        steps = trace(call, columns, params, REFUSALS)
        if steps is None or not any(step.name in columns for step in steps):
            return None  # what does not depend on X is not one number a row
        return steps, columns, params

    def _written_down(self) -> CompiledFormula | None:
        traced = self.traced()
        if traced is None:
            return None
        steps, columns, params = traced
        said = steps, columns + params, params
        return CompiledFormula(
            tuple(range(len(columns))), *compile_traced(*said), partial(compile_traced_fit, *said)
        )

    # ------------------------------------------------------------------ calls of the function

    def _value(self, X: FloatArray, p: FloatArray) -> FloatArray:
        if self._changes_input is None:
            copy = X.copy()
            values = self._checked(self._call(self.function, copy, p.copy()), len(X))
            self._changes_input = not np.array_equal(copy, X, equal_nan=True)
            return values
        return self._checked(self._call(self.function, X, p.copy()), len(X))

    def _call(self, function: Callable[..., Any], X: FloatArray, params: Any) -> Any:
        if self._changes_input:
            X = X.copy()
        columns = [X] if self.features == "all" else [X[:, j] for j in range(self.features)]
        return function(*columns, params) if self.is_vector else function(*columns, *params)

    def _checked(self, result: Any, n_samples: int) -> FloatArray:
        values = np.asarray(result)
        if values.shape != (n_samples,):
            raise ValueError(
                f"`model` must return one number for each row of X, shape ({n_samples},). "
                f"Got shape {values.shape} from {self!r}. {_remedy(values, n_samples)}"
            )
        if values.dtype.kind not in "fiub":
            raise ValueError(
                f"`model` must return real numbers. Got dtype {values.dtype} from {self!r}. "
                "Return the real part, or the modulus, of complex values."
            )
        return values.astype(float, copy=False)

    # ------------------------------------------------------------------ derivatives of one problem

    def _linearise_row(
        self, method: str, X: FloatArray, p: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        if method == "dual":
            return self._dual_row(X, p)
        values = self._value(X, p)
        if method == "callable":
            return values, self._jac_row(X, p)
        if method == "cs":
            return values, complex_steps(lambda q: self._call(self.function, X, q), p)
        differences = forward_differences if method == "2-point" else central_differences
        return values, differences(lambda q: self._value(X, q), p)

    def _dual_row(self, X: FloatArray, p: FloatArray) -> tuple[FloatArray, FloatArray]:
        values, derivatives = np.empty(len(X)), np.empty((len(p), len(X)))
        is_parted = len(X) > BLOCK_POINTS and self.is_pointwise(X, p[None])
        for _, rows in blocks(1, len(X)) if is_parted else [(slice(1), slice(len(X)))]:
            result = self._call(self._python, X[rows], self._seeds(p.copy()))
            value = result.value if isinstance(result, Dual) else result
            values[rows] = self._checked(value, len(values[rows]))
            derivative_rows(result, derivatives[:, rows])
        return values, derivatives

    def _seeds(self, params: FloatArray) -> Any:
        """Return the parameters as duals: m numbers or columns, or one vector of them."""
        if not self.is_vector:
            return seeds(params)
        unit = np.eye(len(params)).reshape(len(params), *params.shape[:1], *[1] * (params.ndim - 1))
        return DualVector(params, dict(enumerate(unit)))

    def _jac_row(self, X: FloatArray, p: FloatArray) -> FloatArray:
        assert callable(self.jac)
        matrix = np.asarray(self._call(self.jac, X, p.copy()), dtype=float)
        if matrix.shape != (len(X), len(p)):
            raise ValueError(
                "`jac` must return one row per sample and one column per parameter, shape "
                f"{(len(X), len(p))}. Got shape {matrix.shape}."
            )
        return matrix.T

    def _choose_method(self, X: FloatArray, p: FloatArray) -> str:
        """Return the method in force, found by trying at the first use of "auto"."""
        if callable(self.jac):
            return "callable"
        if self.jac == "auto" and self._method is None:
            values = self._value(X, p)
            method = self._try_methods(X, p)
            if not np.isfinite(values).all():
                return method  # not a point to judge by
            self._method = method
        if self.jac in ("dual", "cs") and self._method is None:
            self._value(X, p)
            self._force(X, p)
            self._method = self.jac
        return self._method or self.jac

    def _try_methods(self, X: FloatArray, p: FloatArray) -> str:
        for method in ("dual", "cs"):
            try:
                derivatives = self._tried(method, X, p)
            except REFUSALS:
                continue
            if agree(derivatives, lambda q: self._value(X, q), p):
                return method
        return "3-point"

    def _tried(self, method: str, X: FloatArray, p: FloatArray) -> FloatArray:
        with warnings.catch_warnings():
            # NumPy only warns where complex numbers are put into a real array.
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            return self._linearise_row(method, X, p)[1]

    def _force(self, X: FloatArray, p: FloatArray) -> None:
        try:
            self._tried(str(self.jac), X, p)
        except REFUSALS as error:
            kind = "dual" if self.jac == "dual" else "complex"
            raise ValueError(
                f"`jac={self.jac!r}` must be able to pass {kind} numbers through {self!r}. Got "
                f"{type(error).__name__}: {error}. Use jac='auto', which tries it and falls back."
            ) from error

    # ------------------------------------------------------------------ many problems in one call

    def _may_batch(self, kind: str, X: FloatArray) -> bool:
        return self._takes_batches.get(kind, True) and len(X) <= BLOCK_POINTS

    def _batched(
        self, kind: str, X: FloatArray, params: FloatArray
    ) -> tuple[FloatArray, FloatArray] | None:
        """Compute all problems by broadcasting, one of them also alone; None where they differ."""
        values = np.empty((len(params), len(X)))
        n_rows = len(self._names) if kind == "duals" else 0
        derivatives = np.empty((len(params), n_rows, len(X)))
        try:
            for part in _parts(len(params), len(X)):
                self._call_batch(kind, X, params[part], values[part], derivatives[part])
        except REFUSALS:
            is_right = False
        else:
            is_new = kind not in self._takes_batches
            witnesses = {0, len(params) // 2, len(params) - 1} if is_new else {len(params) - 1}
            is_right = all(
                self._confirms(kind, X, params[b], values[b], derivatives[b]) for b in witnesses
            )
        self._takes_batches[kind] = is_right
        return (values, derivatives) if is_right else None

    def _call_batch(
        self,
        kind: str,
        X: FloatArray,
        params: FloatArray,
        values: FloatArray,
        derivatives: FloatArray,
    ) -> None:
        columns = params.T[:, :, None].copy()
        operands = self._seeds(columns) if kind == "duals" else columns
        result = self._call(self._python if kind == "duals" else self.function, X, operands)
        value = np.asarray(result.value if isinstance(result, Dual) else result)
        if value.shape != values.shape or value.dtype.kind not in "fiub":
            raise ValueError("the function does not broadcast over its parameters")
        values[...] = value
        if kind == "duals":
            derivative_rows(result, derivatives)

    def _confirms(
        self,
        kind: str,
        X: FloatArray,
        p: FloatArray,
        value: FloatArray,
        derivatives: FloatArray,
    ) -> bool:
        if kind == "values":
            return _same(value, self._value(X, p))
        alone, rows = self._dual_row(X, p)
        return _same(value, alone) and all(map(_same, derivatives, rows))


def _remake(
    function: Callable[..., Any],
    parameter_names: tuple[str, ...],
    features: int | Literal["all"],
    is_vector: bool,
    jac: Jac,
) -> FunctionModel:
    return FunctionModel(function, parameter_names, features=features, is_vector=is_vector, jac=jac)


def _parts(n_problems: int, n_samples: int) -> Iterator[slice]:
    """Cut a batch into parts of at least two problems: one would not show how it broadcasts."""
    n_together = max(2, BLOCK_POINTS // max(n_samples, 1))
    for first in range(0, n_problems, n_together):
        yield slice(first, min(first + n_together, n_problems))


def _same(first: FloatArray, second: FloatArray) -> bool:
    finite = np.abs(second[np.isfinite(second)])
    tolerance = _ROUNDING * finite.max(initial=0.0)
    return bool(np.allclose(first, second, rtol=0, atol=tolerance, equal_nan=True))


def _remedy(values: Any, n_samples: int) -> str:
    if values.shape == (n_samples, 1):
        return "Return it flat, e.g. with .ravel(): a column would broadcast against y."
    if values.shape == ():
        return "Where it is constant, add 0*x."
    return "Compute it from the features elementwise."
