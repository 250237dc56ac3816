"""A polynomial of degree 10 with σ on [0, 10], n = 1e6, coefficients of 1, x, ..., x^10: time,
memory, digits.

Targets: at least 10 times faster than np.polyfit, at least 14 correct digits in coefficients and
standard errors.
"""

from __future__ import annotations

from harness import measure, parser, reporting, sizes
from peers import POLYNOMIAL
from problems import polynomial
from report import Target

TARGETS = {
    (1_000_000, 10): [
        Target("np.polyfit", "ratio", at_least=10),
        Target("sklsq", "digits_params", at_least=14),
        Target("sklsq", "digits_std", at_least=14),
    ]
}


def main() -> None:
    arguments = parser(__doc__, rounds=5)
    arguments.add_argument("--sizes", type=sizes, default=[1_000_000])
    arguments.add_argument("--degree", type=int, default=10)
    options = arguments.parse_args()
    with reporting(options) as report:
        for n_samples in options.sizes:
            rows = measure(polynomial(n_samples, options.degree), POLYNOMIAL, options)
            report.add(rows, TARGETS.get((n_samples, options.degree), ()))


if __name__ == "__main__":
    main()
