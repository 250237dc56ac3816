"""Pictures of a fit; matplotlib is imported when one is drawn, and `frame()` has its numbers."""

from sklsq.display.contour import ContourDisplay
from sklsq.display.correlation import CorrelationDisplay
from sklsq.display.fit import FitDisplay
from sklsq.display.residuals import ResidualsDisplay

__all__ = ["ContourDisplay", "CorrelationDisplay", "FitDisplay", "ResidualsDisplay"]
