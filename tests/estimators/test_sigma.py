"""The errors of y in every shape, and what is refused."""

import numpy as np
import pandas as pd
import pytest

from sklsq import DesignMatrixRegressor, WeightedLinearFit
from sklsq.basis import Polynomial

N = 12
ESTIMATORS = {
    "line": WeightedLinearFit(),
    "matrix": DesignMatrixRegressor(),
    "polynomial": DesignMatrixRegressor(Polynomial(2)),
    "terms": DesignMatrixRegressor(["1", "x"]),
}
every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS.keys())
ROUNDING = 1e-11


def data(n=N, seed=0):
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(0.5, 5.0, n))
    return x[:, None], 1.0 + 2.0 * x + rng.normal(size=n), rng.uniform(0.5, 2.0, n)


def assert_same_fit(a, b, *, rtol=ROUNDING):
    for name in ("params_", "params_cov_", "chi2_", "reduced_chi2_", "p_value_"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=rtol, err_msg=name)
    np.testing.assert_array_equal(a.dof_, b.dof_)
    assert a.absolute_sigma_ == b.absolute_sigma_


def generalised(A, y, V):
    """Coefficients, covariance and χ² by the plain formulas of Aitken."""
    inverse = np.linalg.inv(V)
    cov = np.linalg.inv(A.T @ inverse @ A)
    coef = cov @ A.T @ inverse @ y
    residual = y - A @ coef
    return coef, cov, residual @ inverse @ residual


class TestShapes:
    @every_estimator
    def test_scalar_is_the_same_for_all(self, estimator):
        X, y, _ = data()
        scalar = estimator.fit(X, y, sigma=0.3).summary().to_frame()
        vector = estimator.fit(X, y, sigma=np.full(N, 0.3)).summary().to_frame()
        pd.testing.assert_frame_equal(scalar, vector, rtol=ROUNDING)

    @pytest.mark.parametrize("scalar", [2, 2.0, np.float64(2.0), np.array(2.0), np.int32(2)])
    def test_kinds_of_scalars(self, scalar):
        X, y, _ = data()
        expected = WeightedLinearFit().fit(X, y, sigma=np.full(N, 2.0))
        assert_same_fit(WeightedLinearFit().fit(X, y, sigma=scalar), expected)
        assert_same_fit(WeightedLinearFit().fit(X, y, sample_weight=0.25), expected)

    @every_estimator
    def test_weight_is_the_inverse_variance(self, estimator):
        X, y, sigma = data()
        a = estimator.fit(X, y, sigma=sigma).summary().to_frame()
        b = estimator.fit(X, y, 1.0 / sigma**2).summary().to_frame()
        pd.testing.assert_frame_equal(a, b, rtol=ROUNDING)

    @pytest.mark.parametrize("n", [12, 3000])
    @pytest.mark.parametrize("estimator", [WeightedLinearFit, DesignMatrixRegressor])
    def test_dense_formula(self, estimator, n):
        X, y, sigma = data(n)
        A = np.column_stack([np.ones(n), X]) if estimator is WeightedLinearFit else X
        fit = estimator().fit(X, y, sigma=sigma)
        W = A / sigma[:, None]
        cov = np.linalg.inv(W.T @ W)
        coef = cov @ W.T @ (y / sigma)
        np.testing.assert_allclose(fit.params_, coef, rtol=1e-9)
        np.testing.assert_allclose(fit.params_cov_, cov, rtol=1e-9)
        assert fit.chi2_ == pytest.approx(np.sum(((y - A @ coef) / sigma) ** 2), rel=1e-11)

    @pytest.mark.parametrize("container", [list, tuple, pd.Series, np.asfortranarray])
    def test_containers(self, container):
        X, y, sigma = data()
        expected = WeightedLinearFit().fit(X, y, sigma=sigma)
        assert_same_fit(WeightedLinearFit().fit(X, y, sigma=container(sigma)), expected)
        assert_same_fit(
            WeightedLinearFit().fit(X, y, sample_weight=container(1.0 / sigma**2)), expected
        )

    def test_strided_sigma(self):
        X, y, sigma = data()
        strided = np.repeat(sigma, 2)[::2]
        expected = WeightedLinearFit().fit(X, y, sigma=sigma)
        assert_same_fit(WeightedLinearFit().fit(X, y, sigma=strided), expected)

    def test_duck_array(self):
        class Duck:
            """Knows nothing but how to become an array: `np.ndim` of it is 0."""

            def __init__(self, values):
                self.values = values

            def __array__(self, dtype=None, copy=None):
                return np.array(self.values, dtype=dtype)

            def __len__(self):
                return len(self.values)

        X, y, sigma = data()
        expected = WeightedLinearFit().fit(X, y, sigma=sigma)
        assert_same_fit(WeightedLinearFit().fit(X, y, sigma=Duck(sigma)), expected)
        weighted = WeightedLinearFit().fit(X, y, sample_weight=Duck(1.0 / sigma**2))
        assert_same_fit(weighted, expected)

    @pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int64, np.int8, np.bool_, object])
    def test_computed_in_double_precision(self, dtype):
        X, y, _ = data()
        X, y = (10 * X).astype(int), y.round().astype(int)
        sigma = np.array([1, 2, 3, 1] * 3)
        if dtype is np.bool_:
            X, y, sigma = X > 20, y > 5, sigma > 0
        expected = WeightedLinearFit().fit(X.astype(float), y.astype(float), sigma=sigma * 1.0)
        found = WeightedLinearFit().fit(X.astype(dtype), y.astype(dtype), sigma=sigma.astype(dtype))
        assert_same_fit(found, expected, rtol=1e-14)
        assert found.coef_.dtype == np.float64
        assert found.predict(X.astype(dtype)).dtype == np.float64

    @every_estimator
    @pytest.mark.parametrize("n", [12, 3000])
    @pytest.mark.parametrize("spelling", ["sigma", "sample_weight"])
    def test_inputs_are_left_alone(self, estimator, n, spelling):
        X, y, sigma = data(n)
        arrays = (X, y, sigma)
        copies = [array.copy() for array in arrays]
        for array in arrays:
            array.flags.writeable = False
        estimator.fit(X, y, **{spelling: sigma})
        estimator.predict(X, return_std=True)
        estimator.score(X, y, **{spelling: sigma})
        for array, copy in zip(arrays, copies, strict=True):
            np.testing.assert_array_equal(array, copy)


