"""Which arguments of a function are features and which are parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Literal

from sklsq.models.function import FunctionModel, Jac
from sklsq.models.memory import FunctionMemory

__all__ = ["bind"]

Features = int | Sequence[str] | Literal["all"] | None

_SIGNATURES = FunctionMemory()
_HOW_TO_SAY = (
    'Say which arguments are features, e.g. features=["x", "y"], or features="all" for a function '
    "of the whole matrix."
)


def bind(
    function: Callable[..., Any],
    features: Features = None,
    n_features: int | None = None,
    p0_length: int | None = None,
    parameter_names: Sequence[str] | None = None,
    *,
    jac: Jac = "auto",
) -> FunctionModel:
    """Make a model of a function from its signature.

    The leading arguments are features, the others parameters, by name. Keyword-only arguments and
    arguments whose default is no number keep their defaults. ``f(x, *p)`` has as many parameters as
    `p0_length` or `parameter_names` says, and so has ``f(x, p)`` if that is more than one.

    Parameters
    ----------
    function : callable
        The model.
    features : sequence of str, int, "all" or None
        The leading arguments that are features, or how many there are; "all" if the first argument
        is the matrix X; None for one.
    n_features : int or None
        Width of X, to be checked; None if there is none yet.
    p0_length : int or None
        Number of starting values, if there are any.
    parameter_names : sequence of str or None
        The names by which starting values are given, if they have names.
    jac : {"auto", "dual", "cs", "2-point", "3-point"} or callable
        How derivatives are found.

    Returns
    -------
    FunctionModel

    Raises
    ------
    TypeError
        If `function` is not callable.
    ValueError
        If the signature cannot be read, the width of X differs from the number of features, there
        is no parameter, or their number or names differ from those of the starting values.

    Examples
    --------
    >>> def plane(x, y, a, b, c):
    ...     return a + b * x + c * y
    >>> bind(plane, ["x", "y"], n_features=2).parameter_names
    ('a', 'b', 'c')
    >>> bind(plane, n_features=2)
    Traceback (most recent call last):
    ...
    ValueError: `model` must take the 2 features of X. Got plane(x, y, a, b, c), whose first
    argument alone is taken for a feature. Say which arguments are features,...
    """
    if not callable(function):
        raise TypeError(
            f"`model` must be a callable. Got {type(function).__name__}. Pass a function such as "
            "f(x, a, b), or a formula as a string."
        )
    count = _feature_count(features)
    arguments, extra = _arguments(function)
    n_leading = 1 if count == "all" else count
    if len(arguments) < n_leading and extra is None:
        raise ValueError(
            f"`model` must take {n_leading} features. Got {_written(function)}. {_HOW_TO_SAY}"
        )
    _check_width(function, features, count, n_features)
    if not isinstance(features, int | str | None):
        _check_feature_names(function, features, arguments)
    names = arguments[n_leading:]
    wanted = len(parameter_names) if parameter_names is not None else p0_length
    is_vector = extra is None and len(names) == 1 and (wanted or 1) > 1
    if extra is not None or is_vector:
        stem = extra if extra is not None else names.pop()
        names = _numbered(function, stem, names, wanted, parameter_names)
    _check_parameters(function, names, p0_length, parameter_names)
    return FunctionModel(function, names, features=count, is_vector=is_vector, jac=jac)


def _feature_count(features: Features) -> int | Literal["all"]:
    if features is None:
        return 1
    if isinstance(features, str):
        if features != "all":
            raise ValueError(
                f"`features` must be a list of names or 'all'. Got {features!r}. Write "
                f"[{features!r}] for a single feature."
            )
        return "all"
    count = features if isinstance(features, int) else len(features)
    if count < 1:
        raise ValueError(f"`features` must name at least one feature. Got {features!r}.")
    return count


def _arguments(function: Callable[..., Any]) -> tuple[list[str], str | None]:
    """Return the names of the positional arguments, and of ``*args`` if there is one."""
    found: tuple[list[str], str | None] | None = _SIGNATURES.get(function, "arguments")
    if found is None:
        found = _read_arguments(function)
        _SIGNATURES.put(function, "arguments", found)
    names, extra = found
    return list(names), extra


def _read_arguments(function: Callable[..., Any]) -> tuple[list[str], str | None]:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        raise ValueError(
            f"`model` must have a signature that can be read. Got {function!r}. Wrap it, e.g. "
            "def model(x, a, b): return ..."
        ) from None
    names: list[str] = []
    extra = None
    for argument in signature.parameters.values():
        has_default = argument.default is not argument.empty
        if argument.kind is argument.VAR_POSITIONAL:
            extra = argument.name
        elif argument.kind is argument.KEYWORD_ONLY and not has_default:
            raise ValueError(
                "`model` must not require keyword-only arguments. Got "
                f"{argument.name!r} in {_written(function)}. Give it a default, or move it before "
                "the *."
            )
        elif argument.kind in (argument.POSITIONAL_ONLY, argument.POSITIONAL_OR_KEYWORD):
            if has_default and not _is_number(argument.default):
                return names, None  # an option, and whatever follows it
            names.append(argument.name)
    return names, extra


def _is_number(default: Any) -> bool:
    return isinstance(default, int | float) and not isinstance(default, bool)


def _check_width(
    function: Callable[..., Any],
    features: Features,
    count: int | Literal["all"],
    n_features: int | None,
) -> None:
    if count == "all" or n_features in (None, count):
        return
    if features is None:
        raise ValueError(
            f"`model` must take the {n_features} features of X. Got {_written(function)}, whose "
            f"first argument alone is taken for a feature. {_HOW_TO_SAY}"
        )
    raise ValueError(
        f"X must have the {count} features of `model`. Got {n_features} in X and "
        f"features={features!r} for {_written(function)}."
    )


def _check_feature_names(
    function: Callable[..., Any], features: Sequence[str], arguments: list[str]
) -> None:
    """Refuse features in another order than the arguments of these names."""
    n_leading = len(features)
    for name, argument in zip(features, arguments[:n_leading], strict=False):
        if name != argument and name in arguments:
            raise ValueError(
                f"`features` must be in the order of the leading arguments, "
                f"{arguments[:n_leading]}. Got {list(features)} for {_written(function)}."
            )


def _numbered(
    function: Callable[..., Any],
    stem: str,
    names: list[str],
    wanted: int | None,
    parameter_names: Sequence[str] | None,
) -> list[str]:
    """Return the names of parameters that come as ``*p`` or as one vector p: p0, p1..."""
    if wanted is None:
        raise ValueError(
            f"`p0` must tell how many parameters {_written(function)} has. Got None. Pass starting "
            "values, or name the parameters in the signature."
        )
    if parameter_names is not None:
        return list(parameter_names)
    return names + [f"{stem}{i}" for i in range(wanted - len(names))]


def _check_parameters(
    function: Callable[..., Any],
    names: list[str],
    p0_length: int | None,
    parameter_names: Sequence[str] | None,
) -> None:
    if not names:
        raise ValueError(
            f"`model` must have parameters after its features. Got {_written(function)}."
        )
    if parameter_names is not None and set(parameter_names) != set(names):
        raise ValueError(
            f"`p0` must name the parameters of `model`, {names}. Got {list(parameter_names)}."
        )
    if p0_length not in (None, len(names)):
        raise ValueError(
            f"`p0` must have one value for each of the {len(names)} parameters "
            f"{', '.join(names)}. Got {p0_length} values."
        )


def _written(function: Callable[..., Any]) -> str:
    name = getattr(function, "__name__", type(function).__name__)
    return f"{name}{inspect.signature(function)}"
