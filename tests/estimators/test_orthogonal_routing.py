"""OrthogonalRegression among scikit-learn's tools, and through its life."""

import copy
import os
import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_estimator,
    check_inplace_ensure_writeable,
)

from sklsq import (
    DegreesOfFreedomWarning,
    OrthogonalRegression,
    RankWarning,
    UnweightedScoreWarning,
)
from tests.estimators.simulated import measured

FOLDS = KFold(4)
CHECKED = [
    OrthogonalRegression(),
    OrthogonalRegression("total", fit_intercept=False),
    OrthogonalRegression("total", absolute_sigma=True),
    OrthogonalRegression("deming"),
    OrthogonalRegression("deming", error_ratio=4.0),
    OrthogonalRegression("major_axis"),
    OrthogonalRegression(intrinsic_scatter=True),
]
EVERY = {
    "york": (OrthogonalRegression("york"), ("sigma", "sigma_x", "corr_xy")),
    "relative": (OrthogonalRegression(absolute_sigma=False), ("sigma", "sigma_x")),
    "scatter": (OrthogonalRegression(intrinsic_scatter=True), ("sigma_x",)),
    "deming": (OrthogonalRegression("deming", error_ratio=2.0), ("sigma",)),
    "total": (OrthogonalRegression("total"), ()),
    "reduced": (OrthogonalRegression("reduced_major_axis"), ()),
    "bisector": (OrthogonalRegression("bisector"), ("sigma",)),
}
every_fit = pytest.mark.parametrize(("estimator", "names"), EVERY.values(), ids=EVERY.keys())


class TestChecks:
    @pytest.mark.parametrize("estimator", CHECKED, ids=str)
    def test_all(self, estimator):
        assert os.environ["SCIPY_ARRAY_API"] == "1"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RankWarning)
            warnings.simplefilter("ignore", DegreesOfFreedomWarning)
            results = check_estimator(estimator, on_skip=None, on_fail=None)
        assert len(results) >= 60
        assert {r["check_name"]: r["exception"] for r in results if r["status"] != "passed"} == {}

    @pytest.mark.parametrize("estimator", CHECKED, ids=str)
    @pytest.mark.parametrize(
        "check", [check_dataframe_column_names_consistency, check_inplace_ensure_writeable]
    )
    @pytest.mark.filterwarnings("ignore:.*parameter combinations:sklsq.RankWarning")
    def test_not_yielded(self, estimator, check):
        check(type(estimator).__name__, estimator)

    @pytest.mark.parametrize("method", ["reduced_major_axis", "bisector"])
    def test_methods_of_one_feature_fail_by_that_alone(self, method):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results = check_estimator(OrthogonalRegression(method), on_skip=None, on_fail=None)
        for result in (r for r in results if r["status"] != "passed"):
            exception, messages = result["exception"], []
            while exception is not None:
                messages.append(str(exception))
                exception = exception.__cause__ or exception.__context__
            assert any("for several features. Got" in m for m in messages), result["check_name"]

    @pytest.mark.parametrize("estimator", CHECKED, ids=str)
    def test_no_tag_hides_a_check(self, estimator):
        tags = estimator.__sklearn_tags__()
        assert not tags.non_deterministic
        assert not tags.no_validation
        assert not tags._skip_test
        assert not (tags.regressor_tags and tags.regressor_tags.poor_score)


def by_hand(estimator, data, names):
    """Fit and score fold by fold."""
    scores, params = [], []
    for train, test in FOLDS.split(data.X):
        of_train = {name: data.correlated[name][train] for name in names}
        model = clone(estimator).fit(data.X[train], data.y[train], **of_train)
        sigma, sigma_x = data.sigma[test], data.sigma_x[test]
        slopes = model.coef_
        variance = sigma**2 + sigma_x**2 @ slopes**2 * ("sigma_x" in names)
        if "corr_xy" in names:
            variance -= 2.0 * slopes[0] * data.corr_xy[test] * sigma_x[:, 0] * sigma
        predicted = model.predict(data.X[test])
        scores.append(r2_score(data.y[test], predicted, sample_weight=1.0 / variance))
        params.append(model.params_)
    return np.array(scores), np.array(params)


