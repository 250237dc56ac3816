"""One nonlinear fit with σ from a given start: time, memory, digits; four models.

The whole of `NonlinearLSQ(f, p0=p0).fit(X, y, sigma=σ)`, validation included, beside functions
that do next to none. Targets, for the Gaussian: n = 100 no slower than curve_fit and at least 5
times faster than lmfit; faster than curve_fit by 2 at n = 1e4, 5 at 1e6, 7 at 1e7, there with a
tenth of its memory. Digits are those of the worst parameter and standard error, against
Gauss-Newton in long double.

The largest size is run for the Gaussian alone, and for sklsq and curve_fit alone.
"""

from __future__ import annotations

from harness import measure, parser, reporting, sizes
from nonlinear_peers import FEW, SINGLE
from nonlinear_problems import GAUSSIAN, curve_data
from nonlinear_problems import SINGLE as CURVES
from report import Row, Target

FASTER = {100: 1, 10_000: 2, 1_000_000: 5, 10_000_000: 7}
LARGEST_OF_ALL = 1_000_000


def targets(n_samples: int, rows: list[Row]) -> list[Target]:
    if n_samples not in FASTER:
        return []
    result = [Target("curve_fit", "ratio", at_least=FASTER[n_samples])]
    if n_samples == 100:
        result.append(Target("lmfit", "ratio", at_least=5))
    if n_samples > LARGEST_OF_ALL:
        memory = {row.name: row.array_megabytes for row in rows}
        tenth = memory.get("curve_fit", float("nan")) / 10
        result.append(Target("sklsq", "array_megabytes", at_most=tenth))
    return result


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--sizes", type=sizes, default=None)
    arguments.add_argument("--quick", action="store_true", help="n = 100 and 1e4 only")
    options = arguments.parse_args()
    chosen = options.sizes or (list(FASTER)[:2] if options.quick else list(FASTER))
    with reporting(options) as report:
        for n_samples in chosen:
            large = n_samples > LARGEST_OF_ALL
            for curve in [GAUSSIAN] if large else CURVES:
                rows = measure(curve_data(curve, n_samples), FEW if large else SINGLE, options)
                report.add(rows, targets(n_samples, rows) if curve is GAUSSIAN else [])


if __name__ == "__main__":
    main()
