"""Seeded curves y = f(x; parameters), with a start and with their answers.

A curve is written as a user writes it: a function of x and its parameters. It is also what the
reference is computed with, since numpy's functions keep long double. Derivatives are by hand, for
peers that ask for them and for the reference: Gauss-Newton in long double until the step is lost
in rounding, good to all digits of a double for the curves here.
``python benchmarks/nonlinear_problems.py`` compares it with mpmath at 50 decimals.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from unittest import mock

import numpy as np
from answers import Answer, correct_digits
from long_double import LONG
from problems import KNOWN_ANSWERS

_BLOCK = 4_096  # rows of a partial sum in long double
_ROUNDING = 1e-17  # step in standard errors
_FUNCTIONS = ("arctan", "cos", "exp", "log", "pi", "sin", "sqrt")


@dataclass(frozen=True)
class Curve:
    """A model, what its data look like, and where a user would start.

    `derivatives(x, *params)` returns one array a parameter.
    """

    name: str
    function: Callable[..., np.ndarray]
    derivatives: Callable[..., list[np.ndarray]]
    truth: tuple[float, ...]
    p0: tuple[float, ...]
    interval: tuple[float, float]
    sigma: float
    formula: str

    @cached_property
    def names(self) -> list[str]:
        return list(inspect.signature(self.function).parameters)[1:]


@dataclass(frozen=True)
class CurveProblem:
    """One curve's data, every point with a σ of its own."""

    name: str
    curve: Curve
    x: np.ndarray
    y: np.ndarray
    sigma: np.ndarray

    @property
    def X(self) -> np.ndarray:
        return self.x[:, None]

    @property
    def p0(self) -> np.ndarray:
        return np.array(self.curve.p0)

    @cached_property
    def answer(self) -> Answer:
        return solve_curve(self.curve, self.x, self.y, self.sigma, self.curve.truth)

    def jacobian(self, x: np.ndarray, *params: float) -> np.ndarray:
        """Shape (n, m), as scipy wants it."""
        return np.column_stack(np.broadcast_arrays(*self.curve.derivatives(x, *params)))


# --- curves --------------------------------------------------------------------------------------


def gaussian(x, height, centre, width, background):
    return height * np.exp(-(((x - centre) / width) ** 2) / 2) + background


def gaussian_derivatives(x, height, centre, width, background):
    u = (x - centre) / width
    bell = np.exp(-(u**2) / 2)
    slope = height * bell * u / width
    return [bell, slope, slope * u, np.ones_like(x)]


def decay(x, amplitude, rate, background):
    return amplitude * np.exp(-rate * x) + background


def decay_derivatives(x, amplitude, rate, background):
    fall = np.exp(-rate * x)
    return [fall, -amplitude * x * fall, np.ones_like(x)]


def two_decays(x, a, k, b, q):
    return a * np.exp(-k * x) + b * np.exp(-q * x)


def two_decays_derivatives(x, a, k, b, q):
    fast, slow = np.exp(-k * x), np.exp(-q * x)
    return [fast, -a * x * fast, slow, -b * x * slow]


def michaelis_menten(x, v_max, k_m):
    return v_max * x / (k_m + x)


def michaelis_menten_derivatives(x, v_max, k_m):
    share = x / (k_m + x)
    return [share, -v_max * share / (k_m + x)]


def three_decays(x, a, k, b, q, c, s):
    return a * np.exp(-k * x) + b * np.exp(-q * x) + c * np.exp(-s * x)


def three_decays_derivatives(x, a, k, b, q, c, s):
    return [*two_decays_derivatives(x, a, k, b, q), *two_decays_derivatives(x, c, s, 0.0, 0.0)[:2]]