class TestCovariance:
    def correlated(self, n=N):
        X, y, sigma = data(n)
        distance = np.abs(X - X.T)
        return X, y, sigma, np.outer(sigma, sigma) * np.exp(-distance / 1.5)

    @pytest.mark.parametrize("n", [12, 300])
    def test_line_against_the_dense_formula(self, n):
        X, y, _, V = self.correlated(n)
        coef, cov, chi2 = generalised(np.column_stack([np.ones(n), X]), y, V)
        fit = WeightedLinearFit().fit(X, y, sigma=V)
        np.testing.assert_allclose(fit.params_, coef, rtol=1e-8)
        np.testing.assert_allclose(fit.params_cov_, cov, rtol=1e-8)
        assert fit.chi2_ == pytest.approx(chi2, rel=1e-8)
        assert fit.dof_ == n - 2
        assert fit.absolute_sigma_

    @pytest.mark.parametrize("basis", [None, Polynomial(2), ["1", "x", "log(x)"]], ids=str)
    def test_design_against_the_dense_formula(self, basis):
        X, y, _, V = self.correlated()
        x = X[:, 0]
        A = {
            None: X,
            "P": np.column_stack([np.ones(N), x, x**2]),
            "t": np.column_stack([np.ones(N), x, np.log(x)]),
        }[None if basis is None else "P" if isinstance(basis, Polynomial) else "t"]
        coef, cov, chi2 = generalised(A, y, V)
        fit = DesignMatrixRegressor(basis).fit(X, y, sigma=V)
        np.testing.assert_allclose(fit.coef_, coef, rtol=1e-8)
        np.testing.assert_allclose(fit.coef_cov_, cov, rtol=1e-8)
        assert fit.chi2_ == pytest.approx(chi2, rel=1e-8)

    @every_estimator
    def test_diagonal_covariance_is_sigma(self, estimator):
        X, y, sigma = data()
        a = estimator.fit(X, y, sigma=sigma).summary().to_frame()
        b = estimator.fit(X, y, sigma=np.diag(sigma**2)).summary().to_frame()
        pd.testing.assert_frame_equal(a, b, rtol=1e-9)

    def test_common_offset_error_only_widens_the_intercept(self):
        """An error shared by all points moves the line as a whole."""
        X, y, sigma = data()
        plain = WeightedLinearFit().fit(X, y, sigma=sigma)
        shared = WeightedLinearFit().fit(X, y, sigma=np.diag(sigma**2) + 0.7**2)
        np.testing.assert_allclose(shared.params_, plain.params_, rtol=1e-9)
        np.testing.assert_allclose(shared.coef_std_, plain.coef_std_, rtol=1e-9)
        assert shared.intercept_std_ == pytest.approx(np.hypot(plain.intercept_std_, 0.7))

    def test_in_a_frame(self):
        X, y, _, V = self.correlated()
        labels = [f"p{i}" for i in range(N)]
        fit = WeightedLinearFit().fit(
            pd.DataFrame(X, index=labels),
            pd.Series(y, index=labels),
            sigma=pd.DataFrame(V, index=labels, columns=labels),
        )
        assert_same_fit(fit, WeightedLinearFit().fit(X, y, sigma=V))

    def test_predictions(self):
        X, y, _, V = self.correlated()
        _, cov, _ = generalised(np.column_stack([np.ones(N), X]), y, V)
        fit = WeightedLinearFit().fit(X, y, sigma=V)
        _, std = fit.predict([[2.0]], return_std=True)
        row = np.array([1.0, 2.0])
        assert std[0] == pytest.approx(np.sqrt(row @ cov @ row), rel=1e-8)

    @pytest.mark.parametrize(
        ("spoil", "message"),
        [
            (lambda V: np.triu(V), "must be a symmetric covariance matrix. Got an asymmetric row"),
            (lambda V: V - 2.0 * np.eye(N) * V.max(), "must be a positive definite covariance"),
            (lambda V: np.ones((N, N)), "must be a positive definite covariance"),
            (lambda V: np.where(np.eye(N) > 0, np.nan, V), "must be finite. Got nan in row 0"),
            (lambda V: np.where(np.eye(N) > 0, 0.0, V), "must be a positive definite covariance"),
        ],
        ids=["asymmetric", "indefinite", "singular", "nan", "no variances"],
    )
    def test_refused(self, spoil, message):
        X, y, _, V = self.correlated()
        with pytest.raises(ValueError, match=message):
            WeightedLinearFit().fit(X, y, sigma=spoil(V))

    def test_slice_of_a_fold_is_refused(self):
        X, y, _, V = self.correlated()
        train = np.arange(9)
        with pytest.raises(ValueError, match="cannot pass through cross-validation"):
            WeightedLinearFit().fit(X[train], y[train], sigma=V[train])

    def test_only_for_one_dimensional_y(self):
        X, y, _, V = self.correlated()
        Y = np.column_stack([y, y])
        with pytest.raises(ValueError, match=r"have shape \(12,\) or \(12, 2\)"):
            WeightedLinearFit().fit(X, Y, sigma=V)

    def test_square_sigma_of_as_many_curves_as_points_is_per_curve(self):
        X, y, sigma, _ = self.correlated()
        Y = np.column_stack([y + k for k in range(N)])
        S = np.column_stack([sigma * (1 + k) for k in range(N)])
        fit = WeightedLinearFit().fit(X, Y, sigma=S)
        single = WeightedLinearFit().fit(X, Y[:, 4], sigma=S[:, 4])
        np.testing.assert_allclose(fit.params_cov_[4], single.params_cov_, rtol=ROUNDING)

    def test_fit_only(self):
        X, y, _, V = self.correlated()
        fit = WeightedLinearFit().fit(X, y, sigma=V)
        with pytest.raises(ValueError, match=r"\(n, n\) covariance, which `fit` alone takes"):
            fit.score(X, y, sigma=V)
        with pytest.raises(ValueError, match=r"covariance, which `fit` alone takes"):
            fit.predict_interval(X, kind="prediction", sigma=V)
        with pytest.raises(ValueError, match=r"covariance, which `fit` alone takes"):
            WeightedLinearFit().partial_fit(X, y, sigma=V)


