"""Several curves at once are the separate fits, stacked along a leading axis."""

import numpy as np
import pytest

from sklsq import DegreesOfFreedomWarning, DesignMatrixRegressor, RankWarning, WeightedLinearFit
from sklsq.basis import Polynomial

T = 3
ESTIMATORS = {
    "line": WeightedLinearFit(),
    "through origin": WeightedLinearFit(fit_intercept=False),
    "relative": WeightedLinearFit(absolute_sigma=False),
    "matrix": DesignMatrixRegressor(),
    "polynomial": DesignMatrixRegressor(Polynomial(3)),
    "terms": DesignMatrixRegressor(["1", "x", "sin(x)"]),
}
PER_CURVE = (
    "coef_",
    "coef_cov_",
    "coef_std_",
    "params_",
    "params_cov_",
    "params_std_",
    "chi2_",
    "dof_",
    "reduced_chi2_",
    "p_value_",
)
every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS.keys())
every_kind = pytest.mark.parametrize("kind", ["none", "scalar", "shared", "per curve", "weights"])
every_size = pytest.mark.parametrize("n", [15, 4000])


def curves(n, seed=0):
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(0.5, 6.0, n))
    Y = np.column_stack([1.0 + x, 50.0 - 3.0 * x**2, np.sin(x)]) + rng.normal(size=(n, T))
    return x[:, None], Y, rng.uniform(0.5, 2.0, (n, T))


def errors(kind, S):
    """Arguments for all curves, and those for curve k."""
    if kind == "none":
        return {}, lambda k: {}
    if kind == "scalar":
        return {"sigma": 0.7}, lambda k: {"sigma": 0.7}
    if kind == "shared":
        return {"sigma": S[:, 0]}, lambda k: {"sigma": S[:, 0]}
    if kind == "weights":
        weight = np.where(S > 1.8, 0.0, S)
        return {"sample_weight": weight}, lambda k: {"sample_weight": weight[:, k]}
    return {"sigma": S}, lambda k: {"sigma": S[:, k]}


def fitted_values(estimator, names):
    return {name: getattr(estimator, name) for name in names}


