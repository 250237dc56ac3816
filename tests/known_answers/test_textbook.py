"""Straight lines, planes and surfaces with published answers: textbooks, the lecture, R."""

import numpy as np
import pytest

from sklsq import DesignMatrixRegressor, WeightedLinearFit
from sklsq.basis import Polynomial
from tests.known_answers import digits, record, records

ROUNDED_ANSWER = 13.5  # references are doubles, inputs as well
SURFACE_ORDER = ["1", "x", "y", "x**2", "x*y", "y**2"]  # that of surfit


@pytest.mark.parametrize("case", records(task="wls"), ids=str)
class TestLine:
    def fit(self, case, estimator=None):
        line = WeightedLinearFit() if estimator is None else estimator
        return line.fit(case.X, case.y, sigma=case.sigma)

    def test_parameters(self, case):
        fit = self.fit(case)
        assert digits(fit.params_, case.reference["coef"]) >= ROUNDED_ANSWER
        assert fit.intercept_ == fit.params_[0]
        assert fit.coef_[0] == fit.params_[1]

    def test_standard_errors(self, case):
        # Absolute where sigma is given, scaled where it is not: "auto" is what the sources print.
        fit = self.fit(case)
        assert digits(fit.params_std_, case.reference["se"]) >= ROUNDED_ANSWER
        assert digits(fit.params_cov_[0, 1], case.reference["cov_intercept_slope"]) >= 13
        assert fit.absolute_sigma_ == (not case.reference.get("se_scaled", False))

    def test_chi2(self, case):
        fit = self.fit(case)
        assert digits(fit.chi2_, case.reference["chi2"]) >= 12
        assert fit.dof_ == case.reference["dof"]

    def test_as_a_design_matrix(self, case):
        fit = self.fit(case, DesignMatrixRegressor(["1", "x"]))
        assert digits(fit.coef_, case.reference["coef"]) >= ROUNDED_ANSWER
        assert digits(fit.coef_std_, case.reference["se"]) >= ROUNDED_ANSWER

    def test_as_a_polynomial(self, case):
        fit = self.fit(case, DesignMatrixRegressor(Polynomial(1)))
        assert digits(fit.coef_, case.reference["coef"]) >= ROUNDED_ANSWER
        assert digits(fit.coef_std_, case.reference["se"]) >= ROUNDED_ANSWER


LECTURE_LINES = records("octave_original", "wls")


@pytest.mark.parametrize("case", LECTURE_LINES, ids=str)
class TestLecture:
    """linfit.m, lsqfityw.m and lsqfityz.m as run under GNU Octave."""

    def test_unweighted(self, case):
        fit = WeightedLinearFit().fit(case.X, case.y)
        expected = case.reference["unweighted"]
        assert digits(fit.params_, expected["coef"]) >= ROUNDED_ANSWER
        assert digits(fit.params_std_, expected["se"]) >= ROUNDED_ANSWER
        assert digits(fit.params_cov_[0, 1], expected["cov_intercept_slope"]) >= 13

    def test_what_linfit_printed(self, case):
        fit = WeightedLinearFit().fit(case.X, case.y, sigma=case.sigma)
        printed = case.raw["original"]["linfit_weighted"]
        assert digits(fit.params_, printed["a"]) >= 12
        assert digits(fit.params_std_, printed["sa"]) >= 12
        assert digits(fit.r_, printed["r"]) >= 12

    def test_what_linfit_printed_without_errors(self, case):
        fit = WeightedLinearFit().fit(case.X, case.y)
        assert digits(fit.r_, case.raw["original"]["linfit_unweighted"]["r"]) >= 12

    def test_errors_scaled_by_the_scatter(self, case):
        fit = WeightedLinearFit(absolute_sigma=False).fit(case.X, case.y, sigma=case.sigma)
        printed = case.raw["original"]["lsqfityz"]
        assert digits(fit.params_std_, [printed["sb"], printed["sm"]]) >= 12

    def test_centroid(self, case):
        fit = WeightedLinearFit().fit(case.X, case.y, sigma=case.sigma)
        printed = case.raw["original"]["lsqfityw"]
        about = fit.params_at()
        assert digits(about.x0, printed["xw"]) >= 12
        assert digits(about.params[0], printed["yw"]) >= 12


