import numpy as np
import pytest

from sklsq.solvers.batched_steps import quadratics, stacked_triangles
from sklsq.solvers.nonlinear_problem import NonlinearProblem
from sklsq.solvers.trust_region import quadratic_of_triangle

RCOND = 1e-13


def _factor(J, r):
    triangle = np.linalg.qr(np.column_stack([J.T, r]), mode="r")
    k = len(J)
    return triangle[:k, :k], triangle[:k, k]


@pytest.fixture(params=[False, True], ids=["determined", "repeated column"])
def linear(request):
    """J (B, k, n), r (B, n), and their problem; the columns repeated or not."""
    rng = np.random.default_rng(0)
    J, r = rng.normal(size=(5, 4, 20)), rng.normal(size=(5, 20))
    if request.param:
        J[:, -1] = J[:, 0]
    return J, r, NonlinearProblem(lambda p, c: r[c], lambda p, c: (r[c], J[c]), 4, 20)


def _model(J, r, problem, held=None):
    gram, gradient = np.einsum("bin,bjn->ijb", J, J), np.einsum("bkn,bn->kb", J, r)
    D = np.sqrt(np.einsum("iib->ib", gram))
    points = np.zeros((4, 5)), np.arange(5)
    with np.errstate(all="ignore"):  # of singular matrices
        return D, quadratics(problem, points, gram, gradient, D, held)


@pytest.mark.parametrize("radius", [np.inf, 0.3, 0.01])
def test_stacked_steps_are_the_single_ones(linear, radius):
    J, r, _ = linear
    D, model = _model(*linear)
    assert len(model.spectral) == (5 if np.array_equal(J[0, 0], J[0, -1]) else 0)
    with np.errstate(all="ignore"):
        u = model.newton() if radius == np.inf else model.damped(np.full(5, radius), np.arange(5))
    for i in range(5):
        alone = quadratic_of_triangle(*_factor(J[i], r[i]), D[:, i], RCOND)
        step = alone.newton if radius == np.inf else alone.damped(radius)
        np.testing.assert_allclose(u[:, i], step, rtol=1e-3)
        assert model.reduction(u)[i] == pytest.approx(alone.reduction(step), rel=1e-3)


def test_some_of_them(linear):
    mask = np.array([True, False, True, True, False])
    _, model = _model(*linear)
    some, rows = model.where(mask), np.flatnonzero(mask)
    np.testing.assert_allclose(some.newton(), model.newton()[:, mask], rtol=1e-12)
    radius = np.full(len(rows), 0.1)
    np.testing.assert_allclose(
        some.damped(radius, np.arange(len(rows))), model.damped(radius, rows), rtol=1e-12
    )


def test_held_parameters_take_no_part():
    rng = np.random.default_rng(1)
    J, r = rng.normal(size=(5, 4, 20)), rng.normal(size=(5, 20))
    problem = NonlinearProblem(lambda p, c: r[c], lambda p, c: (r[c], J[c]), 4, 20)
    mask, moved = np.zeros((4, 5), dtype=bool), np.zeros((4, 5))
    mask[1], moved[1] = True, 0.3
    D, model = _model(J, r, problem, (mask, moved))
    step = model.newton() / D
    for i in range(5):
        rest = r[i] - J[i, 1] * (0.3 / D[1, i])
        expected, *_ = np.linalg.lstsq(J[i, [0, 2, 3]].T, rest, rcond=None)
        np.testing.assert_allclose(step[[0, 2, 3], i], expected, rtol=1e-10)
    np.testing.assert_array_equal(step[1], 0.0)


def test_triangles_with_fewer_rows_than_parameters():
    rng = np.random.default_rng(2)
    J, r = rng.normal(size=(3, 4, 2)), rng.normal(size=(3, 2))
    problem = NonlinearProblem(lambda p, c: r[c], lambda p, c: (r[c], J[c]), 4, 2)
    R, z = stacked_triangles(problem, np.zeros((3, 4)), np.arange(3))
    np.testing.assert_allclose(R.swapaxes(1, 2) @ R, J @ J.swapaxes(1, 2), atol=1e-13)
    np.testing.assert_allclose(np.einsum("bji,bj->bi", R, z), np.einsum("bkn,bn->bk", J, r))
