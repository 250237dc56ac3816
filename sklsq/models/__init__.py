"""Models y = f(x; p) of nonlinear fits: formulas, functions, and ready-made ones that guess.

The rooms: `model` (what a fit expects), `formula`, `function` and `signature` (what a user wrote),
`dual` and `differences` (derivatives of functions), `peaks`, `decays`, `sigmoids`, `oscillations`
and `polynomials` (ready-made), `composite` (sums), `candidates`, `projection`, `linearity` and
`dimensions` (what starting values need to know).
"""

from sklsq.models.candidates import generic_candidates, nonlinear_candidates
from sklsq.models.composite import CompositeModel
from sklsq.models.decays import (
    Arrhenius,
    Asymptotic,
    AsymptoticOffset,
    AsymptoticOrigin,
    BiExponential,
    Exponential,
    PowerLaw,
    StretchedExponential,
)
from sklsq.models.dimensions import parameter_dimensions
from sklsq.models.formula import FormulaModel, formula_model
from sklsq.models.function import FunctionModel
from sklsq.models.linearity import linear_parameters
from sklsq.models.model import Model
from sklsq.models.oscillations import DampedSine, Sine
from sklsq.models.peaks import Gaussian, Lorentzian, PseudoVoigt, SkewedGaussian, Voigt
from sklsq.models.polynomials import Constant, Line, PolynomialModel
from sklsq.models.sigmoids import (
    FourParameterLogistic,
    Gompertz,
    Hill,
    Langmuir,
    Logistic,
    Logistic4,
    Logistic5,
    MichaelisMenten,
    MicMen,
    Weibull,
)
from sklsq.models.signature import bind

__all__ = [
    "Arrhenius",
    "Asymptotic",
    "AsymptoticOffset",
    "AsymptoticOrigin",
    "BiExponential",
    "CompositeModel",
    "Constant",
    "DampedSine",
    "Exponential",
    "FormulaModel",
    "FourParameterLogistic",
    "FunctionModel",
    "Gaussian",
    "Gompertz",
    "Hill",
    "Langmuir",
    "Line",
    "Logistic",
    "Logistic4",
    "Logistic5",
    "Lorentzian",
    "MicMen",
    "MichaelisMenten",
    "Model",
    "PolynomialModel",
    "PowerLaw",
    "PseudoVoigt",
    "Sine",
    "SkewedGaussian",
    "StretchedExponential",
    "Voigt",
    "Weibull",
    "bind",
    "formula_model",
    "generic_candidates",
    "linear_parameters",
    "nonlinear_candidates",
    "parameter_dimensions",
]
