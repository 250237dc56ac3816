"""Free, fixed and tied parameters: what the vector of all is, and its derivative."""

import numpy as np
import pytest

from sklsq.estimators._parameter_space import parameter_space

NAMES = ["a", "b", "c", "d"]
NOTHING = {"bounds": None, "fixed": None, "tied": None, "priors": None}


def space(**given):
    return parameter_space(NAMES, **{**NOTHING, **given})


def test_all_free():
    every = space()
    free = np.arange(8.0).reshape(2, 4)
    np.testing.assert_array_equal(every.expand(free), free)
    np.testing.assert_array_equal(every.derivative(free), np.stack([np.eye(4)] * 2))
    np.testing.assert_array_equal(every.box, [[-np.inf] * 4, [np.inf] * 4])


def test_fixed():
    some = space(fixed={"b": 7})
    np.testing.assert_array_equal(some.free, [0, 2, 3])
    np.testing.assert_array_equal(some.expand(np.array([[1.0, 2.0, 3.0]])), [[1, 7, 2, 3]])


@pytest.mark.parametrize("tied", [{"b": "a*c", "d": "exp(b) + a"}, {"d": "exp(b) + a", "b": "a*c"}])
def test_derivative_of_chained_ties(tied):
    some = space(tied=tied)
    free = np.array([[0.3, 0.7], [1.1, -0.4]])
    params = some.expand(free)
    np.testing.assert_allclose(params[:, 1], free.prod(axis=1))
    np.testing.assert_allclose(params[:, 3], np.exp(params[:, 1]) + free[:, 0])
    D = some.derivative(params)
    for j in range(2):
        step = 1e-6 * np.eye(2)[j]
        slope = (some.expand(free + step) - some.expand(free - step)) / 2e-6
        np.testing.assert_allclose(D[:, :, j], slope, rtol=1e-8, atol=1e-10)


def test_reduced_derivatives():
    rng = np.random.default_rng(0)
    J, free = rng.normal(size=(2, 4, 5)), rng.normal(size=(2, 3))
    for some in (space(fixed={"c": 1.0}), space(tied={"c": "2*a - b*d"})):
        params = some.expand(free)
        expected = np.einsum("bmk,bmn->bkn", some.derivative(params), J)
        np.testing.assert_allclose(some.reduce(J, params), expected)


def test_tied_to_a_number():
    np.testing.assert_array_equal(space(tied={"b": "2"}).expand(np.ones((1, 3))), [[1, 2, 1, 1]])


def test_bounds():
    for bounds in (
        {"a": (0, 1), "c": (None, 5.0), "d": [2, np.inf]},
        ([0, -np.inf, -np.inf, 2], [1, np.inf, 5, np.inf]),
    ):
        lower, upper = space(bounds=bounds).box
        np.testing.assert_array_equal(lower, [0, -np.inf, -np.inf, 2])
        np.testing.assert_array_equal(upper, [1, np.inf, 5, np.inf])
    np.testing.assert_array_equal(space(bounds=(0, 1)).box[1], np.ones(4))


def test_priors():
    index, mean, std = space(priors={"c": (1, 0.1), "a": [2.0, 3]}).prior_rows
    np.testing.assert_array_equal(index, [2, 0])
    np.testing.assert_array_equal(mean, [1.0, 2.0])
    np.testing.assert_array_equal(std, [0.1, 3.0])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"fixed": [1, 2]}, "`fixed` must be a dict by parameter name. Got list"),
        ({"fixed": {"z": 1}}, "`fixed` must name parameters of the model: a, b, c, d. Got 'z'"),
        ({"fixed": {"a": "one"}}, "`fixed` of 'a' must be a finite number. Got 'one'"),
        ({"fixed": {"a": np.nan}}, "`fixed` of 'a' must be a finite number"),
        ({"tied": {"a": "a + 1"}}, "`tied` of 'a' must be a formula of other parameters"),
        ({"tied": {"a": "2*x"}}, "which uses 'x'"),
        ({"tied": {"a": "b", "b": "c", "c": "a"}}, "must not go round in a circle"),
        ({"tied": {"a": "b"}, "fixed": {"a": 1}}, "must not both name a parameter. Got 'a'"),
        ({"tied": {"a": "b"}, "bounds": {"a": (0, 1)}}, "`bounds` must not name tied parameters"),
        ({"tied": {"a": "__import__('os')"}}, "__import__"),
        ({"bounds": {"a": (1, 1)}}, "must have lower < upper"),
        ({"bounds": {"a": (np.nan, 1)}}, "must have lower < upper"),
        ({"bounds": {"a": 1}}, "must be \\(lower, upper\\)"),
        ({"bounds": ([0, 0], [1, 1])}, "`bounds`"),
        ({"bounds": [(0, 1)] * 3}, "a pair \\(lower, upper\\). Got 3"),
        ({"priors": {"a": 3.0}}, "must be \\(mean, standard deviation\\)"),
        ({"priors": {"a": (3.0, 0.0)}}, "must have a positive standard deviation. Got 0"),
        ({"priors": {"a": (np.inf, 1.0)}}, "`priors` of 'a' must be a finite number"),
        (
            {"fixed": {"a": 5.0}, "bounds": {"a": (0, 1)}},
            "`fixed` of 'a' must lie within its `bounds`, 0 to 1. Got 5",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_refused(given, message):
    with pytest.raises(ValueError, match=message):
        space(**given)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("2*", "`tied` of 'b' must be a formula of names, numbers"),
        (2, "`tied` of 'b' must be a formula of other parameters. Got 2. Write it in quotes"),
    ],
)
def test_a_tie_that_is_no_formula(formula, message):
    with pytest.raises(ValueError, match=message):
        parameter_space("ab", bounds=None, fixed=None, tied={"b": formula}, priors=None)
