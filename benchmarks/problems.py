"""Seeded problems with their answers.

"Reference" names the arithmetic of the answer: "integers" (exact.py) is exact for the floats as
they are, "long double" (long_double.py) is used where whole numbers would take minutes. Answers
are computed on first use.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from answers import Answer
from exact import solve_exact, solve_exact_polynomial
from long_double import line_long_double, solve_long_double, york_long_double

KNOWN_ANSWERS = Path(__file__).resolve().parent.parent / "tests" / "known_answers"
EXACT_UP_TO = 20_000


@dataclass(frozen=True)
class LinearProblem:
    """`y` = design times parameters, with standard deviations `sigma` (None: unknown, errors are
    scaled).
    """

    name: str
    X: np.ndarray
    y: np.ndarray
    sigma: np.ndarray | None
    solve: Callable[[LinearProblem], Answer]

    @property
    def design(self) -> np.ndarray:
        return self.X

    @cached_property
    def answer(self) -> Answer:
        return self.solve(self)


@dataclass(frozen=True)
class PolynomialProblem(LinearProblem):
    """`X` is one feature, shape (n, 1); the parameters belong to 1, x, ..., x^degree."""

    degree: int = 1

    @property
    def x(self) -> np.ndarray:
        return self.X[:, 0]

    @property
    def design(self) -> np.ndarray:
        return np.vander(self.x, self.degree + 1, increasing=True)


@dataclass(frozen=True)
class ErrorsInVariablesProblem(LinearProblem):
    """Every variable has an error; the parameters are the intercept and one slope per feature."""

    sigma_x: np.ndarray | None = None


# --- straight lines ------------------------------------------------------------------------------


def straight_line(n_samples: int, seed: int = 0) -> PolynomialProblem:
    """x in [0, 10], σ from 0.5 to 2. Reference: integers up to 20,000 rows, then long double."""
    rng = np.random.default_rng(seed)
    x, sigma = rng.uniform(0, 10, n_samples), rng.uniform(0.5, 2, n_samples)
    return _line(f"line n={n_samples:,}", x, sigma, rng)


def time_stamp_line(n_samples: int, seed: int = 1) -> PolynomialProblem:
    """x = 1e8 + something in [0, 10]: centre first, or lose everything. Reference as
    `straight_line`.
    """
    rng = np.random.default_rng(seed)
    x, sigma = 1e8 + rng.uniform(0, 10, n_samples), rng.uniform(0.5, 2, n_samples)
    return _line(f"time stamps n={n_samples:,}", x, sigma, rng)


def _line(name: str, x: np.ndarray, sigma: np.ndarray, rng) -> PolynomialProblem:
    y = 3.7 - 1.3 * (x - x.min()) + sigma * rng.standard_normal(len(x))
    return PolynomialProblem(name, x[:, None], y, sigma, _solve_line)


def _solve_line(problem: PolynomialProblem) -> Answer:
    if len(problem.y) <= EXACT_UP_TO:
        return solve_exact(problem.design, problem.y, problem.sigma)
    return line_long_double(problem.x, problem.y, problem.sigma)


# --- polynomials ---------------------------------------------------------------------------------


def polynomial(n_samples: int, degree: int = 10, seed: int = 2) -> PolynomialProblem:
    """x in [0, 10], Chebyshev coefficients of size one. Reference: integers, with exact powers of
    x.
    """
    rng = np.random.default_rng(seed)
    x, sigma = rng.uniform(0, 10, n_samples), rng.uniform(0.5, 2, n_samples)
    curve = np.polynomial.Chebyshev(3 * rng.standard_normal(degree + 1), domain=[0, 10])
    y = curve(x) + sigma * rng.standard_normal(n_samples)
    name = f"polynomial degree {degree} n={n_samples:,}"
    return PolynomialProblem(name, x[:, None], y, sigma, _solve_polynomial, degree)


def _solve_polynomial(problem: PolynomialProblem) -> Answer:
    return solve_exact_polynomial(problem.x, problem.y, problem.sigma, problem.degree)


# --- designs -------------------------------------------------------------------------------------


def dense_design(
    n_samples: int, n_columns: int, condition: float = 3.0, seed: int = 3
) -> LinearProblem:
    """A constant and random columns of units from 0.1 to 1000; `condition` is that of the columns
    after scaling.

    Reference: long double, so `condition` above about 30 costs the reference its digits.
    """
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n_samples, n_columns))
    A += (condition - 1) / np.sqrt(n_columns) * rng.standard_normal((n_samples, 1))
    A *= np.logspace(-1, 3, n_columns)
    A[:, 0] = 1.0
    sigma = rng.uniform(0.5, 2, n_samples)
    y = A @ (1 / np.logspace(-1, 3, n_columns)) + sigma * rng.standard_normal(n_samples)
    return LinearProblem(
        f"design {n_samples:,} x {n_columns}", A, y, sigma, _solve_well_conditioned
    )


def _solve_well_conditioned(problem: LinearProblem) -> Answer:
    return solve_long_double(problem.design, problem.y, problem.sigma)


def _solve_exactly(problem: LinearProblem) -> Answer:
    return solve_exact(problem.design, problem.y, problem.sigma)


def ill_conditioned(
    n_samples: int, condition: float, n_columns: int = 8, seed: int = 4
) -> LinearProblem:
    """U S V' with singular values from 1 down to 1/condition and noise of size one, σ unknown.

    Reference: integers, the exact solution of the float matrix (which is not the one the SVD was
    meant to have).
    """
    rng = np.random.default_rng(seed)
    U, _ = np.linalg.qr(rng.standard_normal((n_samples, n_columns)))
    V, _ = np.linalg.qr(rng.standard_normal((n_columns, n_columns)))
    A = np.sqrt(n_samples) * (U * np.logspace(0, -np.log10(condition), n_columns)) @ V.T
    y = A @ np.ones(n_columns) + rng.standard_normal(n_samples)
    name = f"{n_samples:,} x {n_columns} cond {condition:.0e}"
    return LinearProblem(name, A, y, None, _solve_exactly)


def rare_dummy(n_samples: int = 20_000, seed: int = 5) -> LinearProblem:
    """A 0/1 column that is 1 in three rows only: a random subsample sees nothing of it.
    Reference: integers.
    """
    A, y, sigma, rng = _plain_design(n_samples, seed)
    A[:, -1] = 0.0
    A[rng.choice(n_samples, 3, replace=False), -1] = 1.0
    return LinearProblem("dummy column in 3 rows", A, y, sigma, _solve_exactly)


def giant_row(n_samples: int = 20_000, seed: int = 6) -> LinearProblem:
    """One row a million times the others: a random subsample misjudges every column. Reference:
    integers.
    """
    A, y, sigma, rng = _plain_design(n_samples, seed)
    row = rng.integers(n_samples)
    A[row] *= 1e6
    y[row] = A[row].sum()
    return LinearProblem("one row times 1e6", A, y, sigma, _solve_exactly)


def _plain_design(n_samples: int, seed: int, n_columns: int = 8):
    rng = np.random.default_rng(seed)
    A, sigma = rng.standard_normal((n_samples, n_columns)), rng.uniform(0.5, 2, n_samples)
    return A, A.sum(axis=1) + sigma * rng.standard_normal(n_samples), sigma, rng


# --- NIST ----------------------------------------------------------------------------------------


def nist_linear(path: Path | None = None) -> list[LinearProblem]:
    """The 11 linear data sets of NIST StRD; answers certified by NIST, kept to all digits of a
    double.

    `path` is the `linear.json` of the known answers, searched under `tests/known_answers` when
    None.
    """
    if path is None:
        path = next(KNOWN_ANSWERS.rglob("linear.json"), None)
    if path is None:
        raise FileNotFoundError(
            "no linear.json under tests/known_answers; name it with --data FILE"
        )
    return [_from_record(record) for record in json.loads(Path(path).read_text())["records"]]


def _from_record(record: dict) -> LinearProblem:
    data = {name: np.array(values, dtype=float) for name, values in record["data"].items()}
    reference = record["reference"]
    answer = Answer(np.array(reference["coef"]), np.array(reference["se"]))
    name, y, layout = record["id"].removeprefix("nist_"), data["y"], record["design"]
    if layout["type"] == "columns":
        columns = [
            np.ones_like(y) if column == "1" else data[column] for column in layout["columns"]
        ]
        return LinearProblem(name, np.column_stack(columns), y, None, lambda _: answer)
    x, powers = data[layout["column"]][:, None], layout["powers"]
    if powers[0] == 0:
        return PolynomialProblem(name, x, y, None, lambda _: answer, degree=powers[-1])
    return LinearProblem(name, x**powers, y, None, lambda _: answer)


def as_matrix(problem: LinearProblem) -> LinearProblem:
    """The same data as a design matrix of doubles. Reference: integers, for *that* matrix."""
    return LinearProblem(problem.name, problem.design, problem.y, problem.sigma, _solve_exactly)


# --- errors in every variable --------------------------------------------------------------------


def errors_in_variables(
    n_samples: int, n_features: int = 1, seed: int = 7
) -> ErrorsInVariablesProblem:
    """σ of every x and y its own, uncorrelated. Reference: long double, full Newton to the last
    digit.
    """
    rng = np.random.default_rng(seed)
    shape = (n_samples, n_features)
    truth, sigma_x = rng.uniform(0, 10, shape), rng.uniform(0.1, 0.5, shape)
    sigma = rng.uniform(0.2, 1.0, n_samples)
    slopes = np.linspace(2.0, 0.5, n_features)
    X = truth + sigma_x * rng.standard_normal(shape)
    y = 1.0 + truth @ slopes + sigma * rng.standard_normal(n_samples)
    name = f"errors in {n_features + 1} variables n={n_samples:,}"
    return ErrorsInVariablesProblem(name, X, y, sigma, _solve_errors_in_variables, sigma_x)


def _solve_errors_in_variables(problem: ErrorsInVariablesProblem) -> Answer:
    A = np.column_stack([np.ones(len(problem.y)), problem.X])
    start = np.linalg.lstsq(A, problem.y, rcond=None)[0]
    return york_long_double(problem.X, problem.y, problem.sigma, problem.sigma_x, start)