class TestRouting:
    def test_requested_without_being_asked_for(self):
        requests = OrthogonalRegression().get_metadata_routing()
        for method in ("fit", "score"):
            for name in ("sigma", "sigma_x", "corr_xy"):
                assert getattr(requests, method).requests[name] is True
            assert getattr(requests, method).requests["sample_weight"] is None
        for name in ("return_std", "return_cov", "sigma_x"):
            assert requests.predict.requests[name] is True

    @pytest.mark.parametrize(
        ("p", "names"),
        [
            (1, ("sigma", "sigma_x", "corr_xy")),
            (1, ("sigma", "sigma_x")),
            (2, ("sigma", "sigma_x")),
        ],
    )
    def test_cross_validate(self, p, names):
        data = measured(40, p, correlation=p == 1)
        params = {name: data.correlated[name] for name in names}
        with config_context(enable_metadata_routing=True):
            found = cross_validate(
                OrthogonalRegression(),
                data.X,
                data.y,
                cv=FOLDS,
                params=params,
                return_estimator=True,
            )
        scores, expected = by_hand(OrthogonalRegression(), data, names)
        np.testing.assert_allclose(found["test_score"], scores, rtol=1e-12)
        np.testing.assert_allclose([e.params_ for e in found["estimator"]], expected, rtol=1e-12)

    def test_frames_keep_rows_together(self):
        data = measured(40, correlation=True)
        labels = pd.Index(np.random.default_rng(1).permutation(40))
        params = {
            "sigma": pd.Series(data.sigma, labels),
            "sigma_x": pd.DataFrame(data.sigma_x, labels),
            "corr_xy": pd.Series(data.corr_xy, labels),
        }
        frame = pd.DataFrame(data.X, labels, ["a"])
        with config_context(enable_metadata_routing=True):
            found = cross_val_score(
                OrthogonalRegression(), frame, pd.Series(data.y, labels), cv=FOLDS, params=params
            )
        expected, _ = by_hand(OrthogonalRegression(), data, list(params))
        np.testing.assert_allclose(found, expected, rtol=1e-12)

    def test_unrouted_score_drops_the_errors_and_says_so(self):
        data = measured(40)
        with pytest.warns(UnweightedScoreWarning, match="enable_metadata_routing=True"):
            cross_val_score(OrthogonalRegression(), data.X, data.y, cv=FOLDS, params=data.errors)

    def test_grid_search(self):
        data = measured(40)
        grid = {"fit_intercept": [True, False], "absolute_sigma": ["auto", False]}
        with config_context(enable_metadata_routing=True):
            search = GridSearchCV(OrthogonalRegression(), grid, cv=FOLDS)
            search.fit(data.X, data.y, **data.errors)
            score = search.score(data.X, data.y, **data.errors)
        for params, mean in zip(
            search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
        ):
            scores, _ = by_hand(OrthogonalRegression(**params), data, ("sigma", "sigma_x"))
            assert mean == pytest.approx(scores.mean(), rel=1e-12)
        best = OrthogonalRegression(**search.best_params_).fit(data.X, data.y, **data.errors)
        np.testing.assert_array_equal(search.best_estimator_.params_cov_, best.params_cov_)
        assert score == pytest.approx(best.score(data.X, data.y, **data.errors), rel=1e-13)

    def test_grid_search_over_methods(self):
        data = measured(40)
        grid = {"method": ["deming", "major_axis", "reduced_major_axis", "bisector", "total"]}
        with config_context(enable_metadata_routing=True):
            search = GridSearchCV(OrthogonalRegression(), grid, cv=FOLDS)
            search.fit(data.X, data.y, sigma=data.sigma)
        for params, mean in zip(
            search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
        ):
            scores, _ = by_hand(OrthogonalRegression(**params), data, ("sigma",))
            assert mean == pytest.approx(scores.mean(), rel=1e-12)

    def test_pipeline(self):
        data = measured(40, correlation=True)
        pipeline = make_pipeline(FunctionTransformer(), OrthogonalRegression())
        with config_context(enable_metadata_routing=True):
            fit = pipeline.fit(data.X, data.y, **data.correlated)
            score = fit.score(data.X, data.y, **data.correlated)
            mean, std = fit.predict(data.X, return_std=True, sigma_x=data.sigma_x)
            found = cross_val_score(pipeline, data.X, data.y, cv=FOLDS, params=data.correlated)
        plain = OrthogonalRegression().fit(data.X, data.y, **data.correlated)
        np.testing.assert_array_equal(fit[-1].params_, plain.params_)
        assert score == plain.score(data.X, data.y, **data.correlated)
        expected = plain.predict(data.X, return_std=True, sigma_x=data.sigma_x)
        np.testing.assert_array_equal([mean, std], expected)
        scores, _ = by_hand(OrthogonalRegression(), data, list(data.correlated))
        np.testing.assert_allclose(found, scores, rtol=1e-12)

    def test_pipeline_that_scales(self):
        """Reduced major axes follow the units."""
        data = measured(40)
        pipeline = make_pipeline(StandardScaler(), OrthogonalRegression("reduced_major_axis"))
        fit = pipeline.fit(data.X, data.y)
        plain = OrthogonalRegression("reduced_major_axis").fit(data.X, data.y)
        np.testing.assert_allclose(fit.predict(data.X), plain.predict(data.X), rtol=1e-12)


def fitted(estimator, names, data=None):
    data = measured(correlation=True) if data is None else data
    errors = {name: data.correlated[name] for name in names}
    return estimator.fit(data.X, data.y, **errors)


