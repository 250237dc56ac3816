from dataclasses import replace

import numpy as np
import pytest

from sklsq.solvers.flat_directions import has_huge_errors, neighbourhood_of, root_beside
from sklsq.solvers.levenberg_marquardt import minimise
from sklsq.solvers.nonlinear_problem import Outcome
from tests.known_answers import records
from tests.solvers.curve_models import ONE, problem, problem_of

PEAK = "a*exp(-((x - b)/c)**2) + d"
DOUBLE = "a*exp(-b*x) + c*exp(-d*x)"
KNOWN = [case for case in records(task="nonlinear") if case.starts]


def _noise(n, size, seed=0):
    return size * np.random.default_rng(seed).standard_normal(n)


def _about(model, params):
    """The neighbourhood of given points, whether or not they are minima, with their roots."""
    params = np.atleast_2d(np.asarray(params, float))
    curves = np.zeros(len(params), dtype=int)
    with np.errstate(all="ignore"):
        minima = minimise(model, params, curves=curves, max_iter=1)
        residuals, J = model.linearise(params, curves)
        R = np.stack([np.linalg.qr(rows.T, mode="r") for rows in J])
    cost = 0.5 * np.square(residuals).sum(axis=1)
    minima = replace(minima, params=params, cost=cost, R=R)
    return neighbourhood_of(model, minima, curves), minima


def _flat(model, params, row=0):
    about, minima = _about(model, params)
    moving = np.arange(minima.params.shape[1])
    return about.flat(minima.R[row], moving, row)


def _suspected(about, minima):
    return about.suspected(np.linalg.inv(minima.R))


class TestFlat:
    def test_a_rate_that_ran_off(self):
        x = np.linspace(0.5, 10.0, 40)
        model = problem(DOUBLE, "abcd", x, 2.0 * np.exp(-0.4 * x) + _noise(40, 0.02))
        point = [2.0, 0.4, 0.3, 60.0]
        about, minima = _about(model, point)
        assert _suspected(about, minima)[0]
        null_space, root = _flat(model, point)
        directions = np.abs(null_space) > 0.0
        np.testing.assert_array_equal(directions.any(axis=0), [False, False, True, True])
        single = problem("a*exp(-b*x)", "ab", x, 2.0 * np.exp(-0.4 * x) + _noise(40, 0.02))
        alone = np.linalg.inv(_about(single, point[:2])[1].R[0])
        np.testing.assert_allclose((root @ root.T)[:2, :2], alone @ alone.T, rtol=1e-6)

    def test_a_spike_at_the_first_point_has_its_height(self):
        x = np.linspace(0.0, 10.0, 40)
        y = 2.0 * np.exp(-0.4 * x) + 0.3 * (x == 0.0) + _noise(40, 0.02)
        null_space, root = _flat(problem(DOUBLE, "abcd", x, y), [2.0, 0.4, 0.3, 300.0])
        np.testing.assert_allclose(null_space, [[0.0, 0.0, 0.0, 1.0]])
        assert root.shape == (4, 3)
        assert np.isfinite(root).all()

    def test_a_valley_that_goes_on_for_ever(self):
        x = np.linspace(0.1, 10.0, 40)
        model = problem("v*x/(k + x)", "vk", x, 0.5 * x + _noise(40, 0.05))
        null_space, root = _flat(model, [5e11, 1e12])
        np.testing.assert_allclose(null_space, [[0.5, 1.0]], rtol=1e-9)
        slope = 1.0 / np.sqrt(x @ x)  # its error, by which the ratio is still known
        change = np.linalg.norm(root[:, 0] @ [1e-12, -5e11 / 1e24])
        assert change == pytest.approx(slope, rel=1e-6)

    def test_width_and_place_of_a_peak_between_two_points(self):
        x = np.linspace(0.0, 10.0, 41)
        model = problem(PEAK, "abcd", x, 0.5 + _noise(41, 0.05))
        null_space, root = _flat(model, [1.0, 4.1, 0.03, 0.5])
        np.testing.assert_array_equal(null_space.any(axis=0), [True, True, True, False])
        assert root[3] @ root[3] == pytest.approx(1.0 / 41.0, rel=0.05)

    def test_terms_that_cancel(self):
        x = np.linspace(0.0, 10.0, 41)
        model = problem("a*exp(-b*x) + c", "abc", x, 1.0 + _noise(41, 0.05))
        null_space, _ = _flat(model, [-4e4, -1.7e-8, 4e4 + 1.0])
        assert len(null_space) == 1
        assert null_space[0, 0] == pytest.approx(-null_space[0, 2], rel=1e-3)


