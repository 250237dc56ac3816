"""What has been found out about a Python function, for as long as the function lives.

Fits in a loop pass the same function again and again. Its signature cannot change, and the formula
it computes cannot either if it is *self-contained*: if it uses nothing but its arguments, constants
written in it, modules and their functions. A function that reads a number or a helper from outside,
through a closure or a global name, is examined anew for every fit.
"""

from __future__ import annotations

from collections.abc import Hashable
from types import FunctionType, ModuleType
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

__all__ = ["FunctionMemory", "is_self_contained"]


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
        """Return what was put; None if nothing, or if the function was given another body."""
        if not isinstance(function, FunctionType):
            return None
        state, found = self._entries.get(function, (None, {}))
        return found.get(key) if state is not None and _same(state, _state(function)) else None

    def put(self, function: Any, key: Hashable, value: Any) -> None:
        """Remember a value; only plain functions have a memory."""
        if not isinstance(function, FunctionType):
            return
        state, found = self._entries.get(function, (None, {}))
        if state is None or not _same(state, _state(function)):
            found = {}
        found[key] = value
        self._entries[function] = _state(function), found


def is_self_contained(function: Any) -> bool:
    """Tell whether a function depends on nothing that may change between two calls.

    Examples
    --------
    >>> is_self_contained(lambda x, a: a * np.exp(-x))
    True
    >>> is_self_contained(lambda x, a: a * FunctionMemory)
    False
    """
    if not isinstance(function, FunctionType) or function.__closure__:
        return False
    outside = [function.__globals__.get(name) for name in function.__code__.co_names]
    constants = function.__code__.co_consts  # a function within it has names of its own
    return all(each is None or isinstance(each, ModuleType | np.ufunc) for each in outside) and (
        not any(hasattr(constant, "co_names") for constant in constants)
    )


def _state(function: FunctionType) -> tuple[Any, ...]:
    """Return what a function is made of; its names and constants are those of the code."""
    return function.__code__, function.__defaults__, function.__kwdefaults__


def _same(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    return all(a is b for a, b in zip(one, other, strict=True))