def assert_same_answers(a, b):
    X = measured().X
    np.testing.assert_array_equal(a.params_, b.params_)
    np.testing.assert_array_equal(a.params_cov_, b.params_cov_)
    for mine, other in zip(
        a.predict(X, return_std=True), b.predict(X, return_std=True), strict=True
    ):
        np.testing.assert_array_equal(mine, other)
    assert str(a.summary()) == str(b.summary())
    for mine, other in zip(
        a.inverse_predict(2.0, sigma=0.1), b.inverse_predict(2.0, sigma=0.1), strict=True
    ):
        np.testing.assert_array_equal(mine, other)


class TestLife:
    @every_fit
    def test_copies_answer_alike(self, estimator, names, tmp_path):
        fit = fitted(clone(estimator), names)
        joblib.dump(fit, tmp_path / "fit")
        for twin in (
            pickle.loads(pickle.dumps(fit)),
            copy.deepcopy(fit),
            joblib.load(tmp_path / "fit"),
            fitted(clone(fit), names),
            fitted(copy.deepcopy(fit), names),
        ):
            assert_same_answers(fit, twin)

    @every_fit
    def test_clone_is_not_fitted(self, estimator, names):
        twin = clone(fitted(clone(estimator), names))
        assert twin.get_params() == estimator.get_params()
        for method, arguments in (
            ("predict", (measured().X,)),
            ("predict_interval", (measured().X,)),
            ("score", (measured().X, measured().y)),
            ("summary", ()),
            ("params_covariance", ("adjusted",)),
        ):
            with pytest.raises(NotFittedError, match="not fitted yet"):
                getattr(twin, method)(*arguments)

    @every_fit
    @pytest.mark.parametrize("bad", ["X", "y", "method", "lengths"])
    def test_failed_fit_does_not_look_fitted(self, estimator, names, bad):
        data = measured(correlation=True)
        model = fitted(clone(estimator), names)
        broken = measured(correlation=True)
        if bad == "lengths":
            broken = broken._replace(y=broken.y[:-1])
        elif bad == "method":
            model.set_params(method="guess")
        else:
            getattr(broken, bad)[3] = np.nan
        for _ in range(2):
            with pytest.raises(ValueError, match=r"NaN|inconsistent|`method` must be one of"):
                fitted(model, names, broken)
            with pytest.raises(NotFittedError, match="not fitted yet"):
                model.predict(data.X)
        model.set_params(method=estimator.method)
        assert_same_answers(fitted(model, names), fitted(clone(estimator), names))

    @pytest.mark.parametrize("name", ["sigma", "sigma_x", "corr_xy"])
    def test_failed_errors_do_not_look_fitted(self, name):
        model = fitted(OrthogonalRegression(), ("sigma", "sigma_x", "corr_xy"))
        data = measured(correlation=True)
        data.correlated[name][3] = np.nan
        with pytest.raises(ValueError, match=f"`{name}` must .* Got nan in row 3"):
            fitted(model, ("sigma", "sigma_x", "corr_xy"), data)
        with pytest.raises(NotFittedError, match="not fitted yet"):
            model.predict(data.X)

    def test_another_method_width_and_number_of_curves(self):
        data, wide = measured(), measured(p=2)
        model = OrthogonalRegression().fit(wide.X, np.column_stack([wide.y] * 2), **wide.errors)
        model.fit(data.X, data.y)
        assert model.coef_.shape == (1,)
        assert isinstance(model.chi2_, float)
        assert isinstance(model.status_, str)
        assert np.isnan(model.p_value_)
        fresh = OrthogonalRegression("bisector").fit(data.X, data.y)
        assert_same_answers(model.set_params(method="bisector").fit(data.X, data.y), fresh)

    def test_frame_then_array(self):
        data = measured(p=2)
        model = OrthogonalRegression().fit(pd.DataFrame(data.X, columns=["a", "b"]), data.y)
        model.fit(data.X, data.y)
        assert not hasattr(model, "feature_names_in_")
        assert model.param_names_ == ["intercept", "x0", "x1"]

    def test_without_an_intercept_after_one(self):
        data = measured()
        model = OrthogonalRegression().fit(data.X, data.y)
        model.set_params(fit_intercept=False).fit(data.X, data.y)
        assert getattr(model, "intercept_", 0.0) == 0.0
        assert getattr(model, "intercept_std_", 0.0) == 0.0

    def test_changed_options_do_not_change_a_fit(self):
        """Uses of a fit follow what it was fitted with."""
        data = measured()
        model = OrthogonalRegression("deming", error_ratio=4.0).fit(data.X, data.y)
        before = model.adjusted_points(data.X, data.y)
        model.set_params(error_ratio=1.0, fit_intercept=False, method="bisector")
        for found, expected in zip(model.adjusted_points(data.X, data.y), before, strict=True):
            np.testing.assert_array_equal(found, expected)