class TestRefused:
    @every_estimator
    @pytest.mark.parametrize("value", [0.0, -0.5, np.nan, np.inf, -np.inf])
    @pytest.mark.parametrize("n", [12, 30_000])
    def test_bad_sigma_names_the_row(self, estimator, value, n):
        X, y, sigma = data(n)
        sigma[7] = value
        with pytest.raises(
            ValueError, match=rf"`sigma` must be positive and finite. Got {value:g} in row 7"
        ):
            estimator.fit(X, y, sigma=sigma)

    @every_estimator
    @pytest.mark.parametrize("value", [-0.5, np.nan, np.inf])
    @pytest.mark.parametrize("n", [12, 30_000])
    def test_bad_weight_names_the_row(self, estimator, value, n):
        X, y, weight = data(n)
        weight[7] = value
        with pytest.raises(ValueError, match=rf"`sample_weight` must be .* Got {value:g} in row 7"):
            estimator.fit(X, y, sample_weight=weight)

    @pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
    def test_bad_scalar(self, value):
        X, y, _ = data()
        with pytest.raises(
            ValueError, match=rf"`sigma` must be positive and finite. Got {value:g}\."
        ):
            WeightedLinearFit().fit(X, y, sigma=value)

    def test_bad_sigma_of_a_curve_names_row_and_column(self):
        X, y, sigma = data()
        S = np.column_stack([sigma, sigma])
        S[3, 1] = S[5, 0] = 0.0
        with pytest.raises(ValueError, match=r"Got 0 in row 3, column 1 \(and in 1 more places\)"):
            WeightedLinearFit().fit(X, np.column_stack([y, y]), sigma=S)

    @every_estimator
    @pytest.mark.parametrize("n", [12, 30_000])
    @pytest.mark.parametrize("name", ["X", "y"])
    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_bad_data_are_errors_of_scikit_learn(self, estimator, n, name, value):
        X, y, sigma = data(n)
        (X if name == "X" else y)[3] = value
        text = "NaN" if np.isnan(value) else "infinity"
        with pytest.raises(ValueError, match=rf"Input {name} contains {text}"):
            estimator.fit(X, y, sigma=sigma)
        with pytest.raises(ValueError, match=rf"Input {name} contains {text}"):
            estimator.fit(X, y)

    @pytest.mark.parametrize("length", [N - 1, N + 1, 1, 2, 0])
    def test_wrong_length(self, length):
        X, y, _ = data()
        with pytest.raises(ValueError, match=rf"shape \({N},\).*Got shape \({length},\)"):
            WeightedLinearFit().fit(X, y, sigma=np.ones(length))
        with pytest.raises(ValueError, match=rf"shape \({N},\).*Got shape \({length},\)"):
            WeightedLinearFit().fit(X, y, sample_weight=np.ones(length))

    @pytest.mark.parametrize("shape", [(N, 1), (N, 2), (1, N), (N, N), (N, 1, 1)])
    def test_two_dimensional_weights_of_one_curve(self, shape):
        X, y, _ = data()
        with pytest.raises(ValueError, match="`sample_weight` must be a number or have shape"):
            WeightedLinearFit().fit(X, y, sample_weight=np.ones(shape))

    def test_sigma_of_other_curves(self):
        X, y, _ = data()
        with pytest.raises(ValueError, match=r"shape \(12,\) or \(12, 2\).*Got shape \(12, 3\)"):
            WeightedLinearFit().fit(X, np.column_stack([y, y]), sigma=np.ones((N, 3)))

    @every_estimator
    def test_both_spellings(self, estimator):
        X, y, sigma = data()
        with pytest.raises(ValueError, match="`sigma` and `sample_weight` must not both be given"):
            estimator.fit(X, y, sigma, sigma=sigma)

    def test_all_weights_zero(self):
        X, y, _ = data()
        with pytest.raises(ValueError, match="at least one non-zero weight"):
            WeightedLinearFit().fit(X, y, sample_weight=np.zeros(N))

    @pytest.mark.parametrize("name", ["X", "y", "sigma", "sample_weight"])
    def test_masked_values(self, name):
        X, y, sigma = data()
        arguments = {
            "X": X,
            "y": y,
            ("sample_weight" if name == "sample_weight" else "sigma"): sigma,
        }
        value = np.ma.array(arguments[name], mask=False)
        value[2] = np.ma.masked
        with pytest.raises(ValueError, match=rf"`{name}` must .*masked"):
            WeightedLinearFit().fit(**{**arguments, name: value})

    def test_masked_array_without_masked_values(self):
        X, y, sigma = data()
        fit = WeightedLinearFit().fit(X, np.ma.array(y), sigma=np.ma.array(sigma, mask=False))
        assert_same_fit(fit, WeightedLinearFit().fit(X, y, sigma=sigma))

    @pytest.mark.parametrize("name", ["X", "y"])
    def test_complex_data(self, name):
        X, y, sigma = data()
        arguments = {"X": X, "y": y}
        arguments[name] = arguments[name] * 1j
        with pytest.raises(ValueError, match="Complex data not supported"):
            WeightedLinearFit().fit(**arguments, sigma=sigma)

    @pytest.mark.parametrize(
        "sigma",
        [np.ones(N) * 1j, ["a"] * N, np.full(N, None), np.array(["2020-01-01"] * N, "M8[D]")],
        ids=["complex", "text", "None", "dates"],
    )
    def test_sigma_that_is_no_number(self, sigma):
        X, y, _ = data()
        with pytest.raises(ValueError, match=r"`sigma` must (hold real numbers|be positive)"):
            WeightedLinearFit().fit(X, y, sigma=sigma)

    @pytest.mark.parametrize("value", ["yes", 2, None, "true"])
    def test_absolute_sigma_that_is_no_choice(self, value):
        X, y, _ = data()
        with pytest.raises(ValueError, match='`absolute_sigma` must be "auto", True or False'):
            WeightedLinearFit(absolute_sigma=value).fit(X, y)

    def test_sigma_is_keyword_only(self):
        X, y, sigma = data()
        with pytest.raises(TypeError, match="positional argument"):
            WeightedLinearFit().fit(X, y, None, sigma)


