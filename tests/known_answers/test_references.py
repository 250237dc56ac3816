"""Each answer, put into its own problem, gives back its own objective; and the reader reads."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from tests.known_answers import digits, record, records

# A double holds 15 to 16 digits; sums of squares of a hundred residuals lose up to three of them.
ROUNDING = 12
# Their answers, rounded to doubles, no longer reproduce the objective to more digits than this.
LOST_TO_ROUNDING = {
    "nist_Filip": 7,
    "nist_Lanczos1": 2,
    "nist_Lanczos2": 10,
    "nist_Lanczos3": 11,
    "nist_MGH10": 11,
}
EXACT_FIT = 1e-20  # residual sum over the sum of squares, where the residuals are zero


def weighted_sum_of_squares(case, residual):
    if case.variance_weight is not None:
        return np.sum(case.variance_weight * residual**2)
    return np.sum((residual / (1.0 if case.sigma is None else case.sigma)) ** 2)


def required_digits(case):
    return LOST_TO_ROUNDING.get(case.id, ROUNDING)


@pytest.mark.parametrize("case", records(task="linear") + records(task="surface"), ids=str)
def test_linear_residual_sum(case):
    rss = weighted_sum_of_squares(case, case.y - case.X @ case.reference["coef"])
    if case.reference["rss"] == 0:
        assert rss / np.sum(case.y**2) < EXACT_FIT
    else:
        assert digits(rss, case.reference["rss"]) >= required_digits(case)


@pytest.mark.parametrize("case", records(task="nonlinear"), ids=str)
def test_nonlinear_residual_sum(case):
    residual = case.y - case.predict(case.reference["coef"])
    # The references of R and of the lecture's peak are those of the unweighted fit.
    assert digits(np.sum(residual**2), case.reference["rss"]) >= required_digits(case)


@pytest.mark.parametrize("case", records(task="grouped_nonlinear"), ids=str)
def test_grouped_residual_sums(case):
    answers = {label: answer for label, answer in case.raw["groups"].items() if answer.get("ok")}
    for label, answer in answers.items():
        rows = case.groups == label
        residual = case.y[rows] - case.predict(answer["coef"], case.X[rows])
        assert digits(np.sum(residual**2), answer["rss"]) >= required_digits(case)
    assert answers


@pytest.mark.parametrize("case", records(task="wls"), ids=str)
def test_line_chi2_and_errors(case):
    design = np.column_stack([np.ones_like(case.y), case.X])
    chi2 = weighted_sum_of_squares(case, case.y - design @ case.reference["coef"])
    assert digits(chi2, case.reference["chi2"]) >= required_digits(case)
    whitened = design / (1.0 if case.sigma is None else case.sigma[:, None])
    scale = chi2 / case.reference["dof"] if case.reference.get("se_scaled") else 1.0
    errors = np.sqrt(scale * np.diag(np.linalg.inv(whitened.T @ whitened)))
    assert digits(errors, case.reference["se"]) >= 10  # normal equations lose a few digits more


@pytest.mark.parametrize("case", records(task="eiv_line"), ids=str)
def test_line_with_errors_in_x_chi2(case):
    intercept, slope = case.reference["coef"]
    correlation = 0.0 if case.corr_xy is None else case.corr_xy
    variance = (
        case.sigma**2
        + slope**2 * case.sigma_x**2
        - 2 * slope * correlation * case.sigma * case.sigma_x
    )
    chi2 = np.sum((case.y - intercept - slope * case.X[:, 0]) ** 2 / variance)
    assert digits(chi2, case.reference["chi2"]) >= required_digits(case)


@pytest.mark.parametrize("case", records(task="type2", family="octave_original"), ids=str)
def test_slopes_without_a_dependent_variable(case):
    (sxx, sxy), (_, syy) = np.cov(case.X[:, 0], case.y)
    slopes = {
        "y_on_x": sxy / sxx,
        "x_on_y": syy / sxy,
        "geometric_mean": np.sign(sxy) * np.sqrt(syy / sxx),
        "major_axis": (syy - sxx + np.hypot(syy - sxx, 2 * sxy)) / (2 * sxy),
    }
    for name, slope in slopes.items():
        assert digits(slope, case.reference["slopes"][name]) >= required_digits(case)


def test_every_task_is_checked():
    tasks = {case.task for case in records()}
    checked = {"linear", "surface", "nonlinear", "grouped_nonlinear", "wls", "eiv_line", "type2"}
    assert tasks == checked | {"robustness"}


def test_identifiers_are_unique():
    identifiers = [case.id for case in records()]
    assert len(set(identifiers)) == len(identifiers)


@pytest.mark.parametrize("case", records(task="robustness"), ids=str)
def test_robustness_arguments_decode(case):
    arguments = case.arguments
    assert {"X", "y"} <= set(arguments)
    assert not any(isinstance(value, dict) and "data" in value for value in arguments.values())
    assert case.raw["expect"]["kind"]
    assert case.raw["estimators"]


def test_containers_are_the_real_objects():
    found = {
        type(value) for case in records(task="robustness") for value in case.arguments.values()
    }
    assert {np.ndarray, np.ma.MaskedArray, pd.DataFrame, sparse.csr_matrix, list} <= found


def test_arguments_are_decoded_anew():
    case = record("x_1d")
    case.arguments["X"][0] = -1.0
    assert case.arguments["X"][0] == 1.0


@pytest.mark.parametrize(
    ("estimate", "reference", "expected"),
    [
        (1.0, 1.0, 17.0),
        ([1.0, 1.001], [1.0, 1.0], 3.0),
        (1e-5, 0.0, 5.0),
        (np.inf, 1.0, -99.0),
        (-1.0, 1.0, -0.30103),
        ([], [], 17.0),
    ],
)
def test_digits(estimate, reference, expected):
    assert digits(estimate, reference) == pytest.approx(expected, abs=1e-5)
