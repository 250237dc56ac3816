import numpy as np
import pytest

from sklsq.estimators import _products
from sklsq.estimators._curves import Curves
from sklsq.estimators._parameter_space import parameter_space
from sklsq.estimators._products import Products
from sklsq.models import FunctionModel, formula_model

ROUNDING = 1e-12  # of sums over the points, in units of the lengths of the rows
PEAK = formula_model("a + b*exp(-((x - c)/d)**2)", 1)
N, T = 30, 50
X = np.linspace(0.0, 10.0, N)[:, None]
PARAMS = np.random.default_rng(0).uniform([0.5, 2.0, 4.0, 0.8], [1.5, 5.0, 6.0, 1.6], (T, 4))
CURVES = np.random.default_rng(0).permutation(T)
MISSING = np.random.default_rng(3).uniform(size=(T, N)) < 0.2
WEIGHTS = {
    "one": np.array([[10.0]]),
    "of points": np.random.default_rng(2).uniform(3.0, 10.0, (1, N)),
    "of all": np.asfortranarray(np.random.default_rng(2).uniform(3.0, 10.0, (T, N))),
    "some missing": np.where(MISSING, 0.0, 7.0),
    "huge": np.array([[1e120]]),
    "tiny": np.array([[1e-120]]),
}


def curves_of(model=PEAK, weight=WEIGHTS["one"], X=X, **given):
    options = {"bounds": None, "fixed": None, "tied": None, "priors": None, **given}
    space = parameter_space(model.parameter_names, **options)
    Y = np.random.default_rng(1).normal(size=(T, len(X)))
    if weight.shape == (T, N):
        Y[weight == 0.0] = 0.0
    return Curves(model, space, X, Y, weight, False, None, np.zeros(0, dtype=bool))


def assert_products(curves, params, numbers=CURVES):
    residuals, J = curves.linearise(params, numbers)
    rows = np.concatenate((J, residuals[:, None]), axis=1)
    lengths = np.sqrt(np.einsum("bin,bin->bi", rows, rows))
    found = Products(curves)(params, numbers)
    with np.errstate(invalid="ignore"):
        found = found / lengths[:, :, None] / lengths[:, None]
        rows = rows / lengths[:, :, None]
    np.testing.assert_allclose(found, rows @ rows.swapaxes(1, 2), atol=ROUNDING)


@pytest.fixture(params=[1, 150, 10**6], ids="tiles of {} points".format)
def tiles(request, monkeypatch):
    monkeypatch.setattr(_products, "_TILE", request.param)
    monkeypatch.setattr(_products, "_HELD", request.param)


@pytest.mark.usefixtures("tiles")
@pytest.mark.parametrize("weight", WEIGHTS.values(), ids=WEIGHTS)
def test_products_are_those_of_the_rows(weight):
    assert_products(curves_of(weight=weight), PARAMS)


@pytest.mark.usefixtures("tiles")
@pytest.mark.parametrize("weight", WEIGHTS.values(), ids=WEIGHTS)
def test_curves_at_one_point(weight):
    assert_products(curves_of(weight=weight), np.tile(PARAMS[0], (T, 1)))


@pytest.mark.parametrize("together", [False, True])
def test_fixed_parameters(together):
    params = PARAMS[:, [0, 1, 3]]
    params = np.tile(params[0], (T, 1)) if together else params
    assert_products(curves_of(weight=WEIGHTS["of all"], fixed={"c": 5.0}), params)


@pytest.mark.parametrize("weight", WEIGHTS.values(), ids=WEIGHTS)
@pytest.mark.parametrize("together", [False, True])
def test_functions_that_are_no_formula(weight, together):
    def model(x, a, b):
        return np.where(np.asarray(x) < 5.0, a, b) * x

    params = PARAMS[:, :2]
    params = np.tile(params[0], (T, 1)) if together else params
    assert_products(curves_of(FunctionModel(model, ["a", "b"]), weight), params)


def test_functions_of_scipy():
    """They are NumPy's ufuncs unless scipy has been told to take arrays of other libraries."""
    assert_products(curves_of(formula_model("a + b*erf((x - c)/d)", 1)), PARAMS)


def test_many_parameters():
    text = " + ".join(f"a{j}*exp(-((x - {j})/b{j})**2)" for j in range(7))
    model = formula_model(text, 1)
    params = np.random.default_rng(5).uniform(0.5, 2.0, (T, 14))
    assert_products(curves_of(model, WEIGHTS["of all"]), params)


@pytest.mark.parametrize("far", [1.0, 400.0])
def test_factors_beyond_the_range_of_a_double(far):
    """a*exp(-b*x) is of ordinary size where its two parts are not."""
    X = far + np.linspace(0.0, 1.0, N)[:, None]
    params = np.column_stack([np.exp(PARAMS[:, 0] + 0.9 * far), np.full(T, 0.9)])
    params[:, 1] += 1e-3 * np.arange(T) / far
    curves = curves_of(formula_model("a*exp(-b*x)", 1), WEIGHTS["of all"], X)
    assert_products(curves, params)


def test_a_parameter_that_moves_nothing():
    params = PARAMS.copy()
    params[::3, 2] = 1e4  # the peak is far away
    curves = curves_of(weight=WEIGHTS["some missing"])
    found = Products(curves)(params, CURVES)
    assert not found[::3, 1:4, 1:4].any()
    others = np.arange(T) % 3 != 0
    np.testing.assert_allclose(
        found[others], Products(curves)(PARAMS, CURVES)[others], rtol=ROUNDING
    )


@pytest.mark.parametrize("together", [False, True])
def test_what_is_not_finite_does_not_spread(together):
    params = PARAMS.copy()
    params[::5, 3] = 0.0
    with np.errstate(all="ignore"):
        found = Products(curves_of())(params[:1].repeat(T, 0) if together else params, CURVES)
    lost = np.ones(T, dtype=bool) if together else np.arange(T) % 5 == 0
    np.testing.assert_array_equal(np.isfinite(found).all(axis=(1, 2)), ~lost)


def test_missing_points_do_not_count_even_where_the_model_is_not_finite():
    model = formula_model("a*log(x) + b/x", 1)
    weight = np.full((T, N), 2.0)
    weight[:, 0] = 0.0  # x = 0
    curves = curves_of(model, weight)
    params = PARAMS[:, :2]
    with np.errstate(all="ignore"):
        for some in (params, params[:1].repeat(T, 0)):
            residuals, J = curves.linearise(some, CURVES)
            rows = np.concatenate((J, residuals[:, None]), axis=1)
            np.testing.assert_allclose(
                Products(curves)(some, CURVES), rows @ rows.swapaxes(1, 2), rtol=1e-9
            )
