import numpy as np
import pytest

from sklsq.models import bind, formula_model
from sklsq.models.compiled import CompiledFormula

X = np.linspace(0.1, 2.0, 5_001)[:, None]
PARAMS = np.array([[1.0, 0.5], [2.0, 0.1], [3.0, -0.2]])


def _formula():
    return CompiledFormula(
        (0,),
        lambda x, a, k: [a * np.exp(-k * x)],
        lambda x, a, k: [a * np.exp(-k * x), np.exp(-k * x), -a * x * np.exp(-k * x)],
    )


def test_many_problems_are_the_single_ones():
    formula = _formula()
    values, derivatives = formula.linearise(X, PARAMS)
    np.testing.assert_array_equal(values, formula.evaluate(X, PARAMS))
    for p, value, rows in zip(PARAMS, values, derivatives, strict=True):
        alone, *slopes = formula.at(X)(*p)
        np.testing.assert_array_equal(value, alone)
        np.testing.assert_array_equal(rows, slopes)


def test_dual_numbers_stand_in_for_derivatives_that_are_too_long():
    formula = _formula()
    by_duals = CompiledFormula(formula.columns, formula.value, None)
    assert by_duals.at(X) is None
    for found, expected in zip(
        by_duals.linearise(X, PARAMS), formula.linearise(X, PARAMS), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-14)


@pytest.mark.parametrize(
    "model",
    [formula_model("a*exp(-k*x)", 1), bind(lambda x, a, k: a * np.exp(-k * x))],
    ids=["formula", "function"],
)
def test_models_offer_it(model):
    values, derivatives = model.linearise(X, PARAMS[:1])
    alone, *slopes = model.at(X, PARAMS[0])(*PARAMS[0])
    np.testing.assert_array_equal(values[0], alone)
    np.testing.assert_array_equal(derivatives[0], slopes)


def test_a_function_that_is_no_formula_does_not():
    model = bind(lambda x, a, k: np.where(x > 1.0, a, k))
    assert model.at(X, PARAMS[0]) is None


@pytest.mark.parametrize(
    ("source", "params"),
    [
        ("x*(1/a) + k", (0.0, 1.0)),
        ("x*a**0.5 + abs(a**k)", (-1.0, 0.5)),
        ("x*10**a + k", (400.0, 1.0)),
        ("x*a**20 + k", (1e100, 1.0)),
        ("x*a**-1 + k", (0.0, 1.0)),
        ("x*(k/a)**2 + exp(a)", (0.0, 0.0)),
    ],
)
def test_python_floats_divide_and_raise_as_numbers_of_numpy_do(source, params):
    """Python raises errors there, or goes on with complex numbers."""
    for model in (
        formula_model(source, 1),
        bind(eval(f"lambda x, a, k: {source}", {"exp": np.exp})),
    ):
        start, at = np.array(params), model.at(X, np.array([1.0, 1.0]))
        values, derivatives = model.linearise(X, start[None])
        with np.errstate(all="ignore"):
            alone, *slopes = at(*start.tolist())
        np.testing.assert_array_equal(values[0], np.broadcast_to(alone, len(X)))
        for row, slope in zip(derivatives[0], slopes, strict=True):
            np.testing.assert_array_equal(row, np.broadcast_to(slope, len(X)))
