import numpy as np
import pytest

from sklsq.solvers.batched_descent import minimise_batch
from sklsq.solvers.descent import Descent
from sklsq.solvers.linearisation import cost_at, linearise_at
from sklsq.solvers.nonlinear_problem import Tolerances
from tests.solvers.curve_models import problem

FORMULAS = {
    "well-conditioned": ("a + b*exp(-((x - c)/d)**2)", [1.0, 3.0, 4.5, 1.2]),
    "ill-conditioned": ("a*exp(-b*x) + c*exp(-d*x)", [1.0, 0.3, 2.0, 0.3001]),
    "hopeless": ("a*exp(-b*x) + c*exp(-d*x)", [1.0, 0.3, 2.0, 0.3]),
}


@pytest.mark.parametrize("loss", ["linear", "soft_l1"])
@pytest.mark.parametrize("name", FORMULAS)
def test_blocks_add_up(name, loss):
    formula, params = FORMULAS[name]
    x = np.linspace(0.0, 10.0, 40_000)
    y = np.sin(x)
    point = np.array(params)
    blocked = problem(formula, "abcd", x, y, sigma=0.1, loss=loss)
    whole = problem(formula, "abcd", x, y, sigma=0.1, loss=loss, held=True)
    ours, theirs = linearise_at(blocked, point, 0), linearise_at(whole, point, 0)
    assert type(ours) is not type(theirs)
    assert cost_at(blocked, point, 0) == pytest.approx(theirs.cost, rel=1e-12)
    for attribute in ("cost", "chi2", "gram", "norms", "gradient"):
        expected = getattr(theirs, attribute)
        size = np.abs(expected).max()
        np.testing.assert_allclose(getattr(ours, attribute), expected, atol=1e-11 * size)
    (R, z), (R0, z0) = ours.triangle(), theirs.triangle()
    size = np.linalg.norm(R0)
    np.testing.assert_allclose(np.abs(R), np.abs(R0), atol=1e-11 * size)
    if name == "well-conditioned":
        np.testing.assert_allclose(np.linalg.solve(R, z), np.linalg.solve(R0, z0), rtol=1e-9)


def test_more_problems_than_are_worked_on_at_a_time():
    x = np.linspace(0.0, 1.0, 5)
    truth = np.random.default_rng(0).uniform(1.0, 2.0, (9000, 2))
    model = problem("a*exp(-b*x)", "ab", x, truth[:, :1] * np.exp(-truth[:, 1:] * x))
    numbers = np.arange(9000)
    with np.errstate(all="ignore"):
        minima = minimise_batch(model, np.ones((9000, 2)), numbers, 50, Tolerances())
        alone = Descent(model, np.ones(2), 7, 50, Tolerances()).run()
    np.testing.assert_allclose(minima.params, truth, rtol=1e-12)
    np.testing.assert_allclose(alone.params[0], truth[7], rtol=1e-12)
