"""A straight line with σ of every point, n = 100 to 10 million: time, memory, digits.

Targets: n = 1e7 at least 20 times faster than np.polyfit with covariance and 8 times faster than
LinearRegression (which gives no errors), at most 50 MB beyond the input; n = 100 at most 1.5
times np.polyfit and 0.3 of LinearRegression.
"""

from __future__ import annotations

from harness import measure, parser, reporting, sizes
from peers import LINE
from problems import straight_line
from report import Target

TARGETS = {
    100: [
        Target("np.polyfit", "ratio", at_least=1 / 1.5),
        Target("LinearRegression", "ratio", at_least=1 / 0.3),
    ],
    10_000_000: [
        Target("np.polyfit", "ratio", at_least=20),
        Target("LinearRegression", "ratio", at_least=8),
        Target("sklsq", "array_megabytes", at_most=50),
        Target("sklsq", "resident_megabytes", at_most=50),
    ],
}


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--sizes", type=sizes, default=[100, 10_000, 1_000_000, 10_000_000])
    options = arguments.parse_args()
    with reporting(options) as report:
        for n_samples in options.sizes:
            rows = measure(straight_line(n_samples), LINE, options)
            report.add(rows, TARGETS.get(n_samples, ()))


if __name__ == "__main__":
    main()
