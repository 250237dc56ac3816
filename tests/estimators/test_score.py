"""R², weighted as the fit was; and a warning where it is not."""

import warnings

import numpy as np
import pytest
from sklearn.metrics import r2_score

from sklsq import DesignMatrixRegressor, NonlinearLSQ, UnweightedScoreWarning, WeightedLinearFit


def data(n=25, t=None, seed=0):
    rng = np.random.default_rng(seed)
    X, shape = rng.normal(size=(n, 2)), (n,) if t is None else (n, t)
    mean = X @ [1.0, -1.0]
    y = (mean if t is None else mean[:, None]) + rng.normal(size=shape)
    return X, y, rng.uniform(0.3, 3.0, shape)


@pytest.mark.parametrize("spelling", ["sigma", "sample_weight"])
def test_weighted(spelling):
    X, y, sigma = data()
    fit = WeightedLinearFit().fit(X, y, sigma=sigma)
    value = sigma if spelling == "sigma" else 1.0 / sigma**2
    expected = r2_score(y, fit.predict(X), sample_weight=1.0 / sigma**2)
    assert fit.score(X, y, **{spelling: value}) == pytest.approx(expected, rel=1e-13)
    assert fit.score(X, y, 1.0 / sigma**2) == pytest.approx(expected, rel=1e-13)


def test_unweighted_fit_and_score_do_not_warn():
    X, y, _ = data()
    fit = WeightedLinearFit().fit(X, y)
    assert fit.score(X, y) == pytest.approx(r2_score(y, fit.predict(X)), rel=1e-14)


@pytest.mark.parametrize("scalar", [0.5, 3])
def test_scalar_sigma_weighs_nothing(scalar):
    X, y, sigma = data()
    fit = WeightedLinearFit().fit(X, y, sigma=sigma)
    expected = r2_score(y, fit.predict(X))
    assert fit.score(X, y, sigma=scalar) == pytest.approx(expected, rel=1e-13)


def test_zero_weight_is_removal():
    X, y, sigma = data()
    fit = WeightedLinearFit().fit(X, y, sigma=sigma)
    weight = 1.0 / sigma**2
    weight[::4] = 0.0
    kept = weight > 0
    expected = fit.score(X[kept], y[kept], weight[kept])
    assert fit.score(X, y, weight) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("spelling", ["sigma", "sample_weight"])
def test_warning(spelling):
    X, y, sigma = data()
    fit = WeightedLinearFit().fit(X, y, **{spelling: sigma})
    with pytest.warns(UnweightedScoreWarning, match="pass `sigma` to `score`") as caught:
        score = fit.score(X, y)
    assert caught[0].filename == __file__
    assert score == pytest.approx(r2_score(y, fit.predict(X)), rel=1e-13)


def test_curves_with_shared_sigma():
    X, Y, S = data(t=3)
    fit = WeightedLinearFit().fit(X, Y, sigma=S[:, 0])
    expected = r2_score(Y, fit.predict(X), sample_weight=1.0 / S[:, 0] ** 2)
    assert fit.score(X, Y, sigma=S[:, 0]) == pytest.approx(expected, rel=1e-13)


def test_curves_with_their_own_sigma():
    X, Y, S = data(t=3)
    fit = DesignMatrixRegressor().fit(X, Y, sigma=S)
    predicted = fit.predict(X)
    each = [r2_score(Y[:, k], predicted[:, k], sample_weight=1.0 / S[:, k] ** 2) for k in range(3)]
    assert fit.score(X, Y, sigma=S) == pytest.approx(np.mean(each), rel=1e-13)
    assert fit.score(X, Y, 1.0 / S**2) == pytest.approx(np.mean(each), rel=1e-13)


def test_column_of_one_curve():
    X, Y, S = data(t=1)
    fit = WeightedLinearFit().fit(X, Y, sigma=S[:, 0])
    expected = r2_score(Y, fit.predict(X), sample_weight=1.0 / S[:, 0] ** 2)
    assert fit.score(X, Y, sigma=S[:, 0]) == pytest.approx(expected, rel=1e-13)
    assert fit.score(X, Y, sigma=S) == pytest.approx(expected, rel=1e-13)


def test_both_spellings():
    X, y, sigma = data()
    fit = WeightedLinearFit().fit(X, y, sigma=sigma)
    with pytest.raises(ValueError, match="must not both be given"):
        fit.score(X, y, sigma, sigma=sigma)


def test_bad_values_name_the_row():
    X, y, sigma = data()
    fit = WeightedLinearFit().fit(X, y, sigma=sigma)
    sigma[6] = -1.0
    with pytest.raises(ValueError, match=r"`sigma` must be positive and finite\. Got -1 in row 6"):
        fit.score(X, y, sigma=sigma)
    with pytest.raises(ValueError, match=r"Got shape \(3,\)"):
        fit.score(X, y, sigma=[1.0, 2.0, 3.0])


@pytest.mark.parametrize("spoil", ["length", "nan"])
def test_bad_y(spoil):
    X, y, sigma = data()
    fit = WeightedLinearFit().fit(X, y, sigma=sigma)
    if spoil == "length":
        with pytest.raises(ValueError, match=r"inconsistent numbers of samples|shape"):
            fit.score(X, y[:-1], sigma=sigma)
    else:
        y[0] = np.nan
        with pytest.raises(ValueError, match="NaN"):
            fit.score(X, y, sigma=sigma)


def test_score_of_a_perfect_fit():
    X, _, sigma = data()
    fit = WeightedLinearFit().fit(X, 1.0 + X @ [1.0, 2.0], sigma=sigma)
    assert fit.score(X, 1.0 + X @ [1.0, 2.0], sigma=sigma) == pytest.approx(1.0, abs=1e-14)


def test_no_other_warning():
    X, y, sigma = data()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        WeightedLinearFit().fit(X, y, sigma=sigma).score(X, y, sigma=sigma)


@pytest.mark.parametrize("errors", [None, 0.1, "each"])
def test_missing_points_are_left_out(errors):
    X, y, sigma = data(t=4)
    y[[3, 8], [0, 2]] = np.nan
    y[:, 3] = np.nan
    sigma[np.isnan(y)] = np.nan
    given = sigma if errors == "each" else errors
    start = {"a": 1.0, "b": -1.0}
    fit = NonlinearLSQ("a*x0 + b*x1", start)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the last curve has no points
        fit.fit(X, y, sigma=given)
    fitted, expected = fit.predict(X), []
    for k in range(3):
        rows = ~np.isnan(y[:, k])
        weights = 1.0 / sigma[rows, k] ** 2 if errors == "each" else None
        expected.append(r2_score(y[rows, k], fitted[rows, k], sample_weight=weights))
    assert fit.score(X, y, sigma=given) == pytest.approx(np.mean(expected), rel=1e-13)
    as_objects = np.where(np.isnan(y), None, y)
    assert fit.score(X, as_objects, sigma=given) == pytest.approx(np.mean(expected), rel=1e-13)
    with pytest.raises(ValueError, match=r"`y` must have points\. Got only missing ones"):
        fit.score(X, np.full_like(y, np.nan), sigma=given)
