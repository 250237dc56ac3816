"""The nonlinear problems of NIST as formulas and as Python functions of the same text."""

import numpy as np

from sklsq.models import FormulaModel, bind
from tests.known_answers import records

NAMES = ("arctan", "cos", "exp", "log", "log10", "pi", "sin", "sqrt")
PROBLEMS = records(task="nonlinear")


def as_formula(case):
    return FormulaModel(case.raw["expr"], case.features, case.parameters)


def as_function(case, **options):
    arguments = ", ".join([*case.features, *case.parameters])
    namespace = {name: getattr(np, name) for name in NAMES}
    function = eval(f"lambda {arguments}: {case.raw['expr']}", namespace)
    return bind(function, case.features, len(case.features), len(case.parameters), **options)


def points(case):
    """Both starts of the source and the answer."""
    return np.array([*case.starts, case.reference["coef"]])
