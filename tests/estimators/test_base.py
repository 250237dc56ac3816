"""Plain float64 arrays take a short cut; its outcome is that of scikit-learn's validation."""

import numpy as np
import pandas as pd
import pytest

from sklsq import DesignMatrixRegressor, WeightedLinearFit
from sklsq.basis import Polynomial
from sklsq.estimators._affine import AffineRegressor
from sklsq.estimators._base import LeastSquaresRegressor, _all_finite, is_plain

ESTIMATORS = [WeightedLinearFit(), DesignMatrixRegressor(), DesignMatrixRegressor(Polynomial(2))]
every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS, ids=str)
PUBLISHED = ("params_", "params_cov_", "chi2_", "dof_", "p_value_", "n_features_in_", "rank_")
CONTAINERS = {
    "lists": lambda array: array.tolist(),
    "object": lambda array: array.astype(object),
    "fortran": lambda array: np.asfortranarray(array),
    "strided": lambda array: np.repeat(array, 2, axis=0)[::2],
    "subclass": lambda array: array.view(type("Own", (np.ndarray,), {})),
    "big endian": lambda array: array.astype(">f8"),
    "long double": lambda array: array.astype(np.longdouble),
    "pandas": lambda array: (pd.DataFrame if array.ndim == 2 else pd.Series)(array),
}


def data(n=30, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 2)), rng.normal(size=n), rng.uniform(0.5, 2.0, n)


@pytest.mark.parametrize("n", [30, 15_000])
@pytest.mark.parametrize("convert", CONTAINERS.values(), ids=CONTAINERS.keys())
@every_estimator
def test_every_container_is_the_plain_array(estimator, convert, n):
    X, y, sigma = data(n)
    estimator.fit(X, y, sigma=sigma)
    expected = {name: getattr(estimator, name) for name in PUBLISHED}
    points, std = estimator.predict(X, return_std=True)
    frame = convert(X)
    if isinstance(frame, pd.DataFrame):
        frame.columns = ["a", "b"]
    estimator.fit(frame, convert(y), sigma=convert(sigma))
    for name, value in expected.items():
        np.testing.assert_allclose(getattr(estimator, name), value, rtol=1e-11, err_msg=name)
    np.testing.assert_allclose(estimator.predict(frame), points, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(estimator.predict(frame, return_std=True)[1], std, rtol=1e-10)


@pytest.mark.parametrize(
    ("array", "ndim", "plain"),
    [
        (np.ones(3), 1, True),
        (np.ones((3, 1)), 2, True),
        (np.ones((3, 1)), 1, False),
        (np.ones(3, dtype=np.float32), 1, False),
        (np.ma.ones(3), 1, False),
        ([1.0, 2.0], 1, False),
        (None, 1, False),
    ],
    ids=str,
)
def test_is_plain(array, ndim, plain):
    assert is_plain(array, ndim) is plain


@every_estimator
def test_family(estimator):
    assert isinstance(estimator, AffineRegressor)
    assert isinstance(estimator, LeastSquaresRegressor)
    assert estimator.__sklearn_tags__().target_tags.multi_output


@every_estimator
@pytest.mark.parametrize("plain", [True, False], ids=["plain", "lists"])
@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.ones((3, 2)), np.ones(2), "inconsistent numbers of samples"),
        (np.ones((0, 2)), np.ones(0), r"0 sample\(s\)"),
        (np.ones((3, 0)), np.ones(3), r"0 feature\(s\)"),
        (np.ones(3), np.ones(3), "Expected 2D array, got 1D array"),
        (np.ones((2, 2, 2)), np.ones(2), "dim 3"),
        (np.ones((3, 2)), np.ones((3, 1, 1)), "dim 3|1d array|2d array"),
    ],
    ids=["lengths", "no rows", "no columns", "flat", "cube", "deep y"],
)
def test_errors_are_those_of_scikit_learn(estimator, plain, X, y, message):
    if not plain:
        X, y = X.astype(object), y.tolist()
    with pytest.raises(ValueError, match=message):
        estimator.fit(X, y)


@pytest.mark.parametrize("n", [3, 20_000])
@pytest.mark.parametrize(
    ("value", "expected"),
    [(1.0, True), (1e154, True), (1e300, True), (np.nan, False), (np.inf, False), (-np.inf, False)],
)
def test_finite_or_not(n, value, expected):
    values = np.full(n, value if expected else 1.0)
    values[n // 2] = value
    assert _all_finite(values) is expected
    assert _all_finite(np.stack([values, values], axis=1)[:, :1]) is expected  # not contiguous
