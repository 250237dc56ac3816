"""The nonlinear reference sets of NIST: from both published starts, and from none."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning

from sklsq import NonlinearLSQ
from tests.known_answers import digits, record, records

PROBLEMS = records(family="nist_nonlinear")
NAMES = ("arctan", "cos", "exp", "log", "log10", "pi", "sin", "sqrt")
LEADS_ASIDE = ("nist_BoxBOD", 0)  # descents end where all has decayed before the first point
HAS_EQUAL_TERMS = ("nist_MGH17",)
EXACT_DATA = "nist_Lanczos1"  # residuals are the rounding of the data

every_problem = pytest.mark.parametrize("case", PROBLEMS, ids=str)
every_start = pytest.mark.parametrize("start", [0, 1], ids=["far", "near"])


def frame(case):
    return pd.DataFrame(case.X, columns=case.features)


def as_formula(case):
    return case.raw["expr"], {}


def as_function(case):
    arguments = ", ".join([*case.features, *case.parameters])
    namespace = {name: getattr(np, name) for name in NAMES}
    function = eval(f"lambda {arguments}: {case.raw['expr']}", namespace)
    return function, {"features": list(case.features)}


def in_order(case, fit, values):
    """The values of a fit in the order of the record."""
    named = dict(zip(fit.param_names_, values, strict=True))
    return np.array([named[name] for name in case.parameters])


@every_problem
@every_start
@pytest.mark.parametrize("write", [as_formula, as_function])
def test_from_a_start(case, start, write):
    model, options = write(case)
    p0 = dict(zip(case.parameters, case.starts[start], strict=True))
    alone = "auto" if (case.id, start) == LEADS_ASIDE else "p0"
    fit = NonlinearLSQ(model, p0, start=alone, max_iter=2000, **options)
    fit.fit(frame(case), case.y)
    assert fit.converged_
    assert digits(in_order(case, fit, fit.params_), case.reference["coef"]) >= 10.5
    assert fit.dof_ == case.reference["dof"]
    if case.id != EXACT_DATA:
        std = in_order(case, fit, fit.params_std_)
        assert digits(std, case.reference["se"]) >= 7.0
        assert digits(fit.chi2_, case.reference["rss"]) >= 8.0


def test_a_start_that_leads_nowhere_soon():
    """From its far start MGH17 takes more than 200 steps: other starts take over."""
    case = record("nist_MGH17")
    fit = NonlinearLSQ(case.raw["expr"], case.starts[0][[0, 1, 3, 2, 4]])  # first appearance
    fit.fit(frame(case), case.y)
    assert digits(np.sort(fit.params_), np.sort(case.reference["coef"])) >= 10.5  # either order
    fit.set_params(start="p0")
    with pytest.warns(ConvergenceWarning, match="still falling after `max_iter` steps"):
        fit.fit(frame(case), case.y)
    assert not fit.converged_


@every_problem
@every_start
def test_from_a_start_as_users_do(case, start):
    """With the defaults a start that leads aside, or nowhere soon, is not the end."""
    p0 = dict(zip(case.parameters, case.starts[start], strict=True))
    fit = NonlinearLSQ(case.raw["expr"], p0).fit(frame(case), case.y)
    assert fit.converged_
    found = in_order(case, fit, fit.params_)
    if case.id in HAS_EQUAL_TERMS:  # either order of the terms
        assert digits(np.sort(found), np.sort(case.reference["coef"])) >= 10.4
    else:
        assert digits(found, case.reference["coef"]) >= 10.4
    assert case.id == EXACT_DATA or digits(fit.chi2_, case.reference["rss"]) >= 8.0


@pytest.mark.parametrize(
    "case", [case for case in PROBLEMS if case.id not in (EXACT_DATA, "nist_ENSO")], ids=str
)
def test_from_no_start(case):
    fit = NonlinearLSQ(case.raw["expr"]).fit(frame(case), case.y)
    assert fit.converged_
    assert digits(fit.chi2_, case.reference["rss"]) >= 8.0  # terms of a sum may be exchanged
    assert digits(np.sort(np.abs(fit.params_)), np.sort(np.abs(case.reference["coef"]))) >= 9.0


def test_exact_data_from_no_start():
    case = record(EXACT_DATA)
    fit = NonlinearLSQ(case.raw["expr"]).fit(frame(case), case.y)
    assert fit.chi2_ <= 1.01 * case.reference["rss"]
    assert digits(np.sort(fit.params_), np.sort(case.reference["coef"])) >= 9.0


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_two_unknown_periods_from_no_start(seed):
    case = record("nist_ENSO")
    fit = NonlinearLSQ(case.raw["expr"], random_state=seed)
    fit.fit(frame(case), case.y)
    assert digits(fit.chi2_, case.reference["rss"]) >= 8.0
