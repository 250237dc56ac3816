"""Signs that do not matter are those of the start."""

import numpy as np
import pytest

from sklsq import NonlinearLSQ
from sklsq.estimators import _signs
from sklsq.estimators._signs import turned, wanted_signs
from sklsq.solvers.levenberg_marquardt import minimise
from tests.solvers.curve_models import problem

x = np.linspace(0.0, 10.0, 50)
PEAK = "b + h*exp(-((x - c)/w)**2)"
Y = 0.5 + 10.0 * np.exp(-((x - 4.5) ** 2)) + 0.3 * np.random.default_rng(4).normal(size=50)


def test_of_a_start():
    np.testing.assert_array_equal(wanted_signs(None, 2), [1.0, 1.0])
    np.testing.assert_array_equal(wanted_signs(np.array([0.0, np.nan]), 2), [0.0, 1.0])


@pytest.mark.parametrize("together", [1, 10**6])
def test_one_of_several_curves(together, monkeypatch):
    monkeypatch.setattr(_signs, "_TOGETHER", together)
    model = problem(PEAK, "bhcw", x, np.stack([Y, 2.0 * Y, -Y]))
    start = np.array([[0.5, 10.0, 4.5, 1.0], [1.0, 20.0, 4.5, -1.0], [-0.5, -10.0, 4.5, -1.0]])
    minima = minimise(model, start)
    found = turned(model, minima, np.arange(3), np.array([1.0, 1.0, 1.0, 1.0]))
    np.testing.assert_array_equal(found.params[:, :3], minima.params[:, :3])
    np.testing.assert_array_equal(found.params[:, 3], np.abs(minima.params[:, 3]))
    np.testing.assert_allclose(found.R[1:, :, 3], -minima.R[1:, :, 3])
    same = turned(model, found, np.arange(3), np.array([0.0, 0.0, 0.0, 1.0]))
    assert same is found


@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize("curves", [1, 2])
@pytest.mark.parametrize(
    "options",
    [
        {"loss": "soft_l1"},
        {"loss": "soft_l1", "bounds": {"b": (-5.0, 5.0)}},
        {"loss": "soft_l1", "fixed": {"b": 0.5}},
        {"loss": "huber", "tied": {"b": "h/20"}},
        {"loss": "cauchy", "priors": {"h": (10.0, 1.0)}},
        {"bounds": {"b": (-5.0, 5.0)}},
    ],
    ids=str,
)
def test_the_side_of_the_start(options, curves, side):
    y = Y if curves == 1 else np.stack([Y, 1.5 * Y], axis=1)
    fit = NonlinearLSQ(PEAK, [1.0, 8.0, 5.0, 2.0 * side], **options).fit(x[:, None], y, sigma=0.3)
    widths = np.atleast_2d(fit.params_)[:, 3] * side
    assert ((widths > 0.9) & (widths < 1.1)).all()


def test_bounds_are_kept():
    model = problem(PEAK, "bhcw", x, Y[None])
    minimum = minimise(model, np.array([[0.5, 10.0, 4.5, -1.0]]))

    class Bounded:
        box = np.full(4, -np.inf), np.array([np.inf, np.inf, np.inf, 0.5])
        n_rows, n_params = model.n_rows, model.n_params

    assert turned(Bounded(), minimum, np.zeros(1, dtype=int), np.ones(4)).params[0, 3] < 0.0
