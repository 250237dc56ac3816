"""The errors of x, y, and their correlation: in every shape, and what is refused."""

import re

import numpy as np
import pandas as pd
import pytest

from sklsq import OrthogonalRegression
from tests.estimators.simulated import measured

N = 20
ROUNDING = 1e-11
NAMES = ("params_", "params_cov_", "chi2_", "reduced_chi2_", "p_value_")


def assert_same_fit(a, b, *, rtol=ROUNDING):
    for name in NAMES:
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=rtol, err_msg=name)
    np.testing.assert_array_equal(a.dof_, b.dof_)
    assert a.absolute_sigma_ == b.absolute_sigma_


def fit(data, method="york", **errors):
    return OrthogonalRegression(method).fit(data.X, data.y, **errors)


class TestShapes:
    @pytest.mark.parametrize("p", [1, 3])
    @pytest.mark.parametrize("value", [0.25, np.float32(0.25), np.array(0.25), [[0.25]]])
    def test_scalar(self, p, value):
        data = measured(p=p)
        expected = fit(data, sigma=data.sigma, sigma_x=np.full((N, p), 0.25))
        if np.ndim(value) == 0 or p == 1:
            assert_same_fit(fit(data, sigma=data.sigma, sigma_x=value), expected)

    @pytest.mark.parametrize("p", [1, 3])
    def test_one_row_for_all_points(self, p):
        data = measured(p=p)
        row = np.array([[0.1, 0.2, 0.3]])[:, :p]
        expected = fit(data, sigma=data.sigma, sigma_x=np.repeat(row, N, axis=0))
        assert_same_fit(fit(data, sigma=data.sigma, sigma_x=row), expected)
        assert_same_fit(fit(data, sigma=data.sigma, sigma_x=row.tolist()), expected)

    def test_vector_of_one_feature(self):
        data = measured()
        expected = fit(data, **data.errors)
        assert_same_fit(fit(data, sigma=data.sigma, sigma_x=data.sigma_x[:, 0]), expected)
        assert_same_fit(fit(data, sigma=data.sigma, sigma_x=list(data.sigma_x[:, 0])), expected)

    @pytest.mark.parametrize("p", [2, 3])
    @pytest.mark.parametrize("n", [2, 3, 20])
    def test_vector_of_several_features_is_ambiguous(self, n, p):
        data = measured(n, p)
        for length in {n, p}:
            with pytest.raises(ValueError, match=rf"`sigma_x` must .* Got shape \({length},\)"):
                fit(data, sigma=data.sigma, sigma_x=np.ones(length))

    @pytest.mark.parametrize("shape", [(N - 1, 1), (N, 2), (2, 1), (N + 1,), (0,), (N, 1, 1)])
    def test_wrong_shape(self, shape):
        data = measured()
        got = re.escape(f"Got shape {shape}")
        with pytest.raises(ValueError, match=rf"`sigma_x` must .* shape \(20, 1\).*{got}"):
            fit(data, sigma=data.sigma, sigma_x=np.ones(shape))

    @pytest.mark.parametrize("p", [1, 2])
    def test_weight_is_the_inverse_variance(self, p):
        data = measured(p=p)
        weighted = fit(data, sample_weight=data.sigma**-2, sigma_x=data.sigma_x)
        assert_same_fit(weighted, fit(data, **data.errors), rtol=1e-9)

    @pytest.mark.parametrize("method", ["total", "deming", "major_axis", "bisector"])
    def test_weight_is_the_inverse_variance_for_other_methods(self, method):
        data = measured()
        weighted = fit(data, method, sample_weight=data.sigma**-2)
        assert_same_fit(weighted, fit(data, method, sigma=data.sigma), rtol=1e-9)

    @pytest.mark.parametrize("dtype", [np.float32, np.int64, object])
    @pytest.mark.parametrize("p", [1, 2])
    def test_computed_in_double_precision(self, dtype, p):
        data = measured(p=p)
        X, y = np.round(10.0 * data.X), np.round(10.0 * data.y)
        sigma, sigma_x = np.ceil(10.0 * data.sigma), np.ceil(10.0 * data.sigma_x)
        expected = OrthogonalRegression().fit(X, y, sigma=sigma, sigma_x=sigma_x)
        found = OrthogonalRegression().fit(
            X.astype(dtype),
            y.astype(dtype),
            sigma=sigma.astype(dtype),
            sigma_x=sigma_x.astype(dtype),
        )
        assert_same_fit(found, expected, rtol=1e-13)
        assert found.coef_.dtype == np.float64

    @pytest.mark.parametrize("p", [1, 2])
    def test_inputs_are_left_alone(self, p):
        data = measured(p=p, correlation=p == 1)
        errors = data.correlated if p == 1 else data.errors
        arrays = [data.X, data.y, *errors.values()]
        copies = [array.copy() for array in arrays]
        for array in arrays:
            array.flags.writeable = False
        model = fit(data, **errors)
        model.predict(data.X, return_std=True, sigma_x=data.sigma_x)
        model.score(data.X, data.y, **errors)
        model.adjusted_points(data.X, data.y, **errors)
        fit(data, sample_weight=data.sigma, sigma_x=data.sigma_x)
        fit(data, "total", sigma=data.sigma)
        for array, copy in zip(arrays, copies, strict=True):
            np.testing.assert_array_equal(array, copy)


