"""What a fit returns to the benchmarks, and how many of its digits are correct."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Answer:
    """Parameters and standard errors; None where a method does not give them."""

    params: np.ndarray | None
    std: np.ndarray | None = None


def correct_digits(estimate: np.ndarray | None, reference: np.ndarray | None) -> float:
    """Correct significant digits of the worst entry, 0 to 16; absolute digits where the reference
    is zero.
    """
    if estimate is None or reference is None:
        return float("nan")
    estimate, reference = np.ravel(estimate), np.ravel(reference)
    if estimate.shape != reference.shape or not np.all(np.isfinite(estimate)):
        return 0.0
    scale = np.where(reference == 0, 1.0, np.abs(reference))
    worst = float(np.max(np.abs(estimate - reference) / scale))
    return 16.0 if worst == 0 else min(16.0, max(0.0, -np.log10(worst)))
