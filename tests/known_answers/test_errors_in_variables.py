"""Lines with errors in both coordinates, as published: York, the octave routines, hostile data."""

import warnings

import numpy as np
import pytest

from sklsq import DegreesOfFreedomWarning, OrthogonalRegression, RankWarning
from tests.known_answers import digits, record, records

DEFINITIONS = {
    "adjusted": "se_york2004",
    "observed": "se_observed_points",
    "hessian": "se_hessian",
    "propagated": "se_propagated",
}
every_definition = pytest.mark.parametrize("definition", DEFINITIONS)
LINES = records(task="eiv_line")
every_line = pytest.mark.parametrize("case", LINES, ids=str)
AXES = {
    "major_axis": "major_axis",
    "reduced_major_axis": "geometric_mean",
    "bisector": "bisector_tan_mean_angle",
}


def york(case, **options):
    errors = {"sigma": case.sigma, "sigma_x": case.sigma_x, "corr_xy": case.corr_xy}
    return OrthogonalRegression("york", **options).fit(case.X, case.y, **errors)


def exact_params(exact):
    return [float(exact["intercept"]), float(exact["slope"])]


@every_line
class TestYork:
    def test_parameters(self, case):
        fit, exact = york(case), case.raw["exact"]
        assert digits(fit.params_, exact_params(exact)) >= 14.5
        assert digits(fit.chi2_, float(exact["chi2"])) >= 14.5
        assert fit.dof_ == exact["dof"]
        assert fit.absolute_sigma_
        assert fit.converged_

    def test_published_error_is_that_of_york_2004(self, case):
        fit, exact = york(case), case.raw["exact"]["se_york2004"]
        assert digits(fit.params_std_, exact_params(exact)) >= 13.5
        assert digits(fit.params_cov_[[0, 1], [1, 0]], float(exact["cov"])) >= 13
        assert digits(fit.coef_std_, float(exact["slope"])) >= 13.5
        assert digits(fit.intercept_std_, float(exact["intercept"])) >= 13.5

    @every_definition
    def test_named_errors(self, case, definition):
        exact = case.raw["exact"][DEFINITIONS[definition]]
        covariance = york(case).params_covariance(definition)
        assert digits(np.sqrt(np.diag(covariance)), exact_params(exact)) >= 13.5
        assert digits(covariance[[0, 1], [1, 0]], float(exact["cov"])) >= 13

    @every_definition
    def test_named_errors_times_the_scatter(self, case, definition):
        exact = case.raw["exact"]
        factor = float(exact["scale_factor_sqrt_reduced_chi2"])
        covariance = york(case, absolute_sigma=False).params_covariance(definition)
        expected = np.multiply(exact_params(exact[DEFINITIONS[definition]]), factor)
        assert digits(np.sqrt(np.diag(covariance)), expected) >= 13

    def test_same_without_naming_the_method(self, case):
        fit = OrthogonalRegression().fit(case.X, case.y, sigma=case.sigma, sigma_x=case.sigma_x)
        np.testing.assert_array_equal(fit.params_, york(case).params_)


def test_pearson_as_printed():
    fit = york(record("eiv_pearson_york"))
    assert fit.coef_[0] == pytest.approx(-0.480533407, abs=5e-10)
    assert fit.intercept_ == pytest.approx(5.479910224, abs=5e-10)


PRINTED = {
    "york": ("York et al. 2004 Table II (as quoted)", "adjusted", "auto", 5e-6),
    "bfsl": ("bfsl (R) test values", "adjusted", "auto", 5e-10),
    "cantrell": ("Cantrell 2008 Table 2 Williamson-York row (as quoted)", "adjusted", False, 5e-4),
    "julia": ("LinearFitXYerrors.jl test", "adjusted", False, 1e-13),
    "kalantar": ("Kalantar 1992 (as quoted)", "propagated", "auto", 5e-6),
    "gtc": ("GTC type_a.line_fit_wtls docstring", "propagated", "auto", 5e-8),
    "krystek": ("Krystek & Anton 2007 u(a) (as quoted)", "hessian", "auto", 5e-5),
    "reed": ("Reed 1992 (as quoted by pychron)", "propagated", False, 5e-4),
}


