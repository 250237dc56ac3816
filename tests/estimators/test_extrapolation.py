"""A polynomial outside its data warns, once; a line, and a point just outside, does not."""

import pickle
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.polynomial import chebyshev
from sklearn.base import clone
from sklearn.model_selection import KFold, cross_val_score
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from sklsq import DesignMatrixRegressor, ExtrapolationWarning, WeightedLinearFit
from sklsq.basis import Polynomial
from sklsq.estimators._extrapolation import unwatched

PARABOLAS = [
    Polynomial(2),
    Polynomial(2, kind="full"),
    Polynomial(2, kind="chebyshev"),
    Polynomial(2, kind="legendre"),
    ["1", "x", "x**2"],
    ["1", "(x - 1)*x"],
    PolynomialFeatures(2),
]
HARMLESS = [
    None,
    Polynomial(0),
    Polynomial(1),
    Polynomial(1, kind="full"),
    ["1", "x"],
    ["1", "log(x + 20)"],
    [np.square, np.cos],  # of a function nothing is known
    PolynomialFeatures(1),
    StandardScaler(),
]
says = "A polynomial of degree"


def data(low=0.0, high=10.0, n=31):
    x = np.linspace(low, high, n)
    return x[:, None], 1.0 + x - 0.1 * x**2 + np.random.default_rng(0).normal(size=n)


def fitted(basis, **how):
    return DesignMatrixRegressor(basis).fit(*data(), **how)


class TestWhen:
    @pytest.mark.parametrize("basis", PARABOLAS, ids=str)
    @pytest.mark.parametrize("x", [-1.01, 11.01, 1e6])
    def test_beyond_a_tenth_of_the_range(self, basis, x):
        with pytest.warns(ExtrapolationWarning, match=says):
            fitted(basis).predict([[5.0], [x]])

    @pytest.mark.parametrize("basis", PARABOLAS, ids=str)
    def test_just_outside_it_is_silent(self, basis):
        fitted(basis).predict([[-0.99], [5.0], [10.99]])

    @pytest.mark.parametrize("basis", HARMLESS, ids=str)
    def test_no_polynomial_of_a_degree_above_one(self, basis):
        fitted(basis).predict([[-15.0], [1000.0]])

    def test_line(self):
        WeightedLinearFit().fit(*data()).predict([[-15.0], [1000.0]])

    @pytest.mark.parametrize("degree", [2, 3, 5, 10])
    def test_the_higher_the_degree_the_sooner(self, degree):
        fit = fitted(Polynomial(degree))
        fit.predict([[10.0 + 1.99 / degree]])
        with pytest.warns(ExtrapolationWarning, match=f"of degree {degree} in x"):
            fit.predict([[10.0 + 2.01 / degree]])

    @pytest.mark.parametrize("degree", [2, 5, 10])
    def test_until_then_it_grows_less_than_tenfold(self, degree):
        """What the module says of the polynomials that are at most one within the range."""
        growth = chebyshev.chebval(1.0 + 2.0 * 0.2 / degree, [0.0] * degree + [1.0])
        assert growth == pytest.approx({2: 1.88, 5: 3.7, 10: 8.4}[degree], rel=0.02)

    def test_one_value_of_a_feature_is_no_range(self):
        X = np.column_stack([data()[0], np.full(31, 0.1)])
        with pytest.warns(match="parameter combinations"):
            fit = DesignMatrixRegressor(Polynomial(2)).fit(X, data()[1])
        fit.predict([[5.0, 0.1]])
        fit.predict([[5.0, np.nextafter(0.1, 1.0)]])
        with pytest.warns(ExtrapolationWarning, match=r"end at x1 = 0\.1 and 0\.1"):
            fit.predict([[5.0, 0.2]])

    def test_rows_of_zero_weight_are_no_data(self):
        X, y = data()
        weight = np.where(X[:, 0] <= 5.0, 1.0, 0.0)
        fit = DesignMatrixRegressor(Polynomial(2)).fit(X, y, weight)
        with pytest.warns(ExtrapolationWarning, match="end at x = 0 and 5"):
            fit.predict([[9.0]])

    def test_several_features_are_watched_one_by_one(self):
        rng = np.random.default_rng(0)
        frame = pd.DataFrame(rng.uniform(size=(50, 2)), columns=["time", "depth"])
        fit = DesignMatrixRegressor(["1", "time", "time*depth", "depth**3"])
        fit.fit(frame, rng.normal(size=50))
        fit.predict(pd.DataFrame({"time": [30.0], "depth": [0.5]}))  # linear in time
        with pytest.warns(ExtrapolationWarning, match="degree 3 in depth") as caught:
            fit.predict(pd.DataFrame({"time": [0.5, 0.5], "depth": [0.5, -2.0]}))
        assert "1 of 2 points lie beyond, the farthest at depth = -2" in str(caught[0].message)


