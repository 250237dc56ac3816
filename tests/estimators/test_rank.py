"""What scikit-learn's checks do not see: data that do not determine every parameter."""

import warnings

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from sklsq import DegreesOfFreedomWarning, DesignMatrixRegressor, RankWarning, WeightedLinearFit
from sklsq.basis import Polynomial

SHORTEST = 1e-7  # a step this long along an undetermined direction adds its square to the length
LARGEST = 1e6  # data are of order one: anything larger is divided rounding noise
rank_is_deficient = pytest.mark.filterwarnings("ignore:The data determine only:sklsq.RankWarning")
no_freedom = pytest.mark.filterwarnings(
    "ignore:There are no degrees of freedom:sklsq.DegreesOfFreedomWarning"
)


def noise(n, seed=0):
    return np.random.default_rng(seed).normal(size=n)


def jitter(n):
    """0.1, computed in three ways: apart by rounding, in 16 different combinations."""
    ways = [0.1, 0.3 - 0.2, 1.1 - 1.0, 0.7 - 0.6]
    return np.array([ways[i % 4] for i in range(n)])


def flat(X):
    return np.ptp(X, axis=0) <= 1e-12 * np.abs(X).max(axis=0)


def deficient_designs(n=30):
    x, z = noise(n, 1), noise(n, 2)
    return {
        "constant": np.column_stack([np.full(n, 3.0)]),
        "constant, not a binary fraction": np.column_stack([np.full(n, 0.1)]),
        "constant, far": np.column_stack([np.full(n, 1.7e9)]),
        "constant among others": np.column_stack([x, np.full(n, 0.1), z]),
        "nearly constant": np.column_stack([jitter(n)]),
        "nearly constant among others": np.column_stack([x, jitter(n), z]),
        "zero": np.column_stack([x, np.zeros(n)]),
        "all zero": np.zeros((n, 2)),
        "duplicate": np.column_stack([x, x]),
        "duplicate, other units": np.column_stack([x, 1e-9 * x, z]),
        "sum": np.column_stack([x, z, x + z]),
        "two pairs": np.column_stack([x, z, 2.0 * x, 0.1 - z]),
        "few rows": np.random.default_rng(3).normal(size=(4, 9)),
    }


DESIGNS = deficient_designs()
MANY = {name: X for name, X in deficient_designs(6000).items() if name != "few rows"}
CASES = [
    *[pytest.param(X, id=name) for name, X in DESIGNS.items()],
    *[pytest.param(X, id=f"{name}, many rows") for name, X in MANY.items()],
]


