r"""The algebra of one step for a few parameters, written out number by number.

For four parameters a call of LAPACK, and a vector of four numbers, cost ten times the arithmetic in
them. The same formulas as in `sklsq.solvers.trust_region` are therefore laid out for each number k
of parameters as a function without loops on plain floats: with the Gram matrix :math:`G = LL^T`,
the gradient g and the scales D

* *arrive*: the Gauss-Newton step :math:`\delta = G^{-1}g`, its length :math:`\|D\delta\|`, twice
  the fall it promises, :math:`g\cdot\delta`, and a bound of the condition of the scaled matrix, k
  times :math:`\sum_{ij} (D_j\,(L^{-1})_{ij})^2`;
* *damped*: the step of a given length, :math:`(A + \lambda I)u = D^{-1}g`, :math:`A =
  D^{-1}GD^{-1}`, by Hebden's iteration for :math:`\lambda`, which makes an ill-conditioned matrix a
  good one;
* *compare*: how much of a step lies along an earlier one in the metric of G, and how long the rest
  is.

The source given to `exec` is made of numbered names alone. Squares are products, since Python's
powers raise an error where a product is infinite. Beyond `WRITTEN_OUT` parameters the
calls pay, and NumPy does it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from sklsq._typing import FloatArray
from sklsq.solvers.trust_region import ACCURACY, MAX_NEWTON, Quadratic, quadratic_of_gram

__all__ = ["BY_ARRAYS", "WRITTEN_OUT", "Algebra", "Numbers", "Point", "algebra", "point_of"]

WRITTEN_OUT = 6  # parameters
_LARGEST_CONDITION = 1e13

Numbers = Sequence[float]


class Algebra(NamedTuple):
    """The algebra of steps of k parameters.

    Attributes
    ----------
    arrive : callable
        ``arrive(products (k + 1, k), D (k,))`` of a Gram matrix above the gradient, and the scales
        so far, returns a point: scales, Gauss-Newton step, its scaled length, twice the fall it
        promises, the condition, and what the other two functions need. None where rounding would
        be all there is. Beyond a condition of `CERTAIN` damped steps alone are to be trusted.
    damped : callable
        ``damped(point, radius)`` returns the step of about that scaled length, shorter than
        Gauss-Newton's, its length, the fall it promises, and the slope along it.
    compare : callable
        ``compare(point, old)`` returns the share of an earlier step that the Gauss-Newton step
        repeats, and the length of the rest in units of that step.
    """

    arrive: Callable[[FloatArray, Numbers], Point | None]
    damped: Callable[[Point, float], tuple[Numbers, float, float, float]]
    compare: Callable[[Point, Numbers], tuple[float, float]]


class Point(NamedTuple):
    """Where a descent is, as its algebra sees it."""

    D: Numbers
    newton: Numbers
    longest: float
    decrement: float
    condition: float  # at most, of the scaled Gram matrix; 1 where none was made
    rest: Any


def algebra(k: int) -> Algebra:
    """Return the algebra of k parameters.

    Examples
    --------
    >>> import numpy as np
    >>> of_two = algebra(2)
    >>> point = of_two.arrive(np.array([[4.0, 0.0], [0.0, 1.0], [8.0, 3.0]]), (0.0, 0.0))
    >>> point.D, point.newton, point.longest, point.decrement
    ((2.0, 1.0), (2.0, 3.0), 5.0, 25.0)
    >>> of_two.compare(point, (2.0, 3.0))
    (1.0, 0.0)
    """
    return _written_out(k) if k <= WRITTEN_OUT else BY_ARRAYS


# By arrays ---------------------------------------------------------------------------------------


def _arrive(products: FloatArray, D: Numbers) -> Point | None:
    gram, gradient = products[:-1], products[-1]
    model = quadratic_of_gram(gram, gradient, np.maximum(D, np.sqrt(gram.diagonal())))
    return None if model is None else point_of(model, gradient)


def point_of(model: Quadratic, gradient: FloatArray) -> Point:
    """Return the point of a linearised problem in arrays, for the functions of `BY_ARRAYS`."""
    u, D = model.newton, model.D
    longest = math.sqrt(float(u.dot(u)))
    return Point(D.tolist(), (u / D).tolist(), longest, model.decrement, 1.0, (model, gradient))


def _damped(point: Point, radius: float) -> tuple[Numbers, float, float, float]:
    model, gradient = point.rest
    u = model.damped(radius)
    change = u / model.D
    return change.tolist(), math.sqrt(u.dot(u)), model.reduction(u), float(gradient.dot(change))


def _compare(point: Point, old: Numbers) -> tuple[float, float]:
    model: Quadratic = point.rest[0]
    u, new = np.asarray(old) * model.D, model.newton
    squared = model.inner(u, u)
    if not squared > 0.0:
        return 1.0, 0.0
    ratio = model.inner(new, u) / squared
    rest = new - ratio * u
    return ratio, math.sqrt(max(model.inner(rest, rest), 0.0) / squared)


BY_ARRAYS = Algebra(_arrive, _damped, _compare)


# Written out -------------------------------------------------------------------------------------


@lru_cache(maxsize=WRITTEN_OUT)
def _written_out(k: int) -> Algebra:
    namespace: dict[str, Any] = {
        "sqrt": math.sqrt,
        "Point": Point,
        "limit": _LARGEST_CONDITION,
        "accuracy": ACCURACY,
        "steps": range(MAX_NEWTON),
    }
    lines = [*_lines_of_arrive(k), *_lines_of_damped(k), *_lines_of_compare(k)]
    exec(compile("\n".join(lines), "<sklsq algebra>", "exec"), namespace)
    return Algebra(*(namespace[name] for name in Algebra._fields))


def _lines_of_arrive(k: int) -> list[str]:
    gram = [f"g{i}{j}" if j <= i else "_" for i in range(k) for j in range(k)]
    trace = (f"d{j}*d{j}*({_sum(f'm{i}{j}*m{i}{j}' for i in range(j, k))})" for j in range(k))
    return [
        "def arrive(products, D):",
        f"  {_tuple(gram + _vector('b', k))} = products.ravel().tolist()",
        f"  {_tuple(_vector('d', k))} = D",
        *_factor("g{}{}", k, "  if not q > 0.0: return None"),
        *_inverse(k),
        *(f"  s = sqrt(g{i}{i})\n  if s > d{i}: d{i} = s" for i in range(k)),
        f"  condition = {k}.0*({_sum(trace)})",
        "  if not condition < limit: return None",
        *_solve("b", "x", k),
        *(f"  u{i} = x{i}*d{i}" for i in range(k)),
        f"  longest = sqrt({_dot('u', 'u', k)})",
        f"  rest = {_tuple([*_lower(k), *_vector('b', k)])}",
        f"  decrement = {_dot('b', 'x', k)}",
        f"  return Point({_tuple(_vector('d', k))}, {_tuple(_vector('x', k))}, longest, decrement,"
        " condition, rest)",
    ]


def _lines_of_damped(k: int) -> list[str]:
    scaled = (f"  a{i}{j} = g{i}{j}/(d{i}*d{j})" for i in range(k) for j in range(i + 1))
    return [
        "def damped(point, radius):",
        f"  {_tuple(_vector('d', k))}, {_tuple(_vector('x', k))}, _, _, _, rest = point",
        f"  {_tuple([*_lower(k), *_vector('b', k)])} = rest",
        *scaled,
        *(f"  c{i} = b{i}/d{i}" for i in range(k)),
        *(f"  u{i} = x{i}*d{i}" for i in range(k)),
        "  damping = 0.0",
        "  for step in steps:",
        *("  " + line for line in _factor("a{}{}", k, "", " + damping")),
        "    if step:",
        *("    " + line for line in _solve("c", "u", k)),
        f"    squared = {_dot('u', 'u', k)}",
        "    excess = sqrt(squared) - radius",
        "    if abs(excess) <= accuracy*radius: break",
        *("  " + line for line in _forward("u", k)),
        f"    slope = {_dot('y', 'y', k)}",
        "    if not slope*radius > 0.0: break",
        "    damping += max(excess/radius*squared/slope, -damping)",
        *(f"  x{i} = u{i}/d{i}" for i in range(k)),
        f"  slope = {_dot('b', 'x', k)}",
        f"  promised = slope - 0.5*({_quadratic('x', k)})",
        f"  return {_tuple(_vector('x', k))}, sqrt(squared), promised, slope",
    ]


def _lines_of_compare(k: int) -> list[str]:
    return [
        "def compare(point, old):",
        f"  _, {_tuple(_vector('x', k))}, _, _, _, rest = point",
        f"  {_tuple([*_lower(k), *_vector('_', k)])} = rest",
        f"  {_tuple(_vector('o', k))} = old",
        *(f"  h{i} = {_product(i, 'o', k)}" for i in range(k)),
        f"  squared = {_dot('o', 'h', k)}",
        "  if not squared > 0.0: return 1.0, 0.0",
        f"  ratio = ({_dot('x', 'h', k)})/squared",
        *(f"  w{i} = x{i} - ratio*o{i}" for i in range(k)),
        f"  return ratio, sqrt(max({_quadratic('w', k)}, 0.0)/squared)",
    ]


def _factor(matrix: str, k: int, check: str, added: str = "") -> list[str]:
    """Return lines of L below the diagonal, and of the reciprocals of its diagonal, m00, m11..."""
    lines = []
    for j in range(k):
        less = "".join(f" - l{j}{t}*l{j}{t}" for t in range(j))
        lines.append(f"  q = {matrix.format(j, j)}{added}{less}")
        lines.extend([check] if check else [])
        lines.append(f"  m{j}{j} = 1.0/sqrt(q)")
        for i in range(j + 1, k):
            less = "".join(f" - l{i}{t}*l{j}{t}" for t in range(j))
            lines.append(f"  l{i}{j} = ({matrix.format(i, j)}{less})*m{j}{j}")
    return lines


def _inverse(k: int) -> list[str]:
    """Return lines of the inverse of L below the diagonal."""
    return [
        f"  m{i}{j} = -({_sum(f'l{i}{t}*m{t}{j}' for t in range(j, i))})*m{i}{i}"
        for j in range(k)
        for i in range(j + 1, k)
    ]


def _forward(right: str, k: int) -> list[str]:
    """Return lines that solve L y = right."""
    return [
        f"  y{i} = ({right}{i}{''.join(f' - l{i}{t}*y{t}' for t in range(i))})*m{i}{i}"
        for i in range(k)
    ]


def _solve(right: str, into: str, k: int) -> list[str]:
    """Return lines that solve L L' into = right."""
    backward = (
        f"  {into}{i} = (y{i}{''.join(f' - l{t}{i}*{into}{t}' for t in range(i + 1, k))})*m{i}{i}"
        for i in reversed(range(k))
    )
    return [*_forward(right, k), *backward]


def _product(i: int, u: str, k: int) -> str:
    """Return the text of entry i of G u."""
    return _sum(f"g{max(i, j)}{min(i, j)}*{u}{j}" for j in range(k))


def _quadratic(u: str, k: int) -> str:
    """Return the text of u' G u."""
    return _sum(f"{u}{i}*({_product(i, u, k)})" for i in range(k))


def _dot(u: str, v: str, k: int) -> str:
    return _sum(f"{u}{i}*{v}{i}" for i in range(k))


def _sum(terms: Iterable[str]) -> str:
    return " + ".join(terms)


def _vector(name: str, k: int) -> list[str]:
    return [f"{name}{i}" for i in range(k)]


def _lower(k: int) -> list[str]:
    return [f"g{i}{j}" for i in range(k) for j in range(i + 1)]


def _tuple(names: Iterable[str]) -> str:
    return f"({', '.join(names)},)"
