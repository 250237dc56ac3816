"""Terms: formulas beyond double precision where that has a meaning, functions as they are."""

from fractions import Fraction

import numpy as np
import pytest

from sklsq.basis.terms import TermSource, compile_terms

X = np.random.default_rng(0).uniform(0.5, 3.0, (12, 2))
NAMES = ["a", "b"]


def evaluate(terms):
    return compile_terms(terms, NAMES).evaluate(X)


def test_columns():
    a, b = X.T
    expected = np.stack([np.ones(12), a * b, np.exp(-a), b**2 + 1], axis=1)
    np.testing.assert_allclose(evaluate(["1", "a*b", "exp(-a)", "b**2 + 1"]), expected, rtol=1e-15)


def test_names():
    source = compile_terms(["a*b", np.log, lambda a, b: a], NAMES)
    assert isinstance(source, TermSource)
    assert source.names == ("a*b", "log", "term2")
    assert source.features == ("a", "b")


@pytest.mark.parametrize("term", ["a**7", "3*a*b - b**2", "(a + b)**5", "-a", "2*(a - b)*(a + b)"])
def test_polynomial_formulas_are_carried_beyond_double(term):
    source = compile_terms(["1", term], NAMES)
    extended = source.evaluate_extended(X)
    for i, (a, b) in enumerate(X):
        exact = eval(term, {}, {"a": Fraction(a), "b": Fraction(b)})
        found = Fraction(float(extended.hi[i, 1])) + Fraction(float(extended.lo[i, 1]))
        assert abs(float(found - exact)) <= 1e-29 * (1.0 + abs(float(exact))) * 100


@pytest.mark.parametrize("term", ["log(a)", "sin(a*b)", "a**0.5", "1/a", np.hypot], ids=str)
def test_other_terms_are_what_doubles_make_of_them(term):
    extended = compile_terms([term], NAMES).evaluate_extended(X)
    np.testing.assert_array_equal(extended.hi, evaluate([term]))
    np.testing.assert_array_equal(extended.lo, 0.0)


@pytest.mark.parametrize(
    ("term", "constant"),
    [("1", True), ("2*pi", True), ("a", False), ("a - a", False), (lambda a, b: 1.0, False)],
    ids=["1", "2*pi", "a", "a - a", "function"],
)
def test_constants_are_formulas_without_features(term, constant):
    assert compile_terms([term], NAMES).is_constant(0, X) is constant


def test_features_are_not_written_to():
    before = X.copy()
    evaluate(["a", "a*b", "-b"])
    np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize(
    ("terms", "error", "message"),
    [
        ([], ValueError, "at least one term"),
        (["c"], ValueError, "Got 'c'; the features are: a, b"),
        ([None], TypeError, "formulas .* or callables. Got None"),
        (["a", 1.0], TypeError, r"Got 1\.0; write the constant as"),
    ],
    ids=["none", "unknown", "None", "number"],
)
def test_refused(terms, error, message):
    with pytest.raises(error, match=message):
        compile_terms(terms, NAMES)


def test_row_that_is_not_finite_is_named():
    source = compile_terms(["1", "log(a-b)"], NAMES)
    row = int(np.argmax(X[:, 0] < X[:, 1]))
    with pytest.raises(
        ValueError, match=rf"term 'log\(a-b\)' must be finite .* Got nan in row {row}"
    ):
        source.explain(X)
    compile_terms(["1", "log(a)"], NAMES).explain(X)
