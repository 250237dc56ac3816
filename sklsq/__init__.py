"""Least squares for people who measure things: error bars in, error bars out."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sklsq import basis, datasets, models
    from sklsq.display import FitDisplay
    from sklsq.estimators.design_matrix import DesignMatrixRegressor
    from sklsq.estimators.nonlinear import NonlinearLSQ
    from sklsq.estimators.orthogonal import OrthogonalRegression
    from sklsq.estimators.weighted_linear import WeightedLinearFit
    from sklsq.exceptions import (
        BoundWarning,
        DegreesOfFreedomWarning,
        RankWarning,
        UnweightedScoreWarning,
    )

__all__ = [
    "BoundWarning",
    "DegreesOfFreedomWarning",
    "DesignMatrixRegressor",
    "FitDisplay",
    "NonlinearLSQ",
    "OrthogonalRegression",
    "RankWarning",
    "UnweightedScoreWarning",
    "WeightedLinearFit",
    "basis",
    "datasets",
    "models",
]

# Where each name lives. Imported when first asked for: `import sklsq` itself costs next to nothing.
_HOMES = {
    "BoundWarning": "exceptions",
    "DegreesOfFreedomWarning": "exceptions",
    "DesignMatrixRegressor": "estimators.design_matrix",
    "FitDisplay": "display",
    "NonlinearLSQ": "estimators.nonlinear",
    "OrthogonalRegression": "estimators.orthogonal",
    "RankWarning": "exceptions",
    "UnweightedScoreWarning": "exceptions",
    "WeightedLinearFit": "estimators.weighted_linear",
    "basis": None,
    "datasets": None,
    "models": None,
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOMES[name]
    if home is None:
        return import_module(f"{__name__}.{name}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
