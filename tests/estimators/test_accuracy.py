"""Digits where others lose them: large offsets, any condition, rows that hardly occur."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.linalg import qr, solve_triangular

from sklsq import DesignMatrixRegressor, WeightedLinearFit
from sklsq.basis import Polynomial
from tests.estimators.exact import exact_least_squares, exact_line
from tests.known_answers import digits

DOUBLE = 14.5  # digits beyond which the last bits differ by chance
TIME_STAMPS = 14


def time_stamps(n=50, offset=1e8, seed=0):
    rng = np.random.default_rng(seed)
    x = offset + np.sort(rng.uniform(0.0, 100.0, n))
    return x, 3.0 + 0.5 * (x - offset) + rng.normal(size=n), rng.uniform(0.5, 2.0, n)


@pytest.mark.parametrize("offset", [1e8, -1e8, 1e9, 1.7e9, 1e12])
@pytest.mark.parametrize("n", [5, 50, 3000])
class TestTimeStamps:
    def test_line(self, offset, n):
        x, y, sigma = time_stamps(n, offset)
        exact = exact_line(x, y, sigma)
        fit = WeightedLinearFit().fit(x[:, None], y, sigma=sigma)
        assert digits(fit.params_, exact.coef) >= TIME_STAMPS
        assert digits(fit.params_std_, exact.std) >= TIME_STAMPS
        assert digits(fit.chi2_, exact.chi2) >= TIME_STAMPS - 1

    def test_line_without_sigma(self, offset, n):
        x, y, _ = time_stamps(n, offset)
        exact = exact_line(x, y)
        fit = WeightedLinearFit().fit(x[:, None], y)
        assert digits(fit.params_, exact.coef) >= TIME_STAMPS
        assert digits(fit.params_std_, exact.scaled_std) >= TIME_STAMPS

    def test_line_among_curves(self, offset, n):
        x, y, sigma = time_stamps(n, offset)
        exact = exact_line(x, y, sigma)
        fit = WeightedLinearFit().fit(x[:, None], np.column_stack([y, -y]), sigma=sigma)
        assert digits(fit.params_[0], exact.coef) >= TIME_STAMPS - (n > 1000)
        assert digits(fit.params_std_[1], exact.std) >= TIME_STAMPS - (n > 1000)

    @pytest.mark.parametrize("basis", [Polynomial(1), ["1", "x"], ["x", "1"], None], ids=str)
    def test_design_matrix(self, offset, n, basis):
        x, y, sigma = time_stamps(n, offset)
        exact = exact_line(x, y, sigma)
        X = np.column_stack([np.ones(n), x]) if basis is None else x[:, None]
        fit = DesignMatrixRegressor(basis).fit(X, y, sigma=sigma)
        order = [1, 0] if basis == ["x", "1"] else [0, 1]
        assert digits(fit.coef_, exact.coef[order]) >= TIME_STAMPS - (n > 1000)
        assert digits(fit.coef_std_, exact.std[order]) >= TIME_STAMPS - (n > 1000)

    def test_predictions_within_the_data(self, offset, n):
        x, y, sigma = time_stamps(n, offset)
        exact = exact_line(x, y, sigma)
        fit = WeightedLinearFit().fit(x[:, None], y, sigma=sigma)
        points = offset + np.array([0.0, 33.0, 250.0])
        mean, std = fit.predict(points[:, None], return_std=True)
        assert digits(mean, [exact.mean_at([1.0, point]) for point in points]) >= TIME_STAMPS - 1
        assert digits(std, [exact.std_at([1.0, point]) for point in points]) >= TIME_STAMPS - 1


def test_plane_of_time_stamps():
    rng = np.random.default_rng(1)
    X = np.array([1e8, -4e9, 0.0]) + rng.uniform(0.0, 10.0, (60, 3))
    y, sigma = rng.normal(size=60), rng.uniform(0.5, 2.0, 60)
    exact = exact_least_squares(np.column_stack([np.ones(60), X]), y, sigma)
    fit = WeightedLinearFit().fit(X, y, sigma=sigma)
    assert digits(fit.params_, exact.coef) >= TIME_STAMPS
    assert digits(fit.params_std_, exact.std) >= TIME_STAMPS


def test_parabola_of_time_stamps():
    x, y, sigma = time_stamps(40)
    powers = np.array([[Fraction(value) ** k for k in range(3)] for value in x], dtype=object)
    exact = exact_least_squares(powers, y, sigma)
    fit = DesignMatrixRegressor(Polynomial(2)).fit(x[:, None], y, sigma=sigma)
    assert digits(fit.coef_, exact.coef) >= TIME_STAMPS
    assert digits(fit.coef_std_, exact.std) >= TIME_STAMPS


def test_offset_of_y():
    x, y, sigma = time_stamps(50, 0.0)
    fit = WeightedLinearFit().fit(x[:, None], y + 1e8, sigma=sigma)
    exact = exact_line(x, y + 1e8, sigma)
    assert digits(fit.params_, exact.coef) >= TIME_STAMPS
    assert digits(fit.chi2_, exact.chi2) >= TIME_STAMPS - 1


def with_condition(n, m, condition, seed=0):
    """A matrix built from its singular values, columns of unit norm or nearly so."""
    rng = np.random.default_rng(seed)
    U, _ = np.linalg.qr(rng.normal(size=(n, m)))
    V, _ = np.linalg.qr(rng.normal(size=(m, m)))
    return (U * np.geomspace(1.0, 1.0 / condition, m)) @ V.T


def by_qr(A, y):
    Q, R = np.linalg.qr(A)
    return np.linalg.solve(R, Q.T @ y)


@pytest.mark.parametrize("exponent", range(0, 13))
@pytest.mark.parametrize(("n", "m"), [(2000, 8), (200, 10)])
@pytest.mark.parametrize("scatter", [1e-6, 1.0])
def test_never_fewer_digits_than_qr(n, m, exponent, scatter):
    A = with_condition(n, m, 10.0**exponent, seed=exponent)
    rng = np.random.default_rng(100 + exponent)
    y = A @ rng.normal(size=m) + scatter * rng.normal(size=n)
    exact = exact_least_squares(A, y)
    fit = DesignMatrixRegressor(absolute_sigma=True).fit(A, y)
    assert digits(fit.coef_, exact.coef) >= min(digits(by_qr(A, y), exact.coef), DOUBLE)
    (R,) = qr(A, mode="r")
    root = solve_triangular(R[:m], np.eye(m))
    std_by_qr = np.sqrt(np.einsum("ij,ij->i", root, root))
    assert digits(fit.coef_std_, exact.std) >= min(digits(std_by_qr, exact.std), DOUBLE)


@pytest.mark.parametrize("exponent", range(0, 13, 2))
def test_many_rows_are_as_good_as_qr(exponent):
    """Blocks of a Gram matrix, or of triangles: within a digit of QR of all rows at once."""
    n, m, lost = 16_000, 4, []
    for seed in range(5):
        A = with_condition(n, m, 10.0**exponent, seed)
        rng = np.random.default_rng(200 + seed)
        y = A @ rng.normal(size=m) + 1e-3 * rng.normal(size=n)
        exact = exact_least_squares(A, y)
        fit = DesignMatrixRegressor(absolute_sigma=True).fit(A, y)
        root = solve_triangular(qr(A, mode="r")[0][:m], np.eye(m))
        std_by_qr = np.sqrt(np.einsum("ij,ij->i", root, root))
        lost.append(
            [
                digits(by_qr(A, y), exact.coef) - digits(fit.coef_, exact.coef),
                digits(std_by_qr, exact.std) - digits(fit.coef_std_, exact.std),
            ]
        )
    # Single problems differ by chance; of five, the one in the middle does not.
    np.testing.assert_array_less(np.median(lost, axis=0), 0.7)
    np.testing.assert_array_less(np.max(lost, axis=0), 2.0)


def hostile(kind, n=20_000):
    """Rows that a sample of some hundred is all but sure to miss."""
    rng = np.random.default_rng(3)
    A = np.column_stack([np.ones(n), rng.normal(size=(n, 2))])
    rare = [17, 9_999, 19_500]
    if kind == "dummy":
        dummy = np.zeros(n)
        dummy[rare] = 1.0
        A = np.column_stack([A, dummy])
    elif kind == "hardly constant":
        column = np.full(n, 0.1)
        column[rare] = [0.3, 0.2, 0.7]
        A = np.column_stack([A, column])
    elif kind == "two regimes":
        A = np.column_stack([A, A[:, 1]])
        A[rare, 3] += [1.0, -2.0, 3.0]
    elif kind == "one large row":
        A[rare[0]] *= 1e6
    elif kind == "sorted":
        A = A[np.argsort(A[:, 1])] * np.geomspace(1.0, 1e6, n)[:, None]
    y = A @ rng.normal(size=A.shape[1]) + rng.normal(size=n)
    return A, y


@pytest.mark.parametrize(
    "kind", ["dummy", "hardly constant", "two regimes", "one large row", "sorted"]
)
def test_rows_that_a_sample_misses(kind):
    A, y = hostile(kind)
    exact = exact_least_squares(A, y)
    fit = DesignMatrixRegressor(absolute_sigma=True).fit(A, y)
    assert fit.rank_ == A.shape[1]
    assert digits(fit.coef_, exact.coef) >= min(13.0, digits(by_qr(A, y), exact.coef) - 1.0)
    assert digits(fit.coef_std_, exact.std) >= 13.0
    assert digits(fit.chi2_, exact.chi2) >= 12.0


@pytest.mark.parametrize("kind", ["dummy", "hardly constant", "two regimes", "one large row"])
def test_rows_that_a_sample_misses_in_a_plane(kind):
    A, y = hostile(kind)
    if kind == "one large row":
        A[:, 0] = 1.0
    exact = exact_least_squares(A, y)
    fit = WeightedLinearFit(absolute_sigma=True).fit(A[:, 1:], y)
    assert digits(fit.params_, exact.coef) >= min(13.0, digits(by_qr(A, y), exact.coef) - 1.0)
    assert digits(fit.params_std_, exact.std) >= 13.0


@pytest.mark.parametrize("place", [0, 12_345, 19_999])
def test_line_with_one_point_far_out(place):
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=20_000), rng.normal(size=20_000)
    x[place] = 1e6
    exact = exact_line(x, y)
    fit = WeightedLinearFit(absolute_sigma=True).fit(x[:, None], y)
    assert digits(fit.params_std_, exact.std) >= 13.0
    error = np.abs(fit.params_ - exact.coef) / exact.std
    np.testing.assert_array_less(error, 1e-11)


def test_line_whose_sample_is_constant():
    """All but three of the x are the same."""
    x, y = np.full(20_000, 0.1), np.random.default_rng(6).normal(size=20_000)
    x[[17, 9_999, 19_500]] = [0.3, 0.2, 0.7]
    exact = exact_line(x, y)
    fit = WeightedLinearFit(absolute_sigma=True).fit(x[:, None], y)
    assert digits(fit.params_, exact.coef) >= 12.0
    assert digits(fit.params_std_, exact.std) >= 13.0


@pytest.mark.parametrize("sigma_ratio", [1e3, 1e6, 1e8])
def test_errors_over_many_decades(sigma_ratio):
    rng = np.random.default_rng(7)
    A, y = rng.normal(size=(60, 4)), rng.normal(size=60)
    sigma = np.geomspace(1.0, sigma_ratio, 60)
    exact = exact_least_squares(A, y, sigma)
    fit = DesignMatrixRegressor().fit(A, y, sigma=sigma)
    assert digits(fit.coef_, exact.coef) >= 13.0
    assert digits(fit.coef_std_, exact.std) >= 13.0
