import math

import numpy as np
import pytest

from sklsq.solvers import batched_descent
from sklsq.solvers.batched_descent import _next_regions, minimise_batch
from sklsq.solvers.levenberg_marquardt import minimise
from sklsq.solvers.nonlinear_problem import Tolerances
from sklsq.solvers.trust_region import next_region
from tests.solvers.curve_models import problem

DIGITS = 1e-9  # of steps in proportion that end at 1e-11 standard errors


@pytest.mark.parametrize("undamped", [False, True])
def test_regions_are_those_of_a_single_descent(undamped):
    rng = np.random.default_rng(0)
    gain = np.concatenate([rng.uniform(-1.0, 1.5, 60), [0.25, 0.75, np.nan, -np.inf]])
    size = (len(gain),)
    rise = np.where(np.isnan(gain), np.nan, np.where(gain == -np.inf, np.inf, -gain))
    ceiling = np.where(rng.uniform(size=size) < 0.5, np.inf, rng.uniform(0.1, 3.0, size))
    radius, length, slope = rng.uniform(0.1, 2.0, (3, *size))
    regions = np.array([radius, ceiling, length, gain, slope, rise])
    found = np.array(_next_regions(regions, np.full(size, undamped)))
    for number, region in enumerate(regions.T.tolist()):
        expected = next_region(*region, undamped)
        np.testing.assert_allclose(found[:, number], expected, rtol=1e-15)


def decays(n_curves, noise, n=40):
    rng = np.random.default_rng(4)
    x = np.linspace(0.0, 10.0, n)
    a, k, c = rng.uniform([2.0, 0.3, 0.5], [4.0, 1.0, 1.5], (n_curves, 3)).T[:, :, None]
    y = a * np.exp(-k * x) + c + noise * rng.normal(size=(n_curves, n))
    return problem("a*exp(-k*x) + c", "akc", x, y, sigma=noise)


def test_as_many_steps_as_alone():
    """From a far start, from which steps fail: the batch takes the steps of each curve."""
    made, start = decays(60, 0.1), np.tile([1.0, 1.0, 0.0], (60, 1))
    together = minimise(made, start)
    alone = [minimise(made, start[:1], curves=np.array([curve])) for curve in range(60)]
    n_iter = np.array([single.n_iter[0] for single in alone])
    assert together.converged.all()
    assert abs(together.n_iter - n_iter).mean() < 0.2  # one more or less where rounding decides
    params = np.array([single.params[0] for single in alone])
    np.testing.assert_allclose(together.params, params, rtol=DIGITS)


def test_the_order_of_the_curves_does_not_matter():
    made, rng = decays(200, 0.3), np.random.default_rng(1)
    start, order = rng.uniform([1.0, 0.2, 0.0], [4.0, 2.0, 1.0], (200, 3)), rng.permutation(200)
    with np.errstate(all="ignore"):
        here = minimise_batch(made, start, np.arange(200), 100, Tolerances())
        there = minimise_batch(made, start[order], order, 100, Tolerances())
    np.testing.assert_allclose(there.params, here.params[order], rtol=DIGITS)
    np.testing.assert_array_equal(there.outcome, here.outcome[order])


def test_those_that_fail_hold_up_nobody():
    made, start = decays(50, 0.1), np.tile([3.0, 0.5, 1.0], (50, 1))
    expected = minimise(made, start)
    start[::7] = math.inf
    found = minimise(made, start)
    lost = np.arange(50) % 7 == 0
    np.testing.assert_array_equal(found.converged, ~lost)
    assert np.isnan(found.cost[lost]).all()
    np.testing.assert_allclose(found.params[~lost], expected.params[~lost], rtol=DIGITS)


def test_the_last_ones_go_on_alone(monkeypatch):
    """A flat valley for a few of the curves: they end where they would have ended together."""
    x = np.linspace(0.0, 10.0, 40)
    rng = np.random.default_rng(2)
    y = 3.0 * np.exp(-0.5 * x) + 1.0 + 0.05 * rng.normal(size=(30, 40))
    y[:3] = 2.0 + 0.5 * rng.normal(size=(3, 40))  # nothing but a constant
    made, start = (
        problem("a*exp(-k*x) + c", "akc", x, y, sigma=0.05),
        np.tile([3.0, 0.5, 1.0], (30, 1)),
    )
    alone = minimise(made, start, max_iter=300)
    monkeypatch.setattr(batched_descent, "_FEW", 0)
    together = minimise(made, start, max_iter=300)
    assert alone.n_iter[:3].max() > 2 * alone.n_iter[3:].max()
    np.testing.assert_array_equal(alone.outcome, together.outcome)
    np.testing.assert_allclose(alone.cost, together.cost, rtol=1e-7)
    np.testing.assert_array_equal(alone.params[3:], together.params[3:])
