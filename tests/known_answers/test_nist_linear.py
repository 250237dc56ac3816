"""NIST's linear data: thirteen digits of coefficients and standard errors, by every way in."""

from fractions import Fraction

import numpy as np
import pytest
from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures

from sklsq import DesignMatrixRegressor, WeightedLinearFit
from sklsq.basis import Polynomial
from tests.estimators.exact import exact_least_squares
from tests.known_answers import digits, record, records

CERTIFIED = 13  # of the 15 digits NIST gives, two are lost to its data being decimal
CASES = records(family="nist_linear")
POLYNOMIALS = [case for case in CASES if case.raw["design"]["type"] == "polynomial"]
WITH_CONSTANT = [case for case in POLYNOMIALS if 0 in case.raw["design"]["powers"]]
LINES = [record("nist_Norris"), record("nist_Longley")]
THROUGH_ORIGIN = [record("nist_NoInt1"), record("nist_NoInt2")]


def abscissa(case):
    """The column that is raised to powers, as stored."""
    powers = case.raw["design"]["powers"]
    return case.X[:, [powers.index(1)]]


def attainable(case):
    """Digits that the certified values keep when the data are rounded to doubles."""
    return min(CERTIFIED, case.raw["verification"]["digits_left_after_rounding_data_to_float64"])


def formulas(case):
    return ["1" if k == 0 else "x" if k == 1 else f"x**{k}" for k in case.raw["design"]["powers"]]


def assert_certified(fit, case):
    reference = case.reference
    assert digits(fit.params_, reference["coef"]) >= attainable(case)
    exact_fit = reference["rss"] == 0
    if exact_fit:  # Wampler1 and 2: what is left over is rounding of the data
        assert fit.params_std_.max() <= 1e-9 * np.abs(case.y).max()
    else:
        assert digits(fit.params_std_, reference["se"]) >= attainable(case)
        assert digits(np.sqrt(fit.chi2_ / fit.dof_), reference["sigma"]) >= attainable(case)
        variances = np.outer(reference["se"], reference["se"])
        np.testing.assert_allclose(
            fit.params_cov_ / variances, reference["cov"] / variances, rtol=0, atol=1e-12
        )
    assert fit.dof_ == reference["dof"]


@pytest.mark.parametrize("case", WITH_CONSTANT, ids=str)
@pytest.mark.parametrize("kind", ["monomial", "full"])
def test_polynomial(case, kind):
    degree = max(case.raw["design"]["powers"])
    fit = DesignMatrixRegressor(Polynomial(degree, kind)).fit(abscissa(case), case.y)
    assert_certified(fit, case)


@pytest.mark.parametrize("case", POLYNOMIALS, ids=str)
def test_formulas(case):
    fit = DesignMatrixRegressor(formulas(case)).fit(abscissa(case), case.y)
    assert_certified(fit, case)