@pytest.mark.parametrize("case", records(task="surface"), ids=str)
class TestSurface:
    """surfit.m: a polynomial in two variables, by singular value decomposition."""

    def fit(self, case, by):
        degree = case.raw["design"]["degree"]
        if by == "matrix":
            return DesignMatrixRegressor().fit(case.X, case.y)
        basis = Polynomial(degree) if by == "polynomial" else SURFACE_ORDER[: case.X.shape[1]]
        if by == "formulas":
            pd = pytest.importorskip("pandas")
            return DesignMatrixRegressor(basis).fit(
                pd.DataFrame(case.X[:, 1:3], columns=["x", "y"]), case.y
            )
        return DesignMatrixRegressor(basis).fit(case.X[:, 1:3], case.y)

    @pytest.mark.parametrize("by", ["matrix", "polynomial", "formulas"])
    def test_known_answer(self, case, by):
        fit = self.fit(case, by)
        assert digits(fit.coef_, case.reference["coef"]) >= 13
        assert digits(fit.coef_std_, case.reference["se"]) >= 13
        assert digits(fit.chi2_, case.reference["rss"]) >= 12
        assert fit.dof_ == case.reference["dof"]

    def test_covariance_before_scaling(self, case):
        fit = DesignMatrixRegressor(absolute_sigma=True).fit(case.X, case.y)
        scale = np.abs(np.diag(case.reference["cov_unscaled"])).max()
        np.testing.assert_allclose(
            fit.coef_cov_, case.reference["cov_unscaled"], rtol=1e-12, atol=1e-15 * scale
        )

    def test_what_surfit_printed(self, case):
        fit = self.fit(case, "matrix")
        printed = case.raw["original"]
        assert digits(fit.coef_, printed["surfit"]["a"]) >= 12
        assert digits(fit.coef_std_, printed["surfit"]["sa"]) >= 12
        assert digits(fit.reduced_chi2_, printed["surfit"]["chisqr"]) >= 12
        assert digits(fit.singular_values_, printed["design_singular_values"]) >= 12

    def test_names_are_in_the_order_of_the_lecture(self, case):
        fit = self.fit(case, "polynomial")
        expected = ["1", "x0", "x1", "x0**2", "x0*x1", "x1**2"]
        assert fit.param_names_ == expected[: len(fit.coef_)]


@pytest.mark.parametrize("case", records(family="r_lm"), ids=str)
class TestR:
    """stats::lm of R, whose weights are 1/σ² up to a common factor."""

    def check(self, fit, case):
        assert digits(fit.params_, case.reference["coef"]) >= 12
        assert digits(fit.params_std_, case.reference["se"]) >= 12
        assert digits(fit.chi2_, case.reference["rss"]) >= 12
        assert fit.dof_ == case.reference["dof"]
        assert digits(fit.params_cov_, case.reference["cov"]) >= 11

    def test_matrix(self, case):
        estimator = DesignMatrixRegressor(absolute_sigma=False)
        self.check(estimator.fit(case.X, case.y, sample_weight=case.variance_weight), case)

    def test_line_or_plane(self, case):
        estimator = WeightedLinearFit(absolute_sigma=False)
        self.check(estimator.fit(case.X[:, 1:], case.y, case.variance_weight), case)

    def test_score_is_the_r_squared_of_r(self, case):
        estimator = WeightedLinearFit().fit(case.X[:, 1:], case.y, case.variance_weight)
        score = estimator.score(case.X[:, 1:], case.y, case.variance_weight)
        assert digits(score, case.reference["r2"]) >= 12
        assert digits(estimator.r_**2, case.reference["r2"]) >= 12


def test_bevington_as_printed():
    case = record("wls_bevington_6_1")
    (printed,) = case.raw["published"]
    fit = WeightedLinearFit().fit(case.X, case.y)
    np.testing.assert_allclose(fit.params_, printed["coef"], rtol=2e-6)
    np.testing.assert_allclose(fit.params_std_, printed["se"], rtol=2e-7)
    assert fit.params_cov_[0, 1] == pytest.approx(printed["cov"], rel=1e-6)


def test_thermometer_of_the_gum():
    """Guide to the Expression of Uncertainty in Measurement, H.3; x is °C less 20."""
    case = record("wls_gum_h3")
    (printed,) = case.raw["published"]
    fit = WeightedLinearFit().fit(case.X, case.y)
    correlation = fit.params_cov_[0, 1] / np.prod(fit.params_std_)
    assert correlation == pytest.approx(printed["corr"], abs=0.005)
    mean, std = fit.predict([[10.0]], return_std=True)
    assert mean[0] == pytest.approx(printed["predict_at_10"][0], abs=5e-5)
    assert std[0] == pytest.approx(printed["predict_at_10"][1], abs=5e-5)


def test_altman_and_gardner_with_confidence_limits():
    case = record("wls_altman_gardner")
    (printed,) = case.raw["published"]
    fit = WeightedLinearFit().fit(case.X, case.y)
    assert np.sqrt(fit.reduced_chi2_) == pytest.approx(printed["s"], rel=1e-11)
    assert fit.r_ == pytest.approx(printed["r"], rel=1e-11)
    # The 95% limits of the intercept are those of the curve at x = 0.
    low, high = fit.predict_interval([[0.0]], level=0.95)[0]
    assert (high - low) / 2.0 == pytest.approx(printed["ci95_half"][0], rel=1e-10)
