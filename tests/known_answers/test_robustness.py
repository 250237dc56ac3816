"""Hostile inputs: an error that says what is wrong, a warning, or the exact answer."""

import re
import warnings

import numpy as np
import pytest

from sklsq import DegreesOfFreedomWarning, DesignMatrixRegressor, RankWarning, WeightedLinearFit
from sklsq.basis import Polynomial
from tests.known_answers import record, records

LINEAR = {"WeightedLinearFit", "DesignMatrixRegressor"}
OWN_WARNINGS = (RankWarning, DegreesOfFreedomWarning)
# One row is a warning by the contract, not an error: the shortest slope, with an infinite error.
OTHERWISE = {"one_row_line"}
# Where a record leaves the choice, sklsq raises for what it cannot use; a column y is one curve.
ERROR = ("error", "exact_or_error", "error_or_exact")
EXACT = ("exact", "warn_or_error_or_exact")
WARN = ("warn", "error_or_warn")
# What the message of an error must speak of.
ERRORS = {
    "empty": r"0 sample\(s\)",
    "x_1d": "Expected 2D array, got 1D array",
    "length_mismatch": "inconsistent numbers of samples",
    "sigma_length_mismatch": r"`sigma` must be a number or have shape \(10,\).*Got shape \(8,\)",
    "X_nan": "Input X contains NaN",
    "X_inf": "Input X contains infinity",
    "X_neginf": "Input X contains infinity",
    "y_nan": "Input y contains NaN",
    "y_inf": "Input y contains infinity",
    "y_neginf": "Input y contains infinity",
    "sigma_zero": "`sigma` must be positive and finite. Got 0 in row 3",
    "sigma_negative": r"`sigma` must be positive and finite. Got -0\.1 in row 3",
    "sigma_nan": "`sigma` must be positive and finite. Got nan in row 3",
    "sigma_inf": "`sigma` must be positive and finite. Got inf in row 3",
    "string_dtype": "could not convert string to float",
    "complex_y": "Complex data not supported",
    "sparse_X": "[Ss]parse",
    "masked_array": "`y` must not hold masked values",
}


def estimator_for(name, case):
    """A straight line by each estimator; where X is the design matrix, X itself."""
    if name == "WeightedLinearFit":
        return WeightedLinearFit(fit_intercept=case.arguments.get("fit_intercept", True))
    is_matrix = "fit_intercept" in case.raw["args"] or "coef" in (case.raw["exact"] or {})
    if is_matrix or np.shape(case.arguments["X"])[1:] != (1,):
        return DesignMatrixRegressor()
    return DesignMatrixRegressor(Polynomial(1))


def fit(estimator, case):
    data = case.arguments
    return estimator.fit(data["X"], data["y"], sigma=data.get("sigma"))


def pairs(*kinds):
    return [
        pytest.param(name, case, id=f"{case.id}-{name}")
        for case in records(task="robustness")
        for name in sorted(LINEAR & set(case.raw["estimators"]))
        if case.raw["expect"]["kind"] in kinds and case.id not in OTHERWISE
    ]


@pytest.mark.parametrize(("name", "case"), pairs(*ERROR))
def test_error_says_what_is_wrong(name, case):
    allowed = tuple(
        {"ValueError": ValueError, "TypeError": TypeError}[kind]
        for kind in case.raw["expect"].get("exceptions", ["ValueError"])
    )
    estimator = estimator_for(name, case)
    with pytest.raises(allowed, match=ERRORS[case.id]):
        fit(estimator, case)
    assert not estimator.__sklearn_is_fitted__()


def test_every_case_has_its_test():
    tested = {pair.values[1].id for pair in pairs(*ERROR, *EXACT, *WARN)} | OTHERWISE
    cases = records(task="robustness", where=lambda case: LINEAR & set(case.raw["estimators"]))
    assert {case.id for case in cases} == tested
    assert {pair.values[1].id for pair in pairs(*ERROR)} == set(ERRORS)


def tolerance(case, name):
    tolerance = case.raw["expect"].get("rtol", 1e-10)
    return tolerance.get(name, 1e-8) if isinstance(tolerance, dict) else tolerance


