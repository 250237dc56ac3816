"""The straight line and the plane: correlation, parameters about a point, two ways to a line."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from sklsq import DesignMatrixRegressor, OrthogonalRegression, WeightedLinearFit
from sklsq.estimators.weighted_linear import ParametersAt


def data(n=20, p=1, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    return X, 1.0 + X.sum(axis=1) + rng.normal(size=n), rng.uniform(0.5, 2.0, n)


def weighted_correlation(x, y, sigma):
    cov = np.cov(x, y, aweights=1.0 / sigma**2)
    return cov[0, 1] / np.sqrt(cov[0, 0] * cov[1, 1])


class TestCorrelation:
    @pytest.mark.parametrize("n", [20, 5000])
    @pytest.mark.parametrize("sign", [1.0, -1.0])
    def test_is_that_of_numpy(self, n, sign):
        X, y, sigma = data(n)
        fit = WeightedLinearFit().fit(X, sign * y)
        assert fit.r_ == pytest.approx(np.corrcoef(X[:, 0], sign * y)[0, 1], rel=1e-11)
        fit = WeightedLinearFit().fit(X, sign * y, sigma=sigma)
        assert fit.r_ == pytest.approx(weighted_correlation(X[:, 0], sign * y, sigma), rel=1e-11)
        assert type(fit.r_) is float

    def test_does_not_change_with_x_and_y(self):
        X, y, sigma = data()
        forth = WeightedLinearFit().fit(X, y, sigma=sigma)
        back = WeightedLinearFit().fit(y[:, None], X[:, 0], sigma=sigma)
        assert forth.r_ == pytest.approx(back.r_, rel=1e-12)
        assert forth.r_**2 == pytest.approx(forth.coef_[0] * back.coef_[0], rel=1e-12)

    @pytest.mark.parametrize("n", [30, 5000])
    def test_multiple_correlation(self, n):
        X, y, sigma = data(n, 3)
        fit = WeightedLinearFit().fit(X, y, sigma=sigma)
        assert fit.r_ == pytest.approx(weighted_correlation(fit.predict(X), y, sigma), rel=1e-10)
        assert fit.r_**2 == pytest.approx(fit.score(X, y, sigma=sigma), rel=1e-10)

    def test_of_curves(self):
        X, y, sigma = data()
        fit = WeightedLinearFit().fit(X, np.column_stack([y, -y]), sigma=sigma)
        expected = weighted_correlation(X[:, 0], y, sigma)
        np.testing.assert_allclose(fit.r_, [expected, -expected], rtol=1e-11)

    def test_perfect_line(self):
        X, _, _ = data()
        assert WeightedLinearFit().fit(X, 1.0 - 2.0 * X[:, 0]).r_ == pytest.approx(-1.0, abs=1e-14)

    @pytest.mark.parametrize("offset", [0.0, 1e6, 1e9])
    def test_large_offsets(self, offset):
        X, y, sigma = data()
        expected = weighted_correlation(X[:, 0], y, sigma)
        fit = WeightedLinearFit().fit(X + offset, y + offset, sigma=sigma)
        assert fit.r_ == pytest.approx(expected, rel=1e-5 if offset > 1e8 else 1e-8)

    def test_unknown_before_the_fit(self):
        with pytest.raises(AttributeError, match="is not fitted yet"):
            _ = WeightedLinearFit().r_
        assert not hasattr(WeightedLinearFit(), "r_")

    def test_after_batches(self):
        X, y, sigma = data()
        fit = WeightedLinearFit().partial_fit(X[:5], y[:5], sigma=sigma[:5])
        fit.partial_fit(X[5:], y[5:], sigma=sigma[5:])
        assert fit.r_ == pytest.approx(weighted_correlation(X[:, 0], y, sigma), rel=1e-11)


class TestParametersAt:
    def test_about_the_weighted_mean_nothing_is_correlated(self):
        X, y, sigma = data()
        weight = 1.0 / sigma**2
        about = WeightedLinearFit().fit(X, y, sigma=sigma).params_at()
        assert isinstance(about, ParametersAt)
        assert about.x0[0] == pytest.approx(np.average(X[:, 0], weights=weight), rel=1e-12)
        assert about.params[0] == pytest.approx(np.average(y, weights=weight), rel=1e-12)
        assert about.params_std[0] == pytest.approx(1.0 / np.sqrt(weight.sum()), rel=1e-12)
        size = np.prod(about.params_std)
        assert about.params_cov[0, 1] == pytest.approx(0.0, abs=1e-13 * size)

    @pytest.mark.parametrize("x0", [0.0, 3.5, -200.0])
    @pytest.mark.parametrize("absolute", [True, False])
    def test_is_the_line_of_shifted_x(self, x0, absolute):
        X, y, sigma = data()
        estimator = WeightedLinearFit(absolute_sigma=absolute)
        about = estimator.fit(X, y, sigma=sigma).params_at(x0)
        shifted = WeightedLinearFit(absolute_sigma=absolute).fit(X - x0, y, sigma=sigma)
        np.testing.assert_allclose(about.params, shifted.params_, rtol=1e-10)
        np.testing.assert_allclose(about.params_cov, shifted.params_cov_, rtol=1e-9, atol=1e-15)
        np.testing.assert_allclose(about.params_std, shifted.params_std_, rtol=1e-10)

    def test_at_zero_it_is_what_was_fitted(self):
        X, y, sigma = data(p=3)
        fit = WeightedLinearFit().fit(X, y, sigma=sigma)
        about = fit.params_at([0.0, 0.0, 0.0])
        np.testing.assert_allclose(about.params, fit.params_, rtol=1e-11)
        np.testing.assert_allclose(about.params_cov, fit.params_cov_, rtol=1e-10, atol=1e-15)

    def test_plane(self):
        X, y, sigma = data(p=2)
        about = WeightedLinearFit().fit(X, y, sigma=sigma).params_at([1.0, -2.0])
        shifted = WeightedLinearFit().fit(X - [1.0, -2.0], y, sigma=sigma)
        np.testing.assert_allclose(about.params, shifted.params_, rtol=1e-10)
        np.testing.assert_allclose(about.params_cov, shifted.params_cov_, rtol=1e-9)

    def test_plane_about_the_mean(self):
        X, y, sigma = data(p=2)
        about = WeightedLinearFit().fit(X, y, sigma=sigma).params_at()
        np.testing.assert_allclose(about.x0, np.average(X, axis=0, weights=sigma**-2), rtol=1e-11)
        np.testing.assert_allclose(about.params_cov[0, 1:], 0.0, atol=1e-14)

    def test_curves(self):
        X, y, sigma = data()
        fit = WeightedLinearFit().fit(X, np.column_stack([y, 2.0 * y]), sigma=sigma)
        about = fit.params_at(1.5)
        assert about.params.shape == (2, 2)
        assert about.params_cov.shape == (2, 2, 2)
        single = WeightedLinearFit().fit(X, y, sigma=sigma).params_at(1.5)
        np.testing.assert_allclose(about.params[0], single.params, rtol=1e-11)
        np.testing.assert_allclose(about.params_std[1], single.params_std, rtol=1e-11)

    def test_without_an_intercept(self):
        X, y, _ = data()
        fit = WeightedLinearFit(fit_intercept=False).fit(X, y)
        with pytest.raises(ValueError, match="`params_at` must have an intercept"):
            fit.params_at()

    def test_before_the_fit(self):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            WeightedLinearFit().params_at()


@pytest.mark.parametrize("n", [3, 20, 1024, 1025, 50_000])
@pytest.mark.parametrize("given", ["nothing", "scalar", "sigma", "weight"])
def test_line_of_its_own_way_is_the_general_one(n, given):
    """One feature and one curve have a solver of their own; two curves have not."""
    X, y, sigma = data(n)
    arguments = {
        "nothing": {},
        "scalar": {"sigma": 0.3},
        "sigma": {"sigma": sigma},
        "weight": {"sample_weight": sigma},
    }[given]
    line = WeightedLinearFit().fit(X, y, **arguments)
    general = WeightedLinearFit().fit(X, np.column_stack([y, y]), **arguments)
    np.testing.assert_allclose(line.params_, general.params_[0], rtol=1e-11)
    np.testing.assert_allclose(line.params_cov_, general.params_cov_[0], rtol=1e-10, atol=1e-18)
    assert line.chi2_ == pytest.approx(general.chi2_[0], rel=1e-11)
    assert line.dof_ == general.dof_[0]
    np.testing.assert_allclose(line.singular_values_, general.singular_values_, rtol=1e-11)
    assert line.condition_number_ == pytest.approx(general.condition_number_, rel=1e-9)
    assert line.r_ == pytest.approx(general.r_[0], rel=1e-11)


@pytest.mark.parametrize("p", [1, 3])
@pytest.mark.parametrize("n", [20, 5000])
def test_is_a_design_matrix_with_ones(p, n):
    X, y, sigma = data(n, p)
    plane = WeightedLinearFit().fit(X, y, sigma=sigma)
    matrix = DesignMatrixRegressor().fit(np.column_stack([np.ones(n), X]), y, sigma=sigma)
    np.testing.assert_allclose(plane.params_, matrix.coef_, rtol=1e-10)
    np.testing.assert_allclose(plane.params_cov_, matrix.coef_cov_, rtol=1e-9, atol=1e-17)
    assert plane.chi2_ == pytest.approx(matrix.chi2_, rel=1e-11)
    np.testing.assert_allclose(plane.singular_values_, matrix.singular_values_, rtol=1e-9)


def test_names():
    X, y, _ = data(p=2)
    assert WeightedLinearFit().fit(X, y).param_names_ == ["intercept", "x0", "x1"]
    assert WeightedLinearFit().fit(X[:, :1], y).param_names_ == ["intercept", "x"]
    assert WeightedLinearFit(fit_intercept=False).fit(X, y).param_names_ == ["x0", "x1"]
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=["depth", "salt"])
    fit = WeightedLinearFit().fit(frame, y)
    assert fit.param_names_ == ["intercept", "depth", "salt"]
    assert fit.feature_names_in_.tolist() == ["depth", "salt"]


@pytest.mark.parametrize("y", [np.zeros(8), np.full(8, 3.0), np.full(8, 0.1)], ids=str)
def test_constant_y(y):
    X = np.arange(8.0)[:, None]
    fit = WeightedLinearFit().fit(X, y)
    np.testing.assert_allclose(fit.params_, [y[0], 0.0], atol=1e-15)
    np.testing.assert_allclose(fit.params_std_, 0.0, atol=1e-15)
    assert np.isnan(fit.r_)


@pytest.mark.parametrize("n", [20, 5000])
def test_intercept_is_a_number(n):
    X, y, sigma = data(n)
    fit = WeightedLinearFit().fit(X, y, sigma=sigma)
    assert isinstance(fit.intercept_, float)
    assert isinstance(fit.intercept_std_, float)
    assert fit.coef_.shape == (1,)


@pytest.mark.parametrize("estimator", [WeightedLinearFit, OrthogonalRegression])
def test_a_column_called_intercept_is_refused(estimator):
    X = pd.DataFrame({"intercept": np.arange(5.0), "x": [1.0, 4.0, 2.0, 8.0, 3.0]})
    y = np.array([1.0, 2.0, 0.5, 3.0, 2.5])
    with pytest.raises(ValueError, match='must not have a column called "intercept"'):
        estimator().fit(X, y)
    without = estimator(fit_intercept=False).fit(X, y)
    assert without.param_names_ == ["intercept", "x"]


@pytest.mark.parametrize("x0", [[[0.0]], [1.0, 2.0]])
def test_parameters_at_something_that_is_no_point(x0):
    fit = WeightedLinearFit().fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.1])
    with pytest.raises(ValueError, match=r"`x0` must be one point.*Got shape"):
        fit.params_at(x0)
