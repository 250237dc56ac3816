"""Propagation against closed forms, mpmath, `uncertainties`, and samples."""

import math
import pickle

import mpmath
import numpy as np
import pandas as pd
import pytest
import uncertainties
from hypothesis import given
from hypothesis import strategies as st
from uncertainties import umath

from sklsq import propagate

ROUNDING = 1e-13  # a handful of operations in double precision
DIFFERENCES = 1e-9  # of a function that takes neither duals nor complex numbers
SECOND_DIFFERENCES = 1e-6  # relative, of second derivatives that are differences
LINE = {"a": -2.0, "b": 4.0}
COV = np.array([[0.04, -0.01], [-0.01, 0.01]])

SPELLINGS = {
    "formula": "-a/b",
    "by name": lambda b, a: -a / b,
    "by position": lambda first, second: -first / second,
    "vector": lambda p: -p[0] / p[1],
    "rest": lambda *p: -p[0] / p[1],
    "with option": lambda a, b, sign=-1.0: sign * a / b,
    "list": lambda a, b: np.sum([-a / b]),
}


@pytest.mark.parametrize("func", SPELLINGS.values(), ids=SPELLINGS)
def test_every_spelling_of_a_ratio_has_its_textbook_error(func):
    value, std = propagate(func, LINE, COV)
    textbook = 0.5 * np.sqrt(0.04 / 4 + 0.01 / 16 - 2 * -0.01 / (-2.0 * 4.0))
    assert value == 0.5
    assert std == pytest.approx(textbook, rel=ROUNDING)


def test_functions_of_numbers_alone_get_differences():
    _, std = propagate(lambda a, b: math.exp(a) * math.sqrt(b), LINE, COV)
    expected = propagate("exp(a)*sqrt(b)", LINE, COV).std
    assert std == pytest.approx(expected, rel=DIFFERENCES)


def test_complex_steps_where_an_array_is_filled():
    def filled(a, b):
        out = np.empty(2, dtype=np.result_type(a, b, float))
        out[0], out[1] = a * b, np.exp(a)
        return out

    value, std = propagate(filled, LINE, COV)
    np.testing.assert_allclose(value, [-8.0, np.exp(-2.0)], rtol=ROUNDING)
    product = np.sqrt(16 * 0.04 + 4 * 0.01 + 2 * 4 * -2 * -0.01)
    np.testing.assert_allclose(std, [product, 0.2 * np.exp(-2.0)], rtol=ROUNDING)


@pytest.mark.parametrize(
    ("formula", "function"),
    [
        ("a*b", lambda a, b: a * b),
        ("log(b)", lambda a, b: umath.log(b)),
        ("b*abs(a)*sqrt(pi)", lambda a, b: b * -a * np.pi**0.5),
        ("sin(a)**2/(1 + b**3)", lambda a, b: umath.sin(a) ** 2 / (1 + b**3)),
        ("b**a", lambda a, b: b**a),
    ],
)
def test_uncertainties_agrees(formula, function):
    a, b = uncertainties.correlated_values(list(LINE.values()), COV)
    other = function(a, b)
    value, std = propagate(formula, LINE, COV)
    assert value == pytest.approx(other.nominal_value, rel=ROUNDING)
    assert std == pytest.approx(other.std_dev, rel=1e-12)


def test_mpmath_derivatives_to_the_last_digits():
    def g(a, b):
        return mpmath.erf(a / b) * mpmath.exp(-b * b / 30)

    with mpmath.workdps(40):
        J = [mpmath.diff(g, (-2, 4), n) for n in ((1, 0), (0, 1))]
        variance = sum(J[i] * J[j] * mpmath.mpf(COV[i, j]) for i in range(2) for j in range(2))
        H = [[mpmath.diff(g, (-2, 4), n) for n in row] for row in _ORDERS]
        shift = sum(H[i][j] * mpmath.mpf(COV[i, j]) for i in range(2) for j in range(2)) / 2
        HC = mpmath.matrix(H) * mpmath.matrix(COV.tolist())
        curved = variance + (HC * HC)[0, 0] / 2 + (HC * HC)[1, 1] / 2
        mean = float(g(-2, 4) + shift)
    formula = "erf(a/b)*exp(-b**2/30)"
    assert propagate(formula, LINE, COV).std == pytest.approx(float(variance**0.5), rel=ROUNDING)
    second = propagate(formula, LINE, COV, method="second-order")
    assert second.value == pytest.approx(mean, rel=ROUNDING)
    assert second.std == pytest.approx(float(curved**0.5), rel=ROUNDING)

    from scipy.special import erf

    by_function = propagate(
        lambda a, b: erf(a / b) * np.exp(-b * b / 30), LINE, COV, method="second-order"
    )
    assert by_function.value == pytest.approx(mean, rel=SECOND_DIFFERENCES)
    assert by_function.std == pytest.approx(second.std, rel=SECOND_DIFFERENCES)


