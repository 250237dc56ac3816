"""Points of a line, or plane, measured with errors in all coordinates."""

from typing import NamedTuple

import numpy as np

from sklsq._typing import FloatArray

__all__ = ["Measured", "measured"]


class Measured(NamedTuple):
    """Points with the standard deviations they were drawn with."""

    X: FloatArray
    y: FloatArray
    sigma: FloatArray
    sigma_x: FloatArray
    corr_xy: FloatArray

    @property
    def errors(self) -> dict[str, FloatArray]:
        """Errors of independent coordinates, as arguments of a fit."""
        return {"sigma": self.sigma, "sigma_x": self.sigma_x}

    @property
    def correlated(self) -> dict[str, FloatArray]:
        """All that is known of the errors."""
        return {**self.errors, "corr_xy": self.corr_xy}


def measured(n: int = 20, p: int = 1, seed: int = 0, *, correlation: bool = False) -> Measured:
    """Points about ``1 + 2 x0 - x1 + 2 x2 ...``, the errors of y a fifth of its range at most."""
    rng = np.random.default_rng(seed)
    true = rng.uniform(0.0, 5.0, (n, p))
    sigma_x, sigma = rng.uniform(0.1, 0.4, (n, p)), rng.uniform(0.2, 0.8, n)
    corr_xy = rng.uniform(-0.9, 0.9, n) * correlation
    of_x, of_y = rng.normal(size=(n, p)), rng.normal(size=n)
    if correlation:
        of_y = corr_xy * of_x[:, 0] + np.sqrt(1.0 - corr_xy**2) * of_y
    slopes = np.where(np.arange(p) % 2, -1.0, 2.0)
    return Measured(
        true + sigma_x * of_x, 1.0 + true @ slopes + sigma * of_y, sigma, sigma_x, corr_xy
    )
