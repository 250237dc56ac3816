import numpy as np
import pytest

from sklsq import models
from sklsq.models import (
    Constant,
    FormulaModel,
    Gaussian,
    Line,
    Voigt,
    bind,
    linear_parameters,
    parameter_dimensions,
)
from sklsq.models.separation import separation
from tests.models.simulated import NAMES, make
from tests.models.written import PROBLEMS, as_formula, as_function, points

X = np.linspace(0.1, 4.0, 25)[:, None]
A_FEW_ROUNDINGS = 1e-13
SCALE = 2.0


def peak(x, a, b, c, d):
    return a + b * np.exp(-(((x - c) / d) ** 2))


def scaled(x, a, k):
    return SCALE * a * np.exp(-k * x)


class TestWhatIsLinear:
    @pytest.mark.parametrize("case", PROBLEMS, ids=str)
    def test_as_tried_on_the_data(self, case):
        tried = linear_parameters(as_function(case), case.X, points(case))
        for model in (as_formula(case), as_function(case)):
            assert separation(model, case.X).is_linear.tolist() == tried.tolist()

    @pytest.mark.parametrize("name", sorted(set(NAMES) - {"Voigt"}))
    def test_as_ready_made_models_say(self, name):
        model = make(name)
        assert separation(model, X).is_linear.tolist() == model.is_linear.tolist()

    def test_of_sums(self):
        model = Gaussian() + Gaussian() + Line() + FormulaModel("q*exp(-r*x)")
        parts = separation(model, X)
        expected = [
            name.endswith(("height", "q", "intercept", "slope")) for name in model.parameter_names
        ]
        assert parts.is_linear.tolist() == expected
        fixed = [name in ("intercept", "slope") for name in model.parameter_names]
        assert parts.is_column_fixed.tolist() == fixed

    def test_what_does_not_move_the_model_is_not(self):
        assert separation(bind(lambda x, a, b: a * x + 0 * b), X).is_linear.tolist() == [
            True,
            False,
        ]


@pytest.mark.parametrize(
    "model",
    [
        bind(peak),
        bind(lambda x, p: p[0] + p[1] * np.exp(-(((x - p[2]) / p[3]) ** 2)), None, 1, 4),
        Gaussian() + Constant(),
        FormulaModel("a*x + sin(b*x)"),
        FormulaModel("exp(-b*x)"),
    ],
    ids=["function", "vector", "sum", "with a rest", "nothing linear"],
)
def test_columns_are_the_derivatives_with_linear_parameters_at_zero(model):
    params = np.random.default_rng(0).uniform(0.5, 2.0, (7, len(model.parameter_names)))
    parts = separation(model, X)
    params[:, parts.is_linear] = 0.0
    values, slopes = model.linearise(X, params)
    found = parts.run(*(X[:, j] for j in parts.columns), *params.T[:, :, None])
    assert parts.has_rest == values.any()
    expected = [values] if parts.has_rest else []
    expected += list(slopes.swapaxes(0, 1)[parts.is_linear])
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(np.broadcast_to(one, other.shape), other, A_FEW_ROUNDINGS)


@pytest.mark.parametrize(
    ("model", "dimensions"),
    [
        (bind(peak), [0, 0, 1, 1]),
        (bind(scaled), [0, -1]),
        (FormulaModel("a*x**b"), None),
        (FormulaModel("a*exp(-x/12)"), None),
    ],
)
def test_dimensions(model, dimensions):
    found = separation(model, X).dimensions
    if dimensions is None:
        assert found is None
    else:
        np.testing.assert_array_equal(found, [dimensions])
        probes = np.random.default_rng(1).uniform(0.5, 2.0, (12, len(model.parameter_names)))
        np.testing.assert_array_equal(found, parameter_dimensions(model, X, probes))


@pytest.mark.parametrize(
    "model",
    [
        bind(lambda x, a, b: np.where(x > 1, a, b)),
        bind(peak, jac="2-point"),
        Voigt(),
        Voigt() + Constant(),
    ],
    ids=["chooses", "differences", "special function", "in a sum"],
)
def test_what_is_no_formula(model):
    assert separation(model, X) is None


class TestMemory:
    def test_once_for_each_function(self):
        assert separation(bind(peak), X) is separation(bind(peak), X[:3])
        assert separation(Gaussian(), X) is separation(Gaussian(), X)

    def test_a_number_from_outside_that_changes(self):
        global SCALE
        before = separation(bind(scaled), X).run(X[:, 0], 0.0, 1.0)
        SCALE = 3.0
        after = separation(bind(scaled), X).run(X[:, 0], 0.0, 1.0)
        SCALE = 2.0
        np.testing.assert_allclose(after[-1], 1.5 * before[-1], A_FEW_ROUNDINGS)

    def test_closures(self):
        def times(factor):
            return bind(lambda x, a, k: factor * a * np.exp(-k * x))

        first, second = (separation(times(f), X).run(X[:, 0], 0.0, 1.0)[-1] for f in (1.0, 2.0))
        np.testing.assert_allclose(second, 2.0 * first, A_FEW_ROUNDINGS)


def test_every_ready_made_model_but_voigt_is_a_formula():
    assert [name for name in NAMES if separation(make(name), X) is None] == ["Voigt"]
    assert separation(models.PolynomialModel(2), X).is_column_fixed.all()
