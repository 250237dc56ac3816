"""Whitened residuals and derivatives as the engine sees them."""

import numpy as np
import pytest

from sklsq.estimators._curves import Curves, whitened_curves
from sklsq.estimators._parameter_space import parameter_space
from sklsq.models import formula_model
from sklsq.noise import Noise, check_noise

MODEL = formula_model("a*exp(-b*x) + c", 1)
X = np.linspace(0.0, 3.0, 12)[:, None]
PARAMS = np.array([[2.0, 1.0, 0.5], [1.0, 0.3, -1.0]])


def curves(weight=None, cholesky=None, **given):
    space = parameter_space(
        MODEL.parameter_names,
        **{"bounds": None, "fixed": None, "tied": None, "priors": None, **given},
    )
    Y = np.random.default_rng(0).normal(size=(2, 12))
    weight = np.ones((1, 1)) if weight is None else weight
    return Curves(
        MODEL, space, X, Y, weight, False, cholesky, np.ones(len(space.priors), dtype=bool)
    )


def test_residuals():
    weight = np.random.default_rng(1).uniform(1.0, 3.0, (2, 12))
    found = curves(weight).residuals(PARAMS, np.array([1, 0]))
    data = curves().Y[[1, 0]]
    expected = (data - MODEL.evaluate(X, PARAMS)) * weight[[1, 0]]
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"fixed": {"b": 0.7}},
        {"tied": {"c": "a*b"}},
        {"priors": {"b": (1.0, 0.2), "c": (0.0, 3.0)}},
        {"tied": {"c": "a*b"}, "priors": {"c": (0.0, 3.0)}},
    ],
    ids=str,
)
def test_derivatives(given):
    """They are those of the model: the negative ones of the residuals, priors included."""
    some = curves(**given)
    k, which = len(some.space.free), np.array([0, 1])
    free = PARAMS[:, :k]
    residuals, J = some.linearise(free, which)
    np.testing.assert_allclose(residuals, some.residuals(free, which))
    assert J.shape == (2, k, 12 + len(given.get("priors", {})))
    for j in range(k):
        step = 1e-6 * np.eye(k)[j]
        slope = some.residuals(free + step, which) - some.residuals(free - step, which)
        np.testing.assert_allclose(J[:, j], -slope / 2e-6, rtol=1e-6, atol=1e-8)


def test_missing_points_do_not_count_even_where_the_model_is_not_finite():
    weight = np.ones((2, 12))
    weight[1, 4] = 0.0
    Y = curves().Y.copy()
    some = curves(weight)
    with np.errstate(invalid="ignore"):
        residuals, J = some.linearise(np.array([[1.0, -np.inf, 0.0]] * 2), np.array([0, 1]))
    assert residuals[1, 4] == 0.0
    assert not J[1, :, 4].any()
    np.testing.assert_array_equal(some.Y, Y)


def test_covariance():
    rng = np.random.default_rng(2)
    A = rng.normal(size=(12, 12))
    V = A @ A.T + np.eye(12)
    some = curves(cholesky=np.linalg.cholesky(V))
    residuals, J = some.linearise(PARAMS, np.array([0, 1]))
    plain, J_plain = curves().linearise(PARAMS, np.array([0, 1]))
    inverse = np.linalg.inv(V)
    for b in range(2):
        np.testing.assert_allclose(J[b] @ residuals[b], J_plain[b] @ inverse @ plain[b])
        np.testing.assert_allclose(J[b] @ J[b].T, J_plain[b] @ inverse @ J_plain[b].T)
    lost = some.residuals(np.array([[np.nan, 1.0, 1.0]]), np.array([0]))
    assert np.isnan(lost).all()


@pytest.mark.parametrize(
    "rows", [slice(0, 5), slice(5, 14), slice(0, 14, 3), slice(12, 14)], ids=str
)
def test_part_of_the_rows(rows):
    weight = np.random.default_rng(3).uniform(1.0, 2.0, (2, 12))
    some = curves(weight, priors={"b": (1.0, 0.2), "c": (0.0, 3.0)})
    problem = some.problem("linear", 1.0)
    which = np.array([0, 1])
    part = some.part(rows).problem("linear", 1.0)
    whole, J = problem.linearise(PARAMS, which)
    found, J_found = part.linearise(PARAMS, which)
    assert part.n_rows == found.shape[1]
    np.testing.assert_allclose(found, whole[:, rows])
    np.testing.assert_allclose(J_found, J[:, :, rows])


def test_a_covariance_is_not_parted():
    assert curves(cholesky=np.eye(12)).problem("linear", 1.0).take is None


def test_missing_points_and_zero_weights_are_not_counted():
    Y = np.ones((12, 2))
    missing = np.zeros((12, 2), dtype=bool)
    missing[3:5, 1] = True
    weight = np.full((12, 2), 4.0)
    weight[0, 0] = 0.0
    noise = check_noise(None, weight, 12, 2)
    found, counts = whitened_curves(MODEL, curves().space, X, Y, noise, missing)
    np.testing.assert_array_equal(counts, [11, 10])
    np.testing.assert_array_equal(np.unique(found.weight), [0.0, 2.0])
    assert not found.weight[1, 3:5].any()
    common, counts = whitened_curves(
        MODEL, curves().space, X, Y, check_noise(0.5, None, 12, 2), None
    )
    np.testing.assert_array_equal(counts, [12, 12])
    np.testing.assert_array_equal(common.weight, [[2.0]])


def test_sigma_of_very_many_rows_is_inverted_block_by_block():
    n = 20_000
    rng = np.random.default_rng(5)
    x, sigma = np.linspace(0.0, 3.0, n)[:, None], rng.uniform(0.1, 0.3, n)
    y = (2.0 * np.exp(-x[:, 0]) + 0.5 + sigma * rng.normal(size=n))[:, None]
    space = parameter_space(MODEL.parameter_names, bounds=None, fixed=None, tied=None, priors=None)
    kept, _ = whitened_curves(MODEL, space, x, y, Noise(True, sigma), None)
    plain, _ = whitened_curves(MODEL, space, x, y, Noise(True, 1 / sigma**2, "weight"), None)
    assert kept.is_sigma
    assert not plain.is_sigma
    assert np.shares_memory(kept.root, sigma)
    assert not kept.part(slice(0, n, 7)).is_sigma
    where = np.array([0])
    for some, other in ((kept, plain), (kept.part(slice(5, 900)), plain.part(slice(5, 900)))):
        for found, expected in zip(
            some.linearise(PARAMS[:1], where), other.linearise(PARAMS[:1], where), strict=True
        ):
            np.testing.assert_allclose(found, expected, rtol=1e-13)
        rows = some.problem("linear", 1.0).rows(PARAMS[0], 0)
        np.testing.assert_allclose(
            rows, other.problem("linear", 1.0).rows(PARAMS[0], 0), rtol=1e-13
        )
        assert some.scatter(0) == pytest.approx(other.scatter(0), rel=1e-12)
        mean = np.average(some.Y[0], weights=other.weight[0] ** 2)
        expected = np.sum((some.Y[0] - mean) ** 2 * other.weight[0] ** 2)
        assert some.scatter(0) == pytest.approx(expected, rel=1e-10)
