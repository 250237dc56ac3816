import numpy as np
import pytest

from sklsq.models import FormulaModel, bind, linear_parameters
from tests.models.written import PROBLEMS, as_formula, as_function, points

X = np.linspace(0.1, 4, 25)[:, None]


def mask(function, samples):
    model = bind(function)
    names = np.array(model.parameter_names)
    return set(names[linear_parameters(model, X, np.array(samples, float))])


@pytest.mark.parametrize(
    ("function", "samples", "linear"),
    [
        (lambda x, a, b, c: a + b * np.exp(-c * x), [[1, 2, 0.5], [10, 0.1, 2]], {"a", "b"}),
        (lambda x, a, b: a * b * x, [[1, 2]], {"a"}),
        (lambda x, a, b: a * np.arctan(b * x), [[1, 1e9]], {"a"}),
        (lambda x, a, b: a * np.exp(-b * x), [[1, 1e5], [1, 3]], {"a"}),
        (lambda x, a, b: a + b**2 * x, [[1, 1e-6]], {"a"}),
        (lambda x, a, b: a * x + np.sin(1e-7 * b * x), [[1, 1]], {"a"}),
        (lambda x, a, b: a + 0 * b * x, [[1, 1]], {"a"}),
        (lambda x, a, b: a + b * np.abs(x - 1), [[0, 0], [1, 1]], {"a", "b"}),
        (lambda x, a, b: np.abs(a) * x + b, [[1, 1]], {"b"}),
        (lambda x, a, b, c: (a + b * x) / (1 + c * x), [[1, 2, 3]], {"a", "b"}),
    ],
)
def test_functions(function, samples, linear):
    assert mask(function, samples) == linear


@pytest.mark.parametrize("case", PROBLEMS, ids=str)
def test_functions_agree_with_formulas(case):
    formula = linear_parameters(as_formula(case), case.X, points(case))
    found = linear_parameters(as_function(case), case.X, points(case))
    assert found.tolist() == formula.tolist()


def test_function_that_is_nowhere_seen_to_change_is_not_linear():
    assert "b" not in mask(lambda x, a, b: a + np.exp(-b * x), [[1, 1e6]])


def test_larger_set_is_preferred():
    model = FormulaModel("a*(b + c*x + d*x**2)")
    assert linear_parameters(model, X, np.empty((0, 4))).tolist() == [False, True, True, True]
