"""What a fitted estimator says is found in pipelines and searches, and is missed in others."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklsq import DesignMatrixRegressor, SigmaClippedRegressor, WeightedLinearFit
from sklsq.basis import Polynomial
from sklsq.inference.fitted_values import (
    column_of,
    features_of_last_step,
    fitted_covariance,
    fitted_slopes,
    fitted_with_std,
    last_step,
    offers,
    row_labels,
    summary_of,
    take_rows,
)

RIDGE = Ridge(alpha=1e-6)
RNG = np.random.default_rng(0)
X = pd.DataFrame({"time": np.linspace(0.0, 3.0, 20)})
Y = 1.0 + 2.0 * X["time"] - X["time"] ** 2 + 0.1 * RNG.normal(size=20)


def search():
    pipeline = make_pipeline(StandardScaler(), DesignMatrixRegressor(Polynomial()))
    grid = {"designmatrixregressor__basis__degree": [1, 2]}
    return GridSearchCV(pipeline, grid, cv=4).fit(X, Y)


def test_pipelines_and_searches_are_seen_through():
    found = search()
    plain = DesignMatrixRegressor(Polynomial(2)).fit(X, Y)
    assert isinstance(last_step(found), DesignMatrixRegressor)
    np.testing.assert_allclose(summary_of(found).chi2, plain.chi2_)
    for ours, expected in zip(
        fitted_with_std(found, X, 0), plain.predict(X, return_std=True), strict=True
    ):
        np.testing.assert_allclose(ours, expected, rtol=1e-9)
    np.testing.assert_allclose(
        fitted_covariance(found, X, 0), plain.predict(X, return_cov=True)[1], atol=1e-12
    )
    assert offers(found, "return_std")


def test_regressors_of_other_libraries_have_no_errors():
    line = LinearRegression().fit(X, Y)
    value, std = fitted_with_std(line, X, 0)
    np.testing.assert_array_equal(value, line.predict(X))
    assert np.isnan(std).all()
    assert summary_of(line) is None
    assert not offers(line, "return_std")


def test_what_wrapped_estimators_offer():
    ours, theirs = (SigmaClippedRegressor(e).fit(X, Y) for e in (WeightedLinearFit(), RIDGE))
    assert offers(ours, "return_std")
    assert not offers(theirs, "return_std")


def test_features_of_the_last_step():
    scaled = StandardScaler().fit_transform(X)
    np.testing.assert_allclose(features_of_last_step(search(), X), scaled)
    assert features_of_last_step(WeightedLinearFit(), X) is X


def test_targets():
    two = WeightedLinearFit().fit(X, np.column_stack([Y, 2.0 * Y]))
    np.testing.assert_allclose(fitted_covariance(two, X, 1), 4.0 * fitted_covariance(two, X, 0))
    np.testing.assert_allclose(fitted_with_std(two, X, 1)[1], 2.0 * fitted_with_std(two, X, 0)[1])
    with pytest.raises(ValueError, match=r"`target` must be .* from 0 to 1. Got 2"):
        column_of(np.ones((3, 2)), 2)


def test_slopes_are_derivatives():
    parabola = DesignMatrixRegressor(Polynomial(2)).fit(X, Y)
    _, b, c = parabola.coef_
    interior = slice(1, -1)  # one-sided at the ends
    expected = b + 2.0 * c * X["time"].to_numpy()
    np.testing.assert_allclose(
        fitted_slopes(parabola, X, 0)[interior, 0], expected[interior], atol=1e-8
    )


@pytest.mark.parametrize("data", [X, X.to_numpy(), X.to_numpy().tolist()])
def test_rows(data):
    np.testing.assert_array_equal(
        np.asarray(take_rows(data, np.array([3, 1]))), X.to_numpy()[[3, 1]]
    )


def test_labels_are_those_of_pandas():
    labelled = pd.Series([1.0, 2.0], index=["a", "b"])
    assert list(row_labels([1.0, 2.0], labelled)) == ["a", "b"]
    assert row_labels([1.0], (2.0,), np.ones(1), None) is None
