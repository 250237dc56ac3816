import numpy as np

from sklsq.models import FormulaModel
from sklsq.models.projection import best_candidates, complete, polish

X = np.linspace(0, 3, 30)[:, None]
MODEL = FormulaModel("a + b*exp(-k*x)")
LINEAR = np.array([True, True, False])
Y = 2 - 5 * np.exp(-1.5 * X[:, 0])


def test_complete_solves_the_linear_parameters():
    guesses = np.array([[9.0, 9.0, 1.5], [0.0, 0.0, 0.7], [0.0, 0.0, -1e4]])
    params, costs = complete(MODEL, X, Y, guesses, LINEAR)
    np.testing.assert_allclose(params[0], [2, -5, 1.5], rtol=1e-7)
    basis = np.stack([np.ones(30), np.exp(-0.7 * X[:, 0])], axis=1)
    expected, rss, *_ = np.linalg.lstsq(basis, Y, rcond=None)
    np.testing.assert_allclose(params[1, :2], expected, rtol=1e-6)
    np.testing.assert_allclose(costs[1], rss[0], rtol=1e-6)
    assert costs[2] == np.inf  # overflow


def test_best_candidates_are_sorted_and_finite():
    guesses = np.zeros((40, 3))
    guesses[:, 2] = np.linspace(-1e4, 4, 40)
    best = best_candidates(MODEL, X, Y, guesses, LINEAR, n_best=5)
    costs = ((MODEL.evaluate(X, best) - Y) ** 2).sum(axis=1)
    assert len(best) <= 5
    assert (np.diff(costs) >= 0).all()


def test_polish_goes_downhill_and_keeps_what_is_not_free():
    start = np.array([[1.0, -3.0, 1.0], [1.0, -3.0, 2.5]])
    before = ((MODEL.evaluate(X, start) - Y) ** 2).sum(axis=1)
    params, costs = polish(MODEL, X, Y, start, np.ones(3, bool))
    assert (costs < 1e-6 * before).all()
    np.testing.assert_allclose(params, [[2, -5, 1.5]] * 2, rtol=1e-2)
    params, costs = polish(MODEL, X, Y, start, LINEAR)
    assert params[:, 2].tolist() == [1.0, 2.5]
    assert (costs < before).all()
