import numpy as np
import pytest

from sklsq.solvers.gram import gram_matrices


@pytest.mark.parametrize("n", [7, 3_000])
def test_gram_matrices(n):
    J = np.random.default_rng(0).normal(size=(3, 4, n))
    expected = J @ J.swapaxes(1, 2)
    np.testing.assert_allclose(gram_matrices(J), expected, atol=1e-12 * n)
    into = np.empty((3, 4, 4))
    assert gram_matrices(J, into) is into
    np.testing.assert_allclose(into, expected, atol=1e-12 * n)
