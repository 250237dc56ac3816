"""The shape of χ² about its minimum: contours of all pairs of parameters, and their profiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from sklsq.display.canvas import BLUE, INK, SHADE, literal, require_matplotlib
from sklsq.display.chi2_surface import (
    error_of,
    limits_of,
    smooth_contour,
    smooth_profile,
    surface_of,
)
from sklsq.display.ticks import number_sparsely, scale_of
from sklsq.inference.contours import Chi2Contour
from sklsq.inference.profile import ProfiledChi2, about_lowest
from sklsq.inference.refitting import check_levels, fit_to

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["ContourDisplay"]

_LEVELS = (0.6827, 0.9545)
_PANEL = 2.0  # inches
_FILL = (0.30, 0.13, 0.07)


class ContourDisplay:
    r"""Contours of χ² for each pair of parameters, and the profile of each, in a corner of panels.

    Make it with `from_estimator`. Solid: the true contours, χ² minimised over all other parameters.
    Dashed: what the covariance says, ellipses and parabolas. Where the two agree, standard errors
    are all there is to know; where not, take ``confidence_intervals(..., method="profile")``.

    Parameters
    ----------
    contours : list of Chi2Contour
        One for each pair.
    profiles : dict of DataFrame
        For each parameter `value`, `rise` and `wald`, both in the unit of the panels.
    level_rises : dict of float
        For each level the rise of χ² of one parameter.
    unit : str, default="Δχ²"
        What `rise` is.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : ndarray of matplotlib Axes of shape (m, m), None above the diagonal
    ax_ : matplotlib Axes
        Of a single pair: its contours.
    contour_lines_, ellipse_lines_ : dict of list of matplotlib Line2D
        For each pair of names, one a level.
    profile_lines_, parabola_lines_ : dict of matplotlib Line2D
        For each name.
    legend_ : matplotlib Legend or None

    Examples
    --------
    >>> from sklsq import WeightedLinearFit
    >>> from sklsq.datasets import load_pion_minus
    >>> from sklsq.display import ContourDisplay
    >>> data = load_pion_minus()
    >>> shown = ContourDisplay.from_estimator(
    ...     WeightedLinearFit(), data.X, data.y_values, sigma=data.sigma_values
    ... )
    >>> shown.frame()["level"].unique().tolist()
    [0.6827, 0.9545]
    >>> shown.figure_.savefig("contours.png", dpi=150)  # doctest: +SKIP
    """

    def __init__(
        self,
        *,
        contours: Sequence[Chi2Contour],
        profiles: dict[str, pd.DataFrame],
        level_rises: dict[float, float],
        unit: str = r"$\Delta\chi^2$",
    ) -> None:
        self.contours = list(contours)
        self.profiles = profiles
        self.level_rises = level_rises
        self.unit = unit

    # Making one ----------------------------------------------------------------------------------

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        sigma: Any = None,
        sigma_x: Any = None,
        corr_xy: Any = None,
        params: Sequence[str] | None = None,
        levels: Sequence[float] = _LEVELS,
        joint: bool = True,
        n_points: int = 48,
        fig: Figure | None = None,
        ax: Axes | None = None,
        legend: bool = True,
    ) -> Self:
        """Draw the contours and profiles of a fit.

        Parameters
        ----------
        estimator : estimator of sklsq
            Fitted or not; a clone is fitted to the data, as in `confidence_intervals`.
        X : array_like of shape (n, p)
            Features.
        y : array_like of shape (n,)
            Measured values, one target.
        sigma, sigma_x, corr_xy : optional
            Their errors, in any form that `estimator.fit` takes.
        params : sequence of str, optional
            Which parameters, in which order; all that vary by default.
        levels : sequence of float, default=(0.6827, 0.9545)
            Probabilities of the contours.
        joint : bool, default=True
            Whether a contour holds both parameters with that probability, or its shadow on an axis
            one; see `chi2_contour`. The lines across the profiles are for one parameter always.
        n_points : int, default=48
            Rays of a contour.
        fig, ax, legend
            See `plot`.

        Returns
        -------
        display : ContourDisplay
            The picture, drawn.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If an option is not as above, there are more than eight parameters, some parameter has
            no standard error, or χ² cannot be followed; see `chi2_contour`.
        """
        require_matplotlib(f"{cls.__name__}.from_estimator")
        levels = check_levels(levels)
        fit = fit_to(estimator, X, y, sigma=sigma, sigma_x=sigma_x, corr_xy=corr_xy)

        def compute(profile: ProfiledChi2) -> dict[str, Any]:
            return surface_of(profile, params, levels, joint, n_points)

        display = cls(**about_lowest(fit, compute))
        return display.plot(fig, ax=ax, legend=legend)

    @property
    def names(self) -> list[str]:
        """The parameters, in the order of the panels."""
        return list(self.profiles)

    def frame(self) -> pd.DataFrame:
        """Return all points of the contours.

        `x_name`, `y_name`, `level`, `angle`, `x`, `y`, `x_ellipse`, `y_ellipse` and `end`.
        """
        parts = []
        for contour in self.contours:
            part = contour.frame()
            part.columns = ["level", "angle", "x", "y", "x_ellipse", "y_ellipse", "end"]
            part.insert(0, "y_name", contour.names[1])
            part.insert(0, "x_name", contour.names[0])
            parts.append(part)
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()

    def profile_frame(self) -> pd.DataFrame:
        """Return the profiles: `name`, `value`, `rise`, and `wald`, that of the parabola."""
        parts = [table.assign(name=name) for name, table in self.profiles.items()]
        table = pd.concat(parts, ignore_index=True)
        return table[["name", "value", "rise", "wald"]]

    # Drawing -------------------------------------------------------------------------------------

    def plot(
        self, fig: Figure | None = None, *, ax: Axes | None = None, legend: bool = True
    ) -> Self:
        """Draw the picture.

        Parameters
        ----------
        fig : matplotlib Figure or SubFigure, optional
            Where to draw the corner; by default a new figure.
        ax : matplotlib Axes, optional
            For two parameters: where to draw their contours alone, without the profiles.
        legend : bool, default=True
            Whether to say what the lines are.

        Returns
        -------
        self : ContourDisplay

        Raises
        ------
        ValueError
            If `ax` is given for more than one pair, or together with `fig`.
        """
        require_matplotlib(f"{type(self).__name__}.plot")
        self.contour_lines_: dict[Any, Any] = {}
        self.ellipse_lines_: dict[Any, Any] = {}
        self.profile_lines_: dict[str, Any] = {}
        self.parabola_lines_: dict[str, Any] = {}
        self.legend_ = None
        if ax is not None:
            self._plot_pair(fig, ax, legend)
            return self
        names, m = self.names, len(self.names)
        self.figure_: Any = _new_figure(m) if fig is None else fig
        grid = self.figure_.subplots(m, m, sharex="col", squeeze=False)
        self.axes_ = np.full((m, m), None, dtype=object)
        limits = {name: limits_of(name, self.contours, self.profiles[name]) for name in names}
        for row in range(m):
            for column in range(m):
                panel = grid[row, column]
                if column > row:
                    panel.set_axis_off()
                    continue
                self.axes_[row, column] = panel
                self._dress(panel, (row, column), limits)
        for contour in self.contours:
            column, row = (names.index(name) for name in contour.names)
            self.ax_ = self.axes_[row, column]
            self._draw_contour(self.ax_, contour)
        for k, name in enumerate(names):
            self._draw_profile(self.axes_[k, k], name)
        if legend:
            self.legend_ = self._legend_of(grid[0, m - 1] if m > 1 else grid[0, 0], m)
        self.figure_.align_labels()
        return self

    def _plot_pair(self, fig: Figure | None, ax: Axes, legend: bool) -> None:
        if fig is not None or len(self.contours) != 1:
            raise ValueError(
                f"`ax` must come alone, for one pair of parameters. Got {len(self.contours)} pairs"
                f"{'' if fig is None else ' and `fig`'}; pass `fig`, or two `params`."
            )
        contour = self.contours[0]
        self.ax_, self.figure_, self.axes_ = ax, ax.figure, np.array([[ax]], dtype=object)
        self._draw_contour(ax, contour)
        for axis, set_limits, name in (
            (ax.xaxis, ax.set_xlim, contour.names[0]),
            (ax.yaxis, ax.set_ylim, contour.names[1]),
        ):
            low, high = limits_of(name, self.contours, self.profiles[name])
            set_limits(low, high)
            scale = scale_of(low, high)
            number_sparsely(axis, scale, 5)
            axis.set_label_text(scale.label(literal(name)))
        if legend:
            self.legend_ = self._legend_of(ax, 1)

    def _dress(
        self, panel: Axes, place: tuple[int, int], limits: dict[str, tuple[float, float]]
    ) -> None:
        """Set limits, numbers and labels of a panel; only those at the edge have them."""
        (row, column), names = place, self.names
        x_name, y_name = names[column], names[row]
        panel.set_xlim(limits[x_name])
        scale = scale_of(*limits[x_name])
        number_sparsely(panel.xaxis, scale)
        last = row == len(names) - 1
        panel.tick_params(labelbottom=last, labelsize="small")
        if last:
            panel.set_xlabel(scale.label(literal(x_name)))
        if row == column:  # numbered at the levels, on the side where no contour is
            rises = list(self.level_rises.values())
            panel.set_yticks([0.0, *rises], ["0", *(f"{rise:.3g}" for rise in rises)])
            if row == 0:
                panel.set_ylabel(self.unit)
            else:
                panel.yaxis.tick_right()
            return
        panel.set_ylim(limits[y_name])
        scale = scale_of(*limits[y_name])
        number_sparsely(panel.yaxis, scale)
        panel.tick_params(labelleft=column == 0)
        if column == 0:
            panel.set_ylabel(scale.label(literal(y_name)))

    def _draw_contour(self, ax: Axes, contour: Chi2Contour) -> None:
        solid, dashed = [], []
        for k, line in enumerate(contour.lines):
            x, y = smooth_contour(line).T
            if line.closed:
                ax.fill(x, y, color=BLUE, alpha=_FILL[min(k, len(_FILL) - 1)], linewidth=0.0)
            solid += ax.plot(x, y, color=BLUE, linewidth=1.4)
            ellipse = line.ellipse[np.argsort(line.angles)]  # a followed contour goes to and fro
            around = np.vstack([ellipse, ellipse[:1]])
            dashed += ax.plot(*around.T, color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
        if not all(line.closed for line in contour.lines):
            note = "bound" if not any("open" in line.ends for line in contour.lines) else "open"
            ax.text(0.96, 0.94, note, transform=ax.transAxes, ha="right", va="top", style="italic")
        ax.plot(*contour.estimate, marker="+", color=INK, markersize=6.0)
        self.contour_lines_[contour.names], self.ellipse_lines_[contour.names] = solid, dashed

    def _draw_profile(self, ax: Axes, name: str) -> None:
        table = self.profiles[name]
        value = table["value"].to_numpy()
        top = 1.18 * max(self.level_rises.values())
        for rise in self.level_rises.values():
            ax.axhline(rise, color=SHADE, linewidth=0.7, linestyle=":")
        (self.profile_lines_[name],) = ax.plot(*smooth_profile(table), color=BLUE, linewidth=1.4)
        best, std = value[int(np.argmin(table["rise"]))], error_of(table)
        x = np.linspace(*ax.get_xlim(), 201)
        (self.parabola_lines_[name],) = ax.plot(
            x, ((x - best) / std) ** 2, color=INK, linewidth=0.9, linestyle=(0, (4, 3))
        )
        ax.set_ylim(0.0, top)

    def _legend_of(self, ax: Axes, m: int) -> Any:
        """Say what the lines are: in the empty corner, or where one pair leaves room."""
        from matplotlib.lines import Line2D
        from matplotlib.patches import Patch

        levels = list(self.level_rises)
        handles: list[Any] = [
            Patch(
                facecolor=(BLUE, _FILL[min(k, len(_FILL) - 1)]),
                edgecolor=BLUE,
                label=f"{100.0 * level:.4g}%",
            )
            for k, level in enumerate(levels)
        ]
        handles = handles if self.contours else []
        handles += [
            Line2D([], [], color=BLUE, linewidth=1.4, label=r"$\chi^2$ itself"),
            Line2D([], [], color=INK, linewidth=0.9, linestyle=(0, (4, 3)), label="covariance"),
        ]
        return ax.legend(
            handles=handles, fontsize="small", frameon=False, loc="upper right" if m > 1 else "best"
        )


def _new_figure(m: int) -> Figure:
    import matplotlib.pyplot as plt

    side = _PANEL * max(m, 1.6) + 0.9
    return plt.figure(figsize=(side, side), layout="constrained")
