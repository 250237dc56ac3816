"""Least squares for people who measure things: error bars in, error bars out, inside scikit-learn."""

from sklsq import basis, datasets
from sklsq.estimators.design_matrix import DesignMatrixRegressor
from sklsq.estimators.weighted_linear import WeightedLinearFit
from sklsq.exceptions import DegreesOfFreedomWarning, RankWarning, UnweightedScoreWarning

__all__ = [
    "DegreesOfFreedomWarning",
    "DesignMatrixRegressor",
    "RankWarning",
    "UnweightedScoreWarning",
    "WeightedLinearFit",
    "basis",
    "datasets",
]
