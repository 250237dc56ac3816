import numpy as np
import pytest

from sklsq.solvers.small_matrices import inverse_roots


@pytest.fixture(params=[(40, 1), (40, 2), (40, 5), (40, 8), (40, 11), (3, 4)], ids=str)
def systems(request):
    n, k = request.param
    rng = np.random.default_rng(k)
    J = rng.normal(size=(n, k, 30)) * rng.uniform(0.1, 10.0, (n, k, 1))
    return J @ J.swapaxes(1, 2), rng.normal(size=(n, k)), rng.uniform(0.0, 3.0, (n, k))


def test_solutions(systems):
    A, b, _ = systems
    roots = inverse_roots(A)
    expected = np.linalg.solve(A, b[:, :, None])[:, :, 0]
    np.testing.assert_allclose(roots.solve(b), expected, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(roots.trace(), np.trace(np.linalg.inv(A), axis1=1, axis2=2))
    half = roots.half(b)
    np.testing.assert_allclose(np.sum(half**2, axis=0), np.sum(b * expected, axis=1))


def test_shifts(systems):
    A, b, shift = systems
    by_entry = A + shift[:, :, None] * np.eye(A.shape[1])
    np.testing.assert_allclose(
        inverse_roots(A, shift).solve(b), np.linalg.solve(by_entry, b[:, :, None])[:, :, 0]
    )
    alike = A + shift[:, :1, None] * np.eye(A.shape[1])
    np.testing.assert_allclose(
        inverse_roots(A, shift[:, 0]).solve(b), np.linalg.solve(alike, b[:, :, None])[:, :, 0]
    )


def test_some_of_them(systems):
    A, b, _ = systems
    mask = np.arange(len(A)) % 2 == 0
    np.testing.assert_array_equal(
        inverse_roots(A).where(mask).solve(b[mask]), inverse_roots(A).solve(b)[mask]
    )


def test_what_is_not_positive_definite_is_nan_and_nothing_else(systems):
    A, b, _ = systems
    A[1, -1, -1] = -1.0
    A[2, 0, 0] = np.nan
    with np.errstate(all="ignore"):
        trace, steps = inverse_roots(A).trace(), inverse_roots(A).solve(b)
    lost = np.arange(len(A))[:, None] == [1, 2]
    np.testing.assert_array_equal(~np.isfinite(trace), lost.any(axis=1))
    assert np.isfinite(steps[~lost.any(axis=1)]).all()
