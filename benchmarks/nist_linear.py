"""Correct digits of coefficients/standard errors on the 11 linear data sets of NIST StRD, beside
peers.

Each set is fitted by what a user would choose: `WeightedLinearFit` where it is a line,
`Polynomial(degree)` where it is a polynomial, and, for every set, the design matrix as rounded to
doubles. Answers are NIST's for the decimal data.

Targets: at least 13 correct digits in coefficients and standard errors of every set. "exact" is
the solution, in exact arithmetic and with exact powers, of the data as rounded to doubles: nobody
can do better. A matrix of rounded powers holds fewer digits for Filip and Wampler, whoever solves
it; the last table judges the matrices by their own exact solutions, target again 13 digits.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from conditioning import compare
from harness import parser, reporting
from peers import (
    MATRIX_PEERS,
    POLYFIT,
    POLYNOMIAL_FIT,
    SKLEARN_DESIGN,
    SKLEARN_INTERCEPT,
    SKLSQ_DESIGN,
    SKLSQ_LINE,
    SKLSQ_POLYNOMIAL,
    Peer,
    exact_solution,
)
from problems import PolynomialProblem, as_matrix, nist_linear

EXACT = Peer("exact", exact_solution)
LINE = replace(SKLSQ_LINE, name="sklsq line")
POLYNOMIAL = replace(SKLSQ_POLYNOMIAL, name="sklsq Polynomial")
MATRIX = [replace(SKLSQ_DESIGN, name="sklsq matrix"), *MATRIX_PEERS]
PEERS = {
    "lines": [EXACT, LINE, POLYNOMIAL, *MATRIX, POLYFIT, POLYNOMIAL_FIT, SKLEARN_INTERCEPT],
    "polynomials": [EXACT, POLYNOMIAL, *MATRIX, POLYFIT, POLYNOMIAL_FIT, SKLEARN_INTERCEPT],
    "designs": [EXACT, *MATRIX, SKLEARN_DESIGN],
}


def kind(problem) -> str:
    if not isinstance(problem, PolynomialProblem):
        return "designs"
    return "lines" if problem.degree == 1 else "polynomials"


def main() -> None:
    arguments = parser(__doc__, rounds=None)
    arguments.add_argument(
        "--data", type=Path, default=None, help="linear.json of the known answers"
    )
    options = arguments.parse_args()
    problems = nist_linear(options.data)
    with reporting(options):
        for name, peers in PEERS.items():
            members = [problem for problem in problems if kind(problem) == name]
            print(f"\n{name}, against the answers of NIST:")
            compare(members, peers, options)
        print("\nevery set as a matrix, against the exact solution of that matrix:")
        compare([as_matrix(problem) for problem in problems], MATRIX, options)


if __name__ == "__main__":
    main()
