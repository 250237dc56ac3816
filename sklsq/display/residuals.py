"""The picture of residuals: over the feature, over the fitted values, their histogram, quantiles.

The first two panels show pulls, residuals over σ. The others show *standardised* residuals, pulls
that allow for the leverage of each point, as these are normal of unit variance if model and σ are
right. Where there are many points, their means in groups are drawn, which show a wave that is
smaller than the scatter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import pandas as pd

from sklsq._typing import FloatArray
from sklsq.diagnostics.quantile_band import normal_places, quantile_band
from sklsq.diagnostics.report import ResidualReport
from sklsq.diagnostics.residual import residual_diagnostics
from sklsq.display.canvas import BLUE, INK, SHADE, literal, marks, require_matplotlib
from sklsq.display.panels import panel_axes
from sklsq.display.points import name_of
from sklsq.inference.fitted_values import column_of, row_labels
from sklsq.inference.residuals import residuals_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ResidualsDisplay"]

_PANELS = ("x", "fitted", "histogram", "quantiles")
_SHOWN = 3.2  # σ, at least, in either direction
_FARTHEST = 8.0  # σ, shown in the histogram
_FEWEST_FOR_MEANS = 40
_MOST_GROUPS = 30
_GROUP = 5  # points in a group, at least
_NAMED = 5  # outliers
_DENSE = "0.45"  # of so many points that they would hide the rest


class ResidualsDisplay:
    """Residuals of a fit in units of σ: over the feature, over fitted values, and as distribution.

    Make it with `from_estimator` or `from_predictions`.

    Parameters
    ----------
    points : DataFrame
        The points, see `frame`.
    sigma_given : bool, default=False
        Whether σ is known from elsewhere than from the scatter.
    xlabel, fitted_label : str
        Labels of the horizontal axes of the first two panels.
    report : ResidualReport, optional
        What the tests of the residuals say; names the outliers.

    Attributes
    ----------
    axes_ : dict of str to matplotlib Axes
        The panels that are drawn, by name: ``x``, ``fitted``, ``histogram``, ``quantiles``.
    figure_ : matplotlib Figure
        Their figure.
    lines_ : dict of str to matplotlib Line2D
        The points of each panel that has points.
    means_ : dict of str to matplotlib ErrorbarContainer
        Means of groups of neighbours, ± their standard deviation, where there are enough points.
    bars_ : matplotlib BarContainer or None
        The histogram.
    normal_line_ : matplotlib Line2D or None
        What the normal distribution would have there.
    band_ : matplotlib artist or None
        The band that holds all quantiles with a probability of 95 %.
    outliers_ : list of matplotlib Annotation
        Names of the outliers.

    Examples
    --------
    >>> from sklsq import WeightedLinearFit
    >>> from sklsq.datasets import load_pion_plus
    >>> from sklsq.display import ResidualsDisplay
    >>> data = load_pion_plus()
    >>> line = WeightedLinearFit().fit(data.X, data.y_values, sigma=data.sigma_values)
    >>> picture = ResidualsDisplay.from_estimator(
    ...     line, data.X, data.y_values, sigma=data.sigma_values, xlabel="inverse energy (1/GeV)"
    ... )
    >>> picture.report.suspects
    ['trend inverse_energy', 'autocorrelation']
    >>> picture.figure_.savefig("residuals.png", dpi=150)  # doctest: +SKIP
    """

    def __init__(
        self,
        *,
        points: pd.DataFrame,
        sigma_given: bool = False,
        xlabel: str = "x",
        fitted_label: str = "fitted y",
        report: ResidualReport | None = None,
    ) -> None:
        self.points = points
        self.sigma_given = sigma_given
        self.xlabel = xlabel
        self.fitted_label = fitted_label
        self.report = report

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
        feature: int | str = 0,
        xlabel: str | None = None,
        fitted_label: str | None = None,
        ax: Axes | Sequence[Axes] | None = None,
        panels: Sequence[str] = _PANELS,
    ) -> Self:
        """Draw the residuals of a fit.

        Parameters
        ----------
        estimator : fitted estimator
            Of sklsq, or any scikit-learn regressor, also in a pipeline or a search.
        X : array_like of shape (n, p)
            Features that it was fitted to.
        y : array_like of shape (n,) or (n, t)
            Measured values that it was fitted to.
        sigma : float or array_like of shape (n,), (n, t) or (n, n), optional
            Standard deviations of y, as in the fit; without, pulls are over what the scatter
            implies.
        sigma_x : float or array_like of shape (1, p), (n,) or (n, p), optional
            Standard deviations of the features, as in the fit.
        corr_xy : float or array_like of shape (n,), optional
            Correlation of the errors of x and y.
        target : int, default=0
            Which column of a two-dimensional y.
        feature : int or str, default=0
            Over which column of X the first panel is drawn.
        xlabel, fitted_label : str, optional
            Labels with units. Default: the names of the columns.
        ax, panels
            See `plot`.

        Returns
        -------
        display : ResidualsDisplay
            The picture, drawn.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            As `residual_diagnostics`; if X has no such `feature`.
        """
        require_matplotlib(f"{cls.__name__}.from_estimator")
        errors = {"sigma": sigma, "sigma_x": sigma_x, "corr_xy": corr_xy}
        column = _column(X, feature)
        report = residual_diagnostics(estimator, X, y, target=target, **errors)
        x = np.asarray(X, dtype=np.float64)[:, column]
        points = report.table.copy()
        points.insert(0, "x", x)
        default = "x" if np.shape(X)[1] == 1 else f"x{column}"
        display = cls(
            points=points,
            sigma_given=report.sigma_known,
            xlabel=xlabel or name_of(X, column, default),
            fitted_label=fitted_label or f"fitted {name_of(y, target, 'y')}",
            report=report,
        )
        return display.plot(ax, panels=panels)

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        y_pred: Any,
        *,
        x: Any = None,
        y_std: Any = None,
        sigma: Any = None,
        xlabel: str | None = None,
        fitted_label: str | None = None,
        ax: Axes | Sequence[Axes] | None = None,
        panels: Sequence[str] | None = None,
    ) -> Self:
        """Draw residuals from measured and fitted values, wherever these come from.

        Parameters
        ----------
        y_true, y_pred : array_like of shape (n,)
            Measured and fitted values.
        x : array_like of shape (n,), optional
            Where they are; without it the first panel is left out.
        y_std : array_like of shape (n,), optional
            Standard deviations of the fitted values, which were fitted to these data.
        sigma : float or array_like of shape (n,), optional
            Standard deviations of the measured values. Default: the root mean square residual.
        xlabel, fitted_label : str, optional
            Labels with units.
        ax, panels
            See `plot`.

        Returns
        -------
        display : ResidualsDisplay
            The picture, drawn.

        Examples
        --------
        >>> from sklsq.display import ResidualsDisplay
        >>> picture = ResidualsDisplay.from_predictions([1.0, 2.1, 2.9], [1.0, 2.0, 3.0], sigma=0.1)
        >>> picture.frame()["pull"].round(6).tolist()
        [0.0, 1.0, -1.0]
        """
        require_matplotlib(f"{cls.__name__}.from_predictions")
        measured, fitted = column_of(y_true, 0), column_of(y_pred, 0)
        places = np.full_like(measured, np.nan) if x is None else column_of(x, 0)
        if not len(measured) == len(fitted) == len(places):
            raise ValueError(
                "`y_true`, `y_pred` and `x` must have the same length. Got "
                f"{len(measured)}, {len(fitted)} and {len(places)}."
            )
        apart = (measured - fitted)[np.isfinite(measured - fitted)]
        if not apart.size:
            raise ValueError(
                "`y_true` and `y_pred` must both be finite in some rows. Got no such row."
            )
        scatter = float(np.sqrt(np.mean(apart**2))) or 1.0
        residuals = residuals_of(
            measured, fitted, sigma=scatter if sigma is None else sigma, fitted_std=y_std
        )
        points = residuals.frame(row_labels(y_true))
        points.insert(0, "x", places)
        display = cls(
            points=points,
            sigma_given=sigma is not None,
            xlabel=xlabel or name_of(x, 0, "x"),
            fitted_label=fitted_label or f"fitted {name_of(y_true, 0, 'y')}",
        )
        return display.plot(ax, panels=panels or (_PANELS if x is not None else _PANELS[1:]))

    # The numbers ---------------------------------------------------------------------------------

    def frame(self) -> pd.DataFrame:
        """Return the points of the picture, one row each, in the order of the data.

        Returns
        -------
        frame : DataFrame
            ``x``; ``fitted`` and ``fitted_std``; ``residual`` and ``sigma``; ``pull``
            (residual/σ); ``residual_std``, ``standardized`` (residual/residual_std) and
            ``leverage``; from an estimator also ``studentized``, ``tail`` and ``expected``, see
            `ResidualReport`. What is not known is NaN.
        """
        return self.points.copy()

    # Drawing -------------------------------------------------------------------------------------

    def plot(
        self, ax: Axes | Sequence[Axes] | None = None, *, panels: Sequence[str] = _PANELS
    ) -> Self:
        """Draw the picture.

        Parameters
        ----------
        ax : matplotlib Axes or sequence of them, optional
            Where to draw: one axes for each panel, or one whose place the panels share. Default: in
            a new figure.
        panels : sequence of {"x", "fitted", "histogram", "quantiles"}
            Which panels, in which order. Default: all.

        Returns
        -------
        self : ResidualsDisplay
            The display, with its artists.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If there is no such panel, or not one axes for each.
        """
        require_matplotlib(f"{type(self).__name__}.plot")
        draw = {
            "x": lambda ax: self._draw_over(ax, "x", self.xlabel),
            "fitted": lambda ax: self._draw_over(ax, "fitted", self.fitted_label),
            "histogram": self._draw_histogram,
            "quantiles": self._draw_quantiles,
        }
        unknown = [name for name in panels if name not in draw]
        if unknown or not len(panels):
            raise ValueError(f"`panels` must be some of {', '.join(draw)}. Got {panels!r}.")
        self.axes_ = dict(zip(panels, panel_axes(ax, len(panels)), strict=True))
        self.figure_ = next(iter(self.axes_.values())).figure
        self.lines_: dict[str, Any] = {}
        self.means_: dict[str, Any] = {}
        self.outliers_: list[Any] = []
        self.bars_: Any = None
        self.normal_line_: Any = None
        self.band_: Any = None
        for name, place in self.axes_.items():
            draw[name](place)
        return self

    def _standardized(self) -> FloatArray:
        """Return standardised residuals, or pulls where leverages are unknown, without NaN."""
        known = bool(self.points["leverage"].notna().any())
        values = self.points["standardized" if known else "pull"].to_numpy()
        finite: FloatArray = values[np.isfinite(values)]
        return finite

    def _unit(self) -> str:
        return r"$\sigma$" if self.sigma_given else "scatter"

    def _draw_points(
        self, ax: Axes, name: str, x: FloatArray, y: FloatArray, dense_color: str = INK
    ) -> None:
        look = marks(len(x))
        dense = bool(look.get("rasterized", False))
        (line,) = ax.plot(
            x,
            y,
            "o",
            color=dense_color if dense else INK,
            markersize=look["markersize"],
            markeredgewidth=0.0 if dense else None,
        )
        line.set_rasterized(dense)
        self.lines_[name] = line

    def _draw_over(self, ax: Axes, column: str, label: str) -> None:
        """Draw pulls over a column, with the means of groups and the names of outliers."""
        x, pull = self.points[column].to_numpy(), self.points["pull"].to_numpy()
        for half, shade in ((2.0, 0.14), (1.0, 0.20)):
            ax.axhspan(-half, half, color=SHADE, alpha=shade, linewidth=0.0)
        ax.axhline(0.0, color=BLUE, linewidth=1.2)
        self._draw_points(ax, column, x, pull, _DENSE)
        finite = pull[np.isfinite(pull)]
        ax.set_ylim(
            min(-_SHOWN, 1.12 * finite.min(initial=0.0)),
            max(_SHOWN, 1.12 * finite.max(initial=0.0)),
        )
        ax.set_xlabel(literal(label))
        ax.set_ylabel(f"pull = residual / {self._unit()}")
        self._draw_means(ax, column, x, pull)
        self._name_outliers(ax, x, pull)

    def _draw_means(self, ax: Axes, column: str, x: FloatArray, pull: FloatArray) -> None:
        usable = np.isfinite(x) & np.isfinite(pull)
        if usable.sum() < _FEWEST_FOR_MEANS:
            return
        order = np.flatnonzero(usable)[np.argsort(x[usable], kind="stable")]
        groups = np.array_split(order, min(len(order) // _GROUP, _MOST_GROUPS))
        self.means_[column] = ax.errorbar(
            np.array([x[group].mean() for group in groups]),
            np.array([pull[group].mean() for group in groups]),
            yerr=np.array([1.0 / np.sqrt(len(group)) for group in groups]),
            fmt="s-",
            color=BLUE,
            markersize=3.0,
            linewidth=1.0,
            zorder=3,
        )
        _above(ax, f"means of {len(groups[0])} neighbours", "right")

    def _name_outliers(self, ax: Axes, x: FloatArray, pull: FloatArray) -> None:
        if self.report is None:
            return
        for label in self.report.outliers.index[:_NAMED]:
            row = int(np.flatnonzero(self.points.index == label)[0])
            right = x[row] > 0.5 * (np.nanmin(x) + np.nanmax(x))
            note = ax.annotate(
                str(label),
                (x[row], pull[row]),
                xytext=(-6.0 if right else 6.0, 0.0),
                textcoords="offset points",
                ha="right" if right else "left",
                va="center",
                fontsize="small",
            )
            self.outliers_.append(note)

    def _draw_histogram(self, ax: Axes) -> None:
        """Draw how many standardised residuals fall where, and how many of the normal would."""
        from matplotlib.ticker import MaxNLocator

        values = self._standardized()
        n = len(values)
        width = 2.7 / max(n, 8) ** (1.0 / 3.0)  # Scott-like, for unit variance
        half = min(max(np.abs(values).max(initial=0.0), _SHOWN), _FARTHEST)
        k = int(np.ceil(half / width))
        edges = width * np.arange(-k, k + 1)
        inside = np.clip(values, edges[0], edges[-1])
        counts, _ = np.histogram(inside, edges)
        self.bars_ = ax.bar(edges[:-1], counts, width, align="edge", color="0.75", edgecolor="0.45")
        grid = np.linspace(edges[0], edges[-1], 201)
        expected = n * width * np.exp(-0.5 * grid**2) / np.sqrt(2.0 * np.pi)
        (self.normal_line_,) = ax.plot(grid, expected, color=BLUE, linewidth=1.6)
        beyond = int((np.abs(values) > edges[-1]).sum())
        if n:
            spread = f"mean {values.mean():.2f}, std {values.std(ddof=min(1, n - 1)):.2f}"
            _above(ax, spread + (f", {beyond} beyond the ends" if beyond else ""), "left")
        _above(ax, "normal", "right")
        ax.set_xlabel("standardised residual")
        ax.set_ylabel("points")
        ax.yaxis.set_major_locator(MaxNLocator(integer=True))

    def _draw_quantiles(self, ax: Axes) -> None:
        """Draw ordered standardised residuals over normal quantiles, with a simultaneous band."""
        values = np.sort(self._standardized())
        n = len(values)
        ax.set_xlabel("normal quantile")
        ax.set_ylabel("standardised residual")
        if not n:
            return
        places = normal_places(n)
        lower, upper = quantile_band(n)
        self.band_ = ax.fill_between(places, lower, upper, color=BLUE, alpha=0.2, linewidth=0.0)
        ends = np.array([places[0], places[-1]])
        ax.plot(ends, ends, color=BLUE, linewidth=1.2)
        self._draw_points(ax, "quantiles", places, values)
        _above(ax, "95% of normal samples lie within", "right")


def _above(ax: Axes, text: str, side: Literal["left", "right"]) -> None:
    """Write above the axes, where nothing is hidden; what is blue in the picture, in blue."""
    ax.set_title(text, loc=side, fontsize="small", color=INK if side == "left" else BLUE)


def _column(X: Any, feature: int | str) -> int:
    """Return the number of a column of X."""
    n_features = np.shape(X)[1]
    names = [str(name) for name in X.columns] if hasattr(X, "columns") else []
    if isinstance(feature, str) and feature in names:
        return names.index(feature)
    if not isinstance(feature, str) and 0 <= feature < n_features:
        return int(feature)
    known = f"one of {names}, or a number" if names else "a number"
    raise ValueError(f"`feature` must be {known} from 0 to {n_features - 1}. Got {feature!r}.")
