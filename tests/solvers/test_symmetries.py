from dataclasses import replace

import numpy as np
import pytest

from sklsq.models import FormulaModel
from sklsq.solvers.levenberg_marquardt import minimise
from sklsq.solvers.nonlinear_problem import NonlinearProblem
from sklsq.solvers.symmetries import turned

ROUNDING = 1e-9
x = np.linspace(0.3, 8.0, 60)


def problem(model, y, **options):
    X = x[:, None]

    def linearise(params, curves):
        values, derivatives = model.linearise(X, params)
        return y - values, derivatives

    k = len(model.parameter_names)
    return NonlinearProblem(
        lambda params, curves: y - model.evaluate(X, params), linearise, k, len(y), **options
    )


def minimum(formula, truth, **options):
    model = FormulaModel(formula)
    noise = 0.01 * np.random.default_rng(0).normal(size=len(x))
    y = model.evaluate(x[:, None], np.array([truth]))[0] + noise
    system = problem(model, y, **options)
    linear = np.array([name.isupper() for name in model.parameter_names])
    curves = np.zeros(1, dtype=int)
    return system, minimise(system, np.array([truth]), curves=curves), curves, linear


@pytest.mark.parametrize(
    ("formula", "start", "expected"),
    [
        ("A*sin(w*x + p) + C", [2, 3, 0.5 + 6 * np.pi, -1], [2, 3, 0.5, -1]),
        ("A*sin(w*x + p) + C", [-2, 3, 0.5, -1], [2, 3, 0.5 - np.pi, -1]),
        ("A*sin(w*x + p) + C", [2, -3, 0.5, -1], [2, 3, np.pi - 0.5, -1]),
        ("A*sin(w*x + p) + C", [-2, -3, -0.5, -1], [2, 3, 0.5, -1]),
        ("A*cos(w*x + p)", [2, -3, 0.5], [2, 3, -0.5]),
        ("A*sin(w*x) + B*cos(w*x)", [2, -3, 1], [-2, 3, 1]),
        (
            "A*sin(w*x + p) + B*sin(v*x + q)",
            [-2, 1, 7, 1, -4, -9],
            [2, 1, 7 - 3 * np.pi, 1, 4, 9 - 3 * np.pi],
        ),
    ],
)
def test_one_of_the_mirror_images(formula, start, expected):
    system, found, curves, linear = minimum(formula, start)
    result = turned(system, found, curves, linear)
    np.testing.assert_allclose(result.params[0], expected, atol=0.03)
    angles = [j for j, name in enumerate(FormulaModel(formula).parameter_names) if name in "pq"]
    assert (np.abs(result.params[0, angles]) <= np.pi).all()
    np.testing.assert_allclose(
        system.evaluate(result.params, curves), system.evaluate(found.params, curves), atol=ROUNDING
    )
    _, J = system.linearise(result.params, curves)
    np.testing.assert_allclose(
        result.R[0].T @ result.R[0], J[0] @ J[0].T, rtol=ROUNDING, atol=ROUNDING * J.size
    )
    np.testing.assert_array_equal(turned(system, result, curves, linear).params, result.params)


@pytest.mark.parametrize(
    ("formula", "start"),
    [
        ("A*exp(-k*x) + C", [-2, 0.5, -1]),
        ("A*exp(-((x - m)/s)**2)", [-2, 4.5, 1]),  # a place is beyond π, but no angle
        ("A*exp(k*x)", [-2, -0.4]),
        ("A*sin(w*x + 0.3)", [-2, 3]),
        ("A*sin(w*x + p) + p", [-2, -3, 5]),
    ],
)
def test_what_is_no_symmetry_is_kept(formula, start):
    system, found, curves, linear = minimum(formula, start)
    np.testing.assert_array_equal(turned(system, found, curves, linear).params, found.params)


def test_bounds_are_respected():
    bounds = {"lower": np.array([-5.0, 0.0, 4.0]), "upper": np.array([0.0, 9.0, 9.0])}
    system, found, curves, linear = minimum("A*sin(w*x + p)", [-2, 3, 5], **bounds)
    result = turned(system, found, curves, linear & False)
    np.testing.assert_array_equal(result.params, found.params)


def test_only_what_is_possible():
    system, found, curves, linear = minimum("A*sin(w*x + p)", [2, 3, 9])
    nothing = np.zeros(3, dtype=bool)
    assert turned(system, found, curves, linear, nothing) is found


def test_many_at_once():
    system, found, _, linear = minimum("A*sin(w*x + p)", [2, 3, 0.5])
    params = np.array([[2, 3, 0.5 + 2 * np.pi * k] for k in range(-3, 4)]) + 0.0
    every = found.where(np.zeros(7, dtype=int))
    result = turned(system, replace(every, params=params), np.zeros(7, dtype=int), linear)
    np.testing.assert_allclose(result.params, np.repeat([[2, 3, 0.5]], 7, axis=0), atol=ROUNDING)
