import numpy as np
import pytest

from sklsq.models.factored_rows import factored_rows
from sklsq.models.formula import FormulaModel
from sklsq.models.function import FunctionModel

ROUNDING = 1e-13  # of a few operations in another order
X = np.linspace(0.3, 2.0, 7)[:, None]
PARAMS = np.random.default_rng(0).uniform(0.5, 1.5, (6, 5))
Y = np.random.default_rng(1).normal(size=(6, 7))
FORMULAS = [
    "a + b*exp(-((x - c)/d)**2)",
    "a*exp(-b*x) + c*exp(-d*x)",
    "a*exp(-b*x) + c",
    "a*x + b",
    "a*b + c*x",
    "a*b*x",
    "a/(b + c*x**3) - d*x",
    "a*x**b + c*log(x)",
    "sqrt(a*x + b)*sin(c*x + d)/x",
    "a*tanh(b*(x - c))**2/d",
    "arctan((x - a)/b)*c + 1/(x*d)",
    "a*exp(-b*x)*cos(c*x + d) + e",
    "(a/x)/(b/x + c)*(-d)",
    "x*a**3/b**2 + a**2.5*b",
    "a",
]


def rows_of(model, params, slopes=None):
    """All rows (k + 1, B, n), factors multiplied, and the rows themselves."""
    m = len(model.parameter_names)
    slopes = range(m) if slopes is None else slopes
    made = factored_rows(model.at(X, params[0]), m, slopes)
    k, B, n = len(slopes), len(params), len(X)
    rows, spare = np.full((k + 1, B, n), np.nan), np.full((made.n_temporary, B, n), np.nan)
    for i, row in made.fixed.items():
        rows[i] = row
    values, factors = made.of_curves(params), np.ones((k + 1, B))
    made.factors(values, factors[:-1])
    for part in (slice(0, 4), slice(4, B)):  # tiles
        made.fill(values, part, Y[part], rows[:, part], spare[:, part])
    return rows * factors[:, :, None], made


@pytest.mark.parametrize("text", FORMULAS)
def test_rows_are_the_derivatives_and_what_is_left_of_y(text):
    model = FormulaModel(text)
    params = PARAMS[:, : len(model.parameter_names)]
    values, J = model.linearise(X, params)
    rows, _ = rows_of(model, params)
    np.testing.assert_allclose(rows[:-1].swapaxes(0, 1), J, rtol=ROUNDING, atol=ROUNDING)
    np.testing.assert_allclose(rows[-1], Y - values, rtol=ROUNDING, atol=ROUNDING)


def test_some_of_the_derivatives():
    model = FormulaModel(FORMULAS[0])
    _, J = model.linearise(X, PARAMS[:, :4])
    rows, _ = rows_of(model, PARAMS[:, :4], [3, 0])
    np.testing.assert_allclose(rows[:-1].swapaxes(0, 1), J[:, [3, 0]], rtol=ROUNDING)


def test_rows_that_are_the_same_for_all_curves_are_not_written():
    _, made = rows_of(FormulaModel("a*x + b + c*log(x)"), PARAMS[:, :3])
    np.testing.assert_array_equal(made.fixed[0], X[:, 0])
    assert made.fixed[1] == 1.0
    np.testing.assert_allclose(made.fixed[2], np.log(X[:, 0]))


def test_equal_rows_are_computed_once():
    rows, made = rows_of(FormulaModel("a*b*exp(-c*x)"), PARAMS[:, :3])
    assert made.n_temporary <= 2
    np.testing.assert_allclose(rows[0] * PARAMS[:, :1], rows[1] * PARAMS[:, 1:2])


def test_a_function_as_well():
    def model(x, a, b, c):
        u = (x - a) / b
        return c / (1.0 + u * u) + np.log(2.0 + x)

    made = FunctionModel(model, ["a", "b", "c"])
    values, J = made.linearise(X, PARAMS[:, :3])
    rows, _ = rows_of(made, PARAMS[:, :3])
    np.testing.assert_allclose(rows[:-1].swapaxes(0, 1), J, rtol=ROUNDING)
    np.testing.assert_allclose(rows[-1], Y - values, rtol=1e-12)


def test_what_cannot_be_recorded():
    assert factored_rows(lambda a: [np.add.reduce(a), 1.0], 1, [0]) is None
    assert factored_rows(lambda a: [np.modf(a)[0], 1.0], 1, [0]) is None
