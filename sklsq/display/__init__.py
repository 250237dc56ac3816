"""Pictures of a fit; matplotlib is imported when one is drawn, and `frame()` has its numbers."""

from sklsq.display.fit import FitDisplay

__all__ = ["FitDisplay"]
