import numpy as np
import pytest

from sklsq.models import (
    FormulaModel,
    generic_candidates,
    linear_parameters,
    nonlinear_candidates,
)
from sklsq.models.candidates import draws
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


class TestDraws:
    dimensions = ((1.0, -1.0, 0.0, 0.5),)

    def test_the_same_each_time(self):
        first = draws(50, 3, 2, 4, None)
        assert first is draws(50, 3, 2, 4, None)
        assert (first.values != draws(50, 3, 2, 5, None).values).any()

    @pytest.mark.parametrize("dimensions", [dimensions, None])
    def test_on_the_scales_of_the_data(self, dimensions):
        drawn = draws(400, 4, 1, 0, dimensions)
        candidates = drawn.on(np.array([20.0]), np.array([10.0]), 3.0)
        assert candidates.shape == (400, 4)
        places = candidates[drawn.place[:, :, 0] == 1.0]
        assert ((places >= 19.0) & (places <= 31.0)).all()
        rates = np.abs(candidates[drawn.is_rate])
        assert (rates > 0.003).all()
        assert (rates < 60.0).all()
        assert places.size > 50
        assert rates.size > 50

    def test_a_change_of_units(self):
        drawn = draws(100, 4, 1, 0, self.dimensions)
        low, span = np.array([2.0]), np.array([10.0])
        metres, kilometres = drawn.on(low, span, 1.0), drawn.on(low / 1000, span / 1000, 1.0)
        powers = 1000.0 ** np.array(self.dimensions[0])
        np.testing.assert_allclose(metres, kilometres * powers, rtol=1e-12)

    def test_several_features(self):
        drawn = draws(300, 2, 2, 0, ((1.0, 0.0), (0.0, 1.0)))
        low, span = np.array([0.0, 100.0]), np.array([1.0, 50.0])
        candidates = drawn.on(low, span, 1.0)
        first, second = drawn.place[:, 0, 0] == 1.0, drawn.place[:, 1, 1] == 1.0
        assert (np.abs(candidates[first, 0]) <= 1.1).all()
        assert ((candidates[second, 1] >= 95.0) & (candidates[second, 1] <= 155.0)).all()
        assert not drawn.is_rate.any()


@pytest.mark.parametrize("offset", [0.0, 1e3, -1e6, 1e12])
def test_kinds_are_known_far_from_zero(offset):
    x = offset + np.linspace(0, 10, 80)
    rng = np.random.default_rng(0)
    model = FormulaModel("a*exp(-((x - c)/d)**2)*sin(2*pi*f*x + p)")
    is_linear = np.array([True, False, False, False, False])
    found = nonlinear_candidates(model, x[:, None], np.sin(x), is_linear, rng, 200)
    c, d, f, p = found.T
    assert ((np.abs(c - offset) < 20) | (np.abs(c) < 20)).all()  # places, or widths
    assert (np.abs(d) <= 20).sum() > 50
    assert (np.abs(f) <= 0.5 / (x[1] - x[0]) + 1e-3).all()
    assert (np.abs(p) < 30).all()


def test_candidates_follow_the_spectrum():
    x = np.sort(np.random.default_rng(0).uniform(0, 10, 300))
    model = FormulaModel("a*sin(w*x) + b*cos(w*x)")
    is_linear = np.array([name != "w" for name in model.parameter_names])
    rng = np.random.default_rng(0)
    found = nonlinear_candidates(model, x[:, None], np.sin(70 * x), is_linear, rng, 100)
    assert (np.abs(np.abs(found) - 70) < 0.3).sum() >= 2
    nothing = np.full(300, np.nan)
    found = nonlinear_candidates(model, x[:, None], nothing, is_linear, rng, 100)
    assert np.isfinite(found).all()
