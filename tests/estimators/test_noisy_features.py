"""Prediction and score where the features are measured, against the formulas written out."""

import numpy as np
import pytest
from sklearn.metrics import r2_score

from sklsq import OrthogonalRegression
from sklsq.estimators._noisy_features import NoisyFeatures
from tests.estimators.simulated import measured


def fitted():
    data = measured(correlation=True)
    errors = {"sigma": data.sigma, "sigma_x": data.sigma_x, "corr_xy": data.corr_xy}
    return OrthogonalRegression().fit(data.X, data.y, **errors), data, errors


def test_errors_of_the_features_add_to_those_of_the_line():
    model, data, _ = fitted()
    assert isinstance(model, NoisyFeatures)
    mean, std = model.predict(data.X, return_std=True)
    same, wider = model.predict(data.X, return_std=True, sigma_x=0.3)
    np.testing.assert_array_equal(mean, same)
    np.testing.assert_allclose(wider**2, std**2 + (0.3 * model.coef_[0]) ** 2, rtol=1e-12)
    _, cov = model.predict(data.X, return_cov=True, sigma_x=0.3)
    np.testing.assert_allclose(np.diag(cov), wider**2, rtol=1e-10)


def test_score_weighs_by_the_variance_about_the_line():
    model, data, errors = fitted()
    slope = model.coef_[0]
    sigma_x = np.ravel(data.sigma_x)
    variance = data.sigma**2 + (slope * sigma_x) ** 2
    variance -= 2.0 * slope * data.corr_xy * sigma_x * data.sigma
    expected = r2_score(data.y, model.predict(data.X), sample_weight=1.0 / variance)
    assert model.score(data.X, data.y, **errors) == pytest.approx(expected, rel=1e-12)


def test_score_with_errors_of_the_features_alone_is_refused():
    model, data, errors = fitted()
    with pytest.raises(ValueError, match="`sigma` and `sigma_x` must be given together"):
        model.score(data.X, data.y, sigma_x=errors["sigma_x"])
