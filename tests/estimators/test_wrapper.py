"""Estimators around estimators: what is handed down, and what is read through."""

import numpy as np
import pytest
import sklearn
from scipy import sparse
from sklearn.ensemble import BaggingRegressor
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklsq import LinearizedRegressor, SigmaClippedRegressor, WeightedLinearFit
from sklsq.estimators._wrapper import (
    WrappingRegressor,
    before_last,
    fit_inner,
    has_errors,
    predict_inner,
)

WRAPPERS = [
    lambda inner: SigmaClippedRegressor(inner),
    lambda inner: LinearizedRegressor(inner, func="identity"),
]
every_wrapper = pytest.mark.parametrize("wrap", WRAPPERS, ids=["clipped", "linearized"])


def data(n=20):
    rng = np.random.default_rng(0)
    X, sigma = rng.normal(size=(n, 1)), rng.uniform(0.5, 2.0, n)
    return X, 5.0 + X[:, 0] + 0.1 * sigma * rng.normal(size=n), sigma


INNER = {
    "plain": WeightedLinearFit(),
    "pipeline": make_pipeline(StandardScaler(), WeightedLinearFit()),
    "search": GridSearchCV(WeightedLinearFit(), {"fit_intercept": [True]}, cv=3),
    "pipeline in a search": GridSearchCV(
        make_pipeline(StandardScaler(), WeightedLinearFit()),
        {"weightedlinearfit__fit_intercept": [True]},
        cv=3,
    ),
}


@every_wrapper
@pytest.mark.parametrize("inner", INNER.values(), ids=INNER.keys())
def test_it_predicts_as_the_inner_fit_does(wrap, inner):
    X, y, sigma = data()
    fit, plain = wrap(inner).fit(X, y, sigma=sigma), WeightedLinearFit().fit(X, y, sigma=sigma)
    assert isinstance(fit, WrappingRegressor)
    for found, expected in (
        (fit.predict(X), plain.predict(X)),
        (fit.predict(X, return_std=True)[1], plain.predict(X, return_std=True)[1]),
        (fit.predict(X, return_cov=True)[1], plain.predict(X, return_cov=True)[1]),
        (fit.predict_interval(X, level=0.9), plain.predict_interval(X, level=0.9)),
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert fit.score(X, y, sigma=sigma) == pytest.approx(plain.score(X, y, sigma=sigma), rel=1e-12)
    assert fit.chi2_ == pytest.approx(plain.chi2_, rel=1e-10)


@every_wrapper
def test_fitted_attributes_are_read_through_and_nothing_else(wrap):
    X, y, sigma = data()
    unfitted, fit = wrap(WeightedLinearFit()), wrap(WeightedLinearFit()).fit(X, y, sigma=sigma)
    assert fit.r_ == fit.estimator_.r_
    assert fit.n_features_in_ == 1
    for estimator, name in ((unfitted, "coef_"), (fit, "params_at"), (fit, "_columns")):
        with pytest.raises(AttributeError, match=f"has no attribute '{name}'"):
            getattr(estimator, name)
    assert fit.propagate("x")[1] == pytest.approx(fit.coef_std_[0])


def test_sigma_as_a_weight_where_sigma_is_not_known():
    X, y, sigma = data()
    fit = fit_inner(LinearRegression(), X, y, {"sigma": sigma, "sample_weight": None})
    expected = LinearRegression().fit(X, y, sigma**-2.0)
    np.testing.assert_allclose(fit.coef_, expected.coef_, rtol=1e-12)
    assert not has_errors(fit)
    with pytest.raises(ValueError, match="`return_std` must be False for LinearRegression"):
        predict_inner(fit, X, return_std=True)


def test_features_as_the_last_step_sees_them():
    X, y, _ = data()
    pipeline = make_pipeline(StandardScaler(), WeightedLinearFit()).fit(X, y)
    np.testing.assert_array_equal(before_last(pipeline, X), pipeline[0].transform(X))
    assert before_last(pipeline[-1], X) is X


@every_wrapper
def test_sparse_features_are_refused(wrap):
    X, y, _ = data()
    with pytest.raises(TypeError, match=r"`X` must be dense\. Got a sparse matrix"):
        wrap(LinearRegression()).fit(sparse.csr_array(X), y)


@pytest.mark.parametrize("wrapper", [SigmaClippedRegressor, LinearizedRegressor])
def test_weights_are_not_asked_for_unless_the_user_says_so(wrapper):
    X = np.linspace(0.0, 1.0, 40)[:, None]
    y = np.exp(1.0 + X[:, 0] + 0.02 * np.random.default_rng(0).normal(size=40))
    options = {} if wrapper is LinearizedRegressor else {"max_share": 1.0}
    bagged = BaggingRegressor(wrapper(WeightedLinearFit(), **options), n_estimators=3)
    with sklearn.config_context(enable_metadata_routing=True):
        fit = bagged.fit(X, y, sigma=0.02 * y)  # bagging would hand its counts over as weights
    assert np.all(np.abs(fit.predict(X) / y - 1.0) < 0.2)
