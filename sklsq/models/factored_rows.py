r"""The rows of a fit to many curves, in place, without the factors that are common to a row.

Of a derivative of the model one part often is a number of the curve, the other a function of the
points, :math:`\partial f/\partial p = c\,g(x)`: of a Gaussian :math:`(2b/d)\cdot eu` and
:math:`(2b/d)\cdot eu^2`. Where all that is wanted are the products of the rows with each other, no
pass over g need be spent on c: the products of the g are multiplied by it. What remains is shared
more often, too, :math:`eu` above.

The formula is recorded, by calling what computes it with objects that write down what is done to
them; factors are taken out of products and quotients; and every step is given a place for its
result, as early as the place is free, so that a tile of curves stays in the cache and no memory is
asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklsq._typing import FloatArray
from sklsq.models.model import At

__all__ = ["FactoredRows", "factored_rows"]

_POWERS: dict[float, Any] = {2: np.square, -1: np.reciprocal, 0.5: np.sqrt}


@dataclass(frozen=True)
class _Node:
    """A parameter (`operation` is its number), a constant (None), or a NumPy function."""

    operation: Any
    operands: tuple[int, ...] = ()
    value: Any = None
    is_wide: bool = False  # one number for each point, else one for each curve


class _Recording:
    """Nodes in the order of computation, equal ones once."""

    def __init__(self, n_params: int) -> None:
        self.nodes = [_Node(j) for j in range(n_params)]
        self._places: dict[Any, int] = {}

    def constant(self, value: Any) -> int:
        wide = np.ndim(value) > 0
        key = id(value) if wide else repr(float(value))
        return self._place(key, _Node(None, (), value, wide))

    def put(self, operation: Any, *operands: int) -> int:
        wide = any(self.nodes[i].is_wide for i in operands)
        if operation is np.multiply:
            operands = tuple(sorted(operands))
        return self._place((operation, operands), _Node(operation, operands, None, wide))

    def _place(self, key: Any, node: _Node) -> int:
        if key not in self._places:
            self._places[key] = len(self.nodes)
            self.nodes.append(node)
        return self._places[key]

    def place_of(self, operand: Any) -> int:
        return operand.place if isinstance(operand, _Recorded) else self.constant(operand)


class _Recorded(np.lib.mixins.NDArrayOperatorsMixin):
    """Stands for a number of each curve, and writes down what is done to it."""

    def __init__(self, recording: _Recording, place: int) -> None:
        self.recording, self.place = recording, place

    def __array_ufunc__(self, ufunc: Any, method: str, *operands: Any, **options: Any) -> Any:
        if method != "__call__" or options or ufunc.nout != 1:
            return NotImplemented
        if ufunc is np.power and not isinstance(operands[1], _Recorded | np.ndarray):
            short = _POWERS.get(float(operands[1]))
            ufunc, operands = (ufunc, operands) if short is None else (short, operands[:1])
        places = [self.recording.place_of(operand) for operand in operands]
        return _Recorded(self.recording, self.recording.put(ufunc, *places))


def factored_rows(at: At, n_params: int, slopes: Iterable[int]) -> FactoredRows | None:
    """Return what computes the rows of many curves; None where that cannot be recorded.

    Parameters
    ----------
    at : callable
        ``at(*params) -> [value, *slopes]``, made of NumPy's functions and operators; see
        `Model.at`.
    n_params : int
        Number m of parameters.
    slopes : iterable of int
        Which k of the derivatives are wanted.

    Examples
    --------
    A line through the origin, twice; its derivative is the same for both:

    >>> import numpy as np
    >>> x = np.array([1.0, 2.0])
    >>> rows = factored_rows(lambda a: [a * x, x], 1, [0])
    >>> rows.fixed
    {0: array([1., 2.])}
    >>> values, out = rows.of_curves(np.array([[3.0], [4.0]])), np.empty((2, 2, 2))
    >>> rows.fill(values, slice(0, 2), np.ones((2, 2)), out, np.empty((1, 2, 2)))
    >>> out[1]
    array([[-2., -5.],
           [-3., -7.]])
    """
    recording = _Recording(n_params)
    try:
        outputs = at(*(_Recorded(recording, j) for j in range(n_params)))
    except TypeError:  # from a function that is none of NumPy's, as some of scipy.special
        return None
    value, *derivatives = (recording.place_of(output) for output in outputs)
    factors, rests = _factors(recording)
    wanted = [derivatives[j] for j in slopes]
    return FactoredRows(
        recording.nodes, value, [factors[i] for i in wanted], [rests[i] for i in wanted]
    )


def _factors(recording: _Recording) -> tuple[list[int | None], list[int | None]]:
    """Return the factor of a curve and the rest of every node; None for one."""
    factors: list[int | None] = []
    rests: list[int | None] = []

    def combined(operation: Any, left: int | None, right: int | None) -> int | None:
        if right is None:
            return left
        if left is not None:
            return recording.put(operation, left, right)
        if operation is np.multiply:
            return right
        return recording.put(np.divide, recording.constant(1.0), right)

    for place, node in enumerate(tuple(recording.nodes)):
        factor, rest = (None, place) if node.is_wide else (place, None)
        if node.is_wide and node.operation in (np.multiply, np.divide):
            left, right = node.operands
            factor = combined(node.operation, factors[left], factors[right])
            rest = combined(node.operation, rests[left], rests[right])
        elif node.is_wide and node.operation is np.negative:
            (of,) = node.operands
            factor, rest = combined(np.multiply, recording.constant(-1.0), factors[of]), rests[of]
        factors.append(factor)
        rests.append(rest)
    return factors, rests


class FactoredRows:
    """A formula with its derivatives, ready to be computed for tiles of curves.

    Attributes
    ----------
    fixed : dict of int to float or ndarray of shape (n,)
        The rows that are the same for all curves, which are not written.
    n_temporary : int
        How many arrays (B, n) are needed beside the rows.
    """

    def __init__(
        self,
        nodes: Sequence[_Node],
        value: int,
        factors: Sequence[int | None],
        rests: Sequence[int | None],
    ) -> None:
        self._nodes, self._value, self._factors = nodes, value, factors
        self.fixed: dict[int, Any] = {}
        self._copies: list[tuple[int, int]] = []
        row_of: dict[int, int] = {}
        for row, rest in enumerate(rests):
            if rest is None or nodes[rest].operation is None:
                self.fixed[row] = 1.0 if rest is None else nodes[rest].value
            elif rest in row_of:
                self._copies.append((row, row_of[rest]))
            else:
                row_of[rest] = row
        needed = _needed(nodes, [value, *row_of, *(f for f in factors if f is not None)])
        self._of_curves = [i for i in needed if not nodes[i].is_wide]
        wide = [i for i in needed if nodes[i].is_wide and nodes[i].operation is not None]
        used = {value, *(operand for i in wide for operand in nodes[i].operands)}
        self._sliced = [i for i in self._of_curves if i in used and nodes[i].operation is not None]
        self._allot(wide, row_of)

    def _allot(self, wide: Sequence[int], row_of: dict[int, int]) -> None:
        """Choose where the result of each step goes: its row, else the first free array."""
        last = {operand: i for i in wide for operand in self._nodes[i].operands}
        last[self._value] = len(self._nodes)
        held: dict[int, int] = {}
        free: list[int] = []
        self.n_temporary = 0
        self._steps: list[tuple[Any, tuple[int, ...], int, bool, int]] = []
        for i in wide:
            operands = self._nodes[i].operands
            free += [held.pop(j) for j in set(operands) & held.keys() if last[j] == i]
            if i in row_of:
                place = row_of[i]
            else:
                if not free:
                    free.append(self.n_temporary)
                    self.n_temporary += 1
                place = held[i] = free.pop()
            self._steps.append((self._nodes[i].operation, operands, i, i in row_of, place))

    def of_curves(self, params: FloatArray) -> list[Any]:
        """Return what is one number for each curve, for `fill` and `factors`.

        Parameters
        ----------
        params : ndarray of shape (B, m)
        """
        values: list[Any] = [node.value for node in self._nodes]
        for i in self._of_curves:
            node = self._nodes[i]
            if node.operation is None:
                continue
            if isinstance(node.operation, int):
                values[i] = params[:, node.operation, None]
            else:
                values[i] = node.operation(*(values[j] for j in node.operands))
        return values

    def factors(self, values: list[Any], out: FloatArray) -> None:
        """Write the factors (k, B) of the rows."""
        for row, factor in zip(out, self._factors, strict=True):
            row[...] = 1.0 if factor is None else np.ravel(values[factor])

    def fill(
        self, values: list[Any], part: slice, y: FloatArray, rows: FloatArray, spare: FloatArray
    ) -> None:
        """Write the rows of some curves, all but those that are `fixed`.

        Parameters
        ----------
        values : list
            From `of_curves`.
        part : slice
            The curves.
        y : ndarray of shape (B, n)
        rows : ndarray of shape (k + 1, B, n)
            Becomes the derivatives without their factors, and y minus the model below.
        spare : ndarray of shape (n_temporary, B, n)
        """
        here = list(values)
        for i in self._sliced:
            here[i] = values[i][part]
        for operation, operands, i, is_row, place in self._steps:
            into = rows[place] if is_row else spare[place]
            here[i] = operation(*[here[j] for j in operands], into)
        for row, other in self._copies:
            rows[row] = rows[other]
        np.subtract(y, here[self._value], out=rows[-1])


def _needed(nodes: Sequence[_Node], roots: Sequence[int]) -> list[int]:
    """Return the places that the roots depend on, in order."""
    needed = [False] * len(nodes)
    for root in roots:
        needed[root] = True
    for i in range(len(nodes) - 1, -1, -1):
        if needed[i]:
            for operand in nodes[i].operands:
                needed[operand] = True
    return [i for i, is_needed in enumerate(needed) if is_needed]
