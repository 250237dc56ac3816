"""Agreement of predictions with measurements in units of their errors, and scorers for searches."""

from sklsq.metrics.agreement import chi2_score, interval_coverage, pulls, reduced_chi2_score
from sklsq.metrics.scorers import (
    LegacyScorer,
    Scorer,
    get_scorer,
    get_scorer_names,
    legacy_scorer,
)

__all__ = [
    "LegacyScorer",
    "Scorer",
    "chi2_score",
    "get_scorer",
    "get_scorer_names",
    "interval_coverage",
    "legacy_scorer",
    "pulls",
    "reduced_chi2_score",
]
