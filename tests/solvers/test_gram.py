import numpy as np
import pytest

from sklsq.solvers.gram import gram_matrices, gram_matrix, products_of


@pytest.mark.parametrize("n", [7, 3_000])
def test_gram_matrices(n):
    J = np.random.default_rng(0).normal(size=(3, 4, n))
    expected = J @ J.swapaxes(1, 2)
    np.testing.assert_allclose(gram_matrices(J), expected, atol=1e-12 * n)
    into = np.empty((3, 4, 4))
    assert gram_matrices(J, into) is into
    np.testing.assert_allclose(into, expected, atol=1e-12 * n)


@pytest.mark.parametrize("shape", [(1, 5), (3, 1), (4, 200), (7, 10_000)])
def test_one_matrix(shape):
    rows = np.random.default_rng(1).normal(size=shape)
    expected = rows @ rows.copy().T
    np.testing.assert_allclose(gram_matrix(rows), expected, atol=1e-12 * shape[1])
    products, square = products_of(rows)
    np.testing.assert_allclose(products, expected[:, :-1], atol=1e-12 * shape[1])
    assert square == pytest.approx(expected[-1, -1])