@pytest.mark.parametrize(("what", "definition", "absolute", "rounding"), PRINTED.values())
def test_errors_as_printed(what, definition, absolute, rounding):
    case = record("eiv_pearson_york")
    (printed,) = [p for p in case.raw["published"] if p["what"] == what]
    covariance = york(case, absolute_sigma=absolute).params_covariance(definition)
    found = dict(zip(("se_intercept", "se_slope"), np.sqrt(np.diag(covariance)), strict=True))
    checked = [name for name in found if name in printed]
    for name in checked:
        assert found[name] == pytest.approx(printed[name], abs=1.01 * rounding, rel=1e-12)
    assert checked


def test_goodness_of_fit_as_printed():
    case = record("eiv_pearson_york")
    (printed,) = [p for p in case.raw["published"] if "p_value" in p and "predict_first_ci" in p]
    fit = york(case)
    assert fit.reduced_chi2_ == pytest.approx(printed["reduced_chi2"], abs=5e-10)
    assert fit.p_value_ == pytest.approx(printed["p_value"], abs=5e-11)
    mean, std = fit.predict(case.X[:1], return_std=True)
    assert std[0] == pytest.approx(printed["predict_first_se"], abs=5e-9)
    # bfsl takes Student's t also for absolute errors; at x = 0 the curve is the intercept.
    low, high = printed["predict_first_ci"]
    assert mean[0] == pytest.approx((low + high) / 2.0, abs=1e-8)


def test_confidence_limits_as_printed():
    case = record("eiv_pearson_york")
    (printed,) = [p for p in case.raw["published"] if "ci95_half_intercept" in p]
    fit = york(case, absolute_sigma=False)
    low, high = fit.predict_interval([[0.0]], level=0.95)[0]
    assert (high - low) / 2.0 == pytest.approx(printed["ci95_half_intercept"], rel=1e-12)


@pytest.mark.parametrize("case", records("octave_original", "eiv_line"), ids=str)
def test_lsqcubic(case):
    original = case.raw["original"]["lsqcubic_tl1em12"]
    fit = york(case, absolute_sigma=False)
    np.testing.assert_allclose(fit.params_, [original["b"], original["m"]], rtol=1e-12)
    # Its errors are those of the observed points (York 1966), times sqrt(reduced chi-square).
    observed = np.sqrt(np.diag(fit.params_covariance("observed")))
    np.testing.assert_allclose(observed, [original["sb"], original["sm"]], rtol=1e-10)
    assert not np.allclose(fit.params_std_, observed, rtol=1e-3)


@pytest.mark.parametrize("case", records("octave_original", "type2"), ids=str)
class TestTypeTwo:
    @pytest.mark.parametrize("method", AXES)
    def test_slope_and_intercept(self, case, method):
        exact = case.raw["exact"]
        slope = float(exact[AXES[method]])
        intercept = float(exact["ybar"]) - slope * float(exact["xbar"])
        fit = OrthogonalRegression(method).fit(case.X, case.y)
        assert digits(fit.coef_, slope) >= 14
        assert digits(fit.intercept_, intercept) >= 13.5

    @pytest.mark.parametrize("method", ["auto", "total", "deming"])
    def test_other_names_of_the_major_axis(self, case, method):
        fit = OrthogonalRegression(method).fit(case.X, case.y)
        assert digits(fit.coef_, float(case.raw["exact"]["major_axis"])) >= 13.5

    def test_errors_of_lsqfitma(self, case):
        """Those of 2007, which divide by n; the lecture's copy of 1995 has a slip in sb."""
        original, slip = case.raw["original"]["lsqfitma2007"], case.raw["original"]["lsqfitma"]
        fit, n = OrthogonalRegression("major_axis").fit(case.X, case.y), len(case.y)
        of_slope = fit.coef_std_[0] * np.sqrt((n - 2) / n)
        assert of_slope == pytest.approx(original["sm"], rel=1e-9)
        squares = np.sum((case.y - fit.predict(case.X)) ** 2)
        level = float(case.raw["exact"]["xbar"]) * of_slope
        of_intercept = np.hypot(np.sqrt(squares / (n * (n - 1))), level)
        assert of_intercept == pytest.approx(original["sb"], rel=1e-9)
        assert slip["sb"] < 0.8 * fit.intercept_std_

    def test_errors_of_lsqfitgm(self, case):
        """They are those of the regression of y on x, about the other line."""
        original = case.raw["original"]["lsqfitgm"]
        fit = OrthogonalRegression("reduced_major_axis").fit(case.X, case.y)
        r = abs(float(case.raw["exact"]["r"]))
        assert fit.coef_std_[0] == pytest.approx(original["sm"] * np.sqrt((1 + r) / 2), rel=1e-9)


