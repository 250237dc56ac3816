"""Externally studentised residuals are those of a fit without the point."""

import numpy as np
import pytest
import statsmodels.api as sm

from sklsq.diagnostics.outliers import outlier_test

RNG = np.random.default_rng(5)
X = np.linspace(0.0, 1.0, 18)
Y = 1.0 + X + 0.1 * RNG.normal(size=18)
Y[4] += 0.6


def test_beside_statsmodels():
    fit = sm.OLS(Y, sm.add_constant(X)).fit()
    influence = fit.get_influence()
    standardized = fit.resid / np.sqrt(1.0 - influence.hat_matrix_diag)
    test = outlier_test(standardized, fit.ssr, fit.df_resid)
    np.testing.assert_allclose(test.studentized, influence.resid_studentized_external)
    theirs = fit.outlier_test(method="sidak")
    np.testing.assert_allclose(test.tail, theirs[:, 1])
    assert np.argmin(test.tail) == 4
    np.testing.assert_allclose(test.p_value, theirs[:, 2].min())


def test_all_scatter_in_one_point():
    test = outlier_test(np.array([0.0, 0.0, 0.0, 2.0]), 4.0, 4.0)
    assert np.isposinf(test.studentized[3])
    assert test.p_value == 0.0


def test_no_scatter_in_a_point():
    test = outlier_test(np.zeros(4), 1.0, 3.0)
    assert test.p_value == pytest.approx(1.0)
