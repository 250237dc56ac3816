"""Batch by batch is the fit of all rows, however they are cut and in whatever order."""

import numpy as np
import pytest
from sklearn.base import clone

from sklsq import DesignMatrixRegressor, RankWarning, WeightedLinearFit
from sklsq.basis import Polynomial
from sklsq.solvers.rows import Rows
from sklsq.solvers.triangular import factorise, merge

pytestmark = [
    pytest.mark.filterwarnings("ignore:The data determine only:sklsq.RankWarning"),
    pytest.mark.filterwarnings("ignore:There are no degrees:sklsq.DegreesOfFreedomWarning"),
]
N = 60
ESTIMATORS = {
    "line": WeightedLinearFit(),
    "through origin": WeightedLinearFit(fit_intercept=False),
    "relative": WeightedLinearFit(absolute_sigma=False),
    "matrix": DesignMatrixRegressor(),
    "terms": DesignMatrixRegressor(["1", "x0", "x1", "x0*x1"]),
    "polynomial": DesignMatrixRegressor(Polynomial(2)),
    "legendre": DesignMatrixRegressor(Polynomial(1, "legendre")),
}
EXACT = ("params_", "params_cov_", "chi2_", "reduced_chi2_", "p_value_", "singular_values_")
every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS.keys())
CUTS = {
    "halves": [30],
    "thirds": [20, 40],
    "single rows first": [1, 2, 3, 4],
    "all single": list(range(1, N)),
    "tail": [59],
}


def data(n=N, offset=0.0, seed=0):
    rng = np.random.default_rng(seed)
    X = offset + rng.normal(size=(n, 2))
    y = 3.0 + (X - offset) @ [1.0, -2.0] + rng.normal(size=n)
    return X, y, rng.uniform(0.5, 2.0, n)


def batches(cuts, *arrays):
    return zip(*(np.split(array, cuts) for array in arrays), strict=True)


def assert_same(a, b, rtol=1e-9):
    for name in EXACT:
        expected = getattr(b, name)
        np.testing.assert_allclose(
            getattr(a, name), expected, rtol=rtol, atol=rtol * np.abs(expected).max(), err_msg=name
        )
    np.testing.assert_array_equal(a.dof_, b.dof_)
    np.testing.assert_array_equal(a.rank_, b.rank_)
    assert a.absolute_sigma_ == b.absolute_sigma_


