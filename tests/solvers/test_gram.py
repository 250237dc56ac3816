import numpy as np
import pytest

from sklsq.solvers.gram import _dots_by_matmul, gram_matrices, gram_matrix, products_of


@pytest.mark.parametrize("k", [1, 4, 13])
@pytest.mark.parametrize("n", [7, 3_000])
def test_gram_matrices(k, n):
    rows = np.random.default_rng(0).normal(size=(k, 3, n))
    expected = np.einsum("ibn,jbn->ijb", rows, rows)
    np.testing.assert_allclose(gram_matrices(rows), expected, atol=1e-12 * n)
    wide = np.zeros((k, k, 5))
    into = wide[:, :, 1:4]
    assert gram_matrices(rows, into) is into
    np.testing.assert_allclose(into, expected, atol=1e-12 * n)
    assert not wide[:, :, [0, 4]].any()


def test_dots_without_vecdot():
    rows, out = np.random.default_rng(0).normal(size=(4, 3, 9)), np.empty((4, 3))
    _dots_by_matmul(rows, rows[1], out)
    np.testing.assert_allclose(out, np.einsum("ibn,bn->ib", rows, rows[1]))


@pytest.mark.parametrize("shape", [(1, 5), (3, 1), (4, 200), (7, 10_000)])
def test_one_matrix(shape):
    rows = np.random.default_rng(1).normal(size=shape)
    expected = rows @ rows.copy().T
    np.testing.assert_allclose(gram_matrix(rows), expected, atol=1e-12 * shape[1])
    products, square = products_of(rows)
    np.testing.assert_allclose(products, expected[:, :-1], atol=1e-12 * shape[1])
    assert square == pytest.approx(expected[-1, -1])
