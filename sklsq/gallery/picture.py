"""A picture of the gallery: what draws it, and a caption whose numbers come from the drawing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["BLUE", "GREEN", "GREY", "INK", "ORANGE", "PURPLE", "Draw", "Numbers", "Picture"]

# Colours of Okabe & Ito (2008), told apart by every reader; lines differ in their dashes as well.
BLUE = "#0072B2"
ORANGE = "#D55E00"
GREEN = "#009E73"
PURPLE = "#AA4499"
GREY = "0.45"
INK = "0.15"

Numbers = Mapping[str, Any]
Draw = Callable[[Any], Numbers]


@dataclass(frozen=True)
class Picture:
    """One picture.

    Parameters
    ----------
    name : str
        Name of the file, without ending.
    section : str
        Section of the lecture.
    title : str
        Its heading.
    caption : str
        What there is to see: a template, all numbers of which are fields.
    draw : callable
        Draws on an empty matplotlib `Figure` and returns the numbers of the caption.
    size : tuple of float
        Width and height in inches.
    """

    name: str
    section: str
    title: str
    caption: str
    draw: Draw
    size: tuple[float, float] = (11.0, 4.8)

    @property
    def file(self) -> str:
        """Name of the file."""
        return f"{self.name}.png"

    def figure(self) -> tuple[Figure, str]:
        """Return the picture, drawn, and its caption with numbers."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=self.size, layout="constrained")
        numbers = self.draw(figure)
        return figure, re.sub(r"-(?=\d)", "\N{MINUS SIGN}", self.caption.format(**numbers))