class TestNotFlat:
    @pytest.mark.parametrize("case", KNOWN, ids=str)
    def test_published_answers(self, case):
        model, coef = problem_of(case), np.array([case.reference["coef"]])
        about, minima = _about(model, coef)
        if _suspected(about, minima)[0]:
            assert not len(about.flat(minima.R[0], np.arange(coef.shape[1]), 0)[0])

    def test_a_parameter_that_is_zero_by_symmetry(self):
        x, noise = np.linspace(-5.0, 5.0, 41), _noise(41, 0.1)
        y = 3.0 * np.exp(-(x**2)) + noise + noise[::-1]
        model = problem(PEAK, "abcd", x, y)
        minima = minimise(model, np.array([[3.0, 1e-3, 1.0, 0.0]]))
        about = neighbourhood_of(model, minima, ONE)
        assert _suspected(about, minima)[0]
        null_space, root = about.flat(minima.R[0], np.arange(4), 0)
        assert null_space.shape == (0, 4)
        np.testing.assert_allclose(
            root @ root.T, np.linalg.inv(minima.R[0].T @ minima.R[0]), rtol=1e-6, atol=1e-15
        )

    def test_zero_itself(self):
        x, noise = np.linspace(-5.0, 5.0, 41), _noise(41, 0.1)
        model = problem("a*exp(b*x)", "ab", x, 1.0 + noise + noise[::-1])
        assert not len(_flat(model, [1.0, 0.0])[0])

    def test_false_alarms_are_rare(self):
        """A rate known to a third, and zeros that are drawn: none of 400 is called flat."""
        rng, x = np.random.default_rng(1), np.linspace(0.0, 10.0, 41)
        Y = 0.15 * np.exp(-0.5 * x) + 1.0 + 0.03 * rng.standard_normal((400, 41))
        model = problem("a*exp(-b*x) + c", "abc", x, Y)
        minima = minimise(model, np.tile([0.15, 0.5, 1.0], (400, 1)))
        about = neighbourhood_of(model, minima, np.arange(400))
        suspected = np.flatnonzero(_suspected(about, minima))
        assert len(suspected) <= 4
        errors = np.linalg.norm(np.linalg.inv(minima.R), axis=2)[:, 1] * about.scatter
        honest = [i for i in suspected if errors[i] < 1e3]
        assert not any(len(about.flat(minima.R[i], np.arange(3), i)[0]) for i in honest)

    def test_residuals_that_are_rounding(self):
        x = np.linspace(-5.0, 5.0, 41)
        model = problem(PEAK, "abcd", x, 3.0 * np.exp(-(x**2)))
        minima = minimise(model, np.array([[2.0, 0.1, 1.5, 0.1]]))
        about = neighbourhood_of(model, minima, ONE)
        np.testing.assert_array_equal(about.scatter, [0.0])
        assert not _suspected(about, minima)[0]


def test_units_do_not_matter():
    x, factor = np.linspace(0.1, 10.0, 40), 1e-9
    y = 0.5 * x + _noise(40, 0.05)
    a, b = (
        _flat(problem("v*x/(k + x)", "vk", x * f, y * g), [5e11 * g, 1e12 * f])[0]
        for f, g in ((1.0, 1.0), (factor, 1e6))
    )
    np.testing.assert_allclose(b[0, 0] / b[0, 1], a[0, 0] / a[0, 1] * 1e6 / factor, rtol=1e-9)


def test_some_parameters_are_held():
    x = np.linspace(0.5, 10.0, 40)
    model = problem(DOUBLE, "abcd", x, 2.0 * np.exp(-0.4 * x) + _noise(40, 0.02))
    about, minima = _about(model, [2.0, 0.4, 0.3, 60.0])
    moving = np.array([0, 1, 3])
    null_space, root = about.flat(minima.R[0][:, moving], moving, 0)
    np.testing.assert_allclose(null_space, [[0.0, 0.0, 1.0]])
    assert root.shape == (3, 2)


def test_errors_of_a_single_fit_are_judged_alike():
    x = np.linspace(0.0, 10.0, 40)
    model = problem(DOUBLE, "abcd", x, 2.0 * np.exp(-0.4 * x) + 0.3 * (x == 0) + _noise(40, 0.02))
    about, minima = _about(model, [[2.0, 0.4, 0.3, 5.0], [2.0, 0.4, 0.3, 300.0]])
    roots = np.linalg.inv(minima.R)
    np.testing.assert_array_equal(about.suspected(roots), [False, True])
    for row, expected in ((0, False), (1, True)):
        one = minima.where(slice(row, row + 1))
        assert has_huge_errors(one, roots[row], 40) is expected


def test_robust_losses_have_no_neighbourhood():
    x = np.linspace(0.0, 1.0, 20)
    model = problem("a*exp(-b*x)", "ab", x, np.exp(-x), loss="huber")
    minima = minimise(model, np.array([[1.0, 2.0]]))
    assert neighbourhood_of(model, minima, ONE) is None


def test_what_is_not_finite_is_not_looked_at():
    x = np.linspace(0.0, 10.0, 20)
    model = problem("a*exp(b*x)", "ab", x, x)
    minima = minimise(model, np.array([[1.0, 1e3]]))
    about = neighbourhood_of(model, minima, ONE)
    assert not about.suspected(minima.R)[0]


def test_a_valley_that_goes_on_for_ever_is_not_exact():
    x = np.linspace(0.1, 10.0, 40)
    model = problem("v*x/(k + x)", "vk", x, 0.5 * x + _noise(40, 0.05))
    minima = minimise(model, np.array([[5.0, 3.0]]))
    assert minima.outcome[0] != Outcome.EXACT


def test_root_beside_a_direction():
    J = np.random.default_rng(0).normal(size=(30, 3)) * [1.0, 1e3, 1e-3]
    root = root_beside(np.linalg.qr(J, mode="r"), np.array([[0.0, 1.0, 0.0]]))
    rest = np.linalg.inv(J[:, [0, 2]].T @ J[:, [0, 2]])
    np.testing.assert_allclose((root @ root.T)[np.ix_([0, 2], [0, 2])], rest, rtol=1e-9)
    assert not (root @ root.T)[1].any() or abs(root[1]).max() < 1e-12
