"""The factor holds everything of a problem, however its rows came in."""

import numpy as np
import pytest

from sklsq.solvers.extended import matmul
from sklsq.solvers.split_product import split_product
from sklsq.solvers.triangular import blockwise, factorise, guided, householder, merge
from tests.solvers.problems import random_problem, rows_of

WAYS = {"householder": householder, "guided": guided, "blockwise": blockwise, "any": factorise}
every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())


def assert_is_factor_of(factor, A, Y, rtol=1e-10):
    """Gram matrix, solution and sums of squares are those of the whitened rows."""
    np.testing.assert_allclose(factor.R, np.triu(factor.R), atol=0)
    gram = A.T @ A
    np.testing.assert_allclose(
        factor.R.T @ factor.R, gram, rtol=rtol, atol=rtol * np.abs(gram).max()
    )
    solution, *_ = np.linalg.lstsq(A, Y, rcond=None)
    found = factor.origin + np.linalg.solve(factor.R, factor.z)
    np.testing.assert_allclose(found, solution, rtol=rtol, atol=rtol * np.abs(solution).max())
    chi2 = np.sum((Y - A @ solution) ** 2, axis=0)
    np.testing.assert_allclose(factor.residual, chi2, rtol=rtol)
    assert factor.n_samples == len(A)


@every_way
@pytest.mark.parametrize("n", [60, 3000, 20_000])
@pytest.mark.parametrize("t", [1, 3, 40])
@pytest.mark.parametrize("errors_are", ["none", "scalar", "sigma", "weight"])
def test_every_way_leads_to_the_same(way, n, t, errors_are):
    A, Y, sigma = random_problem(n, 4, t)
    errors = {"none": 1.0, "scalar": 0.5}.get(errors_are, sigma)
    kind = "weight" if errors_are == "weight" else "sigma"
    root = np.sqrt(errors) if kind == "weight" else 1.0 / np.asarray(errors)
    root = np.reshape(root, (-1, 1))
    assert_is_factor_of(way(rows_of(A, Y, errors, kind)), root * A, root * Y)


@every_way
@pytest.mark.parametrize("condition", [1e3, 1e6])
def test_ill_conditioned_columns(way, condition):
    A, Y, sigma = random_problem(5000, 4)
    A[:, 3] = A[:, 0] + A[:, 3] / condition
    factor = way(rows_of(A, Y, sigma))
    values = np.linalg.svd(A / sigma[:, None], compute_uv=False)
    np.testing.assert_allclose(
        np.linalg.svd(factor.R, compute_uv=False), values, rtol=1e-14 * condition
    )


def test_guide_that_proves_nothing():
    A, Y, _ = random_problem(5000, 4)
    A[:, 3] = A[:, 0]
    assert guided(rows_of(A, Y)) is None or np.isfinite(guided(rows_of(A, Y)).R).all()
    A[:, 3] = 0.0
    assert guided(rows_of(A, Y)) is None
    factor = factorise(rows_of(A, Y))
    np.testing.assert_array_equal(factor.R[:, 3], 0.0)


def test_fewer_rows_than_columns():
    A, Y, _ = random_problem(3, 5)
    factor = householder(rows_of(A, Y))
    assert factor.R.shape == (5, 5)
    np.testing.assert_allclose(factor.R.T @ factor.R, A.T @ A, atol=1e-13)
    np.testing.assert_allclose(factor.R.T @ factor.z, A.T @ Y, atol=1e-13)
    np.testing.assert_array_equal(factor.residual, [0.0])


@pytest.mark.parametrize("cuts", [[25], [1, 2, 3], [10, 20, 30, 40]])
@pytest.mark.parametrize("way", [householder, factorise])
def test_merging_gives_the_whole(cuts, way):
    A, Y, sigma = random_problem(50, 4, 2)
    parts = [
        way(rows_of(*part))
        for part in zip(*(np.split(array, cuts) for array in (A, Y, sigma)), strict=True)
    ]
    total = parts[0]
    for part in parts[1:]:
        total = merge(total, part)
    assert_is_factor_of(total, A / sigma[:, None], Y / sigma[:, None])


def test_merging_is_associative_and_moves_origins():
    parts = [guided(rows_of(*random_problem(3000, 4, 2, seed=k))) for k in range(3)]
    a, b, c = parts
    assert not np.allclose(a.origin, b.origin)
    left, right = merge(merge(a, b), c), merge(a, merge(b, c))
    problems = [random_problem(3000, 4, 2, seed=k) for k in range(3)]
    A = np.vstack([A / s[:, None] for A, _, s in problems])
    Y = np.vstack([Y / s[:, None] for _, Y, s in problems])
    assert_is_factor_of(left, A, Y)
    assert_is_factor_of(right, A, Y)
    np.testing.assert_allclose(left.residual, right.residual, rtol=1e-13)


@every_way
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("where", ["A", "Y"])
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_numbers_that_are_not_finite(way, value, where):
    A, Y, sigma = random_problem(5000, 4)
    (A if where == "A" else Y)[123, 0] = value
    with pytest.raises(FloatingPointError, match="not finite"):
        way(rows_of(A, Y, sigma))


def test_rows_are_not_written_to():
    A, Y, sigma = random_problem(5000, 4)
    copies = [array.copy() for array in (A, Y, sigma)]
    for way in WAYS.values():
        way(rows_of(A, Y))
        way(rows_of(A, Y, sigma))
    for array, copy in zip((A, Y, sigma), copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_the_same_rows_give_the_same_factor():
    rows = rows_of(*random_problem(5000, 4))
    np.testing.assert_array_equal(guided(rows).R, guided(rows).R)


@pytest.mark.parametrize("condition", [1.0, 1e4, 1e8])
def test_split_product_keeps_what_cancellation_costs(condition):
    """A times the inverse of its triangle: terms are larger than sums by the condition."""
    A, _, _ = random_problem(300, 4)
    A[:, 3] = A[:, 0] + A[:, 3] / condition
    A *= [1.0, 1e5, 1e-7, 1.0]
    P = np.linalg.inv(np.linalg.qr(A, mode="r"))
    leading, rest = split_product(A, P)
    exact = matmul(A, P)
    size = np.abs(exact.hi).max()
    error = ((leading - exact.hi) + rest) - exact.lo
    assert np.abs(error).max() <= 1e-15 * size
    np.testing.assert_allclose(leading + rest, A @ P, atol=1e-15 * condition * 10 * size)