class TestZero:
    """A feature without error is exact."""

    @pytest.mark.parametrize("p", [1, 3])
    def test_some_exact_points(self, p):
        data = measured(p=p)
        data.sigma_x[::3] = 0.0
        exact = fit(data, **data.errors)
        data.sigma_x[::3] = 1e-9
        np.testing.assert_allclose(exact.params_, fit(data, **data.errors).params_, rtol=1e-9)

    def test_one_exact_feature(self):
        data = measured(p=2)
        nearly = fit(data, sigma=data.sigma, sigma_x=[[1e-9, 0.2]])
        exactly = fit(data, sigma=data.sigma, sigma_x=[[0.0, 0.2]])
        assert_same_fit(exactly, nearly, rtol=1e-9)


class TestRefused:
    @pytest.mark.parametrize("value", [-0.5, np.nan, np.inf])
    @pytest.mark.parametrize("p", [1, 2])
    def test_bad_sigma_x_names_the_row(self, value, p):
        data = measured(p=p)
        data.sigma_x[7, -1] = value
        message = rf"`sigma_x` must be finite and not negative. Got {value:g} in row 7"
        with pytest.raises(ValueError, match=message):
            fit(data, **data.errors)

    @pytest.mark.parametrize("value", [-1.0, np.nan, np.inf])
    def test_bad_scalar(self, value):
        data = measured()
        message = rf"`sigma_x` must be finite and not negative. Got {value:g}\."
        with pytest.raises(ValueError, match=message):
            fit(data, sigma=data.sigma, sigma_x=value)

    @pytest.mark.parametrize("value", [1.0, -1.0, 1.5, np.nan, np.inf])
    def test_bad_correlation_names_the_row(self, value):
        data = measured(correlation=True)
        data.corr_xy[5] = value
        message = rf"`corr_xy` must lie between -1 and 1. Got {value:g} in row 5"
        with pytest.raises(ValueError, match=message):
            fit(data, **data.correlated)
        with pytest.raises(ValueError, match=rf"`corr_xy` must lie .* Got {value:g}\."):
            fit(data, **data.errors, corr_xy=value)

    @pytest.mark.parametrize("shape", [(N - 1,), (N, 1), (1,), (1, 1)])
    def test_shape_of_the_correlation(self, shape):
        data = measured()
        message = rf"`corr_xy` must be a number or have shape \(20,\). Got shape \({shape[0]}"
        with pytest.raises(ValueError, match=message):
            fit(data, **data.errors, corr_xy=np.zeros(shape))

    @pytest.mark.parametrize("corr_xy", [0.0, 0.5, np.zeros(N)])
    def test_correlation_of_several_features(self, corr_xy):
        data = measured(p=2)
        with pytest.raises(ValueError, match="`corr_xy` must be left out for several features"):
            fit(data, **data.errors, corr_xy=corr_xy)

    @pytest.mark.parametrize("method", ["auto", "york"])
    def test_sigma_x_without_sigma(self, method):
        data = measured()
        with pytest.raises(ValueError, match="`sigma` must be given together with `sigma_x`"):
            fit(data, method, sigma_x=data.sigma_x)

    def test_york_without_sigma_x(self):
        data = measured()
        with pytest.raises(ValueError, match='`sigma_x` must be given for method "york"'):
            fit(data, sigma=data.sigma)
        with pytest.raises(ValueError, match='`sigma_x` must be given for method "york"'):
            fit(data)

    @pytest.mark.parametrize(
        "method", ["deming", "major_axis", "reduced_major_axis", "bisector", "total"]
    )
    @pytest.mark.parametrize("name", ["sigma_x", "corr_xy"])
    def test_errors_that_the_method_cannot_use(self, method, name):
        data = measured()
        with pytest.raises(ValueError, match=rf"`method` must be .*`sigma_x`.*Got '{method}'"):
            fit(data, method, sigma=data.sigma, **{name: data.correlated[name]})

    def test_correlation_without_sigma_x_asks_for_it(self):
        data = measured()
        with pytest.raises(ValueError, match="`sigma_x` must be given"):
            fit(data, "auto", sigma=data.sigma, corr_xy=0.5)

    @pytest.mark.parametrize("method", ["york", "total"])
    def test_covariance_of_y(self, method):
        data = measured()
        errors = {"sigma_x": data.sigma_x} if method == "york" else {}
        with pytest.raises(ValueError, match="`sigma` must be a number or one value per row here"):
            fit(data, method, sigma=np.diag(data.sigma**2), **errors)

    @pytest.mark.parametrize("value", [0.0, -0.5, np.nan, np.inf])
    def test_bad_sigma_names_the_row(self, value):
        data = measured()
        data.sigma[7] = value
        with pytest.raises(ValueError, match=rf"`sigma` must be positive.* Got {value:g} in row 7"):
            fit(data, **data.errors)

    def test_both_spellings(self):
        data = measured()
        with pytest.raises(ValueError, match="`sigma` and `sample_weight` must not both be given"):
            fit(data, sample_weight=data.sigma, **data.errors)

    @pytest.mark.parametrize("name", ["sigma_x", "corr_xy"])
    @pytest.mark.parametrize(
        "value", [["a"] * N, np.ones(N) * 1j, np.ma.array(np.ones(N), mask=[True] + [False] * 19)]
    )
    def test_no_numbers(self, name, value):
        data = measured()
        with pytest.raises(ValueError, match=rf"`{name}` must hold real numbers"):
            fit(data, **{**data.errors, name: value})

    def test_errors_are_keyword_only(self):
        data = measured()
        with pytest.raises(TypeError, match="positional argument"):
            OrthogonalRegression().fit(data.X, data.y, None, data.sigma, data.sigma_x)


