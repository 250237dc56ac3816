"""A line through points with errors in every variable: time, memory, digits.

Targets: one feature, n = 1e6: at least 45 times faster than odrpack at 12 digits or more, at most
20 MB beyond the input; n = 1000: at least 10 times; five features, n = 1e5: at least 20 times.
York's fixed point, hand-written as printed with whole-array temporaries, is there for one
feature.
"""

from __future__ import annotations

from harness import measure, parser, reporting, sizes
from problems import errors_in_variables
from report import Target
from york_peers import YORK

SPEED = {(1_000, 1): 10, (1_000_000, 1): 45, (100_000, 5): 20}
QUALITY = [
    Target("sklsq", "digits_params", at_least=12),
    Target("sklsq", "array_megabytes", at_most=20),
    Target("sklsq", "resident_megabytes", at_most=20),
]


def main() -> None:
    arguments = parser(__doc__, rounds=5)
    arguments.add_argument("--sizes", type=sizes, default=[1_000, 1_000_000], help="of one feature")
    arguments.add_argument("--plane-sizes", type=sizes, default=[100_000], help="of five features")
    options = arguments.parse_args()
    shapes = [(n, 1) for n in options.sizes] + [(n, 5) for n in options.plane_sizes]
    with reporting(options) as report:
        for n_samples, n_features in shapes:
            peers = [peer for peer in YORK if n_features == 1 or "one feature" not in peer.note]
            rows = measure(errors_in_variables(n_samples, n_features), peers, options)
            faster = SPEED.get((n_samples, n_features))
            speed = [Target("odrpack", "ratio", at_least=faster)] if faster else []
            report.add(rows, speed + QUALITY)


if __name__ == "__main__":
    main()