@pytest.mark.parametrize(("name", "case"), pairs(*EXACT))
def test_exact_answer(name, case):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator = fit(estimator_for(name, case), case)
    exact, zero = case.raw["exact"], case.raw["expect"].get("atol", 0.0)
    params = estimator.params_ if estimator.params_.ndim == 1 else estimator.params_[0]
    std = np.reshape(estimator.params_std_, params.shape)
    answer = exact.get("coef") or [exact["intercept"], exact["slope"]]
    for value, expected, quantity in zip(params, answer, ("intercept", "slope", ""), strict=False):
        assert value == pytest.approx(
            float(expected), rel=tolerance(case, quantity), abs=zero or 1e-13 * np.abs(params).max()
        )
    assert int(np.ravel(estimator.dof_)[0]) == exact["dof"]
    if "se_slope" in exact:
        expected = [float(exact["se_intercept"]), float(exact["se_slope"])]
        np.testing.assert_allclose(std, expected, rtol=max(tolerance(case, "se_slope"), 1e-13))
        cov = np.reshape(estimator.params_cov_, (2, 2))[0, 1]
        assert cov == pytest.approx(float(exact["cov"]), rel=1e3 * tolerance(case, "se_slope"))
        chi2 = np.ravel(estimator.chi2_)[0]
        assert chi2 == pytest.approx(float(exact["chi2"]), rel=1e3 * tolerance(case, "chi2"))
        absolute = exact["se_kind"] == "absolute sigma"
        assert estimator.absolute_sigma_ == absolute
    expected_warnings = case.raw["expect"].get("warnings", [])
    if "UserWarning" in expected_warnings:
        assert [w.category for w in caught] == [DegreesOfFreedomWarning]
        assert np.isnan(std).all()
    else:
        assert caught == []


@pytest.mark.parametrize(("name", "case"), pairs(*WARN))
def test_warning_and_an_honest_answer(name, case):
    with pytest.warns(OWN_WARNINGS, match=r"determine only|degrees of freedom") as caught:
        estimator = fit(estimator_for(name, case), case)
    assert RankWarning in {w.category for w in caught}
    assert np.abs(estimator.params_).max() < 1e6
    assert not np.isfinite(estimator.params_std_).all()


@pytest.mark.parametrize("layout", ["layout_fortran", "layout_readonly", "layout_strided"])
@pytest.mark.parametrize("name", sorted(LINEAR))
def test_inputs_are_left_alone(name, layout):
    case = record(layout)
    data, before = case.arguments, case.arguments
    estimator_for(name, case).fit(data["X"], data["y"])
    np.testing.assert_array_equal(data["X"], before["X"])
    np.testing.assert_array_equal(data["y"], before["y"])


@pytest.mark.parametrize("name", sorted(LINEAR))
def test_names_of_a_frame(name):
    case = record("pandas_frame")
    estimator = fit(estimator_for(name, case), case)
    assert estimator.feature_names_in_.tolist() == ["depth"]
    assert estimator.param_names_[1] == "depth"


def test_one_row_is_a_warning():
    with pytest.warns(OWN_WARNINGS, match="determine only 1 of 2|no degrees") as caught:
        line = fit(WeightedLinearFit(), record("one_row_line"))
    assert {w.category for w in caught} == set(OWN_WARNINGS)
    assert line.predict([[1.0]]) == [2.0]
    assert line.coef_ == [0.0]
    assert not np.isfinite(line.params_std_).any()


@pytest.mark.parametrize("identifier", ["constant_x", "constant_x_integer"])
def test_constant_x_gives_the_mean(identifier):
    case = record(identifier)
    with pytest.warns(RankWarning, match="determine only 1 of 2"):
        line = fit(WeightedLinearFit(), case)
    assert line.coef_[0] == pytest.approx(0.0, abs=1e-12)
    assert line.intercept_ == pytest.approx(np.mean(case.arguments["y"]), rel=1e-14)


def test_collinear_columns():
    case = record("collinear_columns")
    with pytest.warns(RankWarning, match="only 2 of 3"):
        estimator = fit(DesignMatrixRegressor(), case)
    assert estimator.rank_ == case.raw["exact"]["rank"]
    expected = np.array(case.raw["exact"]["predictions"], dtype=float)
    np.testing.assert_allclose(estimator.predict(case.arguments["X"]), expected, rtol=1e-12)
    assert np.isinf(estimator.coef_std_).all()


def test_zero_column():
    with pytest.warns(RankWarning, match=re.escape("every t in (x2 + t) fits equally well")):
        estimator = fit(DesignMatrixRegressor(), record("zero_column"))
    assert estimator.coef_[2] == 0.0
    np.testing.assert_array_equal(np.isinf(estimator.coef_std_), [False, False, True])


def test_constant_y_has_no_correlation():
    case = record("constant_y")
    line = fit(WeightedLinearFit(), case)
    assert np.isnan(line.r_)
    np.testing.assert_allclose(line.params_std_, 0.0, atol=1e-12)
    assert "3" in str(line.summary())
