"""What displays draw on: matplotlib on request, colours, a second panel, a corner for a legend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from sklsq._typing import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.legend import Legend

__all__ = [
    "BLUE",
    "INK",
    "SHADE",
    "literal",
    "marks",
    "new_axes",
    "place_legend",
    "require_matplotlib",
    "split_axes",
]

# Blue of Okabe & Ito (2008), told apart from grey by every reader and in black and white.
BLUE = "#0072B2"
INK = "0.15"
SHADE = "0.5"

_PANEL_RATIOS = (3.0, 1.0)
_PANEL_GAP = 0.06
_LEGEND_MARGIN = 0.03  # of the height of the axes, kept free around a legend
_LEGEND_STRETCH = 1.4  # more than this is not added to the y-axis to make room for a full legend

# Number of points from which on they are drawn so; pixels keep PDF and SVG files small.
_MARKS: dict[int, dict[str, Any]] = {
    0: {"markersize": 4.5, "elinewidth": 1.1, "ecolor": INK},
    60: {"markersize": 2.8, "elinewidth": 0.8, "ecolor": "0.55"},
    1000: {"markersize": 1.2, "elinewidth": 0.4, "ecolor": "0.8", "rasterized": True},
}


def require_matplotlib(caller: str) -> None:
    """Raise an ImportError that says what to install if matplotlib is missing."""
    try:
        import matplotlib.pyplot  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"{caller} draws with matplotlib, which is not installed. "
            "Install it with `pip install sklsq[plot]`."
        ) from error


def marks(n_points: int) -> Mapping[str, Any]:
    """Return options of `Axes.errorbar` that keep this many points legible."""
    return _MARKS[max(least for least in _MARKS if least <= n_points)]


def literal(text: str) -> str:
    """Return `text` such that matplotlib does not take a lone dollar for the start of a formula."""
    return text.replace("$", r"\$") if text.count("$") == 1 else text


def new_axes(*, residuals: bool) -> Axes:
    """Return the axes of a new figure, taller if there is to be a residual panel."""
    import matplotlib.pyplot as plt

    _, ax = plt.subplots(figsize=(6.4, 5.6 if residuals else 4.4), layout="constrained")
    return ax


def split_axes(ax: Axes) -> Axes:
    """Shrink `ax` to the upper three quarters of its place, and return axes for the rest."""
    spec = ax.get_subplotspec()
    if spec is not None:
        grid = spec.subgridspec(2, 1, height_ratios=_PANEL_RATIOS, hspace=_PANEL_GAP)
        ax.set_subplotspec(grid[0])
        lower = ax.figure.add_subplot(grid[1], sharex=ax)
    else:  # placed by hand, outside any grid
        left, bottom, width, height = ax.get_position().bounds
        share = height * _PANEL_RATIOS[1] / sum(_PANEL_RATIOS)
        ax.set_position((left, bottom + share, width, height - share))
        place = (left, bottom, width, share * (1.0 - _PANEL_GAP))
        lower = ax.figure.add_axes(place, sharex=ax)
    ax.tick_params(labelbottom=False)
    return lower


def place_legend(ax: Axes, drawn: FloatArray, caption: str) -> Legend:
    """Put a legend in the emptiest corner, and make room there if it is too small.

    Parameters
    ----------
    ax : Axes
        Axes with labelled artists, otherwise finished.
    drawn : ndarray of shape (k, 2)
        Points, in data coordinates, that the legend must not hide.
    caption : str
        Lines above the entries. Where there is little room they stand alone.
    """
    legend, corner, filled, height = _legend(ax, drawn, caption, entries=True)
    if caption and filled > _LEGEND_STRETCH * (1.0 - height):
        legend.remove()
        legend, corner, filled, height = _legend(ax, drawn, caption, entries=False)
    legend.set_loc(cast(Any, corner))
    if filled + height > 1.0 > height:
        _stretch(ax, corner, filled / (1.0 - height))
    return legend


def _legend(
    ax: Axes, drawn: FloatArray, caption: str, *, entries: bool
) -> tuple[Legend, str, float, float]:
    """Return a legend, its best corner, how much of the height is filled there, and its height."""
    from matplotlib.container import Container

    handles = ax.get_legend_handles_labels()[0] if entries else []
    handles = sorted(handles, key=lambda handle: not isinstance(handle, Container))  # data first
    legend = ax.legend(
        handles=handles,
        title=caption or None,
        alignment="left",
        fontsize="small",
        title_fontsize="small",
        frameon=False,
        loc="upper left",
    )
    ax.figure.figure.draw_without_rendering()  # only a laid-out legend knows its size
    box = legend.get_window_extent().transformed(ax.transAxes.inverted())
    filled = _filled(ax, drawn, box.width + 2.0 * _LEGEND_MARGIN)
    corner = min(filled, key=lambda name: round(filled[name], 2))
    return legend, corner, filled[corner], box.height + 2.0 * _LEGEND_MARGIN


def _filled(ax: Axes, drawn: FloatArray, width: float) -> dict[str, float]:
    """Return, for each corner, how far the drawing comes up to it within `width` of that side."""
    drawn = drawn[np.isfinite(drawn).all(axis=1)]
    across, up = np.transpose(ax.transAxes.inverted().transform(ax.transData.transform(drawn)))
    sides = {"right": across > 1.0 - width, "left": across < width}
    ways = {"upper": up, "lower": 1.0 - up}
    return {
        f"{way} {side}": float(reach[near].max(initial=0.0))
        for way, reach in ways.items()
        for side, near in sides.items()
    }


def _stretch(ax: Axes, corner: str, factor: float) -> None:
    """Lengthen the y-axis `factor` times, at the end where the corner is."""
    end = factor if corner.startswith("upper") else 1.0 - factor
    value = ax.transData.inverted().transform(ax.transAxes.transform((0.0, end)))[1]
    bottom, top = ax.get_ylim()
    ax.set_ylim((bottom, value) if corner.startswith("upper") else (value, top))
