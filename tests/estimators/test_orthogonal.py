"""The type-II family: how its methods are related, and what a fit can be used for."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import chdtrc, ndtri, stdtrit
from sklearn.metrics import r2_score

from sklsq import OrthogonalRegression, UnweightedScoreWarning, WeightedLinearFit
from sklsq.inference.summary import format_value
from tests.estimators.simulated import measured

AXES = ["deming", "major_axis", "reduced_major_axis", "bisector", "total"]
ONE_FEATURE = ["york", *AXES]
every_method = pytest.mark.parametrize("method", ONE_FEATURE)
YORK = ("adjusted", "observed", "hessian", "propagated")


def given(method, data):
    return data.errors if method == "york" else {}


def fit(method, data, errors=None, **options):
    errors = given(method, data) if errors is None else errors
    return OrthogonalRegression(method, **options).fit(data.X, data.y, **errors)


def least_squares_plane(X, y, ratio=1.0, weight=None, *, fit_intercept=True):
    """Total least squares by the decomposition of the whole matrix, textbook form."""
    weight = np.ones(len(y)) if weight is None else weight
    points = np.column_stack([X, y / np.sqrt(ratio)])
    centre = weight @ points / weight.sum() * fit_intercept
    normal = np.linalg.svd((points - centre) * np.sqrt(weight)[:, None])[2][-1]
    slopes = -normal[:-1] / normal[-1] * np.sqrt(ratio)
    level = centre[-1] * np.sqrt(ratio) - centre[:-1] @ slopes
    return np.append(level, slopes)[1 - fit_intercept :]


class TestMethods:
    def test_auto(self):
        data = measured()
        assert fit("auto", data, data.errors).params_ == pytest.approx(
            fit("york", data).params_, rel=0
        )
        assert fit("auto", data, {}).params_ == pytest.approx(fit("total", data).params_, rel=0)

    @pytest.mark.parametrize("method", ["York", "tls", "", None, ["york"], 1])
    def test_unknown(self, method):
        data = measured()
        with pytest.raises(ValueError, match="`method` must be one of auto, york, deming, "):
            OrthogonalRegression(method).fit(data.X, data.y)

    @pytest.mark.parametrize("ratio", [0.0, -1.0, np.nan, np.inf, "1", None, [1.0, 2.0], 1j])
    @pytest.mark.parametrize("method", ["deming", "total"])
    def test_error_ratio(self, method, ratio):
        with pytest.raises(ValueError, match="`error_ratio` must be positive and finite"):
            fit(method, measured(), error_ratio=ratio)

    @pytest.mark.parametrize("method", ["reduced_major_axis", "bisector"])
    def test_one_feature_only(self, method):
        message = rf"`method` must be .* for several features. Got '{method}' for 2 features"
        with pytest.raises(ValueError, match=message):
            fit(method, measured(p=2))

    @pytest.mark.parametrize("method", ["reduced_major_axis", "bisector"])
    def test_errors_by_scatter_only(self, method):
        data = measured()
        with pytest.raises(ValueError, match="`absolute_sigma` must not be True"):
            fit(method, data, absolute_sigma=True)
        assert not fit(method, data, {"sigma": data.sigma}).absolute_sigma_

    @pytest.mark.parametrize("method", AXES)
    def test_intrinsic_scatter_needs_york(self, method):
        with pytest.raises(ValueError, match=r"`method` must be .*`intrinsic_scatter`"):
            fit(method, measured(), intrinsic_scatter=True)

    @pytest.mark.parametrize("value", ["yes", None, 2])
    def test_absolute_sigma(self, value):
        with pytest.raises(ValueError, match='`absolute_sigma` must be "auto", True or False'):
            fit("total", measured(), absolute_sigma=value)

    @pytest.mark.parametrize("p", [1, 3])
    @pytest.mark.parametrize("method", ["york", "deming", "major_axis", "total"])
    def test_conventions(self, method, p):
        data = measured(p=p)
        errors = data.errors if method == "york" else {"sigma": data.sigma}
        absolute = fit(method, data, errors)
        scaled = fit(method, data, errors, absolute_sigma=False)
        assert absolute.absolute_sigma_
        assert not scaled.absolute_sigma_
        np.testing.assert_array_equal(absolute.params_, scaled.params_)
        if method == "york":
            expected = absolute.params_cov_ * absolute.reduced_chi2_
            np.testing.assert_allclose(scaled.params_cov_, expected, rtol=1e-12)
        assert absolute.p_value_ == pytest.approx(chdtrc(absolute.dof_, absolute.chi2_))

    @every_method
    def test_published_quantities_agree(self, method):
        model = fit(method, measured())
        assert model.param_names_ == ["intercept", "x"]
        np.testing.assert_array_equal(model.params_, [model.intercept_, *model.coef_])
        np.testing.assert_array_equal(model.params_std_, np.sqrt(np.diag(model.params_cov_)))
        np.testing.assert_array_equal(model.coef_cov_, model.params_cov_[1:, 1:])
        np.testing.assert_array_equal(model.coef_std_, model.params_std_[1:])
        assert model.intercept_std_ == model.params_std_[0]
        assert isinstance(model.intercept_, float)
        assert model.dof_ == 18
        assert model.rank_ == 2
        assert model.unidentified_.shape == (0, 2)
        assert model.reduced_chi2_ == pytest.approx(model.chi2_ / 18)
        assert np.isnan(model.p_value_) == (method != "york")
        assert model.converged_
        assert model.n_iter_ >= 1
        assert model.status_.endswith(".")

    @every_method
    def test_through_the_origin(self, method):
        data = measured()
        model = fit(method, data, fit_intercept=False)
        assert model.params_.shape == (1,)
        assert model.param_names_ == ["x"]
        assert model.dof_ == 19
        assert model.predict([[0.0]]) == [0.0]
        assert getattr(model, "intercept_", 0.0) == 0.0
        assert getattr(model, "intercept_std_", 0.0) == 0.0


class TestSymmetry:
    """Whoever calls x y, and y x, has the same line."""

    def turned(self, data):
        return data._replace(X=data.y[:, None], y=data.X[:, 0])

    @pytest.mark.parametrize("method", ["major_axis", "reduced_major_axis", "bisector", "total"])
    @pytest.mark.parametrize("seed", range(4))
    @pytest.mark.parametrize("sign", [1.0, -1.0])
    def test_axes(self, method, seed, sign):
        data = measured(seed=seed)
        data = data._replace(y=sign * data.y)
        line, turned = fit(method, data), fit(method, self.turned(data))
        assert turned.coef_[0] * line.coef_[0] == pytest.approx(1.0, rel=1e-12)
        assert turned.intercept_ == pytest.approx(-line.intercept_ / line.coef_[0], rel=1e-11)
        relative = line.coef_std_[0] / line.coef_[0]
        assert abs(turned.coef_std_[0] / turned.coef_[0]) == pytest.approx(abs(relative), rel=1e-10)

    @pytest.mark.parametrize("method", ["deming", "total"])
    @pytest.mark.parametrize("ratio", [0.01, 0.3, 7.0])
    def test_inverse_ratio(self, method, ratio):
        data = measured()
        line = fit(method, data, error_ratio=ratio)
        turned = fit(method, self.turned(data), error_ratio=1.0 / ratio)
        assert turned.coef_[0] * line.coef_[0] == pytest.approx(1.0, rel=1e-12)

    @pytest.mark.parametrize("correlation", [False, True])
    @pytest.mark.parametrize("seed", range(4))
    def test_york(self, seed, correlation):
        data = measured(seed=seed, correlation=correlation)
        line = fit("york", data, data.correlated)
        turned = OrthogonalRegression().fit(
            data.y[:, None],
            data.X[:, 0],
            sigma=data.sigma_x[:, 0],
            sigma_x=data.sigma,
            corr_xy=data.corr_xy,
        )
        slope = line.coef_[0]
        assert turned.coef_[0] == pytest.approx(1.0 / slope, rel=1e-12)
        assert turned.intercept_ == pytest.approx(-line.intercept_ / slope, rel=1e-11)
        assert turned.chi2_ == pytest.approx(line.chi2_, rel=1e-12)
        assert turned.coef_std_[0] == pytest.approx(line.coef_std_[0] / slope**2, rel=1e-11)


class TestAgreement:
    @pytest.mark.parametrize("ratio", [0.1, 1.0, 4.0])
    @pytest.mark.parametrize("fit_intercept", [True, False])
    def test_york_with_equal_errors_is_deming(self, ratio, fit_intercept):
        data = measured()
        options = {"fit_intercept": fit_intercept}
        errors = {"sigma": 0.3, "sigma_x": 0.3 / np.sqrt(ratio)}
        york = fit("york", data, errors, **options)
        for method in ("deming", "total"):
            other = fit(method, data, {"sigma": 0.3}, error_ratio=ratio, **options)
            np.testing.assert_allclose(york.params_, other.params_, rtol=1e-12)
            assert york.chi2_ == pytest.approx(other.chi2_, rel=1e-12)

    @pytest.mark.parametrize("p", [1, 3])
    @pytest.mark.parametrize("fit_intercept", [True, False])
    @pytest.mark.parametrize("absolute", ["auto", False])
    def test_exact_features_are_weighted_least_squares(self, p, fit_intercept, absolute):
        data = measured(p=p)
        options = {"fit_intercept": fit_intercept, "absolute_sigma": absolute}
        york = fit("york", data, {"sigma": data.sigma, "sigma_x": 0.0}, **options)
        plain = WeightedLinearFit(**options).fit(data.X, data.y, sigma=data.sigma)
        for name in ("params_", "params_cov_", "chi2_", "p_value_"):
            np.testing.assert_allclose(
                getattr(york, name), getattr(plain, name), rtol=1e-10, err_msg=name
            )
        np.testing.assert_allclose(
            york.predict_interval(data.X, kind="prediction", sigma=0.1),
            plain.predict_interval(data.X, kind="prediction", sigma=0.1),
            rtol=1e-10,
        )

    @pytest.mark.parametrize("p", [1, 2, 5])
    @pytest.mark.parametrize("ratio", [0.2, 1.0])
    @pytest.mark.parametrize("fit_intercept", [True, False])
    @pytest.mark.parametrize("weighted", [True, False])
    def test_total_is_the_decomposition_of_the_points(self, p, ratio, fit_intercept, weighted):
        data = measured(30, p)
        errors = {"sigma": data.sigma} if weighted else {}
        model = fit("total", data, errors, error_ratio=ratio, fit_intercept=fit_intercept)
        weight = data.sigma**-2 if weighted else None
        expected = least_squares_plane(data.X, data.y, ratio, weight, fit_intercept=fit_intercept)
        np.testing.assert_allclose(model.params_, expected, rtol=1e-10)

    @pytest.mark.parametrize("method", ["deming", "major_axis"])
    def test_names_for_several_features(self, method):
        data = measured(p=3)
        np.testing.assert_array_equal(fit(method, data).params_, fit("total", data).params_)

    @pytest.mark.parametrize("p", [1, 3])
    @pytest.mark.parametrize("seed", range(3))
    def test_odrpack(self, p, seed):
        odrpack = pytest.importorskip("odrpack")
        data = measured(40, p, seed)
        model = fit("york", data)
        peer = odrpack.odr_fit(
            lambda x, beta: beta[0] + beta[1:] @ np.atleast_2d(x),
            np.ascontiguousarray(data.X.T if p > 1 else data.X[:, 0]),
            data.y,
            np.append(0.0, np.ones(p)),
            weight_x=np.ascontiguousarray((data.sigma_x.T if p > 1 else data.sigma_x[:, 0]) ** -2),
            weight_y=data.sigma**-2,
            sstol=1e-15,
            partol=1e-15,
        )
        np.testing.assert_allclose(model.params_, peer.beta, rtol=1e-4, atol=1e-6)
        assert model.chi2_ == pytest.approx(peer.sum_square, rel=1e-6)
        assert model.chi2_ <= peer.sum_square * (1.0 + 1e-12)
        np.testing.assert_allclose(model.params_std_, np.sqrt(np.diag(peer.cov_beta)), rtol=1e-3)

    def test_errors_of_x_make_the_line_steeper(self):
        data = measured()
        plain = WeightedLinearFit().fit(data.X, data.y)
        inverse = WeightedLinearFit().fit(data.y[:, None], data.X[:, 0])
        for method in ("major_axis", "reduced_major_axis", "bisector"):
            assert plain.coef_[0] < fit(method, data).coef_[0] < 1.0 / inverse.coef_[0]


class TestDefinitions:
    @pytest.mark.parametrize("p", [1, 2])
    def test_default_of_york(self, p):
        model = fit("york", measured(p=p))
        np.testing.assert_allclose(
            model.params_covariance("adjusted"), model.params_cov_, rtol=1e-10
        )
        for definition in YORK:
            std = np.sqrt(np.diag(model.params_covariance(definition)))
            np.testing.assert_allclose(std, model.params_std_, rtol=0.5)

    @pytest.mark.parametrize(
        ("method", "definitions"),
        [
            ("york", YORK),
            ("total", ("normal", "robust", "absolute")),
            ("deming", ("normal", "robust", "jackknife", "absolute")),
            ("reduced_major_axis", ("normal", "robust", "jackknife")),
            ("bisector", ("normal", "robust", "jackknife")),
        ],
    )
    def test_others(self, method, definitions):
        model = fit(method, measured(60))
        for definition in definitions:
            covariance = model.params_covariance(definition)
            assert covariance.shape == (2, 2)
            assert (np.linalg.eigvalsh(covariance) > 0.0).all()
        with pytest.raises(ValueError, match=r"`definition` must be one of .*Got 'hesse'"):
            model.params_covariance("hesse")
        if method != "york":
            np.testing.assert_allclose(
                model.params_covariance("normal"), model.params_cov_, rtol=1e-9
            )

    def test_jackknife_is_leaving_out_one_after_the_other(self):
        data = measured()
        left = [
            OrthogonalRegression("deming")
            .fit(np.delete(data.X, i, 0), np.delete(data.y, i))
            .params_
            for i in range(20)
        ]
        expected = 19.0 * np.cov(np.transpose(left), bias=True)
        found = fit("deming", data).params_covariance("jackknife")
        np.testing.assert_allclose(found, expected, rtol=1e-8)

    def test_absolute_is_published_with_sigma(self):
        data = measured()
        model = fit("deming", data, {"sigma": data.sigma})
        np.testing.assert_allclose(
            model.params_covariance("absolute"), model.params_cov_, rtol=1e-10
        )


class TestPredict:
    @pytest.mark.parametrize("p", [1, 2])
    def test_error_of_the_curve(self, p):
        data = measured(p=p)
        model = fit("york", data)
        mean, std = model.predict(data.X, return_std=True)
        rows = np.column_stack([np.ones(20), data.X])
        np.testing.assert_allclose(mean, rows @ model.params_, rtol=1e-12)
        covariance = rows @ model.params_cov_ @ rows.T
        np.testing.assert_allclose(std, np.sqrt(np.diag(covariance)), rtol=1e-10)
        _, cov = model.predict(data.X, return_cov=True)
        np.testing.assert_allclose(cov, covariance, rtol=1e-8, atol=1e-12)

    @pytest.mark.parametrize("p", [1, 2])
    def test_measured_features(self, p):
        data = measured(p=p)
        model = fit("york", data)
        mean, std = model.predict(data.X, return_std=True)
        for sigma_x in (0.3, data.sigma_x, np.full((1, p), 0.2)):
            added = np.broadcast_to(sigma_x, (20, p)) ** 2 @ model.coef_**2
            same, wider = model.predict(data.X, return_std=True, sigma_x=sigma_x)
            np.testing.assert_array_equal(same, mean)
            np.testing.assert_allclose(wider, np.sqrt(std**2 + added), rtol=1e-12)
            _, cov = model.predict(data.X, return_cov=True, sigma_x=sigma_x)
            np.testing.assert_allclose(np.diag(cov), wider**2, rtol=1e-12)
            _, plain = model.predict(data.X, return_cov=True)
            off = ~np.eye(20, dtype=bool)
            np.testing.assert_allclose(cov[off], plain[off], rtol=1e-12)
        np.testing.assert_array_equal(model.predict(data.X, sigma_x=0.1), mean)

    @pytest.mark.parametrize("bad", [-0.1, np.nan, np.inf, np.ones(3)])
    @pytest.mark.parametrize("return_std", [True, False])
    def test_bad_errors_of_new_features(self, bad, return_std):
        data = measured()
        with pytest.raises(ValueError, match="`sigma_x` must be"):
            fit("york", data).predict(data.X, return_std, sigma_x=bad)

    def test_not_both(self):
        data = measured()
        with pytest.raises(ValueError, match="`return_std` and `return_cov` must not both"):
            fit("york", data).predict(data.X, True, True)

    @every_method
    @pytest.mark.parametrize("absolute", ["auto", False])
    def test_intervals(self, method, absolute):
        data = measured()
        model = fit(method, data, absolute_sigma=absolute)
        mean, std = model.predict(data.X, return_std=True)
        quantile = ndtri(0.975) if model.absolute_sigma_ else stdtrit(18, 0.975)
        interval = model.predict_interval(data.X, level=0.95)
        np.testing.assert_allclose(interval[:, 1] - mean, quantile * std, rtol=1e-9)
        sigma = data.sigma if method == "york" else None
        wide = model.predict_interval(data.X, level=0.95, kind="prediction", sigma=sigma)
        scale = 1.0 if model.absolute_sigma_ else model.reduced_chi2_
        variance = std**2 + scale * (1.0 if sigma is None else sigma**2)
        np.testing.assert_allclose(wide[:, 1] - mean, quantile * np.sqrt(variance), rtol=1e-9)

    def test_prediction_needs_sigma(self):
        data = measured()
        with pytest.raises(ValueError, match="`sigma` must be given for the prediction interval"):
            fit("york", data).predict_interval(data.X, kind="prediction")


class TestScore:
    def test_variance_about_the_line(self):
        data = measured(correlation=True)
        model = fit("york", data, data.correlated)
        b, sx, rho = model.coef_[0], data.sigma_x[:, 0], data.corr_xy
        variance = data.sigma**2 + b**2 * sx**2 - 2.0 * b * rho * sx * data.sigma
        expected = r2_score(data.y, model.predict(data.X), sample_weight=1.0 / variance)
        assert model.score(data.X, data.y, **data.correlated) == pytest.approx(expected, rel=1e-13)
        variance = data.sigma**2 + b**2 * sx**2
        expected = r2_score(data.y, model.predict(data.X), sample_weight=1.0 / variance)
        assert model.score(data.X, data.y, **data.errors) == pytest.approx(expected, rel=1e-13)

    def test_several_features(self):
        data = measured(p=3)
        model = fit("york", data)
        variance = data.sigma**2 + data.sigma_x**2 @ model.coef_**2
        expected = r2_score(data.y, model.predict(data.X), sample_weight=1.0 / variance)
        assert model.score(data.X, data.y, **data.errors) == pytest.approx(expected, rel=1e-13)

    def test_sample_weight_is_the_other_spelling(self):
        data = measured()
        model = fit("york", data)
        score = model.score(data.X, data.y, data.sigma**-2, sigma_x=data.sigma_x)
        assert score == pytest.approx(model.score(data.X, data.y, **data.errors), rel=1e-12)

    def test_sigma_alone_is_the_error_of_y(self):
        data = measured()
        model = fit("york", data)
        expected = r2_score(data.y, model.predict(data.X), sample_weight=data.sigma**-2)
        score = model.score(data.X, data.y, sigma=data.sigma)
        assert score == pytest.approx(expected, rel=1e-13)

    def test_without_errors(self):
        data = measured()
        with pytest.warns(UnweightedScoreWarning, match="pass `sigma` to `score`"):
            fit("york", data).score(data.X, data.y)
        assert fit("total", data).score(data.X, data.y) > 0.9

    def test_errors_of_x_alone(self):
        data = measured()
        with pytest.raises(ValueError, match="`sigma` and `sigma_x` must be given together"):
            fit("york", data).score(data.X, data.y, sigma_x=data.sigma_x)


def test_names_of_a_frame():
    data = measured(p=2)
    frame = pd.DataFrame(data.X, columns=["depth", "salinity"])
    model = OrthogonalRegression().fit(frame, data.y, **data.errors)
    assert model.param_names_ == ["intercept", "depth", "salinity"]
    assert model.feature_names_in_.tolist() == ["depth", "salinity"]
    text = str(model.summary())
    assert "salinity" in text
    assert model.summary().to_frame().index.tolist() == model.param_names_


@every_method
def test_summary(method):
    model = fit(method, measured())
    text = str(model.summary())
    assert "OrthogonalRegression" in text
    assert f"method='{method}'" in text
    assert "intercept" in text
    assert "18" in text
    frame = model.summary().to_frame()
    np.testing.assert_allclose(frame.iloc[:, 0].to_numpy(dtype=float), model.params_)
    np.testing.assert_allclose(frame.iloc[:, 1].to_numpy(dtype=float), model.params_std_)
    assert "<" in model.summary()._repr_html_()
    assert "tabular" in model.summary().to_latex()


def test_summary_states_the_intrinsic_scatter():
    rng = np.random.default_rng(0)
    x = rng.uniform(0.0, 10.0, 60)
    y = 1.0 + 2.0 * x + 0.5 * rng.normal(size=60) + 0.2 * rng.normal(size=60)
    errors = {"sigma": np.full(60, 0.2), "sigma_x": np.full(60, 0.1)}
    model = OrthogonalRegression(intrinsic_scatter=True).fit(x[:, None], y, **errors)
    value, std = format_value(model.intrinsic_scatter_, model.intrinsic_scatter_std_)
    line = f"intrinsic scatter of y about the line, beyond the errors: {value} ± {std}"
    assert f"note      {line}" in str(model.summary())
    assert line in model.summary()._repr_html_()
    assert "no test of the fit" in str(model.summary())
    plain = OrthogonalRegression().fit(x[:, None], y, **errors)
    assert "note" not in str(plain.summary())
