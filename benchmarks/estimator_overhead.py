"""What a fit costs beyond its arithmetic: n = 100, one feature, arrays and pandas, fit and
predict.

Targets: `WeightedLinearFit.fit` of plain arrays at most 0.3 of `LinearRegression.fit` and at most
1.5 times np.polyfit with weights and covariance. `validate_data` with sample weights is what a
scikit-learn estimator spends before it has done anything.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable

import numpy as np
import pandas as pd
from harness import interleave, parser, ratios_beside, reporting
from problems import PolynomialProblem, straight_line
from report import Report, Row, Target
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LinearRegression
from sklearn.utils.validation import _check_sample_weight, validate_data
from threadpoolctl import threadpool_limits

Calls = dict[str, Callable[[], object]]


class Validated(RegressorMixin, BaseEstimator):
    """An estimator that checks its input and does nothing else."""

    def fit(self, X, y, sample_weight=None):
        X, y = validate_data(self, X, y, y_numeric=True)
        _check_sample_weight(sample_weight, X, dtype=X.dtype)
        return self


def peer_calls(problem: PolynomialProblem) -> Calls:
    X, y, sigma = problem.X, problem.y, problem.sigma
    frame, weight = pd.DataFrame({"x": problem.x}), 1 / sigma**2
    fitted = LinearRegression().fit(X, y, weight)
    return {
        "np.polyfit": lambda: np.polyfit(problem.x, y, 1, w=1 / sigma, cov="unscaled"),
        "validate_data": lambda: Validated().fit(X, y, weight),
        "validate_data DataFrame": lambda: Validated().fit(frame, y, weight),
        "LinearRegression.fit": lambda: LinearRegression().fit(X, y, weight),
        "LinearRegression.fit DataFrame": lambda: LinearRegression().fit(frame, y, weight),
        "LinearRegression.predict": lambda: fitted.predict(X),
    }


def sklsq_calls(problem: PolynomialProblem) -> Calls:
    try:
        from sklsq import WeightedLinearFit
    except ImportError as error:
        print(f"skipped sklsq: {error}")
        return {}
    X, y, sigma = problem.X, problem.y, problem.sigma
    frame = pd.DataFrame({"x": problem.x})
    fitted = WeightedLinearFit().fit(X, y, sigma=sigma)
    return {
        "sklsq fit": lambda: WeightedLinearFit().fit(X, y, sigma=sigma),
        "sklsq fit, params, errors": lambda: WeightedLinearFit().fit(X, y, sigma=sigma).params_std_,
        "sklsq fit DataFrame": lambda: WeightedLinearFit().fit(frame, y, sigma=sigma),
        "sklsq predict": lambda: fitted.predict(X),
        "sklsq predict with std": lambda: fitted.predict(X, return_std=True),
        "sklsq predict_interval": lambda: fitted.predict_interval(X),
    }


def measure(problem: PolynomialProblem, rounds: int, report: Report) -> None:
    calls = sklsq_calls(problem) | peer_calls(problem)
    samples = interleave(calls, rounds)
    ratios = ratios_beside(samples, reference="sklsq fit")
    rows = [
        Row(f"overhead n={len(problem.y)}", name, statistics.median(taken), ratios[name])
        for name, taken in samples.items()
    ]
    targets = [
        Target("LinearRegression.fit", "ratio", at_least=1 / 0.3),
        Target("np.polyfit", "ratio", at_least=1 / 1.5),
    ]
    report.add(rows, targets)


def main() -> None:
    options = parser(__doc__, rounds=15, peers=False).parse_args()
    with reporting(options) as report, threadpool_limits(options.blas_threads):
        measure(straight_line(100), options.rounds, report)


if __name__ == "__main__":
    main()
