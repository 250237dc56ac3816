"""Derivatives of what users write, and how arguments find their parameters."""

import math

import numpy as np
import pytest

from sklsq.inference.parameter_function import parameter_function

P = np.array([0.5, -2.0, 3.0])
STD = np.array([0.1, 0.2, 0.3])
NAMES = ["a", "b", "c"]


def gradient_by_hand(p):
    a, b, c = p
    return np.array([[np.exp(a) * b + c**2, np.exp(a), 2 * a * c]])


def hessian_by_hand(p):
    a, b, c = p
    e = np.exp(a)
    return np.array([[[e * b, e, 2 * c], [e, 0.0, 0.0], [2 * c, 0.0, 2 * a]]])


WAYS = {
    "formula": ("exp(a)*b + a*c**2", 1e-15),
    "duals": (lambda a, b, c: np.exp(a) * b + a * c**2, 1e-15),
    "vector": (lambda p: np.exp(p[0]) * p[1] + p[0] * p[2] ** 2, 1e-15),
    "complex": (lambda a, b, c: np.array([np.exp(a) * b + a * c**2]).sum(), 1e-15),
    "differences": (lambda a, b, c: math.exp(a) * b + a * c**2, 1e-9),
}


@pytest.mark.parametrize(("func", "tolerance"), WAYS.values(), ids=WAYS)
def test_derivatives(func, tolerance):
    g = parameter_function(func, 3, NAMES)
    size = np.abs(gradient_by_hand(P)).max()
    np.testing.assert_allclose(g.jacobian(P), gradient_by_hand(P), atol=4 * tolerance * size)
    # Second derivatives of a function are differences: of its gradient, good to 1e-9.
    curvature = 1e-14 if isinstance(func, str) else max(1e-8, 1e4 * tolerance)
    np.testing.assert_allclose(g.hessian(P, STD), hessian_by_hand(P), atol=curvature * 10)


@pytest.mark.parametrize(("func", "tolerance"), WAYS.values(), ids=WAYS)
def test_samples_are_the_function(func, tolerance):
    points = P + 0.1 * np.random.default_rng(1).standard_normal((20, 3))
    a, b, c = points.T
    samples = parameter_function(func, 3, NAMES).samples(points)
    np.testing.assert_allclose(samples[:, 0], np.exp(a) * b + a * c**2, rtol=1e-13)
    assert samples.shape == (20, 1)


def test_samples_of_a_function_that_broadcasts_wrongly_are_taken_one_by_one():
    g = parameter_function(lambda p: p / p.sum(), 3)
    points = np.random.default_rng(2).uniform(1.0, 2.0, (3, 3))
    np.testing.assert_allclose(g.samples(points), points / points.sum(axis=1, keepdims=True))


def test_arguments_find_their_parameters():
    def value(func, names=NAMES):
        return float(parameter_function(func, 3, names).value(P))

    assert value(lambda c, a: 10 * c + a) == 30.5
    assert value(lambda b: b) == -2.0
    assert value(lambda x, y, z: y) == -2.0
    assert value(lambda v: v[2]) == 3.0
    assert value(lambda *v: v[0]) == 0.5
    assert value(lambda a, scale=2.0: a * scale) == 1.0
    assert value(lambda x, y, z, scale=2.0: z * scale, None) == 6.0
    assert parameter_function(np.hypot, 2).value(np.array([3.0, 4.0])) == 5.0
    assert parameter_function(max, 2).value(np.array([3.0, 4.0])) == 4.0


def test_a_parameter_that_does_not_occur_has_slope_zero():
    for func in ("b", lambda b: b, lambda p: math.sqrt(p[1] ** 2)):
        J = parameter_function(func, 3, NAMES).jacobian(P)
        assert J[0, 0] == J[0, 2] == 0.0
        assert abs(J[0, 1]) == pytest.approx(1.0)
