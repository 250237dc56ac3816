import numpy as np
import pytest

from sklsq.models import DampedSine, FormulaModel, Sine
from sklsq.models.aliases import folded, spacing, turns

ROUNDING = 1e-9


@pytest.mark.parametrize("offset", [0.0, -3.0, 1e5, 1.7e9])
def test_spacing(offset):
    rng = np.random.default_rng(0)
    x = offset + 0.125 * rng.permutation(np.append(np.arange(40), [50, 53, 3]))
    assert spacing(x) == pytest.approx(0.125, rel=1e-5)
    assert spacing(x + 1e-3 * rng.normal(size=len(x))) is None


@pytest.mark.parametrize(
    "x", [[], [1.0], [2.0, 2.0], [0.0, np.inf, 1.0], [0.0, 1e-12, 1.0], 1e16 + 2.0 * np.arange(5)]
)
def test_no_spacing(x):
    assert spacing(np.array(x, dtype=float)) is None


@pytest.mark.parametrize(
    ("source", "exponents", "expected"),
    [
        ("a*sin(2*pi*f*x + p)", [0, -1, 0], [0, 1, 0]),
        ("a*exp(-k*x)*cos(w*x) + c", [0, -1, -1, 0], [0, 0, 2 * np.pi, 0]),
        ("a*sin(2*pi*x/T)", [0, 1], [0, 1]),
        ("a*sin(w*(x - c))", [0, -1, 1], [0, 0, 0]),  # the place matters, too, at whole turns
        ("a*exp(-((x - c)/d)**2)", [0, 1, 1], [0, 0, 0]),
        ("a*log(-k*x)", [0, -1], [0, 0]),
    ],
)
def test_turns(source, exponents, expected):
    model = FormulaModel(source)
    names = list(model.parameter_names)
    assert len(names) == len(exponents)
    found = turns(model.evaluate, len(names), np.array(exponents, dtype=float))
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("model", [Sine(), DampedSine()])
def test_frequencies_of_ready_made_models(model):
    exponents = np.array([-1.0 if n in ("rate", "frequency") else 0 for n in model.base_names])
    found = turns(model.evaluate, len(exponents), exponents)
    assert [n for n, t in zip(model.base_names, found, strict=True) if t == 1] == ["frequency"]


@pytest.mark.parametrize("exponent", [-1.0, 1.0])
def test_folded_candidates_give_the_same_values(exponent):
    x = np.arange(30) * 0.5
    high = np.random.default_rng(0).uniform(-40, 40, 20) ** -exponent
    low = folded(high[:, None], np.array([2.0]), np.array([exponent]))[:, 0]
    assert (np.abs(low**-exponent) <= 1.0 + ROUNDING).all()
    before, after = (np.cos(2 * np.pi * np.outer(v**-exponent, x)) for v in (high, low))
    np.testing.assert_allclose(after, before, atol=ROUNDING)


def test_what_is_no_frequency_or_low_is_kept():
    points = np.array([[0.3, 50.0], [-0.9, -70.0], [0.0, 0.0]])
    found = folded(points, np.array([2.0, 0.0]), np.array([-1.0, -1.0]))
    np.testing.assert_array_equal(found, points)
