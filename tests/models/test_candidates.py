import numpy as np
import pytest

from sklsq.models import (
    FormulaModel,
    generic_candidates,
    linear_parameters,
    nonlinear_candidates,
)
from sklsq.models.projection import best_candidates, polish
from tests.models.written import PROBLEMS, as_formula, points


def data(scale=1.0):
    X = scale * np.linspace(2, 12, 40)[:, None]
    return X, 5 * np.sin(X[:, 0] / scale)


def test_deterministic_and_finite():
    X, y = data()
    first = generic_candidates(X, y, 3, np.random.default_rng(1), 200)
    assert first.shape == (200, 3)
    assert np.isfinite(first).all()
    assert (first[0] == 1).all()
    np.testing.assert_array_equal(first, generic_candidates(X, y, 3, np.random.default_rng(1), 200))
    assert (first != generic_candidates(X, y, 3, np.random.default_rng(2), 200)).any()


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize(
    ("low", "high", "power"),
    [
        (2, 4, 1),
        (7, 9, 1),
        (0.5, 1, 1),
        (0.1, 0.2, -1),
        (1, 2, -1),
        (-0.4, -0.1, -1),
        (1.5, 2.5, 0),
    ],
)
def test_every_kind_is_covered_on_every_scale(scale, low, high, power):
    X, y = data(scale)
    found = generic_candidates(X, y, 2, np.random.default_rng(0), 400)
    wanted = np.sort(np.array([low, high]) * scale**power)
    is_hit = (found > wanted[0]) & (found < wanted[1])
    assert (is_hit.sum(axis=0) >= 2).all()


@pytest.mark.parametrize(
    ("X", "y"),
    [
        (np.ones((5, 1)), np.zeros(5)),
        (np.zeros((5, 2)), np.full(5, np.nan)),
        (np.empty((0, 1)), np.empty(0)),
        (np.array([[np.nan], [1.0]]), np.ones(2)),
        (np.ones((3, 0)), np.ones(3)),
    ],
)
def test_poor_data(X, y):
    found = generic_candidates(X, y, 2, np.random.default_rng(0), 50)
    assert found.shape == (50, 2)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_known_dimensions_narrow_the_draws(scale):
    X, y = data(scale)
    model = FormulaModel("a*exp(-((x - c)/d)**2)*x**0.5 + b*exp(-k*x)")
    is_linear = linear_parameters(model, X, np.empty((0, 5)))
    rng = np.random.default_rng(0)
    found = nonlinear_candidates(model, X, y, is_linear, rng, 300) / scale ** np.array([1, 1, -1])
    assert found.shape == (300, 3)
    assert (np.abs(found[:, :2]) < 13.5).all()
    assert (np.abs(found[:, 2]) < 11).all()
    assert (np.abs(found[:, 2]) > 0.01).all()


# Narrow valleys, or several peaks: a few crude steps do not reach the minimum.
LONG_WAY = ("Lanczos1", "Lanczos2", "Lanczos3", "Gauss3", "Bennett5", "MGH10")


@pytest.mark.parametrize(
    "case",
    [case for case in PROBLEMS if not case.id.endswith(LONG_WAY)],
    ids=str,
)
def test_nist_from_no_start_at_all(case):
    """One of the 80 best of 3000 draws leads to the certified minimum, by a few crude steps."""
    model = as_formula(case)
    is_linear = linear_parameters(model, case.X, points(case))
    rng = np.random.default_rng(0)
    params = np.zeros((3000, len(is_linear)))
    params[:, ~is_linear] = nonlinear_candidates(model, case.X, case.y, is_linear, rng, 3000)
    best = best_candidates(model, case.X, case.y, params, is_linear, n_best=80)
    _, costs = polish(model, case.X, case.y, best, np.ones(len(is_linear), bool), n_steps=60)
    assert costs.min() < case.reference["rss"] * (1 + 1e-4)
