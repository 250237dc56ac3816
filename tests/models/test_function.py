import math
import pickle

import numpy as np
import pytest
from scipy.special import _ufuncs as special  # as without SCIPY_ARRAY_API, which conftest sets

from sklsq.models import FunctionModel, bind
from sklsq.models.model import BLOCK_POINTS
from tests.models.written import PROBLEMS, as_formula, as_function, points

X = np.linspace(0.1, 3, 20)[:, None]
ONE = np.array([[1.5, 0.7]])
MANY = np.random.default_rng(0).uniform(0.5, 2, size=(50, 2))
DUAL = 1e-12  # the same derivative, rounded otherwise
DIFFERENCE = 1e-6


def decay(x, a, k):
    return a * np.exp(-k * x)


def decay_jac(x, a, k):
    return np.stack([np.exp(-k * x), -x * a * np.exp(-k * x)], axis=1)


def decay_of_vector(x, p):
    a, k = p
    return a * np.exp(-k * x)


def decay_of_matrix(X, a, k):
    return a * np.exp(-k * X[:, 0])


def number_by_number(x, a, k):
    return np.array([a * math.exp(-k * each) for each in x])


def filled(x, a, k):
    y = np.zeros(len(x))
    y[:] = a * np.exp(-k * x)
    return y


def filled_like_parameter(x, a, k):
    y = np.zeros(len(x), dtype=np.result_type(a, x))
    y[:] = a * np.exp(-k * x)
    return y


def branching(x, a, k):
    return decay(x, a, k) if k > 0 else a * np.ones_like(x)


def in_place(x, a, k):
    x *= -k
    return a * np.exp(x)


def shifting(x, a, k):
    x += 1.0
    return a * np.exp(-k * (x - 1.0))


def normalised(x, a, k):
    y = np.exp(-k * x)
    return a * y / np.max(y)


def expected(params, function=decay):
    return np.array([function(X[:, 0].copy(), *row) for row in params])


def expected_derivatives(params):
    return np.array([decay_jac(X[:, 0], *row).T for row in params])


@pytest.mark.parametrize("case", PROBLEMS, ids=str)
@pytest.mark.parametrize("jac", ["auto", "dual"])
def test_nist_callables_agree_with_formulas(case, jac):
    model, formula = as_function(case, jac=jac), as_formula(case)
    values, derivatives = model.linearise(case.X, points(case))
    assert model.jac_method == ("formula" if jac == "auto" else "dual")
    np.testing.assert_allclose(values, formula.evaluate(case.X, points(case)), rtol=1e-13)
    exact = formula.linearise(case.X, points(case))[1]
    size = np.abs(exact).max(axis=2, keepdims=True)
    np.testing.assert_allclose(derivatives / size, exact / size, atol=1e-13)


@pytest.mark.parametrize(
    ("function", "method"),
    [
        (decay, "formula"),
        (branching, "dual"),
        (in_place, "formula"),
        (shifting, "formula"),
        (filled_like_parameter, "cs"),
        (filled, "3-point"),
        (number_by_number, "3-point"),
    ],
)
@pytest.mark.parametrize("params", [ONE, MANY])
def test_any_way_of_writing(function, method, params):
    original = X.copy()
    model = bind(function, None, 1, None)
    np.testing.assert_allclose(model.evaluate(X, params), expected(params), rtol=1e-13)
    values, derivatives = model.linearise(X, params)
    assert model.jac_method == method
    np.testing.assert_allclose(values, expected(params), rtol=1e-13)
    tolerance = DUAL if method != "3-point" else DIFFERENCE
    np.testing.assert_allclose(derivatives, expected_derivatives(params), rtol=0, atol=tolerance)
    np.testing.assert_array_equal(X, original)


@pytest.mark.parametrize("jac", ["dual", "cs", "2-point", "3-point", decay_jac])
def test_forced_methods(jac):
    model = bind(decay, jac=jac)
    values, derivatives = model.linearise(X, MANY)
    np.testing.assert_array_equal(values, expected(MANY))
    np.testing.assert_allclose(derivatives, expected_derivatives(MANY), rtol=0, atol=1e-6)
    assert model.jac_method == ("callable" if callable(jac) else jac)


@pytest.mark.parametrize(
    ("features", "function", "method"),
    [(None, decay_of_vector, "formula"), ("all", decay_of_matrix, "dual")],
)
@pytest.mark.parametrize("params", [ONE, MANY])
def test_vector_of_parameters_and_matrix_of_features(features, function, method, params):
    model = bind(function, features, 1, 2)
    np.testing.assert_allclose(model.evaluate(X, params), expected(params), rtol=1e-13)
    values, derivatives = model.linearise(X, params)
    assert model.jac_method == method
    np.testing.assert_allclose(values, expected(params), rtol=1e-13)
    np.testing.assert_allclose(derivatives, expected_derivatives(params), rtol=0, atol=DUAL)


