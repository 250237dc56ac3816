import numpy as np
import pytest
from scipy.special import _ufuncs as special  # as without SCIPY_ARRAY_API, which conftest sets

from sklsq.models.dual import Dual, DualVector, derivative_rows, seeds
from sklsq.models.dual_rules import BINARY, UNARY

CENTRAL = 1e-8  # error of central differences here
STEP = 1e-6
_LOST = "dual number|Dual|sequence|no implementation|no matching|NotImplemented"
POINTS = {"arccosh": (1.3, 4.0), "j0": (0.3, 2.0)}
REAL = sorted(set(UNARY) - {"wofz", "conjugate", "absolute"})


def function(name):
    return getattr(special if hasattr(special, name) else np, name)


@pytest.mark.parametrize("name", [*REAL, "gammaln", "gamma", "j0", "i0", "absolute"])
def test_unary(name):
    f = function(name)
    u = np.array(POINTS.get(name, (0.2, 0.7)))
    (by_u,) = f(Dual(u, {0: 1.0})).slopes.values()
    numeric = (f(u + STEP) - f(u - STEP)) / (2 * STEP)
    np.testing.assert_allclose(by_u, numeric, rtol=CENTRAL)


@pytest.mark.parametrize("name", sorted(set(BINARY) - {"matmul"}))
@pytest.mark.parametrize(("u", "v"), [(1.7, 0.6), (0.4, 2.1)])
def test_binary(name, u, v):
    f = function(name)
    both = f(Dual(u, {0: 1.0}), Dual(v, {1: 1.0}))
    numeric = [
        (f(u + STEP, v) - f(u - STEP, v)) / (2 * STEP),
        (f(u, v + STEP) - f(u, v - STEP)) / (2 * STEP),
    ]
    found = [both.slopes.get(i, 0.0) for i in range(2)]
    np.testing.assert_allclose(found, numeric, rtol=CENTRAL, atol=CENTRAL)
    assert both.value == f(u, v)
    one = f(u, Dual(v, {1: 1.0}))
    np.testing.assert_allclose(one.slopes.get(1, 0.0), numeric[1], rtol=CENTRAL, atol=CENTRAL)


@pytest.mark.parametrize(
    "text",
    [
        "np.where(x > a, b*x, a*x**2)",
        "np.clip(a*x, 0.5, 1.5)",
        "np.clip(a*x, a_min=0.5, a_max=None)",
        "np.sinc(a*x) + b",
        "np.sum(np.array([1.0, 2.0])*a) * x + b",
        "(a*x + b).sum() + 0*x",
        "2**(a*x) - 1/b + (-a)*x - abs(-b)",
        "3.0 - a + 2*b/x",
        "a*np.ones_like(b*x) + np.zeros_like(a)",
        "x**a * a**x * b**2",
        "np.maximum(a*x, b) * np.floor(x*a)",
        "np.dot(np.stack([x, x**2], axis=1), np.ones(2)) * a + b",
        "(a*x)[::-1] + b",
    ],
)
def test_expressions(text):
    x = np.linspace(0.13, 2.1, 7)
    f = eval(f"lambda a, b: {text}", {"np": np, "x": x})
    result = f(*seeds([0.9, 1.4]))
    rows = np.empty((2, len(x)))
    derivative_rows(result, rows)
    np.testing.assert_array_equal(result.value, f(np.float64(0.9), np.float64(1.4)))
    numeric = [
        (f(0.9 + STEP, 1.4) - f(0.9 - STEP, 1.4)) / (2 * STEP),
        (f(0.9, 1.4 + STEP) - f(0.9, 1.4 - STEP)) / (2 * STEP),
    ]
    np.testing.assert_allclose(rows, numeric, rtol=1e-7, atol=1e-8)


def test_power_of_zero():
    x = np.array([0.0, 1.0])
    (a,) = seeds([2.0])
    assert (x**a).slopes[0].tolist() == [0.0, 0.0]


def test_comparisons_are_plain():
    (a,) = seeds([2.0])
    assert (a > 1) is np.True_
    assert bool(np.isfinite(a))
    assert np.sign(a) == 1.0


@pytest.mark.parametrize(
    "use",
    [
        float,
        int,
        np.asarray,
        lambda a: np.array([a, a]),
        lambda a: np.add.reduce(a),
        lambda a: np.zeros(2).__setitem__(0, a),
        lambda a: np.interp(a, [0, 1], [0, 1]),
        lambda a: special.jv(2, a),
    ],
)
def test_what_would_lose_derivatives_is_refused(use):
    with pytest.raises((TypeError, ValueError), match=_LOST):
        use(Dual(0.5, {0: 1.0}))


def test_vector():
    p = DualVector(np.array([1.0, 2.0, 3.0]), dict(enumerate(np.eye(3))))
    first, *rest = p
    assert first.slopes == {0: 1.0}
    assert p[-1].slopes == {2: 1.0}
    assert len(rest) == 2
    weights = np.array([[1.0, 10.0]])
    product = weights @ p[1:]
    assert product.value.tolist() == [32.0]
    assert [float(product.slopes[i][0]) for i in range(3)] == [0.0, 1.0, 10.0]
    assert p.shape == (3,)
    assert (p.ndim, p.size) == (1, 3)


def test_dependence_is_sparse():
    a, b = seeds([1.0, 2.0])
    x = np.ones(4)
    assert set((a * x + b).slopes) == {0, 1}
    assert (a * x + b).slopes[1] == 1.0  # a number as long as it does not depend on x
    rows = np.empty((2, 4))
    derivative_rows(x, rows)
    assert not rows.any()
