"""Fits with a curved χ², and χ² minimised over all but some parameters by another program."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import least_squares

from sklsq import NonlinearLSQ, datasets
from tests.known_answers import record

__all__ = ["CASES", "Curved"]


@dataclass(frozen=True)
class Curved:
    """A model with data."""

    formula: str
    X: Any
    y: Any
    sigma: Any = None

    @property
    def estimator(self):
        return NonlinearLSQ(self.formula)

    def pulls(self, params):
        """Residuals over sigma, by numpy alone."""
        values = {"x": np.asarray(self.X)[:, 0], **params}
        fitted = eval(self.formula, {"exp": np.exp, "__builtins__": {}}, values)
        return (np.asarray(self.y) - fitted) / (1.0 if self.sigma is None else self.sigma)

    def chi2_with(self, held, start):
        """χ² minimised over what is not in `held`, from `start`, by scipy."""
        names = [name for name in start if name not in held]
        if not names:
            return float(np.sum(self.pulls(held) ** 2))
        best = least_squares(
            lambda free: self.pulls(dict(zip(names, free, strict=True)) | held),
            [start[name] for name in names],
            x_scale=[abs(start[name]) for name in names],
            ftol=1e-14,
            xtol=1e-14,
            gtol=1e-14,
        )
        return 2.0 * best.cost


def _puromycin():
    data = datasets.load_puromycin().frame
    treated = data[data["state"] == "treated"]
    return treated[["concentration"]].set_axis(["x"], axis=1), treated["rate"].astype(float)


def _gaussian():
    data = datasets.load_gaussian_peak()
    return data.X, data.y_values


def _certified(name):
    case = record(name)
    return case.X, case.y


def _box_bod():
    """Box, Hunter & Hunter (1978), *Statistics for Experimenters*, 483: NIST's BoxBOD."""
    table = np.array([[1, 109], [2, 149], [3, 149], [5, 191], [7, 213], [10, 224]], dtype=float)
    return table[:, :1], table[:, 1]


CASES = {
    "puromycin": Curved("Vm*x/(K + x)", *_puromycin()),
    "gaussian": Curved("p1 + p2*exp(-((x - p3)/p4)**2)", *_gaussian()),
    "gaussian, sigma": Curved("p1 + p2*exp(-((x - p3)/p4)**2)", *_gaussian(), 0.25),
    "misra1a": Curved("b1*(1 - exp(-b2*x))", *_certified("nist_Misra1a")),
    "boxbod": Curved("b1*(1 - exp(-b2*x))", *_box_bod()),
}
