"""The report of a fit: what a scientist copies into the notebook."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np

from sklsq._typing import BoolArray, FloatArray

__all__ = ["FitSummary", "format_value"]

_SHOWN_CURVES = 5
_SHOWN_CORRELATIONS = 12


def format_value(value: float, error: float) -> tuple[str, str]:
    """Return value and error rounded to two digits of the error.

    Examples
    --------
    >>> from sklsq.inference.summary import format_value
    >>> format_value(1.00211681802, 0.000429796)
    ('1.00212', '0.00043')
    >>> format_value(-1467.489, 298.08)
    ('-1470', '300')
    >>> format_value(3.25, float("nan"))
    ('3.25', 'nan')
    """
    if not (np.isfinite(value) and np.isfinite(error) and error > 0.0):
        return f"{value:.10g}", f"{error:.2g}"
    exponent = int(np.floor(np.log10(error)))
    if float(f"{error:.1e}") >= 10.0 ** (exponent + 1):  # 0.0996 is rounded to 0.10
        exponent += 1
    decimals = 1 - exponent
    magnitude = max(abs(value), error)
    if magnitude >= _FIXED_LARGEST or magnitude < _FIXED_SMALLEST:
        digits = max(int(np.floor(np.log10(magnitude))) - exponent + 1, 1)
        return f"{value:.{digits}e}", f"{error:.1e}"
    decimals_shown = max(decimals, 0)
    value, error = round(value, decimals), round(error, decimals)
    return f"{value:.{decimals_shown}f}", f"{error:.{decimals_shown}f}"


_FIXED_LARGEST = 1e7
_FIXED_SMALLEST = 1e-4


@dataclass(frozen=True)
class FitSummary:
    """Report of a fit: text for the terminal, HTML in a notebook, frame and LaTeX.

    Parameters
    ----------
    title : str
        The estimator.
    names : list of str
        Names of the m parameters.
    params, std : ndarray of shape (t, m)
        Parameters and their standard deviations.
    covariance : ndarray of shape (t, m, m)
        Covariance of the parameters.
    chi2, dof, p_value : ndarray of shape (t,)
        Sum of squares of the whitened residuals, degrees of freedom, and the probability of a
        larger χ².
    sigma_given, absolute_sigma : bool
        Whether errors were given, and whether they were taken as absolute.
    warnings : list of str
        Every warning of the fit.
    notes : list of str, optional
        What else there is to say of it.
    """

    title: str
    names: list[str]
    params: FloatArray
    std: FloatArray
    covariance: FloatArray
    chi2: FloatArray
    dof: FloatArray
    p_value: FloatArray
    sigma_given: bool
    absolute_sigma: bool
    warnings: list[str]
    notes: list[str] = field(default_factory=list)

    @property
    def convention(self) -> str:
        """Which convention the standard errors follow, in a sentence."""
        if self.absolute_sigma:
            given = "sigma as given" if self.sigma_given else "sigma taken as 1"
            return f"absolute: from {given}, not scaled by the scatter"
        given = "sigma taken as relative" if self.sigma_given else "no sigma given"
        return f"scaled by the scatter, sqrt(reduced chi2): {given}"

    def reading(self, k: int = 0) -> str:
        """Return what χ² says about target `k`, in a sentence."""
        dof, chi2 = int(self.dof[k]), float(self.chi2[k])
        if dof <= 0:
            return "no degrees of freedom: the data cannot contradict the model"
        if not self.sigma_given:
            implied = float(np.sqrt(chi2 / dof))
            return f"the scatter about the fit implies sigma = {implied:.4g}, equal for all points"
        p = float(self.p_value[k])
        if not np.isfinite(p):
            return "it is no test of the fit: the scatter was fitted too, or there is no minimum"
        if p < _UNLIKELY:
            return f"too large (p = {p:.2g}): the model is not that of the data, or sigma too small"
        if p > 1.0 - _UNLIKELY:
            return f"too small (p = {p:.4g}): sigma is too large, or the errors are not independent"
        return f"the scatter is compatible with sigma (p = {p:.2g})"

    def __str__(self) -> str:
        lines = [self.title]
        shown = min(len(self.params), _SHOWN_CURVES)
        for k in range(shown):
            if len(self.params) > 1:
                lines.append(f"target {k}")
            lines += self._parameter_lines(k) + self._quality_lines(k)
        if len(self.params) > shown:
            lines.append(f"... and {len(self.params) - shown} more targets: see to_frame()")
        lines.append(f"errors    {self.convention}")
        lines += [f"note      {text}" for text in self.notes]
        lines += [f"warning   {text}" for text in self.warnings]
        return "\n".join(lines)

    def _parameter_lines(self, k: int) -> list[str]:
        width = max(map(len, self.names))
        rows = [format_value(v, e) for v, e in zip(self.params[k], self.std[k], strict=True)]
        values = max(len(value) for value, _ in rows)
        errors = max(len(error) for _, error in rows)
        return [
            f"  {name:<{width}}  {value:>{values}} ± {error:<{errors}}{self._relative(k, j)}"
            for j, (name, (value, error)) in enumerate(zip(self.names, rows, strict=True))
        ]

    def _relative(self, k: int, j: int) -> str:
        value, error = self.params[k, j], self.std[k, j]
        if not (np.isfinite(error) and error < abs(value)):
            return ""  # more than 100 % says nothing that value and error do not
        return f"  ({100.0 * abs(error / value):.2g}%)"

    def _quality_lines(self, k: int) -> list[str]:
        dof, chi2 = int(self.dof[k]), float(self.chi2[k])
        reduced = f"{chi2 / dof:.4g}" if dof > 0 else "nan"
        lines = [
            f"chi2      {chi2:.6g} for {dof} degrees of freedom, reduced {reduced}",
            f"          {self.reading(k)}",
        ]
        pairs = self._correlations(k)
        if pairs:
            lines.append("correlations")
            lines += [f"  {a}, {b}: {r:+.4f}" for a, b, r in pairs[:_SHOWN_CORRELATIONS]]
            if len(pairs) > _SHOWN_CORRELATIONS:
                lines.append(f"  ... and {len(pairs) - _SHOWN_CORRELATIONS} weaker")
        return lines

    def _correlations(self, k: int) -> list[tuple[str, str, float]]:
        """Return pairs of parameters with their correlation, strongest first."""
        usable: BoolArray = np.isfinite(self.std[k]) & (self.std[k] > 0.0)
        pairs = [
            (
                self.names[i],
                self.names[j],
                float(self.covariance[k, i, j] / (self.std[k, i] * self.std[k, j])),
            )
            for i in range(len(self.names))
            for j in range(i + 1, len(self.names))
            if usable[i] and usable[j]
        ]
        return sorted(pairs, key=lambda pair: -abs(pair[2]))

    def to_frame(self) -> Any:
        """Return a `pandas.DataFrame`, one row a parameter: `value`, `std`.

        With several targets the index has levels `target` and `parameter`.
        """
        import pandas as pd

        index: Any = pd.Index(self.names, name="parameter")
        if len(self.params) > 1:
            index = pd.MultiIndex.from_product(
                [range(len(self.params)), self.names], names=["target", "parameter"]
            )
        return pd.DataFrame({"value": self.params.ravel(), "std": self.std.ravel()}, index=index)

    def to_latex(self) -> str:
        """Return a LaTeX `tabular` of the parameters with errors."""
        lines = [r"\begin{tabular}{lr}", r"\hline", r"parameter & value \\", r"\hline"]
        for k in range(len(self.params)):
            if len(self.params) > 1:
                lines.append(rf"\multicolumn{{2}}{{l}}{{target {k}}} \\")
            for name, value, error in zip(self.names, self.params[k], self.std[k], strict=True):
                lines.append(rf"{_latex_escape(name)} & ${_latex_number(value, error)}$ \\")
            lines.append(rf"$\chi^2$ / dof & ${self.chi2[k]:.6g} / {int(self.dof[k])}$ \\")
        return "\n".join([*lines, r"\hline", r"\end{tabular}"])

    def _repr_html_(self) -> str:
        tables = []
        for k in range(min(len(self.params), _SHOWN_CURVES)):
            rows = "".join(
                f"<tr><td>{escape(name)}</td><td style='text-align:right'>{value}</td><td>± "
                f"{error}</td></tr>"
                for name, (value, error) in zip(
                    self.names,
                    [format_value(v, e) for v, e in zip(self.params[k], self.std[k], strict=True)],
                    strict=True,
                )
            )
            quality = "<br>".join(escape(line) for line in self._quality_lines(k))
            caption = f"<caption>target {k}</caption>" if len(self.params) > 1 else ""
            tables.append(f"<table>{caption}{rows}</table><p>{quality}</p>")
        notes = "".join(f"<p>{escape(text)}</p>" for text in self.notes)
        notes += "".join(f"<p><b>Warning:</b> {escape(text)}</p>" for text in self.warnings)
        convention = f"<p>Errors {escape(self.convention)}.</p>"
        return f"<div><b>{escape(self.title)}</b>{''.join(tables)}{convention}{notes}</div>"


_UNLIKELY = 0.01


def _latex_escape(name: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in name)


_LATEX = {letter: "\\" + letter for letter in "_%&#${}"} | {
    "^": r"\^{}",
    "~": r"\textasciitilde{}",
    "\\": r"\textbackslash{}",
}


def _latex_number(value: float, error: float) -> str:
    shown, uncertainty = format_value(value, error)
    if "e" in shown:
        mantissa, exponent = shown.split("e")
        scaled = error / 10.0 ** int(exponent)
        decimals = len(mantissa.partition(".")[2])
        return rf"({mantissa} \pm {scaled:.{decimals}f}) \times 10^{{{int(exponent)}}}"
    return rf"{shown} \pm {uncertainty}".replace("nan", r"\mathrm{nan}").replace("inf", r"\infty")
