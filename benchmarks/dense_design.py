"""A dense design matrix with σ and the covariance of all coefficients: time, memory, digits.

Targets for 1e6 x 10: at least 20 times faster than statsmodels WLS and 4 times faster than
np.linalg.lstsq (which gives no errors), at most twice the floor (A/σ)'(A/σ), at most 20 MB beyond
the input. `--condition 30` takes a design on the other side of the switch between the plain and
the preconditioned Gram matrix.
"""

from __future__ import annotations

from harness import measure, parser, reporting
from peers import DESIGN
from problems import dense_design
from report import Target

TARGETS = {
    (1_000_000, 10): [
        Target("statsmodels pinv", "ratio", at_least=20),
        Target("statsmodels qr", "ratio", at_least=20),
        Target("np.linalg.lstsq", "ratio", at_least=4),
        Target("floor: (A/σ)'(A/σ)", "ratio", at_least=0.5),
        Target("sklsq", "array_megabytes", at_most=20),
        Target("sklsq", "resident_megabytes", at_most=20),
    ]
}


def shapes(text: str) -> list[tuple[int, int]]:
    return [tuple(int(float(length)) for length in shape.split("x")) for shape in text.split(",")]


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--shapes", type=shapes, default=shapes("1e6x10,1e5x50,2e4x200"))
    arguments.add_argument(
        "--condition", type=float, default=3.0, help="of the scaled columns, up to 30"
    )
    options = arguments.parse_args()
    with reporting(options) as report:
        for n_samples, n_columns in options.shapes:
            rows = measure(dense_design(n_samples, n_columns, options.condition), DESIGN, options)
            report.add(rows, TARGETS.get((n_samples, n_columns), ()))


if __name__ == "__main__":
    main()
