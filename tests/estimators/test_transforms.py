"""Transforms against their known inverses and derivatives, and what is refused."""

import numpy as np
import pytest
from scipy.special import expit, logit

from sklsq.estimators._transforms import inverse_formula, is_positive_only, transform_of

POSITIVE, ANY, SHARE = np.geomspace(0.01, 100.0, 9), np.linspace(-3.0, 3.0, 7), [0.1, 0.5, 0.99]
# name: where, function, derivative
KNOWN = {
    "identity": (ANY, lambda y: y, np.ones_like),
    "log": (POSITIVE, np.log, lambda y: 1.0 / y),
    "ln": (POSITIVE, np.log, lambda y: 1.0 / y),
    "log10": (POSITIVE, np.log10, lambda y: 1.0 / (y * np.log(10.0))),
    "log2": (POSITIVE, np.log2, lambda y: 1.0 / (y * np.log(2.0))),
    "log1p": (POSITIVE - 0.5, np.log1p, lambda y: 1.0 / (1.0 + y)),
    "sqrt": (POSITIVE, np.sqrt, lambda y: 0.5 / np.sqrt(y)),
    "square": (POSITIVE, np.square, lambda y: 2.0 * y),
    "reciprocal": (-POSITIVE, np.reciprocal, lambda y: -(y**-2.0)),
    "1 / y": (POSITIVE, np.reciprocal, lambda y: -(y**-2.0)),
    "logit": (SHARE, logit, lambda y: 1.0 / (y * (1.0 - y))),
    "exp": (ANY, np.exp, np.exp),
    "arcsinh": (ANY, np.arcsinh, lambda y: 1.0 / np.sqrt(1.0 + y**2)),
    "y**3 + 1": (POSITIVE, lambda y: y**3 + 1.0, lambda y: 3.0 * y**2),
    "2*log(y + 5) - 1": (POSITIVE, lambda y: 2 * np.log(y + 5) - 1, lambda y: 2 / (y + 5)),
}


@pytest.mark.parametrize("func", KNOWN)
def test_known(func):
    y, function, derivative = KNOWN[func]
    y, transform = np.asarray(y, dtype=float), transform_of(func)
    z, slope = transform.apply(y)
    np.testing.assert_allclose(z, function(y), rtol=1e-13)
    np.testing.assert_allclose(slope, derivative(y), rtol=1e-13)
    np.testing.assert_allclose(transform.inverse(z), y, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("formula", "at"),
    [
        ("y", 2.0),
        ("-y", 2.0),
        ("+y", 2.0),
        ("3 - y", 2.0),
        ("y - 3", 2.0),
        ("3 + y", 2.0),
        ("2*y", 2.0),
        ("y/2", 2.0),
        ("2/y", 2.0),
        ("y**-2", 2.0),
        ("2**y", 2.0),
        ("y**(1/3)", 2.0),
        ("log(-log(1 - y))", 0.3),
        ("log(2 - 1/(y + 1))", 2.0),
        *[(f"{f}(y)", 0.4) for f in ("sin", "cos", "tan", "arcsin", "arccos", "arctan")],
        *[(f"{f}(y)", 0.4) for f in ("sinh", "cosh", "tanh", "arcsinh", "arctanh", "cbrt")],
        *[(f"{f}(y)", 1.4) for f in ("arccosh", "exp2", "expm1", "log2", "log10", "log1p")],
        *[(f"{f}(y)", 1.4) for f in ("sqrt", "square", "reciprocal", "ln", "exp")],
    ],
)
def test_inverse_of_a_formula(formula, at):
    transform = transform_of(formula, inverse_formula(formula))
    y = np.array([at, 1.01 * at])
    np.testing.assert_allclose(transform.inverse(transform.apply(y)[0]), y, rtol=1e-12)


class TestFunctions:
    def test_derivative_by_dual_numbers_is_exact(self):
        transform = transform_of(lambda y: np.log(y / (1.0 - y)), expit)
        y = np.array([0.1, 0.25, 0.9])
        np.testing.assert_allclose(transform.apply(y)[1], 1.0 / (y * (1.0 - y)), rtol=1e-14)

    def test_derivative_by_differences_where_dual_numbers_do_not_go_through(self):
        def func(y):
            return np.array([float(v) ** 3 for v in y])

        y = np.array([0.5, 2.0])
        slope = transform_of(func, np.cbrt).apply(y)[1]
        np.testing.assert_allclose(slope, 3.0 * y**2, rtol=1e-8)

    def test_a_function_with_a_formula(self):
        z, _ = transform_of(np.log, "exp(z)").apply(np.array([2.0]))
        assert z[0] == np.log(2.0)
        assert transform_of("log(y)", np.exp).apply(np.array([2.0]))[0] == np.log(2.0)

    def test_another_shape(self):
        with pytest.raises(ValueError, match=r"must return one number for each\. Got shape"):
            transform_of(np.sum, np.exp).apply(np.array([1.0, 2.0]))


