"""The report of a fit, as text, HTML, frame and LaTeX."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklsq import DesignMatrixRegressor, WeightedLinearFit
from sklsq.inference.summary import FitSummary, format_value


def line(t=None, sigma=0.5, n=12, **parameters):
    rng = np.random.default_rng(0)
    x, shape = np.linspace(0.0, 5.0, n), (n,) if t is None else (n, t)
    y = (x if t is None else x[:, None]) * 2.0 + 1.0 + 0.5 * rng.normal(size=shape)
    return WeightedLinearFit(**parameters).fit(x[:, None], y, sigma=sigma)


VALUES = {
    (1.00211681802, 0.000429796): ("1.00212", "0.00043"),
    (-1467.489, 298.08): ("-1470", "300"),
    (0.999, 0.0996): ("1.00", "0.10"),
    (12345.678, 1.0): ("12345.7", "1.0"),
    (0.0, 0.5): ("0.00", "0.50"),
    (3.25, float("nan")): ("3.25", "nan"),
    (3.25, float("inf")): ("3.25", "inf"),
    (3.25, 0.0): ("3.25", "0"),
    (float("nan"), 1.0): ("nan", "1"),
    (6.62607015e-34, 1e-38): ("6.62607e-34", "1.0e-38"),
    (2.99792458e8, 1200.0): ("2.997925e+08", "1.2e+03"),
    (1e-9, 1.0): ("0.0", "1.0"),
    (1e300, 1e290): ("1.00000000000e+300", "1.0e+290"),
}


@pytest.mark.parametrize(("numbers", "text"), VALUES.items(), ids=str)
def test_two_digits_of_the_error(numbers, text):
    assert format_value(*numbers) == text


@given(
    st.floats(-1e12, 1e12).filter(lambda value: abs(value) > 1e-12),
    st.floats(1e-12, 1e12),
)
def test_nothing_is_lost_beyond_the_error(value, error):
    shown, uncertainty = format_value(value, error)
    assert abs(float(shown) - value) <= 0.0501 * error * (1 + 1e-9) + 1e-12 * abs(value)
    assert float(uncertainty) == pytest.approx(error, rel=0.0501)


class TestText:
    def test_parameters_with_errors(self):
        fit = line()
        text = str(fit.summary())
        assert text.startswith("WeightedLinearFit()")
        for name, value, error in zip(fit.param_names_, fit.params_, fit.params_std_, strict=True):
            shown, uncertainty = format_value(value, error)
            (row,) = [row for row in text.splitlines() if row.strip().startswith(f"{name} ")]
            assert f"{shown} ± {uncertainty}" in " ".join(row.split())

    def test_quality(self):
        fit = line()
        text = str(fit.summary())
        assert f"{fit.chi2_:.6g} for 10 degrees of freedom, reduced {fit.reduced_chi2_:.4g}" in text
        assert f"p = {fit.p_value_:.2g}" in text

    def test_correlation(self):
        fit = line()
        correlation = fit.params_cov_[0, 1] / np.prod(fit.params_std_)
        assert f"intercept, x: {correlation:+.4f}" in str(fit.summary())

    @pytest.mark.parametrize(
        ("parameters", "sigma", "sentence"),
        [
            ({}, 0.5, "absolute: from sigma as given, not scaled by the scatter"),
            ({}, None, "scaled by the scatter, sqrt(reduced chi2): no sigma given"),
            (
                {"absolute_sigma": False},
                0.5,
                "scaled by the scatter, sqrt(reduced chi2): sigma taken as relative",
            ),
            (
                {"absolute_sigma": True},
                None,
                "absolute: from sigma taken as 1, not scaled by the scatter",
            ),
        ],
    )
    def test_convention(self, parameters, sigma, sentence):
        assert f"errors    {sentence}" in str(line(sigma=sigma, **parameters).summary())

    @pytest.mark.parametrize(
        ("sigma", "reading"),
        [
            (0.5, r"\(p = 0\.86\)"),
            (0.05, "too large .* sigma (is )?too small"),
            (50.0, "too small .* sigma is too large"),
            (None, r"the scatter about the fit implies sigma = 0\.\d+, equal for all points"),
        ],
    )
    def test_reading_of_chi2(self, sigma, reading):
        assert re.search(reading, str(line(sigma=sigma).summary()))

    def test_no_freedom(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            text = str(line(n=2).summary())
        assert "no degrees of freedom" in text
        assert "reduced nan" in text
        assert "warning   There are no degrees of freedom" in text

    def test_curves_and_those_left_out(self):
        text = str(line(t=7).summary())
        assert text.count("target ") == 5
        assert "... and 2 more targets: see to_frame()" in text

    def test_weaker_correlations_are_counted(self):
        rng = np.random.default_rng(1)
        fit = DesignMatrixRegressor().fit(rng.normal(size=(30, 7)), rng.normal(size=30))
        assert "... and 9 weaker" in str(fit.summary())  # of 21, twelve are shown
        shown = [
            row for row in str(fit.summary()).splitlines() if row.startswith("  x") and ":" in row
        ]
        sizes = [abs(float(row.rpartition(" ")[2])) for row in shown]
        assert sizes == sorted(sizes, reverse=True)


class TestFrame:
    def test_one_curve(self):
        fit = line()
        frame = fit.summary().to_frame()
        assert list(frame.index) == ["intercept", "x"]
        assert frame.index.name == "parameter"
        np.testing.assert_array_equal(frame["value"], fit.params_)
        np.testing.assert_array_equal(frame["std"], fit.params_std_)

    def test_curves(self):
        fit = line(t=7)
        frame = fit.summary().to_frame()
        assert frame.index.names == ["target", "parameter"]
        assert len(frame) == 14
        assert frame.loc[(6, "x"), "value"] == fit.coef_[6, 0]
        assert frame.loc[(6, "intercept"), "std"] == fit.intercept_std_[6]


class TestNotebookAndPaper:
    def hostile(self, name):
        frame = pd.DataFrame({name: np.arange(6.0)})
        y = np.random.default_rng(0).normal(size=6)
        return WeightedLinearFit().fit(frame, y, sigma=1.0).summary()

    def test_html(self):
        fit = line()
        html = fit.summary()._repr_html_()
        for value, error in zip(fit.params_, fit.params_std_, strict=True):
            shown, uncertainty = format_value(value, error)
            assert f">{shown}</td><td>± {uncertainty}</td>" in html
        assert "absolute: from sigma as given" in html
        assert html.count("<div>") == html.count("</div>") == 1

    def test_html_escapes_names(self):
        html = self.hostile("<script>alert(1)</script>")._repr_html_()
        assert "<script>" not in html
        assert "&lt;script&gt;" in html

    def test_html_of_curves_and_warnings(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            html = line(t=7, n=2).summary()._repr_html_()
        assert html.count("<table>") == 5
        assert "<b>Warning:</b> There are no degrees of freedom" in html

    def test_latex(self):
        fit = line()
        latex = fit.summary().to_latex()
        assert latex.startswith(r"\begin{tabular}{lr}")
        assert latex.endswith(r"\end{tabular}")
        shown, uncertainty = format_value(fit.intercept_, fit.intercept_std_)
        assert rf"intercept & ${shown} \pm {uncertainty}$ \\" in latex
        assert rf"$\chi^2$ / dof & ${fit.chi2_:.6g} / 10$ \\" in latex

    def test_latex_escapes_names(self):
        latex = self.hostile("a_b%^2{c}\\~").to_latex()
        assert r"a\_b\%\^{}2\{c\}\textbackslash{}\textasciitilde{}" in latex

    @pytest.mark.parametrize(
        ("value", "error", "expected"),
        [
            (6.62607015e-34, 1e-38, r"(6.62607 \pm 0.00010) \times 10^{-34}"),
            (1.0, np.inf, r"1 \pm \infty"),
            (1.0, np.nan, r"1 \pm \mathrm{nan}"),
        ],
    )
    def test_latex_numbers(self, value, error, expected):
        summary = self.made_up(value, error)
        assert expected in summary.to_latex()
        assert "nan" in str(summary) or np.isfinite(error) or "inf" in str(summary)

    def made_up(self, value, error):
        return FitSummary(
            title="made up",
            names=["a"],
            params=np.array([[value]]),
            std=np.array([[error]]),
            covariance=np.array([[[error**2]]]),
            chi2=np.array([3.0]),
            dof=np.array([2]),
            p_value=np.array([0.2]),
            sigma_given=True,
            absolute_sigma=True,
            warnings=[],
        )


def test_is_a_snapshot():
    """A report does not change when the estimator is fitted again."""
    fit = line()
    summary = fit.summary()
    before = str(summary)
    fit.partial_fit([[9.0]], [100.0], sigma=0.01)
    assert str(summary) == before
    assert str(fit.summary()) != before