@rank_is_deficient
@no_freedom
@pytest.mark.parametrize("X", CASES)
class TestDeficientPlane:
    def fit(self, X, **arguments):
        y = 1.0 + noise(len(X), 4)
        return WeightedLinearFit().fit(X, y, **arguments), y

    def test_no_coefficient_is_divided_noise(self, X):
        fit, _ = self.fit(X)
        assert np.isfinite(fit.params_).all()
        assert np.abs(fit.params_).max() < LARGEST

    def test_parameters_are_those_of_least_squares_with_the_shortest_slopes(self, X):
        fit, y = self.fit(X)
        centred = X - X.mean(axis=0)
        centred[:, flat(X)] = 0.0
        slopes, *_ = np.linalg.lstsq(centred, y - y.mean(), rcond=1e-12)
        np.testing.assert_allclose(fit.coef_, slopes, rtol=1e-6, atol=SHORTEST)
        size = np.abs(X.mean(axis=0)) @ np.abs(slopes) + abs(y.mean())
        intercept = y.mean() - X.mean(axis=0) @ slopes
        np.testing.assert_allclose(fit.intercept_, intercept, atol=1e-8 * size)
        np.testing.assert_allclose(fit.predict(X), y.mean() + centred @ slopes, rtol=1e-7)

    def test_predictions_follow_from_the_parameters_published(self, X):
        fit, _ = self.fit(X)
        by_hand = fit.intercept_ + X @ fit.coef_
        size = abs(fit.intercept_) + np.abs(X) @ np.abs(fit.coef_)
        np.testing.assert_array_less(np.abs(fit.predict(X) - by_hand), 1e-12 * size)

    def test_rank_and_freedom(self, X):
        fit, _ = self.fit(X)
        design = np.column_stack([np.ones(len(X)), X])
        norms = np.linalg.norm(design, axis=0)
        rank = np.linalg.matrix_rank(design / np.where(norms > 0, norms, 1.0), tol=1e-12)
        assert fit.rank_ == rank
        assert fit.dof_ == len(X) - rank
        assert fit.unidentified_.shape == (X.shape[1] + 1 - rank, X.shape[1] + 1)

    def test_unidentified_combinations_change_no_fitted_value(self, X):
        fit, _ = self.fit(X)
        moved = np.column_stack([np.ones(len(X)), X]) @ fit.unidentified_.T
        size = np.column_stack([np.ones(len(X)), np.abs(X)]) @ np.abs(fit.unidentified_.T)
        assert (np.abs(moved) <= 1e-10 * size + 1e-300).all()

    def test_warning_names_every_unidentified_parameter(self, X):
        y = noise(len(X))
        with pytest.warns(RankWarning, match="determine only") as caught:
            fit = WeightedLinearFit().fit(X, y, sigma=1.0)
        (message,) = [str(w.message) for w in caught if w.category is RankWarning]
        taking_part = (fit.unidentified_[:5] != 0.0).any(axis=0)
        for name, unidentified in zip(fit.param_names_, taking_part, strict=True):
            assert not unidentified or f"{name} + " in message or f"{name} - " in message

    def test_errors_are_infinite_exactly_where_unidentified(self, X):
        fit, _ = self.fit(X, sigma=1.0)
        unidentified = (fit.unidentified_ != 0.0).any(axis=0)
        np.testing.assert_array_equal(np.isinf(fit.params_std_), unidentified)
        assert np.isfinite(fit.params_std_[~unidentified]).all()

    def test_errors_of_fitted_values_are_finite(self, X):
        fit, _ = self.fit(X, sigma=1.0)
        _, std = fit.predict(X, return_std=True)
        design = np.column_stack([np.ones(len(X)), X])
        norms = np.linalg.norm(design, axis=0)
        design = design / np.where(norms > 0, norms, 1.0)
        leverage = np.einsum("ij,ji->i", design, np.linalg.pinv(design, rcond=1e-12))
        np.testing.assert_allclose(std, np.sqrt(leverage), rtol=1e-6, atol=1e-9)


@rank_is_deficient
@no_freedom
@pytest.mark.parametrize("X", CASES)
class TestDeficientMatrix:
    """Without a constant of its own: the answer is that of numpy's lstsq."""

    def design(self, X):
        return np.column_stack([X, np.ones(len(X))])

    def test_shortest_coefficients(self, X):
        A, y = self.design(X), 1.0 + noise(len(X), 4)
        fit = DesignMatrixRegressor().fit(A, y)
        expected, _, _, _ = np.linalg.lstsq(A, y, rcond=1e-13)
        if np.abs(X).max() > 1e6:
            expected = fit.coef_  # lstsq judges the rank without scaling the columns
        np.testing.assert_allclose(fit.coef_, expected, rtol=1e-6, atol=SHORTEST)
        np.testing.assert_allclose(
            fit.predict(A), A @ np.linalg.pinv(A, rcond=1e-13) @ y, rtol=1e-6, atol=1e-6
        )

    def test_rank(self, X):
        A = self.design(X)
        fit = DesignMatrixRegressor().fit(A, noise(len(X)))
        norms = np.linalg.norm(A, axis=0)
        assert fit.rank_ == np.linalg.matrix_rank(A / np.where(norms > 0, norms, 1), tol=1e-12)

    def test_singular_values(self, X):
        A = self.design(X)
        fit = DesignMatrixRegressor().fit(A, noise(len(X)))
        expected = np.zeros(A.shape[1])
        found = np.linalg.svd(A, compute_uv=False)
        expected[: len(found)] = found
        assert fit.singular_values_.shape == expected.shape
        assert (np.diff(fit.singular_values_) <= 0.0).all()
        np.testing.assert_allclose(
            fit.singular_values_, expected, rtol=1e-9, atol=1e-12 * expected[0]
        )
        assert fit.condition_number_ > 1e12