@every_estimator
@every_kind
@every_size
def test_equal_to_separate_fits(estimator, kind, n):
    X, Y, S = curves(n)
    together, alone = errors(kind, S)
    with_intercept = estimator.get_params().get("fit_intercept", False)
    names = PER_CURVE + (("intercept_", "intercept_std_", "r_") if with_intercept else ())
    stacked = fitted_values(estimator.fit(X, Y, **together), names)
    points = X[::5]
    value, std = estimator.predict(points, return_std=True)
    _, cov = estimator.predict(points, return_cov=True)
    interval = estimator.predict_interval(points, level=0.9)
    for k in range(T):
        estimator.fit(X, Y[:, k], **alone(k))
        for name in names:
            expected = getattr(estimator, name)
            scale = np.abs(expected).max()
            np.testing.assert_allclose(
                stacked[name][k], expected, rtol=1e-9, atol=1e-12 * scale, err_msg=name
            )
        expected, expected_std = estimator.predict(points, return_std=True)
        np.testing.assert_allclose(value[:, k], expected, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(std[:, k], expected_std, rtol=1e-9)
        _, expected_cov = estimator.predict(points, return_cov=True)
        np.testing.assert_allclose(cov[k], expected_cov, rtol=1e-8, atol=1e-14)
        np.testing.assert_allclose(
            interval[k], estimator.predict_interval(points, level=0.9), rtol=1e-9, atol=1e-11
        )


@every_estimator
@every_kind
def test_shapes(estimator, kind):
    X, Y, S = curves(15)
    estimator.fit(X, Y, **errors(kind, S)[0])
    m, k = len(estimator.param_names_), estimator.coef_.shape[1]
    assert estimator.coef_.shape == (T, k)
    assert estimator.coef_std_.shape == (T, k)
    assert estimator.coef_cov_.shape == (T, k, k)
    assert estimator.params_.shape == (T, m)
    assert estimator.params_cov_.shape == (T, m, m)
    for name in ("chi2_", "dof_", "reduced_chi2_", "p_value_"):
        assert getattr(estimator, name).shape == (T,), name
    assert estimator.dof_.dtype.kind == "i"
    assert estimator.predict(X).shape == (15, T)
    assert estimator.predict(X, return_cov=True)[1].shape == (T, 15, 15)
    assert estimator.predict_interval(X).shape == (T, 15, 2)
    assert isinstance(estimator.score(X, Y, **errors(kind, S)[0]), float)


@every_estimator
def test_single_curve_has_no_leading_axis(estimator):
    X, Y, S = curves(15)
    estimator.fit(X, Y[:, 0], sigma=S[:, 0])
    for name in ("chi2_", "reduced_chi2_", "p_value_"):
        assert type(getattr(estimator, name)) is float
    assert type(estimator.dof_) is int
    assert estimator.coef_.ndim == 1
    assert estimator.predict(X).shape == (15,)
    assert estimator.predict_interval(X).shape == (15, 2)


@every_estimator
def test_column_of_one_curve_keeps_the_axis(estimator):
    X, Y, S = curves(15)
    single = estimator.fit(X, Y[:, 0], sigma=S[:, 0]).params_
    estimator.fit(X, Y[:, :1], sigma=S[:, 0])
    assert estimator.params_.shape == (1, len(single))
    np.testing.assert_allclose(estimator.params_[0], single, rtol=1e-12, atol=1e-12)
    assert estimator.predict(X).shape == (15, 1)
    assert estimator.predict(X, return_std=True)[1].shape == (15, 1)
    estimator.fit(X, Y[:, :1], sigma=S[:, :1])
    np.testing.assert_allclose(estimator.params_[0], single, rtol=1e-12, atol=1e-12)


def test_unidentified_for_one_curve_only():
    X = np.array([[1.0], [1.0], [1.0], [2.0]])
    Y = np.random.default_rng(1).normal(size=(4, 2))
    weight = np.ones((4, 2))
    weight[3, 1] = 0.0
    with pytest.warns(RankWarning, match="only 1 of 2"):
        fit = WeightedLinearFit().fit(X, Y, weight)
    np.testing.assert_array_equal(np.isinf(fit.coef_std_[:, 0]), [False, True])
    np.testing.assert_array_equal(fit.rank_, [2, 1])
    np.testing.assert_array_equal(fit.dof_, [2, 2])
    _, std = fit.predict([[2.0]], return_std=True)
    np.testing.assert_array_equal(np.isinf(std), [[False, True]])


def test_deficient_for_all_curves():
    rng = np.random.default_rng(2)
    X = np.repeat(rng.normal(size=(20, 1)), 2, axis=1)
    Y = rng.normal(size=(20, 2))
    with pytest.warns(RankWarning, match="only 2 of 3"):
        fit = WeightedLinearFit().fit(X, Y)
    for k in range(2):
        with pytest.warns(RankWarning, match="only 2 of 3"):
            single = WeightedLinearFit().fit(X, Y[:, k])
        np.testing.assert_allclose(fit.params_[k], single.params_, rtol=1e-10)


def test_no_freedom_of_one_curve():
    X, Y, weight = np.arange(3.0)[:, None], np.eye(3)[:, :2], np.ones((3, 2))
    weight[2, 0] = 0.0
    with pytest.warns(DegreesOfFreedomWarning, match=r"no degrees of freedom left \(0\)"):
        fit = WeightedLinearFit().fit(X, Y, weight)
    np.testing.assert_array_equal(np.isnan(fit.reduced_chi2_), [True, False])
    np.testing.assert_array_equal(np.isnan(fit.p_value_), [True, False])
    assert np.isfinite(fit.params_std_).all()


def test_curve_without_any_weight_is_refused():
    X, Y, S = curves(15)
    S[:, 1] = 0.0
    with pytest.raises(ValueError, match="`sample_weight` must"):
        WeightedLinearFit().fit(X, Y, S)


def test_many_curves():
    rng = np.random.default_rng(3)
    X, Y = rng.normal(size=(30, 1)), rng.normal(size=(30, 5000))
    fit = WeightedLinearFit().fit(X, Y, sigma=0.5)
    expected = np.linalg.lstsq(np.column_stack([np.ones(30), X]), Y, rcond=None)[0].T
    np.testing.assert_allclose(fit.params_, expected, rtol=1e-9, atol=1e-12)
    assert fit.predict([[0.1]], return_std=True)[1].shape == (1, 5000)
