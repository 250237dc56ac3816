"""The root of a covariance: what it says of combinations, and of combinations of these."""

import numpy as np
import pytest

from sklsq.inference.covariance_factor import CovarianceFactor

KNOWN = np.zeros(3, dtype=bool)
ROUNDING = 1e-9


@pytest.fixture
def factor():
    """Of three parameters, whose first two have only their sum determined."""
    root = np.array([[0.1, 0.02], [0.1, 0.02], [0.0, 0.3]])
    return CovarianceFactor(root, np.array([[1.0, -1.0, 0.0]]), KNOWN, ROUNDING)


def test_covariance_marks_what_is_not_determined(factor):
    nan, inf = np.nan, np.inf
    expected = [[inf, nan, nan], [nan, inf, nan], [nan, nan, 0.09]]
    np.testing.assert_allclose(factor.covariance(), expected, rtol=1e-15)


def test_of_functions_and_of_functions_of_these(factor):
    J = np.array([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 2.0]])
    np.testing.assert_array_equal(factor.loses(J), [False, True, False])
    of_J = factor.of(J)
    found, S = of_J.covariance(), J @ factor.root @ factor.root.T @ J.T
    np.testing.assert_allclose(found[np.ix_([0, 2], [0, 2])], S[np.ix_([0, 2], [0, 2])], rtol=1e-14)
    assert np.isinf(found[1, 1])
    again = np.array([[1.0, -1.0, 0.0], [0.0, 1.0, 0.0]])  # b, which is lost, and a
    np.testing.assert_array_equal(of_J.loses(again), factor.loses(again @ J))
    np.testing.assert_allclose(of_J.of(again).root, again @ J @ factor.root, rtol=1e-14)


def test_rounding_of_derivatives_is_no_dependence(factor):
    J = np.array([[1.0, 1.0 + 1e-12, 0.0]])
    assert not factor.loses(J).any()
    assert not len(factor.of(J).null_space)


def test_unknown_errors_stay_unknown(factor):
    last = np.array([False, False, True])
    partly = CovarianceFactor(factor.root, factor.null_space[:0], last, ROUNDING)
    assert np.isnan(partly.covariance()[2]).all()
    of_J = partly.of(np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 1.0], [np.nan, 0.0, 0.0]]))
    np.testing.assert_array_equal(of_J.unknown, [False, True, True])
