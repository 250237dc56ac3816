"""The correlations of the parameters, as a heat map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from sklsq._typing import FloatArray
from sklsq.display.canvas import INK, literal, require_matplotlib
from sklsq.inference.fitted_values import summary_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["CorrelationDisplay"]

# Blue for negative, red for positive: told apart by every reader, alike in strength.
_COLOURS = "RdBu_r"
_DARK = 0.62  # correlation from which on the colour is so dark that a number on it must be white
_WITH_NUMBERS = 24  # parameters, of more of which the numbers would be too small
_ZERO = 0.005  # correlation below which two digits would say minus zero
_CELL = 0.44  # inches


class CorrelationDisplay:
    """Correlations of the parameters of a fit, as a heat map with numbers.

    Make it with `from_estimator`. A number such as .99+ stands for one between 0.995 and 1.

    Parameters
    ----------
    correlation : DataFrame of shape (m, m)
        Correlations, names of the parameters in index and columns; NaN for a parameter without an
        error of its own.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
    image_ : matplotlib AxesImage
        The cells.
    colorbar_ : matplotlib Colorbar or None
    texts_ : list of matplotlib Text
        The numbers.

    Examples
    --------
    >>> from sklsq import WeightedLinearFit
    >>> from sklsq.datasets import load_pion_minus
    >>> from sklsq.display import CorrelationDisplay
    >>> data = load_pion_minus()
    >>> line = WeightedLinearFit().fit(data.X, data.y_values, sigma=data.sigma_values)
    >>> shown = CorrelationDisplay.from_estimator(line)
    >>> shown.frame().round(3).shape
    (2, 2)
    """

    def __init__(self, *, correlation: pd.DataFrame) -> None:
        self.correlation = correlation

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        target: int = 0,
        ax: Axes | None = None,
        colorbar: bool = True,
    ) -> Self:
        """Draw the correlations of the parameters of a fit.

        Parameters
        ----------
        estimator : fitted estimator of sklsq
            Also in a pipeline or a search. Parameters that are fixed, at a bound or not determined
            have no correlations and are left out.
        target : int, default=0
            Which column of a two-dimensional y.
        ax : matplotlib Axes, optional
            See `plot`.
        colorbar : bool, default=True
            See `plot`.

        Returns
        -------
        display : CorrelationDisplay
            The picture, drawn.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If the estimator has no covariance of its parameters, fewer than two have an error, or
            `target` is not a column of y.
        """
        require_matplotlib(f"{cls.__name__}.from_estimator")
        summary = summary_of(estimator)
        if summary is None:
            raise ValueError(
                "`estimator` must publish the covariance of its parameters, as those of sklsq do. "
                f"Got {type(estimator).__name__}."
            )
        if not 0 <= target < len(summary.params):
            raise ValueError(
                f"`target` must be the number of a column of y, from 0 to "
                f"{len(summary.params) - 1}. Got {target}."
            )
        std = summary.std[target]
        known = np.isfinite(std) & (std > 0.0)
        if known.sum() < 2:
            raise ValueError(
                "`estimator` must have standard errors for two parameters or more. Got "
                f"{known.sum()}; others are fixed, at a bound or not determined."
            )
        names = [name for name, has in zip(summary.names, known, strict=True) if has]
        block = summary.covariance[target][np.ix_(known, known)]
        correlation = np.clip(block / np.outer(std[known], std[known]), -1.0, 1.0)
        display = cls(correlation=pd.DataFrame(correlation, index=names, columns=names))
        return display.plot(ax, colorbar=colorbar)

    def frame(self) -> pd.DataFrame:
        """Return the correlations."""
        return self.correlation.copy()

    def plot(self, ax: Axes | None = None, *, colorbar: bool = True) -> Self:
        """Draw the picture.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default in a new figure, of a size that leaves names legible.
        colorbar : bool, default=True
            Whether to show what the colours mean.

        Returns
        -------
        self : CorrelationDisplay
        """
        require_matplotlib(f"{type(self).__name__}.plot")
        names = [literal(str(name)) for name in self.correlation.columns]
        values = self.correlation.to_numpy()[1:, :-1]  # all pairs, each of them once
        self.ax_ = _axes(names) if ax is None else ax
        self.figure_ = self.ax_.figure
        shown = np.where(np.tri(len(values), dtype=bool), values, np.nan)
        self.image_ = self.ax_.imshow(shown, cmap=_COLOURS, vmin=-1.0, vmax=1.0)
        upright = max(map(len, names)) <= 3 and len(names) <= 12
        turn: dict[str, Any] = (
            {} if upright else {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
        )
        self.ax_.set_xticks(range(len(values)), names[:-1], **turn)
        self.ax_.set_yticks(range(len(values)), names[1:])
        self.ax_.tick_params(length=0)
        self.ax_.spines[:].set_visible(False)
        self.colorbar_ = None
        if colorbar:
            self.colorbar_ = self.figure_.colorbar(self.image_, ax=self.ax_, label="correlation")
        self.texts_ = self._write(shown) if len(names) <= _WITH_NUMBERS else []
        return self

    def _write(self, shown: FloatArray) -> list[Any]:
        """Write the numbers into the cells, in a size that fits."""
        self.figure_.figure.draw_without_rendering()  # only a laid-out cell knows its size
        corners = self.ax_.transData.transform([(0.0, 0.0), (1.0, 0.0)])
        points = 72.0 * (corners[1, 0] - corners[0, 0]) / self.figure_.figure.dpi
        size = float(np.clip(points / 3.6, 4.0, 10.0))
        return [
            self.ax_.text(
                column,
                row,
                _number(shown[row, column]),
                ha="center",
                va="center",
                fontsize=size,
                color="white" if abs(shown[row, column]) > _DARK else INK,
            )
            for row, column in zip(*np.nonzero(np.isfinite(shown)), strict=True)
        ]


def _axes(names: list[str]) -> Axes:
    import matplotlib.pyplot as plt

    side = max(_CELL * len(names), 1.6)
    label = 0.09 * max(map(len, names))
    _, ax = plt.subplots(figsize=(side + label + 1.6, side + label + 0.5), layout="constrained")
    return ax


def _number(correlation: float) -> str:
    """Return two digits, which never say one where it is not."""
    text = f"{correlation if abs(correlation) >= _ZERO else 0.0:.2f}"
    if abs(correlation) < 1.0 and text.endswith("1.00"):
        text = text.replace("1.00", ".99+")
    return text.replace("-", "−")
