"""The picture of a fit: data with error bars, the curve with its bands, and the pulls below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from sklsq._typing import BoolArray, FloatArray
from sklsq.display.canvas import (
    BLUE,
    INK,
    SHADE,
    literal,
    marks,
    new_axes,
    place_legend,
    require_matplotlib,
    split_axes,
)
from sklsq.display.points import (
    PointErrors,
    caption,
    curve_over,
    dof_of_bands,
    fitted_points,
    identity_line,
    name_of,
    points_of,
)
from sklsq.inference.fitted_values import column_of, summary_of
from sklsq.noise import check_noise

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

__all__ = ["FitDisplay"]

_LEVELS = (0.6827, 0.9545)
_BAND_OPACITY = (0.32, 0.16)
_PULLS_SHOWN = 2.6  # at least, in either direction
_REJECTED_SHOWN = 8.0  # at most, of rejected points; farther ones are arrowheads at the edge
_HOLLOW: dict[str, Any] = {"markerfacecolor": "white", "markeredgecolor": INK}


class FitDisplay:
    """Data with error bars, the fitted curve with its confidence bands, and the pulls.

    Make it with `from_estimator` or `from_predictions`. With one feature the data and the curve are
    drawn over it. With several, measured values are drawn over fitted ones, whose standard
    deviations are the horizontal bars, with the line on which both are equal.

    Parameters
    ----------
    points : DataFrame
        The points, see `frame`.
    curve : DataFrame
        The curve: `x`, `fitted` and `fitted_std`, as drawn.
    dof : float, default=inf
        Degrees of freedom of the quantiles of the bands; infinite for the normal distribution.
    sigma_given : bool, default=False
        Whether `sigma` of the points is known from elsewhere than from their scatter.
    xlabel, ylabel : str
        Labels of the axes.
    caption : str, default=""
        What the legend says of the fit.
    by_feature : bool, default=True
        Whether `x` is a feature; else it is the fitted value.

    Attributes
    ----------
    ax_, residual_ax_ : matplotlib Axes
        The upper and the lower panel; `residual_ax_` is None without residuals.
    figure_ : matplotlib Figure
        The figure of both.
    line_ : matplotlib Line2D
        The curve.
    errorbar_ : matplotlib ErrorbarContainer
        The points.
    rejected_ : matplotlib ErrorbarContainer or None
        The points that the fit rejected, hollow.
    residual_line_ : matplotlib Line2D or None
        The points of the lower panel, without those rejected.
    bands_ : list of matplotlib artists
        Confidence bands, in the order of the levels.
    legend_ : matplotlib Legend or None
        The legend.

    Examples
    --------
    >>> from sklsq import WeightedLinearFit
    >>> from sklsq.datasets import load_pion_minus
    >>> from sklsq.display import FitDisplay
    >>> data = load_pion_minus()
    >>> line = WeightedLinearFit().fit(data.X, data.y_values, sigma=data.sigma_values)
    >>> picture = FitDisplay.from_estimator(
    ...     line, data.X, data.y_values, sigma=data.sigma_values, xlabel="inverse energy (1/GeV)"
    ... )
    >>> picture.frame()[["x", "y", "sigma", "fitted", "pull"]].head(2).round(3)
           x      y  sigma   fitted   pull
    0  0.345  284.0   13.0  293.748 -0.750
    1  0.287  288.0    9.0  288.569 -0.063
    >>> picture.figure_.savefig("pions.png", dpi=150)  # doctest: +SKIP
    """

    def __init__(
        self,
        *,
        points: pd.DataFrame,
        curve: pd.DataFrame,
        dof: float = np.inf,
        sigma_given: bool = False,
        xlabel: str = "x",
        ylabel: str = "y",
        caption: str = "",
        by_feature: bool = True,
    ) -> None:
        self.points = points
        self.curve = curve
        self.dof = dof
        self.sigma_given = sigma_given
        self.xlabel = xlabel
        self.ylabel = ylabel
        self.caption = caption
        self.by_feature = by_feature

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
        target: int = 0,
        xlabel: str | None = None,
        ylabel: str | None = None,
        ax: Axes | None = None,
        residuals: bool = True,
        levels: Sequence[float] = _LEVELS,
        legend: bool = True,
    ) -> Self:
        """Draw a fit over the data.

        Parameters
        ----------
        estimator : fitted estimator
            Of sklsq, or any scikit-learn regressor, also in a pipeline or a search; bands are drawn
            if its `predict` has `return_std`. The curve stays within the range of `X`. Points that
            it rejected (`inlier_mask_`) are hollow, if `X` has as many rows as it was fitted to.
        X : array_like of shape (n, p)
            Features.
        y : array_like of shape (n,) or (n, t)
            Measured values.
        sigma : float or array_like of shape (n,), (n, t) or (n, n), optional
            Standard deviations of y, in its units, or its covariance (of which the diagonal is
            drawn). If the fit took them as relative, they are drawn scaled by the scatter.
        sigma_x : float or array_like of shape (1, p), (n,) or (n, p), optional
            Standard deviations of the features. Pulls are then residuals over
            ``sqrt(sigma**2 + (slope * sigma_x)**2)``.
        corr_xy : float or array_like of shape (n,), optional
            Correlation of the errors of x and y, as in the fit; enters the pulls.
        target : int, default=0
            Which column of a two-dimensional y.
        xlabel, ylabel : str, optional
            Labels with units, such as ``"year"`` and ``"sea level (mm)"``. Default: the names of
            the columns.
        ax : matplotlib Axes, optional
            See `plot`, as for the next three.
        residuals, levels, legend
            See `plot`.

        Returns
        -------
        display : FitDisplay
            The picture, drawn.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If the fit was weighted by sigma and `sigma` is missing; if `sigma` is not positive; if
            `target` is not a column of y.
        """
        require_matplotlib(f"{cls.__name__}.from_estimator")
        points = fitted_points(estimator, X, y, PointErrors(sigma, sigma_x, corr_xy), target)
        by_feature = np.shape(X)[1] == 1
        summary, y_name = summary_of(estimator), name_of(y, target, "y")
        display = cls(
            points=points,
            curve=curve_over(estimator, X, target) if by_feature else identity_line(points),
            dof=dof_of_bands(summary, target),
            sigma_given=sigma is not None,
            xlabel=xlabel or (name_of(X, 0, "x") if by_feature else f"fitted {y_name}"),
            ylabel=ylabel or (y_name if by_feature else f"measured {y_name}"),
            caption=caption(summary, target),
            by_feature=by_feature,
        )
        return display.plot(ax, residuals=residuals, levels=levels, legend=legend)

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        y_pred: Any,
        *,
        x: Any = None,
        y_std: Any = None,
        sigma: Any = None,
        dof: float = np.inf,
        xlabel: str | None = None,
        ylabel: str | None = None,
        ax: Axes | None = None,
        residuals: bool = True,
        levels: Sequence[float] = _LEVELS,
        legend: bool = True,
    ) -> Self:
        """Draw measured and fitted values, wherever these come from.

        Parameters
        ----------
        y_true, y_pred : array_like of shape (n,)
            Measured and fitted values.
        x : array_like of shape (n,), optional
            Where they are; the fitted values are joined in the order of x. Without it measured
            values are drawn over fitted ones.
        y_std : array_like of shape (n,), optional
            Standard deviations of the fitted values, for the bands.
        sigma : float or array_like of shape (n,), optional
            Standard deviations of the measured values. Without it the lower panel shows residuals
            in the units of y.
        dof : float, default=inf
            Degrees of freedom behind `y_std` if it was scaled by the scatter.
        xlabel, ylabel : str, optional
            Labels with units.
        ax, residuals, levels, legend
            See `plot`.

        Returns
        -------
        display : FitDisplay
            The picture, drawn.

        Examples
        --------
        >>> from sklsq.display import FitDisplay
        >>> picture = FitDisplay.from_predictions([1.0, 2.1, 2.9], [1.0, 2.0, 3.0], sigma=0.1)
        >>> picture.frame()["pull"].round(6).tolist()
        [0.0, 1.0, -1.0]
        """
        require_matplotlib(f"{cls.__name__}.from_predictions")
        measured, fitted = column_of(y_true, 0), column_of(y_pred, 0)
        unknown = np.full_like(measured, np.nan)
        std = unknown if y_std is None else column_of(y_std, 0)
        noise = check_noise(sigma, None, len(measured), None, allow_covariance=False)
        total = unknown if sigma is None else np.broadcast_to(noise.sigma(), measured.shape)
        by_feature, y_name = x is not None, name_of(y_true, 0, "y")
        place = column_of(x, 0) if by_feature else fitted
        points = points_of(place, measured, fitted, std, total)
        joined = points.sort_values("x", ignore_index=True)[["x", "fitted", "fitted_std"]]
        display = cls(
            points=points,
            curve=joined if by_feature else identity_line(points),
            dof=dof,
            sigma_given=sigma is not None,
            xlabel=xlabel or (name_of(x, 0, "x") if by_feature else f"fitted {y_name}"),
            ylabel=ylabel or (y_name if by_feature else f"measured {y_name}"),
            by_feature=by_feature,
        )
        return display.plot(ax, residuals=residuals, levels=levels, legend=legend)

    # The numbers ---------------------------------------------------------------------------------

    def frame(self) -> pd.DataFrame:
        """Return the points of the picture, one row each, in the order of the data.

        Returns
        -------
        frame : DataFrame
            ``x`` (the feature, or the fitted value if there are several); ``y`` and its standard
            deviation ``sigma``, as given or as implied by the scatter: ``sqrt(reduced_chi2)`` or,
            of a fit to the logarithms, that times the fitted value; ``sigma_x`` if given;
            ``fitted`` and ``fitted_std``; ``residual`` (y - fitted) and ``pull``, the residual over
            its σ; ``rejected``, if the estimator rejects points. What is not known is NaN.
        """
        return self.points.copy()

    def curve_frame(self, levels: Sequence[float] = _LEVELS) -> pd.DataFrame:
        """Return the curve of the picture with its confidence bands.

        Parameters
        ----------
        levels : sequence of float, default=(0.6827, 0.9545)
            Probabilities that a band holds the curve at a given x.

        Returns
        -------
        frame : DataFrame
            ``x``, ``fitted``, ``fitted_std`` and, for each level, such as 0.9545,
            ``lower_0.9545`` and ``upper_0.9545``.
        """
        frame = self.curve.copy()
        for level in levels:
            if not 0.0 < level < 1.0:
                raise ValueError(f"`levels` must lie between 0 and 1. Got {level!r}.")
            half = float(stdtrit(self.dof, 0.5 * (1.0 + level))) * frame["fitted_std"]
            frame[f"lower_{level:g}"] = frame["fitted"] - half
            frame[f"upper_{level:g}"] = frame["fitted"] + half
        return frame

    # Drawing -------------------------------------------------------------------------------------

    def plot(
        self,
        ax: Axes | None = None,
        *,
        residuals: bool = True,
        levels: Sequence[float] = _LEVELS,
        legend: bool = True,
    ) -> Self:
        """Draw the picture.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default in a new figure. The residual panel takes the lower quarter of
            its place. To draw a second fit into the same axes, pass ``residuals=False``.
        residuals : bool, default=True
            Whether to draw the lower panel: residuals over σ or, where no errors are known, over
            the scatter; in the units of y where neither is.
        levels : sequence of float, default=(0.6827, 0.9545)
            Probabilities of the confidence bands, 1σ and 2σ; empty for none.
        legend : bool, default=True
            Whether to draw a legend with the parameters and χ², in a corner where it hides nothing.

        Returns
        -------
        self : FitDisplay
            The display, with its artists.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        require_matplotlib(f"{type(self).__name__}.plot")
        curve = self.curve_frame(levels)
        if ax is not None and not hasattr(ax, "plot"):
            raise TypeError(f"`ax` must be the axes to draw in. Got {type(ax).__name__}.")
        self.ax_ = new_axes(residuals=residuals) if ax is None else ax
        self.figure_ = self.ax_.figure
        self.residual_ax_ = split_axes(self.ax_) if residuals else None
        self._draw_data()
        self._draw_curve(curve, levels)
        self.ax_.set_ylabel(literal(self.ylabel))
        (self.residual_ax_ or self.ax_).set_xlabel(literal(self.xlabel))
        self.residual_line_ = self.residual_ax_ and self._draw_residuals(self.residual_ax_)
        drawn = self._drawn(curve)
        self.legend_ = place_legend(self.ax_, drawn, self.caption) if legend else None
        return self

    def _draw_data(self) -> None:
        sigma = r"measured $\pm$ $\sigma$" if self.sigma_given else "measured"
        fitted = r", fitted $\pm$ its error"
        across = not self.by_feature and self._bars()[0] is not None
        rejected = self._rejected()
        self.errorbar_ = self._draw_some(~rejected, sigma + fitted if across else sigma)
        self.rejected_ = None
        if rejected.any():
            self.rejected_ = self._draw_some(rejected, "rejected", **_HOLLOW)

    def _draw_some(self, rows: BoolArray, label: str, **look: Any) -> Any:
        xerr, yerr = (None if bars is None else bars[rows] for bars in self._bars())
        return self.ax_.errorbar(
            self.points["x"][rows],
            self.points["y"][rows],
            yerr=yerr,
            xerr=xerr,
            fmt="o",
            color=INK,
            label=label,
            **{**marks(len(self.points)), **look},
        )

    def _rejected(self) -> BoolArray:
        """Return which points the fit left out, a mask (n,)."""
        none = np.zeros(len(self.points), dtype=bool)
        return self.points["rejected"].to_numpy() if "rejected" in self.points else none

    def _bars(self) -> tuple[FloatArray | None, FloatArray | None]:
        """Return the half-lengths of the bars in x and in y; None where there are none."""
        across = "sigma_x" if self.by_feature else "fitted_std"
        xerr = _finite(self.points[across]) if across in self.points else None
        if xerr is not None and np.isnan(xerr).all():
            xerr = None
        return xerr, _finite(self.points["sigma"]) if self.sigma_given else None

    def _draw_curve(self, curve: pd.DataFrame, levels: Sequence[float]) -> None:
        label = "fit" if self.by_feature else "measured = fitted"
        x, fitted = curve["x"].to_numpy(), curve["fitted"].to_numpy()
        (self.line_,) = self.ax_.plot(x, fitted, color=BLUE, linewidth=1.6, zorder=3, label=label)
        shown = levels if np.isfinite(curve["fitted_std"]).any() else ()
        self.bands_ = [
            self.ax_.fill_between(
                x,
                _finite(curve[f"lower_{level:g}"]),
                _finite(curve[f"upper_{level:g}"]),
                color=BLUE,
                alpha=_BAND_OPACITY[min(k, 1)],
                linewidth=0.0,
                label=f"{100.0 * level:.3g}% confidence",
            )
            for k, level in enumerate(shown)
        ]

    def _drawn(self, curve: pd.DataFrame) -> FloatArray:
        """Return points (k, 2) all over the drawing, which a legend must not hide."""
        x, y = self.points["x"].to_numpy(), self.points["y"].to_numpy()
        xerr, yerr = (0.0 if bars is None else np.nan_to_num(bars) for bars in self._bars())
        ends = [(x, y - yerr), (x, y + yerr), (x - xerr, y), (x + xerr, y)]
        edges = curve.drop(columns=["x", "fitted_std"])
        ends += [(curve["x"].to_numpy(), edges[name].to_numpy()) for name in edges]
        return np.concatenate([np.column_stack(end) for end in ends])

    def _draw_residuals(self, ax: Axes) -> Line2D:
        """Draw the lower panel: pulls, or residuals in the units of y where no error is known."""
        from matplotlib.ticker import MaxNLocator

        points, rejected = self.points, self._rejected()
        known = bool(points["pull"].notna().any())
        values = points["pull" if known else "residual"].to_numpy()
        largest = np.nanmax(np.abs(values[~rejected]), initial=_PULLS_SHOWN if known else 0.0)
        if known:
            ax.axhspan(-2.0, 2.0, color=SHADE, alpha=0.14, linewidth=0.0)
            ax.axhspan(-1.0, 1.0, color=SHADE, alpha=0.20, linewidth=0.0)
            ax.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
            farthest = np.nanmax(np.abs(values[rejected]), initial=0.0)
            largest = max(largest, min(farthest, _REJECTED_SHOWN))
        ax.axhline(0.0, color=BLUE, linewidth=1.2)
        look = marks(len(points))
        x, size = points["x"].to_numpy(), look["markersize"]
        (line,) = ax.plot(x[~rejected], values[~rejected], "o", color=INK, markersize=size)
        line.set_rasterized(look.get("rasterized", False))
        beyond = {"o": np.abs(values) <= largest, "^": values > largest, "v": values < -largest}
        for mark, where in beyond.items() if rejected.any() else ():
            rows = rejected & where
            shown = np.clip(values[rows], -largest, largest)
            ax.plot(x[rows], shown, mark, color=INK, markersize=size, **_HOLLOW)
        if largest > 0.0:
            ax.set_ylim(-1.15 * largest, 1.15 * largest)
        ax.set_ylabel(f"residual{self._divisor() if known else ''}")
        ax.figure.align_ylabels([self.ax_, ax])
        return line

    def _divisor(self) -> str:
        """Say over what a pull is the residual: σ, or the scatter, alike in all points or not."""
        if self.sigma_given:
            return r" / $\sigma$"
        sigma = self.points["sigma"]
        return r" / $s$" if np.allclose(sigma, sigma.iloc[0], equal_nan=True) else r" / $s_i$"


def _finite(values: pd.Series) -> FloatArray:
    """Return `values` with NaN, which matplotlib leaves out, in place of infinities."""
    return values.where(np.isfinite(values), np.nan).to_numpy()
