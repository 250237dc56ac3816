import numpy as np
import pytest

from sklsq.solvers import descent_rules
from sklsq.solvers.descent import Descent, Reached
from sklsq.solvers.nonlinear_problem import Minima, Tolerances
from sklsq.solvers.ordinary_descent import is_ordinary, ordinary_descent
from tests.solvers.curve_models import problem

X = np.linspace(0.0, 10.0, 60)
NOISE = 0.1 * np.random.default_rng(0).normal(size=60)
CASES = {
    "peak": ("a + b*exp(-((x - c)/d)**2)", "abcd", [0.5, 10.0, 4.5, 1.0], [1.0, 8.0, 5.0, 2.0]),
    "decay": ("a*exp(-b*x)", "ab", [3.0, 0.5], [1.0, 1.0]),
    "decay on a constant": ("a*exp(-b*x) + c", "abc", [3.0, 0.5, 1.0], [1.0, 1.0, 0.0]),
    "saturation": ("a*x/(b + x)", "ab", [3.0, 2.0], [1.0, 1.0]),
    "sine": ("a*sin(b*x + c)", "abc", [2.0, 1.5, 0.3], [1.0, 1.4, 0.0]),
    "line": ("a + b*x", "ab", [1.0, 2.0], [0.0, 0.0]),
}


def _case(name, **options):
    formula, names, truth, start = CASES[name]
    exact = problem(formula, names, X, 0.0 * X).evaluate(np.array([truth]), np.zeros(1, int))
    y = -exact[0] + NOISE
    return problem(formula, names, X, y, sigma=0.1, **options), np.array(start)


@pytest.mark.parametrize("name", CASES)
def test_reaches_the_minimum_of_the_general_descent(name):
    made, start = _case(name)
    assert is_ordinary(made)
    with np.errstate(all="ignore"):
        minimum = ordinary_descent(made, start, 0, 100, Tolerances())
        general = Descent(made, start, 0, 100, Tolerances()).run()
    assert isinstance(minimum, Minima)
    assert minimum.converged[0]
    assert abs(int(minimum.n_iter[0]) - int(general.n_iter[0])) <= 1
    np.testing.assert_allclose(minimum.params, general.params, rtol=1e-11)
    np.testing.assert_allclose(minimum.chi2, general.chi2, rtol=1e-13)
    np.testing.assert_allclose(
        minimum.R[0].T @ minimum.R[0], general.R[0].T @ general.R[0], rtol=1e-8
    )


def test_says_where_to_go_on_when_the_data_cannot_tell_parameters_apart():
    made = problem("a*exp(b + c*x)", "abc", X, 2.0 * np.exp(-X) + NOISE)
    end = ordinary_descent(made, np.array([1.0, 0.1, -0.5]), 0, 100, Tolerances())
    assert isinstance(end, Reached)


def test_an_exact_fit_is_left_to_the_general_descent():
    made = problem("a*exp(-b*x)", "ab", X, 3.0 * np.exp(-0.5 * X))
    end = ordinary_descent(made, np.array([1.0, 1.0]), 0, 100, Tolerances())
    assert isinstance(end, Reached)
    general = Descent(made, np.ones(2), 0, 100, Tolerances(), end).run()
    assert general.converged[0]
    assert general.n_iter[0] >= end.n_iter > 0
    np.testing.assert_allclose(general.params[0], [3.0, 0.5], rtol=1e-14)


def test_a_start_that_is_the_minimum_promises_nothing():
    x = np.array([-1.0, 1.0])
    made = problem("a*x", "a", x, np.array([1.0, 1.0]))
    end = ordinary_descent(made, np.zeros(1), 0, 100, Tolerances())
    assert isinstance(end, Reached)
    assert Descent(made, np.zeros(1), 0, 100, Tolerances(), end).run().converged[0]


def test_stops_at_the_largest_number_of_steps():
    made, start = _case("decay")
    end = ordinary_descent(made, start, 0, 3, Tolerances())
    assert isinstance(end, Reached)
    assert end.n_iter == 3
    stopped = Descent(made, start, 0, 3, Tolerances(), end).run()
    assert not stopped.converged[0]


def test_a_start_where_the_model_is_not_finite():
    made = problem("a*log(b*x + 1)", "ab", X, np.log(X + 1.0))
    with np.errstate(all="ignore"):
        end = ordinary_descent(made, np.array([1.0, -1.0]), 0, 100, Tolerances())
    assert isinstance(end, Reached)
    assert end.n_iter == 0


def test_derivatives_that_are_not_finite_send_it_back():
    y = np.sqrt(X) + NOISE
    made = problem("a*x**b + 0*log(b)", "ab", X[1:], y[1:])

    def rows(params, curve):
        residuals, J = made.linearise(np.array([params]), np.array([curve]))
        out = np.concatenate((J[0], residuals))
        out[1] = np.where(params[1] < 0.6, np.nan, out[1])  # a fault of the derivative alone
        return out

    faulty = type(made)(made.evaluate, made.linearise, 2, 59, single=rows)
    end = ordinary_descent(faulty, np.array([1.0, 1.0]), 0, 100, Tolerances())
    assert isinstance(end, Reached)
    assert end.params[1] >= 0.6


@pytest.mark.parametrize(
    "options", [{"loss": "huber"}, {"lower": np.zeros(2), "upper": np.full(2, np.inf)}], ids=str
)
def test_what_is_not_ordinary(options):
    assert not is_ordinary(_case("decay", **options)[0])


def test_rules_are_numbers_in_order():
    rules = descent_rules
    assert rules.EPS == np.finfo(float).eps
    assert rules.INVISIBLE < rules.AT_ROUNDING < rules.CLOSE < rules.SHRINKING < 1.0
    assert 0.0 < rules.ACCEPTABLE < 1.0
    assert rules.MANY_REJECTED < rules.MAX_REJECTED
