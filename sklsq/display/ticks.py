"""Numbers along an axis that has little room: what they share goes into the label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axis import Axis

__all__ = ["Scale", "number_sparsely", "scale_of"]

_DIGITS = 6  # from which on what all numbers have in common is taken out of them
_NEARLY = 1e-6
_PLAIN = (-2, 4)  # powers of ten of numbers that are written as they are


@dataclass(frozen=True)
class Scale:
    """What numbers along an axis have in common: value = offset + number · 10^exponent.

    Parameters
    ----------
    offset : float
    exponent : int
    digits : int
        Decimals with which the offset is written.
    """

    offset: float = 0.0
    exponent: int = 0
    digits: int = 0

    def number(self, value: float, step: float) -> str:
        """Return a value as it is written at its tick, in steps of `step`."""
        unit = 10.0**self.exponent
        decimals = next((d for d in range(_DIGITS) if _is_whole(step / unit * 10.0**d)), _DIGITS)
        return f"{(value - self.offset) / unit:.{decimals}f}".replace("-", "−")

    def label(self, name: str) -> str:
        """Return the label of the axis."""
        if self.offset:
            sign = "−" if self.offset > 0.0 else "+"
            name = f"{name} {sign} {abs(self.offset):.{max(self.digits, 0)}f}"
        if not self.exponent:
            return name
        power = f"$10^{{{self.exponent}}}$"
        return f"({name}) / {power}" if self.offset else f"{name} / {power}"


def scale_of(low: float, high: float) -> Scale:
    """Return what is taken out of the numbers from `low` to `high`.

    Examples
    --------
    >>> from sklsq.display.ticks import scale_of
    >>> scale_of(0.4, 0.6).label("p")
    'p'
    >>> scale_of(5.4e-4, 5.6e-4).label("b")
    'b / $10^{-4}$'
    >>> scale_of(1467.48912, 1467.48918).label("c")
    '(c − 1467.4891) / $10^{-5}$'
    """
    span, largest = high - low, max(abs(low), abs(high))
    if not (np.isfinite(span) and span > 0.0):
        return Scale()
    offset, digits = 0.0, 0
    if np.log10(largest / span) + 2.0 > _DIGITS:
        digits = -int(np.floor(np.log10(span))) - 1
        offset = round(0.5 * (low + high), digits)
        largest = max(abs(low - offset), abs(high - offset))
    power = int(np.floor(np.log10(largest)))
    return Scale(offset, 0 if _PLAIN[0] <= power < _PLAIN[1] else power, digits)


def number_sparsely(axis: Axis, scale: Scale, n_intervals: int = 3) -> None:
    """Put few numbers on an axis, less what they have in common."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    def number(value: float, _: object) -> str:
        ticks = axis.get_majorticklocs()
        return scale.number(value, float(ticks[1] - ticks[0]) if len(ticks) > 1 else value)

    axis.set_major_locator(MaxNLocator(nbins=n_intervals, steps=[1, 2, 2.5, 5, 10]))
    axis.set_major_formatter(FuncFormatter(number))


def _is_whole(value: float) -> bool:
    return abs(value - round(value)) < _NEARLY