class TestDomain:
    @pytest.mark.parametrize(
        ("func", "y", "message"),
        [
            ("log", -0.3, "`y` must be positive for log. Got -0.3 in row 1. Leave such rows out"),
            ("sqrt", 0.0, "`y` must be positive for sqrt. Got 0 in row 1"),
            ("logit", 1.0, r"`y` must lie between 0 and 1 for log\(y/\(1 - y\)\). Got 1 in row 1"),
            ("log1p", -1.5, "`y` must be greater than -1 for log1p. Got -1.5 in row 1"),
            ("reciprocal", 0.0, "`y` must have one sign, and not be zero, for 1/y. Got 0 in row 1"),
            ("log(y - 0.4)", 0.3, r"`y` must be where log\(y - 0.4\) is finite.*Got 0.3 in row 1"),
            ("(y - 0.6)**2", 0.9, r"`y` must be where \(y - 0.6\)\*\*2 is monotone. Got 0.9"),
            ("cbrt(y)", 0.0, r"`y` must be where cbrt\(y\) is finite, and its derivative is, too"),
        ],
    )
    def test_first_bad_row(self, func, y, message):
        with pytest.raises(ValueError, match=message):
            transform_of(func).apply(np.array([0.5, y, 0.5, 0.55]))

    def test_inverse_that_does_not_lead_back(self):
        with pytest.raises(ValueError, match="`y` must come back by `inverse_func` from func"):
            transform_of(func := lambda y: y + 1.0, func).apply(np.array([1.0]))

    def test_missing_values_stay_missing(self):
        z, slope = transform_of("log").apply(np.array([[1.0, np.nan], [2.0, 3.0]]))
        assert np.isnan(z[0, 1])
        assert np.isnan(slope[0, 1])

    def test_column_of_two_is_named(self):
        with pytest.raises(ValueError, match="in row 1, column 0"):
            transform_of("log").apply(np.array([[1.0, 1.0], [-2.0, 3.0]]))

    @pytest.mark.parametrize("sign", [1.0, -1.0])
    def test_ends_of_a_reciprocal_stay_on_its_side(self, sign):
        y = sign * np.array([1.0, 2.0])
        transform = transform_of("reciprocal").to_one_side(y)
        ends = transform.ends(np.sort(sign * np.array([[-0.1, 0.5]]), axis=-1))
        np.testing.assert_array_equal(ends, np.sort([[sign * 2.0, sign * np.inf]], axis=-1))
        np.testing.assert_array_equal(
            transform.outside(sign * np.array([-0.1, 0.5])), [True, False]
        )


class TestBadInput:
    @pytest.mark.parametrize(
        ("how", "error", "message"),
        [
            ((3.0,), TypeError, "`func` must be a name such as 'log', a formula in y, or a"),
            ((np.log,), ValueError, "`inverse_func` must be given for a callable `func`"),
            ((np.log, 3.0), TypeError, "`inverse_func` must be a formula in z, or a callable"),
            (("log(x)",), ValueError, "`func` must be a formula in y alone, or one of: identity"),
            (("logarithm",), ValueError, "`func` must be a formula in y alone"),
            (("log(y)", "exp(y)"), ValueError, "`inverse_func` must be a formula in z alone"),
            (("y + log(y)",), ValueError, "`inverse_func` must be given for 'y \\+ log\\(y\\)'"),
            (("abs(y)",), ValueError, "could not be inverted: y occurs more than once, or in a"),
            (("__import__('os')",), ValueError, "expression"),
        ],
    )
    def test_refused(self, how, error, message):
        with pytest.raises(error, match=message):
            transform_of(*how)

    def test_positive_only(self):
        assert is_positive_only("log")
        assert is_positive_only("log10(y)")
        assert not is_positive_only("arcsinh")
        assert not is_positive_only(np.log)


@pytest.mark.parametrize("inverse", [None, "exp", "exp(z)", np.exp])
def test_a_name_is_the_function_of_that_name(inverse):
    y = np.array([0.5, 2.0])
    transform = transform_of("log", inverse)
    np.testing.assert_allclose(transform.forward(y), np.log(y))
    np.testing.assert_allclose(transform.inverse(np.log(y)), y)


def test_an_inverse_by_name_of_a_function():
    transform = transform_of(np.log, "exp")
    np.testing.assert_allclose(transform.inverse(np.array([0.0, 1.0])), [1.0, np.e])
    assert transform_of("log", "exp").domain == transform_of("log").domain