_ORDERS = [[(2, 0), (1, 1)], [(1, 1), (0, 2)]]


@pytest.mark.parametrize("square", ["x**2", lambda x: x * x, lambda x: float(x) ** 2])
def test_second_order_is_exact_for_quadratics(square):
    value, std = propagate(square, {"x": 3.0}, 0.25, method="second-order")
    assert value == pytest.approx(9.25, rel=DIFFERENCES)
    assert std == pytest.approx(np.sqrt(4 * 9 * 0.25 + 2 * 0.25**2), rel=DIFFERENCES)


def test_second_order_of_a_product_of_correlated_values():
    variance = 16 * 0.04 + 4 * 0.01 - 16 * -0.01 + 0.04 * 0.01 + COV[0, 1] ** 2
    result = propagate(lambda a, b: a * b, LINE, COV, method="second-order")
    assert result.value == pytest.approx(-8.0 + COV[0, 1], rel=DIFFERENCES)
    assert result.std == pytest.approx(np.sqrt(variance), rel=DIFFERENCES)


def test_second_order_at_zero_and_for_tiny_errors():
    assert propagate(lambda x: x * x, [0.0], [[4.0]], method="second-order").value == (
        pytest.approx(4.0, rel=DIFFERENCES)
    )
    tiny = propagate(lambda x: np.exp(x), [1.0], [[1e-24]], method="second-order")
    assert tiny.value == pytest.approx(np.e, rel=ROUNDING)
    assert tiny.std == pytest.approx(np.e * 1e-12, rel=1e-9)


@pytest.mark.parametrize("func", ["exp(x)", np.exp, lambda x: math.exp(x), lambda p: np.exp(p)])
def test_monte_carlo_gives_the_lognormal(func):
    n, s = 20_000, 0.5
    value, std = propagate(
        func, [1.0], [[s**2]], method="monte-carlo", names=["x"], random_state=5, n_samples=n
    )
    mean = np.exp(1.0 + s**2 / 2)
    spread = mean * np.sqrt(np.expm1(s**2))
    assert abs(value - mean) < 4 * spread / np.sqrt(n)  # a z-score
    assert std == pytest.approx(spread, rel=0.05)  # heavy-tailed: about 2 % at this n


def test_monte_carlo_repeats_itself():
    def draw(state):
        return propagate("a*b", LINE, COV, method="monte-carlo", random_state=state, n_samples=99)

    assert draw(None) == draw(0)
    assert draw(1) == draw(1)
    assert draw(1) != draw(2)
    assert draw(np.random.default_rng(1)) == draw(np.random.default_rng(1))
    assert draw(np.random.RandomState(1)) == draw(1)


def test_monte_carlo_with_a_singular_covariance():
    cov = np.outer([1.0, 2.0], [1.0, 2.0])  # b = 2a
    result = propagate(
        lambda a, b: [b - 2 * a, a, 7.0], [1.0, 2.0], cov, method="monte-carlo", n_samples=2000
    )
    np.testing.assert_allclose(result.std[[0, 2]], 0.0, atol=1e-7)  # the root of rounding
    assert result.std[1] == pytest.approx(1.0, abs=0.1)
    assert propagate("b - 2*a", {"a": 1.0, "b": 2.0}, cov).std == 0.0


def test_monte_carlo_names_what_is_not_finite():
    with pytest.warns(UserWarning, match=r"`func` is not finite for \d+ of 1000 samples"):
        result = propagate("log(x)", {"x": 1.0}, 0.25, method="monte-carlo", n_samples=1000)
    assert np.isfinite(tuple(result)).all()
    with (
        np.errstate(all="ignore"),
        pytest.warns(UserWarning, match="value is NaN|not finite for 1000"),
    ):
        lost = propagate("log(x)", {"x": -9.0}, 0.25, method="monte-carlo", n_samples=1000)
    assert np.isnan(lost.value)


def test_the_three_methods_agree_for_a_nearly_linear_quantity():
    p, cov = {"a": 100.0, "b": 50.0}, np.array([[0.5, 0.2], [0.2, 0.3]])
    results = [
        propagate("a/b", p, cov, method=m) for m in ("linear", "second-order", "monte-carlo")
    ]
    for result in results[1:]:
        assert result.value == pytest.approx(2.0, rel=1e-3)
        assert result.std == pytest.approx(results[0].std, rel=0.02)


