import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sklsq import DegreesOfFreedomWarning, NonlinearLSQ
from sklsq.estimators._minima import PublishedMinima

X = np.linspace(0.0, 5.0, 30)[:, None]
Y = 3.0 * np.exp(-0.7 * X[:, 0]) + 0.05 * np.random.default_rng(0).normal(size=30)
SCALARS = ("chi2_", "dof_", "reduced_chi2_", "p_value_", "converged_", "n_iter_", "rank_")
ARRAYS = ("params_", "params_cov_", "params_std_", "coef_", "coef_cov_", "at_bound_")


@pytest.mark.parametrize("sigma", [None, 0.05])
@pytest.mark.parametrize("priors", [None, {"k": (0.7, 0.1)}])
def test_one_curve_publishes_what_a_column_does(sigma, priors):
    estimator = NonlinearLSQ("a*exp(-k*x)", p0=[1.0, 1.0], priors=priors)
    assert isinstance(estimator, PublishedMinima)
    alone = estimator.fit(X, Y, sigma=sigma)
    column = NonlinearLSQ("a*exp(-k*x)", p0=[1.0, 1.0], priors=priors).fit(
        X, Y[:, None], sigma=sigma
    )
    for name in ARRAYS:
        np.testing.assert_allclose(getattr(alone, name), getattr(column, name)[0], rtol=1e-12)
    for name in SCALARS:
        np.testing.assert_allclose(getattr(alone, name), getattr(column, name)[0], rtol=1e-12)
        assert type(getattr(alone, name)) in (int, float, bool)
    assert alone.status_ == column.status_[0]
    assert alone.unidentified_.shape == column.unidentified_.shape == (0, 2)
    assert str(alone.summary()).splitlines()[1:4] != []


@pytest.mark.parametrize("p0", [None, [3.0, 0.7]])
def test_a_prior_is_no_data(p0):
    Y_ = np.column_stack([Y, np.full(30, np.nan)])
    fit = NonlinearLSQ("a*exp(-k*x)", p0, priors={"k": (0.7, 0.1)})
    with (
        pytest.warns(ConvergenceWarning, match="1: Not fitted: the curve has no points"),
        pytest.warns(DegreesOfFreedomWarning, match="no degrees of freedom"),
    ):
        fit.fit(X, Y_)
    np.testing.assert_array_equal(fit.converged_, [True, False])
    assert np.isnan(fit.params_[1]).all()
    assert np.isnan(fit.chi2_[1])
    np.testing.assert_array_equal(fit.dof_, [29, 0])
