"""Clipping around a transformed fit: the scatter is that of the scale in which the fit is made."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklsq import LinearizedRegressor, OrthogonalRegression, SigmaClippedRegressor
from sklsq import WeightedLinearFit as Line
from sklsq.estimators._clipping import kept_share

N = 40
X = np.linspace(0.0, 6.0, N)[:, None]
CURVES = {
    "log": 100.0 * np.exp(-1.2 * X[:, 0]),
    "1/y": 1.0 / (0.5 + X[:, 0]),
    "sqrt": (1.0 + X[:, 0]) ** 2,
}
FORWARD = {"log": np.log, "1/y": np.reciprocal, "sqrt": np.sqrt}
BACK = {"log": np.exp, "1/y": np.reciprocal, "sqrt": np.square}


def scattered(func, size, rng):
    """A curve of equal errors in its transform, which vary a thousandfold in y for the log."""
    return BACK[func](FORWARD[func](CURVES[func]) + size * rng.normal(size=N))


def clipped(func, inner=None, **options):
    inner = Line() if inner is None else inner
    return SigmaClippedRegressor(LinearizedRegressor(inner, func=func), **options)


@pytest.mark.parametrize(("func", "size"), [("log", 0.02), ("log", 0.4), ("1/y", 0.05)])
def test_good_points_are_rejected_as_often_as_stated_wherever_they_are(func, size):
    """Too often by fifteen times, and all in one half, if the scatter is that of y itself."""
    rng, n_runs = np.random.default_rng(8), 120
    rejected = np.zeros(N)
    for _ in range(n_runs):
        fit = clipped(func, n_sigma=2.0, max_share=1.0).fit(X, scattered(func, size, rng))
        rejected += ~fit.inlier_mask_
    rate = 1.0 - kept_share(2.0)
    for part in (rejected, rejected[: N // 2], rejected[N // 2 :]):
        expected = rate * part.size * n_runs
        assert abs(part.sum() - expected) < 4.0 * np.sqrt(expected)


@pytest.mark.parametrize("func", FORWARD)
def test_the_same_points_as_clipping_of_the_transformed_values(func):
    rng = np.random.default_rng(3)
    for row in (4, 33):
        y = scattered(func, 0.02, rng)
        y[row] = BACK[func](FORWARD[func](y[row]) + 0.2)
        around = clipped(func).fit(X, y)
        straight = SigmaClippedRegressor(Line()).fit(X, FORWARD[func](y))
        inside = LinearizedRegressor(SigmaClippedRegressor(Line()), func=func).fit(X, y)
        np.testing.assert_array_equal(around.inlier_mask_, straight.inlier_mask_)
        np.testing.assert_array_equal(around.inlier_mask_, inside.inlier_mask_)
        assert not around.inlier_mask_[row]
        np.testing.assert_allclose(around.params_, inside.params_, rtol=1e-9)


def test_steps_before_and_inside():
    rng = np.random.default_rng(4)
    y = scattered("log", 0.02, rng)
    y[30] *= 1.3
    expected = clipped("log").fit(X, y).inlier_mask_
    assert not expected[30]
    shifted = FunctionTransformer(lambda X: X + 1.0)
    for fit in (
        clipped("log", make_pipeline(StandardScaler(), Line())),
        SigmaClippedRegressor(make_pipeline(shifted, LinearizedRegressor(Line()))),
    ):
        np.testing.assert_array_equal(fit.fit(X, y).inlier_mask_, expected)


def test_with_sigma_residuals_are_those_of_y():
    """Equal errors of y: near zero the logarithm scatters widely, and nobody is an outlier."""
    rng, n_runs, rejected = np.random.default_rng(5), 150, 0
    curve = 10.0 * np.exp(-0.5 * X[:, 0])
    for _ in range(n_runs):
        y = curve + 0.05 * rng.normal(size=N)
        rejected += clipped("log", n_sigma=2.0, max_share=1.0).fit(X, y, sigma=0.05).n_rejected_
    expected = (1.0 - kept_share(2.0)) * N * n_runs
    assert abs(rejected - expected) < 4.0 * np.sqrt(expected)


def test_errors_of_x_and_y():
    rng = np.random.default_rng(6)
    x = X[:, 0] + 0.02 * rng.normal(size=N)
    y = CURVES["log"] * (1.0 + 0.01 * rng.normal(size=N))
    y[10] *= 1.5
    fit = clipped("log", OrthogonalRegression())
    fit.fit(x[:, None], y, sigma=0.01 * CURVES["log"], sigma_x=0.02)
    np.testing.assert_array_equal(np.flatnonzero(~fit.inlier_mask_), [10])