@pytest.mark.parametrize("case", WITH_CONSTANT, ids=str)
def test_polynomial_many_times_over(case):
    """5,000 copies go the way of many rows; each standard error shrinks as their number grows."""
    copies = -(-5000 // len(case.y))
    degree = max(case.raw["design"]["powers"])
    fit = DesignMatrixRegressor(Polynomial(degree)).fit(
        np.tile(abscissa(case), (copies, 1)), np.tile(case.y, copies)
    )
    # Nothing is refined here: a double-precision orthogonal basis, and an exact way out of it.
    assert digits(fit.coef_, case.reference["coef"]) >= min(12, attainable(case))
    if case.reference["rss"] != 0:
        shrunk = np.sqrt(case.reference["dof"] / fit.dof_)
        assert digits(fit.coef_std_ / shrunk, case.reference["se"]) >= min(12, attainable(case))


@pytest.mark.parametrize("case", WITH_CONSTANT, ids=str)
def test_polynomial_batch_by_batch(case):
    x, degree = abscissa(case), max(case.raw["design"]["powers"])
    fit = DesignMatrixRegressor(Polynomial(degree))
    half = len(x) // 2
    order = np.argsort(np.arange(len(x)) % 2, kind="stable")  # both halves span the range
    fit.partial_fit(x[order[:half]], case.y[order[:half]])
    fit.partial_fit(x[order[half:]], case.y[order[half:]])
    # In units of the standard error: Wampler5's are ten million times the coefficients.
    size = np.maximum(case.reference["se"], np.abs(case.reference["coef"]))
    np.testing.assert_array_less(np.abs(fit.coef_ - case.reference["coef"]) / size, 1e-9)
    assert fit.dof_ == case.reference["dof"]


@pytest.mark.parametrize("case", LINES, ids=str)
def test_line_and_plane(case):
    assert_certified(WeightedLinearFit().fit(case.X[:, 1:], case.y), case)


@pytest.mark.parametrize("case", THROUGH_ORIGIN, ids=str)
def test_line_through_the_origin(case):
    assert_certified(WeightedLinearFit(fit_intercept=False).fit(case.X, case.y), case)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_matrix_against_the_exact_solution_of_that_matrix(case):
    exact = exact_least_squares(case.X, case.y)
    fit = DesignMatrixRegressor().fit(case.X, case.y)
    assert digits(fit.coef_, exact.coef) >= CERTIFIED
    if case.reference["rss"] != 0:
        assert digits(fit.coef_std_, exact.scaled_std) >= CERTIFIED
        assert digits(fit.chi2_, exact.chi2) >= CERTIFIED


@pytest.mark.parametrize("case", CASES, ids=str)
def test_weighted_matrix_against_the_exact_solution_of_that_matrix(case):
    sigma = np.random.default_rng(0).uniform(0.1, 10.0, len(case.y))
    exact = exact_least_squares(case.X, case.y, sigma)
    fit = DesignMatrixRegressor().fit(case.X, case.y, sigma=sigma)
    # 1/sigma is rounded once, which the exact solution does not share: relative 1e-16 of each row.
    assert digits(fit.coef_std_, exact.std) >= CERTIFIED
    if case.reference["rss"] != 0:
        assert digits(fit.coef_, exact.coef) >= CERTIFIED


@pytest.mark.parametrize("case", WITH_CONSTANT, ids=str)
def test_transformer_against_the_exact_solution_of_its_matrix(case):
    basis = PolynomialFeatures(max(case.raw["design"]["powers"]))
    matrix = basis.fit_transform(abscissa(case))
    exact = exact_least_squares(matrix, case.y)
    fit = DesignMatrixRegressor(basis).fit(abscissa(case), case.y)
    assert digits(fit.coef_, exact.coef) >= CERTIFIED
    if case.reference["rss"] != 0:
        assert digits(fit.coef_std_, exact.scaled_std) >= CERTIFIED


def vander(X):
    return np.vander(X[:, 0], 11, increasing=True)


def test_function_transformer_on_filip():
    case = record("nist_Filip")
    basis = FunctionTransformer(vander)
    matrix = vander(abscissa(case))
    exact = exact_least_squares(matrix, case.y)
    fit = DesignMatrixRegressor(basis).fit(abscissa(case), case.y)
    assert digits(fit.coef_, exact.coef) >= CERTIFIED


# The outermost points lie 5 % of the range outside; what is computed there is to be exact too.
@pytest.mark.filterwarnings("ignore:A polynomial of degree 10:sklsq.ExtrapolationWarning")
class TestFilipBetweenItsPoints:
    """The error of the curve comes from the full factor, not from a covariance of raw monomials."""

    case = record("nist_Filip")

    def exact(self):
        x = self.case.X[:, 1]
        return exact_least_squares([[Fraction(v) ** k for k in range(11)] for v in x], self.case.y)

    def points(self):
        x = self.case.X[:, 1]
        return np.linspace(x.min() - 0.3, x.max() + 0.3, 13)

    @pytest.mark.parametrize("basis", [Polynomial(10), "formulas"], ids=str)
    def test_value_and_error(self, basis):
        if basis == "formulas":
            basis = formulas(self.case)
        exact, points = self.exact(), self.points()
        fit = DesignMatrixRegressor(basis).fit(self.case.X[:, [1]], self.case.y)
        rows = [[Fraction(v) ** k for k in range(11)] for v in points]
        scale = np.sqrt(exact.chi2 / exact.dof)
        mean, std = fit.predict(points[:, None], return_std=True)
        # Formulas are evaluated in double precision where one predicts: 1e9 of cancellation.
        demanded = 11 if isinstance(basis, Polynomial) else 5
        assert digits(mean, [exact.mean_at(row) for row in rows]) >= demanded
        assert digits(std, [exact.std_at(row) * scale for row in rows]) >= demanded

    def test_covariance_of_the_curve(self):
        fit = DesignMatrixRegressor(Polynomial(10)).fit(self.case.X[:, [1]], self.case.y)
        _, std = fit.predict(self.points()[:, None], return_std=True)
        _, cov = fit.predict(self.points()[:, None], return_cov=True)
        np.testing.assert_allclose(np.sqrt(np.diag(cov)), std, rtol=1e-12)
        np.testing.assert_allclose(cov, cov.T, rtol=1e-12)