class TestPandasIndex:
    labels = pd.Index([f"s{i}" for i in range(N)])

    def framed(self):
        X, y, sigma = data()
        return (
            pd.DataFrame(X, columns=["x"], index=self.labels),
            pd.Series(y, index=self.labels),
            pd.Series(sigma, index=self.labels),
        )

    @pytest.mark.parametrize("spelling", ["sigma", "sample_weight"])
    def test_other_order_is_refused(self, spelling):
        X, y, sigma = self.framed()
        with pytest.raises(ValueError, match=rf"`{spelling}` must have the same index as `X`"):
            WeightedLinearFit().fit(X, y, **{spelling: sigma[::-1]})
        with pytest.raises(ValueError, match=rf"`{spelling}` must have the same index as `y`"):
            WeightedLinearFit().fit(X.to_numpy(), y, **{spelling: sigma[::-1]})

    def test_same_index_is_by_position(self):
        X, y, sigma = self.framed()
        plain = WeightedLinearFit().fit(*data()[:2], sigma=data()[2])
        assert_same_fit(WeightedLinearFit().fit(X, y, sigma=sigma), plain)
        shuffled = np.random.default_rng(1).permutation(N)
        assert_same_fit(
            WeightedLinearFit().fit(X.iloc[shuffled], y.iloc[shuffled], sigma=sigma.iloc[shuffled]),
            plain,
        )

    def test_plain_arrays_have_no_index(self):
        X, y, sigma = self.framed()
        assert_same_fit(
            WeightedLinearFit().fit(X, y, sigma=sigma.to_numpy()),
            WeightedLinearFit().fit(X.to_numpy(), y.to_numpy(), sigma=sigma),
        )

    def test_in_score_and_intervals_and_partial_fit(self):
        X, y, sigma = self.framed()
        fit = WeightedLinearFit().fit(X, y, sigma=sigma)
        with pytest.raises(ValueError, match="`sigma` must have the same index as `X`"):
            fit.score(X, y, sigma=sigma[::-1])
        with pytest.raises(ValueError, match="`sigma` must have the same index as `X`"):
            fit.predict_interval(X, kind="prediction", sigma=sigma[::-1])
        with pytest.raises(ValueError, match="`sigma` must have the same index as `X`"):
            fit.partial_fit(X, y, sigma=sigma[::-1])


