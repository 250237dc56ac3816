import numpy as np
import pytest

from sklsq.solvers.robust_loss import LOSSES, robust_cost, robust_weights


@pytest.mark.parametrize("name", LOSSES)
def test_derivatives_are_those_of_the_loss(name):
    z = np.array([0.0, 0.3, 0.9, 1.2, 5.0, 40.0])
    _, slope, bend = LOSSES[name](z)
    step = 1e-6
    above, below = LOSSES[name](z + step), LOSSES[name](z - step)
    np.testing.assert_allclose(slope, (above[0] - below[0]) / (2 * step), atol=1e-8)
    np.testing.assert_allclose(bend, (above[1] - below[1]) / (2 * step), atol=1e-8)


@pytest.mark.parametrize("name", LOSSES)
def test_small_residuals_are_squared(name):
    residuals = np.array([[1e-4, -2e-4]])
    np.testing.assert_allclose(robust_cost(residuals, name, 1.0, 0), 2.5e-8, rtol=1e-6)
    for weights in robust_weights(residuals, name, 1.0, 0):
        np.testing.assert_allclose(weights, 1.0, rtol=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_the_last_rows_may_be_plain(name):
    residuals = np.array([[10.0, 3.0]])
    with_prior = robust_cost(residuals, name, 2.0, 1) - robust_cost(residuals[:, :1], name, 2.0, 0)
    np.testing.assert_allclose(with_prior, 4.5)
    of_residuals, of_rows = robust_weights(residuals, name, 2.0, 1)
    assert of_residuals[0, 1] == of_rows[0, 1] == 1.0
    slope = LOSSES[name](np.array([25.0]))[1]
    np.testing.assert_allclose(of_residuals[0, 0] * of_rows[0, 0], slope, rtol=1e-12)
