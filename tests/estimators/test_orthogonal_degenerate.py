"""Data that determine no line, or hardly one: an answer or a clear sentence, no wrong number."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sklsq import DegreesOfFreedomWarning, OrthogonalRegression, RankWarning, WeightedLinearFit
from tests.estimators.simulated import measured

ONE_FEATURE = ["york", "deming", "major_axis", "reduced_major_axis", "bisector", "total"]
SEVERAL = ["york", "deming", "major_axis", "total"]
OWN = {"ConvergenceWarning", "RankWarning", "DegreesOfFreedomWarning"}
every_method = pytest.mark.parametrize("method", ONE_FEATURE)
every_plane = pytest.mark.parametrize("method", SEVERAL)


def known(method, sigma=0.1, sigma_x=0.1):
    return {"sigma": sigma, "sigma_x": sigma_x} if method == "york" else {}


def fit(method, X, y, errors=None, **options):
    """Return the estimator, and the warnings, all of which must be the library's own."""
    errors = known(method) if errors is None else errors
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = OrthogonalRegression(method, **options).fit(np.asarray(X), np.asarray(y), **errors)
    names = {w.category.__name__ for w in caught}
    assert names <= OWN, [str(w.message) for w in caught]
    assert all(w.filename == __file__ for w in caught)
    assert model.converged_ == ("ConvergenceWarning" not in names)
    assert model.n_iter_ >= 1
    if not model.converged_:
        assert model.status_ in {str(w.message) for w in caught}
        assert model.status_ in str(model.summary())
    return model, names


def assert_honest(model, names):
    """No number is NaN in silence, and none is certain that is not known."""
    if not np.isfinite(model.params_).all() or model.unidentified_.size:
        assert names
    if names == set():
        assert np.isfinite(model.params_std_).all()
        assert np.isfinite(model.chi2_)


def rows(values):
    return np.asarray(values, dtype=float)[:, None]


