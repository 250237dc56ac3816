import pickle

import numpy as np
import pytest

from sklsq.models import FormulaModel, formula_model
from sklsq.models.model import BLOCK_POINTS
from tests.models.written import PROBLEMS, as_formula, points

PEAK = "a + b*exp(-((x - c)/d)**2)"
ROUNDING = 1e-14  # the same operations on numbers and on columns


@pytest.mark.parametrize("case", PROBLEMS, ids=str)
def test_nist_values(case):
    model = as_formula(case)
    expected = [case.predict(p) for p in points(case)]
    np.testing.assert_allclose(model.evaluate(case.X, points(case)), expected, rtol=1e-13)


@pytest.mark.parametrize("case", PROBLEMS, ids=str)
def test_nist_derivatives_by_duals_are_the_same(case, monkeypatch):
    values, derivatives = as_formula(case).linearise(case.X, points(case))
    monkeypatch.setattr(FormulaModel, "derivatives", None)
    model = as_formula(case)
    same_values, same = model.linearise(case.X, points(case))
    np.testing.assert_array_equal(values, same_values)
    size = np.abs(derivatives).max(axis=2, keepdims=True)
    np.testing.assert_allclose(same / size, derivatives / size, atol=1e-13)


@pytest.mark.parametrize("n_problems", [1, 3])
def test_blocks_do_not_change_the_values(n_problems):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2 * BLOCK_POINTS + 5, 1))
    params = rng.uniform(0.5, 1.5, size=(n_problems, 4))
    model = FormulaModel(PEAK)
    values, derivatives = model.linearise(X, params)
    part = [0, BLOCK_POINTS, len(X) - 1]
    few, few_derivatives = model.linearise(X[part], params)
    np.testing.assert_allclose(values[:, part], few, rtol=ROUNDING)
    np.testing.assert_allclose(derivatives[:, :, part], few_derivatives, rtol=ROUNDING)
    np.testing.assert_array_equal(values, model.evaluate(X, params))


def test_many_problems_equal_single_ones():
    rng = np.random.default_rng(1)
    X, params = rng.normal(size=(30, 1)), rng.uniform(0.5, 1.5, size=(300, 4))
    model = FormulaModel(PEAK)
    singles = [model.linearise(X, row[None]) for row in params]
    values, derivatives = model.linearise(X, params)
    np.testing.assert_allclose(values, [single[0][0] for single in singles], rtol=ROUNDING)
    expected = np.array([single[1][0] for single in singles])
    np.testing.assert_allclose(derivatives, expected, rtol=1e-12, atol=1e-15)


def test_inputs_are_not_modified_and_infinities_do_not_warn():
    X, params = np.array([[0.0], [1.0]]), np.array([[-1e308, 1e308], [0.0, 1.0]])
    copies = X.copy(), params.copy()
    values, _ = FormulaModel("a*exp(b/x)").linearise(X, params)
    assert not np.isfinite(values).all()
    np.testing.assert_array_equal(X, copies[0])
    np.testing.assert_array_equal(params, copies[1])


def test_constant_terms_fill_the_rows():
    values, derivatives = FormulaModel("c").linearise(np.zeros((3, 1)), np.array([[2.0]]))
    assert values.tolist() == [[2, 2, 2]]
    assert derivatives.tolist() == [[[1, 1, 1]]]


def test_parameters_are_those_that_are_no_feature_in_order_of_appearance():
    model = FormulaModel("b*exp(-pi*t/tau) + a", ["y", "t"])
    assert model.parameter_names == ("b", "tau", "a")
    assert model.n_features == 2
    values = model.evaluate(np.array([[9.0, 0.0]]), np.array([[2.0, 1.0, 3.0]]))
    assert values.tolist() == [[5.0]]


def test_order_of_parameters_can_be_chosen():
    model = FormulaModel("a + b*x", ["x"], ["b", "a"])
    assert model.evaluate(np.array([[1.0]]), np.array([[10.0, 1.0]])).tolist() == [[11.0]]
    with pytest.raises(ValueError, match=r"`parameters` must be those of 'a \+ b\*x'"):
        FormulaModel("a + b*x", ["x"], ["b"])


def test_pickle_and_equality():
    model = FormulaModel(PEAK)
    model.linearise(np.zeros((2, 1)), np.ones((1, 4)))  # compiles
    copy = pickle.loads(pickle.dumps(model))
    assert copy == model
    assert hash(copy) == hash(model)
    assert copy != FormulaModel(PEAK, ["c"])
    np.testing.assert_array_equal(
        copy.evaluate(np.ones((2, 1)), np.ones((1, 4))),
        model.evaluate(np.ones((2, 1)), np.ones((1, 4))),
    )


@pytest.mark.parametrize(
    ("source", "n_features", "names", "parameters"),
    [
        ("a*x", 1, None, ("a",)),
        ("a*x0", 1, None, ("a",)),
        ("a/(1 + exp(-(x - x0)/k))", 1, None, ("a", "x0", "k")),
        ("a*x0 + b*x2", 3, None, ("a", "b")),
        ("a*time + x", 1, ["time"], ("a", "x")),
        ("a*x1", 2, ["x0", "x1"], ("a",)),
    ],
)
def test_unnamed_features(source, n_features, names, parameters):
    assert formula_model(source, n_features, names).parameter_names == parameters


@pytest.mark.parametrize(
    ("source", "n_features", "names", "message"),
    [
        ("a*x", 2, None, r"must use the features of X, x0, x1\. Got x "),
        ("a*x2", 2, None, "Got x2 in 'a"),
        ("a*x1", 1, None, "features of X, x. Got x1"),
        ("a*x + x0 + x1", 1, None, "features of X, x. Got x1"),
        ("a*x + x0", 2, None, r"features of X, x0, x1\. Got x "),
        ("a*t + b", 1, None, "must use a feature"),
        ("a*x + b", 1, ["time"], "must use a feature"),
        ("2*x", 1, None, "must have parameters"),
        ("().__class__", 1, None, "must be a formula"),
        ("__import__('os')", 1, None, "`expression` must be"),
        ("a*x" * 10_000, 1, None, "characters long"),
        ("[x for x in a]", 1, None, "comprehension"),
        ("a**9**9**9**9*x", 1, None, "finite constants"),
    ],
)
def test_refused(source, n_features, names, message):
    with pytest.raises(ValueError, match=message):
        formula_model(source, n_features, names)