GAUSSIAN = Curve(
    "gaussian + constant",
    gaussian,
    gaussian_derivatives,
    truth=(3.0, 4.2, 0.8, 0.5),
    p0=(2.0, 5.0, 1.0, 0.0),
    interval=(0.0, 10.0),
    sigma=0.1,
    formula="height*exp(-((x - centre)/width)**2/2) + background",
)
DECAY = Curve(
    "exponential + constant",
    decay,
    decay_derivatives,
    truth=(2.5, 1.3, 0.5),
    p0=(1.0, 1.0, 0.0),
    interval=(0.0, 4.0),
    sigma=0.05,
    formula="amplitude*exp(-rate*x) + background",
)
TWO_DECAYS = Curve(
    "double exponential",
    two_decays,
    two_decays_derivatives,
    truth=(2.0, 3.0, 1.0, 0.5),
    p0=(3.0, 5.0, 0.5, 0.3),
    interval=(0.0, 4.0),
    sigma=0.02,
    formula="a*exp(-k*x) + b*exp(-q*x)",
)
MICHAELIS_MENTEN = Curve(
    "Michaelis-Menten",
    michaelis_menten,
    michaelis_menten_derivatives,
    truth=(10.0, 2.0),
    p0=(5.0, 1.0),
    interval=(0.1, 20.0),
    sigma=0.3,
    formula="v_max*x/(k_m + x)",
)
LANCZOS = Curve(
    "triple exponential (Lanczos3)",
    three_decays,
    three_decays_derivatives,
    truth=(0.0951, 1.0, 0.8607, 3.0, 1.5576, 5.0),
    p0=(1.2, 0.3, 5.6, 5.5, 6.5, 7.6),  # the far start of NIST
    interval=(0.0, 1.15),
    sigma=1e-5,
    formula="a*exp(-k*x) + b*exp(-q*x) + c*exp(-s*x)",
)
SINGLE = [GAUSSIAN, DECAY, TWO_DECAYS, MICHAELIS_MENTEN]


# --- data ----------------------------------------------------------------------------------------


def curve_data(curve: Curve, n_samples: int, seed: int = 8) -> CurveProblem:
    """x in order over the interval, σ within a factor of two of each other. Reference: long
    double.
    """
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(*curve.interval, n_samples))
    sigma = curve.sigma * rng.uniform(0.7, 1.4, n_samples)
    y = curve.function(x, *curve.truth) + sigma * rng.standard_normal(n_samples)
    return CurveProblem(f"{curve.name} n={n_samples:,}", curve, x, y, sigma)


def many_curves(n_curves: int, n_samples: int = 100, seed: int = 9):
    """Gaussian peaks that share x, parameters all different: x (n,), Y and σ (n, t), p0."""
    rng = np.random.default_rng(seed)
    x = np.linspace(*GAUSSIAN.interval, n_samples)
    lowest, highest = (2.0, 4.0, 0.7, 0.0), (4.0, 6.0, 1.4, 1.0)
    truth = rng.uniform(lowest, highest, (n_curves, 4))
    sigma = GAUSSIAN.sigma * rng.uniform(0.7, 1.4, (n_samples, n_curves))
    Y = gaussian(x[:, None], *truth.T) + sigma * rng.standard_normal(sigma.shape)
    return x, Y, sigma, np.array([2.5, 5.0, 1.0, 0.0]), truth


# --- NIST ----------------------------------------------------------------------------------------


def nist_nonlinear() -> list[dict]:
    """Nonlinear data sets of NIST StRD; answers refined from the certified ones to all digits of a
    double.
    """
    path = next(KNOWN_ANSWERS.rglob("nonlinear.json"), None)
    if path is None:
        raise FileNotFoundError("no nonlinear.json under tests/known_answers")
    records = json.loads(path.read_text())["records"]
    for record in records:
        values = {name: np.array(column, dtype=float) for name, column in record["data"].items()}
        y = values[record["y"]]
        record["name"] = record["id"].removeprefix("nist_")
        record["y_values"] = np.log(y) if record["response_transform"] == "log" else y
        record["X"] = {name: values[name] for name in record["predictors"]}
        arguments = ", ".join([*record["predictors"], *record["params"]])
        known = {name: getattr(np, name) for name in _FUNCTIONS}
        record["function"] = eval(f"lambda {arguments}: {record['expr']}", known)
    return records


