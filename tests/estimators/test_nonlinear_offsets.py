"""Fits without a start to x far from zero: times in seconds since 1970, years, temperatures."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sklsq import NonlinearLSQ
from sklsq.models import Constant, DampedSine, Gaussian, Sine

V = np.linspace(0.0, 10.0, 80)
NOISE = np.random.default_rng(0).normal(size=80)
FREQUENCY = 0.45
WAVE = 3.0 * np.sin(2 * np.pi * FREQUENCY * V + 0.7) + 2.0 + 0.1 * NOISE
OFFSETS = [0.0, 100.0, 1e3, 1e5, 1.7e9]
# From the fit at offset 0; rounding of x moves it by much less.
FITTED, WITHIN = 0.450200, 1e-5
ERROR = 5e-4  # of the frequency, about one standard deviation


def peak(x, b, h, c, w):
    return b + h * np.exp(-(((x - c) / w) ** 2))


PEAK = peak(V, 0.5, 10.0, 4.5, 1.0) + 0.1 * NOISE


@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("model", [Sine() + Constant(), "A*sin(2*pi*f*x + p) + c"])
def test_the_lowest_of_the_frequencies_that_coincide(model, offset):
    fit = NonlinearLSQ(model).fit((offset + V)[:, None], WAVE)
    amplitude, frequency, phase, constant = fit.params_
    assert fit.converged_
    assert frequency == pytest.approx(FITTED, abs=WITHIN)
    assert amplitude == pytest.approx(3.0063, abs=1e-3)
    assert constant == pytest.approx(2.0116, abs=1e-3)
    assert -np.pi < phase <= np.pi


@pytest.mark.parametrize("offset", OFFSETS[:-1])  # at 1.7e9 a descent in a period may stall
@pytest.mark.parametrize(
    ("model", "name", "turn"),
    [("A*sin(w*x) + B*cos(w*x) + c", "w", 2 * np.pi), ("A*sin(2*pi*x/T + p) + c", "T", None)],
)
def test_other_forms(model, name, turn, offset):
    fit = NonlinearLSQ(model).fit((offset + V)[:, None], WAVE)
    value = fit.params_[list(fit.param_names_).index(name)]
    found = 1.0 / value if turn is None else value / turn
    assert abs(found) == pytest.approx(FITTED, abs=10 * WITHIN)


def test_fast_oscillations_far_from_zero():
    """Up to the Nyquist frequency, 3.95; a search that ends at 100/range in radians misses them."""
    for frequency in (1.8, 2.6, 3.3):
        y = 3.0 * np.sin(2 * np.pi * frequency * V + 0.7) + 0.1 * NOISE
        fit = NonlinearLSQ("A*sin(w*x) + B*cos(w*x)").fit((1e3 + V)[:, None], y)
        found = abs(fit.params_[list(fit.param_names_).index("w")]) / (2 * np.pi)
        assert found == pytest.approx(frequency, abs=10 * ERROR)


def test_uneven_points_tell_higher_frequencies():
    x = 1e3 + np.sort(np.random.default_rng(1).uniform(0.0, 10.0, 80))
    y = 3.0 * np.sin(2 * np.pi * 5.3 * (x - 1e3) + 0.7) + 0.1 * NOISE
    fit = NonlinearLSQ(Sine() + Constant()).fit(x[:, None], y)
    assert fit.params_[1] == pytest.approx(5.3, abs=10 * ERROR)


def test_many_curves_have_positive_amplitudes():
    phases = np.linspace(-3.0, 3.0, 9)
    Y = 3.0 * np.sin(2 * np.pi * FREQUENCY * V[:, None] + phases) + 0.1 * NOISE[:, None]
    fit = NonlinearLSQ(Sine()).fit(V[:, None], Y)
    assert (fit.params_[:, 0] > 0.0).all()
    assert (fit.params_[:, 1] > 0.0).all()
    np.testing.assert_allclose(fit.params_[:, 2], phases, atol=0.05)


DAMPED = 3.0 * np.sin(2 * np.pi * FREQUENCY * V + 0.7) * np.exp(-V / 8) + 0.1 * NOISE


@pytest.mark.parametrize("offset", [0.0, 100.0, 1e3])
@pytest.mark.parametrize("model", [DampedSine(), DampedSine() + Constant()])
def test_damped_oscillations(model, offset):
    fit = NonlinearLSQ(model).fit((offset + V)[:, None], DAMPED)
    amplitude, rate, frequency, phase = fit.params_[:4]
    assert fit.converged_
    assert rate == pytest.approx(0.132, abs=0.01)
    assert frequency == pytest.approx(FREQUENCY, abs=10 * ERROR)
    assert np.log(amplitude) - rate * offset == pytest.approx(np.log(3.0), abs=0.1)
    assert -np.pi < phase <= np.pi


@pytest.mark.filterwarnings("ignore::sklsq.exceptions.RankWarning")
@pytest.mark.parametrize("model", [DampedSine(), DampedSine() + Constant()])
def test_an_amplitude_that_is_no_number(model):
    """3 exp(1e5/8), which the amplitude at x = 0 would have to be, overflows."""
    with pytest.warns(ConvergenceWarning, match="subtract an offset from x"):
        fit = NonlinearLSQ(model).fit((1e5 + V)[:, None], DAMPED)
    assert not fit.converged_


@pytest.mark.parametrize("model", [peak, Gaussian() + Constant()])
def test_rounding_of_x(model):
    """At 1e12 x is rounded by 1e-4 of a spacing."""
    with pytest.warns(ConvergenceWarning, match="subtract an offset from x"):
        fit = NonlinearLSQ(model).fit((1e12 + V)[:, None], PEAK, sigma=0.1)
    assert fit.chi2_ < 75.0
    fit = NonlinearLSQ(model).fit((1e10 + V)[:, None], PEAK, sigma=0.1)
    assert fit.converged_
    assert fit.chi2_ == pytest.approx(68.32, abs=0.01)
