"""What has been found out about a Python function, for as long as the function lives.

Fits in a loop pass the same function again and again. Its signature cannot change, and the formula
it computes cannot either if it is *self-contained*: if it uses nothing but its arguments, constants
written in it, functions of NumPy and the standard mathematics, and numbers by global names, which
are compared each time. A function that reads anything else from outside, through a closure, an
import or a module of the user's, is examined anew for every fit.
"""

from __future__ import annotations

import dis
from collections.abc import Hashable, Sequence
from types import FunctionType, ModuleType
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

__all__ = ["FunctionMemory", "is_self_contained", "names_outside"]

_CONSTANT_MODULES = ("numpy", "math", "cmath", "scipy", "scipy.special", "scipy.constants")
_CONSTANT_BUILTINS = frozenset(("abs", "enumerate", "float", "int", "len", "pow", "range", "zip"))
_CHANGING = frozenset(("random", "seterr"))  # attributes of such modules
_STATEFUL = frozenset(("IMPORT_NAME", "STORE_GLOBAL", "DELETE_GLOBAL", "LOAD_NAME"))


class FunctionMemory:
    """A weak dictionary from functions to what was found out, by key.

    Examples
    --------
    >>> def line(x, a, b):
    ...     return a + b * x
    >>> memory = FunctionMemory()
    >>> memory.put(line, "names", ["x", "a", "b"])
    >>> memory.get(line, "names")
    ['x', 'a', 'b']
    """

    def __init__(self) -> None:
        self._entries: WeakKeyDictionary[FunctionType, tuple[Any, dict[Hashable, Any]]] = (
            WeakKeyDictionary()
        )

    def get(self, function: Any, key: Hashable) -> Any:
        """Return what was put; None if nothing, or if the function is not what it was."""
        if not isinstance(function, FunctionType):
            return None
        state, found = self._entries.get(function, (None, {}))
        if state is None or not _same(state, function):
            return None
        return found.get(key)

    def put(self, function: Any, key: Hashable, value: Any, names: Sequence[str] = ()) -> None:
        """Remember a value; only plain functions have a memory.

        It is good as long as the global `names` stand for what they do now.
        """
        if not isinstance(function, FunctionType):
            return
        state, found = self._entries.get(function, (None, {}))
        if state is None or state[0] != tuple(names) or not _same(state, function):
            found = {}
        found[key] = value
        self._entries[function] = (tuple(names), _parts(function, names)), found


def is_self_contained(function: Any) -> bool:
    """Tell whether a function depends on nothing that may change between two calls unnoticed.

    Examples
    --------
    >>> is_self_contained(lambda x, a: a * np.exp(-x))
    True
    >>> is_self_contained(lambda x, a: a * FunctionMemory)
    False
    """
    return names_outside(function) is not None


def names_outside(function: Any) -> tuple[str, ...] | None:
    """Return the global names that a self-contained function reads; None if it is not one.

    Examples
    --------
    >>> names_outside(lambda x, a: a * np.exp(-x))
    ('np',)
    """
    if not isinstance(function, FunctionType) or function.__closure__:
        return None
    code, names = function.__code__, []
    if any(hasattr(constant, "co_names") for constant in code.co_consts):
        return None  # a function within it has names of its own
    defaults = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    if _CHANGING & set(code.co_names) or not all(map(_is_constant, defaults)):
        return None
    for instruction in dis.get_instructions(code):
        if instruction.opname in _STATEFUL:
            return None
        if instruction.opname == "LOAD_GLOBAL":
            name = str(instruction.argval)
            if not (
                _is_constant(function.__globals__[name])
                if name in function.__globals__
                else name in _CONSTANT_BUILTINS
            ):
                return None
            names.append(name)
    return tuple(dict.fromkeys(names))


def _is_constant(value: Any) -> bool:
    if isinstance(value, ModuleType):
        return value.__name__ in _CONSTANT_MODULES
    return value is None or type(value) in (bool, int, float, str) or isinstance(value, np.ufunc)


def _parts(function: FunctionType, names: Sequence[str]) -> tuple[Any, ...]:
    """Return what a function is made of; its names and constants are those of the code."""
    outside = map(function.__globals__.get, names)
    keywords = function.__kwdefaults__
    options = () if keywords is None else tuple(keywords.values())
    return function.__code__, function.__defaults__, *options, *outside


def _same(state: tuple[Any, ...], function: FunctionType) -> bool:
    names, parts = state
    now = _parts(function, names)
    return len(now) == len(parts) and all(a is b for a, b in zip(parts, now, strict=True))
