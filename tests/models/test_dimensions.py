import numpy as np
import pytest

from sklsq.models import FormulaModel, bind, parameter_dimensions

X = np.linspace(0.3, 4, 30)[:, None]


def samples(n_parameters):
    return np.random.default_rng(0).uniform(0.5, 2, size=(12, n_parameters))


@pytest.mark.parametrize(
    ("source", "exponents"),
    [
        ("a*exp(-((x - c)/d)**2) + e + f*x", [0, 1, 1, 0, -1]),
        ("a*exp(-k*x)*sin(w*x + p)", [0, -1, -1, 0]),
        ("(a + b*x + c*x**2)/(1 + d*x + e*x**2)", [0, -1, -2, -1, -2]),
        ("a*sqrt(x) + b", [-0.5, 0]),
        ("v*x**n/(k**n + x**n)", [0, 0, 1]),
    ],
)
def test_exponents(source, exponents):
    model = FormulaModel(source)
    found = parameter_dimensions(model, X, samples(len(exponents)))
    np.testing.assert_array_equal(found, [exponents])


def test_several_features():
    wide = np.random.default_rng(1).uniform(0.5, 2, size=(30, 2))
    model = bind(lambda x, t, a, v, d: a * np.exp(-(((x - v * t) / d) ** 2)), ["x", "t"])
    found = parameter_dimensions(model, wide, samples(3))
    np.testing.assert_array_equal(found, [[0, 1, 1], [0, -1, 0]])


@pytest.mark.parametrize("source", ["a*x**n", "a*exp(-x/b) + sin(x/12)", "a + log(x)*b*x + c*x"])
def test_no_exponents(source):
    model = FormulaModel(source)
    assert parameter_dimensions(model, X, samples(len(model.parameter_names))) is None


def test_poor_data():
    model = FormulaModel("a*exp(-k*x)")
    assert parameter_dimensions(model, np.empty((0, 1)), samples(2)) is None
    assert parameter_dimensions(model, np.full((3, 1), np.nan), samples(2)) is None
    assert parameter_dimensions(model, X, 1e300 * samples(2)) is None
    outside = np.arange(30.0)
    entangled = bind(lambda x, a, k: a * np.exp(-k * x) * outside)
    assert parameter_dimensions(entangled, X, samples(2)) is None
