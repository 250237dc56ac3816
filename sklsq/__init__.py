"""Least squares for people who measure things: error bars in, error bars out."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sklsq import basis, datasets, metrics, models
    from sklsq.diagnostics import residual_diagnostics
    from sklsq.display import ContourDisplay, CorrelationDisplay, FitDisplay, ResidualsDisplay
    from sklsq.estimators.design_matrix import DesignMatrixRegressor
    from sklsq.estimators.grouped import fit_groups
    from sklsq.estimators.linearized import LinearizedRegressor
    from sklsq.estimators.nonlinear import NonlinearLSQ
    from sklsq.estimators.orthogonal import OrthogonalRegression
    from sklsq.estimators.sigma_clipped import SigmaClippedRegressor
    from sklsq.estimators.weighted_linear import WeightedLinearFit
    from sklsq.exceptions import (
        BoundWarning,
        DegreesOfFreedomWarning,
        ExtrapolationWarning,
        RankWarning,
        UnweightedScoreWarning,
    )
    from sklsq.inference.comparison import compare_models
    from sklsq.inference.confidence import confidence_intervals
    from sklsq.inference.contours import chi2_contour
    from sklsq.inference.design import expected_covariance, next_points
    from sklsq.inference.leave_one_out import leave_one_out
    from sklsq.inference.propagation import propagate

__all__ = [
    "BoundWarning",
    "ContourDisplay",
    "CorrelationDisplay",
    "DegreesOfFreedomWarning",
    "DesignMatrixRegressor",
    "ExtrapolationWarning",
    "FitDisplay",
    "LinearizedRegressor",
    "NonlinearLSQ",
    "OrthogonalRegression",
    "RankWarning",
    "ResidualsDisplay",
    "SigmaClippedRegressor",
    "UnweightedScoreWarning",
    "WeightedLinearFit",
    "basis",
    "chi2_contour",
    "compare_models",
    "confidence_intervals",
    "datasets",
    "expected_covariance",
    "fit_groups",
    "leave_one_out",
    "metrics",
    "models",
    "next_points",
    "propagate",
    "residual_diagnostics",
]

# Where each name lives. Imported when first asked for: `import sklsq` itself costs next to nothing.
_HOMES = {
    "BoundWarning": "exceptions",
    "ContourDisplay": "display",
    "CorrelationDisplay": "display",
    "DegreesOfFreedomWarning": "exceptions",
    "DesignMatrixRegressor": "estimators.design_matrix",
    "ExtrapolationWarning": "exceptions",
    "FitDisplay": "display",
    "LinearizedRegressor": "estimators.linearized",
    "NonlinearLSQ": "estimators.nonlinear",
    "OrthogonalRegression": "estimators.orthogonal",
    "RankWarning": "exceptions",
    "ResidualsDisplay": "display",
    "SigmaClippedRegressor": "estimators.sigma_clipped",
    "UnweightedScoreWarning": "exceptions",
    "WeightedLinearFit": "estimators.weighted_linear",
    "basis": None,
    "chi2_contour": "inference.contours",
    "compare_models": "inference.comparison",
    "confidence_intervals": "inference.confidence",
    "datasets": None,
    "expected_covariance": "inference.design",
    "fit_groups": "estimators.grouped",
    "leave_one_out": "inference.leave_one_out",
    "metrics": None,
    "models": None,
    "next_points": "inference.design",
    "propagate": "inference.propagation",
    "residual_diagnostics": "diagnostics",
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