class TestPandasIndex:
    labels = pd.Index([f"s{i}" for i in range(N)])

    def framed(self):
        data = measured(correlation=True)
        X = pd.DataFrame(data.X, columns=["depth"], index=self.labels)
        errors = {
            "sigma": pd.Series(data.sigma, self.labels),
            "sigma_x": pd.Series(data.sigma_x[:, 0], self.labels),
            "corr_xy": pd.Series(data.corr_xy, self.labels),
        }
        return X, pd.Series(data.y, self.labels), errors

    def test_same_index(self):
        X, y, errors = self.framed()
        data = measured(correlation=True)
        found = OrthogonalRegression().fit(X, y, **errors)
        assert_same_fit(found, fit(data, **data.correlated))
        frame = {**errors, "sigma_x": pd.DataFrame(data.sigma_x, self.labels, ["depth"])}
        assert_same_fit(OrthogonalRegression().fit(X, y, **frame), found)

    @pytest.mark.parametrize("name", ["sigma", "sigma_x", "corr_xy"])
    def test_other_order_is_refused(self, name):
        X, y, errors = self.framed()
        model = OrthogonalRegression().fit(X, y, **errors)
        turned = {**errors, name: errors[name][::-1]}
        with pytest.raises(ValueError, match=f"`{name}` must have the same index as `y`"):
            OrthogonalRegression().fit(X.to_numpy(), y, **turned)
        for call in (OrthogonalRegression().fit, model.score, model.adjusted_points):
            with pytest.raises(ValueError, match=f"`{name}` must have the same index as `X`"):
                call(X, y, **turned)

    def test_in_predictions(self):
        X, y, errors = self.framed()
        model = OrthogonalRegression().fit(X, y, **errors)
        with pytest.raises(ValueError, match="`sigma_x` must have the same index as `X`"):
            model.predict(X, return_std=True, sigma_x=errors["sigma_x"][::-1])


class TestZeroWeight:
    @pytest.mark.parametrize(
        ("method", "p"),
        [
            ("york", 1),
            ("york", 2),
            ("total", 1),
            ("total", 3),
            ("deming", 1),
            ("major_axis", 1),
            ("reduced_major_axis", 1),
            ("bisector", 1),
        ],
    )
    @pytest.mark.parametrize("wild", [1e6, 1e150], ids=["wild", "wilder"])
    def test_is_removal(self, method, p, wild):
        data = measured(40, p)
        removed = np.arange(40) % 4 == 1
        weight = np.where(removed, 0.0, data.sigma**-2)
        X, y = data.X.copy(), data.y.copy()
        X[removed], y[removed] = wild, -wild
        all_x = {"sigma_x": data.sigma_x} if method == "york" else {}
        some_x = {"sigma_x": data.sigma_x[~removed]} if method == "york" else {}
        with_zeros = OrthogonalRegression(method).fit(X, y, weight, **all_x)
        without = OrthogonalRegression(method).fit(
            X[~removed], y[~removed], weight[~removed], **some_x
        )
        assert_same_fit(with_zeros, without, rtol=1e-8)
        mean, std = with_zeros.predict(data.X, return_std=True)
        for found, expected in zip(
            (mean, std), without.predict(data.X, return_std=True), strict=True
        ):
            np.testing.assert_allclose(found, expected, rtol=1e-8)

    def test_both_coordinates_exact_in_a_removed_row(self):
        data = measured(correlation=True)
        weight = data.sigma**-2
        weight[3], data.sigma_x[3] = 0.0, 0.0
        kept = np.arange(N) != 3
        found = fit(data, sample_weight=weight, sigma_x=data.sigma_x, corr_xy=data.corr_xy)
        expected = OrthogonalRegression().fit(
            data.X[kept],
            data.y[kept],
            weight[kept],
            sigma_x=data.sigma_x[kept],
            corr_xy=data.corr_xy[kept],
        )
        assert_same_fit(found, expected)

    def test_all_weights_zero(self):
        data = measured()
        with pytest.raises(ValueError, match="at least one non-zero weight"):
            fit(data, sample_weight=np.zeros(N), sigma_x=0.1)


