"""From residuals to what is wrong with a fit: tests whose false alarms are as rare as stated."""

from sklsq.diagnostics.report import Finding, ResidualReport
from sklsq.diagnostics.residual import residual_diagnostics

__all__ = ["Finding", "ResidualReport", "residual_diagnostics"]
