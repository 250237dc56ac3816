"""What becomes of an estimator: cloned, pickled, failed, fitted again."""

import copy
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import PolynomialFeatures
from sklearn.utils.validation import check_is_fitted

from sklsq import DesignMatrixRegressor, RankWarning, WeightedLinearFit
from sklsq.basis import Polynomial

ESTIMATORS = {
    "line": WeightedLinearFit(absolute_sigma=False),
    "matrix": DesignMatrixRegressor(rcond=1e-10),
    "terms": DesignMatrixRegressor(["1", "x0", "log(x1)", "x0*x1"]),
    "functions": DesignMatrixRegressor([np.hypot, "1"]),
    "polynomial": DesignMatrixRegressor(Polynomial(2)),
    "chebyshev": DesignMatrixRegressor(Polynomial(2, "chebyshev")),
    "transformer": DesignMatrixRegressor(PolynomialFeatures(2)),
}
every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS.keys())


def data(n=20, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.uniform(0.5, 3.0, (n, 2))
    return X, X.sum(axis=1) + rng.normal(size=n), rng.uniform(0.5, 2.0, n)


def assert_same_answers(a, b, X):
    np.testing.assert_array_equal(a.params_, b.params_)
    np.testing.assert_array_equal(a.params_cov_, b.params_cov_)
    for mine, other in zip(
        a.predict(X, return_std=True), b.predict(X, return_std=True), strict=True
    ):
        np.testing.assert_array_equal(mine, other)
    assert str(a.summary()) == str(b.summary())


@every_estimator
@pytest.mark.parametrize("way", ["pickle", "joblib", "deepcopy"])
def test_copies_answer_alike(estimator, way, tmp_path):
    X, y, sigma = data()
    fit = clone(estimator).fit(X, y, sigma=sigma)
    if way == "pickle":
        twin = pickle.loads(pickle.dumps(fit))
    elif way == "joblib":
        joblib.dump(fit, tmp_path / "fit")
        twin = joblib.load(tmp_path / "fit")
    else:
        twin = copy.deepcopy(fit)
    assert_same_answers(fit, twin, X)
    more = data(5, seed=1)
    fit.partial_fit(*more[:2], sigma=more[2])
    twin.partial_fit(*more[:2], sigma=more[2])
    assert_same_answers(fit, twin, X)


@every_estimator
def test_clone_is_not_fitted(estimator):
    X, y, sigma = data()
    fit = clone(estimator).fit(X, y, sigma=sigma)
    twin = clone(fit)
    assert str(twin.get_params(deep=False)) == str(estimator.get_params(deep=False))
    with pytest.raises(NotFittedError, match="not fitted yet"):
        twin.predict(X)
    assert_same_answers(twin.fit(X, y, sigma=sigma), fit, X)


@every_estimator
def test_nothing_is_fitted_in_place(estimator):
    X, y, sigma = data()
    before = copy.deepcopy(estimator.get_params())
    clone(estimator).fit(X, y, sigma=sigma)
    assert str(estimator.get_params()) == str(before)


def test_function_that_cannot_be_pickled_works_until_then():
    X, y, _ = data()
    fit = DesignMatrixRegressor([lambda a, b: a * b, "1"]).fit(X, y)
    assert fit.param_names_ == ["term0", "1"]
    with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
        pickle.dumps(fit)


@every_estimator
@pytest.mark.parametrize(
    "method", ["predict", "predict_interval", "score", "summary"], ids=lambda name: name
)
def test_before_the_fit(estimator, method):
    X, y, _ = data()
    arguments = {"score": (X, y), "summary": ()}.get(method, (X,))
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(clone(estimator), method)(*arguments)


@every_estimator
@pytest.mark.parametrize("bad", ["X", "y", "sigma", "lengths", "absolute_sigma"])
class TestFailedFit:
    def fail(self, estimator, bad):
        X, y, sigma = data()
        if bad == "lengths":
            y = y[:-1]
        elif bad == "absolute_sigma":
            estimator = estimator.set_params(absolute_sigma="perhaps")
        else:
            {"X": X, "y": y, "sigma": sigma}[bad][3] = np.nan
        with pytest.raises(ValueError, match=r"NaN|nan|inconsistent|absolute_sigma"):
            estimator.fit(X, y, sigma=sigma)

    def test_does_not_look_fitted(self, estimator, bad):
        estimator = clone(estimator)
        self.fail(estimator, bad)
        with pytest.raises(NotFittedError, match="not fitted yet"):
            check_is_fitted(estimator)
        with pytest.raises(NotFittedError, match="not fitted yet"):
            estimator.predict(data()[0])

    def test_does_not_leave_an_older_fit_behind(self, estimator, bad):
        X, y, sigma = data()
        estimator = clone(estimator).fit(X, y, sigma=sigma)
        self.fail(estimator, bad)
        with pytest.raises(NotFittedError, match="not fitted yet"):
            estimator.predict(X)

    def test_can_be_repeated(self, estimator, bad):
        X, y, sigma = data()
        estimator, fresh = clone(estimator), clone(estimator)
        convention = estimator.absolute_sigma
        self.fail(estimator, bad)
        estimator.set_params(absolute_sigma=convention)
        estimator.fit(X, y, sigma=sigma)
        assert_same_answers(estimator, fresh.fit(X, y, sigma=sigma), X)


def test_failed_fit_of_another_width_and_batches_after_it():
    X, y, sigma = data()
    line = WeightedLinearFit()
    with pytest.raises(ValueError, match="NaN"):
        line.fit(np.full((4, 7), np.nan), np.ones(4))
    line.partial_fit(X, y, sigma=sigma)
    assert line.coef_.shape == (2,)


class TestFittedAgain:
    def test_frame_then_array(self):
        X, y, _ = data()
        line = WeightedLinearFit().fit(pd.DataFrame(X, columns=["a", "b"]), y)
        line.fit(X, y)
        assert not hasattr(line, "feature_names_in_")
        assert line.param_names_ == ["intercept", "x0", "x1"]
        line.predict(X)

    def test_frame_then_array_that_needs_conversion(self):
        X, y, _ = data()
        line = WeightedLinearFit().fit(pd.DataFrame(X, columns=["a", "b"]), y)
        line.fit(X.tolist(), y.tolist())
        assert not hasattr(line, "feature_names_in_")

    def test_array_then_frame(self):
        X, y, _ = data()
        frame = pd.DataFrame(X, columns=["a", "b"])
        line = WeightedLinearFit().fit(X, y).fit(frame, y)
        assert line.param_names_ == ["intercept", "a", "b"]
        with pytest.warns(UserWarning, match="X does not have valid feature names"):
            line.predict(X)
        with pytest.raises(ValueError, match="feature names should match"):
            line.predict(frame[["b", "a"]])

    def test_other_width_and_number_of_curves(self):
        X, y, sigma = data()
        line = WeightedLinearFit().fit(X, np.column_stack([y, y]), sigma=sigma)
        line.fit(X[:, :1], y)
        assert line.coef_.shape == (1,)
        assert isinstance(line.chi2_, float)
        assert np.isnan(line.p_value_)
        assert line.n_features_in_ == 1

    def test_deficient_then_not(self):
        X, y, _ = data()
        line = WeightedLinearFit()
        with pytest.warns(RankWarning, match="determine only"):
            line.fit(X[:, [0, 0]], y)
        line.fit(X, y)
        assert line.rank_ == 3
        assert line.unidentified_.shape == (0, 3)
        assert "warning" not in str(line.summary())

    def test_basis_that_was_changed_in_between(self):
        X, y, sigma = data()
        fit = DesignMatrixRegressor(Polynomial(1)).fit(X, y, sigma=sigma)
        fit.set_params(basis__degree=2).fit(X, y, sigma=sigma)
        assert len(fit.coef_) == 6
        fit.set_params(basis=["1"]).fit(X, y, sigma=sigma)
        assert len(fit.coef_) == 1
        assert not hasattr(fit, "basis_")

    def test_without_an_intercept(self):
        X, y, sigma = data()
        line = WeightedLinearFit().fit(X, y, sigma=sigma)
        line.set_params(fit_intercept=False).fit(X, y, sigma=sigma)
        fresh = WeightedLinearFit(fit_intercept=False).fit(X, y, sigma=sigma)
        np.testing.assert_array_equal(line.params_, fresh.params_)
        assert np.all(getattr(line, "intercept_", 0.0) == 0.0)
        assert np.all(getattr(line, "intercept_std_", 0.0) == 0.0)


@every_estimator
def test_shows_itself(estimator):
    X, y, sigma = data()
    fit = clone(estimator).fit(X, y, sigma=sigma)
    assert type(estimator).__name__ in repr(fit)
    assert "<" in fit._repr_html_()
    dir(fit)


def test_wrong_width_at_prediction():
    X, y, _ = data()
    fit = WeightedLinearFit().fit(X, y)
    with pytest.raises(ValueError, match="X has 3 features, but WeightedLinearFit is expecting 2"):
        fit.predict(np.ones((4, 3)))
    with pytest.raises(ValueError, match="Expected 2D array, got 1D array"):
        fit.predict(np.ones(2))
    with pytest.raises(ValueError, match="Input X contains NaN"):
        fit.predict([[np.nan, 1.0]])
    with pytest.raises(ValueError, match=r"0 sample\(s\)"):
        fit.predict(np.empty((0, 2)))