def test_coverage_of_the_interval_of_a_ratio():
    rng = np.random.default_rng(11)
    truth, n = np.array([2.0, 40.0]), 400
    root = np.linalg.cholesky(COV)
    inside = 0
    for _ in range(n):
        p = truth + root @ rng.standard_normal(2)
        value, std = propagate(lambda a, b: a / b, p, COV)
        inside += abs(value - truth[0] / truth[1]) < std
    assert abs(inside - 0.6827 * n) / np.sqrt(n * 0.6827 * 0.3173) < 4


@given(
    st.lists(st.floats(-3, 3), min_size=6, max_size=6),
    st.lists(st.floats(-3, 3), min_size=9, max_size=9),
)
def test_linear_maps_are_exact(entries, root):
    A, L = np.reshape(entries, (2, 3)), np.reshape(root, (3, 3))
    cov = L @ L.T
    p = np.array([1.0, -2.0, 3.0])
    result = propagate(lambda v: [A[0] @ v, A[1] @ v], p, cov)
    np.testing.assert_allclose(result.value, A @ p, atol=1e-12)
    np.testing.assert_allclose(result.cov, A @ cov @ A.T, atol=1e-11)  # of terms up to 100


def test_units_do_not_matter():
    scale = np.array([1e-9, 1e12])
    p = np.array([2.0, 4.0])
    plain = propagate("a**2/b", dict(zip("ab", p, strict=True)), COV, method="second-order")
    scaled = propagate(
        "a**2/b",
        dict(zip("ab", p * scale, strict=True)),
        COV * np.outer(scale, scale),
        method="second-order",
    )
    factor = scale[0] ** 2 / scale[1]
    np.testing.assert_allclose(tuple(scaled), np.array(tuple(plain)) * factor, rtol=1e-12)


def test_a_vector_has_a_covariance():
    result = propagate(lambda a, b: (a + b, a - b, 2.0), LINE, COV)
    np.testing.assert_allclose(result.value, [2.0, -6.0, 2.0])
    np.testing.assert_allclose(
        result.cov, [[0.03, 0.03, 0.0], [0.03, 0.07, 0.0], [0.0, 0.0, 0.0]], atol=1e-15
    )
    assert str(result) == "2.00 ± 0.17, -6.00 ± 0.26, 2 ± 0"


def test_the_result_is_a_pair_that_prints_and_pickles():
    result = propagate("-a/b", LINE, COV)
    assert isinstance(result, tuple)
    assert len(result) == 2
    assert str(result) == "0.500 ± 0.045"
    again = pickle.loads(pickle.dumps(result))
    assert again == result
    assert again.cov == result.cov == pytest.approx(result.std**2, rel=ROUNDING)


def test_a_series_brings_its_names():
    series, frame = pd.Series(LINE), pd.DataFrame(COV, index=LINE, columns=LINE)
    assert propagate("-a/b", series, frame) == propagate("-a/b", LINE, COV)
    assert propagate("-a/b", list(LINE.values()), COV, names=["a", "b"]) == (
        propagate("-a/b", LINE, COV)
    )


def test_numbers_of_uncertainties_bring_their_covariance():
    a, b = uncertainties.correlated_values([-2.0, 4.0], COV)
    expected = propagate("-a/b", LINE, COV)
    for result in (
        propagate(lambda x, y: -x / y, [a, b]),
        propagate("-a/b", {"a": a, "b": b}),
    ):
        np.testing.assert_allclose(tuple(result), tuple(expected), rtol=1e-12)
    assert propagate("x + y", {"x": a, "y": 1.0}).std == pytest.approx(0.2, rel=ROUNDING)
    with pytest.raises(ValueError, match=r"`cov` must be left out .* Got both"):
        propagate("x", {"x": a}, [[1.0]])


@pytest.mark.parametrize("method", ["linear", "second-order", "monte-carlo"])
def test_undetermined_values_matter_only_where_they_occur(method):
    cov = np.array([[np.inf, np.nan], [np.nan, 0.01]])
    assert propagate("a + b", LINE, cov, method=method, n_samples=50).std == np.inf
    alone = propagate("2*b", LINE, cov, method=method)
    assert alone.std == pytest.approx(0.2, rel=0.05)  # samples scatter by 0.5 %
    both = propagate(lambda a, b: [a, b], LINE, cov, method=method, n_samples=50)
    assert both.std[0] == np.inf
    assert np.isfinite(both.std[1])
    assert np.isnan(both.cov[0, 1])


