"""What must not depend on units, on the order of the rows, or on where zero is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sklsq import DesignMatrixRegressor, WeightedLinearFit
from sklsq.basis import Polynomial

ROUNDING = 1e-9


def data(n=20, p=1, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.uniform(0.5, 4.0, (n, p))
    return X, 1.0 + X.sum(axis=1) + rng.normal(size=n), rng.uniform(0.5, 2.0, n)


ESTIMATORS = {
    "line": (WeightedLinearFit(), 1),
    "plane": (WeightedLinearFit(), 3),
    "origin": (WeightedLinearFit(fit_intercept=False), 2),
    "relative": (WeightedLinearFit(absolute_sigma=False), 1),
    "matrix": (DesignMatrixRegressor(), 3),
    "polynomial": (DesignMatrixRegressor(Polynomial(3)), 1),
    "surface": (DesignMatrixRegressor(Polynomial(2)), 2),
    "legendre": (DesignMatrixRegressor(Polynomial(3, "legendre")), 1),
    "terms": (DesignMatrixRegressor(["1", "x", "sqrt(x)"]), 1),
}
every_estimator = pytest.mark.parametrize(
    ("estimator", "p"), ESTIMATORS.values(), ids=ESTIMATORS.keys()
)
NAMES = ("params_", "params_std_", "chi2_", "reduced_chi2_", "p_value_", "dof_")


def results(estimator, X, y, sigma):
    estimator.fit(X, y, sigma=sigma)
    return {name: np.asarray(getattr(estimator, name)) for name in NAMES}


def assert_equal(found, expected, names=NAMES, rtol=ROUNDING):
    for name in names:
        scale = np.abs(expected[name]).max()
        np.testing.assert_allclose(
            found[name], expected[name], rtol=rtol, atol=rtol * scale * 1e-3, err_msg=name
        )


@every_estimator
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("n", [20, 3000])
def test_order_of_the_rows(estimator, p, seed, n):
    X, y, sigma = data(n, p)
    rows = np.random.default_rng(seed).permutation(n)
    expected = results(estimator, X, y, sigma)
    assert_equal(results(estimator, X[rows], y[rows], sigma[rows]), expected)


@every_estimator
@pytest.mark.parametrize("unit", [1e-150, 1e-9, 3.0, 1e12, 1e150])
def test_units_of_y(estimator, p, unit):
    X, y, sigma = data(20, p)
    expected = results(estimator, X, y, sigma)
    found = results(estimator, X, unit * y, unit * sigma)
    for name in ("params_", "params_std_"):
        found[name] = found[name] / unit
    assert_equal(found, expected)


@every_estimator
@pytest.mark.parametrize("factor", [1e-100, 1e-9, 7.0, 1e9, 1e100])
def test_all_sigma_times_a_factor(estimator, p, factor):
    X, y, sigma = data(20, p)
    expected = results(estimator, X, y, sigma)
    found = results(estimator, X, y, factor * sigma)
    assert_equal(found, expected, ("params_", "dof_"))
    assert found["chi2_"] == pytest.approx(expected["chi2_"] / factor**2, rel=ROUNDING)
    scale = factor if estimator.absolute_sigma_ else 1.0
    np.testing.assert_allclose(found["params_std_"], scale * expected["params_std_"], rtol=ROUNDING)


@pytest.mark.parametrize("unit", [1e-75, 1e-7, 12.0, 1e10, 1e75])
@pytest.mark.parametrize(
    ("estimator", "power"),
    [
        (WeightedLinearFit(), [0, 1]),
        (WeightedLinearFit(fit_intercept=False), [1]),
        (DesignMatrixRegressor(), [1]),
        (DesignMatrixRegressor(["1", "x"]), [0, 1]),
        (DesignMatrixRegressor(Polynomial(2)), [0, 1, 2]),
        (DesignMatrixRegressor(Polynomial(2, "chebyshev")), [0, 0, 0]),
    ],
    ids=["line", "origin", "matrix", "terms", "polynomial", "chebyshev"],
)
def test_units_of_x(estimator, power, unit):
    X, y, sigma = data()
    expected = results(estimator, X, y, sigma)
    found = results(estimator, unit * X, y, sigma)
    scale = float(unit) ** np.array(power)
    found["params_"] = found["params_"] * scale
    found["params_std_"] = found["params_std_"] * scale
    assert_equal(found, expected)
    values = estimator.predict(unit * X)
    np.testing.assert_allclose(values, estimator.fit(X, y, sigma=sigma).predict(X), rtol=1e-9)


@pytest.mark.parametrize("units", [(1e-8, 1e8), (1e-150, 1e150), (1.0, 1e-30)])
def test_features_in_unlike_units(units):
    X, y, sigma = data(20, 2)
    expected = results(WeightedLinearFit(), X, y, sigma)
    found = results(WeightedLinearFit(), X * units, y, sigma)
    for name in ("params_", "params_std_"):
        found[name] = found[name] * [1.0, *units]
    assert_equal(found, expected)


@pytest.mark.parametrize("unit", [1e-150, 1e-40, 1e40, 1e150])
@pytest.mark.parametrize("weighted", [True, False], ids=["sigma", "no sigma"])
def test_one_feature_in_unlike_units_leaves_chi2(unit, weighted):
    rng = np.random.default_rng(0)
    A, y = rng.normal(size=(30, 3)), rng.normal(size=30)  # coefficients near zero: refined
    sigma = rng.uniform(0.5, 2.0, 30) if weighted else None
    expected = DesignMatrixRegressor().fit(A, y, sigma=sigma)
    found = DesignMatrixRegressor().fit(A * [1.0, unit, 1.0], y, sigma=sigma)
    assert found.chi2_ == pytest.approx(expected.chi2_, rel=1e-12)
    np.testing.assert_allclose(found.coef_ * [1.0, unit, 1.0], expected.coef_, rtol=1e-12)
    np.testing.assert_allclose(found.coef_std_ * [1.0, unit, 1.0], expected.coef_std_, rtol=1e-12)


@every_estimator
@pytest.mark.parametrize("shift", [-1e7, 0.125, 1e7])
def test_zero_of_y(estimator, p, shift):
    if not {"1", "intercept"} & set(estimator.fit(*data(20, p)).param_names_):
        return
    X, y, sigma = data(20, p)
    expected = results(estimator, X, y, sigma)
    found = results(estimator, X, y + shift, sigma)
    found["params_"][0] -= shift
    np.testing.assert_allclose(found["params_"], expected["params_"], rtol=1e-6, atol=1e-6)
    assert_equal(found, expected, ("params_std_",))
    assert found["chi2_"] == pytest.approx(expected["chi2_"], rel=1e-6)


@pytest.mark.parametrize("shift", [-1e6, 3.0, 1e8])
@pytest.mark.parametrize("p", [1, 3])
def test_zero_of_x(shift, p):
    X, y, sigma = data(20, p)
    X = np.round(X * 2**10) / 2**10  # the shift is exact
    expected = results(WeightedLinearFit(), X, y, sigma)
    fit = WeightedLinearFit().fit(X + shift, y, sigma=sigma)
    np.testing.assert_allclose(fit.coef_, expected["params_"][1:], rtol=1e-9)
    np.testing.assert_allclose(fit.coef_std_, expected["params_std_"][1:], rtol=1e-9)
    assert fit.chi2_ == pytest.approx(expected["chi2_"], rel=1e-9)
    np.testing.assert_allclose(
        fit.predict(X + shift), WeightedLinearFit().fit(X, y, sigma=sigma).predict(X), rtol=1e-8
    )


@pytest.mark.parametrize("p", [2, 4])
def test_order_of_the_features(p):
    X, y, sigma = data(30, p)
    order = np.random.default_rng(1).permutation(p)
    plain = WeightedLinearFit().fit(X, y, sigma=sigma)
    moved = WeightedLinearFit().fit(X[:, order], y, sigma=sigma)
    np.testing.assert_allclose(moved.coef_, plain.coef_[order], rtol=1e-10)
    np.testing.assert_allclose(moved.coef_cov_, plain.coef_cov_[np.ix_(order, order)], rtol=1e-9)


def test_order_of_the_terms():
    X, y, sigma = data()
    terms = ["1", "x", "sqrt(x)", "x**2"]
    plain = DesignMatrixRegressor(terms).fit(X, y, sigma=sigma)
    moved = DesignMatrixRegressor(terms[::-1]).fit(X, y, sigma=sigma)
    np.testing.assert_allclose(moved.coef_[::-1], plain.coef_, rtol=1e-10)
    np.testing.assert_allclose(moved.coef_cov_[::-1, ::-1], plain.coef_cov_, rtol=1e-10)


@every_estimator
def test_data_given_twice_halve_the_variance(estimator, p):
    X, y, sigma = data(20, p)
    once = results(estimator, X, y, sigma)
    twice = results(estimator, np.vstack([X, X]), np.tile(y, 2), np.tile(sigma, 2))
    assert_equal(twice, once, ("params_",))
    assert twice["chi2_"] == pytest.approx(2.0 * once["chi2_"], rel=1e-9)
    if estimator.absolute_sigma_:
        np.testing.assert_allclose(twice["params_std_"], once["params_std_"] / np.sqrt(2.0))


NUMBERS = st.floats(-100.0, 100.0, width=32)


@st.composite
def problems(draw):
    n, p = draw(st.integers(4, 12)), draw(st.integers(1, 3))
    X = draw(hnp.arrays(float, (n, p), elements=NUMBERS))
    y = draw(hnp.arrays(float, n, elements=NUMBERS))
    sigma = draw(hnp.arrays(float, n, elements=st.floats(0.125, 8.0, width=32)))
    return X, y, sigma


@pytest.mark.filterwarnings("ignore:The data determine only:sklsq.RankWarning")
@pytest.mark.filterwarnings("ignore:There are no degrees:sklsq.DegreesOfFreedomWarning")
class TestAnyData:
    @given(problems())
    def test_residuals_are_orthogonal_to_the_columns(self, problem):
        X, y, sigma = problem
        fit = WeightedLinearFit().fit(X, y, sigma=sigma)
        A = np.column_stack([np.ones(len(X)), X]) / sigma[:, None]
        residual = (y - fit.predict(X)) / sigma
        size = np.abs(A).T @ (np.abs(y / sigma) + np.abs(fit.predict(X) / sigma))
        assert (np.abs(A.T @ residual) <= 1e-8 * size + 1e-12).all()
        assert fit.chi2_ == pytest.approx(residual @ residual, rel=1e-6, abs=1e-9 * (1 + y @ y))

    @given(problems())
    def test_chi2_is_the_least(self, problem):
        X, y, sigma = problem
        fit = WeightedLinearFit().fit(X, y, sigma=sigma)
        other = np.linalg.lstsq(
            np.column_stack([np.ones(len(X)), X]) / sigma[:, None], y / sigma, rcond=None
        )[0]
        A = np.column_stack([np.ones(len(X)), X])
        chi2 = np.sum(((y - A @ other) / sigma) ** 2)
        assert fit.chi2_ <= chi2 * (1 + 1e-8) + 1e-9 * (1 + np.sum((y / sigma) ** 2))

    @given(problems())
    def test_published_numbers_agree_with_each_other(self, problem):
        X, y, sigma = problem
        fit = WeightedLinearFit().fit(X, y, sigma=sigma)
        assert fit.dof_ == len(X) - fit.rank_
        assert len(fit.unidentified_) == X.shape[1] + 1 - fit.rank_
        assert fit.chi2_ >= 0.0
        assert np.isfinite(fit.params_).all()
        identified = ~(fit.unidentified_ != 0.0).any(axis=0)
        assert np.isfinite(fit.params_std_[identified]).all()
        assert np.isinf(fit.params_std_[~identified]).all()
        _, std = fit.predict(X, return_std=True)
        assert np.isfinite(std).all()
        assert (std <= sigma * (1 + 1e-7)).all()  # no point is known worse than by itself
        assert np.sum((std / sigma) ** 2) == pytest.approx(fit.rank_, rel=1e-6)

    @given(problems(), st.integers(1, 10))
    def test_batches(self, problem, cut):
        X, y, sigma = problem
        cut = min(cut, len(X) - 1)
        whole = WeightedLinearFit().fit(X, y, sigma=sigma)
        parts = WeightedLinearFit().partial_fit(X[:cut], y[:cut], sigma=sigma[:cut])
        parts.partial_fit(X[cut:], y[cut:], sigma=sigma[cut:])
        scale = 1 + np.sum((y / sigma) ** 2)
        if whole.condition_number_ < 1e6:
            assert parts.dof_ == whole.dof_
            assert parts.chi2_ == pytest.approx(whole.chi2_, rel=1e-6, abs=1e-9 * scale)
            np.testing.assert_allclose(
                parts.predict(X), whole.predict(X), rtol=1e-6, atol=1e-6 * np.sqrt(scale)
            )
