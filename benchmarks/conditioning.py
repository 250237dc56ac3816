"""Correct digits of coefficients/standard errors where the arithmetic is hard; nothing is timed.

A sweep of the condition number from 1 to 1e14 (n = 2,000 and 20,000, 8 columns, σ unknown)
against the exact solution of each float matrix; designs that mislead a random subsample of rows;
time stamps.

Targets: up to 1e12 never fewer digits than np.linalg.qr and solve; above, the answer or a rank
warning. Time stamps: at least 14 digits.
"""

from __future__ import annotations

import numpy as np
from harness import digits, parser, reporting, sizes
from peers import (
    CURVE_FIT,
    MATRIX_PEERS,
    NUMPY_QR,
    POLYFIT,
    POLYNOMIAL_FIT,
    SKLEARN_DESIGN,
    SKLEARN_INTERCEPT,
    SKLSQ_DESIGN,
    SKLSQ_LINE,
    Peer,
)
from problems import LinearProblem, giant_row, ill_conditioned, rare_dummy, time_stamp_line
from report import markdown, number

DESIGN_PEERS = [SKLSQ_DESIGN, *MATRIX_PEERS, SKLEARN_DESIGN]
LINE_PEERS = [
    SKLSQ_LINE,
    POLYFIT,
    POLYNOMIAL_FIT,
    CURVE_FIT,
    *MATRIX_PEERS,
    SKLEARN_INTERCEPT,
]


Digits = dict[str, tuple[float, float]]


def digits_table(problems: list[LinearProblem], found: list[Digits]) -> str:
    """One line a problem, one column a peer: digits of parameters/standard errors."""
    names = list(dict.fromkeys(name for digits_found in found for name in digits_found))
    body = [
        [problem.name, *(pair_text(digits_found.get(name)) for name in names)]
        for problem, digits_found in zip(problems, found, strict=True)
    ]
    return markdown(["", *names], body)


def pair_text(pair: tuple[float, float] | None) -> str:
    return "failed" if pair is None else "/".join(number(value, ".1f") for value in pair)


def worst_lead(found: list[Digits]) -> str:
    """By how many digits sklsq is ahead of QR where it is least."""
    leads = [
        np.subtract(pairs[SKLSQ_DESIGN.name], pairs[NUMPY_QR.name])
        for pairs in found
        if SKLSQ_DESIGN.name in pairs
    ]
    if not leads:
        return "not measured"
    params, std = np.min(leads, axis=0)
    return f"{params:+.1f} digits of parameters, {std:+.1f} of standard errors"


def sweep(n_samples: int, options) -> None:
    conditions = 10.0 ** np.arange(0, 14 + options.step / 2, options.step)
    problems = [ill_conditioned(n_samples, condition) for condition in conditions]
    found = [digits(problem, DESIGN_PEERS, options) for problem in problems]
    print(f"\n{digits_table(problems, found)}\n")
    judged = [pairs for pairs, cond in zip(found, conditions, strict=True) if cond <= 1.01e12]
    print(f"sklsq beside np.linalg.qr up to 1e12, worst: {worst_lead(judged)}")


def compare(problems: list[LinearProblem], peers: list[Peer], options) -> None:
    found = [digits(problem, peers, options) for problem in problems]
    print(f"\n{digits_table(problems, found)}")


def main() -> None:
    arguments = parser(__doc__, rounds=None)
    arguments.add_argument("--sizes", type=sizes, default=[2_000, 20_000])
    arguments.add_argument(
        "--step", type=float, default=1.0, help="decades between condition numbers"
    )
    options = arguments.parse_args()
    with reporting(options):
        for n_samples in options.sizes:
            sweep(n_samples, options)
        compare([rare_dummy(), giant_row()], DESIGN_PEERS, options)
        lines = [time_stamp_line(n_samples) for n_samples in (100, 10_000, 1_000_000)]
        compare(lines, LINE_PEERS, options)


if __name__ == "__main__":
    main()
