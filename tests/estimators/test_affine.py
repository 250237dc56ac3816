"""What estimators publish whose fitted values are columns times coefficients."""

import numpy as np
import pytest

from sklsq import DesignMatrixRegressor, OrthogonalRegression, RankWarning, WeightedLinearFit
from sklsq.estimators import _affine
from sklsq.estimators._affine import AffineRegressor
from tests.estimators.simulated import measured

ESTIMATORS = {
    "weighted": WeightedLinearFit(),
    "design": DesignMatrixRegressor(),
    "orthogonal": OrthogonalRegression(),
}
every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS.keys())


@every_estimator
def test_all_are_affine(estimator):
    assert isinstance(estimator, AffineRegressor)


@every_estimator
def test_blocks_make_no_difference(estimator, monkeypatch):
    data = measured(50, 3)
    model = estimator.fit(data.X, data.y)
    whole = model.predict(data.X, return_std=True)
    monkeypatch.setattr(_affine, "_PREDICT_ELEMENTS", 16)
    for found, expected in zip(model.predict(data.X, return_std=True), whole, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-13)


@every_estimator
def test_no_more_than_five_combinations_are_named(estimator):
    X = np.repeat(measured().X, 9, axis=1)
    with pytest.warns(RankWarning, match=r"determine only . of .*; and 3 more fits? equally well"):
        model = estimator.fit(X, measured().y)
    assert model.unidentified_.shape == (8, len(model.params_))
    assert "determine only" in str(model.summary())


@every_estimator
def test_undetermined_combinations_leave_the_fitted_values(estimator):
    X = measured(30, 3).X[:, [0, 1, 2, 0, 1]]
    with pytest.warns(RankWarning, match="combinations"):
        model = estimator.fit(X, measured(30, 3).y)
    first = len(model.params_) - 5
    rows = np.column_stack([np.ones(30), X])[:, 1 - first :]
    np.testing.assert_allclose(rows @ model.unidentified_.T, 0.0, atol=1e-12)
    assert model.rank_ == first + 3


@every_estimator
def test_rank_of_each_curve(estimator):
    data = measured(20, 2)
    Y = np.column_stack([data.y, 2.0 * data.y])
    model = estimator.fit(data.X, Y, sigma=np.column_stack([data.sigma, data.sigma]))
    np.testing.assert_array_equal(model.rank_, [len(model.params_[0])] * 2)
    np.testing.assert_array_equal(model.dof_, 20 - model.rank_)
