import pickle

import numpy as np
import pytest

from sklsq.models import (
    CompositeModel,
    Constant,
    DampedSine,
    Exponential,
    FormulaModel,
    Gaussian,
    Line,
    Lorentzian,
    PolynomialModel,
    Sine,
    Voigt,
    bind,
)
from tests.models.simulated import chi2_from, curve, make


def gauss(x, h, c, s):
    return h * np.exp(-(((x - c) / s) ** 2) / 2)


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (Gaussian() + Line(), "height center sigma intercept slope"),
        (
            Gaussian() + Gaussian() + Constant(),
            "gaussian1_height gaussian1_center gaussian1_sigma "
            "gaussian2_height gaussian2_center gaussian2_sigma constant",
        ),
        (
            Gaussian() + Lorentzian(),
            "gaussian_height gaussian_center gaussian_sigma "
            "lorentzian_height lorentzian_center lorentzian_gamma",
        ),
        (
            Gaussian(prefix="g_") + Gaussian(prefix="h_") + PolynomialModel(1),
            "g_height g_center g_sigma h_height h_center h_sigma c0 c1",
        ),
        (FormulaModel("a*x + c") + (Constant() + Constant(prefix="d_")), "a c constant d_constant"),
    ],
)
def test_names(model, names):
    assert model.parameter_names == tuple(names.split())


def test_is_the_sum():
    rng = np.random.default_rng(0)
    X, params = rng.normal(size=(40, 1)), rng.uniform(0.5, 2, size=(7, 9))
    parts = [Voigt(), bind(gauss), FormulaModel("a + b*x", ["x"])]
    model = parts[0] + parts[1] + parts[2]
    values, derivatives = model.linearise(X, params)
    pieces = [
        part.linearise(X, params[:, columns])
        for part, columns in zip(parts, [slice(0, 4), slice(4, 7), slice(7, 9)], strict=True)
    ]
    np.testing.assert_allclose(values, sum(piece[0] for piece in pieces), rtol=1e-14)
    np.testing.assert_array_equal(
        derivatives, np.concatenate([piece[1] for piece in pieces], axis=1)
    )
    np.testing.assert_allclose(model.evaluate(X, params), values, rtol=1e-14)
    assert model.n_features == 1
    assert model.is_pointwise(X, params)
    assert model.is_linear is None
    assert model.candidates(X, values[0]) is None


def test_value_semantics():
    model = Gaussian() + Line()
    assert repr(model) == "Gaussian() + Line()"
    copy = pickle.loads(pickle.dumps(model))
    assert copy == model == CompositeModel([Gaussian(), Line()])
    assert hash(copy) == hash(model)
    assert model != Line() + Gaussian()


def test_linear_parameters():
    mask = (Gaussian() + FormulaModel("a*x + b") + Voigt()).is_linear
    assert mask.astype(int).tolist() == [1, 0, 0, 1, 1, 1, 0, 0, 0]


@pytest.mark.parametrize(
    "parts",
    [
        ["Gaussian", "Constant"],
        ["Gaussian", "Line"],
        ["Exponential", "Constant"],
        ["Sine", "Line"],
        ["Lorentzian", "PolynomialModel"],
    ],
    ids="+".join,
)
def test_candidates_lead_to_the_truth(parts):
    model = CompositeModel([make(name) for name in parts])
    named = list(zip(model.parts, parts, strict=True))
    for seed in range(10):
        X, y, sigma = curve(named, np.random.default_rng(seed), noise=0.03)
        start = model.candidates(X, y)[0]
        assert chi2_from(model, start, X, y, sigma) < len(y) + 5 * np.sqrt(2 * len(y))


@pytest.mark.parametrize("seed", range(3))
def test_three_peaks_on_a_slope(seed):
    rng = np.random.default_rng(seed)
    x = np.linspace(0, 100, 150)
    heights, centers = rng.uniform(3, 6, 3), np.array([20, 50, 80]) + rng.uniform(-8, 8, 3)
    y = 2 + 0.05 * x + rng.normal(0, 0.15, len(x))
    y += sum(gauss(x, *each) for each in zip(heights, centers, rng.uniform(3, 8, 3), strict=True))
    model = Gaussian() + Gaussian() + Gaussian() + Line()
    start = model.candidates(x[:, None], y)[0]
    assert chi2_from(model, start, x[:, None], y, 0.15) < 150 + 5 * np.sqrt(300)


def test_poor_data():
    model = Gaussian() + Exponential() + Sine()
    for X, y in [(np.ones((3, 1)), np.ones(3)), (np.arange(4.0)[:, None], np.zeros(4))]:
        found = model.candidates(X, y)
        assert found is None or np.isfinite(found).all()
    assert model.candidates(np.empty((0, 1)), np.empty(0)) is None


def test_nothing_is_finite_far_from_zero():
    """exp(rate x) is out of range at 1e5 for all rates but the least."""
    x = 1e5 + np.linspace(0, 10, 80)
    y = np.sin(2.8 * x) * np.exp(-(x - 1e5) / 8)
    found = (DampedSine() + Constant()).candidates(x[:, None], y)
    assert found is None or np.isfinite(found).all()
    alone = DampedSine().candidates(x[:, None], y)
    assert np.isfinite(alone).all()


@pytest.mark.parametrize("guesses", [np.empty((0, 3)), np.full((2, 3), np.inf)])
def test_a_part_without_guesses(monkeypatch, guesses):
    monkeypatch.setattr(Sine, "guesses", lambda *_: guesses)
    x = np.linspace(0, 10, 50)
    with np.errstate(all="ignore"):
        assert (Sine() + Constant()).candidates(x[:, None], np.sin(x)) is None


def test_refused():
    with pytest.raises(ValueError, match="must have the same features"):
        Gaussian() + FormulaModel("a*x*y", ["x", "y"])
    with pytest.raises(ValueError, match=r"parameter names\. Got g_center, g_height, g_sigma"):
        Gaussian(prefix="g_") + Gaussian(prefix="g_")
    with pytest.raises(TypeError, match="unsupported operand"):
        Gaussian() + 3