@every_method
class TestOneFeature:
    def test_one_row(self, method):
        model, names = fit(method, [[1.0]], [2.0])
        assert names >= {"RankWarning", "DegreesOfFreedomWarning"}
        np.testing.assert_array_equal(model.params_, [2.0, 0.0])
        assert not np.isfinite(model.params_std_).any()
        assert model.rank_ == 1

    def test_two_points(self, method):
        model, names = fit(method, [[1.0], [3.0]], [2.0, 3.0])
        assert names == {"DegreesOfFreedomWarning"}
        np.testing.assert_allclose(model.params_, [1.5, 0.5], rtol=1e-14)
        # With errors it is a line known to them, without it has no error.
        assert np.isfinite(model.params_std_).all() == (method == "york")

    def test_the_same_point_again_and_again(self, method):
        model, names = fit(method, np.ones((6, 1)), np.full(6, 3.0))
        assert "RankWarning" in names
        np.testing.assert_array_equal(model.params_, [3.0, 0.0])
        assert not np.isfinite(model.params_std_).any()

    @pytest.mark.parametrize("x", [0.0, 1.0, 0.1, 1e9, 1e9 + 0.1])
    def test_vertical(self, method, x):
        model, names = fit(method, np.full((7, 1), x), np.arange(7.0))
        assert "ConvergenceWarning" in names
        assert not np.isfinite(model.coef_).any()
        assert not np.isfinite(model.params_std_).any()
        assert "parallel to the y axis" in model.status_

    def test_vertical_with_errors(self, method):
        errors = {"sigma": 0.1} if method != "york" else known("york")
        model, names = fit(method, np.ones((7, 1)), np.arange(7.0), errors)
        assert "ConvergenceWarning" in names
        assert not np.isfinite(model.coef_).any()

    @pytest.mark.parametrize("errors", [True, False], ids=["errors", "no errors"])
    @pytest.mark.parametrize("scale", [1.0, 0.1, 1e9])
    def test_square_grid(self, method, scale, errors):
        x, y = (scale * a.ravel() for a in np.meshgrid(np.arange(5.0), np.arange(5.0)))
        given = known(method) if method == "york" else {"sigma": 0.1} if errors else {}
        model, names = fit(method, rows(x), y, given)
        assert "ConvergenceWarning" in names
        assert not np.isfinite(model.params_std_).any()

    @pytest.mark.parametrize("height", [0.3, 3.0])
    def test_oblong_grid(self, method, height):
        x, y = (a.ravel() for a in np.meshgrid(np.arange(5.0), height * np.arange(5.0)))
        model, names = fit(method, rows(x), y)
        assert_honest(model, names)
        if method in ("reduced_major_axis", "bisector"):
            assert "uncorrelated" in model.status_
        elif height < 1.0:
            np.testing.assert_allclose(model.coef_, 0.0, atol=1e-14)
        else:
            assert "parallel to the y axis" in model.status_

    @pytest.mark.parametrize("y", [0.0, 3.0, 0.1, -1e9])
    def test_horizontal(self, method, y):
        model, names = fit(method, rows(np.arange(6.0)), np.full(6, y))
        assert names == set()
        np.testing.assert_allclose(model.params_, [y, 0.0], rtol=1e-14, atol=1e-14)
        assert np.isfinite(model.params_std_).all()
        assert model.chi2_ == pytest.approx(0.0, abs=1e-20)

    @pytest.mark.parametrize("slope", [1.0, -1.0, 2.0, 1e-3, 1e3])
    def test_perfect_line(self, method, slope):
        x = np.arange(1.0, 9.0)
        model, names = fit(method, rows(x), slope * x)
        assert names == set()
        np.testing.assert_allclose(model.params_, [0.0, slope], rtol=1e-13, atol=1e-14 * 900.0)
        scaled, names = fit(method, rows(x), slope * x, absolute_sigma=False)
        assert names == set()
        np.testing.assert_allclose(scaled.params_std_, 0.0, atol=1e-12)

    @pytest.mark.parametrize("power", [-330, -100, 100, 330])
    @pytest.mark.parametrize("which", ["both", "x", "y"])
    def test_units(self, method, which, power):
        """Powers of two, so that the digits are the same."""
        if which != "both" and method not in ("york", "reduced_major_axis", "deming"):
            return  # changes with the units
        by_x, by_y = 2.0 ** (power * (which != "y")), 2.0 ** (power * (which != "x"))
        data = measured()
        ratio = (by_y / by_x) ** 2
        options = {"error_ratio": ratio} if method == "deming" else {}
        plain, _ = fit(method, data.X, data.y, known(method, data.sigma, data.sigma_x))
        errors = known(method, by_y * data.sigma, by_x * data.sigma_x)
        model, names = fit(method, by_x * data.X, by_y * data.y, errors, **options)
        assert names == set()
        units = np.array([by_y, by_y / by_x])
        np.testing.assert_allclose(model.params_, plain.params_ * units, rtol=1e-12)
        np.testing.assert_allclose(model.params_std_, plain.params_std_ * units, rtol=1e-12)

    @pytest.mark.parametrize("power", [-150, -100, 100, 150])
    def test_axes_of_unlike_sizes(self, method, power):
        """An answer of some kind also where x and y differ by a hundred orders of magnitude."""
        data = measured()
        model, names = fit(method, data.X, data.y * 10.0**power)
        assert_honest(model, names)

    def test_offset(self, method):
        data = measured()
        X, y = (np.round(a * 2**18) / 2**18 for a in (data.X, data.y))
        plain, _ = fit(method, X, y, known(method, data.sigma, data.sigma_x))
        errors = known(method, data.sigma, data.sigma_x)
        model, names = fit(method, X + 1e9, y - 1e9, errors)
        assert names == set()
        np.testing.assert_allclose(model.coef_, plain.coef_, rtol=1e-13)
        np.testing.assert_allclose(model.coef_std_, plain.coef_std_, rtol=1e-11)
        moved = plain.intercept_ - 1e9 - 1e9 * plain.coef_[0]
        assert model.intercept_ == pytest.approx(moved, rel=1e-14)
        mean, std = plain.predict(X, return_std=True)
        far, far_std = model.predict(X + 1e9, return_std=True)
        np.testing.assert_allclose(far + 1e9, mean, atol=1e-6)  # of 1e9 + 1: rounding of y itself
        np.testing.assert_allclose(far_std, std, rtol=1e-11)
        of_intercept = np.sqrt([1.0, -1e9] @ plain.params_cov_ @ [1.0, -1e9])
        assert model.intercept_std_ == pytest.approx(of_intercept, rel=1e-9)

    def test_through_the_origin(self, method):
        model, names = fit(method, [[2.0]], [3.0], fit_intercept=False)
        assert names == {"DegreesOfFreedomWarning"}
        np.testing.assert_allclose(model.params_, [1.5], rtol=1e-15)
        model, names = fit(method, np.zeros((5, 1)), np.arange(1.0, 6.0), fit_intercept=False)
        assert "ConvergenceWarning" in names
        model, names = fit(method, np.zeros((5, 1)), np.zeros(5), fit_intercept=False)
        assert "RankWarning" in names
        assert_honest(model, names)