class TestCurves:
    """y of shape (n, t): a line for each column."""

    @staticmethod
    def columns(p=1):
        data = measured(p=p)
        Y = np.column_stack([data.y, -3.0 * data.y, data.y[::-1]])
        return data, Y, data.sigma[:, None] * [1.0, 3.0, 2.0]

    @pytest.mark.parametrize(
        ("method", "p"),
        [("york", 1), ("york", 2), ("total", 2), ("deming", 1), ("bisector", 1)],
    )
    @pytest.mark.parametrize("per_curve", [True, False])
    def test_each_is_a_fit_of_its_own(self, method, p, per_curve):
        data, Y, S = self.columns(p)
        sigma = S if per_curve else data.sigma
        errors = {"sigma_x": data.sigma_x} if method == "york" else {}
        together = OrthogonalRegression(method).fit(data.X, Y, sigma=sigma, **errors)
        for k in range(3):
            one = OrthogonalRegression(method).fit(
                data.X, Y[:, k], sigma=S[:, k] if per_curve else sigma, **errors
            )
            for name in (*NAMES, "coef_", "coef_std_", "intercept_", "intercept_std_", "coef_cov_"):
                np.testing.assert_allclose(
                    getattr(together, name)[k], getattr(one, name), rtol=1e-10, err_msg=name
                )
            for name in ("dof_", "converged_", "n_iter_", "status_"):
                assert getattr(together, name)[k] == getattr(one, name)
            for found, expected in zip(
                together.predict(data.X, return_std=True, sigma_x=0.2),
                one.predict(data.X, return_std=True, sigma_x=0.2),
                strict=True,
            ):
                np.testing.assert_allclose(found[:, k], expected, rtol=1e-10)

    @pytest.mark.parametrize("t", [1, 3])
    def test_leading_axis(self, t):
        data, Y, S = self.columns(2)
        model = fit(data._replace(y=Y[:, :t]), sigma=S[:, :t], sigma_x=data.sigma_x)
        assert model.coef_.shape == model.coef_std_.shape == (t, 2)
        assert model.coef_cov_.shape == (t, 2, 2)
        assert model.params_.shape == model.params_std_.shape == (t, 3)
        assert model.params_cov_.shape == model.params_covariance("hessian").shape == (t, 3, 3)
        for name in ("chi2_", "dof_", "reduced_chi2_", "p_value_", "converged_", "intercept_"):
            assert getattr(model, name).shape == (t,), name
        assert model.predict(data.X).shape == (N, t)
        assert model.predict_interval(data.X).shape == (t, N, 2)
        for std in (0.0, 0.1):
            _, cov = model.predict(data.X, return_cov=True, sigma_x=std)
            assert cov.shape == (t, N, N)

    def test_score_is_the_mean(self):
        data, Y, S = self.columns()
        model = fit(data._replace(y=Y), sigma=S, sigma_x=data.sigma_x)
        each = [
            fit(data._replace(y=Y[:, k]), sigma=S[:, k], sigma_x=data.sigma_x).score(
                data.X, Y[:, k], sigma=S[:, k], sigma_x=data.sigma_x
            )
            for k in range(3)
        ]
        score = model.score(data.X, Y, sigma=S, sigma_x=data.sigma_x)
        assert score == pytest.approx(np.mean(each), rel=1e-10)

    def test_weights_of_each_remove_their_own_rows(self):
        data, Y, S = self.columns()
        W = S**-2
        W[[2, 9], [0, 1]] = 0.0
        model = fit(data._replace(y=Y), sample_weight=W, sigma_x=data.sigma_x)
        np.testing.assert_array_equal(model.dof_, [17, 17, 18])
        kept = np.arange(N) != 2
        one = OrthogonalRegression().fit(
            data.X[kept], Y[kept, 0], sigma=S[kept, 0], sigma_x=data.sigma_x[kept]
        )
        np.testing.assert_allclose(model.params_cov_[0], one.params_cov_, rtol=1e-9)
