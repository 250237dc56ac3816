"""Any basis: formulas, functions, polynomials, transformers of scikit-learn."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    PolynomialFeatures,
    SplineTransformer,
    StandardScaler,
)

from sklsq import DesignMatrixRegressor, ExtrapolationWarning, WeightedLinearFit
from sklsq.basis import Polynomial

N = 25


def data(p=1, n=N, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.uniform(0.5, 3.0, (n, p))
    return X, np.exp(-X[:, 0]) + 0.1 * rng.normal(size=n), rng.uniform(0.5, 2.0, n)


def assert_fits(fit, A, X, y, sigma, names):
    """The fit is that of the design matrix A."""
    W = A / sigma[:, None]
    coef, *_ = np.linalg.lstsq(W, y / sigma, rcond=None)
    np.testing.assert_allclose(fit.coef_, coef, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(fit.coef_cov_, np.linalg.inv(W.T @ W), rtol=1e-7)
    np.testing.assert_allclose(fit.predict(X), A @ coef, rtol=1e-8)
    assert fit.param_names_ == names


ONE = {
    "constant first": (["1", "x"], lambda x: [1 + 0 * x, x]),
    "constant last": (["x", "1"], lambda x: [x, 1 + 0 * x]),
    "no constant": (["x", "x**2"], lambda x: [x, x**2]),
    "lecture": (["1", "x", "log(x)", "sin(x)"], lambda x: [1 + 0 * x, x, np.log(x), np.sin(x)]),
    "quotient": (["1/x", "exp(-x/2)"], lambda x: [1 / x, np.exp(-x / 2)]),
    "other constant": (["2", "x"], lambda x: [2 + 0 * x, x]),
    "pi": (["cos(2*pi*x)", "sqrt(x)"], lambda x: [np.cos(2 * np.pi * x), np.sqrt(x)]),
    "a tuple": (("1", "x"), lambda x: [1 + 0 * x, x]),
}


@pytest.mark.parametrize(("basis", "columns"), ONE.values(), ids=ONE.keys())
@pytest.mark.parametrize("n", [N, 4000])
def test_formulas_of_one_feature(basis, columns, n):
    X, y, sigma = data(n=n)
    fit = DesignMatrixRegressor(basis).fit(X, y, sigma=sigma)
    assert_fits(fit, np.stack(columns(X[:, 0]), axis=1), X, y, sigma, list(basis))


def test_formulas_of_several_features():
    X, y, sigma = data(3)
    basis = ["1", "x0*x1", "log(x2)", "x1**2"]
    fit = DesignMatrixRegressor(basis).fit(X, y, sigma=sigma)
    a, b, c = X.T
    A = np.stack([np.ones(N), a * b, np.log(c), b**2], axis=1)
    assert_fits(fit, A, X, y, sigma, basis)


def test_formulas_of_the_columns_of_a_frame():
    X, y, sigma = data(2)
    frame = pd.DataFrame(X, columns=["depth", "temp"])
    basis = ["1", "depth*temp", "log(temp)"]
    fit = DesignMatrixRegressor(basis).fit(frame, y, sigma=sigma)
    A = np.stack([np.ones(N), X[:, 0] * X[:, 1], np.log(X[:, 1])], axis=1)
    assert_fits(fit, A, frame, y, sigma, basis)


def test_matrix_as_it_is_adds_no_constant():
    X, y, sigma = data(3)
    fit = DesignMatrixRegressor().fit(X, y, sigma=sigma)
    assert_fits(fit, X, X, y, sigma, ["x0", "x1", "x2"])


FUNCTIONS = {
    "one feature": (1, [np.log, np.sqrt], lambda X: [np.log(X[:, 0]), np.sqrt(X[:, 0])]),
    "lambda": (1, [lambda x: x**2, "1"], lambda X: [X[:, 0] ** 2, np.ones(N)]),
    "several arguments": (2, [lambda a, b: a * b, "x1"], lambda X: [X[:, 0] * X[:, 1], X[:, 1]]),
    "named as it likes": (2, [lambda u, v=0.0: u + v**2], lambda X: [X[:, 0] + X[:, 1] ** 2]),
    "matrix": (2, [lambda X: X.sum(axis=1), "1"], lambda X: [X.sum(axis=1), np.ones(N)]),
    "any number": (3, [lambda *x: x[0] * x[2]], lambda X: [X[:, 0] * X[:, 2]]),
    "ufunc of two": (2, [np.hypot, np.arctan2], lambda X: [np.hypot(*X.T), np.arctan2(*X.T)]),
    "constant": (2, [lambda X: 1.0, "x0"], lambda X: [np.ones(N), X[:, 0]]),
    "integers": (
        1,
        [lambda x: x > 1.5, lambda x: np.rint(x).astype(int)],
        lambda X: [X[:, 0] > 1.5, np.rint(X[:, 0])],
    ),
}


@pytest.mark.parametrize(("p", "basis", "columns"), FUNCTIONS.values(), ids=FUNCTIONS.keys())
def test_functions(p, basis, columns):
    X, y, sigma = data(p)
    fit = DesignMatrixRegressor(basis).fit(X, y, sigma=sigma)
    A = np.stack(columns(X), axis=1).astype(float)
    names = [term if isinstance(term, str) else "term" + str(j) for j, term in enumerate(basis)]
    if isinstance(basis[0], np.ufunc):
        names = [term.__name__ for term in basis]
    assert_fits(fit, A, X, y, sigma, names)


def test_function_names():
    def decay(x):
        return np.exp(-x)

    X, y, _ = data()
    assert DesignMatrixRegressor([decay, "1", np.sin]).fit(X, y).param_names_ == [
        "decay",
        "1",
        "sin",
    ]


BAD_TERMS = {
    "unknown name": (["1", "z"], ValueError, r"`basis` term 'z' must use features only. Got 'z'"),
    "unknown function": (["foo(x)"], ValueError, "foo"),
    "syntax": (["x +"], ValueError, "x +"),
    "python": (["__import__('os')"], ValueError, ""),
    "attribute": (["x.real"], ValueError, ""),
    "number": ([1, "x"], TypeError, r'Got 1; write the constant as "1"'),
    "empty": ([], ValueError, "`basis` must have at least one term. Got an empty list"),
    "text": ("x", TypeError, "`basis` must be None, a list of terms.* Got str"),
    "class": (3.0, TypeError, "`basis` must be None, a list of terms.* Got float"),
    "no number": ([lambda x: x.astype(str)], ValueError, "must return real numbers. Got dtype <U"),
    "complex": ([lambda x: x * 1j], ValueError, "must return real numbers. Got dtype complex128"),
    "shape": (
        [lambda x: x[:3]],
        ValueError,
        r"one number per row, shape \(25,\).*Got shape \(3,\)",
    ),
    "column": (
        [lambda x: x[:, None]],
        ValueError,
        r"must return one number per row.*Got shape \(\d+, 1\)",
    ),
    "logarithm": (["log(x - 1)"], ValueError, r"term 'log\(x - 1\)' must be finite.* in row \d+"),
    "pole": (["1/(x - x)"], ValueError, r"must be finite in every row. Got (inf|nan) in row 0"),
}


@pytest.mark.parametrize(("basis", "error", "message"), BAD_TERMS.values(), ids=BAD_TERMS.keys())
def test_bad_terms(basis, error, message):
    X, y, _ = data()
    with pytest.raises(error, match=message or "."):
        DesignMatrixRegressor(basis).fit(X, y)


@pytest.mark.parametrize("n", [N, 30_000])
@pytest.mark.parametrize("weighted", [True, False], ids=["sigma", "no sigma"])
def test_term_that_is_not_finite_in_one_row(n, weighted):
    X, y, sigma = data(n=n)
    X[17] = 0.0
    with pytest.raises(
        ValueError, match=r"'log\(x\)' must be finite .* Got -inf in row 17, .*\[0\.0\]"
    ):
        DesignMatrixRegressor(["1", "log(x)"]).fit(X, y, sigma=sigma if weighted else None)


def test_term_that_is_not_finite_at_a_new_point():
    X, y, _ = data()
    fit = DesignMatrixRegressor(["1", "log(x)"]).fit(X, y)
    with pytest.raises(
        ValueError, match=re.escape("Got -inf in row 1, where the features are [0.0]")
    ):
        fit.predict([[1.0], [0.0]])


def test_user_exceptions_come_through():
    def broken(x):
        raise ZeroDivisionError("mine")

    X, y, _ = data()
    with pytest.raises(ZeroDivisionError, match="mine"):
        DesignMatrixRegressor([broken]).fit(X, y)


def test_function_may_not_write_to_the_features():
    def greedy(x):
        x *= 2.0
        return x

    X, y, _ = data()
    before = X.copy()
    with pytest.raises(ValueError, match="read-only"):
        DesignMatrixRegressor([greedy, "x"]).fit(X, y)
    np.testing.assert_array_equal(X, before)


TRANSFORMERS = {
    "polynomial": PolynomialFeatures(2),
    "splines": SplineTransformer(n_knots=4, degree=3),
    "function": FunctionTransformer(np.log1p),
    "pipeline": make_pipeline(StandardScaler(), PolynomialFeatures(2)),
    "sparse": SplineTransformer(n_knots=4, sparse_output=True),
}


@pytest.mark.parametrize("transformer", TRANSFORMERS.values(), ids=TRANSFORMERS.keys())
@pytest.mark.parametrize("n", [N, 4000])
def test_transformers(transformer, n):
    X, y, sigma = data(n=n)
    fit = DesignMatrixRegressor(transformer).fit(X, y, sigma=sigma)
    A = transformer.fit_transform(X)
    A = A.toarray() if hasattr(A, "toarray") else A
    names = getattr(transformer, "get_feature_names_out", None)
    names = list(names()) if names and not isinstance(transformer, FunctionTransformer) else None
    assert_fits(fit, A, X, y, sigma, names or fit.param_names_)
    assert len(fit.param_names_) == A.shape[1]
    assert fit.basis_ is not transformer


def test_transformer_of_a_frame_sees_the_frame():
    X, y, sigma = data(2)
    frame = pd.DataFrame(X, columns=["a", "b"])
    transformer = ColumnTransformer(
        [("log", FunctionTransformer(np.log, feature_names_out="one-to-one"), ["b"])],
        remainder="passthrough",
    )
    fit = DesignMatrixRegressor(transformer).fit(frame, y, sigma=sigma)
    A = np.column_stack([np.log(X[:, 1]), X[:, 0]])
    assert_fits(fit, A, frame, y, sigma, ["log__b", "remainder__a"])
    np.testing.assert_allclose(
        fit.predict(frame, return_std=True)[1],
        np.sqrt(np.einsum("ij,jk,ik->i", A, fit.coef_cov_, A)),
        rtol=1e-8,
    )


def test_transformer_of_categories():
    groups = np.repeat([0.0, 1.0, 2.0], 5)[:, None]
    y = np.random.default_rng(1).normal(size=15)
    fit = DesignMatrixRegressor(OneHotEncoder()).fit(groups, y, sigma=0.5)
    np.testing.assert_allclose(fit.coef_, y.reshape(3, 5).mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(fit.coef_std_, 0.5 / np.sqrt(5.0), rtol=1e-12)


def test_transformer_is_fitted_on_rows_with_weight_only():
    X, y, weight = data()
    weight[:5] = 0.0
    with_zeros = DesignMatrixRegressor(StandardScaler()).fit(X, y, weight)
    without = DesignMatrixRegressor(StandardScaler()).fit(X[5:], y[5:], weight[5:])
    np.testing.assert_allclose(with_zeros.coef_, without.coef_, rtol=1e-12)


@pytest.mark.parametrize("basis", [["1", "x", "x**2", "x**3"], Polynomial(3)], ids=str)
def test_curves_share_the_basis(basis):
    X, y, sigma = data()
    Y = np.column_stack([y, 1.0 - y])
    fit = DesignMatrixRegressor(basis).fit(X, Y, sigma=sigma)
    assert fit.coef_.shape == (2, 4)
    np.testing.assert_allclose(fit.coef_[1] + fit.coef_[0], [1.0, 0.0, 0.0, 0.0], atol=1e-9)


def test_polynomial_of_degree_zero_is_the_weighted_mean():
    X, y, sigma = data()
    fit = DesignMatrixRegressor(Polynomial(0)).fit(X, y, sigma=sigma)
    assert fit.coef_[0] == pytest.approx(np.average(y, weights=sigma**-2), rel=1e-13)
    assert fit.coef_std_[0] == pytest.approx(np.sum(sigma**-2) ** -0.5, rel=1e-13)
    assert fit.param_names_ == ["1"]


@pytest.mark.parametrize("kind", ["monomial", "full", "chebyshev", "legendre"])
@pytest.mark.parametrize("p", [1, 2, 3])
def test_polynomial_is_that_of_its_own_columns(kind, p):
    X, y, sigma = data(p, n=60)
    basis = Polynomial(2, kind)
    fit = DesignMatrixRegressor(basis).fit(X, y, sigma=sigma)
    A = basis.fit_transform(X)
    names = ["x"] if p == 1 else [f"x{j}" for j in range(p)]
    W = A / sigma[:, None]
    coef, *_ = np.linalg.lstsq(W, y / sigma, rcond=None)
    np.testing.assert_allclose(fit.coef_, coef, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(fit.coef_std_, np.sqrt(np.diag(np.linalg.inv(W.T @ W))), rtol=1e-7)
    np.testing.assert_allclose(fit.predict(X), A @ coef, rtol=1e-8)
    assert fit.param_names_ == list(basis.get_feature_names_out(names))
    assert isinstance(fit.basis_, Polynomial)


def test_polynomial_beyond_the_data():
    X, y, sigma = data()
    fit = DesignMatrixRegressor(Polynomial(3)).fit(X, y, sigma=sigma)
    far = np.array([[-5.0], [0.0], [12.0]])
    with pytest.warns(ExtrapolationWarning, match="degree 3 in x is asked for values outside"):
        predicted = fit.predict(far)
    np.testing.assert_allclose(predicted, far ** np.arange(4) @ fit.coef_, rtol=1e-9)


def test_same_line_in_every_spelling():
    X, y, sigma = data()
    line = WeightedLinearFit().fit(X, y, sigma=sigma)
    for basis in (["1", "x"], Polynomial(1), PolynomialFeatures(1), [np.ones_like, "x"]):
        fit = DesignMatrixRegressor(basis).fit(X, y, sigma=sigma)
        np.testing.assert_allclose(fit.coef_, line.params_, rtol=1e-11)
        np.testing.assert_allclose(fit.coef_cov_, line.params_cov_, rtol=1e-10)
        assert fit.chi2_ == pytest.approx(line.chi2_, rel=1e-12)


def test_get_and_set_parameters():
    fit = DesignMatrixRegressor(Polynomial(2), rcond=1e-8, absolute_sigma=True)
    assert fit.get_params()["basis__degree"] == 2
    assert fit.set_params(basis__kind="full").basis.kind == "full"
    with pytest.raises(TypeError, match="positional argument"):
        DesignMatrixRegressor(None, 1e-8)
    with pytest.raises(TypeError, match="positional argument"):
        WeightedLinearFit(True)