def test_matrix_product():
    rng = np.random.default_rng(2)
    wide, params = rng.normal(size=(15, 3)), rng.normal(size=(4, 4))
    model = bind(lambda X, p: p[0] + np.tanh(X @ p[1:]), "all", 3, 4)
    values, derivatives = model.linearise(wide, params)
    assert model.jac_method == "dual"
    for p, value, rows in zip(params, values, derivatives, strict=True):
        inner = np.tanh(wide @ p[1:])
        np.testing.assert_allclose(value, p[0] + inner, rtol=1e-13)
        np.testing.assert_allclose(rows[1:].T, (1 - inner**2)[:, None] * wide, atol=1e-13)


def test_function_that_sees_the_whole_batch_is_called_one_by_one():
    calls = []

    def scaled(x, a, k):
        calls.append(np.shape(a))
        return decay(x, a, k) / np.max(decay(x, a, k))

    model = bind(scaled)
    single = [scaled(X[:, 0], *row) for row in MANY]
    np.testing.assert_allclose(model.evaluate(X, MANY), single, rtol=1e-13)
    calls.clear()
    model.evaluate(X, MANY)
    assert calls == [()] * len(MANY)


def test_batches_are_one_call():
    calls = []

    def counted(x, a, k):
        calls.append(np.shape(a))
        return decay(x, a, k)

    model = bind(counted)
    model.evaluate(X, MANY)
    calls.clear()
    model.evaluate(X, MANY)
    assert calls == [(50, 1), ()]  # the batch, and one of it alone to be sure


def test_late_surprise_in_a_batch_is_noticed():
    def changes_its_mind(x, a, k):
        return decay(x, a, k) if np.all(a > 0) else 0 * x * k

    model = bind(changes_its_mind)
    model.evaluate(X, MANY)
    surprising = MANY.copy()
    surprising[3, 0] = -1
    values = model.evaluate(X, surprising)
    np.testing.assert_array_equal(values[3], 0)
    np.testing.assert_allclose(values[4:], expected(surprising)[4:], rtol=1e-13)


@pytest.mark.parametrize("jac", ["auto", "dual"])
def test_kinks_and_zero_parameters(jac):
    model = bind(lambda x, a, b, c: a * np.abs(x - b) + c * np.sin(1e6 * x), jac=jac)
    _, derivatives = model.linearise(X, np.array([[0.0, 1.0, 0.0]]))
    np.testing.assert_allclose(derivatives[0, 0], np.abs(X[:, 0] - 1))


def test_differences_at_zero_parameters_take_their_step_from_the_function():
    far = 1e6 * X
    model = bind(number_by_number, jac="3-point")
    _, derivatives = model.linearise(far, np.array([[1.0, 0.0]]))
    np.testing.assert_allclose(derivatives[0, 1], -far[:, 0], rtol=1e-5)


def test_point_that_is_not_finite_does_not_decide():
    model = bind(lambda x, a, b: a * np.log(b) * x)
    model.linearise(X, np.array([[1.0, -1.0]]))
    assert model.jac_method == "auto"
    model.linearise(X, np.array([[1.0, 2.0]]))
    assert model.jac_method == "formula"


@pytest.mark.parametrize("name", ["erf", "erfc", "erfcx", "expit", "gammaln", "j0", "ndtr", "i0"])
def test_special_functions(name):
    model = bind(lambda x, a, b: a * getattr(special, name)(b * x))
    _, derivatives = model.linearise(X, ONE)
    assert model.jac_method == ("formula" if name in ("erf", "erfc") else "dual")
    model = bind(lambda x, a, b: a * getattr(special, name)(b * x), jac="3-point")
    np.testing.assert_allclose(derivatives, model.linearise(X, ONE)[1], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x, a: (a * x)[:, None], r"shape \(20,\)\. Got shape \(20, 1\).*ravel"),
        (lambda x, a: a, r"Got shape \(\).*add 0\*x"),
        (lambda x, a: a * x[1:], r"Got shape \(19,\)"),
        (lambda x, a: a * x + 1j, "real numbers. Got dtype complex128"),
        (lambda x, a: (a * x).astype(object), "real numbers. Got dtype object"),
    ],
)
@pytest.mark.parametrize("method", ["evaluate", "linearise"])
def test_wrong_output(function, message, method):
    with pytest.raises(ValueError, match=message):
        getattr(bind(function), method)(X, np.ones((1, 1)))


