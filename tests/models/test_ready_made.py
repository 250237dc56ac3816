import pickle

import mpmath
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import voigt_profile

from sklsq import models
from sklsq.expression import parse
from sklsq.models import Gaussian, Line, PolynomialModel
from sklsq.models.ready_made import ReadyMade, condense
from tests.models.simulated import NAMES, abscissa, chi2_from, curve, draw, make, mpmath_model

A_FEW_ROUNDINGS = 1e-12  # of the largest value
N_CURVES = 20

by_name = pytest.mark.parametrize("name", NAMES)


def test_every_model_is_simulated():
    ready = [
        name
        for name in models.__all__
        if isinstance(entry := getattr(models, name), type) and issubclass(entry, ReadyMade)
    ]
    assert sorted(set(ready) - {"MicMen"}) == NAMES


@by_name
def test_values_and_derivatives_by_mpmath(name):
    model, function = make(name), mpmath_model(name)
    params = draw(name, np.random.default_rng(3))
    x = abscissa(name, 5)
    (values,), (derivatives,) = model.linearise(x[:, None], params[None])
    with mpmath.workdps(40):
        point = [mpmath.mpf(p) for p in params]
        exact = [function(mpmath.mpf(each), *point) for each in x]
        exact_derivatives = [
            [
                mpmath.diff(
                    lambda t, i=i, each=each: function(
                        mpmath.mpf(each), *point[:i], t, *point[i + 1 :]
                    ),
                    point[i],
                )
                for each in x
            ]
            for i in range(len(point))
        ]
    np.testing.assert_allclose(values, np.array(exact, float), rtol=0, atol=1e-13 * _size(values))
    for row, exact_row in zip(derivatives, np.array(exact_derivatives, float), strict=True):
        np.testing.assert_allclose(row, exact_row, rtol=0, atol=A_FEW_ROUNDINGS * _size(exact_row))
    np.testing.assert_array_equal(values, model.evaluate(x[:, None], params[None])[0])


def _size(row):
    return np.abs(row).max() or 1.0


@by_name
def test_candidates_lead_to_the_truth_on_any_scale(name):
    """At least 95 % of the curves, fitted from the first candidate, reach the best chi2 known."""
    model, successes = make(name), 0
    for seed in range(N_CURVES):
        X, y, sigma = curve([(model, name)], np.random.default_rng(seed))
        start = model.candidates(X, y)[0]
        # chi2 of a curve well described: within 5 standard deviations of its expectation
        successes += chi2_from(model, start, X, y, sigma) < len(y) + 5 * np.sqrt(2 * len(y))
    assert successes >= 0.95 * N_CURVES


@by_name
def test_candidates_of_poor_data(name):
    model = make(name)
    x = np.array([1.0, 2.0, 4.0])
    for X, y in [
        (x[:1], x[:1]),
        (x, 0 * x),
        (x, 0 * x + 7),
        (0 * x + 3, x),
        (0 * x, x),
        (x, np.array([1.0, np.nan, 2.0])),
        (-x, x),
        (1e300 * x, 1e-300 * x),
    ]:
        copies = X.copy(), y.copy()
        found = model.candidates(X[:, None], y)
        assert found is None or np.isfinite(found).all()
        np.testing.assert_array_equal(X, copies[0])
        np.testing.assert_array_equal(y, copies[1])
    assert model.candidates(np.empty((0, 1)), np.empty(0)) is None


@by_name
def test_value_semantics(name):
    model = make(name)
    copy = pickle.loads(pickle.dumps(model))
    assert copy == model
    assert hash(copy) == hash(model)
    assert eval(repr(model), vars(models)) == model
    arguments = [2] if name == "PolynomialModel" else []
    prefixed = type(model)(*arguments, prefix="a_")
    assert prefixed != model
    assert eval(repr(prefixed), vars(models)) == prefixed
    assert prefixed.parameter_names == tuple(f"a_{n}" for n in model.parameter_names)
    assert (pickle.loads(pickle.dumps(prefixed))).parameter_names == prefixed.parameter_names


@by_name
def test_derived_quantities_are_formulas_of_the_parameters(name):
    model = make(name)
    for text in model.derived.values():
        assert set(parse(text).names) <= set(model.base_names)


@pytest.mark.parametrize("name", ["Gaussian", "Lorentzian", "PseudoVoigt", "SkewedGaussian"])
def test_area(name):
    model = make(name)
    params = np.array([1.7, 0.3, 0.8, 0.4])[: len(model.parameter_names)]
    area = parse(model.derived["area"]).evaluate(dict(zip(model.base_names, params, strict=True)))
    integral, _ = quad(
        lambda x: model.evaluate(np.array([[x]]), params[None])[0, 0], -np.inf, np.inf
    )
    assert area == pytest.approx(integral, rel=1e-7)


@pytest.mark.parametrize("name", ["Gaussian", "Lorentzian", "Voigt"])
def test_fwhm(name):
    model = make(name)
    params = np.array([1.7, 0.3, 0.8, 0.4])[: len(model.parameter_names)]
    fwhm = parse(model.derived["fwhm"]).evaluate(dict(zip(model.base_names, params, strict=True)))
    top, side = model.evaluate(np.array([[0.3], [0.3 + fwhm / 2]]), params[None])[0]
    assert side / top == pytest.approx(0.5, rel=1e-3)


def test_voigt_is_that_of_scipy_and_even_in_its_widths():
    x = np.linspace(-4, 4, 9)
    expected = 2 * voigt_profile(x - 0.5, 0.7, 0.3)
    signs = np.array([[2, 0.5, 0.7, 0.3], [2, 0.5, -0.7, -0.3]])
    values = models.Voigt().evaluate(x[:, None], signs)
    np.testing.assert_allclose(values, [expected, expected], rtol=1e-13)


def test_candidates_keep_up_with_many_points():
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 1, 50_000)
    y = 3 * np.exp(-(((x - 0.613) / 0.01) ** 2) / 2) + rng.normal(0, 0.1, len(x))
    _, center, sigma = Gaussian().candidates(x[:, None], y)[0]
    assert abs(center - 0.613) < 0.01
    assert 0.003 < sigma < 0.03


def test_names_of_r():
    assert models.MicMen is models.MichaelisMenten
    assert models.MicMen().parameter_names == ("Vm", "K")


def test_condense():
    x, y = condense(np.array([3.0, 1.0, np.nan, 2.0]), np.array([30.0, 10.0, 0.0, np.inf]))
    assert (x.tolist(), y.tolist()) == ([1, 3], [10, 30])
    x, y = condense(np.arange(10.0), 2 * np.arange(10.0), most=5)
    assert (x.tolist(), y.tolist()) == ([0.5, 2.5, 4.5, 6.5, 8.5], [1, 5, 9, 13, 17])


def test_refused():
    with pytest.raises(ValueError, match=r"`prefix` must be the beginning of a name\. Got '1-'"):
        Line(prefix="1-")
    with pytest.raises(ValueError, match=r"`degree` must be from 0 to 30\. Got -1"):
        PolynomialModel(-1)
    with pytest.raises(TypeError, match=r"`degree` must be an integer\. Got 2.0"):
        PolynomialModel(2.0)
