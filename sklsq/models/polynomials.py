"""Constant, straight line and polynomial: backgrounds for the other models.

To fit nothing but a polynomial, `sklsq.DesignMatrixRegressor` keeps more digits.
"""

from typing import Any

from sklsq.models.ready_made import ReadyMade

__all__ = ["Constant", "Line", "PolynomialModel"]

_HIGHEST_DEGREE = 30


class Constant(ReadyMade):
    """A constant, ``constant``."""

    formula = "constant"


class Line(ReadyMade):
    """A straight line, ``intercept + slope*x``."""

    formula = "intercept + slope*x"


class PolynomialModel(ReadyMade):
    """A polynomial, ``c0 + c1*x + c2*x**2 + ...``.

    Parameters
    ----------
    degree : int
        The highest power, at most 30.
    prefix : str
        Put before every parameter name.

    Examples
    --------
    >>> from sklsq.models import PolynomialModel
    >>> PolynomialModel(2).text
    'c0 + c1*x + c2*x**2'
    """

    def __init__(self, degree: int, *, prefix: str = "") -> None:
        super().__init__(prefix=prefix)
        if isinstance(degree, bool) or not isinstance(degree, int):
            raise TypeError(f"`degree` must be an integer. Got {degree!r}.")
        if not 0 <= degree <= _HIGHEST_DEGREE:
            raise ValueError(f"`degree` must be from 0 to {_HIGHEST_DEGREE}. Got {degree}.")
        self.degree = degree

    @property
    def text(self) -> str:
        """The formula in x and the unprefixed parameters."""
        terms = ["c0", "c1*x", *(f"c{k}*x**{k}" for k in range(2, self.degree + 1))]
        return " + ".join(terms[: self.degree + 1])

    def _arguments(self) -> tuple[Any, ...]:
        return (self.degree,)