class TestZeroWeight:
    @every_estimator
    @pytest.mark.parametrize("n", [12, 3000])
    def test_is_removal(self, estimator, n):
        X, y, weight = data(n)
        removed = np.random.default_rng(2).random(n) < 0.3
        y[removed] = 1e6
        weight[removed] = 0.0
        names = ("params_", "params_cov_", "chi2_", "dof_", "reduced_chi2_", "p_value_", "rank_")
        estimator.fit(X, y, weight)
        with_zeros = [getattr(estimator, name) for name in names]
        estimator.fit(X[~removed], y[~removed], weight[~removed])
        for name, value in zip(names, with_zeros, strict=True):
            np.testing.assert_allclose(
                value, getattr(estimator, name), rtol=1e-9, atol=1e-13, err_msg=name
            )

    @every_estimator
    def test_integer_weight_is_repetition_but_for_the_freedom(self, estimator):
        X, y, _ = data()
        counts = np.array([1, 2, 3, 0] * 3)
        repeated = np.repeat(np.arange(N), counts)
        estimator.fit(X, y, counts)
        weighted = [estimator.coef_, estimator.coef_cov_, estimator.chi2_]
        assert estimator.dof_ == np.sum(counts > 0) - estimator.rank_
        estimator.fit(X[repeated], y[repeated], np.ones(len(repeated)))
        for a, b in zip(
            weighted, [estimator.coef_, estimator.coef_cov_, estimator.chi2_], strict=True
        ):
            np.testing.assert_allclose(a, b, rtol=1e-9)
        assert estimator.dof_ == len(repeated) - estimator.rank_

    def test_zero_weight_row_may_hold_any_finite_number(self):
        X, y, weight = data()
        X[4], y[4], weight[4] = 1e200, -1e200, 0.0
        kept = np.arange(N) != 4
        fit = WeightedLinearFit().fit(X, y, weight)
        assert_same_fit(fit, WeightedLinearFit().fit(X[kept], y[kept], weight[kept]))
