"""Room for several panels: in a new figure, in the place of one axes, or in axes as given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["panel_axes"]

_SIZE = (4.4, 3.3)  # of a panel, in inches
_GAPS = {"wspace": 0.35, "hspace": 0.55}  # between panels that share the place of one axes


def panel_axes(ax: Axes | Sequence[Axes] | None, n_panels: int) -> list[Axes]:
    """Return axes for some panels: those given, or new ones in the place of one, or in a figure.

    Parameters
    ----------
    ax : matplotlib Axes, sequence of them, or None
        One axes for each panel; or one, whose place they share in two columns; or None for a new
        figure.
    n_panels : int
        How many panels.

    Returns
    -------
    axes : list of matplotlib Axes
        One for each panel.

    Raises
    ------
    ValueError
        If there are several axes, but not one for each panel.
    """
    import matplotlib.pyplot as plt
    from matplotlib.axes import Axes
    from matplotlib.gridspec import GridSpec

    columns = 1 if n_panels == 1 else 2
    rows = -(-n_panels // columns)
    if ax is None:
        size = (_SIZE[0] * columns, _SIZE[1] * rows)
        figure, grid = plt.subplots(
            rows, columns, figsize=size, layout="constrained", squeeze=False
        )
        for place in grid.ravel()[n_panels:]:
            figure.delaxes(place)
        return list(grid.ravel()[:n_panels])
    if not isinstance(ax, Axes):
        given = list(np.ravel(np.asarray(ax, dtype=object)))
        if len(given) != n_panels:
            raise ValueError(
                f"`ax` must be one axes, or one for each of the {n_panels} panels. Got "
                f"{len(given)}."
            )
        return given
    if n_panels == 1:
        return [ax]
    ax.set_axis_off()
    spec, parent = ax.get_subplotspec(), ax.figure
    if spec is not None:
        places: Any = spec.subgridspec(rows, columns, **_GAPS)
    else:  # placed by hand, outside any grid
        left, bottom, width, height = ax.get_position().bounds
        places = GridSpec(
            rows,
            columns,
            figure=parent.figure,
            left=left,
            bottom=bottom,
            right=left + width,
            top=bottom + height,
            **_GAPS,
        )
    return [parent.add_subplot(places[k // columns, k % columns]) for k in range(n_panels)]