def lanczos3() -> CurveProblem:
    """Lanczos3 of NIST: three exponentials, rounded to five digits; σ is one."""
    record = next(record for record in nist_nonlinear() if record["name"] == "Lanczos3")
    x, y = record["X"]["x"], record["y_values"]
    return CurveProblem(LANCZOS.name, LANCZOS, x, y, np.ones_like(y))


# --- reference -----------------------------------------------------------------------------------


def solve_curve(curve: Curve, x, y, sigma, start, *, max_iter: int = 200) -> Answer:
    """Gauss-Newton in long double, from a start that is close (the truth)."""
    params, last = np.array(start, dtype=LONG), np.inf
    for _ in range(max_iter):
        information, gradient = _sums(curve, x, y, sigma, params)
        covariance = _inverse(information)
        step = covariance @ gradient
        params = params + step
        length = float(np.sqrt(step @ information @ step))
        if length <= _ROUNDING or (length < 1e-12 and length >= last):
            break
        last = length
    std = np.sqrt(np.diag(_inverse(_sums(curve, x, y, sigma, params)[0])))
    return Answer(np.array(params, dtype=float), np.array(std, dtype=float))


def _sums(curve, x, y, sigma, params) -> tuple[np.ndarray, np.ndarray]:
    """Σ J J'/σ² and Σ J r/σ², blocks first so that sums stay short."""
    blocks = []
    for begin in range(0, len(x), _BLOCK):
        rows = slice(begin, begin + _BLOCK)
        at, weight = x[rows].astype(LONG), 1 / sigma[rows].astype(LONG)
        J = np.stack(np.broadcast_arrays(*curve.derivatives(at, *params))) * weight
        r = (y[rows] - curve.function(at, *params)) * weight
        blocks.append(np.concatenate([np.einsum("in,jn->ij", J, J), (J @ r)[:, None]], axis=1))
    total = np.sum(np.moveaxis(blocks, 0, -1).copy(), axis=-1)
    return total[:, :-1], total[:, -1]


def _inverse(matrix: np.ndarray) -> np.ndarray:
    """Inverse of a symmetric matrix whose rows may have any units, in long double."""
    scale = 1 / np.sqrt(np.diag(matrix))
    rest = np.concatenate([matrix * np.outer(scale, scale), np.eye(len(matrix), dtype=LONG)], 1)
    for k in range(len(matrix)):
        rest[k] /= rest[k, k]
        others = np.arange(len(matrix)) != k
        rest[others] -= np.outer(rest[others, k], rest[k])
    return rest[:, len(matrix) :] * np.outer(scale, scale)


def _solve_in_decimals(problem: CurveProblem, decimals: int = 50) -> Answer:
    import mpmath

    exact, exp = (np.vectorize(f, otypes=[object]) for f in (mpmath.mpf, mpmath.exp))
    with mpmath.workdps(decimals), mock.patch.object(np, "exp", exp):
        x, y, sigma = (exact(values) for values in (problem.x, problem.y, problem.sigma))
        params = exact(np.array(problem.curve.truth))
        for _ in range(40):
            J = np.stack(np.broadcast_arrays(*problem.curve.derivatives(x, *params))) / sigma
            r = (y - problem.curve.function(x, *params)) / sigma
            covariance = mpmath.matrix((J @ J.T).tolist()) ** -1
            params = params + np.array(list(covariance * mpmath.matrix((J @ r).tolist())))
        std = [float(mpmath.sqrt(covariance[i, i])) for i in range(len(params))]
    return Answer(params.astype(float), np.array(std))


def _self_check() -> None:
    for curve in SINGLE:
        problem = curve_data(curve, 300)
        one, other = problem.answer, _solve_in_decimals(problem)
        pairs = ((one.params, other.params), (one.std, other.std))
        agreement = "/".join(f"{correct_digits(a, b):.1f}" for a, b in pairs)
        print(f"{curve.name:24s} long double and mpmath agree to {agreement} digits")


if __name__ == "__main__":
    _self_check()