@every_plane
class TestSeveralFeatures:
    @pytest.mark.parametrize("fit_intercept", [True, False])
    def test_duplicate(self, method, fit_intercept):
        data = measured()
        twice = np.repeat(data.X, 2, axis=1)
        model, names = fit(method, twice, data.y, fit_intercept=fit_intercept)
        assert "RankWarning" in names
        assert model.coef_[0] == pytest.approx(model.coef_[1], rel=1e-9)
        assert np.abs(model.params_).max() < 100.0
        np.testing.assert_array_equal(model.coef_std_, np.inf)
        assert model.unidentified_.shape == (1, 2 + fit_intercept)
        assert model.rank_ == 1 + fit_intercept

    def test_duplicate_leaves_the_rest_known(self, method):
        """The intercept, and the curve where both columns are the same, are determined."""
        data = measured(p=2)
        model, _ = fit(method, data.X[:, [0, 1, 1]], data.y)
        np.testing.assert_array_equal(np.isinf(model.params_std_), [False, False, True, True])
        assert np.isfinite(model.params_std_[:2]).all()
        _, std = model.predict(data.X[:, [0, 1, 1]], return_std=True)
        assert np.isfinite(std).all()
        _, std = model.predict([[1.0, 0.0, 1.0]], return_std=True)
        assert np.isinf(std).all()

    def test_message_names_the_columns(self, method):
        data = measured()
        with pytest.warns(RankWarning, match=r"only 2 of 3 .* every t in \(x0 [+-] t, x1 [+-] t\)"):
            OrthogonalRegression(method).fit(np.repeat(data.X, 2, 1), data.y, **known(method))

    @pytest.mark.parametrize("constant", [0.0, 1.0, 0.1, 1e9, -1e-9])
    @pytest.mark.parametrize("noise", [0.0, 1e-16], ids=["constant", "to rounding"])
    def test_constant_column(self, method, constant, noise):
        data = measured()
        column = constant * (1.0 + noise * np.random.default_rng(1).normal(size=20))
        X = np.column_stack([data.X, column])
        model, names = fit(method, X, data.y)
        plain, _ = fit(method, data.X, data.y)
        assert "RankWarning" in names
        assert model.coef_[1] == 0.0
        np.testing.assert_allclose(model.coef_[0], plain.coef_[0], rtol=1e-9)
        assert np.isinf(model.coef_std_[1])
        assert model.coef_std_[0] == pytest.approx(plain.coef_std_[0], rel=1e-9)
        np.testing.assert_allclose(
            model.predict(X, return_std=True),
            plain.predict(data.X, return_std=True),
            rtol=1e-9,
        )

    def test_all_columns_constant(self, method):
        model, names = fit(method, np.ones((6, 2)), np.full(6, 2.0))
        assert "RankWarning" in names
        np.testing.assert_array_equal(model.params_, [2.0, 0.0, 0.0])
        model, names = fit(method, np.ones((6, 2)), np.arange(6.0))
        assert names >= {"ConvergenceWarning"}

    @pytest.mark.parametrize(("n", "p"), [(1, 3), (3, 3), (3, 5), (4, 4)])
    def test_fewer_rows_than_parameters(self, method, n, p):
        data = measured(n, p)
        model, names = fit(method, data.X, data.y)
        assert names >= {"RankWarning", "DegreesOfFreedomWarning"}
        assert model.rank_ == n
        assert model.dof_ == 0
        np.testing.assert_allclose(model.predict(data.X), data.y, rtol=1e-9)
        assert np.abs(model.params_).max() < 1e4
        assert np.isinf(model.params_std_).any()


def test_duplicate_agrees_with_the_weighted_fit_where_x_is_exact():
    data = measured(p=2)
    X = data.X[:, [0, 1, 1]]
    model, _ = fit("york", X, data.y, {"sigma": data.sigma, "sigma_x": 0.0})
    with pytest.warns(RankWarning, match="only 3 of 4"):
        plain = WeightedLinearFit().fit(X, data.y, sigma=data.sigma)
    np.testing.assert_allclose(model.params_, plain.params_, rtol=1e-9)
    np.testing.assert_allclose(model.params_std_, plain.params_std_, rtol=1e-8)
    assert model.chi2_ == pytest.approx(plain.chi2_, rel=1e-10)
    sign = np.sign(model.unidentified_[0, 2] / plain.unidentified_[0, 2])
    np.testing.assert_allclose(sign * model.unidentified_, plain.unidentified_, atol=1e-12)


