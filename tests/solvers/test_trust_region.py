import numpy as np
import pytest
from scipy.optimize import leastsq

from sklsq.solvers.levenberg_marquardt import minimise
from sklsq.solvers.trust_region import (
    bounded_step,
    next_radius,
    next_region,
    quadratic_of_gram,
    quadratic_of_triangle,
)
from tests.known_answers import record
from tests.solvers.curve_models import problem_of

RCOND = 1e-13


def _linear(seed=0, n=20, k=4, repeated=False):
    rng = np.random.default_rng(seed)
    A, r = rng.normal(size=(n, k)), rng.normal(size=n)
    if repeated:
        A[:, -1] = A[:, 0]
    return A, r


def _factor(A, r):
    triangle = np.linalg.qr(np.column_stack([A, r]), mode="r")
    k = A.shape[1]
    return triangle[:k, :k], triangle[:k, k]


def _quadratics(A, r):
    D = np.linalg.norm(A, axis=0)
    return D, [
        quadratic_of_gram(A.T @ A, A.T @ r, D),
        quadratic_of_triangle(*_factor(A, r), D, RCOND),
    ]


def test_undamped_step_is_least_squares():
    A, r = _linear()
    expected, *_ = np.linalg.lstsq(A, r, rcond=None)
    for model in _quadratics(A, r)[1]:
        np.testing.assert_allclose(model.newton / model.D, expected, rtol=1e-10)
        assert 0.5 * model.decrement == pytest.approx(model.reduction(model.newton))


@pytest.mark.parametrize("radius", [1e-6, 0.03, 0.3])
def test_damped_step_has_the_length_of_the_radius(radius):
    A, r = _linear()
    D, models = _quadratics(A, r)
    for model in models:
        u = model.damped(radius)
        step = u / D
        assert np.linalg.norm(D * step) == pytest.approx(radius, rel=0.1)
        left = A.T @ (r - A @ step) / D**2  # the gradient left is along the step
        assert left @ step == pytest.approx(np.linalg.norm(left) * np.linalg.norm(step))
        fall = 0.5 * (r @ r - np.sum((r - A @ step) ** 2))
        assert model.reduction(u) == pytest.approx(fall, rel=1e-6)


def test_inner_products_are_those_of_the_standard_errors():
    A, r = _linear()
    D, models = _quadratics(A, r)
    u, v = np.random.default_rng(1).normal(size=(2, 4))
    for model in models:
        assert model.inner(u, v) == pytest.approx((A @ (u / D)) @ (A @ (v / D)), rel=1e-12)


def test_repeated_columns_share_the_step():
    A, r = _linear(repeated=True)
    _, (of_gram, of_triangle) = _quadratics(A, r)
    assert of_gram is None
    step = of_triangle.newton / of_triangle.D
    np.testing.assert_allclose(step, np.linalg.pinv(A) @ r, rtol=1e-10)


def test_bounded_step_is_the_minimum_in_the_box():
    A, r = _linear(seed=3)
    R, z = _factor(A, r)
    free_step, *_ = np.linalg.lstsq(A, r, rcond=None)
    upper = np.where(np.arange(4) == 0, 0.5 * free_step, np.inf)
    upper[0] = 0.5 * free_step[0] if free_step[0] > 0 else np.inf
    lower = np.full(4, -np.inf)
    if free_step[0] <= 0:
        lower[0] = 0.5 * free_step[0]
    step, promised, undamped = bounded_step(
        R, z, np.ones(4), np.inf, (lower, upper), np.ones(4, dtype=bool), RCOND
    )
    others, *_ = np.linalg.lstsq(A[:, 1:], r - A[:, 0] * 0.5 * free_step[0], rcond=None)
    np.testing.assert_allclose(step, [0.5 * free_step[0], *others], rtol=1e-10)
    assert undamped
    assert promised == pytest.approx(0.5 * (r @ r - np.sum((r - A @ step) ** 2)))


def test_radius_follows_the_gain():
    assert next_radius(1.0, 0.8, 0.9, 1.0, -0.4, False) == 1.6
    assert next_radius(1.0, 0.8, 0.5, 1.0, -0.4, False) == 1.0
    assert next_radius(1.0, 0.8, 0.1, 1.0, -0.1, False) == 0.5
    assert next_radius(1.0, 0.8, -1.0, 1.0, 1.0, False) == 0.25
    assert next_radius(1.0, 0.8, -1.0, 1.0, np.inf, False) == 0.1
    assert next_radius(1.0, 0.8, np.nan, 1.0, np.nan, False) == 0.1


def test_a_length_that_failed_is_approached_little_by_little():
    success, failure = (0.9, 1.0, -0.4, False), (-1.0, 1.0, 1.0, False)
    radius, ceiling = next_region(2.0, np.inf, 2.0, *failure)
    assert radius < 2.0
    assert ceiling == 2.0
    grown = []
    for _ in range(6):
        length = radius
        radius, ceiling = next_region(radius, ceiling, length, *success)
        grown.append(radius / length)
    assert all(1.0 <= factor <= 2.0 for factor in grown)
    assert grown[2] < 1.4  # close to the length that failed
    assert radius > 2.0  # in the end what failed is tried again
    assert next_region(1.0, 2.0, 1.0, 0.5, 1.0, -0.4, False) == (1.0, 2.0)
    assert next_region(1.0, 2.0, 0.8, 0.9, 1.0, -0.4, True) == (1.6, np.inf)
    assert next_region(1.0, np.inf, 0.8, 0.9, 1.0, -0.4, False) == (1.6, np.inf)


def test_three_exponentials_take_no_more_evaluations_than_minpack():
    case = record("nist_Lanczos3")
    ours = minimise(problem_of(case), case.starts[0][None])
    calls = []

    def residuals(p):
        calls.append(p)
        return problem_of(case).evaluate(p[None], np.zeros(1, dtype=int))[0]

    def derivatives(p):
        return -problem_of(case).linearise(p[None], np.zeros(1, dtype=int))[1][0].T

    with np.errstate(all="ignore"):
        theirs = leastsq(residuals, case.starts[0], Dfun=derivatives, full_output=True)[2]
    assert ours.converged[0]
    assert ours.n_iter[0] + 1 <= theirs["nfev"]


@pytest.mark.parametrize("radius", [0.0, 5e-324])
def test_a_region_without_room(radius):
    A = np.random.default_rng(0).normal(size=(9, 2))
    gram, gradient, D = A.T @ A, A.sum(axis=0), np.ones(2)
    for model in (
        quadratic_of_gram(gram, gradient, D),
        quadratic_of_triangle(*_triangle(A, np.ones(9)), D, 1e-12),
    ):
        assert np.isfinite(model.damped(radius)).all()


def _triangle(A, r):
    Q, R = np.linalg.qr(A)
    return R, Q.T @ r
