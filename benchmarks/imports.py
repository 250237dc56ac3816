"""Import time in fresh processes, without that of the interpreter itself.

Targets: `import sklsq` at most 0.2 of `import sklearn.linear_model` (nothing heavy until it is
asked for), at most 0.95 once its estimators are loaded.
"""

from __future__ import annotations

import statistics
import subprocess
import sys

from harness import parser, ratios_beside, reporting
from report import Row, Target

STATEMENTS = {
    "sklsq": "import sklsq; sklsq.__all__",
    "sklsq estimators": "from sklsq import DesignMatrixRegressor, WeightedLinearFit",
    "sklearn.linear_model": "import sklearn.linear_model",
    "sklearn.base": "import sklearn.base",
    "scipy.optimize": "import scipy.optimize",
    "scipy.linalg": "import scipy.linalg",
    "numpy": "import numpy",
    "pandas": "import pandas",
    "statsmodels.api": "import statsmodels.api",
    "lmfit": "import lmfit",
    "odrpack": "import odrpack",
}
TIMER = "import time; start = time.perf_counter(); {}; print(time.perf_counter() - start)"
BASE = "sklearn.linear_model"
TARGETS = [Target("sklsq", "ratio", at_most=0.2), Target("sklsq estimators", "ratio", at_most=0.95)]


def import_seconds(statement: str) -> float | None:
    """Seconds of one import in a new process; None where it fails."""
    command = [sys.executable, "-c", TIMER.format(statement)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return float(result.stdout) if result.returncode == 0 else None


def main() -> None:
    options = parser(__doc__, rounds=5, peers=False).parse_args()
    samples: dict[str, list[float]] = {}
    with reporting(options) as report:
        for name, statement in STATEMENTS.items():
            if import_seconds(statement) is None:
                print(f"skipped {name}: cannot be imported")
            else:
                samples[name] = []
        for _ in range(options.rounds):
            for name, taken in samples.items():
                taken.append(import_seconds(STATEMENTS[name]))
        ratios = ratios_beside(samples, reference=BASE)
        rows = [
            Row("import", name, statistics.median(taken), ratios[name], note=f"relative to {BASE}")
            for name, taken in samples.items()
        ]
        report.add(rows, TARGETS)


if __name__ == "__main__":
    main()
