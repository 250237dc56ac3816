"""Monte-Carlo coverage: how often the intervals of `WeightedLinearFit` hold what they promise.

A straight line with normal errors is drawn and fitted again and again. Counted are: the intercept
and the slope within ± quantile times `params_std_`, the true line at a new x within the
confidence interval, and a new observation at that x within the prediction interval. Three kinds
of knowledge of the errors:

absolute       σ of every point is known (normal quantiles)
relative       σ is known up to a common factor, `absolute_sigma=False` (Student t)
unknown        all points have the same, unknown σ (Student t)

Target: every frequency within 4 binomial standard errors of its level (shown as z; `!` marks the
others).
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from dataclasses import dataclass

import numpy as np
from harness import parser, reporting, sizes
from report import markdown
from scipy import stats

LEVELS = (0.6827, 0.9, 0.95, 0.99)
LINE = (3.7, -1.3)
COMMON_FACTOR = 2.5
LARGEST_Z = 4.0


@dataclass(frozen=True)
class Knowledge:
    """What the fit is told of the errors; `factor` is what it is not told."""

    name: str
    heteroscedastic: bool
    factor: float
    absolute: bool

    def sigma(self, n_samples: int, rng) -> np.ndarray:
        spread = rng.uniform(0.3, 3.0, n_samples)
        return spread if self.heteroscedastic else np.ones(n_samples)

    def told(self, sigma: np.ndarray) -> np.ndarray | None:
        return sigma if self.heteroscedastic else None

    def quantile(self, level: float, dof: int) -> float:
        law = stats.norm if self.absolute else stats.t(dof)
        return law.ppf((1 + level) / 2)


KNOWLEDGE = (
    Knowledge("absolute", heteroscedastic=True, factor=1.0, absolute=True),
    Knowledge("relative", heteroscedastic=True, factor=COMMON_FACTOR, absolute=False),
    Knowledge("unknown", heteroscedastic=False, factor=COMMON_FACTOR, absolute=False),
)


def count_hits(knowledge: Knowledge, n_samples: int, trials: int, seed: int) -> Counter:
    """Hits by (quantity, level) of `trials` independent data sets at the same x and σ."""
    rng = np.random.default_rng(seed)
    x, sigma = np.sort(rng.uniform(0, 10, n_samples)), knowledge.sigma(n_samples + 1, rng)
    hits: Counter = Counter()
    for _ in range(trials):
        noise = knowledge.factor * sigma * rng.standard_normal(n_samples + 1)
        hits.update(hits_of_one(knowledge, x, sigma, noise))
    return hits


def hits_of_one(knowledge: Knowledge, x: np.ndarray, sigma: np.ndarray, noise: np.ndarray) -> list:
    """What one data set hits; the last σ and noise are those of the new point."""
    from sklsq import WeightedLinearFit

    model = WeightedLinearFit(absolute_sigma=knowledge.absolute)
    model.fit(x[:, None], LINE[0] + LINE[1] * x + noise[:-1], sigma=knowledge.told(sigma[:-1]))
    new_x, new_sigma = np.array([[12.0]]), knowledge.told(sigma[-1:])
    line_there = LINE[0] + LINE[1] * new_x[0, 0]
    distance = np.abs(model.params_ - LINE) / model.params_std_
    hits = []
    for level in LEVELS:
        inside = distance <= knowledge.quantile(level, len(x) - 2)
        confidence = model.predict_interval(new_x, level=level)[0]
        prediction = model.predict_interval(new_x, level=level, kind="prediction", sigma=new_sigma)[
            0
        ]
        found = {
            "intercept": inside[0],
            "slope": inside[1],
            "confidence": confidence[0] <= line_there <= confidence[1],
            "prediction": prediction[0] <= line_there + noise[-1] <= prediction[1],
        }
        hits += [(quantity, level) for quantity, hit in found.items() if hit]
    return hits


def coverage_table(hits: Counter, trials: int) -> str:
    """A line for each quantity: the observed frequency and its z at every level."""
    header = ["", *(f"{level:g} ± {binomial_error(level, trials):.4f}" for level in LEVELS)]
    body = [
        [quantity, *(coverage_cell(hits[quantity, level], level, trials) for level in LEVELS)]
        for quantity in ("intercept", "slope", "confidence", "prediction")
    ]
    return markdown(header, body)


def binomial_error(level: float, trials: int) -> float:
    return np.sqrt(level * (1 - level) / trials)


def coverage_cell(hits: int, level: float, trials: int) -> str:
    observed = hits / trials
    z = (observed - level) / binomial_error(level, trials)
    return f"{observed:.4f} (z {z:+.1f}){' !' if abs(z) > LARGEST_Z else ''}"


def main() -> None:
    arguments = parser(__doc__, rounds=None, peers=False)
    arguments.add_argument("--sizes", type=sizes, default=[5, 50])
    arguments.add_argument("--trials", type=int, default=20_000)
    options = arguments.parse_args()
    try:
        import sklsq  # noqa: F401
    except ImportError as error:
        sys.exit(f"sklsq cannot be imported: {error}")
    warnings.simplefilter("ignore")
    with reporting(options):
        for knowledge in KNOWLEDGE:
            for seed, n_samples in enumerate(options.sizes):
                hits = count_hits(knowledge, n_samples, options.trials, seed)
                print(f"\n### σ {knowledge.name}, n = {n_samples}, {options.trials} data sets\n")
                print(coverage_table(hits, options.trials))


if __name__ == "__main__":
    main()