@every_estimator
@pytest.mark.parametrize("cuts", CUTS.values(), ids=CUTS.keys())
@pytest.mark.parametrize("weighted", [True, False], ids=["sigma", "no sigma"])
def test_any_cuts(estimator, cuts, weighted):
    X, y, sigma = data()
    whole, parts = clone(estimator), clone(estimator)
    legendre = "legendre" in str(estimator)
    if legendre:  # mapped from the range of the first batch: give it that of all
        extremes = [X[:, 0].argmin(), X[:, 0].argmax(), X[:, 1].argmin(), X[:, 1].argmax()]
        order = np.concatenate([np.unique(extremes), np.setdiff1d(np.arange(N), extremes)])
        X, y, sigma = X[order], y[order], sigma[order]
        cuts = [cut for cut in cuts if cut >= 4]
    whole.fit(X, y, sigma=sigma if weighted else None)
    for X_part, y_part, sigma_part in batches(cuts, X, y, sigma):
        parts.partial_fit(X_part, y_part, sigma=sigma_part if weighted else None)
    assert_same(parts, whole)
    np.testing.assert_allclose(parts.predict(X), whole.predict(X), rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(
        parts.predict(X, return_std=True)[1], whole.predict(X, return_std=True)[1], rtol=1e-8
    )


@pytest.mark.parametrize("seed", range(5))
def test_any_order(seed):
    X, y, sigma = data()
    whole, parts = WeightedLinearFit().fit(X, y, sigma=sigma), WeightedLinearFit()
    rows = np.random.default_rng(seed).permutation(N)
    for index in np.split(rows, [1, 5, 33]):
        parts.partial_fit(X[index], y[index], sigma=sigma[index])
    assert_same(parts, whole)


@pytest.mark.parametrize("offset", [1e6, -1e9])
@pytest.mark.parametrize("first", [1, 2, 30])
def test_large_offset(offset, first):
    X, y, sigma = data(offset=offset)
    whole, parts = WeightedLinearFit().fit(X, y, sigma=sigma), WeightedLinearFit()
    for X_part, y_part, sigma_part in batches([first, 40], X, y, sigma):
        parts.partial_fit(X_part, y_part, sigma=sigma_part)
    np.testing.assert_allclose(parts.coef_, whole.coef_, rtol=1e-8)
    np.testing.assert_allclose(parts.coef_cov_, whole.coef_cov_, rtol=1e-8)
    np.testing.assert_allclose(parts.intercept_, whole.intercept_, rtol=1e-8)
    assert parts.chi2_ == pytest.approx(whole.chi2_, rel=1e-8)
    assert parts.rank_ == 3


def test_drifting_offset():
    """Time goes on: each batch is farther from the first, about which the columns were centred."""
    t = np.linspace(0.0, 1e6, 500)
    y = 2.0 + 1e-3 * t + np.random.default_rng(1).normal(size=500)
    parts = WeightedLinearFit()
    for t_part, y_part in batches(range(50, 500, 50), t, y):
        parts.partial_fit(t_part[:, None], y_part)
    assert_same(parts, WeightedLinearFit().fit(t[:, None], y), rtol=1e-10)


def test_one_point_after_another_becomes_determined():
    line = WeightedLinearFit()
    with pytest.warns(RankWarning, match="only 1 of 2"):
        line.partial_fit([[2.0]], [3.0], sigma=[0.1])
    assert line.coef_[0] == 0.0
    line.partial_fit([[4.0]], [7.0], sigma=[0.1])
    np.testing.assert_allclose(line.params_, [-1.0, 2.0], rtol=1e-12)
    assert line.dof_ == 0
    assert line.unidentified_.size == 0
    line.partial_fit([[5.0], [6.0]], [9.0, 11.0], sigma=[0.1, 0.2])
    assert line.dof_ == 2
    np.testing.assert_allclose(line.params_, [-1.0, 2.0], rtol=1e-12)
    assert np.isfinite(line.params_std_).all()


def test_deficient_from_beginning_to_end():
    X, y, sigma = data()
    X[:, 1] = 2.0 * X[:, 0]
    whole, parts = WeightedLinearFit().fit(X, y, sigma=sigma), WeightedLinearFit()
    for X_part, y_part, sigma_part in batches([1, 20, 40], X, y, sigma):
        parts.partial_fit(X_part, y_part, sigma=sigma_part)
    np.testing.assert_allclose(parts.params_, whole.params_, rtol=1e-9)
    assert parts.rank_ == 2
    assert parts.chi2_ == pytest.approx(whole.chi2_, rel=1e-9)
    assert np.isinf(parts.coef_std_).all()


@every_estimator
def test_fit_is_the_first_batch(estimator):
    X, y, sigma = data()
    whole, parts = clone(estimator).fit(X, y, sigma=sigma), clone(estimator)
    parts.fit(X[:50], y[:50], sigma=sigma[:50])
    parts.partial_fit(X[50:], y[50:], sigma=sigma[50:])
    if "legendre" not in str(estimator):
        assert_same(parts, whole)
    assert parts.dof_ == whole.dof_


def test_fit_forgets_the_batches():
    X, y, sigma = data()
    line = WeightedLinearFit().partial_fit(X[:30], y[:30], sigma=sigma[:30])
    line.fit(X[30:], y[30:], sigma=sigma[30:])
    assert_same(line, WeightedLinearFit().fit(X[30:], y[30:], sigma=sigma[30:]), rtol=1e-14)


def test_covariance_first_then_more_points():
    """A fit with correlated errors may be followed by independent points."""
    X, y, sigma = data()
    V = np.diag(sigma[:30] ** 2) + 0.3
    line = WeightedLinearFit().fit(X[:30], y[:30], sigma=V)
    line.partial_fit(X[30:], y[30:], sigma=sigma[30:])
    full = np.diag(sigma**2)
    full[:30, :30] += 0.3
    assert_same(line, WeightedLinearFit().fit(X, y, sigma=full))


@pytest.mark.parametrize("per_curve", [True, False], ids=["per curve", "shared"])
def test_curves(per_curve):
    X, y, sigma = data()
    Y = np.column_stack([y, 2.0 * y - 1.0, -y])
    S = np.column_stack([sigma, 2.0 * sigma, sigma[::-1]]) if per_curve else sigma
    whole, parts = WeightedLinearFit().fit(X, Y, sigma=S), WeightedLinearFit()
    for X_part, Y_part, S_part in batches([1, 20], X, Y, S):
        parts.partial_fit(X_part, Y_part, sigma=S_part)
    assert_same(parts, whole)


def test_zero_weights_and_scalar_sigma():
    X, y, weight = data()
    weight[::3] = 0.0
    whole, parts = WeightedLinearFit().fit(X, y, weight), WeightedLinearFit()
    for X_part, y_part, weight_part in batches([7, 20], X, y, weight):
        parts.partial_fit(X_part, y_part, weight_part)
    assert_same(parts, whole)
    scalars = WeightedLinearFit()
    scalars.partial_fit(X[:30], y[:30], sigma=0.5).partial_fit(X[30:], y[30:], sigma=2.0)
    sigma = np.repeat([0.5, 2.0], 30)
    assert_same(scalars, WeightedLinearFit().fit(X, y, sigma=sigma))


def test_batch_without_any_weight_changes_nothing():
    X, y, sigma = data()
    line = WeightedLinearFit().partial_fit(X, y, 1.0 / sigma**2)
    with pytest.raises(ValueError, match="at least one non-zero weight"):
        line.partial_fit(X, y, np.zeros(N))
    assert_same(line, WeightedLinearFit().fit(X, y, sigma=sigma), rtol=1e-14)


def test_many_rows():
    X, y, sigma = data(30_000)
    whole, parts = WeightedLinearFit().fit(X, y, sigma=sigma), WeightedLinearFit()
    for X_part, y_part, sigma_part in batches([10_000, 15_000], X, y, sigma):
        parts.partial_fit(X_part, y_part, sigma=sigma_part)
    assert_same(parts, whole, rtol=1e-11)


@every_estimator
def test_merging_is_associative(estimator):
    X, y, sigma = data()
    columns = clone(estimator).fit(X, y, sigma=sigma)._columns
    a, b, c = (
        factorise(Rows(columns, X_part, y_part[:, None], sigma_part))
        for X_part, y_part, sigma_part in batches([20, 40], X, y, sigma)
    )
    left, right = merge(merge(a, b), c), merge(a, merge(b, c))
    np.testing.assert_allclose(left.R.T @ left.R, right.R.T @ right.R, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(left.residual, right.residual, rtol=1e-10)
    assert left.n_samples == right.n_samples == N


@pytest.mark.parametrize("kind", ["monomial", "chebyshev", "legendre"])
@pytest.mark.parametrize("first", [1, 2])
def test_polynomial_whose_first_batch_has_no_width(kind, first):
    """A single x has no range to map from; the rows that follow still determine the line."""
    x = np.concatenate([np.ones(first), np.linspace(0.0, 3.0, 9)])[:, None]
    y = 1.0 + 2.0 * x[:, 0]
    fit = DesignMatrixRegressor(Polynomial(1, kind)).partial_fit(x[:first], y[:first])
    fit.partial_fit(x[first:], y[first:])
    assert fit.rank_ == 2
    np.testing.assert_allclose(fit.predict(x), y, rtol=1e-10)


class TestErrors:
    def started(self):
        X, y, sigma = data()
        return WeightedLinearFit().partial_fit(X, y, sigma=sigma), X, y, sigma

    def test_other_width(self):
        line, X, y, sigma = self.started()
        with pytest.raises(
            ValueError, match="X has 1 features, but WeightedLinearFit is expecting 2"
        ):
            line.partial_fit(X[:, :1], y, sigma=sigma)

    def test_other_number_of_curves(self):
        line, X, y, sigma = self.started()
        with pytest.raises(
            ValueError, match=r"`y` must have 1 targets as in the first call\. Got 2"
        ):
            line.partial_fit(X, np.column_stack([y, y]), sigma=sigma)

    def test_sigma_in_some_calls_only(self):
        line, X, y, sigma = self.started()
        with pytest.raises(ValueError, match="`sigma` must be given in all calls"):
            line.partial_fit(X, y)
        unweighted = WeightedLinearFit().partial_fit(X, y)
        with pytest.raises(ValueError, match="`sigma` must be given in all calls"):
            unweighted.partial_fit(X, y, sigma=sigma)

    def test_sigma_per_curve_in_some_calls_only(self):
        _, X, y, sigma = self.started()
        Y, S = np.column_stack([y, y]), np.column_stack([sigma, sigma])
        line = WeightedLinearFit().partial_fit(X, Y, sigma=S)
        with pytest.raises(ValueError, match="`sigma` must be per target in all calls"):
            line.partial_fit(X, Y, sigma=sigma)

    def test_covariance(self):
        line, X, y, sigma = self.started()
        with pytest.raises(ValueError, match="covariance, which `fit` alone takes"):
            line.partial_fit(X, y, sigma=np.diag(sigma**2))

    def test_covariance_as_frame_in_the_first_call(self):
        _, X, y, sigma = self.started()
        with pytest.raises(ValueError, match="covariance, which `fit` alone takes"):
            WeightedLinearFit().partial_fit(X, list(y), sigma=np.diag(sigma**2).tolist())

    @pytest.mark.parametrize("bad", ["X", "y", "sigma"])
    @pytest.mark.parametrize("n", [5, 30_000])
    def test_failed_batch_leaves_the_fit_alone(self, bad, n):
        line, X, y, sigma = self.started()
        expected = WeightedLinearFit().fit(X, y, sigma=sigma)
        new = dict(zip(("X", "y", "sigma"), data(n, seed=3), strict=True))
        new[bad][2] = np.nan
        with pytest.raises(ValueError, match=r"[Nn]a[Nn]"):
            line.partial_fit(**new)
        assert_same(line, expected, rtol=1e-14)

    def test_other_names(self):
        import pandas as pd

        X, y, _ = data()
        frame = pd.DataFrame(X, columns=["a", "b"])
        line = WeightedLinearFit().partial_fit(frame, y)
        with pytest.raises(ValueError, match="feature names should match"):
            line.partial_fit(frame[["b", "a"]], y)
        with pytest.warns(UserWarning, match="does not have valid feature names"):
            line.partial_fit(X, y)


def test_single_curve_with_errors_of_its_own_as_columns():
    """y (n, 1) and sigma (n, 1) are one curve in every batch."""
    rng = np.random.default_rng(5)
    X, y, sigma = rng.normal(size=(30, 1)), rng.normal(size=(30, 1)), rng.uniform(1, 2, (30, 1))
    whole = WeightedLinearFit().fit(X, y, sigma=sigma)
    parts = WeightedLinearFit().partial_fit(X[:10], y[:10], sigma=sigma[:10])
    parts.partial_fit(X[10:], y[10:], sigma=sigma[10:])
    np.testing.assert_allclose(parts.params_, whole.params_, rtol=1e-12)
    np.testing.assert_allclose(parts.params_cov_, whole.params_cov_, rtol=1e-12)
