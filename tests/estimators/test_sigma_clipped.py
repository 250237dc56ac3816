"""Clipping: who is rejected, how often a good point is, and that weights stay with their points."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from sklsq import (
    DegreesOfFreedomWarning,
    DesignMatrixRegressor,
    ExtrapolationWarning,
    NonlinearLSQ,
    OrthogonalRegression,
    SigmaClippedRegressor,
    WeightedLinearFit,
)
from sklsq.basis import Polynomial
from sklsq.datasets import load_pearson_york, load_pion_plus
from sklsq.estimators._clipping import error_factor, kept_share

OUTLIERS = [4, 17]


def data(n=30, seed=0, outliers=OUTLIERS):
    """A line with errors that differ tenfold; outliers are 8σ off."""
    rng = np.random.default_rng(seed)
    x, sigma = np.linspace(0.0, 10.0, n), rng.permutation(np.geomspace(0.1, 1.0, n))
    deviation = np.clip(rng.normal(size=n), -2.0, 2.0)
    deviation[outliers] = 8.0
    return x[:, None], 1.0 + 2.0 * x + sigma * deviation, sigma


def clipped(estimator=None, **options):
    return SigmaClippedRegressor(WeightedLinearFit() if estimator is None else estimator, **options)


class TestRejection:
    def test_a_point_that_fits_itself_is_no_outlier(self):
        X, y, sigma = np.array([[0.0], [0.0], [0.0], [1.0]]), np.array([1.0, 1.1, 0.9, 50.0]), 0.1
        fit = clipped().fit(X, y, sigma=sigma)
        assert fit.n_rejected_ == 0

    @pytest.mark.parametrize("given", ["sigma", "sample_weight", "nothing"])
    def test_outliers_and_nobody_else(self, given):
        X, y, sigma = data()
        if given == "nothing":
            y = y + np.where(np.isin(np.arange(30), OUTLIERS), 20.0, 0.0)
        errors = {"sigma": sigma, "sample_weight": sigma**-2.0, "nothing": None}[given]
        how = {} if given == "nothing" else {given: errors}
        fit = clipped().fit(X, y, **how)
        np.testing.assert_array_equal(np.flatnonzero(~fit.inlier_mask_), OUTLIERS)
        assert fit.n_rejected_ == 2
        assert fit.converged_
        assert fit.status_.startswith("Converged")
        kept = fit.inlier_mask_
        how = {name: value[kept] for name, value in how.items()}
        alone = WeightedLinearFit().fit(X[kept], y[kept], **how)
        np.testing.assert_array_equal(fit.params_, alone.params_)
        np.testing.assert_array_equal(fit.params_cov_, alone.params_cov_)
        assert fit.chi2_ == alone.chi2_

    def test_nothing_to_reject(self):
        X, y, sigma = data(outliers=[])
        fit = clipped().fit(X, y, sigma=sigma)
        assert (fit.n_rejected_, fit.n_iter_, fit.converged_) == (0, 1, True)
        assert fit.inlier_mask_.all()

    def test_a_gross_outlier_does_not_take_good_points_along(self):
        X, y, sigma = data(outliers=[])
        y[29] += 1e4
        fit = clipped().fit(X, y, sigma=sigma)
        np.testing.assert_array_equal(np.flatnonzero(~fit.inlier_mask_), [29])

    def test_points_return(self):
        """Two outliers side by side draw the line to them: their neighbour is out at first."""
        rng = np.random.default_rng(0)
        X, y = np.linspace(0.0, 1.0, 12)[:, None], 0.5 * rng.normal(size=12)
        y[[10, 11]] += [12.0, 20.0]
        with pytest.warns(ConvergenceWarning, match="after `max_iter` fits"):
            early = clipped(max_iter=2, max_share=1.0).fit(X, y, sigma=0.5)
        assert not early.inlier_mask_[9]
        with pytest.warns(UserWarning, match="2 of 12 points were rejected"):
            fit = clipped().fit(X, y, sigma=0.5)
        np.testing.assert_array_equal(np.flatnonzero(~fit.inlier_mask_), [10, 11])

    def test_an_exact_line_with_one_blunder(self):
        X = np.arange(10.0)[:, None]
        y = 0.1 + 0.3 * X[:, 0]
        y[6] = 5.0
        fit = clipped().fit(X, y)
        np.testing.assert_array_equal(np.flatnonzero(~fit.inlier_mask_), [6])
        np.testing.assert_allclose(fit.params_, [0.1, 0.3], rtol=1e-13)

    def test_n_sigma(self):
        X, y, sigma = data()
        assert clipped(n_sigma=20).fit(X, y, sigma=sigma).n_rejected_ == 0

    def test_relative_sigma_is_no_limit(self):
        """Three times the given sigma is the limit only where sigma is absolute."""
        X, y, sigma = data(outliers=[])
        relative = clipped(WeightedLinearFit(absolute_sigma=False))
        assert relative.fit(X, y, sigma=sigma / 10.0).n_rejected_ == 0
        with pytest.warns(UserWarning, match="points were rejected, more than the share of 0.1"):
            clipped().fit(X, y, sigma=sigma / 10.0)

    def test_scale_and_order_do_not_matter(self):
        X, y, sigma = data()
        order = np.random.default_rng(1).permutation(30)
        fit = clipped().fit(X, y, sigma=sigma)
        other = clipped().fit(X[order] * 1e3, y[order] * 1e-5, sigma=sigma[order] * 1e-5)
        np.testing.assert_array_equal(other.inlier_mask_, fit.inlier_mask_[order])

    def test_rows_of_zero_weight_are_neither_in_nor_rejected(self):
        X, y, sigma = data()
        weight = np.where(np.arange(30) < 10, 0.0, sigma**-2.0)
        fit = clipped().fit(X, y, weight)
        assert fit.n_rejected_ == 1
        np.testing.assert_array_equal(np.flatnonzero(~fit.inlier_mask_), [*range(10), 17])
        part = clipped().fit(X[10:], y[10:], weight[10:])
        np.testing.assert_array_equal(fit.params_, part.params_)

    def test_scalar_sigma(self):
        X, y, _ = data()
        fit = clipped().fit(X, y, sigma=0.7)
        np.testing.assert_array_equal(
            fit.inlier_mask_, clipped().fit(X, y, sigma=np.full(30, 0.7)).inlier_mask_
        )


class TestHonesty:
    """By simulation: shares of good points rejected, and true errors over published ones."""

    @staticmethod
    def simulated(n, n_sigma, sigma, n_runs, seed):
        rng = np.random.default_rng(seed)
        X = np.linspace(-1.0, 1.0, n)[:, None]
        estimator = clipped(n_sigma=n_sigma, max_share=1.0)
        fits = [clone(estimator).fit(X, rng.normal(size=n), sigma=sigma) for _ in range(n_runs)]
        assert all(fit.converged_ for fit in fits)
        return fits

    @pytest.mark.parametrize("sigma", [1.0, None], ids=["absolute", "scaled"])
    @pytest.mark.parametrize("n", [8, 40])
    def test_good_points_are_rejected_as_often_as_stated(self, n, sigma):
        fits = self.simulated(n, 3.0, sigma, 12000 // n, seed=n)
        tests, share = n * len(fits), 1.0 - kept_share(3.0)
        rejected = sum(fit.n_rejected_ for fit in fits)
        assert abs(rejected - tests * share) < 3.5 * np.sqrt(tests * share)

    @pytest.mark.parametrize("sigma", [1.0, None], ids=["absolute", "scaled"])
    def test_error_factor(self, sigma):
        """At 2σ, where it is large: 1.14 and 1.29."""
        fits = self.simulated(60, 2.0, sigma, 600, seed=1)
        slopes = np.array([fit.coef_[0] for fit in fits])
        published = np.sqrt(np.mean([fit.coef_std_[0] ** 2 for fit in fits]))
        ratio = slopes.std() / published
        factor = fits[0].error_factor_
        assert factor == pytest.approx(1.137 if sigma else 1.292, abs=1e-3)
        assert abs(ratio / factor - 1.0) < 3.0 / np.sqrt(2.0 * len(fits))

    def test_error_factor_is_that_of_the_errors(self):
        X, y, sigma = data()
        assert clipped().fit(X, y, sigma=sigma).error_factor_ == error_factor(3.0, absolute=True)
        assert clipped().fit(X, y).error_factor_ == error_factor(3.0, absolute=False)

    def test_plain_residuals_over_sigma_would_miss_some(self):
        """Why leverages count: at the ends of eight points an outlier draws the line along."""
        X, sigma = np.arange(8.0)[:, None], np.ones(8)
        y = np.zeros(8)
        y[7] = 4.2
        line = WeightedLinearFit().fit(X, y, sigma=sigma)
        assert np.abs(y - line.predict(X)).max() < 3.0
        fit = clipped().fit(X, y, sigma=sigma)
        np.testing.assert_array_equal(np.flatnonzero(~fit.inlier_mask_), [7])

    def test_scatter_of_all_would_hide_the_only_outlier(self):
        """Of ten points none can be farther off than sqrt(8) times their own scatter."""
        X = np.arange(10.0)[:, None]
        y = np.random.default_rng(0).normal(size=10)
        y[5] += 1000.0
        line = WeightedLinearFit().fit(X, y)
        scatter = np.sqrt(line.reduced_chi2_)
        assert np.abs(y - line.predict(X)).max() / scatter < 3.0
        assert not clipped().fit(X, y).inlier_mask_[5]


class TestEndings:
    def test_too_few_points_are_left(self):
        X = np.arange(4.0)[:, None]
        y = np.array([0.0, 100.0, -100.0, 0.0])
        with pytest.warns(ConvergenceWarning, match="no degree of freedom is left"):
            fit = clipped(max_share=1.0).fit(X, y, sigma=1e-3)
        assert not fit.converged_
        assert fit.inlier_mask_.sum() > len(fit.params_)
        assert "no degree of freedom" in fit.status_

    def test_max_iter(self):
        X, y, sigma = data()
        with pytest.warns(ConvergenceWarning, match="after `max_iter` fits"):
            fit = clipped(max_iter=1).fit(X, y, sigma=sigma)
        assert (fit.n_iter_, fit.converged_, fit.n_rejected_) == (1, False, 0)

    @pytest.mark.parametrize("inner", [WeightedLinearFit(), OrthogonalRegression()], ids=str)
    def test_it_ends_on_anything(self, inner):
        """Heavy tails, no relation, low limits: no fit is repeated for ever."""
        rng = np.random.default_rng(0)
        for _ in range(100):
            n = int(rng.integers(5, 40))
            y, sigma = rng.standard_cauchy(n), rng.choice([None, 0.5])
            fit = clipped(inner, n_sigma=rng.uniform(1.0, 2.0), max_share=1.0)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                fit.fit(rng.normal(size=(n, 1)), y, sigma=sigma)
            assert fit.n_iter_ < 100

    def test_known_errors_never_cycle(self):
        rng = np.random.default_rng(1)
        for _ in range(200):
            n = int(rng.integers(6, 30))
            fit = clipped(n_sigma=rng.uniform(1.0, 2.5), max_share=1.0)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DegreesOfFreedomWarning)
                warnings.filterwarnings("ignore", "Not converged: another fit would leave out so")
                fit.fit(rng.normal(size=(n, 1)), rng.standard_t(2, size=n), sigma=1.0)

    def test_share(self):
        X, y, sigma = data()
        with pytest.warns(UserWarning, match="2 of 30 points were rejected, more than the share"):
            clipped(max_share=0.05).fit(X, y, sigma=sigma)
        clipped(max_share=0.07).fit(X, y, sigma=sigma)

    def test_one_rejection_is_never_too_many(self):
        X, y, sigma = data(9, outliers=[2])
        assert clipped(max_share=0.0).fit(X, y, sigma=sigma).n_rejected_ == 1

    def test_a_fit_without_answer_rejects_nobody(self):
        X, y = np.ones((5, 1)), np.array([1.0, 2.0, 3.0, 2.0, 50.0])
        with pytest.warns(ConvergenceWarning, match="parallel to the y axis"):
            fit = clipped(OrthogonalRegression()).fit(X, y)
        assert not fit.converged_
        assert fit.n_rejected_ == 0
        assert "parallel to the y axis" in fit.status_

    def test_warnings_of_the_last_fit_only_and_at_the_caller(self):
        X, y, sigma = np.array([[0.0], [1.0]]), np.array([1.0, 2.0]), 0.1
        with pytest.warns(DegreesOfFreedomWarning) as caught:
            clipped().fit(X, y, sigma=sigma)
        assert [warning.filename for warning in caught] == [__file__]


class TestEstimators:
    def test_of_scikit_learn(self):
        """It gets sigma as a weight; its leverages are unknown and count as zero."""
        X, y, sigma = data()
        fit = clipped(LinearRegression()).fit(X, y, sigma=sigma)
        np.testing.assert_array_equal(np.flatnonzero(~fit.inlier_mask_), OUTLIERS)
        ours = clipped().fit(X, y, sigma=sigma)
        np.testing.assert_allclose(fit.coef_, ours.coef_, rtol=1e-12)
        np.testing.assert_allclose(fit.predict(X), ours.predict(X), rtol=1e-12)
        assert fit.score(X, y, sigma=sigma) == pytest.approx(ours.score(X, y, sigma=sigma))
        assert not hasattr(fit, "summary")
        assert not hasattr(fit, "predict_interval")
        with pytest.raises(ValueError, match="`return_std` must be False for LinearRegression"):
            fit.predict(X, return_std=True)

    def test_errors_of_x(self):
        data = load_pearson_york()
        y = data.y_values.to_numpy(copy=True)
        errors = {"sigma": data.sigma_values, "sigma_x": data.sigma_x_values}
        plain = clipped(OrthogonalRegression()).fit(data.X, y, **errors)
        assert plain.n_rejected_ == 0
        y[3] += 6.0
        fit = clipped(OrthogonalRegression()).fit(data.X, y, **errors)
        np.testing.assert_array_equal(np.flatnonzero(~fit.inlier_mask_), [3])
        kept = fit.inlier_mask_
        alone = OrthogonalRegression().fit(
            data.X[kept], y[kept], sigma=data.sigma_values[kept], sigma_x=data.sigma_x_values[kept]
        )
        np.testing.assert_array_equal(fit.params_, alone.params_)
        assert fit.score(data.X, y, **errors) == pytest.approx(alone.score(data.X, y, **errors))

    def test_correlated_errors_narrow_the_scatter(self):
        """With correlation 0.95 and slope one, x and y err together along the line."""
        rng = np.random.default_rng(0)
        x = np.linspace(0.0, 20.0, 20)
        shared = rng.normal(size=20)
        X, y = (x + shared)[:, None], x + shared + 0.2 * np.clip(rng.normal(size=20), -1.5, 1.5)
        y[10] += 2.5
        errors = {"sigma": 1.0, "sigma_x": 1.0}
        assert clipped(OrthogonalRegression()).fit(X, y, **errors).n_rejected_ == 0
        fit = clipped(OrthogonalRegression()).fit(X, y, **errors, corr_xy=0.95)
        np.testing.assert_array_equal(np.flatnonzero(~fit.inlier_mask_), [10])

    def test_intrinsic_scatter_counts(self):
        rng = np.random.default_rng(0)
        x = np.linspace(0.0, 10.0, 40)
        y = x + rng.normal(size=40)
        line = OrthogonalRegression(intrinsic_scatter=True)
        fit = clipped(line).fit(x[:, None], y, sigma=0.01, sigma_x=0.01)
        assert fit.n_rejected_ == 0
        assert fit.intrinsic_scatter_ == pytest.approx(1.0, rel=0.3)

    def test_nonlinear(self):
        rng = np.random.default_rng(0)
        x = np.linspace(0.0, 10.0, 41)
        y = 0.5 + 10.0 * np.exp(-((x - 4.5) ** 2)) + 0.3 * np.clip(rng.normal(size=41), -2.0, 2.0)
        y[[5, 18]] += [4.0, -5.0]
        fit = clipped(NonlinearLSQ("p1 + p2*exp(-((x - p3)/p4)**2)"))
        fit.fit(x[:, None], y, sigma=0.3)
        np.testing.assert_array_equal(np.flatnonzero(~fit.inlier_mask_), [5, 18])
        assert np.all(np.abs(fit.params_ - [0.5, 10.0, 4.5, 1.0]) < 4.0 * fit.params_std_)

    def test_frames_keep_their_names(self):
        X, y, sigma = data()
        index = pd.Index(np.arange(30) + 100)
        frame = pd.DataFrame({"time": X[:, 0]}, index=index)
        series, errors = pd.Series(y, index), pd.Series(sigma, index)
        model = NonlinearLSQ("a + b*time")
        fit = clipped(model).fit(frame, series, sigma=errors)
        np.testing.assert_array_equal(np.flatnonzero(~fit.inlier_mask_), OUTLIERS)
        assert list(fit.feature_names_in_) == ["time"]
        for inner in (model, LinearRegression()):
            with pytest.raises(ValueError, match="`sigma` must have the same index"):
                clipped(inner).fit(frame, series, sigma=errors[::-1])

    def test_a_rejected_end_does_not_use_up_the_warning_of_extrapolation(self):
        X, y, sigma = data(outliers=[29])
        X[29] = 20.0
        y[29] = -500.0
        fit = clipped(DesignMatrixRegressor(Polynomial(2))).fit(X, y, sigma=sigma)
        assert not fit.inlier_mask_[29]
        fit.score(X, y, sigma=sigma)
        with pytest.warns(ExtrapolationWarning, match="degree 2"):
            fit.predict([[20.0]])


class TestComposition:
    def test_last_in_a_pipeline(self):
        X, y, sigma = data()
        pipeline = make_pipeline(StandardScaler(), clipped())
        with config_context(enable_metadata_routing=True):
            pipeline.fit(X, y, sigma=sigma)
            score = pipeline.score(X, y, sigma=sigma)
        fit = clipped().fit(X, y, sigma=sigma)
        np.testing.assert_array_equal(pipeline[-1].inlier_mask_, fit.inlier_mask_)
        np.testing.assert_allclose(pipeline.predict(X), fit.predict(X), rtol=1e-10)
        assert score == pytest.approx(fit.score(X, y, sigma=sigma), rel=1e-12)

    @pytest.mark.parametrize("routing", [True, False])
    def test_around_a_pipeline(self, routing):
        X, y, sigma = data()
        scaled = make_pipeline(StandardScaler(), PolynomialFeatures(1), DesignMatrixRegressor())
        with config_context(enable_metadata_routing=routing):
            fit = clipped(scaled).fit(X, y, sigma=sigma)
            mean, std = fit.predict(X, return_std=True)
            interval = fit.predict_interval(X)
        line = clipped().fit(X, y, sigma=sigma)
        expected, expected_std = line.predict(X, return_std=True)
        np.testing.assert_allclose(mean, expected, rtol=1e-10)
        np.testing.assert_allclose(std, expected_std, rtol=1e-9)
        np.testing.assert_allclose(interval, line.predict_interval(X), rtol=1e-9)

    def test_cross_validation(self):
        X, y, sigma = data()
        folds = KFold(3, shuffle=True, random_state=0)
        with config_context(enable_metadata_routing=True):
            found = cross_validate(
                clipped(), X, y, cv=folds, params={"sigma": sigma}, return_estimator=True
            )
        for (train, test), estimator, score in zip(
            folds.split(X), found["estimator"], found["test_score"], strict=True
        ):
            fit = clipped().fit(X[train], y[train], sigma=sigma[train])
            np.testing.assert_array_equal(estimator.params_, fit.params_)
            assert score == pytest.approx(fit.score(X[test], y[test], sigma=sigma[test]))

    def test_weights_are_routed_too(self):
        X, y, sigma = data()
        with config_context(enable_metadata_routing=True):
            asking = clipped().set_fit_request(sample_weight=True)
            asking.set_score_request(sample_weight=True)
            found = cross_validate(asking, X, y, cv=3, params={"sample_weight": sigma**-2.0})
            expected = cross_validate(clipped(), X, y, cv=3, params={"sigma": sigma})
        np.testing.assert_allclose(found["test_score"], expected["test_score"], rtol=1e-10)

    def test_search_over_the_limit(self):
        X, y, sigma = data()
        with config_context(enable_metadata_routing=True):
            search = GridSearchCV(clipped(), {"n_sigma": [3.0, 50.0]}, cv=3)
            search.fit(X, y, sigma=sigma)
        assert set(search.cv_results_["param_n_sigma"]) == {3.0, 50.0}

    def test_pickle_and_clone(self):
        X, y, sigma = data()
        fit = clipped().fit(X, y, sigma=sigma)
        again = pickle.loads(pickle.dumps(fit))
        np.testing.assert_array_equal(again.predict(X), fit.predict(X))
        assert not hasattr(clone(fit), "coef_")

    def test_nothing_passed_in_is_changed(self):
        X, y, sigma = data()
        copies, line = [a.copy() for a in (X, y, sigma)], WeightedLinearFit()
        clipped(line).fit(X, y, sigma=sigma)
        for array, copy in zip((X, y, sigma), copies, strict=True):
            np.testing.assert_array_equal(array, copy)
        assert not hasattr(line, "coef_")


class TestSummary:
    def test_it_names_the_rejected(self):
        X, y, sigma = data()
        text = str(clipped().fit(X, y, sigma=sigma).summary())
        assert text.startswith("SigmaClippedRegressor(estimator=WeightedLinearFit())")
        assert "2 of 30 points rejected beyond 3 standard deviations (rows 4, 17)" in text
        assert "multiply the errors by 1.014" in text

    def test_measured(self):
        data = load_pion_plus()
        fit = clipped().fit(data.X, data.y_values, sigma=data.sigma_values)
        line = WeightedLinearFit().fit(data.X, data.y_values, sigma=data.sigma_values)
        assert fit.chi2_ <= line.chi2_


class TestBadInput:
    @pytest.mark.parametrize("n_sigma", [0.0, -1.0, np.inf, np.nan, "3"])
    def test_n_sigma(self, n_sigma):
        with pytest.raises(ValueError, match=r"`n_sigma` must be a positive number. Got"):
            clipped(n_sigma=n_sigma).fit(*data()[:2])

    @pytest.mark.parametrize("max_iter", [0, 1.5])
    def test_max_iter(self, max_iter):
        with pytest.raises(ValueError, match=r"`max_iter` must be a positive integer. Got"):
            clipped(max_iter=max_iter).fit(*data()[:2])

    @pytest.mark.parametrize("max_share", [-0.1, 1.1])
    def test_max_share(self, max_share):
        with pytest.raises(ValueError, match=r"`max_share` must lie in \[0, 1\]. Got"):
            clipped(max_share=max_share).fit(*data()[:2])

    def test_no_estimator(self):
        with pytest.raises(TypeError, match="`estimator` must be a regressor with `fit`"):
            SigmaClippedRegressor("line").fit(*data()[:2])

    def test_several_columns(self):
        X, y, _ = data()
        with pytest.raises(ValueError, match=r"`y` must be one-dimensional. Got 2 columns"):
            clipped().fit(X, np.column_stack([y, y]))

    def test_covariance(self):
        X, y, sigma = data()
        with pytest.raises(ValueError, match="`sigma` must be a number or one value per row here"):
            clipped().fit(X, y, sigma=np.diag(sigma**2))

    @pytest.mark.parametrize("inner", [WeightedLinearFit(), LinearRegression()])
    def test_sigma(self, inner):
        X, y, sigma = data()
        sigma[7] = -1.0
        with pytest.raises(
            ValueError, match=r"`sigma` must be positive and finite. Got -1 in row 7"
        ):
            clipped(inner).fit(X, y, sigma=sigma)

    def test_errors_that_the_estimator_does_not_know(self):
        X, y, sigma = data()
        with pytest.raises(TypeError, match="sigma_x"):
            clipped().fit(X, y, sigma=sigma, sigma_x=0.1)

    def test_a_failed_fit_does_not_look_fitted(self):
        X, y, sigma = data()
        fit = clipped().fit(X, y, sigma=sigma)
        with pytest.raises(ValueError, match="NaN"):
            fit.fit(X, y * np.nan, sigma=sigma)
        assert not hasattr(fit, "coef_")
        with pytest.raises(AttributeError, match="has no attribute 'coef_'"):
            _ = fit.coef_
