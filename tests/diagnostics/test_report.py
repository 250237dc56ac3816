"""The report: Holm's verdict, text, HTML, frame, attributes."""

import pickle

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from sklsq import WeightedLinearFit
from sklsq.datasets import load_pion_plus, load_sea_level
from sklsq.diagnostics import Finding, ResidualReport, residual_diagnostics
from sklsq.diagnostics.report import holm


@pytest.fixture(scope="module")
def report():
    data = load_sea_level()
    line = WeightedLinearFit().fit(data.X, data.y_values, sigma=data.sigma_values)
    return residual_diagnostics(line, data.X, data.y_values, sigma=data.sigma_values)


def test_holm_beside_statsmodels():
    p = np.random.default_rng(0).uniform(0.0, 0.3, 9)
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1])
    np.testing.assert_array_equal(holm(np.array([np.nan, 0.2])), [np.nan, 0.2])
    assert holm(np.array([])).shape == (0,)


def test_verdicts_follow_from_the_p_values(report):
    frame = report.to_frame()
    made = frame.dropna(subset=["p_value"])
    assert len(made) == report.n_tests == 7
    np.testing.assert_allclose(made["adjusted_p_value"], holm(made["p_value"].to_numpy()))
    for row in made.itertuples():
        look, suspicious = row.adjusted_p_value < 0.05, row.p_value < 0.05
        assert row.verdict == ("look" if look else "borderline" if suspicious else "ok")
        assert bool(row.sentence) == (row.verdict != "ok")
    assert not report.ok
    assert report.suspects[0] == made["p_value"].idxmin() == "autocorrelation"


def test_attributes(report):
    assert isinstance(report, ResidualReport)
    assert isinstance(report.runs, Finding)
    assert report.runs is report["runs"]
    assert "trend year" in list(report)
    assert {"chi2", "runs", "normality"} <= set(dir(report))
    with pytest.raises(AttributeError, match=r"no test 'rums'; it has \['chi2', 'runs'"):
        report.rums  # noqa: B018
    with pytest.raises(AttributeError, match="cannot assign to field"):
        report.level = 0.5
    assert str(pickle.loads(pickle.dumps(report))) == str(report)


def test_text(report):
    text = str(report)
    assert text.startswith("Residuals of WeightedLinearFit()\n134 points, 132 degrees of freedom")
    assert "Look at: neighbours (p = 1.7e-38)" in text
    assert max(map(len, text.splitlines())) <= 100
    for finding in report.findings.values():
        assert finding.name in text
    assert str(report.runs).startswith("runs of sign  19, expected 68.2")


def test_html_is_escaped():
    data = load_pion_plus()
    X = data.X.rename(columns={"inverse_energy": "1/E <GeV>"})
    line = WeightedLinearFit().fit(X, data.y_values, sigma=data.sigma_values)
    html = residual_diagnostics(line, X, data.y_values, sigma=data.sigma_values)._repr_html_()
    assert "trend, 1/E &lt;GeV&gt;" in html
    assert "<GeV>" not in html
    assert html.count("<tr>") == 9


def test_outliers_are_listed():
    x = np.linspace(0.0, 1.0, 40)
    y = x + 0.1 * np.sin(37.0 * np.arange(40))
    y[[5, 30]] += [3.0, -2.0]
    report = residual_diagnostics(WeightedLinearFit().fit(x[:, None], y), x[:, None], y)
    assert list(report.outliers.index) == [5, 30]
    assert (report.outliers["expected"] == 40 * report.outliers["tail"]).all()
    assert "row 5 with a pull of" in report["outliers"].sentence
