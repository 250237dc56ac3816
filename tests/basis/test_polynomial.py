"""Polynomials: which terms, in which order, and an orthogonal basis inside with an exact exit."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.polynomial import chebyshev, legendre
from sklearn.exceptions import NotFittedError

from sklsq.basis import Polynomial

ORDER = {
    (1, 0, "monomial"): ["1"],
    (1, 3, "monomial"): ["1", "x", "x**2", "x**3"],
    (2, 2, "monomial"): ["1", "x0", "x1", "x0**2", "x0*x1", "x1**2"],
    (2, 3, "monomial"): [
        *["1", "x0", "x1", "x0**2", "x0*x1", "x1**2"],
        *["x0**3", "x0**2*x1", "x0*x1**2", "x1**3"],
    ],
    (3, 1, "monomial"): ["1", "x0", "x1", "x2"],
    (2, 1, "full"): ["1", "x0", "x1", "x0*x1"],
    (2, 2, "full"): [
        *["1", "x0", "x1", "x0**2", "x0*x1", "x1**2"],
        *["x0**2*x1", "x0*x1**2", "x0**2*x1**2"],
    ],
    (1, 2, "chebyshev"): ["1", "T1(x)", "T2(x)"],
    (2, 2, "legendre"): ["1", "P1(x0)", "P1(x1)", "P2(x0)", "P1(x0)*P1(x1)", "P2(x1)"],
}


def features(n=30, p=1, seed=0):
    return np.random.default_rng(seed).uniform(-2.0, 5.0, (n, p))


def unit(X):
    low, high = X.min(axis=0), X.max(axis=0)
    return (2.0 * X - low - high) / (high - low)


@pytest.mark.parametrize("case", ORDER, ids=str)
def test_names_in_the_order_of_the_lecture(case):
    p, degree, kind = case
    basis = Polynomial(degree, kind).fit(features(p=p))
    assert list(basis.get_feature_names_out()) == ORDER[case]
    assert basis.exponents_.shape == (len(ORDER[case]), p)
    assert basis.transform(features(p=p)).shape == (30, len(ORDER[case]))


def test_names_of_a_frame_and_names_given():
    frame = pd.DataFrame(features(p=2), columns=["depth", "salt"])
    basis = Polynomial(2).fit(frame)
    expected = ["1", "depth", "salt", "depth**2", "depth*salt", "salt**2"]
    assert list(basis.get_feature_names_out()) == expected
    assert list(basis.get_feature_names_out(["a", "b"]))[4] == "a*b"
    assert list(Polynomial(1).fit(frame[["depth"]]).get_feature_names_out()) == ["1", "depth"]


@pytest.mark.parametrize("kind", ["monomial", "full"])
@pytest.mark.parametrize("p", [1, 2, 3])
def test_columns_are_products_of_powers(kind, p):
    X = features(p=p)
    basis = Polynomial(3, kind).fit(X)
    expected = np.prod(X[:, None, :] ** basis.exponents_, axis=2)
    np.testing.assert_allclose(basis.transform(X), expected, rtol=1e-14)


@pytest.mark.parametrize(
    ("kind", "vander"), [("chebyshev", chebyshev.chebvander), ("legendre", legendre.legvander)]
)
@pytest.mark.parametrize("degree", [0, 1, 2, 7, 15])
def test_orthogonal_columns_are_those_of_numpy(kind, vander, degree):
    X = features()
    columns = Polynomial(degree, kind).fit_transform(X)
    np.testing.assert_allclose(columns, vander(unit(X)[:, 0], degree), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("kind", "vander"), [("chebyshev", chebyshev.chebvander), ("legendre", legendre.legvander)]
)
def test_orthogonal_columns_of_two_features(kind, vander):
    X = features(p=2)
    basis = Polynomial(3, kind).fit(X)
    tables = [vander(unit(X)[:, j], 3) for j in range(2)]
    expected = np.stack([tables[0][:, a] * tables[1][:, b] for a, b in basis.exponents_], axis=1)
    np.testing.assert_allclose(basis.transform(X), expected, rtol=1e-10, atol=1e-12)


def test_domain_is_that_of_the_fit():
    basis = Polynomial(2, "chebyshev").fit([[1.0], [3.0]])
    np.testing.assert_array_equal(basis.domain_, [[1.0, 3.0]])
    np.testing.assert_allclose(basis.transform([[2.0], [3.0], [4.0]])[:, 1], [0.0, 1.0, 2.0])


def test_constant_feature_has_no_range():
    columns = Polynomial(2, "legendre").fit_transform(np.full((4, 1), 3.0))
    assert np.isfinite(columns).all()
    np.testing.assert_array_equal(columns[:, 0], 1.0)


class TestInside:
    """What a fit computes with, and the matrix that leads back."""

    @pytest.mark.parametrize(("p", "degree"), [(1, 0), (1, 1), (1, 10), (2, 4), (3, 3)])
    @pytest.mark.parametrize("offset", [0.0, 100.0])
    def test_the_change_of_basis_is_exact(self, p, degree, offset):
        """Monomials with the coefficients of the change, as fractions, are the columns inside."""
        X = features(8, p) + offset
        basis = Polynomial(degree).fit(X)
        inside = basis.columns()
        change, columns = inside.change, inside.block_extended(X)
        for i in range(3):
            x = [Fraction(value) for value in X[i]]
            monomials = [_product(x, row) for row in basis.exponents_]
            for j in range(inside.n_columns):
                coefficients = [_fraction(change, k, j) for k in range(inside.n_columns)]
                terms = [a * b for a, b in zip(monomials, coefficients, strict=True)]
                size = float(sum(map(abs, terms)))
                error = abs(float(sum(terms) - _fraction(columns, i, j)))
                assert error <= 1e-28 * max(size, 1.0)

    @pytest.mark.parametrize("kind", ["chebyshev", "legendre"])
    def test_nothing_changes_where_the_user_wants_an_orthogonal_basis(self, kind):
        assert Polynomial(3, kind).fit(features()).columns().change is None

    @pytest.mark.parametrize("kind", ["monomial", "full", "chebyshev", "legendre"])
    @pytest.mark.parametrize("p", [1, 2])
    def test_doubles_are_the_leading_part(self, kind, p):
        X = features(p=p)
        inside = Polynomial(4, kind).fit(X).columns()
        np.testing.assert_allclose(
            inside.block(X), inside.block_extended(X).hi, rtol=1e-12, atol=1e-13
        )

    def test_it_is_well_conditioned(self):
        X = np.linspace(1000.0, 1003.0, 200)[:, None]
        inside = Polynomial(12).fit(X).columns()
        assert np.linalg.cond(inside.block(X)) < 100.0
        assert np.linalg.cond(X ** np.arange(13)) > 1e16


def _product(x, exponents):
    value = Fraction(1)
    for factor, k in zip(x, exponents, strict=True):
        value *= factor ** int(k)
    return value


def _fraction(number, i, j):
    return Fraction(float(number.hi[i, j])) + Fraction(float(number.lo[i, j]))


@given(st.integers(0, 6), st.integers(1, 4), st.booleans())
def test_every_smaller_term_is_there_too(degree, p, full):
    exponents = Polynomial(min(degree, 3) if full else degree, "full" if full else "monomial")
    rows = exponents.fit(np.repeat([[0.0], [1.0]], p, axis=1)).exponents_
    terms = {tuple(map(int, row)) for row in rows}
    assert len(terms) == len(rows)
    for term in terms:
        for j, k in enumerate(term):
            assert k == 0 or (*term[:j], k - 1, *term[j + 1 :]) in terms
    assert tuple(rows[0]) == (0,) * p
    assert (np.diff(rows.sum(axis=1)) >= 0).all()


@pytest.mark.parametrize("degree", [-1, 1.5, "2", None, np.nan])
def test_degree_that_is_none(degree):
    with pytest.raises(ValueError, match="`degree` must be an integer, at least 0"):
        Polynomial(degree).fit(features())


@pytest.mark.parametrize("degree", [True, np.int64(2), 3])
def test_degree_that_is_one(degree):
    assert len(Polynomial(degree).fit(features()).exponents_) == int(degree) + 1


@pytest.mark.parametrize("kind", ["hermite", None, "Monomial"])
def test_kind_that_is_none(kind):
    with pytest.raises(
        ValueError, match="`kind` must be one of monomial, full, chebyshev, legendre"
    ):
        Polynomial(2, kind).fit(features())


@pytest.mark.parametrize("kind", ["monomial", "full"])
def test_too_many_terms(kind):
    with pytest.raises(ValueError, match=r"at most 5000 terms. Got \d+ for 20 features; lower it"):
        Polynomial(8, kind).fit(features(p=20))


def test_before_the_fit():
    with pytest.raises(NotFittedError, match="not fitted yet"):
        Polynomial(2).transform(features())
    with pytest.raises(NotFittedError, match="not fitted yet"):
        Polynomial(2).get_feature_names_out()


def test_other_width():
    basis = Polynomial(2).fit(features(p=2))
    with pytest.raises(ValueError, match="X has 1 features, but Polynomial is expecting 2"):
        basis.transform(features())


def test_set_output():
    frame = Polynomial(1).set_output(transform="pandas").fit_transform(features(p=2))
    assert list(frame.columns) == ["1", "x0", "x1"]