def test_type_two_results_as_printed():
    case = record("type2_pearson_unweighted")
    (printed,) = [p for p in case.raw["published"] if "bisector" in p]
    for method in ("major_axis", "bisector"):
        fit = OrthogonalRegression(method).fit(case.X, case.y)
        np.testing.assert_allclose(fit.params_, printed[method], rtol=2e-10)
    y_on_x = OrthogonalRegression("york", absolute_sigma=False)
    y_on_x.fit(case.X, case.y, sigma=1.0, sigma_x=0.0)
    np.testing.assert_allclose(y_on_x.params_, printed["y_on_x"], rtol=2e-10)
    assert y_on_x.intercept_std_ == pytest.approx(printed["se_y_on_x"][0], abs=5e-8)
    reference = case.reference["slopes"]
    assert digits(y_on_x.coef_, reference["y_on_x"]) >= 13
    # With all error in x it is the regression of x on y.
    x_on_y = OrthogonalRegression("deming", error_ratio=1e-30).fit(case.X, case.y)
    assert digits(x_on_y.coef_, reference["x_on_y"]) >= 13


# --- hostile data -------------------------------------------------------------------------------

ERRORS = {
    "empty": r"0 sample\(s\)",
    "x_1d": "Expected 2D array, got 1D array",
    "length_mismatch": "inconsistent numbers of samples",
    "X_nan": "Input X contains NaN",
    "X_inf": "Input X contains infinity",
    "X_neginf": "Input X contains infinity",
    "y_nan": "Input y contains NaN",
    "y_inf": "Input y contains infinity",
    "y_neginf": "Input y contains infinity",
    "string_dtype": "could not convert string to float",
    "complex_y": "Complex data not supported",
    "sparse_X": "[Ss]parse",
    "masked_array": "`y` must not hold masked values",
    "eiv_rho_out_of_range": r"`corr_xy` must lie between -1 and 1\. Got 1\.5 in row 0",
}
# Answers to the regression of y on x: x exact, equal errors of y, scaled by the scatter.
Y_ON_X = {
    "object_dtype_numeric",
    "pandas_frame",
    "lists",
    "layout_fortran",
    "layout_readonly",
    "layout_strided",
    "y_column",
}
KNOWN_ERRORS = {
    "sigma_all_zero_eiv_x",
    "x_offset_1e9_eiv",
    "eiv_perfect_line_slope1",
    "eiv_scalar_sigmas",
}
# By the contract one row is a warning.
WARNED = {"one_row_line", "constant_x_vertical_line", "square_grid_r0"}
OTHER_ANSWERS = {"n_equal_2_line", "constant_y_orthogonal"}
METHODS = ["total", "deming", "major_axis", "reduced_major_axis", "bisector"]


def arguments(case):
    names = {"sigma_y": "sigma", "rho": "corr_xy"}
    return {names.get(name, name): value for name, value in case.arguments.items()}


def test_every_case_has_its_test():
    concerned = records(
        task="robustness", where=lambda case: "OrthogonalRegression" in case.raw["estimators"]
    )
    tested = [set(ERRORS), Y_ON_X, KNOWN_ERRORS, WARNED, OTHER_ANSWERS]
    assert {case.id for case in concerned} == set().union(*tested)
    assert len(concerned) == sum(map(len, tested))


@pytest.mark.parametrize("identifier", ERRORS)
def test_error_says_what_is_wrong(identifier):
    estimator = OrthogonalRegression()
    with pytest.raises((ValueError, TypeError), match=ERRORS[identifier]):
        estimator.fit(**arguments(record(identifier)))
    assert not estimator.__sklearn_is_fitted__()


