import numpy as np
import pytest

from sklsq.solvers.trust_region import CERTAIN
from sklsq.solvers.written_out import WRITTEN_OUT, algebra

SIZES = [1, 2, 3, 4, WRITTEN_OUT, WRITTEN_OUT + 1, 9]
ROUNDING = 1e-11
RADIUS = 0.1  # how well a damped step keeps to its radius


def _rows(k, seed=0):
    return (
        np.random.default_rng(seed).normal(size=(k + 1, 30))
        * np.geomspace(1.0, 1e3, k + 1)[:, None]
    )


def _products(rows):
    return rows @ rows[:-1].T


@pytest.mark.parametrize("k", SIZES)
def test_arrives_at_the_step_of_a_linear_fit(k):
    rows = _rows(k)
    D = np.full(k, 20.0)
    point = algebra(k).arrive(_products(rows), D.tolist())
    J, r = rows[:-1].T, rows[-1]
    step = np.linalg.lstsq(J, r, rcond=None)[0]
    scales = np.maximum(D, np.linalg.norm(J, axis=0))
    assert all(type(value) is float for value in (*point.D, *point.newton, point.longest))
    np.testing.assert_allclose(point.D, scales, rtol=ROUNDING)
    np.testing.assert_allclose(point.newton, step, rtol=ROUNDING)
    np.testing.assert_allclose(point.longest, np.linalg.norm(scales * step), rtol=ROUNDING)
    np.testing.assert_allclose(point.decrement, np.sum((J @ step) ** 2), rtol=ROUNDING)


@pytest.mark.parametrize("k", SIZES)
@pytest.mark.parametrize("share", [0.8, 0.5, 1e-2, 1e-6])
def test_a_damped_step_solves_the_damped_problem(k, share):
    rows = _rows(k)
    J, r = rows[:-1].T, rows[-1]
    steps = algebra(k)
    point = steps.arrive(_products(rows), (0.0,) * k)
    radius = share * point.longest
    change, length, promised, slope = steps.damped(point, radius)
    u, A, b = np.array(change) * point.D, J / point.D, (J / point.D).T @ r
    assert length == pytest.approx(np.linalg.norm(u), rel=ROUNDING)
    assert abs(length - radius) <= RADIUS * radius * (1.0 + ROUNDING)
    pull = b - A.T @ (A @ u)  # parallel to u: the gradient at the end of the step
    damping = pull @ u / (u @ u)
    np.testing.assert_allclose(pull, damping * u, atol=1e-9 * np.linalg.norm(b))
    assert damping >= 0.0
    assert slope == pytest.approx(b @ u, rel=ROUNDING)
    fall = 0.5 * (r @ r - np.sum((r - A @ u) ** 2))
    assert promised == pytest.approx(fall, rel=1e-6)  # a difference of nearly equal numbers


@pytest.mark.parametrize("k", SIZES)
def test_compares_a_step_with_an_earlier_one(k):
    rows = _rows(k)
    J, steps = rows[:-1].T, algebra(k)
    point = steps.arrive(_products(rows), (0.0,) * k)
    old = np.random.default_rng(1).normal(size=k) / point.D
    ratio, left = steps.compare(point, old.tolist())
    new, before = J @ point.newton, J @ old
    expected = new @ before / (before @ before)
    assert ratio == pytest.approx(expected, rel=ROUNDING)
    rest = np.linalg.norm(new - expected * before) / np.linalg.norm(before)
    assert left == pytest.approx(rest, rel=1e-9, abs=1e-7 * abs(ratio))
    assert steps.compare(point, [0.0] * k) == (1.0, 0.0)


@pytest.mark.parametrize("k", SIZES[1:])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda J: J[1:2] * 2.0,
        lambda J: J[1:2] * (1.0 + 1e-9 * np.cos(np.arange(30))),
        lambda _: np.zeros((1, 30)),
        lambda _: np.full((1, 30), np.nan),
        lambda _: np.full((1, 30), np.inf),
        lambda _: np.full((1, 30), 1e200),
    ],
    ids=["equal", "nearly equal", "zero", "nan", "infinite", "overflowing"],
)
def test_says_where_rounding_would_show(k, spoil):
    rows = _rows(k)
    rows[:1] = spoil(rows)
    with np.errstate(all="ignore"):
        assert algebra(k).arrive(_products(rows), (0.0,) * k) is None


def test_scales_never_shrink():
    rows = _rows(3)
    point = algebra(3).arrive(_products(rows), (50.0, 0.0, 1e4))
    assert (point.D[0], point.D[2]) == (50.0, 1e4)
    assert point.D[1] == pytest.approx(np.linalg.norm(rows[1]))


@pytest.mark.parametrize("k", [2, 4, WRITTEN_OUT])
def test_a_damped_step_of_an_ill_conditioned_problem_is_sound(k):
    rows = _rows(k)
    rows[0] = rows[1] * (1.0 + 1e-5 * np.cos(np.arange(30)))
    steps = algebra(k)
    point = steps.arrive(_products(rows), (0.0,) * k)
    assert point.condition > CERTAIN
    J, r = rows[:-1].T / point.D, rows[-1]
    assert np.linalg.cond(J.T @ J) < 1.001 * point.condition
    change, length, promised, _ = steps.damped(point, 0.01 * point.longest)
    u = np.array(change) * point.D
    damping = (J.T @ (r - J @ u)) @ u / length**2
    exact = np.linalg.solve(J.T @ J + damping * np.eye(k), J.T @ r)
    np.testing.assert_allclose(u, exact, rtol=1e-5)
    assert promised == pytest.approx(0.5 * (r @ r - np.sum((r - J @ u) ** 2)), rel=1e-5)
