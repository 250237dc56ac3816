"""σ travels through pipelines, cross-validation and searches, as in a loop by hand."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.metrics import r2_score
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklsq import DesignMatrixRegressor, UnweightedScoreWarning, WeightedLinearFit
from sklsq.basis import Polynomial

# Of forty points in a plane, those of a fold often lie outside the range of the others.
pytestmark = pytest.mark.filterwarnings("ignore:A polynomial:sklsq.ExtrapolationWarning")
FOLDS = KFold(4)
routed = pytest.mark.parametrize("routing", [True, False], ids=["routing", "no routing"])
ESTIMATORS = {
    "line": WeightedLinearFit(),
    "polynomial": DesignMatrixRegressor(Polynomial(2)),
}
every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS.keys())
scores_unweighted = pytest.mark.filterwarnings(
    "ignore:The fit was weighted:sklsq.UnweightedScoreWarning"
)


def data(n=40, seed=0):
    """Errors that differ a hundredfold, so that a fit or score without them is another one."""
    rng = np.random.default_rng(seed)
    X, sigma = rng.normal(size=(n, 2)), np.geomspace(0.1, 10.0, n)
    rng.shuffle(sigma)
    return X, 1.0 + X @ [1.0, -1.0] + sigma * rng.normal(size=n), sigma


def by_hand(estimator, X, y, sigma, *, weighted_score=True):
    """Fit and score fold by fold."""
    scores, coefficients = [], []
    for train, test in FOLDS.split(X):
        model = clone(estimator).fit(X[train], y[train], sigma=sigma[train])
        weight = 1.0 / sigma[test] ** 2 if weighted_score else None
        scores.append(r2_score(y[test], model.predict(X[test]), sample_weight=weight))
        coefficients.append(model.coef_)
    return np.array(scores), np.array(coefficients)


def scaled(X):
    return StandardScaler().fit_transform(X)


class TestCrossValidation:
    @every_estimator
    @routed
    @scores_unweighted
    def test_fits_are_weighted(self, estimator, routing):
        X, y, sigma = data()
        with config_context(enable_metadata_routing=routing):
            found = cross_validate(
                estimator, X, y, cv=FOLDS, params={"sigma": sigma}, return_estimator=True
            )
        scores, coefficients = by_hand(estimator, X, y, sigma, weighted_score=routing)
        np.testing.assert_allclose([e.coef_ for e in found["estimator"]], coefficients, rtol=1e-12)
        np.testing.assert_allclose(found["test_score"], scores, rtol=1e-12)

    def test_the_two_scores_differ(self):
        X, y, sigma = data()
        weighted, _ = by_hand(WeightedLinearFit(), X, y, sigma)
        unweighted, _ = by_hand(WeightedLinearFit(), X, y, sigma, weighted_score=False)
        assert np.abs(weighted - unweighted).max() > 0.1

    def test_without_routing_every_fold_says_so(self):
        X, y, sigma = data()
        with pytest.warns(UnweightedScoreWarning, match="enable_metadata_routing=True") as caught:
            cross_val_score(WeightedLinearFit(), X, y, cv=FOLDS, params={"sigma": sigma})
        assert len(caught) == FOLDS.n_splits

    def test_by_routing_nothing_needs_to_be_said(self):
        X, y, sigma = data()
        with config_context(enable_metadata_routing=True), warnings.catch_warnings():
            warnings.simplefilter("error")
            scores = cross_val_score(WeightedLinearFit(), X, y, cv=FOLDS, params={"sigma": sigma})
        np.testing.assert_allclose(scores, by_hand(WeightedLinearFit(), X, y, sigma)[0], rtol=1e-12)

    @routed
    def test_predictions(self, routing):
        X, y, sigma = data()
        with config_context(enable_metadata_routing=routing):
            found = cross_val_predict(WeightedLinearFit(), X, y, cv=FOLDS, params={"sigma": sigma})
        for train, test in FOLDS.split(X):
            model = WeightedLinearFit().fit(X[train], y[train], sigma=sigma[train])
            np.testing.assert_allclose(found[test], model.predict(X[test]), rtol=1e-12)

    @routed
    @scores_unweighted
    def test_frames_keep_rows_together(self, routing):
        X, y, sigma = data()
        labels = pd.Index(np.random.default_rng(1).permutation(len(y)))
        frame, series = pd.DataFrame(X, columns=["a", "b"], index=labels), pd.Series(y, labels)
        with config_context(enable_metadata_routing=routing):
            found = cross_validate(
                WeightedLinearFit(),
                frame,
                series,
                cv=FOLDS,
                params={"sigma": pd.Series(sigma, labels)},
                return_estimator=True,
            )
            with pytest.raises(ValueError, match="must have the same index"):
                cross_val_score(
                    WeightedLinearFit(),
                    frame,
                    series,
                    cv=FOLDS,
                    params={"sigma": pd.Series(sigma, labels)[::-1]},
                    error_score="raise",
                )
        _, coefficients = by_hand(WeightedLinearFit(), X, y, sigma)
        np.testing.assert_allclose([e.coef_ for e in found["estimator"]], coefficients, rtol=1e-12)

    @routed
    def test_covariance_is_refused(self, routing):
        X, y, sigma = data()
        with (
            config_context(enable_metadata_routing=routing),
            pytest.raises(ValueError, match="cannot pass through cross-validation"),
        ):
            cross_val_score(
                WeightedLinearFit(),
                X,
                y,
                cv=FOLDS,
                params={"sigma": np.diag(sigma**2)},
                error_score="raise",
            )

    @routed
    @scores_unweighted
    def test_curves_with_their_own_errors(self, routing):
        X, y, sigma = data()
        Y, S = np.column_stack([y, -2.0 * y]), np.column_stack([sigma, sigma[::-1]])
        with config_context(enable_metadata_routing=routing):
            found = cross_validate(
                WeightedLinearFit(), X, Y, cv=FOLDS, params={"sigma": S}, return_estimator=True
            )
        for (train, test), model, score in zip(
            FOLDS.split(X), found["estimator"], found["test_score"], strict=True
        ):
            expected = WeightedLinearFit().fit(X[train], Y[train], sigma=S[train])
            np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-12)
            if routing:
                assert score == pytest.approx(expected.score(X[test], Y[test], sigma=S[test]))


class TestPipeline:
    def pipeline(self):
        return make_pipeline(StandardScaler(), WeightedLinearFit())

    def arguments(self, routing, sigma):
        return {"sigma": sigma} if routing else {"weightedlinearfit__sigma": sigma}

    def by_hand(self, X, y, sigma):
        return WeightedLinearFit().fit(scaled(X), y, sigma=sigma)

    @routed
    def test_fit(self, routing):
        X, y, sigma = data()
        with config_context(enable_metadata_routing=routing):
            fit = self.pipeline().fit(X, y, **self.arguments(routing, sigma))
            np.testing.assert_allclose(fit.predict(X), self.by_hand(X, y, sigma).predict(scaled(X)))
        np.testing.assert_allclose(fit[-1].params_cov_, self.by_hand(X, y, sigma).params_cov_)

    def test_routed_score_is_weighted(self):
        X, y, sigma = data()
        with config_context(enable_metadata_routing=True):
            fit = self.pipeline().fit(X, y, sigma=sigma)
            score = fit.score(X, y, sigma=sigma)
        expected = r2_score(y, fit.predict(X), sample_weight=1.0 / sigma**2)
        assert score == pytest.approx(expected, rel=1e-12)

    def test_unrouted_score_drops_sigma_and_says_so(self):
        X, y, sigma = data()
        fit = self.pipeline().fit(X, y, weightedlinearfit__sigma=sigma)
        with pytest.warns(UnweightedScoreWarning, match="pass `sigma` to `score`"):
            fit.score(X, y)

    def test_error_of_the_curve(self):
        X, y, sigma = data()
        with config_context(enable_metadata_routing=True):
            fit = self.pipeline().fit(X, y, sigma=sigma)
            _, std = fit.predict(X, return_std=True)
        _, expected = self.by_hand(X, y, sigma).predict(scaled(X), return_std=True)
        np.testing.assert_allclose(std, expected, rtol=1e-12)

    def test_error_of_the_curve_without_routing(self):
        X, y, sigma = data()
        fit = self.pipeline().fit(X, y, weightedlinearfit__sigma=sigma)
        _, std = fit.predict(X, return_std=True)
        _, expected = self.by_hand(X, y, sigma).predict(scaled(X), return_std=True)
        np.testing.assert_allclose(std, expected, rtol=1e-12)

    @routed
    @scores_unweighted
    def test_cross_validation(self, routing):
        X, y, sigma = data()
        with config_context(enable_metadata_routing=routing):
            found = cross_validate(
                self.pipeline(),
                X,
                y,
                cv=FOLDS,
                params=self.arguments(routing, sigma),
                return_estimator=True,
            )
        scores = []
        for (train, test), model in zip(FOLDS.split(X), found["estimator"], strict=True):
            scaler = StandardScaler().fit(X[train])
            expected = WeightedLinearFit().fit(
                scaler.transform(X[train]), y[train], sigma=sigma[train]
            )
            np.testing.assert_allclose(model[-1].coef_, expected.coef_, rtol=1e-11)
            weight = 1.0 / sigma[test] ** 2 if routing else None
            predicted = expected.predict(scaler.transform(X[test]))
            scores.append(r2_score(y[test], predicted, sample_weight=weight))
        np.testing.assert_allclose(found["test_score"], scores, rtol=1e-11)

    @routed
    def test_columns_of_a_frame(self, routing):
        X, y, sigma = data()
        frame = pd.DataFrame(X, columns=["a", "b"])
        pipeline = make_pipeline(
            ColumnTransformer([("scale", StandardScaler(), ["b"])], remainder="passthrough"),
            WeightedLinearFit(),
        )
        with config_context(enable_metadata_routing=routing):
            fit = pipeline.fit(frame, y, **self.arguments(routing, sigma))
        expected = WeightedLinearFit().fit(X, y, sigma=sigma)
        np.testing.assert_allclose(fit.predict(frame), expected.predict(X), rtol=1e-10)


GRID = {"basis": [None, Polynomial(1), Polynomial(2), ["1", "x0"]]}


class TestGridSearch:
    def mean_scores(self, X, y, sigma, *, weighted_score):
        return [
            by_hand(DesignMatrixRegressor(basis), X, y, sigma, weighted_score=weighted_score)[
                0
            ].mean()
            for basis in GRID["basis"]
        ]

    @routed
    @scores_unweighted
    def test_scores_and_choice(self, routing):
        X, y, sigma = data()
        with config_context(enable_metadata_routing=routing):
            search = GridSearchCV(DesignMatrixRegressor(), GRID, cv=FOLDS)
            search.fit(X, y, sigma=sigma)
        expected = self.mean_scores(X, y, sigma, weighted_score=routing)
        np.testing.assert_allclose(search.cv_results_["mean_test_score"], expected, rtol=1e-9)
        assert search.best_index_ == np.argmax(expected)
        best = DesignMatrixRegressor(GRID["basis"][search.best_index_])
        best.fit(X, y, sigma=sigma)
        np.testing.assert_allclose(search.best_estimator_.coef_cov_, best.coef_cov_, rtol=1e-10)

    def test_routed_score_of_the_best(self):
        X, y, sigma = data()
        with config_context(enable_metadata_routing=True):
            search = GridSearchCV(DesignMatrixRegressor(), GRID, cv=FOLDS)
            score = search.fit(X, y, sigma=sigma).score(X, y, sigma=sigma)
        expected = r2_score(y, search.predict(X), sample_weight=1.0 / sigma**2)
        assert score == pytest.approx(expected, rel=1e-12)

    @routed
    @scores_unweighted
    def test_of_a_pipeline(self, routing):
        X, y, sigma = data()
        pipeline = make_pipeline(StandardScaler(), DesignMatrixRegressor(Polynomial(1)))
        name = "designmatrixregressor"
        arguments = {"sigma": sigma} if routing else {f"{name}__sigma": sigma}
        with config_context(enable_metadata_routing=routing):
            search = GridSearchCV(pipeline, {f"{name}__basis__degree": [0, 1, 2]}, cv=FOLDS)
            search.fit(X, y, **arguments)
        expected = [  # a polynomial of scaled features is one of the features
            by_hand(DesignMatrixRegressor(Polynomial(d)), X, y, sigma, weighted_score=routing)[0]
            for d in (0, 1, 2)
        ]
        np.testing.assert_allclose(
            search.cv_results_["mean_test_score"], np.mean(expected, axis=1), rtol=1e-8
        )


class TestRequests:
    @every_estimator
    def test_sigma_is_requested_without_being_asked_for(self, estimator):
        requests = estimator.get_metadata_routing()
        for method in ("fit", "partial_fit", "score"):
            assert getattr(requests, method).requests["sigma"] is True
            # Whether sample_weight is wanted is for the user to say; scikit-learn asks.
            assert getattr(requests, method).requests["sample_weight"] is None
        assert requests.predict.requests["return_std"] is True

    def test_sample_weight_must_be_requested(self):
        X, y, sigma = data()
        with config_context(enable_metadata_routing=True):
            with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
                cross_validate(WeightedLinearFit(), X, y, params={"sample_weight": sigma})
            asked = WeightedLinearFit().set_fit_request(sample_weight=True)
            asked.set_score_request(sample_weight=True)
            found = cross_val_score(asked, X, y, cv=FOLDS, params={"sample_weight": 1.0 / sigma**2})
        expected, _ = by_hand(WeightedLinearFit(), X, y, sigma)
        np.testing.assert_allclose(found, expected, rtol=1e-11)

    def test_requests_can_be_changed(self):
        X, y, sigma = data()
        with config_context(enable_metadata_routing=True):
            renamed = WeightedLinearFit().set_fit_request(sigma="dy").set_score_request(sigma="dy")
            found = cross_val_score(renamed, X, y, cv=FOLDS, params={"dy": sigma})
        np.testing.assert_allclose(found, by_hand(WeightedLinearFit(), X, y, sigma)[0], rtol=1e-12)

    @routed
    def test_transformed_target(self, routing):
        X, y, sigma = data()
        model = TransformedTargetRegressor(WeightedLinearFit(), transformer=StandardScaler())
        with config_context(enable_metadata_routing=routing):
            fit = model.fit(X, y, sigma=sigma)
        expected = WeightedLinearFit().fit(X, y, sigma=sigma)
        np.testing.assert_allclose(fit.predict(X), expected.predict(X), rtol=1e-10)
