import numpy as np
import pytest

from sklsq.solvers.small_matrices import inner, inverse_roots, inverse_triangles


@pytest.fixture(params=[(40, 1), (40, 2), (40, 5), (40, 8), (40, 11), (3, 4), (1, 3)], ids=str)
def systems(request):
    """A (B, k, k), b (k, B) and shifts (k, B)."""
    n, k = request.param
    rng = np.random.default_rng(k)
    J = rng.normal(size=(n, k, 30)) * rng.uniform(0.1, 10.0, (n, k, 1))
    return J @ J.swapaxes(1, 2), rng.normal(size=(k, n)), rng.uniform(0.0, 3.0, (k, n))


def along(A):
    return A.transpose(1, 2, 0)


def solutions(A, b):
    return np.linalg.solve(A, b.T[:, :, None])[:, :, 0].T


def test_solutions(systems):
    A, b, _ = systems
    roots, expected = inverse_roots(along(A)), solutions(A, b)
    np.testing.assert_allclose(roots.solve(b), expected, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(roots.trace(), np.trace(np.linalg.inv(A), axis1=1, axis2=2))
    half = roots.half(b)
    np.testing.assert_allclose(inner(half, half), np.sum(b * expected, axis=0))


def test_triangles_are_those_of_cholesky(systems):
    A = systems[0]
    expected = np.linalg.cholesky(A).swapaxes(1, 2)
    atol = 1e-13 * np.abs(expected).max()
    np.testing.assert_allclose(inverse_roots(along(A)).triangles(), along(expected), atol=atol)


def test_shifts(systems):
    A, b, shift = systems
    identity = np.eye(A.shape[1])
    by_entry = A + shift.T[:, :, None] * identity
    np.testing.assert_allclose(inverse_roots(along(A), shift).solve(b), solutions(by_entry, b))
    alike = A + shift[0][:, None, None] * identity
    np.testing.assert_allclose(inverse_roots(along(A), shift[0]).solve(b), solutions(alike, b))


def test_the_matrices_are_left_as_they_are(systems):
    A = along(systems[0]).copy()
    before = A.copy()
    inverse_roots(A, 1.0)
    np.testing.assert_array_equal(A, before)


def test_some_of_them(systems):
    A, b, _ = systems
    mask = np.arange(len(A)) % 2 == 0
    roots = inverse_roots(along(A))
    some = roots.where(mask).solve(b[:, mask])
    np.testing.assert_allclose(some, roots.solve(b)[:, mask], rtol=1e-9, atol=1e-13)


def test_what_is_not_positive_definite_is_nan_and_nothing_else(systems):
    A, b, _ = systems
    if len(A) < 3:
        return
    A[1, -1, -1] = -1.0
    A[2, 0, 0] = np.nan
    with np.errstate(all="ignore"):
        roots = inverse_roots(along(A))
        trace, steps = roots.trace(), roots.solve(b)
    lost = np.isin(np.arange(len(A)), [1, 2])
    np.testing.assert_array_equal(~np.isfinite(trace), lost)
    assert np.isfinite(steps[:, ~lost]).all()


def test_inverse_triangles(systems):
    R = np.linalg.cholesky(systems[0]).swapaxes(1, 2)
    inverse, expected = inverse_triangles(R), np.linalg.inv(R)
    np.testing.assert_allclose(inverse, expected, atol=1e-12 * np.abs(expected).max())
    R[0, -1, -1] = 0.0
    with np.errstate(all="ignore"):
        singular = inverse_triangles(R)
    assert not np.isfinite(singular[0]).all()
    np.testing.assert_array_equal(singular[1:], inverse[1:])
