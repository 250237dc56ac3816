"""σ reaches the scorers, row by row, with metadata routing and without."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklsq import DesignMatrixRegressor, UnweightedScoreWarning, WeightedLinearFit
from sklsq.basis import Polynomial
from sklsq.metrics import (
    LegacyScorer,
    Scorer,
    get_scorer,
    get_scorer_names,
    legacy_scorer,
    reduced_chi2_score,
)
from sklsq.metrics.agreement import weighted_r2_score

RNG = np.random.default_rng(0)
LABELS = RNG.permutation(1000)[:60]
X = pd.DataFrame({"x": RNG.uniform(-1.0, 1.0, 60)}, index=LABELS)
SIGMA = pd.Series(RNG.uniform(0.05, 2.0, 60), index=LABELS)
Y = X["x"] ** 2 + SIGMA * RNG.normal(size=60)
FOLDS = KFold(4, shuffle=True, random_state=0)


def expected(metric=reduced_chi2_score, sign=-1.0, rows="test"):
    """The scores by hand, fold by fold."""
    scores = []
    for train, test in FOLDS.split(X):
        fit = WeightedLinearFit().fit(X.iloc[train], Y.iloc[train], sigma=SIGMA.iloc[train])
        part = test if rows == "test" else train
        scores.append(
            sign * metric(Y.iloc[part], fit.predict(X.iloc[part]), sigma=SIGMA.iloc[part])
        )
    return scores


@pytest.fixture
def routing():
    with config_context(enable_metadata_routing=True):
        yield


@pytest.mark.usefixtures("routing")
class TestRouted:
    def test_cross_validation(self):
        result = cross_validate(
            WeightedLinearFit(),
            X,
            Y,
            cv=FOLDS,
            params={"sigma": SIGMA},
            scoring=get_scorer("neg_reduced_chi2"),
            return_train_score=True,
        )
        np.testing.assert_allclose(result["test_score"], expected())
        np.testing.assert_allclose(result["train_score"], expected(rows="train"))

    def test_scorer_of_scikit_learn(self):
        scorer = make_scorer(reduced_chi2_score, greater_is_better=False)
        scorer.set_score_request(sigma=True)
        scores = cross_val_score(
            WeightedLinearFit(), X, Y, cv=FOLDS, params={"sigma": SIGMA}, scoring=scorer
        )
        np.testing.assert_allclose(scores, expected())

    def test_weighted_r2(self):
        scores = cross_val_score(
            WeightedLinearFit(), X, Y, cv=FOLDS, params={"sigma": SIGMA}, scoring=get_scorer("r2")
        )
        np.testing.assert_allclose(scores, expected(weighted_r2_score, 1.0))

    @pytest.mark.filterwarnings("ignore::sklsq.ExtrapolationWarning")
    def test_pipeline_in_a_search(self):
        pipeline = make_pipeline(StandardScaler(), DesignMatrixRegressor(Polynomial()))
        search = GridSearchCV(
            pipeline,
            {"designmatrixregressor__basis__degree": [1, 2, 5]},
            cv=FOLDS,
            scoring=get_scorer("neg_reduced_chi2"),
        ).fit(X, Y, sigma=SIGMA)
        np.testing.assert_allclose(search.cv_results_["mean_test_score"][0], np.mean(expected()))
        assert search.best_params_ == {"designmatrixregressor__basis__degree": 2}

    def test_several_scorers(self):
        scoring = {name: get_scorer(name) for name in get_scorer_names()}
        result = cross_validate(
            WeightedLinearFit(), X, Y, cv=FOLDS, params={"sigma": SIGMA}, scoring=scoring
        )
        np.testing.assert_allclose(result["test_neg_reduced_chi2"], expected())
        np.testing.assert_allclose(
            result["test_neg_chi2"] / [15] * 4, result["test_neg_reduced_chi2"] * 4
        )

    def test_other_name_and_weights(self):
        scorer = get_scorer("neg_reduced_chi2").set_score_request(sigma="error")
        params = {"sigma": SIGMA, "error": 2.0 * SIGMA}
        scores = cross_val_score(WeightedLinearFit(), X, Y, cv=FOLDS, params=params, scoring=scorer)
        np.testing.assert_allclose(scores, np.array(expected()) / 4.0)
        scorer = get_scorer("neg_reduced_chi2").set_score_request(sigma=False, sample_weight="w")
        params = {"sigma": SIGMA, "w": 1.0 / SIGMA**2}
        scores = cross_val_score(WeightedLinearFit(), X, Y, cv=FOLDS, params=params, scoring=scorer)
        np.testing.assert_allclose(scores, expected())


class TestLegacy:
    def test_cross_validation(self):
        result = cross_validate(
            WeightedLinearFit(),
            X,
            Y,
            cv=FOLDS,
            params={"sigma": SIGMA},
            scoring=legacy_scorer(SIGMA),
            return_train_score=True,
        )
        np.testing.assert_allclose(result["test_score"], expected())
        np.testing.assert_allclose(result["train_score"], expected(rows="train"))

    @pytest.mark.filterwarnings("ignore::sklsq.ExtrapolationWarning")
    def test_search_over_a_pipeline(self):
        pipeline = make_pipeline(StandardScaler(), DesignMatrixRegressor(Polynomial()))
        search = GridSearchCV(
            pipeline,
            {"designmatrixregressor__basis__degree": [1, 2, 5]},
            cv=FOLDS,
            scoring=legacy_scorer(SIGMA),
        )
        search = clone(search).fit(X, Y, designmatrixregressor__sigma=SIGMA)
        np.testing.assert_allclose(search.cv_results_["mean_test_score"][0], np.mean(expected()))
        assert search.best_params_ == {"designmatrixregressor__basis__degree": 2}

    def test_index_of_y_is_enough(self):
        scorer = legacy_scorer(SIGMA)
        fit = WeightedLinearFit().fit(X.to_numpy(), Y, sigma=SIGMA.to_numpy())
        assert scorer(fit, X.to_numpy(), Y) == pytest.approx(-fit.chi2_ / 60)

    def test_several_targets(self):
        S2 = pd.DataFrame({"a": SIGMA, "b": 2.0 * SIGMA})
        Y2 = pd.DataFrame({"a": Y, "b": 2.0 * Y})
        fit = WeightedLinearFit().fit(X, Y2, sigma=S2)
        score = legacy_scorer(S2, "neg_chi2")(fit, X.iloc[::-1], Y2.iloc[::-1])
        assert score == pytest.approx(-fit.chi2_.sum())

    def test_clones_and_pickles(self):
        scorer = legacy_scorer(SIGMA, "r2")
        fit = WeightedLinearFit().fit(X, Y, sigma=SIGMA)
        for copy in (clone(scorer), pickle.loads(pickle.dumps(scorer))):
            assert isinstance(copy, LegacyScorer)
            assert copy(fit, X, Y) == scorer(fit, X, Y)
        assert scorer(fit, X, Y) == pytest.approx(fit.score(X, Y, sigma=SIGMA))

    def test_rows_without_an_index(self):
        scorer = legacy_scorer(SIGMA)
        fit = WeightedLinearFit().fit(X.to_numpy(), Y.to_numpy())
        with pytest.raises(ValueError, match=r"`X` or `y` must be pandas data.* Got ndarray"):
            scorer(fit, X.to_numpy(), Y.to_numpy())

    def test_rows_without_sigma(self):
        scorer = legacy_scorer(SIGMA.iloc[1:])
        fit = WeightedLinearFit().fit(X, Y)
        with pytest.raises(ValueError, match=r"`sigma` must have every row.* \(1 rows in all\)"):
            scorer(fit, X, Y)

    def test_bad_sigma(self):
        with pytest.raises(ValueError, match="`sigma` must be a pandas Series or DataFrame"):
            legacy_scorer(SIGMA.to_numpy())
        with pytest.raises(ValueError, match=r"`sigma` must have a unique index. Got 7 more than"):
            legacy_scorer(pd.Series([1.0, 1.0], index=[7, 7]))
        with pytest.raises(
            ValueError, match=r"`sigma` must be positive and finite. Got 0 in row 1"
        ):
            legacy_scorer(pd.Series([1.0, 0.0]))


def test_forgotten_sigma_warns():
    fit = WeightedLinearFit().fit(X, Y, sigma=SIGMA)
    with pytest.warns(UnweightedScoreWarning, match="no sigma has reached the scorer"):
        Scorer()(fit, X, Y)
    assert Scorer()(WeightedLinearFit().fit(X, Y), X, Y) < 0.0


def test_names():
    assert get_scorer_names() == ["neg_chi2", "neg_reduced_chi2", "r2"]
    for make in (get_scorer, lambda name: legacy_scorer(SIGMA, name)):
        with pytest.raises(ValueError, match=r"`metric` must be one of neg_chi2.* Got 'chi2'"):
            make("chi2")