def assert_exact(fit, case, rtol):
    exact = case.raw["exact"]
    names = {"intercept": fit.params_.flat[0], "slope": fit.params_.flat[1], "chi2": fit.chi2_}
    std = np.ravel(fit.params_std_)
    names |= {"se_intercept": std[0], "se_slope": std[1], "dof": fit.dof_}
    for name in set(names) & set(exact):
        tolerance = rtol.get(name, 1e-8) if isinstance(rtol, dict) else rtol
        assert np.ravel(names[name])[0] == pytest.approx(
            float(exact[name]), rel=max(tolerance, 1e-13), abs=1e-12
        ), name


@pytest.mark.parametrize("identifier", sorted(Y_ON_X))
class TestContainers:
    def test_exact_answer(self, identifier):
        case = record(identifier)
        fit = OrthogonalRegression(absolute_sigma=False)
        fit.fit(**arguments(case), sigma=1.0, sigma_x=0.0)
        assert_exact(fit, case, 1e-11)

    @pytest.mark.parametrize("method", METHODS)
    def test_same_as_plain_arrays(self, identifier, method):
        given = arguments(record(identifier))
        before = arguments(record(identifier))
        fit = OrthogonalRegression(method).fit(**given)
        plain = OrthogonalRegression(method).fit(
            np.array(given["X"], dtype=float), np.ravel(np.array(given["y"], dtype=float))
        )
        np.testing.assert_allclose(np.ravel(fit.params_), plain.params_, rtol=1e-13)
        np.testing.assert_allclose(np.ravel(fit.params_cov_), plain.params_cov_.ravel(), rtol=1e-12)
        for name, value in given.items():
            np.testing.assert_array_equal(value, before[name])


def test_names_of_a_frame():
    fit = OrthogonalRegression().fit(**arguments(record("pandas_frame")))
    assert fit.feature_names_in_.tolist() == ["depth"]
    assert fit.param_names_ == ["intercept", "depth"]


@pytest.mark.parametrize("identifier", sorted(KNOWN_ERRORS))
def test_exact_answer(identifier):
    case = record(identifier)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = OrthogonalRegression().fit(**arguments(case))
    assert_exact(fit, case, case.raw["expect"]["rtol"])
    assert fit.converged_


def test_perfect_line_of_slope_one():
    case = record("eiv_perfect_line_slope1")
    absolute = OrthogonalRegression().fit(**arguments(case))
    assert (absolute.params_std_ > 0.0).all()
    scaled = OrthogonalRegression(absolute_sigma=False).fit(**arguments(case))
    np.testing.assert_allclose(scaled.params_std_, 0.0, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
class TestWithoutErrors:
    def test_horizontal(self, method):
        case = record("constant_y_orthogonal")
        fit = OrthogonalRegression(method).fit(**arguments(case))
        assert_exact(fit, case, 1e-12)
        assert fit.converged_

    def test_two_points(self, method):
        case = record("n_equal_2_line")
        with pytest.warns(DegreesOfFreedomWarning, match="no degrees of freedom left"):
            fit = OrthogonalRegression(method).fit(**arguments(case))
        assert_exact(fit, case, 1e-12)
        assert not np.isfinite(fit.params_std_).any()

    @pytest.mark.parametrize("identifier", sorted(WARNED - {"one_row_line"}))
    def test_no_line(self, method, identifier):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fit = OrthogonalRegression(method).fit(**arguments(record(identifier)))
        assert {w.category.__name__ for w in caught} - {"RankWarning"} == {"ConvergenceWarning"}
        assert not fit.converged_
        assert not np.isfinite(fit.coef_).any()
        assert not np.isfinite(fit.params_std_).any()

    def test_one_row(self, method):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fit = OrthogonalRegression(method).fit(**arguments(record("one_row_line")))
        categories = {w.category for w in caught}
        assert {RankWarning, DegreesOfFreedomWarning} <= categories
        assert fit.coef_ == [0.0]
        assert not np.isfinite(fit.params_std_).any()