class TestHow:
    def test_once_for_each_fit(self):
        fit = fitted(Polynomial(2))
        with pytest.warns(ExtrapolationWarning, match=says):
            fit.predict([[30.0]])
        fit.predict([[-30.0]])
        fit.predict_interval([[30.0]])
        with pytest.warns(ExtrapolationWarning, match=says):
            fit.fit(*data()).predict([[30.0]])
        with pytest.warns(ExtrapolationWarning, match=says):
            clone(fit).fit(*data()).predict([[30.0]])

    @pytest.mark.parametrize("method", ["predict", "predict_interval"])
    def test_it_points_at_the_caller(self, method):
        fit = fitted(Polynomial(2))
        with pytest.warns(ExtrapolationWarning, match=says) as caught:
            getattr(fit, method)([[30.0]])
        assert caught[0].filename == __file__

    def test_what_it_tells(self):
        expected = r"x = 0 and 10, 2 of 3 points lie beyond, the farthest at x = 12\.5, 25% of that"
        with pytest.warns(ExtrapolationWarning, match=expected):
            fitted(Polynomial(2)).predict([[5.0], [12.5], [11.0]])

    def test_it_can_be_silenced(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExtrapolationWarning)
            fitted(Polynomial(2)).predict([[30.0]])

    def test_predictions_do_not_change(self):
        fit, quiet = fitted(Polynomial(3)), fitted(Polynomial(3))
        with pytest.warns(ExtrapolationWarning, match=says):
            value = fit.predict([[30.0]])
        with unwatched():
            np.testing.assert_array_equal(quiet.predict([[30.0]]), value)
        with pytest.warns(ExtrapolationWarning, match=says):
            quiet.predict([[30.0]])  # the one warning was not used up

    def test_pickled_fits_warn(self):
        with pytest.warns(ExtrapolationWarning, match=says):
            pickle.loads(pickle.dumps(fitted(Polynomial(2)))).predict([[30.0]])

    def test_batches_widen_the_range(self):
        fit = DesignMatrixRegressor(Polynomial(2)).partial_fit(*data(0.0, 10.0))
        fit.partial_fit(*data(20.0, 40.0))
        fit.predict([[-3.9], [43.9]])
        with pytest.warns(ExtrapolationWarning, match="end at x = 0 and 40"):
            fit.predict([[44.1]])

    def test_score_and_cross_validation_are_silent(self):
        X, y = data()
        far, values = data(10.0, 15.0)
        fitted(Polynomial(2)).score(far, values)
        cross_val_score(DesignMatrixRegressor(Polynomial(2)), X, y, cv=KFold(3))


def test_a_line_does_not_load_the_language_of_formulas():
    code = (
        "import sys; from sklsq import WeightedLinearFit as W; "
        "W().fit([[0.0], [1.0], [3.0]], [0.0, 1.1, 2.9]).score([[0.0], [1.0]], [0.0, 1.0]); "
        "print(sorted(n for n in sys.modules if n.startswith(('sklsq.expr', 'sklsq.models'))))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
