"""R's `nls` with its self-starting models, and the lecture's Gaussian in Octave."""

import numpy as np
import pandas as pd
import pytest

from sklsq import NonlinearLSQ, models
from tests.known_answers import digits, record, records

GROUPED = records(family="r_nls", task="grouped_nonlinear")
SELF_STARTING = {
    "r_Puromycin_micmen": models.MichaelisMenten,
    "r_DNase_logis": models.Logistic,
    "r_Orange_logis": models.Logistic,
    "r_Loblolly_asymp": models.Asymptotic,
    "r_CO2_asympOff": models.AsymptoticOffset,
    "r_BOD_asympOrig": models.AsymptoticOrigin,
}
every_case = pytest.mark.parametrize("case", GROUPED, ids=str)
self_starting = pytest.mark.parametrize(
    "case", [case for case in GROUPED if case.id in SELF_STARTING], ids=str
)


def frame(case, rows=slice(None)):
    return pd.DataFrame(case.X[rows], columns=case.features)


def groups(case, key):
    for label, answer in (case.raw[key] or {}).items():
        if answer["ok"]:
            yield case.groups == label, answer


def assert_answer(case, fit, answer, least=9.0):
    named = dict(zip(fit.param_names_, zip(fit.params_, fit.params_std_, strict=True), strict=True))
    found, std = np.transpose([named[name] for name in case.parameters])
    assert digits(found, answer["coef"]) >= least
    assert digits(std, answer["se"]) >= 6.0
    assert digits(fit.chi2_, answer["rss"]) >= 9.0
    assert fit.dof_ == answer["dof"]


@every_case
def test_each_group_from_no_start(case):
    for rows, answer in groups(case, "groups"):
        fit = NonlinearLSQ(case.raw["expr"]).fit(frame(case, rows), case.y[rows])
        assert_answer(case, fit, answer)


@every_case
def test_all_groups_together(case):
    fit = NonlinearLSQ(case.raw["expr"]).fit(frame(case), case.y)
    assert_answer(case, fit, case.raw["pooled"])


@every_case
def test_weights(case):
    """R's weights are 1/variance, and its errors are scaled."""
    for rows, answer in groups(case, "groups_weighted"):
        fit = NonlinearLSQ(case.raw["expr"], absolute_sigma=False)
        fit.fit(frame(case, rows), case.y[rows], sample_weight=case.variance_weight[rows])
        assert_answer(case, fit, answer)


@self_starting
def test_ready_made_models(case):
    for rows, answer in groups(case, "groups"):
        fit = NonlinearLSQ(SELF_STARTING[case.id]()).fit(case.X[rows], case.y[rows])
        assert digits(fit.chi2_, answer["rss"]) >= 9.0
        assert digits(fit.params_, answer["coef"]) >= 9.0


def test_oxygen_demand():
    case = record("r_BOD_asympOrig")
    for p0 in (None, case.starts[0]):
        fit = NonlinearLSQ(case.raw["expr"], p0).fit(frame(case), case.y)
        assert_answer(case, fit, case.reference)
    ready = NonlinearLSQ(models.AsymptoticOrigin()).fit(case.X, case.y)
    assert digits(ready.params_, case.reference["coef"]) >= 9.0


class TestLecture:
    """§3.4: a Gaussian on a constant, 41 points, from the start of the lecture and from none."""

    case = record("octave_gauss_A_unweighted41")

    @pytest.mark.parametrize("p0", [None, [0.0, 8.0, 4.0, 1.5]])
    def test_parameters(self, p0):
        fit = NonlinearLSQ(self.case.raw["expr"], p0).fit(self.case.X, self.case.y)
        assert_answer(self.case, fit, self.case.reference, 12.0)

    def test_absolute_errors(self):
        fit = NonlinearLSQ(self.case.raw["expr"], absolute_sigma=True)
        fit.fit(self.case.X, self.case.y)
        assert digits(fit.params_std_, self.case.reference["se_absolute_sigma"]) >= 8.0

    def test_what_the_lecture_prints(self):
        """Its p to its tolerance, and the correlations of the parameters."""
        printed = self.case.raw["original"]["nlleasqr_default"]
        fit = NonlinearLSQ(self.case.raw["expr"]).fit(self.case.X, self.case.y)
        np.testing.assert_allclose(fit.params_, printed["p"], rtol=1e-4)
        np.testing.assert_allclose(fit.params_corr_, printed["corp"], atol=1e-4)