class TestInfiniteRatios:
    """Errors of which one is as good as zero."""

    @pytest.mark.parametrize("ratio", [1e-300, 1e-100, 1e-30, 1e30, 1e100, 1e300])
    @pytest.mark.parametrize("method", ["deming", "total"])
    def test_error_ratio(self, method, ratio):
        data = measured()
        model, names = fit(method, data.X, data.y, {}, error_ratio=ratio)
        (xx, xy), (_, yy) = np.cov(data.X[:, 0], data.y)
        assert_honest(model, names)
        if model.converged_ or 1e-40 < ratio < 1e40:
            expected = yy / xy if ratio < 1.0 else xy / xx
            np.testing.assert_allclose(model.coef_, expected, rtol=1e-12)

    @pytest.mark.parametrize("size", [1e-300, 1e-200, 1e-170, 1e-100, 1e100, 1e170, 1e200])
    @pytest.mark.parametrize("array", [True, False], ids=["arrays", "scalars"])
    def test_sizes_of_both_errors(self, size, array):
        data = measured()
        equal = np.ones(20) if array else 1.0
        plain, _ = fit("york", data.X, data.y, {"sigma": 1.0, "sigma_x": 0.5})
        errors = {"sigma": size * equal, "sigma_x": 0.5 * size * equal}
        model, names = fit("york", data.X, data.y, errors)
        np.testing.assert_allclose(model.params_, plain.params_, rtol=1e-12)
        assert_honest(model, names)
        if 1e-150 < size < 1e150:
            np.testing.assert_allclose(model.params_std_, size * plain.params_std_, rtol=1e-10)

    @pytest.mark.parametrize("size", [1e-200, 1e-100, 1e-20, 1e20, 1e100, 1e200])
    def test_one_is_much_larger(self, size):
        data = measured()
        (xx, xy), (_, yy) = np.cov(data.X[:, 0], data.y)
        model, names = fit("york", data.X, data.y, {"sigma": 0.1 * size, "sigma_x": 0.1})
        np.testing.assert_allclose(model.coef_, xy / xx if size > 1.0 else yy / xy, rtol=1e-12)
        assert_honest(model, names)
        model, names = fit("york", data.X, data.y, {"sigma": 0.1, "sigma_x": 0.1 * size})
        np.testing.assert_allclose(model.coef_, yy / xy if size > 1.0 else xy / xx, rtol=1e-12)
        assert_honest(model, names)

    def test_no_error_at_all_in_a_row(self):
        data = measured()
        assert data.X.shape == (20, 1)
        model, names = fit("york", data.X, data.y, {"sigma": 1e-300, "sigma_x": 0.0})
        assert_honest(model, names)


@pytest.mark.parametrize("p", [1, 2, 3])
@pytest.mark.parametrize("ratio", [0.0, 1e-6, 0.5])
def test_chi2_is_that_of_the_published_plane(p, ratio):
    """Errors in proportion, where the start has the slopes right and the height wrong."""
    data = measured(p=p)
    errors = {"sigma": data.sigma, "sigma_x": ratio * np.repeat(data.sigma[:, None], p, 1)}
    model, _ = fit("york", data.X, data.y, errors)
    variance = data.sigma**2 + errors["sigma_x"] ** 2 @ model.coef_**2
    expected = np.sum((data.y - model.predict(data.X)) ** 2 / variance)
    assert model.chi2_ == pytest.approx(expected, rel=1e-12)


class TestIterations:
    def test_too_few(self):
        """Points for which the start is far from the answer."""
        data = measured(30, correlation=True)
        X, y = data.X, data.y
        errors = {"sigma": data.sigma**6, "sigma_x": data.sigma_x**4, "corr_xy": data.corr_xy}
        full = OrthogonalRegression().fit(X, y, **errors)
        assert full.converged_
        assert full.n_iter_ > 2
        with pytest.warns(ConvergenceWarning, match="Increase `max_iter`"):
            short = OrthogonalRegression(max_iter=2).fit(X, y, **errors)
        assert not short.converged_
        assert "max_iter" in short.status_
        assert "max_iter" in str(short.summary())

    @pytest.mark.parametrize("max_iter", [0, -1, None, "many"])
    @pytest.mark.parametrize("p", [1, 2])
    def test_max_iter_must_be_a_positive_number(self, max_iter, p):
        data = measured(p=p)
        with pytest.raises((ValueError, TypeError), match="`max_iter` must"):
            OrthogonalRegression(max_iter=max_iter).fit(data.X, data.y, **data.errors)

    @pytest.mark.parametrize("tol", [-1.0, np.nan, None])
    def test_tol_must_be_a_number_and_not_negative(self, tol):
        data = measured()
        with pytest.raises((ValueError, TypeError), match="`tol` must"):
            OrthogonalRegression(tol=tol).fit(data.X, data.y, **data.errors)


def test_no_degrees_of_freedom_with_scaled_errors():
    with pytest.warns(DegreesOfFreedomWarning, match="the standard errors are NaN; pass `sigma`"):
        model = OrthogonalRegression("major_axis").fit([[0.0], [1.0]], [0.0, 2.0])
    assert np.isnan(model.reduced_chi2_)
    assert np.isnan(model.params_std_).all()
