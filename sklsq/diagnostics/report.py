r"""What the tests found, and what to make of so many of them.

Of k tests of a sound fit each raises a false alarm with the probability of its level; all of them
together stay at that level if the smallest p-value is compared with level/k, the next with
level/(k - 1), and so on: in other words if the *adjusted* p-values

.. math:: \tilde p_{(j)} = \max_{i \le j} \min\{(k - i + 1)\, p_{(i)}, 1\}

are compared with the level (Holm, Scand. J. Stat. 6, 65 (1979)), however the tests depend on each
other. A test whose own p-value is below the level, and the adjusted one not, is "borderline".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from textwrap import wrap
from typing import TYPE_CHECKING, Literal

import numpy as np

from sklsq._typing import FloatArray

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Finding", "ResidualReport", "Verdict", "holm"]

Verdict = Literal["ok", "borderline", "look", "note", "not applicable"]

_WIDTH = 100
_SHOWN_WIDTH = 25
_P_WIDTH = 13
_INDENT = "      "
_STRUCTURE = ("runs", "autocorrelation", "trend")


def holm(p_values: FloatArray) -> FloatArray:
    """Return Holm's adjusted p-values (k,); NaN, of a test that was not made, stays NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from sklsq.diagnostics.report import holm
    >>> holm(np.array([0.01, 0.04, np.nan, 0.03])).tolist()
    [0.03, 0.06, nan, 0.06]
    """
    adjusted = np.full(len(p_values), np.nan)
    made = np.flatnonzero(np.isfinite(p_values))
    order = made[np.argsort(p_values[made])]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * p_values[order]), 1.0)
    return adjusted


@dataclass(frozen=True)
class Finding:
    """What one test says.

    Attributes
    ----------
    name : str
        What was tested, in words.
    statistic : float
        The value of the statistic; NaN if the test could not be made.
    p_value : float
        Probability of a statistic at least as extreme if the fit is sound; NaN where there is none.
    adjusted_p_value : float
        The same, multiplied by Holm for the number of tests in the report.
    verdict : {"ok", "borderline", "look", "note", "not applicable"}
        "look" if the adjusted p-value is below the level; "borderline" if only the p-value is;
        "note" for what is worth knowing but no sign of a bad fit.
    sentence : str
        What was found and what to do about it; empty if the verdict is "ok".
    shown : str
        The statistic as printed.
    """

    name: str
    statistic: float
    p_value: float
    sentence: str
    shown: str
    verdict: Verdict = "ok"
    adjusted_p_value: float = float("nan")

    def __str__(self) -> str:
        return self.text(len(self.name))

    def text(self, name_width: int) -> str:
        """Return a line with the name padded to some width and, if there is one, the sentence."""
        p = f"p = {_probability(self.p_value)}" if np.isfinite(self.p_value) else ""
        line = f"{self.name:<{name_width}}  {self.shown:<{_SHOWN_WIDTH}}  {p:<{_P_WIDTH}}"
        if self.verdict == "not applicable":
            return f"{self.name:<{name_width}}  {self.verdict}: {self.sentence}"
        comment = wrap(self.sentence, _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT)
        return "\n".join([line + self.verdict, *comment])


@dataclass(frozen=True)
class ResidualReport:
    """Report on the residuals of a fit.

    Prints as text, shows as HTML in a notebook. Each test is an attribute: ``report.runs.p_value``,
    ``report.chi2.verdict``; those with the name of a feature are items, ``report["trend x"]``.

    Attributes
    ----------
    title : str
        The estimator.
    subtitle : str
        Numbers of points, parameters and degrees of freedom, and what is known of σ.
    findings : mapping of str to Finding
        The tests: ``chi2``, ``runs``, ``autocorrelation``, ``trend <feature>``, ``trend fitted``
        (with several features), ``normality``, ``spread``, ``outliers``, ``leverage``.
    table : DataFrame
        Residuals, pulls and leverages of all points, with ``studentized`` (externally), the
        probability ``tail`` of one so far out, and how many such are ``expected`` at this n.
    sigma_scale : float
        Factor on σ at which the scatter would agree with it, ``sqrt(reduced chi2)``; without σ, the
        standard deviation that the scatter implies for every point.
    sigma_scale_interval : tuple of float
        Its interval of 68 % probability, from the χ² distribution.
    sigma_known : bool
        Whether σ is known from elsewhere than from the scatter.
    level : float
        Level of the tests.
    remarks : list of str
        What restricts the conclusions.
    """

    title: str
    subtitle: str
    findings: Mapping[str, Finding]
    table: pd.DataFrame
    sigma_scale: float
    sigma_scale_interval: tuple[float, float]
    sigma_known: bool
    level: float
    remarks: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> Finding:
        findings = self.__dict__.get("findings", {})
        if name in findings:
            return findings[name]  # type: ignore[no-any-return]
        raise AttributeError(f"a residual report has no test {name!r}; it has {list(findings)}")

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *filter(str.isidentifier, self.findings)})

    def __getitem__(self, name: str) -> Finding:
        return self.findings[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.findings)

    @property
    def n_tests(self) -> int:
        """Number of tests with a p-value."""
        return sum(bool(np.isfinite(finding.p_value)) for finding in self.findings.values())

    @property
    def suspects(self) -> list[str]:
        """Names of the tests that call for a look, the clearest first."""
        found = [name for name, finding in self.findings.items() if finding.verdict == "look"]
        return sorted(found, key=lambda name: self.findings[name].p_value)

    @property
    def ok(self) -> bool:
        """Whether no test calls for a look, allowing for their number."""
        return not self.suspects

    @property
    def outliers(self) -> pd.DataFrame:
        """Rows of `table` that are too far out for this n, the farthest first."""
        far = self.table["expected"].to_numpy() < -np.log1p(-self.level)
        found: pd.DataFrame = self.table.loc[far].sort_values("tail")
        return found

    @property
    def verdict(self) -> str:
        """The head line: what all tests together say."""
        if self.n_tests == 0:
            return "No test could be made: too few points, or no degrees of freedom."
        smallest = min(f.p_value for f in self.findings.values() if np.isfinite(f.p_value))
        if self.ok and self.n_tests == 1:
            return f"Nothing to look at in the only test that can be made: p = {smallest:.2g}."
        if self.ok:
            return (
                f"Nothing to look at: the smallest of {self.n_tests} p-values is "
                f"{_probability(smallest)}, no surprise among so many."
            )
        listed = ", ".join(
            f"{self.findings[name].name} (p = {_probability(self.findings[name].p_value)})"
            for name in self.suspects
        )
        structure = [name.startswith(_STRUCTURE) for name in self.suspects]
        first = ""
        if any(structure) and not all(structure):
            first = (
                " Begin with the model, or the order of the points: the rest may follow from it."
            )
        among = f"; clear even among {self.n_tests} tests" if self.n_tests > 1 else ""
        return f"Look at: {listed}{among}.{first}"

    def __str__(self) -> str:
        lines = [self.title, *wrap(self.subtitle, _WIDTH), *wrap(self.verdict, _WIDTH)]
        width = max(len(finding.name) for finding in self.findings.values())
        lines += ["  " + f.text(width) for f in self.findings.values()]
        lines += [line for remark in self.remarks for line in wrap(f"Remark: {remark}", _WIDTH)]
        return "\n".join(lines)

    def to_frame(self) -> pd.DataFrame:
        """Return one row a test: statistic, p-values, verdict and sentence."""
        import pandas as pd

        names = ["statistic", "p_value", "adjusted_p_value", "verdict", "sentence"]
        rows = [[getattr(f, name) for name in names] for f in self.findings.values()]
        return pd.DataFrame(rows, columns=names, index=pd.Index(self.findings, name="test"))

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(f.name)}</td><td>{escape(f.shown)}</td>"
            f"<td>{_probability(f.p_value) if np.isfinite(f.p_value) else ''}</td>"
            f"<td><b>{f.verdict}</b></td><td style='text-align:left'>"
            f"{escape(f.sentence)}</td></tr>"
            for f in self.findings.values()
        )
        remarks = "".join(f"<p>Remark: {escape(remark)}</p>" for remark in self.remarks)
        head = "<tr><th>test</th><th>statistic</th><th>p</th><th></th><th></th></tr>"
        return (
            f"<div><b>{escape(self.title)}</b><p>{escape(self.subtitle)}</p>"
            f"<p><b>{escape(self.verdict)}</b></p><table>{head}{rows}</table>{remarks}</div>"
        )


def _probability(p: float) -> str:
    return f"{p:.2g}" if p < _PLAIN else f"{p:.2f}"


_PLAIN = 0.1  # from here on two decimals are two digits