def test_unknown_errors_are_said_to_be():
    cov = np.array([[np.nan, np.nan], [np.nan, 0.01]])
    with pytest.warns(UserWarning, match="The std is NaN: `func` depends on a value whose error"):
        assert np.isnan(propagate("a + b", LINE, cov).std)
    assert propagate("b", LINE, cov).std == pytest.approx(0.1, rel=ROUNDING)
    with pytest.warns(UserWarning, match="The value is NaN: `func` is not defined"):
        propagate("log(a)", LINE, COV)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "exact"}, "`method` must be one of linear, second-order, monte-carlo. Got"),
        ({"cov": [0.04, 0.01]}, r"`cov` must be the covariance, of shape \(2, 2\).*np.diag"),
        ({"cov": None}, r"`cov` must be the \(2, 2\) covariance of the values. Got None"),
        ({"cov": [["x", 0], [0, 1]]}, "`cov` must hold numbers. Got"),
        ({"cov": [[1, 0.5], [0, 1]]}, "`cov` must be a symmetric covariance"),
        ({"cov": [[1, 0.5], [0.5, 0]]}, "`cov` must be a symmetric covariance"),
        ({"cov": [[1, 2], [2, 1]]}, "`cov` must be positive semi-definite. Got .* -1 of"),
        ({"cov": [[-1, 0], [0, 1]]}, "variances on its diagonal. Got -1 in row 0"),
        ({"values": [[1.0, 2.0]]}, "`values` must be a number or one-dimensional. Got shape"),
        ({"values": ["x", 2.0]}, "`values` must hold numbers. Got"),
        ({"func": "a/b", "values": [1.0, 2.0]}, "`names` must say which value is which"),
        ({"func": "a/c"}, "`func` must be a formula of 'a', 'b'. Got 'c' in 'a/c'"),
        ({"names": ["a"]}, "`names` must name all 2 values. Got 1"),
        ({"names": ["a", "a"], "func": "a"}, "`func` must not name what has its name"),
        ({"func": lambda a, c: a}, "`func` must name its arguments after parameters, all of them"),
        ({"func": lambda x, y, z: x}, "`func` must take the 2 values .*Got a function of 3"),
        ({"func": lambda p: np.eye(2)}, "`func` must return a real number, or a one-dimensional"),
        ({"func": lambda p: 1j}, "`func` must return a real number"),
        ({"method": "monte-carlo", "n_samples": 1}, "`n_samples` must be an integer of at least 2"),
    ],
)
def test_bad_input_is_refused(arguments, message):
    given = {"func": "a/b", "values": LINE, "cov": COV} | arguments
    func, values, cov = (given.pop(name) for name in ("func", "values", "cov"))
    with pytest.raises(ValueError, match=message):
        propagate(func, values, cov, **given)


def test_what_is_no_function_is_refused():
    with pytest.raises(TypeError, match=r"`func` must be a formula or a callable\. Got int"):
        propagate(3, LINE, COV)


def test_nothing_passed_in_is_modified():
    p, cov = np.array([-2.0, 4.0]), COV.copy()

    def spoils(v):
        v[0] = 0.0
        return v[1]

    propagate(spoils, p, cov)
    assert p.tolist() == [-2.0, 4.0]
    assert (cov == COV).all()


@pytest.mark.parametrize("func", [np.sqrt, np.cbrt, lambda a: np.sqrt(a) + 1.0])
def test_a_root_at_zero_has_no_finite_slope(func):
    with pytest.warns(UserWarning, match="no finite derivative"):
        assert np.isnan(propagate(func, 0.0, 0.01).std)


def test_a_branch_that_is_not_taken_does_not_spoil_the_slope():
    value, std = propagate(lambda a: np.where(a > 0.0, np.sqrt(np.abs(a)), a), -4.0, 0.01)
    assert (value, std) == pytest.approx((-4.0, 0.1))


@pytest.mark.parametrize("func", [lambda a: a**2, abs, "a**2", np.sinc])
def test_no_slope_is_no_certainty(func):
    with pytest.warns(UserWarning, match="std is zero since `func` has no slope"):
        assert propagate(func, {"a": 0.0}, 0.01).std == 0.0


@pytest.mark.parametrize("func", [lambda a, b: 5.0, lambda a, b: b, "a - a", "b/b"])
def test_a_constant_is_certain(func):
    assert propagate(func, {"a": 1.3, "b": 2.0}, np.diag([0.1, 0.0])).std == 0.0