@pytest.mark.parametrize("n_problems", [1, 3])
@pytest.mark.parametrize("method", ["evaluate", "linearise"])
def test_exceptions_of_the_function_come_through(n_problems, method):
    class OwnError(Exception):
        pass

    def failing(x, a):
        raise OwnError("detector off")

    with pytest.raises(OwnError, match="detector off"):
        getattr(bind(failing), method)(X, np.ones((n_problems, 1)))
    with pytest.raises(KeyError, match="lost"):
        getattr(bind(lambda x, a: {}["lost"]), method)(X, np.ones((n_problems, 1)))


def test_wrong_jac():
    with pytest.raises(ValueError, match="`jac` must be a callable or one of 'auto'"):
        bind(decay, jac="exact")
    with pytest.raises(ValueError, match=r"`jac='dual'` must be able to pass dual numbers"):
        bind(number_by_number, jac="dual").linearise(X, ONE)
    transposed = bind(decay, jac=lambda x, a, k: decay_jac(x, a, k).T)
    with pytest.raises(ValueError, match=r"shape \(20, 2\)\. Got shape \(2, 20\)"):
        transposed.linearise(X, ONE)


@pytest.mark.parametrize(
    ("function", "answer"),
    [
        (decay, True),
        (normalised, False),
        (lambda x, a, k: a * np.cumsum(x) * k, False),
        (lambda x, a, k: a * k * np.arange(20.0), False),
    ],
)
def test_is_pointwise(function, answer):
    assert bind(function).is_pointwise(X, ONE) is answer


def test_long_data_are_computed_in_parts_where_rows_are_independent():
    rng = np.random.default_rng(0)
    long = rng.uniform(0, 3, size=(3 * BLOCK_POINTS + 1, 1))
    sizes = []

    def noted(x, a, k):
        sizes.append(len(x))
        return decay(x, a, k)

    model = bind(noted)
    model.linearise(long, ONE)
    sizes.clear()
    values, derivatives = model.linearise(long, ONE)
    assert max(sizes) == BLOCK_POINTS
    np.testing.assert_allclose(values[0], decay(long[:, 0], *ONE[0]), rtol=1e-13)
    np.testing.assert_allclose(derivatives[0], decay_jac(long[:, 0], *ONE[0]).T, rtol=1e-13)
    values, _ = bind(normalised).linearise(long, ONE)
    np.testing.assert_allclose(values[0], normalised(long[:, 0], *ONE[0]), rtol=1e-13)


def test_pickle():
    model = FunctionModel(decay, ["a", "k"])
    model.linearise(X, MANY)
    copy = pickle.loads(pickle.dumps(model))
    assert repr(copy) == repr(model) == "FunctionModel(decay, ['a', 'k'])"
    np.testing.assert_array_equal(copy.evaluate(X, MANY), model.evaluate(X, MANY))


def test_zeros_at_the_start_do_not_hide_another_formula():
    """At b = 0 the branch for arrays and that for anything else agree."""

    def by_type(x, a, b):
        return a * x + b * (x**2 if type(x) is np.ndarray else x)

    def of_vector(x, p):
        doubled = 2 * p
        return doubled[0] * x + doubled[1] * x**2

    X = np.linspace(0.5, 3.0, 20)[:, None]
    for model in (bind(by_type), bind(of_vector, p0_length=2)):
        model.linearise(X, np.zeros((1, 2)))
        params = np.array([[1.5, 0.5]])
        given = [params[0]] if model.is_vector else params[0]
        expected = model.function(X[:, 0], *given)
        np.testing.assert_allclose(model.evaluate(X, params)[0], expected, rtol=1e-14)
        np.testing.assert_allclose(model.linearise(X, params)[0][0], expected, rtol=1e-14)


class Compiled:
    """Takes numbers and arrays of them alone, as a function compiled by Numba does."""

    class TypingFaultError(Exception):
        pass

    def __init__(self, function):
        self.py_func = function

    def __call__(self, x, a, k):
        if not all(isinstance(each, float | np.ndarray) for each in (x, a, k)):
            raise self.TypingFaultError("no such types")
        return self.py_func(x, a, k)


@pytest.mark.parametrize(("function", "method"), [(decay, "formula"), (branching, "dual")])
@pytest.mark.parametrize("params", [ONE, MANY])
def test_compiled_functions_are_differentiated_through_what_they_were_made_of(
    function, method, params
):
    model = bind(Compiled(function), None, 1, None)
    values, derivatives = model.linearise(X, params)
    assert model.jac_method == method
    np.testing.assert_allclose(values, expected(params), rtol=1e-13)
    np.testing.assert_allclose(derivatives, expected_derivatives(params), rtol=0, atol=DUAL)
