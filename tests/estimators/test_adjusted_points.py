"""The estimates of the true points behind the measured ones."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from sklsq import OrthogonalRegression
from tests.estimators.simulated import measured


def fit(method, data, errors, **options):
    return OrthogonalRegression(method, **options).fit(data.X, data.y, **errors)


def distances(data, X, y, sigma, sigma_x, corr_xy=0.0):
    """Squares of the distances from the measured to the adjusted points, in units of the errors."""
    of_x, of_y = (data.X - X) / sigma_x, (data.y - y) / sigma
    if np.ndim(corr_xy) or corr_xy:
        x = of_x[:, 0]
        return (x**2 - 2.0 * corr_xy * x * of_y + of_y**2) / (1.0 - corr_xy**2)
    return np.sum(of_x**2, axis=1) + of_y**2


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("p", [1, 3])
def test_york(p, fit_intercept):
    data = measured(p=p)
    model = fit("york", data, data.errors, fit_intercept=fit_intercept)
    X, y = model.adjusted_points(data.X, data.y, **data.errors)
    assert X.shape == (20, p)
    assert y.shape == (20,)
    np.testing.assert_allclose(model.predict(X), y, rtol=1e-10)
    chi2 = distances(data, X, y, data.sigma, data.sigma_x).sum()
    assert chi2 == pytest.approx(model.chi2_, rel=1e-10)


def test_york_with_correlated_errors():
    data = measured(correlation=True)
    model = fit("york", data, data.correlated)
    X, y = model.adjusted_points(data.X, data.y, **data.correlated)
    np.testing.assert_allclose(model.predict(X), y, rtol=1e-10)
    chi2 = distances(data, X, y, data.sigma, data.sigma_x, data.corr_xy).sum()
    assert chi2 == pytest.approx(model.chi2_, rel=1e-10)


def test_they_are_the_closest_points_of_the_line():
    data = measured(correlation=True)
    model = fit("york", data, data.correlated)
    X, y = model.adjusted_points(data.X, data.y, **data.correlated)
    least = distances(data, X, y, data.sigma, data.sigma_x, data.corr_xy)
    for step in (-0.01, 0.01):
        moved = X + step
        further = distances(
            data, moved, model.predict(moved), data.sigma, data.sigma_x, data.corr_xy
        )
        assert (further > least).all()


@pytest.mark.parametrize(
    ("method", "ratio", "p"),
    [("deming", 2.5, 1), ("major_axis", 1.0, 1), ("total", 0.3, 1), ("total", 0.3, 3)],
)
@pytest.mark.parametrize("weighted", [True, False])
def test_methods_of_a_known_ratio(method, ratio, p, weighted):
    data = measured(p=p)
    options = {} if method == "major_axis" else {"error_ratio": ratio}
    model = fit(method, data, {"sigma": data.sigma} if weighted else {}, **options)
    X, y = model.adjusted_points(data.X, data.y)
    np.testing.assert_allclose(model.predict(X), y, rtol=1e-10)
    sigma = data.sigma if weighted else np.ones(20)
    chi2 = distances(data, X, y, sigma, sigma[:, None] / np.sqrt(ratio)).sum()
    assert chi2 == pytest.approx(model.chi2_, rel=1e-10)


def test_perpendicular():
    data = measured()
    model = fit("major_axis", data, {})
    X, y = model.adjusted_points(data.X, data.y)
    along = (data.X[:, 0] - X[:, 0]) + model.coef_[0] * (data.y - y)
    np.testing.assert_allclose(along, 0.0, atol=1e-12)


def test_exact_coordinates_stay():
    data = measured()
    data.sigma_x[4] = 0.0
    model = fit("york", data, data.errors)
    X, y = model.adjusted_points(data.X, data.y, **data.errors)
    assert X[4, 0] == pytest.approx(data.X[4, 0], rel=1e-14)
    assert y[4] == pytest.approx(model.predict(data.X)[4], rel=1e-13)


def test_offset():
    data = measured()
    data = data._replace(X=np.round(data.X * 2**18) / 2**18)
    near = fit("york", data, data.errors)
    far = OrthogonalRegression().fit(data.X + 1e9, data.y, **data.errors)
    X, y = near.adjusted_points(data.X, data.y, **data.errors)
    X_far, y_far = far.adjusted_points(data.X + 1e9, data.y, **data.errors)
    np.testing.assert_allclose(X_far - 1e9, X, atol=3e-7)
    np.testing.assert_allclose(y_far, y, rtol=1e-9)


class TestRefused:
    @pytest.mark.parametrize("method", ["reduced_major_axis", "bisector"])
    def test_methods_that_know_no_errors(self, method):
        data = measured()
        with pytest.raises(ValueError, match=f"`adjusted_points` must .*Got '{method}'"):
            fit(method, data, {}).adjusted_points(data.X, data.y)

    def test_york_needs_the_errors(self):
        data = measured()
        model = fit("york", data, data.errors)
        for errors in ({}, {"sigma": data.sigma}, {"sigma_x": data.sigma_x}):
            with pytest.raises(ValueError, match="`sigma` and `sigma_x` must be given"):
                model.adjusted_points(data.X, data.y, **errors)

    def test_several_curves(self):
        data = measured()
        Y = np.column_stack([data.y, data.y])
        several = OrthogonalRegression().fit(data.X, Y, **data.errors)
        with pytest.raises(ValueError, match="one-dimensional y"):
            several.adjusted_points(data.X, Y, **data.errors)
        with pytest.raises(ValueError, match=r"one-dimensional|`y` must|1d array"):
            fit("york", data, data.errors).adjusted_points(data.X, Y, **data.errors)

    def test_width(self):
        data, wider = measured(), measured(p=2)
        with pytest.raises(ValueError, match="X has 2 features, but OrthogonalRegression is expec"):
            fit("york", data, data.errors).adjusted_points(wider.X, wider.y, **wider.errors)

    def test_before_the_fit(self):
        data = measured()
        with pytest.raises(NotFittedError, match="not fitted yet"):
            OrthogonalRegression().adjusted_points(data.X, data.y, **data.errors)