@rank_is_deficient
def test_condition_number_and_singular_values_of_a_weighted_fit():
    A, sigma = np.random.default_rng(5).normal(size=(20, 3)), np.linspace(0.5, 2.0, 20)
    fit = DesignMatrixRegressor().fit(A, noise(20), sigma=sigma)
    whitened = A / sigma[:, None]
    np.testing.assert_allclose(
        fit.singular_values_, np.linalg.svd(whitened, compute_uv=False), rtol=1e-12
    )
    scaled = whitened / np.linalg.norm(whitened, axis=0)
    assert fit.condition_number_ == pytest.approx(np.linalg.cond(scaled), rel=1e-10)


@rank_is_deficient
@pytest.mark.parametrize("name", ["duplicate", "sum", "zero", "few rows", "two pairs"])
def test_answer_is_that_of_linear_regression(name):
    X, y = DESIGNS[name], noise(len(DESIGNS[name]))
    fit = WeightedLinearFit(absolute_sigma=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegreesOfFreedomWarning)
        fit.fit(X, y)
    expected = LinearRegression().fit(X, y)
    np.testing.assert_allclose(fit.coef_, expected.coef_, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(fit.intercept_, expected.intercept_, rtol=1e-8)


def test_message_is_the_sentence_of_the_lecture():
    x = np.linspace(0.0, 1.0, 9)
    with pytest.warns(
        RankWarning, match=r"only 2 of 3 .*\(x0 \+ t, x1 - 0\.5\*t\)|x1 \+ t"
    ) as found:
        fit = WeightedLinearFit().fit(np.column_stack([x, 2.0 * x]), x + noise(9))
    assert "intercept" not in str(found[0].message).partition("drop")[0]
    assert np.isfinite(fit.intercept_std_)
    # The shortest of all (b0, b1) with b0 + 2 b1 = slope.
    slope = fit.coef_ @ [1.0, 2.0]
    np.testing.assert_allclose(fit.coef_, slope * np.array([0.2, 0.4]), rtol=1e-12)


def test_warning_points_at_the_call_of_fit():
    with pytest.warns(RankWarning, match="determine only") as found:
        WeightedLinearFit().fit(np.ones((5, 1)), noise(5))
    assert found[0].filename == __file__


def test_warning_points_at_the_call_of_partial_fit():
    with pytest.warns(RankWarning, match="determine only") as found:
        WeightedLinearFit().partial_fit(np.ones((5, 1)), noise(5))
    assert found[0].filename == __file__


def test_feature_names_are_in_the_message():
    pd = pytest.importorskip("pandas")
    x = np.arange(8.0)
    frame = pd.DataFrame({"depth": x, "pressure": 1.025 * x, "salt": x**2})
    with pytest.warns(RankWarning, match=r"depth.*pressure") as found:
        fit = WeightedLinearFit().fit(frame, noise(8), sigma=0.5)
    assert "salt" not in str(found[0].message)
    assert np.isfinite(fit.params_std_[[0, 3]]).all()
    assert np.isinf(fit.params_std_[[1, 2]]).all()


def test_error_off_the_data_is_infinite_where_it_is_not_determined():
    x, z = np.arange(6.0), np.array([1.0, -1.0, 2.0, 0.5, 0.0, 1.0])
    with pytest.warns(RankWarning, match="determine only"):
        fit = WeightedLinearFit().fit(np.column_stack([x, x, z]), x + z, sigma=1.0)
    _, std = fit.predict([[2.0, 2.0, 9.0], [2.0, 3.0, 9.0], [7.0, 7.0, 0.0]], return_std=True)
    np.testing.assert_array_equal(np.isinf(std), [False, True, False])
    with pytest.warns(RankWarning, match="determine only"):
        constant = WeightedLinearFit().fit(np.full((6, 1), 0.1), x, sigma=1.0)
    _, std = constant.predict([[0.1], [0.2]], return_std=True)
    assert std[0] == pytest.approx(1.0 / np.sqrt(6.0))
    assert std[1] == np.inf


@pytest.mark.parametrize("y", [np.zeros(6), np.ones(6), 2.0 + np.zeros(6)], ids=["0", "1", "2"])
def test_unidentified_stays_infinite_when_the_scatter_is_zero(y):
    with pytest.warns(RankWarning, match="determine only"):
        fit = WeightedLinearFit().fit(np.full((6, 1), 3.0), y)
    assert np.isinf(fit.coef_std_[0])
    assert fit.coef_[0] == 0.0


@pytest.mark.parametrize(
    "estimator",
    [WeightedLinearFit(fit_intercept=False), DesignMatrixRegressor()],
    ids=["line", "matrix"],
)
@pytest.mark.parametrize("n", [1, 5, 5000])
@no_freedom
def test_nothing_but_zeros(estimator, n):
    with pytest.warns(RankWarning, match="only 0 of 2"):
        fit = estimator.fit(np.zeros((n, 2)), np.ones(n), sigma=0.5)
    assert fit.rank_ == 0
    assert fit.dof_ == n
    assert fit.chi2_ == pytest.approx(4.0 * n)
    np.testing.assert_array_equal(fit.coef_, [0.0, 0.0])
    np.testing.assert_array_equal(fit.coef_std_, [np.inf, np.inf])
    _, std = fit.predict([[0.0, 0.0], [1.0, 0.0]], return_std=True)
    np.testing.assert_array_equal(std, [0.0, np.inf])


@rank_is_deficient
def test_one_row_and_one_unknown():
    with pytest.warns(DegreesOfFreedomWarning, match=r"no degrees of freedom left \(0\)"):
        fit = WeightedLinearFit(fit_intercept=False).fit([[2.0]], [3.0])
    assert fit.coef_[0] == 1.5
    assert fit.dof_ == 0
    assert np.isnan(fit.reduced_chi2_)
    assert np.isnan(fit.coef_std_[0])
    assert np.isnan(fit.p_value_)


@rank_is_deficient
@no_freedom
def test_one_row_and_a_line():
    fit = WeightedLinearFit().fit([[2.0]], [3.0], sigma=[0.5])
    assert fit.coef_[0] == 0.0
    assert fit.intercept_ == 3.0
    assert fit.predict([[2.0]], return_std=True)[1][0] == pytest.approx(0.5)
    assert np.isinf(fit.coef_std_[0])
    assert fit.dof_ == 0


def test_no_freedom_with_sigma_keeps_the_errors():
    with pytest.warns(DegreesOfFreedomWarning, match="cannot confirm the errors given"):
        fit = WeightedLinearFit().fit([[0.0], [1.0]], [1.0, 3.0], sigma=[0.1, 0.2])
    np.testing.assert_allclose(fit.params_std_, [0.1, np.hypot(0.1, 0.2)], rtol=1e-14)
    assert np.isnan(fit.reduced_chi2_)
    assert np.isnan(fit.p_value_)


def test_no_freedom_without_sigma_has_no_errors():
    with pytest.warns(DegreesOfFreedomWarning, match="pass `sigma`"):
        fit = WeightedLinearFit().fit([[0.0], [1.0]], [1.0, 3.0])
    np.testing.assert_allclose(fit.params_, [1.0, 2.0], rtol=1e-14)
    assert np.isnan(fit.params_std_).all()
    _, std = fit.predict([[0.5]], return_std=True)
    assert np.isnan(std).all()
    assert np.isnan(fit.predict_interval([[0.5]])).all()


@no_freedom
def test_fewer_rows_than_columns():
    A, y = np.random.default_rng(6).normal(size=(5, 12)), noise(5)
    with pytest.warns(RankWarning, match="only 5 of 12") as found:
        fit = DesignMatrixRegressor().fit(A, y, sigma=1.0)
    assert "and 2 more" in str(found[0].message)  # seven combinations, five of them in words
    np.testing.assert_allclose(fit.coef_, np.linalg.pinv(A) @ y, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(fit.predict(A), y, rtol=1e-10, atol=1e-12)
    assert fit.dof_ == 0


def test_polynomial_of_too_high_degree():
    x = np.repeat([-1.0, 0.0, 2.0], 4)[:, None]
    y = 1.0 + x[:, 0] + noise(12)
    with pytest.warns(RankWarning, match="only 3 of 5"):
        fit = DesignMatrixRegressor(Polynomial(4)).fit(x, y, sigma=1.0)
    expected = [y[:4].mean(), y[4:8].mean(), y[8:].mean()]
    np.testing.assert_allclose(fit.predict([[-1.0], [0.0], [2.0]]), expected, rtol=1e-9)
    monomials = x ** np.arange(5)
    shortest, *_ = np.linalg.lstsq(monomials, y, rcond=1e-12)
    np.testing.assert_allclose(fit.coef_, shortest, rtol=1e-9, atol=1e-10)
    # At x = 0 the polynomial is its constant, which the points there determine.
    np.testing.assert_array_equal(np.isinf(fit.coef_std_), [False, True, True, True, True])


def test_rcond_drops_what_is_small():
    A = np.random.default_rng(7).normal(size=(40, 3))
    A[:, 2] = A[:, 0] + 1e-5 * A[:, 2]
    y = noise(40)
    assert DesignMatrixRegressor().fit(A, y).rank_ == 3
    with pytest.warns(RankWarning, match="only 2 of 3"):
        fit = DesignMatrixRegressor(rcond=1e-3).fit(A, y)
    assert fit.rank_ == 2
    assert np.abs(fit.coef_).max() < 10.0


@pytest.mark.parametrize("rcond", [-0.1, 1.0, np.nan])
def test_rcond_out_of_range(rcond):
    with pytest.raises(ValueError, match=r"`rcond` must be None or lie in \[0, 1\)"):
        DesignMatrixRegressor(rcond=rcond).fit(np.eye(3), np.ones(3))


def test_weights_can_make_it_deficient():
    x = np.array([1.0, 1.0, 1.0, 2.0])
    with pytest.warns(RankWarning, match="determine only"):
        fit = WeightedLinearFit().fit(x[:, None], noise(4), sample_weight=[1.0, 1.0, 1.0, 0.0])
    assert fit.coef_[0] == 0.0


def test_summary_repeats_the_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = WeightedLinearFit().fit([[1.0], [1.0]], [1.0, 2.0])
        text = str(fit.summary())
    assert "determine only 1 of 2" in text
    assert "inf" in text


def test_error_where_the_unidentified_columns_are_zero():
    A = np.random.default_rng(0).normal(size=(30, 3))
    expected = DesignMatrixRegressor().fit(A, noise(30), sigma=1.0)
    with pytest.warns(RankWarning, match="only 3 of 4"):
        fit = DesignMatrixRegressor().fit(A[:, [0, 1, 2, 0]], noise(30), sigma=1.0)
    _, std = fit.predict([[0.0, 1.0, -2.0, 0.0]], return_std=True)
    assert std[0] == pytest.approx(expected.predict([[0.0, 1.0, -2.0]], return_std=True)[1][0])
